//! The commands as their user meets them: what they do and what they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::fs;
use std::process::Stdio;

use program::{Ended, Place};
use serde_json::Value;

const SCRIPTED: &str = "scripted:echo=0.1,long=0.05";

/// A finished scripted run of a few conversations.
fn small_run(place: &Place) -> String {
    place.ok(&[
        "generate", "--model", SCRIPTED, "--set", "count=6", "--out", "runs",
    ]);
    place.only_run("runs")
}

#[test]
fn generate_then_read_what_was_made() {
    let place = Place::new();
    let arguments = [
        "generate", "--model", SCRIPTED, "--set", "count=6", "--out", "runs",
    ];
    let first = place.ok(&arguments);
    assert!(
        first.out.contains("6 kept") && first.out.contains("Demo data"),
        "{}",
        first.out
    );
    assert!(!first.out.contains('\u{1b}'), "{:?}", first.out);
    let run = place.only_run("runs");
    let messages = place.read(&format!("{run}/messages.jsonl"));
    assert_eq!(messages.lines().count(), 6);

    let second = place.ok(&arguments);
    assert!(second.out.contains("already complete"), "{}", second.out);
    assert_eq!(place.read(&format!("{run}/messages.jsonl")), messages);
    let resumed = place.ok(&["resume", &run, "--json"]).json();
    assert_eq!(
        (resumed["rows"].as_u64(), &resumed["state"]),
        (Some(6), &"complete".into())
    );

    let status = place.ok(&["status", &run]);
    assert!(
        status.out.contains("complete") && status.out.contains("6 of 6"),
        "{}",
        status.out
    );
    assert!(
        status.out.contains(&format!("colloquy export {run}")),
        "{}",
        status.out
    );
    let status = place.ok(&["status", &run, "--json"]).json();
    assert_eq!(
        (status["kept"].as_u64(), status["demo"].as_bool()),
        (Some(6), Some(true))
    );

    let exported = place.ok(&["export", &run, "--format", "messages", "--out", "-"]);
    assert_eq!(exported.out, messages);
    assert!(
        exported.err.contains("6 rows → standard output") && exported.err.contains("demo data"),
        "{}",
        exported.err
    );
    place.ok(&["export", &run, "--out", "all.jsonl"]);
    assert_eq!(place.read("all.jsonl"), messages);
    for row in exported.json_lines() {
        assert_eq!(row["demo"], true);
        assert_eq!(row["messages"][0]["role"], "user");
        for column in [
            "id",
            "outcome",
            "end_reason",
            "tone",
            "style",
            "product",
            "page",
            "model",
            "seed",
            "provenance",
        ] {
            assert!(!row[column].is_null(), "{column}: {row}");
        }
    }
}

#[test]
fn show_lists_one_and_all_and_their_prompts() {
    let place = Place::new();
    let run = small_run(&place);
    let all = place.ok(&["show", &run]);
    assert_eq!(all.out.matches('┌').count(), 6, "{}", all.out);
    let records = place.ok(&["show", &run, "--json"]).json_lines();
    assert_eq!(records.len(), 6);
    let id = records[2]["id"].as_str().unwrap();
    let one = place.ok(&["show", &run, id]);
    assert!(
        one.out.contains(id) && one.out.contains("verdict   kept"),
        "{}",
        one.out
    );
    let by_place = place.ok(&["show", &run, "2", "--json"]).json_lines();
    assert!(by_place.contains(&records[2]), "{by_place:?}");

    // Rejected attempts and rejected replies are there to be read.
    let every: Vec<Value> = (0..6)
        .flat_map(|slot| {
            place
                .ok(&["show", &run, &slot.to_string(), "--json"])
                .json_lines()
        })
        .collect();
    let with_reply = every.iter().find(|record| {
        let turns = record["turns"].as_array().unwrap();
        turns.iter().any(|turn| !turn["rejected"].is_null())
    });
    let told = place
        .ok(&["show", &run, with_reply.unwrap()["id"].as_str().unwrap()])
        .out;
    assert!(told.contains("reply turned down"), "{told}");

    let prompts = place
        .ok(&["show", &run, id, "--prompts", "--json"])
        .json_lines();
    let prompts = prompts[0]["prompts"].as_array().unwrap().clone();
    let turns = records[2]["turns"].as_array().unwrap();
    assert!(prompts.len() > turns.len(), "{prompts:?}");
    assert_eq!(prompts[0]["asked"], "customer");
    assert_eq!(prompts[1]["asked"], "agent");
    let heard = prompts[1]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(heard["content"], turns[0]["text"]);
    assert!(prompts.iter().any(|prompt| prompt["asked"] == "status"
        && prompt["tail"].as_str().unwrap().contains("CONTINUE")));
    let text = place.ok(&["show", &run, id, "--prompts"]).out;
    assert!(
        text.contains("── turn 1 · agent") && text.contains("[system] You are Robin"),
        "{text}"
    );
}

