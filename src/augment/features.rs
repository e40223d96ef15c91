//! What a turn looks like: counts that anybody can check by eye.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::letters::{MISHEARD_WORDS, neighbours};
use super::words::{
    AUXILIARIES, BARE, COUNTED, FUNCTION, SPELT_OUT, STATE, THIRD, dictionary, has,
};

/// Counts over one turn, in words unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    pub words: usize,
    /// Sentences, and those that begin with a small letter.
    pub sentences: usize,
    pub small_starts: usize,
    /// The last sentence ends with a mark.
    pub marked: bool,
    /// Exclamation marks.
    pub exclamations: usize,
    /// Words of three letters and more in capitals only, without digits and well-known short forms.
    pub shouted: usize,
    /// `i` for `I`.
    pub small_i: usize,
    /// `can't`.
    pub contractions: usize,
    /// `dont`.
    pub bare_contractions: usize,
    /// `u`, `pls`, `gonna`, `yeah`.
    pub chat: usize,
    /// `please`, `kindly`, `sorry`, `could`, `would`.
    pub courteous: usize,
    pub rude: usize,
    /// Impatience and anger.
    pub cross: usize,
    /// More than politeness: `lovely`, `brilliant`.
    pub elated: usize,
    /// Words that are no words the tables know, but one slip away from one.
    pub misspelt: usize,
    /// Mistakes of learners: `two week`, `Where I can`, `buy camera`.
    pub learner: usize,
}

const CHAT: &[&str] = &[
    "bro", "btw", "cos", "coz", "cuz", "dude", "dunno", "gonna", "gotta", "guys", "haha", "hey",
    "hiya", "kinda", "lol", "mate", "nah", "nope", "ok", "omg", "pls", "plz", "sorta", "ta", "tbh",
    "tho", "thx", "u", "ur", "w/o", "wanna", "wtf", "yeah", "yep", "yup",
];
const COURTEOUS: &[&str] = &[
    "apologies",
    "could",
    "excuse",
    "grateful",
    "kindly",
    "may",
    "pardon",
    "please",
    "pls",
    "plz",
    "sorry",
    "thank",
    "thanks",
    "thx",
    "would",
];
const RUDE: &[&str] = &[
    "bloody",
    "clowns",
    "clueless",
    "crap",
    "crappy",
    "damn",
    "dumb",
    "hell",
    "idiot",
    "idiotic",
    "idiots",
    "incompetent",
    "lazy",
    "liar",
    "liars",
    "moron",
    "morons",
    "pathetic",
    "rip-off",
    "ripoff",
    "scam",
    "scammers",
    "shut",
    "stupid",
    "sucks",
    "thieves",
    "useless",
    "wtf",
];
const CROSS: &[&str] = &[
    "absurd",
    "annoyed",
    "annoying",
    "appalling",
    "awful",
    "dreadful",
    "fed",
    "frustrated",
    "frustrating",
    "furious",
    "garbage",
    "hopeless",
    "horrible",
    "ignored",
    "joke",
    "junk",
    "livid",
    "mess",
    "nightmare",
    "nonsense",
    "outrage",
    "outrageous",
    "pathetic",
    "ridiculous",
    "rubbish",
    "scam",
    "seriously",
    "shocking",
    "sick",
    "terrible",
    "tired",
    "typical",
    "unacceptable",
    "unbelievable",
    "useless",
    "waste",
    "wasted",
    "wasting",
    "worst",
];
const ELATED: &[&str] = &[
    "amazing",
    "awesome",
    "brilliant",
    "delighted",
    "excellent",
    "excited",
    "fab",
    "fabulous",
    "fantastic",
    "glad",
    "great",
    "happy",
    "hooray",
    "love",
    "lovely",
    "marvellous",
    "perfect",
    "pleased",
    "super",
    "superb",
    "terrific",
    "thrilled",
    "wonderful",
    "woohoo",
    "yay",
    "yippee",
];
const SUBJECTS: &[&str] = &["he", "i", "it", "she", "they", "we", "you"];
const QUESTIONS: &[&str] = &["how", "what", "when", "where", "which", "who", "why"];
const UNITS: &[&str] = &["day", "hour", "minute", "month", "week", "year"];

/// Words that no bare counted noun follows in correct English.
const NEEDS_ARTICLE: &[&str] = &[
    "about", "add", "after", "at", "before", "bought", "buy", "cancel", "change", "choose",
    "chose", "close", "collect", "extend", "for", "from", "get", "give", "got", "have", "if",
    "install", "into", "keep", "lost", "need", "of", "open", "ordered", "paid", "pay", "receive",
    "received", "repair", "repaired", "return", "returned", "send", "since", "take", "through",
    "track", "until", "use", "want", "with", "without",
];

