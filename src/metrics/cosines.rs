use super::bootstrap::{Interval, RESAMPLES, quantile};
use super::eigen::eigenvalues;
use super::parallel;
use super::tfidf::{Sparse, dot};
use crate::rng::Stream;

/// How alike each two of some texts are: the cosines of their vectors. Texts without a direction are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Cosines {
    n: usize,
    /// Rows of `n`.
    matrix: Vec<f64>,
}

impl Cosines {
    /// Of vectors of words. Their lengths are 1 or, of texts without words, 0.
    #[must_use]
    pub fn of_words(vectors: &[Sparse], threads: usize) -> Self {
        let some: Vec<&Sparse> = vectors.iter().filter(|vector| !vector.is_empty()).collect();
        Self::of(&some, threads, |a, b| dot(a, b))
    }

    /// Of dense vectors of any length and one width.
    #[must_use]
    pub fn of_vectors(vectors: &[Vec<f32>], threads: usize) -> Self {
        let unit = |vector: &Vec<f32>| -> Option<Vec<f64>> {
            let vector: Vec<f64> = vector.iter().copied().map(f64::from).collect();
            let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            (length > 0.0 && length.is_finite())
                .then(|| vector.iter().map(|x| x / length).collect())
        };
        let some: Vec<Vec<f64>> = vectors.iter().filter_map(unit).collect();
        Self::of(&some, threads, |a, b| {
            a.iter().zip(b).map(|(a, b)| a * b).sum()
        })
    }

    fn of<T: Sync>(vectors: &[T], threads: usize, product: impl Fn(&T, &T) -> f64 + Sync) -> Self {
        let rows: Vec<usize> = (0..vectors.len()).collect();
        let row = |row: &usize| -> Vec<f64> {
            let own = &vectors[*row];
            vectors.iter().map(|other| product(own, other)).collect()
        };
        Self {
            n: vectors.len(),
            matrix: parallel::map(&rows, threads, row).concat(),
        }
    }

    /// How many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The mean cosine of two different texts; none of fewer than two.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.weighted_mean(&vec![1.0; self.n])
    }

    /// The interval of [`Self::mean`], by bootstrap over texts; pairs of a text with itself do not count.
    #[must_use]
    pub fn mean_interval(&self, level: f64, draw: Stream, threads: usize) -> Option<Interval> {
        let samples: Vec<u32> = (0..RESAMPLES / 4).collect();
        let of = |nth: &u32| {
            let draw = draw.at(u64::from(*nth));
            let mut weights = vec![0.0; self.n];
            for place in 0..self.n as u64 {
                weights[draw.below(place, self.n)] += 1.0;
            }
            self.weighted_mean(&weights)
        };
        let mut found: Vec<f64> = parallel::map(&samples, threads, of)
            .into_iter()
            .flatten()
            .collect();
        found.sort_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        Some(Interval {
            low: quantile(&found, tail)?,
            high: quantile(&found, 1.0 - tail)?,
        })
    }

    fn weighted_mean(&self, weights: &[f64]) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (row, weight) in weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > 0.0)
        {
            let line = &self.matrix[row * self.n..][..self.n];
            let all: f64 = line
                .iter()
                .zip(weights)
                .map(|(cosine, weight)| cosine * weight)
                .sum();
            sum += weight * (all - line[row] * weight);
            pairs += weight * (weights.iter().sum::<f64>() - weight);
        }
        (pairs > 0.0).then(|| sum / pairs)
    }

    /// The Vendi score (Friedman and Dieng, The Vendi Score: A Diversity Evaluation Metric for Machine Learning, 2023): the
    /// exponential of the entropy of the eigenvalues of these cosines over n. 1 where all texts are the same, n where no two
    /// have anything in common: how many different texts there are, in effect. Grows with n, so compare equal numbers.
    /// `None` of none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a number of texts")]
    pub fn vendi(&self) -> Option<f64> {
        let n = self.n as f64;
        let values = eigenvalues(
            self.matrix.iter().map(|cosine| cosine / n).collect(),
            self.n,
        )?;
        // Rounding leaves less than nothing of what is nothing.
        let entropy: f64 = values
            .iter()
            .filter(|value| **value > 1e-12)
            .map(|value| -value * value.ln())
            .sum();
        (self.n > 0).then(|| entropy.exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Corpus, tfidf};

    fn words(texts: &[&str]) -> Cosines {
        Cosines::of_words(&tfidf(&Corpus::of(texts.iter().copied())), 2)
    }

    fn close(found: Option<f64>, expected: f64) {
        assert!(
            (found.unwrap() - expected).abs() < 1e-9,
            "{found:?} is not {expected}"
        );
    }

    #[test]
    fn by_hand() {
        let same = words(&["a b c"; 7]);
        close(same.vendi(), 1.0);
        close(same.mean(), 1.0);
        let apart = words(&["a", "b b", "c", "d e", ""]);
        assert_eq!(apart.len(), 4);
        close(apart.vendi(), 4.0);
        close(apart.mean(), 0.0);
        // Two of one and two of another: two in effect, a third of the pairs alike.
        let twos = words(&["a", "b", "a", "b"]);
        close(twos.vendi(), 2.0);
        close(twos.mean(), 1.0 / 3.0);
        let none = words(&["", "?"]);
        assert!(none.is_empty() && none.vendi().is_none() && none.mean().is_none());
        let one = words(&["a"]);
        close(one.vendi(), 1.0);
        assert_eq!(
            (one.mean(), one.mean_interval(0.95, Stream::root(1), 1)),
            (None, None)
        );
    }

    #[test]
    fn of_two_vectors_at_an_angle() {
        // cos 60°: eigenvalues (1 ± 1/2) / 2.
        let found = Cosines::of_vectors(&[vec![2.0, 0.0], vec![0.5, 0.75f32.sqrt()]], 1);
        close(found.mean().map(|mean| (mean * 1e6).round() / 1e6), 0.5);
        let expected = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((found.vendi().unwrap() - expected.exp()).abs() < 1e-6);
        assert_eq!(
            Cosines::of_vectors(&[vec![0.0, 0.0], vec![f32::NAN, 1.0]], 1).len(),
            0
        );
    }

    #[test]
    fn intervals_hold_the_mean_and_do_not_depend_on_threads() {
        let draw = Stream::root(8);
        let texts: Vec<String> = (0..60)
            .map(|n| {
                (0..12)
                    .map(|at| format!("w{}", draw.at(n).below(at, 40)))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = words(&texts);
        let mean = found.mean().unwrap();
        let Interval { low, high } = found.mean_interval(0.95, draw, 1).unwrap();
        assert!(
            low < mean && mean < high && high - low < mean,
            "{low} {mean} {high}"
        );
        assert_eq!(
            found.mean_interval(0.95, draw, 3),
            Some(Interval { low, high })
        );
        assert_eq!(
            found,
            Cosines::of_words(&tfidf(&Corpus::of(texts.iter().copied())), 5)
        );
    }
}
