use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::lock::Holder;
use super::plan::Task;
use super::replay::{AttemptEnd, Replay, SlotState};
use super::store::RunDir;
use crate::record::ModelRole;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub run: PathBuf,
    pub state: RunState,
    /// The process that writes it, where known.
    pub process: Option<u32>,
    /// Places in the plan; unknown until a plan of all variants has them all.
    pub count: Option<u64>,
    pub kept: u64,
    /// Places that used up their attempts.
    pub exhausted: u64,
    /// Places not finished yet, where it is known how many there are.
    pub open: Option<u64>,
    /// Finished places from the first on: what an export holds.
    pub finished_prefix: u64,
    /// Pages whose queries are there.
    pub pages_with_queries: u64,
    pub pages: u64,
    /// Questions whose products are found, where all variants are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries_with_products: Option<u64>,
    /// Attempts that were turned down or failed, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Turns of kept conversations whose style was put back by rule.
    pub restyled_turns: u64,
    /// The places without a conversation, in plan order.
    pub shortfalls: Vec<Shortfall>,
    pub demo: bool,
    /// The models by role, as the user named them.
    pub models: BTreeMap<ModelRole, String>,
}

/// Whether a run is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Every place is finished.
    Complete,
    /// A process is writing it.
    Live,
    /// It stopped on the way; `generate` goes on.
    Partial,
}

/// A place of the plan that has no conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shortfall {
    pub slot: u64,
    pub task: Task,
    /// Why its attempts were turned down, in order.
    pub reasons: Vec<String>,
}

impl RunDir {
    /// How far the run is.
    #[must_use]
    pub fn status(&self, replay: &Replay) -> Status {
        let manifest = self.manifest();
        let spec = &manifest.spec;
        let count = self.count(replay);
        let (mut kept, mut exhausted, mut restyled_turns) = (0, 0, 0);
        let mut without = Vec::new();
        let mut rejected = BTreeMap::new();
        for (slot, history) in replay.slots.range(..count.unwrap_or(0)) {
            let reasons: Vec<&String> = history
                .attempts
                .values()
                .filter_map(|attempt| reason(&attempt.end))
                .collect();
            for reason in &reasons {
                *rejected.entry((*reason).clone()).or_default() += 1;
            }
            match history.state(spec.max_attempts) {
                SlotState::Kept { attempt } => {
                    kept += 1;
                    restyled_turns += u64::from(history.attempts[&attempt].restyled);
                }
                SlotState::Exhausted => {
                    exhausted += 1;
                    without.push((*slot, reasons.into_iter().cloned().collect()));
                }
                SlotState::Open { .. } | SlotState::Waiting { .. } => {}
            }
        }
        let shortfalls = self.shortfalls(replay, without);
        let holder = self.holder();
        let open = count.map(|count| count - kept - exhausted);
        let (state, process) = match (open, holder) {
            (Some(0), Holder::Nobody) => (RunState::Complete, None),
            (_, Holder::Process(process)) => (RunState::Live, process),
            (_, Holder::Nobody) => (RunState::Partial, None),
        };
        Status {
            run: self.path().to_owned(),
            state,
            process,
            count,
            kept,
            exhausted,
            open,
            finished_prefix: self.finished_prefix(replay),
            pages_with_queries: replay
                .queries
                .values()
                .filter(|page| !page.queries.is_empty())
                .count() as u64,
            pages: manifest.pages.len() as u64,
            queries_with_products: spec
                .has_all_variants()
                .then_some(replay.products.len() as u64),
            rejected,
            restyled_turns,
            shortfalls,
            demo: manifest.is_demo(),
            models: manifest.model_names(),
        }
    }

    /// Looks places up in the plan, which is followed no further than the last of them. They come in plan order, each with why
    /// its attempts were turned down.
    fn shortfalls(&self, replay: &Replay, places: Vec<(u64, Vec<String>)>) -> Vec<Shortfall> {
        if places.is_empty() {
            return Vec::new();
        }
        let Some(mut plan) = self.plan(replay) else {
            return Vec::new();
        };
        places
            .into_iter()
            .map_while(|(slot, reasons)| {
                let task = plan.find(|place| place.index >= slot)?.task;
                Some(Shortfall {
                    slot,
                    task,
                    reasons,
                })
            })
            .collect()
    }
}

fn reason(end: &AttemptEnd) -> Option<&String> {
    match end {
        AttemptEnd::Kept => None,
        AttemptEnd::Rejected { reason } | AttemptEnd::Failed { reason } => Some(reason),
    }
}
