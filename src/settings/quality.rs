use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What of the conversations is kept. Bounds that are not given do not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityRules {
    /// Words of a whole conversation.
    pub min_words: Option<u32>,
    pub max_words: Option<u32>,
    /// Turn down what is plainly in another language than the recipe's.
    pub language: bool,
    /// Largest share of a conversation's runs of four words that stood in it before.
    pub repetition: Option<f64>,
    /// Resemblance from which two conversations are one too many.
    pub near_duplicates: Option<f64>,
    /// Files of conversations that none may resemble either.
    #[serde(default)]
    pub against: Vec<PathBuf>,
    /// Most kept conversations in which a side's first turn begins with the same words.
    pub same_opening: Option<u32>,
    /// Largest share of an agent's claims that the page does not back.
    pub unsupported: Option<f64>,
    /// Turn down customers without their planned style or tone, and members of groups who take themselves for somebody else.
    #[serde(default)]
    pub in_character: bool,
    pub pii: PiiRule,
    pub harm: HarmRule,
    /// Words and phrases that no conversation may hold.
    #[serde(default)]
    pub words: Vec<String>,
    /// Scores below which a conversation is left out once a judge has looked at it, by aspect. Nothing is made in its place.
    #[serde(default)]
    pub judge: BTreeMap<String, f64>,
}

impl QualityRules {
    /// Everything is kept.
    #[must_use]
    pub fn none() -> Self {
        Self {
            min_words: None,
            max_words: None,
            language: false,
            repetition: None,
            near_duplicates: None,
            against: Vec::new(),
            same_opening: None,
            unsupported: None,
            in_character: false,
            pii: PiiRule::Keep,
            harm: HarmRule::Keep,
            words: Vec::new(),
            judge: BTreeMap::new(),
        }
    }

    /// Whether a conversation may be turned down.
    #[must_use]
    pub fn turns_down(&self) -> bool {
        let redacting = Self {
            pii: match self.pii {
                PiiRule::Redact => PiiRule::Keep,
                other => other,
            },
            harm: match self.harm {
                HarmRule::Judge => HarmRule::Keep,
                other => other,
            },
            against: Vec::new(),
            judge: BTreeMap::new(),
            ..self.clone()
        };
        redacting != Self::none()
    }

    /// Whether a judge has a say in what is kept.
    #[must_use]
    pub fn hears_judge(&self) -> bool {
        self.harm == HarmRule::Judge || !self.judge.is_empty()
    }

    /// Whether what is kept depends on the other conversations.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.near_duplicates.is_some() || self.same_opening.is_some()
    }
}

/// What happens to personal data that is not the shop's or the case's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiRule {
    #[default]
    Keep,
    /// It is replaced wherever conversations are read from the run: `[EMAIL]`.
    Redact,
    /// Its conversation is turned down.
    Reject,
}

impl PiiRule {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Keep, Self::Redact, Self::Reject];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Redact => "redact",
            Self::Reject => "reject",
        }
    }
}

/// What happens to a conversation with profane or harmful words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarmRule {
    #[default]
    Keep,
    /// A judge looks at it a second time: `colloquy judge`.
    Judge,
    /// It is turned down.
    Reject,
}

impl HarmRule {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Keep, Self::Judge, Self::Reject];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Judge => "judge",
            Self::Reject => "reject",
        }
    }
}

/// What a run is watched for while it goes on; changes nothing of what is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorRules {
    /// Conversations that the figures are taken over: the last so many.
    pub window: u32,
    /// Bounds whose crossing is said.
    pub warn: BTreeMap<Watched, f64>,
    /// Bounds at which the run ends as if it was interrupted.
    pub stop: BTreeMap<Watched, f64>,
}

impl Default for MonitorRules {
    fn default() -> Self {
        Self {
            window: 200,
            warn: BTreeMap::new(),
            stop: BTreeMap::new(),
        }
    }
}

/// A figure that a run is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// Share of attempts that were turned down or failed.
    Rejected,
    /// Share of conversations that resemble another of the window, half of their runs of five words or more.
    NearDuplicates,
    /// Share of conversations whose first reply begins with the three words that most begin with.
    SameOpening,
    /// Share of the agents' claims that pages do not back.
    Unsupported,
    /// Share of turns that a guard turned down first.
    Guarded,
    /// Different pairs of words over pairs of words, in the first 10,000 of the window: falls as texts repeat.
    Distinct2,
    /// Words of a turn, on average.
    WordsPerTurn,
}

impl Watched {
    /// Every figure.
    pub const ALL: &[Self] = &[
        Self::Rejected,
        Self::NearDuplicates,
        Self::SameOpening,
        Self::Unsupported,
        Self::Guarded,
        Self::Distinct2,
        Self::WordsPerTurn,
    ];

    /// The name in recipes and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::NearDuplicates => "near_duplicates",
            Self::SameOpening => "same_opening",
            Self::Unsupported => "unsupported",
            Self::Guarded => "guarded",
            Self::Distinct2 => "distinct_2",
            Self::WordsPerTurn => "words_per_turn",
        }
    }

    /// Whether it is small values that are bad.
    #[must_use]
    pub fn is_floor(self) -> bool {
        self == Self::Distinct2
    }

    /// Whether a value is beyond a bound.
    #[must_use]
    pub fn is_beyond(self, value: f64, bound: f64) -> bool {
        if self.is_floor() {
            value < bound
        } else {
            value > bound
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_changes_how_texts_are_shown_turns_nothing_down() {
        let none = QualityRules::none();
        assert!(!none.turns_down());
        for shown in [
            QualityRules {
                pii: PiiRule::Redact,
                ..none.clone()
            },
            QualityRules {
                harm: HarmRule::Judge,
                ..none.clone()
            },
        ] {
            assert!(!shown.turns_down());
        }
        for strict in [
            QualityRules {
                pii: PiiRule::Reject,
                ..none.clone()
            },
            QualityRules {
                language: true,
                ..none.clone()
            },
            QualityRules {
                same_opening: Some(3),
                ..none
            },
        ] {
            assert!(strict.turns_down());
        }
    }

    #[test]
    fn distinct_words_are_bad_when_they_are_few() {
        assert!(Watched::Distinct2.is_beyond(0.1, 0.2));
        assert!(Watched::Rejected.is_beyond(0.3, 0.2));
        assert!(!Watched::Rejected.is_beyond(0.2, 0.2));
    }
}
