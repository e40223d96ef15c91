//! `colloquy bench`

mod figures;
pub mod table;
mod teller;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use teller::Teller;

use super::args::BenchArgs;
use super::failure::{Code, Failure};
use super::maker::RunMaker;
use super::workshop::{Workshop, load_options, memory, read_parts};
use crate::bench::News;
use crate::bench::chart::{self, Bars};
use crate::bench::fitness::{self, Fitness, Trial};
use crate::bench::limit::Demand;
use crate::bench::machine::{self, Machine};
use crate::bench::speed::{self, Speed, Timing, Workload};
use crate::engine::{ChatModel, LoadOptions, LocalModel, Started, start_engine};
use crate::fsio;
use crate::model::ModelParts;
use crate::pipeline::NoLog;
use crate::record::ModelRole;
use crate::run::Plan;
use crate::settings::{self, EMBEDDED, Environment, Overrides, RecipeText, RunSpec};

/// Batch sizes when none are asked for.
const BATCHES: [usize; 4] = [1, 8, 16, 32];
/// Tokens of the prefill figure's prompt when none are asked for.
const PROMPT_TOKENS: usize = 512;

/// What the figures mean, for `--help`.
pub const MEANING: &str = "\
Examples:
  colloquy bench                                        the demo model, in a few seconds
  colloquy bench /models/Qwen2.5-7B-Instruct demo       two models, one table
  colloquy bench org/name --quant none,q8_0             one model loaded in two ways
  colloquy bench org/name --fitness 0 --batches 1,64    speed alone, at two batch sizes

What is measured:
  load      reading, checking and packing the weights, until the engine waits for work
  memory    packed weights; keys and values per token (KV/token); the process's peak while the
            model was timed (peak RSS)
  prefill   tokens a second of one prompt that no cache knows, the first reply token included
  ×N        tokens a second of N sequences decoded together, all counted, after 64 tokens of
            prompt each; sampling included (temperature 0.8, top-k 50, top-p 0.9)
            Both are medians of 3 repeats after a warm-up.
  (%)       share of what the machine could do at best. The limit is the larger of
            bytes that must be read / bandwidth, and
            the sum over operation classes of operations / the class's measured peak.
            Bandwidth and peaks are measured before and after each model, and printed: where they
            drift apart, so do the figures. Weights that caches can hold are counted with the
            bandwidth of reading as much memory as they take.
  kernels   what computes each class of tensor: arithmetic, weights, instructions

Fitness, over conversations of the recipe support, each made once, none replaced:
  format    structured replies (the JSON list of questions) that are exactly what was asked for
            with no grammar mask to force it; runs do use the mask
  words     replies within the recipe's word budget, turned-down replies included
  endings   conversations that the customer's own decision ended, not the turn limit, a guard or
            a full context
  tone      conversations whose customer turns keep the tone, by words alone
            cheerful: a warm word, a smile or an exclamation mark somewhere; no cross word
            neutral:  no cross word, no elated word, no exclamation mark
            annoyed:  a cross word somewhere; no elated word
            angry:    a cross word somewhere; no elated and no warm word
  style     customer turns that keep the style, by rules
            plain:    capital or digit at the beginning, no casual word
            casual:   lower case at the beginning, a casual word, a contraction, or no stop at
                      the end
            formal:   capital or digit at the beginning, stop at the end, no casual word, no
                      contraction
            typos:    not judged; a rule engine makes them, not the model
  kept      conversations that a run would keep at the first try
  guards    replies that a guard turned down, in 100 turns, by guard
Word lists are English. These figures tell models apart; they do not measure quality.";

/// A model and how it is loaded.
struct Candidate {
    reference: String,
    spec: RunSpec,
}

impl Candidate {
    fn options(&self) -> Result<LoadOptions, Failure> {
        load_options(&self.spec.model_of(ModelRole::Agent), &self.spec.engine)
    }
}

