//! `colloquy report` as its user meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::fs;

use program::Place;

/// Messages of so many conversations with `agent` as every answer but the first.
fn messages(n: usize, agent: &str) -> String {
    let row = |at: usize| {
        format!(
            "{{\"id\":\"m/{at}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Where is parcel number {at}?\"}},{{\"role\":\"assistant\",\"content\":\"It left on day {at}. {agent}\"}},{{\"role\":\"user\",\"content\":\"Thanks, that helps.\"}}],\"outcome\":\"{}\",\"tone\":\"{}\"}}\n",
            if at.is_multiple_of(4) {
                "UNRESOLVED"
            } else {
                "RESOLVED"
            },
            if at.is_multiple_of(2) {
                "angry"
            } else {
                "neutral"
            },
        )
    };
    (0..n).map(row).collect()
}

#[test]
fn a_run_has_a_report_and_a_page() {
    let place = Place::new();
    place.ok(&[
        "generate",
        "--model",
        "scripted:echo=0.1,long=0.05",
        "--set",
        "count=12",
        "--out",
        "runs",
    ]);
    let run = place.only_run("runs");
    let told = place.ok(&["report", &run]);
    for part in [
        "12 conversations",
        "Poor: ",
        "demo model",
        "words a turn",
        "Plan and result",
        "report.html",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    assert!(
        told.err.is_empty() && !told.out.contains('\u{1b}'),
        "{told:?}"
    );
    assert!(
        told.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        told.out
    );
    let json = place.read(&format!("{run}/report/report.json"));
    let again = place.ok(&["report", &run, "--json"]);
    assert_eq!(again.out, json);
    let value = again.json();
    assert_eq!(value["source"]["conversations"], 12);
    assert_eq!(value["headline"]["level"], "poor");
    let page = place.read(&format!("{run}/report/report.html"));
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
    place.ok(&["report", &run, "--no-html", "--out", "elsewhere"]);
    assert!(
        place.path("elsewhere/report.json").is_file()
            && !place.path("elsewhere/report.html").exists()
    );
}

#[test]
fn a_run_that_has_hardly_begun_has_a_report() {
    let place = Place::new();
    let generate = |limit: &str| {
        place.ok(&[
            "generate", "--model", "scripted", "--set", "count=6", "--limit", limit, "--out",
            "runs",
        ]);
    };
    generate("1");
    let run = place.only_run("runs");
    let told = place.ok(&["report", &run]);
    assert!(told.out.contains("only 1 conversation:"), "{}", told.out);
    // A torn last line is as if it were not there; a damaged one is an error.
    let journal = place.path(&format!("{run}/journal/stream-0.jsonl"));
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [&whole[..], b"12345678 {\"conv"].concat()).unwrap();
    assert_eq!(place.ok(&["report", &run]).out, told.out);
    let mut damaged = whole.clone();
    damaged[200] ^= 1;
    fs::write(&journal, damaged).unwrap();
    assert!(place.fails(&["report", &run], 65).contains("damaged line"));
    fs::write(&journal, "").unwrap();
    let none = place.ok(&["report", &run]);
    assert!(none.out.contains("nothing is kept"), "{}", none.out);
    let manifest = place.read(&format!("{run}/run.json"));
    place.write(
        &format!("{run}/run.json"),
        &manifest.replacen("\"format\": 1", "\"format\": 999", 1),
    );
    assert!(place.fails(&["report", &run], 65).contains("format 999"));
}

#[test]
fn files_of_others_are_compared() {
    let place = Place::new();
    place.write("data/a.jsonl", &messages(60, "You will have it soon."));
    let long = "You will have it soon, and if you do not then write to us again, since there is always somebody here to look for it until it is found.";
    place.write("b.jsonl", &messages(60, long));
    let told = place.ok(&["report", "data/a.jsonl", "--against", "b.jsonl"]);
    for part in [
        "data/a.jsonl",
        "Comparison",
        "agent: words a turn",
        "lower here",
        "data/a-report/report.json",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    let json: serde_json::Value =
        serde_json::from_str(&place.read("data/a-report/report.json")).unwrap();
    assert_eq!(json["against"]["name"], "b.jsonl");
    // With itself nothing differs.
    let told = place.ok(&[
        "report",
        "b.jsonl",
        "--against",
        "b.jsonl",
        "--no-html",
        "--json",
    ]);
    let metric = told.json()["sections"][0]["metrics"][0].clone();
    assert_eq!(
        (metric["key"].as_str(), metric["value"].as_f64()),
        (Some("comparison.differ"), Some(0.0))
    );
}

#[test]
fn the_notebook_is_printed_for_asynth_files() {
    let place = Place::new();
    let row = |status: &str| {
        format!(
            "{{\"title\":\"P\",\"tone\":\"angry\",\"style\":\"typos\",\"conversation\":[{{\"content\":\"My camera?\",\"role\":\"assistant\",\"name\":\"Customer\"}},{{\"content\":\"Yes.\",\"role\":\"user\",\"name\":\"Support_Agent\"}},{{\"content\":\"{status}\",\"role\":\"assistant\",\"name\":\"Customer\"}}],\"length\":3,\"status\":\"{status}\"}}\n"
        )
    };
    let error = "{\"title\":\"P\",\"tone\":\"angry\",\"style\":\"typos\",\"conversation\":[],\"length\":0,\"status\":\"ERROR\",\"error\":\"x\"}\n";
    place.write(
        "one.jsonl",
        &(row("RESOLVED").repeat(3) + &row("UNRESOLVED") + error),
    );
    place.write("two.jsonl", &row("RESOLVED"));
    let told = place.ok(&["report", "one.jsonl", "two.jsonl", "--as", "asynth"]);
    for part in [
        "resolved, mean of files          80.0 %",
        "resolved, deviation of files     20.0 %",
        "66.7 %",
        "camera",
        "one.jsonl",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
}

#[test]
fn what_cannot_be_reported_is_one_error() {
    let place = Place::new();
    place.write("a.jsonl", &messages(2, "x"));
    place.write("blank.jsonl", "\n");
    place.write("empty.jsonl", "{\"messages\":[]}\n");
    place.write("odd.jsonl", "{\"messages\":[]}\n{\"text\":\"a\"}\n");
    fs::create_dir(place.path("folder")).unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["none.jsonl"], 66, "cannot read none.jsonl"),
        (&["folder"], 66, "no run in folder"),
        (&["blank.jsonl"], 65, "no rows"),
        (&["empty.jsonl"], 65, "no conversations"),
        (&["odd.jsonl"], 65, "odd.jsonl:2: no `messages`"),
        (
            &["a.jsonl", "--as", "convogen"],
            65,
            "a.jsonl:1: no `Conversation`",
        ),
        (
            &["a.jsonl", "--out", "blank.jsonl"],
            74,
            "cannot write blank.jsonl",
        ),
        (&["a.jsonl", "--against", "none"], 66, "cannot read none"),
    ];
    for (arguments, code, expected) in cases {
        let arguments: Vec<&str> = ["report"].iter().chain(arguments).copied().collect();
        let told = place.fails(&arguments, code);
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    assert!(!place.path("folder/report").exists());
}
