//! Models that run together: what each gives never depends on the others, and conversations that need several never block
//! each other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use colloquy::engine::{Engine, EngineStats, GenerateRequest, Sampling, ScoreRequest};
use colloquy::kernels::{KvType, Profile};
use colloquy::rng::Stream;
use common::{Setup, block_on, engines};
use tokio::task::LocalSet;

/// Fixtures of different vocabulary, shape and family.
const PAIR: [&str; 2] = ["llama3", "qwen2"];
const CONVERSATIONS: u64 = 18;
const VIEW: usize = 200;

fn prompt(seed: u64, len: usize) -> Vec<u32> {
    let s = Stream::root(seed);
    (0..len)
        .map(|i| u32::try_from(s.below(i as u64, 90)).unwrap())
        .collect()
}

fn request(prompt: Vec<u32>, draw: Stream) -> GenerateRequest {
    GenerateRequest {
        prompt,
        max_new_tokens: 9,
        sampling: Sampling {
            temperature: 0.9,
            top_k: 40,
            ..Sampling::default()
        },
        grammar: None,
        stop: Vec::new(),
        draw,
        keep: None,
    }
}

/// Two models speak in turn, each in a view of its own; then the first one is asked what it makes of it. Every number that
/// came of it.
async fn talk(models: &[Arc<Engine>], i: u64) -> Vec<u32> {
    let views = [VIEW];
    let seats: Vec<(&Arc<Engine>, &[usize])> = models.iter().map(|m| (m, &views[..])).collect();
    let session = Engine::open_together(&seats).await.unwrap();
    let length = 10 + usize::try_from(i).unwrap() * 5 % 40;
    let mut views = [prompt(1, length), prompt(2, 20)];
    let mut said = Vec::new();
    for turn in 0..6u64 {
        let speaker = usize::from(turn % 2 == 1);
        let draw = Stream::root(i).at(turn);
        let ask = request(views[speaker].clone(), draw);
        let reply = models[speaker].generate(&session, ask).await.unwrap();
        said.extend(&reply.tokens);
        for view in &mut views {
            view.push(3);
            // Ids of one vocabulary that both know.
            view.extend(reply.tokens.iter().map(|id| id % 90));
        }
    }
    let score = ScoreRequest {
        prompt: views[0].clone(),
        continuations: vec![prompt(i, 3), prompt(i + 1, 2)],
    };
    let scores = models[0].score(&session, score).await.unwrap().concat();
    said.extend(scores.iter().map(|score| score.to_bits()));
    said
}

/// All conversations, so many at once.
fn all(models: &[Arc<Engine>], concurrency: usize, reversed: bool) -> Vec<Vec<u32>> {
    let gate = Arc::new(tokio::sync::Semaphore::new(concurrency));
    let mut order: Vec<u64> = (0..CONVERSATIONS).collect();
    if reversed {
        order.reverse();
    }
    block_on(LocalSet::new().run_until(async {
        let mut tasks: Vec<_> = order
            .into_iter()
            .map(|i| {
                let (models, gate) = (models.to_vec(), Arc::clone(&gate));
                let task = tokio::task::spawn_local(async move {
                    let _turn = gate.acquire().await.unwrap();
                    talk(&models, i).await
                });
                (i, task)
            })
            .collect();
        tasks.sort_by_key(|(i, _)| *i);
        let mut out = Vec::new();
        for (_, task) in tasks {
            out.push(task.await.unwrap());
        }
        out
    }))
}

