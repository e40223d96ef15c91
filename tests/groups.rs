//! Group chats, as the user meets them: from recipe to dataset with the scripted model, every branch of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::collections::BTreeSet;

use program::Place;
use serde_json::Value;

const RECIPE: &str = "model = 'scripted:leave=0.01,pause=0.05,interrupt=0.05,address=0.1'
count = 8
[plan]
kind = { group = 1 }
[experiences]
per_round = 6
per_call = 2
hub = 'ungated'
";

fn made(place: &Place, recipe: &str, out: &str, more: &[&str]) -> (String, Vec<Value>) {
    place.write("g.toml", recipe);
    let mut arguments = vec!["generate", "g.toml", "--out", out];
    for key in more {
        arguments.extend(["--set", key]);
    }
    place.ok(&arguments);
    let run = place.only_run(out);
    let rows = place.read(&format!("{run}/messages.jsonl"));
    let rows = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    (run, rows)
}

/// The chats themselves.
fn chats(place: &Place, run: &str) -> Vec<Value> {
    place.ok(&["show", run, "--json"]).json_lines()
}

fn speakers(chat: &Value) -> Vec<u64> {
    let turns = chat["turns"].as_array().unwrap();
    turns
        .iter()
        .map(|turn| turn["speaker"].as_u64().unwrap())
        .collect()
}

