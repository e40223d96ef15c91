use super::Corpus;
use crate::rng::Stream;

/// Texts drawn without replacement until they have `size` in all: index and size of each, the last one cut to fit. Figures
/// that move with the size of a corpus are comparable over such draws. `None` where all texts together have less.
#[must_use]
pub fn budget(sizes: &[usize], size: usize, draw: Stream) -> Option<Vec<(usize, usize)>> {
    if size == 0 || sizes.iter().sum::<usize>() < size {
        return None;
    }
    let mut left = size;
    let mut drawn = Vec::new();
    for at in draw.shuffle(sizes.len()) {
        let take = sizes[at].min(left);
        if take > 0 {
            drawn.push((at, take));
        }
        left -= take;
        if left == 0 {
            break;
        }
    }
    Some(drawn)
}

impl Corpus {
    /// How many words each text has.
    #[must_use]
    pub fn lengths(&self) -> Vec<usize> {
        self.texts().iter().map(Vec::len).collect()
    }

    /// Texts drawn by [`budget`] until they have so many words.
    #[must_use]
    pub fn of_words(&self, words: usize, draw: Stream) -> Option<Self> {
        let drawn = budget(&self.lengths(), words, draw)?;
        Some(self.cut(&drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_to_the_word() {
        let corpus = Corpus::of(["a b c d", "", "e f", "g h i"]);
        for nth in 0..50 {
            let draw = Stream::root(nth);
            for words in 1..=9 {
                let some = corpus.of_words(words, draw).unwrap();
                assert_eq!(some.lengths().iter().sum::<usize>(), words);
                // What is there is the beginning of a text, and no text is there twice.
                let mut firsts: Vec<u32> = some.texts().iter().map(|text| text[0]).collect();
                assert!(
                    some.texts()
                        .iter()
                        .all(|text| corpus.texts().iter().any(|whole| whole.starts_with(text)))
                );
                firsts.sort_unstable();
                firsts.dedup();
                assert_eq!(firsts.len(), some.len());
            }
            assert!(corpus.of_words(10, draw).is_none());
            assert_eq!(
                budget(&[4, 0, 2, 3], 5, draw),
                budget(&[4, 0, 2, 3], 5, draw)
            );
        }
        let firsts = |nth| corpus.of_words(2, Stream::root(nth)).unwrap().texts()[0].clone();
        assert!((0..50).any(|nth| firsts(nth) != firsts(0)), "draws differ");
        assert!(budget(&[1], 0, Stream::root(0)).is_none());
    }
}
