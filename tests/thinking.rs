//! Thoughts before replies: within a budget, closed by force, gone afterwards, and the same whatever shares the batch.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
mod program;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use colloquy::engine::{
    Ask, ChatError, ChatModel, ChatRole, Completion, Finish, Grammar, LoadOptions, LocalModel,
    Sampling, View,
};
use colloquy::model::ModelParts;
use colloquy::model::template::{ChatTemplate, Day};
use colloquy::rng::Stream;
use common::block_on;
use program::{Place, edited, model_folder};
use serde_json::{Value, json};

/// The demo model with marks of thoughts that its template does not know.
fn model(marks: Option<[&str; 2]>) -> LocalModel {
    let mut parts = ModelParts::demo(Day::parse("2026-01-01").unwrap()).unwrap();
    if let Some(marks) = marks {
        let template = parts.template.take().unwrap();
        parts.template = Some(template.with_think_marks(marks.map(str::to_owned)).unwrap());
    }
    let options = LoadOptions {
        reference: "demo".into(),
        threads: 2,
        profile: None,
        kv: None,
        memory_bytes: Some(300 << 20),
        available_bytes: 1 << 30,
    };
    LocalModel::start(parts, &options).unwrap()
}

const WORDS: Option<[&str; 2]> = Some(["<think>", "</think>"]);
/// One token each.
const SIGNS: Option<[&str; 2]> = Some(["[", "."]);

fn view(n: u64) -> View {
    let mut view = View::with_system("You are Robin of Larkmoor. Answer in one sentence.");
    view.push(
        ChatRole::User,
        format!("Question {n}: how long can I return a lamp?"),
        Vec::new(),
    );
    view
}

fn ask(view: &View, thinking_tokens: usize, draw: u64) -> Ask<'_> {
    Ask {
        view,
        tail: None,
        max_new_tokens: 24,
        thinking_tokens,
        // The demo model has learned to end its turn at the end of a line: a little disorder keeps it going.
        sampling: Sampling {
            temperature: 3.0,
            ..Sampling::default()
        },
        grammar: None,
        stop: &[],
        draw: Stream::root(draw),
    }
}

async fn one(model: &LocalModel, n: u64, thinking: usize) -> Completion {
    let session = model.open(&[400]).await.unwrap();
    let view = view(n);
    model
        .reply(&session, ask(&view, thinking, n))
        .await
        .unwrap()
}

fn content(reply: &Completion) -> (Vec<u32>, String, Finish, usize) {
    (
        reply.tokens.clone(),
        reply.text.clone(),
        reply.finish,
        reply.thinking_tokens,
    )
}

#[test]
fn thoughts_stay_within_their_budget_and_out_of_the_reply() {
    let (plain, thinks) = (model(None), model(WORDS));
    block_on(async {
        let (mut forced, mut changed) = (0, 0);
        for n in 0..12 {
            let at_once = one(&plain, n, 0).await;
            assert_eq!(content(&one(&thinks, n, 0).await), content(&at_once));
            // marks are needed to think
            assert_eq!(content(&one(&plain, n, 16).await), content(&at_once));
            let reply = one(&thinks, n, 16).await;
            assert!(reply.thinking_tokens <= 16, "{reply:?}");
            assert!(!reply.text.contains("think>"), "{reply:?}");
            forced += usize::from(reply.thinking_tokens == 16);
            changed += usize::from(reply.text != at_once.text);
        }
        assert!(forced > 0 && changed > 6, "{forced} {changed}");
    });
}

#[test]
fn marks_of_one_token_end_thoughts_and_are_no_part_of_replies() {
    let thinks = model(SIGNS);
    let ids = thinks.encoder().think_ids();
    assert_eq!(ids.len(), 2);
    block_on(async {
        let mut short = 0;
        for n in 0..12 {
            let reply = one(&thinks, n, 60).await;
            assert!(!reply.tokens.iter().any(|id| ids.contains(id)), "{reply:?}");
            short += usize::from((1..60).contains(&reply.thinking_tokens));
        }
        assert!(short > 6, "{short} thoughts ended by themselves");
    });
}

