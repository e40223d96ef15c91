use serde_json::{Value, json};

use super::group::view;
use super::item::row;
use super::{GroupRow, MessageRow, MessageRules, Row, SystemRule};
use crate::record::{Conversation, Dialogue, GroupChat, Provenance, Rejected, Role};

/// What is asked of the `preference` format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferenceRules {
    pub side: Side,
    pub system: SystemRule,
}

/// Whose replies make pairs, of support conversations; members of groups always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The agent's: prompts begin and end with the `user`, as every chat template takes them.
    #[default]
    Agent,
    /// The customer's, who is the `assistant` of these rows and begins them.
    Customer,
    Both,
}

impl Side {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Agent, Self::Customer, Self::Both];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Customer => "customer",
            Self::Both => "both",
        }
    }

    fn has(self, role: Role) -> bool {
        match self {
            Self::Both => true,
            Self::Agent => role == Role::Agent,
            Self::Customer => role == Role::Customer,
        }
    }
}

/// A row for each reply that a guard turned down, beside the one that was taken in its place: TRL's conversational preference
/// format with an explicit prompt (huggingface.co/docs/trl/dataset_formats, "Preference"). `chosen_message` and
/// `rejected_message` are the same two for LLaMA-Factory and axolotl, which take no lists there. Replies of nothing, and those
/// that nothing was said before, make no pair.
pub(super) fn rows(
    rules: &PreferenceRules,
    dialogue: &Dialogue,
    provenance: &Provenance,
) -> Vec<Row> {
    match dialogue {
        Dialogue::Support(conversation) => of_support(rules, conversation, provenance),
        Dialogue::Group(chat) => of_group(rules, chat, provenance),
    }
}

fn of_support(
    rules: &PreferenceRules,
    conversation: &Conversation,
    provenance: &Provenance,
) -> Vec<Row> {
    let plain = MessageRules::default();
    let mut rows = Vec::new();
    for (place, turn) in conversation.turns.iter().enumerate() {
        if turn.rejected.is_empty() || !rules.side.has(turn.speaker) {
            continue;
        }
        let system = match turn.speaker {
            Role::Agent => rules.system.of_agent(conversation),
            Role::Customer => rules.system.of_customer(conversation),
        };
        let said = conversation.turns[..place].iter().map(|earlier| {
            let own = earlier.speaker == turn.speaker;
            (own, earlier.text.as_str())
        });
        let prompt = prompt(system, said);
        let flat = row(&MessageRow::new(conversation, provenance, &plain));
        let pair = Pair {
            prompt,
            side: turn.speaker.name(),
            place,
            chosen: &turn.text,
        };
        rows.extend(pair.rows(&turn.rejected, &flat));
    }
    rows
}

fn of_group(rules: &PreferenceRules, chat: &GroupChat, provenance: &Provenance) -> Vec<Row> {
    let plain = MessageRules::default();
    let mut rows = Vec::new();
    for (place, remark) in chat.turns.iter().enumerate() {
        if remark.rejected.is_empty() {
            continue;
        }
        let member = remark.speaker;
        let said = view(chat, &chat.turns[..place], member);
        let said = said
            .iter()
            .map(|message| (message.role == "assistant", message.content.as_ref()));
        let prompt = prompt(rules.system.of_member(chat, member), said);
        let flat = row(&GroupRow::seen_by(chat, provenance, &plain, member));
        let pair = Pair {
            prompt,
            side: "member",
            place,
            chosen: &remark.text,
        };
        rows.extend(pair.rows(&remark.rejected, &flat));
    }
    rows
}

/// What was said before, to whoever is the `assistant`; empty where nothing was.
fn prompt<'a>(system: Option<String>, said: impl Iterator<Item = (bool, &'a str)>) -> Vec<Value> {
    let said: Vec<Value> = said
        .map(|(own, text)| message(if own { "assistant" } else { "user" }, text))
        .collect();
    if said.is_empty() {
        return said;
    }
    let system = system.map(|text| message("system", &text));
    system.into_iter().chain(said).collect()
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

struct Pair<'a> {
    prompt: Vec<Value>,
    side: &'static str,
    /// Of the turn, from 0.
    place: usize,
    chosen: &'a str,
}

