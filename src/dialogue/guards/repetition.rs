//! Saying again what was said: the other's turn, an own turn, thanks upon thanks.

use super::Candidate;
use super::words::{is_courtesy, numbers, overlap, share, words, wordy};

/// Shorter turns are alike by chance.
const ECHO_WORDS: usize = 6;
/// A reply this much of which is in the other's turn, in order, …
const ECHO_SHARE: f64 = 0.8;
/// … says it back when it also covers this much of that turn; less is a question about a detail.
const ECHO_COVER: f64 = 0.6;
/// Own turns are compared from this length on.
const REPEAT_WORDS: usize = 5;
/// Two turns with this share of words in common are the same.
const REPEAT_SHARE: f64 = 0.8;
/// A sentence of this many words stands in a reply once.
const SENTENCE_WORDS: usize = 4;

pub(super) fn echo(candidate: &Candidate<'_>) -> Option<String> {
    let text = wordy(candidate.text);
    let names = candidate.names();
    let found = candidate.other.iter().rev().find(|turn| {
        let other = wordy(turn);
        let met = overlap(&text, &other);
        let says_it_back = text.len() >= ECHO_WORDS
            && met.run >= 4
            && share(met.common, text.len()) >= ECHO_SHARE
            && share(met.common, other.len()) >= ECHO_COVER;
        let contains_it = other.len() >= ECHO_WORDS
            && share(met.common, other.len()) >= 0.9
            && share(met.run, other.len()) >= 0.7;
        let quotes_it = met.run >= 12 && share(met.run, text.len()) >= ECHO_SHARE;
        let is_it = text.len() >= 4
            && words(candidate.text) == words(turn)
            && candidate.text.ends_with('?') == turn.ends_with('?')
            && !is_courtesy(turn, &names);
        says_it_back || contains_it || quotes_it || is_it
    })?;
    Some(format!("says the other's turn back: {}", shortened(found)))
}

pub(super) fn repeat(candidate: &Candidate<'_>) -> Option<String> {
    let text = words(candidate.text);
    let names = candidate.names();
    let again = candidate.own.iter().rev().find(|turn| {
        let own = words(turn);
        let met = overlap(&text, &own);
        let same_numbers = numbers(candidate.text) == numbers(turn);
        let equal = text.len() >= 3 && text == own && !is_courtesy(turn, &names);
        let alike = text.len().min(own.len()) >= REPEAT_WORDS
            && same_numbers
            && share(met.common, text.len().max(own.len())) >= REPEAT_SHARE;
        let contains_it = own.len() >= 8 && share(met.run, own.len()) >= 0.85;
        let within_it = text.len() >= 8 && share(met.run, text.len()) >= 0.9;
        let asks_again = questions(candidate.text).iter().any(|question| {
            question.len() >= 6 && share(overlap(question, &own).run, question.len()) >= 0.9
        });
        equal
            || alike
            || contains_it
            || within_it
            || asks_again
            || same_sentences(candidate.text, turn)
    });
    if let Some(turn) = again {
        return Some(format!("says an own turn again: {}", shortened(turn)));
    }
    if let Some(sentence) = said_twice(candidate.text) {
        return Some(format!("says one sentence twice: {}", shortened(&sentence)));
    }
    begins_anew(candidate).then(|| {
        format!(
            "begins the conversation anew: {}",
            shortened(candidate.text)
        )
    })
}

pub(super) fn thanks_loop(candidate: &Candidate<'_>) -> Option<String> {
    let names = candidate.names();
    let last = candidate.other.last()?;
    (is_courtesy(candidate.text, &names) && is_courtesy(last, &names)).then(|| {
        format!(
            "only courtesy after courtesy: {}",
            shortened(candidate.text)
        )
    })
}

fn questions(text: &str) -> Vec<Vec<String>> {
    text.split_inclusive(['.', '!', '?', '\n'])
        .filter(|sentence| sentence.ends_with('?'))
        .map(words)
        .collect()
}

fn sentences(text: &str) -> Vec<Vec<String>> {
    text.split(['.', '!', '?', '\n'])
        .map(words)
        .filter(|words| !words.is_empty())
        .collect()
}

/// The same sentences in another order; one long sentence is caught by the comparison of words.
fn same_sentences(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (sentences(a), sentences(b));
    a.sort();
    b.sort();
    a.len() > 1 && a.iter().any(|sentence| sentence.len() >= SENTENCE_WORDS) && a == b
}

fn said_twice(text: &str) -> Option<String> {
    let sentences = sentences(text);
    let repeated = sentences.iter().enumerate().find(|(index, sentence)| {
        sentence.len() >= SENTENCE_WORDS && sentences[..*index].contains(sentence)
    });
    repeated.map(|(_, sentence)| sentence.join(" "))
}

/// Greets in the middle of a conversation as at its beginning.
fn begins_anew(candidate: &Candidate<'_>) -> bool {
    let Some(first) = candidate.own.first() else {
        return false;
    };
    let text = words(candidate.text);
    let line = format!(" {} ", text.join(" "));
    let greeting = super::phrases::GREETINGS
        .iter()
        .find(|greeting| line.starts_with(&format!(" {greeting} ")));
    let opening = super::phrases::OPENINGS
        .iter()
        .any(|opening| line.contains(&format!(" {opening} ")));
    let own_name = format!(" my name is {} ", candidate.own_name.to_lowercase());
    let Some(greeting) = greeting else {
        return opening && candidate.speaker == Some(crate::record::Role::Agent);
    };
    let rest = &text[greeting.split(' ').count()..];
    let bare = !candidate.text.contains('?')
        && rest.iter().all(|word| {
            word == "there"
                || word == "again"
                || candidate
                    .other_names
                    .iter()
                    .any(|name| *word == name.to_lowercase())
        });
    let content = |words: &[String]| -> Vec<String> {
        words
            .iter()
            .filter(|word| word.len() > 3)
            .cloned()
            .collect()
    };
    let (mine, firsts) = (content(rest), content(&words(first)));
    let shared = mine.iter().filter(|word| firsts.contains(word)).count();
    bare || opening
        || line.contains(&own_name)
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
