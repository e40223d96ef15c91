//! The multi-agent workload: 16 conversations × 2 agents × 10 turns of 48 tokens, 32 distinct system prompts of 250 tokens.
//!
//!     cargo bench --bench agents -- [--model DIR | --shape smollm2-135m] [--threads N] [--int8] [--no-reuse] [--batch B] [--json]
//!
//! `--batch B` measures plain decoding of B sequences instead (64-token prompts, 64 new tokens each). Weights of a shape
//! are random; what is measured does not depend on their values. The last line with `--json` is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a bench prints figures"
)]

#[path = "support/random_model.rs"]
mod random_model;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use colloquy::bench::machine;
use colloquy::engine::{
    Engine, EngineOptions, EngineStats, GenerateRequest, ModelRunner, Sampling, Vocabulary,
};
use colloquy::kernels::{Cpu, InstructionSet, PAGE_TOKENS, Profile, Threads};
use colloquy::model::{Decoder, KvPool, ModelSpec, Weights};
use colloquy::rng::Stream;
use serde_json::json;

struct Options {
    model: Option<PathBuf>,
    shape: String,
    threads: usize,
    reuse: bool,
    batch: Option<usize>,
    json: bool,
    profile: Profile,
}

fn options() -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut o = Options {
        model: None,
        shape: "smollm2-135m".into(),
        threads,
        reuse: true,
        batch: None,
        json: false,
        profile: Profile::F32,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--model" => o.model = Some(value()?.into()),
            "--shape" => o.shape = value()?,
            "--threads" => o.threads = value()?.parse().map_err(|_| "--threads takes a number")?,
            "--batch" => o.batch = Some(value()?.parse().map_err(|_| "--batch takes a number")?),
            "--int8" => o.profile = Profile::Int8,
            "--no-reuse" => o.reuse = false,
            "--json" => o.json = true,
            "--bench" => {}
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(o)
}

fn prompt(stream: Stream, tokens: usize, vocab: usize) -> Vec<u32> {
    (0..tokens as u64)
        .map(|i| u32::try_from(stream.below(i, vocab)).expect("ids are u32"))
        .collect()
}

fn ask(prompt: Vec<u32>, tokens: usize, draw: Stream) -> GenerateRequest {
    let sampling = Sampling {
        temperature: 0.8,
        top_k: 50,
        top_p: 0.9,
        ..Sampling::default()
    };
    GenerateRequest {
        prompt,
        max_new_tokens: tokens,
        sampling,
        grammar: None,
        stop: Vec::new(),
        draw,
    }
}

/// Two agents talk: each sees its own system prompt, then everything said.
async fn converse(engine: Arc<Engine>, number: u64, vocab: usize) {
    let root = Stream::root(7).at(number);
    let mut views = [
        prompt(root.at(0), 250, vocab),
        prompt(root.at(1), 250, vocab),
    ];
    let worst = 250 + 10 * 52;
    let session = engine
        .open(&[worst, worst])
        .await
        .expect("the pool is sized for this");
    for turn in 0..10u64 {
        let speaker = (turn % 2) as usize;
        let request = ask(views[speaker].clone(), 48, root.at(100 + turn));
        let reply = engine
            .generate(&session, request)
            .await
            .expect("random prompts are legal");
        for view in &mut views {
            view.extend(&reply.tokens);
            view.extend([1, 2, 3, 4]);
        }
    }
}

async fn decode(engine: Arc<Engine>, number: u64, vocab: usize) {
    let root = Stream::root(9).at(number);
    let session = engine
        .open(&[130])
        .await
        .expect("the pool is sized for this");
    let request = ask(prompt(root, 64, vocab), 64, root.at(1));
    engine
        .generate(&session, request)
        .await
        .expect("random prompts are legal");
}