#[test]
fn together_equals_alone_bit_for_bit() {
    for (profile, kv) in [(Profile::F32, KvType::F32), (Profile::Int8, KvType::F16)] {
        let base = Setup {
            profile,
            kv,
            ..Setup::default()
        };
        let run = |setup: Setup, pages: [usize; 2], concurrency, reversed| {
            let seats = [0, 1].map(|i| {
                let pages = pages[i];
                (PAIR[i], Setup { pages, ..setup })
            });
            all(&engines(&seats), concurrency, reversed)
        };
        let plain = Setup {
            threads: 1,
            reuse: false,
            ..base
        };
        let alone = run(plain, [256, 256], 1, false);
        assert!(alone.iter().all(|said| said.len() > 20), "{alone:?}");
        for (what, setup, pages, concurrency, reversed) in [
            ("cache hits", base, [256, 256], 1, false),
            ("all at once", base, [256, 256], 64, false),
            ("all at once, other order", base, [256, 256], 64, true),
            ("one's pages are scarce", base, [20, 256], 64, false),
            ("the other's pages are scarce", base, [256, 20], 64, true),
            (
                "one-row chunks",
                Setup {
                    step_tokens: 1,
                    ..base
                },
                [60, 40],
                7,
                false,
            ),
            (
                "three threads",
                Setup { threads: 3, ..base },
                [64, 64],
                64,
                false,
            ),
        ] {
            let got = run(setup, pages, concurrency, reversed);
            assert!(got == alone, "{} {}: {what}", profile.name(), kv.name());
        }
    }
}

/// A session gets its pages of all models or none: what waits for one model holds nothing of another, and who gives up
/// waiting is forgotten.
#[test]
fn sessions_open_whole_or_not_at_all() {
    let roomy = Setup::default();
    let scarce = Setup { pages: 12, ..roomy };
    let models = engines(&[(PAIR[0], roomy), (PAIR[1], scarce)]);
    let (a, b) = (&models[0], &models[1]);
    let wait = Duration::from_millis(50);
    block_on(async {
        let both = [(a, &[100usize][..]), (b, &[100usize][..])];
        let first = Engine::open_together(&both).await.unwrap();
        // The second model is full: this waits, in line, and so does what comes after it.
        let mut second = Box::pin(Engine::open_together(&both));
        assert!(tokio::time::timeout(wait, &mut second).await.is_err());
        assert!(tokio::time::timeout(wait, b.open(&[100])).await.is_err());
        drop(first);
        let second = second.await.unwrap();
        let ask = |seed| request(prompt(seed, 40), Stream::root(seed));
        a.generate(&second, ask(1)).await.unwrap();
        b.generate(&second, ask(2)).await.unwrap();
        // A waiting session that is given up leaves nothing behind.
        let third = Engine::open_together(&both);
        assert!(tokio::time::timeout(wait, third).await.is_err());
        drop(second);
        for _ in 0..40 {
            let one = Engine::open_together(&both).await.unwrap();
            b.generate(&one, ask(3)).await.unwrap();
        }
        // What could never be is refused by name of the need, whichever model it is that lacks room.
        let never = [(a, &[100usize][..]), (b, &[100_000usize][..])];
        let refused = Engine::open_together(&never).await.err().unwrap();
        assert!(refused.to_string().contains("the pool holds"), "{refused}");
        // A session has room in the models that it was opened for, as far as it was asked for.
        let only = a.open(&[60]).await.unwrap();
        let lost = b.generate(&only, ask(4)).await.unwrap_err().to_string();
        assert!(lost.contains("no room in this model"), "{lost}");
        let long = request(prompt(5, 80), Stream::root(5));
        let long = a.generate(&only, long).await.unwrap_err().to_string();
        assert!(long.contains("exceeds the 60"), "{long}");
        // Models of different sets cannot share a session.
        let other = engines(&[(PAIR[0], roomy)]);
        let apart = [(a, &[60usize][..]), (&other[0], &[60usize][..])];
        let apart = Engine::open_together(&apart).await.err().unwrap();
        assert!(apart.to_string().contains("do not run together"), "{apart}");
    });
}

/// Each model counts its own work.
#[test]
fn figures_are_kept_apart() {
    let models = engines(&[(PAIR[0], Setup::default()), (PAIR[1], Setup::default())]);
    block_on(async {
        let session = models[1].open(&[80]).await.unwrap();
        let ask = request(prompt(1, 30), Stream::root(1));
        models[1].generate(&session, ask).await.unwrap();
    });
    let new = |engine: &Engine| EngineStats::get(&engine.stats().new_tokens);
    assert_eq!((new(&models[0]), new(&models[1])), (0, 9));
}
