//! A run: its plan, its folder, its journal, and the one who carries it out. Knows records and their places, not how text
//! is made.
//!
//! The journal is the truth. It is append-only, one process writes it, and a unit is done when its line is there. Whatever
//! interrupts a run, the next session reads the journal, takes back the calls of what was unfinished, and ends with the
//! bytes an undisturbed run would have.

mod case;
mod causes;
mod coordinator;
mod entry;
mod event;
mod gate;
mod group_plan;
mod journal;
mod judged;
mod judging;
mod lock;
mod maker;
mod manifest;
mod neighbours;
mod plan;
mod quota;
mod replay;
mod review;
mod rounds;
mod status;
mod store;
mod support_plan;
mod timeline;
mod variants;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod phase_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod time_tests;
#[cfg(test)]
mod variant_tests;

pub use coordinator::{End, Summary, carry_out};
pub use entry::{
    Entry, Failed, JOURNAL_VERSION, JudgeMark, PageQueries, Pair, PlaceSettled, TurnedDown,
};
pub use event::{AttemptResult, Cancel, EventSink, Progress, RunEvent, no_events};
pub use group_plan::{GroupPlace, GroupPlan};
pub use journal::{Journal, JournalError, Sink, read_entry, read_journal};
pub use judged::JudgeWriter;
pub use judging::{Docket, Doubts, Session as JudgeSession, judge_all};
pub use lock::{Holder, RunLock};
pub use maker::{About, MakeError, Maker, SharedCallLog};
pub use manifest::{Inputs, Manifest, PROGRAM, PageMark, RULES_VERSION, RUN_FORMAT, StageMark};
pub use neighbours::nearest_run;
pub use plan::{PLAN_VERSION, Plan, Slot, Task, query_of, second_query_of};
pub use replay::{
    Attempt, AttemptEnd, NO_EXPERIENCE, NO_QUERIES, Replay, SlotHistory, SlotState, conversation_id,
};
pub use review::REVIEW_BYTES;
pub use status::{RunState, Shortfall, Status};
pub use store::{RunDir, RunError, RunWriter, set_aside};
pub use support_plan::SupportPlace;
pub use timeline::Tick;
pub use variants::{QueryProducts, Sources, VariantCounts};
