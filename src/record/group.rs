use serde::{Deserialize, Serialize};

use super::{EndReason, Experience, Rejected, Verdict};

/// A finished group chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChat {
    /// `"c/<slot>/<attempt>"`.
    pub id: String,
    /// Place in the plan, from 0.
    pub slot: u64,
    /// Which try at this place, from 0.
    pub attempt: u32,
    pub experience: Experience,
    /// Turns that were drawn for it; fewer when everyone left or something cut it.
    pub planned_turns: usize,
    pub turns: Vec<Remark>,
    pub end_reason: EndReason,
    pub verdict: Verdict,
}

impl GroupChat {
    /// Who said a turn.
    #[must_use]
    pub fn speaker(&self, remark: &Remark) -> &str {
        self.experience
            .participants
            .get(remark.speaker)
            .map_or("", |individual| &individual.name)
    }

    /// Who are in it, in the order of the experience.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.experience
            .participants
            .iter()
            .map(|individual| individual.name.as_str())
    }
}

/// A turn of a group chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Who speaks: place among the participants.
    pub speaker: usize,
    pub text: String,
    /// Token ids as generated; empty when the text was changed after generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// What the turn does beyond saying something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Replies that a guard turned down before this one, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// What a turn of a group chat does beyond saying something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// Goes, and never speaks again.
    Leave,
    /// Needs something first, and lets others come in.
    Pause,
    /// Breaks in, and wants the floor.
    Interrupt,
    /// Says what it will do.
    Promise,
}

impl Move {
    /// The name in records and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Pause => "pause",
            Self::Interrupt => "interrupt",
            Self::Promise => "promise",
        }
    }
}
