//! Who talks: pools of personas, from which millions may be drawn, and given groups.
//!
//! A pool is a file with one persona a line, or a text that comes with the program: an object with the persona under
//! `persona`, `input persona`, `description` or `text`; an object that describes an individual (`name`, `qualities`, …); a
//! JSON string; or, in files that are not JSONL, the bare line. A list's numbers (`12 - `, `12. `, `3) `) are stripped. Of
//! the file only where its lines are is held in memory.
//!
//! Lines that cannot be used are skipped, counted, and the first of them named; `strict` refuses them.

pub(crate) mod entries;
mod groups;
pub(crate) mod individual;
mod permutation;
mod pool;
mod skipped;
#[cfg(test)]
mod tests;

pub use groups::{Groups, parse_groups, read_groups};
pub use individual::{folded, individual_of, tidy};
pub use permutation::Permutation;
pub use pool::Pool;
pub use skipped::Skipped;

use std::path::PathBuf;

/// Personas that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PersonaError {
    /// The disk said no.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A line that does not have the form, where none may be skipped.
    #[error("{path}:{line}: {what}")]
    BadLine {
        path: PathBuf,
        line: u64,
        what: String,
    },
    /// Nothing in it.
    #[error(
        "{path}: no personas; expected at least one line like {{\"persona\": \"…\"}}{}",
        because(skipped)
    )]
    NoPersonas { path: PathBuf, skipped: Skipped },
    /// Nothing in it.
    #[error(
        "{path}: no groups; expected at least one line like [{{\"name\": \"…\", \"persona\": \"…\"}}, …]{}",
        because(skipped)
    )]
    NoGroups { path: PathBuf, skipped: Skipped },
    /// Another file than the one that was looked through.
    #[error(
        "{path}: changed while it was in use: line {line} is no persona any more; run again with a file that stays as it is"
    )]
    Changed { path: PathBuf, line: u64 },
}

fn because(skipped: &Skipped) -> String {
    if skipped.is_empty() {
        String::new()
    } else {
        format!("; {skipped}")
    }
}
