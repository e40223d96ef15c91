use serde::{Deserialize, Serialize};

/// A question that a customer came with, and how far it got. Turns count from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    pub question: String,
    /// The customer's turn that brought it up; 0 for the question that it came with, none for one that there was no time for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<usize>,
    /// The agent's turn that first replied to it with more than a question back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<usize>,
    /// The agent's turn that settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<usize>,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GoalState {
    Open,
    Attempted,
    Done,
}

impl Goal {
    #[must_use]
    pub fn new(question: String, raised: Option<usize>) -> Self {
        Self {
            question,
            raised,
            attempted: None,
            done: None,
        }
    }

    #[must_use]
    pub fn state(&self) -> GoalState {
        match (self.attempted, self.done) {
            (_, Some(_)) => GoalState::Done,
            (Some(_), None) => GoalState::Attempted,
            (None, None) => GoalState::Open,
        }
    }
}
