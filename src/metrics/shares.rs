/// How evenly something is shared: the entropy of the shares over that of equal ones (Shannon 1948; Pielou's evenness, 1966),
/// 0 where one has all, 1 where all have the same. `None` of fewer than two, or of nothing to share.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub fn evenness(counts: &[usize]) -> Option<f64> {
    let all: usize = counts.iter().sum();
    if counts.len() < 2 || all == 0 {
        return None;
    }
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| *count as f64 / all as f64)
        .map(|share| -share * share.ln())
        .sum();
    Some(entropy / (counts.len() as f64).ln())
}

/// How unevenly something is shared (Gini, Variabilità e mutabilità, 1912): the mean difference of two shares over twice the
/// mean share, 0 where all have the same, up to 1 − 1/n where one of n has all. `None` of nothing to share.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub fn gini(counts: &[usize]) -> Option<f64> {
    let all: usize = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let weighted: f64 = sorted
        .iter()
        .zip(1..)
        .map(|(count, rank)| f64::from(rank) * *count as f64)
        .sum();
    Some((2.0 * weighted / (n * all as f64) - (n + 1.0) / n).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}");
        };
        close(evenness(&[3, 3, 3]), 1.0);
        close(evenness(&[5, 0]), 0.0);
        // Halves and quarters: 1.5 bits of log2 3.
        close(evenness(&[2, 1, 1]), 1.5 / 3f64.log2());
        assert_eq!((evenness(&[4]), evenness(&[0, 0])), (None, None));
        close(gini(&[4, 4, 4]), 0.0);
        close(gini(&[0, 0, 0, 8]), 0.75);
        // All differences: 1–2, 1–3, 2–3, both ways: 8 over 2 · 9 · 2.
        close(gini(&[3, 1, 2]), 8.0 / 36.0);
        close(gini(&[7]), 0.0);
        assert_eq!((gini(&[]), gini(&[0, 0])), (None, None));
    }
}
