use std::future::Future;
use std::sync::Arc;

use super::plan::Slot;
use super::support_plan::SupportPlace;
use crate::pipeline::{CallLog, CallLogError, RoundResult};
use crate::record::{Dialogue, Experience, Query, Sample};
use crate::settings::Stage;

/// The memory of a run's calls, as it is handed to whoever makes the run's records.
pub type SharedCallLog = Arc<dyn CallLog + Send + Sync>;

/// Makes what a run is made of. What it gives may depend on its arguments only, never on when or beside what it is asked.
/// Every model call goes through the [`SharedCallLog`] it was made with.
pub trait Maker {
    /// Whether a stage must be finished before the next begins: its models do not fit in memory beside the others.
    fn in_phases(&self) -> bool {
        false
    }

    /// Gets ready to make a stage's records, and no others until another stage is begun. Asked for in phases only, and only
    /// when there is something to make.
    ///
    /// # Errors
    /// When nothing can be made.
    fn begin(&self, stage: Stage) -> Result<(), MakeError> {
        let _ = stage;
        Ok(())
    }

    /// The questions of a page. Call keys are `q/<page>/<part>/<try>`.
    fn queries(&self, page: &str) -> impl Future<Output = Result<Vec<Query>, MakeError>>;

    /// The products of the recipe that fit a question, where all variants are wanted. Call keys are `p/<question>/<try>`.
    fn products(&self, query: &Query) -> impl Future<Output = Result<Vec<String>, MakeError>>;

    /// The given experience of a place among the group chats; `None` where they are made in rounds.
    fn given_experience(&self, place: u64) -> Option<Arc<Experience>>;

    /// A round of experiences for these places. Rounds come in order, each after the one before it is over, whether made here
    /// or [`recalled`](Self::recall_round). Call keys are `e/<round>/<call>/<try>`.
    fn experiences(
        &self,
        round: u64,
        places: &[u64],
    ) -> impl Future<Output = Result<RoundResult, MakeError>>;

    /// A round that an earlier session made.
    fn recall_round(&self, round: &RoundResult);

    /// Conversations of elsewhere that none may resemble, where the recipe names such.
    fn against(&self) -> &[Sample] {
        &[]
    }

    /// The conversation of a place, this attempt; its verdict says whether it is kept. Call keys begin with
    /// [`conversation_id`](super::conversation_id) and a slash.
    fn converse(
        &self,
        slot: &Slot,
        attempt: u32,
        about: About<'_>,
    ) -> impl Future<Output = Result<Dialogue, MakeError>>;
}

/// What a conversation starts from.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// The question, and one more of the same page where the plan has it.
    Query(&'a SupportPlace, &'a Query, Option<&'a Query>),
    Experience(&'a Arc<Experience>),
}

/// Why something was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MakeError {
    /// This attempt fails, the next may not: the context overflowed, the grammar met a dead end. Counted under `reason`,
    /// which is a word for statistics.
    #[error("{reason}: {detail}")]
    Failed { reason: String, detail: String },
    /// Nothing more can be made: the engine has stopped, a call could not be recorded.
    #[error("{0}")]
    Fatal(Arc<dyn std::error::Error + Send + Sync>),
}

impl MakeError {
    /// Nothing more can be made, because of this.
    pub fn fatal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Fatal(Arc::new(error))
    }
}

impl From<CallLogError> for MakeError {
    fn from(error: CallLogError) -> Self {
        Self::fatal(error)
    }
}
