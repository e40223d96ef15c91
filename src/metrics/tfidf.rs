use std::collections::BTreeMap;

use super::Corpus;

/// A text as a sparse vector: words by number, in order, with their weights.
pub type Sparse = Vec<(u32, f64)>;

/// Texts as vectors of unit length: how often a word comes, times 1 + ln((1 + texts) / (1 + texts that have it)) (Spärck
/// Jones, A Statistical Interpretation of Term Specificity, 1972, smoothed as in scikit-learn). A text without words is a
/// vector of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of words and texts")]
pub fn tfidf(corpus: &Corpus) -> Vec<Sparse> {
    let mut holders = vec![0usize; corpus.vocabulary()];
    let counts: Vec<BTreeMap<u32, usize>> = corpus
        .texts()
        .iter()
        .map(|text| {
            let mut counts = BTreeMap::new();
            for word in text {
                *counts.entry(*word).or_default() += 1;
            }
            for word in counts.keys() {
                holders[*word as usize] += 1;
            }
            counts
        })
        .collect();
    let all = corpus.len() as f64;
    let weight = |word: u32| ((1.0 + all) / (1.0 + holders[word as usize] as f64)).ln() + 1.0;
    let of = |counts: BTreeMap<u32, usize>| {
        let mut vector: Sparse = counts
            .into_iter()
            .map(|(word, count)| (word, count as f64 * weight(word)))
            .collect();
        let length = dot(&vector, &vector).sqrt();
        for (_, weight) in &mut vector {
            *weight /= length;
        }
        vector
    };
    counts.into_iter().map(of).collect()
}

/// The product of two vectors.
pub(super) fn dot(a: &[(u32, f64)], b: &[(u32, f64)]) -> f64 {
    let (mut a, mut b) = (a, b);
    let mut sum = 0.0;
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        match x.0.cmp(&y.0) {
            std::cmp::Ordering::Less => a = &a[1..],
            std::cmp::Ordering::Greater => b = &b[1..],
            std::cmp::Ordering::Equal => {
                sum += x.1 * y.1;
                (a, b) = (&a[1..], &b[1..]);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let found = tfidf(&Corpus::of(["a a b", "b c", ""]));
        // Three texts: b is in two of them, a and c in one.
        let (rare, common) = ((4.0f64 / 2.0).ln() + 1.0, (4.0f64 / 3.0).ln() + 1.0);
        let length = (2.0 * rare).hypot(common);
        let expected = [(0, 2.0 * rare / length), (1, common / length)];
        for (found, expected) in found[0].iter().zip(expected) {
            assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-12);
        }
        let product = common / length * common / rare.hypot(common);
        assert!((dot(&found[0], &found[1]) - product).abs() < 1e-12);
        assert!(found[2].is_empty());
    }
}
