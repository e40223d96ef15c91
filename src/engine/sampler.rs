//! From logits to a token: penalties, temperature, top-k, top-p, min-p, then one uniform number against the kept set.

use super::{Sampling, TokenId};
use crate::kernels::{InstructionSet, exp_in_place};

/// Tokens this many nats (after temperature) below the likeliest are never drawn: 1e-13 of its probability.
const CUTOFF: f32 = 30.0;

/// A row of logits held NaN or infinity, or nothing that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    #[error("the logits hold NaN or infinity")]
    NotFinite,
    #[error("no token is allowed here")]
    NothingAllowed,
}

/// Draws a token. `recent` are the ids that the repetition penalty applies to; `allowed` says which ids may be drawn;
/// `uniform` is in `[0, 1)`. Ties go to the lower id.
///
/// # Errors
/// When a logit is not finite or no id is allowed.
pub fn sample(
    logits: &[f32],
    sampling: &Sampling,
    recent: &[TokenId],
    allowed: impl Fn(TokenId) -> bool,
    uniform: f64,
    set: InstructionSet,
) -> Result<TokenId, SampleError> {
    if !logits.iter().all(|l| l.is_finite()) {
        return Err(SampleError::NotFinite);
    }
    let mut penalised: Vec<TokenId> = Vec::new();
    if (sampling.repetition_penalty - 1.0).abs() > f32::EPSILON {
        penalised.extend_from_slice(recent);
        penalised.sort_unstable();
        penalised.dedup();
    }
    let logit = |id: usize| {
        let raw = logits[id];
        #[expect(
            clippy::cast_possible_truncation,
            reason = "vocabularies are far below 2^32"
        )]
        let hit = !penalised.is_empty() && penalised.binary_search(&(id as TokenId)).is_ok();
        match (hit, raw > 0.0) {
            (false, _) => raw,
            (true, true) => raw / sampling.repetition_penalty,
            (true, false) => raw * sampling.repetition_penalty,
        }
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "vocabularies are far below 2^32"
    )]
    let permitted = || (0..logits.len()).filter(|&id| allowed(id as TokenId));
    let mut best: Option<(usize, f32)> = None;
    for id in permitted() {
        let l = logit(id);
        if best.is_none_or(|(_, b)| l > b) {
            best = Some((id, l));
        }
    }
    let (top, peak) = best.ok_or(SampleError::NothingAllowed)?;
    if sampling.temperature <= 0.0 {
        return Ok(TokenId::try_from(top).expect("vocabularies are far below 2^32"));
    }
    let floor = peak - CUTOFF * sampling.temperature;
    let mut kept: Vec<(TokenId, f32)> = Vec::new();
    for id in permitted() {
        let l = logit(id);
        if l >= floor {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "vocabularies are far below 2^32"
            )]
            kept.push((id as TokenId, (l - peak) / sampling.temperature));
        }
    }
    let by_weight =
        |a: &(TokenId, f32), b: &(TokenId, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if sampling.top_k > 0 && sampling.top_k < kept.len() {
        kept.select_nth_unstable_by(sampling.top_k - 1, by_weight);
        kept.truncate(sampling.top_k);
        kept.sort_unstable_by_key(|&(id, _)| id);
    }
    let mut weights: Vec<f32> = kept.iter().map(|&(_, l)| l).collect();
    exp_in_place(&mut weights, set);
    kept.iter_mut().zip(&weights).for_each(|(k, &w)| k.1 = w);
    if sampling.top_p < 1.0 {
        keep_nucleus(&mut kept, f64::from(sampling.top_p), by_weight);
    }
    if sampling.min_p > 0.0 {
        // The likeliest token's weight is 1.
        kept.retain(|&(_, w)| w >= sampling.min_p);
    }
    kept.sort_unstable_by_key(|&(id, _)| id);
    let target = uniform * kept.iter().map(|&(_, w)| f64::from(w)).sum::<f64>();
    let mut sum = 0.0;
    for &(id, w) in &kept {
        sum += f64::from(w);
        if sum > target {
            return Ok(id);
        }
    }
    kept.last()
        .map(|&(id, _)| id)
        .ok_or(SampleError::NothingAllowed)
}

/// Keeps the fewest likeliest tokens whose weight reaches `p` of the whole. Sorts only as many as it must.
fn keep_nucleus(
    kept: &mut Vec<(TokenId, f32)>,
    p: f64,
    by_weight: impl Fn(&(TokenId, f32), &(TokenId, f32)) -> std::cmp::Ordering + Copy,
) {
    let total: f64 = kept.iter().map(|&(_, w)| f64::from(w)).sum();
    let mut head = 32;
    loop {
        head = (head * 4).min(kept.len());
        if head < kept.len() {
            kept.select_nth_unstable_by(head - 1, by_weight);
        }
        kept[..head].sort_unstable_by(by_weight);
        let mut sum = 0.0;
        let enough = kept[..head].iter().position(|&(_, w)| {
            sum += f64::from(w);
            sum >= p * total
        });
        if let Some(last) = enough {
            kept.truncate(last + 1);
            return;
        }
        if head == kept.len() {
            return;
        }
    }
}

