//! A folder's files to an object store: Azure, S3, or another folder. Like `hub`, this room touches the network; nothing else
//! depends on it.
//!
//! Every object carries the SHA-256 of its content, so that a second run knows what is whole already, whatever became of the
//! first; what lies there in part was never an object. A manifest, [`MANIFEST`], names every file with its size and hash. It is
//! taken away before anything changes and written last: where it lies, everything it names is there.

mod error;
mod files;
mod manifest;
mod store;
mod target;
mod upload;

#[cfg(test)]
mod tests;

pub use error::PublishError;
pub use files::{Files, LocalFile};
pub use manifest::MANIFEST;
pub use store::{Room, Variables};
pub use target::Target;
pub use upload::{Outcome, Progress, Wish, publish};
