//! GGUF files: a model in one file (or several parts), presented as the files of a Hugging Face folder are: its metadata
//! becomes a `config.json`, its vocabulary a `tokenizer.json`, and its tensors have the names of the original.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod arch;
mod config;
mod container;
mod file;
mod names;
mod reader;
mod split;
mod tokens;
mod types;
mod value;
mod vocabulary;

use std::path::PathBuf;

use arch::Arch;
use config::config;
use tokens::tokenizer_files;

pub use container::TensorInfo;
pub use file::Gguf;
pub(in crate::model) use names::{Layout, original_order};
pub(in crate::model) use tokens::TokenizerFiles;
pub use types::TensorType;
pub use value::{Array, Value};

/// A GGUF model as its original's files describe it.
pub(in crate::model) struct GgufModel {
    /// `config.json`.
    pub(in crate::model) config: serde_json::Value,
    pub(in crate::model) text: TokenizerFiles,
    pub(in crate::model) layout: Layout,
}

/// Reads everything but the tensors.
///
/// # Errors
/// Names the key that is missing, malformed or not supported.
pub(in crate::model) fn model(gguf: &Gguf) -> Result<GgufModel, GgufError> {
    let arch = Arch::of(gguf)?;
    let config = config(gguf, arch)?;
    let heads = |key: &str| {
        let heads = config[key].as_u64().and_then(|n| usize::try_from(n).ok());
        heads.filter(|n| *n > 0).ok_or_else(|| {
            let what = "is no number of heads";
            gguf.wrong("attention.head_count", what)
        })
    };
    let layout = Layout {
        arch,
        heads: heads("num_attention_heads")?,
        kv_heads: heads("num_key_value_heads")?,
    };
    Ok(GgufModel {
        text: tokenizer_files(gguf, arch)?,
        config,
        layout,
    })
}

/// What is wrong with a GGUF file.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The bytes are no GGUF.
    #[error("{}: not a whole GGUF file: at byte {at}: {what}", path.display())]
    Broken {
        path: PathBuf,
        at: usize,
        what: String,
    },
    /// A key is missing or holds what it must not.
    #[error("{}: `{key}` {what}", path.display())]
    Key {
        path: PathBuf,
        key: String,
        what: String,
    },
    /// The parts of a split model do not belong together.
    #[error("{}: {what}", path.display())]
    Parts { path: PathBuf, what: String },
    /// The model is of a kind that is not supported.
    #[error("{}: {what}", path.display())]
    Unsupported { path: PathBuf, what: String },
}

#[cfg(test)]
mod tests;