#[test]
fn prompts_are_refused_once_inputs_have_changed() {
    let place = Place::new();
    place.ok(&["init", "shop"]);
    place.ok(&[
        "generate", "shop", "--model", SCRIPTED, "--set", "count=2", "--out", "runs",
    ]);
    let run = place.only_run("runs");
    place.ok(&["show", &run, "0", "--prompts"]);
    place.write(
        "shop/pages/returns.md",
        "# Returns\n\nYou have 9 days to bring a thing back.\n",
    );
    let told = place.fails(&["show", &run, "0", "--prompts"], 65);
    assert!(
        told.contains("changed since it was made: pages") && told.contains("hint:"),
        "{told}"
    );
    place.ok(&["show", &run, "0"]);
}

#[test]
fn a_part_of_a_run_can_be_used_and_gone_on_with() {
    let place = Place::new();
    let arguments = [
        "generate", "--model", SCRIPTED, "--set", "count=9", "--out", "runs",
    ];
    place.ok(&[&arguments[..], &["--limit", "3"]].concat());
    let run = place.only_run("runs");
    let status = place.ok(&["status", &run, "--json"]).json();
    assert_eq!(
        (&status["state"], status["open"].as_u64()),
        (&"partial".into(), Some(6))
    );
    let part = place.ok(&["export", &run, "--out", "-"]);
    assert!(part.err.contains("the run is not finished"), "{}", part.err);
    place.ok(&["resume", &run]);
    let whole = place.ok(&["export", &run, "--out", "-"]);
    assert!(whole.out.starts_with(&part.out));
    place.ok(&[&arguments[..5], &["--out", "at-once", "--set", "count=9"]].concat());
    let at_once = place.only_run("at-once");
    assert_eq!(
        place.read(&format!("{at_once}/messages.jsonl")),
        whole.out,
        "a limit changes nothing"
    );
}

#[test]
fn init_gives_a_recipe_that_works() {
    let place = Place::new();
    let told = place.ok(&["init", "shop"]);
    assert!(told.out.contains("colloquy generate shop"), "{}", told.out);
    let listing = place.listing();
    for file in [
        "shop/recipe.toml",
        "shop/README.md",
        "shop/prompts/full/agent.j2",
        "shop/pages/returns.md",
    ] {
        assert!(
            listing.contains(&file.to_owned()),
            "{file} is not in {listing:?}"
        );
    }
    assert!(
        !listing.iter().any(|file| file.contains("tmp")),
        "{listing:?}"
    );
    let pages = listing
        .iter()
        .filter(|file| file.starts_with("shop/pages/"));
    assert_eq!(pages.count(), 2);

    // The demo model never serves by accident.
    for command in ["generate", "validate", "preview"] {
        let refused = place.fails(&[command, "shop"], 78);
        assert!(
            refused.contains("needs a model") && refused.contains("--model demo"),
            "{refused}"
        );
    }
    // Its prompts are those of the program: nothing changes until they are changed.
    let own = place
        .ok(&[
            "validate",
            "shop",
            "--model",
            "scripted:prompts=full",
            "--json",
        ])
        .json();
    let shipped = place
        .ok(&["validate", "--model", "scripted:prompts=full", "--json"])
        .json();
    assert_eq!(own["prompts"], shipped["prompts"]);
    let compact = place
        .ok(&["validate", "shop", "--model", "scripted", "--json"])
        .json();
    assert_eq!(compact["prompts"]["pack"], "compact");
    let seen = place.ok(&["preview", "shop", "--model", SCRIPTED, "-n", "2", "--json"]);
    assert_eq!(seen.json_lines().len(), 2);
    assert!(
        !place.listing().iter().any(|file| file.starts_with("runs")),
        "a preview keeps nothing"
    );
}

#[test]
fn init_spares_what_is_there() {
    let place = Place::new();
    place.write("full/notes.txt", "mine");
    place.write("file", "mine");
    fs::create_dir(place.path("empty")).unwrap();
    let before = place.listing();
    let refused = place.fails(&["init", "full"], 2);
    assert!(refused.contains("the folder holds notes.txt"), "{refused}");
    place.fails(&["init", "file"], 2);
    place.fails(&["init", "file/below"], 74);
    place.fails(&["init", "new", "--recipe", "suport"], 66);
    assert_eq!(place.listing(), before, "a refusal writes nothing");
    place.ok(&["init", "empty"]);
    place.ok(&["init", "a/b/c"]);
    assert_eq!(
        place.read("empty/pages/returns.md"),
        place.read("a/b/c/pages/returns.md")
    );
    fs::create_dir(place.path("here")).unwrap();
    let mut inside = place.command(&["init", "."]);
    let ended = Ended::of(inside.current_dir(place.path("here")).output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        place
            .read("here/recipe.toml")
            .contains("\nname = \"here\"\n")
    );
}