fn main() {
    let o = options().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = o.model.clone().unwrap_or_else(|| {
        random_model::write(&o.shape, folder.path()).expect("random weights can be written");
        folder.path().to_path_buf()
    });
    let config = std::fs::read_to_string(dir.join("config.json")).expect("config.json can be read");
    let spec = ModelSpec::from_config(&config).expect("a supported configuration");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("the model folder can be read")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    files.sort();
    let conversations = o.batch.unwrap_or(16);
    let (vocab, kv_bytes) = (spec.vocab_size, spec.kv_bytes_per_token());
    let tokens_each = if o.batch.is_some() { 192 } else { 2 * 832 };
    let cpu = Arc::new(Cpu {
        threads: Threads::new(o.threads),
        set: InstructionSet::detect(),
    });
    let (gbps, peak) = (
        machine::bandwidth(&cpu.threads),
        machine::f32_peak(&cpu.threads),
    );
    let linear_peak = match o.profile {
        Profile::F32 => peak,
        Profile::Int8 => machine::int8_peak(&cpu.threads).unwrap_or(peak),
    };
    let started = Instant::now();
    let weights = Weights::open(&files).expect("weights can be read");
    let decoder = Decoder::load(spec.clone(), &weights, 2048, o.profile, Arc::clone(&cpu))
        .expect("weights fit the configuration");
    drop(weights);
    let load = started.elapsed();
    let weight_bytes = decoder.weight_bytes();
    let pool = KvPool::new(&spec, conversations * tokens_each / PAGE_TOKENS + 80);
    let vocabulary = Vocabulary {
        drawable: vec![true; vocab],
        end: vec![],
        decode: Box::new(|_| String::new()),
        environment: None,
    };
    let setup = EngineOptions {
        step_tokens: 512,
        context_tokens: 2048,
        reuse: o.reuse,
    };
    let engine = Engine::start(ModelRunner { decoder, cpu }, pool, vocabulary, setup)
        .expect("no grammars are asked for");

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let started = Instant::now();
    runtime.block_on(async {
        let local = tokio::task::LocalSet::new();
        let tasks: Vec<_> = (0..conversations as u64)
            .map(|i| {
                let engine = Arc::clone(&engine);
                match o.batch {
                    Some(_) => local.spawn_local(decode(engine, i, vocab)),
                    None => local.spawn_local(converse(engine, i, vocab)),
                }
            })
            .collect();
        local.await;
        for task in tasks {
            task.await.expect("a conversation ran to its end");
        }
    });
    let seconds = started.elapsed().as_secs_f64();

    let s = engine.stats();
    let get = |counter| EngineStats::get(counter) as f64;
    let (new, prefill, prompt) = (
        get(&s.new_tokens),
        get(&s.prefill_tokens),
        get(&s.prompt_tokens),
    );
    let (steps, reused, attended) = (
        get(&s.steps),
        get(&s.reused_tokens),
        get(&s.attended_tokens),
    );
    // The linear layers see every row, the head only rows that sample; attention reads every key once a row.
    let head = (spec.vocab_size * spec.hidden) as f64;
    let body = spec.linear_parameters() as f64 - head;
    let linear = 2.0 * (body * (new + prefill) + head * new);
    let attention = 4.0 * (spec.layers * spec.heads * spec.head_dim) as f64 * attended;
    let bytes = steps * weight_bytes as f64 + kv_bytes as f64 * attended;
    let arithmetic = linear / (linear_peak * 1e9) + attention / (peak * 1e9);
    let limit = arithmetic.max(bytes / (gbps * 1e9));
    let report = json!({
        "model": o.model.as_ref().map_or(o.shape.clone(), |m| m.display().to_string()),
        "workload": o.batch.map_or("agents 16x2x10x48".into(), |b| format!("decode {b} x 64")),
        "profile": o.profile.name(), "kernels": InstructionSet::detect().name(), "threads": o.threads, "reuse": o.reuse,
        "tokens_per_s": new / seconds, "seconds": seconds, "load_s": load.as_secs_f64(),
        "prefill_tokens_per_turn": prefill / get(&s.replies), "reuse_rate": reused / prompt,
        "peak_memory_mb": machine::peak_memory() / 1_000_000, "weights_mb": weight_bytes / 1_000_000,
        "steps": steps, "host_share": 1.0 - get(&s.forward_ns) / get(&s.step_ns),
        "bandwidth_gb_s": gbps, "peak_gflop_s": peak, "linear_peak_gop_s": linear_peak, "share_of_limit": limit / seconds,
    });
    println!(
        "{:.0} tokens/s over {seconds:.1} s, {:.0} % of the physical limit",
        new / seconds,
        100.0 * limit / seconds
    );
    println!(
        "{:.1} prompt tokens computed a turn, {:.1} % of prompt tokens reused",
        prefill / get(&s.replies),
        100.0 * reused / prompt
    );
    if o.json {
        println!("{report}");
    }
}
