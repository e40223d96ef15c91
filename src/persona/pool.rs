use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::entries::told;
use super::{Permutation, PersonaError, Skipped, individual_of};
use crate::fsio;
use crate::record::Individual;
use crate::rng::Stream;

/// Bytes of a line that is still taken for a persona; a longer one is never held.
const MAX_LINE: usize = 64 << 10;

/// A pool of personas that are read when they are drawn.
#[derive(Debug)]
pub struct Pool {
    path: PathBuf,
    source: Source,
    lines: LineForm,
    /// Where each usable line is, in the file's order: its first byte, its bytes, its number.
    index: Vec<Place>,
    skipped: Skipped,
    fingerprint: String,
}

#[derive(Debug)]
enum Source {
    File(File),
    Text(Cow<'static, str>),
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    bytes: u32,
    /// From 1, for messages.
    line: u32,
}

/// How a pool's lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineForm {
    Json,
    Plain,
}

impl LineForm {
    /// What a path's ending says, else what the first line looks like.
    fn of(path: &Path, first: &[u8]) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson" | "json") => Self::Json,
            Some("txt") => Self::Plain,
            _ if first.starts_with(b"{") || first.starts_with(b"\"") => Self::Json,
            _ => Self::Plain,
        }
    }

    fn read(self, line: &[u8]) -> Result<Individual, String> {
        let text = std::str::from_utf8(line)
            .map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()))?;
        match self {
            Self::Plain => individual_of(&Value::String(text.to_owned())),
            Self::Json => {
                let value: Value = serde_json::from_str(text).map_err(|error| told(&error))?;
                individual_of(&value)
            }
        }
    }
}

impl Pool {
    /// Looks through a file of personas.
    ///
    /// # Errors
    /// When it cannot be read, has none, or, if `strict`, has a line that is none.
    pub fn open(path: &Path, strict: bool) -> Result<Self, PersonaError> {
        let failed = |source| PersonaError::Io {
            path: path.to_owned(),
            source,
        };
        let file = fsio::open_regular(path).map_err(failed)?;
        let reader = BufReader::with_capacity(1 << 18, file.try_clone().map_err(failed)?);
        Self::index(path, reader, Source::File(file), strict)
    }

    /// A pool of a text that comes with the program; `path` names it and says how its lines are written.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn of_text(
        path: &Path,
        text: impl Into<Cow<'static, str>>,
        strict: bool,
    ) -> Result<Self, PersonaError> {
        let text = text.into();
        let bytes = text.as_bytes().to_vec();
        Self::index(path, &bytes[..], Source::Text(text), strict)
    }

    fn index(
        path: &Path,
        reader: impl BufRead,
        source: Source,
        strict: bool,
    ) -> Result<Self, PersonaError> {
        let failed = |source| PersonaError::Io {
            path: path.to_owned(),
            source,
        };
        let mut hashed = Hashed {
            reader,
            hasher: blake3::Hasher::new(),
        };
        let (mut index, mut skipped) = (Vec::new(), Skipped::default());
        let mut lines = None;
        let (mut offset, mut line) = (0u64, 0u64);
        let mut bytes = Vec::new();
        loop {
            let read = hashed.line(&mut bytes).map_err(failed)?;
            if read == 0 {
                break;
            }
            line += 1;
            let begin = offset;
            offset += read;
            let marked = bytes
                .strip_prefix("\u{feff}".as_bytes())
                .filter(|_| line == 1);
            let whole = marked.unwrap_or(&bytes);
            let lead = bytes.len() - whole.trim_ascii_start().len();
            let text = whole.trim_ascii();
            let found = if read > MAX_LINE as u64 {
                Err(format!(
                    "{read} bytes; expected a line of at most {MAX_LINE}"
                ))
            } else if text.is_empty() {
                continue;
            } else {
                lines
                    .get_or_insert_with(|| LineForm::of(path, text))
                    .read(text)
            };
            match found {
                Ok(_) => index.push(Place {
                    offset: begin + lead as u64,
                    bytes: u32::try_from(text.len()).expect("at most `MAX_LINE`"),
                    line: u32::try_from(line).unwrap_or(u32::MAX),
                }),
                Err(what) if strict => {
                    return Err(PersonaError::BadLine {
                        path: path.to_owned(),
                        line,
                        what,
                    });
                }
                Err(what) => skipped.add(line, what),
            }
        }
        let path = path.to_owned();
        let Some(lines) = lines.filter(|_| !index.is_empty()) else {
            return Err(PersonaError::NoPersonas { path, skipped });
        };
        index.shrink_to_fit();
        Ok(Self {
            path,
            source,
            lines,
            index,
            skipped,
            fingerprint: hashed.hasher.finalize().to_hex()[..16].to_owned(),
        })
    }

    /// How many can be drawn before any comes again.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a pool is never empty")]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The lines that could not be used.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// The fingerprint of the bytes.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The place in the pool of the `nth` persona that a stream draws: each once, then each once again in another order.
    #[must_use]
    pub fn place_of(&self, draw: &Stream, nth: u64) -> usize {
        let len = self.index.len() as u64;
        let place = Permutation::new(draw.at(nth / len), len).at(nth % len);
        usize::try_from(place).expect("below the length of a list")
    }

    /// The `nth` persona that a stream draws.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub fn draw(&self, draw: &Stream, nth: u64) -> Result<Individual, PersonaError> {
        self.get(self.place_of(draw, nth))
    }

    /// The persona at a place below [`Self::len`].
    ///
    /// # Errors
    /// When the file cannot be read any more, or is not what it was.
    pub fn get(&self, place: usize) -> Result<Individual, PersonaError> {
        let Place {
            offset,
            bytes,
            line,
        } = self.index[place];
        let changed = |_| PersonaError::Changed {
            path: self.path.clone(),
            line: u64::from(line),
        };
        match &self.source {
            Source::File(file) => {
                let mut text = vec![0; bytes as usize];
                match file.read_exact_at(&mut text, offset) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        Err(changed(String::new()))
                    }
                    Err(source) => Err(PersonaError::Io {
                        path: self.path.clone(),
                        source,
                    }),
                    Ok(()) => self.lines.read(&text).map_err(changed),
                }
            }
            Source::Text(text) => {
                let start = usize::try_from(offset).expect("within a text in memory");
                let text = &text.as_bytes()[start..start + bytes as usize];
                self.lines.read(text).map_err(changed)
            }
        }
    }
}

/// A reader of lines that hashes what it reads.
struct Hashed<R> {
    reader: R,
    hasher: blake3::Hasher,
}

impl<R: BufRead> Hashed<R> {
    /// Reads a line with its end; of one that is too long its first bytes are kept. Gives its length, 0 at the end.
    fn line(&mut self, kept: &mut Vec<u8>) -> io::Result<u64> {
        kept.clear();
        let mut read = 0;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(read);
            }
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            let room = (MAX_LINE + 1).saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..taken.min(room)]);
            self.hasher.update(&buffer[..taken]);
            self.reader.consume(taken);
            read += taken as u64;
            if end.is_some() {
                return Ok(read);
            }
        }
    }
}
