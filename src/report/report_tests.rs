use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::import;
use crate::record::{GuardHit, GuardKind, Outcome, Rejected, Sample, Verdict};

/// A corpus of conversations as files of others have them.
fn corpus(conversations: &[Vec<&str>]) -> Material {
    let mut text = String::new();
    for (at, turns) in conversations.iter().enumerate() {
        let turn = |(nth, text): (usize, &&str)| {
            let role = ["user", "assistant"][nth % 2];
            serde_json::json!({ "role": role, "content": text })
        };
        let messages: Vec<_> = turns.iter().enumerate().map(turn).collect();
        let tone = ["angry", "neutral"][at % 2];
        let outcome = Outcome::ALL[at % 2].name();
        let row =
            serde_json::json!({ "id": at, "messages": messages, "tone": tone, "outcome": outcome });
        let _ = writeln!(text, "{row}");
    }
    let found = import::read_from(text.as_bytes(), Path::new("c.jsonl"), None).unwrap();
    let samples = found.samples;
    Material {
        source: Source {
            name: "c.jsonl".into(),
            conversations: samples.len(),
            turns: samples.iter().map(|sample| sample.turns.len()).sum(),
            ..Source::default()
        },
        files: vec![Part {
            name: "c.jsonl".into(),
            format: found.format,
            samples: 0..samples.len(),
        }],
        samples,
        ..Material::default()
    }
}

fn value(report: &Report, key: &str) -> Option<f64> {
    let mut metrics = report.sections.iter().flat_map(|section| &section.metrics);
    metrics.find(|metric| metric.key == key).unwrap().value
}

fn is(report: &Report, key: &str, expected: f64) {
    let found = value(report, key).unwrap();
    assert!((found - expected).abs() < 1e-9, "{key}: {found}");
}

#[test]
fn shape_by_hand() {
    let material = corpus(&[
        vec!["one two", "one two three four", "five"],
        vec!["one", "don't"],
        vec!["a b c", "a b c d e"],
    ]);
    let report = Report::of(&material, &Context::plain(1));
    is(&report, "shape.conversations", 3.0);
    is(&report, "shape.turns", 7.0 / 3.0);
    is(&report, "shape.words", 17.0 / 7.0);
    is(&report, "shape.customer.turns", 4.0 / 3.0);
    is(&report, "shape.customer.words", 7.0 / 4.0);
    is(&report, "shape.agent.words", 10.0 / 3.0);
    is(&report, "shape.resolved", 2.0 / 3.0);
    let shape = &report.sections[0];
    assert!(
        shape
            .metrics
            .iter()
            .all(|metric| metric.key != "shape.customer.tokens")
    );
    assert_eq!(shape.charts[0].labels, ["0", "1", "2", "3"]);
    assert_eq!(shape.charts[0].series[0].values, [0.0, 0.0, 2.0, 1.0]);
    let tones = &shape.tables[0];
    assert_eq!(tones.title, "By tone");
    assert_eq!(
        tones.rows[0],
        [
            "angry", "2", "66.7 %", "2.5", "3.0", "100.0 %", "0.0 %", "0.0 %"
        ]
    );
    assert!(
        report.headline.text.starts_with("Poor: 3 conversations")
            || report.headline.text.starts_with("Worth a look: 3")
    );
    assert!(
        report
            .headline
            .points
            .iter()
            .any(|point| point.text.starts_with("only 3"))
    );
}

#[test]
fn far_outliers_are_named_and_leave_the_bins_alone() {
    let mut conversations: Vec<Vec<&str>> = (0..120).map(|at| vec!["hello"; 3 + at % 2]).collect();
    conversations.push(vec!["again"; 101]);
    let report = Report::of(&corpus(&conversations), &Context::plain(1));
    let shape = &report.sections[0];
    assert_eq!(shape.charts[0].labels.last().unwrap(), "4+");
    let outliers = shape.tables.last().unwrap();
    assert_eq!(outliers.rows, [["120", "101", "101"]]);
    assert!(
        outliers
            .title
            .starts_with("Outliers: 1 of more than 7.0 turns"),
        "{}",
        outliers.title
    );
}

/// Twenty places, angry and neutral by turns, of which the neutral ones were turned down once, and two of these for good.
fn made() -> Material {
    let texts: Vec<Vec<&str>> = (0..20).map(|_| vec!["hello there", "hello"]).collect();
    let mut material = corpus(&texts);
    let mut making = Making {
        places: 20,
        ..Making::default()
    };
    let tones = making.planned.entry("tone").or_default();
    tones.insert("angry".into(), 10);
    tones.insert("neutral".into(), 10);
    let mut samples: Vec<Sample> = Vec::new();
    for (at, sample) in std::mem::take(&mut material.samples)
        .into_iter()
        .enumerate()
    {
        if at % 2 == 0 {
            samples.push(sample);
            making.kept_at.push(Some(0));
            continue;
        }
        let mut bad = sample.clone();
        bad.id = format!("{at}/0");
        bad.verdict = Verdict::Reject {
            reason: "repetition".into(),
            detail: "hello".into(),
        };
        bad.turns[0].rejected.push(Rejected {
            text: "no".into(),
            hit: GuardHit {
                kind: GuardKind::RoleLeak,
                detail: "no".into(),
            },
        });
        samples.push(bad);
        if at < 5 {
            making.kept_at.push(None);
            making.empty.push(("neutral".into(), "repetition".into()));
            making.failed.push(FailedAttempt {
                id: format!("{at}/1"),
                reason: "context".into(),
            });
        } else {
            making.kept_at.push(Some(1));
            samples.push(sample);
        }
    }
    material.source.conversations = samples.iter().filter(|sample| sample.is_kept()).count();
    material.samples = samples;
    material.making = Some(making);
    material.files.clear();
    material
}