/// What is known of a candidate in the end.
pub struct Finding {
    pub name: String,
    pub reference: String,
    pub profile: String,
    pub load_seconds: f64,
    pub weight_bytes: usize,
    pub kv_bytes_per_token: usize,
    pub peak_memory_bytes: u64,
    pub kernels: Vec<(&'static str, String)>,
    pub demand: Demand,
    pub speed: Speed,
    /// The machine around the timing, at its best.
    pub machine: Machine,
    pub fitness: Result<Fitness, String>,
    pub notes: Vec<String>,
}

impl Finding {
    /// Which part of the physical limit a timing reached.
    pub fn share(&self, timing: &Timing) -> f64 {
        timing.work.limit(&self.demand, &self.machine).seconds / timing.median_seconds()
    }
}

pub fn run(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let candidates = candidates(args)?;
    if let Some(path) = &args.svg {
        fsio::check_writable(path).map_err(|error| Failure::write(path, &error))?;
    }
    // Every name leads to files before the first is timed.
    for one in candidates.iter().filter(|one| one.reference != "demo") {
        super::workshop::find_files(&one.reference)?;
    }
    let first = candidates[0].options()?;
    let teller = Teller::new();
    teller.say("measuring the machine");
    let before = Machine::measure(first.threads, first.available_bytes);
    let mut latest = before.clone();
    let mut findings = Vec::new();
    for candidate in &candidates {
        let finding = examine(candidate, args, &mut latest, &teller)?;
        findings.push(finding);
    }
    teller.clear();
    if let Some(path) = &args.svg {
        draw(path, &before, &findings)?;
    }
    let output = if args.json {
        format!("{}\n", figures::as_json(args, &before, &latest, &findings))
    } else {
        table::text(&before, &latest, &findings)
    };
    super::print(&output)?;
    Ok(ExitCode::SUCCESS)
}

/// Every model with every way of loading it, in the order given.
fn candidates(args: &BenchArgs) -> Result<Vec<Candidate>, Failure> {
    let named = args.references.iter().chain(&args.models);
    let mut references: Vec<&str> = named.map(String::as_str).collect();
    if references.is_empty() {
        references.push("demo");
    }
    let quants: Vec<Option<&str>> = if args.quant.is_empty() {
        vec![None]
    } else {
        args.quant
            .iter()
            .map(|quant| Some(quant.as_str()))
            .collect()
    };
    let mut candidates = Vec::new();
    for reference in references {
        if reference == "scripted" || reference.starts_with("scripted:") {
            return Err(Failure::new(
                Code::Usage,
                "the scripted model is no model: it has no speed to measure",
            )
            .hint("measure demo, a folder or org/name"));
        }
        for quant in &quants {
            candidates.push(Candidate {
                reference: reference.to_owned(),
                spec: spec(args, reference, *quant)?,
            });
        }
    }
    Ok(candidates)
}

/// The recipe's settings with what the command line changes.
fn spec(args: &BenchArgs, reference: &str, quant: Option<&str>) -> Result<RunSpec, Failure> {
    let mut set = args.set.clone();
    let mut put = |key: &str, value: Option<String>| {
        set.extend(value.map(|value| format!("{key}={value}")));
    };
    put("quant", quant.map(|quant| format!("{quant:?}")));
    put(
        "kv_dtype",
        args.kv_dtype.as_ref().map(|kind| format!("{kind:?}")),
    );
    put(
        "engine.threads",
        args.threads.map(|threads| threads.to_string()),
    );
    put(
        "engine.memory",
        args.memory.as_ref().map(|size| format!("{size:?}")),
    );
    let overrides = Overrides {
        model: vec![reference.to_owned()],
        seed: args.seed,
        set,
        ..Overrides::default()
    };
    let recipe = RecipeText::embedded(&EMBEDDED[0]);
    let mut spec = settings::resolve(&recipe, &overrides, &Environment::from_process())?.spec;
    // What the model does is judged, not what rules make of it.
    spec.customer.hold_style = false;
    Ok(spec)
}

fn examine(
    candidate: &Candidate,
    args: &BenchArgs,
    latest: &mut Machine,
    teller: &Teller,
) -> Result<Finding, Failure> {
    let Candidate { reference, spec } = candidate;
    let options = candidate.options()?;
    let short = short_name(reference);
    teller.say(&format!("{short}: loading"));
    machine::reset_peak_memory();
    let begun = Instant::now();
    let (parts, no_chat) = read(reference, options.threads)?;
    let profile = options.numerics(&parts.manifest).name();
    let name = format!("{short} · {profile}");
    let say = |what: &str| teller.say(&format!("{name}: {what}"));
    let tell = |news: News<'_>| match news {
        News::Begins(what) => say(what),
        News::Done { done, of } => teller.go_on(&format!("{name}: {done} of {of}")),
    };
    let started = start_engine(&parts, &[], &options)?;
    let load_seconds = begun.elapsed().as_secs_f64();
    let demand = Demand::of(&parts.spec, &started);
    let mut notes = Vec::new();
    let workload = workload(args, spec.seed, &parts, &started, &mut notes)?;
    let runtime = runtime()?;
    let speed = runtime.block_on(speed::measure(&started.engine, &demand, &workload, &tell))?;
    let peak_memory_bytes = machine::peak_memory();
    say("measuring the machine");
    let now = Machine::measure(options.threads, memory::available());
    let around = latest.at_best(&now);
    if latest.has_drifted(&now) {
        notes.push("the machine changed its speed while this model was timed".into());
    }
    *latest = now;
    let dram = around.bandwidth_gb_s;
    let around = around.for_weights(started.step_bytes.all);
    if around.bandwidth_gb_s > 1.25 * dram {
        notes.push(format!(
            "caches hold its weights and read them at {:.0} GB/s; its limit counts with that",
            around.bandwidth_gb_s
        ));
    }
    let facts = (
        started.weight_bytes,
        started.kv_bytes_per_token,
        started.kernels.clone(),
    );
    // Its memory is given back before the model starts once more, now with a chat template around it.
    drop(started);
    let fitness = match (args.fitness, no_chat) {
        (0, _) => Err("not asked for".to_owned()),
        (_, Some(reason)) => Err(format!("it cannot chat: {reason}")),
        (count, None) => {
            let trial = trial(candidate, parts, &options, count)?;
            Ok(runtime.block_on(fitness::measure(&trial, &tell))?)
        }
    };
    Ok(Finding {
        name,
        reference: reference.clone(),
        profile,
        load_seconds,
        weight_bytes: facts.0,
        kv_bytes_per_token: facts.1,
        peak_memory_bytes,
        kernels: facts.2,
        demand,
        speed,
        machine: around,
        fitness,
        notes,
    })
}

