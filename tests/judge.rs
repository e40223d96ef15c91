//! Judging a run: through the command line, with a scripted judge whose answers are known, and with the demo model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::path::{Path, PathBuf};

use program::{Ended, Place};
use serde_json::Value;

struct Made {
    place: Place,
    run: String,
}

impl Made {
    fn new(arguments: &[&str]) -> Self {
        let place = Place::new();
        place.ok(&[&["generate", "--out", "runs"], arguments].concat());
        let run = place.only_run("runs");
        Self { place, run }
    }

    fn judge(&self, arguments: &[&str]) -> Ended {
        self.place
            .run(&[&["judge", self.run.as_str()], arguments].concat())
    }

    fn judged(&self, arguments: &[&str]) -> Value {
        let out = self.judge(&[arguments, &["--json"]].concat());
        assert_eq!(out.code, Some(0), "{}", out.err);
        serde_json::from_str(&out.out).unwrap()
    }

    fn journal(&self, nth: u32) -> PathBuf {
        self.place
            .path(&format!("{}/journal/judge-{nth}.jsonl", self.run))
    }
}

/// The finished judgements of a journal, in the order of their ids.
fn judgements(journal: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(journal).unwrap();
    let mut found: Vec<String> = text
        .lines()
        .filter(|line| line.contains(" {\"judged\":"))
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

fn aspect<'a>(value: &'a Value, name: &str) -> &'a Value {
    let aspects = value["aspects"].as_array().unwrap();
    aspects.iter().find(|one| one["aspect"] == name).unwrap()
}

const SUPPORT: &[&str] = &["--model", "scripted", "--set", "count=8"];

#[test]
fn known_answers_become_known_scores_and_an_indifferent_judge_has_no_gap() {
    let made = Made::new(SUPPORT);
    let value = made.judged(&["--model", "scripted:score=3.5"]);
    assert_eq!(
        (&value["judged"], &value["demo"]),
        (&8.into(), &true.into())
    );
    for one in value["aspects"].as_array().unwrap() {
        let near = |found: &Value, wanted: f64| (found.as_f64().unwrap() - wanted).abs() < 1e-4;
        assert!(near(&one["mean"], 3.5) && near(&one["mass"], 0.9), "{one}");
        assert!(
            near(&one["control"]["gap"], 0.0) && near(&one["control"]["mean"], 3.5),
            "{one}"
        );
    }
    let text = made.judge(&["--model", "scripted:score=3.5"]).out;
    assert!(
        text.contains("does not tell conversations from their controls in naturalness, coherence"),
        "{text}"
    );
    // One that goes by the words tells a question from another one's.
    let value = made.judged(&["--model", "scripted"]);
    assert_eq!(
        value["journal"].as_str().unwrap(),
        format!("{}/journal/judge-1.jsonl", made.run)
    );
    let low = |name| {
        aspect(&value, name)["control"]["interval"]["low"]
            .as_f64()
            .unwrap()
    };
    assert!(low("helpfulness") > 0.5 && low("overall") > 0.2, "{value}");
    // What was judged is not judged again, and nothing of the conversations is changed.
    let again = made.judged(&["--model", "scripted"]);
    assert_eq!(again["judged_now"], 0);
    assert_eq!(again["aspects"], value["aspects"]);
}

#[test]
fn a_session_that_was_cut_anywhere_ends_as_an_undisturbed_one() {
    let made = Made::new(SUPPORT);
    let whole = made.judged(&["--model", "scripted"]);
    let journal = made.journal(0);
    let bytes = std::fs::read(&journal).unwrap();
    let wanted = judgements(&journal);
    assert_eq!(wanted.len(), 8);
    let marks: Vec<usize> = (1..12).map(|n| bytes.len() * n / 12).collect();
    for cut in marks.into_iter().chain([0, 30, bytes.len() - 3]) {
        // What was durable, as a synced line says, cannot be torn: cut those lines off too.
        std::fs::write(&journal, &bytes[..cut]).unwrap();
        let value = made.judged(&["--model", "scripted"]);
        assert_eq!(judgements(&journal), wanted, "cut at {cut}");
        assert_eq!(value["aspects"], whole["aspects"], "cut at {cut}");
    }
    // A byte that was durable once is not mended.
    let mut damaged = bytes;
    damaged[40] ^= 1;
    std::fs::write(&journal, damaged).unwrap();
    let out = made.judge(&["--model", "scripted"]);
    assert_eq!(out.code, Some(65));
    assert!(
        out.err.contains("judge-0.jsonl:1: damaged line"),
        "{}",
        out.err
    );
}

