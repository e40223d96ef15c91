use super::quota::{Quota, share_weights};
use super::support_plan::AXES;
use crate::record::Cause;
use crate::rng::Stream;
use crate::settings::Shares;

/// Why the places planned unresolved are to end so: among those, in plan order, every cause is within less than one of its
/// exact share, and it is spread over the values of each axis as evenly as that allows.
#[derive(Clone, Debug)]
pub(super) struct Causes {
    all: Vec<Cause>,
    quota: Quota,
    /// How often a cause has met a value, by axis: `[axis][value * all + cause]`.
    met: [Vec<u32>; AXES],
}

impl Causes {
    /// `sizes` are the numbers of values of the axes.
    pub(super) fn new(shares: &Shares<Cause>, sizes: [usize; AXES]) -> Self {
        let all: Vec<Cause> = shares.values().copied().collect();
        Self {
            quota: Quota::new(share_weights(shares)),
            met: sizes.map(|size| vec![0; size * all.len()]),
            all,
        }
    }

    /// The cause of the next place planned unresolved, whose value on each axis is `chosen`.
    pub(super) fn choose(&mut self, chosen: &[usize; AXES], draw: Stream) -> Cause {
        let mut safe = Vec::new();
        self.quota.safe(&mut safe);
        let scores: Vec<f64> = safe.iter().map(|at| self.wanted(*at, chosen)).collect();
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ties: Vec<usize> = safe
            .iter()
            .zip(&scores)
            .filter(|(_, score)| **score > best - 1e-9)
            .map(|(at, _)| *at)
            .collect();
        let cause = *draw.pick(0, &ties);
        self.quota.serve(cause);
        for (met, value) in self.met.iter_mut().zip(chosen) {
            met[value * self.all.len() + cause] += 1;
        }
        self.all[cause]
    }

    /// How far a cause is behind its share beside these values.
    fn wanted(&self, cause: usize, chosen: &[usize; AXES]) -> f64 {
        let behind = |(met, value): (&Vec<u32>, &usize)| {
            let met = &met[value * self.all.len()..][..self.all.len()];
            let places = f64::from(met.iter().sum::<u32>() + 1);
            places * self.quota.share(cause) - f64::from(met[cause])
        };
        self.met.iter().zip(chosen).map(behind).sum()
    }
}
