//! The numeric contract as laws: a sequence's numbers never depend on what shares its batch, on chunking, order, threads,
//! instruction set or cache hits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::sync::Arc;

use colloquy::engine::{Completion, Engine, Finish, GenerateRequest, Sampling, ScoreRequest};
use colloquy::kernels::{InstructionSet, KvType, Profile};
use colloquy::rng::Stream;
use common::{Setup, block_on, engine};

fn prompt(seed: u64, len: usize) -> Vec<u32> {
    let s = Stream::root(seed);
    (0..len)
        .map(|i| u32::try_from(s.below(i as u64, 90)).unwrap())
        .collect()
}

fn request(i: u64) -> GenerateRequest {
    // Half of the prompts share a beginning that ends inside a page.
    let mut tokens = if i.is_multiple_of(2) {
        prompt(1000, 45)
    } else {
        Vec::new()
    };
    tokens.extend(prompt(i, 3 + usize::try_from(i).unwrap() * 7 % 60));
    GenerateRequest {
        prompt: tokens,
        max_new_tokens: 12,
        sampling: Sampling {
            temperature: 0.9,
            top_k: 40,
            top_p: 0.95,
            ..Sampling::default()
        },
        grammar: None,
        stop: Vec::new(),
        draw: Stream::root(5).at(i),
        keep: None,
    }
}

async fn one(engine: &Arc<Engine>, i: u64) -> (Completion, Vec<f32>) {
    let request = request(i);
    let session = engine.open(&[request.prompt.len() + 40]).await.unwrap();
    let reply = engine.generate(&session, request.clone()).await.unwrap();
    // The reply's own log-probabilities: prefill of what was decoded, with a cache hit where there is reuse.
    let score = ScoreRequest {
        prompt: request.prompt,
        continuations: vec![reply.tokens.clone(), prompt(i + 77, 5)],
    };
    let scores = engine.score(&session, score).await.unwrap().concat();
    (reply, scores)
}

fn all(setup: Setup, name: &str, concurrency: usize, reversed: bool) -> Vec<(Vec<u32>, Vec<u32>)> {
    let engine = engine(name, setup);
    block_on(async {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let gate = Arc::new(tokio::sync::Semaphore::new(concurrency));
                let mut order: Vec<u64> = (0..24).collect();
                if reversed {
                    order.reverse();
                }
                let mut tasks: Vec<_> = order
                    .into_iter()
                    .map(|i| {
                        let (engine, gate) = (Arc::clone(&engine), Arc::clone(&gate));
                        (
                            i,
                            tokio::task::spawn_local(async move {
                                let _turn = gate.acquire().await.unwrap();
                                one(&engine, i).await
                            }),
                        )
                    })
                    .collect();
                tasks.sort_by_key(|(i, _)| *i);
                let mut out = Vec::new();
                for (_, task) in tasks {
                    let (reply, scores) = task.await.unwrap();
                    out.push((reply.tokens, scores.iter().map(|s| s.to_bits()).collect()));
                }
                out
            })
            .await
    })
}

#[test]
fn batched_equals_alone_bit_for_bit() {
    for (name, profile, kv) in [
        ("llama3", Profile::F32, KvType::F32),
        ("mistral-window", Profile::F32, KvType::F16),
        ("qwen2.5-bf16", Profile::F32, KvType::F32),
        ("smollm2", Profile::Bf16, KvType::F16),
        ("qwen2.5-bf16", Profile::Bf16, KvType::Bf16),
        ("smollm2", Profile::Int8, KvType::F16),
        ("qwen2", Profile::Int8, KvType::F32),
        ("smollm2", Profile::Q4, KvType::F16),
        ("qwen3-moe", Profile::Q4, KvType::F32),
        ("gemma2", Profile::Int8, KvType::F16),
        ("olmo2-gqa", Profile::F32, KvType::F32),
        ("qwen3-moe", Profile::Int8, KvType::F16),
        ("phi4-mini", Profile::Bf16, KvType::F16),
    ] {
        let alone = all(
            Setup {
                threads: 1,
                reuse: false,
                profile,
                kv,
                ..Setup::default()
            },
            name,
            1,
            false,
        );
        let base = Setup {
            profile,
            kv,
            ..Setup::default()
        };
        for (what, setup, concurrency, reversed) in [
            ("cache hits, one by one", base, 1, false),
            ("three at a time", base, 3, false),
            ("all at once", base, 64, false),
            ("all at once, other order", base, 64, true),
            (
                "small chunks",
                Setup {
                    step_tokens: 70,
                    ..base
                },
                64,
                false,
            ),
            (
                "one-row chunks",
                Setup {
                    step_tokens: 1,
                    ..base
                },
                5,
                false,
            ),
            (
                "no reuse",
                Setup {
                    reuse: false,
                    ..base
                },
                64,
                false,
            ),
            (
                "a pool that must forget",
                Setup { pages: 24, ..base },
                64,
                false,
            ),
            ("three threads", Setup { threads: 3, ..base }, 64, false),
            (
                "portable kernels",
                Setup {
                    set: InstructionSet::Portable,
                    ..base
                },
                64,
                false,
            ),
        ] {
            assert!(
                all(setup, name, concurrency, reversed) == alone,
                "{name} {} {}: {what}",
                profile.name(),
                kv.name()
            );
        }
    }
}

