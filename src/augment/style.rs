//! Whether a customer's turn still has the manner of the first one, and how to give it back where it was dropped.
//!
//! A manner is judged by [`features`]: counts of marks, capitals and words, no meaning. Short turns have little room for a
//! manner and pass. English only.

pub use super::courtesy::{asks, thanks};
pub use super::features::{Features, features};

use super::courtesy::is_courtesy;
use super::non_native;
use super::pieces::{
    Piece, capitalised, insert, put_together, remove, starts_sentence, take_apart,
};
use super::{Edited, colloquial, formal, typos};
use crate::record::{FirstLanguage, Style, Tone};
use crate::rng::Stream;

/// How a customer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    Plain,
    Casual,
    Formal,
    Polite,
    Rude,
    Typos,
    Colloquial,
    NonNative(FirstLanguage),
}

impl Manner {
    /// The manner of a style; none for `non_native` where the first language is not known.
    #[must_use]
    pub fn of(style: Style, first_language: Option<FirstLanguage>) -> Option<Self> {
        Some(match style {
            Style::Plain => Self::Plain,
            Style::Casual => Self::Casual,
            Style::Formal => Self::Formal,
            Style::Typos => Self::Typos,
            Style::Colloquial => Self::Colloquial,
            Style::Polite => Self::Polite,
            Style::Rude => Self::Rude,
            Style::NonNative => Self::NonNative(first_language?),
        })
    }

    /// The name used in recipes and records; of [`Manner::NonNative`] without the language.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Casual => "casual",
            Self::Formal => "formal",
            Self::Polite => "polite",
            Self::Rude => "rude",
            Self::Typos => "typos",
            Self::Colloquial => "colloquial",
            Self::NonNative(_) => "non_native",
        }
    }
}

/// Whether a turn has a manner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    Held,
    /// It has not, and why.
    Dropped(String),
}

impl Hold {
    #[must_use]
    pub fn is_held(&self) -> bool {
        *self == Self::Held
    }

    fn unless(wrong: &[(bool, &str)]) -> Self {
        wrong
            .iter()
            .find(|(wrong, _)| *wrong)
            .map_or(Self::Held, |(_, why)| Self::Dropped((*why).to_owned()))
    }
}

/// Turns of fewer words need not show their manner by what they have, only by what they lack.
const ROOM: usize = 5;

/// Typing mistakes and learners' mistakes need more room.
const ROOM_FOR_MISTAKES: usize = 8;

/// Words for one typing mistake when it is imposed.
const WORDS_PER_TYPO: usize = 5;

/// All that is checked of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub manner: Hold,
    pub tone: Hold,
    pub thanks: bool,
    pub asks: bool,
}

/// Checks a turn in one go: as [`holds`], [`holds_tone`], [`thanks`] and [`asks`] do each.
#[must_use]
pub fn check(manner: Manner, tone: Tone, text: &str) -> Check {
    let (features, thanks) = (features(text), thanks(text));
    Check {
        manner: manner_held(manner, text, &features, thanks),
        tone: tone_held(tone, text, &features, thanks),
        thanks,
        asks: asks(text),
    }
}

/// Whether a turn has a manner.
///
/// - plain: no chat words; begins with a capital.
/// - casual: something everyday: a chat word, a contraction, a small start, an end without a mark.
/// - colloquial: the same, but a contraction alone is not enough.
/// - formal: no contractions, no chat words, no exclamation; capitals and a mark at the end.
/// - polite: a courteous word where there is room; no rude ones.
/// - rude: no courteous words but `could` and `would`, no thanks.
/// - typos: a misspelt word where there is room. Words that the tables do not know are no evidence.
/// - non-native: a learner's mistake where there is room.
#[must_use]
pub fn holds(manner: Manner, text: &str) -> Hold {
    manner_held(manner, text, &features(text), thanks(text))
}

