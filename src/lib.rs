//! Turns a recipe into a dataset of multi-turn conversations, with open-weight chat models loaded in the same process.

pub mod augment;
pub mod bench;
pub mod brief;
pub mod cli;
pub mod dialogue;
pub mod engine;
pub mod export;
pub mod fsio;
pub mod guards;
pub mod hash;
pub mod hub;
pub mod json;
pub mod kernels;
pub mod knowledge;
pub mod metrics;
pub mod model;
pub mod persona;
pub mod pipeline;
pub mod progress;
pub mod prompt;
pub mod quality;
pub mod record;
pub mod report;
pub mod rng;
pub mod run;
pub mod settings;
