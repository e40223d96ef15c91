//! Plans of all variants: what is in them, that nothing is lost, in which order it comes; and the laws of runs that follow them.

use std::collections::{BTreeMap, BTreeSet};

use super::fake::{Fake, exported, manifest, session, spec};
use super::{End, Plan, RunState, Slot, Sources, VariantCounts};
use crate::record::{Query, Style, Tone};
use crate::rng::Stream;
use crate::settings::{RunSpec, Stage};

const ALL: &str = "[plan]\nvariants = 'all'\n[customer]\ntone = { neutral = 1, cheerful = 1, annoyed = 1 }\n\
                   style = { plain = 1, colloquial = 1, non_native = 1, typos = 1 }\n";

/// Questions spread over pages, the first ones with two products each as long as products last.
fn sources(pages: usize, queries: usize, mut products: usize) -> Sources {
    let mut sources = Sources::default();
    for n in 0..queries {
        let page = format!("page-{:02}", n * n % pages);
        let id = format!("{page}/{n}");
        let fits = ["camera", "laptop"].into_iter().take(products.min(2));
        let fits: Vec<String> = fits.map(str::to_owned).collect();
        products -= fits.len();
        sources.products.insert(id.clone(), fits);
        sources
            .queries
            .entry(page.clone())
            .or_default()
            .push(Query {
                id,
                page,
                text: format!("Question {n}?"),
                tone: None,
                style: None,
            });
    }
    sources
}

/// What makes a place one of its kind: the question and what is done to it.
fn variant(slot: &Slot) -> (String, usize, Option<String>, Tone, Style) {
    let place = slot.support().unwrap();
    let cell = &place.cell;
    (
        cell.page.clone(),
        place.query.unwrap(),
        cell.product.clone(),
        cell.tone,
        cell.style,
    )
}

#[test]
fn the_numbers_are_those_of_stages_that_keep_their_input() {
    let spec = spec(ALL);
    let sources = sources(53, 715, 588);
    let plan = Plan::all(&spec, &sources);
    assert_eq!(
        plan.variants(),
        Some(VariantCounts {
            queries: 715,
            with_products: 1_303,
            with_tones: 3_909,
            places: 15_636,
        })
    );
    assert_eq!((plan.length(u64::MAX), plan.length(40)), (15_636, 40));
    let slots: Vec<Slot> = plan.collect();
    assert_eq!(slots.len(), 15_636);
    // Every variant once: what is expected is counted out here, without the plan.
    let mut expected = BTreeSet::new();
    for (page, queries) in &sources.queries {
        for (n, query) in queries.iter().enumerate() {
            let fits = sources.products[&query.id].iter().cloned().map(Some);
            for product in std::iter::once(None).chain(fits) {
                for tone in [Tone::Neutral, Tone::Cheerful, Tone::Annoyed] {
                    for style in [
                        Style::Plain,
                        Style::Colloquial,
                        Style::NonNative,
                        Style::Typos,
                    ] {
                        expected.insert((page.clone(), n, product.clone(), tone, style));
                    }
                }
            }
        }
    }
    let found: BTreeSet<_> = slots.iter().map(variant).collect();
    assert_eq!(found, expected);
    // A customer has what the place says, or else something.
    for slot in &slots {
        let place = slot.support().unwrap();
        let own = place.cell.product.as_ref();
        assert!(own.is_none_or(|product| *product == place.case.item));
        assert!(!place.case.item.is_empty());
        assert_eq!(
            place.cell.first_language.is_some(),
            place.cell.style == Style::NonNative
        );
    }
}

/// The source tone and style are there whether the recipe names them or not.
#[test]
fn the_source_is_kept() {
    let spec =
        spec("[plan]\nvariants = 'all'\n[customer]\ntone = { angry = 1 }\nstyle = { rude = 1 }\n");
    let slots: Vec<Slot> = Plan::all(&spec, &sources(2, 3, 1)).collect();
    assert_eq!(slots.len(), 4 * 2 * 2);
    let seen: BTreeSet<_> = slots
        .iter()
        .map(variant)
        .map(|(.., tone, style)| (tone, style))
        .collect();
    assert_eq!(
        seen,
        BTreeSet::from([
            (Tone::Neutral, Style::Plain),
            (Tone::Neutral, Style::Rude),
            (Tone::Angry, Style::Plain),
            (Tone::Angry, Style::Rude),
        ])
    );
}