/// Counts what a turn looks like.
#[must_use]
pub fn features(text: &str) -> Features {
    let mut found = Features::default();
    let mut starts = true;
    // Where the last clause begins.
    let (mut sentence, mut clause) = (0, 0);
    let mut previous: [String; 2] = [String::new(), String::new()];
    let mut lines: Vec<(String, bool)> = Vec::with_capacity(24);
    for chunk in text.split_whitespace() {
        let core = chunk.trim_matches(|c: char| !c.is_alphanumeric());
        found.exclamations += chunk.matches('!').count();
        if !core.is_empty() {
            found.words += 1;
            let lower = core.to_lowercase().replace('’', "'");
            if starts {
                found.sentences += 1;
                found.small_starts += usize::from(core.starts_with(char::is_lowercase));
            }
            found.small_i +=
                usize::from(core == "i" || core.starts_with("i'") || core.starts_with("i’"));
            let letters = core.chars().filter(|c| c.is_alphabetic()).count();
            found.shouted += usize::from(
                letters > 2
                    && !core.contains(|c: char| c.is_lowercase() || c.is_ascii_digit())
                    && !matches!(core, "FAQ" | "PDF" | "PIN" | "SMS" | "USB" | "VAT"),
            );
            let word = lower.as_str();
            found.contractions += usize::from(contracts(word));
            found.bare_contractions += usize::from(is_bare(word));
            found.chat += usize::from(has(CHAT, word));
            found.courteous += usize::from(has(COURTEOUS, word));
            found.rude += usize::from(has(RUDE, word));
            found.cross += usize::from(has(CROSS, word));
            found.elated += usize::from(has(ELATED, word));
            found.misspelt += usize::from(is_misspelt(word));
            lines.push((lower, starts));
            starts = false;
        }
        if chunk.ends_with([',', ';', ':']) {
            clause = lines.len();
        }
        if chunk.ends_with(['.', '!', '?', '…'])
            || chunk.ends_with([')', '"', '”']) && chunk.contains(['.', '!', '?'])
        {
            if chunk.contains('?') {
                found.learner += uninverted(&lines[sentence..], clause - sentence);
            }
            (sentence, clause) = (lines.len(), lines.len());
            starts = true;
        }
    }
    found.marked = text
        .trim_end()
        .ends_with(['.', '!', '?', '…', '"', '”', ')']);
    for (word, starts) in lines {
        found.learner += usize::from(!starts && stumbles(&previous[0], &previous[1], &word));
        previous = [std::mem::take(&mut previous[1]), word];
    }
    found
}

/// Mistakes that three words show.
fn stumbles(earlier: &str, before: &str, word: &str) -> bool {
    let number = before.bytes().all(|b| b.is_ascii_digit()) && !before.is_empty() && before != "1"
        || matches!(
            before,
            "two" | "three" | "four" | "five" | "six" | "seven" | "eight" | "nine" | "ten"
        );
    let bare_noun = has(NEEDS_ARTICLE, before)
        && has(COUNTED, word)
        && !matches!(
            word,
            "order"
                | "charge"
                | "return"
                | "time"
                | "email"
                | "chat"
                | "repair"
                | "service"
                | "point"
                | "number"
                | "card"
                | "gift"
                | "customer"
                | "bank"
        );
    number && UNITS.contains(&word)
        || bare_noun && earlier != "not"
        || before == "am" && STATE.iter().any(|(_, ing)| *ing == word)
        || matches!(before, "he" | "it" | "she")
            && !matches!(
                earlier,
                "does"
                    | "did"
                    | "can"
                    | "will"
                    | "make"
                    | "let"
                    | "would"
                    | "could"
                    | "should"
                    | "must"
                    | "may"
                    | "might"
                    | "do"
                    | "to"
            )
            && THIRD
                .iter()
                .any(|(third, plain)| *plain == word && *third != "means")
            && !has(AUXILIARIES, earlier)
        || matches!(word, "informations" | "advices" | "packagings")
        || before == "since" && matches!(word, "two" | "three" | "four" | "five" | "six" | "ten")
        || matches!(before, "not" | "don't" | "didn't") && word == "nothing"
        || matches!(earlier, "not") && matches!(word, "nothing" | "nobody")
}

/// 1 where a question's words are not turned round: `Where I can …?`, `You can …?`
fn uninverted(sentence: &[(String, bool)], clause: usize) -> usize {
    let opens = |part: &[(String, bool)]| {
        let word = |at: usize| part.get(at).map_or("", |(word, _)| word.as_str());
        let first = (0..part.len())
            .find(|&at| {
                !matches!(
                    word(at),
                    "and" | "but" | "hello" | "hey" | "hi" | "please" | "so"
                )
            })
            .unwrap_or(0);
        let said = SUBJECTS.contains(&word(first)) && has(AUXILIARIES, word(first + 1));
        let reach =
            (first + 1..(first + 4).min(part.len())).find(|&at| SUBJECTS.contains(&word(at)));
        let turned = |at: usize| {
            (first + 1..at).any(|at| {
                has(AUXILIARIES, word(at)) || is_negated(word(at)) || word(at).contains('\'')
            })
        };
        let behind = QUESTIONS.contains(&word(first))
            && word(first) != "what"
            && reach.is_some_and(|at| !turned(at));
        (said, behind, behind && word(first) != "when")
    };
    let (said, behind, _) = opens(&sentence[clause..]);
    let (_, _, earlier) = opens(&sentence[..clause]);
    usize::from(said || behind || earlier)
}

