//! Everyday writing: contractions, chat spellings, small letters, lost punctuation, an opener. Seeded, on a dial.

use super::Edited;
use super::pieces::{Piece, insert, put_together, remove, starts_sentence, take_apart};
use super::verify::Kind;
use super::words::{AUXILIARIES, BARE, CONTRACTED, EVERYDAY, FILLERS, GREETINGS, MERGED, has};
use crate::rng::Stream;

/// Words a message may open with.
const OPENERS: &[&str] = &["hey", "hi", "hey", "ok so", "so", "hiya"];

/// Participles after which `I have` is an auxiliary.
const AFTER_HAVE: &[&str] = &[
    "already",
    "been",
    "bought",
    "ever",
    "forgotten",
    "got",
    "had",
    "just",
    "lost",
    "never",
    "paid",
    "sent",
];

/// Makes a text colloquial. `dial` from 0 (as it is) to 1 (all that is possible): how likely each change is made. Protected
/// phrases (case ignored), numbers, ids and words in capitals stay as they are. Where the result would not pass
/// [`verify`](super::verify), less is changed.
#[must_use]
pub fn apply(text: &str, dial: f64, protected: &[&str], stream: Stream) -> Edited {
    Edited::verified(text, dial, protected, Kind::Colloquial, |dial| {
        change(text, dial, protected, stream)
    })
}

fn change(text: &str, dial: f64, protected: &[&str], stream: Stream) -> String {
    let (mut pieces, end) = take_apart(text, protected);
    let will =
        |what: &str, at: usize, likely: f64| stream.child(what).unit(at as u64) < dial * likely;
    contract(&mut pieces, |at| will("contract", at, 1.0));
    everyday(&mut pieces, |at| will("word", at, 0.6));
    let greets = pieces.first().is_some_and(|first| {
        let word = first.lower();
        has(GREETINGS, &word) || has(FILLERS, &word) || word == "so"
    });
    if !greets && pieces.len() > 3 && pieces[0].free && will("opener", 0, 0.4) {
        let opener: Vec<&str> = stream.child("opener").pick(1, OPENERS).split(' ').collect();
        for (at, word) in opener.iter().enumerate() {
            insert(&mut pieces, at, word);
        }
    }
    let bare = will("apostrophes", 0, 0.5);
    let small = will("small", 0, 1.0);
    for at in 0..pieces.len() {
        let sentence = starts_sentence(&pieces, at);
        let piece = &mut pieces[at];
        if bare && piece.is_any(BARE) {
            piece.word.retain(|c| !matches!(c, '\'' | '’'));
        }
        if small
            && piece.free
            && (sentence
                || piece.word == "I"
                || piece.word.starts_with("I'")
                || piece.word.starts_with("I’"))
        {
            piece.word = piece.word.to_lowercase();
        }
        if piece.tail == "," && will("comma", at, 0.4) {
            piece.tail.clear();
        }
    }
    let marked = may_lose_its_mark(&pieces);
    if let Some(last) = pieces.last_mut() {
        let likely = if last.tail == "." {
            1.0
        } else if last.tail == "?" && marked {
            0.5
        } else {
            0.0
        };
        if will("mark", 0, likely) {
            last.tail.clear();
        }
    }
    put_together(&pieces, &end)
}

fn contract(pieces: &mut Vec<Piece>, will: impl Fn(usize) -> bool) {
    let mut at = 0;
    while at + 1 < pieces.len() {
        let (first, second) = (&pieces[at], &pieces[at + 1]);
        let found = CONTRACTED
            .iter()
            .find(|(a, b, _)| first.is(a) && second.is(b) && !first.ends_clause());
        let cannot = first.is("cannot");
        if let Some((a, b, short)) = found.filter(|_| will(at)) {
            // `where it is.` and `that I have a` stay: the verb carries the stress or the meaning.
            let stressed = *b != "not" && (second.ends_clause() || at + 2 == pieces.len());
            let owns = *b == "have"
                && !pieces
                    .get(at + 2)
                    .is_some_and(|next| next.is_any(AFTER_HAVE) || next.lower().ends_with("ed"));
            let asked = *a == "is" && pieces.get(at + 2).is_none();
            if !stressed && !owns && !asked {
                pieces[at].put(short);
                if *a == "i" && !starts_sentence(pieces, at) || pieces[at].word.starts_with("i'") {
                    pieces[at].word.replace_range(..1, "I");
                }
                remove(pieces, at + 1);
            }
        } else if cannot && will(at) {
            pieces[at].put("can't");
        }
        at += 1;
    }
}

