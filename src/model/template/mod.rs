//! Chat templates as models publish them: Jinja source, read the way the reference implementation (transformers) reads it.
//!
//! The template is law: what a model sees is what its own template renders. Before that, a view is adapted to what the
//! template accepts, which is found out by rendering probes when it is loaded.

mod budget;
mod chat_template;
mod files;
mod filters;
#[cfg(test)]
mod hostile_tests;
mod json;
mod lexer;
mod methods;
mod operators;
mod printing;
mod probe;
#[cfg(test)]
mod probe_tests;
mod python;
mod shape;
mod source;
mod strftime;
mod tag;
#[cfg(test)]
mod tests;
mod thought;
mod words;

pub use chat_template::{ChatTemplate, TemplateError};
pub use probe::MARKS as THINK_MARKS;
pub use shape::{OPENER, SystemRole, TemplateShape, ThinkingShape};
pub use strftime::Day;
pub use thought::Thought;
