//! `colloquy status`

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use console::Style;
use serde_json::json;

use super::args::RunArgs;
use super::failure::Failure;
use super::talk::grouped;
use super::workshop::models::roles;
use crate::record::ModelRole;
use crate::run::{RunDir, RunState, Status};

/// Places without a conversation that the text names; `--json` names them all.
const NAMED: usize = 20;

pub fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run)?;
    let status = dir.status(&dir.replay()?);
    if args.json {
        let mut value = json!(status);
        value["next"] = next(&status, &args.run).into();
        super::print(&format!("{value}\n"))?;
    } else {
        super::print(&text(&status, &args.run))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status, run: &Path) -> String {
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    let mut text = String::new();
    let state = match status.state {
        RunState::Complete => "complete".to_owned(),
        RunState::Partial => "not finished".to_owned(),
        RunState::Live => match status.process {
            Some(process) => format!("going on, in process {process}"),
            None => "going on".to_owned(),
        },
    };
    let _ = writeln!(text, "{}  {state}", bold.apply_to(run.display()));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {} {value}", dim.apply_to(format!("{name:<14}")));
    };
    line(
        "kept",
        match status.count {
            Some(count) => format!("{} of {}", grouped(status.kept), grouped(count)),
            None => "the plan is not known yet".to_owned(),
        },
    );
    if let Some(open) = status.open.filter(|open| *open > 0) {
        line("to be made", grouped(open));
        line(
            "export holds",
            format!(
                "the first {} places of the plan",
                grouped(status.finished_prefix)
            ),
        );
    }
    line("models", models(&status.models));
    line(
        "questions",
        format!(
            "for {} of {} pages",
            status.pages_with_queries, status.pages
        ),
    );
    if let Some(fitted) = status.queries_with_products {
        line(
            "products",
            format!("sought for {} questions", grouped(fitted)),
        );
    }
    if !status.rejected.is_empty() {
        let total: u64 = status.rejected.values().sum();
        let reasons: Vec<String> = status
            .rejected
            .iter()
            .map(|(reason, n)| format!("{} {}", grouped(*n), reason.replace('_', " ")))
            .collect();
        line(
            "turned down",
            format!("{} ({})", grouped(total), reasons.join(", ")),
        );
    }
    if status.restyled_turns > 0 {
        line(
            "style put back",
            format!("in {} turns", grouped(status.restyled_turns)),
        );
    }
    if status.demo {
        line("demo", "for trying the pipeline, not for training".into());
    }
    if !status.shortfalls.is_empty() {
        let _ = writeln!(
            text,
            "{} places stayed empty:",
            grouped(status.shortfalls.len() as u64)
        );
        for shortfall in status.shortfalls.iter().take(NAMED) {
            let _ = writeln!(
                text,
                "  {:>5}  {}: {}",
                shortfall.slot,
                shortfall.task,
                shortfall.reasons.join(", ")
            );
        }
        if status.shortfalls.len() > NAMED {
            let _ = writeln!(
                text,
                "  … and {} more; --json names them all",
                status.shortfalls.len() - NAMED
            );
        }
    }
    let _ = writeln!(text, "next: {}", next(status, run));
    text
}

/// Models by role, in a line: one name where all roles have the same.
pub fn models(models: &BTreeMap<ModelRole, String>) -> String {
    let mut groups: Vec<(&str, Vec<ModelRole>)> = Vec::new();
    for (role, name) in models {
        match groups.iter_mut().find(|(other, _)| other == name) {
            Some((_, held)) => held.push(*role),
            None => groups.push((name, vec![*role])),
        }
    }
    if let [(name, _)] = groups[..] {
        return name.to_owned();
    }
    let each: Vec<String> = groups
        .iter()
        .map(|(name, held)| format!("{name} ({})", roles(held)))
        .collect();
    each.join(" · ")
}

fn next(status: &Status, run: &Path) -> String {
    let run = run.display();
    match status.state {
        RunState::Complete if status.kept == 0 => {
            format!("`colloquy show {run} 0` shows why nothing was kept")
        }
        RunState::Complete => format!(
            "`colloquy report {run}` says how good it is, `colloquy export {run} --out FILE` writes it out"
        ),
        RunState::Partial => {
            format!("`colloquy resume {run}` goes on; what is finished can be exported now")
        }
        RunState::Live => format!("`colloquy export {run} --out FILE` works meanwhile"),
    }
}
