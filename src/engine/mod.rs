//! Sequences, pages, steps: what turns requests into tokens. Knows nothing of personas or customers.

mod chat;
mod constraint;
mod core;
mod memory;
mod pages;
mod radix;
mod request;
mod runner;
mod sampler;
mod scheduler;
mod sequence;
mod stats;
mod view;

pub use chat::{Ask, ChatError, ModelIdentity};
pub use core::{Engine, EngineOptions, EngineSession, Vocabulary};
pub use request::{Completion, Finish, GenerateRequest, Grammar, Sampling, ScoreRequest, TokenId};
pub use runner::ModelRunner;
pub use stats::EngineStats;
pub use view::{ChatRole, Message, View};
