use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FirstMessage, RunSpec};
use crate::record;

/// What a key has a say in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// Every conversation.
    Conversations,
    /// Queries, and through them support conversations.
    Queries,
    /// Support conversations.
    Support,
    /// Queries and support conversations.
    QueriesAndSupport,
    /// Experiences, and through them group chats.
    Experiences,
    /// Group chats.
    Group,
    /// The replies of roles. Each stage has what is decided for its own roles as `models.<role>.<key>`.
    Roles,
    /// The mix of kinds, where there is one.
    Kinds,
    /// How the agent is steered, where it is.
    Dials,
    /// What customers open with, where it is not their own words.
    FirstMessage,
    /// How many customers have a second question, where any has.
    SecondQuestion,
    /// The first languages of customers, where some have another.
    FirstLanguage,
    /// What of the questions' variants there is, where it is not shares.
    Variants,
    /// What fits products to questions, and support conversations.
    Customer,
    /// What of the conversations is kept. The conversations themselves do not depend on it; the run has a fingerprint of its own
    /// for it.
    Quality,
    /// How the run is carried out, not what it makes. Where such a key names content (a folder, a file, a model), the hash of
    /// the content is in the fingerprint instead.
    Operational,
}

impl Part {
    /// Whether a key of this part is content of a stage.
    #[must_use]
    pub fn shapes(self, stage: Stage) -> bool {
        match self {
            Self::All => true,
            Self::Queries => stage == Stage::Queries,
            Self::QueriesAndSupport => matches!(stage, Stage::Queries | Stage::Conversations),
            Self::Experiences => stage == Stage::Experiences,
            Self::Conversations
            | Self::Support
            | Self::Group
            | Self::Kinds
            | Self::Dials
            | Self::FirstMessage
            | Self::SecondQuestion
            | Self::FirstLanguage => stage == Stage::Conversations,
            Self::Customer | Self::Variants => {
                matches!(stage, Stage::Products | Stage::Conversations)
            }
            Self::Roles | Self::Quality | Self::Operational => false,
        }
    }

    /// Whether a run has work that a key of this part is about.
    #[must_use]
    pub fn is_in(self, spec: &RunSpec) -> bool {
        let (support, group) = (
            spec.has(record::Kind::Support),
            spec.has(record::Kind::Group),
        );
        match self {
            Self::Queries | Self::Support | Self::QueriesAndSupport | Self::Customer => support,
            Self::Experiences | Self::Group => group,
            Self::Kinds => support && group,
            Self::Dials => support && spec.conversation.is_steered(),
            Self::FirstMessage => support && spec.customer.first_message != FirstMessage::OwnWords,
            Self::SecondQuestion => support && spec.customer.second_question > 0.0,
            Self::Variants => spec.has_all_variants(),
            Self::FirstLanguage => {
                let mut styles = spec.customer.style.values();
                support && styles.any(|style| *style == record::Style::NonNative)
            }
            Self::All | Self::Conversations | Self::Roles | Self::Quality | Self::Operational => {
                true
            }
        }
    }
}

/// A stage whose records share one fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Queries,
    /// Which products fit which question, where all variants are wanted.
    Products,
    Experiences,
    Conversations,
}

impl Stage {
    /// Every stage, in the order of the work.
    pub const ALL: &[Self] = &[
        Self::Queries,
        Self::Products,
        Self::Experiences,
        Self::Conversations,
    ];

    /// The name in files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::Products => "products",
            Self::Experiences => "experiences",
            Self::Conversations => "conversations",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