#[test]
fn what_it_took_by_hand() {
    let report = Report::of(&made(), &Context::plain(1));
    is(&report, "coverage.empty", 2.0);
    is(&report, "making.attempts", 30.0);
    is(&report, "making.kept", 18.0 / 30.0);
    is(&report, "making.first", 0.5);
    is(&report, "making.guard_hits", 10.0 / 56.0);
    // 10 of 18 are angry.
    is(&report, "coverage.furthest", 10.0 / 18.0 - 0.5);
    let reasons: Vec<(&str, usize)> = report
        .rejects
        .iter()
        .map(|one| (one.reason.as_str(), one.count))
        .collect();
    assert_eq!(reasons, [("repetition", 10), ("context", 2)]);
    assert_eq!(report.rejects[0].samples.len(), 5);
    assert_eq!(report.rejects[0].samples[0], ("1/0".into(), "hello".into()));
    let told: Vec<&str> = report
        .headline
        .points
        .iter()
        .map(|point| point.text.as_str())
        .collect();
    assert!(
        told.contains(&"40.0 % of all attempts were turned down or failed, most for: repetition"),
        "{told:?}"
    );
    // Ten of eighteen may be chance.
    assert!(
        told.iter().all(|text| !text.contains("of the plan")),
        "{told:?}"
    );
}

#[test]
fn quotas_that_are_missed_are_told() {
    let mut material = made();
    let making = material.making.as_mut().unwrap();
    let tones = making.planned.get_mut("tone").unwrap();
    tones.insert("neutral".into(), 90);
    let report = Report::of(&material, &Context::plain(1));
    let point = report
        .headline
        .points
        .iter()
        .find(|point| point.text.starts_with("tone"));
    let point = point.unwrap();
    assert_eq!(point.level, Level::Poor);
    assert_eq!(
        point.text,
        "tone angry: 10.0 % of the plan, 55.6 % of what is kept, and 1 more values are off"
    );
    assert_eq!(report.headline.level, Level::Poor);
}

#[test]
fn nothing_is_a_report_too() {
    let report = Report::of(&Material::default(), &Context::plain(2));
    assert_eq!(report.headline.level, Level::Poor);
    assert!(
        report.headline.points[0]
            .text
            .starts_with("nothing is kept")
    );
    assert_eq!(value(&report, "shape.turns"), None);
}

#[test]
fn a_difference_is_sure_or_not() {
    let some = |words: &'static str| {
        let texts: Vec<Vec<&str>> = (0..40)
            .map(|at| {
                if at % 3 == 0 {
                    vec!["hi", words]
                } else {
                    vec!["hi there", words, "thanks"]
                }
            })
            .collect();
        Report::of(&corpus(&texts), &Context::plain(1))
    };
    let (short, long) = (
        some("yes it is"),
        some("yes it is and it was and it will be"),
    );
    let found = short.clone().against(&long);
    let section = &found.sections[0];
    let row = |title: &str| {
        let mut rows = section.tables[0].rows.iter();
        rows.find(|row| row[0] == title).unwrap().clone()
    };
    assert_eq!(row("agent: words a turn")[1..4], ["3.00", "10.0", "−7.00"]);
    assert_eq!(row("agent: words a turn")[5], "lower here");
    assert_eq!(row("customer: words a turn")[5], "may be chance");
    assert_eq!(value(&found, "shape.agent.words"), Some(3.0));
    assert!(
        found
            .headline
            .points
            .iter()
            .any(|point| point.text.contains("here, "))
    );
    let same = long.clone().against(&long);
    assert_eq!(value(&same, "comparison.differ"), Some(0.0));
    assert_eq!(same.against.unwrap().name, "c.jsonl");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Threads change nothing, and a report is what its file says.
    #[test]
    fn the_same_report_however_it_is_made(
        texts in prop::collection::vec(prop::collection::vec("[a-d ]{0,24}[a-z]", 1..7), 1..14),
        threads in 2usize..9,
    ) {
        let texts: Vec<Vec<&str>> = texts.iter().map(|turns| turns.iter().map(String::as_str).collect()).collect();
        let material = corpus(&texts);
        let report = Report::of(&material, &Context::plain(1));
        let json = serde_json::to_string(&report).unwrap();
        let again = Report::of(&material, &Context::plain(threads));
        prop_assert_eq!(&serde_json::to_string(&again).unwrap(), &json);
        let read: Report = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
        prop_assert_eq!(read, report);
    }
}
