//! The multi-agent workload: 16 conversations × 2 agents × 10 turns of 48 tokens, 32 distinct system prompts of 250 tokens.
//!
//!     cargo bench --bench agents -- [--model DIR | --shape smollm2-135m] [--profile int8] [--kv f16] [--threads N]
//!                                   [--no-reuse] [--batch B [--prompt 64] [--new 64]] [--prefill N] [--json]
//!
//! `--batch B` measures plain decoding of B sequences instead: all prompts are computed first, then the clock starts.
//! `--prefill N` measures prompts of N tokens, one after the other. Weights of a shape are random; what is measured does not
//! depend on their values. The last line with `--json` is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a bench prints figures"
)]

#[path = "support/random_model.rs"]
mod random_model;

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use colloquy::bench::machine;
use colloquy::engine::{
    Engine, EngineOptions, EngineStats, GenerateRequest, ModelRunner, Sampling, Vocabulary,
};
use colloquy::kernels::{Cpu, InstructionSet, KvType, PAGE_TOKENS, Profile, Threads};
use colloquy::model::{Decoder, KvPool, ModelSpec, Weights};
use colloquy::rng::Stream;
use serde_json::json;

struct Options {
    model: Option<PathBuf>,
    shape: String,
    threads: usize,
    reuse: bool,
    batch: Option<usize>,
    prompt: usize,
    new: usize,
    prefill: Option<usize>,
    json: bool,
    profile: Profile,
    kv: KvType,
}

