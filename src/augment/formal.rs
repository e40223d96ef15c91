//! Formal writing: contractions and chat spellings written out, capitals, one mark at the end of each sentence. By rule
//! alone, so the same text always gives the same.

use super::Edited;
use super::pieces::{Piece, capitalised, put_together, remove, starts_sentence, take_apart};
use super::style::asks;
use super::words::{DROPPED, SPELT_OUT, WEEKDAYS, has, month};

/// Pronouns that `not` follows in a question: `can I not`.
const PRONOUNS: &[&str] = &["he", "i", "it", "she", "there", "they", "we", "you"];

/// Words before `'s` that make it a verb; elsewhere it is a genitive.
const BEFORE_S: &[&str] = &[
    "he", "here", "how", "it", "she", "that", "there", "what", "where", "who",
];

/// Participles after which `'s` and `'d` stand for `has` and `had`.
const PARTICIPLES: &[&str] = &[
    "already", "been", "better", "bought", "come", "gone", "got", "had", "never", "paid", "sent",
    "taken",
];

/// Makes a text formal. Protected phrases (case ignored), numbers and ids stay as they are. Applied again it changes
/// nothing more.
#[must_use]
pub fn apply(text: &str, protected: &[&str]) -> Edited {
    let (mut pieces, end) = take_apart(text, protected);
    write_all_out(&mut pieces, |_| true);
    tidied(text, pieces, &end)
}

/// Chat spellings written out, capitals and marks put right; contractions stay.
pub(super) fn tidy(text: &str, protected: &[&str]) -> Edited {
    let (mut pieces, end) = take_apart(text, protected);
    write_all_out(&mut pieces, |piece| {
        let word = piece.lower();
        !word.contains('\'')
            && (negated(&word).is_none() || word == "cannot")
            && word != "thanks"
            && word != "tv"
    });
    tidied(text, pieces, &end)
}

fn write_all_out(pieces: &mut Vec<Piece>, wanted: impl Fn(&Piece) -> bool) {
    let mut at = 0;
    while at < pieces.len() {
        let alone = pieces.len() == 1;
        if pieces[at].is_any(DROPPED) && !alone {
            remove(pieces, at);
            continue;
        }
        if wanted(&pieces[at]) {
            write_out(pieces, at);
        }
        at += 1;
    }
}

fn tidied(text: &str, mut pieces: Vec<Piece>, end: &str) -> Edited {
    for at in 0..pieces.len() {
        let sentence = starts_sentence(&pieces, at);
        let piece = &mut pieces[at];
        piece.tail = calm(&piece.tail);
        let lower = piece.lower();
        if piece.free
            && (sentence
                || lower == "i"
                || has(WEEKDAYS, &lower)
                    && lower.ends_with("day")
                    && !lower.starts_with("to")
                    && lower != "yesterday"
                || month(&lower, false).is_some())
        {
            piece.word = capitalised(&piece.word);
        }
    }
    let text_so_far = put_together(&pieces, "");
    if let Some(last) = pieces
        .last_mut()
        .filter(|last| last.tail.is_empty() && last.word.contains(char::is_alphanumeric))
    {
        let sentence = text_so_far
            .rsplit(['.', '!', '?'])
            .next()
            .unwrap_or_default();
        last.tail.push(if asks(sentence) { '?' } else { '.' });
    }
    Edited::measured(text, put_together(&pieces, end))
}

/// Spells a contraction or a chat word out, in place.
fn write_out(pieces: &mut Vec<Piece>, at: usize) {
    if !pieces[at].free {
        return;
    }
    let lower = pieces[at].lower();
    if let Some((_, long)) = SPELT_OUT.iter().find(|(short, _)| *short == lower) {
        // `No thanks` is said, not written.
        if lower != "thanks" || !pieces.get(at + 1).is_some_and(|next| next.is("to")) {
            replace(pieces, at, long);
        }
        return;
    }
    let next = pieces
        .get(at + 1)
        .filter(|_| !pieces[at].ends_clause())
        .map(Piece::lower)
        .unwrap_or_default();
    let participle = PARTICIPLES.contains(&next.as_str())
        || next.len() > 4 && next.ends_with("ed") && next != "need";
    if let Some(verb) = negated(&lower) {
        if PRONOUNS.contains(&next.as_str()) && pieces[at + 1].free {
            pieces[at].put(verb);
            let tail = std::mem::take(&mut pieces[at + 1].tail);
            let not = Piece {
                space: " ".to_owned(),
                lead: String::new(),
                word: "not".to_owned(),
                tail,
                free: true,
            };
            pieces.insert(at + 2, not);
        } else if verb == "can" {
            pieces[at].put("cannot");
        } else {
            replace(pieces, at, &format!("{verb} not"));
        }
        return;
    }
    let Some((before, after)) = lower.split_once('\'') else {
        match lower.as_str() {
            "im" => replace(pieces, at, "I am"),
            "ive" => replace(pieces, at, "I have"),
            "whats" => replace(pieces, at, "what is"),
            "thats" => replace(pieces, at, "that is"),
            "wheres" => replace(pieces, at, "where is"),
            "hows" => replace(pieces, at, "how is"),
            _ => {}
        }
        return;
    };
    let second = match after {
        "re" => "are",
        "ve" => "have",
        "ll" => "will",
        "m" => "am",
        "d" if participle => "had",
        "d" => "would",
        "s" if before == "let" => "us",
        "s" if BEFORE_S.contains(&before) && participle => "has",
        "s" if BEFORE_S.contains(&before) => "is",
        _ => return,
    };
    let before = if before == "i" { "I" } else { before };
    replace(pieces, at, &format!("{before} {second}"));
}

