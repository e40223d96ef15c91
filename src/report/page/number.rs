//! Numbers as people read them.

use super::super::{Metric, Unit};

/// A figure in its unit.
pub fn figure(value: f64, unit: Unit) -> String {
    match unit {
        _ if !value.is_finite() => "–".to_owned(),
        Unit::Count => grouped(value, 0),
        Unit::Share => {
            let percent = value * 100.0;
            // Nothing rounds to none or to all that is not.
            let digits = match percent.abs() {
                0.0 | 100.0 => 0,
                size if size < 1.0 || (size > 99.0 && size < 100.0) => 2,
                _ => 1,
            };
            format!("{} %", grouped(percent, digits))
        }
        Unit::Number => grouped(value, digits(value)),
    }
}

/// How many places three digits that say something need.
fn digits(value: f64) -> usize {
    match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    }
}

/// What a metric is, or a dash.
pub fn value(metric: &Metric) -> String {
    metric
        .value
        .map_or_else(|| "–".to_owned(), |value| figure(value, metric.unit))
}

/// How many there are.
pub fn count(n: usize) -> String {
    grouped(wide(n), 0)
}

/// The same as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "things on a page")]
pub fn wide(n: usize) -> f64 {
    n as f64
}

/// A number on an axis, short.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 {
        return format!("{value:.1e}");
    }
    let (scaled, unit) = if size >= 1e9 {
        (value / 1e9, "G")
    } else if size >= 1e6 {
        (value / 1e6, "M")
    } else if size >= 1e4 {
        (value / 1e3, "k")
    } else {
        (value, "")
    };
    let text = if scaled.fract() == 0.0 {
        grouped(scaled, 0)
    } else {
        let text = grouped(scaled, digits(scaled).max(1));
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    text + unit
}

/// With thousands apart.
fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    // Minus nothing is nothing.
    if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        out.push('−');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        for (value, unit, told) in [
            (1234.0, Unit::Count, "1,234"),
            (0.0, Unit::Count, "0"),
            (0.996, Unit::Share, "99.60 %"),
            (0.9996, Unit::Share, "99.96 %"),
            (1.0, Unit::Share, "100 %"),
            (0.0, Unit::Share, "0 %"),
            (0.0012, Unit::Share, "0.12 %"),
            (0.255, Unit::Share, "25.5 %"),
            (81.349, Unit::Number, "81.3"),
            (1234.5, Unit::Number, "1,234"),
            (3.456, Unit::Number, "3.46"),
            (-0.0001, Unit::Number, "0.000"),
            (-0.25, Unit::Number, "−0.250"),
            (f64::NAN, Unit::Number, "–"),
        ] {
            assert_eq!(figure(value, unit), told);
        }
    }

    #[test]
    fn numbers_on_axes() {
        for (value, told) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (2.5, "2.5"),
            (1500.0, "1,500"),
            (15000.0, "15k"),
            (12500.0, "12.5k"),
            (2e6, "2M"),
            (-3.0, "−3"),
            (1e300, "1.0e300"),
        ] {
            assert_eq!(short(value), told);
        }
    }
}
