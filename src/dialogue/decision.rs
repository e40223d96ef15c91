use serde::{Deserialize, Serialize};

use crate::record::Outcome;
use crate::rng::Stream;

/// What a customer makes of the agent's last turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Continue,
    End(Outcome),
}

impl Decision {
    /// The words a model chooses between, in the order of [`Self::ALL`].
    pub const WORDS: &[&str] = &["CONTINUE", "RESOLVED", "UNRESOLVED", "ABANDONED"];

    /// The decisions those words stand for.
    pub const ALL: &[Self] = &[
        Self::Continue,
        Self::End(Outcome::Resolved),
        Self::End(Outcome::Unresolved),
        Self::End(Outcome::Abandoned),
    ];
}

/// How log-probabilities become a decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionRule {
    /// The likeliest word; the first of equals.
    Likeliest,
    /// A draw in proportion to `p^(1/temperature)`; a temperature of 0 takes the likeliest.
    Draw { temperature: f32 },
}

/// The log-probabilities of [`Decision::WORDS`] where the customer cannot take it for resolved.
#[must_use]
pub fn without_resolved(mut scores: Vec<f32>) -> Vec<f32> {
    for (score, decision) in scores.iter_mut().zip(Decision::ALL) {
        if *decision == Decision::End(Outcome::Resolved) {
            *score = f32::NEG_INFINITY;
        }
    }
    scores
}

/// The decision, given one log-probability per word of [`Decision::WORDS`]. `None` when there is no number to go by.
#[must_use]
pub fn decide(scores: &[f32], rule: DecisionRule, draw: Stream) -> Option<Decision> {
    let scores = &scores[..scores.len().min(Decision::ALL.len())];
    choose(scores, rule, draw).map(|index| Decision::ALL[index])
}

/// How the conversation came out when going on is no choice any more.
#[must_use]
pub fn end_choice(scores: &[f32], rule: DecisionRule, draw: Stream) -> Option<Outcome> {
    let index = choose(
        scores.get(1..scores.len().min(Decision::ALL.len()))?,
        rule,
        draw,
    )? + 1;
    match Decision::ALL[index] {
        Decision::End(outcome) => Some(outcome),
        Decision::Continue => None,
    }
}

/// The place of a choice by its log-probability. `None` when there is no number to go by.
pub(super) fn choose(scores: &[f32], rule: DecisionRule, draw: Stream) -> Option<usize> {
    let best = scores
        .iter()
        .copied()
        .filter(|score| !score.is_nan())
        .fold(f32::NEG_INFINITY, f32::max);
    if best == f32::NEG_INFINITY {
        return None;
    }
    let likeliest = scores.iter().position(|&score| score >= best);
    match rule {
        DecisionRule::Draw { temperature } if temperature > 0.0 => {
            let weight = |score: &f32| {
                if score.is_nan() {
                    0.0
                } else {
                    (f64::from(score - best) / f64::from(temperature)).exp()
                }
            };
            let weights: Vec<f64> = scores.iter().map(weight).collect();
            let mut left = draw.unit(0) * weights.iter().sum::<f64>();
            for (index, weight) in weights.iter().enumerate() {
                if left < *weight {
                    return Some(index);
                }
                left -= weight;
            }
            likeliest
        }
        _ => likeliest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f32; 4] = [-1.0, -0.9, -5.0, -3.0];

    #[test]
    fn the_likeliest_is_taken_when_asked_for() {
        let draw = Stream::root(1);
        assert_eq!(
            decide(&SCORES, DecisionRule::Likeliest, draw),
            Some(Decision::End(Outcome::Resolved))
        );
        let cold = DecisionRule::Draw { temperature: 0.0 };
        assert_eq!(
            decide(&SCORES, cold, draw),
            Some(Decision::End(Outcome::Resolved))
        );
        assert_eq!(
            decide(&[-1.0; 4], DecisionRule::Likeliest, draw),
            Some(Decision::Continue)
        );
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let scores = [0.5f32.ln(), 0.25f32.ln(), 0.125f32.ln(), 0.125f32.ln()];
        let rule = DecisionRule::Draw { temperature: 1.0 };
        let count = |decision| {
            (0..4000)
                .filter(|&seed| decide(&scores, rule, Stream::root(seed)) == Some(decision))
                .count()
        };
        assert!((1900..2100).contains(&count(Decision::Continue)));
        assert!((900..1100).contains(&count(Decision::End(Outcome::Resolved))));
        assert!((420..580).contains(&count(Decision::End(Outcome::Abandoned))));
    }

    #[test]
    fn going_on_can_be_barred() {
        let rule = DecisionRule::Likeliest;
        assert_eq!(
            end_choice(&[-0.1, -4.0, -3.0, -5.0], rule, Stream::root(1)),
            Some(Outcome::Unresolved)
        );
        for seed in 0..100 {
            let rule = DecisionRule::Draw { temperature: 5.0 };
            assert!(end_choice(&SCORES, rule, Stream::root(seed)).is_some());
        }
    }

    #[test]
    fn what_is_open_cannot_be_resolved() {
        let scores = without_resolved(vec![-3.0, -0.1, -2.0, -4.0]);
        for seed in 0..100 {
            let (rule, draw) = (DecisionRule::Draw { temperature: 5.0 }, Stream::root(seed));
            let resolved = Outcome::Resolved;
            assert_ne!(decide(&scores, rule, draw), Some(Decision::End(resolved)));
            assert_ne!(end_choice(&scores, rule, draw), Some(resolved));
        }
        let likeliest = end_choice(&scores, DecisionRule::Likeliest, Stream::root(1));
        assert_eq!(likeliest, Some(Outcome::Unresolved));
    }

    #[test]
    fn no_numbers_no_decision() {
        let draw = Stream::root(1);
        assert_eq!(decide(&[f32::NAN; 4], DecisionRule::Likeliest, draw), None);
        assert_eq!(
            decide(&[f32::NEG_INFINITY; 4], DecisionRule::Likeliest, draw),
            None
        );
        assert_eq!(decide(&[], DecisionRule::Likeliest, draw), None);
        assert_eq!(end_choice(&[0.0], DecisionRule::Likeliest, draw), None);
        let one_left = [f32::NAN, f32::NEG_INFINITY, -2.0, f32::NAN];
        let rule = DecisionRule::Draw { temperature: 1.0 };
        assert_eq!(
            decide(&one_left, rule, draw),
            Some(Decision::End(Outcome::Unresolved))
        );
    }
}
