//! Texts as words, and how much of one is in another.

/// The words in lower case, without punctuation and apostrophes; an order id is one word.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .flat_map(|chunk| {
            if has_digit(chunk) {
                vec![chunk]
            } else {
                chunk.split(['-', '/', '…', '—', '–']).collect()
            }
        })
        .map(|word| {
            word.chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_lowercase)
                .collect::<String>()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// The words without those that carry digits: ids, prices, dates are repeated for good reasons.
pub(super) fn wordy(text: &str) -> Vec<String> {
    words(text)
        .into_iter()
        .filter(|word| !has_digit(word))
        .collect()
}

/// The numbers of a text, in order.
pub(super) fn numbers(text: &str) -> Vec<String> {
    words(text)
        .into_iter()
        .filter(|word| has_digit(word))
        .collect()
}

fn has_digit(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit())
}

/// How two lists of words overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Length of the longest common subsequence.
    pub(super) common: usize,
    /// Length of the longest common run.
    pub(super) run: usize,
}

/// Longest common subsequence and run, by the usual table.
pub(super) fn overlap(a: &[String], b: &[String]) -> Overlap {
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

/// Whether a text does nothing but thank or part. `names` count as courtesy.
pub(super) fn is_courtesy(text: &str, names: &[&str]) -> bool {
    let words = words(text);
    let polite = |word: &String| {
        COURTESY.contains(&word.as_str())
            || names
                .iter()
                .any(|name| name.split_whitespace().any(|n| n.to_lowercase() == *word))
    };
    !text.contains('?')
        && words.iter().all(polite)
        && words.iter().any(|word| COURTEOUS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_two_texts_can_share() {
        assert_eq!(
            words("It's £239, order LK-48213 - well-known!"),
            ["its", "239", "order", "lk48213", "well", "known"]
        );
        assert_eq!(wordy("order LK-48213 on 3 May"), ["order", "on", "may"]);
        assert_eq!(numbers("order LK-48213 on 3 May"), ["lk48213", "3"]);
    }

    #[test]
    fn overlaps_are_counted() {
        let of = |a: &str, b: &str| overlap(&words(a), &words(b));
        assert_eq!(of("a b c d", "a x b c"), Overlap { common: 3, run: 2 });
        assert_eq!(of("", "a"), Overlap { common: 0, run: 0 });
        assert_eq!(of("q r s", "q r s"), Overlap { common: 3, run: 3 });
    }

    #[test]
    fn courtesy_says_nothing_else() {
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
