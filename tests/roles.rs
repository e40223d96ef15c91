//! Models by role: several models in one run, as the user meets them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use program::{Ended, Place, edited, model_folder};
use serde_json::Value;

/// A few short conversations of few pages, whatever their outcome: the laws are about bytes, and time is short.
const SHORT: &[&str] = &[
    "count=8",
    "max_attempts=2",
    "pages.include=returns,contact",
    "queries.per_page=2",
    "queries.per_long_page=2",
    "conversation.max_turns=4",
    "plan.keep_only_planned_outcome=false",
];

/// The demo model as a folder, another model to the program: its files have other hashes.
fn demo_folder(place: &Place, name: &str) -> String {
    let reference = model_folder(place, name, |_, bytes| Some(bytes));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo/manifest.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    place.write(&format!("{name}/colloquy.toml"), &manifest);
    reference
}

/// Runs the short recipe with so many models, and gives what was said at the end and the rows.
fn generate(place: &Place, out: &str, models: &[&str], more: &[&str]) -> (Ended, Vec<Value>) {
    let ended = place.ok(&arguments(out, models, more));
    let rows = place.read(&format!("{}/messages.jsonl", place.only_run(out)));
    let rows: Vec<Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert!(rows.len() >= 3, "{rows:?}");
    (ended, rows)
}

fn arguments<'a>(out: &'a str, models: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["generate", "--json", "--out", out];
    for model in models {
        arguments.extend(["--model", model]);
    }
    for key in SHORT {
        arguments.extend(["--set", key]);
    }
    arguments.extend(more);
    arguments
}

/// What was said, without who said it.
fn said(rows: &[Value]) -> Vec<(&Value, &Value)> {
    rows.iter()
        .map(|row| (&row["messages"], &row["outcome"]))
        .collect()
}

#[test]
fn two_models_say_what_each_says_whatever_runs_beside_it() {
    let place = Place::new();
    let other = demo_folder(&place, "other");
    let customer = format!("customer={other}");
    let two = ["demo", customer.as_str()];
    let (ended, alone) = generate(
        &place,
        "alone",
        &two,
        &["--set", "engine.concurrency=1", "--threads", "1"],
    );
    let (_, together) = generate(&place, "together", &two, &[]);
    assert!(
        alone == together,
        "concurrency and threads changed something"
    );
    // The same weights under another hash are another engine, and say the same.
    let (single, one) = generate(&place, "one", &["demo"], &[]);
    assert_eq!(said(&one), said(&together));
    // Who made it is told everywhere.
    let models = &together[0]["provenance"]["models"];
    assert_eq!(together[0]["model"], "demo");
    for (role, name) in [
        ("queries", "demo"),
        ("customer", "./other"),
        ("agent", "demo"),
        ("status", "./other"),
    ] {
        assert_eq!(models[role]["model"], name, "{models}");
    }
    assert_ne!(
        models["customer"]["model_hash"],
        models["agent"]["model_hash"]
    );
    assert!(
        one[0]["provenance"].get("models").is_none(),
        "one model is named once"
    );
    let engines = |ended: &Ended| ended.json()["engine"]["models"].as_array().unwrap().clone();
    let figures = engines(&single);
    assert_eq!(figures.len(), 1, "{figures:?}");
    let all = &single.json()["engine"];
    assert!(all["new_tokens"].as_u64().unwrap() > 0, "{all}");
    assert_eq!(all["new_tokens"], figures[0]["new_tokens"]);
    let figures = engines(&ended);
    assert_eq!(figures.len(), 2, "{figures:?}");
    for figure in &figures {
        assert!(figure["new_tokens"].as_u64().unwrap() > 0, "{figure}");
    }
    let run = place.only_run("together");
    let status = place.ok(&["status", &run, "--json"]).json();
    assert_eq!(status["models"]["status"], "./other", "{status}");
    let told = place.ok(&["status", &run]).out;
    assert!(
        told.contains("demo (queries, agent) · ./other (customer, status)"),
        "{told}"
    );
    let shown = place
        .ok(&["show", &run, "0", "--prompts", "--json"])
        .json_lines();
    for prompt in shown[0]["prompts"].as_array().unwrap() {
        let name = if prompt["asked"] == "agent" {
            "demo"
        } else {
            "./other"
        };
        assert_eq!(prompt["model"], name, "{prompt}");
    }
}