impl Pair<'_> {
    /// The rows of the replies that were turned down, in the order they were made.
    fn rows(&self, rejected: &[Rejected], flat: &Row) -> Vec<Row> {
        if self.prompt.is_empty() || self.chosen.is_empty() {
            return Vec::new();
        }
        rejected
            .iter()
            .enumerate()
            .filter(|(_, reply)| !reply.text.trim().is_empty() && reply.text != self.chosen)
            .map(|(nth, reply)| self.row(nth, reply, flat))
            .collect()
    }

    fn row(&self, nth: usize, reply: &Rejected, flat: &Row) -> Row {
        let id = flat["id"].as_str().unwrap_or_default();
        let (chosen, rejected) = (
            message("assistant", self.chosen),
            message("assistant", &reply.text),
        );
        let mut row = Row::new();
        let mut put = |column: &str, value: Value| row.insert(column.into(), value);
        // The turn as people count them, and which of the replies to it.
        put("id", format!("{id}#{}.{}", self.place + 1, nth + 1).into());
        put("prompt", self.prompt.clone().into());
        put("chosen", json!([chosen]));
        put("rejected", json!([rejected]));
        put("chosen_message", chosen);
        put("rejected_message", rejected);
        put("guard", json!(reply.hit.kind));
        put("detail", reply.hit.detail.as_str().into());
        put("side", self.side.into());
        put("turn", (self.place + 1).into());
        for (column, value) in flat {
            if !["id", "messages"].contains(&column.as_str()) {
                put(column, value.clone());
            }
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::SystemDepth;
    use crate::export::group::tests::chat;
    use crate::export::messages::tests::{conversation, provenance};
    use crate::record::{GuardHit, GuardKind};

    fn turned_down(text: &str, kind: GuardKind) -> Rejected {
        Rejected {
            text: text.into(),
            hit: GuardHit {
                kind,
                detail: "seen".into(),
            },
        }
    }

    #[test]
    fn a_row_is_exactly_this() {
        let mut conversation = conversation();
        conversation.turns[1].rejected = vec![
            turned_down("why?", GuardKind::Echo),
            turned_down("", GuardKind::Empty),
            turned_down("It is £1.", GuardKind::Unbacked),
            turned_down("It is heavy.", GuardKind::Steering),
        ];
        conversation.turns[0].rejected = vec![turned_down("thanks", GuardKind::Gratitude)];
        let dialogue = Dialogue::Support(conversation);
        let rules = PreferenceRules {
            side: Side::Both,
            ..PreferenceRules::default()
        };
        let rows = rows(&rules, &dialogue, &provenance());
        // Nothing was said before the customer's first words.
        assert_eq!(rows.len(), 2);
        let told = Value::Object(rows[0].clone()).to_string();
        assert!(
            told.starts_with(concat!(
                r#"{"id":"c/3/1#2.1","prompt":[{"role":"user","content":"why \"£19\"\n?"}],"#,
                r#""chosen":[{"role":"assistant","content":"It is heavy."}],"rejected":[{"role":"assistant","content":"why?"}],"#,
                r#""chosen_message":{"role":"assistant","content":"It is heavy."},"rejected_message":{"role":"assistant","content":"why?"},"#,
                r#""guard":"echo","detail":"seen","side":"agent","turn":2,"outcome":null,"#,
            )),
            "{told}"
        );
        assert_eq!(rows[1]["id"], "c/3/1#2.3");
        let sides = |side| {
            let rules = PreferenceRules {
                side,
                ..PreferenceRules::default()
            };
            super::rows(&rules, &dialogue, &provenance()).len()
        };
        assert_eq!((sides(Side::Agent), sides(Side::Customer)), (2, 0));
    }

    #[test]
    fn a_customer_and_a_member_are_the_assistant_of_their_rows() {
        let mut conversation = conversation();
        let mut third = conversation.turns[0].clone();
        third.rejected = vec![turned_down("Thanks!", GuardKind::Gratitude)];
        conversation.turns.push(third);
        let rules = PreferenceRules {
            side: Side::Customer,
            system: SystemRule {
                depth: SystemDepth::Short,
                ..SystemRule::default()
            },
        };
        let roles = |row: &Row| -> Vec<String> {
            let prompt = row["prompt"].as_array().unwrap().iter();
            prompt
                .map(|message| message["role"].as_str().unwrap().to_owned())
                .collect()
        };
        let pairs = rows(&rules, &Dialogue::Support(conversation), &provenance());
        assert_eq!(roles(&pairs[0]), ["system", "assistant", "user"]);
        assert_eq!(
            (&pairs[0]["side"], &pairs[0]["turn"]),
            (&"customer".into(), &3.into())
        );

        let mut chat = chat();
        chat.turns[3].rejected = vec![turned_down("Jo: no", GuardKind::RoleLeak)];
        let pairs = rows(
            &PreferenceRules::default(),
            &Dialogue::Group(chat),
            &provenance(),
        );
        assert_eq!(
            pairs[0]["prompt"],
            json!([
                {"role": "user", "content": "Mara Lind: Well?"},
                {"role": "assistant", "content": "It is \"late\"."},
                {"role": "user", "content": "Mara Lind: Again."},
            ])
        );
        assert_eq!(
            (&pairs[0]["perspective"], &pairs[0]["side"]),
            (&"Jo".into(), &"member".into())
        );
    }
}
