//! What several test programs share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "each test program uses its own part, and stops where it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use colloquy::engine::{Engine, EngineOptions, EngineParts, EngineSet, ModelRunner, Vocabulary};
use colloquy::kernels::{Cpu, InstructionSet, KvType, Profile, Threads};
use colloquy::model::{Decoder, KvPool, ModelSpec, Weights};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/parity")
        .join(name)
}

pub fn spec(name: &str) -> ModelSpec {
    let text = std::fs::read_to_string(fixture(name).join("config.json")).unwrap();
    ModelSpec::from_config(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The context that a fixture's numbers were made for, where it is not the longest.
fn context(name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(fixture(name).join("expected.json")).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    usize::try_from(value["context"].as_u64()?).ok()
}

#[derive(Clone, Copy)]
pub struct Setup {
    pub threads: usize,
    pub step_tokens: usize,
    pub pages: usize,
    pub reuse: bool,
    pub set: InstructionSet,
    pub profile: Profile,
    pub kv: KvType,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            threads: 2,
            step_tokens: 512,
            pages: 256,
            reuse: true,
            set: InstructionSet::detect(),
            profile: Profile::F32,
            kv: KvType::F32,
        }
    }
}

/// A fixture's weights, its description changed by `change`, ready to run on `cpu`.
pub fn parts_with(
    name: &str,
    setup: Setup,
    cpu: &Arc<Cpu>,
    change: impl FnOnce(&mut ModelSpec),
) -> EngineParts {
    let mut spec = spec(name);
    change(&mut spec);
    parts_over(&weight_files(name), name, setup, cpu, spec)
}

/// A fixture's weight files.
pub fn weight_files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(fixture(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    files.sort();
    files
}

/// Weight files, ready to run on `cpu` in the context of a fixture.
fn parts_over(
    files: &[PathBuf],
    name: &str,
    setup: Setup,
    cpu: &Arc<Cpu>,
    spec: ModelSpec,
) -> EngineParts {
    let positions = context(name).unwrap_or(spec.max_positions);
    engine_parts(spec, &Weights::open(files).unwrap(), positions, setup, cpu)
}

/// Any weights, ready to run on `cpu`; their texts are the ids themselves.
pub fn engine_parts(
    spec: ModelSpec,
    weights: &Weights,
    positions: usize,
    setup: Setup,
    cpu: &Arc<Cpu>,
) -> EngineParts {
    let pool = KvPool::new(&spec, setup.pages, setup.kv);
    let vocabulary = Vocabulary {
        drawable: vec![true; spec.vocab_size],
        end: Vec::new(),
        decode: Box::new(|ids| {
            ids.iter()
                .fold(String::new(), |text, id| text + &format!("<{id}>"))
        }),
        environment: None,
    };
    let decoder = Decoder::load(spec, weights, positions, setup.profile, Arc::clone(cpu)).unwrap();
    let options = EngineOptions {
        step_tokens: setup.step_tokens,
        context_tokens: positions,
        reuse: setup.reuse,
    };
    let runner = ModelRunner {
        decoder,
        cpu: Arc::clone(cpu),
    };
    EngineParts {
        runner,
        pool,
        vocabulary,
        options,
        stats: Arc::default(),
    }
}

pub fn cpu(setup: Setup) -> Arc<Cpu> {
    Arc::new(Cpu {
        threads: Threads::new(setup.threads),
        set: setup.set,
    })
}

/// An engine over a fixture's weights, its description changed by `change`.
pub fn engine_with(name: &str, setup: Setup, change: impl FnOnce(&mut ModelSpec)) -> Arc<Engine> {
    let parts = parts_with(name, setup, &cpu(setup), change);
    EngineSet::start(vec![parts]).unwrap().remove(0)
}

/// An engine over weight files, in the context of a fixture.
pub fn engine_over(files: &[PathBuf], name: &str, setup: Setup, spec: ModelSpec) -> Arc<Engine> {
    let parts = parts_over(files, name, setup, &cpu(setup), spec);
    EngineSet::start(vec![parts]).unwrap().remove(0)
}

/// Several fixtures that run together on the first one's threads.
pub fn engines(models: &[(&str, Setup)]) -> Vec<Arc<Engine>> {
    let cpu = cpu(models[0].1);
    let parts = models
        .iter()
        .map(|(name, setup)| parts_with(name, *setup, &cpu, |_| {}));
    EngineSet::start(parts.collect()).unwrap()
}

pub fn engine(name: &str, setup: Setup) -> Arc<Engine> {
    engine_with(name, setup, |_| {})
}

/// Runs to the end. An engine that never answers ends the test program, which would wait for its thread otherwise.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limit = std::time::Duration::from_mins(5);
    runtime
        .block_on(async { tokio::time::timeout(limit, future).await })
        .unwrap_or_else(|_| {
            eprintln!("no answer in {} s: the engine hangs", limit.as_secs());
            std::process::exit(101)
        })
}
