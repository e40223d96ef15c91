//! Whether a turn thanks, and whether it asks: what the dials of an agent's manner count.

use super::words::{AUXILIARIES, COURTESY, FILLERS, FUNCTION, GREETINGS, has};

/// Words that thank by themselves.
const THANKING: &[&str] = &[
    "cheers",
    "grateful",
    "gratitude",
    "ta",
    "thank",
    "thankful",
    "thanks",
    "thankyou",
    "thanx",
    "thnx",
    "thx",
    "tnx",
    "ty",
];

/// Words before them that take it back: `no thanks`, `not thankful`.
const DENYING: &[&str] = &["don't", "dont", "hardly", "never", "no", "not", "without"];

/// Words after `thank` and `thanks` that make them something else: `thanks to your driver`, `thank goodness`.
const ELSEWHERE: &[&str] = &[
    "card", "cards", "god", "goodness", "heaven", "heavens", "letter", "note", "notes", "to",
];

/// What nobody is thanked for: `thanks for nothing`, `thanks for wasting my day`.
const SARCASTIC: &[&str] = &[
    "breaking",
    "delaying",
    "failing",
    "forgetting",
    "ignoring",
    "losing",
    "lying",
    "making",
    "messing",
    "nothing",
    "ruining",
    "wasting",
];

/// Whether a text thanks somebody. `No thanks`, `thanks to you`, `thanks for nothing` and wishes (`I would appreciate a call`)
/// do not count. Irony that only its context shows does.
#[must_use]
pub fn thanks(text: &str) -> bool {
    let mut thanked = false;
    for_each_clause(text, |words, _| thanked |= clause_thanks(words));
    thanked
}

fn clause_thanks(words: &[&str]) -> bool {
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    (0..words.len()).any(|at| {
        let here = word(at);
        let back = |steps: usize| at.checked_sub(steps).map(word).unwrap_or_default();
        let denied = DENYING.contains(&back(1))
            && !(back(2) == "can" || back(1) == "not" && matches!(back(2), "cannot" | "can"))
            || DENYING.contains(&back(2))
                && matches!(back(1), "need" | "to" | "very" | "even" | "way")
            || back(1) == "to" && matches!(back(2), "need" | "reason");
        if THANKING.contains(&here) {
            let next = word(at + 1);
            let object = matches!(here, "thank" | "thanks")
                && (ELSEWHERE.contains(&next)
                    || next == "you" && ELSEWHERE.contains(&word(at + 2)) && word(at + 2) != "to");
            let object = object
                || here == "thank"
                    && !matches!(
                        next,
                        "you"
                            | "u"
                            | "ya"
                            | "you're"
                            | "everyone"
                            | "your"
                            | "him"
                            | "her"
                            | "them"
                            | "the"
                    );
            let drink = here == "cheers"
                && at > 0
                && !matches!(back(1), "and" | "many" | "so" | "ok" | "great");
            let wish = matches!(here, "grateful" | "thankful")
                && (at.saturating_sub(3)..at)
                    .any(|at| matches!(word(at), "would" | "i'd" | "we'd" | "be"))
                && words[at..].contains(&"if");
            let sarcastic = words[at..]
                .iter()
                .position(|word| *word == "for")
                .is_some_and(|place| SARCASTIC.contains(&word(at + place + 1)));
            return !denied && !object && !drink && !wish && !sarcastic;
        }
        if matches!(here, "appreciate" | "appreciated") {
            let wished = (at.saturating_sub(4)..at)
                .any(|at| matches!(word(at), "would" | "i'd" | "we'd" | "could" | "you'd"));
            let failed = back(1) == "to" && back(2) == "fail";
            return !(denied || wished || failed);
        }
        here == "obliged" && back(1) == "much"
    })
}

/// Whether a turn asks the other side something: by a question mark, or by a verb turned round or a question word at a
/// sentence's start. `Should you need more` and `what a pity` ask nothing.
#[must_use]
pub fn asks(text: &str) -> bool {
    let mut asked = false;
    for_each_clause(text, |words, mark| {
        let Some(first) = words.iter().position(|word| !is_lead_in(word)) else {
            return;
        };
        asked |= mark == Some('?');
        let (verb, next) = (
            words[first],
            words.get(first + 1).copied().unwrap_or_default(),
        );
        let subject = matches!(
            next,
            "i" | "you"
                | "u"
                | "we"
                | "they"
                | "he"
                | "she"
                | "it"
                | "there"
                | "that"
                | "this"
                | "the"
                | "my"
                | "your"
                | "anyone"
                | "someone"
                | "somebody"
        );
        let turned = subject && (has(AUXILIARIES, verb) || is_negated_auxiliary(verb));
        let condition = matches!(verb, "should" | "had" | "were") && mark != Some('?');
        let wish = verb == "may" && next == "the";
        let told = mark == Some('.') || mark == Some('!');
        let wh = matches!(
            verb,
            "how" | "what" | "when" | "where" | "which" | "who" | "why"
        ) && words.len() > first + 1
            && !told;
        // `When it arrives, …` and `what you need is …` go on without a verb turned round.
        let open = wh
            && (has(AUXILIARIES, next)
                || matches!(verb, "how" | "why" | "which")
                || verb == "what" && !matches!(next, "a" | "an" | "you" | "i" | "we"));
        // What is said with a stop asks only of the reader: `Could you send it.`
        let of_you = !told
            || matches!(next, "you" | "u")
                && matches!(
                    verb,
                    "can" | "could" | "would" | "will" | "do" | "did" | "are" | "have"
                );
        asked |= turned && !condition && !wish && of_you || open;
    });
    asked
}

