//! Conversations out of files: ours and those of others. Bytes in, [`Sample`]s out; what a row holds in plain columns stays
//! with its sample, and what cannot be used is counted with its line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

mod asynth;
mod columns;
mod convogen;
mod messages;
mod rows;
mod sharegpt;
mod sides;
mod skipped;

pub use rows::MAX_ROW_BYTES;
pub use skipped::Skipped;

use crate::fsio;
use crate::record::Sample;
use rows::{Piece, Rows};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignFormat {
    /// `{"messages": [{"role", "content"}, …]}`; group chats have `perspective` and `participants` as we write them. The list
    /// may also be called `conversation` or `conversations`.
    Messages,
    /// `{"conversations": [{"from", "value"}, …]}`
    Sharegpt,
    /// `{"title", "tone", "style", "conversation": [{"content", "role", "name"}, …], "length", "status", "error"}`
    Asynth,
    /// `{"meetingID", "speakerMap", "Conversation": [{"speaker", "transcript"}, …], "situation_config"}`
    Convogen,
}

impl ForeignFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Messages, Self::Sharegpt, Self::Asynth, Self::Convogen];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Sharegpt => "sharegpt",
            Self::Asynth => "asynth",
            Self::Convogen => "convogen",
        }
    }

    /// The format that a row's keys speak of.
    fn of(row: &Map<String, Value>) -> Option<Self> {
        let first = |key: &str| {
            row.get(key)
                .and_then(Value::as_array)
                .map(|list| list.first())
        };
        let item_has = |key: &str, name: &str| {
            let item = first(key).flatten().and_then(Value::as_object);
            item.is_some_and(|item| item.contains_key(name))
        };
        if first("Conversation").is_some() {
            return Some(Self::Convogen);
        }
        if first("messages").is_some() {
            return Some(Self::Messages);
        }
        if first("conversations").is_some() {
            return Some(if item_has("conversations", "role") {
                Self::Messages
            } else {
                Self::Sharegpt
            });
        }
        first("conversation")?;
        let asynth = row.contains_key("status")
            || row.contains_key("title")
            || item_has("conversation", "name");
        Some(if asynth { Self::Asynth } else { Self::Messages })
    }

    /// What a row of it has, for people.
    fn shape(self) -> &'static str {
        match self {
            Self::Messages => "`messages`, a list of {\"role\", \"content\"}",
            Self::Sharegpt => "`conversations`, a list of {\"from\", \"value\"}",
            Self::Asynth => "`conversation`, a list of {\"content\", \"role\", \"name\"}",
            Self::Convogen => "`Conversation`, a list of {\"speaker\", \"transcript\"}",
        }
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// In the file's order. Ids are the rows' own, else `"<file stem>/<n>"`, from 0.
    pub samples: Vec<Sample>,
    pub format: ForeignFormat,
    /// What was left out.
    pub skipped: Skipped,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// A row that is none, or one of another format than the rows before it.
    #[error("{}:{line}: {what}", path.display())]
    Row {
        path: PathBuf,
        line: u64,
        what: String,
    },
    /// Nothing that says which format it is.
    #[error("{}: no rows; expected JSON lines, or a JSON list, of conversations{}", path.display(), because(skipped))]
    Empty { path: PathBuf, skipped: Skipped },
}

fn because(skipped: &Skipped) -> String {
    if skipped.is_empty() {
        String::new()
    } else {
        format!(" ({skipped})")
    }
}

/// Reads a file of conversations: JSON lines or one JSON list. Without a `format`, the first row says which it is.
///
/// # Errors
/// When it cannot be read, a row has not the form, or there is no row to tell the format from.
pub fn read(path: &Path, format: Option<ForeignFormat>) -> Result<Imported, ImportError> {
    let failed = |source| ImportError::Io {
        path: path.to_owned(),
        source,
    };
    let file: File = fsio::open_regular(path).map_err(failed)?;
    read_from(BufReader::with_capacity(1 << 20, file), path, format)
}

