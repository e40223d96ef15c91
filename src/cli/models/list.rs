//! `colloquy models list`

use std::fmt::Write;
use std::process::ExitCode;

use console::Style;
use serde_json::{Value, json};

use super::sizes::{self, number, short, size};
use crate::cli::failure::Failure;
use crate::cli::workshop::{cache_places, read_parts};
use crate::hub::{self, CachedModel};
use crate::model::{Manifest, shipped, shipped_for};
use crate::settings::Environment;

pub fn list(as_json: bool) -> Result<ExitCode, Failure> {
    let places = cache_places(&Environment::from_process());
    let cached = hub::cached(&places);
    let of = |repository: &str| {
        cached
            .iter()
            .find(|model| repository_of(model).eq_ignore_ascii_case(repository))
    };
    let mut models = vec![demo()?];
    models.extend(shipped().iter().map(|manifest| {
        let repository = manifest.repository.as_deref().unwrap_or_default();
        known(repository, manifest, of(repository))
    }));
    let others = cached
        .iter()
        .filter(|model| shipped_for(repository_of(model)).is_none());
    models.extend(others.map(other));
    let facts = json!({ "cache": places.folder(), "models": models });
    crate::cli::print(&if as_json {
        format!("{facts}\n")
    } else {
        table(&facts)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `org/name`, without a commit.
fn repository_of(model: &CachedModel) -> &str {
    let reference = model.reference.as_str();
    reference
        .split_once('@')
        .map_or(reference, |(repo, _)| repo)
}

fn demo() -> Result<Value, Failure> {
    let parts = read_parts("demo", false, 1)?;
    let manifest = &parts.manifest;
    Ok(json!({
        "reference": "demo",
        "parameters": sizes::parameters(&parts.spec),
        "memory": sizes::of_weights(manifest, |profile| parts.weights.packed_bytes(profile) as u64, |kv| {
            parts.spec.kv_bytes_per_token(kv) as u64
        }),
        "licence": manifest.licence,
        "output_terms": manifest.output_terms,
        "gated": false,
        "here": true,
        "demo": true,
        "shipped": true,
    }))
}

/// A model with a manifest.
fn known(repository: &str, manifest: &Manifest, cached: Option<&CachedModel>) -> Value {
    let mut facts = json!({
        "reference": cached.map_or(repository, |model| model.reference.as_str()),
        "name": manifest.name,
        "parameters": manifest.shape.as_ref().map(|shape| shape.parameters),
        "memory": manifest.shape.as_ref().map(|shape| {
            sizes::of_weights(manifest, |profile| shape.weight_bytes(profile), |kv| shape.kv_bytes_per_token(kv))
        }),
        "file_bytes": manifest.shape.as_ref().map(crate::model::Shape::file_bytes),
        "licence": manifest.licence,
        "output_terms": manifest.output_terms,
        "gated": manifest.gated,
        "demo": false,
        "shipped": true,
    });
    add_cached(&mut facts, cached);
    facts
}

/// A model of the cache without one.
fn other(model: &CachedModel) -> Value {
    let mut facts = json!({
        "reference": model.reference,
        "licence": "UNKNOWN",
        "output_terms": "UNKNOWN",
        "demo": false,
        "shipped": false,
    });
    add_cached(&mut facts, Some(model));
    facts
}

fn add_cached(facts: &mut Value, cached: Option<&CachedModel>) {
    facts["here"] = cached.is_some_and(|model| model.problem.is_none()).into();
    if let Some(model) = cached {
        facts["cached_bytes"] = model.bytes.into();
        facts["problem"] = model.problem.clone().into();
    }
}

fn table(facts: &Value) -> String {
    let (dim, bold) = (Style::new().dim(), Style::new().bold());
    let models = facts["models"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |model: &Value, key: &str| model[key].as_str().unwrap_or_default().to_owned();
    let widest = |key: &str| {
        let lengths = models.iter().map(|model| text(model, key).chars().count());
        lengths.max().unwrap_or(0)
    };
    let (names, licences) = (widest("reference"), widest("licence"));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}",
        dim.apply_to(format!(
            "{:<names$}  {:>10}  {:>8}  {:<licences$}  here",
            "model", "parameters", "memory", "licence"
        ))
    );
    for model in models {
        let here = here(model);
        let name = format!("{:<names$}", text(model, "reference"));
        let parameters = model["parameters"].as_u64().map(short).unwrap_or_default();
        let memory = &model["memory"];
        let memory = if memory.is_null() {
            String::new()
        } else {
            size(number(&memory["weight_bytes"]))
        };
        let licence = text(model, "licence");
        let row = format!("{parameters:>10}  {memory:>8}  {licence:<licences$}  {here}");
        if model["here"] == true {
            let _ = writeln!(out, "{}  {row}", bold.apply_to(name));
        } else {
            let _ = writeln!(out, "{name}  {row}");
        }
    }
    let cache = facts["cache"].as_str().unwrap_or("not known");
    let _ = writeln!(
        out,
        "{}",
        dim.apply_to(format!(
            "memory: weights as loaded by default, computed from published shapes; keys and values come on top. None but demo was \
             tried here.\ncache: {cache}\n`colloquy models show REF` says more, `colloquy models pull REF` fetches one"
        ))
    );
    out
}

fn here(model: &Value) -> String {
    if model["demo"] == true {
        return "part of the program".into();
    }
    match (model["cached_bytes"].as_u64(), model["problem"].as_str()) {
        (Some(bytes), None) => format!("yes, {}", size(bytes)),
        (Some(_), Some(_)) => "not whole".into(),
        (None, _) if model["gated"] == true => "no; gated".into(),
        (None, _) => "no".into(),
    }
}
