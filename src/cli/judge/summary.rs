use std::collections::BTreeMap;
use std::fmt::Write;

use console::Style;
use serde_json::{Value, json};

use super::Judging;
use crate::cli::talk::grouped;
use crate::engine::{ChatModel, EngineStats};
use crate::progress::clock;
use crate::record::Verdict;
use crate::report::judge::{AspectFigures, Telling, figures, table};
use crate::run::RunDir;

/// Conversations that could not be judged of which the reason is told.
const NAMED: usize = 3;

/// For people.
pub fn as_text(dir: &RunDir, judging: &Judging) -> String {
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    let figures = figures(&judging.judgements);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}  {} of {} conversations judged by {}{}",
        bold.apply_to(dir.path().display()),
        grouped(judging.judgements.by_id.len() as u64),
        grouped(judging.wanted.max(judging.judgements.by_id.len()) as u64),
        judging.judgements.model,
        if judging.session.judged > 0 {
            format!(
                ", {} of them now in {}",
                grouped(judging.session.judged),
                clock(judging.seconds)
            )
        } else {
            String::new()
        },
    );
    if !figures.is_empty() {
        let table = table(&figures);
        let widths: Vec<usize> = (0..table.columns.len())
            .map(|column| {
                let cells = table.rows.iter().map(|row| &row[column]);
                let all = cells.chain([&table.columns[column]]);
                all.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| -> String {
            let cells = cells.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (cell, width))| {
                if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            padded.collect::<Vec<_>>().join("  ")
        };
        let _ = writeln!(text, "  {}", dim.apply_to(line(&table.columns)));
        for row in &table.rows {
            let _ = writeln!(text, "  {}", line(row));
        }
    }
    if let Some(note) = left_out(dir) {
        let _ = writeln!(text, "{note}");
    }
    for note in notes(judging, &figures) {
        let _ = writeln!(text, "{note}");
    }
    text
}

/// What the recipe's rules make of the judgements; none where they leave nothing out.
fn left_out(dir: &RunDir) -> Option<String> {
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for verdict in dir.judged_out().ok()?.into_values() {
        if let Verdict::Reject { reason, .. } = verdict {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let all: u64 = reasons.values().sum();
    let each: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{} {}", grouped(*count), reason.replace('_', " ")))
        .collect();
    (all > 0).then(|| {
        format!(
            "{} left out of exports for it ({}); `colloquy export {} --where verdict=reject` has them",
            grouped(all),
            each.join(", "),
            dir.path().display()
        )
    })
}

/// What is to be known of the figures.
fn notes(judging: &Judging, figures: &[AspectFigures]) -> Vec<String> {
    let mut notes = Vec::new();
    let names = |telling: Telling| -> Vec<String> {
        let told = figures.iter().filter(|one| {
            let control = one.control.as_ref();
            control.is_some_and(|control| control.telling() == telling)
        });
        told.map(|one| one.aspect.replace('_', " ")).collect()
    };
    let nothing = names(Telling::Nothing);
    if !nothing.is_empty() {
        notes.push(format!(
            "The judge does not tell conversations from their controls in {}: there its scores mean nothing.",
            nothing.join(", ")
        ));
    }
    let backwards = names(Telling::Backwards);
    if !backwards.is_empty() {
        notes.push(format!(
            "It scores the controls above the conversations in {}: there its scores mean nothing either.",
            backwards.join(", ")
        ));
    }
    if !figures.is_empty() && figures.iter().all(|one| one.control.is_none()) {
        notes.push(
            "No controls: they are taken from other conversations that are judged, and there is none.".into(),
        );
    }
    if judging.judgements.demo {
        notes.push(
            "This model was never trained to judge: its scores mean nothing, and show only that judging works.".into(),
        );
    }
    for (aspect, conversations) in &judging.session.left_out {
        notes.push(format!(
            "note: {} conversations are too long for the judge's context with the question for {aspect}",
            grouped(*conversations)
        ));
    }
    let failed = &judging.session.failed;
    for (id, reason) in failed.iter().take(NAMED) {
        notes.push(format!("note: {id} could not be judged: {reason}"));
    }
    if failed.len() > NAMED {
        let more = failed.len() - NAMED;
        notes.push(format!("note: nor could {} others", grouped(more as u64)));
    }
    if let Some((prompt, computed)) = tokens(judging).filter(|(prompt, _)| *prompt > 0) {
        notes.push(format!(
            "{} tokens read, {} % of them from the cache",
            grouped(prompt),
            100 * prompt.saturating_sub(computed) / prompt
        ));
    }
    notes
}

/// Tokens of all prompts, and those that were computed; the others were in the cache.
fn tokens(judging: &Judging) -> Option<(u64, u64)> {
    let ChatModel::Local(model) = &judging.model else {
        return None;
    };
    let stats = model.stats();
    Some((
        EngineStats::get(&stats.prompt_tokens),
        EngineStats::get(&stats.prefill_tokens),
    ))
}

/// For programs.
pub fn as_json(dir: &RunDir, judging: &Judging) -> Value {
    let (prompt, computed) = tokens(judging).unzip();
    json!({
        "run": dir.path(),
        "journal": judging.journal,
        "model": judging.judgements.model,
        "demo": judging.judgements.demo,
        "wanted": judging.wanted,
        "judged": judging.judgements.by_id.len(),
        "judged_now": judging.session.judged,
        "interrupted": judging.session.interrupted,
        "aspects": figures(&judging.judgements),
        "left_out": judging.session.left_out.iter().map(|(aspect, n)| (aspect.name(), *n)).collect::<std::collections::BTreeMap<_, _>>(),
        "failed": judging.session.failed.iter().map(|(id, reason)| json!({ "id": id, "reason": reason })).collect::<Vec<_>>(),
        "prompt_tokens": prompt,
        "computed_tokens": computed,
        "seconds": judging.seconds,
    })
}
