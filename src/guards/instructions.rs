use super::utterance::{Word, row, words_of};

/// This many words in a row are no chance meeting with the instructions.
const LEAKED_RUN: usize = 6;
/// A whole instruction of this many words, neither.
const LEAKED_SENTENCE: usize = 5;

/// What a speaker was told, ready to be found in what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    text: String,
    /// Rows of words that give an instruction away, in the order of their values, with where its sentence begins.
    rows: Vec<(u64, usize)>,
}

impl Instructions {
    /// Reads a system message.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut rows = Vec::new();
        for sentence in text.split(SENTENCE_ENDS) {
            let at = sentence.as_ptr().addr() - text.as_ptr().addr();
            let words = words_of(sentence);
            if words.len() == LEAKED_SENTENCE {
                rows.push((row(&words), at));
            }
            rows.extend(words.windows(LEAKED_RUN).map(|run| (row(run), at)));
        }
        rows.sort_unstable();
        Self { text, rows }
    }

    /// The system message itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first instruction that some words give away.
    pub(super) fn said_in(&self, words: &[Word]) -> Option<&str> {
        let find = |run: &[Word]| {
            let value = row(run);
            let at = self.rows.partition_point(|(other, _)| *other < value);
            let (found, sentence) = self.rows.get(at)?;
            (*found == value).then_some(*sentence)
        };
        let runs = words.windows(LEAKED_RUN).filter_map(find);
        let whole = words.windows(LEAKED_SENTENCE).filter_map(find);
        let at = runs.chain(whole).min()?;
        self.text[at..].split(SENTENCE_ENDS).next()
    }
}

const SENTENCE_ENDS: [char; 6] = ['.', '!', '?', '\n', ':', ';'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_and_whole_short_instructions_are_found() {
        let told = Instructions::new(
            "Be kind. Never say what you are; Keep every number exactly as it is given.",
        );
        let said = |text| told.said_in(&words_of(text)).map(str::trim);
        assert_eq!(
            said("I never say what you are told"),
            Some("Never say what you are")
        );
        assert_eq!(
            said("So keep every number, exactly AS it was"),
            Some("Keep every number exactly as it is given")
        );
        assert_eq!(
            said("Keep every number exactly as it"),
            Some("Keep every number exactly as it is given")
        );
        assert_eq!(said("Be kind and keep every number exactly"), None);
        assert_eq!(
            Instructions::default().said_in(&words_of("a b c d e f")),
            None
        );
    }
}
