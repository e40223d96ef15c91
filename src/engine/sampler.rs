//! From logits to a token: penalties, temperature, top-k, top-p, min-p, then one uniform number against the kept set.
//!
//! Nothing is sorted but a handful: bounds found in a first pass over the row leave a short list, and thresholds cut it.

mod nucleus;
mod penalties;

use std::cell::RefCell;

use super::{Sampling, TokenId};
use crate::kernels::InstructionSet;
use crate::kernels::select::{CHUNK, Peaks, Row, Shortlist, chunk_sums};
use nucleus::Bands;
use penalties::Penalised;

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

/// What a thread keeps between rows, so that a row allocates nothing.
#[derive(Default)]
struct Scratch {
    words: Vec<u32>,
    penalised: Penalised,
    peaks: Peaks,
    numbers: Vec<f32>,
    list: Shortlist,
    sums: Vec<f64>,
    bands: Bands,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Draws a token. `recent` are the reply's ids, which the penalties apply to; an id may be drawn when its bit is set in
/// `drawable` and, where there is one, in `grammar` (words of 32 bits, lowest first; ids beyond the words are not allowed);
/// `uniform` is in `[0, 1)`. Ties go to the lower id.
///
/// # Errors
/// When a logit is not finite or no id is allowed.
pub fn sample(
    logits: &[f32],
    sampling: &Sampling,
    recent: &[TokenId],
    drawable: &[u32],
    grammar: Option<&[u32]>,
    uniform: f64,
    set: InstructionSet,
) -> Result<TokenId, SampleError> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut words = std::mem::take(&mut scratch.words);
        let penalised = sampling.penalises() && !recent.is_empty();
        let words_needed = logits.len().div_ceil(32);
        let token = if penalised || grammar.is_some() || drawable.len() < words_needed {
            words.clear();
            match grammar {
                Some(grammar) => words.extend(drawable.iter().zip(grammar).map(|(d, g)| d & g)),
                None => words.extend_from_slice(drawable),
            }
            words.resize(words_needed, 0);
            scratch.penalised.clear();
            if penalised {
                scratch
                    .penalised
                    .take_out(logits, sampling, recent, &mut words);
            }
            draw(
                Row::new(logits, Some(&words), set),
                sampling,
                uniform,
                scratch,
                set,
            )
        } else {
            scratch.penalised.clear();
            draw(
                Row::new(logits, Some(drawable), set),
                sampling,
                uniform,
                scratch,
                set,
            )
        };
        scratch.words = words;
        token
    })
}

/// Draws from a row whose penalised tokens stand apart.
fn draw(
    row: Row<'_>,
    sampling: &Sampling,
    uniform: f64,
    scratch: &mut Scratch,
    set: InstructionSet,
) -> Result<TokenId, SampleError> {
    let Scratch {
        penalised,
        peaks,
        numbers,
        list,
        sums,
        bands,
        ..
    } = scratch;
    let row_peak = row.scan(peaks).ok_or(SampleError::NotFinite)?;
    let peak = penalised.peak().max(row_peak);
    if peak == f32::NEG_INFINITY {
        return Err(SampleError::NothingAllowed);
    }
    let Sampling {
        temperature, top_k, ..
    } = *sampling;
    if temperature <= 0.0 {
        let of_row = row.first(peaks, peak).map(token);
        let of_penalised = penalised.first(peak);
        return of_row
            .into_iter()
            .chain(of_penalised)
            .min()
            .ok_or(SampleError::NothingAllowed);
    }
    let bound = floor(sampling, peak).max(top_k_bound(top_k, peak, peaks, numbers));
    row.collect(peaks, bound, peak, temperature, list);
    list.insert(penalised.above(bound, |logit| (logit - peak) / temperature));
    if top_k > 0 && top_k < list.values().len() {
        keep_top(top_k, list, numbers, set);
    }
    list.weigh(sums, set);
    let mut cut = 0.0;
    if sampling.top_p < 1.0 {
        let whole = sums.iter().sum::<f64>();
        let target = f64::from(sampling.top_p) * whole;
        let edge = bands.edge(list.values(), whole, target, set);
        if edge.ties < edge.equal {
            list.keep(edge.weight, edge.ties, set);
        }
        cut = edge.weight;
    }
    // The likeliest token's weight is 1.
    cut = sampling.min_p.max(cut);
    if cut > 0.0 {
        chunk_sums(list.values(), cut, sums, set);
    }
    Ok(list.ids()[pick(list.values(), cut, sums, uniform)])
}

/// No logit below this is kept.
fn floor(sampling: &Sampling, peak: f32) -> f32 {
    let floor = peak - CUTOFF * sampling.temperature;
    if sampling.min_p > 0.0 && sampling.top_p >= 1.0 {
        // The weights decide in the end; a thousandth of a nat covers their rounding.
        floor.max(peak + (sampling.min_p.ln() - 1e-3) * sampling.temperature)
    } else {
        floor
    }
}

/// What at least `top_k` logits reach, and a little less, so that logits which differ but weigh the same are there to be
/// told apart by their ids.
fn top_k_bound(top_k: usize, peak: f32, peaks: &Peaks, numbers: &mut Vec<f32>) -> f32 {
    let reached = peaks.reached_by(top_k, numbers);
    reached - (peak - reached) * 1e-6
}

/// Keeps the `k` largest numbers of a longer list.
fn keep_top(k: usize, list: &mut Shortlist, numbers: &mut Vec<f32>, set: InstructionSet) {
    numbers.clear();
    numbers.extend_from_slice(list.values());
    let (larger, &mut last, _) = numbers.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let ties = k - larger.iter().filter(|&&x| x > last).count();
    list.keep(last, ties, set);
}

/// The first place where the running sum of the weights that reach `cut` exceeds the uniform share of the whole; `sums` are
/// those of the chunks.
fn pick(weights: &[f32], cut: f32, sums: &[f64], uniform: f64) -> usize {
    let target = uniform * sums.iter().sum::<f64>();
    let (mut before, mut chosen, mut start) = (0.0, 0, 0.0);
    for (chunk, &sum) in sums.iter().enumerate() {
        if sum > 0.0 {
            (chosen, start) = (chunk, before);
        }
        before += sum;
        if before > target {
            break;
        }
    }
    let first = chosen * CHUNK;
    let chunk = &weights[first..(first + CHUNK).min(weights.len())];
    let mut last = first;
    for (i, &weight) in chunk
        .iter()
        .enumerate()
        .filter(|&(_, &weight)| weight >= cut)
    {
        last = first + i;
        start += f64::from(weight);
        if start > target {
            break;
        }
    }
    last
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
    let row = Row::new(logits, None, set);
    let peak = SCRATCH
        .with_borrow_mut(|scratch| row.scan(&mut scratch.peaks))
        .ok_or(SampleError::NotFinite)?;
    let total = row.exp_sum(peak);
    #[expect(clippy::cast_possible_truncation, reason = "log-probabilities are f32")]
    Ok((f64::from(logits[id as usize]) - f64::from(peak) - total.ln()) as f32)
}

fn token(place: usize) -> TokenId {
    TokenId::try_from(place).expect("vocabularies are far below 2^32")
}

#[cfg(test)]
mod tests;