fn options() -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut o = Options {
        model: None,
        shape: "smollm2-135m".into(),
        threads,
        reuse: true,
        batch: None,
        prompt: 64,
        new: 64,
        prefill: None,
        json: false,
        profile: Profile::Int8,
        kv: KvType::F16,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--model" => o.model = Some(value()?.into()),
            "--shape" => o.shape = value()?,
            "--threads" => o.threads = value()?.parse().map_err(|_| "--threads takes a number")?,
            "--batch" => o.batch = Some(value()?.parse().map_err(|_| "--batch takes a number")?),
            "--prompt" => o.prompt = value()?.parse().map_err(|_| "--prompt takes a number")?,
            "--new" => o.new = value()?.parse().map_err(|_| "--new takes a number")?,
            "--prefill" => {
                o.prefill = Some(value()?.parse().map_err(|_| "--prefill takes a number")?);
            }
            "--profile" => {
                (o.profile, o.kv) = match value()?.as_str() {
                    "f32" => (Profile::F32, KvType::F32),
                    "bf16" => (Profile::Bf16, KvType::F16),
                    "int8" => (Profile::Int8, KvType::F16),
                    "q4" => (Profile::Q4, KvType::F16),
                    other => return Err(format!("no profile {other}: f32, bf16, int8 or q4")),
                }
            }
            "--kv" => {
                o.kv = match value()?.as_str() {
                    "f32" => KvType::F32,
                    "f16" => KvType::F16,
                    "bf16" => KvType::Bf16,
                    other => return Err(format!("no type {other}: f32, f16 or bf16")),
                }
            }
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
        keep: None,
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

/// One sequence. Its prompt is computed by a first request, whose cache the timed one finds.
async fn decode(engine: Arc<Engine>, number: u64, vocab: usize, o: Rc<Options>, ready: Rc<Ready>) {
    let root = Stream::root(9).at(number);
    let session = engine
        .open(&[o.prompt + o.new + 2])
        .await
        .expect("the pool is sized for this");
    let view = prompt(root, o.prompt, vocab);
    let start = view[..o.prompt - 1].to_vec();
    let asked = engine.generate(&session, ask(start, 1, root.at(2))).await;
    asked.expect("random prompts are legal");
    ready.meet().await;
    let asked = engine
        .generate(&session, ask(view, o.new, root.at(1)))
        .await;
    asked.expect("random prompts are legal");
}

/// Prompts of `tokens` tokens, one after the other; the first one warms up.
async fn prefill(engine: Arc<Engine>, tokens: usize, vocab: usize, ready: Rc<Ready>) {
    for number in 0..=PREFILLS as u64 {
        let root = Stream::root(5).at(number);
        let session = engine
            .open(&[tokens + 2])
            .await
            .expect("the pool is sized for this");
        let asked = engine.generate(&session, ask(prompt(root, tokens, vocab), 1, root.at(1)));
        asked.await.expect("random prompts are legal");
        if number == 0 {
            ready.meet().await;
        }
    }
}

/// Prompts that are timed by `--prefill`.
const PREFILLS: usize = 4;

/// Where all sequences wait for the last one; then the clock starts.
struct Ready {
    waiting: Cell<usize>,
    all: usize,
    go: tokio::sync::Notify,
    started: Cell<Option<(Instant, Counters)>>,
    engine: Arc<Engine>,
}

impl Ready {
    async fn meet(&self) {
        self.waiting.set(self.waiting.get() + 1);
        if self.waiting.get() == self.all {
            // The engine finishes its step meanwhile.
            std::thread::sleep(std::time::Duration::from_millis(30));
            let now = Counters::of(self.engine.stats());
            self.started.set(Some((Instant::now(), now)));
            self.go.notify_waiters();
        } else {
            self.go.notified().await;
        }
    }
}

/// What the engine has counted.
#[derive(Clone, Copy, Default)]
struct Counters {
    new: f64,
    prefill: f64,
    prompt: f64,
    steps: f64,
    reused: f64,
    attended: f64,
    replies: f64,
    forward: f64,
    step: f64,
}

impl Counters {
    fn of(stats: &EngineStats) -> Self {
        let get = |counter| EngineStats::get(counter) as f64;
        Self {
            new: get(&stats.new_tokens),
            prefill: get(&stats.prefill_tokens),
            prompt: get(&stats.prompt_tokens),
            steps: get(&stats.steps),
            reused: get(&stats.reused_tokens),
            attended: get(&stats.attended_tokens),
            replies: get(&stats.replies),
            forward: get(&stats.forward_ns),
            step: get(&stats.step_ns),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            new: self.new - before.new,
            prefill: self.prefill - before.prefill,
            prompt: self.prompt - before.prompt,
            steps: self.steps - before.steps,
            reused: self.reused - before.reused,
            attended: self.attended - before.attended,
            replies: self.replies - before.replies,
            forward: self.forward - before.forward,
            step: self.step - before.step,
        }
    }
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
    let conversations = match (o.batch, o.prefill) {
        (Some(batch), _) => batch,
        (None, Some(_)) => 1,
        (None, None) => 16,
    };
    let (vocab, kv_bytes) = (spec.vocab_size, spec.kv_bytes_per_token(o.kv));
    let tokens_each = match (o.batch, o.prefill) {
        (Some(_), _) => o.prompt + o.new + 128,
        (None, Some(tokens)) => 6 * (tokens + 64),
        (None, None) => 2 * 832,
    };
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
        Profile::Bf16 => machine::bf16_peak(&cpu.threads).unwrap_or(peak),
        Profile::Int8 | Profile::Q4 => machine::int8_peak(&cpu.threads).unwrap_or(peak),
    };
    let started = Instant::now();
    let weights = Weights::open(&files).expect("weights can be read");
    let decoder = Decoder::load(spec.clone(), &weights, 2048, o.profile, Arc::clone(&cpu))
        .expect("weights fit the configuration");
    drop(weights);
    let load = started.elapsed();
    let (weight_bytes, step_bytes) = (decoder.weight_bytes(), decoder.step_bytes());
    let pool = KvPool::new(&spec, conversations * tokens_each / PAGE_TOKENS + 80, o.kv);
    let vocabulary = Vocabulary {
        drawable: vec![true; vocab],
        end: vec![],
        stops: Vec::new(),
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
    let o = Rc::new(o);
    let ready = Rc::new(Ready {
        waiting: Cell::new(0),
        all: conversations,
        go: tokio::sync::Notify::new(),
        started: Cell::new(None),
        engine: Arc::clone(&engine),
    });
    let started = Instant::now();
    runtime.block_on(async {
        let local = tokio::task::LocalSet::new();
        let tasks: Vec<_> = (0..conversations as u64)
            .map(|i| {
                let engine = Arc::clone(&engine);
                let (o, ready) = (Rc::clone(&o), Rc::clone(&ready));
                match (o.batch, o.prefill) {
                    (Some(_), _) => local.spawn_local(decode(engine, i, vocab, o, ready)),
                    (None, Some(n)) => local.spawn_local(prefill(engine, n, vocab, ready)),
                    (None, None) => local.spawn_local(converse(engine, i, vocab)),
                }
            })
            .collect();
        local.await;
        for task in tasks {
            task.await.expect("a conversation ran to its end");
        }
    });
    let (started, before) = ready
        .started
        .get()
        .unwrap_or((started, Counters::default()));
    let seconds = started.elapsed().as_secs_f64();
    let Counters {
        new,
        prefill,
        prompt,
        steps,
        reused,
        attended,
        replies,
        forward,
        step,
    } = Counters::of(engine.stats()).since(before);
    // The linear layers see every row, the head only rows that sample; attention reads every key once a row.
    let head = (spec.vocab_size * spec.hidden) as f64;
    let body = spec.linear_parameters() as f64 - head;
    let linear = 2.0 * (body * (new + prefill) + head * new);
    let attention = 4.0 * (spec.layers * spec.heads * spec.head_dim) as f64 * attended;
    let bytes = steps * step_bytes.of((new + prefill) / steps) + kv_bytes as f64 * attended;
    let arithmetic = linear / (linear_peak * 1e9) + attention / (peak * 1e9);
    let limit = arithmetic.max(bytes / (gbps * 1e9));
    let report = json!({
        "model": o.model.as_ref().map_or(o.shape.clone(), |m| m.display().to_string()),
        "workload": match (o.batch, o.prefill) {
            (Some(b), _) => format!("decode {b} x {} after {}", o.new, o.prompt),
            (None, Some(n)) => format!("prefill {n}"),
            (None, None) => "agents 16x2x10x48".into(),
        },
        "profile": o.profile.name(), "kv": o.kv.name(), "kernels": InstructionSet::detect().name(), "threads": o.threads, "reuse": o.reuse,
        "tokens_per_s": new / seconds, "seconds": seconds, "load_s": load.as_secs_f64(),
        "prefill_tokens_per_s": prefill / seconds, "prefill_tokens_per_turn": prefill / replies, "reuse_rate": reused / prompt,
        "peak_memory_mb": machine::peak_memory() / 1_000_000, "weights_mb": weight_bytes / 1_000_000,
        "steps": steps, "host_share": 1.0 - forward / step,
        "bandwidth_gb_s": gbps, "peak_gflop_s": peak, "linear_peak_gop_s": linear_peak, "share_of_limit": limit / seconds,
    });
    println!(
        "{:.0} tokens/s, {:.0} prompt tokens/s over {seconds:.1} s, {:.0} % of the physical limit",
        new / seconds,
        prefill / seconds,
        100.0 * limit / seconds
    );
    println!(
        "{:.1} prompt tokens computed a turn, {:.1} % of prompt tokens reused",
        prefill / replies,
        100.0 * reused / prompt
    );
    if o.json {
        println!("{report}");
    }
}
