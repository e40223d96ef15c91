use std::io::{self, Write};
use std::path::Path;

use super::parquet::Table;
use super::{Column, Row};
use crate::fsio::Draft;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A JSON object a line.
    #[default]
    Lines,
    Parquet,
}

impl Encoding {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Lines, Self::Parquet];

    /// The name on the command line, which ends files too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// A file of rows that is being written.
pub struct RowFile {
    rows: u64,
    out: Out,
}

enum Out {
    Lines(Draft),
    Parquet(Box<Table<Draft>>),
}

impl RowFile {
    /// Begins a file. Parquet has these columns and carries `about`.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn create(
        path: &Path,
        encoding: Encoding,
        columns: &[Column],
        about: &[(&str, String)],
    ) -> io::Result<Self> {
        let draft = Draft::create(path)?;
        let out = match encoding {
            Encoding::Lines => Out::Lines(draft),
            Encoding::Parquet => {
                Out::Parquet(Box::new(Table::new(draft, columns.to_vec(), about)?))
            }
        };
        Ok(Self { rows: 0, out })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written, or has what its columns do not.
    pub fn put(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        match &mut self.out {
            Out::Lines(draft) => {
                serde_json::to_writer(&mut *draft, row)?;
                draft.write_all(b"\n")
            }
            Out::Parquet(table) => table.put(row),
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The whole file, durable, to be published.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> io::Result<Draft> {
        let mut draft = match self.out {
            Out::Lines(draft) => draft,
            Out::Parquet(table) => table.finish()?,
        };
        draft.complete()?;
        Ok(draft)
    }
}
