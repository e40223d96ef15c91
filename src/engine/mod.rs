//! Sequences, pages, steps: what turns requests into tokens. Knows nothing of personas or customers.

mod chat;
mod request;
mod view;

pub use chat::{Ask, ChatError, ModelIdentity};
pub use request::{Completion, Finish, GenerateRequest, Grammar, Sampling, ScoreRequest, TokenId};
pub use view::{ChatRole, Message, View};
