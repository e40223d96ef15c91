//! `colloquy doctor`

mod report;
mod system;

use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::DoctorArgs;
use super::bench::table::size;
use super::failure::Failure;
use super::talk::grouped;
use super::workshop::models::{by_model, roles};
use super::workshop::{Workshop, cache_places, cores, disk, load_options, memory};
use crate::bench::machine::{self, Machine};
use crate::engine::{ChatModel, LoadOptions};
use crate::fsio;
use crate::hub;
use crate::record::ModelRole;
use crate::settings::{self, EMBEDDED, Environment, Overrides, RecipeText, RunSpec, env};
use report::{Check, as_json, as_text, first_problem};

/// Models of the cache that are named; more are counted.
const NAMED: usize = 8;

pub fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let environment = Environment::from_process();
    let mut checks = vec![processor()];
    let spec = match spec(args, &environment) {
        Ok(spec) => Some(spec),
        Err(failure) => {
            checks.push(Check::bad("settings", failure));
            None
        }
    };
    let mut used = cores();
    match spec
        .as_ref()
        .map(|spec| load_options(&spec.model_of(ModelRole::Agent), &spec.engine))
    {
        Some(Ok(options)) => {
            checks.push(profile(spec.as_ref().expect("it has options"), &options));
            used = options.threads;
            checks.push(threads(used));
        }
        Some(Err(failure)) => checks.push(Check::bad("threads", failure)),
        None => checks.push(threads(used)),
    }
    checks.push(memory_check());
    if !args.quick {
        checks.push(speed(used));
    }
    checks.push(cache(&environment));
    if let Some(spec) = &spec {
        checks.push(model(spec).unwrap_or_else(|failure| Check::bad("model", failure)));
    }
    checks.push(cuda(&environment));
    if let Some(spec) = &spec {
        checks.push(output(spec));
    }
    checks.push(variables(&environment));
    let text = if args.json {
        format!("{}\n", as_json(&checks))
    } else {
        as_text(&checks)
    };
    super::print(&text)?;
    Ok(first_problem(&checks).map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// What a recipe that says nothing gets here; a model from the environment counts as in a run.
fn spec(args: &DoctorArgs, environment: &Environment) -> Result<RunSpec, Failure> {
    let overrides = Overrides {
        model: args.model.clone(),
        ..Overrides::default()
    };
    let recipe = RecipeText::embedded(&EMBEDDED[0]);
    Ok(settings::resolve(&recipe, &overrides, environment)?.spec)
}

fn processor() -> Check {
    let sets = machine::instruction_sets();
    let used = sets.last().copied().unwrap_or_default();
    let narrower: Vec<&str> = sets.iter().rev().skip(1).copied().collect();
    let bf16 = machine::has_bf16();
    let mut parts = vec![format!("kernels use {used}")];
    if !narrower.is_empty() {
        parts.push(format!("also there: {}", narrower.join(", ")));
    }
    parts.push(
        if bf16 {
            "avx512bf16 found"
        } else {
            "no avx512bf16"
        }
        .to_owned(),
    );
    let facts = json!({ "used": used, "found": sets, "avx512_bf16": bf16 });
    let check = Check::good("processor", parts.join(" · "), facts);
    match used {
        "portable" => check.note(
            "everything works, many times slower; a processor with AVX2 or AVX-512 and VNNI is worth it",
        ),
        "avx512f" => check.note(
            "without VNNI, 8-bit weights use AVX2: compare both with colloquy bench --quant none,q8_0",
        ),
        _ => check,
    }
}

fn profile(spec: &RunSpec, options: &LoadOptions) -> Check {
    let usual = options.numerics(&crate::model::Manifest::default()).name();
    let quant = spec.quant.name();
    let manifest = match spec.quant {
        settings::Quant::Auto => " unless a model's manifest says otherwise",
        _ => "",
    };
    Check::good(
        "profile",
        format!("{usual}{manifest} · a recipe that does not say gets quant = \"{quant}\""),
        json!({ "profile": usual, "quant": quant }),
    )
}

fn threads(used: usize) -> Check {
    let (online, affinity, quota) = (system::online(), system::affinity(), memory::cpu_quota());
    let mut parts = vec![format!("{used} used")];
    if let (Some(affinity), Some(online)) = (affinity, online) {
        parts.push(format!("{affinity} of {online} processors allowed"));
    }
    parts.push(match quota {
        Some(quota) => format!("cpu.max grants {quota:.1}"),
        None => "no cpu.max quota".to_owned(),
    });
    let facts = json!({ "used": used, "affinity": affinity, "online": online, "quota": quota });
    let check = Check::good("threads", parts.join(" · "), facts);
    match quota {
        #[expect(clippy::cast_precision_loss, reason = "a count of threads")]
        Some(quota) if quota < used as f64 => check.note(
            "the quota stops threads in the middle of a step; ask for whole processors, or lower engine.threads",
        ),
        _ => check,
    }
}

fn memory_check() -> Check {
    let found = memory::look();
    let pages = system::huge_pages();
    let total = found.total.map(|total| format!("{} in all", size(total)));
    let mut parts: Vec<String> = total.into_iter().collect();
    parts.push(format!("{} to be had", size(found.available)));
    parts.push(match found.group_limit {
        Some(limit) => format!("control group limit {}", size(limit)),
        None => "no control group limit".to_owned(),
    });
    let mode = pages.as_deref().unwrap_or("unknown");
    parts.push(format!("huge pages: {mode}"));
    let facts = json!({
        "total_bytes": found.total, "available_bytes": found.available,
        "group_limit_bytes": found.group_limit, "huge_pages": pages,
    });
    let check = Check::good("memory", parts.join(" · "), facts);
    if pages.as_deref() == Some("never") {
        return check.note("weights are read faster on huge pages: write madvise to /sys/kernel/mm/transparent_hugepage/enabled as root");
    }
    check
}

fn speed(threads: usize) -> Check {
    let found = Machine::glance(threads, memory::available());
    let peak = |name: &str, peak: Option<f64>| {
        peak.map_or(String::new(), |peak| format!(", {name} {peak:.0}"))
    };
    let text = format!(
        "{:.1} GB/s · peaks f32 {:.0}{}{} G(FL)OP/s on {threads} thread{}",
        found.bandwidth_gb_s,
        found.peaks.f32,
        peak("bf16", found.peaks.bf16),
        peak("int8", found.peaks.int8),
        if threads == 1 { "" } else { "s" },
    );
    let facts = serde_json::to_value(&found).unwrap_or(Value::Null);
    Check::good("speed", text, facts)
}

fn cache(environment: &Environment) -> Check {
    let places = cache_places(environment);
    let Some(folder) = places.folder() else {
        return Check::good("model cache", "no Hugging Face cache is known", Value::Null)
            .note("set HF_HOME, or name models by their folders");
    };
    let models = hub::cached(&places);
    let facts: Vec<Value> = models
        .iter()
        .map(|model| json!({ "reference": model.reference, "bytes": model.bytes, "problem": model.problem }))
        .collect();
    let facts = json!({ "folder": folder, "exists": folder.is_dir(), "models": facts });
    let shown = folder.display();
    if models.is_empty() {
        let told = if folder.is_dir() {
            format!("{shown} holds no models")
        } else {
            format!("{shown} does not exist")
        };
        return Check::good("model cache", told, facts).note(
            "the demo model and folders work without it; for org/name `colloquy models pull org/name` fetches it, or run that on a connected machine and copy the cache",
        );
    }
    let (usable, broken): (Vec<_>, Vec<_>) =
        models.iter().partition(|model| model.problem.is_none());
    let mut names: Vec<String> = usable
        .iter()
        .take(NAMED)
        .map(|model| format!("{} ({})", model.reference, size(model.bytes)))
        .collect();
    if usable.len() > NAMED {
        names.push(format!("{} more", usable.len() - NAMED));
    }
    let names = if names.is_empty() {
        String::new()
    } else {
        format!(": {}", names.join(", "))
    };
    let text = format!("{shown}: {} usable{names}", usable.len());
    let check = Check::good("model cache", text, facts);
    match broken.first() {
        Some(first) => check.note(format!(
            "{} cannot be used, as {}: {}; `colloquy models pull` it again, or leave it",
            broken.len(),
            first.reference,
            first.problem.as_deref().unwrap_or_default()
        )),
        None => check,
    }
}

/// Loads the models as a run would, and asks how many conversations fit.
fn model(spec: &RunSpec) -> Result<Check, Failure> {
    let workshop = Workshop::open(spec.clone())?;
    let seating = workshop.seating()?;
    seating.try_out()?;
    let mut told = Vec::new();
    let mut models = Vec::new();
    let groups = by_model(&workshop.models);
    for (held, model) in &groups {
        let identity = model.identity();
        let whose = if groups.len() == 1 {
            String::new()
        } else {
            format!(" ({})", roles(held))
        };
        let ChatModel::Local(local) = model else {
            told.push(format!(
                "{}{whose}: no model at all, for testing",
                identity.reference
            ));
            continue;
        };
        told.push(format!(
            "{}{whose} loads: {} of weights",
            identity.reference,
            size(local.weight_bytes() as u64)
        ));
        models.push(json!({
            "reference": identity.reference, "roles": held, "profile": identity.profile,
            "licence": identity.licence, "weight_bytes": local.weight_bytes(),
            "context_tokens": local.context_tokens(),
        }));
    }
    let Some(room) = seating.room()? else {
        return Ok(Check::good("model", told.join(" · "), Value::Null));
    };
    let pools: Vec<String> = seating
        .pools()
        .iter()
        .map(|pool| grouped(*pool as u64))
        .collect();
    let worst: Vec<usize> = seating.views().iter().map(|view| view.worst).collect();
    let text = format!(
        "{}, {} tokens of cache; {} conversation{} of the recipe {} fit at once, at their longest ({} tokens)",
        told.join(" · "),
        pools.join(" and "),
        grouped(room as u64),
        if room == 1 { "" } else { "s" },
        spec.name,
        grouped(worst.iter().sum::<usize>() as u64),
    );
    let mut facts = json!({
        "models": models, "pool_tokens": seating.pools(), "conversations": room, "conversation_tokens": worst,
    });
    if let [one] = &models[..] {
        // One model is its own description.
        for (name, value) in one.as_object().into_iter().flatten() {
            facts[name] = value.clone();
        }
        facts["pool_tokens"] = seating.pools().first().copied().into();
    }
    let check = Check::good("model", text, facts);
    Ok(match seating.turns() {
        Some(turns) => check.note(format!("{turns}; more memory lets them run side by side")),
        None => check,
    })
}

fn cuda(environment: &Environment) -> Check {
    let (library, version) = system::cuda_driver(environment);
    let facts = json!({ "library": library, "driver": version, "built_in": false });
    match (library, version) {
        (None, None) => Check::good(
            "CUDA",
            "no driver found; this build has no CUDA and computes on the CPU",
            facts,
        ),
        (library, version) => {
            let found = library.map(|path| path.display().to_string()).or(version);
            Check::good(
                "CUDA",
                format!(
                    "a driver is here ({}), and this build has no CUDA: it computes on the CPU",
                    found.unwrap_or_default()
                ),
                facts,
            )
            .note("nothing to do for runs on the CPU; the GPU stays idle with this build")
        }
    }
}

fn output(spec: &RunSpec) -> Check {
    let out = &spec.out;
    let folder = disk::nearest_folder(out);
    match fsio::check_writable(&folder.join("colloquy-doctor")) {
        Ok(()) => Check::good(
            "output",
            format!(
                "{} can be written",
                std::path::absolute(out)
                    .unwrap_or_else(|_| out.clone())
                    .display()
            ),
            json!({ "folder": out, "tried": folder }),
        ),
        Err(error) => Check::bad(
            "output",
            Failure::write(out, &error).hint("give another folder with --out, or free this one"),
        ),
    }
}

/// What is set of what is read. Tokens and passwords are never shown.
fn variables(environment: &Environment) -> Check {
    let set: Vec<(&str, &str)> = env::ALL
        .iter()
        .filter_map(|(name, _)| Some((*name, environment.get(name)?)))
        .map(|(name, value)| (name, if env::is_secret(name) { "…" } else { value }))
        .collect();
    let text = if set.is_empty() {
        "none of those that colloquy reads is set".to_owned()
    } else {
        let shown: Vec<String> = set
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        shown.join(" · ")
    };
    let facts: serde_json::Map<String, Value> = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let check = Check::good("environment", text, facts.into());
    let lost = [env::HF_HUB_CACHE, env::HF_HOME].into_iter().find(|name| {
        environment
            .get(name)
            .is_some_and(|path| !std::path::Path::new(path).is_dir())
    });
    match lost {
        Some(name) => check.note(format!("{name} names no folder; correct it or unset it")),
        None => check,
    }
}