fn manner_held(manner: Manner, text: &str, f: &Features, grateful: bool) -> Hold {
    let room = f.words >= ROOM;
    let small = f.small_starts > 0 || f.small_i > 0;
    let everyday = small || f.chat > 0 || f.bare_contractions > 0 || !f.marked;
    Hold::unless(&match manner {
        Manner::Plain => [
            (f.chat > 0, "a chat word"),
            (small && f.words > 1, "no capital at a start"),
            (false, ""),
        ],
        Manner::Casual => [
            (
                room && !everyday && f.contractions == 0,
                "nothing everyday in it",
            ),
            (false, ""),
            (false, ""),
        ],
        Manner::Colloquial => [
            (room && !everyday, "capitals, marks and no chat word"),
            (false, ""),
            (false, ""),
        ],
        Manner::Formal => [
            (f.contractions + f.bare_contractions > 0, "a contraction"),
            (f.chat + f.rude > 0, "a chat word"),
            (
                small || !f.marked && f.words > 2 || f.exclamations > 0,
                "capitals or marks are missing",
            ),
        ],
        Manner::Polite => [
            (f.rude > 0, "a rude word"),
            (room && f.courteous == 0 && !grateful, "no courteous word"),
            (false, ""),
        ],
        Manner::Rude => [
            (grateful, "thanks"),
            (says_please(text), "a courteous word"),
            (false, ""),
        ],
        Manner::Typos => [
            (
                f.words >= ROOM_FOR_MISTAKES && f.misspelt + f.bare_contractions == 0,
                "no misspelt word",
            ),
            (false, ""),
            (false, ""),
        ],
        Manner::NonNative(_) => [
            (
                f.words >= ROOM_FOR_MISTAKES && f.learner == 0,
                "no learner's mistake",
            ),
            (false, ""),
            (false, ""),
        ],
    })
}

/// Whether a turn has a tone.
///
/// - cheerful: no cross words; where there is room, an exclamation mark, a smile, thanks or an elated word.
/// - neutral: no cross and no elated words, no exclamation mark.
/// - annoyed: no thanks and no elated words.
/// - angry: the same; where there is room, a cross or rude word, an exclamation mark or shouting.
#[must_use]
pub fn holds_tone(tone: Tone, text: &str) -> Hold {
    tone_held(tone, text, &features(text), thanks(text))
}

fn tone_held(tone: Tone, text: &str, f: &Features, grateful: bool) -> Hold {
    let room = f.words >= ROOM;
    let smile = [":)", ":-)", "🙂", "😊", "😀"]
        .iter()
        .any(|sign| text.contains(sign));
    let loud = f.exclamations + f.shouted > 0;
    Hold::unless(&match tone {
        Tone::Cheerful => [
            (f.cross + f.rude > 0, "a cross word"),
            (
                room && f.elated + f.exclamations == 0 && !smile && !grateful,
                "nothing cheerful in it",
            ),
        ],
        Tone::Neutral => [
            (f.cross + f.rude > 0, "a cross word"),
            (
                f.elated + f.exclamations > 0 || smile,
                "good cheer or an exclamation mark",
            ),
        ],
        Tone::Annoyed => [
            (grateful, "thanks"),
            (f.elated > 0 && f.cross == 0 || smile, "good cheer"),
        ],
        Tone::Angry => [
            (
                grateful || f.elated > 0 && f.cross == 0 || smile,
                "thanks or good cheer",
            ),
            (
                room && f.cross + f.rude == 0 && !loud,
                "no cross word and no exclamation mark",
            ),
        ],
    })
}

/// Gives a turn its manner back by rule, where it dropped it; protected phrases (case ignored), numbers and ids stay. Politeness
/// and rudeness are imposed by small means only (`please` goes in or out, thanks go), so they may still be missing.
#[must_use]
pub fn impose(manner: Manner, text: &str, protected: &[&str], stream: Stream) -> Edited {
    if holds(manner, text).is_held() {
        return Edited::same(text);
    }
    match manner {
        Manner::Plain => formal::tidy(text, protected),
        Manner::Formal => formal::apply(text, protected),
        Manner::Casual | Manner::Colloquial => {
            // Some draws change nothing that shows.
            let dial = if manner == Manner::Casual { 0.5 } else { 0.8 };
            (0..8)
                .map(|draw| colloquial::apply(text, dial, protected, stream.at(draw)))
                .find(|edited| holds(manner, &edited.text).is_held())
                .unwrap_or_else(|| colloquial::apply(text, 1.0, protected, stream))
        }
        Manner::Typos => {
            let count = (text.split_whitespace().count() / WORDS_PER_TYPO).clamp(1, 6);
            typos::apply(text, count, protected, stream)
        }
        Manner::NonNative(language) => (0..4)
            .map(|draw| non_native::apply(text, language, 0.8, protected, stream.at(draw)))
            .find(|edited| edited.edits > 0)
            .unwrap_or_else(|| Edited::same(text)),
        Manner::Polite => please(text, protected),
        Manner::Rude => without_courtesy(text, protected, true),
    }
}