#[test]
fn a_grammar_holds_for_the_reply_alone() {
    let thinks = model(WORDS);
    let grammar = Arc::new(Grammar::Regex("(yes|no), (yes|no)".into()));
    block_on(async {
        let session = thinks.open(&[400]).await.unwrap();
        let mut thought = 0;
        for n in 0..6 {
            let view = view(n);
            let asked = Ask {
                grammar: Some(Arc::clone(&grammar)),
                ..ask(&view, 12, n)
            };
            let reply = thinks.reply(&session, asked).await.unwrap();
            assert!(
                ["yes, yes", "yes, no", "no, yes", "no, no"].contains(&reply.text.as_str()),
                "{reply:?}"
            );
            thought += reply.thinking_tokens;
        }
        assert!(thought > 0);
    });
}

/// Batched equals alone, and what a session has in its cache changes nothing.
#[test]
fn thinking_keeps_the_laws() {
    let alone: Vec<_> = {
        let model = model(WORDS);
        block_on(async {
            let mut replies = Vec::new();
            for n in 0..8 {
                replies.push(content(&one(&model, n, 20).await));
            }
            replies
        })
    };
    let thought = alone.iter().filter(|(.., thinking)| *thinking > 0).count();
    assert!(thought > 4, "{thought} of 8 replies came after a thought");
    let model = Arc::new(model(WORDS));
    let together: Vec<_> = block_on(async {
        let tasks: Vec<_> = (0..8)
            .rev()
            .map(|n| {
                let model = Arc::clone(&model);
                tokio::spawn(async move { content(&one(&model, n, 20).await) })
            })
            .collect();
        let mut replies = Vec::new();
        for task in tasks {
            replies.push(task.await.unwrap());
        }
        replies.reverse();
        replies
    });
    assert_eq!(together, alone);
    block_on(async {
        let session = model.open(&[400]).await.unwrap();
        for (n, expected) in (0..8).zip(&alone) {
            let view = view(n);
            for _ in 0..2 {
                let again = model.reply(&session, ask(&view, 20, n)).await.unwrap();
                assert_eq!(content(&again), *expected);
            }
        }
    });
}

#[test]
fn a_thought_needs_room() {
    let thinks = model(WORDS);
    block_on(async {
        let session = thinks.open(&[1024]).await.unwrap();
        let view = view(0);
        let error = thinks
            .reply(&session, ask(&view, 5000, 0))
            .await
            .unwrap_err();
        assert!(matches!(error, ChatError::Context { .. }), "{error}");
    });
}

/// The demo model's template, with a word of the user's before all messages and a switch for thinking.
const TEMPLATE: &str = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + ((word + ' ') if word is defined and loop.first \
                        else '') + m['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}\
                        {{ '<|assistant|>' }}{% if enable_thinking is defined and not enable_thinking %}\
                        {{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}";

#[test]
fn one_engine_serves_templates_with_other_variables() {
    let mut parts = ModelParts::demo(Day::parse("2026-01-01").unwrap()).unwrap();
    let day = Day::parse("2026-01-01").unwrap();
    parts.template = Some(ChatTemplate::new(TEMPLATE, BTreeMap::new(), day).unwrap());
    let options = LoadOptions {
        reference: "demo".into(),
        threads: 2,
        profile: None,
        kv: None,
        memory_bytes: Some(300 << 20),
        available_bytes: 1 << 30,
    };
    let plain = LocalModel::start(parts, &options).unwrap();
    let with = |kwargs: Value| {
        let kwargs = serde_json::from_value(kwargs).unwrap();
        plain.with_kwargs(&kwargs).unwrap()
    };
    let (odd, told) = (
        with(json!({ "nobody": 1 })),
        with(json!({ "word": "kuzo" })),
    );
    let seen = |model: &LocalModel| model.encoder().encode(&view(1), None).unwrap().text;
    assert_eq!(seen(&odd), seen(&plain));
    assert!(
        seen(&told).contains("<|system|>kuzo You are Robin"),
        "{}",
        seen(&told)
    );
    // Without a thought, the switch is off by itself, unless the user turns it on.
    assert!(
        seen(&plain).ends_with("<think>\n\n</think>\n\n"),
        "{}",
        seen(&plain)
    );
    let on = with(json!({ "enable_thinking": true }));
    assert!(seen(&on).ends_with("<|assistant|>"), "{}", seen(&on));
    block_on(async {
        let mut other = 0;
        for n in 0..6 {
            let at_once = content(&one(&plain, n, 8).await);
            assert_eq!(content(&one(&odd, n, 8).await), at_once);
            other += usize::from(content(&one(&told, n, 8).await) != at_once);
        }
        assert!(other > 3, "{other}");
    });
    assert!(plain.is(&told) && told.thought_room(0) == 0 && told.thought_room(8) > 8);
    let [plain, odd, told] = [plain, odd, told].map(|model| ChatModel::Local(Arc::new(model)));
    assert!(plain.is(&told) && !plain.sees_as(&told) && !plain.sees_as(&odd));
    assert!(told.sees_as(&told.clone()));
}

/// The demo model as a folder whose template has a switch, and whose manifest tells what opens and closes a thought.
fn folder(place: &Place, name: &str, marks: bool) -> String {
    let reference = model_folder(place, name, |file, bytes| {
        edited(file, bytes, "tokenizer_config.json", |config| {
            if !marks {
                return;
            }
            config["chat_template"] = TEMPLATE
                .replace(" and not enable_thinking", " and enable_thinking == 3")
                .into();
        })
    });
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo/manifest.toml");
    let mut manifest = std::fs::read_to_string(manifest).unwrap();
    if marks {
        manifest.push_str("think_marks = [\"<think>\", \"</think>\"]\n");
    }
    place.write(&format!("{name}/colloquy.toml"), &manifest);
    reference
}

/// A few short conversations, whatever becomes of them, with an agent that thinks and is told a word.
fn arguments<'a>(command: &'a str, model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![command, "--model", model];
    for key in [
        "count=5",
        "max_attempts=2",
        "pages.include=returns,contact",
        "queries.per_page=2",
        "queries.per_long_page=2",
        "conversation.max_turns=4",
        "plan.keep_only_planned_outcome=false",
        "models.agent.thinking=12",
        "models.agent.chat_template_kwargs.word=kuzo",
        "sampling.agent.temperature=1.2",
    ] {
        arguments.extend(["--set", key]);
    }
    arguments.extend(more);
    arguments
}

