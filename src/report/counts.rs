use super::figure::Reading;
use super::{Chart, ChartKind, Series};
use crate::metrics::bootstrap::{Interval, RESAMPLES, interval};
use crate::rng::Stream;

/// The level of intervals.
pub(super) const LEVEL: f64 = 0.95;

/// A reading of a figure that has no band: what it measures, and which way is which.
pub(super) fn plain(measures: &'static str, way: &'static str) -> Reading {
    Reading {
        measures,
        way,
        ..Reading::NONE
    }
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts of things in memory")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

/// The sum of the first parts over the sum of the second, with its interval by resampling the pairs.
pub(super) fn ratio(pairs: &[(f64, f64)], draw: Stream) -> (Option<f64>, Option<Interval>) {
    let of = |sums: (f64, f64)| (sums.1 > 0.0).then(|| sums.0 / sums.1);
    let add = |sums: (f64, f64), pair: &(f64, f64)| (sums.0 + pair.0, sums.1 + pair.1);
    let value = of(pairs.iter().fold((0.0, 0.0), add));
    let found = value.and_then(|_| {
        interval(pairs.len(), RESAMPLES, LEVEL, draw, |sample| {
            let pairs = sample.iter().map(|&at| &pairs[at]);
            of(pairs.fold((0.0, 0.0), add))
        })
    });
    (value, found)
}

/// A share of things that have nothing to do with each other, with Wilson's interval (Probable inference, the law of
/// succession, and statistical inference, 1927): resampling would call a share of none or all certain.
pub(super) fn share(yes: &[bool]) -> (Option<f64>, Option<Interval>) {
    const Z: f64 = 1.959_963_984_540_054;
    if yes.is_empty() {
        return (None, None);
    }
    let n = number(yes.len());
    let share = number(yes.iter().filter(|yes| **yes).count()) / n;
    let whole = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / whole;
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / whole;
    let interval = Interval {
        low: (centre - half).clamp(0.0, share),
        high: (centre + half).clamp(share, 1.0),
    };
    (Some(share), Some(interval))
}

/// `12.3`
pub(super) fn decimal(value: f64) -> String {
    format!("{value:.1}")
}

/// `12.3 %`, of a share.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `12.3 %` of a part of a whole; `–` of nothing.
pub(super) fn percent_of(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    percent(number(part) / number(whole))
}

/// Counts of values in bins of equal width from 0 on, some twenty at most; what is beyond the last is counted in it. Series
/// share the bins.
pub(super) fn histogram(
    key: &str,
    title: &str,
    x: &str,
    y: &str,
    series: &[(&str, Vec<usize>)],
) -> Chart {
    const BINS: usize = 20;
    let mut all: Vec<usize> = series
        .iter()
        .flat_map(|(_, values)| values.iter().copied())
        .collect();
    all.sort_unstable();
    // Far outliers would leave the others in one bin.
    let most = (all.len().saturating_sub(1) * 99).div_ceil(100);
    let reach = all.get(most).copied().unwrap_or(0);
    let largest = all.last().copied().unwrap_or(0);
    let width = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
        .into_iter()
        .find(|width| reach / width < BINS)
        .unwrap_or_else(|| reach.div_ceil(BINS).max(1));
    let bins = reach / width + 1;
    let label = |bin: usize| {
        let low = bin * width;
        match (width, bin + 1 == bins && largest >= (bin + 1) * width) {
            (_, true) => format!("{low}+"),
            (1, false) => low.to_string(),
            _ => format!("{low}–{}", low + width - 1),
        }
    };
    Chart {
        key: key.to_owned(),
        title: title.to_owned(),
        kind: ChartKind::Histogram,
        x: x.to_owned(),
        y: y.to_owned(),
        labels: (0..bins).map(label).collect(),
        series: series
            .iter()
            .map(|(name, values)| {
                let mut counts = vec![0.0; bins];
                for value in values {
                    counts[(value / width).min(bins - 1)] += 1.0;
                }
                Series {
                    name: (*name).to_owned(),
                    values: counts,
                }
            })
            .collect(),
    }
}

/// A bar for each of some counted things.
pub(super) fn bars(key: &str, title: &str, y: &str, counts: &[(String, usize)]) -> Chart {
    Chart {
        key: key.to_owned(),
        title: title.to_owned(),
        kind: ChartKind::Bars,
        x: String::new(),
        y: y.to_owned(),
        labels: counts.iter().map(|(name, _)| name.clone()).collect(),
        series: vec![Series {
            name: y.to_owned(),
            values: counts.iter().map(|(_, count)| number(*count)).collect(),
        }],
    }
}

/// Counts by name, the most frequent first, equals by name.
pub(super) fn counted(names: impl IntoIterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_few_are_not_certain() {
        let of = |yes: usize, n: usize| {
            let all: Vec<bool> = (0..n).map(|at| at < yes).collect();
            let (share, interval) = share(&all);
            let Interval { low, high } = interval.unwrap();
            (share.unwrap(), low, high)
        };
        let (share_, low, high) = of(0, 10);
        assert!(
            share_ == 0.0 && low == 0.0 && (high - 0.2775).abs() < 1e-4,
            "{high}"
        );
        let (_, low, high) = of(5, 10);
        assert!(
            (low - 0.2366).abs() < 1e-4 && (high - 0.7634).abs() < 1e-4,
            "{low} {high}"
        );
        assert!(of(10, 10).2 >= 1.0);
        assert_eq!(share(&[]), (None, None));
    }

    #[test]
    fn bins_hold_everything() {
        let values = [vec![5; 200], vec![0, 1, 9, 10, 19, 95, 100, 399]].concat();
        let chart = histogram("k", "t", "x", "y", &[("a", values)]);
        assert_eq!(chart.labels.len(), chart.series[0].values.len());
        assert!((chart.series[0].values.iter().sum::<f64>() - 208.0).abs() < 1e-9);
        assert_eq!(chart.labels[0], "0–4");
        assert_eq!(chart.labels.last().unwrap(), "95+");
        let none = histogram("k", "t", "x", "y", &[("a", Vec::new())]);
        assert_eq!(none.labels, ["0"]);
    }
}
