use std::borrow::Cow;

use serde::Serialize;

use super::{Message, MessageRules};
use crate::record::{EndReason, GroupChat, Provenance, Remark};

/// Whose view of a group chat the `messages` format shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Perspective {
    /// Of whoever says most without having begun.
    #[default]
    Busiest,
    /// Of everyone who says something, a row each.
    Each,
    /// Of one name, letter case aside, where it takes part.
    Of(String),
}

/// A row of the `messages` format for a group chat: one member is the `assistant`, what the others say in between is a `user`
/// message with a line for each turn. Field order is column order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupRow<'a> {
    pub id: Cow<'a, str>,
    pub messages: Vec<Message<'a>>,
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

impl<'a> GroupRow<'a> {
    /// The row of a chat as the member sees it who says most without having begun; the first of equals.
    #[must_use]
    pub fn new(chat: &'a GroupChat, provenance: &'a Provenance, rules: &MessageRules) -> Self {
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
        Self::seen_by(chat, provenance, rules, perspective)
    }

    /// A row for everyone who says something: `#n` after the id is the member's number, from 1.
    pub fn of_each(
        chat: &'a GroupChat,
        provenance: &'a Provenance,
        rules: &'a MessageRules,
    ) -> impl Iterator<Item = Self> {
        let speaks = |member: &usize| {
            let mut turns = chat.turns.iter();
            turns.any(|turn| turn.speaker == *member && !turn.text.is_empty())
        };
        let members = (0..chat.experience.participants.len()).filter(speaks);
        members.map(move |member| Self {
            id: format!("{}#{}", chat.id, member + 1).into(),
            ..Self::seen_by(chat, provenance, rules, member)
        })
    }

    /// The row of a chat as one member sees it.
    #[must_use]
    pub fn seen_by(
        chat: &'a GroupChat,
        provenance: &'a Provenance,
        rules: &MessageRules,
        member: usize,
    ) -> Self {
        let system = rules.system.of_member(chat, member);
        let system = system.map(|text| Message::new("system", text.into()));
        let said = view(chat, &chat.turns, member);
        let mut messages: Vec<Message> = system.into_iter().chain(said).collect();
        if let Some(train) = rules.train {
            train.mark(&mut messages, chat.end_reason == EndReason::GuardCut);
        }
        let experience = &chat.experience;
        Self {
            id: chat.id.as_str().into(),
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

/// Turns as a member sees them: what the others say in between is one message, with a line for each turn.
pub(super) fn view<'a>(
    chat: &'a GroupChat,
    turns: &'a [Remark],
    member: usize,
) -> Vec<Message<'a>> {
    let mut messages: Vec<Message<'a>> = Vec::new();
    for turn in turns.iter().filter(|turn| !turn.text.is_empty()) {
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
            _ => messages.push(Message::new(role, content)),
        }
    }
    messages
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io;
    use std::path::Path;

    use crate::export::messages::tests::{conversation, provenance};
    use crate::export::{MessageRules, Shape, to_writer};
    use crate::record::{Dialogue, Experience, Individual, Move, Remark, Verdict};

    /// The third of them says nothing.
    pub fn chat() -> GroupChat {
        let remark = |speaker, text: &str, moves: &[Move]| Remark {
            speaker,
            text: text.into(),
            tokens: vec![1],
            moves: moves.to_vec(),
            rejected: Vec::new(),
        };
        GroupChat {
            id: "c/5/0".into(),
            slot: 5,
            attempt: 0,
            experience: Experience {
                id: "e/3".into(),
                participants: vec![
                    Individual {
                        name: "Mara Lind".into(),
                        nationality: Some("Norwegian".into()),
                        age: Some(41),
                        qualities: vec!["blunt".into()],
                        speech_style: Some("short sentences".into()),
                        work: Some("ferry pilot".into()),
                        hobbies: vec!["chess".into()],
                        memory: Some("She ran aground in fog once.".into()),
                        persona: None,
                    },
                    Individual {
                        name: "Jo".into(),
                        ..Individual::of_persona("A baker who sings.")
                    },
                    Individual {
                        name: "Adé".into(),
                        qualities: vec!["calm".into()],
                        ..Individual::default()
                    },
                ],
                relations: "neighbours".into(),
                situation: "the ferry is late".into(),
                topic: "boats".into(),
                starter: "Well?".into(),
                depth: 0,
                shots: Vec::new(),
            },
            planned_turns: 4,
            turns: vec![
                remark(0, "Well?", &[]),
                remark(1, "It is \"late\".", &[]),
                remark(0, "Again.", &[]),
                remark(1, "I have to go now.", &[Move::Leave]),
            ],
            end_reason: EndReason::MaxTurns,
            verdict: Verdict::Keep,
        }
    }

    fn rows(perspective: Perspective) -> Vec<serde_json::Value> {
        let mut bytes = Vec::new();
        let dialogues = [Dialogue::Support(conversation()), Dialogue::Group(chat())];
        to_writer::<_, io::Error>(
            dialogues.map(Ok),
            &Shape::Messages(MessageRules {
                perspective,
                ..MessageRules::default()
            }),
            &provenance(),
            Path::new("x"),
            &mut bytes,
        )
        .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Ids with who the assistant is.
    fn seen(perspective: Perspective) -> Vec<(String, Option<String>)> {
        rows(perspective)
            .iter()
            .map(|row| {
                (
                    row["id"].as_str().unwrap().to_owned(),
                    row["perspective"].as_str().map(str::to_owned),
                )
            })
            .collect()
    }

    #[test]
    fn everyone_or_one_of_them() {
        let support = ("c/3/1".to_owned(), None);
        let row = |id: &str, name: &str| (id.to_owned(), Some(name.to_owned()));
        assert_eq!(
            seen(Perspective::Busiest),
            [support.clone(), row("c/5/0", "Jo")]
        );
        assert_eq!(
            seen(Perspective::Each),
            [
                support.clone(),
                row("c/5/0#1", "Mara Lind"),
                row("c/5/0#2", "Jo")
            ]
        );
        assert_eq!(
            seen(Perspective::Of("mara lind".into())),
            [support.clone(), row("c/5/0", "Mara Lind")]
        );
        assert_eq!(seen(Perspective::Of("Nobody".into())), [support]);
    }

    #[test]
    fn a_view_is_exactly_this() {
        let row = rows(Perspective::Each).swap_remove(1);
        assert_eq!(
            row["messages"],
            serde_json::json!([
                {"role": "assistant", "content": "Well?"},
                {"role": "user", "content": "Jo: It is \"late\"."},
                {"role": "assistant", "content": "Again."},
                {"role": "user", "content": "Jo: I have to go now."},
            ])
        );
    }
}
