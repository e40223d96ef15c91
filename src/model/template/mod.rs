//! Chat templates as models publish them: Jinja source, read the way the reference implementation (transformers) reads it.
//!
//! The template is law: what a model sees is what its own template renders. Before that, a view is adapted to what the
//! template accepts, which is found out by rendering probes when it is loaded.

mod chat_template;
mod json;
mod python;
mod shape;
mod strftime;

pub use chat_template::{ChatTemplate, TemplateError};
pub use shape::{OPENER, TemplateShape};
pub use strftime::Day;
