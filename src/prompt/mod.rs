//! Prompts: templates compiled in or taken from a folder, checked when loaded, rendered with typed variables.

mod embedded;
mod group;
mod judging;
mod registry;
mod rewriting;
mod tags;
#[cfg(test)]
mod tests;
mod variables;

pub use embedded::{Embedded, embedded};
pub use group::{ExperiencesVars, LineVar, MemberVars, NextSpeakerVars, PlanVar};
pub use judging::{JUDGED, JudgeQuestionVars, JudgeVars, NumberedVar};
pub use registry::{Prompts, Sample};
pub use rewriting::{ProductFitVars, RewriteVars};
pub use variables::{AgentVars, CustomerVars, PassageVar, QueriesVars, SteerVars};

use std::path::PathBuf;

use crate::record::Kind;

/// A set of templates made for one kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pack {
    /// For instruct models.
    Full,
    /// For small models trained on exactly these lines.
    Compact,
}

impl Pack {
    /// Both packs.
    pub const ALL: &[Self] = &[Self::Full, Self::Compact];

    /// The name used in recipes, manifests and folders.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Compact => "compact",
        }
    }

    /// The pack of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|pack| pack.name() == name)
    }
}

/// A template of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Template {
    /// The agent's system message.
    Agent,
    /// The customer's system message.
    Customer,
    /// What joins the agent's turn when the customer decides whether to go on.
    Status,
    /// What joins the customer's last message when the agent's next turn is steered.
    Steer,
    /// What joins the agent's last message when the customer is to bring up its second question.
    Second,
    /// The system message for rewriting a question.
    RewriteSystem,
    /// The user message for rewriting a question.
    Rewrite,
    /// Asks which products a question makes sense for.
    ProductFit,
    /// The system message for writing questions.
    QueriesSystem,
    /// The user message for writing questions.
    Queries,
    /// The system message for writing experiences.
    ExperiencesSystem,
    /// The user message for writing experiences.
    Experiences,
    /// The system message of one member of a group chat.
    Member,
    /// One line on a member, for choosing the next speaker.
    Describe,
    /// The message that opens a group chat.
    Opening,
    /// Asks who speaks next.
    NextSpeaker,
    /// The system message of a judge.
    JudgeSystem,
    /// The conversation as a judge sees it.
    JudgeTranscript,
    /// What joins it when a judge is asked for an aspect.
    JudgeQuestion,
    /// What joins it when a judge is asked whether a line is harmful.
    JudgeHarm,
}

impl Template {
    /// Every template of a pack.
    pub const ALL: &[Self] = &[
        Self::Agent,
        Self::Customer,
        Self::Status,
        Self::Steer,
        Self::Second,
        Self::RewriteSystem,
        Self::Rewrite,
        Self::ProductFit,
        Self::QueriesSystem,
        Self::Queries,
        Self::ExperiencesSystem,
        Self::Experiences,
        Self::Member,
        Self::Describe,
        Self::Opening,
        Self::NextSpeaker,
        Self::JudgeSystem,
        Self::JudgeTranscript,
        Self::JudgeQuestion,
        Self::JudgeHarm,
    ];

    /// Those of a judge.
    pub const JUDGE: &[Self] = &[
        Self::JudgeSystem,
        Self::JudgeTranscript,
        Self::JudgeQuestion,
        Self::JudgeHarm,
    ];

