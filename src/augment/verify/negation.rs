//! What a text denies.

use super::tokens::{Class, Token};
use crate::augment::words::{FUNCTION, NEGATIONS, has, same_meaning};

/// Negations this close together are one: `did not get nothing`.
const TOGETHER: usize = 4;

/// Words that `not` says nothing of by themselves; what follows them is denied.
const LIGHT: &[&str] = &["accept", "find", "work", "yet"];

#[derive(Clone, Debug)]
pub(super) struct Negation {
    /// The stem that is denied; none at a text's end.
    pub(super) of: Option<String>,
    pub(super) at: usize,
}

/// Negations, and contrasts (`rather than`, `instead of`), which a rewrite may put as negations.
#[derive(Debug, Default)]
pub(super) struct Denied {
    pub(super) negations: Vec<Negation>,
    pub(super) contrasts: Vec<Negation>,
}

/// What the tokens deny, leaving out those that are skipped.
pub(super) fn denied(tokens: &[Token], skip: impl Fn(usize) -> bool) -> Denied {
    let mut found = Denied::default();
    let mut last: Option<usize> = None;
    for (at, token) in tokens.iter().enumerate() {
        if skip(at) {
            continue;
        }
        let next = tokens.get(at + 1).map(|next| next.text.as_str());
        if has(NEGATIONS, &token.text) || token.is("fail") || token.is("fails") {
            let clause = last.is_some_and(|last| {
                at - last <= TOGETHER
                    && !tokens[last + 1..=at]
                        .iter()
                        .any(|t| t.starts_clause() || t.is("but") || t.is("and"))
            });
            // `cannot be … without` says two things.
            if !clause || token.is("without") {
                found.negations.push(Negation {
                    of: head(tokens, at + 1),
                    at,
                });
            }
            last = Some(at);
        } else if (token.is("rather"), next) == (true, Some("than"))
            || (token.is("instead"), next) == (true, Some("of"))
        {
            found.contrasts.push(Negation {
                of: head(tokens, at + 2),
                at,
            });
        }
    }
    found
}

/// The next word with content in the same sentence.
fn head(tokens: &[Token], from: usize) -> Option<String> {
    tokens[from.min(tokens.len())..]
        .iter()
        .take_while(|token| !token.starts_sentence() && !token.is("but"))
        .take(7)
        .find(|token| {
            token.class == Class::Word
                && !has(FUNCTION, &token.text)
                && !LIGHT.contains(&token.stem.as_str())
        })
        .map(|token| token.stem.clone())
}

/// Whether something else is denied: what was denied is now said, and what was said is now denied.
pub(super) fn moved(before: &Denied, after: &Denied, said: impl Fn(&str) -> bool) -> bool {
    let all = |denied: &Denied| -> Vec<String> {
        let both = denied.negations.iter().chain(&denied.contrasts);
        both.filter_map(|negation| negation.of.clone()).collect()
    };
    let (was, is) = (all(before), all(after));
    let among = |stem: &str, stems: &[String]| stems.iter().any(|other| same_meaning(stem, other));
    let freed = was.iter().any(|stem| !among(stem, &is));
    let caught = is.iter().any(|stem| !among(stem, &was) && said(stem));
    freed && caught
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn count(text: &str) -> usize {
        denied(&tokens(text), |_| false).negations.len()
    }

    #[test]
    fn negations_are_counted_once() {
        for (text, expected) in [
            ("It doesn't work", 1),
            ("it dont work", 1),
            ("I did not get nothing", 1),
            ("I cannot log in without a code", 2),
            ("No one came and nobody called", 2),
            ("you no longer sell it", 1),
            ("I am unable to pay", 1),
            ("It works", 0),
            ("a notebook, a knot, nothingness", 0),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn a_negation_that_moved_is_seen() {
        let moved = |a: &str, b: &str| {
            let (a, b) = (tokens(a), tokens(b));
            let (was, is) = (denied(&a, |_| false), denied(&b, |_| false));
            moved(&was, &is, |stem| a.iter().any(|token| token.stem == stem))
        };
        assert!(moved(
            "I don't want a replacement, I want money",
            "I want a replacement, I don't want money"
        ));
        assert!(moved(
            "a manager, not a chatbot",
            "a chatbot, not a manager"
        ));
        assert!(moved(
            "a manager, not a chatbot",
            "a chatbot rather than a manager"
        ));
        assert!(!moved(
            "a manager, not a chatbot",
            "a manager rather than a chatbot"
        ));
        assert!(!moved(
            "I can't find it in my account",
            "My account does not show it"
        ));
    }
}
