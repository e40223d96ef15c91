//! Figures: as cards, in tables, and where they lie against human conversations.

use std::fmt::{self, Write};

use super::super::{Level, Metric, Place, Report, Section, Table};
use super::html::Text;
use super::number::{self, figure};

/// Cards at the top of the page, and how many there are at least where there are as many figures.
const CARDS: usize = 8;
const FEW_CARDS: usize = 4;
/// Rows of a table that stands open.
const ROWS: usize = 8;

/// What the headline rests on first, then what can be compared with people, in the order of the report.
pub fn key_figures<'a>(report: &'a Report) -> Vec<&'a Metric> {
    let all = || report.sections.iter().flat_map(|section| &section.metrics);
    let named = report.headline.points.iter().filter_map(|point| {
        let key = point.metric.as_deref()?;
        all().find(|metric| metric.key == key)
    });
    let banded = all().filter(|metric| metric.band.is_some());
    let mut found: Vec<&'a Metric> = Vec::new();
    let mut take = |metric: &'a Metric, most: usize| {
        let is_new = !found.iter().any(|other| other.key == metric.key);
        if is_new && metric.value.is_some() && found.len() < most {
            found.push(metric);
        }
    };
    named.chain(banded).for_each(|metric| take(metric, CARDS));
    all().for_each(|metric| take(metric, FEW_CARDS));
    found
}

/// A figure by itself.
pub fn card(out: &mut String, metric: &Metric) -> fmt::Result {
    write!(
        out,
        "<li class=\"card\"><h3>{}</h3><p class=\"value\">{}</p>",
        Text(&metric.title),
        Text(&number::value(metric))
    )?;
    if let Some(interval) = interval(metric) {
        write!(out, "<p class=\"interval\">{}</p>", Text(&interval))?;
    }
    band(out, metric)?;
    write!(
        out,
        "<p class=\"reading\">{}</p></li>",
        Text(&metric.reading)
    )
}

fn interval(metric: &Metric) -> Option<String> {
    metric.interval.map(|interval| {
        format!(
            "95 %: {} to {}",
            figure(interval.low, metric.unit),
            figure(interval.high, metric.unit)
        )
    })
}

/// Where a figure lies: the human band, the interval as a whisker, the value as a mark on it. Nothing where there is no band.
fn band(out: &mut String, metric: &Metric) -> fmt::Result {
    let (Some(band), Some(value)) = (&metric.band, metric.value.filter(|value| value.is_finite()))
    else {
        return Ok(());
    };
    let ends = metric
        .interval
        .map(|interval| [interval.low, interval.high]);
    let shown = [band.low, band.high, value]
        .into_iter()
        .chain(ends.into_iter().flatten());
    let shown = shown
        .chain(metric.against)
        .filter(|value| value.is_finite());
    let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let margin = if high > low { (high - low) * 0.12 } else { 1.0 };
    let (low, high) = (low - margin, high + margin);
    let at = |value: f64| ((value - low) / (high - low) * 100.0).clamp(0.0, 100.0);
    let (class, told) = match band.place(value) {
        Place::Below => ("outside", "below"),
        Place::Inside => ("inside", "within"),
        Place::Above => ("outside", "above"),
    };
    let people = format!(
        "{} to {}",
        figure(band.low, metric.unit),
        figure(band.high, metric.unit)
    );
    write!(
        out,
        "<div class=\"band {class}\"><svg width=\"100%\" height=\"22\" role=\"img\" aria-label=\"{told} the human range of {people}\"><title>{} – people: {people} ({})</title>\
         <rect class=\"rail\" x=\"0\" y=\"9\" width=\"100%\" height=\"4\" rx=\"2\"/><rect class=\"people\" x=\"{:.2}%\" y=\"5\" width=\"{:.2}%\" height=\"12\" rx=\"3\"/>",
        Text(&figure(value, metric.unit)),
        Text(&band.source),
        at(band.low),
        (at(band.high) - at(band.low)).max(0.6)
    )?;
    if let Some([from, to]) = ends {
        write!(
            out,
            "<line class=\"whisker\" x1=\"{:.2}%\" x2=\"{:.2}%\" y1=\"11\" y2=\"11\"/>",
            at(from),
            at(to)
        )?;
    }
    if let Some(other) = metric.against {
        write!(
            out,
            "<circle class=\"other\" cx=\"{:.2}%\" cy=\"11\" r=\"4\"/>",
            at(other)
        )?;
    }
    write!(
        out,
        "<circle class=\"mark\" cx=\"{:.2}%\" cy=\"11\" r=\"5\"/></svg><p><span class=\"place\">{told}</span> people: {people}</p></div>",
        at(value)
    )
}