/// Like [`read`], from bytes that come from elsewhere; `path` names them in messages and begins ids.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    bytes: impl BufRead,
    path: &Path,
    format: Option<ForeignFormat>,
) -> Result<Imported, ImportError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let (mut samples, mut skipped, mut found) = (Vec::new(), Skipped::default(), format);
    let mut first = None;
    for (nth, piece) in Rows::new(bytes, path).enumerate() {
        let (line, piece) = piece?;
        let value = match piece {
            Piece::Blank => {
                skipped.blank += 1;
                continue;
            }
            Piece::Torn => {
                skipped.row(line, "cut off");
                continue;
            }
            Piece::Value(value) => value,
        };
        let bad = |what: String| ImportError::Row {
            path: path.to_owned(),
            line,
            what,
        };
        let Value::Object(row) = value else {
            return Err(bad("not a JSON object; expected a conversation".to_owned()));
        };
        let own = ForeignFormat::of(&row);
        let of = match (found, own) {
            (Some(wanted), Some(own)) if wanted == own => own,
            // The two differ by what no row must have.
            (Some(ForeignFormat::Asynth), Some(ForeignFormat::Messages))
                if row.contains_key("conversation") =>
            {
                ForeignFormat::Asynth
            }
            (None, Some(own)) => own,
            (Some(wanted), _) => {
                let why = match first {
                    Some(first) => format!("as line {first} has"),
                    None => format!("as --as {} has", wanted.name()),
                };
                return Err(bad(format!(
                    "no {}, {why}; keys: {}",
                    wanted.shape(),
                    keys(&row)
                )));
            }
            (None, None) => {
                return Err(bad(format!(
                    "no conversation of a known shape; expected {}; keys: {}",
                    ForeignFormat::ALL
                        .iter()
                        .map(|format| format.shape())
                        .collect::<Vec<_>>()
                        .join(", or "),
                    keys(&row)
                )));
            }
        };
        first.get_or_insert(line);
        found = Some(of);
        let id = || format!("{stem}/{}", nth as u64 - skipped.blank);
        let mut about = About {
            id: columns::id(&row).unwrap_or_else(id),
            line,
            skipped: &mut skipped,
        };
        let sample = match of {
            ForeignFormat::Messages => messages::sample(&row, &mut about),
            ForeignFormat::Sharegpt => sharegpt::sample(&row, &mut about),
            ForeignFormat::Asynth => asynth::sample(&row, &mut about),
            ForeignFormat::Convogen => convogen::sample(&row, &mut about),
        };
        samples.extend(sample.map_err(bad)?);
    }
    match found {
        Some(format) => Ok(Imported {
            samples,
            format,
            skipped,
        }),
        None => Err(ImportError::Empty {
            path: path.to_owned(),
            skipped,
        }),
    }
}

/// A row on its way to be a sample.
struct About<'a> {
    id: String,
    line: u64,
    skipped: &'a mut Skipped,
}

impl About<'_> {
    /// A turn that is left out.
    fn turn(&mut self, why: &str) {
        self.skipped.turn(self.line, why);
    }

    /// The sample, unless nothing was said in it.
    fn kept(&mut self, sample: Sample) -> Option<Sample> {
        if sample.turns.is_empty() {
            self.skipped.row(self.line, "an empty conversation");
            return None;
        }
        Some(sample)
    }
}

/// The keys of a row, a few of them.
fn keys(row: &Map<String, Value>) -> String {
    const NAMED: usize = 8;
    let mut names: Vec<String> = row
        .keys()
        .take(NAMED)
        .map(|key| {
            let start: String = key.chars().take(30).collect();
            format!("{start:?}")
        })
        .collect();
    if row.is_empty() {
        return "none".to_owned();
    }
    if row.len() > NAMED {
        names.push("…".to_owned());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests;