/// The natural logarithm of the softmax at `id`, summed in f64.
///
/// # Errors
/// When a logit is not finite.
pub fn log_probability(
    logits: &[f32],
    id: TokenId,
    set: InstructionSet,
) -> Result<f32, SampleError> {
    let peak = logits.iter().copied().fold(f32::MIN, f32::max);
    if !logits.iter().all(|l| l.is_finite()) {
        return Err(SampleError::NotFinite);
    }
    let mut total = 0.0f64;
    let mut block = [0.0f32; 512];
    for chunk in logits.chunks(512) {
        let block = &mut block[..chunk.len()];
        block.iter_mut().zip(chunk).for_each(|(b, l)| *b = l - peak);
        exp_in_place(block, set);
        total += block.iter().map(|&e| f64::from(e)).sum::<f64>();
    }
    #[expect(clippy::cast_possible_truncation, reason = "log-probabilities are f32")]
    Ok((f64::from(logits[id as usize]) - f64::from(peak) - total.ln()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn set() -> InstructionSet {
        InstructionSet::detect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    fn row(n: usize, seed: u64) -> Vec<f32> {
        let s = Stream::root(seed);
        (0..n)
            .map(|i| (s.unit(i as u64) * 10.0 - 5.0) as f32)
            .collect()
    }

    fn draw(logits: &[f32], sampling: &Sampling, uniform: f64) -> TokenId {
        sample(logits, sampling, &[], |_| true, uniform, set()).unwrap()
    }

    /// By a full sort, as the usual definitions read.
    fn kept_by_definition(logits: &[f32], s: &Sampling) -> Vec<usize> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        if s.top_k > 0 {
            order.truncate(s.top_k);
        }
        let weight = |i: usize| f64::from((logits[i] - logits[order[0]]) / s.temperature).exp();
        let total: f64 = order.iter().map(|&i| weight(i)).sum();
        let mut sum = 0.0;
        let mut kept = Vec::new();
        for &i in &order {
            if s.top_p < 1.0 && sum >= f64::from(s.top_p) * total {
                break;
            }
            sum += weight(i);
            kept.push(i);
        }
        kept.retain(|&i| weight(i) >= f64::from(s.min_p));
        kept.sort_unstable();
        kept
    }

    #[test]
    fn draws_exactly_the_kept_set() {
        for (n, top_k, top_p, min_p) in [
            (50, 0, 1.0, 0.0),
            (50, 5, 1.0, 0.0),
            (700, 0, 0.9, 0.0),
            (700, 40, 0.7, 0.0),
            (300, 0, 1.0, 0.1),
            (4000, 0, 0.99, 0.0),
        ] {
            let sampling = Sampling {
                temperature: 0.8,
                top_k,
                top_p,
                min_p,
                ..Sampling::default()
            };
            let logits = row(n, 3);
            let want = kept_by_definition(&logits, &sampling);
            let s = Stream::root(9);
            let mut seen: Vec<usize> = (0..8_000)
                .map(|i| draw(&logits, &sampling, s.unit(i)) as usize)
                .collect();
            seen.sort_unstable();
            seen.dedup();
            assert!(
                seen.iter().all(|id| want.contains(id)),
                "{n} {top_k} {top_p} {min_p}"
            );
            assert_eq!(draw(&logits, &sampling, 0.0) as usize, want[0]);
            assert_eq!(
                draw(&logits, &sampling, 1.0 - 1e-16) as usize,
                *want.last().unwrap()
            );
        }
    }

    #[test]
    fn frequencies_follow_the_probabilities() {
        let logits = [0.0f32, 1.0, 2.0];
        let s = Stream::root(4);
        let mut counts = [0u32; 3];
        (0..30_000)
            .for_each(|i| counts[draw(&logits, &Sampling::default(), s.unit(i)) as usize] += 1);
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        for (count, l) in counts.iter().zip(logits) {
            assert!(
                (f64::from(*count) / 30_000.0 - f64::from(l).exp() / total).abs() < 0.01,
                "{counts:?}"
            );
        }
    }

    #[test]
    fn greedy_ties_masks_penalties_and_errors() {
        let greedy = Sampling::greedy();
        assert_eq!(draw(&[1.0, 3.0, 3.0], &greedy, 0.5), 1);
        assert_eq!(
            sample(&[1.0, 3.0, 3.0], &greedy, &[], |id| id != 1, 0.5, set()),
            Ok(2)
        );
        let penalty = Sampling {
            repetition_penalty: 2.0,
            ..greedy
        };
        assert_eq!(
            sample(&[1.0, 3.0, 2.9], &penalty, &[1, 1], |_| true, 0.5, set()),
            Ok(2)
        );
        assert_eq!(
            sample(&[-1.0, -1.1], &penalty, &[0], |_| true, 0.5, set()),
            Ok(1)
        );
        assert_eq!(
            sample(&[0.0, f32::NAN], &greedy, &[], |_| true, 0.5, set()),
            Err(SampleError::NotFinite)
        );
        assert_eq!(
            sample(&[0.0, 1.0], &greedy, &[], |_| false, 0.5, set()),
            Err(SampleError::NothingAllowed)
        );
    }

    #[test]
    fn log_probabilities_match_f64() {
        let logits = row(1500, 8);
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        for id in [0u32, 77, 1499] {
            let want = f64::from(logits[id as usize]) - total.ln();
            assert!((f64::from(log_probability(&logits, id, set()).unwrap()) - want).abs() < 1e-5);
        }
    }
}
