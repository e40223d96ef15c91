//! Profile `q4`: 4-bit codes with a scale and a minimum per 32 values, in the format of Q4_K.
//!
//! A block's scale and minimum are sought by least squares: for a given pair the nearest codes, for given codes the best pair
//! (two normal equations), in turn, from several starts. Both become steps of 8 bits, where Q4_K files have 6.

use half::f16;

use super::super::BlockKind;
use super::super::format::{BLOCK, Group};

/// The largest code and the largest step.
const CODES: f32 = 15.0;
const STEPS: f32 = 255.0;
/// How many codes' worth of the range the search begins with leaving out, at the lower end and in all: a block's ends are
/// seldom worth a wider step.
const STARTS: [(f32, f32); 4] = [(0.0, 0.0), (0.3, 0.6), (0.7, 1.4), (1.2, 2.4)];
/// Rounds of fitting from each start.
const ROUNDS: usize = 2;

/// A scale and a minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pair {
    pub scale: f32,
    pub minimum: f32,
}

/// The codes of at most 256 values.
pub(super) fn group(values: &[f32]) -> Group {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        unsafe fn wide(values: &[f32]) -> Group {
            group_by(values, fit)
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: found on this processor; the same operations, none of them fused.
            return unsafe { wide(values) };
        }
    }
    group_by(values, fit)
}

/// As [`group`], with the pairs that `fit` finds.
#[inline(always)]
pub(super) fn group_by(values: &[f32], fit: impl Fn(&Block) -> Pair) -> Group {
    let mut out = Group::empty(BlockKind::Q4K.format());
    if !values.iter().all(|v| v.is_finite()) {
        // What is not a number stays none.
        out.units = [f16::NAN.to_bits(); 2];
        return out;
    }
    let mut pairs = [Pair::default(); 8];
    for (pair, values) in pairs.iter_mut().zip(values.chunks(BLOCK)) {
        *pair = fit(&Block::new(values));
    }
    let units = [
        unit(pairs.iter().fold(0.0, |a, pair| a.max(pair.scale))),
        unit(pairs.iter().fold(0.0, |a, pair| a.max(pair.minimum))),
    ];
    out.units = units.map(f16::to_bits);
    let units = units.map(f16::to_f32);
    for (at, values) in values.chunks(BLOCK).enumerate() {
        let steps = [
            steps(pairs[at].scale, units[0]),
            steps(pairs[at].minimum, units[1]),
        ];
        out.scales[at][0] = u16::from(steps[0]);
        out.minima[at][0] = u16::from(steps[1]);
        let pair = Pair {
            scale: f32::from(steps[0]) * units[0],
            minimum: f32::from(steps[1]) * units[1],
        };
        let codes = pair.codes(&Block::new(values).values);
        for (out, code) in out.codes[at * BLOCK..]
            .iter_mut()
            .zip(codes)
            .take(values.len())
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0..=15, integral"
            )]
            let code = code as u8;
            *out = code;
        }
    }
    out
}

/// The smallest unit of which no more than 255 make `largest`.
fn unit(largest: f32) -> f16 {
    let unit = f16::from_f32(largest / STEPS);
    if unit.to_f32() * STEPS < largest {
        f16::from_bits(unit.to_bits() + 1)
    } else {
        unit
    }
}

fn steps(number: f32, unit: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0..=255, integral; a unit of 0 gives 0"
    )]
    if unit > 0.0 {
        (number / unit).round_ties_even().clamp(0.0, STEPS) as u8
    } else {
        0
    }
}

/// At most 32 values, then zeroes that do not count.
pub(super) struct Block {
    pub values: [f32; BLOCK],
    counts: [f32; BLOCK],
    n: f32,
}

impl Block {
    pub(super) fn new(values: &[f32]) -> Self {
        let mut out = Self {
            values: [0.0; BLOCK],
            counts: [0.0; BLOCK],
            n: 0.0,
        };
        out.values[..values.len()].copy_from_slice(values);
        out.counts[..values.len()].fill(1.0);
        out.n = sum(&out.counts);
        out
    }

    /// The least and the largest value, the former not above zero: what is taken off is never negative.
    fn ends(&self) -> (f32, f32) {
        let least = self.values.iter().copied().fold(0.0, f32::min);
        let largest = self.values[..].iter().zip(&self.counts);
        let largest = largest.map(|(v, n)| if *n > 0.0 { *v } else { f32::MIN });
        (least, largest.fold(f32::MIN, f32::max))
    }
}

impl Pair {
    /// The whole range in 15 steps.
    pub(super) fn of_range(block: &Block) -> Self {
        let (least, largest) = block.ends();
        Self {
            scale: (largest.max(least) - least) / CODES,
            minimum: -least,
        }
    }

    /// The nearest codes.
    #[inline(always)]
    fn codes(self, values: &[f32; BLOCK]) -> [f32; BLOCK] {
        let inverse = if self.scale > 0.0 {
            1.0 / self.scale
        } else {
            0.0
        };
        // Adding 1.5 · 2^23 leaves no room for a fraction: rounded to the nearest, ties to even.
        let whole = 12_582_912.0;
        values.map(|v| (((v + self.minimum) * inverse).clamp(0.0, CODES) + whole) - whole)
    }

