use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// BM25's saturation and length weights (Robertson, Zaragoza 2009: the usual values).
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Bags of terms, ready to be ranked by how well each answers another bag.
#[derive(Clone, Debug, Default)]
pub(super) struct Bm25<T> {
    /// Bags that hold a term, ascending, each with what the term adds to its score.
    postings: HashMap<T, Vec<(usize, f64)>>,
    bags: usize,
}

impl<T: Clone + Eq + Hash> Bm25<T> {
    /// Indexes bags: term to frequency.
    #[expect(clippy::cast_precision_loss, reason = "counts of words on a page")]
    pub(super) fn of(bags: &[BTreeMap<T, usize>]) -> Self {
        let lengths: Vec<f64> = bags
            .iter()
            .map(|bag| bag.values().sum::<usize>() as f64)
            .collect();
        let mean = (lengths.iter().sum::<f64>() / bags.len() as f64).max(1.0);
        let mut postings: HashMap<T, Vec<(usize, f64)>> = HashMap::new();
        for (index, bag) in bags.iter().enumerate() {
            for (term, &frequency) in bag {
                let list = postings.entry(term.clone()).or_default();
                list.push((index, frequency as f64));
            }
        }
        for list in postings.values_mut() {
            let weight = idf(bags.len(), list.len());
            for (index, value) in list {
                let (frequency, length) = (*value, lengths[*index]);
                *value = weight * frequency * (K1 + 1.0)
                    / (frequency + K1 * (1.0 - B + B * length / mean));
            }
        }
        Self {
            postings,
            bags: bags.len(),
        }
    }

    /// The score of every bag; each term counts once for every time it is given.
    pub(super) fn scores<'a>(&self, terms: impl IntoIterator<Item = &'a T>) -> Vec<f64>
    where
        T: 'a,
    {
        let mut scores = vec![0.0; self.bags];
        for (index, value) in terms
            .into_iter()
            .filter_map(|term| self.postings.get(term))
            .flatten()
        {
            scores[*index] += value;
        }
        scores
    }

    /// How rare a term is: the logarithm BM25 weighs it with; `None` when no bag holds it.
    pub(super) fn rarity(&self, term: &T) -> Option<f64> {
        let list = self.postings.get(term)?;
        Some(idf(self.bags, list.len()))
    }

    /// The largest value that [`Self::rarity`] can have.
    pub(super) fn highest_rarity(&self) -> f64 {
        idf(self.bags, 1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words on a page")]
fn idf(bags: usize, holders: usize) -> f64 {
    let (total, holders) = (bags as f64, holders as f64);
    (1.0 + (total - holders + 0.5) / (holders + 0.5)).ln()
}
