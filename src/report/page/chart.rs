//! Charts as SVG. Widths are shares of the room there is and text has its own size, so that a chart is as legible on a phone
//! as on a desk; nothing is scaled.

use std::fmt::{self, Write};

use super::super::{Chart, ChartKind};
use super::html::Text;
use super::number::{short, wide as count};

/// Pixels from the top to the upper end of the plot, to its foot, and to the labels under it.
const TOP: f64 = 14.0;
const FOOT: f64 = 164.0;
const LABEL: f64 = 182.0;
const HEIGHT: f64 = 190.0;
/// Where the plot begins, in per cent: left of it are the numbers of the vertical axis.
const LEFT: f64 = 9.0;
/// Rows of bars that stand in one column; more are split in two where there is room.
const COLUMN: usize = 10;
/// Letters of labels that fit under a plot on a phone.
const LETTERS: usize = 44;

/// A chart with its title and a key to its series.
pub fn chart(out: &mut String, chart: &Chart) -> fmt::Result {
    write!(
        out,
        "<figure class=\"chart\"><figcaption><span class=\"chart-title\">{}</span>",
        Text(&chart.title)
    )?;
    if chart.series.len() > 1 {
        out.push_str("<span class=\"key\">");
        for (place, series) in chart.series.iter().enumerate() {
            write!(
                out,
                "<span><svg class=\"swatch s{}\" width=\"10\" height=\"10\" aria-hidden=\"true\"><rect width=\"10\" height=\"10\" rx=\"2\"/></svg>{}</span>",
                place % 4,
                Text(&series.name)
            )?;
        }
        out.push_str("</span>");
    }
    out.push_str("</figcaption>");
    if chart.labels.is_empty() || chart.series.is_empty() {
        out.push_str("<p class=\"quiet\">Nothing to draw.</p></figure>\n");
        return Ok(());
    }
    match chart.kind {
        ChartKind::Bars => bars(out, chart)?,
        ChartKind::Histogram => plot(out, chart, columns)?,
        ChartKind::Line => plot(out, chart, lines)?,
    }
    out.push_str("</figure>\n");
    Ok(())
}

