//! Typing mistakes as people make them: the key beside, swapped, dropped and doubled letters, words written as they
//! sound, lost punctuation and capitals. Asking a model for "typos" gives caricatures; a seeded rule gives a dial.

use super::Edited;
use super::letters::{MISHEARD_PARTS, MISHEARD_WORDS, NUMBER_WORDS, neighbours};
use crate::rng::Stream;

/// Kinds of mistakes with how often each is tried, out of [`TOTAL_WEIGHT`].
const WEIGHTS: &[(Kind, u32)] = &[
    (Kind::Neighbour, 20),
    (Kind::Transposed, 22),
    (Kind::Dropped, 18),
    (Kind::Doubled, 8),
    (Kind::Misheard, 12),
    (Kind::Apostrophe, 8),
    (Kind::Punctuation, 7),
    (Kind::Case, 5),
];
const TOTAL_WEIGHT: usize = 100;

/// Draws for one word before it is left alone.
const TRIES: u64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Neighbour,
    Transposed,
    Dropped,
    Doubled,
    Misheard,
    Apostrophe,
    Punctuation,
    Case,
}

/// Puts up to `count` mistakes into a text, at most one per word. Words with digits or signs (prices, order ids,
/// addresses), number words, and every word that belongs to one of the `protected` phrases (case ignored) stay as they
/// are, as does all white space. Fewer mistakes are made where the text has too few words for them.
#[must_use]
pub fn apply(text: &str, count: usize, protected: &[&str], stream: Stream) -> Edited {
    let words = words_of(text, protected);
    let mut replaced: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for index in stream.child("order").shuffle(words.len()) {
        if replaced.len() == count {
            break;
        }
        let range = words[index].clone();
        if let Some(word) = misspell(&text[range.clone()], stream.child("word").at(index as u64)) {
            replaced.push((range, word));
        }
    }
    replaced.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + replaced.len());
    let mut at = 0;
    for (range, word) in &replaced {
        out.push_str(&text[at..range.start]);
        out.push_str(word);
        at = range.end;
    }
    out.push_str(&text[at..]);
    Edited {
        text: out,
        edits: u32::try_from(replaced.len()).unwrap_or(u32::MAX),
    }
}

/// The words that may be changed, as byte ranges.
fn words_of(text: &str, protected: &[&str]) -> Vec<std::ops::Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut kept: Vec<std::ops::Range<usize>> = Vec::new();
    for phrase in protected
        .iter()
        .map(|phrase| phrase.trim().to_ascii_lowercase())
        .filter(|p| !p.is_empty())
    {
        kept.extend(
            lower
                .match_indices(&phrase)
                .map(|(at, found)| at..at + found.len()),
        );
    }
    let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| start_of(word)..start_of(word) + word.len())
        .filter(|range| {
            !kept
                .iter()
                .any(|keep| keep.start < range.end && range.start < keep.end)
        })
        .filter(|range| may_change(&text[range.clone()]))
        .collect()
}

fn may_change(word: &str) -> bool {
    let plain = word
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '.' | ',' | '!' | '?' | ';' | ':'));
    let core = core_of(word);
    let address = core.contains(['.', ':', ',']);
    let capitals = core.chars().count() > 1 && core.chars().all(char::is_uppercase);
    plain
        && !address
        && !capitals
        && !core.is_empty()
        && !NUMBER_WORDS.contains(&core.to_lowercase().as_str())
}

/// The word without the punctuation after and before it.
fn core_of(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphabetic())
}

fn misspell(word: &str, stream: Stream) -> Option<String> {
    (0..TRIES).find_map(|attempt| {
        let draw = stream.at(attempt);
        let mut left = u32::try_from(draw.below(0, TOTAL_WEIGHT)).unwrap_or(0);
        let kind = WEIGHTS.iter().find_map(|&(kind, weight)| {
            if left < weight {
                return Some(kind);
            }
            left -= weight;
            None
        })?;
        make(kind, word, draw).filter(|changed| changed != word && may_change(changed))
    })
}

