use std::fmt::Write;
use std::path::PathBuf;

use console::{Alignment, Color, Style, measure_text_width, pad_str};

use crate::cli::talk::{grouped, wrap};
use crate::report::{Level, Metric, Place, Report, Section, Table, Unit};

/// Columns of a figure's title.
const TITLE: usize = 30;
/// Reasons that are told.
const POINTS: usize = 8;
/// Rows of a table that are told.
const ROWS: usize = 12;
/// Sections whose tables are told too: there is little else in them.
const WITH_TABLES: [&str; 2] = ["notebook", "comparison"];

/// The report in a screen or two, wrapped to `width` columns.
pub fn text(report: &Report, width: usize, written: &[PathBuf]) -> String {
    let width = width.min(100);
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    let source = &report.source;
    let mut text = String::new();
    let mut about = format!(
        "{} conversations · {} turns",
        grouped(source.conversations as u64),
        grouped(source.turns as u64)
    );
    if let Some(other) = &report.against {
        let _ = write!(about, " · against {}", other.name);
    }
    let _ = writeln!(
        text,
        "{}  {}",
        bold.apply_to(&source.name),
        dim.apply_to(about)
    );
    let verdict = Style::new().fg(colour(report.headline.level)).bold();
    for line in wrap(&report.headline.text, width) {
        let _ = writeln!(text, "{}", verdict.apply_to(line));
    }
    for point in report.headline.points.iter().take(POINTS) {
        let mark = Style::new()
            .fg(colour(point.level))
            .apply_to(match point.level {
                Level::Poor => "!!",
                Level::Mixed => "! ",
                Level::Good => "· ",
            });
        for (nth, line) in wrap(&point.text, width - 5).iter().enumerate() {
            if nth == 0 {
                let _ = writeln!(text, "  {mark} {line}");
            } else {
                let _ = writeln!(text, "     {line}");
            }
        }
    }
    if report.headline.points.len() > POINTS {
        let more = report.headline.points.len() - POINTS;
        let _ = writeln!(text, "     {}", dim.apply_to(format!("and {more} more")));
    }
    for section in &report.sections {
        put_section(&mut text, section, width);
    }
    if !report.rejects.is_empty() {
        let _ = writeln!(text, "\n{}", bold.apply_to("Turned down or failed"));
        for reject in report.rejects.iter().take(ROWS) {
            let first = reject.samples.first();
            let told = first
                .map(|(id, why)| format!("{id}: {why}"))
                .unwrap_or_default();
            let line = format!(
                "  {} {:>9}  {}",
                pad_str(
                    &reject.reason.replace('_', " "),
                    TITLE,
                    Alignment::Left,
                    Some("…")
                ),
                grouped(reject.count as u64),
                dim.apply_to(cut(&told, width.saturating_sub(TITLE + 14)))
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    let _ = writeln!(text);
    for file in written {
        let _ = writeln!(text, "→ {}", file.display());
    }
    text
}

fn colour(level: Level) -> Color {
    match level {
        Level::Good => Color::Green,
        Level::Mixed => Color::Yellow,
        Level::Poor => Color::Red,
    }
}

fn put_section(text: &mut String, section: &Section, width: usize) {
    let known: Vec<&Metric> = section
        .metrics
        .iter()
        .filter(|metric| metric.value.is_some())
        .collect();
    if known.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", Style::new().bold().apply_to(&section.title));
    for metric in known {
        put_metric(text, metric, width);
    }
    if WITH_TABLES.contains(&section.key.as_str()) {
        for table in &section.tables {
            put_table(text, table, width);
        }
    }
}

/// `  words a turn                        15.6  14.9 to 16.3   above 8.00–13.2`, and what that means where it is outside.
fn put_metric(text: &mut String, metric: &Metric, width: usize) {
    let Some(value) = metric.value else { return };
    let dim = Style::new().dim();
    let interval = metric
        .interval
        .map(|interval| {
            format!(
                "{} to {}",
                bare(interval.low, metric.unit),
                bare(interval.high, metric.unit)
            )
        })
        .unwrap_or_default();
    let against = metric
        .against
        .map(|other| format!("there {}", figure(other, metric.unit)));
    let band = metric.band.as_ref().map(|band| {
        let place = band.place(value);
        let (mark, word, colour) = match place {
            Place::Below => ("▼", "below", Color::Yellow),
            Place::Inside => ("●", "inside", Color::Green),
            Place::Above => ("▲", "above", Color::Yellow),
        };
        let around = format!(
            "{}–{}",
            bare(band.low, metric.unit),
            bare(band.high, metric.unit)
        );
        let style = Style::new().fg(colour);
        format!(
            "{} {}",
            style.apply_to(format!("{mark} {word}")),
            dim.apply_to(around)
        )
    });
    let line = format!(
        "  {}{:>9}  {} {}",
        pad_str(&metric.title, TITLE, Alignment::Left, Some("…")),
        figure(value, metric.unit),
        dim.apply_to(format!("{interval:<16}")),
        [band, against]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
    );
    let _ = writeln!(text, "{}", line.trim_end());
    let outside = metric.place().is_some_and(|place| place != Place::Inside);
    let meaning = metric.reading.rsplit_once("human conversations: ");
    if let (true, Some((_, meaning))) = (outside, meaning) {
        for line in wrap(meaning.trim_end_matches('.'), width - 6) {
            let _ = writeln!(text, "    {}", dim.apply_to(line));
        }
    } else if let Some(note) = &metric.note {
        for line in wrap(note, width - 6) {
            let _ = writeln!(text, "    {}", dim.apply_to(line));
        }
    }
}

fn put_table(text: &mut String, table: &Table, width: usize) {
    let dim = Style::new().dim();
    let shown = table.rows.len().min(ROWS);
    let rows: Vec<&Vec<String>> = table.rows.iter().take(shown).collect();
    let mut widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            let widest = cells
                .map(|cell| measure_text_width(cell))
                .max()
                .unwrap_or(0);
            widest.max(measure_text_width(name))
        })
        .collect();
    // The first column gives way.
    let others: usize = widths.iter().skip(1).map(|own| own + 2).sum();
    if let Some(first) = widths.first_mut() {
        *first = (*first).min(width.saturating_sub(others + 4).max(12));
    }
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (at, (cell, own)) in cells.iter().zip(&widths).enumerate() {
            let side = if at == 0 {
                Alignment::Left
            } else {
                Alignment::Right
            };
            line += "  ";
            line += &pad_str(cell, *own, side, Some("…"));
        }
        cut(line.trim_end(), width)
    };
    let _ = writeln!(text, "\n  {}", table.title);
    let _ = writeln!(text, "{}", dim.apply_to(line(&table.columns)));
    for row in rows {
        let _ = writeln!(text, "{}", line(row));
    }
    if table.rows.len() > shown {
        let more = format!("  and {} more", table.rows.len() - shown);
        let _ = writeln!(text, "{}", dim.apply_to(more));
    }
}

fn cut(text: &str, width: usize) -> String {
    let single = text.replace(['\n', '\r', '\t'], " ");
    console::truncate_str(&single, width, "…").into_owned()
}

/// A figure with its unit.
fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{} %", bare(value, unit)),
        Unit::Count | Unit::Number => bare(value, unit),
    }
}

/// A figure without.
fn bare(value: f64, unit: Unit) -> String {
    match unit {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        Unit::Count if value >= 0.0 => grouped(value.round() as u64),
        Unit::Count => format!("{value:.0}"),
        Unit::Share => format!("{:.1}", 100.0 * value),
        Unit::Number if value.abs() >= 100.0 => format!("{value:.0}"),
        Unit::Number if value.abs() >= 10.0 => format!("{value:.1}"),
        Unit::Number => format!("{value:.2}"),
    }
}
