use std::collections::BTreeMap;

use super::lifetimes::{Attempt, State};
use crate::cli::failure::Failure;
use crate::export;
use crate::pipeline::CallOutcome;
use crate::record::{Dialogue, Kind, Verdict};
use crate::run::{Entry, PlaceSettled, RunDir, RunError, conversation_id, read_journal};

/// Rows that are written to see how long they are.
const ROWS: usize = 100;

/// What a while of generation left in its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// By kind, the attempts at conversations.
    pub attempts: BTreeMap<Kind, Vec<Attempt>>,
    /// By kind, turns that were said.
    pub turns: BTreeMap<Kind, u64>,
    /// Tokens of all calls.
    pub tokens: u64,
    /// Questions of pages, of which all are there.
    pub questions: Made,
    /// Experiences, of rounds that are over.
    pub experiences: Made,
    /// Bytes of the journal's lines that tell of calls.
    pub call_bytes: u64,
    /// Bytes of those that tell of conversations that came to an end, and how many.
    pub records: Made,
    /// Bytes of exported rows, and how many.
    pub rows: Made,
}

/// Things that were made, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub cost: u64,
    pub things: u64,
}

impl Made {
    /// What one costs; none where there is none.
    #[expect(clippy::cast_precision_loss, reason = "tokens and bytes")]
    pub fn each(self) -> Option<f64> {
        (self.things > 0).then(|| self.cost as f64 / self.things as f64)
    }
}

/// A conversation that has not ended.
#[derive(Clone, Copy, Default)]
struct Open {
    tokens: u64,
    turns: u64,
    group: bool,
}

/// The journal of a while, as it is read.
#[derive(Default)]
struct Reader {
    sample: Sample,
    open: BTreeMap<String, Open>,
    /// Tokens of pages and rounds that are not complete.
    waiting: BTreeMap<String, u64>,
    kept: Vec<Dialogue>,
    /// Where among the attempts of its kind a conversation is that is kept by itself.
    places: BTreeMap<String, (Kind, usize)>,
}

impl Sample {
    pub fn of(dir: &RunDir) -> Result<Self, Failure> {
        let mut reader = Reader::default();
        // Where the line before begins, and whether it is a record.
        let mut line = (0, false);
        let mut measure = |sample: &mut Self, next: u64, record: bool| {
            let bytes = next.saturating_sub(line.0);
            if line.1 {
                sample.records.cost += bytes;
                sample.records.things += 1;
            } else {
                sample.call_bytes += bytes;
            }
            line = (next, record);
        };
        let end = read_journal(&dir.journal_path(), |at, entry| {
            let record = matches!(entry, Entry::Conversation(_) | Entry::Group(_));
            measure(&mut reader.sample, at, record);
            reader.take(entry);
        })
        .map_err(RunError::from)?;
        measure(&mut reader.sample, end, false);
        let Reader {
            mut sample,
            open,
            kept,
            ..
        } = reader;
        for one in open.into_values() {
            sample.put(one, None, State::Live);
        }
        let mut rows = Vec::new();
        let things = export::to_writer(
            kept.into_iter().map(Ok::<_, RunError>),
            &export::Shape::default(),
            &dir.provenance(),
            &dir.export_path(),
            &mut rows,
        )?;
        sample.rows = Made {
            cost: rows.len() as u64,
            things,
        };
        Ok(sample)
    }

    fn put(&mut self, one: Open, kind: Option<Kind>, state: State) {
        let seen = if one.group {
            Kind::Group
        } else {
            Kind::Support
        };
        let kind = kind.unwrap_or(seen);
        *self.turns.entry(kind).or_default() += one.turns;
        self.attempts.entry(kind).or_default().push(Attempt {
            tokens: one.tokens,
            state,
        });
    }
}