    /// The sum of squared errors with the nearest codes, and the best pair for these codes.
    #[inline(always)]
    pub(super) fn fitted(self, block: &Block) -> (f32, Self) {
        let codes = self.codes(&block.values);
        let (mut q, mut qq, mut qv) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        let (mut v, mut errors) = ([0.0; BLOCK], [0.0; BLOCK]);
        for j in 0..BLOCK {
            let (n, value) = (block.counts[j], block.values[j]);
            let error = codes[j] * self.scale - self.minimum - value;
            errors[j] = error * error * n;
            q[j] = codes[j] * n;
            qq[j] = q[j] * codes[j];
            qv[j] = q[j] * value;
            v[j] = value;
        }
        let (q, qq, qv, v) = (sum(&q), sum(&qq), sum(&qv), sum(&v));
        let scale = (block.n * qv - q * v) / (block.n * qq - q * q);
        let minimum = (scale * q - v) / block.n;
        let next = if minimum > 0.0 {
            Self { scale, minimum }
        } else {
            Self {
                scale: qv / qq,
                minimum: 0.0,
            }
        };
        (sum(&errors), next)
    }
}

/// By halves: 16 + 16, 8 + 8, and so on.
#[inline(always)]
fn sum(numbers: &[f32; BLOCK]) -> f32 {
    let mut sums = *numbers;
    let mut half = BLOCK / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}

/// The pair of least squared error that the search finds.
#[inline(always)]
pub(super) fn fit(block: &Block) -> Pair {
    let range = Pair::of_range(block);
    let mut best = (f32::INFINITY, range);
    if range.scale <= 0.0 {
        return range;
    }
    for (low, all) in STARTS {
        let scale = range.scale * (CODES - all) / CODES;
        let mut pair = Pair {
            scale,
            minimum: (range.minimum - low * range.scale).max(0.0),
        };
        for _ in 0..=ROUNDS {
            let (error, next) = pair.fitted(block);
            if error < best.0 {
                best = (error, pair);
            }
            // Codes that are all alike fit any scale.
            if !next.scale.is_finite() || next.scale <= 0.0 {
                break;
            }
            pair = next;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// About normal, as trained weights are; `tail` above 1 widens the tails.
    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    fn weights(n: usize, tail: i32, shift: f64) -> Vec<f32> {
        let stream = Stream::root(4).child("weights");
        (0..n as u64)
            .map(|i| {
                let normal: f64 = (0..12).map(|j| stream.unit(12 * i + j)).sum::<f64>() - 6.0;
                (0.02 * (normal.abs().powi(tail).copysign(normal) + shift)) as f32
            })
            .collect()
    }

    /// The mean squared error of what comes back, over the mean square.
    fn loss(values: &[f32], fit: impl Fn(&Block) -> Pair) -> f64 {
        let (mut error, mut size) = (0.0, 0.0);
        for values in values.chunks(256) {
            let group = group_by(values, &fit);
            for (block, values) in values.chunks(BLOCK).enumerate() {
                let mut back = [0.0; BLOCK];
                group.numbers(BlockKind::Q4K.format(), block, &mut back);
                for (value, back) in values.iter().zip(back) {
                    error += f64::from(value - back).powi(2);
                    size += f64::from(*value).powi(2);
                }
            }
        }
        error / size
    }

    #[test]
    fn the_search_loses_less_than_rounding_over_the_range() {
        for (tail, shift, most) in [
            (1, 0.0, 0.87),
            (2, 0.0, 0.80),
            (1, 1.0, 0.87),
            (1, -8.0, 0.87),
        ] {
            let values = weights(1 << 16, tail, shift);
            let (sought, range) = (loss(&values, fit), loss(&values, Pair::of_range));
            println!(
                "tail {tail}, shift {shift}: {sought:.5} of the square lost, over the range {range:.5}"
            );
            assert!(sought < most * range, "tail {tail}: {sought} {range}");
        }
    }

    #[test]
    fn what_codes_can_hold_comes_back() {
        // Sixteen levels, on steps that the units can hold.
        let levels: Vec<f32> = (0..32u8).map(|j| f32::from(j % 16) * 0.5 - 2.0).collect();
        // Constants, and less than a block.
        for values in [
            levels,
            vec![-0.75; 40],
            vec![0.0; 256],
            vec![3.0; 5],
            vec![],
        ] {
            let group = group(&values);
            for (block, values) in values.chunks(BLOCK).enumerate() {
                let mut back = [0.0; BLOCK];
                group.numbers(BlockKind::Q4K.format(), block, &mut back);
                for (value, back) in values.iter().zip(back) {
                    assert!((value - back).abs() <= 4e-3 * value.abs(), "{value} {back}");
                }
            }
        }
    }

    #[test]
    fn no_search_is_worse_for_a_block_than_the_range_and_none_passes_nan() {
        let values = weights(1 << 13, 3, 0.3);
        for values in values.chunks(BLOCK) {
            let block = Block::new(values);
            let (sought, _) = fit(&block).fitted(&block);
            let (range, _) = Pair::of_range(&block).fitted(&block);
            assert!(sought <= range, "{sought} {range}");
        }
        for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
            let mut values = vec![0.5; 64];
            values[40] = bad;
            let mut back = [0.0; BLOCK];
            group(&values).numbers(BlockKind::Q4K.format(), 1, &mut back);
            assert!(back.iter().all(|v| !v.is_finite()), "{bad} {back:?}");
        }
    }

    #[test]
    fn both_ways_of_compiling_agree() {
        for (n, tail) in [(256, 1), (250, 2), (33, 3), (7, 1)] {
            let values = weights(n, tail, 0.1);
            let (a, b) = (group(&values), group_by(&values, fit));
            assert_eq!((a.codes, a.units), (b.codes, b.units));
            assert_eq!((a.scales, a.minima), (b.scales, b.minima));
        }
    }
}
