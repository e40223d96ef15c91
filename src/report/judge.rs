//! What a judge model made of a corpus, and whether it can be listened to.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Metric, Section, Table, Unit};
use crate::metrics::bootstrap::{Interval, mean, mean_interval};
use crate::record::{Aspect, Judgements, Score};
use crate::rng::Stream;

/// Of the intervals.
const LEVEL: f64 = 0.95;

/// How a judge does in an aspect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AspectFigures {
    pub aspect: String,
    /// Conversations that were judged in it.
    pub conversations: usize,
    /// From 1 to 5.
    pub mean: f64,
    /// 95 %, by bootstrap over conversations.
    pub interval: Option<Interval>,
    /// Mean share of the judge's replies that are one of the five digits.
    pub mass: f64,
    /// None where no conversation has a control.
    pub control: Option<ControlFigures>,
}

/// The negative controls of an aspect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ControlFigures {
    /// Conversations that have one.
    pub conversations: usize,
    /// Mean of the controls, from 1 to 5.
    pub mean: f64,
    /// Mean of these conversations' own scores less that of their controls.
    pub gap: f64,
    /// Of the gap; 95 %, by bootstrap over conversations.
    pub interval: Option<Interval>,
}

/// What a gap says of a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It scores conversations above their controls.
    Apart,
    /// No difference beyond chance.
    Nothing,
    /// It scores the controls above.
    Backwards,
}

impl Telling {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Apart => "yes",
            Self::Nothing => "no",
            Self::Backwards => "the wrong way round",
        }
    }
}

impl ControlFigures {
    /// Whether the judge tells conversations and controls apart; not where their number is too small for an interval.
    #[must_use]
    pub fn telling(&self) -> Telling {
        match self.interval {
            Some(Interval { low, .. }) if low > 0.0 && self.conversations > 1 => Telling::Apart,
            Some(Interval { high, .. }) if high < 0.0 && self.conversations > 1 => {
                Telling::Backwards
            }
            _ => Telling::Nothing,
        }
    }
}

/// The figures of every aspect that was judged, in the order of [`Aspect::ALL`].
#[must_use]
pub fn figures(judgements: &Judgements) -> Vec<AspectFigures> {
    let names: BTreeSet<&String> = judgements
        .by_id
        .values()
        .flat_map(|judgement| judgement.scores.keys())
        .collect();
    let known = Aspect::ALL.iter().map(|aspect| aspect.name().to_owned());
    let known = known.filter(|name| names.contains(name));
    known.filter_map(|name| of(judgements, name)).collect()
}

fn of(judgements: &Judgements, aspect: String) -> Option<AspectFigures> {
    let scores: Vec<&Score> = judgements
        .by_id
        .values()
        .filter_map(|judgement| judgement.scores.get(&aspect))
        .collect();
    let draw = Stream::root(0).child("judge").child(&aspect);
    let values: Vec<f64> = scores.iter().map(|score| score.value).collect();
    let pairs: Vec<(f64, f64)> = scores
        .iter()
        .filter_map(|score| Some((score.value, score.control.as_ref()?.value)))
        .collect();
    let gaps: Vec<f64> = pairs.iter().map(|(own, control)| own - control).collect();
    let control = mean(gaps.iter().copied()).and_then(|gap| {
        Some(ControlFigures {
            conversations: gaps.len(),
            mean: mean(pairs.iter().map(|(_, control)| *control))?,
            gap,
            interval: mean_interval(&gaps, LEVEL, draw.child("gap")),
        })
    });
    Some(AspectFigures {
        conversations: values.len(),
        mean: mean(values.iter().copied())?,
        interval: mean_interval(&values, LEVEL, draw.child("mean")),
        mass: mean(scores.iter().map(|score| score.mass))?,
        control,
        aspect,
    })
}

/// The section `judge` of a report on these conversations; none where none of them was judged.
#[must_use]
pub fn section(judgements: &Judgements, ids: &BTreeSet<&str>) -> Option<Section> {
    let mut judgements = judgements.clone();
    judgements.by_id.retain(|id, _| ids.contains(id.as_str()));
    let figures = figures(&judgements);
    if figures.is_empty() {
        return None;
    }
    let mut about = format!(
        "What the model {} answers about {} conversations, from 1 (not at all) to 5 (entirely), each answer the mean of the five digits in proportion to their probabilities. \
         The control is the same question about another conversation's topic, people, tone or page, or about lines mixed with another's; the gap is how far the conversations' own scores lie above it. \
         A judge that has no gap does not know what it says.",
        judgements.model,
        judgements.by_id.len()
    );
    if judgements.demo {
        about.push_str(
            " This is the demo model, which was never trained to judge: its scores mean nothing.",
        );
    }
    Some(Section {
        key: "judge".into(),
        title: "Judge".into(),
        about,
        metrics: figures.iter().map(metric).collect(),
        charts: Vec::new(),
        tables: vec![table(&figures)],
    })
}

