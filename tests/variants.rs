//! Plans of all variants, on the command line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::collections::{BTreeMap, BTreeSet};

use program::Place;
use serde_json::Value;

const QUESTIONS: &str = "\
{\"page\": \"returns\", \"query\": \"How long can I keep it before it goes back?\"}
{\"page\": \"returns\", \"query\": \"Can a camera be returned after 45 days?\"}
{\"page\": \"delivery\", \"query\": \"When does it come to my door?\"}
{\"title\": \"delivery\", \"customer_queries\": [\"where is it i want it now\"], \"tone\": \"angry\", \"style\": \"colloquial\"}
";

/// Three tones and three styles with those that are always there.
const RECIPE: &str = "\
name = 'all'\nmodel = 'scripted'\n[pages]\ndir = 'shipped'\n[queries]\nfrom = 'q.jsonl'\n\
[customer]\ntone = { cheerful = 1, annoyed = 1 }\nstyle = { rude = 1, typos = 1 }\nproduct = { laptop = 3, kettle = 1 }\n\
[plan]\nvariants = 'all'\nkeep_only_planned_outcome = false\n";

fn place() -> Place {
    let place = Place::new();
    place.write("q.jsonl", QUESTIONS);
    place.write("all.toml", RECIPE);
    place
}

fn word<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("-")
}

#[test]
fn every_variant_is_made_once() {
    for first in ["own_words", "query"] {
        let place = place();
        let opens = format!("customer.first_message={first}");
        let made = place.ok(&["generate", "all.toml", "--set", &opens, "--json"]);
        let run = place.only_run("runs");
        let chats = place.ok(&["show", &run, "--json"]).json_lines();
        // Which products fit which question, from the chats themselves.
        let mut products: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for chat in &chats {
            let query = word(chat, "/query_id");
            let product = word(chat, "/cell/product");
            products.entry(query).or_default().insert(product);
            let (tone, style) = (word(chat, "/cell/tone"), word(chat, "/cell/style"));
            assert!(seen.insert((query, product, tone, style)), "twice: {chat}");
            let own = query == "q/3";
            assert_eq!((tone == "angry", style == "colloquial"), (own, own));
        }
        assert_eq!(products.len(), 4);
        assert!(products.values().all(|of| of.contains("-")), "{products:?}");
        assert_eq!(products["q/1"].len(), 1, "it is about the camera already");
        assert!(products.values().any(|of| of.len() > 1), "{products:?}");
        let places: usize = products
            .iter()
            .map(|(query, of)| of.len() * if *query == "q/3" { 1 } else { 9 })
            .sum();
        let status = &made.json()["status"];
        assert_eq!(
            (status["count"].as_u64(), status["kept"].as_u64()),
            (Some(places as u64), Some(chats.len() as u64))
        );
        assert_eq!(chats.len(), places);
        assert_eq!(status["queries_with_products"], 4);
        let items: BTreeSet<&str> = chats
            .iter()
            .filter(|chat| word(chat, "/query_id") == "q/1")
            .map(|chat| word(chat, "/case/item"))
            .collect();
        assert_eq!(items, BTreeSet::from(["camera"]));
        if first == "query" {
            for chat in &chats {
                let steps = chat["rewrites"].as_array();
                let steps = steps.map_or(&[] as &[Value], Vec::as_slice);
                let kinds: Vec<&str> = steps.iter().map(|step| word(step, "/kind")).collect();
                let product = word(chat, "/cell/product");
                assert_eq!(kinds.contains(&"product"), product != "-", "{chat}");
                if word(chat, "/query_id") == "q/3" {
                    // It is in its tone and style as it was written.
                    assert!(
                        !kinds.contains(&"tone") && !kinds.contains(&"style"),
                        "{kinds:?}"
                    );
                }
                if steps.is_empty() && word(chat, "/cell/style") != "typos" {
                    assert_eq!(chat["turns"][0]["text"], chat["query"]);
                }
            }
        }
        let rows = place.ok(&["export", &run, "--out", "-"]).json_lines();
        assert_eq!(
            rows.iter().filter(|row| row["product"].is_null()).count(),
            28
        );
        let again = place.ok(&["generate", "all.toml", "--set", &opens]);
        assert!(again.out.contains("already complete"), "{}", again.out);
    }
}

#[test]
fn a_part_is_a_prefix_whatever_runs_at_once() {
    let (whole, part) = (place(), place());
    whole.ok(&["generate", "all.toml", "--set", "engine.concurrency=1"]);
    let rows = |place: &Place| place.read(&format!("{}/messages.jsonl", place.only_run("runs")));
    let all = rows(&whole);
    part.ok(&[
        "generate",
        "all.toml",
        "--limit",
        "7",
        "--set",
        "engine.concurrency=6",
    ]);
    let first = rows(&part);
    assert!(!first.is_empty() && all.starts_with(&first));
    part.ok(&["generate", "all.toml", "--set", "engine.concurrency=3"]);
    assert_eq!(rows(&part), all);
    // Products anew: another plan, over the same questions; the run as it was stays.
    let said = part.ok(&["generate", "all.toml", "--redo", "products"]).err;
    assert!(said.contains("products anew"), "{said}");
    let shown = part.ok(&["preview", "all.toml", "-n", "3", "--json"]);
    assert_eq!(shown.json_lines().len(), 3);
}

#[test]
fn validate_tells_how_the_places_come_about() {
    let place = place();
    let told = place.ok(&["validate", "all.toml", "--json"]).json();
    let variants = &told["plan"]["variants"];
    assert_eq!(
        variants["least"],
        serde_json::json!({ "queries": 4, "with_products": 4, "with_tones": 10, "places": 28 })
    );
    assert_eq!(
        variants["most"],
        serde_json::json!({ "queries": 4, "with_products": 12, "with_tones": 30, "places": 84 })
    );
    let said = place.ok(&["validate", "all.toml"]).out;
    assert!(
        said.contains("4 questions") && said.contains("28 to 84 with styles"),
        "{said}"
    );
    assert!(
        said.contains("1 question says its own tone or style"),
        "{said}"
    );
    let shares = place.ok(&[
        "validate",
        "all.toml",
        "--set",
        "plan.variants=shares",
        "--json",
    ]);
    assert!(shares.json()["plan"]["variants"].is_null());
}
