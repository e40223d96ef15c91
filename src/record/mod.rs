//! The nouns of the dataset: versioned, serialisable, known to everyone and knowing no one.

mod aspect;
mod conversation;
mod dialogue;
#[cfg(test)]
pub mod examples;
mod experience;
mod goal;
mod group;
mod judgement;
mod kind;
mod link;
mod mark;
mod model_role;
mod page;
mod rewrite;
mod sample;
mod signs;
mod turn;

pub use aspect::Aspect;
pub use conversation::{
    Case, Cause, Cell, Conversation, Cooperation, EndReason, FirstLanguage, ModelMark, Outcome,
    Provenance, Style, Tone, Verdict,
};
pub use dialogue::Dialogue;
pub use experience::{Experience, Individual};
pub use goal::{Goal, GoalState};
pub use group::{GroupChat, Move, Remark};
pub use judgement::{Control, Harm, Judgement, Judgements, LineScore, Score};
pub use kind::Kind;
pub use link::{Link, Support, Why};
pub use mark::{BadMark, Choice, Mark, Marks};
pub use model_role::ModelRole;
pub use page::{Page, Paragraph};
pub use rewrite::{RefusedRewrite, Rewrite};
pub use sample::{Sample, Speaker, Utterance};
pub use signs::{MoveSigns, OPENER};
pub use turn::{GuardHit, GuardKind, Rejected, Role, Turn};

use serde::{Deserialize, Serialize};

/// The version of the record shapes, written into every run.
pub const RECORD_VERSION: u32 = 1;

/// A customer's question: where a conversation begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Parent path: `"<page>/<n>"` for generated ones, `"<file stem>/<n>"` for given ones.
    pub id: String,
    /// The page that answers it ([`Page::id`]).
    pub page: String,
    /// The question itself.
    pub text: String,
    /// What it is written in already, where a file says so; its conversations are in nothing else then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
}