/// How far any prefix strays from the shares of the whole, at most, in places: of single values and of tone with style.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn worst(slots: &[Slot]) -> BTreeMap<&'static str, f64> {
    let values = |slot: &Slot| {
        let (page, _, product, tone, style) = variant(slot);
        let outcome = slot.support().unwrap().cell.outcome;
        [
            ("page", page),
            ("tone", tone.to_string()),
            ("style", style.to_string()),
            ("tone and style", format!("{tone} {style}")),
            ("outcome", outcome.to_string()),
            ("product", product.map_or("none", |_| "one").to_owned()),
        ]
    };
    let mut whole: BTreeMap<(&str, String), f64> = BTreeMap::new();
    for value in slots.iter().flat_map(values) {
        *whole.entry(value).or_default() += 1.0;
    }
    let mut seen: BTreeMap<(&str, String), f64> = BTreeMap::new();
    let mut worst = BTreeMap::new();
    for (slot, n) in slots.iter().zip(1..) {
        for value in values(slot) {
            *seen.entry(value).or_default() += 1.0;
        }
        for (value, count) in &whole {
            let share = count / slots.len() as f64;
            let strays = (seen.get(value).unwrap_or(&0.0) - f64::from(n) * share).abs();
            let worst = worst.entry(value.0).or_insert(0.0);
            *worst = strays.max(*worst);
        }
    }
    worst
}

#[test]
fn every_prefix_is_balanced() {
    for (pages, queries, products) in [(24, 150, 130), (5, 23, 9), (1, 6, 6)] {
        let spec = spec(ALL);
        let slots: Vec<Slot> = Plan::all(&spec, &sources(pages, queries, products)).collect();
        let worst = worst(&slots);
        println!("{pages} {queries} {products}: {worst:?}");
        assert!(worst["page"] < 1.0, "{worst:?}");
        // Less than one off the recipe's share, and so is the whole.
        assert!(worst["outcome"] < 2.0, "{worst:?}");
        assert!(worst["tone"] < 2.5 && worst["style"] < 2.5, "{worst:?}");
        assert!(worst["tone and style"] < 3.0, "{worst:?}");
        // Questions come in an order of their own, which says nothing of products.
        assert!(worst["product"] < 60.0, "{worst:?}");
    }
}

#[test]
fn a_question_that_says_its_manner_is_in_no_other() {
    let spec = spec(ALL);
    let mut sources = sources(3, 9, 4);
    let mut all = sources.queries.values_mut().flatten();
    let (first, second) = (all.next().unwrap(), all.next().unwrap());
    first.tone = Some(Tone::Angry);
    second.style = Some(Style::Rude);
    let (own, other) = (first.id.clone(), second.id.clone());
    let items = |id: &str| 1 + sources.products[id].len() as u64;
    let (with_tone, with_style) = (items(&own), items(&other));
    let plan = Plan::all(&spec, &sources);
    let counts = plan.variants().unwrap();
    let rest = counts.with_products - with_tone - with_style;
    assert_eq!(counts.places, rest * 12 + with_tone * 4 + with_style * 3);
    let slots: Vec<Slot> = plan.collect();
    assert_eq!(slots.len() as u64, counts.places);
    for slot in &slots {
        let (page, n, _, tone, style) = variant(slot);
        let id = &sources.queries[&page][n].id;
        assert_eq!(tone == Tone::Angry, *id == own);
        assert_eq!(style == Style::Rude, *id == other);
    }
}

/// Without questions there are no places, and that is no panic.
#[test]
fn nothing_comes_of_nothing() {
    let mut empty = Sources::default();
    empty.queries.insert("page".into(), Vec::new());
    for sources in [Sources::default(), empty] {
        let mut plan = Plan::all(&spec(ALL), &sources);
        assert_eq!((plan.length(9), plan.next()), (0, None));
    }
}

fn small() -> RunSpec {
    spec(
        "max_attempts = 3\n[plan]\nvariants = 'all'\n[customer]\ntone = { neutral = 1, angry = 1 }\nstyle = { plain = 1, typos = 1 }\n",
    )
}

fn undisturbed(spec: &RunSpec) -> (String, u64) {
    let runs = tempfile::tempdir().unwrap();
    let (dir, end) = session(runs.path(), spec, &Fake::default(), 1).unwrap();
    assert_eq!(end, End::Complete);
    let replay = dir.replay().unwrap();
    (exported(&dir), dir.count(&replay).unwrap())
}

#[test]
fn concurrency_and_phases_change_nothing() {
    let spec = small();
    let (alone, count) = undisturbed(&spec);
    // Three pages have two questions each.
    assert!(count >= 24 && count.is_multiple_of(4), "{count}");
    for concurrency in [2, 5, 64] {
        let runs = tempfile::tempdir().unwrap();
        let fake = Fake::restless(concurrency as u64);
        let (dir, _) = session(runs.path(), &spec, &fake, concurrency).unwrap();
        assert_eq!(exported(&dir), alone, "{concurrency} at once");
        assert!(fake.again.borrow().is_empty());
        let status = dir.status(&dir.replay().unwrap());
        assert_eq!(
            (status.state, status.count, status.open),
            (RunState::Complete, Some(count), Some(0))
        );
        assert_eq!(status.queries_with_products, Some(6));
    }
    let fake = Fake {
        phases: true,
        ..Fake::restless(3)
    };
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &fake, 8).unwrap();
    assert_eq!(exported(&dir), alone);
    assert_eq!(
        *fake.begun.borrow(),
        [Stage::Queries, Stage::Products, Stage::Conversations]
    );
}

