//! What models need of memory, and how page pools share it.

use super::load::{LEAST_POOL_TOKENS, POOL_TOKENS};
use super::memory::Memory;
use crate::kernels::PAGE_TOKENS;

/// What a model needs of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Of weights, packed.
    pub weight_bytes: u64,
    /// Of keys and values per token.
    pub token_bytes: u64,
    /// Tokens of the smallest pool that will do.
    pub least_tokens: usize,
    /// Pages that one conversation reserves, times four: what a model that is only asked now and then needs is less.
    pub quarter_pages: usize,
}

impl Demand {
    /// `views` are those of one conversation (tokens each), `calls` those of single calls beside conversations.
    #[must_use]
    pub fn new(weight_bytes: u64, token_bytes: u64, views: &[usize], calls: &[usize]) -> Self {
        let alone = calls.iter().map(|call| Memory::worst_case(&[*call])).max();
        let call = alone.unwrap_or(0);
        let talk = if views.is_empty() {
            0
        } else {
            Memory::worst_case(views)
        };
        let least = Memory::pool_for(talk.max(call)) * PAGE_TOKENS;
        Self {
            weight_bytes,
            token_bytes,
            least_tokens: least.clamp(LEAST_POOL_TOKENS, POOL_TOKENS),
            quarter_pages: (4 * talk).max(call).max(1),
        }
    }

    /// Bytes without which the model is of no use.
    #[must_use]
    pub fn least_bytes(&self) -> u64 {
        self.weight_bytes + self.least_tokens as u64 * self.token_bytes
    }

    /// What one conversation weighs in this model's pool, in bytes; only its ratio to others' counts.
    fn weight(&self) -> u128 {
        self.quarter_pages as u128 * u128::from(self.token_bytes)
    }
}

/// Tokens of each model's pool when they share `budget` bytes: in proportion to what one conversation takes of each, so that
/// the same number of conversations fits in all, but no pool smaller than it must be nor larger than pools get. None when the
/// models do not fit together.
#[must_use]
pub fn split(budget: u64, demands: &[Demand]) -> Option<Vec<usize>> {
    let weights: u64 = demands.iter().map(|demand| demand.weight_bytes).sum();
    let mut left = budget.checked_sub(weights)?;
    let bytes = |demand: &Demand, tokens: usize| tokens as u64 * demand.token_bytes;
    let least: u64 = demands.iter().map(|d| bytes(d, d.least_tokens)).sum();
    if least > left {
        return None;
    }
    let mut pools: Vec<Option<usize>> = vec![None; demands.len()];
    loop {
        let open = || (0..demands.len()).filter(|&i| pools[i].is_none());
        let total: u128 = open().map(|i| demands[i].weight()).sum();
        let share = |i: usize| {
            let share = u128::from(left) * demands[i].weight() / total.max(1);
            let tokens = share / u128::from(demands[i].token_bytes.max(1));
            usize::try_from(tokens).unwrap_or(usize::MAX)
        };
        // Those that must have more come first: what they take, the others lack.
        let short = open().find(|&i| share(i) < demands[i].least_tokens);
        let settled = match short {
            Some(i) => Some((i, demands[i].least_tokens)),
            None => open()
                .find(|&i| share(i) > POOL_TOKENS)
                .map(|i| (i, POOL_TOKENS)),
        };
        let Some((i, tokens)) = settled else {
            let rest: Vec<usize> = (0..demands.len())
                .map(|i| pools[i].unwrap_or_else(|| share(i)))
                .collect();
            return Some(rest);
        };
        pools[i] = Some(tokens);
        left = left.saturating_sub(bytes(&demands[i], tokens));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pools_are_in_proportion_to_conversations() {
        let big = Demand::new(1_000_000, 400, &[3000], &[]);
        let small = Demand::new(100_000, 100, &[1000], &[]);
        let pools = split(41_100_000, &[big, small]).unwrap();
        let talks = |pool: usize, view: usize| pool / PAGE_TOKENS / Memory::worst_case(&[view]);
        assert_eq!(talks(pools[0], 3000), talks(pools[1], 1000), "{pools:?}");
        let taken = pools[0] as u64 * 400 + pools[1] as u64 * 100;
        assert!((39_990_000..=40_000_000).contains(&taken), "{taken}");
        // A pool that is as large as pools get leaves the rest to the others.
        let pools = split(400_000_000, &[big, small]).unwrap();
        assert_eq!(pools, [POOL_TOKENS; 2]);
        // A model that only writes questions takes less than one that talks, but a whole call has room.
        let asks = Demand::new(0, 100, &[], &[6000]);
        let talks = Demand::new(0, 100, &[6000], &[]);
        let pools = split(4_000_000, &[asks, talks]).unwrap();
        assert!(pools[0] >= 6000 && pools[1] > 3 * pools[0], "{pools:?}");
        assert_eq!(split(1_000_000, &[asks, talks]), None);
    }

    proptest! {
        /// Whatever is asked for, pools fit the budget and are large enough, or it is told that they cannot be.
        #[test]
        fn pools_fit_and_suffice(
            budget in 0u64..5_000_000_000,
            models in prop::collection::vec((0u64..1_000_000_000, 1u64..200_000, 0usize..40_000, 0usize..20_000), 1..5),
        ) {
            let demands: Vec<Demand> = models
                .iter()
                .map(|(weights, token, view, call)| {
                    let views = (*view > 0).then_some(*view);
                    Demand::new(*weights, *token, views.as_slice(), &[*call])
                })
                .collect();
            let least: u64 = demands.iter().map(Demand::least_bytes).sum();
            match split(budget, &demands) {
                None => prop_assert!(least > budget),
                Some(pools) => {
                    prop_assert!(least <= budget);
                    let taken: u64 = pools.iter().zip(&demands).map(|(pool, d)| d.weight_bytes + *pool as u64 * d.token_bytes).sum();
                    prop_assert!(taken <= budget, "{taken} of {budget}: {pools:?}");
                    for (pool, demand) in pools.iter().zip(&demands) {
                        prop_assert!(*pool >= demand.least_tokens && *pool <= POOL_TOKENS);
                    }
                }
            }
        }
    }
}