fn is_negated(word: &str) -> bool {
    word.ends_with("n't") || word.ends_with("nt") && word.len() < 9
}

/// Words before `'s` that make a contraction; elsewhere it is a genitive.
const BEFORE_S: &[&str] = &[
    "he", "here", "how", "it", "let", "she", "that", "there", "what", "where", "who",
];

fn contracts(word: &str) -> bool {
    match word.split_once('\'') {
        Some((before, "s")) => BEFORE_S.contains(&before),
        Some((_, after)) => ["t", "re", "ll", "ve", "d", "m"].contains(&after),
        None => false,
    }
}

fn is_bare(word: &str) -> bool {
    (2..9).contains(&word.len())
        && word.ends_with(['t', 'm', 'e', 's'])
        && BARE.iter().any(|bare| {
            bare.len() == word.len() + 1 && bare.bytes().filter(|b| *b != b'\'').eq(word.bytes())
        })
}

/// Hashes of the words that a slip of the fingers or the ear makes of a known word, without those that are words.
static SLIPS: LazyLock<HashSet<u64>> = LazyLock::new(|| {
    let known: HashSet<&str> = dictionary().collect();
    let mut slips = HashSet::new();
    let mut slip = |text: &str| {
        if !known.contains(text) {
            slips.insert(hash(text));
        }
    };
    for word in known
        .iter()
        .filter(|word| word.len() > 2 && word.is_ascii())
    {
        let letters: Vec<char> = word.chars().collect();
        let made = |letters: &[char]| letters.iter().collect::<String>();
        for at in 0..letters.len() - 1 {
            let mut swapped = letters.clone();
            swapped.swap(at, at + 1);
            if at > 0 || letters.len() < 4 {
                slip(&made(&swapped));
            }
        }
        if letters.len() < 4 {
            continue;
        }
        for at in 1..letters.len() {
            let mut changed = letters.clone();
            changed.remove(at);
            // `item` is no slip of `items`.
            if at + 1 < letters.len() {
                slip(&made(&changed));
            }
            changed.insert(at, letters[at]);
            changed.insert(at, letters[at]);
            slip(&made(&changed));
            changed.remove(at);
            for near in neighbours(letters[at]).chars() {
                // `orders` is no slip of `ordered`, nor the other way round.
                if at + 1 < letters.len() || !matches!(near, 's' | 'd' | 'r') {
                    changed[at] = near;
                    slip(&made(&changed));
                }
            }
        }
    }
    for (right, wrong) in MISHEARD_WORDS {
        if !wrong.contains([' ', '\'']) && !known.contains(wrong) && known.contains(right) {
            slip(wrong);
        }
    }
    slips
});

/// Whether a lower-case word is no known word but one slip away from one.
fn is_misspelt(word: &str) -> bool {
    word.len() > 2
        && word.bytes().all(|b| b.is_ascii_lowercase())
        && !has(FUNCTION, word)
        && SPELT_OUT
            .binary_search_by_key(&word, |(short, _)| short)
            .is_err()
        && SLIPS.contains(&hash(word))
}

/// FNV-1a, 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_what_the_eye_counts() {
        let found = features("i cant find it!! Where I can look, pls? It's RIDICULOUS");
        assert_eq!(
            (
                found.words,
                found.sentences,
                found.small_starts,
                found.exclamations
            ),
            (11, 3, 1, 2)
        );
        assert_eq!(
            (
                found.small_i,
                found.bare_contractions,
                found.contractions,
                found.chat
            ),
            (1, 1, 1, 1)
        );
        assert_eq!(
            (found.shouted, found.cross, found.marked, found.learner),
            (1, 1, false, 1)
        );
        assert_eq!(features(""), Features::default());
    }

    #[test]
    fn misspellings_and_slips_of_learners_are_seen() {
        for word in [
            "teh", "retrun", "machien", "delivry", "wich", "becuase", "parcell",
        ] {
            assert!(is_misspelt(word), "{word}");
        }
        for word in [
            "the", "return", "from", "form", "larkmoor", "ordered", "orders", "item", "kettle",
        ] {
            assert!(!is_misspelt(word), "{word}");
        }
        for text in [
            "I return it after two week.",
            "I want return camera.",
            "How long I have to wait?",
            "I am wanting a refund.",
            "It work fine.",
            "I did not get nothing.",
        ] {
            assert!(features(text).learner > 0, "{text}");
        }
        for text in [
            "I return it after two weeks.",
            "Does it work with a phone?",
            "How long do I have?",
            "Can you make it work?",
            "When can I call?",
        ] {
            assert_eq!(features(text).learner, 0, "{text}");
        }
    }

    #[test]
    fn tables_are_sorted() {
        for table in [CHAT, COURTEOUS, RUDE, CROSS, ELATED, NEEDS_ARTICLE, COUNTED] {
            assert!(
                table.is_sorted(),
                "{:?}",
                table.windows(2).find(|pair| pair[0] > pair[1])
            );
        }
    }
}
