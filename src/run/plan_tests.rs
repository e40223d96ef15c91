use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::plan::{Plan, Slot, query_of, second_query_of};
use crate::record::{Cause, Cell, Cooperation, Outcome, Style};
use crate::settings::{Environment, Overrides, RecipeText, RunSpec, resolve};

fn spec(extra: &str) -> RunSpec {
    let recipe = RecipeText::from_file(Path::new("mine.toml"), format!("model = 'm'\n{extra}"));
    resolve(
        &recipe,
        &Overrides::default(),
        &Environment::from_lookup(|_| None),
    )
    .unwrap()
    .spec
}

fn pages(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("page-{n:03}")).collect()
}

/// The values of a slot, by axis.
fn values(slot: &Slot) -> [String; 6] {
    let cell = &slot.support().unwrap().cell;
    [
        cell.page.clone(),
        cell.tone.to_string(),
        cell.style.to_string(),
        cell.product.clone().unwrap(),
        cell.outcome.to_string(),
        cell.cooperation.to_string(),
    ]
}

/// Exact shares by axis and value.
fn shares(spec: &RunSpec, pages: &[String]) -> Vec<BTreeMap<String, f64>> {
    let json = serde_json::to_value(spec).unwrap();
    let table = |path: &str| -> BTreeMap<String, f64> {
        serde_json::from_value(json.pointer(path).unwrap().clone()).unwrap()
    };
    let even = pages.iter().map(|page| (page.clone(), 1.0)).collect();
    let mut tables = vec![
        even,
        table("/customer/tone"),
        table("/customer/style"),
        table("/customer/product"),
        table("/plan/outcome"),
        table("/customer/cooperation"),
    ];
    for table in &mut tables {
        let sum: f64 = table.values().sum();
        for share in table.values_mut() {
            *share /= sum;
        }
    }
    tables
}

/// The largest distance from exact over all prefixes: of any axis' value, and of any pair.
fn worst(slots: &[Slot], shares: &[BTreeMap<String, f64>]) -> (f64, f64) {
    let mut single = vec![BTreeMap::<String, f64>::new(); 6];
    let mut pair = BTreeMap::<(usize, usize, String, String), f64>::new();
    let (mut worst_single, mut worst_pair) = (0f64, 0f64);
    for (slot, n) in slots.iter().zip(1..) {
        let at = values(slot);
        for a in 0..6 {
            *single[a].entry(at[a].clone()).or_default() += 1.0;
            for b in a + 1..6 {
                *pair
                    .entry((a, b, at[a].clone(), at[b].clone()))
                    .or_default() += 1.0;
            }
        }
        for a in 0..6 {
            for (value, share) in &shares[a] {
                worst_single = worst_single
                    .max((single[a].get(value).unwrap_or(&0.0) - f64::from(n) * share).abs());
            }
        }
        if n % 16 == 0 {
            for a in 0..6 {
                for b in a + 1..6 {
                    for (x, s) in &shares[a] {
                        for (y, t) in &shares[b] {
                            let seen = pair.get(&(a, b, x.clone(), y.clone())).unwrap_or(&0.0);
                            worst_pair = worst_pair.max((seen - f64::from(n) * s * t).abs());
                        }
                    }
                }
            }
        }
    }
    (worst_single, worst_pair)
}

/// The joint shares of two axes, and the largest distance from them over all prefixes.
fn worst_joint(slots: &[Slot], shares: &[BTreeMap<String, f64>], a: usize, b: usize) -> f64 {
    let mut seen = BTreeMap::<(String, String), f64>::new();
    let mut worst = 0f64;
    for (slot, n) in slots.iter().zip(1..) {
        let at = values(slot);
        *seen.entry((at[a].clone(), at[b].clone())).or_default() += 1.0;
        for (x, s) in &shares[a] {
            for (y, t) in &shares[b] {
                let seen = seen.get(&(x.clone(), y.clone())).unwrap_or(&0.0);
                worst = worst.max((seen - f64::from(n) * s * t).abs());
            }
        }
    }
    worst
}

#[test]
fn the_default_plan_is_balanced_at_every_moment() {
    let spec = spec("");
    let pages = pages(24);
    let slots = Plan::new(&spec, &pages).slots(1200);
    let (single, pair) = worst(&slots, &shares(&spec, &pages));
    assert!(single < 1.0, "{single}");
    assert!(pair < 3.0, "{pair}");
}

