use super::Facts;
use crate::augment::style::thanks;
use crate::dialogue::Goals;
use crate::knowledge::Passages;
use crate::record::{Goal, GuardHit, GuardKind, Link, Support};

/// What a conversation is about: the customer's questions, and what of the page settles them.
///
/// A reply settles a question when a sentence of it is linked to a paragraph that bears on the question
/// ([`Passages::bearing`]) and that the agent saw. Where there are no links, since no rule knows the language, any reply that
/// does not only ask back does. An agent who saw no such paragraph settles nothing, whatever it says: that the page does not cover
/// it is no solution.
///
/// This cannot see an answer in words too far from the page's, nor that a sentence from the right paragraph answers another
/// question than the one that was asked.
#[derive(Debug)]
pub(super) struct Matter {
    goals: Goals,
    /// By question: the paragraphs that bear on it and that the agent saw.
    bearing: Vec<Vec<usize>>,
    /// Whether rules know the language: replies have links, and thanks are known.
    known: bool,
}

impl Matter {
    /// Of a page whose paragraphs the agent `saw`.
    pub(super) fn new(facts: Facts, page: &Passages, saw: &[usize], questions: &[&str]) -> Self {
        let bears = |question: &&str| {
            let mut bears = page.bearing(question);
            bears.retain(|index| saw.contains(index));
            bears
        };
        Self {
            bearing: questions.iter().map(bears).collect(),
            goals: Goals::new(questions.iter().map(|&question| question.to_owned())),
            known: facts != Facts::Unread,
        }
    }

    /// Whether something is open.
    pub(super) fn is_open(&self) -> bool {
        self.goals.any_open()
    }

    /// Whether the customer has another question to bring up now.
    pub(super) fn has_more(&self) -> bool {
        self.goals.has_more()
    }

    /// Lets the customer bring it up with this turn.
    pub(super) fn raise(&mut self, turn: usize) {
        self.goals.raise(turn);
    }

    /// Takes in a turn of the agent's, with the links of its sentences where it has any.
    pub(super) fn hear(&mut self, turn: usize, reply: &str, links: &[Link]) {
        let (bearing, known) = (&self.bearing, self.known);
        self.goals.hear(turn, reply, |place, says| {
            let bears = &bearing[place];
            let backed = |link: &Link| match &link.verdict {
                Support::Supported { paragraph, .. } => bears.contains(paragraph),
                Support::Unsupported { .. } | Support::NoClaim => false,
            };
            if known {
                links.iter().any(backed)
            } else {
                says && !bears.is_empty()
            }
        });
    }

    /// Thanks, with this turn, from a customer who has been helped with nothing yet. The opening may thank beforehand.
    pub(super) fn gratitude(&self, turn: usize, text: &str) -> Option<GuardHit> {
        let early = self.known && turn > 0 && self.is_open() && thanks(text);
        early.then(|| GuardHit {
            kind: GuardKind::Gratitude,
            detail: "thanks, and the question is open".to_owned(),
        })
    }

    pub(super) fn into_goals(self) -> Vec<Goal> {
        self.goals.into_goals()
    }
}
