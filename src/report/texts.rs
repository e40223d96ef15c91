use crate::metrics::bootstrap::{Interval, ratio, ratio_interval};
use crate::record::{Kind, Role, Sample};
use crate::rng::Stream;

use super::Context;

/// How sure intervals are.
pub(super) const LEVEL: f64 = 0.95;

/// The turns of one side, or of all where sides are of no account.
pub(super) struct Side<'a> {
    /// Ends keys, like `_agent`; empty of all.
    pub(super) suffix: &'static str,
    /// Ends titles, like `, agent`; empty of all.
    pub(super) title: &'static str,
    /// In order of conversations and turns.
    pub(super) turns: Vec<&'a str>,
    /// For each turn the conversation that it belongs to.
    pub(super) of: Vec<usize>,
}

impl<'a> Side<'a> {
    /// All that is said.
    pub(super) fn whole(samples: &[&'a Sample]) -> Self {
        Self::some(samples, None)
    }

    /// The sides whose manners differ: customer and agent of support conversations, else all.
    pub(super) fn each(samples: &[&'a Sample]) -> Vec<Self> {
        let has_roles = samples.iter().any(|sample| {
            sample.kind == Kind::Support && sample.speakers.iter().any(|who| who.role.is_some())
        });
        if has_roles {
            [Role::Customer, Role::Agent]
                .map(|role| Self::some(samples, Some(role)))
                .into()
        } else {
            vec![Self::whole(samples)]
        }
    }

    fn some(samples: &[&'a Sample], role: Option<Role>) -> Self {
        let (suffix, title) = match role {
            None => ("", ""),
            Some(Role::Customer) => ("_customer", ", customer"),
            Some(Role::Agent) => ("_agent", ", agent"),
        };
        let (mut turns, mut of) = (Vec::new(), Vec::new());
        for (nth, sample) in samples.iter().enumerate() {
            for turn in &sample.turns {
                if role.is_none() || sample.role(turn) == role {
                    turns.push(turn.text.as_str());
                    of.push(nth);
                }
            }
        }
        Self {
            suffix,
            title,
            turns,
            of,
        }
    }

    /// Of each conversation, how many turns are of a sort and how many there are.
    pub(super) fn parts(&self, is: &[bool]) -> Vec<(f64, f64)> {
        let mut parts = vec![(0.0, 0.0); self.of.last().map_or(0, |last| last + 1)];
        for (is, of) in is.iter().zip(&self.of) {
            parts[*of].0 += f64::from(u8::from(*is));
            parts[*of].1 += 1.0;
        }
        parts
    }
}

/// All that is said in a conversation, as one text.
pub(super) fn whole(sample: &Sample) -> String {
    let texts: Vec<&str> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    texts.join("\n")
}

/// A sum over a sum, each conversation with its part of both, and its interval.
pub(super) fn estimate(
    parts: &[(f64, f64)],
    draw: Stream,
    context: &Context<'_>,
) -> (Option<f64>, Option<Interval>) {
    let sums = parts
        .iter()
        .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (
        ratio(sums),
        ratio_interval(parts, LEVEL, draw, context.threads),
    )
}

/// A mean and its interval.
pub(super) fn estimate_mean(
    values: &[f64],
    draw: Stream,
    context: &Context<'_>,
) -> (Option<f64>, Option<Interval>) {
    let parts: Vec<(f64, f64)> = values.iter().map(|value| (*value, 1.0)).collect();
    estimate(&parts, draw, context)
}
