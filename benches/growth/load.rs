//! What is measured: an engine on random weights, conversations that run on it, and what it counted meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use colloquy::engine::{
    Engine, EngineOptions, EngineStats, GenerateRequest, ModelRunner, Sampling, Vocabulary,
};
use colloquy::kernels::{Cpu, InstructionSet, KvType, PAGE_TOKENS, Profile, Threads};
use colloquy::model::{Decoder, KvPool, ModelSpec, Weights};
use colloquy::rng::Stream;

/// Tokens of a system prompt, of a reply, and of what a template puts behind each message.
pub const SYSTEM_TOKENS: usize = 64;
pub const REPLY_TOKENS: usize = 16;
const FRAME_TOKENS: usize = 2;
/// Fewest and most turns of a conversation: different ones, so that beginnings and ends mix.
pub const TURNS: (usize, usize) = (4, 8);
/// Tokens that a turn adds to the long transcript: what its reader is given, and the reply.
pub const LONG_TURN_TOKENS: usize = 64;
/// Its longest.
pub const LONGEST: usize = 8192;

/// A model folder, and the threads to run it on.
pub struct Model {
    pub shape: String,
    pub spec: ModelSpec,
    weights: PathBuf,
    threads: usize,
}

impl Model {
    /// Writes random weights of a shape to `folder`.
    pub fn write(shape: &str, folder: &Path, threads: usize) -> Result<Self, String> {
        crate::random_model::write(shape, folder).map_err(|error| error.to_string())?;
        let config = std::fs::read_to_string(folder.join("config.json"))
            .map_err(|error| format!("config.json: {error}"))?;
        Ok(Self {
            shape: shape.to_owned(),
            spec: ModelSpec::from_config(&config).map_err(|error| error.to_string())?,
            weights: folder.join("model.safetensors"),
            threads,
        })
    }

    /// Whether a step is so short that a series is run several times over.
    pub fn is_small(&self) -> bool {
        self.spec.linear_parameters() < 1_000_000
    }

    /// An engine whose pool gives sessions `pages` pages.
    fn engine(&self, pages: usize) -> Arc<Engine> {
        let cpu = Arc::new(Cpu {
            threads: Threads::new(self.threads),
            set: InstructionSet::detect(),
        });
        let weights =
            Weights::open(std::slice::from_ref(&self.weights)).expect("weights can be read");
        let positions = LONGEST + PAGE_TOKENS;
        let decoder = Decoder::load(
            self.spec.clone(),
            &weights,
            positions,
            Profile::Int8,
            Arc::clone(&cpu),
        )
        .expect("weights fit the configuration");
        // An eighth of the pool, 64 pages at most, is kept apart for scores.
        let pool = KvPool::new(&self.spec, pages + (pages / 7 + 1).min(64), KvType::F16);
        let vocabulary = Vocabulary {
            drawable: vec![true; self.spec.vocab_size],
            end: Vec::new(),
            stops: Vec::new(),
            decode: Box::new(|_| String::new()),
            environment: None,
        };
        let setup = EngineOptions {
            step_tokens: 512,
            context_tokens: positions,
            reuse: true,
        };
        Engine::start(ModelRunner { decoder, cpu }, pool, vocabulary, setup)
            .expect("no grammars are asked for")
    }
}

/// What the engine has counted.
#[derive(Clone, Copy, Default)]
pub struct Counters {
    pub turns: f64,
    pub prompt: f64,
    pub prefill: f64,
    /// Keys read by all rows, per layer.
    pub keys: f64,
    pub steps: f64,
    /// Seconds inside forward passes (the sampler's included), and in steps as a whole.
    pub forward: f64,
    pub step: f64,
}

impl Counters {
    /// Read when the engine is at rest: it adds a step's time after the step's replies.
    fn at_rest(stats: &EngineStats) -> Self {
        let mut last = u64::MAX;
        while last != EngineStats::get(&stats.step_ns) {
            last = EngineStats::get(&stats.step_ns);
            std::thread::sleep(Duration::from_micros(300));
        }
        let get = |counter| EngineStats::get(counter) as f64;
        Self {
            turns: get(&stats.replies),
            prompt: get(&stats.prompt_tokens),
            prefill: get(&stats.prefill_tokens),
            keys: get(&stats.attended_tokens),
            steps: get(&stats.steps),
            forward: get(&stats.forward_ns) / 1e9,
            step: get(&stats.step_ns) / 1e9,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            turns: self.turns - before.turns,
            prompt: self.prompt - before.prompt,
            prefill: self.prefill - before.prefill,
            keys: self.keys - before.keys,
            steps: self.steps - before.steps,
            forward: self.forward - before.forward,
            step: self.step - before.step,
        }
    }
}

/// Work done in a time.
#[derive(Clone, Copy)]
pub struct Run {
    pub seconds: f64,
    pub did: Counters,
}

impl Run {
    pub fn turns_per_s(&self) -> f64 {
        self.did.turns / self.seconds
    }

    pub fn ms_per_turn(&self) -> f64 {
        self.seconds * 1e3 / self.did.turns
    }

    /// Share of the steps' time that is not spent in forward passes.
    pub fn host(&self) -> f64 {
        1.0 - self.did.forward / self.did.step
    }

