//! Somebody at a terminal who reads conversations and marks them.

use std::fmt::Write as _;

use console::{Key, Style, Term};

use crate::cli::failure::Failure;
use crate::record::{Choice, Mark, Marks};

/// Where a reader is.
pub struct Reader {
    ids: Vec<String>,
    at: usize,
    /// Whether everything that is known is shown.
    whole: bool,
    /// Whether the last one was marked or passed.
    is_through: bool,
}

/// What a key asks for.
#[derive(Debug, PartialEq)]
pub enum Act {
    /// Show what there is now.
    Draw,
    /// Save this first.
    Save(Mark),
    /// Ask for a note on this conversation.
    Note,
    Quit,
    Nothing,
}

/// What a reader wants of whoever has the run.
pub enum Want {
    Save(Mark),
    /// The conversation at a place, with everything that is known of it or without.
    Show {
        place: usize,
        whole: bool,
    },
}

impl Reader {
    /// At the first of some conversations; there is one.
    pub fn new(ids: Vec<String>) -> Self {
        Self {
            ids,
            at: 0,
            whole: false,
            is_through: false,
        }
    }

    fn id(&self) -> &str {
        &self.ids[self.at]
    }

    /// The mark of the conversation that is read, as it is now.
    fn mark(&self, marks: &Marks) -> Mark {
        let none = || Mark {
            id: self.id().to_owned(),
            mark: None,
            note: String::new(),
        };
        marks.get(self.id()).cloned().unwrap_or_else(none)
    }

    /// What a key does. The keys of the report's page mean the same here.
    pub fn press(&mut self, key: &Key, marks: &Marks) -> Act {
        let choice = match key {
            Key::Char('y') => Some(Choice::Keep),
            Key::Char('x') => Some(Choice::Drop),
            _ => None,
        };
        match key {
            Key::Char('y' | 'x') => {
                let mark = Mark {
                    mark: choice,
                    ..self.mark(marks)
                };
                self.go_on();
                Act::Save(mark)
            }
            Key::Char('u') => Act::Save(Mark {
                mark: None,
                ..self.mark(marks)
            }),
            Key::Char('n') => Act::Note,
            Key::Char('j' | ' ') | Key::ArrowRight | Key::ArrowDown | Key::Enter => {
                self.go_on();
                Act::Draw
            }
            Key::Char('k') | Key::ArrowLeft | Key::ArrowUp | Key::Backspace => {
                self.at = self.at.saturating_sub(1);
                self.is_through = false;
                Act::Draw
            }
            Key::Char('i') => {
                self.whole = !self.whole;
                Act::Draw
            }
            Key::Char('q') | Key::Escape | Key::CtrlC => Act::Quit,
            _ => Act::Nothing,
        }
    }

    fn go_on(&mut self) {
        if self.at + 1 < self.ids.len() {
            self.at += 1;
        } else {
            self.is_through = true;
        }
    }

    /// The same conversation with another note.
    fn noted(&self, marks: &Marks, note: &str) -> Mark {
        Mark {
            note: note.trim().to_owned(),
            ..self.mark(marks)
        }
    }

    /// The line under a conversation: where one is, and what it is marked.
    fn place(&self, marks: &Marks) -> String {
        let mark = self.mark(marks);
        let mut text = format!("{} of {}", self.at + 1, self.ids.len());
        if let Some(choice) = mark.mark {
            let _ = write!(text, " · marked {choice}");
        }
        if !mark.note.is_empty() {
            let _ = write!(text, " · note: {}", mark.note);
        }
        if self.is_through {
            text += " · this was the last";
        }
        text
    }
}

const KEYS: &str =
    "y keep · x drop · n note · u take back · j next · k back · i more of it · q quit";

/// Shows conversations and does what keys say, until the reader has enough.
///
/// # Errors
/// What `get` fails with, and a terminal that goes away.
pub fn attend(
    term: &Term,
    reader: &mut Reader,
    marks: &mut Marks,
    mut get: impl FnMut(Want) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let gone = |error| Failure::write(std::path::Path::new("the terminal"), &error);
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    loop {
        let text = get(Want::Show {
            place: reader.at,
            whole: reader.whole,
        })?;
        let place = bold.apply_to(reader.place(marks));
        term.clear_screen().map_err(gone)?;
        term.write_str(&format!("{text}\n{place}\n{}\n", dim.apply_to(KEYS)))
            .map_err(gone)?;
        loop {
            let key = term.read_key().map_err(gone)?;
            let mark = match reader.press(&key, marks) {
                Act::Nothing => continue,
                Act::Quit => return Ok(()),
                Act::Draw => break,
                Act::Save(mark) => mark,
                Act::Note => {
                    term.write_str("note: ").map_err(gone)?;
                    let before = reader.mark(marks).note;
                    let note = term.read_line_initial_text(&before).map_err(gone)?;
                    reader.noted(marks, &note)
                }
            };
            get(Want::Save(mark.clone()))?;
            marks.put(mark);
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(id: &str, mark: Option<Choice>, note: &str) -> Mark {
        Mark {
            id: id.into(),
            mark,
            note: note.into(),
        }
    }

    #[test]
    fn keys_mark_and_go_on() {
        let mut reader = Reader::new(vec!["c/0/0".into(), "c/1/0".into()]);
        let mut marks = Marks::default();
        let press = |reader: &mut Reader, key, marks: &mut Marks| {
            let act = reader.press(&key, marks);
            if let Act::Save(mark) = &act {
                marks.put(mark.clone());
            }
            act
        };
        assert_eq!(
            press(&mut reader, Key::Char('y'), &mut marks),
            Act::Save(mark("c/0/0", Some(Choice::Keep), ""))
        );
        assert_eq!(reader.place(&marks), "2 of 2");
        // A note stays when the mark is another.
        marks.put(reader.noted(&marks, " dull \n"));
        assert_eq!(reader.place(&marks), "2 of 2 · note: dull");
        assert_eq!(
            press(&mut reader, Key::Char('x'), &mut marks),
            Act::Save(mark("c/1/0", Some(Choice::Drop), "dull"))
        );
        assert_eq!(
            reader.place(&marks),
            "2 of 2 · marked drop · note: dull · this was the last"
        );
        // Back, and no further than the first.
        assert_eq!(press(&mut reader, Key::Char('k'), &mut marks), Act::Draw);
        assert_eq!(press(&mut reader, Key::ArrowLeft, &mut marks), Act::Draw);
        assert_eq!(reader.place(&marks), "1 of 2 · marked keep");
        assert_eq!(
            press(&mut reader, Key::Char('u'), &mut marks),
            Act::Save(mark("c/0/0", None, ""))
        );
        assert_eq!((marks.len(), reader.place(&marks)), (1, "1 of 2".into()));
        assert_eq!(press(&mut reader, Key::Char('z'), &mut marks), Act::Nothing);
        assert_eq!(press(&mut reader, Key::Char('q'), &mut marks), Act::Quit);
    }
}
