//! The demo model through the whole engine: template, tokenizer, grammar, decisions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::sync::Arc;

use colloquy::engine::{Ask, ChatRole, Finish, Grammar, LoadOptions, LocalModel, Sampling, View};
use colloquy::model::ModelParts;
use colloquy::model::template::Day;
use colloquy::rng::Stream;
use common::block_on;
use serde_json::Value;

fn demo() -> LocalModel {
    let parts = ModelParts::demo(Day::parse("2026-01-01").unwrap()).unwrap();
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

fn view() -> View {
    let mut view = View::with_system("You write questions that customers of Larkmoor ask.");
    let page = "Page: Returns\nYou can return most items within 30 days of delivery.\nWrite 3 questions that this page answers, as JSON.";
    view.push(ChatRole::User, page, Vec::new());
    view
}

fn ask(view: &View, draw: u64) -> Ask<'_> {
    let sampling = Sampling {
        temperature: 1.3,
        ..Sampling::default()
    };
    Ask {
        view,
        tail: None,
        max_new_tokens: 300,
        thinking_tokens: 0,
        sampling,
        grammar: None,
        stop: &[],
        draw: Stream::root(draw),
    }
}

#[test]
fn every_list_is_legal_however_it_is_drawn() {
    let schema = r#"{"type":"object","properties":{"queries":{"type":"array","minItems":3,"maxItems":3,
        "items":{"type":"string","minLength":1,"maxLength":40}}},"required":["queries"],"additionalProperties":false,
        "x-guidance":{"whitespace_flexible":false,"item_separator":", ","key_separator":": "}}"#;
    let grammar = Arc::new(Grammar::JsonSchema(schema.into()));
    let (model, view) = (demo(), view());
    block_on(async {
        let session = model.open(&[700]).await.unwrap();
        for draw in 0..20 {
            let asked = Ask {
                grammar: Some(Arc::clone(&grammar)),
                ..ask(&view, draw)
            };
            let reply = model.reply(&session, asked).await.unwrap();
            assert_eq!(reply.finish, Finish::Accepted, "{}", reply.text);
            let value: Value = serde_json::from_str(&reply.text).unwrap();
            let queries = value["queries"].as_array().unwrap();
            assert!(
                queries.len() == 3
                    && queries
                        .iter()
                        .all(|q| q.as_str().unwrap().chars().count() <= 40)
            );
        }
        let broken = Ask {
            grammar: Some(Arc::new(Grammar::Regex("(".into()))),
            ..ask(&view, 0)
        };
        assert!(
            model
                .reply(&session, broken)
                .await
                .unwrap_err()
                .to_string()
                .starts_with("grammar:")
        );
    });
}

#[test]
fn decisions_do_not_depend_on_what_was_asked_before_and_leave_the_view_alone() {
    let model = demo();
    let mut view = View::with_system("You are a customer.");
    view.push(
        ChatRole::User,
        "You have 30 days from delivery.",
        Vec::new(),
    );
    let words = ["CONTINUE", "RESOLVED", "UNRESOLVED", "ABANDONED"];
    let tail = "Status: CONTINUE, RESOLVED, UNRESOLVED or ABANDONED?";
    block_on(async {
        let session = model.open(&[300]).await.unwrap();
        let first = model.choose(&session, &view, tail, &words).await.unwrap();
        let reply = model
            .reply(
                &session,
                Ask {
                    max_new_tokens: 20,
                    ..ask(&view, 1)
                },
            )
            .await
            .unwrap();
        let again = model.choose(&session, &view, tail, &words).await.unwrap();
        assert_eq!(first, again);
        assert!(first.iter().all(|p| *p < 0.0));
        let reversed: Vec<&str> = words.iter().rev().copied().collect();
        let mut back = model
            .choose(&session, &view, tail, &reversed)
            .await
            .unwrap();
        back.reverse();
        assert_eq!(first, back);
        // Another session, another order of calls: the same reply.
        let other = model.open(&[300]).await.unwrap();
        let same = model
            .reply(
                &other,
                Ask {
                    max_new_tokens: 20,
                    ..ask(&view, 1)
                },
            )
            .await
            .unwrap();
        assert_eq!(reply.tokens, same.tokens);
    });
}

#[test]
fn a_growing_view_computes_only_what_is_new() {
    let model = demo();
    let mut view = View::with_system("You are Robin, support agent at Larkmoor. ".repeat(8));
    block_on(async {
        let session = model.open(&[900]).await.unwrap();
        for turn in 0..6u64 {
            view.push(
                ChatRole::User,
                format!("And what about number {turn}, please?"),
                Vec::new(),
            );
            let reply = model
                .reply(
                    &session,
                    Ask {
                        max_new_tokens: 24,
                        ..ask(&view, turn)
                    },
                )
                .await
                .unwrap();
            if turn > 0 {
                let computed = reply.prompt_tokens - reply.reused_tokens;
                assert!(
                    computed <= 30,
                    "{computed} of {} computed anew",
                    reply.prompt_tokens
                );
            }
            view.push(ChatRole::Assistant, reply.text, reply.tokens);
        }
    });
}
