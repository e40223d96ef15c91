use serde::{Deserialize, Serialize};

/// What may join the hub and what is shown of it. Part of a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HubRules {
    pub gate: Gate,
    /// Participants an experience may have.
    pub min_participants: usize,
    pub max_participants: usize,
    /// Up to this share of common word stems two experiences are different. What is more like another is used, and is no
    /// shot: it would not make later ones more varied. See [`Likeness`](super::Likeness).
    pub max_common_stems: f64,
    /// Up to this share of the shorter one's pairs of words in the longer one two experiences are different.
    pub max_contained_pairs: f64,
    /// From this share of common word stems on one experience is the other told again, and not used at all.
    pub same_stems: f64,
    /// The same of pairs of words.
    pub same_pairs: f64,
    /// What is deeper is used, and is no shot.
    pub max_depth: u32,
    /// Places of a round.
    pub round_size: usize,
    /// Shots a call is shown.
    pub shots: usize,
    pub choice: ShotChoice,
}

impl Default for HubRules {
    /// The limits of likeness are measured: `tests/hub.rs` prints the table.
    fn default() -> Self {
        Self {
            gate: Gate::Gated,
            min_participants: 2,
            max_participants: 8,
            max_common_stems: 0.11,
            max_contained_pairs: 0.15,
            same_stems: 0.4,
            same_pairs: 0.5,
            max_depth: 4,
            round_size: 16,
            shots: 2,
            choice: ShotChoice::Coverage,
        }
    }
}

/// What becomes of new experiences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// They join when they have the form, are like nothing that is in use, and are not too deep. One that is another told
    /// again is made anew.
    Gated,
    /// They join when they have the form.
    Ungated,
    /// They do not join: only seeds are shots.
    Off,
}

/// Which experiences a call is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShotChoice {
    /// The first seeds.
    Fixed,
    /// Any, drawn.
    Random,
    /// Those least used in earlier rounds, drawn among equals; of two or more, one is a seed of depth 0.
    Coverage,
}

macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in recipes and records.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value of a name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}
names!(Gate { Gated => "gated", Ungated => "ungated", Off => "off" });
names!(ShotChoice { Fixed => "fixed", Random => "random", Coverage => "coverage" });