fn everyday(pieces: &mut Vec<Piece>, will: impl Fn(usize) -> bool) {
    let mut at = 0;
    while at < pieces.len() {
        if pieces[at].free && will(at) {
            let merged = pieces.get(at + 1).and_then(|second| {
                let found = MERGED.iter().find(|(a, b, _)| {
                    pieces[at].is(a) && second.is(b) && !pieces[at].ends_clause()
                });
                // `going to the shop` is a way, not a plan.
                let way = pieces.get(at + 2).is_none_or(|next| {
                    next.is_any(&["a", "an", "my", "the", "your"]) || !next.free
                });
                found.filter(|_| !way)
            });
            if let Some((_, _, whole)) = merged {
                pieces[at].put(whole);
                remove(pieces, at + 1);
            } else if let Some((_, short)) = EVERYDAY.iter().find(|(long, _)| pieces[at].is(long)) {
                pieces[at].put(short);
            }
        }
        at += 1;
    }
}

/// Whether the last sentence is seen to be a question without its mark: its verb is turned round or a question word opens it.
fn may_lose_its_mark(pieces: &[Piece]) -> bool {
    let start = (0..pieces.len())
        .rev()
        .find(|&at| starts_sentence(pieces, at))
        .unwrap_or(0);
    pieces[start..]
        .iter()
        .map(Piece::lower)
        .find(|word| !has(GREETINGS, word) && !has(FILLERS, word) && word != "so")
        .is_some_and(|word| {
            has(AUXILIARIES, &word)
                || ["how", "what", "when", "where", "which", "who", "why"].contains(&word.as_str())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::verify::{Rewrite, measure, verify};
    use super::*;

    const TEXT: &str = "I do not know where it is. Is it true that you cannot deliver order LK-48213 to the Isle of Skye because it is too far?";

    #[test]
    fn the_dial_goes_from_nothing_to_all() {
        assert_eq!(
            apply(TEXT, 0.0, &[], Stream::root(1)),
            Edited {
                text: TEXT.to_owned(),
                edits: 0
            }
        );
        let all = apply(TEXT, 1.0, &["Isle of Skye"], Stream::root(1));
        assert!(
            all.text.contains("don")
                && all.text.contains("Isle of Skye")
                && all.text.contains("LK-48213"),
            "{}",
            all.text
        );
        assert!(all.text.contains("where it is."), "{}", all.text);
        let edits = |dial: f64| -> u32 {
            (0..40)
                .map(|seed| apply(TEXT, dial, &[], Stream::root(seed)).edits)
                .sum()
        };
        assert!(edits(0.2) < edits(0.6) && edits(0.6) < edits(1.0));
    }

    #[test]
    fn every_kind_of_change_happens() {
        let texts: Vec<String> = (0..60)
            .map(|seed| apply(TEXT, 0.8, &[], Stream::root(seed)).text)
            .collect();
        for part in ["don't", "dont", "can't", "cos ", "hey ", "u ", "i don"] {
            assert!(texts.iter().any(|text| text.contains(part)), "no {part}");
        }
        assert!(texts.iter().any(|text| !text.ends_with('?')));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_same_each_time_and_facts_stay(words in proptest::collection::vec("[a-zA-Z]{1,8}[.,!?]?|£[0-9]{1,3}|LK-[0-9]{5}|can not|I am|it is|\\PC{1,3}", 0..25), dial in 0.0f64..1.0, seed: u64) {
            let text = words.join(" ");
            let edited = apply(&text, dial, &["it is"], Stream::root(seed));
            prop_assert_eq!(&edited, &apply(&text, dial, &["it is"], Stream::root(seed)));
            let digits = |text: &str| text.split_whitespace().filter(|w| w.contains(|c: char| c.is_ascii_digit())).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(digits(&text), digits(&edited.text));
            prop_assert_eq!(text.matches("it is").count(), edited.text.matches("it is").count());
            prop_assert_eq!(edited.edits, measure(&text, &edited.text).words_changed);
            if edited.edits > 0 {
                let rewrite = Rewrite { kind: Kind::Colloquial, before: &text, after: &edited.text, products: &[], protected: &["it is"] };
                prop_assert!(verify(rewrite).is_ok());
            }
        }
    }
}
