use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ImportError;

/// Bytes of a row, at most.
pub const MAX_ROW_BYTES: usize = 64 << 20;

/// A line of a file of lines, or an entry of a list.
#[derive(Debug)]
pub(super) enum Piece {
    Value(Value),
    /// Nothing on the line.
    Blank,
    /// The file ends in it.
    Torn,
}

/// The rows of a text, one by one, with the lines that they begin on, from 1: JSON lines, or the entries of one JSON list.
pub(super) struct Rows<R> {
    bytes: R,
    path: PathBuf,
    /// Lines that were begun.
    line: u64,
    /// Blank lines before the first row that are still to be told.
    blank: u64,
    state: State,
    row: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unread,
    Lines,
    /// Before an entry.
    List,
    /// The list is closed.
    After,
    Over,
}

type Found = Result<(u64, Piece), ImportError>;

impl<R: BufRead> Rows<R> {
    pub(super) fn new(bytes: R, path: &Path) -> Self {
        Self {
            bytes,
            path: path.to_owned(),
            line: 0,
            blank: 0,
            state: State::Unread,
            row: Vec::new(),
        }
    }

    fn failed(&self, source: io::Error) -> ImportError {
        ImportError::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn bad(&self, line: u64, what: impl Into<String>) -> ImportError {
        ImportError::Row {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }

    fn too_long(&self, line: u64) -> ImportError {
        self.bad(
            line,
            format!("a row of more than {} MiB", MAX_ROW_BYTES >> 20),
        )
    }

    /// Skips white space and a byte order mark; the byte after it, if there is one, is not taken.
    fn next_mark(&mut self) -> io::Result<Option<u8>> {
        loop {
            let (skipped, found, lines) = {
                let buffer = self.bytes.fill_buf()?;
                let white =
                    |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
                let skipped = buffer.iter().take_while(|byte| white(byte)).count();
                let lines = buffer[..skipped].iter().filter(|byte| **byte == b'\n');
                (skipped, buffer.get(skipped).copied(), lines.count() as u64)
            };
            if skipped == 0 {
                return Ok(found);
            }
            self.line += lines;
            self.bytes.consume(skipped);
        }
    }

    /// Whether it is a list: what comes first is looked at, and not taken unless it is one.
    fn begin(&mut self) -> io::Result<()> {
        let mark = self.next_mark()?;
        if mark == Some(b'[') {
            self.line += 1;
            self.bytes.consume(1);
            self.state = State::List;
            if self.next_mark()? == Some(b']') {
                self.bytes.consume(1);
                self.state = State::After;
            }
        } else {
            self.blank = self.line;
            self.state = State::Lines;
        }
        Ok(())
    }

    fn next_line(&mut self) -> Option<Found> {
        self.row.clear();
        let most = MAX_ROW_BYTES as u64 + 1;
        match (&mut self.bytes)
            .take(most)
            .read_until(b'\n', &mut self.row)
        {
            Err(error) => return Some(Err(self.failed(error))),
            Ok(0) => return None,
            Ok(_) => self.line += 1,
        }
        if self.row.len() > MAX_ROW_BYTES {
            return Some(Err(self.too_long(self.line)));
        }
        let whole = self.row.ends_with(b"\n");
        let text = self.row.trim_ascii();
        let piece = if text.is_empty() {
            Piece::Blank
        } else {
            match serde_json::from_slice(text) {
                Ok(value) => Piece::Value(value),
                Err(error) if error.is_eof() && !whole => Piece::Torn,
                Err(error) => return Some(Err(self.bad(self.line, told(&error)))),
            }
        };
        Some(Ok((self.line, piece)))
    }

    /// The next entry of the list, with what follows it taken.
    fn next_entry(&mut self) -> Found {
        match self.next_mark() {
            Err(error) => return Err(self.failed(error)),
            Ok(None) => return Ok((self.line, Piece::Torn)),
            Ok(Some(_)) => {}
        }
        let line = self.line;
        match self.take_entry().map_err(|error| self.failed(error))? {
            End::Comma => {}
            End::Closed => self.state = State::After,
            End::Torn => return Ok((line, Piece::Torn)),
            End::TooLong => return Err(self.too_long(line)),
        }
        match serde_json::from_slice(&self.row) {
            Ok(value) => Ok((line, Piece::Value(value))),
            Err(error) => Err(self.bad(line, told(&error))),
        }
    }

    /// Fills `row` with the bytes up to the comma or bracket that ends an entry, which is taken.
    fn take_entry(&mut self) -> io::Result<End> {
        self.row.clear();
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        loop {
            let buffer = self.bytes.fill_buf()?;
            if buffer.is_empty() {
                return Ok(End::Torn);
            }
            let mut end = None;
            let mut taken = 0;
            for byte in buffer {
                taken += 1;
                self.line += u64::from(*byte == b'\n');
                if quoted {
                    quoted = escaped || *byte != b'"';
                    escaped = !escaped && *byte == b'\\';
                    continue;
                }
                match byte {
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth > 0 => depth -= 1,
                    b']' => end = Some(End::Closed),
                    b',' if depth == 0 => end = Some(End::Comma),
                    _ => {}
                }
                if end.is_some() {
                    break;
                }
            }
            let own = taken - usize::from(end.is_some());
            self.row.extend_from_slice(&buffer[..own]);
            self.bytes.consume(taken);
            if self.row.len() > MAX_ROW_BYTES {
                return Ok(End::TooLong);
            }
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }
}

/// What an entry of a list ends with.
enum End {
    Comma,
    Closed,
    Torn,
    TooLong,
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.state == State::Unread
            && let Err(error) = self.begin()
        {
            self.state = State::Over;
            return Some(Err(self.failed(error)));
        }
        if self.blank > 0 {
            self.blank -= 1;
            return Some(Ok((self.line - self.blank, Piece::Blank)));
        }
        let found = match self.state {
            State::Lines => self.next_line(),
            State::List => Some(self.next_entry()),
            State::After => match self.next_mark() {
                Ok(None) => None,
                Ok(Some(_)) => Some(Err(self.bad(self.line, "something after the list's end"))),
                Err(error) => Some(Err(self.failed(error))),
            },
            State::Unread | State::Over => None,
        };
        if !matches!(found, Some(Ok((_, Piece::Value(_) | Piece::Blank)))) {
            self.state = State::Over;
        }
        found
    }
}

/// What is wrong with a text that should be JSON.
fn told(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or(&what);
    format!(
        "not JSON: {what} at column {}; expected an object per line, or one list of objects",
        error.column()
    )
}
