use std::collections::HashMap;

/// The words of a text as they are compared: runs of letters and digits, with apostrophes inside, in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
        .map(|word| word.replace('’', "'").to_lowercase())
}

/// Texts as numbers of words, so that runs of words are cheap to compare.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    texts: Vec<Vec<u32>>,
    /// Different words.
    vocabulary: usize,
}

impl Corpus {
    /// Numbers the words of texts in the order in which they come.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let texts = texts
            .into_iter()
            .map(|text| {
                words(text)
                    .map(|word| {
                        let next = u32::try_from(numbers.len())
                            .expect("fewer words than memory has room for");
                        *numbers.entry(word).or_insert(next)
                    })
                    .collect()
            })
            .collect();
        Self {
            texts,
            vocabulary: numbers.len(),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// How many different words there are.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The words of each text, as numbers.
    #[must_use]
    pub fn texts(&self) -> &[Vec<u32>] {
        &self.texts
    }

    /// Some of the texts, by index, in the order given; numbers of words stay.
    #[must_use]
    pub fn some(&self, indices: &[usize]) -> Self {
        Self {
            texts: indices.iter().map(|&at| self.texts[at].clone()).collect(),
            vocabulary: self.vocabulary,
        }
    }

    /// The first words of some of the texts: index and how many, which is no more than the text has.
    #[must_use]
    pub fn cut(&self, parts: &[(usize, usize)]) -> Self {
        Self {
            texts: parts
                .iter()
                .map(|&(at, words)| self.texts[at][..words].to_vec())
                .collect(),
            vocabulary: self.vocabulary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bare_and_small() {
        let found: Vec<String> =
            words("“Don’t!” she said – it's No. 7, 'tis O'Neill's dog-house.").collect();
        assert_eq!(
            found,
            [
                "don't",
                "she",
                "said",
                "it's",
                "no",
                "7",
                "tis",
                "o'neill's",
                "dog",
                "house"
            ]
        );
        assert_eq!(words(" ' — ’ ").count(), 0);
    }

    #[test]
    fn the_same_word_has_the_same_number() {
        let corpus = Corpus::of(["a b A", "b c", ""]);
        assert_eq!(corpus.texts(), [vec![0, 1, 0], vec![1, 2], vec![]]);
        assert_eq!((corpus.len(), corpus.vocabulary()), (3, 3));
        assert_eq!(corpus.some(&[1, 1]).texts(), [vec![1, 2], vec![1, 2]]);
        assert_eq!(
            corpus.cut(&[(1, 1), (0, 3)]).texts(),
            [vec![1], vec![0, 1, 0]]
        );
    }
}
