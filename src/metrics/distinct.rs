use std::collections::HashSet;

use super::Corpus;

/// Distinct-n: different runs of `n` words over all runs of `n` words (Li et al., A Diversity-Promoting Objective Function
/// for Neural Conversation Models, 2016, who divide by words). Runs do not cross texts. Falls as a corpus grows, so compare
/// corpora of equal size only. `None` where no text has `n` words.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of words")]
pub fn distinct(corpus: &Corpus, n: usize) -> Option<f64> {
    let runs = || {
        corpus
            .texts()
            .iter()
            .flat_map(|text| text.windows(n.max(1)))
    };
    let all = runs().count();
    let different = runs().collect::<HashSet<_>>().len();
    (all > 0).then(|| different as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_within_texts_are_counted() {
        let corpus = Corpus::of(["a b a b", "b c", "d"]);
        // ab ba ab, bc: three of four.
        assert_eq!(distinct(&corpus, 2), Some(0.75));
        // a b a b b c d: four of seven.
        assert_eq!(distinct(&corpus, 1), Some(4.0 / 7.0));
        assert_eq!(distinct(&corpus, 4), Some(1.0));
        assert_eq!(distinct(&corpus, 5), None);
    }
}
