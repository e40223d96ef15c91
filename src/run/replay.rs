use std::collections::BTreeMap;
use std::path::Path;

use std::time::Duration;

use super::entry::{Entry, PageQueries, PlaceSettled};
use super::journal::{JournalError, read_journal};
use super::variants::{QueryProducts, Sources};
use crate::pipeline::{CallOutcome, RoundResult};
use crate::record::{Dialogue, Verdict};

/// What a journal amounts to: which places are finished, and what unfinished ones need to go on. Conversations stay on
/// disk, and the calls of finished ones are forgotten on the way, so that a long journal needs little memory.
#[derive(Debug, Default)]
pub struct Replay {
    /// By page.
    pub queries: BTreeMap<String, PageQueries>,
    /// Products that fit, by question.
    pub products: BTreeMap<String, QueryProducts>,
    /// Rounds of experiences, by number.
    pub(super) rounds: BTreeMap<u64, RoundResult>,
    /// By place in the plan.
    pub slots: BTreeMap<u64, SlotHistory>,
    /// Calls of conversations and pages that are not finished, by key.
    pub(super) calls: BTreeMap<String, CallOutcome>,
    /// Length of the sound part of the file.
    pub(super) sound: u64,
    /// The fingerprint of the rules of quality that places are settled under; where there is none, what is finished is settled.
    rules: Option<String>,
    /// What these rules found, by place.
    settled: BTreeMap<u64, PlaceSettled>,
}

/// The finished attempts of a place, by number.
#[derive(Clone, Debug, Default)]
pub struct SlotHistory {
    pub attempts: BTreeMap<u32, Attempt>,
}

/// A finished attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub end: AttemptEnd,
    /// Turns whose style was put back by rule.
    pub restyled: u32,
    /// Of a kept one: whether the run's rules of quality keep it too.
    pub(super) settled: bool,
    /// What these rules found, of one that they turn down.
    pub(super) found: Option<String>,
    /// Where its line begins in the journal.
    pub(super) at: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    Kept,
    /// A whole conversation that was turned down.
    Rejected {
        reason: String,
    },
    /// It did not become a conversation.
    Failed {
        reason: String,
    },
}

impl AttemptEnd {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Keep => Self::Kept,
            Verdict::Reject { reason, .. } => Self::Rejected {
                reason: reason.clone(),
            },
        }
    }
}

/// How far a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// It has its conversation.
    Kept { attempt: u32 },
    /// It has used up its attempts.
    Exhausted,
    /// This attempt comes next.
    Open { attempt: u32 },
    /// This attempt is a conversation that the run's rules of quality have not looked at yet.
    Waiting { attempt: u32 },
}

impl SlotState {
    /// Whether nothing more is to be made here.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Kept { .. } | Self::Exhausted)
    }
}

/// The reason of a place whose page has no queries.
pub const NO_QUERIES: &str = "no_queries";
/// The reason of a place for which no experience could be made.
pub const NO_EXPERIENCE: &str = "no_experience";

impl SlotHistory {
    /// How far the place is. Attempts count in order; one that stands after a gap does not yet count.
    #[must_use]
    pub fn state(&self, max_attempts: u32) -> SlotState {
        for attempt in 0..max_attempts {
            let Some(ended) = self.attempts.get(&attempt) else {
                return SlotState::Open { attempt };
            };
            match &ended.end {
                AttemptEnd::Kept if ended.settled => return SlotState::Kept { attempt },
                AttemptEnd::Kept => return SlotState::Waiting { attempt },
                // Nothing that is tried again would find a question, or an experience.
                AttemptEnd::Failed { reason }
                    if [NO_QUERIES, NO_EXPERIENCE].contains(&reason.as_str()) =>
                {
                    return SlotState::Exhausted;
                }
                _ => {}
            }
        }
        SlotState::Exhausted
    }
}

