use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::store::{RunDir, RunError};
use crate::fsio;
use crate::record::{Mark, Marks};

const REVIEW_FILE: &str = "review.jsonl";
/// Marks that are read: some millions.
pub const REVIEW_BYTES: u64 = 256 << 20;

/// What readers of a run made of its conversations.
impl RunDir {
    /// Where their marks are.
    #[must_use]
    pub fn review_path(&self) -> PathBuf {
        self.path.join(REVIEW_FILE)
    }

    /// The marks; none where nobody has read the run. A last line that a crash cut short is as if it were not there.
    ///
    /// # Errors
    /// When they cannot be read, or another line is no mark.
    pub fn marks(&self) -> Result<Marks, RunError> {
        let path = self.review_path();
        let text = match fsio::read_bytes(&path, REVIEW_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Marks::default()),
            Err(error) => return Err(RunError::io("read", &path, error)),
        };
        let text = String::from_utf8_lossy(&text);
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (whole, last) = text.split_at(whole);
        let bad = |source| RunError::Review {
            path: path.clone(),
            source,
        };
        let mut marks = Marks::parse(whole).map_err(bad)?;
        // Whole, but by an editor that ends no line.
        if let Ok(last) = serde_json::from_str(last) {
            marks.put(last);
        }
        Ok(marks)
    }

    /// Adds marks, durable when this returns.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add_marks(&self, marks: &[Mark]) -> Result<(), RunError> {
        let path = self.review_path();
        let failed = |error| RunError::io("write", &path, error);
        self.mend_review().map_err(failed)?;
        let mut lines = Vec::new();
        for mark in marks {
            serde_json::to_writer(&mut lines, mark).map_err(|error| failed(error.into()))?;
            lines.push(b'\n');
        }
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        file.write_all(&lines)
            .and_then(|()| file.sync_data())
            .map_err(failed)?;
        if is_new {
            fsio::sync_folder(&self.path);
        }
        Ok(())
    }

    /// Ends a last line that has no end, or takes it away where it is only part of one: what follows must be lines of
    /// their own.
    fn mend_review(&self) -> io::Result<()> {
        let path = self.review_path();
        let bytes = match fsio::read_bytes(&path, REVIEW_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        let last = &bytes[whole..];
        if last.is_empty() {
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).open(&path)?;
        if serde_json::from_slice::<Mark>(last).is_ok() {
            file.write_all(b"\n")
        } else {
            fs::File::set_len(&file, whole as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Choice;
    use crate::run::fake;

    fn mark(id: &str, mark: Choice) -> Mark {
        Mark {
            id: id.into(),
            mark: Some(mark),
            note: String::new(),
        }
    }

    #[test]
    fn marks_outlive_a_line_that_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir {
            path: folder.path().to_owned(),
            manifest: fake::manifest(&fake::spec("count = 4")),
        };
        assert!(dir.marks().unwrap().is_empty());
        dir.add_marks(&[mark("c/0/0", Choice::Keep), mark("c/1/0", Choice::Drop)])
            .unwrap();
        let path = dir.review_path();
        let whole = fs::read_to_string(&path).unwrap();
        // Half a line, as a crash leaves it, is neither counted nor joined with what follows.
        fs::write(&path, format!("{whole}{{\"id\":\"c/2/0\",\"ma")).unwrap();
        assert_eq!(dir.marks().unwrap().len(), 2);
        dir.add_marks(&[mark("c/1/0", Choice::Keep)]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            format!("{whole}{{\"id\":\"c/1/0\",\"mark\":\"keep\"}}\n")
        );
        assert_eq!(dir.marks().unwrap().count(Choice::Keep), 2);
        // A whole line without its end counts, and gets one.
        fs::write(&path, text.trim_end()).unwrap();
        assert_eq!(dir.marks().unwrap().count(Choice::Keep), 2);
        dir.add_marks(&[mark("c/3/0", Choice::Drop)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
        // What was whole once is not passed over.
        fs::write(&path, format!("{whole}nonsense\n{whole}")).unwrap();
        let told = dir.marks().unwrap_err().to_string();
        assert!(told.contains("review.jsonl: line 3: "), "{told}");
    }
}
