//! `colloquy generate`, `colloquy resume`

mod closing;
pub(in crate::cli) mod stop;

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

pub use stop::Stop;

use super::args::{EngineArgs, GenerateArgs, ResumeArgs};
use super::failure::{Code, Failure};
use super::maker::SupportMaker;
use super::talk::grouped;
use super::workshop::{Room, Workshop, engine_room, read_settings, room};
use crate::engine::{ChatModel, EngineStats};
use crate::export;
use crate::progress::Watcher;
use crate::run::{End, RunDir, RunWriter, Summary, nearest_run};
use crate::settings::check_limit;
use closing::{Session, closing};

/// Conversations alive at once unless the recipe says otherwise; the page pool may allow fewer.
const CONCURRENCY: u64 = 64;

pub fn run(args: &GenerateArgs) -> Result<ExitCode, Failure> {
    let (settings, _) = read_settings(&args.recipe, args.out.clone(), args.limit)?;
    let workshop = Workshop::open(settings.spec)?;
    let runs = workshop.spec.out.clone();
    let nearest = nearest_run(&runs, &workshop.manifest);
    let writer = RunWriter::open(&runs, workshop.manifest.clone())?;
    if let Some((near, keys)) = nearest
        && writer.created
    {
        eprintln!(
            "a new run: {} differs from {} in {}",
            workshop.manifest.folder_name(),
            near.display(),
            keys.join(", ")
        );
    }
    carry_on(&workshop, writer, args.json)
}

pub fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    check_limit(args.limit)?;
    let dir = RunDir::open(&args.run)?;
    let mut spec = dir.manifest().spec.clone();
    spec.limit = args.limit;
    let flags = EngineArgs {
        memory: args.memory.clone(),
        threads: args.threads.clone(),
        ..EngineArgs::default()
    };
    let asked = engine_room(&flags)?;
    if flags.memory.is_some() {
        spec.engine.memory = asked.memory;
    }
    if flags.threads.is_some() {
        spec.engine.threads = asked.threads;
    }
    let workshop = Workshop::open(spec)?;
    let writer = RunWriter::open_at(&args.run, workshop.manifest.clone())?;
    carry_on(&workshop, writer, args.json)
}

fn carry_on(workshop: &Workshop, writer: RunWriter, as_json: bool) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    eprintln!("{}", headline(workshop));
    if let Some(line) = engine_line(workshop)? {
        eprintln!("{line}");
    }
    for warning in &workshop.warnings {
        eprintln!("note: {warning}");
    }
    if !writer.created && !writer.replay.is_empty() {
        eprintln!("going on with {}", writer.dir.path().display());
    }
    let attempts_before = writer.replay.attempts();
    let stop = Stop::listen(None)?;
    let watcher = Watcher::new(console::Term::stderr().is_term());
    let summary = drive(workshop, writer, &watcher, &stop)?;
    for problem in watcher.finish() {
        eprintln!("note: {problem}");
    }
    let Summary { dir, end, lock, .. } = summary;
    let path = dir.export_path();
    let replay = dir.replay()?;
    let rows = export::to_file(dir.kept(&replay)?, &dir.provenance(), &path)?;
    // From here on there is only to be read.
    drop(lock);
    let status = dir.status(&replay);
    let seconds = started.elapsed().as_secs_f64();
    if as_json {
        let value = json!({
            "run": dir.path(), "export": path, "rows": rows, "state": status.state,
            "seconds": seconds, "end": format!("{end:?}").to_lowercase(),
            "status": status, "engine": engine_figures(&workshop.model),
        });
        super::print(&format!("{value}\n"))?;
    } else {
        let session = Session {
            dir: &dir,
            replay: &replay,
            status: &status,
            end,
            rows,
            seconds,
            nothing_new: replay.attempts() == attempts_before,
        };
        super::print(&closing(workshop, &session)?)?;
    }
    match end {
        End::Interrupted => {
            eprintln!(
                "interrupted: {} kept so far; the same command goes on, or `colloquy resume {}`",
                status.kept,
                dir.path().display()
            );
            Ok(Code::Later.into())
        }
        End::Complete | End::Limit => Ok(ExitCode::SUCCESS),
    }
}

/// Runs the plan on this thread.
pub fn drive(
    workshop: &Workshop,
    writer: RunWriter,
    watcher: &Watcher,
    stop: &Stop,
) -> Result<Summary, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Code::Bug,
                format!("the async runtime does not start: {error}"),
            )
        })?;
    let concurrency = usize::try_from(workshop.spec.engine.concurrency.or(CONCURRENCY))
        .unwrap_or(usize::MAX)
        .max(1);
    let maker = |log| SupportMaker::new(workshop, log);
    let result = runtime.block_on(crate::run::carry_out(
        writer,
        maker,
        concurrency,
        watcher.sink(),
        stop.cancel(),
    ));
    stop.no_more_patience();
    Ok(result?)
}

fn headline(workshop: &Workshop) -> String {
    let spec = &workshop.spec;
    let identity = workshop.model.identity();
    let model = match &workshop.model {
        ChatModel::Local(_) if identity.demo => {
            format!(
                "demo model ({}: for trying the pipeline, not for training)",
                size(&workshop.model)
            )
        }
        ChatModel::Local(_) => format!("{} ({})", identity.reference, size(&workshop.model)),
        ChatModel::Scripted(_) => "scripted model (no model at all: for testing)".into(),
    };
    let limit = spec
        .limit
        .filter(|&limit| limit < spec.count)
        .map_or(String::new(), |limit| format!(", {limit} now"));
    format!(
        "{model} · {} help pages · {} conversations{limit} · seed {} · CPU, offline",
        workshop.pages.len(),
        grouped(spec.count),
        spec.seed
    )
}

/// How the model is run, and how many conversations that leaves room for.
fn engine_line(workshop: &Workshop) -> Result<Option<String>, Failure> {
    let ChatModel::Local(model) = &workshop.model else {
        return Ok(None);
    };
    let Room { conversations, .. } = room(workshop, model)?;
    let wanted = workshop.spec.engine.concurrency.or(CONCURRENCY);
    let tokens = grouped(model.pool_tokens() as u64);
    let waits = if (conversations as u64) < wanted.min(workshop.spec.count) {
        "; the others wait"
    } else {
        ""
    };
    Ok(Some(format!(
        "{} on {} · {tokens} tokens of cache, room for {} at once{waits}",
        workshop.model.identity().profile,
        counted(model.threads(), "thread"),
        counted(conversations, "conversation"),
    )))
}

fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(n as u64))
}

fn size(model: &ChatModel) -> String {
    let ChatModel::Local(model) = model else {
        return String::new();
    };
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let millions = model.parameters() as f64 / 1e6;
    if millions >= 1000.0 {
        format!("{:.1} B parameters", millions / 1000.0)
    } else {
        format!("{millions:.0} M parameters")
    }
}

/// What the engine did, for `--json`.
fn engine_figures(model: &ChatModel) -> serde_json::Value {
    let ChatModel::Local(model) = model else {
        return serde_json::Value::Null;
    };
    let s = model.stats();
    json!({
        "steps": EngineStats::get(&s.steps), "new_tokens": EngineStats::get(&s.new_tokens),
        "prompt_tokens": EngineStats::get(&s.prompt_tokens), "reused_tokens": EngineStats::get(&s.reused_tokens),
        "prefill_tokens": EngineStats::get(&s.prefill_tokens), "forward_ns": EngineStats::get(&s.forward_ns),
        "step_ns": EngineStats::get(&s.step_ns), "mask_ns": EngineStats::get(&s.mask_ns),
    })
}
