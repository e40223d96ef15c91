//! `colloquy generate`, `colloquy resume`

mod closing;
pub(in crate::cli) mod deadline;
mod redo;
pub(in crate::cli) mod stop;

use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Map, Value, json};

pub use deadline::Deadline;
pub use stop::Stop;

use super::args::{EngineArgs, GenerateArgs, ResumeArgs};
use super::failure::{Code, Failure};
use super::judge::{self, Wish, judge_run};
use super::maker::RunMaker;
use super::talk::grouped;
use super::workshop::models::{by_model, read_judge, roles};
use super::workshop::{Seating, Workshop, engine_room, read_settings};
use crate::engine::{ChatModel, EngineStats, LocalModel};
use crate::export;
use crate::progress::Watcher;
use crate::record::{Kind, ModelRole};
use crate::run::{End, EventSink, RunDir, RunWriter, Summary, nearest_run};
use crate::settings::{MOST_COUNT, check_limit};
use closing::{Session, closing};

/// Conversations alive at once unless the recipe says otherwise; the page pool may allow fewer.
pub const CONCURRENCY: u64 = 64;

pub fn run(args: &GenerateArgs) -> Result<ExitCode, Failure> {
    let (settings, _) = read_settings(&args.recipe, args.out.clone(), args.limit)?;
    let deadline = args.time.deadline()?;
    let mut workshop = Workshop::open(settings.spec)?;
    let seating = workshop.seating()?;
    seating.start()?;
    let runs = workshop.spec.out.clone();
    let nearest = nearest_run(&runs, &workshop.manifest);
    let path = redo::prepare(&mut workshop, args.redo)?;
    let writer = RunWriter::open_at(&path, workshop.manifest.clone())?;
    if let Some((near, keys)) = nearest
        && writer.created
        && args.redo.is_none()
    {
        eprintln!(
            "a new run: {} differs from {} in {}",
            path.file_name().unwrap_or_default().display(),
            near.display(),
            keys.join(", ")
        );
    }
    carry_on(&workshop, &seating, writer, deadline, args.json)
}

pub fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    check_limit(args.limit)?;
    let deadline = args.time.deadline()?;
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
    let seating = workshop.seating()?;
    seating.start()?;
    let writer = RunWriter::open_at(&args.run, workshop.manifest.clone())?;
    carry_on(&workshop, &seating, writer, deadline, args.json)
}

fn carry_on(
    workshop: &Workshop,
    seating: &Seating,
    writer: RunWriter,
    deadline: Option<Deadline>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    // What it lacks is told now, not after hours.
    let judge = read_judge(&workshop.spec)?;
    eprintln!("{}", headline(workshop));
    if let Some(line) = engine_line(workshop, seating)? {
        eprintln!("{line}");
    }
    if let Some(line) = seating.turns() {
        eprintln!("{line}");
    }
    for warning in &workshop.warnings {
        eprintln!("note: {warning}");
    }
    if !writer.created && !writer.replay.is_empty() {
        eprintln!("going on with {}", writer.dir.path().display());
    }
    let attempts_before = writer.replay.attempts();
    if let Some(deadline) = &deadline {
        eprintln!("{deadline}");
    }
    let stop = Stop::listen(None)?;
    let watcher = Watcher::new(console::Term::stderr().is_term());
    let summary = drive(workshop, seating, writer, watcher.sink(), &stop, deadline)?;
    for problem in watcher.finish() {
        eprintln!("note: {problem}");
    }
    let Summary { dir, end, lock, .. } = summary;
    let path = dir.export_path();
    let replay = dir.replay()?;
    let shape = export::Shape::default();
    let rows = export::to_file(dir.kept(&replay)?, &shape, &dir.provenance(), &path)?;
    // From here on there is only to be read.
    drop(lock);
    let status = dir.status(&replay);
    let seconds = started.elapsed().as_secs_f64();
    let judges = judge.filter(|_| matches!(end, End::Complete | End::Limit));
    if as_json {
        let engine = engine_figures(workshop);
        let judging = judged(workshop, &dir, judges, &stop)?;
        let mut value = json!({
            "run": dir.path(), "export": path, "rows": rows, "state": status.state,
            "seconds": seconds, "end": format!("{end:?}").to_lowercase(),
            "status": status, "engine": engine,
        });
        if let Some(judging) = &judging {
            value["judge"] = judge::as_json(&dir, judging);
        }
        super::print(&format!("{value}\n"))?;
        if let Some(judging) = judging {
            export_judged(&dir)?;
            return judging.code(&dir);
        }
    } else {
        let session = Session {
            dir: &dir,
            replay: &replay,
            status: &status,
            end,
            rows,
            seconds,
            nothing_new: replay.attempts() == attempts_before,
            seating,
        };
        super::print(&closing(workshop, &session)?)?;
        if let Some(judging) = judged(workshop, &dir, judges, &stop)? {
            export_judged(&dir)?;
            super::print(&judge::as_text(&dir, &judging))?;
            return judging.code(&dir);
        }
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
        End::Time => {
            eprintln!(
                "the time is over: {} {}places are finished; the same command goes on, or `colloquy resume {}`",
                grouped(status.kept + status.exhausted),
                status
                    .count
                    .map_or(String::new(), |count| format!("of {} ", grouped(count))),
                dir.path().display()
            );
            Ok(ExitCode::SUCCESS)
        }
        End::Bound => {
            eprintln!(
                "stopped at a bound of [monitor]: {} kept so far; change what makes them so or the bound, then the same command goes on",
                grouped(status.kept)
            );
            Ok(Code::Later.into())
        }
        End::Complete | End::Limit => Ok(ExitCode::SUCCESS),
    }
}

