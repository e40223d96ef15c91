//! Runs that survive: killed at any moment, even in the middle of a write, a run ends with the bytes it would have had.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![cfg(unix)]

mod program;

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use colloquy::rng::Stream;
use program::{Ended, Place};

const MODEL: &str = "scripted:delay_ms=1,echo=0.1,long=0.05,truncated=0.05,error=0.02";
const SLOW: &str = "scripted:delay_ms=25,echo=0.1";
const KILLS: usize = 50;

fn arguments<'a>(
    models: &[&'a str],
    seed: &'a str,
    out: &'a str,
    concurrency: &'a str,
) -> Vec<&'a str> {
    let mut arguments = vec!["generate"];
    for model in models {
        arguments.extend(["--model", model]);
    }
    arguments.extend(["--seed", seed, "--out", out]);
    arguments.extend(["--set", "count=40", "--set", concurrency]);
    arguments
}

fn journal(place: &Place, runs: &str) -> Option<PathBuf> {
    let run = std::fs::read_dir(place.path(runs)).ok()?.next()?.ok()?;
    Some(run.path().join("journal/stream-0.jsonl")).filter(|path| path.is_file())
}

/// What a crash of the whole machine could leave: a line cut short, or the beginning of one.
fn tear(path: &Path, draw: Stream) {
    let length = std::fs::metadata(path).unwrap().len();
    let file = OpenOptions::new().append(true).open(path).unwrap();
    match draw.below(0, 3) {
        0 => file
            .set_len(length.saturating_sub(1 + draw.below(1, 40) as u64))
            .unwrap(),
        1 => {
            let half = br#"0badc0de {"call":{"key":"c/0/0/customer/0/0","outcome":{"rep"#;
            (&file)
                .write_all(&half[..=draw.below(1, half.len())])
                .unwrap();
        }
        _ => {}
    }
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn finish(child: Child) -> Ended {
    Ended::of(child.wait_with_output().unwrap())
}

#[test]
fn a_killed_run_ends_as_if_nothing_had_happened() {
    let (kills, torn) = survive(&[MODEL], KILLS);
    println!("{kills} kills, {torn} torn journals");
}

#[test]
fn so_does_one_whose_models_think() {
    let thinks = format!("{MODEL},think=0.6");
    survive_with(&[&thinks], &["--set", "thinking=40"], KILLS / 3);
}

#[test]
fn so_does_one_of_several_models() {
    let customer = "customer=scripted:delay_ms=2,echo=0.05,truncated=0.05";
    let status = "status=scripted:endless=0.3";
    survive(&[MODEL, customer, status], KILLS / 3);
}

fn survive(models: &[&str], enough: usize) -> (usize, usize) {
    survive_with(models, &[], enough)
}

/// Kills runs with these models until there were enough kills; each must end with the bytes of a calm one.
fn survive_with(models: &[&str], more: &[&str], enough: usize) -> (usize, usize) {
    let place = Place::new();
    let (mut kills, mut torn) = (0, 0);
    for seed in 1.. {
        let draw = Stream::root(seed);
        let seed = seed.to_string();
        let (calm, hurt) = (format!("calm-{seed}"), format!("hurt-{seed}"));
        place.ok(&[
            &arguments(models, &seed, &calm, "engine.concurrency=64"),
            more,
        ]
        .concat());
        let expected = place.read(&format!("{}/messages.jsonl", place.only_run(&calm)));
        assert!(expected.lines().count() > 30);
        for attempt in 0.. {
            let draw = draw.at(attempt);
            let concurrency = ["1", "4", "16"][draw.below(0, 3)];
            let concurrency = format!("engine.concurrency={concurrency}");
            let mut child = start(
                &place,
                &[&arguments(models, &seed, &hurt, &concurrency), more].concat(),
            );
            std::thread::sleep(Duration::from_micros(draw.below(1, 80_000) as u64));
            if child.try_wait().unwrap().is_some() {
                let ended = finish(child);
                assert_eq!(
                    ended.code,
                    Some(0),
                    "seed {seed}, attempt {attempt}: {ended:#?}"
                );
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if let Some(journal) = journal(&place, &hurt) {
                let before = std::fs::metadata(&journal).unwrap().len();
                tear(&journal, draw.child("tear"));
                torn += usize::from(std::fs::metadata(&journal).unwrap().len() != before);
                // Readers take a torn run as it is.
                if attempt % 8 == 0 && place.path(&hurt).read_dir().unwrap().count() == 1 {
                    let run = place.only_run(&hurt);
                    if place.path(&format!("{run}/run.json")).is_file() {
                        let status = place.ok(&["status", &run, "--json"]).json();
                        assert_ne!(status["state"], "live", "{status}");
                    }
                }
            }
        }
        let made = place.read(&format!("{}/messages.jsonl", place.only_run(&hurt)));
        assert!(made == expected, "seed {seed}: other bytes");
        if kills >= enough {
            break;
        }
    }
    assert!(
        torn >= enough / 4,
        "only {torn} of {kills} journals were torn"
    );
    (kills, torn)
}

/// Waits until a run has written something.
fn underway(place: &Place, runs: &str, child: &mut Child) {
    let since = Instant::now();
    while journal(place, runs)
        .and_then(|path| std::fs::metadata(path).ok())
        .is_none_or(|journal| journal.len() < 20_000)
    {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        assert!(since.elapsed() < Duration::from_secs(20), "nothing happens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let place = Place::new();
    let arguments = |out| arguments(&[SLOW], "7", out, "engine.concurrency=8");
    let mut child = start(&place, &arguments("runs"));
    underway(&place, "runs", &mut child);
    interrupt(&child);
    let ended = finish(child);
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert!(ended.err.contains("interrupted"), "{}", ended.err);
    let run = place.only_run("runs");
    assert!(
        ended.err.contains(&format!("colloquy resume {run}")),
        "{}",
        ended.err
    );
    let status = place.ok(&["status", &run, "--json"]).json();
    assert_eq!(status["state"], "partial", "{status}");
    assert!(place.ok(&["status", &run]).out.contains("colloquy resume"));
    place.ok(&["resume", &run]);
    place.ok(&arguments("calm"));
    let calm = place.only_run("calm");
    assert!(
        place.read(&format!("{run}/messages.jsonl"))
            == place.read(&format!("{calm}/messages.jsonl"))
    );
}

#[test]
fn one_writer_and_any_number_of_readers() {
    let place = Place::new();
    let arguments = arguments(&[SLOW], "7", "runs", "engine.concurrency=8");
    let mut child = start(&place, &arguments);
    underway(&place, "runs", &mut child);
    let run = place.only_run("runs");
    for second in [&arguments[..], &["resume", run.as_str()]] {
        let refused = place.fails(second, 75);
        assert!(
            refused.contains("another colloquy is writing")
                && refused.contains(&child.id().to_string()),
            "{refused}"
        );
        assert!(refused.contains("hint: `colloquy status`"), "{refused}");
    }
    let status = place.ok(&["status", &run, "--json"]).json();
    assert_eq!(
        (&status["state"], status["process"].as_u64()),
        (&"live".into(), Some(u64::from(child.id())))
    );
    place.ok(&["show", &run]);
    let export = place.ok(&["export", &run, "--out", "part.jsonl"]);
    assert!(export.err.contains("the run is going on"), "{}", export.err);
    let part = place.read("part.jsonl");
    assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
    interrupt(&child);
    assert_eq!(finish(child).code, Some(75));
    place.ok(&["resume", &run]);
    let whole = place.read(&format!("{run}/messages.jsonl"));
    assert!(
        whole.starts_with(&part),
        "a live export is a beginning of the whole"
    );
}

#[test]
fn a_wish_to_stop_is_heard_when_all_is_done() {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    let mut command = place.command(&["preview", "--model", "scripted", "-n", "300", "--json"]);
    command.env("TMPDIR", place.path("tmp"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It prints, and waits for a reader that does not come.
    let mut first = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    assert_eq!(place.path("tmp").read_dir().unwrap().count(), 1);
    interrupt(&child);
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if since.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it does not listen");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(75));
    assert_eq!(place.path("tmp").read_dir().unwrap().count(), 0);
}
