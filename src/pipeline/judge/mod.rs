//! Judging: a model is shown a finished conversation and asked one question for each aspect, and its answer is read off the
//! likelihoods of the digits 1 to 5. Nothing is drawn, and nothing of a conversation is changed.
//!
//! Every question is asked twice: about what the conversation was made from, and about what another one was made from (its
//! topic, its people under these people's names, its tone, its page). A judge worth listening to answers the second
//! lower.

mod matter;
mod pairs;
mod questions;
mod score;
mod work;

#[cfg(test)]
mod tests;

/// The version of the questions and of what is made of the answers. Raise it when the same model would give other scores:
/// conversations are then judged anew.
pub const JUDGE_VERSION: u32 = 1;

pub use pairs::{derangement, pairs};
pub use questions::Subject;
pub use score::{Weighed, mean_digit};
pub use work::{JudgeContext, Judged, judge, sample_question};