#[test]
fn interrupted_and_resumed_is_undisturbed() {
    let spec = small();
    let (alone, _) = undisturbed(&spec);
    for step in [1, 4, 31] {
        let runs = tempfile::tempdir().unwrap();
        let shared = Fake::default();
        let mut sessions = 0;
        let dir = loop {
            let fake = Fake {
                restless: sessions,
                stop_after: Some(step),
                cancel: super::Cancel::default(),
                calls: std::rc::Rc::default(),
                ..shared.clone()
            };
            let (dir, end) = session(runs.path(), &spec, &fake, 4).unwrap();
            sessions += 1;
            assert!(sessions < 1000);
            let replay = dir.replay().unwrap();
            if replay.products.len() < 6 {
                let status = dir.status(&replay);
                assert_eq!((status.count, status.open), (None, None));
                assert_eq!(status.state, RunState::Partial);
            }
            if end == End::Complete {
                break dir;
            }
            assert_eq!(end, End::Interrupted);
        };
        assert!(sessions > 3);
        assert_eq!(exported(&dir), alone, "stopped every {step} calls");
        assert!(shared.again.borrow().is_empty(), "{:?}", shared.again);
    }
}

/// Cut anywhere among the products, the run ends the same.
#[test]
fn a_crash_among_the_products_changes_nothing() {
    let spec = small();
    let (alone, _) = undisturbed(&spec);
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &Fake::restless(1), 3).unwrap();
    let path = dir.journal_path();
    let whole = std::fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&whole);
    let (first, last) = (
        text.find("\"products\":{").unwrap(),
        text.rfind("\"products\":{").unwrap(),
    );
    let draw = Stream::root(3);
    for n in 0..12 {
        let at = first + draw.below(n, last - first);
        std::fs::write(&path, &whole[..at]).unwrap();
        let (dir, end) = session(runs.path(), &spec, &Fake::restless(n), 5).unwrap();
        assert_eq!((end, exported(&dir)), (End::Complete, alone.clone()));
    }
}

#[test]
fn a_count_is_a_prefix_and_may_grow() {
    let spec = small();
    let (alone, count) = undisturbed(&spec);
    let runs = tempfile::tempdir().unwrap();
    let few = RunSpec {
        count: 7,
        ..spec.clone()
    };
    let (dir, end) = session(runs.path(), &few, &Fake::restless(1), 4).unwrap();
    assert_eq!(end, End::Complete);
    assert!(alone.starts_with(&exported(&dir)) && !exported(&dir).is_empty());
    let limited = RunSpec {
        limit: Some(11),
        ..spec.clone()
    };
    let (dir, end) = session(runs.path(), &limited, &Fake::restless(2), 4).unwrap();
    assert_eq!(end, End::Limit);
    assert_eq!(dir.status(&dir.replay().unwrap()).count, Some(count));
    let more = RunSpec {
        count: count + 9,
        ..spec
    };
    let (dir, end) = session(runs.path(), &more, &Fake::restless(2), 4).unwrap();
    assert_eq!((end, exported(&dir)), (End::Complete, alone));
}

/// What fits depends on the products and on who is asked; what is the same is taken over.
#[test]
fn products_are_a_stage_of_their_own() {
    let spec = small();
    let runs = tempfile::tempdir().unwrap();
    let (old, _) = session(runs.path(), &spec, &Fake::restless(1), 4).unwrap();
    let mut changed = spec.clone();
    changed.customer.typos_per_turn += 1;
    let fake = Fake::restless(2);
    let (new, _) = session(runs.path(), &changed, &fake, 4).unwrap();
    assert_ne!(old.path(), new.path());
    let asked = fake.asked.borrow();
    let replay = old.replay().unwrap();
    // What failed is tried again.
    let failed = replay.products.values().filter(|of| of.problem.is_some());
    let failed: Vec<String> = failed.map(|of| format!("p/{}/0", of.query)).collect();
    let early = asked.iter().filter(|key| !key.starts_with("c/"));
    assert_eq!(early.cloned().collect::<Vec<_>>(), failed);
    let mut other = spec.clone();
    other.customer.product = crate::settings::Shares::new(vec![("kettle".into(), 1.0)]).unwrap();
    let fingerprint = |spec: &RunSpec, stage| manifest(spec).fingerprint(stage).to_owned();
    for (stage, same) in [
        (Stage::Queries, true),
        (Stage::Products, false),
        (Stage::Conversations, false),
    ] {
        assert_eq!(
            fingerprint(&spec, stage) == fingerprint(&other, stage),
            same
        );
    }
    let mut again = spec.clone();
    again.redo.insert(Stage::Products, 1);
    assert_eq!(manifest(&spec).changed_keys(&manifest(&again)), ["redo"]);
    // In a plan by shares there is no such stage.
    assert!(
        !manifest(&super::fake::spec(""))
            .stages
            .contains_key(&Stage::Products)
    );
}
