use std::collections::HashMap;

use super::words;

/// How texts begin, or end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Openers {
    /// The first words and how many texts begin with them: the most common first, equals in the order of the alphabet.
    counts: Vec<(String, usize)>,
    texts: usize,
}

impl Openers {
    /// The first `words` words of each text; shorter texts are their own opener, texts without words do not count.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>, length: usize) -> Self {
        Self::counted(
            texts
                .into_iter()
                .map(|text| words(text).take(length).collect()),
        )
    }

    /// The last `length` words of each text, likewise.
    pub fn closing<'a>(texts: impl IntoIterator<Item = &'a str>, length: usize) -> Self {
        Self::counted(texts.into_iter().map(|text| {
            let mut words: Vec<String> = words(text).collect();
            words.split_off(words.len().saturating_sub(length))
        }))
    }

    fn counted(openers: impl Iterator<Item = Vec<String>>) -> Self {
        let mut found: HashMap<String, usize> = HashMap::new();
        let mut all = 0;
        for opener in openers {
            let opener = opener.join(" ");
            if !opener.is_empty() {
                *found.entry(opener).or_default() += 1;
                all += 1;
            }
        }
        let mut counts: Vec<(String, usize)> = found.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self { counts, texts: all }
    }

    /// Openers with their counts, the most common first.
    #[must_use]
    pub fn counts(&self) -> &[(String, usize)] {
        &self.counts
    }

    /// Share of the texts that begin with one of the `most` most common openers; none where there are no texts.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
    pub fn share_of_top(&self, most: usize) -> Option<f64> {
        let common: usize = self.counts.iter().take(most).map(|(_, n)| n).sum();
        (self.texts > 0).then(|| common as f64 / self.texts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openers_are_counted_without_case_and_marks() {
        let openers = Openers::of(
            [
                "So, who is it?",
                "so who IS that",
                "Who is so?",
                "Well",
                "?",
            ],
            3,
        );
        let counts: Vec<(&str, usize)> = openers
            .counts()
            .iter()
            .map(|(o, n)| (o.as_str(), *n))
            .collect();
        assert_eq!(counts, [("so who is", 2), ("well", 1), ("who is so", 1)]);
        assert_eq!(openers.share_of_top(1), Some(0.5));
        assert_eq!(openers.share_of_top(2), Some(0.75));
        assert_eq!(openers.share_of_top(9), Some(1.0));
        assert_eq!(Openers::of(["…"], 3).share_of_top(1), None);
        let closers = Openers::closing(["Is that all? Thank you.", "Well, THANK you", "you"], 2);
        let expected = [("thank you".to_owned(), 2), ("you".to_owned(), 1)];
        assert_eq!(closers.counts(), expected);
    }
}
