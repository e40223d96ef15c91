//! What is known of a model that is not on this machine.

use std::fmt::Write;
use std::process::ExitCode;

use console::Style;
use serde_json::{Value, json};

use super::sizes::{self, number, size};
use crate::cli::failure::Failure;
use crate::cli::talk::grouped;
use crate::model::{Manifest, Shape, SystemRole, TemplateFacts, Thinking};

pub fn show(manifest: &Manifest, as_json: bool) -> Result<ExitCode, Failure> {
    let facts = facts(manifest);
    crate::cli::print(&if as_json {
        format!("{facts}\n")
    } else {
        text(manifest, &facts)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn facts(manifest: &Manifest) -> Value {
    let memory = manifest.shape.as_ref().map(|shape| {
        sizes::of_weights(
            manifest,
            |profile| shape.weight_bytes(profile),
            |kv| shape.kv_bytes_per_token(kv),
        )
    });
    json!({
        "reference": manifest.repository,
        "name": manifest.name,
        "here": false,
        "repository": manifest.repository,
        "revision": manifest.revision,
        "shape": manifest.shape,
        "file_bytes": manifest.shape.as_ref().map(Shape::file_bytes),
        "memory": memory,
        "published_template": manifest.template,
        "sampling": sizes::sampling(manifest.sampling.as_ref()),
        "licence": manifest.licence,
        "output_terms": manifest.output_terms,
        "gated": manifest.gated,
        "prompt_pack": manifest.prompt_pack,
        "notes": manifest.notes,
        "unverified": manifest.unverified,
    })
}

fn text(manifest: &Manifest, facts: &Value) -> String {
    let (dim, bold) = (Style::new().dim(), Style::new().bold());
    let repository = manifest.repository.as_deref().unwrap_or_default();
    let mut text = format!(
        "{} is not on this machine; as published:\n",
        bold.apply_to(repository)
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {} {value}", dim.apply_to(format!("{name:<13}")));
    };
    if let Some(shape) = &manifest.shape {
        line(
            "family",
            &format!(
                "{}, {} layers, {} heads ({} for keys and values) of {}",
                shape.family, shape.layers, shape.heads, shape.kv_heads, shape.head_dim
            ),
        );
        line("parameters", &grouped(shape.parameters));
        line("files", &format!("about {}", size(shape.file_bytes())));
        let positions = shape
            .positions
            .map_or("not certain".to_owned(), |positions| {
                format!("{} tokens", grouped(positions))
            });
        line("context", &positions);
    }
    let memory = &facts["memory"];
    line(
        "memory",
        &format!(
            "{} for weights, {} of cache per 1,000 tokens, in profile {}",
            size(number(&memory["weight_bytes"])),
            size(number(&memory["cache_bytes_per_1000_tokens"])),
            memory["profile"].as_str().unwrap_or_default()
        ),
    );
    line("at each quant", &sizes::at_each_quant(memory));
    if let Some(template) = &manifest.template {
        line("template", &told(template));
    }
    let sampling: Vec<String> = facts["sampling"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{} {value}", key.replace('_', " ")))
        .collect();
    if !sampling.is_empty() {
        line("sampling", &sampling.join(", "));
    }
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "UNKNOWN".into());
    line("licence", &or_unknown(&manifest.licence));
    line("output terms", &or_unknown(&manifest.output_terms));
    if manifest.gated == Some(true) {
        line(
            "gated",
            "its terms must be accepted on the hub, and HF_TOKEN set",
        );
    }
    for note in &manifest.notes {
        line("note", note);
    }
    for what in &manifest.unverified {
        line("not verified", what);
    }
    line("to get it", &format!("colloquy models pull {repository}"));
    text
}

fn told(template: &TemplateFacts) -> String {
    let mut traits = vec![match template.system {
        SystemRole::Own => "has a system role",
        SystemRole::Joined => "joins a system message to one of the user's",
        SystemRole::Refused => "refuses a system message",
    }];
    if template.default_system {
        traits.push("writes one of its own where none is given");
    }
    traits.push(match template.thinking {
        Thinking::None => "does not think",
        Thinking::Off => "thinks when told",
        Thinking::On => "thinks unless told otherwise",
    });
    if template.date {
        traits.push("prints the date");
    }
    if template.alternates {
        traits.push("turns must alternate");
    }
    traits.join(", ")
}
