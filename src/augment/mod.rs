//! Rule engines over finished text: pure functions of text and random stream that report what they changed.

mod letters;
pub mod products;
pub mod typos;
pub mod verify;
mod words;

/// A text after a rule engine had its say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// Mistakes put in; each changed one word and no word has two.
    pub edits: u32,
}