/// Aspects by row, figures by column.
#[must_use]
pub fn table(figures: &[AspectFigures]) -> Table {
    let columns = [
        "aspect",
        "judged",
        "mean",
        "95 %",
        "control",
        "gap",
        "95 %",
        "tells apart",
        "digits",
    ];
    let number = |value: f64| format!("{value:.2}");
    let range = |interval: Option<Interval>| {
        interval.map_or_else(dash, |Interval { low, high }| {
            format!("{} to {}", number(low), number(high))
        })
    };
    let row = |one: &AspectFigures| {
        let control = one.control.as_ref();
        vec![
            one.aspect.replace('_', " "),
            one.conversations.to_string(),
            number(one.mean),
            range(one.interval),
            control.map_or_else(dash, |control| number(control.mean)),
            control.map_or_else(dash, |control| number(control.gap)),
            range(control.and_then(|control| control.interval)),
            control.map_or_else(dash, |control| control.telling().words().to_owned()),
            format!("{:.0} %", 100.0 * one.mass),
        ]
    };
    Table {
        title: "Scores and controls by aspect".into(),
        columns: columns.map(str::to_owned).into(),
        rows: figures.iter().map(row).collect(),
    }
}

fn dash() -> String {
    "–".to_owned()
}

fn metric(figures: &AspectFigures) -> Metric {
    let name = figures.aspect.replace('_', " ");
    let reading = match &figures.control {
        None => "No controls: there was no other conversation to take them from, so nobody knows whether the judge would say the same of anything.".to_owned(),
        Some(control) => {
            let apart = match control.telling() {
                Telling::Apart => "the judge tells them apart",
                Telling::Nothing => "the judge does not tell them apart, so its scores mean nothing here",
                Telling::Backwards => {
                    "the judge has them the wrong way round, so its scores mean nothing here"
                }
            };
            format!(
                "{:.2} against {:.2} for the controls: {apart}.",
                figures.mean, control.mean
            )
        }
    };
    let note = (figures.mass < 0.5).then(|| {
        format!(
            "The judge answers with a digit in {:.0} % of its replies only: it may not have understood the question.",
            100.0 * figures.mass
        )
    });
    Metric {
        key: format!("judge.{}", figures.aspect),
        title: format!("Judged {name}"),
        value: Some(figures.mean),
        unit: Unit::Number,
        interval: figures.interval,
        band: None,
        against: None,
        reading,
        note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Control, Judgement};
    use std::collections::BTreeMap;

    fn judged(pairs: &[(f64, Option<f64>)]) -> Judgements {
        let by_id = pairs.iter().enumerate().map(|(n, (value, control))| {
            let id = format!("c/{n}/0");
            let score = Score {
                value: *value,
                mass: 0.9,
                lines: Vec::new(),
                control: control.map(|value| Control {
                    with: "c/9/0".into(),
                    value,
                    mass: 0.9,
                }),
            };
            let judgement = Judgement {
                id: id.clone(),
                scores: BTreeMap::from([("speech_style".to_owned(), score)]),
                ..Judgement::default()
            };
            (id, judgement)
        });
        Judgements {
            model: "m".into(),
            demo: false,
            by_id: by_id.collect(),
        }
    }

    fn whole(judgements: &Judgements) -> Section {
        let ids = judgements.by_id.keys().map(String::as_str).collect();
        section(judgements, &ids).unwrap()
    }

    #[test]
    fn conversations_that_are_not_looked_at_do_not_count() {
        let judgements = judged(&[(4.0, None), (2.0, None)]);
        let one = section(&judgements, &BTreeSet::from(["c/1/0"])).unwrap();
        assert_eq!(one.metrics[0].value, Some(2.0));
        assert_eq!(section(&judgements, &BTreeSet::from(["c/7/0"])), None);
    }

    fn control(pairs: &[(f64, Option<f64>)]) -> ControlFigures {
        figures(&judged(pairs)).remove(0).control.unwrap()
    }

    #[test]
    fn a_judge_that_says_the_same_of_everything_has_no_gap() {
        let same = control(&[(4.5, Some(4.5)); 12]);
        assert!(same.gap.abs() < 1e-12 && same.telling() == Telling::Nothing);
        // Nor does one whose answers differ by chance alone.
        let chance = control(&[
            (4.0, Some(3.0)),
            (3.0, Some(4.0)),
            (4.5, Some(3.5)),
            (3.5, Some(4.5)),
        ]);
        assert!(chance.gap.abs() < 1e-12 && chance.telling() == Telling::Nothing);
        let section = whole(&judged(&[(4.5, Some(4.5)); 12]));
        assert!(
            section.metrics[0]
                .reading
                .contains("does not tell them apart")
        );
        assert_eq!(section.tables[0].rows[0][7], "no");
    }

    #[test]
    fn gaps_are_those_of_the_conversations_that_have_controls() {
        let some = control(&[
            (5.0, Some(1.0)),
            (4.0, Some(2.0)),
            (4.5, Some(1.5)),
            (1.0, None),
        ]);
        assert_eq!(some.conversations, 3);
        assert!((some.gap - 3.0).abs() < 1e-12 && (some.mean - 1.5).abs() < 1e-12);
        assert_eq!(some.telling(), Telling::Apart);
        let turned = control(&[(1.0, Some(5.0)), (2.0, Some(4.0)), (1.5, Some(4.5))]);
        assert_eq!(turned.telling(), Telling::Backwards);
        // One conversation tells nothing, whatever it says.
        assert_eq!(control(&[(5.0, Some(1.0))]).telling(), Telling::Nothing);
    }

    #[test]
    fn without_controls_that_is_said() {
        let section = whole(&judged(&[(4.0, None)]));
        assert!(section.metrics[0].reading.starts_with("No controls"));
        assert_eq!(section.tables[0].rows[0][4], "–");
        assert_eq!(section.metrics[0].key, "judge.speech_style");
        assert_eq!(
            section.tables[0].columns.len(),
            section.tables[0].rows[0].len()
        );
    }
}
