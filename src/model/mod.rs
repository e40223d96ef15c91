//! Model files → one description, packed weights, tokenizer, chat template.

mod decoder;
mod encode;
pub mod gguf;
mod kv_pool;
mod manifest;
mod parts;
mod shape;
mod spec;
pub mod template;
pub mod tokenizer;
mod view;
mod weights;

pub use decoder::{Decoder, StepBytes, StepRows};
pub use encode::{EncodeError, Encoded, Encoder};
pub use kv_pool::KvPool;
pub use manifest::{
    Manifest, ManifestSampling, SystemRole, TemplateFacts, Thinking, shipped, shipped_for,
};
pub use parts::{ModelError, ModelParts, manifest_of};
pub use shape::Shape;
pub use spec::{Experts, Family, ModelSpec, Norms, QkNorm, Rope, RopeScaling, SpecError};
pub use view::{ChatRole, Message, TokenId, View};
pub use weights::{Weights, WeightsError};
