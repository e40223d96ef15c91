//! Falling out of the part: speaking as the other side, saying the instructions, talking about the conversation.

use super::Candidate;
use super::phrases::{
    AGENT_ONLY, CLOSING_NOTES, CUSTOMER_ONLY, FIELDS, INSTRUCTED, LABELS, META, STATUS_WORDS,
    TEMPLATE_MARKS,
};
use super::repetition::shortened;
use super::words::{overlap, words};
use crate::engine::OPENER;
use crate::record::Role;

/// This many words in a row are no chance meeting with the instructions.
const LEAKED_RUN: usize = 6;
/// A whole instruction of this many words, neither.
const LEAKED_SENTENCE: usize = 5;

pub(super) fn role(candidate: &Candidate<'_>) -> Option<String> {
    let lower = candidate.text.to_lowercase();
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
    let foreign = match candidate.speaker {
        Some(Role::Customer) => AGENT_ONLY,
        Some(Role::Agent) => CUSTOMER_ONLY,
        None => &[],
    };
    let line = spaced(candidate.text);
    let claims: Vec<String> = names[1..]
        .iter()
        .flat_map(|name| ["i am", "im", "my name is"].map(|claim| format!("{claim} {name}")))
        .collect();
    let found = foreign
        .iter()
        .copied()
        .chain(claims.iter().map(String::as_str))
        .find(|phrase| says(&line, phrase))?;
    Some(format!("speaks as the other side: {found}"))
}

pub(super) fn prompt(candidate: &Candidate<'_>) -> Option<String> {
    if let Some(word) = candidate
        .text
        .split(|c: char| !c.is_alphanumeric())
        .find(|word| STATUS_WORDS.contains(word))
    {
        return Some(format!("a status word: {word}"));
    }
    let lower = candidate.text.to_lowercase();
    let field =
        beginnings(&lower).find_map(|start| FIELDS.iter().find(|field| label_at(start, field)));
    if let Some(field) = field {
        return Some(format!("a field of the prompt: {field}"));
    }
    let line = spaced(candidate.text);
    if let Some(phrase) = INSTRUCTED.iter().find(|phrase| says(&line, phrase)) {
        return Some(format!("speaks of its instructions: {phrase}"));
    }
    let text = words(candidate.text);
    if text == words(OPENER) {
        return Some("the opener".to_owned());
    }
    for sentence in candidate
        .instructions
        .split(['.', '!', '?', '\n', ':', ';'])
    {
        let instruction = words(sentence);
        let run = overlap(&text, &instruction).run;
        if run >= LEAKED_RUN || (instruction.len() >= LEAKED_SENTENCE && run == instruction.len()) {
            return Some(format!("repeats its instructions: {}", shortened(sentence)));
        }
    }
    None
}

pub(super) fn meta(candidate: &Candidate<'_>) -> Option<String> {
    let line = spaced(candidate.text);
    if let Some(phrase) = META.iter().find(|phrase| says(&line, phrase)) {
        return Some(format!("talks about itself or the conversation: {phrase}"));
    }
    let note = |text: &str| {
        CLOSING_NOTES
            .iter()
            .any(|note| spaced(text).trim() == *note)
    };
    let bracketed = candidate
        .text
        .split(['(', '[', '*', '<'])
        .skip(1)
        .any(|rest| {
            rest.split_once([')', ']', '*', '>'])
                .is_some_and(|(inside, _)| note(inside))
        });
    (bracketed || note(candidate.text) || candidate.text.lines().any(note))
        .then(|| "a closing note".to_owned())
}

/// The words with a space before, between and after them.
fn spaced(text: &str) -> String {
    format!(" {} ", words(text).join(" "))
}

fn says(line: &str, phrase: &str) -> bool {
    line.contains(&format!(" {phrase} "))
}

/// Every place where a line or a sentence begins.
fn beginnings(text: &str) -> impl Iterator<Item = &str> {
    let after = |(at, mark): (usize, &'static str)| &text[at + mark.len()..];
    let marks = [". ", "! ", "? ", "\n"];
    std::iter::once(text).chain(marks.into_iter().flat_map(move |mark| {
        text.match_indices(mark)
            .map(|(at, _)| (at, mark))
            .map(after)
            .collect::<Vec<_>>()
    }))
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
