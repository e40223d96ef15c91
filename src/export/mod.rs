//! Finished records as the files that users load. Records in, bytes out.

use std::path::PathBuf;

mod asynth;
mod card;
mod condition;
mod convogen;
mod group;
mod item;
mod lines;
mod messages;
mod mix;
mod parquet;
mod preference;
mod rows;
mod schema;
mod sharegpt;
mod sieve;
mod split;
mod statistics;
mod system;
mod train;
mod yaml;

pub use asynth::{AsynthMessage, AsynthRow, AsynthRules, Roles, StopWord};
pub use card::{MadeBy, ModelLine, Papers};
pub use condition::{ConditionError, MoreColumns, Where};
pub use convogen::{ConvogenRow, OPENING_SPEAKER, SituationConfig, Utterance};
pub use group::{GroupRow, Perspective};
pub use item::{EmptyPlace, Item, Row};
pub use lines::{to_file, to_writer};
pub use messages::{Message, MessageLink, MessageRow, MessageRules};
pub use mix::{Mix, MixError};
pub use preference::{PreferenceRules, Side};
pub use rows::{Encoding, RowFile};
pub use schema::{Column, Contents, Stamp, Type, columns};
pub use sieve::{Facts, Sieve};
pub use split::{Kin, SplitBy, SplitError, Splits};
pub use statistics::Statistics;
pub use system::{SystemDepth, SystemRule};
pub use train::TrainOn;

use crate::record::Kind;

/// A format to export to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A list of `{role, content}` and flat columns.
    #[default]
    Messages,
    /// `conversations` of `{from, value}` that take turns, and the same columns.
    ShareGpt,
    /// Replies that a guard turned down, each beside the one that was taken.
    Preference,
    /// Support conversations as asynth wrote them.
    Asynth,
    /// Group chats as `ConvoGen` wrote them.
    Convogen,
    /// Experiences as recipes read them.
    Experiences,
}

impl Format {
    /// Every format.
    pub const ALL: &[Self] = &[
        Self::Messages,
        Self::ShareGpt,
        Self::Preference,
        Self::Asynth,
        Self::Convogen,
        Self::Experiences,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::ShareGpt => "sharegpt",
            Self::Preference => "preference",
            Self::Asynth => "asynth",
            Self::Convogen => "convogen",
            Self::Experiences => "experiences",
        }
    }

    /// The kind of conversations it is for; `None` where it takes every kind.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Messages | Self::ShareGpt | Self::Preference => None,
            Self::Asynth => Some(Kind::Support),
            Self::Convogen | Self::Experiences => Some(Kind::Group),
        }
    }
}

/// A format, and what was asked of it. A record that a format has no rows for leaves none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Messages(MessageRules),
    ShareGpt(MessageRules),
    Preference(PreferenceRules),
    Asynth(AsynthRules),
    Convogen {
        /// Whether the chat begins with what its people were told.
        opening: bool,
    },
    Experiences,
}

impl Shape {
    /// The format that it is of.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Messages(_) => Format::Messages,
            Self::ShareGpt(_) => Format::ShareGpt,
            Self::Preference(_) => Format::Preference,
            Self::Asynth(_) => Format::Asynth,
            Self::Convogen { .. } => Format::Convogen,
            Self::Experiences => Format::Experiences,
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::Messages(MessageRules::default())
    }
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError<E: std::error::Error + 'static> {
    /// The records cannot be read.
    #[error(transparent)]
    Records(E),
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}
