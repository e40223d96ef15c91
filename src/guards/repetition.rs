//! Saying again what was said: the other's turn, an own turn, thanks upon thanks.

use std::sync::LazyLock;

use super::Candidate;
use super::phrases::{GREETINGS, OPENINGS};
use super::utterance::{Phrases, Utterance, Word, row, says, words_of};
use super::words::{is_courtesy, overlap, share};

/// Shorter turns are alike by chance.
const ECHO_WORDS: usize = 6;
/// A reply this much of which is in the other's turn, in order, …
const ECHO_SHARE: f64 = 0.8;
/// … says it back when it also covers this much of that turn; less is a question about a detail.
const ECHO_COVER: f64 = 0.6;
/// A reply with this much of the other's turn in it has it whole.
const ECHO_WITHIN: f64 = 0.9;
/// Own turns are compared from this length on.
const REPEAT_WORDS: usize = 5;
/// Two turns with this share of words in common are the same.
const REPEAT_SHARE: f64 = 0.8;
/// A sentence of this many words stands in a reply once.
const SENTENCE_WORDS: usize = 4;

pub(super) fn echo(candidate: &Candidate<'_>) -> Option<String> {
    let text = candidate.text.wordy();
    let names = candidate.names();
    let found = candidate.other.iter().rev().find(|turn| {
        let other = turn.wordy();
        let could = candidate.text.met_wordy(turn);
        if share(could, text.len()) < ECHO_SHARE && share(could, other.len()) < ECHO_WITHIN {
            return false;
        }
        let met = overlap(text, other);
        let says_it_back = text.len() >= ECHO_WORDS
            && met.run >= 4
            && share(met.common, text.len()) >= ECHO_SHARE
            && share(met.common, other.len()) >= ECHO_COVER;
        let contains_it = other.len() >= ECHO_WORDS
            && share(met.common, other.len()) >= ECHO_WITHIN
            && share(met.run, other.len()) >= 0.7;
        let quotes_it = met.run >= 12 && share(met.run, text.len()) >= ECHO_SHARE;
        let is_it = text.len() >= 4
            && candidate.text.words() == turn.words()
            && candidate.text.text().ends_with('?') == turn.text().ends_with('?')
            && !is_courtesy(turn, &names);
        says_it_back || contains_it || quotes_it || is_it
    })?;
    Some(format!(
        "says the other's turn back: {}",
        shortened(found.text())
    ))
}

pub(super) fn repeat(candidate: &Candidate<'_>) -> Option<String> {
    let text = candidate.text.words();
    let names = candidate.names();
    let again = candidate.own.iter().rev().find(|turn| {
        let own = turn.words();
        let could = candidate.text.met(turn);
        let longest = text.len().max(own.len());
        let shortest = text.len().min(own.len());
        let asks_again = || {
            candidate.text.questions().any(|question| {
                question.len() >= 6
                    && could >= question.len() * 9 / 10
                    && share(overlap(question, own).run, question.len()) >= 0.9
            })
        };
        if share(could, shortest) < REPEAT_SHARE {
            return asks_again();
        }
        let met = overlap(text, own);
        let equal = text.len() >= 3 && text == own && !is_courtesy(turn, &names);
        let alike = shortest >= REPEAT_WORDS
            && share(met.common, longest) >= REPEAT_SHARE
            && candidate.text.numbers().eq(turn.numbers());
        let contains_it = own.len() >= 8 && share(met.run, own.len()) >= 0.85;
        let within_it = text.len() >= 8 && share(met.run, text.len()) >= 0.9;
        equal
            || alike
            || contains_it
            || within_it
            || asks_again()
            || same_sentences(candidate.text, turn)
    });
    if let Some(turn) = again {
        return Some(format!(
            "says an own turn again: {}",
            shortened(turn.text())
        ));
    }
    if let Some(sentence) = said_twice(candidate.text) {
        return Some(format!("says one sentence twice: {}", shortened(&sentence)));
    }
    begins_anew(candidate).then(|| {
        format!(
            "begins the conversation anew: {}",
            shortened(candidate.text.text())
        )
    })
}

pub(super) fn thanks_loop(candidate: &Candidate<'_>) -> Option<String> {
    let names = candidate.names();
    let last = candidate.other.last()?;
    (is_courtesy(candidate.text, &names) && is_courtesy(last, &names)).then(|| {
        format!(
            "only courtesy after courtesy: {}",
            shortened(candidate.text.text())
        )
    })
}

/// The same sentences in another order; one long sentence is caught by the comparison of words.
fn same_sentences(a: &Utterance, b: &Utterance) -> bool {
    if a.sentences().len() < 2 || a.sentences().len() != b.sentences().len() {
        return false;
    }
    let in_order = |said: &Utterance| {
        let mut rows: Vec<u64> = said.sentences().map(row).collect();
        rows.sort_unstable();
        rows
    };
    a.sentences()
        .any(|sentence| sentence.len() >= SENTENCE_WORDS)
        && in_order(a) == in_order(b)
}

fn said_twice(said: &Utterance) -> Option<String> {
    let again = said.sentences().enumerate().find(|(index, sentence)| {
        sentence.len() >= SENTENCE_WORDS
            && said
                .sentences()
                .take(*index)
                .any(|other| other == *sentence)
    });
    again.map(|(index, _)| said.sentence(index).trim().to_owned())
}

/// Whether a reply greets in the middle of a conversation as at its beginning.
#[must_use]
pub fn begins_anew(candidate: &Candidate<'_>) -> bool {
    static GREETING: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(GREETINGS));
    static OPENING: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(OPENINGS));
    let Some(first) = candidate.own.first() else {
        return false;
    };
    let text = candidate.text.words();
    let opening = OPENING.find(text).is_some();
    let Some(greeting) = GREETING.begins(text) else {
        return opening && candidate.speaker == Some(crate::record::Role::Agent);
    };
    let rest = &text[words_of(greeting).len()..];
    let others = candidate.other_names.iter();
    let mut known: Vec<Word> = others.flat_map(|name| words_of(name)).collect();
    known.extend(words_of("there again"));
    let bare = !candidate.text.text().contains('?') && rest.iter().all(|word| known.contains(word));
    let own_name = words_of(&format!("my name is {}", candidate.own_name));
    // Short words are alike in any two texts.
    let telling = |text: &str| -> Vec<Word> {
        text.split_whitespace()
            .filter(|word| word.chars().filter(|c| c.is_alphanumeric()).count() > 3)
            .flat_map(words_of)
            .collect()
    };
    let mine: Vec<Word> = telling(candidate.text.text())
        .into_iter()
        .filter(|word| rest.contains(word))
        .collect();
    let firsts = telling(first.text());
    let shared = mine.iter().filter(|word| firsts.contains(word)).count();
    bare || opening
        || says(text, &own_name)
        || (mine.len() >= 2 && share(shared, firsts.len().min(mine.len())) >= 0.6)
}

pub(super) fn shortened(text: &str) -> String {
    const LETTERS: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LETTERS {
        return line;
    }
    format!(
        "{}…",
        line.chars().take(LETTERS).collect::<String>().trim_end()
    )
}
