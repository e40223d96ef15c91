//! Sequences, pages, steps: what turns requests into tokens. Knows nothing of personas or customers.

mod chat;
mod chat_model;
mod constraint;
mod core;
mod demand;
mod lane;
mod load;
mod local;
mod memory;
mod pages;
mod radix;
mod request;
mod runner;
mod sampler;
mod scheduler;
pub mod scripted;
mod sequence;
mod set;
mod stats;
mod turns;

pub use crate::kernels::{KvType, Profile};
pub use crate::model::{ChatRole, Message, TokenId, View};
pub use chat::{Ask, ChatError, ModelIdentity};
pub use chat_model::{ChatModel, Session};
pub use demand::{Demand, split};
pub use lane::{EngineOptions, EngineParts, Vocabulary};
pub use load::{LoadOptions, Numerics, POOL_TOKENS, Started, start_engine};
pub use local::{LocalModel, start_together};
pub use request::{Completion, Finish, GenerateRequest, Grammar, Sampling, ScoreRequest};
pub use runner::ModelRunner;
pub use sampler::{SampleError, log_probability, sample};
pub use scripted::ScriptedModel;
pub use set::{Engine, EngineSession, EngineSet};
pub use stats::EngineStats;
