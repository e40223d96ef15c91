//! What a user does with a run beside making it: exports in other shapes, limits of time, a stage made anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use program::Place;
use serde_json::Value;

const SCRIPTED: &str = "scripted:echo=0.1,long=0.05";

fn made(place: &Place, recipe: &str, count: &str) -> String {
    let count = format!("count={count}");
    place.ok(&[
        "generate", recipe, "--model", SCRIPTED, "--set", &count, "--out", "runs",
    ]);
    place.only_run("runs")
}

#[test]
fn a_mixed_run_leaves_in_every_shape() {
    let place = Place::new();
    let run = made(&place, "mixed", "9");
    let export = |more: &[&str]| {
        let arguments = [&["export", &run, "--out", "-"], more].concat();
        place.ok(&arguments).json_lines()
    };
    let messages = export(&[]);
    let group = |row: &&Value| !row["perspective"].is_null();
    let groups = messages.iter().filter(group).count();
    assert!(messages.len() == 9 && (2..=4).contains(&groups), "{groups}");

    let asynth = export(&["--format", "asynth"]);
    assert_eq!(asynth.len(), 9 - groups);
    let supports: Vec<&Value> = messages.iter().filter(|row| !group(row)).collect();
    for (row, message) in asynth.iter().zip(&supports) {
        assert_eq!(
            (&row["title"], &row["tone"]),
            (&message["page"], &message["tone"])
        );
        let turns = row["conversation"].as_array().unwrap();
        assert_eq!(row["length"], turns.len());
        for (turn, told) in turns.iter().zip(message["messages"].as_array().unwrap()) {
            assert_eq!(
                (&turn["role"], &turn["content"]),
                (&told["role"], &told["content"])
            );
        }
        assert_eq!(
            (turns[0]["name"].as_str(), &row["demo"]),
            (Some("Customer"), &true.into())
        );
    }
    let original = export(&[
        "--format",
        "asynth",
        "--stop-word",
        "append",
        "--roles",
        "original",
    ]);
    for row in &original {
        let last = row["conversation"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (last["role"].as_str(), last["name"].as_str()),
            (Some("assistant"), Some("Customer"))
        );
        assert!(
            last["content"]
                .as_str()
                .unwrap()
                .ends_with(row["status"].as_str().unwrap())
        );
    }

    let convogen = export(&["--format", "convogen"]);
    assert_eq!(convogen.len(), groups);
    for row in &convogen {
        let guests: Vec<&Value> = row["speakerMap"].as_object().unwrap().values().collect();
        let config = &row["situation_config"];
        assert_eq!(
            guests.len(),
            config["individuals"].as_array().unwrap().len()
        );
        for turn in row["Conversation"].as_array().unwrap() {
            assert!(guests.contains(&&turn["speaker"]), "{turn}");
        }
        assert!(config["conversationStarter"].is_string());
    }
    let opened = export(&["--format", "convogen", "--opening"]);
    assert_eq!(opened[0]["Conversation"][0]["speaker"], "Host");

    let each = export(&["--perspective", "each"]);
    assert!(each.len() > messages.len());
    let name = convogen[0]["situation_config"]["individuals"][0]["name"]
        .as_str()
        .unwrap();
    let of_one = export(&["--perspective", &name.to_uppercase()]);
    assert!(
        of_one.iter().any(|row| row["perspective"] == name),
        "{name}"
    );
    let nobody = place.fails(
        &[
            "export",
            &run,
            "--out",
            "-",
            "--perspective",
            "Nobody Atall",
        ],
        65,
    );
    assert!(
        nobody.contains("Nobody Atall") && nobody.contains(name),
        "{nobody}"
    );

    // What leaves as experiences comes back as experiences.
    place.ok(&[
        "export",
        &run,
        "--format",
        "experiences",
        "--out",
        "experiences.jsonl",
    ]);
    let told = place.read("experiences.jsonl");
    assert!(told.lines().count() >= groups);
    let out = ["--out", "again", "--set", "count=3"];
    let from = [
        "generate",
        "groupchat-generated",
        "--model",
        SCRIPTED,
        "--set",
    ];
    place.ok(&[&from[..], &["experiences.from=experiences.jsonl"], &out].concat());
    let again = place.only_run("again");
    place.ok(&[
        "export",
        &again,
        "--format",
        "experiences",
        "--out",
        "back.jsonl",
    ]);
    let bare = |text: &str| -> Vec<Value> {
        text.lines()
            .map(|line| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                let object = value.as_object_mut().unwrap();
                object.remove("id");
                object.remove("shots");
                value
            })
            .collect()
    };
    let (given, back) = (bare(&told), bare(&place.read("back.jsonl")));
    assert_eq!(back, given[..back.len()]);
    assert_eq!(back.len(), given.len().min(3));
}