/// The numbers that are drawn, from the least to the greatest, nothing included.
fn reach(chart: &Chart) -> (f64, f64) {
    let values = chart.series.iter().flat_map(|series| &series.values);
    let finite = values.copied().filter(|value| value.is_finite());
    let (low, high) = finite.fold((0f64, 0f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low < high {
        (low, high)
    } else {
        (low, low + 1.0)
    }
}

/// Distances of one, two or five times a power of ten, at most four of which lie in `span`.
fn step(span: f64) -> f64 {
    let power = 10f64.powf((span / 4.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let fits = steps.into_iter().find(|step| span / step <= 4.0);
    fits.unwrap_or(10.0 * power)
}

fn label(chart: &Chart, place: usize) -> &str {
    chart.labels.get(place).map_or("", String::as_str)
}

fn value(values: &[f64], place: usize) -> Option<f64> {
    values.get(place).copied().filter(|value| value.is_finite())
}

/// What is said where one points at a number.
fn tip(chart: &Chart, series: usize, place: usize, value: f64) -> String {
    let mut tip = format!("{}: {}", label(chart, place), short(value));
    if chart.series.len() > 1 {
        let _ = write!(tip, " ({})", chart.series[series].name);
    }
    tip
}

/// A row for each label: the label, the bars under it, their numbers at the end.
fn bars(out: &mut String, chart: &Chart) -> fmt::Result {
    let (low, high) = reach(chart);
    let (bar, row) = (9.0, 20.0 + 12.0 * count(chart.series.len()));
    let at = |value: f64| (value - low) / (high - low) * 84.0;
    let rows = chart.labels.len();
    let column = if rows > COLUMN {
        rows.div_ceil(2)
    } else {
        rows
    };
    let by = if chart.x.is_empty() { "" } else { ", by " };
    write!(
        out,
        "<p class=\"axis\">{}{by}{}</p><div class=\"columns\">",
        Text(&chart.y),
        Text(&chart.x)
    )?;
    for from in (0..rows).step_by(column) {
        let places = from..(from + column).min(rows);
        write!(
            out,
            "<svg class=\"bars\" width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"{}\">",
            row * count(places.len()),
            Text(&chart.title)
        )?;
        for (line, place) in places.enumerate() {
            let top = row * count(line);
            write!(
                out,
                "<text class=\"label\" x=\"0\" y=\"{}\">{}</text>",
                top + 13.0,
                Text(&cut(label(chart, place), 40))
            )?;
            for (nth, series) in chart.series.iter().enumerate() {
                let Some(value) = value(&series.values, place) else {
                    continue;
                };
                let y = top + 19.0 + 12.0 * count(nth);
                let (from, to) = (at(value.min(0.0)), at(value.max(0.0)));
                write!(
                    out,
                    "<g class=\"s{}\"><title>{}</title><rect class=\"rail\" x=\"0\" y=\"{y}\" width=\"84%\" height=\"{bar}\" rx=\"2\"/><rect x=\"{from:.2}%\" y=\"{y}\" width=\"{:.2}%\" height=\"{bar}\" rx=\"2\"/></g>\
                     <text class=\"number\" x=\"100%\" y=\"{}\">{}</text>",
                    nth % 4,
                    Text(&tip(chart, nth, place, value)),
                    to - from,
                    y + 8.5,
                    short(value)
                )?;
            }
        }
        out.push_str("</svg>");
    }
    out.push_str("</div>");
    Ok(())
}

/// Axes, and what `draw` puts between them.
fn plot(
    out: &mut String,
    chart: &Chart,
    draw: fn(&mut String, &Chart, &Scale) -> fmt::Result,
) -> fmt::Result {
    let (low, high) = reach(chart);
    let step = step(high - low);
    let scale = Scale {
        low: (low / step).floor() * step,
        high: (high / step).ceil() * step,
        places: chart.labels.len(),
        is_line: chart.kind == ChartKind::Line,
    };
    write!(
        out,
        "<p class=\"axis\">{}</p><svg class=\"plot\" width=\"100%\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        Text(&chart.y),
        Text(&chart.title)
    )?;
    let mut tick = scale.low;
    while tick <= scale.high + step / 2.0 {
        let y = scale.y(tick);
        let class = if tick.abs() < step / 2.0 {
            "zero"
        } else {
            "grid"
        };
        write!(
            out,
            "<line class=\"{class}\" x1=\"{LEFT}%\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"tick\" x=\"0\" y=\"{:.1}\">{}</text>",
            y + 4.0,
            short((tick / step).round() * step)
        )?;
        tick += step;
    }
    draw(out, chart, &scale)?;
    // As many labels as a phone has room for, evenly, the first among them.
    let longest = chart.labels.iter().map(|label| label.chars().count());
    let room = (LETTERS / (longest.max().unwrap_or(0).max(1) + 2)).clamp(2, 12);
    for place in (0..scale.places).step_by(scale.places.div_ceil(room)) {
        let x = scale.x(place);
        let (x, anchor) = match x {
            x if x > 94.0 => (100.0, "end"),
            x if x < LEFT + 3.0 => (LEFT, "start"),
            x => (x, "middle"),
        };
        write!(
            out,
            "<text class=\"tick\" x=\"{x:.2}%\" y=\"{LABEL}\" text-anchor=\"{anchor}\">{}</text>",
            Text(&cut(label(chart, place), LETTERS / 2))
        )?;
    }
    write!(out, "</svg><p class=\"axis end\">{}</p>", Text(&chart.x))
}

/// From numbers to places.
struct Scale {
    low: f64,
    high: f64,
    places: usize,
    is_line: bool,
}

impl Scale {
    /// Pixels from the top.
    fn y(&self, value: f64) -> f64 {
        FOOT - (value - self.low) / (self.high - self.low) * (FOOT - TOP)
    }

    /// Per cent from the left: the middle of a bin, or a point of a line.
    fn x(&self, place: usize) -> f64 {
        let share = match (self.is_line, self.places) {
            (true, 1) => 0.5,
            (true, places) => count(place) / count(places - 1),
            (false, places) => (count(place) + 0.5) / count(places),
        };
        LEFT + (100.0 - LEFT) * share
    }
}

fn columns(out: &mut String, chart: &Chart, scale: &Scale) -> fmt::Result {
    let room = (100.0 - LEFT) / count(scale.places);
    let width = room * 0.94 / count(chart.series.len());
    for (nth, series) in chart.series.iter().enumerate() {
        write!(out, "<g class=\"s{}\">", nth % 4)?;
        for place in 0..scale.places {
            let Some(value) = value(&series.values, place).filter(|value| *value != 0.0) else {
                continue;
            };
            let left = scale.x(place) - room * 0.47 + width * count(nth);
            let (top, foot) = (scale.y(value.max(0.0)), scale.y(value.min(0.0)));
            write!(
                out,
                "<rect x=\"{left:.2}%\" y=\"{top:.1}\" width=\"{width:.2}%\" height=\"{:.1}\"><title>{}</title></rect>",
                (foot - top).max(0.5),
                Text(&tip(chart, nth, place, value))
            )?;
        }
        out.push_str("</g>");
    }
    Ok(())
}

fn lines(out: &mut String, chart: &Chart, scale: &Scale) -> fmt::Result {
    for (nth, series) in chart.series.iter().enumerate() {
        let (class, height) = (nth % 4, FOOT - TOP);
        write!(
            out,
            "<g class=\"s{class}\"><svg x=\"{LEFT}%\" y=\"{TOP}\" width=\"{}%\" height=\"{height}\" viewBox=\"0 0 1000 {height}\" preserveAspectRatio=\"none\" overflow=\"visible\">",
            100.0 - LEFT
        )?;
        let points: Vec<Option<(f64, f64)>> = (0..scale.places)
            .map(|place| {
                let value = value(&series.values, place)?;
                let x = (scale.x(place) - LEFT) / (100.0 - LEFT) * 1000.0;
                Some((x, scale.y(value) - TOP))
            })
            .collect();
        for run in points.split(Option::is_none).filter(|run| !run.is_empty()) {
            out.push_str("<polyline points=\"");
            for (x, y) in run.iter().flatten() {
                write!(out, "{x:.1},{y:.1} ")?;
            }
            out.push_str("\"/>");
        }
        out.push_str("</svg>");
        for place in 0..scale.places {
            if let Some(value) = value(&series.values, place) {
                write!(
                    out,
                    "<circle cx=\"{:.2}%\" cy=\"{:.1}\" r=\"{}\"><title>{}</title></circle>",
                    scale.x(place),
                    scale.y(value),
                    if scale.places > 60 { 1.5 } else { 3.0 },
                    Text(&tip(chart, nth, place, value))
                )?;
            }
        }
        out.push_str("</g>");
    }
    Ok(())
}

/// A text of at most `most` letters.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            let kept: String = text.chars().take(most - 1).collect();
            format!("{}…", kept.trim_end())
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Series;
    use super::*;

    fn drawn(kind: ChartKind, labels: &[&str], values: &[&[f64]]) -> String {
        let mut out = String::new();
        chart(
            &mut out,
            &Chart {
                key: "k".into(),
                title: "Turns".into(),
                kind,
                x: "turns".into(),
                y: "conversations".into(),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                series: values
                    .iter()
                    .map(|values| Series {
                        name: "these".into(),
                        values: values.to_vec(),
                    })
                    .collect(),
            },
        )
        .unwrap();
        out
    }

    #[test]
    fn steps_are_round() {
        for (span, wanted) in [
            (1.0, 0.5),
            (4.0, 1.0),
            (37.0, 10.0),
            (9.0, 5.0),
            (1234.0, 500.0),
        ] {
            assert!((step(span) - wanted).abs() < 1e-9, "{span}: {}", step(span));
        }
    }

    #[test]
    fn numbers_lie_where_they_belong() {
        let text = drawn(ChartKind::Histogram, &["2", "3"], &[&[4.0, 1.0]]);
        // The first bar reaches the top of the plot, the second a quarter of it; both stand on its foot.
        assert!(
            text.contains("y=\"14.0\" width=\"42.77%\" height=\"150.0\"><title>2: 4</title>"),
            "{text}"
        );
        assert!(
            text.contains("y=\"126.5\" width=\"42.77%\" height=\"37.5\"><title>3: 1</title>"),
            "{text}"
        );
        let text = drawn(ChartKind::Line, &["a", "b", "c"], &[&[0.0, f64::NAN, 2.0]]);
        // A number that is none breaks the line.
        assert_eq!(text.matches("<polyline").count(), 2);
        assert!(text.contains("cx=\"100.00%\" cy=\"14.0\""), "{text}");
        let text = drawn(ChartKind::Bars, &["up", "down"], &[&[3.0, -1.0]]);
        assert!(
            text.contains("x=\"21.00%\" y=\"19\" width=\"63.00%\""),
            "{text}"
        );
        assert!(
            text.contains("x=\"0.00%\" y=\"51\" width=\"21.00%\""),
            "{text}"
        );
    }

    #[test]
    fn nothing_and_the_impossible_are_drawn_too() {
        for kind in [ChartKind::Bars, ChartKind::Histogram, ChartKind::Line] {
            assert!(drawn(kind, &[], &[]).contains("Nothing to draw"));
            for values in [
                &[0.0, 0.0][..],
                &[f64::INFINITY, 1.0],
                &[1e300, -1e300],
                &[],
            ] {
                let text = drawn(kind, &["<a>", "b"], &[values, values]);
                assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
                assert!(
                    text.contains("&lt;a&gt;") && !text.contains("<a>"),
                    "{text}"
                );
            }
        }
    }
}
