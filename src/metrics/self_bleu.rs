//! Self-BLEU: how much of each text the others have too (Zhu et al., Texygen, 2018). BLEU is that of Papineni et al. (2002):
//! the geometric mean of the shares of a text's runs of one to four words that a reference has as often, times a penalty
//! where the text is shorter than the references. A share of none counts as a tenth of one run (Chen and Cherry, A Systematic
//! Comparison of Smoothing Techniques for Sentence-Level BLEU, 2014, method 1).

use std::collections::HashMap;

use super::{Corpus, bootstrap};
use crate::rng::Stream;

/// Words of the longest runs.
const ORDER: usize = 4;
/// What counts for a share of none, in runs.
const SMOOTHING: f64 = 0.1;

type Run = [u32; ORDER];

/// In how many copies a run comes in one text at most, the text that has most of it, and the most that any other text has.
#[derive(Clone, Copy, Default)]
struct Most {
    first: u32,
    owner: usize,
    second: u32,
}

/// The BLEU of each text against all others, 0 to 1; none for a text without words, and for all where there is only one
/// text. Exact, and linear in the words of the corpus: of each run only the two largest counts can matter. More references
/// find more in common, so it grows with the corpus: compare corpora of equal size, or use [`sampled`].
#[must_use]
pub fn self_bleu(corpus: &Corpus) -> Vec<Option<f64>> {
    let texts = corpus.texts();
    if texts.len() < 2 {
        return vec![None; texts.len()];
    }
    let mut most: HashMap<(usize, Run), Most> = HashMap::new();
    for (owner, text) in texts.iter().enumerate() {
        for (run, count) in counted(text) {
            let most = most.entry(run).or_default();
            if count > most.first {
                *most = Most {
                    first: count,
                    owner,
                    second: most.first,
                };
            } else {
                most.second = most.second.max(count);
            }
        }
    }
    let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let of = |(at, text): (usize, &Vec<u32>)| {
        let in_others = |run: &(usize, Run)| {
            let most = most[run];
            if most.owner == at {
                most.second
            } else {
                most.first
            }
        };
        (!text.is_empty()).then(|| penalty(text.len(), &lengths) * precision(text, in_others))
    };
    texts.iter().enumerate().map(of).collect()
}

/// The mean self-BLEU of `draws` samples of `size` texts each, drawn without replacement (all texts where there are fewer): a
/// figure that corpora of different size may be compared by. `None` where there are not two texts.
#[must_use]
pub fn sampled(corpus: &Corpus, size: usize, draws: u64, draw: Stream) -> Option<f64> {
    let of = |sample: &Corpus| bootstrap::mean(self_bleu(sample).into_iter().flatten());
    if size >= corpus.len() {
        return of(corpus);
    }
    let of_one = |nth: u64| of(&corpus.some(&draw.at(nth).shuffle(corpus.len())[..size]));
    bootstrap::mean((0..draws.max(1)).filter_map(of_one))
}

/// A text's runs of one to [`ORDER`] words with their length, and how often each comes.
fn counted(text: &[u32]) -> HashMap<(usize, Run), u32> {
    let mut counts = HashMap::new();
    for n in 1..=ORDER {
        for words in text.windows(n) {
            let mut run = [0; ORDER];
            run[..n].copy_from_slice(words);
            *counts.entry((n, run)).or_default() += 1;
        }
    }
    counts
}

/// The geometric mean over lengths of runs that the text has.
fn precision(text: &[u32], in_others: impl Fn(&(usize, Run)) -> u32) -> f64 {
    let mut common = [0u32; ORDER];
    for (run, count) in counted(text) {
        common[run.0 - 1] += count.min(in_others(&run));
    }
    let orders = ORDER.min(text.len());
    let logs = (1..=orders).map(|n| {
        let all = small(text.len() + 1 - n);
        let found = if common[n - 1] == 0 {
            SMOOTHING
        } else {
            f64::from(common[n - 1])
        };
        (found / all).ln()
    });
    (logs.sum::<f64>() / small(orders)).exp()
}

