use std::collections::HashSet;

/// The share of different words at which a stretch of text is used up.
pub const FACTOR: f64 = 0.72;

/// The measure of textual lexical diversity (McCarthy and Jarvis, MTLD, vocd-D, and HD-D, 2010): the mean length, in words, of
/// stretches over which different words stay above 0.72 of all words; of the text as it stands and of the text from its end,
/// averaged. What is left over at the end counts as the part of a stretch that it has used up. Hardly depends on length from
/// 100 words on. `None` where no word ever comes again, so that there is no stretch to measure.
#[must_use]
pub fn mtld(text: &[u32]) -> Option<f64> {
    let there = one_way(text.iter().copied(), text.len())?;
    let back = one_way(text.iter().rev().copied(), text.len())?;
    Some(f64::midpoint(there, back))
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn one_way(words: impl Iterator<Item = u32>, length: usize) -> Option<f64> {
    let mut different = HashSet::new();
    let (mut count, mut factors) = (0usize, 0.0);
    let ratio = |different: &HashSet<u32>, count: usize| different.len() as f64 / count as f64;
    for word in words {
        different.insert(word);
        count += 1;
        if ratio(&different, count) <= FACTOR {
            factors += 1.0;
            count = 0;
            different.clear();
        }
    }
    if count > 0 {
        factors += (1.0 - ratio(&different, count)) / (1.0 - FACTOR);
    }
    (factors > 0.0).then(|| length as f64 / factors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Corpus;

    fn of(text: &str) -> Option<f64> {
        mtld(&Corpus::of([text]).texts()[0])
    }

    #[test]
    fn by_hand() {
        // There: a b a (2/3) is one stretch, b c c (2/3) another. Back: c c (1/2), b a b (2/3), and a by itself, of which
        // nothing is used up: two either way.
        assert!((of("a b a b c c").unwrap() - 3.0).abs() < 1e-12);
        // There: a b c d a has 4/5, which uses up (1 − 0.8) / 0.28 of a stretch. Back the same.
        assert!((of("a b c d a").unwrap() - 5.0 / (0.2 / 0.28)).abs() < 1e-12);
        // There: a a | b c d; back: d c b a a has 4/5.
        let expected = f64::midpoint(5.0, 5.0 / (0.2 / 0.28));
        assert!((of("a a b c d").unwrap() - expected).abs() < 1e-12);
        assert!((of("a a a a").unwrap() - 2.0).abs() < 1e-12);
        // 18 different of 25 are 0.72, which uses a stretch up: one and a word of another; from the end 19 of 26 do not.
        let text: Vec<u32> = (0..18).chain(0..7).chain([99]).collect();
        let expected = f64::midpoint(26.0, 26.0 / ((1.0 - 19.0 / 26.0) / 0.28));
        assert!((mtld(&text).unwrap() - expected).abs() < 1e-12);
        assert_eq!(of("a b c d"), None);
        assert_eq!(of(""), None);
    }
}
