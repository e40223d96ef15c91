//! `colloquy models`

mod list;
mod published;
#[cfg(feature = "hub")]
mod pull;
mod sizes;
mod verify;

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use console::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::failure::{Code, Failure};
use super::talk::grouped;
use super::workshop::read_parts;
use crate::model::gguf::TensorType;
use crate::model::tokenizer::Tokenizer;
use crate::model::{Encoder, ModelParts, shipped_for};
use sizes::size;

/// Where the engine stops when neither the model nor its manifest asks for less.
const LONGEST_CONTEXT: usize = 32_768;

pub use list::list;
#[cfg(feature = "hub")]
pub use pull::run as pull;
pub use verify::verify;

/// What a program without the feature `hub` says instead.
#[cfg(not(feature = "hub"))]
pub fn pull(args: &super::args::PullArgs) -> Result<ExitCode, Failure> {
    Err(Failure::new(
        Code::Usage,
        format!("{}: this program was built without the hub", args.reference),
    )
    .hint("fetch the model on a connected machine and copy its folder from the Hugging Face cache there to the one here"))
}

/// A bar over bytes, on standard error.
pub(super) fn bytes_bar(done: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{msg} {bar:16.cyan} {decimal_bytes} of {decimal_total_bytes} · {decimal_bytes_per_sec} · ETA {eta}",
    )
    .expect("a valid template")
    .progress_chars("▓▒░");
    bar.set_style(style);
    bar.set_message(done.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

pub fn show(reference: &str, as_json: bool) -> Result<ExitCode, Failure> {
    if reference == "scripted" || reference.starts_with("scripted:") {
        return Err(Failure::new(
            Code::Usage,
            "the scripted model is no model: it has nothing to show",
        ));
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A model that cannot chat still has facts, and can score.
    let (parts, no_chat) = match read_parts(reference, true, threads) {
        Ok(parts) => (parts, None),
        Err(failure) => match read_parts(reference, false, threads) {
            Ok(parts) => (parts, Some(failure.message)),
            Err(_) => match shipped_for(reference).filter(|_| failure.code == Code::Missing) {
                Some(manifest) => return published::show(manifest, as_json),
                None => return Err(failure),
            },
        },
    };
    let facts = facts(reference, parts, no_chat)?;
    if as_json {
        super::print(&format!("{facts}\n"))?;
    } else {
        super::print(&text(&facts))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn facts(
    reference: &str,
    mut parts: ModelParts,
    no_chat: Option<String>,
) -> Result<Value, Failure> {
    let spec = &parts.spec;
    let parameters = sizes::parameters(spec);
    let files = parts.weights.paths().count();
    let disk_bytes = parts.weights.bytes();
    let types = parts.weights.gguf_types();
    let dtype = match &types {
        Some(types) => shares(types),
        None => dtype(disk_bytes, parameters, &parts.config),
    };
    let context = parts.manifest.context_tokens.unwrap_or(LONGEST_CONTEXT);
    // Layers that see everything say how far positions reach.
    let rope = (0..spec.layers)
        .filter(|&i| spec.windows[i].is_none())
        .chain(0..spec.layers)
        .find_map(|i| spec.rope[i].as_ref());
    let generation = parts.generation.as_ref();
    let advised = sizes::sampling(parts.manifest.sampling.as_ref());
    let sampling: Value = [
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "presence_penalty",
    ]
    .into_iter()
    .filter_map(|key| {
        let value = advised.get(key).or_else(|| generation?.get(key))?;
        Some((key.to_owned(), value.clone()))
    })
    .collect::<serde_json::Map<_, _>>()
    .into();
    let unknown = || "UNKNOWN".to_owned();
    let manifest = parts.manifest.clone();
    let mut facts = json!({
        "reference": reference,
        "name": manifest.name,
        "hash": parts.hash,
        "demo": manifest.demo,
        "family": format!("{:?}", spec.family).to_lowercase(),
        "parameters": parameters,
        "layers": spec.layers,
        "heads": spec.heads,
        "kv_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "hidden": spec.hidden,
        "intermediate": spec.intermediate,
        "tied": spec.tied,
        "window": spec.windows.iter().flatten().max(),
        "rope": rope.map(|rope| json!({ "theta": rope.theta, "scaling": rope.scaling.name() })),
        "disk": { "format": if types.is_some() { "gguf" } else { "safetensors" }, "dtype": dtype, "bytes": disk_bytes, "files": files },
        "context_tokens": spec.max_positions.min(context),
        "trained_context_tokens": spec.max_positions,
        "vocabulary": spec.vocab_size,
        "tokenizer": { "kind": tokenizer_kind(&parts.tokenizer), "tokens": parts.tokenizer.size() },
        "sampling": sampling,
        "licence": manifest.licence.clone().unwrap_or_else(unknown),
        "output_terms": manifest.output_terms.or(manifest.licence).unwrap_or_else(unknown),
        "prompt_pack": manifest.prompt_pack.unwrap_or_else(|| "full".into()),
        "passage_tokens": manifest.passage_tokens,
        "memory": sizes::of_weights(
            &parts.manifest,
            |profile| parts.weights.packed_bytes(profile) as u64,
            |kv| spec.kv_bytes_per_token(kv) as u64,
        ),
        "repository": manifest.repository,
        "gated": manifest.gated,
        "notes": manifest.notes,
        "unverified": manifest.unverified,
        "published_template": manifest.template,
    });
    match (parts.template.take(), no_chat) {
        (Some(template), None) => {
            let encoder = Encoder::new(template, Arc::clone(&parts.tokenizer))
                .map_err(crate::model::ModelError::from)?;
            let shape = encoder.template().shape();
            facts["template"] = json!({
                "system": shape.system.name(),
                "default_system": shape.default_system,
                "alternates": shape.alternates,
                "user_first": shape.user_first,
                "trims": shape.trims,
                "prefix_stable": shape.prefix_stable,
                "dated": shape.dated,
                "turn_end": shape.turn_end,
                "generation_prompt": shape.generation_prompt,
            });
            let thinking = &shape.thinking;
            facts["thinking"] = json!({
                "marks": thinking.marks,
                "switch": thinking.switch,
                "opened_by_template": thinking.opens,
                "drops_old": thinking.drops_old,
            });
            let ends = encoder.end_ids(&parts.config, parts.generation.as_ref());
            facts["end_tokens"] = ends
                .into_iter()
                .map(|id| json!({ "id": id, "text": parts.tokenizer.name(id) }))
                .collect();
        }
        (_, reason) => {
            facts["template"] = Value::Null;
            facts["no_chat"] = reason.into();
        }
    }
    Ok(facts)
}

/// Types of tensors by the bytes they take, in percent, most first: `Q4_K 71 %, Q6_K 28 %`.
fn shares(types: &[(TensorType, usize)]) -> String {
    let all: usize = types.iter().map(|(_, bytes)| bytes).sum();
    let share = |(kind, bytes): &(TensorType, usize)| match bytes * 100 / all.max(1) {
        0 => format!("{} < 1 %", kind.name()),
        share => format!("{} {share} %", kind.name()),
    };
    types.iter().map(share).collect::<Vec<_>>().join(", ")
}

/// The type of the numbers on disk: their width tells, and which of the two of 16 bits the configuration says.
fn dtype(bytes: usize, parameters: usize, config: &Value) -> String {
    let said = config
        .get("torch_dtype")
        .or_else(|| config.get("dtype"))
        .and_then(Value::as_str);
    // The header of a small file weighs something too.
    match bytes * 10 / parameters.max(1) {
        18..28 if said == Some("float16") => "F16".into(),
        18..28 => "BF16".into(),
        38..60 => "F32".into(),
        _ => "mixed".into(),
    }
}

/// What the names in the vocabulary say about how it was made.
fn tokenizer_kind(tokenizer: &Tokenizer) -> &'static str {
    const LOOKED_AT: u32 = 4000;
    let size = u32::try_from(tokenizer.size()).unwrap_or(u32::MAX);
    let names = || (0..size.min(LOOKED_AT)).filter_map(|id| tokenizer.name(id));
    if names().any(|name| name.starts_with('Ġ')) {
        "byte-level BPE"
    } else if names().any(|name| name == "<0x0A>") {
        "SentencePiece style, with byte fallback"
    } else if names().any(|name| name.starts_with('▁')) {
        "SentencePiece style, without byte fallback"
    } else if names().any(|name| name.starts_with("##")) {
        "WordPiece"
    } else {
        "of another kind"
    }
}

fn text(facts: &Value) -> String {
    let dim = Style::new().dim();
    let number = |value: &Value| grouped(value.as_u64().unwrap_or(0));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut text = format!(
        "{}\n",
        Style::new().bold().apply_to(word(&facts["reference"]))
    );
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {} {value}", dim.apply_to(format!("{name:<13}")));
    };
    line(
        "family",
        format!(
            "{}, {} layers, {} heads ({} for keys and values) of {}",
            word(&facts["family"]),
            facts["layers"],
            facts["heads"],
            facts["kv_heads"],
            facts["head_dim"]
        ),
    );
    line("parameters", number(&facts["parameters"]));
    let disk = &facts["disk"];
    line(
        "on disk",
        format!(
            "{}{}, {} in {} file{}",
            if disk["format"] == "gguf" {
                "GGUF: "
            } else {
                ""
            },
            word(&disk["dtype"]),
            size(sizes::number(&disk["bytes"])),
            disk["files"],
            if disk["files"] == 1 { "" } else { "s" }
        ),
    );
    let trained = if facts["context_tokens"] == facts["trained_context_tokens"] {
        String::new()
    } else {
        format!(" of {}", number(&facts["trained_context_tokens"]))
    };
    let window = match facts["window"].as_u64() {
        Some(window) => format!(", sliding window of {}", grouped(window)),
        None => String::new(),
    };
    line(
        "context",
        format!(
            "{}{trained} tokens{window}",
            number(&facts["context_tokens"])
        ),
    );
    line(
        "tokenizer",
        format!(
            "{}, {} tokens for {} embeddings",
            word(&facts["tokenizer"]["kind"]),
            number(&facts["tokenizer"]["tokens"]),
            number(&facts["vocabulary"])
        ),
    );
    line("template", template(facts));
    if !facts["thinking"].is_null() {
        line("thinking", thinking(&facts["thinking"]));
    }
    if let Some(ends) = facts["end_tokens"].as_array() {
        let ends: Vec<String> = ends
            .iter()
            .map(|end| format!("{} ({})", word(&end["text"]), end["id"]))
            .collect();
        line("ends with", ends.join(", "));
    }
    let sampling: Vec<String> = facts["sampling"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{} {value}", key.replace('_', " ")))
        .collect();
    line(
        "sampling",
        if sampling.is_empty() {
            "temperature 1 (it names none of its own)".into()
        } else {
            sampling.join(", ")
        },
    );
    line("licence", word(&facts["licence"]));
    line("output terms", word(&facts["output_terms"]));
    let memory = &facts["memory"];
    line(
        "memory",
        format!(
            "{} for weights, {} of cache per 1,000 tokens, in profile {}",
            size(sizes::number(&memory["weight_bytes"])),
            size(sizes::number(&memory["cache_bytes_per_1000_tokens"])),
            word(&memory["profile"])
        ),
    );
    line("at each quant", sizes::at_each_quant(memory));
    let passages = match facts["passage_tokens"].as_u64() {
        Some(tokens) => format!(", help page of {tokens} tokens"),
        None => String::new(),
    };
    line(
        "prompt pack",
        format!("{}{passages}", word(&facts["prompt_pack"])),
    );
    line("hash", word(&facts["hash"]));
    if facts["demo"] == true {
        line("demo", "for trying the pipeline, not for training".into());
    }
    for (key, name) in [("notes", "note"), ("unverified", "not verified")] {
        for note in facts[key].as_array().into_iter().flatten() {
            line(name, word(note));
        }
    }
    text
}

fn template(facts: &Value) -> String {
    if let Some(reason) = facts["no_chat"].as_str() {
        return format!("none, so it cannot chat ({reason})");
    }
    let shape = &facts["template"];
    let says = |key: &str, yes: &'static str, no: &'static str| {
        if shape[key] == true { yes } else { no }
    };
    let system = match shape["system"].as_str() {
        Some("supported") => "has a system role",
        Some("folded") => "puts the system's words into a user's message",
        _ => "no system role: it joins the first message",
    };
    let mut traits = vec![
        system,
        says(
            "alternates",
            "turns must alternate",
            "turns need not alternate",
        ),
        says("user_first", "a user must begin", "anyone may begin"),
        says("trims", "trims white space", "keeps white space"),
        says(
            "prefix_stable",
            "grows at its end",
            "rewrites earlier turns (no reuse of the cache)",
        ),
    ];
    if shape["dated"] == true {
        traits.push("names the run's date");
    }
    if shape["default_system"].is_string() {
        traits.push("has a system message of its own");
    }
    traits.join(", ")
}

fn thinking(shape: &Value) -> String {
    let marks: Vec<&str> = shape["marks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if marks.is_empty() {
        return "no marks of thoughts known".into();
    }
    let how = match shape["switch"].as_str() {
        Some(switch) => format!("switched by {switch}"),
        None if shape["opened_by_template"] == true => "begun by the template".to_owned(),
        None => "begun by the model".to_owned(),
    };
    let old = if shape["drops_old"] == true {
        ", old ones dropped"
    } else {
        ""
    };
    format!("between {}, {how}{old}", marks.join(" and "))
}