/// The verb of a negated one, with or without its apostrophe.
fn negated(word: &str) -> Option<&'static str> {
    Some(match word.replace('\'', "").as_str() {
        "arent" => "are",
        "cant" => "can",
        "couldnt" => "could",
        "didnt" => "did",
        "doesnt" => "does",
        "dont" => "do",
        "hadnt" => "had",
        "hasnt" => "has",
        "havent" => "have",
        "isnt" => "is",
        "shouldnt" => "should",
        "wasnt" => "was",
        "werent" => "were",
        "wont" => "will",
        "wouldnt" => "would",
        _ => return None,
    })
}

/// One word for several: the first keeps the place and the case, the last what stood behind.
fn replace(pieces: &mut Vec<Piece>, at: usize, words: &str) {
    let tail = std::mem::take(&mut pieces[at].tail);
    let mut place = at;
    for (number, word) in words.split(' ').enumerate() {
        if number == 0 {
            pieces[at].put(word);
        } else {
            place += 1;
            let piece = Piece {
                space: " ".to_owned(),
                lead: String::new(),
                word: word.to_owned(),
                tail: String::new(),
                free: true,
            };
            pieces.insert(place, piece);
        }
    }
    pieces[place].tail = tail;
}

/// Marks as a formal text has them: one at a time, no exclamation.
fn calm(tail: &str) -> String {
    if !tail.contains(['!', '?']) {
        return tail.to_owned();
    }
    let mark = if tail.contains('?') { '?' } else { '.' };
    let mut out = String::new();
    for letter in tail.chars() {
        if !matches!(letter, '!' | '?' | '.') {
            out.push(letter);
        } else if !out.contains(mark) {
            out.push(mark);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::verify::{Kind, Rewrite, verify};
    use super::*;

    fn formal(text: &str) -> String {
        apply(text, &["larkmoor"]).text
    }

    #[test]
    fn chat_is_written_out() {
        for (from, to) in [
            ("i dont know where it is", "I do not know where it is."),
            (
                "hey can u deliver on saturday pls",
                "Hello can you deliver on Saturday please?",
            ),
            ("Why can't I pay?!", "Why can I not pay?"),
            (
                "it's broken and it's been repaired twice!!",
                "It is broken and it has been repaired twice.",
            ),
            (
                "I'd like to know if it's late lol",
                "I would like to know if it is late.",
            ),
            (
                "the customer's order, i've lost it",
                "The customer's order, I have lost it.",
            ),
            ("larkmoor won't answer", "larkmoor will not answer."),
            (
                "gonna return LK-48213, ok?",
                "Going to return LK-48213, all right?",
            ),
            ("isn't it late", "Is it not late?"),
        ] {
            assert_eq!(formal(from), to);
        }
    }

    #[test]
    fn formal_text_stays() {
        for text in [
            "",
            "  ",
            "I would like to know where it is.",
            "Is it late? It is.",
            "LK-48213",
        ] {
            assert_eq!(
                apply(text, &["LK-48213"]).edits,
                u32::from(text == "LK-48213"),
                "{text}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn twice_is_once_and_facts_stay(words in proptest::collection::vec("[a-z]{1,8}[.,!?]{0,2}|£[0-9]{1,3}|LK-[0-9]{5}|can't|i'm|it's|dont|\\PC{1,3}", 0..25)) {
            let text = words.join(" ");
            let edited = apply(&text, &[]);
            prop_assert_eq!(&apply(&edited.text, &[]).text, &edited.text);
            let digits = |text: &str| text.split_whitespace().filter(|w| w.contains(|c: char| c.is_ascii_digit())).map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(digits(&text), digits(&edited.text));
        }
    }

    #[test]
    fn what_is_written_out_says_the_same() {
        for text in [
            "i dont know where my order LK-48213 is",
            "can't i pay in two instalments?",
            "hey it's late, what's up with £25",
        ] {
            let after = formal(text);
            let rewrite = Rewrite {
                kind: Kind::Formality,
                before: text,
                after: &after,
                products: &[],
                protected: &[],
            };
            assert_eq!(verify(rewrite).err(), None, "{after}");
        }
    }
}
