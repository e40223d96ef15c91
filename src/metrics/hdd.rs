use std::collections::{BTreeMap, HashMap};

/// Words of a draw.
pub const DRAWS: usize = 42;

/// HD-D (McCarthy and Jarvis, vocd: A Theoretical and Empirical Evaluation, 2007): the share of different words, 0 to 1, that
/// 42 words drawn from a text without replacement are expected to have, from the hypergeometric distribution. `None` of fewer
/// than 42 words.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of words")]
pub fn hdd(text: &[u32]) -> Option<f64> {
    let all = text.len();
    if all < DRAWS {
        return None;
    }
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for word in text {
        *counts.entry(*word).or_default() += 1;
    }
    // How many words come so often: each number of times is reckoned once, in order.
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for count in counts.into_values() {
        *times.entry(count).or_default() += 1;
    }
    let missed = |count: usize| -> f64 {
        (0..DRAWS)
            .map(|drawn| (all - drawn).saturating_sub(count) as f64 / (all - drawn) as f64)
            .product()
    };
    let sum: f64 = times
        .into_iter()
        .map(|(count, words)| words as f64 * (1.0 - missed(count)))
        .sum();
    Some(sum / DRAWS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Every draw of 42 from 42 different words has 42; from two words in turn, two; from one, one.
        let different: Vec<u32> = (0..42).collect();
        assert!((hdd(&different).unwrap() - 1.0).abs() < 1e-12);
        let turned: Vec<u32> = (0..84).map(|n| n % 2).collect();
        assert!((hdd(&turned).unwrap() - 2.0 / 42.0).abs() < 1e-9);
        assert!((hdd(&[7; 50]).unwrap() - 1.0 / 42.0).abs() < 1e-12);
        // 43 words, one of which comes twice: the pair is missed by no draw of 42, each other word by one draw of 43.
        let mut once: Vec<u32> = (0..42).collect();
        once.push(0);
        let expected = (1.0 + 41.0 * 42.0 / 43.0) / 42.0;
        assert!((hdd(&once).unwrap() - expected).abs() < 1e-12);
        assert_eq!(hdd(&different[1..]), None);
    }
}