impl Replay {
    /// Reads a journal. A reader that meets the next writer just as it cuts a torn tail off sees old and new bytes side by
    /// side; so it looks again before it calls that damage. `rules` are those of quality that count, by fingerprint.
    ///
    /// # Errors
    /// When it cannot be read or is damaged before its torn tail.
    pub fn read(path: &Path, rules: Option<&str>) -> Result<Self, JournalError> {
        match Self::read_once(path, rules) {
            Err(JournalError::Damaged { .. }) => {
                std::thread::sleep(BEFORE_ANOTHER_LOOK);
                Self::read_once(path, rules)
            }
            result => result,
        }
    }

    fn read_once(path: &Path, rules: Option<&str>) -> Result<Self, JournalError> {
        let mut replay = Self {
            rules: rules.map(str::to_owned),
            ..Self::default()
        };
        replay.sound = read_journal(path, |at, entry| replay.take(at, entry))?;
        Ok(replay)
    }

    /// How far a place is.
    #[must_use]
    pub fn state(&self, slot: u64, max_attempts: u32) -> SlotState {
        self.slots
            .get(&slot)
            .map_or(SlotState::Open { attempt: 0 }, |history| {
                history.state(max_attempts)
            })
    }

    /// The rounds of experiences that are over, in order; one that stands after a gap does not yet count.
    pub fn rounds(&self) -> impl Iterator<Item = &RoundResult> {
        self.rounds
            .values()
            .zip(0..)
            .take_while(|(round, n)| round.round == *n)
            .map(|(round, _)| round)
    }

    /// What a plan of all variants over these pages is made from, once all of it is there.
    #[must_use]
    pub fn sources(&self, pages: &[String]) -> Option<Sources> {
        let mut sources = Sources::default();
        for page in pages {
            let queries = &self.queries.get(page)?.queries;
            for query in queries {
                let products = self.products.get(&query.id)?.products.clone();
                sources.products.insert(query.id.clone(), products);
            }
            sources.queries.insert(page.clone(), queries.clone());
        }
        Some(sources)
    }

