#![expect(clippy::cast_precision_loss, reason = "shares and figures of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::*;
use crate::knowledge::passages::bag;
use crate::knowledge::{Format, parse};
use crate::record::Case;

/// The kinds of planted sentences; each has a file.
const KINDS: [&str; 6] = [
    "supported",
    "altered",
    "negated",
    "wrong_page",
    "invented",
    "no_claim",
];

/// A sentence of `tests/grounding`: what an agent might say in a conversation about the page.
#[derive(Deserialize)]
struct Planted {
    page: String,
    #[serde(default)]
    customer: String,
    text: String,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(id: &str) -> Page {
    let text = fs::read_to_string(repository().join(format!("prompts/pages/{id}.md"))).unwrap();
    parse(id, Format::Markdown, &text)
}

fn planted(kind: &str) -> Vec<Planted> {
    let text =
        fs::read_to_string(repository().join(format!("tests/grounding/{kind}.jsonl"))).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn case() -> Case {
    Case {
        name: "Ada".to_owned(),
        item: "kettle".to_owned(),
        order_id: "LK-48213".to_owned(),
        order_date: "3 May".to_owned(),
        price: "£49".to_owned(),
    }
}

fn told(customer: &str) -> Told {
    let mut told = Told::new("Larkmoor", "Alex", &case());
    told.hear(customer);
    told
}

fn all(page: &Page) -> Vec<usize> {
    (0..page.paragraphs.len()).collect()
}

/// The worst that any sentence of a reply gets.
fn verdict(page: &Page, grounds: &Grounds, told: &Told, text: &str) -> Support {
    let links = grounds.examine(&all(page), told, text).links;
    let worst = |support: &Support| match support {
        Support::Unsupported { .. } => 2,
        Support::Supported { .. } => 1,
        Support::NoClaim => 0,
    };
    links
        .into_iter()
        .map(|link| link.verdict)
        .max_by_key(worst)
        .unwrap()
}

/// Shares of one kind among the lines that rules were tuned on, and among every third, which was held out.
#[derive(Clone, Copy, Default)]
struct Shares {
    /// Supported, unsupported, no claim.
    verdicts: [[usize; 3]; 2],
}

impl Shares {
    fn percent(&self, held: usize, verdict: usize) -> f64 {
        let all: usize = self.verdicts[held].iter().sum();
        100.0 * self.verdicts[held][verdict] as f64 / all as f64
    }
}

/// Percentages of sentences that BM25 alone flags, with the threshold on its best score that does best at the bar: the
/// smallest share of altered, negated and wrong-page sentences flagged, while at most 10 % of the supported ones are.
fn bm25_alone(lines: &BTreeMap<&str, Vec<f64>>) -> BTreeMap<&'static str, f64> {
    let flagged = |kind: &str, limit: f64| {
        let scores = &lines[kind];
        100.0 * scores.iter().filter(|score| **score < limit).count() as f64 / scores.len() as f64
    };
    let worst = |limit: f64| {
        ["altered", "negated", "wrong_page"]
            .map(|kind| flagged(kind, limit))
            .into_iter()
            .fold(100.0, f64::min)
    };
    let best = lines
        .values()
        .flatten()
        .copied()
        .filter(|limit| flagged("supported", *limit) <= 10.0)
        .max_by(|a, b| worst(*a).total_cmp(&worst(*b)))
        .unwrap_or(0.0);
    KINDS
        .iter()
        .map(|kind| (*kind, flagged(kind, best)))
        .collect()
}

/// The share of altered, negated and wrong-page sentences to flag, and of supported ones to flag at most.
const BAR: (f64, f64) = (90.0, 10.0);

#[test]
fn planted_sentences_meet_the_bar_and_bm25_alone_does_not() {
    let mut pages: BTreeMap<String, (Page, Grounds, Bm25<String>)> = BTreeMap::new();
    let mut shares: BTreeMap<&str, Shares> = BTreeMap::new();
    let mut scores: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for kind in KINDS {
        for (index, line) in planted(kind).into_iter().enumerate() {
            let (page, grounds, bm25) = pages.entry(line.page.clone()).or_insert_with(|| {
                let page = shipped(&line.page);
                let grounds = Grounds::of(&page);
                let bags: Vec<_> = page
                    .paragraphs
                    .iter()
                    .flat_map(|paragraph| {
                        sentences(&paragraph.text)
                            .into_iter()
                            .map(|at| bag(&paragraph.text[at]))
                    })
                    .collect();
                (page, grounds, Bm25::of(&bags))
            });
            let support = verdict(page, grounds, &told(&line.customer), &line.text);
            let held = usize::from(index % 3 == 2);
            let verdict = match &support {
                Support::Supported { .. } => 0,
                Support::Unsupported { .. } => 1,
                Support::NoClaim => 2,
            };
            shares.entry(kind).or_default().verdicts[held][verdict] += 1;
            scores.entry(kind).or_default().push(
                bm25.scores(bag(&line.text).keys())
                    .into_iter()
                    .fold(0.0, f64::max),
            );
            let wanted = match kind {
                "supported" => 0,
                "no_claim" => 2,
                _ => 1,
            };
            if verdict != wanted && held == 0 {
                println!("{kind}, {}: {} -> {support:?}", line.page, line.text);
            }
        }
    }
    let alone = bm25_alone(&scores);
    println!("unsupported, % of  tuning  held out  BM25 alone");
    for kind in KINDS {
        let share = shares[kind];
        println!(
            "{kind:<16} {:>8.1} {:>9.1} {:>11.1}",
            share.percent(0, 1),
            share.percent(1, 1),
            alone[kind]
        );
    }
    for held in [0, 1] {
        for kind in ["altered", "negated", "wrong_page"] {
            assert!(
                shares[kind].percent(held, 1) >= BAR.0,
                "{kind}, held out {held}"
            );
        }
        assert!(
            shares["supported"].percent(held, 1) <= BAR.1,
            "supported, held out {held}"
        );
        assert!(
            shares["no_claim"].percent(held, 2) >= 90.0,
            "no claim, held out {held}"
        );
        assert!(
            shares["invented"].percent(held, 1) >= 85.0,
            "invented, held out {held}"
        );
    }
    assert!(
        ["altered", "negated", "wrong_page"]
            .iter()
            .any(|kind| alone[kind] < BAR.0),
        "BM25 alone: {alone:?}"
    );
}

#[test]
fn a_link_names_the_place_on_the_page() {
    let page = shipped("returns");
    let grounds = Grounds::of(&page);
    let reply =
        "Hi Ada! You have thirty days from delivery to send most things back. Shall I explain how?";
    let links = grounds
        .examine(&all(&page), &told("how long do I have?"), reply)
        .links;
    assert_eq!(links.len(), 3);
    assert_eq!(
        (&links[0].verdict, &links[2].verdict),
        (&Support::NoClaim, &Support::NoClaim)
    );
    let Support::Supported { paragraph, span } = &links[1].verdict else {
        panic!("{links:?}");
    };
    assert!(
        page.paragraphs[*paragraph].text[span.clone()]
            .starts_with("You can return most items within 30 days")
    );
    // What the agent did not see backs nothing.
    let unseen: Vec<usize> = all(&page)
        .into_iter()
        .filter(|index| index != paragraph)
        .collect();
    let links = grounds.examine(&unseen, &told(""), reply).links;
    assert!(
        matches!(links[1].verdict, Support::Unsupported { .. }),
        "{links:?}"
    );
    assert!(
        grounds
            .examine(&[], &told(""), reply)
            .links
            .iter()
            .all(|link| !matches!(link.verdict, Support::Supported { .. }))
    );
    assert!(grounds.examine(&[999], &told(""), "").links.is_empty());
}

#[test]
fn what_the_customer_said_is_no_claim_and_confirming_it_is_one() {
    let page = shipped("returns");
    let grounds = Grounds::of(&page);
    let heard =
        told("I have had my kettle for 45 days, order LK-48213, can I return it within 45 days?");
    for (reply, supported) in [
        (
            "Your order LK-48213 is too old, as the limit is 30 days and you have had it for 45 days.",
            true,
        ),
        ("Yes, you can return it within 45 days.", false),
        ("I have refunded your order.", false),
        ("Your order LK-99999 can be returned within 30 days.", false),
    ] {
        let found = verdict(&page, &grounds, &heard, reply);
        assert_eq!(
            !matches!(found, Support::Unsupported { .. }),
            supported,
            "{reply}: {found:?}"
        );
    }
}

#[test]
fn limits_are_not_turned_round() {
    let returns = (shipped("returns"), "returns");
    let delivery = (shipped("delivery"), "delivery");
    for ((page, _), reply, supported) in [
        (
            &returns,
            "The receipt should be kept for at least six weeks.",
            true,
        ),
        (
            &returns,
            "The receipt should be kept for at most six weeks.",
            false,
        ),
        (
            &returns,
            "It must not have run for more than five hours.",
            true,
        ),
        (
            &returns,
            "It must have run for more than five hours.",
            false,
        ),
        (
            &delivery,
            "Parcels worth more than £150 can be left in a safe place.",
            false,
        ),
    ] {
        let found = verdict(page, &Grounds::of(page), &told(""), reply);
        assert_eq!(
            matches!(found, Support::Supported { .. }),
            supported,
            "{reply}: {found:?}"
        );
    }
}

#[test]
fn the_guard_knows_the_page_the_case_and_the_customer() {
    let page = shipped("returns");
    let grounds = Grounds::of(&page);
    let heard = told("i bought it 34 days ago");
    let found = |reply: &str| -> Vec<String> {
        grounds
            .examine(&all(&page), &heard, reply)
            .not_backed
            .into_iter()
            .map(|not_backed| reply[not_backed.span].to_owned())
            .collect()
    };
    assert_eq!(
        found("The limit is thirty days, and 34 days is too late, Ada."),
        [""; 0]
    );
    assert_eq!(
        found("Your order LK-48213 of 3 May for £49 is past it."),
        [""; 0]
    );
    assert_eq!(found("You have 45 days. It costs £3.95."), ["45 days"]);
    assert_eq!(
        found("Write to us about LK-11111, we give a discount of 12 %."),
        ["LK-11111", "discount", "12 %"]
    );
    assert_eq!(found("One or two things first, feel free to ask."), [""; 0]);
}

#[test]
fn numbers_are_read_with_unit_and_limit() {
    use super::quantity::{Bound, Measure};
    for (text, measure, value, bound) in [
        (
            "within 30 days",
            Measure::Minutes,
            30.0 * 1440.0,
            Bound::AtMost,
        ),
        (
            "thirty days or more",
            Measure::Minutes,
            30.0 * 1440.0,
            Bound::AtLeast,
        ),
        ("a fortnight", Measure::Minutes, 14.0 * 1440.0, Bound::None),
        (
            "within a week",
            Measure::Minutes,
            7.0 * 1440.0,
            Bound::AtMost,
        ),
        ("half an hour", Measure::Minutes, 30.0, Bound::None),
        ("one month", Measure::Months, 1.0, Bound::None),
        ("for a year and a half", Measure::Months, 18.0, Bound::None),
        (
            "no more than 5 working days",
            Measure::WorkingDays,
            5.0,
            Bound::AtMost,
        ),
        ("£1,250.50", Measure::Money('£'), 125_050.0, Bound::None),
        (
            "four pounds ninety-five",
            Measure::Money('£'),
            495.0,
            Bound::None,
        ),
        ("7p", Measure::Money('£'), 7.0, Bound::None),
        ("over 20kg", Measure::Grams, 20_000.0, Bound::AtLeast),
        ("15 per cent", Measure::Percent, 15.0, Bound::None),
        ("by 4 p.m.", Measure::Clock, 960.0, Bound::AtMost),
        ("until 16:30", Measure::Clock, 990.0, Bound::AtMost),
        ("half past eight", Measure::HalfClock, 510.0, Bound::None),
        (
            "a hundred and fifty parcels",
            Measure::Count,
            150.0,
            Bound::None,
        ),
        ("on 3 May", Measure::Date, 503.0, Bound::None),
        ("on May 3rd", Measure::Date, 503.0, Bound::None),
    ] {
        let reading = Reading::of(&format!("it is {text}"));
        let [quantity] = reading.quantities.as_slice() else {
            panic!("{text}: {:?}", reading.quantities);
        };
        assert_eq!(
            (quantity.measure, quantity.bound),
            (measure, bound),
            "{text}"
        );
        assert!(
            (quantity.value as f64 - value * 1000.0).abs() < 1.0,
            "{text}: {}",
            quantity.value
        );
    }
    for text in [
        "one of our engineers",
        "£5.99 a month is what it costs",
        "two-factor",
    ] {
        assert!(Reading::of(text).quantities.len() <= 1, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "([a-z£%.,:;!?' ’“0-9@é-]{0,6}( no| not| within| 30| days| pm|£5|RF-1| half| past| a| hundred| send| back|\n){0,2}){0,12}") {
        let page = shipped("returns");
        let grounds = Grounds::of(&page);
        let heard = told(&text);
        for link in grounds.examine(&all(&page), &heard, &text).links {
            proptest::prop_assert!(text.get(link.sentence).is_some());
        }
        for not_backed in grounds.examine(&all(&page), &told(""), &text).not_backed {
            proptest::prop_assert!(text.get(not_backed.span).is_some_and(|words| !words.is_empty()));
        }
        let odd = parse("odd", Format::Text, &text);
        proptest::prop_assert_eq!(Grounds::of(&odd).examine(&all(&odd), &heard, "You have 30 days.").links.len(), 1);
    }
}
