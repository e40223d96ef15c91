use std::path::PathBuf;

use crate::hub::HubError;
use crate::model::WeightsError;
use crate::model::tokenizer::TokenizerError;

/// Why a reference is no embedder. Every message says what was found, where, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(
        "{reference} is a chat model, not an embedder\n  hint: use a folder or org/name of the sentence-transformers kind, such as all-MiniLM-L6-v2"
    )]
    Chat { reference: String },
    #[error(
        "{reference} means a GGUF file; embedders are read from safetensors\n  hint: use the folder or org/name that it was made from"
    )]
    Gguf { reference: String },
    #[error(
        "{}: model_type {found} is no text encoder that is read here; expected {expected}\n  hint: use an embedder of the sentence-transformers kind, such as all-MiniLM-L6-v2", path.display()
    )]
    Family {
        path: PathBuf,
        found: String,
        expected: String,
    },
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
