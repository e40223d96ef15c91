//! What the few-shot hub is worth: the same number of experiences with its gate on, without a gate, and without a hub.
//!
//!     cargo bench --bench hub -- [--model scripted:copy=0.5] [--count 500] [--seeds 10] [--per-call 4] [--shots 1]
//!                                [--choice coverage]
//!
//! `--model` is `scripted` with dials (`copy` is the chance that a text is taken over from an example), `demo` or a folder.
//! Each seed is a run of its own for each setting; intervals are 95 % bootstrap intervals over seeds, because experiences of one
//! run descend from each other. With one seed there are none. The last line is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a bench prints figures and stops where its files are broken"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use colloquy::engine::{ChatModel, LoadOptions, LocalModel, ScriptedModel};
use colloquy::hub::ModelFiles;
use colloquy::metrics::bootstrap::{mean, mean_interval};
use colloquy::metrics::near::{nearest, rate};
use colloquy::metrics::self_bleu::{sampled, self_bleu};
use colloquy::metrics::{Corpus, Openers, distinct};
use colloquy::model::ModelParts;
use colloquy::model::template::Day;
use colloquy::pipeline::hub::{Gate, Hub, HubRules, RefusalReason, ShotChoice};
use colloquy::pipeline::{
    Caller, Cast, ExperienceContext, ExperienceSettings, NoLog, People, Wanted,
    generate_experiences, parse_experiences,
};
use colloquy::prompt::{Pack, Prompts};
use colloquy::record::Experience;
use colloquy::rng::Stream;
use serde_json::json;

/// Tries of a place, as a recipe has them.
const TRIES: u32 = 3;
/// Texts of one sample for self-BLEU, and samples.
const SAMPLE: (usize, u64) = (100, 10);
/// From this share of common runs of five words on, two stories are near-duplicates.
const NEAR: f64 = 0.2;
/// Words of an opener.
const OPENER: usize = 3;

struct Options {
    model: String,
    count: usize,
    seeds: u64,
    per_call: usize,
    shots: usize,
    choice: ShotChoice,
}

fn options() -> Options {
    let mut options = Options {
        model: "scripted:copy=0.5,prompts=full".into(),
        count: 500,
        seeds: 10,
        per_call: 4,
        shots: 1,
        choice: ShotChoice::Coverage,
    };
    let mut arguments = std::env::args().skip(1).filter(|one| one != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .unwrap_or_else(|| panic!("{name} wants a value"));
        match name.as_str() {
            "--model" => options.model = value,
            "--count" => options.count = value.parse().unwrap(),
            "--seeds" => options.seeds = value.parse().unwrap(),
            "--per-call" => options.per_call = value.parse().unwrap(),
            "--shots" => options.shots = value.parse().unwrap(),
            "--choice" => {
                options.choice = ShotChoice::named(&value).expect("fixed, random or coverage");
            }
            _ => panic!("no option {name}"),
        }
    }
    options
}

