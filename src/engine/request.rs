use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::TokenId;
use crate::rng::Stream;

/// How the next token is drawn. Zero, one or `None`-like values switch a step off; the order is penalties, temperature,
/// top-k, top-p, min-p.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the likeliest token.
    pub temperature: f32,
    /// 0 keeps all.
    pub top_k: usize,
    /// 1 keeps all.
    pub top_p: f32,
    /// 0 keeps all; else drops tokens less likely than `min_p` times the likeliest.
    pub min_p: f32,
    /// 1 changes nothing; divides positive and multiplies negative logits of the reply's tokens.
    pub repetition_penalty: f32,
    /// 0 changes nothing; taken from the logits of the reply's tokens, once each.
    pub presence_penalty: f32,
    /// 0 changes nothing; taken from the logits of the reply's tokens, once for every time they stand there.
    pub frequency_penalty: f32,
    /// The penalties see this many of the reply's last tokens; 0 lets them see all.
    pub penalty_last_n: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            penalty_last_n: 0,
        }
    }
}

impl Sampling {
    /// Whether any penalty changes logits.
    #[must_use]
    pub fn penalises(&self) -> bool {
        let off = |value: f32, neutral: f32| (value - neutral).abs() <= f32::EPSILON;
        !(off(self.repetition_penalty, 1.0)
            && off(self.presence_penalty, 0.0)
            && off(self.frequency_penalty, 0.0))
    }

    /// The part of a reply that the penalties see.
    #[must_use]
    pub fn penalised<'a>(&self, reply: &'a [TokenId]) -> &'a [TokenId] {
        match self.penalty_last_n {
            0 => reply,
            n => &reply[reply.len().saturating_sub(n)..],
        }
    }

    /// What the penalties make of the logit of a token that they see `count` times, once or more.
    #[must_use]
    pub fn penalise(&self, logit: f32, count: usize) -> f32 {
        let repeated = if logit > 0.0 {
            logit / self.repetition_penalty
        } else {
            logit * self.repetition_penalty
        };
        #[expect(clippy::cast_precision_loss, reason = "replies are far below 2^24")]
        let less = self.presence_penalty + self.frequency_penalty * count as f32;
        // A penalty must not make a number that the row could not hold.
        (repeated - less).clamp(f32::MIN, f32::MAX)
    }

    /// Always the likeliest token.
    #[must_use]
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }
}

/// What a reply must look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grammar {
    /// A JSON schema as text. Lengths must be bounded so that the longest legal reply fits the token limit.
    JsonSchema(String),
    /// A regular expression over the whole reply.
    Regex(String),
}

/// One reply to make.
#[derive(Clone, Debug)]
pub struct GenerateRequest {
    /// The whole prompt.
    pub prompt: Vec<TokenId>,
    pub max_new_tokens: usize,
    pub sampling: Sampling,
    pub grammar: Option<Arc<Grammar>>,
    /// Texts that end the reply; the reply is cut to the last whole token before the first of them.
    pub stop: Vec<String>,
    /// Where its random numbers come from: position `i` of this stream draws new token `i`.
    pub draw: Stream,
    /// How many of its first tokens a later prompt may begin with; all of prompt and reply when not given.
    pub keep: Option<usize>,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended its turn, or the grammar was complete.
    Accepted,
    /// A stop string was reached.
    Stopped,
    /// The token limit or the context came first.
    Truncated,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// New tokens without the end token.
    pub tokens: Vec<TokenId>,
    pub text: String,
    pub finish: Finish,
    /// Tokens of the thought before the reply, which is not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub thinking_tokens: usize,
    /// Tokens of the prompt, and how many of them were found in the cache. Not part of what is reproducible.
    #[serde(skip)]
    pub prompt_tokens: usize,
    #[serde(skip)]
    pub reused_tokens: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Log-probabilities of given continuations after one shared start.
#[derive(Clone, Debug)]
pub struct ScoreRequest {
    pub prompt: Vec<TokenId>,
    /// Each non-empty; the end token, where wanted, is the caller's to append.
    pub continuations: Vec<Vec<TokenId>>,
}
