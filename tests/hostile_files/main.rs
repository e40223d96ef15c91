//! Files that a model brings, whatever they hold: read or refused with one short message, in little memory and time, and
//! never a panic or an overflow of the stack.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod configs;
mod folders;
mod mutations;
mod room;
mod templates;
mod tokenizers;
mod weights;
