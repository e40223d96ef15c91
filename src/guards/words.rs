//! Courtesy, and how much of one text is in another.

use std::sync::LazyLock;

use super::utterance::{Utterance, Word, words_of};

/// How two lists of words overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Length of the longest common subsequence.
    pub(super) common: usize,
    /// Length of the longest common run.
    pub(super) run: usize,
}

/// Longest common subsequence and run, by the usual table.
pub(super) fn overlap(a: &[Word], b: &[Word]) -> Overlap {
    let mut common = vec![0usize; b.len() + 1];
    let mut runs = vec![0usize; b.len() + 1];
    let mut run = 0;
    for x in a {
        let (mut diagonal, mut run_diagonal) = (0, 0);
        for (j, y) in b.iter().enumerate() {
            let (above, run_above) = (common[j + 1], runs[j + 1]);
            let same = x == y;
            common[j + 1] = if same {
                diagonal + 1
            } else {
                above.max(common[j])
            };
            runs[j + 1] = if same { run_diagonal + 1 } else { 0 };
            run = run.max(runs[j + 1]);
            (diagonal, run_diagonal) = (above, run_above);
        }
    }
    Overlap {
        common: common.last().copied().unwrap_or(0),
        run,
    }
}

/// `part / whole`, 0 for nothing of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of words in a turn")]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Words that only greet, thank, agree or part.
const COURTESY: &[&str] = &[
    "a",
    "ahead",
    "all",
    "alright",
    "always",
    "am",
    "amazing",
    "and",
    "any",
    "anytime",
    "appreciate",
    "appreciated",
    "are",
    "as",
    "assist",
    "assistance",
    "at",
    "awesome",
    "be",
    "best",
    "bye",
    "care",
    "chatting",
    "cheers",
    "contacting",
    "could",
    "day",
    "enjoy",
    "ever",
    "evening",
    "farewell",
    "fantastic",
    "feel",
    "for",
    "forward",
    "free",
    "from",
    "glad",
    "good",
    "goodbye",
    "great",
    "happy",
    "have",
    "hear",
    "help",
    "helped",
    "helpful",
    "helping",
    "hope",
    "i",
    "if",
    "im",
    "is",
    "it",
    "its",
    "ill",
    "kind",
    "kindness",
    "later",
    "lot",
    "lots",
    "lovely",
    "luck",
    "made",
    "many",
    "me",
    "much",
    "my",
    "need",
    "nice",
    "night",
    "no",
    "not",
    "now",
    "of",
    "ok",
    "okay",
    "our",
    "out",
    "patience",
    "perfect",
    "pleasure",
    "problem",
    "reach",
    "really",
    "rest",
    "right",
    "same",
    "see",
    "service",
    "so",
    "someone",
    "soon",
    "super",
    "sure",
    "support",
    "ta",
    "take",
    "talk",
    "talking",
    "thank",
    "thankful",
    "thanks",
    "that",
    "thats",
    "the",
    "then",
    "things",
    "this",
    "time",
    "to",
    "today",
    "too",
    "very",
    "wait",
    "was",
    "we",
    "week",
    "weekend",
    "welcome",
    "were",
    "will",
    "wish",
    "wonderful",
    "wishes",
    "wishing",
    "with",
    "worries",
    "yes",
    "you",
    "youre",
    "your",
    "yours",
    "afternoon",
    "once",
    "again",
    "reaching",
    "delighted",
    "hi",
    "hello",
    "mention",
    "dont",
    "weve",
    "ive",
    "been",
    "everything",
    "truly",
    "sincerely",
    "bless",
    "touch",
    "ahead",
    "brilliant",
    "excellent",
    "cool",
    "likewise",
    "anytime",
    "grateful",
    "honestly",
    "morning",
    "tomorrow",
    "ever",
    "us",
    "on",
    "behalf",
    "everyone",
    "team",
    "sounds",
];

/// Words one of which a text must have to count as courtesy.
const COURTEOUS: &[&str] = &[
    "appreciate",
    "appreciated",
    "bye",
    "care",
    "cheers",
    "farewell",
    "glad",
    "goodbye",
    "grateful",
    "happy",
    "likewise",
    "luck",
    "night",
    "pleasure",
    "same",
    "see",
    "ta",
    "talk",
    "thank",
    "thankful",
    "thanks",
    "welcome",
    "wish",
    "wishes",
    "wishing",
    "worries",
    "mention",
    "delighted",
    "enjoy",
    "day",
    "weekend",
    "evening",
];

static COURTESY_WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| in_order(COURTESY));
static COURTEOUS_WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| in_order(COURTEOUS));

fn in_order(list: &[&str]) -> Vec<Word> {
    let mut words: Vec<Word> = list.iter().flat_map(|word| words_of(word)).collect();
    words.sort_unstable();
    words
}

/// Whether a text does nothing but thank or part. `names` count as courtesy.
pub(super) fn is_courtesy(said: &Utterance, names: &[&str]) -> bool {
    let (words, courtesy) = (said.words(), &*COURTESY_WORDS);
    if said.text().contains('?') {
        return false;
    }
    let mut named: Option<Vec<Word>> = None;
    let mut is_name = |word: &Word| {
        named
            .get_or_insert_with(|| names.iter().flat_map(|name| words_of(name)).collect())
            .contains(word)
    };
    words
        .iter()
        .all(|word| courtesy.binary_search(word).is_ok() || is_name(word))
        && words
            .iter()
            .any(|word| COURTEOUS_WORDS.binary_search(word).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_counted() {
        let of = |a: &str, b: &str| overlap(&words_of(a), &words_of(b));
        assert_eq!(of("a b c d", "a x b c"), Overlap { common: 3, run: 2 });
        assert_eq!(of("", "a"), Overlap { common: 0, run: 0 });
        assert_eq!(of("q r s", "q r s"), Overlap { common: 3, run: 3 });
    }

    #[test]
    fn courtesy_says_nothing_else() {
        let is_courtesy = |text, names: &[&str]| is_courtesy(&Utterance::new(text), names);
        assert!(is_courtesy(
            "You're very welcome, Mia! Have a lovely day.",
            &["Mia"]
        ));
        assert!(!is_courtesy("You're very welcome, Mia!", &[]));
        assert!(!is_courtesy("Thanks, the refund is fine.", &[]));
        assert!(!is_courtesy("Thank you. Is that all?", &[]));
        assert!(!is_courtesy("It is.", &[]));
    }
}
