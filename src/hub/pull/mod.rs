//! Fetching a model from the hub into the Hugging Face cache: the only room that reaches a network, and only when told.
//!
//! Everything lies where Python tools put it and look for it, under the same locks. A download that is cut, in whatever
//! way, leaves `blobs/<hash>.incomplete`, and the next one goes on there; a file takes its name only after its hash was
//! checked; a branch stands for a commit only after all its files are here.

mod access;
mod blob;
mod client;
mod error;
mod wait;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use access::{Access, HUB, Patience, Token};
pub use error::PullError;

use super::digest::Digest;
use super::layout::{RepoFolder, is_commit, stays_inside};
use super::reference::is_name;
use super::wanted::{Ask, Wanted, choose, shards};
use super::{CachePlaces, HubError};
use blob::{Remote, fetch};
use client::{About, Client};

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `org/name`.
    pub repo: String,
    /// A branch, tag or commit; `main` where none is said.
    pub revision: Option<String>,
    pub ask: Ask,
}

/// What happens on the way.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Files and bytes that there are, and bytes of them that are to come.
    Files {
        files: usize,
        bytes: u64,
        missing_bytes: u64,
    },
    /// A file begins.
    File { name: &'a str, bytes: u64 },
    /// Bytes more are here.
    Bytes(u64),
    /// Bytes that were here are so no more.
    Back(u64),
    /// Nothing goes on for a while; zero where it is not known for how long.
    Waiting { reason: &'a str, wait: Duration },
}

/// Who is told of it.
pub type Watch<'a> = &'a mut dyn FnMut(Event<'_>);

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub repo: String,
    pub commit: String,
    /// The folder of the model; of one GGUF file, the file.
    pub path: PathBuf,
    pub files: usize,
    pub bytes: u64,
    /// Bytes of them that came now.
    pub fetched_bytes: u64,
}

impl Wish {
    /// Reads `org/name`, `org/name@revision`, `org/name/file.gguf`, `org/name:Q4_K_M`.
    ///
    /// # Errors
    /// When it names nothing that could be fetched.
    pub fn parse(reference: &str) -> Result<Self, HubError> {
        let wrong = |reason: &str| HubError::Reference {
            reference: reference.to_owned(),
            reason: reason.to_owned(),
        };
        let (rest, quant) = match reference.rsplit_once(':') {
            Some((rest, quant)) => (rest, Some(quant)),
            None => (reference, None),
        };
        let is_file = |path: &str| {
            Path::new(path)
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
        };
        // The first two parts are the repository; what follows `@` is its revision up to a file's path.
        let (named, file) = if is_file(rest) {
            let mut parts = rest.splitn(3, '/');
            let (org, name, file) = (parts.next(), parts.next(), parts.next());
            match (org, name, file) {
                (Some(org), Some(name), Some(file)) => {
                    (format!("{org}/{name}"), Some(file.to_owned()))
                }
                _ => return Err(wrong("expected org/name/file.gguf")),
            }
        } else {
            (rest.to_owned(), None)
        };
        let (repo, revision) = match named.split_once('@') {
            Some((repo, revision)) => (repo.to_owned(), Some(revision.to_owned())),
            None => (named, None),
        };
        let parts: Vec<&str> = repo.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_name(part)) || repo.contains("--") {
            return Err(wrong(
                "expected org/name, with letters, digits, `-`, `_` and `.` on both sides",
            ));
        }
        if revision
            .as_ref()
            .is_some_and(|revision| revision.split('/').any(|part| !is_name(part)))
        {
            return Err(wrong("expected a branch, tag or commit after `@`"));
        }
        let ask = match (file, quant) {
            (None, None) => Ask::Model,
            (Some(file), None) if stays_inside(&file) => Ask::File(file),
            (None, Some(quant)) if is_name(quant) => Ask::Quant(quant.to_owned()),
            _ => return Err(wrong("expected one file, or a quantization after `:`")),
        };
        Ok(Self {
            repo,
            revision,
            ask,
        })
    }
}

/// Room that is left free on the disk.
const SPARE_BYTES: u64 = 64 << 20;