/// The demo model with its vocabulary in another order: the same model to a reader, another tokenizer to the program.
fn shuffled_demo(place: &Place, name: &str) -> String {
    const SPECIAL: usize = 5;
    const ENTRIES: usize = 6144;
    let moved = |id: usize| {
        if id < SPECIAL {
            id
        } else {
            SPECIAL + ENTRIES - 1 - id
        }
    };
    let reference = model_folder(place, name, |file, bytes| match file {
        "tokenizer.json" => edited(file, bytes, file, |tokenizer| {
            let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
            for id in vocab.values_mut() {
                *id = moved(usize::try_from(id.as_u64().unwrap()).unwrap()).into();
            }
        }),
        "model.safetensors" => {
            let weights = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let embedding = weights.tensor("model.embed_tokens.weight").unwrap().data();
            let at = embedding.as_ptr() as usize - bytes.as_ptr() as usize;
            let row = embedding.len() / ENTRIES;
            let mut changed = bytes.clone();
            for (id, values) in embedding.chunks_exact(row).enumerate() {
                let to = at + moved(id) * row;
                changed[to..to + row].copy_from_slice(values);
            }
            Some(changed)
        }
        _ => Some(bytes),
    });
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo/manifest.toml");
    place.write(
        &format!("{name}/colloquy.toml"),
        &std::fs::read_to_string(manifest).unwrap(),
    );
    reference
}

#[test]
fn models_of_two_tokenizers_understand_each_other() {
    let place = Place::new();
    let other = shuffled_demo(&place, "other");
    // Draws are keyed by token, so only the likeliest words are the same.
    let greedy = [
        "--set",
        "sampling.customer.temperature=0",
        "--set",
        "sampling.agent.temperature=0",
        "--set",
        "sampling.queries.temperature=0",
    ];
    let (_, demo) = generate(&place, "demo", &["demo"], &greedy);
    for roles in ["customer", "agent", "status"] {
        let role = format!("{roles}={other}");
        let (_, mixed) = generate(&place, roles, &["demo", &role], &greedy);
        assert_eq!(said(&mixed), said(&demo), "{roles}");
    }
    let first = |out: &str| {
        let run = place.only_run(out);
        let shown = place.ok(&["show", &run, "0", "--prompts", "--json"]);
        shown.json_lines()[0]["prompts"][0].clone()
    };
    let (one, two) = (first("demo"), first("customer"));
    assert_eq!(one["text"], two["text"]);
    assert_ne!(one["ids"], two["ids"]);
}

#[test]
fn the_same_model_in_two_roles_is_one() {
    let place = Place::new();
    let (_, one) = generate(&place, "one", &["demo"], &[]);
    let (named, twice) = generate(
        &place,
        "twice",
        &["customer=demo", "demo", "agent=demo"],
        &[],
    );
    assert!(one == twice, "naming the model by role changed something");
    assert_eq!(
        place.only_run("one").strip_prefix("one/"),
        place.only_run("twice").strip_prefix("twice/")
    );
    assert_eq!(
        named.json()["engine"]["models"].as_array().unwrap().len(),
        1
    );
    // So are the same files under two names.
    let (a, b) = (demo_folder(&place, "a"), demo_folder(&place, "b"));
    let customer = format!("customer={b}");
    let (ended, rows) = generate(&place, "copies", &[&a, &customer], &[]);
    assert_eq!(said(&rows), said(&one));
    let engines = ended.json()["engine"]["models"].clone();
    assert_eq!(engines.as_array().unwrap().len(), 1, "{engines}");
    assert_eq!(rows[0]["provenance"]["models"]["customer"]["model"], "./b");
}

#[test]
fn another_agent_leaves_the_questions_as_they_are() {
    let place = Place::new();
    let dials = "scripted:echo=0.05";
    place.ok(&arguments("runs", &[dials], &[]));
    let changed = place.ok(&arguments("runs", &[dials, "agent=scripted"], &[]));
    assert!(changed.err.contains("differs from"), "{}", changed.err);
    assert!(changed.err.contains("in model.agent\n"), "{}", changed.err);
    let journals: Vec<String> = std::fs::read_dir(place.path("runs"))
        .unwrap()
        .map(|run| {
            std::fs::read_to_string(run.unwrap().path().join("journal/stream-0.jsonl")).unwrap()
        })
        .collect();
    let asked = |journal: &&String| journal.contains("\"call\":{\"key\":\"q/");
    assert_eq!(journals.len(), 2);
    assert_eq!(
        journals.iter().filter(asked).count(),
        1,
        "questions were written again"
    );
    // Another model for the questions makes other questions.
    let asks = place.ok(&arguments("runs", &[dials, "queries=scripted"], &[]));
    assert!(asks.err.contains("in model.queries\n"), "{}", asks.err);
}

