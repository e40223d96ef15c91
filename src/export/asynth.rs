use std::borrow::Cow;

use serde::Serialize;

use super::EmptyPlace;
use crate::record::{Cell, Conversation, Outcome, Role, Style, Tone};

/// What may be asked of asynth's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsynthRules {
    pub stop_word: StopWord,
    pub roles: Roles,
}

/// What becomes of the word by which asynth's customers ended a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopWord {
    /// It is in `status` only.
    #[default]
    Omit,
    /// It ends the last text, if that is the customer's, or else is a text of its own. Of a conversation that the customer did
    /// not end there is no word.
    Append,
}

/// Who is the `user`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roles {
    /// The customer.
    #[default]
    Standard,
    /// The agent, as asynth stored it by mistake.
    Original,
}

/// A support conversation in asynth's shape. Field order is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AsynthRow<'a> {
    /// The page's id, which is the name of its folder in asynth's layout.
    pub title: &'a str,
    pub tone: Tone,
    /// In asynth's words where it has one: `colloquial` for `casual`.
    pub style: &'static str,
    pub conversation: Vec<AsynthMessage<'a>>,
    /// Messages.
    pub length: usize,
    /// `RESOLVED`, `UNRESOLVED` or `ERROR`. A customer who walked away, or who was still talking when the turns ran out, is
    /// not helped: `UNRESOLVED`.
    pub status: &'static str,
    /// Why the place is empty, of `ERROR` rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// Marks data of the demo model; other rows do not have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub demo: bool,
}

/// A turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AsynthMessage<'a> {
    pub content: Cow<'a, str>,
    pub role: &'static str,
    /// `Customer` or `Support_Agent`.
    pub name: &'static str,
}

impl<'a> AsynthRow<'a> {
    /// The row of a conversation.
    #[must_use]
    pub fn new(conversation: &'a Conversation, rules: AsynthRules, demo: bool) -> Self {
        let status = match conversation.outcome {
            Some(Outcome::Resolved) => Outcome::Resolved,
            Some(Outcome::Unresolved | Outcome::Abandoned) | None => Outcome::Unresolved,
        }
        .name();
        let mut messages: Vec<_> = conversation
            .turns
            .iter()
            .map(|turn| message(turn.speaker, &turn.text, rules.roles))
            .collect();
        if rules.stop_word == StopWord::Append && conversation.outcome.is_some() {
            let last = conversation.turns.last().map(|turn| turn.speaker);
            match messages.last_mut() {
                Some(message) if last == Some(Role::Customer) => {
                    let text = message.content.to_mut();
                    text.push(' ');
                    text.push_str(status);
                }
                _ => messages.push(message(Role::Customer, status, rules.roles)),
            }
        }
        Self {
            length: messages.len(),
            conversation: messages,
            status,
            error: None,
            ..Self::of_cell(&conversation.cell, demo)
        }
    }

    /// The row of a place that stayed empty.
    #[must_use]
    pub fn empty(place: &'a EmptyPlace, demo: bool) -> Self {
        Self {
            error: Some(&place.reason),
            ..Self::of_cell(&place.cell, demo)
        }
    }

    fn of_cell(cell: &'a Cell, demo: bool) -> Self {
        Self {
            title: &cell.page,
            tone: cell.tone,
            style: match cell.style {
                Style::Casual => "colloquial",
                other => other.name(),
            },
            conversation: Vec::new(),
            length: 0,
            status: "ERROR",
            error: None,
            demo,
        }
    }
}

fn message(speaker: Role, text: &str, roles: Roles) -> AsynthMessage<'_> {
    let (role, name) = match (speaker, roles) {
        (Role::Customer, Roles::Standard) => ("user", "Customer"),
        (Role::Customer, Roles::Original) => ("assistant", "Customer"),
        (Role::Agent, Roles::Standard) => ("assistant", "Support_Agent"),
        (Role::Agent, Roles::Original) => ("user", "Support_Agent"),
    };
    AsynthMessage {
        content: text.into(),
        role,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::messages::tests::conversation;
    use crate::record::EndReason;

    fn row(conversation: &Conversation, rules: AsynthRules) -> String {
        serde_json::to_string(&AsynthRow::new(conversation, rules, false)).unwrap()
    }

    fn ended(outcome: Option<Outcome>) -> Conversation {
        Conversation {
            outcome,
            end_reason: EndReason::Customer,
            ..conversation()
        }
    }

    #[test]
    fn a_row_is_exactly_this() {
        let expected = concat!(
            r#"{"title":"returns","tone":"annoyed","style":"typos","conversation":["#,
            r#"{"content":"why \"£19\"\n?","role":"user","name":"Customer"},"#,
            r#"{"content":"It is heavy.","role":"assistant","name":"Support_Agent"}],"#,
            r#""length":2,"status":"RESOLVED"}"#
        );
        let conversation = ended(Some(Outcome::Resolved));
        assert_eq!(row(&conversation, AsynthRules::default()), expected);
    }

    #[test]
    fn the_original_s_word_and_roles_where_they_are_asked_for() {
        let rules = AsynthRules {
            stop_word: StopWord::Append,
            roles: Roles::Original,
        };
        let expected = concat!(
            r#"{"title":"returns","tone":"annoyed","style":"typos","conversation":["#,
            r#"{"content":"why \"£19\"\n?","role":"assistant","name":"Customer"},"#,
            r#"{"content":"It is heavy.","role":"user","name":"Support_Agent"},"#,
            r#"{"content":"UNRESOLVED","role":"assistant","name":"Customer"}],"#,
            r#""length":3,"status":"UNRESOLVED"}"#
        );
        // The agent had the last word, so the customer's stands alone.
        assert_eq!(row(&ended(Some(Outcome::Abandoned)), rules), expected);
        let mut conversation = ended(Some(Outcome::Resolved));
        conversation.turns.pop();
        let row = AsynthRow::new(&conversation, rules, false);
        assert_eq!(row.conversation[0].content, "why \"£19\"\n? RESOLVED");
        assert_eq!(row.length, 1);
    }

    #[test]
    fn what_nobody_ended_has_no_word() {
        let rules = AsynthRules {
            stop_word: StopWord::Append,
            ..AsynthRules::default()
        };
        let conversation = ended(None);
        let row = AsynthRow::new(&conversation, rules, true);
        assert_eq!((row.status, row.length, row.demo), ("UNRESOLVED", 2, true));
    }

    #[test]
    fn an_empty_place_is_an_error() {
        let mut place = EmptyPlace {
            slot: 4,
            cell: conversation().cell,
            reason: "guard_cut, context".into(),
        };
        place.cell.style = Style::Casual;
        assert_eq!(
            serde_json::to_string(&AsynthRow::empty(&place, false)).unwrap(),
            r#"{"title":"returns","tone":"annoyed","style":"colloquial","conversation":[],"length":0,"status":"ERROR","error":"guard_cut, context"}"#
        );
    }
}