/// The penalty for a text shorter than the reference whose length is nearest, the shorter of two. `lengths` are sorted, the
/// text's own among them.
fn penalty(length: usize, lengths: &[usize]) -> f64 {
    let (from, to) = (
        lengths.partition_point(|&other| other < length),
        lengths.partition_point(|&other| other <= length),
    );
    // Another text of the same length.
    if to - from > 1 {
        return 1.0;
    }
    let below = from.checked_sub(1).map(|at| lengths[at]);
    let above = lengths.get(to).copied();
    match (below, above) {
        (Some(below), Some(above)) if length - below <= above - length => 1.0,
        (_, Some(above)) => (1.0 - small(above) / small(length)).exp(),
        _ => 1.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn small(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Vec<Option<f64>> {
        self_bleu(&Corpus::of(texts.iter().copied()))
    }

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn by_hand() {
        let found = of(&["a b c d e", "a b c x y", "z z"]);
        // Of the first: words 3/5, pairs 2/4, threes 1/3, fours none of two; another text is as long.
        close(found[0], (0.6f64 * 0.5 / 3.0 * 0.1 / 2.0).powf(0.25));
        close(found[1], (0.6f64 * 0.5 / 3.0 * 0.1 / 2.0).powf(0.25));
        // Of the last: nothing of two words and one pair, and the nearest length is 5.
        close(found[2], (1.0f64 - 2.5).exp() * (0.1f64 / 2.0 * 0.1).sqrt());
    }

    #[test]
    fn copies_are_one_and_a_word_counts_as_often_as_a_reference_has_it() {
        let found = of(&["a b c d", "a b c d"]);
        close(found[0], 1.0);
        // Papineni's example of clipping, with pairs that are not there.
        let found = of(&["the the the the", "the cat the mat"]);
        close(found[0], (0.5f64 * 0.1 / 3.0 * 0.1 / 2.0 * 0.1).powf(0.25));
        assert_eq!(of(&["a b"]), [None]);
        assert_eq!(of(&["a", ""])[1], None);
    }

    #[test]
    fn the_nearest_length_counts_and_the_shorter_of_two() {
        assert_eq!(penalty(5, &[3, 5, 7]).to_bits(), 1.0f64.to_bits());
        assert!((penalty(5, &[2, 5, 7]) - (1.0f64 - 1.4).exp()).abs() < 1e-12);
        assert_eq!(penalty(5, &[2, 5, 5]).to_bits(), 1.0f64.to_bits());
        assert_eq!(penalty(5, &[2, 5]).to_bits(), 1.0f64.to_bits());
    }

    /// The definition, text against text.
    fn slow(texts: &[Vec<u32>], at: usize) -> f64 {
        let others: Vec<_> = (0..texts.len())
            .filter(|&other| other != at)
            .map(|other| counted(&texts[other]))
            .collect();
        let most = |run: &(usize, Run)| {
            others
                .iter()
                .map(|counts| counts.get(run).copied().unwrap_or(0))
                .max()
                .unwrap()
        };
        let mut nearest: Vec<usize> = (0..texts.len())
            .filter(|&other| other != at)
            .map(|other| texts[other].len())
            .collect();
        nearest.sort_by_key(|length| (length.abs_diff(texts[at].len()), *length));
        let (own, other) = (small(texts[at].len()), small(nearest[0]));
        let penalty = if own >= other {
            1.0
        } else {
            (1.0 - other / own).exp()
        };
        penalty * precision(&texts[at], most)
    }

    #[test]
    fn the_two_largest_counts_are_all_that_matters() {
        let draw = Stream::root(5);
        let text = |n: u64| {
            let draw = draw.at(n);
            let words = 1 + draw.below(0, 12) as u64;
            (1..=words)
                .map(|at| ["a", "b", "c", "d"][draw.below(at, 4)])
                .collect::<Vec<_>>()
                .join(" ")
        };
        let texts: Vec<String> = (0..40).map(text).collect();
        let corpus = Corpus::of(texts.iter().map(String::as_str));
        for (at, found) in self_bleu(&corpus).into_iter().enumerate() {
            close(found, slow(corpus.texts(), at));
        }
        let whole = bootstrap::mean(self_bleu(&corpus).into_iter().flatten());
        assert_eq!(sampled(&corpus, 40, 5, draw), whole);
        let part = sampled(&corpus, 10, 5, draw).unwrap();
        assert!(
            part < whole.unwrap(),
            "fewer references have less in common"
        );
        assert_eq!(sampled(&corpus, 10, 5, draw), Some(part));
    }
}
