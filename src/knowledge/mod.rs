//! Help pages: read from a folder, cut into paragraphs, and chosen from when a page is longer than a prompt may be.

mod bm25;
pub mod grounding;
mod load;
mod parse;
mod passages;
mod sentences;
#[cfg(test)]
mod tests;

pub use load::{PageFile, collect, load_folder};
pub use parse::{Format, parse};
pub use passages::{Passages, choose_passages, chunks};
pub use sentences::sentences;

use std::path::PathBuf;

use crate::record::Page;

/// The pages of a run, ordered by id, and what its user should know about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    pub pages: Vec<Page>,
    pub warnings: Vec<PageWarning>,
}

impl Pages {
    /// The page with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Page> {
        self.pages
            .binary_search_by(|page| page.id.as_str().cmp(id))
            .ok()
            .map(|index| &self.pages[index])
    }
}

/// Something about a page that need not stop a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageWarning {
    /// Neither a number nor a sentence that states something: nothing an answer could be checked against.
    NoFacts { page: String, path: PathBuf },
}

impl std::fmt::Display for PageWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFacts { page, path } => write!(
                f,
                "page `{page}` ({}) states no facts: no number and no full sentence; answers cannot be grounded in it",
                path.display()
            ),
        }
    }
}

/// Pages that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The folder is not there, or is a file.
    #[error(
        "{path}: {what}; expected a folder of help pages (`leafdirs/<Title>/t.txt`, `*.txt` or `*.md`)"
    )]
    NoFolder { path: PathBuf, what: &'static str },
    /// No file in the folder has a page's name.
    #[error("{path}: no help pages; expected `leafdirs/<Title>/t.txt`, `*.txt` or `*.md`")]
    NoPages { path: PathBuf },
    /// The globs leave nothing over.
    #[error(
        "{path}: none of its {found} pages passes include = {include:?}, exclude = {exclude:?}; ids look like `{example}`"
    )]
    AllFiltered {
        path: PathBuf,
        found: usize,
        include: Vec<String>,
        exclude: Vec<String>,
        example: String,
    },
    /// A glob that does not parse.
    #[error("pages.{key}: `{glob}` is not a glob: {reason}")]
    BadGlob {
        key: &'static str,
        glob: String,
        reason: String,
    },
    /// A file without text.
    #[error(
        "{path}: the page is empty; expected at least one paragraph of text (or leave it out with pages.exclude)"
    )]
    EmptyPage { path: PathBuf },
    /// Bytes that are no text.
    #[error("{path}: not UTF-8 at byte {offset}; expected UTF-8 text (`iconv -t utf-8` converts)")]
    NotUtf8 { path: PathBuf, offset: usize },
    /// Two files claim one id.
    #[error(
        "{first} and {second} would both be page `{id}`; rename one or leave it out with pages.exclude"
    )]
    SameId {
        id: String,
        first: PathBuf,
        second: PathBuf,
    },
    /// The disk said no.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
}