#[test]
fn a_script_and_a_model_talk_to_each_other() {
    let place = Place::new();
    let mixed = ["demo", "customer=scripted", "status=scripted:endless=0.2"];
    let (_, first) = generate(&place, "first", &mixed, &["--set", "engine.concurrency=1"]);
    let (_, second) = generate(&place, "second", &mixed, &[]);
    assert!(first == second);
    let arguments = |command| {
        let mut arguments = vec![command];
        for model in mixed {
            arguments.extend(["--model", model]);
        }
        arguments
    };
    let told = place.ok(&arguments("validate")).out;
    for part in [
        "model demo (queries, agent): ",
        "model scripted (customer): ",
        "model scripted:endless=0.2 (status): ",
        "models.customer.ref",
        "--model customer",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let mut preview = arguments("preview");
    preview.extend(["-n", "1"]);
    for key in SHORT {
        preview.extend(["--set", key]);
    }
    assert!(place.ok(&preview).out.contains('┌'));
    let mut doctor = arguments("doctor");
    doctor.push("--quick");
    let told = place.run(&doctor).out;
    assert!(told.contains("demo (queries, agent) loads"), "{told}");
    let refused = place.fails(&["generate", "--model", "agnet=demo"], 78);
    assert!(refused.contains("did you mean `agent`?"), "{refused}");
}

/// The figure in quotes that an error names as enough.
fn enough(told: &str) -> String {
    let figure = told.split('"').nth(1);
    figure
        .unwrap_or_else(|| panic!("a figure in {told}"))
        .to_owned()
}

#[test]
fn what_does_not_fit_together_takes_turns_or_says_so() {
    let place = Place::new();
    let other = demo_folder(&place, "other");
    let (agent, queries) = (format!("agent={other}"), format!("queries={other}"));
    // Both are needed at once: refused with figures, of which the one that is named is enough, and no less.
    let tight = arguments("tight", &["demo", &agent], &["--memory", "30 MB"]);
    let told = place.fails(&tight, 2);
    for part in [
        "the models of the conversations do not fit together in the 30 MB",
        "./other (agent)",
        "demo (customer, status)",
        "is enough",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let figure = enough(&told);
    let (_, rows) = generate(&place, "enough", &["demo", &agent], &["--memory", &figure]);
    let less: u64 = figure.split(' ').next().unwrap().parse::<u64>().unwrap() - 1;
    let less = format!("{less} MB");
    place.fails(
        &arguments("less", &["demo", &agent], &["--memory", &less]),
        2,
    );
    let (_, roomy) = generate(&place, "roomy", &["demo", &agent], &[]);
    assert!(rows == roomy, "memory changed something");
    // Questions by one and conversations by the other go one after the other.
    let one_at_a_time = format!(
        "{} MB",
        less.split(' ').next().unwrap().parse::<u64>().unwrap() * 3 / 4
    );
    let (ended, turns) = generate(
        &place,
        "turns",
        &["demo", &queries],
        &["--memory", &one_at_a_time],
    );
    let line = "models do not fit together: phases queries by ./other, then conversations by demo";
    assert!(ended.err.contains(line), "{}", ended.err);
    let (together, side_by_side) = generate(&place, "side", &["demo", &queries], &[]);
    assert!(!together.err.contains("phases"), "{}", together.err);
    assert!(turns == side_by_side, "taking turns changed something");
    // Begun in one way, gone on with in the other.
    let runs = arguments(
        "half",
        &["demo", &queries],
        &["--memory", &one_at_a_time, "--limit", "2"],
    );
    place.ok(&runs);
    let run = place.only_run("half");
    place.ok(&["resume", &run, "--memory", "400 MB"]);
    let rows = place.read(&format!("{run}/messages.jsonl"));
    let whole = place.read(&format!("{}/messages.jsonl", place.only_run("side")));
    assert!(rows == whole);
}
