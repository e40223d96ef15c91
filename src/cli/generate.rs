//! `colloquy generate`, `colloquy resume`

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use console::Style;
use serde_json::json;

use super::args::{GenerateArgs, ResumeArgs};
use super::failure::{Code, Failure};
use super::maker::SupportMaker;
use super::talk::{self, grouped};
use super::workshop::{Workshop, read_settings};
use crate::engine::{ChatModel, EngineStats};
use crate::export;
use crate::progress::{Watcher, clock};
use crate::run::{Cancel, End, RunDir, RunWriter, Summary, nearest_run};

/// Conversations alive at once unless the recipe says otherwise; the page pool may allow fewer.
const CONCURRENCY: u64 = 64;

pub fn run(args: &GenerateArgs) -> Result<ExitCode, Failure> {
    let (settings, _) = read_settings(&args.recipe, args.out.clone(), args.limit)?;
    let workshop = Workshop::open(settings.spec)?;
    let runs = workshop.spec.out.clone();
    if let Some((near, keys)) = nearest_run(&runs, &workshop.manifest) {
        eprintln!(
            "a new run: {} differs from {} in {}",
            workshop.manifest.folder_name(),
            near.display(),
            keys.join(", ")
        );
    }
    let writer = RunWriter::open(&runs, workshop.manifest.clone())?;
    carry_on(&workshop, writer, args.json)
}

pub fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run)?;
    let mut spec = dir.manifest().spec.clone();
    spec.limit = args.limit;
    let workshop = Workshop::open(spec)?;
    let writer = RunWriter::open_at(&args.run, workshop.manifest.clone())?;
    carry_on(&workshop, writer, args.json)
}

fn carry_on(workshop: &Workshop, writer: RunWriter, as_json: bool) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    eprintln!("{}", headline(workshop));
    for warning in &workshop.warnings {
        eprintln!("note: {warning}");
    }
    if !writer.created && !writer.replay.is_empty() {
        eprintln!("going on with {}", writer.dir.path().display());
    }
    let watcher = Watcher::new(console::Term::stderr().is_term());
    let summary = drive(workshop, writer, &watcher)?;
    for problem in watcher.finish() {
        eprintln!("note: {problem}");
    }
    let path = summary.dir.export_path();
    let replay = summary.dir.replay()?;
    let rows = export::to_file(summary.dir.kept(&replay)?, &summary.dir.provenance(), &path)?;
    let status = summary.dir.status(&replay);
    if as_json {
        let value = json!({
            "run": summary.dir.path(), "export": path, "rows": rows, "state": status.state,
            "seconds": started.elapsed().as_secs_f64(), "end": format!("{:?}", summary.end).to_lowercase(),
            "status": status, "engine": engine_figures(&workshop.model),
        });
        super::print(&format!("{value}\n"))?;
    } else {
        super::print(&closing(
            workshop,
            &summary,
            rows,
            &path,
            started.elapsed().as_secs_f64(),
        )?)?;
    }
    match summary.end {
        End::Interrupted => {
            eprintln!(
                "interrupted: {} kept so far; the same command goes on, or `colloquy resume {}`",
                status.kept,
                summary.dir.path().display()
            );
            Ok(Code::Interrupted.into())
        }
        End::Complete | End::Limit => Ok(ExitCode::SUCCESS),
    }
}

/// Runs the plan on this thread; the first Ctrl-C stops it cleanly, the second at once.
pub fn drive(
    workshop: &Workshop,
    writer: RunWriter,
    watcher: &Watcher,
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
    let cancel = Cancel::default();
    let summary = runtime.block_on(async {
        let signal = cancel.clone();
        let stop = tokio::spawn(async move {
            if stop_signal().await {
                signal.cancel();
                if stop_signal().await {
                    std::process::exit(i32::from(Code::Interrupted as u8));
                }
            }
        });
        let maker = |log| SupportMaker::new(workshop, log);
        let result =
            crate::run::carry_out(writer, maker, concurrency, watcher.sink(), &cancel).await;
        stop.abort();
        result
    })?;
    Ok(summary)
}

/// Waits for Ctrl-C or, where there are signals, for a polite kill.
async fn stop_signal() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return tokio::signal::ctrl_c().await.is_ok();
        };
        tokio::select! {
            done = tokio::signal::ctrl_c() => done.is_ok(),
            _ = terminate.recv() => true,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.is_ok()
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

fn closing(
    workshop: &Workshop,
    summary: &Summary,
    rows: u64,
    path: &Path,
    seconds: f64,
) -> Result<String, Failure> {
    let replay = summary.dir.replay()?;
    let status = summary.dir.status(&replay);
    let mut text = String::new();
    let done = summary.end != End::Interrupted;
    let mark = Style::new()
        .fg(if done {
            console::Color::Green
        } else {
            console::Color::Yellow
        })
        .bold();
    let replaced: u64 = status.rejected.values().sum();
    let reasons: Vec<String> = status
        .rejected
        .iter()
        .map(|(reason, n)| format!("{n} {}", reason.replace('_', " ")))
        .collect();
    let nothing_new = done && summary.progress.tokens == 0;
    let turned_down = match replaced {
        0 => String::new(),
        n => format!(", {n} turned down ({})", reasons.join(", ")),
    };
    let time = if nothing_new {
        "already complete".to_owned()
    } else {
        format!("in {}", clock(seconds))
    };
    let _ = writeln!(
        text,
        "{} {} kept{turned_down} {time} → {}  {rows} rows in {}",
        mark.apply_to(if done { "✔" } else { "…" }),
        grouped(status.kept),
        summary.dir.path().display(),
        path.strip_prefix(summary.dir.path())
            .unwrap_or(path)
            .display(),
    );
    if !status.shortfalls.is_empty() {
        let _ = writeln!(
            text,
            "{} places stayed empty after {} tries each:",
            status.shortfalls.len(),
            workshop.spec.max_attempts
        );
        for shortfall in status.shortfalls.iter().take(5) {
            let cell = &shortfall.cell;
            let _ = writeln!(
                text,
                "  {} · {} · {} · {} › {}: {}",
                cell.tone,
                cell.style,
                cell.product,
                cell.page,
                cell.outcome,
                shortfall.reasons.join(", ")
            );
        }
        if status.shortfalls.len() > 5 {
            let _ = writeln!(
                text,
                "  … `colloquy status {}` names them all",
                summary.dir.path().display()
            );
        }
    }
    let mut shown = 0;
    for conversation in summary.dir.kept(&replay)? {
        let conversation = conversation?;
        // Two that differ: the first, and the first that came out otherwise.
        let wanted = shown == 0 || conversation.outcome != Some(crate::record::Outcome::Resolved);
        if wanted {
            let page = workshop
                .pages
                .get(&conversation.cell.page)
                .map(AsRef::as_ref);
            text.push_str(&talk::block(&conversation, page, talk::width()));
            shown += 1;
        }
        if shown == 2 {
            break;
        }
    }
    let identity = workshop.model.identity();
    if identity.demo {
        let _ = writeln!(
            text,
            "Demo data: rows are marked `demo`. For real data: `colloquy init DIR`, then name a model in its recipe."
        );
    } else {
        let _ = writeln!(text, "Terms of the model's output: {}", identity.licence);
    }
    Ok(text)
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
        "step_ns": EngineStats::get(&s.step_ns),
    })
}
