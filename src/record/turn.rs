use serde::{Deserialize, Serialize};

use super::Link;

/// Who speaks in a support conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person who asks.
    Customer,
    /// The support agent who answers.
    Agent,
}

impl Role {
    /// The lower-case name used in ids, files and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
        }
    }

    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Customer => Self::Agent,
            Self::Agent => Self::Customer,
        }
    }
}

/// One utterance in the perspective-neutral log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub speaker: Role,
    /// What was said, after the rule engines had their say.
    pub text: String,
    /// Token ids as generated; empty when the text was changed after generation or was not generated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// Words that the rule engines changed after generation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub edits: u32,
    /// What backs each sentence of an agent's turn; empty where that was not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What the text lacked of its customer's style, where that was put back by rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restyled: Option<String>,
    /// Replies that a guard turned down before this one, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A reply that a guard turned down; kept for preference pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    pub text: String,
    pub hit: GuardHit,
}

/// Why a guard turned a reply down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardHit {
    pub kind: GuardKind,
    /// What was seen, for people.
    pub detail: String,
}

/// The guards of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardKind {
    /// Nothing was said.
    Empty,
    /// Over the word budget, or cut off by the token limit.
    TooLong,
    /// Says the other's turn back.
    Echo,
    /// Says an own earlier turn again, or begins the conversation anew.
    Repeat,
    /// Speaks as the other side, or names itself as a script would ("Customer: …").
    RoleLeak,
    /// Repeats its instructions.
    PromptLeak,
    /// Talks about being a model, a simulation or a conversation.
    MetaTalk,
    /// Nothing but thanks and goodbyes after the same.
    ThanksLoop,
    /// States a number, code or policy that neither the page nor the case has. Turned down once; the next reply is taken as
    /// it is.
    Unbacked,
    /// A customer's turn thanks while its question is open. Turned down once; the next reply is taken as it is.
    Gratitude,
    /// Thanks or asks otherwise than it was told to. Turned down once; the next reply is taken as it is.
    Steering,
}