impl Reader {
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Call { key, outcome } => self.call(&key, &outcome),
            Entry::Queries(queries) => {
                let tokens = self.waiting.remove(&format!("q/{}", queries.page));
                let questions = &mut self.sample.questions;
                questions.cost += tokens.unwrap_or(0);
                questions.things += 1;
            }
            Entry::Round(round) => {
                let tokens = self.waiting.remove(&format!("e/{}", round.round));
                let experiences = &mut self.sample.experiences;
                experiences.cost += tokens.unwrap_or(0);
                experiences.things += round.admitted().count() as u64;
            }
            // Part of what a page's questions take.
            Entry::Products(fitted) => {
                let tokens = self.waiting.remove(&format!("p/{}", fitted.query));
                self.sample.questions.cost += tokens.unwrap_or(0);
            }
            Entry::Conversation(one) => self.ended(Dialogue::Support(*one)),
            Entry::Group(one) => self.ended(Dialogue::Group(*one)),
            Entry::Failed(failed) => {
                let id = conversation_id(failed.slot, failed.attempt);
                let one = self.open.remove(&id).unwrap_or_default();
                self.sample.put(one, None, State::TurnedDown);
            }
            Entry::Settled(settled) => self.settled(&settled),
            Entry::Start { .. }
            | Entry::Judge(_)
            | Entry::Pairs(_)
            | Entry::Judged(_)
            | Entry::Synced => {}
        }
    }

    fn call(&mut self, key: &str, outcome: &CallOutcome) {
        let tokens = match outcome {
            CallOutcome::Reply(reply) => reply.tokens.len() as u64,
            CallOutcome::Choice(_) => 0,
        };
        self.sample.tokens += tokens;
        let parts: Vec<&str> = key.split('/').collect();
        match parts[..] {
            ["c", slot, attempt, role, ref rest @ ..] => {
                let one = self.open.entry(format!("c/{slot}/{attempt}")).or_default();
                one.tokens += tokens;
                one.group |= matches!(role, "member" | "manager");
                // Another try at a turn is no other turn.
                let first =
                    matches!(role, "member" | "customer" | "agent") && rest.last() == Some(&"0");
                one.turns += u64::from(first);
            }
            // `q/<page>/<part>/<try>`, and a page's id may have slashes of its own.
            [ref page @ .., _, _] => *self.waiting.entry(page.join("/")).or_default() += tokens,
            _ => {}
        }
    }

    /// What the rules of quality turn down is not kept.
    fn settled(&mut self, settled: &PlaceSettled) {
        for found in &settled.turned_down {
            let id = conversation_id(settled.slot, found.attempt);
            let Some((kind, nth)) = self.places.remove(&id) else {
                continue;
            };
            let attempts = self.sample.attempts.get_mut(&kind);
            if let Some(attempt) = attempts.and_then(|attempts| attempts.get_mut(nth)) {
                attempt.state = State::TurnedDown;
            }
            self.kept.retain(|dialogue| dialogue.id() != id);
        }
    }

    fn ended(&mut self, dialogue: Dialogue) {
        let state = if *dialogue.verdict() == Verdict::Keep {
            State::Kept
        } else {
            State::TurnedDown
        };
        let one = self.open.remove(dialogue.id()).unwrap_or_default();
        let kind = dialogue.kind();
        if state == State::Kept {
            let before = self.sample.attempts.get(&kind).map_or(0, Vec::len);
            self.places.insert(dialogue.id().to_owned(), (kind, before));
        }
        self.sample.put(one, Some(kind), state);
        if state == State::Kept && self.kept.len() < ROWS {
            self.kept.push(dialogue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Completion, Finish};
    use crate::run::{Failed, PageQueries};

    fn call(key: &str, tokens: usize) -> Entry {
        Entry::Call {
            key: key.into(),
            outcome: CallOutcome::Reply(Completion {
                tokens: vec![0; tokens],
                prompt_tokens: 9,
                reused_tokens: 0,
                text: String::new(),
                finish: Finish::Accepted,
                thinking_tokens: 0,
            }),
        }
    }

    #[test]
    fn tokens_belong_to_what_they_were_made_for() {
        let mut reader = Reader::default();
        for entry in [
            call("q/deep/page/0/0", 30),
            call("q/deep/page/1/0", 10),
            call("q/other/0/0", 7),
            Entry::Queries(PageQueries {
                page: "deep/page".into(),
                queries: Vec::new(),
                problem: None,
            }),
            call("c/0/0/customer/0/0", 5),
            call("c/0/0/agent/1/0", 6),
            call("c/0/0/agent/1/1", 6),
            call("c/1/0/member/0/0", 8),
            Entry::Failed(Failed {
                slot: 0,
                attempt: 0,
                reason: "context".into(),
                detail: String::new(),
            }),
            call("c/0/1/customer/0/0", 4),
        ] {
            reader.take(entry);
        }
        let sample = &reader.sample;
        assert_eq!(sample.tokens, 76);
        assert_eq!(
            sample.questions,
            Made {
                cost: 40,
                things: 1
            }
        );
        assert_eq!(sample.questions.each(), Some(40.0));
        assert_eq!(sample.experiences.each(), None);
        let ended = [Attempt {
            tokens: 17,
            state: State::TurnedDown,
        }];
        assert_eq!(sample.attempts[&Kind::Support], ended);
        assert_eq!(sample.turns[&Kind::Support], 2);
        let live: Vec<(&str, u64, bool)> = reader
            .open
            .iter()
            .map(|(id, one)| (id.as_str(), one.tokens, one.group))
            .collect();
        assert_eq!(live, [("c/0/1", 4, false), ("c/1/0", 8, true)]);
    }

    #[test]
    fn what_rules_of_quality_turn_down_is_not_kept() {
        let mut reader = Reader::default();
        let mut conversation = crate::record::examples::conversation();
        conversation.id = conversation_id(3, 1);
        reader.take(Entry::Conversation(Box::new(conversation)));
        let kept = |reader: &Reader| reader.sample.attempts[&Kind::Support][0].state;
        assert_eq!(kept(&reader), State::Kept);
        reader.take(Entry::Settled(PlaceSettled {
            slot: 3,
            rules: "r".into(),
            kept: None,
            turned_down: vec![crate::run::TurnedDown {
                attempt: 1,
                reason: "harm".into(),
                detail: String::new(),
            }],
        }));
        assert_eq!(kept(&reader), State::TurnedDown);
        assert!(reader.kept.is_empty());
    }
}