/// Gives a turn its tone back by small means: thanks go where they do not fit, full stops and exclamation marks change
/// places. Words of feeling are not put in, so the tone may still be missing.
#[must_use]
pub fn impose_tone(tone: Tone, text: &str, protected: &[&str]) -> Edited {
    if holds_tone(tone, text).is_held() {
        return Edited::same(text);
    }
    let bare = if matches!(tone, Tone::Annoyed | Tone::Angry) {
        without_courtesy(text, protected, false).text
    } else {
        text.to_owned()
    };
    let (mut pieces, end) = take_apart(&bare, protected);
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.iter_mut().enumerate() {
        match tone {
            Tone::Neutral if piece.tail.contains('!') => {
                piece.tail = if piece.tail.contains('?') {
                    piece.tail.replace('!', "")
                } else {
                    one_stop(&piece.tail)
                };
            }
            Tone::Cheerful | Tone::Angry
                if at == last
                    && (piece.tail == "." || piece.tail.is_empty())
                    && !piece.word.is_empty() =>
            {
                "!".clone_into(&mut piece.tail);
            }
            Tone::Angry if at == last && piece.tail == "?" => "?!".clone_into(&mut piece.tail),
            _ => {}
        }
    }
    Edited::measured(text, put_together(&pieces, &end))
}

/// `!!!` becomes `.`.
fn one_stop(tail: &str) -> String {
    let mut out = String::new();
    for letter in tail.chars() {
        if letter != '!' {
            out.push(letter);
        } else if !out.ends_with('.') {
            out.push('.');
        }
    }
    out
}

fn says_please(text: &str) -> bool {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase);
    words
        .into_iter()
        .any(|word| matches!(word.as_str(), "please" | "pls" | "plz" | "kindly" | "sorry"))
}

/// `Can you please …`, `…, please?`
fn please(text: &str, protected: &[&str]) -> Edited {
    let (mut pieces, end) = take_apart(text, protected);
    let asked = (1..pieces.len()).find(|&at| {
        pieces[at].is("you")
            && pieces[at - 1].is_any(&["can", "could", "will", "would"])
            && !pieces[at].ends_clause()
    });
    if let Some(at) = asked {
        insert(&mut pieces, at + 1, "please");
    } else if let Some(last) = pieces.last_mut().filter(|last| last.tail == "?") {
        ",".clone_into(&mut last.tail);
        let at = pieces.len();
        insert(&mut pieces, at, "please");
        pieces[at].tail.push('?');
    }
    Edited::measured(text, put_together(&pieces, &end))
}

/// Takes out the clauses that only thank; `please` and its kin as well where asked. A text that is nothing else stays.
fn without_courtesy(text: &str, protected: &[&str], please_too: bool) -> Edited {
    let (mut pieces, end) = take_apart(text, protected);
    let mut from = 0;
    while from < pieces.len() {
        let to = (from..pieces.len())
            .find(|&at| pieces[at].ends_clause())
            .map_or(pieces.len(), |at| at + 1);
        let words: Vec<String> = pieces[from..to].iter().map(Piece::lower).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let free = pieces[from..to].iter().all(|piece| piece.free);
        let whole = from == 0 && to == pieces.len();
        if free && !whole && is_courtesy(&words) && thanks(&words.join(" ")) {
            let mark = pieces[to - 1].tail.clone();
            let starts = starts_sentence(&pieces, from);
            pieces.drain(from..to);
            if let Some(before) = from
                .checked_sub(1)
                .and_then(|before| pieces.get_mut(before))
                .filter(|_| !starts)
            {
                before.tail = mark;
            }
            if let Some(next) = pieces.get_mut(from) {
                if from == 0 {
                    next.space.clear();
                }
                if starts && next.free {
                    next.word = capitalised(&next.word);
                }
            }
        } else {
            from = to;
        }
    }
    if please_too {
        let mut at = 0;
        while at < pieces.len() {
            if pieces.len() > 1 && pieces[at].is_any(&["please", "pls", "plz", "kindly"]) {
                // The comma before it goes with it.
                if let Some(before) = at
                    .checked_sub(1)
                    .and_then(|before| pieces.get_mut(before))
                    .filter(|before| before.tail == ",")
                {
                    before.tail.clear();
                }
                remove(&mut pieces, at);
            } else {
                at += 1;
            }
        }
    }
    Edited::measured(text, put_together(&pieces, &end))
}

#[cfg(test)]
#[path = "style_tests.rs"]
mod tests;
