//! Looks at a reply before it is said. Every guard is a pure function of the reply and what came before; the first that
//! finds something names what it saw.

mod instructions;
mod leaks;
mod phrases;
mod repetition;
#[cfg(test)]
mod tests;
mod utterance;
mod words;

pub use instructions::Instructions;
pub use repetition::begins_anew;
pub use utterance::Utterance;

use crate::record::{GuardHit, GuardKind, Role};

/// A reply and all that guards may know about it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The side of a support conversation; `None` for a member of a group.
    pub speaker: Option<Role>,
    pub text: &'a Utterance,
    /// The token limit or the context cut it off.
    pub truncated: bool,
    /// The speaker's earlier turns as generated, oldest first.
    pub own: &'a [&'a Utterance],
    /// The others' turns as the speaker saw them, oldest first.
    pub other: &'a [&'a Utterance],
    /// The speaker's system message without page, question and case.
    pub instructions: &'a Instructions,
    pub own_name: &'a str,
    pub other_names: &'a [&'a str],
    /// Words one turn may have.
    pub max_words: usize,
}

/// The guards, in the order in which they look: what says most about a reply comes first.
const ORDER: &[GuardKind] = &[
    GuardKind::Empty,
    GuardKind::RoleLeak,
    GuardKind::PromptLeak,
    GuardKind::MetaTalk,
    GuardKind::ThanksLoop,
    GuardKind::Echo,
    GuardKind::Repeat,
    GuardKind::TooLong,
];

/// The first guard that turns the reply down.
#[must_use]
pub fn check(candidate: &Candidate<'_>) -> Option<GuardHit> {
    ORDER.iter().find_map(|&kind| check_for(kind, candidate))
}

impl Candidate<'_> {
    /// Everyone who takes part, the speaker first.
    fn names(&self) -> Vec<&str> {
        std::iter::once(self.own_name)
            .chain(self.other_names.iter().copied())
            .collect()
    }
}

/// What one guard finds.
#[must_use]
pub fn check_for(kind: GuardKind, candidate: &Candidate<'_>) -> Option<GuardHit> {
    let detail = match kind {
        GuardKind::Empty => empty(candidate),
        GuardKind::TooLong => too_long(candidate),
        GuardKind::Echo => repetition::echo(candidate),
        GuardKind::Repeat => repetition::repeat(candidate),
        GuardKind::ThanksLoop => repetition::thanks_loop(candidate),
        GuardKind::RoleLeak => leaks::role(candidate),
        GuardKind::PromptLeak => leaks::prompt(candidate),
        GuardKind::MetaTalk => leaks::meta(candidate),
        // What was wanted is known to whoever asked for the reply.
        GuardKind::Steering | GuardKind::Unbacked | GuardKind::Gratitude => None,
    }?;
    Some(GuardHit { kind, detail })
}

fn empty(candidate: &Candidate<'_>) -> Option<String> {
    candidate
        .text
        .words()
        .is_empty()
        .then(|| "no words".to_owned())
}

/// Words as the word budget counts them: stretches between white space that have a letter or digit.
#[must_use]
pub fn count_words(text: &str) -> usize {
    text.split_whitespace()
        .filter(|word| word.contains(char::is_alphanumeric))
        .count()
}

fn too_long(candidate: &Candidate<'_>) -> Option<String> {
    let words = count_words(candidate.text.text());
    if candidate.truncated {
        Some(format!("cut off by the token limit after {words} words"))
    } else {
        (words > candidate.max_words)
            .then(|| format!("{words} words, at most {}", candidate.max_words))
    }
}