/// The model's files; a model that cannot chat still has a speed.
fn read(reference: &str, threads: usize) -> Result<(ModelParts, Option<String>), Failure> {
    match read_parts(reference, true, threads) {
        Ok(parts) => Ok((parts, None)),
        Err(failure) => match read_parts(reference, false, threads) {
            Ok(parts) => Ok((parts, Some(failure.message))),
            Err(_) => Err(failure),
        },
    }
}

/// What was asked for must fit; what was not is made to.
fn workload(
    args: &BenchArgs,
    seed: u64,
    parts: &ModelParts,
    started: &Started,
    notes: &mut Vec<String>,
) -> Result<Workload, Failure> {
    let engine = &started.engine;
    let new_tokens = args.new_tokens as usize;
    let mut batches: Vec<usize> = args.batches.iter().map(|n| *n as usize).collect();
    if batches.is_empty() {
        let fits = speed::largest_batch(engine, new_tokens).max(1);
        batches.extend(BATCHES.into_iter().filter(|batch| *batch <= fits));
        if batches.len() < BATCHES.len() {
            notes.push(format!("memory holds batches up to {fits}"));
        }
    }
    batches.sort_unstable();
    batches.dedup();
    let longest = engine.context_tokens() - 1;
    let room = (started.pool_tokens / 2).max(1);
    let prompt_tokens = args
        .prompt_tokens
        .map_or(PROMPT_TOKENS.min(longest).min(room), |n| n as usize);
    let workload = Workload {
        prompt_tokens,
        new_tokens,
        batches,
        seed,
        vocabulary: parts.tokenizer.size().min(parts.spec.vocab_size),
    };
    let pool_bytes = started.pool_tokens as u64 * started.kv_bytes_per_token as u64;
    speed::check(engine, &workload, pool_bytes)?;
    Ok(workload)
}

/// The shipped recipe's first places, with the model to play them.
fn trial(
    candidate: &Candidate,
    parts: ModelParts,
    options: &LoadOptions,
    count: u32,
) -> Result<Trial, Failure> {
    let workshop = Workshop::open_with(candidate.spec.clone(), |spec| {
        let model = ChatModel::Local(Arc::new(LocalModel::start(parts, options)?));
        Ok(spec.roles().map(|role| (role, model.clone())).collect())
    })?;
    let ids: Vec<String> = workshop.pages.keys().cloned().collect();
    let slots = Plan::new(&workshop.spec, &ids).slots(u64::from(count));
    let (queries, support, questions_per_page) =
        RunMaker::new(&workshop, Arc::new(NoLog)).into_contexts();
    Ok(Trial {
        queries,
        support,
        pages: workshop.pages,
        slots,
        questions_per_page,
        seed: workshop.spec.seed,
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| {
            Failure::new(
                Code::Bug,
                format!("the async runtime does not start: {error}"),
            )
        })
}

/// The last part of a path; a name as it is.
fn short_name(reference: &str) -> String {
    let path = Path::new(reference);
    let last = path.file_name().and_then(|name| name.to_str());
    match last {
        Some(last) if path.is_dir() => last.to_owned(),
        _ => reference.to_owned(),
    }
}

fn draw(path: &Path, machine: &Machine, findings: &[Finding]) -> Result<(), Failure> {
    let bars: Vec<Bars> = findings
        .iter()
        .map(|finding| Bars {
            name: finding.name.clone(),
            decode: finding
                .speed
                .decode
                .iter()
                .map(|timing| (timing.batch, timing.tokens_per_s()))
                .collect(),
            fitness: finding.fitness.as_ref().map(shares).unwrap_or_default(),
        })
        .collect();
    let about = format!(
        "{} · {} thread{} · {:.0} GB/s · f32 peak {:.0} GFLOP/s · CPU",
        machine.instructions,
        machine.threads,
        if machine.threads == 1 { "" } else { "s" },
        machine.bandwidth_gb_s,
        machine.peaks.f32
    );
    fsio::write_atomically(path, chart::svg(&about, &bars).as_bytes())
        .map_err(|error| Failure::write(path, &error))
}

/// What fitness counts in percent, in the order of the table.
pub fn shares(fitness: &Fitness) -> Vec<(&'static str, Option<f64>)> {
    vec![
        ("format", fitness.format.percent()),
        ("words", fitness.words.percent()),
        ("endings", fitness.endings.percent()),
        ("tone", fitness.tone_kept().percent()),
        ("style", fitness.style_kept().percent()),
    ]
}