/// A section: what it is about, its figures, charts and tables.
pub fn section(out: &mut String, section: &Section, against: Option<&str>) -> fmt::Result {
    let key = Text(&section.key);
    write!(
        out,
        "<section class=\"part\" id=\"part-{key}\" aria-labelledby=\"title-{key}\"><h2 id=\"title-{key}\">{}</h2><p class=\"about\">{}</p>",
        Text(&section.title),
        Text(&section.about)
    )?;
    if !section.metrics.is_empty() {
        out.push_str("<table class=\"figures\"><thead><tr><th scope=\"col\">Figure</th><th scope=\"col\">Value</th>");
        if let Some(other) = against {
            write!(out, "<th scope=\"col\">{}</th>", Text(other))?;
        }
        out.push_str("<th scope=\"col\">Against people</th></tr></thead><tbody>");
        for metric in &section.metrics {
            row(out, metric, against)?;
        }
        out.push_str("</tbody></table>");
    }
    if !section.charts.is_empty() {
        out.push_str("<div class=\"charts\">");
        for chart in &section.charts {
            super::chart::chart(out, chart)?;
        }
        out.push_str("</div>");
    }
    if !section.tables.is_empty() {
        out.push_str("<div class=\"tables\">");
        for shown in &section.tables {
            table(out, shown)?;
        }
        out.push_str("</div>");
    }
    out.push_str("</section>\n");
    Ok(())
}

fn row(out: &mut String, metric: &Metric, against: Option<&str>) -> fmt::Result {
    write!(
        out,
        "<tr><th scope=\"row\"><span class=\"name\">{}</span><span class=\"reading\">{}</span>",
        Text(&metric.title),
        Text(&metric.reading)
    )?;
    if let Some(note) = &metric.note {
        write!(out, "<span class=\"reading note\">{}</span>", Text(note))?;
    }
    write!(
        out,
        "</th><td class=\"number\"><span class=\"value\">{}</span>",
        Text(&number::value(metric))
    )?;
    if let Some(interval) = interval(metric) {
        write!(out, "<span class=\"interval\">{}</span>", Text(&interval))?;
    }
    out.push_str("</td>");
    if let Some(name) = against {
        write!(out, "<td class=\"number\" data-name=\"{}\">", Text(name))?;
        match (metric.against, metric.value) {
            (Some(other), Some(value)) => {
                let more = value - other;
                let sign = if more > 0.0 { "+" } else { "" };
                write!(
                    out,
                    "<span class=\"value\">{}</span><span class=\"interval\">here {sign}{}</span>",
                    Text(&figure(other, metric.unit)),
                    Text(&figure(more, metric.unit))
                )?;
            }
            (Some(other), None) => write!(
                out,
                "<span class=\"value\">{}</span>",
                Text(&figure(other, metric.unit))
            )?,
            (None, _) => out.push_str("<span class=\"value\">–</span>"),
        }
        out.push_str("</td>");
    }
    out.push_str("<td class=\"where\">");
    band(out, metric)?;
    out.push_str("</td></tr>\n");
    Ok(())
}

/// Rows and columns; folded where there are many.
pub fn table(out: &mut String, table: &Table) -> fmt::Result {
    let is_long = table.rows.len() > ROWS;
    if is_long {
        write!(
            out,
            "<details class=\"long\"><summary>{} <span class=\"count\">{}</span></summary>",
            Text(&table.title),
            number::count(table.rows.len())
        )?;
    }
    write!(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"plain\"><caption>{0}</caption><thead><tr>",
        Text(&table.title)
    )?;
    for (place, column) in table.columns.iter().enumerate() {
        let mut cells = table.rows.iter().filter_map(|row| row.get(place));
        let class = if !table.rows.is_empty() && cells.all(|cell| is_number(cell)) {
            " class=\"number\""
        } else {
            ""
        };
        write!(out, "<th scope=\"col\"{class}>{}</th>", Text(column))?;
    }
    out.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in row {
            let class = if is_number(cell) {
                " class=\"number\""
            } else {
                ""
            };
            write!(out, "<td{class}>{}</td>", Text(cell))?;
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out.push_str(if is_long { "</details>\n" } else { "\n" });
    Ok(())
}

/// Whether a cell lines up with others on its right.
fn is_number(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit() || "+-−–".contains(first))
        && cell
            .chars()
            .all(|letter| letter.is_ascii_digit() || "+-−–.,%± \u{a0}".contains(letter))
}

/// A level, in a word.
pub fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Good => ("good", "Good"),
        Level::Mixed => ("mixed", "Worth a look"),
        Level::Poor => ("poor", "Needs work"),
    }
}

/// Its sign: a tick, a bar, a cross.
pub fn sign(level: Level) -> &'static str {
    match level {
        Level::Good => "M4.5 8.5l2.5 2.5 4.5-5.5",
        Level::Mixed => "M8 4.5v4.2M8 11.4v.1",
        Level::Poor => "M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
    }
}
