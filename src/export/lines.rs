use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use super::{ExportError, Item, Row, Shape};
use crate::fsio;
use crate::record::Provenance;

/// JSON lines on their way out.
pub(super) struct Lines<W> {
    out: W,
    rows: u64,
}

impl<W: Write> Lines<W> {
    pub(super) fn row(&mut self, row: &Row) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, row)?;
        self.out.write_all(b"\n")?;
        self.rows += 1;
        Ok(())
    }
}

/// Writes the rows of records as JSON lines, in the order they come; returns how many. `path` is for messages.
///
/// # Errors
/// The first error of `records`, or that `out` cannot be written.
pub fn to_writer<T: Into<Item>, E: Error + 'static>(
    records: impl IntoIterator<Item = Result<T, E>>,
    shape: &Shape,
    provenance: &Provenance,
    path: &Path,
    out: &mut impl Write,
) -> Result<u64, ExportError<E>> {
    let mut lines = Lines { out, rows: 0 };
    for record in records {
        let item = record.map_err(ExportError::Records)?.into();
        for row in shape.rows(&item, provenance) {
            lines.row(&row).map_err(|source| ExportError::Write {
                path: path.to_owned(),
                source,
            })?;
        }
    }
    Ok(lines.rows)
}

/// Like [`to_writer`], into a file that is there whole or not at all.
///
/// # Errors
/// As [`to_writer`]; the old file, if any, is still there then.
pub fn to_file<T: Into<Item>, E: Error + 'static>(
    records: impl IntoIterator<Item = Result<T, E>>,
    shape: &Shape,
    provenance: &Provenance,
    path: &Path,
) -> Result<u64, ExportError<E>> {
    let mut result = Ok(0);
    let written = fsio::write_atomically_with(path, |file| {
        result = to_writer(records, shape, provenance, path, file);
        // The reason stays in `result`; the writer only needs to know that there is one.
        if result.is_ok() {
            Ok(())
        } else {
            Err(io::Error::other("not exported"))
        }
    });
    let rows = result?;
    written.map_err(|source| ExportError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(rows)
}
