//! Chat models as the dialogue sees them: views in, replies out. Tensors, templates and token ids stay below.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Grammar, Sampling, View};
use crate::rng::Stream;

/// What identifies a model in a fingerprint and in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// As the user named it.
    pub reference: String,
    /// Hash over configuration, weights, tokenizer and template.
    pub hash: String,
    /// The numeric profile: `f32`.
    pub profile: String,
    /// Terms of the model's output, `UNKNOWN` when no one said.
    pub licence: String,
    /// The demo model's data is marked wherever it goes.
    pub demo: bool,
    /// Which prompt pack suits it: `full` or `compact`.
    pub prompt_pack: String,
}

/// One reply to ask for.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub view: &'a View,
    /// Text that joins the last message for this one call and is gone afterwards.
    pub tail: Option<&'a str>,
    pub max_new_tokens: usize,
    /// Tokens that the model may think before it replies; 0 lets it reply at once.
    pub thinking_tokens: usize,
    pub sampling: Sampling,
    pub grammar: Option<Arc<Grammar>>,
    pub stop: &'a [String],
    pub draw: Stream,
}

/// What can go wrong in a call. The conversation that made it ends; the others go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChatError {
    /// The view has outgrown the model's context.
    #[error(
        "the prompt has {prompt_tokens} tokens; with {new_tokens} new ones it exceeds the context of {context_tokens}"
    )]
    Context {
        prompt_tokens: usize,
        new_tokens: usize,
        context_tokens: usize,
    },
    /// The view has outgrown what its conversation reserved: the other side's words take more tokens than was thought.
    #[error(
        "the prompt has {prompt_tokens} tokens; with {new_tokens} new ones it exceeds the {reserved_tokens} that its conversation reserved"
    )]
    Room {
        prompt_tokens: usize,
        new_tokens: usize,
        reserved_tokens: usize,
    },
    /// The session would never fit the pool.
    #[error(
        "a conversation needs up to {needed_tokens} tokens of cache, the pool holds {pool_tokens}"
    )]
    Pool {
        needed_tokens: usize,
        pool_tokens: usize,
    },
    /// The chat template refused the view.
    #[error("chat template: {0}")]
    Template(String),
    /// The grammar does not compile or met a dead end.
    #[error("grammar: {0}")]
    Grammar(String),
    /// The forward pass met NaN or infinity.
    #[error("numbers went wrong in the forward pass: {0}")]
    Numeric(String),
    /// The engine is gone (shutdown, or a failure it has reported).
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}