#[test]
fn conditions_choose_what_leaves() {
    let place = Place::new();
    let run = made(&place, "mixed", "12");
    let export = |more: &[&str]| {
        let arguments = [&["export", &run, "--out", "-"], more].concat();
        place.ok(&arguments).json_lines()
    };
    let all = export(&[]);
    let annoyed = export(&["--where", "tone=Annoyed|angry, turns>=2"]);
    let is_meant = |row: &&Value| {
        [Some("annoyed"), Some("angry")].contains(&row["tone"].as_str())
            && row["messages"].as_array().unwrap().len() >= 2
    };
    assert!(!annoyed.is_empty() && annoyed.len() < all.len());
    assert_eq!(
        annoyed,
        all.iter().filter(is_meant).cloned().collect::<Vec<_>>()
    );
    assert_eq!(export(&["--where", "verdict=keep"]), all);
    let with_rejected = export(&["--where", "verdict=any"]);
    assert!(with_rejected.len() > all.len(), "{}", with_rejected.len());
    let rejected = export(&["--where", "verdict=reject"]);
    assert_eq!(rejected.len() + all.len(), with_rejected.len());

    let id = all[0]["id"].as_str().unwrap();
    let marks = format!("{{\"id\":\"{id}\",\"mark\":\"drop\"}}\n");
    place.write(&format!("{run}/review.jsonl"), &marks);
    assert_eq!(export(&["--where", "review=drop"]), all[..1]);
    assert_eq!(export(&["--where", "review!=drop"]), all[1..]);

    for (conditions, code, message) in [
        ("tnoe=annoyed", 2, "there is: tone, "),
        ("tone=anoyed", 2, "it is one of: annoyed, "),
        ("page=trade_in", 65, "page is: trade-in, "),
        ("turns>500", 65, "no conversation of"),
    ] {
        let out = ["export", &run, "--out", "x.jsonl", "--where", conditions];
        let error = place.fails(&out, code);
        assert!(error.contains(message), "{conditions}: {error}");
        assert!(!place.path("x.jsonl").exists());
    }
}

#[test]
fn sharegpt_takes_turns() {
    let place = Place::new();
    let run = made(&place, "mixed", "9");
    let export = |format: &str| {
        let arguments = ["export", &run, "--out", "-", "--format", format];
        place.ok(&arguments).json_lines()
    };
    let rows = export("sharegpt");
    assert!(!rows.is_empty());
    let messages = export("messages");
    for row in &rows {
        let said = row["conversations"].as_array().unwrap();
        assert_eq!(said.len() % 2, 0);
        for (place, turn) in said.iter().enumerate() {
            assert_eq!(turn["from"], ["human", "gpt"][place % 2]);
        }
        let whole = messages.iter().find(|whole| whole["id"] == row["id"]);
        let whole = whole.unwrap();
        assert_eq!(
            (&row["tone"], &row["topic"]),
            (&whole["tone"], &whole["topic"])
        );
        assert!(row.get("messages").is_none());
    }
}

#[test]
fn each_sentence_of_an_agent_names_what_backs_it() {
    let place = Place::new();
    let run = made(&place, "support", "12");
    let bare = place.ok(&["export", &run, "--out", "-"]).json_lines();
    let linked = place
        .ok(&["export", &run, "--out", "-", "--links"])
        .json_lines();
    let mut supported = 0;
    for (row, bare) in linked.iter().zip(&bare) {
        let messages = row["messages"].as_array().unwrap();
        for (message, bare) in messages.iter().zip(bare["messages"].as_array().unwrap()) {
            assert!(bare.get("links").is_none());
            assert_eq!(message["content"], bare["content"]);
            let content: Vec<char> = message["content"].as_str().unwrap().chars().collect();
            let links = message["links"].as_array().unwrap();
            assert_eq!(links.is_empty(), message["role"] == "user", "{message}");
            for link in links {
                let at = |name: &str| usize::try_from(link[name].as_u64().unwrap()).unwrap();
                let sentence: String = content[at("start")..at("end")].iter().collect();
                assert!(!sentence.trim().is_empty());
                if link["support"] == "supported" && sentence.split(' ').count() > 4 {
                    supported += 1;
                    // The scripted agent takes its sentences from the page.
                    let source = link["source"].as_str().unwrap();
                    let shared = sentence.split(' ').filter(|word| source.contains(word));
                    assert!(shared.count() >= 2, "{sentence} / {source}");
                }
            }
        }
    }
    assert!(supported >= 12, "{supported}");
    let shown = place.ok(&["show", &run, "0"]).out;
    assert!(shown.contains("backed"), "{shown}");
    let group = place.fails(
        &[
            "export", &run, "--out", "-", "--format", "asynth", "--links",
        ],
        2,
    );
    assert!(
        group.contains("--links says nothing about --format asynth"),
        "{group}"
    );
    // A language that the rules do not know: nothing is said of its sentences.
    let run = {
        place.ok(&[
            "generate",
            "support",
            "--model",
            SCRIPTED,
            "--set",
            "count=2",
            "--set",
            "language=de",
            "--out",
            "de",
        ]);
        place.only_run("de")
    };
    let rows = place
        .ok(&["export", &run, "--out", "-", "--links"])
        .json_lines();
    let silent = |message: &Value| message["links"].as_array().unwrap().is_empty();
    assert!(
        rows.iter()
            .all(|row| row["messages"].as_array().unwrap().iter().all(silent))
    );
}

