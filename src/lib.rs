//! Turns a recipe into a dataset of multi-turn conversations, with open-weight chat models loaded in the same process.

pub mod engine;
pub mod fsio;
pub mod hash;
pub mod kernels;
pub mod model;
pub mod record;
pub mod rng;
