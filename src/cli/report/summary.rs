use std::fmt::Write;

use console::Style;

use crate::report::{Metric, Place, Report, Unit};

/// The report in a screen or two.
pub fn text(report: &Report, _width: usize) -> String {
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    let mut text = String::new();
    let _ = writeln!(text, "{}", bold.apply_to(&report.source.name));
    let _ = writeln!(text, "{}", report.headline.text);
    for section in &report.sections {
        let _ = writeln!(text, "\n{}", bold.apply_to(&section.title));
        for metric in &section.metrics {
            let (Some(value), mark) = (metric.value, mark(metric)) else {
                continue;
            };
            let _ = writeln!(
                text,
                "  {:<32} {:>9} {}",
                metric.title,
                figure(value, metric.unit),
                dim.apply_to(mark)
            );
        }
    }
    text
}

fn mark(metric: &Metric) -> &'static str {
    let place = metric.band.as_ref().zip(metric.value);
    match place.map(|(band, value)| band.place(value)) {
        None => "",
        Some(Place::Inside) => "inside",
        Some(Place::Below) => "below",
        Some(Place::Above) => "above",
    }
}

fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => format!("{value:.0}"),
        Unit::Number => format!("{value:.2}"),
        Unit::Share => format!("{:.1} %", 100.0 * value),
    }
}
