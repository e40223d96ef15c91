//! How well rewrites that kept their meaning are told from those that changed it; the figures show with `--nocapture`.
//!
//! Every third pair of lines was left unread while the rules were made: `held out`. `fresh` was written after them.

use std::collections::BTreeMap;

use serde::Deserialize;

use colloquy::augment::verify::{Edits, Kind, Refusal, Rewrite, verify};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    /// Only where a file has several.
    #[serde(default)]
    kind: String,
    before: String,
    after: String,
    /// The tone, the formality, or the product that was asked for.
    #[serde(default)]
    to: String,
    kept: bool,
    why: String,
}

impl Pair {
    fn verdict(&self, kind: &str) -> Result<Edits, Refusal> {
        let kind = match kind {
            "typos" => Kind::Typos,
            "non_native" => Kind::NonNative,
            "colloquial" => Kind::Colloquial,
            "tone" => Kind::Tone,
            "formality" => Kind::Formality,
            _ => Kind::Product(&self.to),
        };
        verify(Rewrite {
            kind,
            before: &self.before,
            after: &self.after,
            products: &[],
            protected: &[],
        })
    }

    /// Whether the verdict is right. A product that does not fit is refused by the model's own word.
    fn is_right(&self, kind: &str) -> bool {
        match self.verdict(kind) {
            Err(Refusal::NoProductFits) => self.kept,
            verdict => verdict.is_ok() == self.kept,
        }
    }
}

const SETS: &[(&str, &str)] = &[
    ("typos", include_str!("rewrites/typos.jsonl")),
    ("non_native", include_str!("rewrites/non_native.jsonl")),
    ("colloquial", include_str!("rewrites/colloquial.jsonl")),
    ("tone", include_str!("rewrites/tone.jsonl")),
    ("formality", include_str!("rewrites/formality.jsonl")),
    ("product", include_str!("rewrites/product.jsonl")),
];

/// Right and all, of changed and of kept pairs.
#[derive(Default)]
struct Count {
    caught: [usize; 2],
    passed: [usize; 2],
}

impl Count {
    fn add(&mut self, kept: bool, right: bool) {
        let count = if kept {
            &mut self.passed
        } else {
            &mut self.caught
        };
        count[0] += usize::from(right);
        count[1] += 1;
    }

    fn caught(&self) -> f64 {
        share(self.caught)
    }

    fn false_alarms(&self) -> f64 {
        1.0 - share(self.passed)
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures of a test")]
fn share([part, whole]: [usize; 2]) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn read(json: &str) -> Vec<Pair> {
    json.lines()
        .map(|line| serde_json::from_str(line).expect("a pair a line"))
        .collect()
}

#[test]
fn changed_rewrites_are_refused_and_kept_ones_pass() {
    println!(
        "{:<11} {:>22} {:>22} {:>22}",
        "", "all", "tuned on", "held out"
    );
    let show = std::env::var("SHOW_MISTAKES").unwrap_or_default();
    let mut failures = Vec::new();
    for (kind, json) in SETS {
        let pairs = read(json);
        let (mut all, mut tuned, mut held) = (Count::default(), Count::default(), Count::default());
        for (line, pair) in pairs.iter().enumerate() {
            let right = pair.is_right(kind);
            all.add(pair.kept, right);
            let is_held = (line / 2) % 3 == 2;
            if is_held { &mut held } else { &mut tuned }.add(pair.kept, right);
            if !right && show == *kind && !is_held {
                let said = pair
                    .verdict(kind)
                    .err()
                    .map_or("passed".to_owned(), |refusal| {
                        format!("{}: {refusal}", refusal.name())
                    });
                println!(
                    "    {} | {} → {} | {said} | {}",
                    line + 1,
                    pair.before,
                    pair.after,
                    pair.why
                );
            }
        }
        assert_eq!((all.caught[1], all.passed[1]), (100, 100), "{kind}");
        let figures = |count: &Count| {
            format!(
                "caught {:.2} false {:.2}",
                count.caught(),
                count.false_alarms()
            )
        };
        println!(
            "{kind:<11} {:>22} {:>22} {:>22}",
            figures(&all),
            figures(&tuned),
            figures(&held)
        );
        if all.caught() < 0.9 || all.false_alarms() > 0.1 {
            failures.push(*kind);
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

/// Refusals say which of the things went wrong, in the plain cases.
#[test]
fn refusals_name_what_went_wrong() {
    let mut reasons: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for (kind, json) in SETS {
        for pair in read(json).iter().filter(|pair| !pair.kept) {
            if let Err(refusal) = pair.verdict(kind) {
                assert!(!refusal.to_string().is_empty());
                *reasons
                    .entry(pair.why.clone())
                    .or_default()
                    .entry(refusal.name())
                    .or_default() += 1;
            }
        }
    }
    for (why, names) in [
        ("id altered", "fact"),
        ("amount altered", "fact"),
        ("number changed", "fact"),
        ("meta talk", "meta_talk"),
    ] {
        let found = &reasons[why];
        let named = found.get(names).copied().unwrap_or(0);
        assert!(
            named * 10 >= found.values().sum::<usize>() * 9,
            "{why}: {found:?}"
        );
    }
    println!("{reasons:#?}");
}

/// Sixty pairs of other questions, written when the rules were done and not used to change them.
#[test]
fn pairs_the_rules_were_not_made_with() {
    let show = std::env::var("SHOW_MISTAKES").unwrap_or_default() == "fresh";
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut all = Count::default();
    for pair in read(include_str!("rewrites/fresh.jsonl")) {
        let right = pair.is_right(&pair.kind);
        counts
            .entry(pair.kind.clone())
            .or_default()
            .add(pair.kept, right);
        all.add(pair.kept, right);
        if show && !right {
            println!(
                "    {} → {}: {:?}",
                pair.before,
                pair.after,
                pair.verdict(&pair.kind)
            );
        }
    }
    counts.insert("all".to_owned(), all);
    for (kind, count) in &counts {
        println!(
            "fresh {kind:<11} caught {:?} passed {:?}",
            count.caught, count.passed
        );
    }
    let all = &counts["all"];
    assert!(
        all.caught() >= 0.85 && all.false_alarms() <= 0.25,
        "{:.2} {:.2}",
        all.caught(),
        all.false_alarms()
    );
}
