//! How many conversations are alive at once changes nothing in what is made.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use program::Place;

/// The export of a run with so many conversations alive at once.
fn export(place: &Place, concurrency: &str, arguments: &[&str]) -> String {
    let runs = format!("runs-{concurrency}");
    let concurrency = format!("engine.concurrency={concurrency}");
    let all = [
        &["generate", "--out", &runs, "--set", &concurrency],
        arguments,
    ]
    .concat();
    place.ok(&all);
    place.read(&format!("{}/messages.jsonl", place.only_run(&runs)))
}

fn law(arguments: &[&str], rows: usize) {
    let place = Place::new();
    let alone = export(&place, "1", arguments);
    assert!(alone.lines().count() >= rows, "{alone}");
    for concurrency in ["3", "64"] {
        assert!(
            export(&place, concurrency, arguments) == alone,
            "{concurrency} at once"
        );
    }
}

#[test]
fn with_a_script() {
    let model = "scripted:echo=0.1,long=0.05,empty=0.05,error=0.01,duplicate=0.1,thank=0.2,ask_back=0.2,evade=0.1";
    law(&["--model", model, "--set", "count=40"], 30);
}

#[test]
fn with_the_demo_model() {
    // Few questions of few pages, and whatever outcome: the law is about bytes, and time is short.
    law(
        &[
            "--model",
            "demo",
            "--set",
            "count=6",
            "--set",
            "max_attempts=2",
            "--set",
            "pages.include=returns,contact",
            "--set",
            "queries.per_page=2",
            "--set",
            "queries.per_long_page=2",
            "--set",
            "conversation.max_turns=6",
            "--set",
            "plan.keep_only_planned_outcome=false",
        ],
        3,
    );
}
