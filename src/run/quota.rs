use std::ops::Range;

use crate::settings::{ShareName, Shares};

/// Serves values in proportion to their weights, one after the other, such that after every step each value has been
/// served within less than one of its exact share; among the values that keep that promise, the caller chooses.
///
/// This is the single-machine case of proportionate-progress scheduling (Baruah, Cohen, Plaxton, Varvel, *Algorithmica* 15,
/// 1996): the j-th service of a value with share s belongs into the window of steps `((j-1)/s, j/s]`, its end rounded up,
/// and a choice is safe when every set of windows that ends by some step D still fits between now and D.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    weights: Vec<u64>,
    total: u64,
    served: Vec<u64>,
    /// Last step by which the next service of each value must have come.
    deadlines: Vec<u64>,
    step: u64,
    /// Scratch: services due by each step ahead.
    due: Vec<u32>,
}

/// Steps looked ahead at most. Shares smaller than one in this many may stray a little over one from exact.
const HORIZON: u64 = 1 << 12;

impl Quota {
    /// Weights must be positive and their sum below 2^32.
    pub(super) fn new(weights: Vec<u64>) -> Self {
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        let weights: Vec<u64> = weights.into_iter().map(|weight| weight / divisor).collect();
        let total: u64 = weights.iter().sum();
        let deadlines = weights
            .iter()
            .map(|weight| total.div_ceil(*weight))
            .collect();
        Self {
            served: vec![0; weights.len()],
            deadlines,
            weights,
            total,
            step: 0,
            due: Vec::new(),
        }
    }

    /// The share of a value.
    #[expect(clippy::cast_precision_loss, reason = "sums below 2^32 are exact")]
    pub(super) fn share(&self, value: usize) -> f64 {
        self.weights[value] as f64 / self.total as f64
    }

    pub(super) fn values(&self) -> Range<usize> {
        0..self.weights.len()
    }

    /// How far behind its exact share a value would be after the next step if it were not served: below 1, above -1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "only compared; steps and sums are far below 2^53"
    )]
    pub(super) fn deficit(&self, value: usize) -> f64 {
        (self.step + 1) as f64 * self.share(value) - self.served[value] as f64
    }

    /// Fills `safe` with the values that may be served next; never empty.
    pub(super) fn safe(&mut self, safe: &mut Vec<usize>) {
        let now = self.step + 1;
        let latest = if self.is_even() {
            0
        } else {
            self.first_full_deadline(now)
        };
        safe.clear();
        let open = |value: &usize| self.served[*value] * self.total < now * self.weights[*value];
        safe.extend(
            self.values()
                .filter(open)
                .filter(|value| latest == 0 || self.deadlines[*value] <= latest),
        );
        if safe.is_empty() {
            // Only beyond the horizon: the most urgent value.
            safe.extend(self.values().min_by_key(|value| self.deadlines[*value]));
        }
    }

    /// With equal weights the windows are blocks, and any value that is open fits.
    fn is_even(&self) -> bool {
        self.weights.iter().all(|weight| *weight == 1)
    }

    /// The first step D such that the services due by D fill every step from now to D, or 0 if there is none: one of those
    /// services must be next.
    fn first_full_deadline(&mut self, now: u64) -> u64 {
        let last = self
            .deadlines
            .iter()
            .copied()
            .max()
            .unwrap_or(now)
            .min(now + HORIZON);
        self.due.clear();
        self.due.resize(
            usize::try_from(last.saturating_sub(now)).unwrap_or(0) + 1,
            0,
        );
        for (value, weight) in self.weights.iter().enumerate() {
            let mut nth = self.served[value] + 1;
            let mut deadline = self.deadlines[value];
            while deadline <= last {
                self.due[usize::try_from(deadline.saturating_sub(now)).unwrap_or(0)] += 1;
                nth += 1;
                deadline = (nth * self.total).div_ceil(*weight);
            }
        }
        let (mut due, mut room) = (0u64, 0u64);
        for (ahead, count) in (0u64..).zip(&self.due) {
            due += u64::from(*count);
            room += 1;
            if due >= room {
                return now + ahead;
            }
        }
        0
    }

    /// Serves a value.
    pub(super) fn serve(&mut self, value: usize) {
        self.step += 1;
        self.served[value] += 1;
        self.deadlines[value] =
            ((self.served[value] + 1) * self.total).div_ceil(self.weights[value]);
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Shares as whole numbers: exact where the shares have up to six decimals, else to one part in a million of the sum.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bounded by the sum of 2^24"
)]
pub(super) fn weights(shares: &[f64]) -> Vec<u64> {
    const LARGEST: f64 = (1u64 << 24) as f64;
    let sum: f64 = shares.iter().sum();
    for scale in [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6] {
        let whole = |share: &f64| {
            ((share * scale).round() - share * scale).abs() <= 1e-9 * share * scale
                && share * scale >= 0.5
        };
        if sum * scale <= LARGEST && shares.iter().all(whole) {
            return shares
                .iter()
                .map(|share| (share * scale).round() as u64)
                .collect();
        }
    }
    shares
        .iter()
        .map(|share| ((share / sum * 1e6).round() as u64).max(1))
        .collect()
}

/// A table of shares as whole numbers.
pub(super) fn share_weights<T: ShareName>(shares: &Shares<T>) -> Vec<u64> {
    weights(
        &shares
            .entries()
            .iter()
            .map(|(_, share)| *share)
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Stream;

    #[test]
    fn shares_become_whole() {
        assert_eq!(weights(&[0.5, 0.25, 0.25]), [50, 25, 25]);
        assert_eq!(weights(&[1.0, 2.0]), [1, 2]);
        assert_eq!(weights(&[0.7, 0.2, 0.1]), [7, 2, 1]);
        assert_eq!(weights(&[1.0 / 3.0, 2.0 / 3.0]), [333_333, 666_667]);
        assert_eq!(weights(&[1e-12, 1e12]), [1, 1_000_000]);
    }

    proptest! {
        /// Any choice among the safe values keeps every prefix within less than one of exact.
        #[test]
        fn every_prefix_is_within_one(weights in prop::collection::vec(1u64..40, 1..9), seed: u64) {
            let total: u64 = weights.iter().sum();
            let mut quota = Quota::new(weights.clone());
            let mut counts = vec![0u64; weights.len()];
            let mut safe = Vec::new();
            for step in 1..=400u64 {
                quota.safe(&mut safe);
                let value = *Stream::root(seed).pick(step, &safe);
                quota.serve(value);
                counts[value] += 1;
                for (count, weight) in counts.iter().zip(&weights) {
                    prop_assert!((count * total).abs_diff(step * weight) < total, "step {} counts {:?} of {:?}", step, counts, weights);
                }
            }
        }
    }
}