#[test]
fn calls_that_were_written_are_not_made_again_and_concurrency_changes_nothing() {
    let made = Made::new(&[SUPPORT, &["--set", "engine.concurrency=1"]].concat());
    let one = made.judged(&["--model", "scripted", "--aspects", "tone,overall"]);
    let wider = made.judged(&["--model", "scripted"]);
    assert_eq!(aspect(&one, "tone"), aspect(&wider, "tone"));
    let text = std::fs::read_to_string(made.journal(0)).unwrap();
    let mut keys: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split("\"key\":\"").nth(1)?.split('"').next())
        .collect();
    let calls = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), calls);
    let other = Made::new(&[SUPPORT, &["--set", "engine.concurrency=64"]].concat());
    other.judged(&["--model", "scripted"]);
    let whole = judgements(&other.journal(0));
    let all = judgements(&made.journal(0));
    assert!(whole.iter().all(|line| all.contains(line)));
}

#[test]
fn a_conversation_alone_has_no_control_until_there_is_another() {
    let made = Made::new(SUPPORT);
    let one = made.judged(&["--model", "scripted", "--sample", "1"]);
    assert!(aspect(&one, "overall")["control"].is_null());
    let text = made.judge(&["--model", "scripted", "--sample", "1"]).out;
    assert!(text.contains("No controls"), "{text}");
    let all = made.judged(&["--model", "scripted"]);
    assert_eq!(aspect(&all, "overall")["control"]["conversations"], 8);
}

#[test]
fn without_a_judge_or_with_an_aspect_of_nobody_that_is_said() {
    let made = Made::new(SUPPORT);
    let out = made.judge(&[]);
    assert!(
        out.code == Some(2) && out.err.contains("has no judge"),
        "{}",
        out.err
    );
    let out = made.judge(&["--model", "scripted", "--aspects", "topic"]);
    assert!(
        out.code == Some(2) && out.err.contains("they have naturalness"),
        "{}",
        out.err
    );
    let out = made.judge(&["--model", "nowhere/at-all"]);
    assert_eq!(out.code, Some(66), "{}", out.err);
    assert!(!made.journal(0).exists());
}

#[test]
fn generate_ends_with_the_judge_of_its_recipe() {
    let made = Made::new(&[SUPPORT, &["--model", "judge=scripted:score=4"]].concat());
    let value = made.judged(&[]);
    assert_eq!(
        (&value["judged"], &value["judged_now"]),
        (&8.into(), &0.into())
    );
    let shown = made.place.ok(&["show", &made.run, "0"]);
    assert!(
        shown.out.contains("naturalness 4.0 (control 4.0)"),
        "{}",
        shown.out
    );
    // Another judge does not make another run.
    let again = made.place.ok(&[
        &["generate", "--out", "runs"],
        SUPPORT,
        &["--model", "judge=scripted:score=2"],
    ]
    .concat());
    assert!(
        again.out.contains("judged by scripted:score=2"),
        "{}",
        again.out
    );
    assert!(made.journal(1).exists());
    let report = made.place.ok(&["report", &made.run, "--json"]);
    assert!(report.out.contains("judge.naturalness"), "{}", report.out);
}

