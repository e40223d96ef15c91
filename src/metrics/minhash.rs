use std::collections::HashMap;

use super::Corpus;
use super::near::{Nearest, different, nearest, rate};
use super::parallel;
use super::self_repetition::{hash, mixed};

/// Up to so many texts every pair that shares a run is looked at.
const EXACT: usize = 1000;
/// Values of a band: two texts agree on one with a chance of their resemblance.
const ROWS: usize = 4;
/// Bands: pairs that resemble by 0.5 meet in one with a chance of 1 − (1 − 0.5⁴)⁵⁰ = 0.96, by 0.6 of 0.999, by 0.2 of 0.08.
const BANDS: usize = 50;
/// Texts of one band's bucket that a text is compared with, so that buckets of thousands stay cheap.
const NEIGHBOURS: usize = 16;

/// For each text some other that it resembles by `least` at least, measured exactly as in [`nearest`]; none where none was found.
/// Up to 1,000 texts it is the most alike. Beyond, candidates come from MinHash signatures in bands (Broder, On the Resemblance
/// and Containment of Documents, 1997; Indyk and Motwani, Approximate Nearest Neighbors, 1998), each checked exactly: what is
/// reported is true, and of texts that resemble just one other by 0.5, about one in 25 is missed. Time and memory grow with the
/// words. The result does not depend on `threads`, and there is no chance in it.
#[must_use]
pub fn resembling(corpus: &Corpus, least: f64, threads: usize) -> Vec<Option<Nearest>> {
    if corpus.len() <= EXACT {
        let enough = |near: Option<Nearest>| near.filter(|near| near.resemblance >= least);
        return nearest(corpus, threads).into_iter().map(enough).collect();
    }
    sketched(corpus, least, threads)
}

/// Share of the texts that resemble some other by `least` at least, as found by [`resembling`]; none of nothing.
#[must_use]
pub fn near_rate(corpus: &Corpus, least: f64, threads: usize) -> Option<f64> {
    rate(&resembling(corpus, least, threads), least)
}

fn sketched(corpus: &Corpus, least: f64, threads: usize) -> Vec<Option<Nearest>> {
    let runs: Vec<Vec<u64>> = parallel::map(corpus.texts(), threads, |text| {
        let mut runs: Vec<u64> = different(text).into_iter().map(hash).collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    });
    let bands: Vec<Vec<u64>> = parallel::map(&runs, threads, |runs| signature(runs));
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    for (text, bands) in bands.iter().enumerate() {
        for place in bands.iter().copied().enumerate() {
            buckets.entry(place).or_default().push(text);
        }
    }
    let texts: Vec<usize> = (0..corpus.len()).collect();
    parallel::map(&texts, threads, |&text| {
        let mut seen = Vec::new();
        for place in bands[text].iter().copied().enumerate() {
            let bucket = &buckets[&place];
            let own = bucket.partition_point(|other| *other < text);
            // The next ones, from the first again after the last.
            let next = (1..bucket.len()).map(|step| bucket[(own + step) % bucket.len()]);
            for other in next.take(NEIGHBOURS) {
                if seen.contains(&other) {
                    continue;
                }
                seen.push(other);
                let resemblance = resemblance(&runs[text], &runs[other]);
                if resemblance >= least {
                    return Some(Nearest {
                        text: other,
                        resemblance,
                    });
                }
            }
        }
        None
    })
}

/// The least values of [`ROWS`] hash functions a band, as one value; nothing of a text without runs.
fn signature(runs: &[u64]) -> Vec<u64> {
    if runs.is_empty() {
        return Vec::new();
    }
    let least = |function: usize| {
        let key = mixed(function as u64 + 1);
        runs.iter().map(|run| mixed(run ^ key)).min().unwrap_or(0)
    };
    let band = |band: usize| {
        (band * ROWS..(band + 1) * ROWS).fold(0u64, |value, function| {
            mixed(value.rotate_left(17) ^ least(function))
        })
    };
    (0..BANDS).map(band).collect()
}

/// Runs in both over runs in either.
#[expect(clippy::cast_precision_loss, reason = "counts of runs")]
fn resemblance(a: &[u64], b: &[u64]) -> f64 {
    let (mut left, mut right, mut both) = (0, 0, 0);
    while left < a.len() && right < b.len() {
        both += usize::from(a[left] == b[right]);
        let (on_left, on_right) = (a[left] <= b[right], b[right] <= a[left]);
        left += usize::from(on_left);
        right += usize::from(on_right);
    }
    both as f64 / (a.len() + b.len() - both).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Texts of chance, every third a copy of the one before with some words put anew.
    fn corpus(texts: u64) -> Corpus {
        let draw = Stream::root(11);
        let mut all: Vec<Vec<String>> = Vec::new();
        for n in 0..texts {
            let draw = draw.at(n);
            let word = |at: u64| format!("w{}", draw.below(at, 5000));
            let text = match all.last() {
                Some(last) if n % 3 == 2 => {
                    let mut text = last.clone();
                    for change in 0..draw.below(900, 6) as u64 {
                        let at = draw.below(1000 + change, text.len());
                        text[at] = word(2000 + change);
                    }
                    text
                }
                _ => (0..40 + draw.below(901, 40) as u64).map(word).collect(),
            };
            all.push(text);
        }
        let joined: Vec<String> = all.iter().map(|text| text.join(" ")).collect();
        Corpus::of(joined.iter().map(String::as_str))
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
    fn nearly_all_that_the_exact_search_finds_and_nothing_else() {
        let corpus = corpus(1500);
        let least = 0.5;
        let exact: Vec<bool> = nearest(&corpus, 2)
            .iter()
            .map(|near| near.is_some_and(|near| near.resemblance >= least))
            .collect();
        let found = resembling(&corpus, least, 2);
        let all = exact.iter().filter(|near| **near).count();
        let right = exact
            .iter()
            .zip(&found)
            .filter(|(exact, found)| **exact && found.is_some())
            .count();
        assert!(all > 600 && all < 1500, "{all}");
        // Pairs lie between 0.5 and 1; at 0.5 itself 0.96 are expected.
        assert!(right as f64 >= 0.98 * all as f64, "{right} of {all}");
        assert!(
            exact
                .iter()
                .zip(&found)
                .all(|(exact, found)| *exact || found.is_none())
        );
        for (text, near) in found.iter().enumerate() {
            if let Some(near) = near {
                assert!(near.text != text && near.resemblance >= least);
            }
        }
        assert_eq!(resembling(&corpus, least, 5), found);
        let rate = near_rate(&corpus, least, 1).unwrap();
        assert!((rate - right as f64 / 1500.0).abs() < 1e-12);
    }

    #[test]
    fn few_texts_are_searched_exactly_and_templates_stay_cheap() {
        let few = Corpus::of(["a b c d e f g", "a b c d e f x", "p q r s t u", "a b"]);
        let found = resembling(&few, 0.4, 1);
        assert_eq!(found[0].map(|near| near.text), Some(1));
        assert_eq!((found[2], found[3]), (None, None));
        assert!(resembling(&few, 0.6, 1).iter().all(Option::is_none));
        // All resemble all by 7 in 17: of the runs of a text seven in twelve are everyone's.
        let texts: Vec<String> = (0..1200)
            .map(|n| {
                format!(
                    "thanks for choosing us today your order number {n} is on its way to you now"
                )
            })
            .collect();
        let alike = Corpus::of(texts.iter().map(String::as_str));
        assert!(resembling(&alike, 0.3, 2).iter().flatten().count() >= 1190);
        assert_eq!(near_rate(&Corpus::default(), 0.5, 2), None);
    }
}
