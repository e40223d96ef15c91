//! Sentence embeddings on the CPU: encoders of the BERT family, read as sentence-transformers publishes them.
//!
//! The forward pass is written here, on the kernels of the chat models, because candle-transformers would cost more than a
//! minute of every build for one model of a few lines, and would pad. Here texts lie one after the other without padding,
//! linear layers keep the kernels' contract (a row's bits depend on no other row), and attention runs over a text's own rows:
//! a text's vector is the same to the last bit whatever is embedded beside it, on any number of threads.

mod config;
mod embedder;
mod encoder;
mod error;
mod modules;
mod tokens;

pub use embedder::Embedder;
pub use error::LoadError;
