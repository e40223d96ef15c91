//! Replies that are no rewrite: talk about the task, an answer, another language.

use super::tokens::{Class, Token};
use crate::augment::words::{FUNCTION, has};

/// Talk about the rewriting itself, as phrases in lower case; none of them may be new.
const META: &[&str] = &[
    "a casual version",
    "a formal version",
    "a non-native version",
    "a polite version",
    "a possible rewrite",
    "as an ai",
    "casual version",
    "cheerful version",
    "formal version",
    "here is a",
    "here is my",
    "here is the",
    "here's a",
    "here's the",
    "i added",
    "i changed",
    "i have added",
    "i have changed",
    "i have rewritten",
    "i kept",
    "i made the",
    "i rewrote",
    "in a casual tone",
    "in a cheerful tone",
    "in a formal tone",
    "language model",
    "new query",
    "non-native version",
    "note that i",
    "note:",
    "original query",
    "original sentence",
    "original text",
    "output:",
    "paraphrase",
    "polite version",
    "query with",
    "rephrase",
    "rephrased",
    "revised version",
    "rewrite:",
    "rewritten",
    "spelling mistakes",
    "the customer",
    "the query",
    "the rewrite",
    "the sentence",
    "the text above",
    "this query",
    "with typos",
    "angry version",
    "annoyed version",
    "neutral version",
    "colloquial version",
    "casual:",
    "formal:",
    "version:",
    "is not about a product",
    "is not product",
];

/// The first phrase of talk about the task that the source does not have.
pub(super) fn meta(before: &str, after: &str) -> Option<String> {
    let (before_lower, lower) = (plain(before), plain(after));
    let trimmed = after.trim();
    if trimmed.contains('\n') && !before.trim().contains('\n') {
        return Some("several lines".to_owned());
    }
    META.iter()
        .find(|phrase| has_phrase(&lower, phrase) && !has_phrase(&before_lower, phrase))
        .map(|phrase| (*phrase).to_owned())
}

fn plain(text: &str) -> String {
    text.to_lowercase()
        .replace('’', "'")
        .replace("'ve ", " have ")
}

/// Whether a phrase stands in a text as whole words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, found)| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let end = text[at + found.len()..].chars().next();
        !letter(text[..at].chars().next_back()) && (phrase.ends_with(':') || !letter(end))
    })
}

/// Whether a reply is nothing, as a word: what a model is told to answer when a product does not fit.
pub(super) fn is_null(after: &str) -> bool {
    let word = after
        .trim()
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    matches!(word.as_str(), "null" | "none" | "n/a" | "nil")
}

/// How many speak of the one who writes, of the one who reads, and of a shop as `we`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Persons {
    pub(super) i: usize,
    pub(super) you: usize,
    pub(super) we: usize,
}

pub(super) fn persons(tokens: &[Token], skip: impl Fn(usize) -> bool) -> Persons {
    let mut found = Persons::default();
    for (at, token) in tokens.iter().enumerate() {
        if skip(at) {
            continue;
        }
        match token.text.as_str() {
            "i" | "me" | "my" | "mine" | "myself" => found.i += 1,
            "you" | "your" | "yours" | "yourself" => found.you += 1,
            "we" | "us" | "our" | "ours" => found.we += 1,
            _ => {}
        }
    }
    found
}

/// Words with which an answer begins.
const REPLIES: &[&str] = &["absolutely", "certainly", "no", "of course", "sure", "yes"];

/// The word with which a text answers rather than asks.
pub(super) fn reply(after: &str) -> Option<&'static str> {
    let lower = plain(after);
    REPLIES.iter().copied().find(|word| {
        lower.trim_start().strip_prefix(word).is_some_and(|rest| {
            rest.starts_with([',', '!', '.'])
                || rest.starts_with(" thing")
                || *word == "yes" && rest.starts_with(' ')
        })
    })
}

/// Frequent words of other languages that are no English ones.
const FOREIGN: &[&str] = &[
    "aber", "auch", "avec", "bitte", "che", "como", "cuando", "dans", "das", "dla", "ein", "eine",
    "est", "est-ce", "esta", "fue", "gdzie", "ich", "ist", "jak", "je", "jest", "kann", "les",
    "mein", "mi", "mich", "mit", "moje", "nicht", "nie", "non", "para", "pas", "per", "pero",
    "por", "pour", "puedo", "quand", "que", "sich", "sie", "sono", "sur", "und", "une", "uno",
    "vous", "wann", "wie", "wo", "zu",
];

/// Whether a text is in another language than the English it should be in.
pub(super) fn is_foreign(text: &str, tokens: &[Token]) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let others = text
        .chars()
        .filter(|c| c.is_alphabetic() && !is_latin(*c))
        .count();
    if others * 4 > letters {
        return true;
    }
    let words = tokens.iter().filter(|token| token.class == Class::Word);
    let (mut foreign, mut english) = (0, 0);
    for word in words {
        foreign += usize::from(has(FOREIGN, &word.text));
        english += usize::from(has(FUNCTION, &word.text));
    }
    foreign > 1 && foreign > english
}

fn is_latin(c: char) -> bool {
    c.is_ascii() || ('\u{c0}'..='\u{24f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[test]
    fn talk_about_the_task_is_found() {
        for text in [
            "Here is the rewritten query: Where is it?",
            "Where is it?\n\nNote: I kept the meaning.",
            "Casual version: where is it",
            "Where is it? (I added typos)",
        ] {
            assert!(meta("Where is it?", text).is_some(), "{text}");
        }
        for text in [
            "Where is it, here or there?",
            "Which version do I have?",
            "I noted the number",
        ] {
            assert_eq!(meta("Where is it?", text), None, "{text}");
        }
        assert_eq!(
            meta(
                "The customer service is slow",
                "The customer service is so slow"
            ),
            None
        );
    }

    #[test]
    fn other_languages_are_found() {
        for text in [
            "Wo ist mein Paket und wann kommt es?",
            "¿Cuándo puedo devolver esta lavadora?",
            "Где моя посылка?",
            "洗濯機を返品できますか",
        ] {
            assert!(is_foreign(text, &tokens(text)), "{text}");
        }
        for text in [
            "Where is my parcel?",
            "My señor Müller order",
            "que?",
            "LK-1",
        ] {
            assert!(!is_foreign(text, &tokens(text)), "{text}");
        }
    }

    #[test]
    fn replies_are_found() {
        assert_eq!(reply("Yes, you can."), Some("yes"));
        assert_eq!(reply("sure thing, mate"), Some("sure"));
        assert_eq!(reply("No charger in the box"), None);
        assert!(FOREIGN.is_sorted());
        assert!(is_null(" \"Null.\"") && !is_null("null pointer"));
    }
}
