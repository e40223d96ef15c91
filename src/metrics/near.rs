//! Near-duplicates: texts that share runs of words (Broder, On the Resemblance and Containment of Documents, 1997, with runs
//! of five words as in Lee et al., Deduplicating Training Data Makes Language Models Better, 2022). Exact: every pair that has
//! a run in common is looked at.

use std::collections::HashMap;

use super::Corpus;

/// Words of a run.
pub const RUN: usize = 5;

/// The text that a text is most like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Its index.
    pub text: usize,
    /// Runs in both over runs in either, 0 to 1.
    pub resemblance: f64,
}

/// For each text the other one that it resembles most, the first of equals; none where it shares no run of [`RUN`] words with
/// any. Work is shared among `threads`; the result does not depend on how many. Time and memory grow with the pairs of texts
/// that share a run, at worst with the square of the texts.
#[must_use]
pub fn nearest(corpus: &Corpus, threads: usize) -> Vec<Option<Nearest>> {
    let mut holders: HashMap<&[u32], Vec<usize>> = HashMap::new();
    let mut sizes = Vec::with_capacity(corpus.len());
    for (at, text) in corpus.texts().iter().enumerate() {
        let runs = different(text);
        sizes.push(runs.len());
        for run in runs {
            holders.entry(run).or_default().push(at);
        }
    }
    let of = |at: usize, common: &mut Vec<u32>| {
        common.clear();
        common.resize(corpus.len(), 0);
        for run in different(&corpus.texts()[at]) {
            for &other in &holders[run] {
                common[other] += 1;
            }
        }
        let resemblance = |other: usize| {
            let both = common[other] as usize;
            share(both, sizes[at] + sizes[other] - both)
        };
        (0..corpus.len())
            .filter(|&other| other != at && common[other] > 0)
            .map(|other| Nearest {
                text: other,
                resemblance: resemblance(other),
            })
            .reduce(|best, next| {
                if next.resemblance > best.resemblance {
                    next
                } else {
                    best
                }
            })
    };
    let mut found = vec![None; corpus.len()];
    let part = corpus.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        for (nth, slots) in found.chunks_mut(part).enumerate() {
            let of = &of;
            scope.spawn(move || {
                let mut common = Vec::new();
                for (offset, slot) in slots.iter_mut().enumerate() {
                    *slot = of(nth * part + offset, &mut common);
                }
            });
        }
    });
    found
}

/// Share of the texts that resemble some other by `least` at least; none of nothing.
#[must_use]
pub fn rate(nearest: &[Option<Nearest>], least: f64) -> Option<f64> {
    let near = nearest
        .iter()
        .flatten()
        .filter(|near| near.resemblance >= least)
        .count();
    (!nearest.is_empty()).then(|| share(near, nearest.len()))
}

/// The different runs of a text, in an order of their own.
pub(super) fn different(text: &[u32]) -> Vec<&[u32]> {
    let mut runs: Vec<&[u32]> = text.windows(RUN).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs and texts")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let corpus = Corpus::of([
            "a b c d e f g",
            "a b c d e f x",
            "a b c d e",
            "p q r s t u",
            "a b c d",
            "p q r s t u",
        ]);
        let found = nearest(&corpus, 2);
        // Runs: abcde bcdef cdefg; abcde bcdef cdefx; abcde.
        let of = |at: usize| found[at].map(|near| (near.text, near.resemblance));
        assert_eq!(of(0), Some((1, 0.5)));
        assert_eq!(of(1), Some((0, 0.5)));
        // A third of the first and of the second: the first of equals.
        assert_eq!(of(2), Some((0, 1.0 / 3.0)));
        assert_eq!((of(3), of(5)), (Some((5, 1.0)), Some((3, 1.0))));
        assert_eq!(of(4), None);
        assert_eq!(rate(&found, 0.5), Some(4.0 / 6.0));
        assert_eq!(rate(&found, 0.9), Some(2.0 / 6.0));
        assert_eq!(rate(&found, 0.1), Some(5.0 / 6.0));
        assert_eq!(rate(&[], 0.5), None);
        for threads in [0, 1, 3, 99] {
            assert_eq!(nearest(&corpus, threads), found);
        }
        assert!(nearest(&Corpus::default(), 4).is_empty());
    }

    #[test]
    fn a_run_that_comes_twice_counts_once() {
        let corpus = Corpus::of(["a a a a a a a", "a a a a a"]);
        let found = nearest(&corpus, 1)[0].unwrap();
        assert!((found.resemblance - 1.0).abs() < 1e-12);
    }
}
