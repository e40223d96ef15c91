use std::borrow::Cow;

use serde::Serialize;

use crate::record::{EndReason, GroupChat, Provenance};

/// A row of the `messages` format for a group chat: one member is the `assistant`, what the others say in between is a `user`
/// message with a line for each turn. Field order is column order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupRow<'a> {
    pub id: &'a str,
    pub messages: Vec<GroupMessage<'a>>,
    /// Who the `assistant` is.
    pub perspective: &'a str,
    pub participants: Vec<&'a str>,
    pub topic: &'a str,
    pub situation: &'a str,
    pub relations: &'a str,
    pub end_reason: EndReason,
    pub experience: &'a str,
    pub model: &'a str,
    pub seed: u64,
    pub demo: bool,
    pub provenance: &'a Provenance,
}

/// Turns of one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupMessage<'a> {
    pub role: &'static str,
    pub content: Cow<'a, str>,
}

impl<'a> GroupRow<'a> {
    /// The row of a chat as the member sees it who says most without having begun; the first of equals.
    #[must_use]
    pub fn new(chat: &'a GroupChat, provenance: &'a Provenance) -> Self {
        let opener = chat.turns.first().map(|turn| turn.speaker);
        let turns_of = |place: usize| {
            let own = chat.turns.iter().filter(|turn| turn.speaker == place);
            own.count()
        };
        let people = 0..chat.experience.participants.len();
        let perspective = people
            .filter(|place| Some(*place) != opener)
            .max_by_key(|place| (turns_of(*place), std::cmp::Reverse(*place)))
            .unwrap_or(0);
        Self::seen_by(chat, provenance, perspective)
    }

    /// The row of a chat as one member sees it.
    #[must_use]
    pub fn seen_by(chat: &'a GroupChat, provenance: &'a Provenance, member: usize) -> Self {
        let mut messages: Vec<GroupMessage<'a>> = Vec::new();
        for turn in chat.turns.iter().filter(|turn| !turn.text.is_empty()) {
            let own = turn.speaker == member;
            let role = if own { "assistant" } else { "user" };
            let content = if own {
                Cow::Borrowed(turn.text.as_str())
            } else {
                Cow::Owned(format!("{}: {}", chat.speaker(turn), turn.text))
            };
            match messages.last_mut() {
                Some(last) if last.role == role => {
                    let joined = last.content.to_mut();
                    joined.push('\n');
                    joined.push_str(&content);
                }
                _ => messages.push(GroupMessage { role, content }),
            }
        }
        let experience = &chat.experience;
        Self {
            id: &chat.id,
            messages,
            perspective: experience
                .participants
                .get(member)
                .map_or("", |individual| &individual.name),
            participants: chat.names().collect(),
            topic: &experience.topic,
            situation: &experience.situation,
            relations: &experience.relations,
            end_reason: chat.end_reason,
            experience: &experience.id,
            model: &provenance.model,
            seed: provenance.seed,
            demo: provenance.demo,
            provenance,
        }
    }
}
