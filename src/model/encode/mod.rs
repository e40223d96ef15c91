//! From a view to ids. The template says what text the model sees; the tokenizer says which ids; where this model made a
//! stretch of that text itself, its own ids are spliced in, so that the cache is hit.
//!
//! The text is cut at control tokens, as the tokenizer itself cuts it, and the stretches between are tokenised one by
//! one. To know which control tokens are the template's and where contents lie, the conversation is rendered a second
//! time with private marks in it: around contents that have ids, and inside control words that a content spells out.

mod encoder;
mod marks;
mod memo;

pub use encoder::{EncodeError, Encoded, Encoder};
