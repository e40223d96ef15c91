use serde::Serialize;
use serde_json::Value;

use super::asynth::AsynthRow;
use super::convogen::ConvogenRow;
use super::group::GroupRow;
use super::messages::MessageRow;
use super::{MessageRules, Perspective, Shape, preference, sharegpt};
use crate::record::{Cell, Dialogue, Experience, Provenance};

/// Something that may become rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Dialogue(Box<Dialogue>),
    Empty(EmptyPlace),
    Experience(Experience),
}

/// A place for a support conversation that used up its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyPlace {
    pub slot: u64,
    pub cell: Cell,
    /// Why, for people.
    pub reason: String,
}

impl From<Dialogue> for Item {
    fn from(dialogue: Dialogue) -> Self {
        Self::Dialogue(Box::new(dialogue))
    }
}

/// A row on its way out: columns in their order.
pub type Row = serde_json::Map<String, Value>;

impl Shape {
    /// The rows of an item.
    #[must_use]
    pub fn rows(&self, item: &Item, provenance: &Provenance) -> Vec<Row> {
        match (self, item) {
            (Self::Messages(rules), Item::Dialogue(dialogue)) => {
                message_rows(rules, dialogue, provenance)
            }
            (Self::ShareGpt(rules), Item::Dialogue(dialogue)) => {
                message_rows(rules, dialogue, provenance)
                    .into_iter()
                    .filter_map(sharegpt::of_messages)
                    .collect()
            }
            (Self::Preference(rules), Item::Dialogue(dialogue)) => {
                preference::rows(rules, dialogue, provenance)
            }
            (Self::Asynth(rules), Item::Dialogue(dialogue)) => dialogue
                .support()
                .map(|conversation| row(&AsynthRow::new(conversation, *rules, provenance.demo)))
                .into_iter()
                .collect(),
            (Self::Asynth(_), Item::Empty(place)) => {
                vec![row(&AsynthRow::empty(place, provenance.demo))]
            }
            (Self::Convogen { opening }, Item::Dialogue(dialogue)) => match &**dialogue {
                Dialogue::Group(chat) => {
                    vec![row(&ConvogenRow::new(chat, *opening, provenance.demo))]
                }
                Dialogue::Support(_) => Vec::new(),
            },
            (Self::Experiences, Item::Experience(experience)) => vec![row(experience)],
            _ => Vec::new(),
        }
    }
}

fn message_rows(rules: &MessageRules, dialogue: &Dialogue, provenance: &Provenance) -> Vec<Row> {
    match dialogue {
        Dialogue::Support(conversation) => {
            vec![row(&MessageRow::new(conversation, provenance, rules))]
        }
        Dialogue::Group(chat) => match &rules.perspective {
            Perspective::Busiest => vec![row(&GroupRow::new(chat, provenance, rules))],
            Perspective::Each => GroupRow::of_each(chat, provenance, rules)
                .map(|one| row(&one))
                .collect(),
            Perspective::Of(name) => chat
                .experience
                .place_of(name)
                .map(|member| row(&GroupRow::seen_by(chat, provenance, rules, member)))
                .into_iter()
                .collect(),
        },
    }
}

pub(super) fn row(row: &impl Serialize) -> Row {
    match serde_json::to_value(row) {
        Ok(Value::Object(row)) => row,
        _ => unreachable!("a row is a struct of plain data"),
    }
}