#[test]
fn recipes_and_preview() {
    let place = Place::new();
    let list = place.ok(&["recipes"]);
    assert!(list.out.starts_with("support  "), "{}", list.out);
    assert_eq!(
        place.ok(&["recipes", "--json"]).json()[0]["name"],
        "support"
    );
    let text = place.ok(&["recipes", "support"]).out;
    place.write("mine/recipe.toml", &text);
    place.ok(&["validate", "mine"]);
    assert!(
        place
            .fails(&["recipes", "suport"], 66)
            .contains("there is support")
    );

    let seen = place.ok(&["preview", "--model", SCRIPTED, "-n", "2"]);
    assert_eq!(seen.out.matches('┌').count(), 2, "{}", seen.out);
    place.fails(&["preview", "-n", "0"], 2);
}

#[test]
fn validate_tells_everything() {
    let place = Place::new();
    let text = place
        .ok(&["validate", "--model", "scripted", "--seed", "11"])
        .out;
    for part in [
        "--seed",
        "support.toml:",
        "default",
        "page        24 values, 1 each",
        "cause       customer_gives_up 1 · page_lacks_it 2 · policy_refuses 2",
        "neutral 12",
        "── customer.j2",
        "turns fit at full length",
        "is in order",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let told = place
        .ok(&["validate", "--model", "no-such-org/no-such-model", "--json"])
        .json();
    assert_eq!(
        (&told["ok"], &told["model"]["available"]),
        (&true.into(), &false.into())
    );
    assert_eq!(told["prompts"]["pack"], "full");
    let names: Vec<_> = told["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["key"].as_str().unwrap())
        .collect();
    assert!(names.len() > 40 && names.contains(&"conversation.max_turns"));

    // What can never be made is an error before any work.
    let odd = [
        "--set",
        "conversation.min_turns=5",
        "--set",
        "conversation.max_turns=5",
    ];
    let refused = place.fails(
        &[&["validate", "--model", "scripted"], &odd[..]].concat(),
        78,
    );
    assert!(refused.contains("conversation.min_turns = 5"), "{refused}");
    place.write(
        "few.jsonl",
        "{\"page\": \"returns\", \"text\": \"How long?\"}\n",
    );
    let few = place.ok(&[
        "validate",
        "--model",
        "scripted",
        "--set",
        "queries.from=few.jsonl",
    ]);
    let told = "23 of 24 pages have no question";
    assert!(few.out.contains(told) || few.err.contains(told), "{few:#?}");
    let refused = place.fails(
        &[
            "validate",
            "--model",
            "scripted:context=300",
            "--set",
            "customer.tone={ neutral = 1 }",
        ],
        78,
    );
    assert!(refused.contains("exceed the context of 300"), "{refused}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let place = Place::new();
    let run = small_run(&place);
    for arguments in [
        vec!["export", &run, "--out", "-"],
        vec!["show", &run],
        vec!["status", &run],
        vec!["recipes", "support"],
    ] {
        let mut command = place.command(&arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:#?}");
    }
}

#[test]
fn colour_is_for_terminals() {
    let place = Place::new();
    let run = small_run(&place);
    let mut status = place.command(&["status", &run]);
    let plain = Ended::of(status.env_remove("NO_COLOR").output().unwrap());
    assert!(!plain.out.contains('\u{1b}'), "{:?}", plain.out);
    let coloured = Ended::of(status.env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(coloured.out.contains('\u{1b}'), "{:?}", coloured.out);
}

#[test]
fn conversations_are_marked_one_by_one_or_from_a_file() {
    let place = Place::new();
    let run = small_run(&place);
    let listed = |flags: &[&str]| {
        let mut arguments = vec!["review", run.as_str(), "--list"];
        arguments.extend(flags);
        place.ok(&arguments).out
    };
    assert_eq!(
        listed(&[]),
        "0 to keep, 0 to drop, 6 of those kept unmarked\n"
    );

    let kept: Vec<String> = place
        .ok(&["export", &run, "--out", "-"])
        .json_lines()
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    let (first, second) = (&kept[0], &kept[1]);
    let mark = |mark: &str| place.ok(&["review", &run, "--mark", mark, "--note", "dull"]);
    mark(&format!("{second}=drop"));
    place.ok(&["review", &run, "--mark", &format!("{first}=keep")]);
    // Another mark leaves the note.
    place.ok(&["review", &run, "--mark", &format!("{second}=keep")]);
    let list = listed(&[]);
    assert!(
        list.starts_with(first) && list.contains("keep  dull\n2 to keep, 0 to drop, 4 of"),
        "{list}"
    );
    let text = place.read(&format!("{run}/review.jsonl"));
    assert_eq!(text.lines().count(), 3, "{text}");

    // What a page saves; the last line of an id counts, an empty one takes back.
    let lines = format!(
        "{{\"id\":\"{first}\"}}\n{{\"id\":\"{second}\",\"mark\":\"drop\"}}\n{{\"id\":\"{}\",\"mark\":\"drop\"}}\n",
        kept[2]
    );
    place.write("marks.jsonl", &lines);
    let import = ["review", &run, "--import", "marks.jsonl", "--json"];
    let ended = place.ok(&import);
    assert!(ended.err.starts_with("3 of 3 lines"), "{}", ended.err);
    let told = ended.json();
    assert_eq!(
        (told["keep"].as_u64(), told["drop"].as_u64()),
        (Some(0), Some(2))
    );
    assert_eq!(told["marks"][0]["id"], second.as_str());
    assert_eq!(told["unmarked"], 4);
    let again = place.ok(&import);
    assert!(again.err.starts_with("0 of 3 lines"), "{}", again.err);

    // Nothing is taken over from a file with something wrong in it.
    let whole = place.read(&format!("{run}/review.jsonl"));
    place.write("other.jsonl", &format!("{lines}{{\"id\":\"c/99/0\",\"mark\":\"drop\"}}\n{{\"id\":\"c/00/0\",\"mark\":\"keep\"}}"));
    let told = place.fails(&["review", &run, "--import", "other.jsonl"], 65);
    assert!(told.contains("no conversations c/00/0, c/99/0"), "{told}");
    place.write("torn.jsonl", &lines[..lines.len() - 4]);
    let told = place.fails(&["review", &run, "--import", "torn.jsonl"], 65);
    assert!(told.contains("torn.jsonl: line 3: EOF"), "{told}");
    place.fails(&["review", &run, "--import", "none.jsonl"], 66);
    for (mark, code, told) in [
        ("c/0/0", 2, "is no mark"),
        ("c/0/0=maybe", 2, "is no mark"),
        ("c/999/0=keep", 66, "there is no place 999"),
        ("c/0/99=keep", 66, "not made yet"),
        ("x=keep", 2, "names no conversation"),
    ] {
        let error = place.fails(&["review", &run, "--mark", mark], code);
        assert!(error.contains(told), "{mark}: {error}");
    }
    assert_eq!(place.read(&format!("{run}/review.jsonl")), whole);

    let told = place.fails(&["review", &run], 2);
    assert!(
        told.contains("needs a terminal") && told.contains("--import"),
        "{told}"
    );
    // What a crash left behind is passed over, what was changed by hand is not.
    place.write(
        &format!("{run}/review.jsonl"),
        &format!("{whole}{{\"id\":\"c/"),
    );
    assert_eq!(place.ok(&["review", &run, "--json"]).json()["drop"], 2);
    place.write(&format!("{run}/review.jsonl"), &format!("drop it\n{whole}"));
    let told = place.fails(&["review", &run, "--list"], 65);
    assert!(told.contains("review.jsonl: line 1: "), "{told}");
}

#[test]
fn help_and_completions() {
    let place = Place::new();
    for command in [
        "generate",
        "preview",
        "init",
        "recipes",
        "validate",
        "status",
        "resume",
        "show",
        "review",
        "judge",
        "export",
        "report",
        "models",
        "models list",
        "models show",
        "models pull",
        "models verify",
        "score",
        "bench",
        "doctor",
        "completions",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = place.ok(&arguments);
        assert!(help.err.is_empty(), "{}", help.err);
        insta::assert_snapshot!(format!("help_{}", command.replace(' ', "_")), help.out);
    }
    let help = place.ok(&["--help"]).out;
    assert!(help.contains("Exit codes:"), "{help}");
    insta::assert_snapshot!("help", help);
    assert!(place.ok(&["completions", "bash"]).out.contains("_colloquy"));
    let version = place.ok(&["--version"]).out;
    assert_eq!(version, format!("colloquy {}\n", env!("CARGO_PKG_VERSION")));
}
