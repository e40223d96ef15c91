use serde::Serialize;

use super::{Conversation, EndReason, GroupChat, Kind, Verdict};

/// A finished conversation of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dialogue {
    Support(Conversation),
    Group(GroupChat),
}

impl Dialogue {
    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Support(_) => Kind::Support,
            Self::Group(_) => Kind::Group,
        }
    }

    /// `"c/<slot>/<attempt>"`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Support(conversation) => &conversation.id,
            Self::Group(chat) => &chat.id,
        }
    }

    /// Place in the plan and try at this place.
    #[must_use]
    pub fn place(&self) -> (u64, u32) {
        match self {
            Self::Support(conversation) => (conversation.slot, conversation.attempt),
            Self::Group(chat) => (chat.slot, chat.attempt),
        }
    }

    /// Kept, or why not.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        match self {
            Self::Support(conversation) => &conversation.verdict,
            Self::Group(chat) => &chat.verdict,
        }
    }

    /// The verdict, to be changed.
    pub fn verdict_mut(&mut self) -> &mut Verdict {
        match self {
            Self::Support(conversation) => &mut conversation.verdict,
            Self::Group(chat) => &mut chat.verdict,
        }
    }

    /// Why it stopped.
    #[must_use]
    pub fn end_reason(&self) -> EndReason {
        match self {
            Self::Support(conversation) => conversation.end_reason,
            Self::Group(chat) => chat.end_reason,
        }
    }

    /// How many turns it has.
    #[must_use]
    pub fn turns(&self) -> usize {
        match self {
            Self::Support(conversation) => conversation.turns.len(),
            Self::Group(chat) => chat.turns.len(),
        }
    }

    /// The support conversation, where it is one.
    #[must_use]
    pub fn support(&self) -> Option<&Conversation> {
        match self {
            Self::Support(conversation) => Some(conversation),
            Self::Group(_) => None,
        }
    }
}