fn model(reference: &str) -> ChatModel {
    if reference.starts_with("scripted") {
        return ChatModel::Scripted(Arc::new(ScriptedModel::parse(reference).unwrap()));
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let day = Day::parse("2026-01-01").unwrap();
    let parts = if reference == "demo" {
        ModelParts::demo(day).unwrap()
    } else {
        let files = ModelFiles::in_folder(Path::new(reference), None).unwrap();
        ModelParts::read(&files, day, true, threads).unwrap()
    };
    let options = LoadOptions {
        reference: reference.into(),
        threads,
        profile: None,
        kv: None,
        memory_bytes: Some(2 << 30),
        available_bytes: 4 << 30,
    };
    ChatModel::Local(Arc::new(LocalModel::start(parts, &options).unwrap()))
}

/// What a run made.
struct Made {
    experiences: Vec<Experience>,
    /// Candidates turned down for their form, and as too like another.
    refused: BTreeMap<&'static str, usize>,
    /// Places that no try filled.
    empty: usize,
}

/// Rounds of experiences, as a run makes them, until `count` places are filled or given up.
async fn run(context: &ExperienceContext, rules: HubRules, count: usize) -> Made {
    let seeds = include_str!("../prompts/experiences/seeds.jsonl");
    let seeds = parse_experiences(Path::new("seeds.jsonl"), seeds, true).unwrap();
    let mut hub = Hub::new(seeds.experiences, rules).unwrap();
    let mut tries: BTreeMap<u64, u32> = (0..count as u64).map(|place| (place, 0)).collect();
    let mut found: BTreeMap<u64, Experience> = BTreeMap::new();
    let mut made = Made {
        experiences: Vec::new(),
        refused: BTreeMap::new(),
        empty: 0,
    };
    for round in 0.. {
        let open = tries
            .iter()
            .filter(|(place, n)| **n < TRIES && !found.contains_key(place));
        let places: Vec<u64> = open
            .map(|(place, _)| *place)
            .take(rules.round_size)
            .collect();
        if places.is_empty() {
            break;
        }
        let wanted: Vec<Wanted> = places
            .iter()
            .map(|&place| Wanted {
                place,
                participants: 2 + usize::try_from(place % 3).unwrap(),
                first_person: place * 4,
            })
            .collect();
        let candidates = generate_experiences(context, &hub, round, &wanted)
            .await
            .unwrap();
        let result = hub.admit(round, candidates).unwrap();
        found.extend(result.admitted().map(|(place, one)| (place, one.clone())));
        for (place, reason) in result.refused() {
            *tries.get_mut(&place).unwrap() += 1;
            let name = match reason {
                RefusalReason::Schema => "form",
                RefusalReason::Novelty => "novelty",
            };
            *made.refused.entry(name).or_default() += 1;
        }
    }
    made.empty = count - found.len();
    made.experiences = found.into_values().collect();
    made
}

/// What is told: everything that a model writes beside names and traits.
fn story(experience: &Experience) -> String {
    let memories = experience
        .participants
        .iter()
        .filter_map(|one| one.memory.as_deref());
    let rest = [
        experience.relations.as_str(),
        &experience.situation,
        &experience.topic,
        &experience.starter,
    ];
    memories.chain(rest).collect::<Vec<_>>().join("\n")
}

/// Figures of a run, by name.
fn figures(made: &Made, rules: HubRules, seed: u64) -> BTreeMap<&'static str, f64> {
    let stories: Vec<String> = made.experiences.iter().map(story).collect();
    let corpus = Corpus::of(stories.iter().map(String::as_str));
    let starters = || made.experiences.iter().map(|one| one.starter.as_str());
    let openers = Openers::of(starters(), OPENER);
    let near = nearest(&corpus, 2);
    let percent = |share: Option<f64>| 100.0 * share.unwrap_or(f64::NAN);
    let asked = made.experiences.len() + made.empty + made.refused.values().sum::<usize>();
    let refused = |name| made.refused.get(name).copied().unwrap_or(0) as f64;
    BTreeMap::from([
        ("made", made.experiences.len() as f64),
        (
            "self-BLEU, all",
            percent(mean(self_bleu(&corpus).into_iter().flatten())),
        ),
        (
            "self-BLEU, of 100",
            percent(sampled(
                &corpus,
                SAMPLE.0,
                SAMPLE.1,
                Stream::root(seed).child("bleu"),
            )),
        ),
        (
            "self-BLEU, starters",
            percent(mean(
                self_bleu(&Corpus::of(starters())).into_iter().flatten(),
            )),
        ),
        ("commonest opener", percent(openers.share_of_top(1))),
        ("ten commonest openers", percent(openers.share_of_top(10))),
        (
            "too alike, by the hub",
            percent(alike(&made.experiences, rules)),
        ),
        ("near-duplicates, 5-grams", percent(rate(&near, NEAR))),
        ("copies, 5-grams over 0.8", percent(rate(&near, 0.8))),
        ("distinct-2", percent(distinct(&corpus, 2))),
        (
            "deepest",
            made.experiences
                .iter()
                .map(|one| one.depth)
                .max()
                .unwrap_or(0)
                .into(),
        ),
        (
            "refused as too alike",
            100.0 * refused("novelty") / asked.max(1) as f64,
        ),
        (
            "refused for form",
            100.0 * refused("form") / asked.max(1) as f64,
        ),
        ("places left empty", made.empty as f64),
    ])
}