/// Lets the recipe's judge judge what there is, in the memory of the models that made it; none without a judge, or where
/// there is nothing.
fn judged(
    workshop: &Workshop,
    dir: &RunDir,
    judge: Option<ChatModel>,
    stop: &Stop,
) -> Result<Option<judge::Judging>, Failure> {
    let Some(model) = judge else {
        return Ok(None);
    };
    for other in workshop.models.values() {
        if let ChatModel::Local(other) = other {
            other.unload();
        }
    }
    let wish = Wish {
        aspects: judge::aspects_of(&workshop.spec, None)?,
        sample: None,
    };
    stop.patience();
    let judging = judge_run(dir, &workshop.spec, model, wish, stop.cancel())?;
    stop.no_more_patience();
    Ok(judging)
}

/// Writes the rows anew without what the judge turns down, where the recipe lets it.
fn export_judged(dir: &RunDir) -> Result<(), Failure> {
    if dir.judged_out()?.is_empty() {
        return Ok(());
    }
    let kept = dir.kept(&dir.replay()?)?;
    let (shape, path) = (export::Shape::default(), dir.export_path());
    export::to_file(kept, &shape, &dir.provenance(), &path)?;
    Ok(())
}

/// Runs the plan on this thread, until the time is over where there is a `deadline`.
pub fn drive(
    workshop: &Workshop,
    seating: &Seating,
    writer: RunWriter,
    events: EventSink,
    stop: &Stop,
    deadline: Option<Deadline>,
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
    let maker = |log| RunMaker::new(workshop, log).in_phases_of(seating);
    let work = crate::run::carry_out(writer, maker, concurrency, events, stop.cancel());
    let result = runtime.block_on(deadline::within(deadline, stop.cancel(), work));
    stop.no_more_patience();
    Ok(result?)
}

fn headline(workshop: &Workshop) -> String {
    let spec = &workshop.spec;
    let groups = by_model(&workshop.models);
    let each: Vec<String> = groups
        .iter()
        .map(|(held, model)| {
            if groups.len() == 1 {
                described(model)
            } else {
                format!("{}: {}", roles(held), described(model))
            }
        })
        .collect();
    let limit = spec
        .limit
        .filter(|&limit| limit < spec.count)
        .map_or(String::new(), |limit| format!(", {limit} now"));
    let pages = match workshop.pages.len() {
        0 => String::new(),
        pages => format!(" · {pages} help pages"),
    };
    let count = if spec.has_all_variants() && spec.count == MOST_COUNT {
        "all variants as".to_owned()
    } else {
        grouped(spec.count)
    };
    let what = if spec.has(Kind::Support) {
        "conversations"
    } else {
        "group chats"
    };
    format!(
        "{}{pages} · {count} {what}{limit} · seed {} · CPU, offline",
        each.join(" · "),
        spec.seed
    )
}

