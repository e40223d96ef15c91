//! What the linear kernels reach: operations a second by profile, shape and rows, weights out of the cache.
//!
//!     cargo bench --bench kernels -- [--threads N] [--json]
//!
//! A figure includes making the activations' codes, scales, biases and stores. Weights are many copies of a matrix, more
//! than any cache holds, as in a forward pass.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a bench prints figures"
)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use colloquy::kernels::{Cpu, Input, InstructionSet, PackedLinear, Profile, Rows, Threads};
use colloquy::rng::Stream;

/// Inputs and outputs of layers of the SmolLM2-135M and Qwen2.5-0.5B shapes.
const SHAPES: [(usize, usize); 4] = [(576, 3072), (1536, 576), (896, 9728), (4864, 896)];
/// Bytes of weights that are walked through.
const WEIGHTS: usize = 160 << 20;

fn numbers(name: &str, n: usize) -> Vec<f32> {
    let stream = Stream::root(1).child(name);
    (0..n as u64)
        .map(|i| (stream.unit(i) * 2.0 - 1.0) as f32)
        .collect()
}

fn main() {
    let mut words = std::env::args().skip(1);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut threads, mut json) = (cores, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--threads" => threads = words.next().and_then(|n| n.parse().ok()).unwrap_or(cores),
            "--json" => json = true,
            _ => {}
        }
    }
    let cpu = Cpu {
        threads: Threads::new(threads),
        set: InstructionSet::detect(),
    };
    println!("{} threads, {}", threads, cpu.set.name());
    let mut results = Vec::new();
    for profile in [Profile::F32, Profile::Bf16, Profile::Int8] {
        for (k, n) in SHAPES {
            let w = numbers("w", k * n);
            let pack = || PackedLinear::pack(&[Rows::F32(&w)], k, None, profile);
            let first = pack();
            let copies = (WEIGHTS / first.bytes()).clamp(1, 64);
            let layers: Vec<PackedLinear> = std::iter::once(first)
                .chain((1..copies).map(|_| pack()))
                .collect();
            let mut line = format!("{:>4} {k:>4} → {n:<5}", profile.name());
            for m in [1, 8, 32, 512] {
                let x = numbers("x", m * k);
                let run = |i: usize| {
                    let y = layers[i % copies].forward(Input::Rows(&x), None, &cpu);
                    std::hint::black_box(&y);
                };
                (0..2).for_each(run);
                let started = Instant::now();
                let mut rounds = 0;
                while started.elapsed() < Duration::from_millis(150) {
                    run(rounds);
                    rounds += 1;
                }
                let seconds = started.elapsed().as_secs_f64() / rounds as f64;
                let rate = 2.0 * (m * k * n) as f64 / seconds / 1e9;
                let read = layers[0].bytes() as f64 / seconds / 1e9;
                let _ = write!(line, "  m={m} {rate:.0}");
                if m == 1 {
                    let _ = write!(line, " ({read:.0} GB/s)");
                }
                results.push(serde_json::json!({
                    "profile": profile.name(), "k": k, "n": n, "m": m, "gop_s": rate, "gb_s": read,
                }));
            }
            println!("{line}");
        }
    }
    if json {
        println!("{}", serde_json::Value::from(results));
    }
}
