use serde::{Deserialize, Serialize};

use super::variants::QueryProducts;
use crate::pipeline::CallOutcome;
use crate::pipeline::RoundResult;
use crate::record::{Conversation, Dialogue, GroupChat, Judgement, Query};

/// The version of the journal's lines.
///
/// 2: places are settled under rules of quality.
pub const JOURNAL_VERSION: u32 = 2;

/// What a line of the journal holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first line of a journal.
    Start {
        /// [`JOURNAL_VERSION`] of the writer.
        journal: u32,
        /// `colloquy <version>` of the writer.
        program: String,
        /// The fingerprint of the run.
        run: String,
    },
    /// What a model call gave; written before anything reads it.
    Call { key: String, outcome: CallOutcome },
    /// The questions of a page, complete.
    Queries(PageQueries),
    /// The products that fit a question.
    Products(QueryProducts),
    /// A round of experiences, complete.
    Round(Box<RoundResult>),
    /// A finished support conversation, kept or turned down.
    Conversation(Box<Conversation>),
    /// A finished group chat, kept or turned down.
    Group(Box<GroupChat>),
    /// An attempt that could not become a conversation.
    Failed(Failed),
    /// Who judges; the second line of a judge's journal.
    Judge(JudgeMark),
    /// From which conversation each takes its negative controls.
    Pairs(Vec<Pair>),
    /// What a judge made of a conversation; the last line of a conversation counts.
    Judged(Box<Judgement>),
    /// What is kept at a place.
    Settled(PlaceSettled),
    /// Everything before this line is durable.
    Synced,
}

/// A judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeMark {
    /// As the user named it.
    pub model: String,
    /// Hash of the model's files.
    pub model_hash: String,
    pub profile: String,
    pub demo: bool,
}

/// A conversation that is judged, and the one that its negative controls are made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    pub id: String,
    /// None where no other was judged.
    pub with: Option<String>,
}

/// What is kept at a place under the run's rules of quality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceSettled {
    pub slot: u64,
    /// The fingerprint of the rules.
    pub rules: String,
    /// The attempt whose conversation is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u32>,
    /// Attempts that became conversations and were turned down under the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turned_down: Vec<TurnedDown>,
}

/// A conversation that was turned down after it was finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedDown {
    pub attempt: u32,
    pub reason: String,
    pub detail: String,
}

/// The questions of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageQueries {
    pub page: String,
    /// None when they could not be made; the page's places in the plan stay empty then.
    pub queries: Vec<Query>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// An attempt that could not become a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub slot: u64,
    pub attempt: u32,
    pub reason: String,
    pub detail: String,
}

/// An [`Entry`] to write, borrowed; the same bytes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryRef<'a> {
    Start {
        journal: u32,
        program: &'a str,
        run: &'a str,
    },
    Call {
        key: &'a str,
        outcome: &'a CallOutcome,
    },
    Queries(&'a PageQueries),
    Products(&'a QueryProducts),
    Round(&'a RoundResult),
    Conversation(&'a Conversation),
    Group(&'a GroupChat),
    Failed(&'a Failed),
    Judge(&'a JudgeMark),
    Pairs(&'a [Pair]),
    Judged(&'a Judgement),
    Settled(&'a PlaceSettled),
    Synced,
}

impl<'a> From<&'a Dialogue> for EntryRef<'a> {
    fn from(dialogue: &'a Dialogue) -> Self {
        match dialogue {
            Dialogue::Support(conversation) => Self::Conversation(conversation),
            Dialogue::Group(chat) => Self::Group(chat),
        }
    }
}

/// One line: checksum of the JSON in eight hex digits, a space, the JSON, a line end.
pub(super) fn to_line(entry: EntryRef<'_>) -> Vec<u8> {
    let mut line = b"00000000 ".to_vec();
    serde_json::to_writer(&mut line, &entry).expect("plain data serialises to JSON");
    let checksum = format!("{:08x}", crc32fast::hash(&line[9..]));
    line[..8].copy_from_slice(checksum.as_bytes());
    line.push(b'\n');
    line
}

/// The JSON of a line without its line end, if the checksum is right.
pub(super) fn checked(line: &[u8]) -> Option<&[u8]> {
    let (head, json) = line.split_at_checked(9)?;
    (head[8] == b' ' && head[..8] == *format!("{:08x}", crc32fast::hash(json)).as_bytes())
        .then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Completion, Finish};

    #[test]
    fn borrowed_and_owned_entries_are_the_same_bytes() {
        let completion = Completion {
            tokens: vec![1, 2],
            text: "a\n\"b\" £".into(),
            finish: Finish::Stopped,
            thinking_tokens: 0,
            prompt_tokens: 0,
            reused_tokens: 0,
        };
        let outcome = CallOutcome::Reply(completion);
        let queries = PageQueries {
            page: "p".into(),
            queries: Vec::new(),
            problem: Some("none".into()),
        };
        let products = QueryProducts {
            query: "p/0".into(),
            page: "p".into(),
            products: vec!["kettle".into()],
            problem: None,
        };
        let failed = Failed {
            slot: 1,
            attempt: 2,
            reason: "r".into(),
            detail: "d".into(),
        };
        let settled = PlaceSettled {
            slot: 1,
            rules: "r".into(),
            kept: Some(2),
            turned_down: vec![TurnedDown {
                attempt: 0,
                reason: "harm".into(),
                detail: "d".into(),
            }],
        };
        for (owned, borrowed) in [
            (
                Entry::Call {
                    key: "k".into(),
                    outcome: outcome.clone(),
                },
                EntryRef::Call {
                    key: "k",
                    outcome: &outcome,
                },
            ),
            (Entry::Queries(queries.clone()), EntryRef::Queries(&queries)),
            (
                Entry::Products(products.clone()),
                EntryRef::Products(&products),
            ),
            (Entry::Failed(failed.clone()), EntryRef::Failed(&failed)),
            (Entry::Settled(settled.clone()), EntryRef::Settled(&settled)),
            (Entry::Synced, EntryRef::Synced),
            (
                Entry::Start {
                    journal: 1,
                    program: "p".into(),
                    run: "r".into(),
                },
                EntryRef::Start {
                    journal: 1,
                    program: "p",
                    run: "r",
                },
            ),
        ] {
            let line = to_line(borrowed);
            let json = checked(line.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!(json, serde_json::to_vec(&owned).unwrap());
            assert_eq!(serde_json::from_slice::<Entry>(json).unwrap(), owned);
            assert!(!json.contains(&b'\n'));
        }
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let line = to_line(EntryRef::Start {
            journal: 1,
            program: "p",
            run: "r",
        });
        let line = line.strip_suffix(b"\n").unwrap();
        for at in 0..line.len() {
            let mut bad = line.to_vec();
            bad[at] ^= 1;
            assert_eq!(checked(&bad), None, "byte {at}");
            assert_eq!(checked(&line[..at]), None, "cut at {at}");
        }
    }
}