fn is_negated_auxiliary(word: &str) -> bool {
    word.strip_suffix("n't")
        .or(word.strip_suffix("nt"))
        .is_some_and(|verb| has(AUXILIARIES, verb) || matches!(verb, "ca" | "wo"))
}

/// Words that come before what a sentence says.
fn is_lead_in(word: &str) -> bool {
    !has(AUXILIARIES, word)
        && (has(GREETINGS, word)
            || has(FILLERS, word)
            || matches!(
                word,
                "and"
                    | "but"
                    | "or"
                    | "so"
                    | "then"
                    | "also"
                    | "just"
                    | "please"
                    | "well"
                    | "now"
                    | "sorry"
                    | "great"
                    | "thanks"
            ))
}

/// Whether words do nothing but greet, thank and fill: `thank you for the answer`.
pub(super) fn is_courtesy(words: &[&str]) -> bool {
    let thanked = words
        .iter()
        .position(|word| matches!(*word, "thank" | "thanks"));
    if thanked.is_some_and(|at| at < 2)
        && words.len() < 8
        && words.contains(&"for")
        && !words.iter().any(|word| matches!(*word, "and" | "but"))
    {
        return true;
    }
    !words.is_empty()
        && words.iter().all(|word| {
            has(COURTESY, word)
                || has(GREETINGS, word)
                || has(FILLERS, word)
                || has(FUNCTION, word)
                || THANKING.contains(word)
        })
}

/// Calls with each clause's words in lower case, and the mark that ends its sentence where it ends there.
fn for_each_clause(text: &str, mut call: impl FnMut(&[&str], Option<char>)) {
    let lower = text.to_lowercase().replace('’', "'");
    let mut words: Vec<&str> = Vec::new();
    for chunk in lower.split_whitespace() {
        for part in chunk.split_inclusive(['.', ',', '!', '?', ';', ':', '…', '(', ')']) {
            let word = part.trim_matches(|c: char| !c.is_alphanumeric());
            if !word.is_empty() {
                words.push(word);
            }
            let mark = part.chars().next_back().filter(|c| !c.is_alphanumeric());
            let ends = matches!(
                mark,
                Some('.' | ',' | '!' | '?' | ';' | ':' | '…' | '(' | ')')
            );
            // A point inside a number or an address ends nothing.
            let inside = part.len() < chunk.len()
                && !chunk.ends_with(part)
                && matches!(mark, Some('.' | ',' | ':'));
            if ends && !inside && !words.is_empty() {
                call(&words, mark);
                words.clear();
            }
        }
    }
    if !words.is_empty() {
        call(&words, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gratitude_is_told_from_what_sounds_like_it() {
        for text in [
            "Thank you for waiting.",
            "Great, thanks!",
            "thx",
            "Thanks a lot for your help",
            "ok cheers",
            "Cheers, bye",
            "I really appreciate that.",
            "Much obliged.",
            "I can't thank you enough!",
            "I am very grateful.",
            "Thank you, but it is still broken.",
            "ty so much",
            "Many thanks in advance",
            "It works now, thank you.",
            "No, that is all. Thanks.",
            "No problem, thank you.",
            "Your help is much appreciated.",
        ] {
            assert!(thanks(text), "{text}");
        }
        for text in [
            "No thanks to you.",
            "Thanks for nothing.",
            "Thanks to your driver the box is wet.",
            "Thank goodness it came.",
            "No thanks.",
            "No thank you",
            "I would appreciate a call back.",
            "I'd appreciate it if you could hurry.",
            "I would be grateful if you could help.",
            "There is no need to thank me.",
            "Do you sell thank you cards? A thank-you note",
            "Thanks for wasting my whole day.",
            "I am not thankful at all.",
            "Where is it?",
            "",
            "That is a fact, ta-da",
            "He cheers every time.",
        ] {
            assert!(!thanks(text), "{text}");
        }
    }

    #[test]
    fn questions_are_told_with_and_without_their_mark() {
        for text in [
            "Where is it?",
            "could you send me the order number",
            "Could you send me the order number.",
            "It costs £5. Is that all right?",
            "so what is your name",
            "Hi, can you tell me more",
            "Which one do you mean?",
            "You mean the red one?",
            "don't you have it",
            "Sure, but when did you order?",
            "how long has it been like that",
        ] {
            assert!(asks(text), "{text}");
        }
        for text in [
            "It costs £5.",
            "Should you need anything else, let me know.",
            "What a pity.",
            "When it arrives, call us.",
            "I can tell you how it works.",
            "Please send the order number.",
            "Do let me know.",
            "",
            "Can do.",
            "How lovely!",
            "What you need is the receipt.",
            "See shop.example/where",
            "May the best one win.",
        ] {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn tables_are_sorted() {
        assert!(
            THANKING.is_sorted()
                && DENYING.is_sorted()
                && ELSEWHERE.is_sorted()
                && SARCASTIC.is_sorted()
        );
    }
}
