use serde_json::{Map, Value};

use super::About;
use super::columns::Columns;
use crate::record::{Kind, Link, Role, Sample, Speaker, Utterance, Verdict};

/// Whose words a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What a model was told.
    System,
    /// `user`, or the customer.
    Customer,
    /// `assistant`, or the agent.
    Agent,
    /// What a tool gave: said by nobody.
    Tool,
}

impl Side {
    /// The side of a role, in the words of any of the formats.
    pub(super) fn of(role: &str) -> Option<Self> {
        Some(match role.to_ascii_lowercase().as_str() {
            "system" | "developer" => Self::System,
            "user" | "human" | "customer" | "prompter" => Self::Customer,
            "assistant" | "agent" | "gpt" | "chatgpt" | "bard" | "bing" | "bot" | "model" => {
                Self::Agent
            }
            "tool" | "function" | "ipython" | "observation" | "function_call"
            | "function_response" => Self::Tool,
            _ => return None,
        })
    }
}

/// A message of a list.
pub(super) struct Message {
    pub(super) side: Side,
    pub(super) text: String,
    pub(super) links: Vec<Link>,
}

/// The sample of messages between two sides: a support conversation, or a group chat as one member sees it where the row
/// says so.
pub(super) fn sample(
    row: &Map<String, Value>,
    messages: Vec<Message>,
    about: &mut About,
) -> Option<Sample> {
    let columns = Columns::of(row);
    let members = members(row);
    let mut sample = Sample {
        id: about.id.clone(),
        kind: if members.is_some() {
            Kind::Group
        } else {
            Kind::Support
        },
        speakers: match &members {
            Some(members) => members.speakers(),
            None => two_sides("Customer", "Agent"),
        },
        turns: Vec::new(),
        outcome: columns.outcome,
        end_reason: columns.end_reason,
        verdict: Verdict::Keep,
        rewrites: Vec::new(),
        fields: columns.fields,
    };
    for message in messages {
        let said = !message.text.trim().is_empty();
        let speaker = match message.side {
            Side::System if said => {
                let told = sample.fields.entry("system".to_owned()).or_default();
                if !told.is_empty() {
                    told.push('\n');
                }
                told.push_str(&message.text);
                continue;
            }
            Side::System => continue,
            Side::Tool => {
                about.turn("what a tool said");
                continue;
            }
            _ if !said => {
                about.turn("an empty turn");
                continue;
            }
            Side::Customer => 0,
            Side::Agent => 1,
        };
        match &members {
            Some(members) => sample.turns.extend(members.turns(&message)),
            None => sample.turns.push(Utterance {
                speaker,
                text: message.text,
                links: message.links,
                ..Utterance::default()
            }),
        }
    }
    about.kept(sample)
}

/// The customer and the agent.
pub(super) fn two_sides(customer: &str, agent: &str) -> Vec<Speaker> {
    [(customer, Role::Customer), (agent, Role::Agent)]
        .into_iter()
        .map(|(name, role)| Speaker {
            name: name.to_owned(),
            role: Some(role),
            persona: String::new(),
        })
        .collect()
}

/// Who is in a group chat, and who of them the `assistant` is.
struct Members<'a> {
    names: Vec<&'a str>,
    seen_by: usize,
}

/// The members, of rows that say whose view of a group chat they are.
fn members(row: &Map<String, Value>) -> Option<Members<'_>> {
    let seen_by = row.get("perspective")?.as_str()?;
    let names: Option<Vec<&str>> = row
        .get("participants")?
        .as_array()?
        .iter()
        .map(Value::as_str)
        .collect();
    let names = names?;
    let seen_by = names.iter().position(|name| *name == seen_by)?;
    Some(Members { names, seen_by })
}

impl Members<'_> {
    fn speakers(&self) -> Vec<Speaker> {
        let speaker = |name: &&str| Speaker {
            name: (*name).to_owned(),
            role: None,
            persona: String::new(),
        };
        self.names.iter().map(speaker).collect()
    }

    /// The turns that a message holds: one of its own, or a line `Name: text` for each of the others'.
    fn turns(&self, message: &Message) -> Vec<Utterance> {
        let turn = |speaker, text: &str| Utterance {
            speaker,
            text: text.to_owned(),
            ..Utterance::default()
        };
        if message.side == Side::Agent {
            return vec![turn(self.seen_by, &message.text)];
        }
        let mut turns: Vec<Utterance> = Vec::new();
        for line in message.text.split('\n') {
            // The longest name, where one begins with another.
            let named = self
                .names
                .iter()
                .enumerate()
                .filter_map(|(at, name)| {
                    Some((at, name, line.strip_prefix(name)?.strip_prefix(": ")?))
                })
                .max_by_key(|(_, name, _)| name.len());
            match (named, turns.last_mut()) {
                (Some((speaker, _, text)), _) => turns.push(turn(speaker, text)),
                (None, Some(last)) => {
                    last.text.push('\n');
                    last.text.push_str(line);
                }
                // Somebody, but not the one who is the assistant.
                (None, None) => turns.push(turn(usize::from(self.seen_by == 0), line)),
            }
        }
        turns
    }
}