/// Of causes among the places planned unresolved: the largest distance from exact over all prefixes, and how many of each
/// there are beside each page.
fn causes(slots: &[Slot]) -> (f64, BTreeMap<(String, String), u32>) {
    let shares = [
        ("page_lacks_it", 0.4),
        ("policy_refuses", 0.4),
        ("customer_gives_up", 0.2),
    ];
    let (mut seen, mut met) = (BTreeMap::<String, f64>::new(), BTreeMap::new());
    let (mut worst, mut places) = (0f64, 0.0);
    for cell in slots.iter().map(|slot| &slot.support().unwrap().cell) {
        assert_eq!(cell.cause.is_some(), cell.outcome == Outcome::Unresolved);
        let Some(cause) = cell.cause else { continue };
        *seen.entry(cause.to_string()).or_default() += 1.0;
        *met.entry((cell.page.clone(), cause.to_string()))
            .or_default() += 1;
        places += 1.0;
        for (cause, share) in shares {
            worst = worst.max((seen.get(cause).unwrap_or(&0.0) - places * share).abs());
        }
    }
    (worst, met)
}

#[test]
fn causes_have_their_shares_among_the_unresolved_at_every_moment() {
    let slots = Plan::new(&spec(""), &pages(6)).slots(600);
    let (worst, met) = causes(&slots);
    assert!(worst < 1.0, "{worst}");
    // 20 places of each page are to end unresolved: 8, 8 and 4 of them by each cause.
    assert_eq!(met.len(), 18);
    for ((page, cause), count) in met {
        let even = if cause == "customer_gives_up" {
            4u32
        } else {
            8
        };
        assert!(even.abs_diff(count) <= 2, "{page} {cause} {count}");
    }
    let none = spec("plan.outcome = { RESOLVED = 1 }");
    let slots = Plan::new(&none, &pages(6)).slots(60);
    assert!(causes(&slots).1.is_empty());
}

/// Runs from before there were these axes are read as they were planned.
#[test]
fn plans_without_cooperation_and_cause_still_load() {
    let mut json = serde_json::to_value(spec("")).unwrap();
    json["customer"]
        .as_object_mut()
        .unwrap()
        .remove("cooperation");
    json["plan"].as_object_mut().unwrap().remove("cause");
    let spec: RunSpec = serde_json::from_value(json).unwrap();
    for slot in Plan::new(&spec, &pages(3)).slots(60) {
        let cell = &slot.support().unwrap().cell;
        assert_eq!(cell.cooperation, Cooperation::Forthcoming);
        assert!(cell.cause.is_none_or(|cause| cause == Cause::PolicyRefuses));
        let mut json = serde_json::to_value(cell).unwrap();
        json.as_object_mut().unwrap().remove("cooperation");
        json.as_object_mut().unwrap().remove("cause");
        let old: Cell = serde_json::from_value(json).unwrap();
        let cause = None;
        assert_eq!(
            old,
            Cell {
                cause,
                ..cell.clone()
            }
        );
    }
}

#[test]
fn second_questions_have_their_share_and_differ_from_the_first() {
    for (share, key) in [(0.0, "0"), (0.3, "0.3"), (1.0, "1.0")] {
        let spec = spec(&format!("customer.second_question = {key}"));
        let mut seen = 0.0;
        for (slot, n) in Plan::new(&spec, &pages(5)).slots(200).iter().zip(1..) {
            let place = slot.support().unwrap();
            seen += f64::from(u8::from(place.second_question));
            assert!(
                (seen - f64::from(n) * share).abs() < 1.0,
                "{share} {n} {seen}"
            );
        }
    }
    for page_use in 0..40 {
        for queries in 2..5 {
            let first = query_of(7, "returns", page_use, queries);
            let second = second_query_of(7, "returns", page_use, queries);
            assert!(second.is_some_and(|second| second != first && second < queries));
        }
        assert_eq!(second_query_of(7, "returns", page_use, 1), None);
    }
}

#[test]
fn crossed_axes_are_exact_together() {
    let spec = spec("plan.cross = ['tone', 'style']");
    let pages = pages(9);
    let slots = Plan::new(&spec, &pages).slots(600);
    let shares = shares(&spec, &pages);
    let joint = worst_joint(&slots, &shares, 1, 2);
    assert!(joint < 1.0, "{joint}");
    let (single, _) = worst(&slots, &shares);
    assert!(single < 2.0, "{single}");
    let spec = self::spec("plan.cross = ['style', 'cooperation']");
    let slots = Plan::new(&spec, &pages).slots(600);
    let joint = worst_joint(&slots, &shares, 2, 5);
    assert!(joint < 1.0, "{joint}");
}

