//! Measures over finished texts and figures: pure functions, the same for the same input. Knows no records, no files and no
//! models; what is worth measuring, and over which texts, is for others to say.

pub mod bootstrap;
mod corpus;
mod distinct;
mod mtld;
pub mod near;
mod openers;
pub mod parallel;
pub mod self_bleu;
pub mod semantic;

pub use corpus::{Corpus, words};
pub use distinct::distinct;
pub use mtld::mtld;
pub use openers::Openers;
