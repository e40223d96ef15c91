use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Goal, ModelRole, Rewrite, Role, Turn};

/// How a customer feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    Cheerful,
    Neutral,
    Annoyed,
    Angry,
}

/// How a customer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    Plain,
    Casual,
    Formal,
    /// Plain, with seeded typing mistakes laid over every turn.
    Typos,
    /// As typed on a phone to somebody familiar.
    Colloquial,
    Polite,
    Rude,
    /// With the slips of somebody whose first language is another.
    NonNative,
}

/// A customer's first language, where it is not the one of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstLanguage {
    Polish,
    Russian,
    German,
    Spanish,
    Mandarin,
    Japanese,
    Arabic,
    Hindi,
}

impl FirstLanguage {
    /// As texts name it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Polish => "Polish",
            Self::Russian => "Russian",
            Self::German => "German",
            Self::Spanish => "Spanish",
            Self::Mandarin => "Mandarin",
            Self::Japanese => "Japanese",
            Self::Arabic => "Arabic",
            Self::Hindi => "Hindi",
        }
    }
}

/// How readily a customer gives what is asked for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Cooperation {
    /// In full, with what may matter beside it.
    #[default]
    Forthcoming,
    /// Half of it; the rest when asked again.
    Partial,
    /// In rough terms; the exact detail when asked again.
    Vague,
    /// Only after asking what it is for, and one detail at a time.
    Frustrated,
}

/// Why a conversation is planned to end unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// What answers the question is kept from the agent.
    PageLacksIt,
    /// The rule is against the customer, who does not accept it.
    PolicyRefuses,
    /// It becomes too much trouble.
    CustomerGivesUp,
}

impl Cause {
    /// The name as people read it.
    #[must_use]
    pub fn words(self) -> String {
        self.name().replace('_', " ")
    }
}

/// How a conversation came out for the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    Resolved,
    Unresolved,
    Abandoned,
}

macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in recipes, records and output.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.name()) }
        }
    };
}
names!(Tone { Cheerful => "cheerful", Neutral => "neutral", Annoyed => "annoyed", Angry => "angry" });
names!(Style {
    Plain => "plain", Casual => "casual", Formal => "formal", Typos => "typos",
    Colloquial => "colloquial", Polite => "polite", Rude => "rude", NonNative => "non_native",
});
names!(FirstLanguage {
    Polish => "polish", Russian => "russian", German => "german", Spanish => "spanish",
    Mandarin => "mandarin", Japanese => "japanese", Arabic => "arabic", Hindi => "hindi",
});
names!(Cooperation { Forthcoming => "forthcoming", Partial => "partial", Vague => "vague", Frustrated => "frustrated" });
names!(Cause { PageLacksIt => "page_lacks_it", PolicyRefuses => "policy_refuses", CustomerGivesUp => "customer_gives_up" });
names!(Outcome { Resolved => "RESOLVED", Unresolved => "UNRESOLVED", Abandoned => "ABANDONED" });
names!(EndReason { Customer => "customer", MaxTurns => "max_turns", GuardCut => "guard_cut", AllLeft => "all_left", Context => "context" });

/// Why a conversation stopped, apart from how it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The customer decided so.
    Customer,
    /// The turn limit came first.
    MaxTurns,
    /// A guard turned a reply down twice.
    GuardCut,
    /// Everyone left (groups).
    AllLeft,
    /// A view could not grow any more.
    Context,
}

/// What the plan asks of one conversation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    pub page: String,
    pub tone: Tone,
    pub style: Style,
    /// Of a customer whose style is `non_native`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_language: Option<FirstLanguage>,
    /// None where the question is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    pub outcome: Outcome,
    #[serde(default)]
    pub cooperation: Cooperation,
    /// Why it is to end unresolved, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

impl Cell {
    /// The planned cause, where the conversation came out as planned.
    #[must_use]
    pub fn cause_of(&self, outcome: Option<Outcome>) -> Option<Cause> {
        self.cause
            .filter(|_| outcome == Some(Outcome::Unresolved) && outcome == Some(self.outcome))
    }
}

/// The facts of the customer's case: known to the customer, to the agent once told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    pub item: String,
    /// Like `LK-48213`.
    pub order_id: String,
    /// Like `3 May`.
    pub order_date: String,
    /// Like `£239`.
    pub price: String,
}

/// Kept, or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    Keep,
    Reject { reason: String, detail: String },
}

/// What made a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// `colloquy <version>`.
    pub program: String,
    pub recipe: String,
    /// The stage's fingerprint: settings, prompts, model files and numeric profile.
    pub stage: String,
    /// The agent's.
    pub model: String,
    /// Hash of the model's files.
    pub model_hash: String,
    pub profile: String,
    pub seed: u64,
    /// Marks data of the demo model, which is for trying the pipeline only.
    pub demo: bool,
    /// Of every role, where the roles have different models.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<ModelRole, ModelMark>,
}

/// A model that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelMark {
    pub model: String,
    /// Hash of the model's files.
    pub model_hash: String,
    pub profile: String,
}

/// A finished conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// `"c/<slot>/<attempt>"`.
    pub id: String,
    /// Place in the plan, from 0.
    pub slot: u64,
    /// Which try at this place, from 0.
    pub attempt: u32,
    pub cell: Cell,
    pub case: Case,
    /// The query's id and text.
    pub query_id: String,
    pub query: String,
    /// From the question to the first message, where the customer opens with the question; the last text is the message,
    /// before rule engines had their say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
    /// Indices of the page's paragraphs that the agent saw.
    pub passages: Vec<usize>,
    pub turns: Vec<Turn>,
    /// The questions that the customer came with, and how far each got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Goal>,
    /// What happened, decided by the customer; never copied from the plan. `None` when a guard or the context cut it.
    pub outcome: Option<Outcome>,
    pub end_reason: EndReason,
    pub verdict: Verdict,
}

impl Conversation {
    /// The turns of one side.
    pub fn turns_of(&self, role: Role) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(move |turn| turn.speaker == role)
    }
}