    /// Attempts that have come to an end, kept or not.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.slots
            .values()
            .map(|history| history.attempts.len())
            .sum()
    }

    /// Whether nothing was ever written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sound == 0
    }

    /// The first line of a thing counts; the same line again changes nothing.
    fn take(&mut self, at: u64, entry: Entry) {
        match entry {
            // Judges have journals of their own.
            Entry::Start { .. }
            | Entry::Judge(_)
            | Entry::Pairs(_)
            | Entry::Judged(_)
            | Entry::Synced => {}
            Entry::Call { key, outcome } => {
                if !self.is_settled(&key) {
                    self.calls.entry(key).or_insert(outcome);
                }
            }
            Entry::Queries(queries) => {
                let page = queries.page.as_str();
                self.forget(&format!("q/{page}/"), |key| page_of(key) == Some(page));
                self.queries.entry(queries.page.clone()).or_insert(queries);
            }
            Entry::Products(products) => {
                let query = format!("p/{}", products.query);
                self.forget(&format!("{query}/"), |key| {
                    key.rsplit_once('/').is_some_and(|(of, _)| of == query)
                });
                self.products
                    .entry(products.query.clone())
                    .or_insert(products);
            }
            Entry::Round(round) => {
                self.forget(&format!("e/{}/", round.round), |_| true);
                self.rounds.entry(round.round).or_insert(*round);
            }
            Entry::Conversation(conversation) => {
                let end = AttemptEnd::of(&conversation.verdict);
                let turns = conversation.turns.iter();
                let restyled = turns.filter(|turn| turn.restyled.is_some()).count();
                let attempt = Attempt {
                    end,
                    restyled: u32::try_from(restyled).unwrap_or(u32::MAX),
                    settled: self.rules.is_none(),
                    found: None,
                    at,
                };
                self.finish(conversation.slot, conversation.attempt, attempt);
            }
            Entry::Group(chat) => {
                let end = AttemptEnd::of(&chat.verdict);
                let attempt = Attempt {
                    end,
                    restyled: 0,
                    settled: self.rules.is_none(),
                    found: None,
                    at,
                };
                self.finish(chat.slot, chat.attempt, attempt);
            }
            Entry::Failed(failed) => {
                self.finish(
                    failed.slot,
                    failed.attempt,
                    Attempt {
                        end: AttemptEnd::Failed {
                            reason: failed.reason,
                        },
                        restyled: 0,
                        settled: true,
                        found: None,
                        at,
                    },
                );
            }
            Entry::Settled(settled) => self.settle(settled),
        }
    }

    /// Takes over what is kept at a place, where the rules are those that count.
    fn settle(&mut self, settled: PlaceSettled) {
        if self.rules.as_ref() == Some(&settled.rules) {
            let slot = settled.slot;
            self.settled.entry(slot).or_insert(settled);
            self.mark_settled(slot);
        }
    }

    /// Marks what is known of a place's attempts, whichever line came first.
    fn mark_settled(&mut self, slot: u64) {
        let (Some(settled), Some(history)) = (self.settled.get(&slot), self.slots.get_mut(&slot))
        else {
            return;
        };
        for found in &settled.turned_down {
            if let Some(attempt) = history.attempts.get_mut(&found.attempt) {
                attempt.end = AttemptEnd::Rejected {
                    reason: found.reason.clone(),
                };
                attempt.found = Some(found.detail.clone());
            }
        }
        if let Some(kept) = settled
            .kept
            .and_then(|kept| history.attempts.get_mut(&kept))
        {
            kept.settled = true;
        }
    }

    fn finish(&mut self, slot: u64, attempt: u32, end: Attempt) {
        self.slots
            .entry(slot)
            .or_default()
            .attempts
            .entry(attempt)
            .or_insert(end);
        self.mark_settled(slot);
        self.forget(&format!("{}/", conversation_id(slot, attempt)), |_| true);
    }

    /// Whether a call belongs to a finished conversation.
    fn is_settled(&self, key: &str) -> bool {
        let mut parts = key.split('/');
        if parts.next() != Some("c") {
            return false;
        }
        let (Some(slot), Some(attempt)) = (
            parts.next().and_then(|part| part.parse().ok()),
            parts.next().and_then(|part| part.parse().ok()),
        ) else {
            return false;
        };
        self.slots
            .get(&slot)
            .is_some_and(|history: &SlotHistory| history.attempts.contains_key(&attempt))
    }

    /// Drops the calls whose keys begin with `prefix`, if they are `meant`.
    fn forget(&mut self, prefix: &str, meant: impl Fn(&str) -> bool) {
        let keys: Vec<String> = self
            .calls
            .range(prefix.to_owned()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .filter(|key| meant(key))
            .cloned()
            .collect();
        for key in keys {
            self.calls.remove(&key);
        }
    }
}

/// The page whose queries a call is for: its key is `q/<page>/<part>/<try>`, and the page's id may hold slashes.
fn page_of(key: &str) -> Option<&str> {
    key.strip_prefix("q/")?.rsplitn(3, '/').nth(2)
}

/// How long a writer takes at most from cutting a tail off to having written over it, give or take a slow disk.
const BEFORE_ANOTHER_LOOK: Duration = Duration::from_millis(50);

/// The id of a conversation; its calls' keys begin with it.
#[must_use]
pub fn conversation_id(slot: u64, attempt: u32) -> String {
    format!("c/{slot}/{attempt}")
}

/// A conversation as the journal's entry, or nothing when the entry is another.
pub(super) fn as_dialogue(entry: Entry) -> Option<Dialogue> {
    match entry {
        Entry::Conversation(conversation) => Some(Dialogue::Support(*conversation)),
        Entry::Group(chat) => Some(Dialogue::Group(*chat)),
        _ => None,
    }
}
