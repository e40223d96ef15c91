use std::collections::HashMap;

/// Words of a window, as most who report it have it.
pub const WINDOW: usize = 50;

/// The moving-average type-token ratio (Covington and McFall, Cutting the Gordian Knot: The Moving-Average Type-Token Ratio,
/// 2010): the share of different words, 0 to 1, in a window of 50 words, averaged over all places of the window. `None` of
/// fewer than 50 words.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of words")]
pub fn mattr(text: &[u32]) -> Option<f64> {
    let windows = (text.len() + 1).checked_sub(WINDOW).filter(|n| *n > 0)?;
    let mut counts: HashMap<u32, usize> = HashMap::new();
    let mut different = 0;
    for (at, word) in text.iter().enumerate() {
        *counts.entry(*word).or_default() += 1;
        if let Some(gone) = at.checked_sub(WINDOW)
            && let Some(count) = counts.get_mut(&text[gone])
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(&text[gone]);
            }
        }
        if at + 1 >= WINDOW {
            different += counts.len();
        }
    }
    Some(different as f64 / (windows * WINDOW) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let different: Vec<u32> = (0..60).collect();
        assert!((mattr(&different).unwrap() - 1.0).abs() < 1e-12);
        // 50 different words and the first again: the first window has 50, the second has lost it and has it again.
        let mut text: Vec<u32> = (0..50).collect();
        text.push(0);
        assert!((mattr(&text).unwrap() - 1.0).abs() < 1e-12);
        // And the last again: 50, then 49.
        text[50] = 49;
        assert!((mattr(&text).unwrap() - 99.0 / 100.0).abs() < 1e-12);
        // Every window of ten words in turn has ten.
        let turned: Vec<u32> = (0..200).map(|n| n % 10).collect();
        assert!((mattr(&turned).unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(mattr(&different[..49]), None);
        assert_eq!(mattr(&[]), None);
    }
}
