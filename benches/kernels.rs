//! What the linear kernels reach: operations a second by weights, shape and rows, weights out of the cache.
//!
//!     cargo bench --bench kernels -- [--threads N] [--rows 1,8,32,512] [--only int8,q4,Q4_K] [--rounds 5] [--json]
//!
//! A figure includes making the activations' codes, scales, biases and stores. Weights are many copies of a matrix, more
//! than any cache holds, as in a forward pass. All kinds of weights are measured in turn, and the fastest of the rounds
//! counts; × is the ratio to `int8` in the same run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a bench prints figures"
)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use colloquy::kernels::{
    BlockKind, Cpu, Input, InstructionSet, PackedLinear, Profile, Rows, Threads,
};
use colloquy::rng::Stream;

/// Inputs and outputs of layers of the SmolLM2-135M and Qwen2.5-0.5B shapes, and of one of a 1 B shape.
const SHAPES: [(usize, usize); 5] = [
    (576, 3072),
    (1536, 576),
    (896, 9728),
    (4864, 896),
    (2048, 8192),
];
/// Bytes of weights that are walked through, for each kind of them.
const WEIGHTS: usize = 128 << 20;

fn numbers(name: &str, n: usize) -> Vec<f32> {
    let stream = Stream::root(1).child(name);
    (0..n as u64)
        .map(|i| (stream.unit(i) * 2.0 - 1.0) as f32)
        .collect()
}

struct Options {
    threads: usize,
    rows: Vec<usize>,
    only: Vec<String>,
    rounds: usize,
    json: bool,
}

fn options() -> Options {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut o = Options {
        threads: cores,
        rows: vec![1, 8, 32, 512],
        only: Vec::new(),
        rounds: 5,
        json: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        match word.as_str() {
            "--threads" => o.threads = value().parse().unwrap_or(cores),
            "--rows" => o.rows = value().split(',').filter_map(|n| n.parse().ok()).collect(),
            "--only" => o.only = value().split(',').map(str::to_owned).collect(),
            "--rounds" => o.rounds = value().parse().unwrap_or(5),
            "--json" => o.json = true,
            _ => {}
        }
    }
    o
}

/// A kind of weights, in as many copies as fill the memory.
struct Case {
    name: &'static str,
    layers: Vec<PackedLinear>,
}

fn cases(k: usize, n: usize, only: &[String]) -> Vec<Case> {
    let weights = numbers("w", k * n);
    let stream = Stream::root(2);
    // Any bits are blocks; these have finite scales.
    let bits: Vec<u8> = (0..k * n * 2)
        .map(|i| stream.bits(i as u64).to_le_bytes()[0] & 0x3f)
        .collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|o| o == name);
    let copies = |name, pack: &dyn Fn() -> PackedLinear| {
        let first = pack();
        let count = (WEIGHTS / first.bytes()).clamp(1, 64);
        let others = (1..count).map(|_| pack());
        Case {
            name,
            layers: std::iter::once(first).chain(others).collect(),
        }
    };
    let mut out = Vec::new();
    for profile in [Profile::Int8, Profile::Q4, Profile::Bf16, Profile::F32] {
        if wanted(profile.name()) {
            out.push(copies(profile.name(), &|| {
                PackedLinear::pack(&[Rows::F32(&weights)], k, None, profile)
            }));
        }
    }
    for kind in BlockKind::ALL {
        if let (true, Ok(row)) = (wanted(kind.name()), kind.row_bytes(k)) {
            let rows = Rows::blocks(kind, &bits[..row * n], k).expect("whole rows");
            out.push(copies(kind.name(), &|| {
                PackedLinear::pack(&[rows], k, None, Profile::Int8)
            }));
        }
    }
    out
}

fn main() {
    let o = options();
    let cpu = Cpu {
        threads: Threads::new(o.threads),
        set: InstructionSet::detect(),
    };
    println!("{} threads, {}", o.threads, cpu.set.name());
    let mut results = Vec::new();
    for (k, n) in SHAPES {
        let cases = cases(k, n, &o.only);
        let mut lines: Vec<String> = cases
            .iter()
            .map(|case| {
                let bits = case.layers[0].bytes() as f64 * 8.0 / (k * n) as f64;
                format!("{k:>4} → {n:<5} {:>5} {bits:5.2} bits", case.name)
            })
            .collect();
        for &m in &o.rows {
            let x = numbers("x", m * k);
            let mut best = vec![f64::INFINITY; cases.len()];
            for _ in 0..o.rounds {
                for (case, best) in cases.iter().zip(&mut best) {
                    let run = |i: usize| {
                        let layer = &case.layers[i % case.layers.len()];
                        std::hint::black_box(&layer.forward(Input::Rows(&x), None, &cpu));
                    };
                    (0..2).for_each(run);
                    let (started, mut calls) = (Instant::now(), 0);
                    while started.elapsed() < Duration::from_millis(60) {
                        run(calls);
                        calls += 1;
                    }
                    *best = best.min(started.elapsed().as_secs_f64() / calls as f64);
                }
            }
            let base = cases.iter().position(|case| case.name == "int8");
            for ((case, line), seconds) in cases.iter().zip(&mut lines).zip(&best) {
                let rate = 2.0 * (m * k * n) as f64 / seconds / 1e9;
                let read = case.layers[0].bytes() as f64 / seconds / 1e9;
                let _ = write!(line, "  m={m} {rate:.0}");
                if m == 1 {
                    let _ = write!(line, " ({read:.0} GB/s)");
                }
                if let Some(base) = base {
                    let _ = write!(line, " ×{:.2}", best[base] / seconds);
                }
                results.push(serde_json::json!({
                    "weights": case.name, "k": k, "n": n, "m": m, "gop_s": rate, "gb_s": read,
                }));
            }
        }
        for line in lines {
            println!("{line}");
        }
    }
    if o.json {
        println!("{}", serde_json::Value::from(results));
    }
}
