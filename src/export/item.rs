use std::io::{self, Write};

use super::asynth::AsynthRow;
use super::convogen::ConvogenRow;
use super::group::GroupRow;
use super::lines::Lines;
use super::messages::MessageRow;
use super::{Perspective, Shape};
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

impl Shape {
    /// Writes the rows of an item.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn put(
        &self,
        item: &Item,
        provenance: &Provenance,
        lines: &mut Lines<impl Write>,
    ) -> io::Result<()> {
        match (self, item) {
            (Self::Messages(rules), Item::Dialogue(dialogue)) => match &**dialogue {
                Dialogue::Support(conversation) => {
                    lines.row(&MessageRow::new(conversation, provenance, rules))
                }
                Dialogue::Group(chat) => match &rules.perspective {
                    Perspective::Busiest => lines.row(&GroupRow::new(chat, provenance)),
                    Perspective::Each => {
                        GroupRow::of_each(chat, provenance).try_for_each(|row| lines.row(&row))
                    }
                    Perspective::Of(name) => match chat.experience.place_of(name) {
                        Some(member) => lines.row(&GroupRow::seen_by(chat, provenance, member)),
                        None => Ok(()),
                    },
                },
            },
            (Self::Asynth(rules), Item::Dialogue(dialogue)) => match dialogue.support() {
                Some(conversation) => {
                    lines.row(&AsynthRow::new(conversation, *rules, provenance.demo))
                }
                None => Ok(()),
            },
            (Self::Asynth(_), Item::Empty(place)) => {
                lines.row(&AsynthRow::empty(place, provenance.demo))
            }
            (Self::Convogen { opening }, Item::Dialogue(dialogue)) => match &**dialogue {
                Dialogue::Group(chat) => {
                    lines.row(&ConvogenRow::new(chat, *opening, provenance.demo))
                }
                Dialogue::Support(_) => Ok(()),
            },
            (Self::Experiences, Item::Experience(experience)) => lines.row(experience),
            _ => Ok(()),
        }
    }
}