/// A model and what it is good for.
fn described(model: &ChatModel) -> String {
    let identity = model.identity();
    match model {
        ChatModel::Local(local) if identity.demo => format!(
            "demo model ({}: for trying the pipeline, not for training)",
            size(local)
        ),
        ChatModel::Local(local) => format!("{} ({})", identity.reference, size(local)),
        ChatModel::Scripted(_) => "scripted model (no model at all: for testing)".into(),
    }
}

/// How the models are run, and how many conversations that leaves room for.
fn engine_line(workshop: &Workshop, seating: &Seating) -> Result<Option<String>, Failure> {
    let Some(conversations) = seating.room()? else {
        return Ok(None);
    };
    let wanted = workshop.spec.engine.concurrency.or(CONCURRENCY);
    let waits = if (conversations as u64) < wanted.min(workshop.spec.count) {
        "; the others wait"
    } else {
        ""
    };
    let mut profiles = Vec::new();
    let mut threads = 0;
    for (_, model) in by_model(&workshop.models) {
        if let ChatModel::Local(local) = model {
            threads = local.threads();
            let profile = &model.identity().profile;
            if !profiles.contains(profile) {
                profiles.push(profile.clone());
            }
        }
    }
    let tokens: Vec<String> = seating
        .pools()
        .iter()
        .map(|pool| grouped(*pool as u64))
        .collect();
    Ok(Some(format!(
        "{} on {} · {} tokens of cache, room for {} at once{waits}",
        profiles.join(" and "),
        counted(threads, "thread"),
        tokens.join(" and "),
        counted(conversations, "conversation"),
    )))
}

fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(n as u64))
}

fn size(model: &LocalModel) -> String {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let millions = model.parameters() as f64 / 1e6;
    if millions >= 1000.0 {
        format!("{:.1} B parameters", millions / 1000.0)
    } else {
        format!("{millions:.0} M parameters")
    }
}

/// What the engine did, for `--json`: the figures of all models together, and of each.
fn engine_figures(workshop: &Workshop) -> Value {
    let mut engines: Vec<(Vec<ModelRole>, &LocalModel)> = Vec::new();
    for (held, model) in by_model(&workshop.models) {
        let ChatModel::Local(model) = model else {
            continue;
        };
        match engines.iter_mut().find(|(_, other)| other.is(model)) {
            Some((roles, _)) => roles.extend(held),
            None => engines.push((held, model)),
        }
    }
    if engines.is_empty() {
        return Value::Null;
    }
    let mut all = Map::new();
    let mut models = Vec::new();
    for (roles, model) in engines {
        let figures = figures(model.stats());
        for (name, value) in &figures {
            let sum = all.get(name).and_then(Value::as_u64).unwrap_or(0);
            all.insert(name.clone(), (sum + value.as_u64().unwrap_or(0)).into());
        }
        let identity = model.identity();
        let mut of = Map::from_iter([
            ("model".to_owned(), identity.reference.as_str().into()),
            ("profile".to_owned(), identity.profile.as_str().into()),
            ("roles".to_owned(), json!(roles)),
        ]);
        of.extend(figures);
        models.push(Value::Object(of));
    }
    all.insert("models".into(), models.into());
    Value::Object(all)
}

fn figures(s: &EngineStats) -> Map<String, Value> {
    [
        ("steps", &s.steps),
        ("new_tokens", &s.new_tokens),
        ("prompt_tokens", &s.prompt_tokens),
        ("reused_tokens", &s.reused_tokens),
        ("prefill_tokens", &s.prefill_tokens),
        ("forward_ns", &s.forward_ns),
        ("step_ns", &s.step_ns),
        ("mask_ns", &s.mask_ns),
    ]
    .map(|(name, counter)| (name.to_owned(), EngineStats::get(counter).into()))
    .into_iter()
    .collect()
}
