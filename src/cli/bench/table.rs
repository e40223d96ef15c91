//! What `bench` found, for people.

use std::fmt::Write;

use console::{Alignment, Style, measure_text_width, pad_str};

use super::{Finding, shares};
use crate::bench::fitness::Fitness;
use crate::bench::machine::Machine;
use crate::bench::speed::{DECODE_CONTEXT, Timing};
use crate::cli::talk::grouped;
use crate::record::GuardKind;

/// The one column that holds text.
const GUARDS: &str = "guards/100";
/// Columns of a model's name at most.
const NAME: usize = 36;

pub fn text(before: &Machine, after: &Machine, findings: &[Finding]) -> String {
    let mut out = machine(before, after);
    speed(findings, &mut out);
    kernels(findings, &mut out);
    fitness(findings, &mut out);
    for finding in findings {
        for note in &finding.notes {
            let _ = writeln!(out, "note: {}: {note}", finding.name);
        }
    }
    out
}

fn machine(before: &Machine, after: &Machine) -> String {
    let threads = before.threads;
    let mut text = format!(
        "{}   {} · {threads} thread{} · {:.1} → {:.1} GB/s · peaks f32 {:.0}",
        Style::new().bold().apply_to("machine"),
        before.instructions,
        if threads == 1 { "" } else { "s" },
        before.bandwidth_gb_s,
        after.bandwidth_gb_s,
        before.peaks.f32,
    );
    for (name, peak) in [("bf16", before.peaks.bf16), ("int8", before.peaks.int8)] {
        if let Some(peak) = peak {
            let _ = write!(text, ", {name} {peak:.0}");
        }
    }
    text.push_str(" G(FL)OP/s\n");
    if before.has_drifted(after) {
        text.push_str(
            "note: bandwidth or peaks changed while this ran; compare shares of the limit, not tokens\n",
        );
    }
    text
}

fn speed(findings: &[Finding], out: &mut String) {
    let mut sizes: Vec<usize> = findings
        .iter()
        .flat_map(|finding| finding.speed.decode.iter().map(|timing| timing.batch))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut head: Vec<String> = ["load", "weights", "KV/token", "peak RSS"]
        .map(String::from)
        .into();
    let mut prompts: Vec<usize> = findings.iter().map(|f| f.speed.prefill.tokens).collect();
    prompts.dedup();
    head.push(match prompts[..] {
        [tokens] => format!("prefill {tokens}"),
        _ => "prefill".into(),
    });
    head.extend(sizes.iter().map(|size| format!("×{size}")));
    let rows = findings.iter().map(|finding| {
        let mut row = vec![
            format!("{:.2} s", finding.load_seconds),
            size(finding.weight_bytes as u64),
            size(finding.kv_bytes_per_token as u64),
            size(finding.peak_memory_bytes),
            rate(finding, &finding.speed.prefill),
        ];
        let of = |size: &usize| finding.speed.decode.iter().find(|t| t.batch == *size);
        row.extend(
            sizes
                .iter()
                .map(|size| of(size).map_or_else(|| "–".into(), |t| rate(finding, t))),
        );
        (finding.name.clone(), row)
    });
    let about = format!(
        "tokens per second, summed over ×N sequences after {DECODE_CONTEXT} tokens each (share of the physical limit)"
    );
    table(out, "speed", &about, &head, rows);
}

fn kernels(findings: &[Finding], out: &mut String) {
    let _ = writeln!(out, "\n{}", Style::new().bold().apply_to("kernels"));
    let width = name_width(findings.iter().map(|finding| finding.name.as_str()));
    for finding in findings {
        let classes: Vec<String> = finding
            .kernels
            .iter()
            .map(|(class, kernel)| format!("{class} {kernel}"))
            .collect();
        let _ = writeln!(
            out,
            "  {}  {}",
            name(&finding.name, width),
            classes.join(" · ")
        );
    }
}

