//! Where things lie in the folder of a repository in the Hugging Face cache, for those who write there.
//!
//! `models--org--name/blobs/<hash>` holds each file's bytes, `snapshots/<commit>/<name>` are links to them, and
//! `refs/<branch>` says the commit that a name stands for. Python tools read and write the same, with the same locks.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// A repository's folder in a cache.
#[derive(Clone, Debug)]
pub struct RepoFolder {
    cache: PathBuf,
    name: String,
}

impl RepoFolder {
    /// The folder of `org/name`, which need not exist.
    #[must_use]
    pub fn new(cache: &Path, repo: &str) -> Self {
        Self {
            cache: cache.to_owned(),
            name: format!("models--{}", repo.replace('/', "--")),
        }
    }

    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.path().join("blobs")
    }

    #[must_use]
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.blobs().join(etag)
    }

    /// The beginning of a blob whose download was cut.
    #[must_use]
    pub fn part(&self, etag: &str) -> PathBuf {
        self.blobs().join(format!("{etag}.incomplete"))
    }

    /// Held by whoever downloads a blob.
    #[must_use]
    pub fn lock(&self, etag: &str) -> PathBuf {
        let locks = self.cache.join(".locks").join(&self.name);
        locks.join(format!("{etag}.lock"))
    }

    #[must_use]
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.path().join("snapshots").join(commit)
    }

    /// Makes a file of a snapshot a link to its blob. A file system without links gets the blob itself under a second
    /// name, or a copy.
    ///
    /// # Errors
    /// Any I/O error, and a folder on the way that is a link: it could lead anywhere.
    pub fn link(&self, commit: &str, name: &str, etag: &str) -> io::Result<()> {
        let snapshot = self.snapshot(commit);
        fs::create_dir_all(&snapshot)?;
        let mut folder = snapshot;
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        // From `snapshots/<commit>` to the repository's folder.
        let mut up = PathBuf::from("../..");
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder.push(part);
            up.push("..");
            match fs::symlink_metadata(&folder) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::NotADirectory,
                        format!("{} is no folder", folder.display()),
                    ));
                }
                Err(_) => fs::create_dir(&folder)?,
            }
        }
        let link = folder.join(file);
        let target = up.join("blobs").join(etag);
        match fs::symlink_metadata(&link) {
            Ok(found) if found.is_symlink() => {
                if fs::read_link(&link).is_ok_and(|there| there == target) {
                    return Ok(());
                }
                fs::remove_file(&link)?;
            }
            Ok(_) => fs::remove_file(&link)?,
            Err(_) => {}
        }
        symlink(&target, &link)
            .or_else(|_| fs::hard_link(self.blob(etag), &link))
            .or_else(|_| fs::copy(self.blob(etag), &link).map(|_| ()))
    }

    /// Lets a branch or tag stand for a commit.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn name_commit(&self, revision: &str, commit: &str) -> io::Result<()> {
        let path = self.path().join("refs").join(revision);
        if fs::read_to_string(&path).is_ok_and(|there| there.trim() == commit) {
            return Ok(());
        }
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        crate::fsio::write_atomically(&path, commit.as_bytes())
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a name from outside stays in the folder it is put in.
#[must_use]
pub fn stays_inside(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= 255
            && !part.contains(['\\', ':'])
            && !part.chars().any(char::is_control)
    };
    name.len() <= 1024
        && name.split('/').all(plain)
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a text is the whole id of a commit; it becomes a folder's name.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_told() {
        for good in ["config.json", "sub/a-1.gguf", ".gitattributes", "a..b"] {
            assert!(stays_inside(good), "{good}");
        }
        for bad in [
            "",
            "..",
            "../x",
            "a/../b",
            "/etc/x",
            "a//b",
            "a/",
            "./a",
            "a\\..\\b",
            "c:x",
            "a\0b",
            "a\nb",
            &"x".repeat(256),
        ] {
            assert!(!stays_inside(bad), "{bad:?}");
        }
        assert!(is_commit(&"0a".repeat(20)) && !is_commit("main") && !is_commit("../../x"));
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_blobs_whatever_stood_there() {
        let cache = tempfile::tempdir().unwrap();
        let repo = RepoFolder::new(cache.path(), "org/name");
        fs::create_dir_all(repo.blobs()).unwrap();
        fs::write(repo.blob("f00"), "right").unwrap();
        let outside = cache.path().join("outside");
        fs::write(&outside, "mine").unwrap();
        let commit = "0a".repeat(20);
        let read = |name: &str| fs::read_to_string(repo.snapshot(&commit).join(name)).unwrap();
        repo.link(&commit, "config.json", "f00").unwrap();
        repo.link(&commit, "a/b/c.json", "f00").unwrap();
        repo.link(&commit, "a/b/c.json", "f00").unwrap();
        assert_eq!(
            (read("config.json"), read("a/b/c.json")),
            ("right".into(), "right".into())
        );
        // A link that leads elsewhere is replaced, not followed.
        let link = repo.snapshot(&commit).join("config.json");
        fs::remove_file(&link).unwrap();
        symlink(&outside, &link).unwrap();
        repo.link(&commit, "config.json", "f00").unwrap();
        assert_eq!(read("config.json"), "right");
        assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
        symlink(cache.path(), &repo.snapshot(&commit).join("away")).unwrap();
        assert!(repo.link(&commit, "away/x.json", "f00").is_err());
    }
}