/// How many tokens were thought in a run: before each reply of the agent, and before all others.
fn thoughts(place: &Place, run: &str) -> (Vec<u64>, u64) {
    let (mut agent, mut others) = (Vec::new(), 0);
    for line in place.read(&format!("{run}/journal/stream-0.jsonl")).lines() {
        let entry: Value = serde_json::from_str(&line[9..]).unwrap();
        let call = &entry["call"];
        let tokens = call["outcome"]["reply"]["thinking_tokens"].as_u64();
        match call["key"].as_str() {
            Some(key) if key.contains("/agent/") => agent.push(tokens.unwrap_or(0)),
            _ => others += tokens.unwrap_or(0),
        }
    }
    (agent, others)
}

#[test]
fn thoughts_are_counted_and_nowhere_else() {
    let place = Place::new();
    let model = folder(&place, "thinks", true);
    let generate = |out, more: &[&str]| {
        let ended = place.ok(&arguments(
            "generate",
            &model,
            &[&["--json", "--out", out], more].concat(),
        ));
        (ended, place.only_run(out))
    };
    let (ended, run) = generate(
        "alone",
        &["--set", "engine.concurrency=1", "--threads", "1"],
    );
    let (_, together) = generate("together", &[]);
    let rows = place.read(&format!("{run}/messages.jsonl"));
    assert!(rows == place.read(&format!("{together}/messages.jsonl")));
    assert!(
        rows.lines().count() >= 3 && !rows.contains("think>") && !rows.contains("thinking"),
        "{rows}"
    );
    let (agent, others) = thoughts(&place, &run);
    assert!(
        agent.iter().sum::<u64>() > 20 && agent.iter().all(|n| *n <= 12),
        "{agent:?}"
    );
    assert_eq!(others, 0);
    let engines = ended.json()["engine"]["models"].clone();
    assert_eq!(engines.as_array().unwrap().len(), 1, "{engines}");
    // What was seen, and how long was thought.
    let shown = place
        .ok(&["show", &run, "0", "--prompts", "--json"])
        .json_lines();
    let mut told = 0;
    for prompt in shown[0]["prompts"].as_array().unwrap() {
        let text = prompt["text"].as_str().unwrap();
        let agent = prompt["asked"] == "agent";
        assert_eq!(text.contains("kuzo"), agent, "{prompt}");
        assert_eq!(text.ends_with("<think>\n"), agent, "{prompt}");
        assert_eq!(prompt["thinking_tokens"].is_array(), agent, "{prompt}");
        told += prompt["thinking_tokens"][0].as_u64().unwrap_or(0);
    }
    assert!(told > 0);
    let text = place.ok(&["show", &run, "0", "--prompts"]).out;
    assert!(text.contains(" · thought "), "{text}");
    // Thoughts are content: without them it is another run, with the same questions.
    let none = arguments(
        "generate",
        &model,
        &["--out", "alone", "--set", "models.agent.thinking=0"],
    );
    let said = place.ok(&none).err;
    assert!(said.contains("in models.agent.thinking\n"), "{said}");
}

