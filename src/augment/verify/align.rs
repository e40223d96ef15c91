//! Misspelt words of a rewrite are read as the words of the source that they stand for.

use super::tokens::{Class, Start, Token, is_time};
use crate::augment::products;
use crate::augment::words::{
    COURTESY, FILLERS, FUNCTION, GREETINGS, NEGATIONS, TEMPER, has, known_meaning,
};

/// Negated verbs as they are written without their apostrophe.
const NEGATED: &[(&str, &str)] = &[
    ("arent", "are"),
    ("cannot", "can"),
    ("cant", "can"),
    ("couldnt", "could"),
    ("didnt", "did"),
    ("doesnt", "does"),
    ("dont", "do"),
    ("hadnt", "had"),
    ("hasnt", "has"),
    ("havent", "have"),
    ("isnt", "is"),
    ("shouldnt", "should"),
    ("wasnt", "was"),
    ("werent", "were"),
    ("wont", "will"),
    ("wouldnt", "would"),
];

/// Reads each misspelt token of `after` as the token of `before` that it is likest to. `loose` also takes words that exist
/// (`weak` for `week`) where the source's word is missing.
pub(super) fn towards(before: &[Token], after: &mut Vec<Token>, loose: bool) {
    if before.iter().any(|token| token.is("not")) {
        negated(before, after);
    }
    for at in 0..after.len() {
        let token = &after[at];
        if token.class != Class::Word || before.iter().any(|b| b.text == token.text) {
            continue;
        }
        if let Some(b) = before.iter().find(|b| b.stem == token.stem) {
            // `wil` has the stem of `will`, but is no form of it.
            if loose && !is_form(&token.text) && !has(FUNCTION, &token.text) {
                b.text.clone_into(&mut after[at].text);
            }
            continue;
        }
        let known = is_known(after, at);
        if known && !loose {
            continue;
        }
        let missing = |b: &Token| !after.iter().any(|a| a.text == b.text);
        let likest = before
            .iter()
            .filter(|b| b.class != Class::Exact && (!known || missing(b)))
            .filter(|b| !(known && has(NEGATIONS, &b.text)))
            .filter_map(|b| Some((distance(&b.written, &token.text, loose)?, b)))
            .min_by_key(|(distance, b)| (*distance, !missing(b)));
        if let Some((_, b)) = likest {
            let (text, stem, class, unit) =
                (b.text.clone(), b.stem.clone(), b.class.clone(), b.unit);
            let token = &mut after[at];
            token.text = text;
            token.stem = stem;
            token.class = class;
            token.unit = unit;
        }
    }
}

/// `dosent` is `does`, `not`.
fn negated(before: &[Token], tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at < tokens.len() {
        let text = &tokens[at].text;
        if tokens[at].class == Class::Word
            && text.len() > 3
            && !before.iter().any(|token| token.text == *text)
            && !is_known(tokens, at)
        {
            let likest = NEGATED
                .iter()
                .find(|(word, _)| strsim::osa_distance(word, text) == 1)
                .map(|(_, verb)| *verb);
            if let Some(verb) = likest {
                let mut not = tokens[at].clone();
                "not".clone_into(&mut not.text);
                "not".clone_into(&mut not.stem);
                not.starts = Start::Nothing;
                str::clone_into(verb, &mut tokens[at].text);
                str::clone_into(verb, &mut tokens[at].stem);
                tokens.insert(at + 1, not);
            }
        }
        at += 1;
    }
}

/// Whether a word is in some table.
fn is_known(tokens: &[Token], at: usize) -> bool {
    let token = &tokens[at];
    let text = token.text.as_str();
    token.class != Class::Word
        || [FUNCTION, NEGATIONS, COURTESY, FILLERS, GREETINGS, TEMPER]
            .iter()
            .any(|table| has(table, text))
        || is_time(tokens, at)
        || known_meaning(&token.stem)
        || products::at(&[text], 0).is_some()
}

/// Whether a word ends as inflected and derived words do.
fn is_form(word: &str) -> bool {
    ["s", "d", "g", "ly", "ment", "ation"]
        .iter()
        .any(|end| word.ends_with(end))
}

/// How far a misspelling is from a word, if it may be one of it.
fn distance(word: &str, written: &str, loose: bool) -> Option<usize> {
    let length = word.chars().count();
    if written.chars().count().abs_diff(length) > 2 && !loose {
        return None;
    }
    let most = match length {
        0..=1 => 0,
        2..=3 => usize::from(letters(word) == letters(written)),
        4..=5 => 1,
        _ if loose => 2,
        _ => 1,
    };
    let distance = strsim::osa_distance(word, written);
    if distance <= most {
        return Some(distance);
    }
    // As it sounds: `pare` for `pair`.
    (loose && length > 3 && sound(word) == sound(written)).then_some(3)
}

fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

/// First letter and consonants, those that sound alike being one.
fn sound(word: &str) -> String {
    let word = word
        .replace("ph", "f")
        .replace("ck", "k")
        .replace("wh", "w")
        .replace("gh", "");
    let mut out = String::new();
    for (at, letter) in word.chars().enumerate() {
        let letter = match letter {
            'c' | 'q' => 'k',
            'z' => 's',
            'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h' if at > 0 => continue,
            other => other,
        };
        if !out.ends_with(letter) {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn read(before: &str, after: &str, loose: bool) -> Vec<String> {
        let before = tokens(before);
        let mut after = tokens(after);
        towards(&before, &mut after, loose);
        after.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn misspellings_are_read_as_what_they_stand_for() {
        assert_eq!(
            read(
                "The washing machine doesn't spin for three weeks",
                "Teh washign machien dosent spni for thre weaks",
                true
            ),
            [
                "the", "washing", "machine", "does", "not", "spin", "for", "3", "weeks"
            ]
        );
        assert_eq!(
            read("a pair where it is", "a pare were it is", true),
            ["a", "pair", "where", "it", "is"]
        );
    }

    #[test]
    fn misspelt_negations_deny() {
        assert_eq!(
            read("I cannot come and won't", "I canmot come and woh't", true),
            ["i", "can", "not", "come", "and", "will", "not"]
        );
        assert_eq!(
            read("I haven't got a call", "I haven'f got a cal", true),
            ["i", "have", "not", "got", "a", "call"]
        );
    }

    #[test]
    fn other_words_stay_other_words() {
        for (before, after) in [
            ("the dishwasher", "the washer"),
            ("the fridge", "the freezer"),
            ("not delivered", "now delivered"),
            ("two weeks", "two months"),
            ("cancel", "change"),
        ] {
            assert_eq!(
                read(before, after, true),
                tokens(after)
                    .into_iter()
                    .map(|t| t.text)
                    .collect::<Vec<_>>()
            );
        }
        assert_eq!(
            read("where it is", "were it is", false),
            ["were", "it", "is"]
        );
    }
}
