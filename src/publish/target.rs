use std::fmt;
use std::path::PathBuf;

use super::PublishError;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A container of Azure's blob storage, and a path in it.
    Azure { container: String, path: String },
    /// A bucket of S3, and a path in it.
    S3 { bucket: String, path: String },
    /// A folder.
    Folder(PathBuf),
}

impl Target {
    /// Reads `az://container/path`, `s3://bucket/path` or `file:///path`.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, PublishError> {
        let wrong = |reason: &str| PublishError::Target {
            // A password may stand before an @.
            target: text.rsplit('@').next().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("it names no kind of store"))?;
        if scheme == "file" {
            return if rest.starts_with('/') && !rest.split('/').any(|part| part == "..") {
                Ok(Self::Folder(PathBuf::from(rest)))
            } else {
                Err(wrong("expected a whole path after file://"))
            };
        }
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.$".contains(c);
        if place.is_empty() || !place.chars().all(is_name) {
            return Err(wrong(
                "expected the name of a container or bucket: small letters, digits and -",
            ));
        }
        let path = path.trim_matches('/').to_owned();
        if path.contains(['?', '#', '\\']) || path.split('/').any(|part| matches!(part, "." | ".."))
        {
            return Err(wrong("expected a plain path in the container or bucket"));
        }
        let place = place.to_owned();
        match scheme {
            "az" => Ok(Self::Azure {
                container: place,
                path,
            }),
            "s3" => Ok(Self::S3 {
                bucket: place,
                path,
            }),
            _ => Err(wrong("its kind of store is not known")),
        }
    }

    /// The path before every object's name; none in a folder, which is its own.
    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Azure { path, .. } | Self::S3 { path, .. } => path,
            Self::Folder(_) => "",
        }
    }

    /// What holds the objects.
    pub(super) fn place(&self) -> &'static str {
        match self {
            Self::Azure { .. } => "container",
            Self::S3 { .. } => "bucket",
            Self::Folder(_) => "folder",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Azure { container, path } => write!(f, "az://{container}/{path}"),
            Self::S3 { bucket, path } => write!(f, "s3://{bucket}/{path}"),
            Self::Folder(path) => write!(f, "file://{}", path.display()),
        }
    }
}
