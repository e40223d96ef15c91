use std::path::{Path, PathBuf};

use super::{HubError, ModelFiles};
use crate::fsio;

/// Where the Hugging Face cache may be, as the environment says; resolved elsewhere. The first that is set counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachePlaces {
    /// `HF_HUB_CACHE`: the cache itself.
    pub hub_cache: Option<PathBuf>,
    /// `HF_HOME`: holds `hub`.
    pub hf_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`: holds `huggingface/hub`.
    pub cache_home: Option<PathBuf>,
    /// The user's home: holds `.cache/huggingface/hub`.
    pub home: Option<PathBuf>,
}

impl CachePlaces {
    /// The Hugging Face home, which need not exist.
    #[must_use]
    pub fn home_folder(&self) -> Option<PathBuf> {
        let set = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        set(&self.hf_home)
            .or_else(|| Some(set(&self.cache_home)?.join("huggingface")))
            .or_else(|| Some(set(&self.home)?.join(".cache/huggingface")))
    }

    /// The cache's folder, which need not exist.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        let set = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        set(&self.hub_cache).or_else(|| Some(self.home_folder()?.join("hub")))
    }
}

/// A repository in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedModel {
    /// As a reference names it: `org/name`, with `@commit` where there is no `main`.
    pub reference: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// Every model repository in the cache, by name; none where there is no cache.
#[must_use]
pub fn cached(places: &CachePlaces) -> Vec<CachedModel> {
    let Some(cache) = places.folder() else {
        return Vec::new();
    };
    let repos = names(&cache).into_iter().filter_map(|name| {
        let repo = name.strip_prefix("models--")?.replacen("--", "/", 1);
        Some((cache.join(&name), repo))
    });
    repos
        .map(|(folder, repo)| look(places, &folder, repo))
        .collect()
}

fn look(places: &CachePlaces, folder: &Path, repo: String) -> CachedModel {
    let (reference, found) = match snapshot(places, &repo, "main") {
        Ok(found) => (repo, Ok(found)),
        Err(error) => match names(&folder.join("snapshots")).pop() {
            Some(commit) => {
                let found = snapshot(places, &repo, &commit);
                (format!("{repo}@{commit}"), found)
            }
            None => (repo, Err(error)),
        },
    };
    let (bytes, files) = match found {
        Ok((folder, commit)) => (size(&folder), ModelFiles::in_folder(&folder, Some(commit))),
        Err(error) => (0, Err(error)),
    };
    CachedModel {
        reference,
        bytes,
        problem: files.err().map(|error| {
            let told = error.to_string();
            told.lines().next().unwrap_or_default().to_owned()
        }),
    }
}

/// Bytes of the files in a folder, links followed.
fn size(folder: &Path) -> u64 {
    let paths = names(folder).into_iter().map(|name| folder.join(name));
    paths
        .filter_map(|path| std::fs::metadata(path).ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

/// The folder of a revision, and its commit. `revision` is a branch or tag, or a commit or its unique beginning.
pub(super) fn snapshot(
    places: &CachePlaces,
    repo: &str,
    revision: &str,
) -> Result<(PathBuf, String), HubError> {
    let Some(cache) = places.folder() else {
        return Err(HubError::NoCache {
            repo: repo.to_owned(),
        });
    };
    let folder = cache.join(format!("models--{}", repo.replace('/', "--")));
    let snapshots = folder.join("snapshots");
    let commits = names(&snapshots);
    let named = fsio::read_text(&folder.join("refs").join(revision), fsio::SMALL_BYTES)
        .ok()
        .map(|commit| commit.trim().to_owned());
    let begins: Vec<&String> = commits
        .iter()
        .filter(|commit| revision.len() >= 7 && commit.starts_with(revision))
        .collect();
    let commit = match (named, &begins[..]) {
        (Some(commit), _) if commits.contains(&commit) => Some(commit),
        (None, [only]) => Some((*only).clone()),
        _ => None,
    };
    if let Some(commit) = commit {
        return Ok((snapshots.join(&commit), commit));
    }
    let available = [names(&folder.join("refs")), commits].concat();
    Err(HubError::NotCached {
        repo: repo.to_owned(),
        revision: revision.to_owned(),
        folder,
        available,
    })
}

/// Names in a folder, sorted; none where it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}
