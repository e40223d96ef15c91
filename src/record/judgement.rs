use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What a judge model made of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Of the conversation, as `c/3/1`.
    pub id: String,
    /// The aspects that were asked for, whether there was something to be asked or not.
    #[serde(default)]
    pub asked: BTreeSet<String>,
    /// By aspect, like `naturalness`; aspects that have nothing to be asked of in this conversation are not there.
    pub scores: BTreeMap<String, Score>,
    /// Its second look at sentences with a word of a harm lexicon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub harm: Vec<Harm>,
}

/// How well a conversation does in an aspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// From 1 (not at all) to 5 (entirely): the mean of the five in proportion to the judge's probabilities, and where lines are
    /// judged one by one, the mean of theirs.
    pub value: f64,
    /// Share of all replies that the judge gives the five; the closer to 1, the better the question was understood.
    pub mass: f64,
    /// The lines or sentences, where they are judged one by one; else none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineScore>,
    /// The same asked where the answer should be "not at all"; none where there was nothing to ask it of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
}

/// How well a line does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineScore {
    /// Place of the turn.
    pub turn: usize,
    /// Bytes of its text; none where the whole turn is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Range<usize>>,
    pub value: f64,
}

/// The score of a negative control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The conversation that persona, page, style or lines were taken from.
    pub with: String,
    /// As [`Score::value`].
    pub value: f64,
    /// As [`Score::mass`].
    pub mass: f64,
}

/// Whether a sentence is harmful where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Harm {
    /// Place of the turn.
    pub turn: usize,
    /// Bytes of its text.
    pub span: Range<usize>,
    /// Probability of "yes" against "no".
    pub yes: f64,
    /// Share of all replies that are one of the two.
    pub mass: f64,
}

impl Harm {
    /// Whether the judge takes it for harmful.
    #[must_use]
    pub fn is_harmful(&self) -> bool {
        self.yes >= 0.5
    }
}

impl Judgement {
    /// The score of an aspect, from 1 to 5.
    #[must_use]
    pub fn value(&self, aspect: &str) -> Option<f64> {
        Some(self.scores.get(aspect)?.value)
    }
}

/// What a judge made of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgements {
    /// The judge's model as the user named it.
    pub model: String,
    /// The demo model was never trained to judge: its scores mean nothing.
    pub demo: bool,
    /// By the id of the conversation.
    pub by_id: BTreeMap<String, Judgement>,
}

impl Judgements {
    /// Of a conversation.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<&Judgement> {
        self.by_id.get(id)
    }

    /// A conversation's score in an aspect.
    #[must_use]
    pub fn value(&self, id: &str, aspect: &str) -> Option<f64> {
        self.of(id)?.value(aspect)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_disk_without_what_is_not_there() {
        let score = Score {
            value: 3.25,
            mass: 0.5,
            lines: Vec::new(),
            control: None,
        };
        let mut judgement = Judgement {
            id: "c/3/1".into(),
            asked: BTreeSet::from(["naturalness".to_owned()]),
            scores: BTreeMap::from([("naturalness".to_owned(), score.clone())]),
            harm: Vec::new(),
        };
        let json = serde_json::to_string(&judgement).unwrap();
        assert_eq!(
            json,
            r#"{"id":"c/3/1","asked":["naturalness"],"scores":{"naturalness":{"value":3.25,"mass":0.5}}}"#
        );
        assert_eq!(serde_json::from_str::<Judgement>(&json).unwrap(), judgement);
        let lines = Score {
            lines: vec![LineScore {
                turn: 1,
                span: Some(0..7),
                value: 3.25,
            }],
            control: Some(Control {
                with: "c/4/0".into(),
                value: 1.5,
                mass: 0.25,
            }),
            ..score
        };
        judgement.scores.insert("groundedness".into(), lines);
        judgement.harm.push(Harm {
            turn: 0,
            span: 3..9,
            yes: 0.75,
            mass: 0.9,
        });
        let json = serde_json::to_string(&judgement).unwrap();
        assert_eq!(serde_json::from_str::<Judgement>(&json).unwrap(), judgement);
        assert_eq!(judgement.value("groundedness"), Some(3.25));
        assert_eq!(judgement.value("tone"), None);
    }
}
