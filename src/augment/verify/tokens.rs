//! Texts as tokens: words in one spelling, numbers with their values, ids as they are.

use std::ops::Range;

use super::numbers::{digits, number};
use super::spellings::{PHRASES, SPELLINGS};
use crate::augment::words::{WEEKDAYS, has, month, stem};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Word,
    /// Its value as digits; words for numbers have theirs.
    Number,
    /// An order id, a code, an address, a time, a date in digits: in upper case.
    Exact,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Lower case, contractions resolved: `can't` is `can`, `not`.
    pub(super) text: String,
    pub(super) stem: String,
    /// As `text` before a number in words got its value.
    pub(super) written: String,
    pub(super) class: Class,
    /// Currency, `%`, a unit of time, `am`, `pm`, `st` of an ordinal; empty without.
    pub(super) unit: &'static str,
    /// Where the chunk stands in the text; parts of one chunk share it.
    pub(super) at: Range<usize>,
    pub(super) starts: Start,
    /// The sentence this token is in ends with a question mark.
    pub(super) asked: bool,
    /// It ends with a full stop or an exclamation mark.
    pub(super) stated: bool,
    /// Written with a capital (not all capitals), although no sentence starts here.
    pub(super) name: bool,
}

/// What starts at a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Nothing,
    Clause,
    Sentence,
}

impl Token {
    pub(super) fn starts_sentence(&self) -> bool {
        self.starts == Start::Sentence
    }

    /// A sentence starts a clause as well.
    pub(super) fn starts_clause(&self) -> bool {
        self.starts != Start::Nothing
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.text == word
    }
}

/// The text's tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    let (mut sentence, mut clause) = (true, true);
    let mut from = 0;
    for chunk in text.split_whitespace() {
        let start = chunk.as_ptr() as usize - text.as_ptr() as usize;
        if chunk.starts_with('%')
            && let Some(last) = out.last_mut().filter(|last| last.class == Class::Number)
        {
            last.unit = "%";
        }
        let core = chunk.trim_matches(|c: char| !c.is_alphanumeric() && !"£$€%".contains(c));
        if core.starts_with(|c: char| c.is_alphanumeric() || "£$€".contains(c)) {
            let lead = &chunk[..chunk.find(core).unwrap_or(0)];
            clause |= lead.contains(['(', '"', '“', '-', '–', '—']);
            let capital = core.starts_with(char::is_uppercase)
                && core.chars().any(char::is_lowercase)
                && core != "I"
                && !core.starts_with("I'")
                && !core.starts_with("I’");
            for (index, (text, class, unit)) in parts(core).into_iter().enumerate() {
                out.push(Token {
                    stem: stem(&text),
                    written: text.clone(),
                    text,
                    class,
                    unit,
                    at: start..start + chunk.len(),
                    starts: match (index, sentence, clause) {
                        (0, true, _) => Start::Sentence,
                        (0, false, true) => Start::Clause,
                        _ => Start::Nothing,
                    },
                    asked: false,
                    stated: false,
                    name: capital && index == 0 && !sentence,
                });
            }
            (sentence, clause) = (false, false);
        }
        let tail = &chunk[chunk.rfind(core).map_or(0, |at| at + core.len())..];
        let tail = if core.is_empty() { chunk } else { tail };
        if tail.contains(['.', '!', '?', '…']) {
            for token in &mut out[from..] {
                token.asked = tail.contains('?');
                token.stated = !token.asked;
            }
            from = out.len();
            sentence = true;
        } else if tail.contains([',', ';', ':', '-', '–', '—', ')']) {
            clause = true;
        }
    }
    let mut out = joined(out);
    number(&mut out);
    out
}

