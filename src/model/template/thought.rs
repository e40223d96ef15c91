//! Thinking before the answer: whether a prompt leaves room for it.

use minijinja::Value;

use super::probe::is_open;
use super::shape::ThinkingShape;

/// What a prompt lets the model begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thought {
    /// The answer: where a thought would stand, it is empty and closed.
    #[default]
    Closed,
    /// A thought, already opened.
    Open,
}

impl Thought {
    /// The template's switch, where it has one and the user has not set it.
    pub(super) fn variable(self, shape: &ThinkingShape) -> Option<(&str, Value)> {
        let switch = shape.switch.as_deref()?;
        Some((switch, (self == Self::Open).into()))
    }

    /// What a generation prompt still lacks.
    pub(super) fn rest(self, prompt: &str, shape: &ThinkingShape) -> String {
        let Some([open, close]) = &shape.marks else {
            return String::new();
        };
        let opened = is_open(prompt, open);
        let closing = || {
            let lines = if prompt.ends_with('\n') { "\n" } else { "\n\n" };
            format!("{lines}{close}\n\n")
        };
        match self {
            Self::Open if opened => String::new(),
            Self::Open => format!("{open}\n"),
            Self::Closed if opened => closing(),
            // The template leaves it to the model to open a thought, and to itself to drop old ones.
            Self::Closed if shape.switch.is_none() && !shape.opens && shape.drops_old => {
                format!("{open}\n\n{close}\n\n")
            }
            Self::Closed => String::new(),
        }
    }
}
