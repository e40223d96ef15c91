use std::collections::BTreeMap;
use std::ops::Range;

use super::Source;
use crate::import::ForeignFormat;
use crate::record::{Judgements, Sample};
use crate::run::Tick;

/// What a report is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Material {
    pub source: Source,
    /// Conversations, kept and turned down, in the order of the plan or of the files.
    pub samples: Vec<Sample>,
    /// The files they come from; none of a run.
    pub files: Vec<Part>,
    /// What only a run knows.
    pub making: Option<Making>,
    /// What a judge made of a run.
    pub judged: Option<Judgements>,
}

/// The conversations of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub format: ForeignFormat,
    /// Places among the samples.
    pub samples: Range<usize>,
}

/// How a run came by its conversations: of the places that are finished from the first on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Making {
    pub places: usize,
    /// By axis and value: how many of these places were to have it.
    pub planned: BTreeMap<&'static str, BTreeMap<String, usize>>,
    /// Attempts that did not become a conversation.
    pub failed: Vec<FailedAttempt>,
    /// By place: which of its attempts was kept, from 0; none where none was.
    pub kept_at: Vec<Option<usize>>,
    /// Places that used up their attempts: what was asked for, and why there is nothing.
    pub empty: Vec<(String, String)>,
    /// How fast it went.
    pub timeline: Vec<Tick>,
}

/// An attempt that did not become a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Like that of the conversation it would have been.
    pub id: String,
    pub reason: String,
}

impl Material {
    /// The conversations that are kept.
    #[must_use]
    pub fn kept(&self) -> Vec<&Sample> {
        self.samples.iter().filter(|one| one.is_kept()).collect()
    }
}
