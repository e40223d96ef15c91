//! Measures over finished texts and figures: pure functions, the same for the same input. Knows no records, no files and no
//! models; what is worth measuring, and over which texts, is for others to say.

pub mod bootstrap;
mod budget;
mod compression;
mod corpus;
mod cosines;
mod distinct;
mod eigen;
mod hdd;
mod mattr;
mod minhash;
mod mtld;
pub mod near;
mod openers;
pub mod parallel;
pub mod self_bleu;
mod self_repetition;
pub mod semantic;
mod shares;
mod tfidf;
#[cfg(test)]
mod value_tests;

pub use budget::budget;
pub use compression::compression;
pub use corpus::{Corpus, words};
pub use cosines::Cosines;
pub use distinct::distinct;
pub use eigen::eigenvalues;
pub use hdd::hdd;
pub use mattr::mattr;
pub use minhash::{near_rate, resembling};
pub use mtld::mtld;
pub use openers::Openers;
pub use self_repetition::self_repetition;
pub use shares::{evenness, gini};
pub use tfidf::{Sparse, tfidf};