#[test]
fn a_longer_plan_begins_with_the_shorter_one() {
    let spec = spec("");
    let long = Plan::new(&spec, &pages(24)).slots(300);
    let mut backwards = pages(24);
    backwards.reverse();
    assert_eq!(Plan::new(&spec, &backwards).slots(77), long[..77]);
    assert!(long.iter().zip(0..).all(|(slot, n)| slot.index == n));
    let mut uses = BTreeMap::<&str, u64>::new();
    for slot in &long {
        let place = slot.support().unwrap();
        let next = uses.entry(&place.cell.page).or_default();
        assert_eq!(place.page_use, *next);
        *next += 1;
        assert_eq!(Some(&place.case.item), place.cell.product.as_ref());
    }
}

#[test]
fn another_seed_makes_another_plan() {
    let seed = |seed: u64| Plan::new(&spec(&format!("seed = {seed}")), &pages(24)).slots(24);
    assert_ne!(seed(1), seed(2));
}

#[test]
fn queries_of_a_page_take_turns() {
    for round in 0..3u64 {
        let mut asked: Vec<usize> = (0..7)
            .map(|n| query_of(7, "returns", round * 7 + n, 7))
            .collect();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 2, 3, 4, 5, 6]);
    }
    let order = |page: &str, round: u64| {
        (0..7)
            .map(|n| query_of(7, page, round * 7 + n, 7))
            .collect::<Vec<_>>()
    };
    assert_ne!(order("returns", 0), order("returns", 1));
    assert_ne!(order("returns", 0), order("warranty", 0));
}

#[test]
fn twenty_thousand_places_take_no_time() {
    let started = std::time::Instant::now();
    assert_eq!(Plan::new(&spec(""), &pages(53)).slots(20_000).len(), 20_000);
    // 0.1 s on one quiet core; the bound leaves room for a busy one.
    assert!(
        started.elapsed().as_secs_f64() < 2.0,
        "{:?}",
        started.elapsed()
    );
}

fn table(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(1u32..1000, names.len()).prop_map(|shares| {
        let entries: Vec<String> = names
            .iter()
            .zip(shares)
            .map(|(name, share)| format!("{name} = {}", f64::from(share) / 100.0))
            .collect();
        format!("{{ {} }}", entries.join(", "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The laws hold whatever the shares are.
    #[test]
    fn any_shares_are_kept_at_every_moment(
        tone in table(&["cheerful", "neutral", "annoyed", "angry"]), style in table(&["plain", "formal", "typos"]),
        outcome in table(&["RESOLVED", "UNRESOLVED"]), count in 1usize..12, seed in 0u64..1000,
    ) {
        let spec = spec(&format!("seed = {seed}\ncustomer.tone = {tone}\ncustomer.style = {style}\nplan.outcome = {outcome}\ncustomer.product = {{ kettle = 1, lamp = 2 }}"));
        let pages = pages(count);
        let slots = Plan::new(&spec, &pages).slots(160);
        let (single, pair) = worst(&slots, &shares(&spec, &pages));
        prop_assert!(single < 1.0 + 1e-6, "{}", single);
        prop_assert!(pair < 5.0, "{}", pair);
    }
}

#[test]
fn first_languages_are_shared_among_those_who_have_one() {
    let spec = spec(
        "[customer]\nstyle = { plain = 2, non_native = 1 }\nfirst_language = { polish = 2, hindi = 1 }",
    );
    let slots = Plan::new(&spec, &pages(5)).slots(300);
    let mut seen = BTreeMap::<&str, f64>::new();
    for slot in &slots {
        let cell = &slot.support().unwrap().cell;
        assert_eq!(
            cell.first_language.is_some(),
            cell.style == Style::NonNative
        );
        if let Some(language) = cell.first_language {
            *seen.entry(language.name()).or_default() += 1.0;
            let polish = seen.get("polish").copied().unwrap_or(0.0);
            let all: f64 = seen.values().sum();
            assert!((polish - all * 2.0 / 3.0).abs() < 1.0, "{seen:?}");
        }
    }
    assert_eq!(seen.len(), 2);
}
