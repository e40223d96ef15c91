//! Text to token ids and back, as `tokenizer.json` says, with what the library does not offer: text in which control
//! tokens are plain words, pieces that continue a text, the bytes of each token, and text that appears token by token.

mod bytes;
mod charsmap;
mod detokenizer;
#[cfg(test)]
pub(crate) mod fixtures;
mod growth;
mod published;
#[cfg(test)]
mod sentencepiece_tests;
mod soundness;
mod trie;
mod variant;

pub use detokenizer::Detokenizer;
pub use published::{Tokenizer, TokenizerError};
pub(crate) use variant::Prefix;
