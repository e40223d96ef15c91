use std::collections::BTreeMap;

use super::figure::{Reading, shown};
use super::texts::estimate;
use super::{Context, Metric, Section, Table, Unit};
use crate::record::{Sample, Support, Why};

/// What backs the agents' sentences, where that was looked at; none where no turn says so.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of sentences")]
pub fn grounding(samples: &[&Sample], context: &Context<'_>) -> Option<Section> {
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    // Supported, unsupported, no claim.
    let counts: Vec<[usize; 3]> = samples
        .iter()
        .map(|sample| {
            let mut counts = [0; 3];
            for link in sample.turns.iter().flat_map(|turn| &turn.links) {
                counts[match &link.verdict {
                    Support::Supported { .. } => 0,
                    Support::Unsupported { why } => {
                        *missing.entry(kind_of(why)).or_default() += 1;
                        1
                    }
                    Support::NoClaim => 2,
                }] += 1;
            }
            counts
        })
        .collect();
    if counts
        .iter()
        .all(|counts| counts.iter().sum::<usize>() == 0)
    {
        return None;
    }
    let of = |key: &str, title: &str, part: fn(&[usize; 3]) -> (usize, usize), reading: Reading| {
        let parts: Vec<(f64, f64)> = counts
            .iter()
            .map(part)
            .map(|(some, all)| (some as f64, all as f64))
            .collect();
        let (value, interval) = estimate(&parts, context.draw.child(key), context);
        let sums = counts
            .iter()
            .map(part)
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        Metric::new(key, title, Unit::Share, value)
            .within(interval)
            .note(format!("{} of {} sentences", sums.0, sums.1))
            .read(reading)
    };
    let metrics = vec![
        of(
            "grounding.supported",
            "Claims that the page backs",
            |[yes, no, _]| (*yes, yes + no),
            Reading {
                measures: "Of the agents' sentences that claim something about the shop, the share that a place on the help page backs.",
                way: "What is not backed is invented, or says more than the page does; whoever trains on it learns to invent.",
                ..Reading::NONE
            },
        ),
        of(
            "grounding.claims",
            "Sentences that claim something",
            |[yes, no, none]| (yes + no, yes + no + none),
            Reading {
                measures: "The share of the agents' sentences that claim something about the shop; the others greet, ask, feel or offer.",
                way: "Few claims make a high share of backed ones cheap: an agent who says nothing says nothing wrong.",
                ..Reading::NONE
            },
        ),
    ];
    let all: usize = missing.values().sum();
    let mut rows: Vec<(&str, usize)> = missing.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let table = Table {
        title: "What claims without backing have wrong".into(),
        columns: vec!["kind".into(), "sentences".into(), "share".into()],
        rows: rows
            .into_iter()
            .map(|(kind, count)| {
                let share = count as f64 / all as f64;
                vec![
                    kind.to_owned(),
                    count.to_string(),
                    shown(share, Unit::Share),
                ]
            })
            .collect(),
    };
    Some(Section {
        key: "grounding".into(),
        title: "Backing".into(),
        about: "Whether what agents claim stands on the help page that they were shown, sentence by sentence, by rule.".into(),
        metrics,
        charts: Vec::new(),
        tables: if table.rows.is_empty() { Vec::new() } else { vec![table] },
    })
}

fn kind_of(why: &Why) -> &'static str {
    match why {
        Why::Number(_) => "a number that the page does not give for this",
        Why::Limit(_) => "a limit turned round",
        Why::Denial(_) => "yes for no, or no for yes",
        Why::Name(_) => "a name, code or address from elsewhere",
        Why::Word(_) => "a day, channel, product or quantity that the page does not have here",
        Why::Condition(_) => "a condition that the page does not make",
        Why::Deed(_) => "a deed that an agent cannot have done",
        Why::Elsewhere(_) => "too little of it is on the page",
    }
}
