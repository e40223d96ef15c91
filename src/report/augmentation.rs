use std::collections::BTreeMap;

use super::figure::{Reading, shown};
use super::texts::estimate;
use super::{Context, Metric, Section, Table, Unit};
use crate::metrics::words;
use crate::record::{Sample, Utterance};

/// What rules and rewrites changed, where they changed anything; none where no record says so.
#[must_use]
pub fn augmentation(samples: &[&Sample], context: &Context<'_>) -> Option<Section> {
    let turns = || samples.iter().flat_map(|sample| &sample.turns);
    let touched = turns().any(|turn| turn.edits > 0 || turn.restyled.is_some());
    let rewritten = samples.iter().any(|sample| !sample.rewrites.is_empty());
    if !touched && !rewritten {
        return None;
    }
    let of = |key: &str, title: &str, part: &dyn Fn(&Sample) -> (f64, f64), reading: Reading| {
        let parts: Vec<(f64, f64)> = samples.iter().map(|sample| part(sample)).collect();
        let (value, interval) = estimate(&parts, context.draw.child(key), context);
        Metric::new(key, title, Unit::Share, value)
            .within(interval)
            .read(reading)
    };
    let sum = |sample: &Sample, of: fn(&Utterance) -> (f64, f64)| {
        let parts = sample.turns.iter().map(of);
        parts.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    let mut metrics = Vec::new();
    if touched {
        metrics.push(of(
            "augmentation.edit_rate",
            "Words changed by rule",
            &|sample| sum(sample, edited),
            Reading {
                measures: "Of the words of turns that rule engines changed, the share that they changed.",
                way: "It should follow the dial of the style: a few in a hundred for typing mistakes, more for other manners.",
                ..Reading::NONE
            },
        ));
        metrics.push(of(
            "augmentation.edited_turns",
            "Turns changed by rule",
            &|sample| sum(sample, |turn| (flag(turn.edits > 0), 1.0)),
            Reading {
                measures: "The share of all turns in which rule engines changed a word.",
                way: "Only customers whose style needs it are changed, so it follows the plan's shares of styles.",
                ..Reading::NONE
            },
        ));
        metrics.push(of(
            "augmentation.restyled",
            "Turns given their style back",
            &|sample| sum(sample, |turn| (flag(turn.restyled.is_some()), 1.0)),
            Reading {
                measures: "The share of all turns that had lost their customer's style and were given it back by rule.",
                way: "The more, the less the model holds a style by itself.",
                ..Reading::NONE
            },
        ));
    }
    if rewritten {
        metrics.push(of(
            "augmentation.rewritten",
            "Conversations that open with a rewrite",
            &|sample| (flag(sample.rewrites.iter().any(|step| step.edits > 0)), 1.0),
            Reading {
                measures: "The share of conversations whose question was rewritten for a product, a tone or a style.",
                way: "It follows the plan.",
                ..Reading::NONE
            },
        ));
        metrics.push(
            of(
                "augmentation.facts_kept",
                "Rewrites that kept the facts",
                &|sample| {
                    let kept = sample.rewrites.iter().filter(|step| step.left.is_none());
                    let refused = sample.rewrites.iter().map(|step| step.refused.len());
                    let (kept, refused) = (count(kept.count()), count(refused.sum()));
                    (kept, kept + refused)
                },
                Reading {
                    measures: "Of the rewrites that the model tried, the share that kept every number, name, product and intent.",
                    way: "The others were turned down and are in no conversation; a low share costs time, not quality.",
                    ..Reading::NONE
                },
            )
            .note("what was accepted passed the same check by rule"),
        );
    }
    Some(Section {
        key: "augmentation".into(),
        title: "Styles and rewrites".into(),
        about:
            "What rules and rewrites changed after a model wrote, and whether facts came through."
                .into(),
        metrics,
        charts: Vec::new(),
        tables: by_style(samples).into_iter().collect(),
    })
}

/// Words changed and words, of a turn that was changed.
fn edited(turn: &Utterance) -> (f64, f64) {
    if turn.edits == 0 {
        return (0.0, 0.0);
    }
    // Edits that join or part words may be more than are left.
    let all = count(words(&turn.text).count());
    (f64::from(turn.edits).min(all), all)
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[expect(clippy::cast_precision_loss, reason = "counts of turns and words")]
fn count(n: usize) -> f64 {
    n as f64
}

/// The same by style, where records name it.
fn by_style(samples: &[&Sample]) -> Option<Table> {
    #[derive(Default)]
    struct Row {
        turns: usize,
        edited: usize,
        restyled: usize,
        changed: f64,
        words: f64,
    }
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for sample in samples {
        let Some(style) = sample.fields.get("style") else {
            continue;
        };
        let row = rows.entry(style).or_default();
        for turn in &sample.turns {
            let (changed, words) = edited(turn);
            row.turns += 1;
            row.edited += usize::from(turn.edits > 0);
            row.restyled += usize::from(turn.restyled.is_some());
            row.changed += changed;
            row.words += words;
        }
    }
    let share = |some: f64, all: f64| {
        if all > 0.0 {
            shown(some / all, Unit::Share)
        } else {
            "–".to_owned()
        }
    };
    (!rows.is_empty()).then(|| Table {
        title: "By style".into(),
        columns: [
            "style",
            "turns",
            "changed by rule",
            "words changed in those",
            "given back",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows
            .into_iter()
            .map(|(style, row)| {
                vec![
                    style.to_owned(),
                    row.turns.to_string(),
                    share(count(row.edited), count(row.turns)),
                    share(row.changed, row.words),
                    share(count(row.restyled), count(row.turns)),
                ]
            })
            .collect(),
    })
}
