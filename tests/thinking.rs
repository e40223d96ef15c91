//! Thoughts before replies: within a budget, closed by force, gone afterwards, and the same whatever shares the batch.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::sync::Arc;

use colloquy::engine::{
    Ask, ChatError, ChatRole, Completion, Finish, Grammar, LoadOptions, LocalModel, Sampling, View,
};
use colloquy::model::ModelParts;
use colloquy::model::template::Day;
use colloquy::rng::Stream;
use common::block_on;

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