/// Fetches a model, or what is missing of it. `accept` sees the configuration before the weights are fetched, and may
/// refuse them with a reason.
///
/// # Errors
/// See [`PullError`]. What has come stays, and the next call goes on there.
pub fn pull(
    wish: &Wish,
    places: &CachePlaces,
    access: &Access,
    accept: &dyn Fn(&Path) -> Result<(), String>,
    watch: Watch<'_>,
) -> Result<Pulled, PullError> {
    let repo = wish.repo.as_str();
    let Some(cache) = places.folder() else {
        return Err(HubError::NoCache {
            repo: repo.to_owned(),
        }
        .into());
    };
    let folder = RepoFolder::new(&cache, repo);
    if access.offline {
        return Err(PullError::Offline {
            repo: repo.to_owned(),
            folder: folder.path(),
        });
    }
    let client = Client::new(access)?;
    let revision = wish.revision.as_deref().unwrap_or("main");
    let about = About {
        repo,
        revision,
        file: None,
    };
    let listing = client.listing(about, watch)?;
    let (commit, names) = read_listing(&listing, repo, client.host())?;
    let unusable = |reason: String| PullError::Unusable {
        repo: repo.to_owned(),
        reason,
    };
    let wanted = choose(&names, &wish.ask).map_err(unusable)?;
    let pull = Pull {
        client: &client,
        folder: &folder,
        about,
        commit: &commit,
    };
    let mut remotes = Vec::new();
    let (Wanted::Files(files) | Wanted::Sharded(files)) = &wanted;
    for name in files {
        remotes.push(pull.describe(name, watch)?);
    }
    let mut fetched = 0;
    if wish.ask == Ask::Model {
        // The weights come last; all before them is small.
        let sharded = matches!(wanted, Wanted::Sharded(_));
        let small = if sharded {
            remotes.len()
        } else {
            remotes.len() - 1
        };
        fetched += pull.fetch_all(&remotes[..small], watch)?;
        accept(&folder.snapshot(&commit).join("config.json")).map_err(unusable)?;
        if sharded {
            let index = folder.snapshot(&commit).join(&remotes[small - 1].name);
            let text = std::fs::read(&index).map_err(|source| PullError::Io {
                action: "read",
                path: index,
                source,
            })?;
            for shard in shards(&text).map_err(unusable)? {
                if !names.contains(&shard) {
                    return Err(unusable(format!(
                        "its index names {shard}, which it does not have"
                    )));
                }
                remotes.push(pull.describe(&shard, watch)?);
            }
        }
        fetched += pull.fetch_all(&remotes[small..], watch)?;
    } else {
        fetched += pull.fetch_all(&remotes, watch)?;
    }
    if revision != commit {
        folder
            .name_commit(revision, &commit)
            .map_err(|source| PullError::Io {
                action: "write",
                path: folder.path().join("refs").join(revision),
                source,
            })?;
    }
    let snapshot = folder.snapshot(&commit);
    Ok(Pulled {
        repo: repo.to_owned(),
        path: match &wish.ask {
            Ask::Model => snapshot,
            _ => snapshot.join(&remotes[0].name),
        },
        files: remotes.len(),
        bytes: remotes.iter().map(|remote| remote.bytes).sum(),
        fetched_bytes: fetched,
        commit,
    })
}

/// The commit and the file names of a listing.
fn read_listing(
    listing: &serde_json::Value,
    repo: &str,
    host: &str,
) -> Result<(String, Vec<String>), PullError> {
    let strange = |reason: &str| PullError::Answer {
        host: host.to_owned(),
        reason: reason.to_owned(),
    };
    let commit = listing["sha"]
        .as_str()
        .filter(|commit| is_commit(commit))
        .ok_or_else(|| strange("its listing names no commit"))?;
    let files = listing["siblings"]
        .as_array()
        .ok_or_else(|| strange("its listing names no files"))?;
    let mut names = Vec::with_capacity(files.len());
    for file in files {
        let name = file["rfilename"]
            .as_str()
            .ok_or_else(|| strange("its listing has a file without a name"))?;
        if !stays_inside(name) {
            return Err(PullError::Unsafe {
                repo: repo.to_owned(),
                name: name.to_owned(),
            });
        }
        names.push(name.to_owned());
    }
    Ok((commit.to_ascii_lowercase(), names))
}

/// One repository at one commit.
struct Pull<'a> {
    client: &'a Client<'a>,
    folder: &'a RepoFolder,
    about: About<'a>,
    commit: &'a str,
}

impl<'a> Pull<'a> {
    /// Asks what a file weighs and what its hash is.
    fn describe(&self, name: &'a str, watch: Watch<'_>) -> Result<Remote, PullError> {
        let about = About {
            file: Some(name),
            ..self.about
        };
        let headers = self.client.head(about, self.commit, watch)?;
        let text = |key: &str| headers.get(key)?.to_str().ok();
        let strange = |reason: String| PullError::Answer {
            host: self.client.host().to_owned(),
            reason,
        };
        let etag = text("x-linked-etag")
            .or(text("etag"))
            .map(|etag| etag.trim_start_matches("W/").trim_matches('"'))
            .filter(|etag| is_name(etag) && etag.len() <= 200)
            .ok_or_else(|| {
                strange(format!(
                    "it gives no etag of {name} that could be a file's name"
                ))
            })?;
        // Lower case, as the cache has it; other tools' etags stay as they are.
        let etag = Digest::named(etag).map_or(etag.to_owned(), |digest| digest.hex().to_owned());
        let bytes = text("x-linked-size")
            .or(text("content-length"))
            .and_then(|bytes| bytes.parse().ok())
            .ok_or_else(|| strange(format!("it does not say how large {name} is")))?;
        Ok(Remote {
            name: name.to_owned(),
            etag,
            bytes,
        })
    }

