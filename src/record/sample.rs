use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Cause, Conversation, Dialogue, EndReason, FirstLanguage, GroupChat, Kind, Link, Move, Outcome,
    Rejected, Rewrite, Role, Verdict,
};

/// A conversation as it is judged, measured and shown, wherever it comes from: a record of a run, or a row of somebody's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub id: String,
    pub kind: Kind,
    /// Who takes part; a turn's `speaker` is an index into this.
    pub speakers: Vec<Speaker>,
    pub turns: Vec<Utterance>,
    pub outcome: Option<Outcome>,
    pub end_reason: Option<EndReason>,
    pub verdict: Verdict,
    /// From the question to the message that the customer opens with; empty where nothing was rewritten, or that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
    /// What else is known of it, by column name: `tone`, `style`, `first_language`, `cooperation`, `cause`, `product`, `page`,
    /// `query_id`, `query` of support conversations; `experience`, `topic`, `situation` of group chats; whatever columns with a
    /// plain value a file has.
    pub fields: BTreeMap<String, String>,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    pub name: String,
    /// Of support conversations.
    pub role: Option<Role>,
    /// What is known of the person, in one text; empty where nothing is.
    pub persona: String,
}

/// What somebody said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utterance {
    pub speaker: usize,
    pub text: String,
    /// Tokens that were generated; none where that is not known or the text was changed afterwards.
    pub tokens: Option<usize>,
    /// Words that rule engines changed.
    pub edits: u32,
    /// What it lacked of its style, where that was put back by rule.
    pub restyled: Option<String>,
    pub links: Vec<Link>,
    pub moves: Vec<Move>,
    /// Replies that a guard turned down before this one.
    pub rejected: Vec<Rejected>,
}

impl Sample {
    /// A record of a run.
    #[must_use]
    pub fn of(dialogue: &Dialogue) -> Self {
        match dialogue {
            Dialogue::Support(conversation) => Self::of_support(conversation),
            Dialogue::Group(chat) => Self::of_group(chat),
        }
    }

    fn of_support(conversation: &Conversation) -> Self {
        let cell = &conversation.cell;
        let name = |name: &str, value: Option<&str>| Some((name.to_owned(), value?.to_owned()));
        let cause = cell.cause_of(conversation.outcome);
        Self {
            id: conversation.id.clone(),
            kind: Kind::Support,
            speakers: [
                ("Customer", Role::Customer, conversation.case.name.as_str()),
                ("Agent", Role::Agent, ""),
            ]
            .into_iter()
            .map(|(name, role, persona)| Speaker {
                name: name.to_owned(),
                role: Some(role),
                persona: persona.to_owned(),
            })
            .collect(),
            turns: conversation
                .turns
                .iter()
                .map(|turn| Utterance {
                    speaker: usize::from(turn.speaker == Role::Agent),
                    text: turn.text.clone(),
                    tokens: count(&turn.tokens),
                    edits: turn.edits,
                    restyled: turn.restyled.clone(),
                    links: turn.links.clone(),
                    moves: Vec::new(),
                    rejected: turn.rejected.clone(),
                })
                .collect(),
            outcome: conversation.outcome,
            end_reason: Some(conversation.end_reason),
            verdict: conversation.verdict.clone(),
            rewrites: conversation.rewrites.clone(),
            fields: [
                name("tone", Some(cell.tone.name())),
                name("style", Some(cell.style.name())),
                name(
                    "first_language",
                    cell.first_language.map(FirstLanguage::name),
                ),
                name("cooperation", Some(cell.cooperation.name())),
                name("cause", cause.map(Cause::name)),
                name("product", cell.product.as_deref()),
                name("page", Some(&cell.page)),
                name("query_id", Some(&conversation.query_id)),
                name("query", Some(&conversation.query)),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    fn of_group(chat: &GroupChat) -> Self {
        let experience = &chat.experience;
        Self {
            id: chat.id.clone(),
            kind: Kind::Group,
            speakers: experience
                .participants
                .iter()
                .map(|member| Speaker {
                    name: member.name.clone(),
                    role: None,
                    persona: member.summary(),
                })
                .collect(),
            turns: chat
                .turns
                .iter()
                .map(|turn| Utterance {
                    speaker: turn.speaker,
                    text: turn.text.clone(),
                    tokens: count(&turn.tokens),
                    moves: turn.moves.clone(),
                    rejected: turn.rejected.clone(),
                    ..Utterance::default()
                })
                .collect(),
            outcome: None,
            end_reason: Some(chat.end_reason),
            verdict: chat.verdict.clone(),
            rewrites: Vec::new(),
            fields: [
                ("experience", &experience.id),
                ("topic", &experience.topic),
                ("situation", &experience.situation),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect(),
        }
    }

    /// Whether it is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.verdict == Verdict::Keep
    }

    /// The role of whoever says a turn; none in groups.
    #[must_use]
    pub fn role(&self, turn: &Utterance) -> Option<Role> {
        self.speakers.get(turn.speaker)?.role
    }

    /// The turns of one side.
    pub fn turns_of(&self, role: Role) -> impl Iterator<Item = &Utterance> {
        self.turns
            .iter()
            .filter(move |turn| self.role(turn) == Some(role))
    }
}

fn count(tokens: &[u32]) -> Option<usize> {
    (!tokens.is_empty()).then_some(tokens.len())
}