fn make(kind: Kind, word: &str, draw: Stream) -> Option<String> {
    let core = core_of(word);
    let at = word.find(core)?;
    let (before, after) = (&word[..at], &word[at + core.len()..]);
    let letters: Vec<char> = core.chars().collect();
    let around = |inner: String| Some(format!("{before}{inner}{after}"));
    match kind {
        Kind::Punctuation => {
            let mut rest = word.to_owned();
            let last = rest.pop()?;
            matches!(last, '.' | ',' | '!' | '?')
                .then_some(rest)
                .filter(|rest| !rest.is_empty())
        }
        Kind::Apostrophe => {
            let rest: String = core.chars().filter(|c| !matches!(c, '\'' | '’')).collect();
            (rest.len() < core.len()).then(|| around(rest))?
        }
        Kind::Case => {
            let first = letters[0];
            let small: String = first
                .to_lowercase()
                .chain(letters[1..].iter().copied())
                .collect();
            first.is_uppercase().then(|| around(small))?
        }
        Kind::Misheard => around(misheard(core, draw)?),
        _ if letters.len() < 4 && !(kind == Kind::Transposed && letters.len() == 3) => None,
        Kind::Transposed => {
            let first = usize::from(letters.len() > 3)
                + draw.below(1, letters.len() - 1 - usize::from(letters.len() > 3));
            let mut swapped = letters.clone();
            if first == 0 && letters[0].is_uppercase() {
                return None;
            }
            swapped.swap(first, first + 1);
            around(swapped.into_iter().collect())
        }
        _ => {
            let place = 1 + draw.below(1, letters.len() - 1);
            let letter = letters[place];
            let mut changed = letters.clone();
            match kind {
                Kind::Dropped => drop(changed.remove(place)),
                Kind::Doubled if !letter.is_alphabetic() => return None,
                Kind::Doubled => changed.insert(place, letter),
                _ => {
                    let near: Vec<char> = neighbours(letter).chars().collect();
                    if near.is_empty() {
                        return None;
                    }
                    changed[place] = *draw.pick(2, &near);
                }
            }
            around(changed.into_iter().collect())
        }
    }
}

