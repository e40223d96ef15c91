//! English word stems for telling likeness: crude on purpose, since two words only have to meet when they are one.

/// A word's stem: plural, tense, adverb and the most common noun endings cut, so that `bake`, `bakes`, `baked` and
/// `baking` are one. Words with other letters than a to z stay as they are.
pub(super) fn stem(word: &str) -> String {
    if !word.bytes().all(|b| b.is_ascii_lowercase()) || word.len() <= 3 {
        return word.to_owned();
    }
    let mut stem = singular(word);
    for ending in ["ingly", "edly", "ing", "ed", "ly"] {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() >= 3
            && rest.contains(is_vowel)
        {
            stem = undoubled(rest).to_owned();
            break;
        }
    }
    for ending in ["ations", "ation", "ments", "ment", "ness", "ful"] {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() >= 4
        {
            stem = rest.to_owned();
            break;
        }
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    if stem.len() > 2 && stem.ends_with('y') {
        stem.pop();
        stem.push('i');
    }
    stem
}

fn singular(word: &str) -> String {
    let cut = |n: usize| word[..word.len() - n].to_owned();
    if word.ends_with("ies") && word.len() > 4 {
        return cut(3) + "y";
    }
    if ["sses", "shes", "ches", "xes", "zes"]
        .iter()
        .any(|ending| word.ends_with(ending))
    {
        return cut(2);
    }
    if word.ends_with('s') && !["ss", "us", "is"].iter().any(|e| word.ends_with(e)) {
        return cut(1);
    }
    word.to_owned()
}

/// `stopp` of `stopped` as `stop`; `fall`, `miss` and `buzz` keep their letters.
fn undoubled(stem: &str) -> &str {
    let bytes = stem.as_bytes();
    match bytes {
        [.., a, b] if a == b && !is_vowel(*a as char) && !b"lsz".contains(a) => {
            &stem[..stem.len() - 1]
        }
        _ => stem,
    }
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

/// Whether a word says too little of what happens to count: function words, numbers, and what stories are told with.
pub(super) fn is_common(word: &str) -> bool {
    word.len() < 2 || COMMON.binary_search(&word).is_ok()
}

/// In alphabetical order.
const COMMON: &[&str] = &[
    "about",
    "above",
    "across",
    "after",
    "afternoon",
    "afterwards",
    "again",
    "against",
    "ago",
    "all",
    "almost",
    "alone",
    "along",
    "already",
    "also",
    "although",
    "always",
    "am",
    "among",
    "an",
    "and",
    "another",
    "any",
    "anybody",
    "anyone",
    "anything",
    "anyway",
    "are",
    "arent",
    "around",
    "as",
    "ask",
    "asked",
    "asking",
    "asks",
    "at",
    "away",
    "back",
    "be",
    "became",
    "because",
    "become",
    "been",
    "before",
    "began",
    "begin",
    "begins",
    "behind",
    "being",
    "below",
    "beside",
    "best",
    "better",
    "between",
    "both",
    "but",
    "by",
    "call",
    "called",
    "came",
    "can",
    "cannot",
    "cant",
    "come",
    "comes",
    "coming",
    "could",
    "couldnt",
    "day",
    "days",
    "did",
    "didnt",
    "do",
    "does",
    "doesnt",
    "doing",
    "done",
    "dont",
    "down",
    "during",
    "each",
    "eight",
    "either",
    "eleven",
    "else",
    "end",
    "enough",
    "even",
    "evening",
    "ever",
    "every",
    "everybody",
    "everyone",
    "everything",
    "few",
    "fifteen",
    "fifty",
    "find",
    "first",
    "five",
    "for",
    "forty",
    "found",
    "four",
    "from",
    "front",
    "full",
    "gave",
    "get",
    "gets",
    "getting",
    "give",
    "given",
    "gives",
    "go",
    "goes",
    "going",
    "gone",
    "good",
    "got",
    "had",
    "hadnt",
    "half",
    "hardly",
    "has",
    "hasnt",
    "have",
    "havent",
    "having",
    "he",
    "hear",
    "heard",
    "her",
    "here",
    "hers",
    "herself",
    "hes",
    "him",
    "himself",
    "his",
    "hold",
    "hour",
    "hours",
    "how",
    "however",
    "hundred",
    "id",
    "if",
    "ill",
    "im",
    "in",
    "inside",
    "instead",
    "into",
    "is",
    "isnt",
    "it",
    "its",
    "itself",
    "ive",
    "just",
    "keep",
    "keeps",
    "kept",
    "knew",
    "know",
    "known",
    "knows",
    "last",
    "later",
    "least",
    "leave",
    "left",
    "less",
    "let",
    "lets",
    "like",
    "little",
    "long",
    "look",
    "looked",
    "looking",
    "looks",
    "lot",
    "made",
    "make",
    "makes",
    "making",
    "many",
    "may",
    "maybe",
    "me",
    "mean",
    "meant",
    "met",
    "might",
    "minute",
    "minutes",
    "month",
    "months",
    "more",
    "morning",
    "most",
    "much",
    "must",
    "my",
    "myself",
    "need",
    "needed",
    "needs",
    "neither",
    "never",
    "new",
    "next",
    "nine",
    "ninety",
    "no",
    "nobody",
    "none",
    "nor",
    "not",
    "nothing",
    "now",
    "of",
    "off",
    "often",
    "old",
    "on",
    "once",
    "one",
    "only",
    "onto",
    "or",
    "other",
    "others",
    "our",
    "ours",
    "out",
    "outside",
    "over",
    "own",
    "part",
    "per",
    "perhaps",
    "put",
    "quite",
    "rather",
    "really",
    "right",
    "said",
    "same",
    "saw",
    "say",
    "saying",
    "says",
    "second",
    "see",
    "seen",
    "set",
    "seven",
    "several",
    "shall",
    "she",
    "should",
    "since",
    "six",
    "sixty",
    "so",
    "some",
    "somebody",
    "someone",
    "something",
    "still",
    "such",
    "take",
    "taken",
    "takes",
    "tell",
    "telling",
    "tells",
    "ten",
    "than",
    "that",
    "thats",
    "the",
    "their",
    "theirs",
    "them",
    "themselves",
    "then",
    "there",
    "theres",
    "these",
    "they",
    "theyre",
    "thing",
    "things",
    "think",
    "thinks",
    "third",
    "thirty",
    "this",
    "those",
    "though",
    "thought",
    "thousand",
    "three",
    "through",
    "till",
    "time",
    "times",
    "to",
    "today",
    "together",
    "told",
    "tomorrow",
    "tonight",
    "too",
    "took",
    "toward",
    "towards",
    "turn",
    "turned",
    "turns",
    "twelve",
    "twenty",
    "twice",
    "two",
    "under",
    "until",
    "up",
    "upon",
    "us",
    "use",
    "used",
    "very",
    "wait",
    "waiting",
    "want",
    "wanted",
    "wants",
    "was",
    "wasnt",
    "way",
    "we",
    "week",
    "weeks",
    "well",
    "went",
    "were",
    "werent",
    "weve",
    "what",
    "whatever",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "who",
    "whole",
    "whom",
    "whose",
    "why",
    "will",
    "with",
    "within",
    "without",
    "wont",
    "word",
    "words",
    "would",
    "wouldnt",
    "year",
    "years",
    "yes",
    "yesterday",
    "yet",
    "you",
    "your",
    "youre",
    "yours",
    "yourself",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_meet() {
        for forms in [
            &["bake", "bakes", "baked", "baking"][..],
            &["stop", "stops", "stopped", "stopping"],
            &["party", "parties"],
            &["carry", "carries", "carried", "carrying"],
            &["box", "boxes"],
            &["pass", "passes", "passed"],
            &["quiet", "quietly", "quietness"],
            &["argue", "argues", "argued"],
            &["fall", "falls", "falling"],
        ] {
            let stems: Vec<_> = forms.iter().map(|form| stem(form)).collect();
            assert!(stems.iter().all(|s| *s == stems[0]), "{forms:?}: {stems:?}");
        }
    }

    #[test]
    fn other_words_stay_apart() {
        for (a, b) in [
            ("sing", "sin"),
            ("bed", "be"),
            ("ring", "rin"),
            ("boat", "bolt"),
            ("bus", "bu"),
            ("glass", "glas"),
        ] {
            assert_ne!(stem(a), stem(b), "{a} {b}");
        }
        for word in ["ünder", "é", "a", "的"] {
            assert_eq!(stem(word), word);
        }
    }

    #[test]
    fn common_words_are_in_order() {
        assert!(COMMON.is_sorted_by(|a, b| a < b));
        assert!(is_common("the") && !is_common("boat"));
    }
}