#[test]
fn the_same_recipe_makes_the_same_chats_however_it_is_run() {
    let place = Place::new();
    let (_, alone) = made(&place, RECIPE, "alone", &["engine.concurrency=1"]);
    let (run, together) = made(&place, RECIPE, "together", &["engine.concurrency=64"]);
    assert!(alone == together);
    assert_eq!(alone.len(), 8);
    // Stopped in the middle and carried on: what is there is a prefix, and then the same.
    place.write("g.toml", RECIPE);
    place.ok(&["generate", "g.toml", "--out", "parts", "--limit", "3"]);
    let run_in_parts = place.only_run("parts");
    place.ok(&["resume", &run_in_parts]);
    assert_eq!(
        place.read(&format!("{run_in_parts}/messages.jsonl")),
        place.read(&format!("{run}/messages.jsonl"))
    );
    for row in &together {
        let messages = row["messages"].as_array().unwrap();
        // One member is the assistant, the others' lines are told apart by their names.
        let roles: BTreeSet<&str> = messages
            .iter()
            .map(|message| message["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, BTreeSet::from(["assistant", "user"]));
        let roles: Vec<&Value> = messages.iter().map(|message| &message["role"]).collect();
        assert!(roles.windows(2).all(|pair| pair[0] != pair[1]), "{row}");
        assert_eq!(messages[0]["role"], "user");
        let names = row["participants"].as_array().unwrap();
        assert!(names.contains(&row["perspective"]));
        let first = messages[0]["content"].as_str().unwrap();
        assert!(
            names
                .iter()
                .any(|name| first.starts_with(&format!("{}: ", name.as_str().unwrap()))),
            "{first}"
        );
    }
    let status = place.ok(&["status", &run]).out;
    assert!(status.contains("kept           8 of 8"), "{status}");
}

#[test]
fn every_method_finds_its_speakers() {
    let place = Place::new();
    let three = "experiences.participants={ 3 = 1 }";
    let plain = "model=scripted";
    let (run, _) = made(
        &place,
        RECIPE,
        "round",
        &[three, plain, "group.speaker=round_robin"],
    );
    for chat in chats(&place, &run) {
        let order: Vec<u64> = (0..).take(speakers(&chat).len()).map(|n| n % 3).collect();
        assert_eq!(speakers(&chat), order);
    }
    let (run, _) = made(
        &place,
        RECIPE,
        "manual",
        &[
            three,
            plain,
            "group.speaker=manual",
            "group.order=[3, 1, 2, 1]",
        ],
    );
    for chat in chats(&place, &run) {
        assert_eq!(speakers(&chat)[..6], [2, 0, 1, 0, 2, 0]);
    }
    let follows = "group.transitions={ 1 = [2], 2 = [3], 3 = [1, 2] }";
    for method in ["random", "auto"] {
        let speaker = format!("group.speaker={method}");
        let (run, _) = made(&place, RECIPE, method, &[three, plain, &speaker, follows]);
        for chat in chats(&place, &run) {
            let pairs = speakers(&chat);
            for pair in pairs.windows(2) {
                assert!(
                    [(0, 1), (1, 2), (2, 0), (2, 1)].contains(&(pair[0], pair[1])),
                    "{method}: {pairs:?}"
                );
            }
        }
    }
    // Somebody who may follow is always there.
    for (keys, told) in [
        ("group.transitions={ 2 = [2] }", "a dead end"),
        ("group.transitions={ 2 = [9] }", "numbers of participants"),
        ("group.transitions={ ann = [1] }", "numbers of participants"),
        ("group.speaker=manual", "without group.order"),
    ] {
        place.write("g.toml", RECIPE);
        let said = place.fails(&["validate", "g.toml", "--set", keys], 78);
        assert!(said.contains(told), "{said}");
    }
    let said = place.fails(
        &[
            "validate",
            "g.toml",
            "--set",
            "group.transitions={ 1 = [4] }",
            "--set",
            "experiences.participants={ 2 = 1, 5 = 1 }",
        ],
        78,
    );
    assert!(said.contains("a dead end in a group of 2"), "{said}");
}

#[test]
fn who_leaves_is_gone_and_who_breaks_in_goes_on() {
    let place = Place::new();
    let dials = "model=scripted:leave=0.15,interrupt=0.15";
    let (run, _) = made(&place, RECIPE, "runs", &[dials, "group.min_turns=2"]);
    let (mut left, mut broke_in, mut emptied) = (0, 0, 0);
    for chat in chats(&place, &run) {
        let turns = chat["turns"].as_array().unwrap();
        let mut gone = BTreeSet::new();
        for (at, turn) in turns.iter().enumerate() {
            let speaker = turn["speaker"].as_u64().unwrap();
            assert!(!gone.contains(&speaker), "{chat}");
            let moves = turn["moves"].as_array().cloned().unwrap_or_default();
            if moves.contains(&"leave".into()) {
                left += 1;
                gone.insert(speaker);
            }
            if moves.contains(&"interrupt".into()) && at + 1 < turns.len() {
                broke_in += 1;
                assert_eq!(turns[at + 1]["speaker"], turn["speaker"]);
            }
        }
        if chat["end_reason"] == "all_left" {
            emptied += 1;
            let people = chat["experience"]["participants"].as_array().unwrap();
            assert!(people.len() - gone.len() < 2);
        }
    }
    assert!(
        left > 3 && broke_in > 3 && emptied > 0,
        "{left} {broke_in} {emptied}"
    );
    let shown = place.ok(&["show", &run, "0"]).out;
    assert!(
        shown.contains("relations") && shown.contains("starter"),
        "{shown}"
    );
}

#[test]
fn members_see_the_chat_in_their_own_view() {
    let place = Place::new();
    let (run, _) = made(&place, RECIPE, "runs", &[]);
    let shown = place
        .ok(&["show", &run, "0", "--prompts", "--json"])
        .json_lines();
    let chat = &shown[0];
    let names: Vec<&str> = chat["experience"]["participants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let prompts = chat["prompts"].as_array().unwrap();
    let members: Vec<&Value> = prompts.iter().filter(|p| p["asked"] == "member").collect();
    assert_eq!(members.len(), chat["turns"].as_array().unwrap().len());
    for (prompt, turn) in members.iter().zip(chat["turns"].as_array().unwrap()) {
        let speaker = names[usize::try_from(turn["speaker"].as_u64().unwrap()).unwrap()];
        let messages = prompt["messages"].as_array().unwrap();
        let system = messages[0]["content"].as_str().unwrap();
        assert!(system.contains(&format!("You are {speaker},")), "{system}");
        // Whoever opens sees topic, situation and starter; nobody sees an own line with a label.
        let opening = messages[1]["content"].as_str().unwrap();
        assert!(opening.contains(chat["experience"]["starter"].as_str().unwrap()));
        for message in messages.iter().filter(|m| m["role"] == "user") {
            let own = format!("\n{speaker}: ");
            assert!(!message["content"].as_str().unwrap().contains(&own));
        }
    }
    let choices = prompts.iter().filter(|p| p["asked"] == "manager").count();
    assert!(choices > 2, "{choices}");
}

#[test]
fn the_hub_turns_down_what_it_has_and_a_place_without_an_experience_is_named() {
    let place = Place::new();
    // Every list repeats its first entry, so that a call's second experience is its first.
    let dials = "model=scripted:duplicate=1";
    place.write("g.toml", RECIPE);
    let ended = place.ok(&[
        "generate",
        "g.toml",
        "--json",
        "--set",
        dials,
        "--set",
        "experiences.hub=gated",
        "--set",
        "experiences.participants={ 3 = 1 }",
        "--set",
        "max_attempts=1",
    ]);
    let status = ended.json()["status"].clone();
    let empty = status["rejected"]["no_experience"].as_u64().unwrap_or(0);
    assert!(empty >= 4, "{status}");
    assert_eq!(status["kept"].as_u64().unwrap() + empty, 8, "{status}");
}

/// What is like an experience in use is no shot, but it is used: a long run does not run dry.
#[test]
fn a_gated_hub_finds_an_experience_for_nearly_every_place() {
    let place = Place::new();
    place.write(
        "g.toml",
        "model = 'scripted'\ncount = 400\n[plan]\nkind = { group = 1 }\n",
    );
    let ended = place.ok(&["generate", "g.toml", "--json"]);
    let status = ended.json()["status"].clone();
    let empty = status["rejected"]["no_experience"].as_u64().unwrap_or(0);
    assert!(empty <= 20, "{status}");
    assert!(status["kept"].as_u64().unwrap() >= 370, "{status}");
}

/// A call that fails costs its places one try, never the run.
#[test]
fn calls_that_fail_do_not_end_the_run() {
    let place = Place::new();
    place.write("g.toml", RECIPE);
    let ended = place.ok(&[
        "generate",
        "g.toml",
        "--json",
        "--set",
        "model=scripted:error=0.05",
        "--set",
        "experiences.per_call=1",
        "--set",
        "max_attempts=8",
    ]);
    let status = ended.json()["status"].clone();
    assert_eq!(status["open"], 0, "{status}");
    assert!(status["kept"].as_u64().unwrap() >= 6, "{status}");
    let run = place.only_run("runs");
    let journal = place.read(&format!("{run}/journal/stream-0.jsonl"));
    assert!(journal.contains("planted by the `error` dial"));
}

#[test]
fn people_are_drawn_from_a_list() {
    let place = Place::new();
    let people: Vec<String> = (0..40)
        .map(|n| format!("{{\"persona\": \"A keeper of {n} clocks who sleeps badly.\"}}"))
        .collect();
    let people = people.join("\n");
    place.write("people.jsonl", &people);
    let drawn = "\n[personas]\nfrom = 'people.jsonl'\n";
    let (run, _) = made(&place, &format!("{RECIPE}{drawn}"), "runs", &[]);
    let mut seen = BTreeSet::new();
    let mut people = 0;
    for chat in chats(&place, &run) {
        for one in chat["experience"]["participants"].as_array().unwrap() {
            assert!(one["persona"].as_str().unwrap().starts_with("A keeper of "));
            assert!(one.get("memory").is_none() && !one["name"].as_str().unwrap().is_empty());
            seen.insert(one["persona"].to_string());
            people += 1;
        }
    }
    assert_eq!(
        seen.len(),
        people,
        "a persona came twice before all had come once"
    );
    // A broken line is left out and told, or refused.
    place.write(
        "people.jsonl",
        "{\"persona\": \"A baker.\"}\n{broken\n\n{\"persona\": \"A nun.\"}\n",
    );
    let ended = place.ok(&["generate", "g.toml", "--out", "broken", "--limit", "1"]);
    assert!(
        ended.err.contains("people.jsonl: lines 1 skipped: 2 ("),
        "{}",
        ended.err
    );
    let said = place.fails(&["generate", "g.toml", "--set", "personas.strict=true"], 65);
    assert!(said.contains("people.jsonl"), "{said}");
}

#[test]
fn experiences_may_be_given_and_come_from_another_run() {
    let place = Place::new();
    let given = r#"{"participants": [{"name": "Ada", "persona": "a diver"}, {"name": "Bo", "persona": "a cook"}], "relations": "They share a boat.", "situation": "The boat is late.", "topic": "who is to blame", "starter": "Where were you?"}"#;
    place.write("mine.jsonl", &format!("{given}\n"));
    let from = "\nfrom = 'mine.jsonl'\n";
    let (run, rows) = made(&place, &format!("{RECIPE}{from}"), "given", &[]);
    assert!(rows.iter().all(|row| row["topic"] == "who is to blame"));
    let first = &chats(&place, &run)[0];
    assert_eq!(first["experience"]["participants"][0]["persona"], "a diver");
    // Different places talk differently about the same thing.
    let texts: BTreeSet<String> = rows.iter().map(|row| row["messages"].to_string()).collect();
    assert_eq!(texts.len(), rows.len());
    // The original's situation files are read as well.
    let original = r#"[{"individuals": [{"name": "Ada", "age": 30, "nationality": "Dutch", "qualities": ["calm"], "speechStyle": "slow", "lifestyle": {"work": "diver", "hobbies": ["chess"]}, "memory": "She found a bell."}, {"name": "Bo", "persona": "a cook"}], "relations": "friends", "situation": "at sea", "topic": "the bell", "conversationStarter": "Do you hear it?"}]"#;
    place.write("mine.json", original);
    let (run, rows) = made(
        &place,
        &format!("{RECIPE}\nfrom = 'mine.json'\n"),
        "original",
        &[],
    );
    assert!(rows.iter().all(|row| row["topic"] == "the bell"));
    let first = &chats(&place, &run)[0]["experience"];
    assert_eq!(first["participants"][0]["work"], "diver");
    assert_eq!(first["starter"], "Do you hear it?");
    place.write("empty.jsonl", "\n");
    place.write("g.toml", &format!("{RECIPE}\nfrom = 'empty.jsonl'\n"));
    place.fails(&["generate", "g.toml"], 65);
    place.write("g.toml", &format!("{RECIPE}\nfrom = 'nowhere.jsonl'\n"));
    place.fails(&["generate", "g.toml"], 66);
}

#[test]
fn kinds_keep_their_shares_and_their_own_fingerprints() {
    let place = Place::new();
    let mixed = [
        "count=12",
        "model=scripted",
        "queries.per_page=2",
        "queries.per_long_page=2",
    ];
    let mut arguments = vec!["generate", "mixed", "--out", "runs", "--json"];
    for key in &mixed {
        arguments.extend(["--set", key]);
    }
    let ended = place.ok(&arguments);
    let rows = place.read(&format!("{}/messages.jsonl", place.only_run("runs")));
    let kinds: Vec<bool> = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap()["perspective"].is_string())
        .collect();
    assert_eq!(
        kinds.iter().filter(|group| **group).count(),
        4,
        "{}",
        ended.out
    );
    // Of any three in a row one is a group.
    assert!(
        kinds
            .chunks(3)
            .all(|three| three.iter().filter(|g| **g).count() == 1)
    );
    // A change of the groups' rules leaves the questions as they are.
    arguments.extend(["--set", "group.words=25"]);
    let again = place.ok(&arguments);
    assert!(again.err.contains("in group.words\n"), "{}", again.err);
}

#[test]
fn every_shipped_recipe_is_in_order() {
    let place = Place::new();
    for recipe in place.ok(&["recipes", "--json"]).json().as_array().unwrap() {
        let name = recipe["name"].as_str().unwrap();
        let found = place.ok(&["validate", name, "--json"]).json();
        assert_eq!(found["ok"], true, "{name}: {}", found["impossible"]);
        assert!(
            found["notes"].as_array().unwrap().len() < 3,
            "{}",
            found["notes"]
        );
        let folder = format!("of-{name}");
        let told = place.ok(&["init", &folder, "--recipe", name]).out;
        let pages = place.path(&folder).join("pages").is_dir();
        assert_eq!(told.contains("help pages"), pages, "{told}");
        place.ok(&["validate", &folder, "--model", "scripted"]);
    }
}
