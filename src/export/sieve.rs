use std::collections::BTreeSet;

use super::condition::{JUDGE, Where, is_number, nearest};
use crate::record::{Judgement, Sample, Verdict};

/// A conversation, and what is known of it beside its record.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub sample: &'a Sample,
    /// Whether the demo model made it.
    pub demo: bool,
    /// What a reader made of it: `keep` or `drop`.
    pub review: Option<&'a str>,
    /// A judge's scores.
    pub judged: Option<&'a Judgement>,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of turns and words are far below 2^52"
)]
pub(super) fn number(facts: &Facts, column: &str) -> Option<f64> {
    let sample = facts.sample;
    match column {
        "turns" => Some(sample.turns.len() as f64),
        "words" => {
            let words = |text: &str| text.split_whitespace().count();
            let all: usize = sample.turns.iter().map(|turn| words(&turn.text)).sum();
            Some(all as f64)
        }
        _ => {
            let aspect = column.strip_prefix(JUDGE)?;
            facts.judged?.value(aspect)
        }
    }
}

pub(super) fn value(facts: &Facts, column: &str) -> Option<String> {
    let sample = facts.sample;
    let text = match column {
        "id" => &sample.id,
        "kind" => sample.kind.name(),
        "verdict" if sample.is_kept() => "keep",
        "verdict" => "reject",
        "reason" => match &sample.verdict {
            Verdict::Keep => return None,
            Verdict::Reject { reason, .. } => reason,
        },
        "outcome" => sample.outcome?.name(),
        "end_reason" => sample.end_reason?.name(),
        "review" => facts.review?,
        "demo" if facts.demo => "true",
        "demo" => "false",
        _ if is_number(column) => return number(facts, column).map(|number| number.to_string()),
        _ => sample.fields.get(column)?,
    };
    Some(text.to_owned())
}

/// Conditions at work: lets conversations through, and remembers why it let none.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    conditions: Where,
    passed: u64,
    /// Per condition: how many it let through, and some of the values it saw.
    seen: Vec<(u64, BTreeSet<String>)>,
}

/// Values of a column that are remembered for a message.
const REMEMBERED: usize = 1000;

impl Sieve {
    #[must_use]
    pub fn new(conditions: Where) -> Self {
        Self {
            seen: vec![(0, BTreeSet::new()); conditions.conditions.len()],
            passed: 0,
            conditions,
        }
    }

    /// Whether conversations may be meant that were turned down.
    #[must_use]
    pub fn takes_rejected(&self) -> bool {
        self.conditions.takes_rejected()
    }

    /// Whether a conversation is meant.
    pub fn takes(&mut self, facts: &Facts) -> bool {
        let mut all = true;
        for (condition, (passed, values)) in self.conditions.conditions.iter().zip(&mut self.seen) {
            if condition.holds(facts) {
                *passed += 1;
                continue;
            }
            all = false;
            if values.len() < REMEMBERED
                && let Some(value) = value(facts, &condition.column)
            {
                values.insert(value);
            }
        }
        let taken = all && (self.conditions.takes_rejected() || facts.sample.is_kept());
        self.passed += u64::from(taken);
        taken
    }

    /// Which condition nothing fitted, where that is so, and what there was instead.
    #[must_use]
    pub fn why_none(&self) -> Option<(String, String)> {
        if self.passed > 0 {
            return None;
        }
        const NAMED: usize = 8;
        let of_all = self.conditions.conditions.iter().zip(&self.seen);
        let alone = of_all
            .filter(|(_, (passed, values))| *passed == 0 && !values.is_empty())
            .map(|(condition, (_, values))| (condition, values))
            .next();
        Some(match alone {
            Some((condition, values)) => {
                let mut near = nearest(&condition.wanted(), values.iter().map(String::as_str));
                let more = if near.len() > NAMED { ", …" } else { "" };
                near.truncate(NAMED);
                (
                    condition.typed.clone(),
                    format!("{} is: {}{more}", condition.column, near.join(", ")),
                )
            }
            None if self.seen.iter().all(|(passed, _)| *passed > 0) => (
                self.typed(),
                "each condition alone fits some, but nothing fits them all; rejected ones need verdict=any".into(),
            ),
            None => (self.typed(), "no conversation has such values".into()),
        })
    }

