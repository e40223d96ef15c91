use std::path::{Path, PathBuf};

use super::HubError;

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
    /// The cache's folder, which need not exist.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        let set = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        set(&self.hub_cache)
            .or_else(|| Some(set(&self.hf_home)?.join("hub")))
            .or_else(|| Some(set(&self.cache_home)?.join("huggingface/hub")))
            .or_else(|| Some(set(&self.home)?.join(".cache/huggingface/hub")))
    }
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
    let named = std::fs::read_to_string(folder.join("refs").join(revision))
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