/// The word as it sounds; only one word for one word.
fn misheard(core: &str, draw: Stream) -> Option<String> {
    let lower = core.to_lowercase();
    let sound = MISHEARD_WORDS
        .iter()
        .find(|(right, wrong)| *right == lower && !wrong.contains(' '));
    if let Some((_, wrong)) = sound {
        let mut letters = wrong.chars();
        let first = letters.next()?;
        let capital = core.chars().next().is_some_and(char::is_uppercase);
        let first = if capital {
            first.to_ascii_uppercase()
        } else {
            first
        };
        return Some(std::iter::once(first).chain(letters).collect());
    }
    let parts: Vec<_> = MISHEARD_PARTS
        .iter()
        .filter(|(right, _)| core.find(right).is_some_and(|at| at > 0))
        .collect();
    if parts.is_empty() || core.chars().count() < 5 {
        return None;
    }
    let (right, wrong) = draw.pick(3, &parts);
    Some(core.replacen(right, wrong, 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "The washing machine arrived on 3 May and it doesn't spin, so I would really like to know whether \
                        order LK-48213 for £239 can still go back. Would you believe it's the second one?";

    fn digits(text: &str) -> Vec<&str> {
        text.split_whitespace()
            .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
            .collect()
    }

    #[test]
    fn mistakes_are_made_as_ordered_and_the_same_each_time() {
        let stream = Stream::root(7);
        let edited = apply(TEXT, 4, &["washing machine", "3 May"], stream);
        assert_eq!(edited.edits, 4);
        assert_eq!(
            edited,
            apply(TEXT, 4, &["washing machine", "3 May"], stream)
        );
        assert_ne!(
            edited.text,
            apply(TEXT, 4, &["washing machine", "3 May"], Stream::root(8)).text
        );
        assert!(
            edited.text.contains("washing machine") && edited.text.contains("on 3 May"),
            "{}",
            edited.text
        );
    }

    #[test]
    fn every_kind_of_mistake_happens() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..300 {
            for word in apply(TEXT, 6, &[], Stream::root(seed))
                .text
                .split_whitespace()
            {
                if !TEXT.split_whitespace().any(|original| original == word) {
                    seen.insert(word.to_owned());
                }
            }
        }
        for expected in [
            "doesnt", "Beleive", "i", "back", "wether", "arrievd", "teh", "its",
        ] {
            assert!(
                seen.contains(&expected.to_lowercase()) || seen.contains(expected),
                "no {expected} in {seen:?}"
            );
        }
    }

    #[test]
    fn nothing_to_change_is_left_alone() {
        for text in [
            "",
            "   ",
            "LK-48213",
            "£239 on 3 May?",
            "30 60 90",
            "NASA",
            "www.larkmoor.example",
        ] {
            let edited = apply(text, 5, &["may"], Stream::root(1));
            assert_eq!((edited.text.as_str(), edited.edits), (text, 0));
        }
    }

    /// What [`super::super::verify`] cannot read any more: mostly short words and negations that lost a letter.
    #[test]
    fn mistyped_questions_can_be_read() {
        use super::super::verify::{Kind, Rewrite, verify};
        let (mut refused, mut all) = (0, 0);
        let page = include_str!("../../prompts/pages/returns.facts.json");
        let page: serde_json::Value = serde_json::from_str(page).unwrap();
        for fact in page["facts"].as_array().unwrap() {
            for question in fact["questions"].as_array().unwrap() {
                for (count, seed) in (3..=6).cycle().zip(0..8) {
                    let before = question.as_str().unwrap();
                    let count = count.min(before.split_whitespace().count() / 3);
                    let after = apply(before, count, &[], Stream::root(seed)).text;
                    let rewrite = Rewrite {
                        kind: Kind::Typos,
                        before,
                        after: &after,
                        products: &[],
                        protected: &[],
                    };
                    all += 1;
                    refused += usize::from(verify(rewrite).is_err());
                }
            }
        }
        println!("{refused} of {all} refused");
        assert!(all > 300 && refused * 6 < all, "{refused} of {all}");
    }

    fn phrases() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            4 => "[a-zA-Z]{1,10}[.,!?]?",
            1 => "[0-9]{1,4}",
            1 => "£[0-9]{1,3}",
            1 => "LK-[0-9]{5}",
            1 => Just("washing machine".to_owned()),
            1 => Just("it's".to_owned()),
            1 => "[éüßñł]{1,6}",
            1 => "\\PC{1,5}",
        ];
        proptest::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn facts_are_conserved_and_edits_counted(text in phrases(), count in 0usize..8, seed: u64) {
            let edited = apply(&text, count, &["Washing Machine"], Stream::root(seed));
            prop_assert!(edited.edits as usize <= count);
            prop_assert_eq!(digits(&text), digits(&edited.text));
            prop_assert_eq!(text.matches("washing machine").count(), edited.text.matches("washing machine").count());
            let (before, after): (Vec<_>, Vec<_>) = (text.split(' ').collect(), edited.text.split(' ').collect());
            prop_assert_eq!(before.len(), after.len());
            let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            prop_assert_eq!(changed, edited.edits as usize);
            prop_assert_eq!(&apply(&text, count, &["Washing Machine"], Stream::root(seed)), &edited);
        }

        #[test]
        fn long_texts_get_all_their_mistakes(seed: u64, count in 0usize..7) {
            prop_assert_eq!(apply(TEXT, count, &[], Stream::root(seed)).edits as usize, count);
        }
    }
}
