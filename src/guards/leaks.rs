//! Falling out of the part: speaking as the other side, saying the instructions, talking about the conversation.

use std::sync::LazyLock;

use super::Candidate;
use super::phrases::{
    AGENT_ONLY, CLOSING_NOTES, CUSTOMER_ONLY, FIELDS, INSTRUCTED, LABELS, META, STATUS_WORDS,
    TEMPLATE_MARKS,
};
use super::repetition::shortened;
use super::utterance::{Phrases, Word, says, words_of};
use crate::record::OPENER;
use crate::record::Role;

static AGENT: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(AGENT_ONLY));
static CUSTOMER: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(CUSTOMER_ONLY));
static OF_INSTRUCTIONS: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(INSTRUCTED));
static OF_ITSELF: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(META));
static NOTES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(CLOSING_NOTES));
static OPENER_WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| words_of(OPENER));

pub(super) fn role(candidate: &Candidate<'_>) -> Option<String> {
    let text = candidate.text.text();
    if text.contains(['<', '>', '[', ':', '#', '(', '{']) {
        let lower = text.to_lowercase();
        if let Some(mark) = TEMPLATE_MARKS.iter().find(|mark| lower.contains(*mark)) {
            return Some(format!("a mark of a chat template: {mark}"));
        }
        let names: Vec<String> = candidate
            .names()
            .into_iter()
            .map(str::to_lowercase)
            .collect();
        let labels: Vec<&str> = LABELS
            .iter()
            .copied()
            .chain(names.iter().map(String::as_str))
            .collect();
        if let Some(label) = beginnings(&lower).find_map(|start| script_label(start, &labels)) {
            return Some(format!("the label of a script: {label}"));
        }
    }
    let words = candidate.text.words();
    let foreign = match candidate.speaker {
        Some(Role::Customer) => AGENT.find(words),
        Some(Role::Agent) => CUSTOMER.find(words),
        None => None,
    };
    let claimed = || {
        candidate.other_names.iter().find_map(|name| {
            let claims = ["i am", "im", "my name is"].map(|claim| format!("{claim} {name}"));
            claims
                .into_iter()
                .find(|claim| says(words, &words_of(claim)))
        })
    };
    let found = foreign.map(str::to_owned).or_else(claimed)?;
    Some(format!(
        "speaks as the other side: {}",
        found.to_lowercase()
    ))
}

pub(super) fn prompt(candidate: &Candidate<'_>) -> Option<String> {
    let text = candidate.text.text();
    if let Some(word) = text
        .split(|c: char| !c.is_alphanumeric())
        .find(|word| word.len() > 7 && STATUS_WORDS.contains(word))
    {
        return Some(format!("a status word: {word}"));
    }
    if text.contains(':') {
        let lower = text.to_lowercase();
        let field =
            beginnings(&lower).find_map(|start| FIELDS.iter().find(|field| label_at(start, field)));
        if let Some(field) = field {
            return Some(format!("a field of the prompt: {field}"));
        }
    }
    let words = candidate.text.words();
    if let Some(phrase) = OF_INSTRUCTIONS.find(words) {
        return Some(format!("speaks of its instructions: {phrase}"));
    }
    if words == *OPENER_WORDS {
        return Some("the opener".to_owned());
    }
    let sentence = candidate.instructions.said_in(words)?;
    Some(format!("repeats its instructions: {}", shortened(sentence)))
}

pub(super) fn meta(candidate: &Candidate<'_>) -> Option<String> {
    let words = candidate.text.words();
    if let Some(phrase) = OF_ITSELF.find(words) {
        return Some(format!("talks about itself or the conversation: {phrase}"));
    }
    let text = candidate.text.text();
    let note = |text: &str| NOTES.is(&words_of(text));
    let bracketed = || {
        text.split(['(', '[', '*', '<']).skip(1).any(|rest| {
            rest.split_once([')', ']', '*', '>'])
                .is_some_and(|(inside, _)| note(inside))
        })
    };
    let line = || text.contains('\n') && text.lines().any(note);
    (NOTES.is(words) || bracketed() || line()).then(|| "a closing note".to_owned())
}

/// Every place where a line or a sentence begins.
fn beginnings(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let inner = (0..bytes.len()).filter_map(move |at| match bytes[at] {
        b'\n' => Some(&text[at + 1..]),
        b'.' | b'!' | b'?' if bytes.get(at + 1) == Some(&b' ') => Some(&text[at + 2..]),
        _ => None,
    });
    std::iter::once(text).chain(inner)
}

/// `Customer: …`, `**Agent:** …`, `[Agent] …`, `### Customer`.
fn script_label<'a>(start: &str, labels: &[&'a str]) -> Option<&'a str> {
    let start = start.trim_start();
    let opened = start.starts_with(['[', '(', '<', '#', '{']);
    let bare = start.trim_start_matches(['*', '_', '[', '(', '<', '#', '"', '{', ' ', '>']);
    labels.iter().copied().find(|label| {
        let Some(rest) = bare.strip_prefix(label).filter(|_| !label.is_empty()) else {
            return false;
        };
        let closed = rest.starts_with([']', ')', '>', '}'])
            || (start.starts_with('#') && rest.starts_with('\n'));
        label_at(bare, label) || (opened && closed)
    })
}

/// Whether `start` is `label` and a colon, emphasis aside.
fn label_at(start: &str, label: &str) -> bool {
    let start = start.trim_start_matches(['*', '_', '-', '#', '"', ' ']);
    let rest = start
        .strip_prefix(label)
        .map(|rest| rest.trim_start_matches(['*', '_', ']', ')', ' ']));
    rest.is_some_and(|rest| rest.starts_with(':'))
}