    /// Share of the whole time that passes outside of steps: requests taken in, callers waited for.
    pub fn between(&self) -> f64 {
        (1.0 - self.did.step / self.seconds).max(0.0)
    }

    /// Mean of several.
    pub fn mean(runs: &[Self]) -> Self {
        let n = runs.len() as f64;
        let of = |field: fn(&Self) -> f64| runs.iter().map(field).sum::<f64>() / n;
        Self {
            seconds: of(|r| r.seconds),
            did: Counters {
                turns: of(|r| r.did.turns),
                prompt: of(|r| r.did.prompt),
                prefill: of(|r| r.did.prefill),
                keys: of(|r| r.did.keys),
                steps: of(|r| r.did.steps),
                forward: of(|r| r.did.forward),
                step: of(|r| r.did.step),
            },
        }
    }
}

fn ids(stream: Stream, tokens: usize, vocab: usize) -> impl Iterator<Item = u32> {
    (0..tokens as u64).map(move |i| u32::try_from(stream.below(i, vocab)).expect("ids are u32"))
}

fn ask(prompt: Vec<u32>, draw: Stream) -> GenerateRequest {
    GenerateRequest {
        prompt,
        max_new_tokens: REPLY_TOKENS,
        sampling: Sampling {
            temperature: 0.8,
            top_k: 50,
            top_p: 0.9,
            ..Sampling::default()
        },
        grammar: None,
        stop: Vec::new(),
        draw,
        keep: None,
    }
}

/// A conversation's longest views.
fn views() -> [usize; 2] {
    [SYSTEM_TOKENS + TURNS.1 * (REPLY_TOKENS + FRAME_TOKENS); 2]
}

/// Pages that a conversation reserves: its views', one more each, and one.
pub fn conversation_pages() -> usize {
    views()
        .map(|v| v.div_ceil(PAGE_TOKENS) + 1)
        .iter()
        .sum::<usize>()
        + 1
}

/// Two agents talk: each sees its own system prompt, then everything said.
async fn converse(engine: &Arc<Engine>, number: u64, vocab: usize) {
    let root = Stream::root(7).at(number);
    let session = engine
        .open(&views())
        .await
        .expect("the pool holds a conversation");
    let mut views = [0, 1].map(|i| ids(root.at(i), SYSTEM_TOKENS, vocab).collect::<Vec<_>>());
    let turns = TURNS.0 + root.below(2, TURNS.1 - TURNS.0 + 1);
    for turn in 0..turns {
        let request = ask(views[turn % 2].clone(), root.at(100 + turn as u64));
        let reply = engine.generate(&session, request).await;
        let reply = reply.expect("random prompts are legal");
        for view in &mut views {
            view.extend(&reply.tokens);
            view.extend(std::iter::repeat_n(1, FRAME_TOKENS));
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// `slots` conversations at once, of which the pool holds `room`; each slot begins another one when its own is over, until
/// `slots × rounds` were held.
pub fn conversations(model: &Model, slots: usize, rounds: usize, room: usize) -> Run {
    let engine = model.engine(room * conversation_pages());
    let vocab = model.spec.vocab_size;
    let warm_up = u64::MAX;
    block_on(converse(&engine, warm_up, vocab));
    let before = Counters::at_rest(engine.stats());
    let started = Instant::now();
    block_on(async {
        let tasks: Vec<_> = (0..slots)
            .map(|slot| {
                let engine = Arc::clone(&engine);
                tokio::task::spawn_local(async move {
                    for round in 0..rounds {
                        converse(&engine, (round * slots + slot) as u64, vocab).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a conversation ran to its end");
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let did = Counters::at_rest(engine.stats()).since(before);
    Run { seconds, did }
}

/// One transcript that grows turn by turn to its longest, alone: the turns that end at each of `lengths`, and the ones
/// before them.
pub fn transcript(model: &Model, number: u64, lengths: &[usize]) -> Vec<[Run; 2]> {
    let engine = model.engine(LONGEST / PAGE_TOKENS + 2);
    let root = Stream::root(9).at(number);
    let vocab = model.spec.vocab_size;
    let given = LONG_TURN_TOKENS - REPLY_TOKENS;
    block_on(async {
        let session = engine.open(&[LONGEST]).await;
        let session = session.expect("the pool is sized for this");
        let mut view: Vec<u32> = ids(root, LONG_TURN_TOKENS, vocab).collect();
        let mut found = Vec::new();
        let mut last = None;
        for turn in 1..(LONGEST / LONG_TURN_TOKENS) as u64 {
            view.extend(ids(root.at(2 * turn), given, vocab));
            let request = ask(view.clone(), root.at(2 * turn + 1));
            let before = Counters::at_rest(engine.stats());
            let started = Instant::now();
            let reply = engine.generate(&session, request).await;
            let seconds = started.elapsed().as_secs_f64();
            let did = Counters::at_rest(engine.stats()).since(before);
            view.extend(reply.expect("random prompts are legal").tokens);
            let run = Run { seconds, did };
            if let (Some(last), true) = (last, lengths.contains(&view.len())) {
                found.push([last, run]);
            }
            last = Some(run);
        }
        found
    })
}
