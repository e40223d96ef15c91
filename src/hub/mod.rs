//! A model reference becomes local files: a folder, a GGUF file, or `org/name` in the Hugging Face cache. Only [`pull`]
//! downloads.

mod cache;
mod digest;
mod files;
mod gguf;
#[cfg(feature = "hub")]
mod layout;
#[cfg(feature = "hub")]
pub mod pull;
mod reference;
mod verify;
#[cfg(feature = "hub")]
mod wanted;

use std::path::PathBuf;

pub use cache::{CachePlaces, CachedModel, cached};
pub use files::{ModelFiles, ModelFormat, SideFiles};
pub use reference::{GgufPick, ModelRef};
pub use verify::{Checked, Finding, verify};
#[cfg(feature = "hub")]
pub use wanted::Ask;

/// Why a reference leads to no model. Every message says what was looked for, where, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    #[error(
        "{reference:?} is no model reference: {reason}\n  hint: use a folder, a .gguf file, org/name, org/name@revision, org/name:Q4_K_M or org/name/file.gguf"
    )]
    Reference { reference: String, reason: String },
    #[error("{}: no such folder\n  hint: a model is a folder with config.json, *.safetensors and tokenizer.json, or org/name from the Hugging Face cache", path.display())]
    NoFolder { path: PathBuf },
    #[error("{} is a file; expected the folder it lies in", path.display())]
    NotAFolder { path: PathBuf },
    #[error("{}: no such file{}", path.display(), hint_line(hint.as_deref()))]
    NoFile { path: PathBuf, hint: Option<String> },
    #[error("{} holds several GGUF models: {}\n  hint: name one of the files, or org/name:Q4_K_M where it comes from the cache", folder.display(), found.join(", "))]
    SeveralGguf { folder: PathBuf, found: Vec<String> },
    #[error("{} holds {} GGUF model that {wanted:?} could mean{}", folder.display(), if found.is_empty() { "no" } else { "more than one" }, listed(if found.is_empty() { all } else { found }))]
    NoSuchGguf {
        folder: PathBuf,
        wanted: String,
        /// Those that it could mean.
        found: Vec<String>,
        /// All that are there.
        all: Vec<String>,
    },
    #[error("{repo} is not on this machine: looked in {}{}\n  hint: `colloquy models pull {repo}{}` fetches it; without a network run that on a connected machine, then copy the folder here, or set HF_HOME to where it lies", folder.display(), present(available), at(revision))]
    NotCached {
        repo: String,
        revision: String,
        folder: PathBuf,
        available: Vec<String>,
    },
    #[error(
        "{repo} is not on this machine, and no Hugging Face cache is known\n  hint: set HF_HOME, or give a folder"
    )]
    NoCache { repo: String },
    #[error("{} is no whole model, it lacks: {}{}", folder.display(), missing.join("; "), hint_line(hint.as_deref()))]
    Incomplete {
        folder: PathBuf,
        missing: Vec<String>,
        hint: Option<String>,
    },
    #[error("{} is a git-lfs pointer, not the file itself\n  hint: run `git lfs pull` in that folder, or fetch the model with `colloquy models pull`", path.display())]
    LfsPointer { path: PathBuf },
    #[error("cannot read {}: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

fn at(revision: &str) -> String {
    if revision == "main" {
        String::new()
    } else {
        format!("@{revision}")
    }
}

fn present(revisions: &[String]) -> String {
    if revisions.is_empty() {
        String::new()
    } else {
        format!(", which holds only the revisions {}", revisions.join(", "))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; there are {}", names.join(", "))
    }
}

fn hint_line(hint: Option<&str>) -> String {
    hint.map(|hint| format!("\n  hint: {hint}"))
        .unwrap_or_default()
}

/// The files of a model.
///
/// # Errors
/// When the reference is malformed, nothing lies where it points, or a file a chat model needs is missing.
pub fn resolve(reference: &str, places: &CachePlaces) -> Result<ModelFiles, HubError> {
    match ModelRef::parse(reference)? {
        ModelRef::Folder(path) => ModelFiles::in_folder(&path, None),
        ModelRef::Gguf(path) => ModelFiles::gguf(&path, None),
        ModelRef::Repo {
            repo,
            revision,
            gguf,
        } => {
            let (folder, commit) = cache::snapshot(places, &repo, &revision)?;
            let files = match gguf {
                None => ModelFiles::in_folder(&folder, Some(commit))?,
                Some(pick) => {
                    let file = folder.join(gguf::picked(&folder, &pick)?);
                    ModelFiles::gguf(&file, Some(commit))?
                }
            };
            Ok(ModelFiles {
                repository: Some(repo),
                ..files
            })
        }
    }
}

/// The folder of a repository in the cache, whatever lies in it.
///
/// # Errors
/// When it is not there, or no cache is known.
pub fn folder_of(repo: &str, revision: &str, places: &CachePlaces) -> Result<PathBuf, HubError> {
    Ok(cache::snapshot(places, repo, revision)?.0)
}