fn fitness(findings: &[Finding], out: &mut String) {
    let judged = |finding: &&Finding| finding.fitness.is_ok();
    if let Some(first) = findings.iter().find(judged) {
        let fitness = first.fitness.as_ref().ok();
        let head: Vec<String> = fitness
            .map(shares)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.to_owned())
            .chain(["kept".to_owned(), GUARDS.to_owned()])
            .collect();
        let talks = fitness.map_or(0, |f| f.conversations + f.failed.len() as u64);
        let about = format!(
            "{talks} conversation{} of the recipe support; `colloquy bench --help` says what each column counts",
            if talks == 1 { "" } else { "s" }
        );
        let rows = findings.iter().filter_map(|finding| {
            let fitness = finding.fitness.as_ref().ok()?;
            let mut row: Vec<String> = shares(fitness)
                .into_iter()
                .map(|(_, share)| percent(share))
                .collect();
            row.push(percent(fitness.kept.percent()));
            row.push(guards(fitness));
            Some((finding.name.clone(), row))
        });
        table(out, "fitness", &about, &head, rows);
        rules(findings, out);
    }
    for finding in findings {
        match &finding.fitness {
            Ok(fitness) => {
                for failed in &fitness.failed {
                    let _ = writeln!(out, "note: {}: {failed}", finding.name);
                }
            }
            Err(reason) if reason != "not asked for" => {
                let _ = writeln!(out, "note: {}: no fitness, {reason}", finding.name);
            }
            Err(_) => {}
        }
    }
}

/// Tone and style taken apart, a line a model.
fn rules(findings: &[Finding], out: &mut String) {
    let dim = Style::new().dim();
    let width = name_width(findings.iter().map(|finding| finding.name.as_str()));
    for finding in findings {
        let Ok(fitness) = &finding.fitness else {
            continue;
        };
        let parts: Vec<String> = fitness
            .tone
            .iter()
            .chain(&fitness.style)
            .map(|(rule, ratio)| format!("{rule} {}/{}", ratio.kept, ratio.of))
            .collect();
        let line = format!("  {}  {}", name(&finding.name, width), parts.join(" · "));
        let _ = writeln!(out, "{}", dim.apply_to(line));
    }
}

fn guards(fitness: &Fitness) -> String {
    let all = fitness.hits_per_100_turns(None);
    let mut kinds: Vec<String> = fitness
        .guard_hits
        .keys()
        .map(|kind| {
            let hits = fitness.hits_per_100_turns(Some(*kind));
            format!("{} {hits:.1}", guard_name(*kind).replace('_', " "))
        })
        .collect();
    if kinds.len() == 1 {
        // One guard's figure is the sum.
        kinds = vec![
            guard_name(*fitness.guard_hits.keys().next().expect("one is there")).replace('_', " "),
        ];
    }
    if kinds.is_empty() {
        format!("{all:.1}")
    } else {
        format!("{all:.1} ({})", kinds.join(", "))
    }
}

/// As records name it.
pub fn guard_name(kind: GuardKind) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn rate(finding: &Finding, timing: &Timing) -> String {
    let rate = timing.tokens_per_s();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed"
    )]
    let told = if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        grouped(rate.round() as u64)
    };
    format!("{told} ({:.0} %)", 100.0 * finding.share(timing))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{share:.0} %"))
}

/// A table: a line about it, a head, rows.
fn table(
    out: &mut String,
    title: &str,
    about: &str,
    head: &[String],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) {
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    let rows: Vec<(String, Vec<String>)> = rows.collect();
    let first = name_width(rows.iter().map(|(name, _)| name.as_str()));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            rows.iter()
                .map(|(_, row)| measure_text_width(&row[column]))
                .chain([measure_text_width(&head[column])])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String]| -> String {
        let mut line = String::new();
        for ((cell, width), head) in cells.iter().zip(&widths).zip(head) {
            let side = if head == GUARDS {
                Alignment::Left
            } else {
                Alignment::Right
            };
            line.push_str("  ");
            line.push_str(&pad_str(cell, *width, side, None));
        }
        line.trim_end().to_owned()
    };
    let _ = writeln!(out, "\n{}   {}", bold.apply_to(title), dim.apply_to(about));
    let _ = writeln!(out, "  {}{}", " ".repeat(first), dim.apply_to(line(head)));
    for (label, row) in &rows {
        let _ = writeln!(out, "  {}{}", name(label, first), line(row));
    }
}

fn name_width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(measure_text_width).max().unwrap_or(0).min(NAME)
}

fn name(name: &str, width: usize) -> String {
    pad_str(name, width, Alignment::Left, Some("…")).into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