/// Many sessions decide at once in a pool where only a few branches fit: each gets its own answer, in any order.
#[test]
fn scores_that_wait_for_pages_are_the_same() {
    let scores = |pages: usize, concurrency: usize, reversed: bool| {
        let engine = engine(
            "llama3",
            Setup {
                pages,
                ..Setup::default()
            },
        );
        block_on(async {
            let local = tokio::task::LocalSet::new();
            let gate = Arc::new(tokio::sync::Semaphore::new(concurrency));
            let mut order: Vec<u64> = (0..30).collect();
            if reversed {
                order.reverse();
            }
            let tasks: Vec<_> = order
                .into_iter()
                .map(|i| {
                    let (engine, gate) = (Arc::clone(&engine), Arc::clone(&gate));
                    let task = local.spawn_local(async move {
                        let _turn = gate.acquire().await.unwrap();
                        let session = engine.open(&[90]).await.unwrap();
                        let len = 10 + usize::try_from(i).unwrap() * 11 % 60;
                        let mut bits = Vec::new();
                        for turn in 0..3 {
                            let continuations = (0..4)
                                .map(|c| prompt(i * 100 + turn * 10 + c, 1 + (c % 3) as usize))
                                .collect();
                            let request = ScoreRequest {
                                prompt: prompt(i, len),
                                continuations,
                            };
                            bits.push(engine.score(&session, request).await.unwrap());
                            let reply = GenerateRequest {
                                prompt: prompt(i, len),
                                ..request_of(i, turn)
                            };
                            bits.push(vec![
                                engine
                                    .generate(&session, reply)
                                    .await
                                    .unwrap()
                                    .tokens
                                    .iter()
                                    .map(|&t| f32::from_bits(t))
                                    .collect(),
                            ]);
                        }
                        bits
                    });
                    (i, task)
                })
                .collect();
            local.await;
            let mut out = Vec::new();
            for (i, task) in tasks {
                out.push((i, task.await.unwrap()));
            }
            out.sort_by_key(|(i, _)| *i);
            format!("{out:?}")
        })
    };
    let alone = scores(256, 1, false);
    for (pages, concurrency, reversed) in [
        (256, 30, false),
        (40, 30, true),
        (20, 7, false),
        (16, 30, true),
    ] {
        assert!(
            scores(pages, concurrency, reversed) == alone,
            "{pages} pages, {concurrency} at once"
        );
    }
}

fn request_of(i: u64, turn: u64) -> GenerateRequest {
    GenerateRequest {
        draw: Stream::root(i).at(turn),
        max_new_tokens: 5,
        ..request(i)
    }
}

#[test]
fn a_turn_reuses_the_last_one_and_sessions_give_back_what_they_held() {
    let engine = engine(
        "llama3",
        Setup {
            pages: 16,
            ..Setup::default()
        },
    );
    block_on(async {
        for round in 0..30 {
            let session = engine.open(&[200]).await.unwrap();
            let mut view = prompt(round, 60);
            for turn in 0..4u64 {
                let ask = GenerateRequest {
                    prompt: view.clone(),
                    draw: Stream::root(round).at(turn),
                    ..request(0)
                };
                let reply = engine.generate(&session, ask).await.unwrap();
                if turn > 0 {
                    assert!(
                        reply.reused_tokens + 6 >= view.len() - 12,
                        "{} of {}",
                        reply.reused_tokens,
                        view.len()
                    );
                }
                view.extend(reply.tokens);
                view.extend(prompt(turn, 5));
            }
        }
    });
}

/// A stop text that spans tokens cuts the reply to the whole tokens before it, and what is cached is cut likewise.
#[test]
fn stops_cut_ids_and_cache() {
    let engine = engine("llama3", Setup::default());
    block_on(async {
        for i in 0..10 {
            let session = engine.open(&[150]).await.unwrap();
            let free = engine.generate(&session, request(i)).await.unwrap();
            assert_eq!(free.finish, Finish::Truncated);
            // From the middle of token 5 to the middle of token 6.
            let (a, b) = (free.tokens[5], free.tokens[6]);
            let stop = format!("{a}><{b}");
            let first = free.text.find(&stop).unwrap();
            let kept = free.text[..first].matches('>').count();
            let asked = GenerateRequest {
                stop: vec![stop],
                ..request(i)
            };
            let cut = engine.generate(&session, asked.clone()).await.unwrap();
            assert_eq!(
                (cut.finish, cut.tokens.as_slice()),
                (Finish::Stopped, &free.tokens[..kept])
            );
            // The next turn goes on from the cut and gives what it gives without any cache.
            let mut view = asked.prompt.clone();
            view.extend(&cut.tokens);
            view.extend(prompt(i + 50, 6));
            let next = GenerateRequest {
                prompt: view,
                ..request(i + 1)
            };
            let cached = engine.generate(&session, next.clone()).await.unwrap();
            let fresh = common::engine(
                "llama3",
                Setup {
                    reuse: false,
                    ..Setup::default()
                },
            );
            let other = fresh.open(&[150]).await.unwrap();
            assert_eq!(
                cached.tokens,
                fresh.generate(&other, next).await.unwrap().tokens
            );
        }
    });
}

#[test]
fn impossible_requests_are_refused() {
    let engine = engine(
        "llama3",
        Setup {
            pages: 16,
            ..Setup::default()
        },
    );
    block_on(async {
        let refused = engine.open(&[100_000]).await.err().unwrap().to_string();
        assert!(refused.contains("the pool holds"), "{refused}");
        let session = engine.open(&[64]).await.unwrap();
        let long = GenerateRequest {
            prompt: prompt(0, 300),
            ..request(0)
        };
        assert!(
            engine
                .generate(&session, long)
                .await
                .unwrap_err()
                .to_string()
                .contains("context of 256")
        );
        let empty = GenerateRequest {
            prompt: Vec::new(),
            ..request(0)
        };
        assert!(engine.generate(&session, empty).await.is_err());
    });
}
