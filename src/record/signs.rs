use serde::{Deserialize, Serialize};

/// What stands in for the other side when an agent speaks first: its view then begins, as templates expect, with a user.
pub const OPENER: &str = "Start the chat.";

/// The sentences by which members of a group chat make a move: they are told them, and what they say is searched for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveSigns {
    /// Who says one of them, or closes a sentence with one, goes.
    pub leave: Vec<String>,
    /// Who begins a sentence with one of them pauses.
    pub pause: Vec<String>,
    /// Who begins with one of them, as a sentence of its own, breaks in.
    pub interrupt: Vec<String>,
}

impl Default for MoveSigns {
    /// In English.
    fn default() -> Self {
        let texts = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        Self {
            leave: texts(["I have to go now.", "I have to leave now."]),
            pause: texts(["I need a", "I need an"]),
            interrupt: texts(["I have something to say.", "I have a question."]),
        }
    }
}
