//! How far a statistic of a sample may be trusted: percentile intervals of the bootstrap (Efron and Tibshirani, An
//! Introduction to the Bootstrap, 1993, chapter 13).

use serde::{Deserialize, Serialize};

use crate::rng::Stream;

/// Resamples that make the ends of a 95 % interval steady to a few hundredths of its width.
pub const RESAMPLES: u32 = 2000;

/// The ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The central interval of `level` (as 0.95) of a statistic of `n` things over `resamples` samples of as many, drawn with
/// replacement. `statistic` is given the indices of one sample, and gives `None` where that sample has none; such samples
/// do not count. `None` where no sample has one.
pub fn interval(
    n: usize,
    resamples: u32,
    level: f64,
    draw: Stream,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let mut sample = vec![0; n];
    let mut found: Vec<f64> = (0..resamples)
        .filter_map(|nth| {
            let draw = draw.at(u64::from(nth));
            for (place, index) in sample.iter_mut().enumerate() {
                *index = draw.below(place as u64, n);
            }
            statistic(&sample).filter(|value| !value.is_nan())
        })
        .collect();
    central(&mut found, level)
}

/// The central interval of some numbers; none of nothing.
fn central(found: &mut [f64], level: f64) -> Option<Interval> {
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval {
        low: quantile(found, tail)?,
        high: quantile(found, 1.0 - tail)?,
    })
}

/// The interval of a sum over a sum, as of turns that thank over turns, each thing with its part of both. Work is shared
/// among `threads`; the interval does not depend on how many. Samples whose second sum is not above 0 do not count.
#[must_use]
pub fn ratio_interval(
    parts: &[(f64, f64)],
    level: f64,
    draw: Stream,
    threads: usize,
) -> Option<Interval> {
    if parts.is_empty() {
        return None;
    }
    let of = |nth: &u32| {
        let draw = draw.at(u64::from(*nth));
        let sums = (0..parts.len() as u64).fold((0.0, 0.0), |(above, below), place| {
            let part = parts[draw.below(place, parts.len())];
            (above + part.0, below + part.1)
        });
        ratio(sums)
    };
    let samples: Vec<u32> = (0..RESAMPLES).collect();
    let mut found: Vec<f64> = super::parallel::map(&samples, threads, of)
        .into_iter()
        .flatten()
        .collect();
    central(&mut found, level)
}

/// A sum over a sum; none where the second is not above 0.
#[must_use]
pub fn ratio((above, below): (f64, f64)) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

/// The interval of a mean.
#[must_use]
pub fn mean_interval(values: &[f64], level: f64, draw: Stream) -> Option<Interval> {
    interval(values.len(), RESAMPLES, level, draw, |sample| {
        mean(sample.iter().map(|&index| values[index]))
    })
}

/// The mean; none of nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then(|| sum / n)
}

/// A quantile of sorted numbers, interpolated between neighbours (definition 7 of Hyndman and Fan, Sample Quantiles in
/// Statistical Packages, 1996); none of nothing.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place among the numbers"
)]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let numbers = [1.0, 2.0, 4.0, 8.0];
        for (share, value) in [(0.0, 1.0), (0.5, 3.0), (1.0 / 3.0, 2.0), (1.0, 8.0)] {
            let found = quantile(&numbers, share).unwrap();
            assert!((found - value).abs() < 1e-12, "{share}: {found}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.9), Some(7.0));
    }

    #[test]
    fn intervals_of_means_are_as_wide_as_theory_has_it() {
        let draw = Stream::root(3);
        let values: Vec<f64> = (0..400).map(|n| draw.child("value").unit(n)).collect();
        let centre = mean(values.iter().copied()).unwrap();
        let Interval { low, high } = mean_interval(&values, 0.95, draw.child("boot")).unwrap();
        assert!(low < centre && centre < high);
        // Two times 1.96 standard errors of a uniform number: 1 / √12, of 400.
        let width = 2.0 * 1.96 / 12f64.sqrt() / 20.0;
        assert!(((high - low) / width - 1.0).abs() < 0.12, "{}", high - low);
        let again = mean_interval(&values, 0.95, draw.child("boot")).unwrap();
        assert_eq!(
            (low.to_bits(), high.to_bits()),
            (again.low.to_bits(), again.high.to_bits())
        );
        let narrow = mean_interval(&values, 0.5, draw.child("boot")).unwrap();
        assert!(narrow.low > low && narrow.high < high);
    }

    #[test]
    fn intervals_of_ratios_are_those_of_means_where_all_weigh_the_same() {
        let draw = Stream::root(4);
        let values: Vec<f64> = (0..90).map(|n| draw.child("value").unit(n)).collect();
        let parts: Vec<(f64, f64)> = values.iter().map(|value| (*value, 1.0)).collect();
        let mean = mean_interval(&values, 0.95, draw).unwrap();
        for threads in [1, 2, 5] {
            let found = ratio_interval(&parts, 0.95, draw, threads).unwrap();
            assert!((found.low - mean.low).abs() < 1e-12 && (found.high - mean.high).abs() < 1e-12);
        }
        // One thing that weighs nothing but has all: samples that hold only it have no ratio.
        let found = ratio_interval(&[(1.0, 0.0), (1.0, 1.0)], 1.0, draw, 1).unwrap();
        assert!((found.low - 1.0).abs() < 1e-12 && (found.high - 2.0).abs() < 1e-12);
        assert_eq!(ratio_interval(&[(1.0, 0.0)], 0.95, draw, 1), None);
        assert_eq!(ratio_interval(&[], 0.95, draw, 1), None);
    }

    #[test]
    fn samples_without_a_value_do_not_count_and_nothing_has_none() {
        let draw = Stream::root(1);
        assert_eq!(mean_interval(&[], 0.95, draw), None);
        assert_eq!(interval(3, 10, 0.95, draw, |_| None), None);
        // Only samples that have the first thing count, and all of them say one.
        let found = interval(3, 100, 0.95, draw, |sample| {
            sample.contains(&0).then_some(1.0)
        });
        assert_eq!(
            found,
            Some(Interval {
                low: 1.0,
                high: 1.0
            })
        );
    }
}
