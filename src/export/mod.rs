//! Finished records as the files that users load. Records in, bytes out.

use std::path::PathBuf;

mod group;
mod messages;

pub use group::GroupRow;
pub use messages::{Message, MessageRow, to_file, to_writer};

/// A format to export to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON lines with a list of `{role, content}` and flat columns.
    Messages,
}

impl Format {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Messages];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
        }
    }
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError<E: std::error::Error + 'static> {
    /// The records cannot be read.
    #[error(transparent)]
    Records(E),
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}
