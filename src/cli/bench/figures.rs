//! What `bench` found, as JSON.

use serde_json::{Map, Value, json};

use super::{Finding, shares, table};
use crate::bench::fitness::Fitness;
use crate::bench::machine::Machine;
use crate::bench::speed::{DECODE_CONTEXT, REPEATS, SAMPLING, Timing};
use crate::cli::args::BenchArgs;
use crate::settings::EMBEDDED;

pub fn as_json(args: &BenchArgs, before: &Machine, after: &Machine, findings: &[Finding]) -> Value {
    let models: Vec<Value> = findings.iter().map(model_json).collect();
    json!({
        "machine": { "before": before, "after": after, "drifted": before.has_drifted(after) },
        "settings": {
            "new_tokens": args.new_tokens,
            "decode_context_tokens": DECODE_CONTEXT,
            "repeats": REPEATS,
            "sampling": SAMPLING,
            "conversations": args.fitness,
            "recipe": EMBEDDED[0].name,
        },
        "models": models,
    })
}

fn model_json(finding: &Finding) -> Value {
    let timing = |timing: &Timing| {
        let limit = timing.work.limit(&finding.demand, &finding.machine);
        json!({
            "batch": timing.batch,
            "tokens": timing.tokens,
            "seconds": timing.seconds,
            "tokens_per_s": timing.tokens_per_s(),
            "share_of_limit": finding.share(timing),
            "bound": limit.bound,
        })
    };
    let kernels: Vec<Value> = finding
        .kernels
        .iter()
        .map(|(class, kernel)| json!({ "class": class, "kernel": kernel }))
        .collect();
    let decode: Vec<Value> = finding.speed.decode.iter().map(timing).collect();
    json!({
        "reference": finding.reference,
        "profile": finding.profile,
        "load_s": finding.load_seconds,
        "memory": {
            "weight_bytes": finding.weight_bytes,
            "kv_bytes_per_token": finding.kv_bytes_per_token,
            "peak_bytes": finding.peak_memory_bytes,
        },
        "kernels": kernels,
        "machine": finding.machine,
        "prefill": timing(&finding.speed.prefill),
        "decode": decode,
        "fitness": finding.fitness.as_ref().ok().map(fitness_json),
        "no_fitness": finding.fitness.as_ref().err(),
        "notes": finding.notes,
    })
}

fn fitness_json(fitness: &Fitness) -> Value {
    let mut value = serde_json::to_value(fitness).expect("plain data serialises to JSON");
    value["percent"] = shares(fitness)
        .into_iter()
        .map(|(name, percent)| (name.to_owned(), percent.into()))
        .collect::<Map<_, _>>()
        .into();
    value["guard_hits_per_100_turns"] = fitness
        .guard_hits
        .keys()
        .map(|kind| {
            let hits = fitness.hits_per_100_turns(Some(*kind));
            (table::guard_name(*kind), hits.into())
        })
        .collect::<Map<_, _>>()
        .into();
    value
}
