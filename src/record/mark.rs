use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a reader made of a conversation: a line of `review.jsonl`, and of the file that a report page writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Of the conversation, as `c/3/1`.
    pub id: String,
    /// None where there is a note only; with no note either, an earlier line is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Choice>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Mark {
    /// Reads marks, one a line; empty lines are passed over.
    ///
    /// # Errors
    /// The first line that is no mark.
    pub fn lines(text: &str) -> Result<Vec<Self>, BadMark> {
        let lines = text.lines().enumerate();
        let whole = lines.filter(|(_, line)| !line.trim().is_empty());
        let mark = |(place, line)| {
            serde_json::from_str(line).map_err(|error| BadMark {
                line: place + 1,
                message: format!(
                    "{}; expected {{\"id\": \"c/3/1\", \"mark\": \"keep\"}}, or \"drop\", and a \"note\" where there is one",
                    // It counts its own lines, of which there is one.
                    error.to_string().replace(" at line 1 column", " at column"),
                ),
            })
        };
        whole.map(mark).collect()
    }

    /// Whether it says nothing, and takes back what was said before.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.mark.is_none() && self.note.is_empty()
    }
}

/// Whether a reader would have a conversation in the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    Keep,
    Drop,
}

impl Choice {
    /// Every choice, in a fixed order.
    pub const ALL: &[Self] = &[Self::Keep, Self::Drop];

    /// The name in files, flags and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A line that is no mark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadMark {
    /// From 1.
    pub line: usize,
    pub message: String,
}

/// The marks of a corpus: of every conversation the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<String, Mark>);

impl Marks {
    /// The marks that lines amount to.
    ///
    /// # Errors
    /// As [`Mark::lines`].
    pub fn parse(text: &str) -> Result<Self, BadMark> {
        let mut marks = Self::default();
        for mark in Mark::lines(text)? {
            marks.put(mark);
        }
        Ok(marks)
    }

    /// Takes a mark in the place of an earlier one of the same conversation; one that says nothing takes it back.
    pub fn put(&mut self, mark: Mark) {
        if mark.is_nothing() {
            self.0.remove(&mark.id);
        } else {
            self.0.insert(mark.id.clone(), mark);
        }
    }

    /// The mark of a conversation.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Mark> {
        self.0.get(id)
    }

    /// Keep, drop, or neither.
    #[must_use]
    pub fn choice(&self, id: &str) -> Option<Choice> {
        self.get(id)?.mark
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.values()
    }

    /// How many conversations have this mark.
    #[must_use]
    pub fn count(&self, choice: Choice) -> usize {
        self.iter().filter(|mark| mark.mark == Some(choice)).count()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_conversation_counts() {
        let text = concat!(
            "{\"id\":\"c/1/0\",\"mark\":\"keep\"}\n\n",
            "{\"id\":\"c/2/0\",\"mark\":\"keep\",\"note\":\"a\"}\r\n",
            "{\"id\":\"c/1/0\",\"mark\":\"drop\",\"note\":\"says \\\"AI\\\"\"}\n",
            "{\"id\":\"c/3/0\",\"note\":\"look again\"}\n",
            "{\"id\":\"c/2/0\",\"mark\":null}",
        );
        let marks = Marks::parse(text).unwrap();
        let ids: Vec<&str> = marks.iter().map(|mark| mark.id.as_str()).collect();
        assert_eq!(ids, ["c/1/0", "c/3/0"]);
        assert_eq!(marks.choice("c/1/0"), Some(Choice::Drop));
        assert_eq!(marks.get("c/1/0").unwrap().note, "says \"AI\"");
        assert_eq!((marks.choice("c/2/0"), marks.choice("c/3/0")), (None, None));
        assert_eq!(
            (marks.count(Choice::Drop), marks.count(Choice::Keep)),
            (1, 0)
        );
        let line = serde_json::to_string(marks.get("c/3/0").unwrap()).unwrap();
        assert_eq!(line, r#"{"id":"c/3/0","note":"look again"}"#);
    }

    #[test]
    fn what_is_no_mark_is_named_by_its_line() {
        for (line, told) in [
            (
                r#"{"id":"c/1/0","mark":"maybe"}"#,
                "unknown variant `maybe`, expected `keep` or `drop`",
            ),
            (r#"{"mark":"keep"}"#, "missing field `id`"),
            (
                r#"{"id":"c/1/0","verdict":"keep"}"#,
                "unknown field `verdict`",
            ),
            (r#"{"id":"c/1/0","mark":"ke"#, "EOF"),
            ("keep c/1/0", "expected value at column 1"),
        ] {
            let text = format!("{{\"id\":\"c/0/0\",\"mark\":\"keep\"}}\n{line}\n");
            let error = Marks::parse(&text).unwrap_err();
            assert_eq!(error.line, 2);
            assert!(error.message.contains(told), "{line}: {error}");
        }
    }
}