#[test]
fn a_thinking_run_that_is_killed_goes_on() {
    let place = Place::new();
    let model = folder(&place, "thinks", true);
    let calm = arguments("generate", &model, &["--out", "calm"]);
    place.ok(&calm);
    let calm = place.only_run("calm");
    let expected = place.read(&format!("{calm}/messages.jsonl"));
    let (mut kills, mut gone_on) = (0, 0);
    for wait in (0..).map(|n| 40 + 60 * n) {
        let hurt = arguments("generate", &model, &["--out", "hurt"]);
        let mut command = place.command(&hurt);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let begun = place.path("hurt").is_dir();
        gone_on += usize::from(begun && !thoughts_of_whole_lines(&place).is_empty());
    }
    let hurt = place.only_run("hurt");
    assert!(
        place.read(&format!("{hurt}/messages.jsonl")) == expected,
        "{kills} kills"
    );
    assert_eq!(
        thoughts(&place, &hurt).0.len(),
        thoughts(&place, &calm).0.len()
    );
    println!("{kills} kills, {gone_on} after a thought");
    assert!(gone_on > 0, "no kill came after a thought");
}

/// Lines of the killed run's journal that tell of a thought.
fn thoughts_of_whole_lines(place: &Place) -> Vec<String> {
    let runs = std::fs::read_dir(place.path("hurt")).unwrap();
    let journals = runs.map(|run| run.unwrap().path().join("journal/stream-0.jsonl"));
    let texts = journals.filter_map(|path| std::fs::read_to_string(path).ok());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .filter(|line| line.contains("thinking_tokens"))
        .collect()
}

#[test]
fn what_cannot_think_is_refused_and_what_nothing_reads_is_told() {
    let place = Place::new();
    for command in ["validate", "generate"] {
        let told = place.fails(&arguments(command, "demo", &[]), 78);
        assert!(
            told.contains("models.agent.thinking = 12, but demo (agent) has no marks of thoughts")
                && told.contains("--set models.agent.thinking=0"),
            "{told}"
        );
        let told = place.fails(&arguments(command, "scripted", &[]), 78);
        assert!(
            told.contains("scripted (agent) does not think") && told.contains("think=0.5"),
            "{told}"
        );
    }
    let model = folder(&place, "thinks", true);
    let template = place
        .read("thinks/tokenizer_config.json")
        .replace("enable_thinking == 3", "not enable_thinking");
    place.write("thinks/tokenizer_config.json", &template);
    let off = [
        "--set",
        "models.agent.chat_template_kwargs={ enable_thinking = false }",
    ];
    let told = place.fails(&arguments("validate", &model, &off), 78);
    assert!(
        told.contains("is told not to think by chat_template_kwargs.enable_thinking = false"),
        "{told}"
    );
    let odd = ["--set", "chat_template_kwargs={ nobody = 1, word = 'x' }"];
    let told = place.ok(&arguments("validate", &model, &odd)).out;
    assert!(
        told.contains("note: chat_template_kwargs.nobody changes nothing: the chat template of ./thinks (queries, customer, status) never reads it"),
        "{told}"
    );
    assert!(
        !told.contains("chat_template_kwargs.word changes nothing"),
        "{told}"
    );
    let wrong = [
        "--set",
        "models.customer.chat_template_kwargs={ word = [1] }",
    ];
    let told = place.fails(&arguments("validate", &model, &wrong), 78);
    assert!(
        told.contains("./thinks (customer) cannot be given its chat_template_kwargs"),
        "{told}"
    );
    // A thought takes room: where there is none for it, that is told.
    let long = ["--set", "models.agent.thinking=2000"];
    let told = place.fails(&arguments("validate", &model, &long), 78);
    assert!(
        told.contains("can never be made") && told.contains("thinking"),
        "{told}"
    );
}