/// Share of the experiences that the gate would have turned down after those before them.
fn alike(experiences: &[Experience], rules: HubRules) -> Option<f64> {
    let off = HubRules {
        gate: Gate::Off,
        round_size: 1,
        ..rules
    };
    let mut hub = Hub::new(Vec::new(), off).unwrap();
    let mut over = 0;
    for (round, experience) in experiences.iter().enumerate() {
        over += usize::from(
            hub.nearest(experience)
                .is_some_and(|(_, likeness)| likeness.is_over(&rules)),
        );
        let candidate = colloquy::pipeline::hub::Candidate {
            place: 0,
            made: Ok(Experience {
                shots: Vec::new(),
                ..experience.clone()
            }),
        };
        hub.admit(round as u64, vec![candidate]).unwrap();
    }
    (!experiences.is_empty()).then(|| over as f64 / experiences.len() as f64)
}

fn main() {
    let options = options();
    let model = model(&options.model);
    let pack = Pack::named(&model.identity().prompt_pack).unwrap();
    let cast = Cast::one(model.clone(), Arc::new(Prompts::embedded(pack)));
    let sampling = match &model {
        ChatModel::Local(local) => local.sampling(),
        ChatModel::Scripted(_) => colloquy::engine::Sampling::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // By setting and figure, one value a seed.
    let mut all: BTreeMap<&'static str, BTreeMap<&'static str, Vec<f64>>> = BTreeMap::new();
    for seed in 1..=options.seeds {
        for gate in [Gate::Gated, Gate::Ungated, Gate::Off] {
            let rules = HubRules {
                gate,
                shots: options.shots,
                choice: options.choice,
                ..HubRules::default()
            };
            let context = ExperienceContext {
                caller: Caller::new(cast.clone(), Arc::new(NoLog)),
                settings: Arc::new(ExperienceSettings {
                    language: "English".into(),
                    sampling,
                    per_call: options.per_call,
                    thinking: 0,
                }),
                root: Stream::root(seed),
                people: People::Invented,
            };
            let begun = Instant::now();
            let local = tokio::task::LocalSet::new();
            let made = runtime.block_on(local.run_until(run(&context, rules, options.count)));
            eprintln!(
                "seed {seed}, {}: {:.1} s",
                gate.name(),
                begun.elapsed().as_secs_f64()
            );
            if seed == 1 {
                eprintln!("{}", made.experiences.last().map_or(String::new(), story));
            }
            for (name, value) in figures(&made, rules, seed) {
                all.entry(gate.name())
                    .or_default()
                    .entry(name)
                    .or_default()
                    .push(value);
            }
        }
    }
    report(&options, &all);
}

/// The table and, as the last line, the figures.
fn report(options: &Options, all: &BTreeMap<&'static str, BTreeMap<&'static str, Vec<f64>>>) {
    let told = |values: &[f64]| {
        let draw = Stream::root(0).child("interval");
        let middle = mean(values.iter().copied()).unwrap_or(f64::NAN);
        let ends = (values.len() > 1)
            .then(|| mean_interval(values, 0.95, draw))
            .flatten();
        (middle, ends)
    };
    let text = |values: &[f64]| match told(values) {
        (middle, Some(ends)) => format!("{middle:.1} ({:.1} to {:.1})", ends.low, ends.high),
        (middle, None) => format!("{middle:.1}"),
    };
    println!(
        "{} experiences, {} seeds, {}",
        options.count, options.seeds, options.model
    );
    println!("| figure (%) | gated | ungated | off | gated − ungated | gated − off |");
    println!("|---|---|---|---|---|---|");
    let mut values = serde_json::Map::new();
    for name in all["gated"].keys() {
        let of = |gate: &str| &all[gate][name];
        let less = |other: &str| -> Vec<f64> {
            of("gated")
                .iter()
                .zip(of(other))
                .map(|(a, b)| a - b)
                .collect()
        };
        let cells = [
            text(of("gated")),
            text(of("ungated")),
            text(of("off")),
            text(&less("ungated")),
            text(&less("off")),
        ];
        println!("| {name} | {} |", cells.join(" | "));
        let of = |gate: &str| {
            let (middle, ends) = told(of(gate));
            json!({ "mean": middle, "interval": ends, "runs": of(gate) })
        };
        values.insert(
            (*name).to_owned(),
            json!({ "gated": of("gated"), "ungated": of("ungated"), "off": of("off") }),
        );
    }
    println!(
        "{}",
        json!({ "model": options.model, "count": options.count, "seeds": options.seeds, "figures": values })
    );
}
