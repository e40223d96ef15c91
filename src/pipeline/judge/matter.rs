//! What conversations were made from, as text: their own, and other ones' for controls.

use std::fmt::Write;

use crate::record::{Aspect, Conversation, Experience, Individual, Style};

/// What an experience says of an aspect, each person under the name of the one at the same place of `named`; empty where it
/// says nothing. `named` is the experience itself where it is judged by its own.
pub(super) fn of_experience(aspect: Aspect, from: &Experience, named: &Experience) -> String {
    let text = match aspect {
        Aspect::Topic => from.topic.clone(),
        Aspect::Situation => from.situation.clone(),
        Aspect::Relations => from.relations.clone(),
        Aspect::Qualities => people(from, named, |one| one.qualities.join(", ")),
        Aspect::SpeechStyle => people(from, named, |one| some(one.speech_style.as_ref())),
        Aspect::Age => people(from, named, |one| {
            one.age.map_or_else(String::new, |age| age.to_string())
        }),
        Aspect::Lifestyle => people(from, named, |one| {
            let parts = [some(one.work.as_ref()), one.hobbies.join(", ")];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("; ")
        }),
        Aspect::Memory => people(from, named, |one| some(one.memory.as_ref())),
        Aspect::Overall => {
            let mut text = String::new();
            for (label, value) in [
                ("Topic", &from.topic),
                ("Situation", &from.situation),
                ("Relations", &from.relations),
            ] {
                if !value.is_empty() {
                    let _ = writeln!(text, "{label}: {value}");
                }
            }
            text + &people(from, named, Individual::summary)
        }
        _ => String::new(),
    };
    renamed(text.trim_end(), from, named)
}

fn some(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

/// A line for each of `named` of whom something is known.
fn people(from: &Experience, named: &Experience, told: impl Fn(&Individual) -> String) -> String {
    if from.participants.is_empty() {
        return String::new();
    }
    let lines = named.participants.iter().enumerate().map(|(place, one)| {
        let of = &from.participants[place % from.participants.len()];
        (one.name.as_str(), told(of))
    });
    let lines = lines.filter(|(_, text)| !text.is_empty());
    let lines: Vec<String> = lines
        .map(|(name, text)| format!("{name}: {text}"))
        .collect();
    lines.join("\n")
}

/// A person of an experience in one text, under another's names.
pub(super) fn person(from: &Experience, place: usize, named: &Experience) -> String {
    let people = &from.participants;
    let Some(of) = people.get(place % people.len().max(1)) else {
        return String::new();
    };
    renamed(&of.summary(), from, named)
}

/// A text of one experience with the names of another's people: a name that nobody here has would tell the two apart by
/// itself.
pub(super) fn renamed(text: &str, from: &Experience, named: &Experience) -> String {
    if std::ptr::eq(from, named) || named.participants.is_empty() {
        return text.to_owned();
    }
    let mut names: Vec<(&str, &str)> = Vec::new();
    for (place, one) in from.participants.iter().enumerate() {
        let other = &named.participants[place % named.participants.len()];
        names.push((&one.name, &other.name));
        names.push((one.first_name(), other.first_name()));
    }
    names.retain(|(old, _)| !old.is_empty());
    // Whole names before first names, and all at once: what was put in is not looked at again.
    names.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let starts = !text[..at].ends_with(char::is_alphanumeric);
        let found = names.iter().find(|(old, _)| {
            starts
                && rest
                    .strip_prefix(old)
                    .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        });
        if let Some((old, new)) = found {
            out.push_str(new);
            at += old.len();
        } else {
            let next = rest.chars().next().unwrap_or_default();
            out.push(next);
            at += next.len_utf8();
        }
    }
    out
}

/// What a support conversation's plan says of an aspect; empty where it says nothing.
pub(super) fn of_plan(aspect: Aspect, conversation: &Conversation) -> String {
    let cell = &conversation.cell;
    match aspect {
        Aspect::Tone => cell.tone.name().to_owned(),
        Aspect::Style => style(conversation),
        Aspect::Helpfulness => conversation.query.clone(),
        Aspect::Overall => format!(
            "What the customer asks: {}\nTone: {}\nStyle: {}",
            conversation.query,
            cell.tone.name(),
            style(conversation)
        ),
        _ => String::new(),
    }
}

/// How a customer writes, in words.
fn style(conversation: &Conversation) -> String {
    let cell = &conversation.cell;
    let words = match cell.style {
        Style::Plain => "plain",
        Style::Casual => "casual",
        Style::Formal => "formal",
        Style::Typos => "with typing mistakes",
        Style::Colloquial => "colloquial, as typed on a phone to somebody familiar",
        Style::Polite => "polite",
        Style::Rude => "rude",
        Style::NonNative => match cell.first_language {
            Some(language) => {
                return format!(
                    "with the slips of somebody whose first language is {}",
                    language.title()
                );
            }
            None => "with the slips of somebody whose first language is another",
        },
    };
    words.to_owned()
}