/// What one chunk is made of.
fn parts(core: &str) -> Vec<(String, Class, &'static str)> {
    let lower = core.to_lowercase().replace('’', "'");
    if lower.contains('@') && lower.contains('.') {
        return vec![(lower.to_uppercase(), Class::Exact, "")];
    }
    if lower.contains(|c: char| c.is_ascii_digit()) {
        return digits(&lower);
    }
    let word = |text: &str| (text.to_owned(), Class::Word, "");
    if let Ok(at) = SPELLINGS.binary_search_by_key(&lower.as_str(), |(from, _)| from) {
        return SPELLINGS[at].1.iter().map(|text| word(text)).collect();
    }
    let mut out = Vec::new();
    for part in lower.split(['-', '/', '–', '—', '…', '.', ',', '!', '?', ':', ';']) {
        let part = part.trim_matches('\'');
        if part.is_empty() {
            continue;
        }
        if let Ok(at) =
            SPELLINGS.binary_search_by_key(&part.replace('\'', "").as_str(), |(from, _)| from)
        {
            out.extend(SPELLINGS[at].1.iter().map(|text| word(text)));
            continue;
        }
        match part.split_once('\'') {
            Some((before, "s")) => out.push(word(before)),
            Some((before, "re")) => out.extend([word(before), word("are")]),
            Some((before, "ve")) => out.extend([word(before), word("have")]),
            Some((before, "ll")) => out.extend([word(before), word("will")]),
            Some((before, "d")) => out.extend([word(before), word("would")]),
            Some((before, "m")) => out.extend([word(before), word("am")]),
            Some((before, "t")) if before.ends_with('n') => {
                out.extend([word(&before[..before.len() - 1]), word("not")]);
            }
            _ => out.push(word(&part.replace('\'', ""))),
        }
    }
    out
}

/// Phrases as single tokens.
fn joined(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        out.push(token);
        for (phrase, whole) in PHRASES {
            let Some(start) = out.len().checked_sub(phrase.len()) else {
                continue;
            };
            let tail = &out[start..];
            let together = tail.iter().skip(1).all(|token| !token.starts_clause());
            if together
                && tail.iter().zip(*phrase).all(|(token, word)| token.is(word))
                && tail.len() > 1
            {
                let end = out.last().map_or(0, |token| token.at.end);
                out.truncate(start + 1);
                let last = &mut out[start];
                str::clone_into(whole, &mut last.text);
                last.stem = stem(whole);
                last.written.clone_from(&last.text);
                last.at.end = end;
                break;
            }
        }
    }
    out
}

/// Whether a token names a day, a part of a day or a month.
pub(super) fn is_time(tokens: &[Token], at: usize) -> bool {
    let token = &tokens[at];
    let number = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|t| t.class == Class::Number)
    };
    let beside = number(at.checked_sub(1)) || number(Some(at + 1));
    token.class == Class::Word
        && (has(WEEKDAYS, &token.text) || month(&token.text, beside).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        tokens(text)
            .iter()
            .map(|token| match token.class {
                Class::Word => token.text.clone(),
                Class::Number => format!("#{}{}", token.text, token.unit),
                Class::Exact => format!("={}", token.text),
            })
            .collect()
    }

    #[test]
    fn words_numbers_and_ids_are_told_apart() {
        assert_eq!(
            read("I can't, won’t and dont!"),
            ["i", "can", "not", "will", "not", "and", "do", "not"]
        );
        assert_eq!(
            read("£1,200.00 twice, 49.90€ 10 %"),
            ["#1200£", "#2", "#49.9€", "#10%"]
        );
        assert_eq!(
            read("a 2-year plan, twenty five days, 3rd 5pm"),
            [
                "a", "#2year", "year", "plan", "#25day", "days", "#3st", "#5pm"
            ]
        );
        assert_eq!(
            read("LK-48213 at 9:30 for a.b@c.org on 31/12/2025"),
            [
                "=LK-48213",
                "at",
                "=9:30",
                "for",
                "=A.B@C.ORG",
                "on",
                "=31/12/2025"
            ]
        );
        assert_eq!(
            read("It's the customer's e-mail; no one turned up"),
            ["it", "the", "customer", "email", "nobody", "arrived"]
        );
        assert_eq!(
            read("300 quid, three hundred pounds, two"),
            ["#300£", "quid", "#300£", "pounds", "#2"]
        );
    }

    #[test]
    fn sentences_and_clauses_are_seen() {
        let tokens = tokens("Hi! Where is it, Anna? It came to Larkmoor.");
        let starts: Vec<&str> = tokens
            .iter()
            .filter(|t| t.starts_sentence())
            .map(|t| t.text.as_str())
            .collect();
        assert_eq!(starts, ["hi", "where", "it"]);
        assert!(tokens[1].asked && !tokens[0].asked && !tokens[5].asked);
        let names: Vec<&str> = tokens
            .iter()
            .filter(|t| t.name)
            .map(|t| t.text.as_str())
            .collect();
        assert_eq!(names, ["anna", "larkmoor"]);
    }
}