    /// The kind of conversation that it is for; none where it is for all.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Agent
            | Self::Customer
            | Self::Status
            | Self::Steer
            | Self::Second
            | Self::RewriteSystem
            | Self::Rewrite
            | Self::ProductFit
            | Self::QueriesSystem
            | Self::Queries => Some(Kind::Support),
            Self::ExperiencesSystem
            | Self::Experiences
            | Self::Member
            | Self::Describe
            | Self::Opening
            | Self::NextSpeaker => Some(Kind::Group),
            Self::JudgeSystem | Self::JudgeTranscript | Self::JudgeQuestion | Self::JudgeHarm => {
                None
            }
        }
    }

    /// Its file name.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Agent => "agent.j2",
            Self::Customer => "customer.j2",
            Self::Status => "status.j2",
            Self::Steer => "steer.j2",
            Self::Second => "second.j2",
            Self::RewriteSystem => "rewrite_system.j2",
            Self::Rewrite => "rewrite.j2",
            Self::ProductFit => "product_fit.j2",
            Self::QueriesSystem => "queries_system.j2",
            Self::Queries => "queries.j2",
            Self::ExperiencesSystem => "experiences_system.j2",
            Self::Experiences => "experiences.j2",
            Self::Member => "member.j2",
            Self::Describe => "describe.j2",
            Self::Opening => "opening.j2",
            Self::NextSpeaker => "next_speaker.j2",
            Self::JudgeSystem => "judge_system.j2",
            Self::JudgeTranscript => "judge_transcript.j2",
            Self::JudgeQuestion => "judge_question.j2",
            Self::JudgeHarm => "judge_harm.j2",
        }
    }

    /// The variables it may use.
    #[must_use]
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Agent => &[
                "agent",
                "brand",
                "channel",
                "language",
                "max_words",
                "title",
                "passages",
                "steered",
            ],
            Self::Customer => &[
                "name",
                "brand",
                "channel",
                "language",
                "max_words",
                "query",
                "tone",
                "style",
                "first_language",
                "outcome",
                "cooperation",
                "cause",
                "item",
                "order_id",
                "order_date",
                "price",
            ],
            Self::Status => &["brand"],
            Self::Steer => &["thank", "ask", "greet"],
            Self::Second => &["query"],
            Self::RewriteSystem => &["language"],
            Self::Rewrite => &[
                "text",
                "kind",
                "keep",
                "product",
                "tone",
                "style",
                "first_language",
                "habits",
                "language",
            ],
            Self::ProductFit => &["query", "products"],
            Self::QueriesSystem => &["brand", "language"],
            Self::Queries => &["brand", "title", "passages", "n"],
            Self::ExperiencesSystem => &["mode", "language"],
            Self::Experiences => &["shots", "n", "plans"],
            Self::Member => &[
                "name",
                "others",
                "persona",
                "age",
                "nationality",
                "qualities",
                "speech_style",
                "work",
                "hobbies",
                "memory",
                "relations",
                "situation",
                "topic",
                "language",
                "max_words",
                "leave",
                "pause",
                "interrupt",
            ],
            Self::Describe => &[
                "name",
                "persona",
                "age",
                "qualities",
                "speech_style",
                "work",
                "hobbies",
            ],
            Self::Opening => &["topic", "situation", "relations", "starter"],
            Self::NextSpeaker => &["descriptions", "opening", "transcript", "names"],
            Self::JudgeSystem => &["kind", "language"],
            Self::JudgeTranscript => &["transcript"],
            Self::JudgeQuestion => &["aspect", "matter", "number", "speaker", "line"],
            Self::JudgeHarm => &["number", "speaker", "line"],
        }
    }
}

/// Templates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The folder of overrides is not there.
    #[error("{path}: {source}; expected a folder with prompt templates (`agent.j2`, …)")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file in it has a name no template has.
    #[error("{path}: no template has this name; {hint}")]
    UnknownFile { path: PathBuf, hint: String },
    /// A file cannot be read as text.
    #[error("{path}: {source}")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The template does not parse.
    #[error("{template}:{line}: {reason}")]
    Syntax {
        template: String,
        line: usize,
        reason: String,
    },
    /// It asks for something it is not given.
    #[error("{template}:{line}: unknown variable `{variable}`; {hint}")]
    UnknownVariable {
        template: String,
        variable: String,
        line: usize,
        hint: String,
    },
    /// It failed when it was rendered.
    #[error("{template}:{line}: {reason}")]
    Render {
        template: String,
        line: usize,
        reason: String,
    },
}