#[test]
fn what_falls_below_a_minimum_is_left_out_and_kept_aside() {
    let minimum = ["--set", "quality.judge={ tone = 3.6 }"];
    let judge = ["--model", "judge=scripted:score=3.5"];
    let made = Made::new(&[SUPPORT, &minimum, &judge].concat());
    let rows = |arguments: &[&str]| {
        let command = [&["export", made.run.as_str(), "--out", "-"], arguments].concat();
        made.place.run(&command)
    };
    let file = made.place.path(&format!("{}/messages.jsonl", made.run));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "");
    let out = rows(&["--where", "verdict=reject,reason=judge_tone"]);
    assert_eq!(out.out.lines().count(), 8, "{}", out.err);
    assert!(out.out.contains("3.50 of 5, below 3.6"), "{}", out.out);
    let text = made.judge(&["--model", "scripted:score=3.5"]).out;
    assert!(
        text.contains("8 left out of exports for it (8 judge tone)"),
        "{text}"
    );
    // They are judged all the same, and come back where the minimum goes.
    let again = [
        SUPPORT,
        &["--out", "runs", "--set", "quality.judge={ tone = 3.4 }"],
    ]
    .concat();
    made.place.ok(&[&["generate"], again.as_slice()].concat());
    assert_eq!(rows(&[]).out.lines().count(), 8);
}

#[test]
fn a_judge_looks_at_harmful_words_a_second_time() {
    let place = Place::new();
    place.write(
        "q.jsonl",
        "{\"page\": \"returns\", \"query\": \"Where is my bullshit parcel?\"}\n",
    );
    place.ok(&[
        "generate",
        "--out",
        "runs",
        "--model",
        "scripted",
        "--set",
        "count=2",
        "--set",
        "queries.from=q.jsonl",
        "--set",
        "customer.first_message=query",
        "--set",
        "customer.style={ plain = 1 }",
        "--set",
        "customer.tone={ neutral = 1 }",
        "--set",
        "customer.product={ kettle = 1 }",
        "--set",
        "quality.harm=judge",
        "--model",
        "judge=scripted",
    ]);
    let run = place.only_run("runs");
    let journal = place.path(&format!("{run}/journal/judge-0.jsonl"));
    let judged = judgements(&journal);
    assert!(!judged.is_empty());
    assert!(
        judged
            .iter()
            .all(|line| line.contains("\"harm\":[{\"turn\":0")),
        "{judged:?}"
    );
    // The same words turn conversations down where nobody looks again.
    let strict = place.run(&[
        "generate",
        "--out",
        "runs",
        "--model",
        "scripted",
        "--set",
        "count=2",
        "--set",
        "queries.from=q.jsonl",
        "--set",
        "customer.first_message=query",
        "--set",
        "customer.style={ plain = 1 }",
        "--set",
        "customer.tone={ neutral = 1 }",
        "--set",
        "customer.product={ kettle = 1 }",
        "--set",
        "quality.harm=reject",
    ]);
    assert!(
        strict.out.contains("0 kept") && strict.out.contains("harm"),
        "{}{}",
        strict.out,
        strict.err
    );
}

#[test]
fn group_chats_are_judged_by_their_people() {
    let made = Made::new(&[
        "groupchat-personas",
        "--model",
        "scripted",
        "--set",
        "count=6",
    ]);
    let value = made.judged(&["--model", "scripted"]);
    let names: Vec<&str> = value["aspects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["aspect"].as_str().unwrap())
        .collect();
    for name in [
        "topic",
        "situation",
        "relations",
        "persona",
        "consistency",
        "overall",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"groundedness"));
    assert_eq!(aspect(&value, "persona")["control"]["conversations"], 6);
}

/// The demo model was never trained to judge: this is about the mechanics alone.
#[test]
fn the_demo_model_can_sit_as_a_judge() {
    const DEMO: &[&str] = &[
        "--model",
        "demo",
        "--threads",
        "1",
        "--aspects",
        "naturalness,tone,helpfulness,overall",
    ];
    let made = Made::new(&["--model", "scripted", "--set", "count=2"]);
    let value = made.judged(DEMO);
    assert_eq!(
        (&value["judged"], &value["demo"]),
        (&2.into(), &true.into()),
        "{value}"
    );
    for one in value["aspects"].as_array().unwrap() {
        let mean = one["mean"].as_f64().unwrap();
        assert!((1.0..=5.0).contains(&mean), "{one}");
    }
    let number = |name: &str| value[name].as_u64().unwrap();
    // The conversation is read once for most of its questions.
    assert!(
        number("computed_tokens") * 2 < number("prompt_tokens"),
        "{value}"
    );
    let again = made.judged(DEMO);
    assert_eq!(again["aspects"], value["aspects"]);
    let text = made.judge(DEMO).out;
    assert!(text.contains("was never trained to judge"), "{text}");
}
