//! Top-p without a sort: bands of weights, each a fraction of the one before, close in on the nucleus's edge.

use crate::kernels::InstructionSet;
use crate::kernels::select::{chunk_sums, split_band};

/// Bands as short as this are sorted.
const SHORT: usize = 256;
/// Weights looked at to guess where the edge lies, and how far off the guess may be, as a share of the band's weight.
const SAMPLE: usize = 256;
const DOUBT: f64 = 0.06;
/// Rounds before whatever is left is sorted.
const ROUNDS: usize = 16;

/// The lightest weight of the nucleus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub weight: f32,
    /// How many weights equal it, and how many of them are in.
    pub equal: usize,
    pub ties: usize,
}

/// Room for the bands.
#[derive(Default)]
pub(super) struct Bands {
    band: Vec<f32>,
    next: Vec<f32>,
    sample: Vec<f32>,
    sums: Vec<f64>,
}

impl Bands {
    /// The edge of the fewest heaviest of `weights` (`whole` is their sum) that together reach `target`; of all when nothing
    /// does.
    pub(super) fn edge(
        &mut self,
        weights: &[f32],
        whole: f64,
        target: f64,
        set: InstructionSet,
    ) -> Edge {
        // The edge is among the band's weights; those above the band sum to less than the target.
        let (mut len, mut whole, mut above, mut first) = (weights.len(), whole, 0.0, true);
        for _ in 0..ROUNDS {
            let band = if first { weights } else { &self.band[..len] };
            if len <= SHORT {
                break;
            }
            let (from, below) = guess(band, whole, target - above, &mut self.sample);
            let (mut found, heavier) = split_band(band, from, below, &mut self.next, set);
            let rest = if above + heavier >= target {
                (found, _) = split_band(band, below, f32::INFINITY, &mut self.next, set);
                (above, heavier)
            } else {
                chunk_sums(&self.next[..found], 0.0, &mut self.sums, set);
                let middle = self.sums.iter().sum::<f64>();
                if above + heavier + middle < target {
                    (found, _) = split_band(band, 0.0, from, &mut self.next, set);
                    (above + heavier + middle, whole - heavier - middle)
                } else {
                    (above + heavier, middle)
                }
            };
            // Equal weights, or a target that only rounding keeps from being reached.
            if found == len || found == 0 {
                break;
            }
            (above, whole) = rest;
            std::mem::swap(&mut self.band, &mut self.next);
            (len, first) = (found, false);
        }
        let band = if first { weights } else { &self.band[..len] };
        self.sample.clear();
        self.sample.extend_from_slice(band);
        last_in(&mut self.sample, above, target)
    }
}

/// Two weights between which the edge of a band is likely to lie.
fn guess(band: &[f32], whole: f64, wanted: f64, sample: &mut Vec<f32>) -> (f32, f32) {
    sample.clear();
    sample.extend(band.iter().step_by(band.len() / SAMPLE));
    sample.sort_unstable_by(|a, b| b.total_cmp(a));
    let sampled: f64 = sample.iter().map(|&w| f64::from(w)).sum();
    let share = wanted / whole;
    let at = |share: f64, otherwise: f32| {
        let mut sum = 0.0;
        sample
            .iter()
            .find(|&&w| {
                sum += f64::from(w);
                sum >= share * sampled
            })
            .map_or(otherwise, |&w| w)
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a bound that is a little low does no harm"
    )]
    // Weights below this are left out together: even all of them weigh less than what need not be in.
    let light = ((whole - wanted) / band.len() as f64 * 0.999) as f32;
    let (from, below) = (at(share + DOUBT, 0.0), at(share - DOUBT, 0.0));
    if below > from.max(light) {
        (from.max(light), below)
    } else if light > from {
        (light, f32::INFINITY)
    } else {
        (from, from.next_up())
    }
}

/// The edge among the weights of a band, of which the heaviest are taken until the target is reached.
fn last_in(band: &mut [f32], above: f64, target: f64) -> Edge {
    band.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut sum = above;
    let last = band
        .iter()
        .position(|&w| {
            sum += f64::from(w);
            sum >= target
        })
        .unwrap_or(band.len() - 1);
    let weight = band[last];
    let first = band.partition_point(|&w| w > weight);
    let after = band.partition_point(|&w| w >= weight);
    Edge {
        weight,
        equal: after - first,
        ties: last + 1 - first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Weights on a grid, so that every sum is exact.
    fn weights(n: usize, kind: usize) -> Vec<f32> {
        const GRID: f32 = 1_048_576.0;
        let s = Stream::root(kind as u64);
        (0..n)
            .map(|i| {
                #[expect(clippy::cast_possible_truncation, reason = "test data")]
                let unit = s.unit(i as u64) as f32;
                let weight = match kind {
                    0 => unit,
                    1 => (-14.0 * unit).exp(),
                    2 => 0.25,
                    3 => [1.0, 0.125, 0.001][i % 3],
                    4 => f32::from(u8::from(i == n / 2)),
                    _ => unit.powi(40),
                };
                (weight * GRID).ceil().max(1.0) / GRID
            })
            .collect()
    }

    #[test]
    fn edges_match_a_full_sort() {
        let mut bands = Bands::default();
        for n in [1, 2, 255, 256, 257, 600, 5000, 40_000] {
            for kind in 0..6 {
                let weights = weights(n, kind);
                let whole: f64 = weights.iter().map(|&w| f64::from(w)).sum();
                for share in [0.0, 1e-6, 0.1, 0.5, 0.9, 0.99, 0.999_999, 1.0, 1.000_001] {
                    let want = last_in(&mut weights.clone(), 0.0, share * whole);
                    for set in InstructionSet::available() {
                        let got = bands.edge(&weights, whole, share * whole, set);
                        let facts = |e: Edge| (e.weight.to_bits(), e.equal, e.ties);
                        assert_eq!(facts(got), facts(want), "{n} {kind} {share}");
                    }
                }
            }
        }
    }
}