    /// Fetches what is missing of some files, and links all of them. Returns the bytes that came.
    fn fetch_all(&self, remotes: &[Remote], watch: Watch<'_>) -> Result<u64, PullError> {
        let bytes: u64 = remotes.iter().map(|remote| remote.bytes).sum();
        // Files of the same content are one blob.
        let blobs: BTreeMap<&str, u64> = remotes
            .iter()
            .map(|remote| {
                (
                    remote.etag.as_str(),
                    remote.bytes - remote.here(self.folder),
                )
            })
            .collect();
        let missing = blobs.values().sum();
        self.check_room(missing)?;
        watch(Event::Files {
            files: remotes.len(),
            bytes,
            missing_bytes: missing,
        });
        for remote in remotes {
            watch(Event::File {
                name: &remote.name,
                bytes: remote.bytes,
            });
            let about = About {
                file: Some(&remote.name),
                ..self.about
            };
            fetch(self.client, self.folder, remote, about, self.commit, watch)?;
            self.folder
                .link(self.commit, &remote.name, &remote.etag)
                .map_err(|source| PullError::Io {
                    action: "link",
                    path: self.folder.snapshot(self.commit).join(&remote.name),
                    source,
                })?;
        }
        Ok(missing)
    }

    /// Refuses before the first byte what would not fit.
    fn check_room(&self, needed: u64) -> Result<(), PullError> {
        let folder = self.folder.path();
        let there = folder.ancestors().find(|folder| folder.is_dir());
        let Some(free_bytes) = there.and_then(free_bytes) else {
            return Ok(());
        };
        if needed > 0 && needed.saturating_add(SPARE_BYTES) > free_bytes {
            return Err(PullError::NoSpace {
                folder: there.unwrap_or(&folder).to_owned(),
                needed_bytes: needed,
                free_bytes,
            });
        }
        Ok(())
    }
}

/// Bytes that may still be written to a folder's disk; none where the system does not say.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_told_apart() {
        let wish = |reference: &str| {
            Wish::parse(reference).map(|wish| (wish.repo, wish.revision, wish.ask))
        };
        let some = |text: &str| Some(text.to_owned());
        let repo = || "org/Name-1.5_x".to_owned();
        assert_eq!(wish("org/Name-1.5_x"), Ok((repo(), None, Ask::Model)));
        assert_eq!(
            wish("org/Name-1.5_x@refs/pr/1"),
            Ok((repo(), some("refs/pr/1"), Ask::Model))
        );
        assert_eq!(
            wish("org/Name-1.5_x:Q4_K_M"),
            Ok((repo(), None, Ask::Quant("Q4_K_M".into())))
        );
        assert_eq!(
            wish("org/Name-1.5_x@v1:Q4_K_M"),
            Ok((repo(), some("v1"), Ask::Quant("Q4_K_M".into())))
        );
        assert_eq!(
            wish("org/Name-1.5_x@v1/sub/a.gguf"),
            Ok((repo(), some("v1"), Ask::File("sub/a.gguf".into())))
        );
        for wrong in [
            "",
            "name",
            "a/b/c",
            "../x",
            "a/..",
            "./x",
            "/a/b",
            "a/b@",
            "a/b@../x",
            "a/b:",
            "a/b:../q",
            "a/b/../c.gguf",
            "x.gguf",
            "a/x.gguf",
            "a/b/c.gguf:Q4",
            "a/b c",
            "a--b/c",
            "ünï/x",
        ] {
            assert!(wish(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listings_that_lead_out_are_refused() {
        let listing = |sha: &str, name: &str| {
            let value = serde_json::json!({"sha": sha, "siblings": [{"rfilename": "config.json"}, {"rfilename": name}]});
            read_listing(&value, "org/name", "host")
        };
        let commit = "0A".repeat(20);
        assert_eq!(listing(&commit, "a/b.json").unwrap().0, "0a".repeat(20));
        for name in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", ""] {
            assert!(
                matches!(listing(&commit, name), Err(PullError::Unsafe { .. })),
                "{name}"
            );
        }
        for sha in ["main", "../../../x", ""] {
            assert!(
                matches!(listing(sha, "a"), Err(PullError::Answer { .. })),
                "{sha}"
            );
        }
    }
}
