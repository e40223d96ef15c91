//! Model files → one description, packed weights, tokenizer, chat template.

mod decoder;
mod spec;
mod weights;

pub use decoder::{Decoder, KvPool, StepRows};
pub use spec::{Family, ModelSpec, Rope, RopeScaling, SpecError};
pub use weights::{Weights, WeightsError};
