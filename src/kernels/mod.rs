//! CPU kernels: slices in, slices out. Each has a naive twin in its tests and keeps the numeric contract of its profile:
//! the bits of a row never depend on the other rows, on chunking, on threads or on the instruction set.

mod attention;
mod buffer;
mod elementwise;
mod encoder;
mod experts;
mod lanes;
mod linear;
mod ops;
mod picks;
pub(crate) mod select;
mod sets;
mod threads;

pub use attention::{
    AttentionShape, KvType, MAX_HEAD_DIM, PAGE_TOKENS, QkWeights, RopeTable, Span,
};
pub use buffer::Buffer;
pub use elementwise::{Activation, exp_in_place};
pub use encoder::{Pointwise, activate, attend_both_ways, layer_norm};
pub use experts::{Expert, Experts};
pub use linear::{BlockKind, BlocksError, Input, PackedLinear, Profile, Rows};
pub use ops::{Attention, Before, Cap, Cpu, Embedding, Join, Linear};
pub use sets::InstructionSet;
pub use threads::Threads;
