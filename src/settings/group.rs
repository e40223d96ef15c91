use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ShareName, Shares};
use crate::record::MoveSigns;

/// People a group may have.
pub const GROUP_SIZES: std::ops::RangeInclusive<usize> = 2..=8;

/// Where experiences come from: who meets, how they stand to each other, what has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperienceRules {
    /// A file of given experiences; none are made then.
    pub from: Option<PathBuf>,
    /// Human examples that a model is shown; those that come with the program when not given.
    pub seeds: Option<PathBuf>,
    /// Experiences of an earlier run, or of a file, that join the examples.
    pub hub_from: Option<PathBuf>,
    /// Experiences of one call.
    pub per_call: u32,
    /// Experiences of one round; the next round may use them as examples.
    pub per_round: u32,
    /// Examples in one call.
    pub shots: u32,
    pub shot_choice: ShotChoice,
    pub hub: HubGate,
    /// Generations that may lie between an example and the human ones.
    pub max_depth: u32,
    /// How many people meet.
    pub participants: Shares<GroupSize>,
}

/// Which examples a call is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShotChoice {
    /// The first human ones, always the same.
    Fixed,
    /// A draw from all.
    Random,
    /// Those that were shown least often, at least one human one among several.
    Coverage,
}

impl ShotChoice {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Fixed, Self::Random, Self::Coverage];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Random => "random",
            Self::Coverage => "coverage",
        }
    }
}

/// Which experiences become examples for later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubGate {
    /// Those that are new and not too far from the human ones. What repeats is turned down altogether.
    Gated,
    /// All that are whole.
    Ungated,
    /// None.
    Off,
}

impl HubGate {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Gated, Self::Ungated, Self::Off];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gated => "gated",
            Self::Ungated => "ungated",
            Self::Off => "off",
        }
    }
}

/// How many people meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupSize(pub usize);

const SIZE_NAMES: [&str; 7] = ["2", "3", "4", "5", "6", "7", "8"];

impl ShareName for GroupSize {
    fn share_name(&self) -> &str {
        SIZE_NAMES[self.rank()]
    }

    fn from_share_name(name: &str) -> Option<Self> {
        let place = SIZE_NAMES.iter().position(|known| *known == name)?;
        Some(Self(GROUP_SIZES.start() + place))
    }

    fn share_names() -> Option<Vec<&'static str>> {
        Some(SIZE_NAMES.to_vec())
    }

    fn rank(&self) -> usize {
        self.0.clamp(*GROUP_SIZES.start(), *GROUP_SIZES.end()) - GROUP_SIZES.start()
    }
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonaRules {
    pub mode: PersonaMode,
    /// The file of personas, or of groups; the personas that come with the program when not given.
    pub from: Option<PathBuf>,
    /// Refuse a file with lines that cannot be read, instead of leaving them out.
    pub strict: bool,
}

/// How people come into an experience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonaMode {
    /// The model makes them up, field by field.
    Generated,
    /// They are drawn from a list of personas.
    Sampled,
    /// They come in groups that are given.
    Reused,
}

impl PersonaMode {
    /// Every mode.
    pub const ALL: &[Self] = &[Self::Generated, Self::Sampled, Self::Reused];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Sampled => "sampled",
            Self::Reused => "reused",
        }
    }
}

/// How a group talks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRules {
    /// Turns of everyone together; each chat draws its number between them.
    pub min_turns: u32,
    pub max_turns: u32,
    /// Words one turn may have.
    pub words: u32,
    pub speaker: SpeakerMethod,
    /// For `manual`: who speaks in turn, by number from 1; again from the beginning when it is through.
    pub order: Vec<u32>,
    /// Who may speak after whom, by number from 1. Who is not named may be followed by anyone.
    pub transitions: BTreeMap<String, Vec<u32>>,
    /// Whether someone may speak twice in a row.
    pub repeats: bool,
    /// The sentences by which members leave, how those begin by which they pause, and those by which they break in.
    #[serde(default = "english_leave")]
    pub leave: Vec<String>,
    #[serde(default = "english_pause")]
    pub pause: Vec<String>,
    #[serde(default = "english_interrupt")]
    pub interrupt: Vec<String>,
}

fn english_leave() -> Vec<String> {
    MoveSigns::default().leave
}

fn english_pause() -> Vec<String> {
    MoveSigns::default().pause
}

fn english_interrupt() -> Vec<String> {
    MoveSigns::default().interrupt
}

/// How the next speaker is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerMethod {
    /// By the model: the likeliest of the names, given what was said.
    Auto,
    RoundRobin,
    Random,
    Manual,
}

impl SpeakerMethod {
    /// Every method.
    pub const ALL: &[Self] = &[Self::Auto, Self::RoundRobin, Self::Random, Self::Manual];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::Manual => "manual",
        }
    }
}
