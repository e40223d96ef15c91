use std::path::PathBuf;

use crate::hub::HubError;

/// Why a model could not be fetched. No message holds a token, or the query of a signed address.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Reference(#[from] HubError),
    /// The environment says something that cannot be.
    #[error("{variable}: {reason}")]
    Setting {
        variable: &'static str,
        reason: String,
    },
    #[error("HF_HUB_OFFLINE is set: nothing is downloaded")]
    Offline { repo: String, folder: PathBuf },
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host} does not answer as a hub does: {reason}")]
    Answer { host: String, reason: String },
    #[error("{host} refuses with status {status}")]
    Refused { host: String, status: u16 },
    #[error("{host} is busy and asks to wait {seconds} seconds")]
    Busy { host: String, seconds: u64 },
    #[error("{host} does not accept the token")]
    Token { host: String },
    #[error("{repo} is gated: its terms must be accepted first{}", if *token { ", and the token does not show that they were" } else { "" })]
    Gated {
        repo: String,
        endpoint: String,
        token: bool,
    },
    #[error("{host} knows no model {repo}, or does not show it to everyone")]
    NoRepository {
        repo: String,
        host: String,
        token: bool,
    },
    #[error("{repo} has no revision {revision}")]
    NoRevision { repo: String, revision: String },
    #[error("{repo} has no file {file}")]
    NoFile { repo: String, file: String },
    #[error("{repo} is nothing to chat with here: {reason}")]
    Unusable { repo: String, reason: String },
    #[error(
        "{repo} lists the file {name:?}, which would lie outside its folder; nothing of it was written"
    )]
    Unsafe { repo: String, name: String },
    #[error(
        "{} MB are to be fetched, and {} has room for {} MB", .needed_bytes.div_ceil(1_000_000), .folder.display(), .free_bytes / 1_000_000
    )]
    NoSpace {
        folder: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("{file} came with {kind} {found}, and should have {expected}; what came was removed")]
    WrongHash {
        file: String,
        kind: &'static str,
        expected: String,
        found: String,
    },
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl PullError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reference(_) => return None,
            Self::Setting { variable, .. } => format!("correct {variable}, or take it away"),
            Self::Offline { repo, folder } => format!(
                "take it away; or on a connected machine run `colloquy models pull {repo}`, then copy the folder {} to the same \
                 place in the cache here, which is {}",
                folder.file_name().unwrap_or_default().to_string_lossy(),
                folder.parent().unwrap_or(folder).display()
            ),
            Self::Unreachable { .. } => "check the connection, HTTPS_PROXY and HF_ENDPOINT (and SSL_CERT_FILE, where a proxy signs with \
                 a certificate of its own); what has come is kept, and the same command goes on; without a network, pull on \
                 another machine and copy the model's folder from the cache there to the cache here"
                .into(),
            Self::Answer { .. } => {
                "check HF_ENDPOINT, and that nothing on the way changes what is sent".into()
            }
            Self::Refused { .. } => "run the same command again later".into(),
            Self::Busy { seconds, .. } => format!(
                "what has come is kept; run the same command again in {} minutes{}",
                seconds.div_ceil(60),
                ", or set HF_TOKEN: the hub grants more to those it knows"
            ),
            Self::Token { .. } => {
                "check HF_TOKEN, or the file `token` in HF_HOME; take it away for a model that is open to all".into()
            }
            Self::Gated {
                repo,
                endpoint,
                token,
            } => {
                let page = format!("open {endpoint}/{repo} in a browser, log in and accept the terms");
                if *token {
                    format!("{page} with the account that the token belongs to")
                } else {
                    format!("{page}; then make a token at {endpoint}/settings/tokens and set HF_TOKEN to it")
                }
            }
            Self::NoRepository { token, .. } => {
                let mut hint = "check the name (org/name); `colloquy models list` names some".to_owned();
                if !token {
                    hint.push_str("; for a private one set HF_TOKEN");
                }
                hint
            }
            Self::NoRevision { repo, .. } => format!("use a branch, tag or commit of {repo}, or leave it out"),
            Self::NoFile { .. } | Self::Unusable { .. } => {
                "`colloquy models list` names models that are known to fit".into()
            }
            Self::Unsafe { .. } => "do not trust this repository".into(),
            Self::NoSpace { .. } => {
                "make room, or set HF_HOME to a folder on a larger disk; what has come is kept".into()
            }
            Self::WrongHash { .. } => {
                "run the same command again; if that does not help, something on the way changes what is sent".into()
            }
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => {
                    "make room, or set HF_HOME to a folder on a larger disk; what has come is kept".into()
                }
                _ => "check the path, its permissions and the disk; HF_HOME names another place".into(),
            },
        })
    }
}
