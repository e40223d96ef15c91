//! Which finished conversations are kept.

use super::super::entry::{EntryRef, PlaceSettled, TurnedDown};
use super::super::event::AttemptResult;
use super::super::maker::Maker;
use super::super::replay::AttemptEnd;
use super::super::store::RunError;
use super::Shared;
use crate::quality::{Finding, Settled};
use crate::record::{Dialogue, Sample};

/// What earlier sessions left of an attempt at a place that is not settled.
pub(super) enum Recorded {
    Nothing,
    /// It did not become a conversation, or one that stands for nothing.
    TurnedDown,
    /// To be looked at.
    Conversation(Box<Dialogue>),
}

/// What was turned down at a place so far for what it is by itself.
#[derive(Default)]
pub(super) struct Judged(Vec<TurnedDown>);

impl Judged {
    fn add(&mut self, attempt: u32, finding: Finding) {
        self.0.push(TurnedDown {
            attempt,
            reason: finding.kind.name().to_owned(),
            detail: finding.detail,
        });
    }
}

impl<M: Maker> Shared<M> {
    pub(super) fn recorded(&self, slot: u64, attempt: u32) -> Result<Recorded, RunError> {
        let history = self.unsettled.get(&slot);
        let Some(ended) = history.and_then(|history| history.attempts.get(&attempt)) else {
            return Ok(Recorded::Nothing);
        };
        if ended.end != AttemptEnd::Kept {
            return Ok(Recorded::TurnedDown);
        }
        Ok(match self.dir.read(ended)? {
            Some(dialogue) => Recorded::Conversation(Box::new(dialogue)),
            None => Recorded::TurnedDown,
        })
    }

    /// Whether a conversation is kept. Waits for earlier places where it depends on them.
    pub(super) async fn judge(
        &self,
        slot: u64,
        conversation: &Dialogue,
        judged: &mut Judged,
    ) -> Result<AttemptResult, RunError> {
        let Some(gate) = &self.gate else {
            return Ok(AttemptResult::Kept);
        };
        let (sample, attempt) = (Sample::of(conversation), conversation.place().1);
        let rejected = |reason: &str| {
            Ok(AttemptResult::Rejected {
                reason: reason.to_owned(),
            })
        };
        if let Some(finding) = gate.look(&sample) {
            let kind = finding.kind;
            judged.add(attempt, finding);
            return rejected(kind.name());
        }
        match gate.enter(slot, attempt, &sample).await {
            Settled::Again(kind) => rejected(kind.name()),
            Settled::Done { turned_down, .. } => {
                self.settle(slot, Some(attempt), std::mem::take(judged), turned_down)?;
                Ok(AttemptResult::Kept)
            }
        }
    }

    /// A place stays empty.
    pub(super) async fn give_up(&self, slot: u64, judged: Judged) -> Result<(), RunError> {
        let Some(gate) = &self.gate else {
            return Ok(());
        };
        match gate.give_up(slot).await {
            Settled::Done { turned_down, .. } => self.settle(slot, None, judged, turned_down),
            Settled::Again(_) => unreachable!("a place that was given up offers nothing more"),
        }
    }

    /// Writes down what became of a place.
    fn settle(
        &self,
        slot: u64,
        kept: Option<u32>,
        mut judged: Judged,
        turned_down: Vec<(u32, Finding)>,
    ) -> Result<(), RunError> {
        let Some(gate) = &self.gate else {
            return Ok(());
        };
        for (attempt, finding) in turned_down {
            judged.add(attempt, finding);
        }
        judged.0.sort_by_key(|turned_down| turned_down.attempt);
        self.journal.append(EntryRef::Settled(&PlaceSettled {
            slot,
            rules: gate.rules.clone(),
            kept,
            turned_down: judged.0,
        }))?;
        Ok(())
    }
}
