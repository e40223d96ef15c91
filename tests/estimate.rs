//! What `validate --estimate` says of a run, against the run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::process::Command;
#[cfg(unix)]
use std::{process::Stdio, time::Duration, time::Instant};

use program::{Ended, Place};
use serde_json::Value;

/// A place whose temporary folder is in it, so that what is left there shows.
fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    place
}

fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(&["validate"]);
    command.args(arguments).env("TMPDIR", place.path("tmp"));
    command
}

/// What it says, when it has left nothing behind.
fn estimate(place: &Place, arguments: &[&str]) -> Value {
    let before = place.listing();
    let ended = Ended::of(command(place, arguments).arg("--json").output().unwrap());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:#?}");
    assert_eq!(place.listing(), before, "{arguments:?}");
    ended.json()["estimate"].take()
}

/// Tokens of all replies of the only run.
fn tokens(place: &Place) -> f64 {
    let run = place.only_run("runs");
    let journal = place.read(&format!("{run}/journal/stream-0.jsonl"));
    let of = |line: &str| {
        let entry: Value = serde_json::from_str(&line[9..]).unwrap();
        let tokens = entry["call"]["outcome"]["reply"]["tokens"].as_array();
        tokens.map_or(0, Vec::len)
    };
    let all: usize = journal.lines().map(of).sum();
    f64::from(u32::try_from(all).unwrap())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_run_that_fits_in_the_time_is_made_in_full() {
    let place = place();
    let model = ["--model", "scripted:echo=0.3"];
    let settings = ["--set", "count=30"];
    let found = estimate(
        &place,
        &[&model[..], &settings, &["--estimate", "1m"]].concat(),
    );
    let (measured, forecast) = (&found["measured"], &found["whole"]["forecast"]);
    assert_eq!(measured["complete"], true, "{found}");
    assert_eq!(forecast["hours"]["low"], forecast["hours"]["high"]);
    place.ok(&[&["generate"], &model[..], &settings].concat());
    assert_eq!(
        number(&forecast["tokens"]["likely"]).to_bits(),
        tokens(&place).to_bits()
    );
    assert_eq!(
        number(&measured["tokens"]).to_bits(),
        tokens(&place).to_bits()
    );
    // Journal and export are there, to the byte but for the mark of what is durable.
    let run = place.only_run("runs");
    let size = |file: &str| place.read(&format!("{run}/{file}")).len();
    let written = size("journal/stream-0.jsonl") + size("messages.jsonl");
    let told = found["whole"]["disk_bytes"].as_u64().unwrap();
    assert!(told.abs_diff(written as u64) < 2000, "{told} of {written}");
}

#[test]
fn tokens_of_a_longer_run_are_as_estimated() {
    for (recipe, count) in [
        ("support", 900),
        ("groupchat-personas", 300),
        ("mixed", 400),
    ] {
        let place = place();
        let settings = format!("count={count}");
        let run = [recipe, "--set", &settings];
        // The same replies, some later.
        let slow = [
            "--model",
            "scripted:delay_ms=15,echo=0.25,leave=0.1",
            "--estimate",
            "2s",
        ];
        let found = estimate(&place, &[&run[..], &slow].concat());
        assert_eq!(found["measured"]["complete"], false, "{recipe}: {found}");
        let range = &found["whole"]["forecast"]["tokens"];
        let model = ["--model", "scripted:echo=0.25,leave=0.1"];
        place.ok(&[&["generate"], &run[..], &model].concat());
        let ratio = number(&range["likely"]) / tokens(&place);
        println!("{recipe}: {ratio:.3} of the tokens; {range}");
        assert!((0.8..1.25).contains(&ratio), "{recipe}: {ratio} {found}");
        let [low, high] = [number(&range["low"]), number(&range["high"])];
        assert!(low < number(&range["likely"]) && number(&range["likely"]) < high);
    }
}

#[test]
fn the_demo_model_has_memory_and_terms() {
    let place = place();
    let few = estimate(&place, &["--set", "count=100000", "--estimate", "3s"]);
    assert_eq!(few["measured"]["complete"], false);
    // A slow machine has no page ready by then, and says so.
    assert_ne!(few["whole"].is_null(), few["unknown"].is_null(), "{few}");
    if !few["whole"].is_null() {
        let hours = number(&few["whole"]["forecast"]["hours"]["likely"]);
        assert!(hours > 0.01, "{few}");
    }
    let memory = &few["memory"];
    if cfg!(target_os = "linux") {
        let [peak, full, there] = ["peak", "full", "there"].map(|name| number(&memory[name]));
        assert!(peak > 2e7 && full > 1e7 && there > peak, "{memory}");
    }
    assert_eq!(few["does_not_fit"], serde_json::json!([]));
    let told = command(&place, &["--set", "count=2", "--estimate", "1m"])
        .output()
        .unwrap();
    let told = Ended::of(told);
    assert_eq!(told.code, Some(0), "{told:#?}");
    assert!(
        told.out.contains("2 kept") && told.out.contains("output terms: "),
        "{}",
        told.out
    );
}

#[test]
fn what_a_short_time_cannot_show_is_not_made_up() {
    let place = place();
    // Nothing has been said.
    let none = estimate(
        &place,
        &["--model", "scripted:delay_ms=5000", "--estimate", "1s"],
    );
    assert_eq!(none["whole"], Value::Null);
    assert!(
        none["unknown"].as_str().unwrap().contains("no page"),
        "{none}"
    );
    // Turns have been said, and no conversation has ended.
    let arguments = [
        "--model",
        "scripted:delay_ms=150,endless=1",
        "--set",
        "conversation.max_turns=200",
        "--estimate",
        "3s",
    ];
    let turns = estimate(&place, &arguments);
    let assumed = turns["whole"]["forecast"]["assumed"].to_string();
    assert!(
        assumed.contains("no support conversation came to an end"),
        "{turns}"
    );
    let refused = Ended::of(
        command(&place, &["--model", "nowhere/none", "--estimate"])
            .output()
            .unwrap(),
    );
    refused.is_one_error(66, "no model");
    for bad in ["0s", "x", "-1s"] {
        let arguments = ["--model", "scripted", &format!("--estimate={bad}")];
        Ended::of(command(&place, &arguments).output().unwrap()).is_one_error(2, bad);
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_nothing_behind() {
    let place = place();
    let before = place.listing();
    let arguments = [
        "--model",
        "scripted:delay_ms=5",
        "--set",
        "count=100000",
        "--estimate",
        "1h",
    ];
    let mut command = command(&place, &arguments);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !place
        .listing()
        .iter()
        .any(|file| file.ends_with("stream-0.jsonl"))
    {
        assert!(begun.elapsed() < Duration::from_mins(1), "it has not begun");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = Ended::of(child.wait_with_output().unwrap());
    ended.is_one_error(75, "interrupted");
    assert_eq!(place.listing(), before);
    assert!(begun.elapsed() < Duration::from_mins(1));
}
