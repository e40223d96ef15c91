//! From a row of logits to a token: microseconds a row, one thread.
//!
//!     cargo bench --bench sampler -- [--set portable|avx2|avx512]
//!
//! Rows are peaky (a few likely tokens far above a broad tail, as a chat model gives them) or flat (all about equally
//! likely). Each figure is the median of many rounds over several rows. The last line is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a bench prints figures"
)]

use std::time::{Duration, Instant};

use colloquy::engine::{Sampling, log_probability, sample};
use colloquy::kernels::InstructionSet;
use colloquy::rng::Stream;
use serde_json::{Value, json};

const ROWS: usize = 4;
const ROUNDS: usize = 25;

/// What a case switches on.
struct Case {
    name: &'static str,
    sampling: Sampling,
    grammar: bool,
    recent: usize,
}

fn cases() -> Vec<Case> {
    let plain = |name, sampling| Case {
        name,
        sampling,
        grammar: false,
        recent: 0,
    };
    let usual = Sampling {
        temperature: 0.8,
        top_k: 50,
        top_p: 0.9,
        ..Sampling::default()
    };
    let nucleus = Sampling { top_k: 0, ..usual };
    let penalised = Sampling {
        repetition_penalty: 1.1,
        ..usual
    };
    vec![
        plain("top_k 50, top_p 0.9", usual),
        plain("top_p 0.9", nucleus),
        plain(
            "temperature",
            Sampling {
                top_p: 1.0,
                ..nucleus
            },
        ),
        plain(
            "min_p 0.05",
            Sampling {
                top_p: 1.0,
                min_p: 0.05,
                ..nucleus
            },
        ),
        Case {
            grammar: true,
            ..plain("top_k 50, top_p 0.9, grammar", usual)
        },
        Case {
            recent: 60,
            ..plain("top_k 50, top_p 0.9, penalty", penalised)
        },
        plain("greedy", Sampling::greedy()),
    ]
}

/// Sums of uniform numbers are near enough to normal ones; one token in 2,000 stands out in a peaky row.
fn row(vocab: usize, peaky: bool, stream: Stream) -> Vec<f32> {
    (0..vocab as u64)
        .map(|i| {
            let unit = |j: u64| stream.unit(6 * i + j);
            let noise = (unit(0) + unit(1) + unit(2) + unit(3) - 2.0) as f32;
            match (peaky, unit(4) < 0.0005) {
                (true, true) => 4.0 + 12.0 * unit(5) as f32,
                (true, false) => 4.0 * noise,
                (false, _) => noise,
            }
        })
        .collect()
}

/// A third of the words whole, a third empty, a third of mixed bits.
fn grammar(vocab: usize, stream: Stream) -> Vec<u32> {
    (0..vocab.div_ceil(32) as u64)
        .map(|i| match stream.below(2 * i, 3) {
            0 => 0,
            1 => u32::MAX,
            _ => stream.bits(2 * i + 1) as u32,
        })
        .collect()
}

/// Microseconds of one call: the median over rounds.
fn time(rows: &[Vec<f32>], mut call: impl FnMut(usize, &[f32])) -> f64 {
    let mut round = |repeats: usize| {
        let started = Instant::now();
        for repeat in 0..repeats {
            for (i, row) in rows.iter().enumerate() {
                call(repeat * rows.len() + i, row);
            }
        }
        started.elapsed()
    };
    let once = round(1).max(Duration::from_nanos(100));
    let repeats = (Duration::from_millis(4).as_nanos() / once.as_nanos()).clamp(1, 1000) as usize;
    round(repeats);
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| round(repeats).as_secs_f64() * 1e6 / (repeats * rows.len()) as f64)
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn instruction_set() -> Result<InstructionSet, String> {
    let mut words = std::env::args().skip(1);
    let mut set = InstructionSet::detect();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--set" => {
                let name = words.next().ok_or("--set needs a name")?;
                set = InstructionSet::available()
                    .into_iter()
                    .find(|set| set.name().starts_with(&name))
                    .ok_or(format!("this processor has no {name}"))?;
            }
            "--bench" => {}
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(set)
}

fn main() {
    let set = instruction_set().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    let root = Stream::root(11);
    let mut figures = Vec::new();
    for vocab in [49_152usize, 151_936] {
        let words = vec![u32::MAX; vocab / 32];
        let mask = grammar(vocab, root.child("grammar"));
        for peaky in [true, false] {
            let kind = if peaky { "peaky" } else { "flat" };
            let rows: Vec<Vec<f32>> = (0..ROWS as u64)
                .map(|i| row(vocab, peaky, root.child(kind).at(i)))
                .collect();
            let uniform = root.child("uniform");
            let mut put = |name: &str, us: f64| {
                println!("{vocab:>7} {kind:<6} {name:<30} {us:>9.1} us");
                figures.push(json!({ "vocab": vocab, "row": kind, "case": name, "us": us }));
            };
            for case in cases() {
                let recent: Vec<u32> = (0..case.recent as u64)
                    .map(|i| root.child("recent").below(i, vocab) as u32)
                    .collect();
                let mask = case.grammar.then_some(mask.as_slice());
                let us = time(&rows, |i, row| {
                    let unit = uniform.unit(i as u64);
                    let token = sample(row, &case.sampling, &recent, &words, mask, unit, set);
                    std::hint::black_box(token).expect("rows are finite");
                });
                put(case.name, us);
            }
            let us = time(&rows, |i, row| {
                std::hint::black_box(log_probability(row, i as u32, set)).expect("rows are finite");
            });
            put("log-probability", us);
        }
    }
    let report: Value = json!({ "bench": "sampler", "kernels": set.name(), "us_per_row": figures });
    println!("{report}");
}