    fn typed(&self) -> String {
        let typed = self.conditions.conditions.iter();
        typed
            .map(|condition| condition.typed.as_str())
            .collect::<Vec<_>>()
            .join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::condition::MoreColumns;
    use crate::export::group::tests::chat;
    use crate::export::messages::tests::conversation;
    use crate::record::Dialogue;

    fn support() -> Sample {
        Sample::of(&Dialogue::Support(conversation()))
    }

    fn takes(text: &str, sample: &Sample) -> bool {
        let scores = Judgement {
            id: sample.id.clone(),
            scores: [(
                "naturalness".to_owned(),
                crate::record::Score {
                    value: 3.5,
                    mass: 1.0,
                    lines: Vec::new(),
                    control: None,
                },
            )]
            .into(),
            ..Judgement::default()
        };
        let more = MoreColumns {
            aspects: ["naturalness".to_owned()].into(),
            ..MoreColumns::default()
        };
        Sieve::new(Where::parse(text, &more).unwrap()).takes(&Facts {
            sample,
            demo: true,
            review: Some("drop"),
            judged: Some(&scores),
        })
    }

    #[test]
    fn conditions_hold_or_not() {
        let sample = support();
        let group = Sample::of(&Dialogue::Group(chat()));
        for text in [
            "id=c/3/1",
            "kind=support",
            "tone=annoyed",
            "tone=angry|Annoyed",
            "tone!=angry|neutral",
            "outcome=none",
            "outcome!=RESOLVED",
            "product=washing machine",
            "first_language=none",
            "turns=2",
            "turns>=2,turns<=2",
            "turns>1 , turns<3",
            "turns!=3",
            "words=6",
            "judge.naturalness>=3.5",
            "judge.naturalness<4",
            "review=drop",
            "demo=true",
            "verdict=keep",
            "verdict=any",
            "page=returns,style=typos",
        ] {
            assert!(takes(text, &sample), "{text}");
        }
        for text in [
            "id=c/3/2",
            "kind=group",
            "tone=angry",
            "tone!=annoyed",
            "outcome!=none",
            "turns>2",
            "turns<2",
            "turns=3",
            "turns!=2",
            "judge.naturalness>3.5",
            "judge.naturalness=none",
            "review=none",
            "demo=false",
            "verdict=reject",
            "reason!=none",
            "page=returns,style=plain",
        ] {
            assert!(!takes(text, &sample), "{text}");
        }
        assert!(takes("kind=group,topic=boats,tone=none", &group));
        assert!(!takes("tone=annoyed", &group));
    }

    #[test]
    fn rejected_ones_are_taken_where_they_are_named() {
        let mut sample = support();
        sample.verdict = Verdict::Reject {
            reason: "guard_cut".into(),
            detail: String::new(),
        };
        assert!(!takes("tone=annoyed", &sample));
        for text in [
            "verdict=reject",
            "verdict=any",
            "verdict!=keep",
            "reason=guard_cut",
        ] {
            assert!(takes(text, &sample), "{text}");
        }
        assert!(!takes("verdict=keep", &sample) && !takes("reason=echo", &sample));
    }

    #[test]
    fn what_keeps_nothing_says_why() {
        let sample = support();
        let why = |text: &str| {
            let mut sieve = Sieve::new(Where::parse(text, &MoreColumns::default()).unwrap());
            sieve.takes(&Facts {
                sample: &sample,
                demo: false,
                review: None,
                judged: None,
            });
            sieve.why_none()
        };
        assert_eq!(why("page=returns"), None);
        assert_eq!(
            why("tone=annoyed,page=retuns").unwrap(),
            ("page=retuns".into(), "page is: returns".into())
        );
        let (which, what) = why("turns>5").unwrap();
        assert_eq!((which.as_str(), what.as_str()), ("turns>5", "turns is: 2"));
    }
}
