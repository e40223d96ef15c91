use std::ops::Range;
use std::sync::Arc;

use super::matter;
use crate::knowledge::sentences;
use crate::record::{Aspect, Conversation, Dialogue, GroupChat, Page, Role, Support};

/// Earlier lines of a person that a line is held against: the last ones.
const EARLIER: usize = 6;

/// A conversation to be judged, or to take controls from.
#[derive(Clone, Debug)]
pub struct Subject {
    pub dialogue: Dialogue,
    /// The help page of a support conversation, where it is at hand.
    pub page: Option<Arc<Page>>,
}

/// A question about a conversation or a line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub aspect: Aspect,
    /// The line that is asked about.
    pub line: Option<LineOf>,
    /// What it is held against; empty where it is judged by itself.
    pub matter: String,
}

/// A line, or a sentence of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineOf {
    pub turn: usize,
    pub span: Option<Range<usize>>,
    pub text: String,
}

impl Subject {
    pub(super) fn id(&self) -> &str {
        self.dialogue.id()
    }

    /// Who says what.
    pub(super) fn lines(&self) -> Vec<(&str, &str)> {
        match &self.dialogue {
            Dialogue::Support(conversation) => conversation
                .turns
                .iter()
                .map(|turn| (speaker(turn.speaker), turn.text.as_str()))
                .collect(),
            Dialogue::Group(chat) => chat
                .turns
                .iter()
                .map(|turn| (chat.speaker(turn), turn.text.as_str()))
                .collect(),
        }
    }

    /// The lines with every other one taken from the same place of another conversation, or from its beginning again; in
    /// support conversations, all of the agent's. Empty where there is nothing to take.
    pub(super) fn mixed_with<'a>(&'a self, other: &'a Self) -> Vec<(&'a str, &'a str)> {
        let mut lines = self.lines();
        let others: Vec<&str> = match &other.dialogue {
            Dialogue::Support(conversation) => conversation
                .turns_of(Role::Agent)
                .map(|turn| turn.text.as_str())
                .collect(),
            Dialogue::Group(chat) => chat.turns.iter().map(|turn| turn.text.as_str()).collect(),
        };
        if others.is_empty() || self.dialogue.kind() != other.dialogue.kind() {
            return Vec::new();
        }
        let takes = |place: usize| match &self.dialogue {
            Dialogue::Support(conversation) => conversation.turns[place].speaker == Role::Agent,
            Dialogue::Group(_) => place % 2 == 1,
        };
        let mut taken = 0;
        for (place, line) in lines.iter_mut().enumerate() {
            if takes(place) {
                // Groups take what stands at the same place, the agents' turns come in their order.
                let from = match &self.dialogue {
                    Dialogue::Support(_) => taken,
                    Dialogue::Group(_) => place,
                };
                line.1 = others[from % others.len()];
                taken += 1;
            }
        }
        if taken == 0 || lines == self.lines() {
            return Vec::new();
        }
        lines
    }

    /// What is to be asked for an aspect, held against what `from` was made from: the conversation itself, or another for
    /// a control. Empty where nothing can be asked.
    pub(super) fn questions(&self, aspect: Aspect, from: &Self) -> Vec<Question> {
        let whole = |matter: String| Question {
            aspect,
            line: None,
            matter,
        };
        if self.lines().is_empty() || !aspect.is_of(self.dialogue.kind()) {
            return Vec::new();
        }
        if aspect.is_bare() {
            return vec![whole(String::new())];
        }
        let mut found = match (&self.dialogue, &from.dialogue) {
            (Dialogue::Group(own), Dialogue::Group(other)) => match aspect {
                Aspect::Persona => by_persona(own, other),
                Aspect::Consistency => by_person(own, other),
                _ => {
                    let told = matter::of_experience(aspect, &other.experience, &own.experience);
                    vec![whole(told)]
                }
            },
            (Dialogue::Support(own), Dialogue::Support(other)) => match aspect {
                Aspect::Groundedness => by_sentence(own, &passages(other, from.page.as_deref())),
                _ => vec![whole(matter::of_plan(aspect, other))],
            },
            _ => Vec::new(),
        };
        found.retain(|question| !question.matter.is_empty());
        found
    }
}

