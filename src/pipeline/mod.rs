//! Stages: each turns an input record, a random stream and a model into records.

mod caller;
mod calls;
mod cast;
mod csv;
mod experience_file;
mod experiences;
mod fit;
#[cfg(test)]
mod goal_tests;
mod group;
pub mod hub;
pub mod judge;
mod matter;
mod queries;
mod query_file;
#[cfg(test)]
mod query_tests;
mod rewrite;
mod settings;
mod sides;
mod support;
#[cfg(test)]
mod tests;

pub use caller::Caller;
pub use calls::{CallLog, CallLogError, CallOutcome, NoLog};
pub use cast::{Cast, Player};
pub use experience_file::{
    ExperienceFileError, GivenExperiences, parse_experiences, read_experiences,
};
pub use experiences::{
    ExperienceContext, ExperienceSettings, People, Wanted, generate_experiences,
};
pub use fit::{FitContext, fitting_products};
pub use group::{GroupContext, GroupSettings, Member, Members, chat, seen_in_group};
pub use hub::RoundResult;
pub use queries::{
    QueryContext, QuerySet, answers_in_form, generate_queries, worst_case_tokens as query_tokens,
};
pub use query_file::{QueryFileError, QueryFormat, parse_queries, read_queries};
pub use settings::{Facts, QuerySettings, SupportSettings, passage_budget};
pub use sides::{Asked, Seen, Side, Sides, Subject, ViewTokens, seen};
pub use support::{Assignment, Shelf, SupportContext, converse};

use crate::engine::ChatError;
use crate::prompt::PromptError;

/// What ends a stage's work on one record.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A model call failed.
    #[error("{key}: {source}")]
    Chat { key: String, source: ChatError },
    /// A call could not be written down; the run is over.
    #[error(transparent)]
    Log(#[from] CallLogError),
    /// A prompt did not render.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A remembered call is of another kind than the one now made under its key.
    #[error(
        "{key}: the journal holds another kind of call under this key; it was written by another version"
    )]
    OtherKind { key: String },
    /// A reply that its grammar should have made impossible.
    #[error("{key}: the reply does not have the form its grammar demands: {reason}")]
    Form { key: String, reason: String },
    /// A persona that cannot be read.
    #[error("personas: {0}")]
    Personas(String),
    /// None of the log-probabilities is a number.
    #[error("{key}: no choice has a log-probability")]
    NoChoice { key: String },
}
