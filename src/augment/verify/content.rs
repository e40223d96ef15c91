//! The words that carry what is said: which are gone, which are new, which changed places.

use std::collections::HashSet;

use super::tokens::{Class, Token};
use crate::augment::words::{
    COURTESY, FILLERS, FUNCTION, GREETINGS, NEGATIONS, OPPOSITES, TEMPER, has, same_meaning, stem,
};

/// Whether a token carries content.
pub(super) fn carries(token: &Token) -> bool {
    token.class == Class::Word && !has(FUNCTION, &token.text) && !has(NEGATIONS, &token.text)
}

/// Whether a token is only manner, where content is not asked for.
pub(super) fn is_manner(token: &Token) -> bool {
    [GREETINGS, FILLERS, COURTESY, TEMPER]
        .iter()
        .any(|table| has(table, &token.text))
}

/// Whether a text has a word or one that means the same.
pub(super) fn says(tokens: &[Token], word: &Token) -> bool {
    tokens
        .iter()
        .any(|token| token.stem == word.stem || same_meaning(&token.stem, &word.stem))
}

/// The first word whose opposite stands in the rewrite in its place.
pub(super) fn opposite(before: &[Token], after: &[Token]) -> Option<(usize, usize)> {
    let place = |tokens: &[Token], word: &str| {
        let stem = stem(word);
        tokens
            .iter()
            .position(|token| token.text == word || token.stem == stem)
    };
    OPPOSITES
        .iter()
        .flat_map(|&(a, b)| [(a, b), (b, a)])
        .find_map(|(was, is)| {
            let (from, to) = (place(before, was)?, place(after, is)?);
            (place(after, was).is_none() && place(before, is).is_none()).then_some((from, to))
        })
}

/// Two words that changed places: each stands among the words that were about the other.
pub(super) fn swapped(before: &[Token], after: &[Token]) -> Option<(usize, usize)> {
    let once = |tokens: &[Token], stem: &str| {
        let mut places = tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| token.stem == stem);
        let first = places.next().map(|(at, _)| at);
        if places.next().is_some() { None } else { first }
    };
    let items: Vec<(usize, usize)> = before
        .iter()
        .enumerate()
        .filter(|(_, token)| carries(token) || token.class != Class::Word)
        .filter_map(|(at, token)| {
            Some((once(before, &token.stem)?, once(after, &token.stem)?)).filter(|(b, _)| *b == at)
        })
        .collect();
    for (first, &(b1, a1)) in items.iter().enumerate() {
        for &(b2, a2) in &items[first + 1..] {
            if a2 > a1 || b2 - b1 < 2 {
                continue;
            }
            let pair = [before[b1].stem.as_str(), before[b2].stem.as_str()];
            let around = |tokens: &[Token], at: usize| context(tokens, at, pair);
            let (was1, was2) = (around(before, b1), around(before, b2));
            let (is1, is2) = (around(after, a1), around(after, a2));
            let shared = |a: &HashSet<String>, b: &HashSet<String>| a.intersection(b).count();
            let crossed = (shared(&was1, &is2), shared(&was2, &is1));
            let straight = shared(&was1, &is1) + shared(&was2, &is2);
            if crossed.0 > 0 && crossed.1 > 0 && crossed.0 + crossed.1 > straight + 1 {
                return Some((b1, b2));
            }
        }
    }
    None
}

/// The words beside a token, two on either side.
fn context(tokens: &[Token], at: usize, without: [&str; 2]) -> HashSet<String> {
    let side = |range: std::ops::Range<usize>, name: &str| -> Vec<String> {
        tokens[range]
            .iter()
            .filter(|token| !without.contains(&token.stem.as_str()))
            .map(|token| format!("{name} {}", token.stem))
            .collect()
    };
    let mut out: HashSet<String> = side(at.saturating_sub(2)..at, "before")
        .into_iter()
        .collect();
    out.extend(side(
        (at + 1).min(tokens.len())..(at + 3).min(tokens.len()),
        "after",
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[test]
    fn words_that_changed_places_are_seen() {
        let swap = |a: &str, b: &str| swapped(&tokens(a), &tokens(b)).is_some();
        assert!(swap(
            "I ordered a blue kettle and received a red one.",
            "I ordered a red kettle and got a blue one."
        ));
        assert!(swap(
            "valued at £180 but I only got £95",
            "valued at £95 but I only got £180"
        ));
        assert!(swap(
            "the 13-inch laptop for the 15-inch model",
            "the 15-inch laptop for the 13-inch model"
        ));
        assert!(!swap(
            "You sent me only 3 of the 4 chairs I paid for",
            "I paid for 4 chairs and you only sent me 3"
        ));
        assert!(!swap(
            "My camera broke after the update",
            "After the update my camera broke"
        ));
    }

    #[test]
    fn an_opposite_in_a_words_place_is_seen() {
        let found = |a: &str, b: &str| opposite(&tokens(a), &tokens(b)).is_some();
        assert!(found("orders over £50", "orders under £50"));
        assert!(found("before I order", "after I order"));
        assert!(found("a smaller one", "a bigger one"));
        assert!(!found("before and after", "after and before"));
        assert!(!found("I return it", "I send it back"));
    }
}