#[test]
fn a_shape_that_a_run_has_nothing_of_is_refused_by_what_it_has() {
    let place = Place::new();
    let run = made(&place, "support", "3");
    for format in [
        &["--format", "convogen"][..],
        &["--format", "experiences"],
        &["--perspective", "each"],
    ] {
        let error = place.fails(
            &[&["export", &run, "--out", "x.jsonl"], format].concat(),
            65,
        );
        assert!(
            error.contains("support conversations and no group chats")
                && error.contains("--format asynth"),
            "{error}"
        );
    }
    let misplaced = place.fails(&["export", &run, "--out", "x.jsonl", "--opening"], 2);
    assert!(misplaced.contains("--format convogen"), "{misplaced}");
    assert!(!place.path("x.jsonl").exists());
    // Places that stayed empty are rows where that is asked for.
    let place = Place::new();
    place.ok(&[
        "generate",
        "--model",
        "scripted:echo=0.6",
        "--set",
        "count=12",
        "--set",
        "max_attempts=1",
        "--out",
        "runs",
    ]);
    let run = place.only_run("runs");
    let status = place.ok(&["status", &run, "--json"]).json();
    let empty = usize::try_from(status["exhausted"].as_u64().unwrap()).unwrap();
    assert!(empty > 0, "{status}");
    let all = [
        "export",
        &run,
        "--format",
        "asynth",
        "--out",
        "-",
        "--with-rejected",
    ];
    let rows = place.ok(&all).json_lines();
    let errors: Vec<&Value> = rows.iter().filter(|row| row["status"] == "ERROR").collect();
    assert_eq!((rows.len(), errors.len()), (12, empty));
    for row in errors {
        assert_eq!(
            (
                &row["length"],
                row["conversation"].as_array().unwrap().len()
            ),
            (&0.into(), 0)
        );
        assert!(row["error"].is_string());
    }
}

#[test]
fn a_run_stops_when_its_time_is_over_and_the_same_command_goes_on() {
    let place = Place::new();
    let run = |more: &[&str], out: &str| {
        let base = ["generate", "--model", "scripted:delay_ms=20", "--out", out];
        let rest = [
            "--set",
            "count=200",
            "--set",
            "engine.concurrency=2",
            "--json",
        ];
        place.ok(&[&base[..], &rest, more].concat())
    };
    let part = run(&["--for", "1s"], "runs");
    assert!(
        part.err.contains("the time is over") && part.err.contains("the same command goes on"),
        "{}",
        part.err
    );
    let part = part.json();
    assert_eq!(part["end"], "time");
    let rows = part["rows"].as_u64().unwrap();
    assert!(rows > 0 && rows < 200, "{rows}");
    let both = place.fails(&["generate", "--for", "1s", "--until", "07:00"], 2);
    assert!(both.contains("--until"), "{both}");
    for (flag, value) in [("--for", "8 hours"), ("--until", "25:00")] {
        let error = place.fails(&["generate", flag, value], 2);
        assert!(error.contains("expected a time"), "{error}");
    }
}

#[test]
fn a_stage_is_made_anew_beside_the_run_as_it_was() {
    let place = Place::new();
    let base = [
        "generate",
        "groupchat-generated",
        "--model",
        SCRIPTED,
        "--set",
        "count=4",
        "--out",
        "runs",
    ];
    let export = |run: &str, format: &str| {
        place
            .ok(&["export", run, "--format", format, "--out", "-"])
            .out
    };
    let missing = place.fails(&[&base[..], &["--redo", "conversations"]].concat(), 66);
    assert!(missing.contains("no run yet"), "{missing}");
    place.ok(&base);
    let run = place.only_run("runs");
    let (chats, experiences) = (export(&run, "convogen"), export(&run, "experiences"));

    let redone = place.ok(&[&base[..], &["--redo", "conversations"]].concat());
    let old = format!("{run}.old-1");
    assert!(redone.err.contains(&old), "{}", redone.err);
    assert_eq!(export(&old, "convogen"), chats);
    let anew = export(&run, "convogen");
    assert_ne!(anew, chats);
    assert_eq!(export(&run, "experiences"), experiences);
    // The same command is the same run.
    assert!(place.ok(&base).out.contains("already complete"));
    assert!(place.ok(&["resume", &run]).out.contains("already complete"));
    assert_eq!(export(&run, "convogen"), anew);
    // What each turn saw can still be told.
    place.ok(&["show", &run, "0", "--prompts"]);

    place.ok(&[&base[..], &["--redo", "experiences"]].concat());
    assert_ne!(export(&run, "experiences"), experiences);
    assert_eq!(export(&format!("{run}.old-2"), "convogen"), anew);
    let none = place.fails(&[&base[..], &["--redo", "queries"]].concat(), 2);
    assert!(
        none.contains("stages of this recipe: experiences, conversations"),
        "{none}"
    );
    assert!(!place.path(&format!("{run}.old-3")).exists());
}