/// As transcripts name them.
pub(super) fn speaker(role: Role) -> &'static str {
    match role {
        Role::Customer => "Customer",
        Role::Agent => "Agent",
    }
}

fn by_persona(own: &GroupChat, other: &GroupChat) -> Vec<Question> {
    let question = |(turn, remark): (usize, &crate::record::Remark)| Question {
        aspect: Aspect::Persona,
        matter: matter::person(&other.experience, remark.speaker, &own.experience),
        line: Some(LineOf {
            turn,
            span: None,
            text: remark.text.clone(),
        }),
    };
    own.turns.iter().enumerate().map(question).collect()
}

/// Every line but a person's first, with the person's earlier ones; for a control, as many of another conversation's
/// person at the same place.
fn by_person(own: &GroupChat, other: &GroupChat) -> Vec<Question> {
    let said_by = |chat: &GroupChat, speaker: usize| -> Vec<(usize, String)> {
        let own = chat.turns.iter().enumerate();
        let own = own.filter(|(_, remark)| remark.speaker == speaker);
        own.map(|(turn, remark)| (turn, remark.text.clone()))
            .collect()
    };
    let same = std::ptr::eq(own, other);
    let mut found = Vec::new();
    for speaker in 0..own.experience.participants.len() {
        let lines = said_by(own, speaker);
        let people = other.experience.participants.len().max(1);
        let others = if same {
            lines.clone()
        } else {
            // Whoever is at this place, or the next who says anything.
            (0..people)
                .map(|step| said_by(other, (speaker + step) % people))
                .find(|lines| !lines.is_empty())
                .unwrap_or_default()
        };
        for (nth, (turn, text)) in lines.into_iter().enumerate().skip(1) {
            let until = nth.min(others.len());
            let earlier = &others[until.saturating_sub(EARLIER)..until];
            let earlier: Vec<&str> = earlier.iter().map(|(_, text)| text.as_str()).collect();
            let told = earlier.join("\n");
            found.push(Question {
                aspect: Aspect::Consistency,
                matter: matter::renamed(&told, &other.experience, &own.experience),
                line: Some(LineOf {
                    turn,
                    span: None,
                    text,
                }),
            });
        }
    }
    found.sort_by_key(|question| question.line.as_ref().map(|line| line.turn));
    found
}

/// What an agent saw of its page.
fn passages(conversation: &Conversation, page: Option<&Page>) -> String {
    let Some(page) = page else {
        return String::new();
    };
    let mut text = page.title.clone();
    for paragraph in conversation
        .passages
        .iter()
        .filter_map(|&index| page.paragraphs.get(index))
    {
        for part in [&paragraph.heading, &paragraph.text] {
            if !part.is_empty() {
                text.push('\n');
                text.push_str(part);
            }
        }
    }
    text
}

/// The agent's sentences that claim something; all of them where no rule knows the language.
fn by_sentence(own: &Conversation, passages: &str) -> Vec<Question> {
    let mut found = Vec::new();
    for (turn, said) in own.turns.iter().enumerate() {
        if said.speaker != Role::Agent {
            continue;
        }
        let spans: Vec<Range<usize>> = if said.links.is_empty() {
            sentences(&said.text)
        } else {
            let claims = said.links.iter();
            let claims = claims.filter(|link| link.verdict != Support::NoClaim);
            claims.map(|link| link.sentence.clone()).collect()
        };
        for span in spans {
            let Some(text) = said.text.get(span.clone()) else {
                continue;
            };
            found.push(Question {
                aspect: Aspect::Groundedness,
                matter: passages.to_owned(),
                line: Some(LineOf {
                    turn,
                    span: Some(span),
                    text: text.to_owned(),
                }),
            });
        }
    }
    found
}
