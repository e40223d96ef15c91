use std::path::PathBuf;

/// Why a folder is not published. No message holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "{target:?} is no place to publish to: {reason}\n  hint: az://container/path, s3://bucket/path or file:///path"
    )]
    Target { target: String, reason: String },
    #[error("{target}: {reason}\n  hint: set {wanted}")]
    Credentials {
        target: String,
        reason: String,
        wanted: &'static str,
    },
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} has no files to publish", folder.display())]
    Nothing { folder: PathBuf },
    #[error("{} holds {}: the target lies within what is published to it", folder.display(), target.display())]
    Within { folder: PathBuf, target: PathBuf },
    #[error("{name:?} can be the name of no object: {reason}\n  hint: rename the file")]
    Name { name: String, reason: String },
    #[error("{} changed while it was published\n  hint: run the same command again once it is at rest", path.display())]
    Changed { path: PathBuf },
    #[error(
        "{target} cannot be reached: {reason}\n  hint: each request was tried {tries} times with growing pauses; run the same command again, it goes on with what is missing"
    )]
    Unreachable {
        target: String,
        reason: String,
        tries: usize,
    },
    #[error(
        "{target} refuses: {reason}\n  hint: look at the account, its key and what the key may do"
    )]
    Refused { target: String, reason: String },
    #[error("{target}: no such {place}\n  hint: make it first")]
    NoPlace { target: String, place: &'static str },
    #[error(
        "{name} is not in {target} as it was sent: {found}\n  hint: run the same command again, it is sent anew"
    )]
    NotAsSent {
        target: String,
        name: String,
        found: String,
    },
}
