//! `config.json` of an encoder.

use std::path::Path;

use serde_json::Value;

use super::LoadError;
use crate::brief::brief;
use crate::fsio::{self, SMALL_BYTES};
use crate::kernels::Pointwise;

/// How a family names its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Bert,
    Distilbert,
}

/// What the forward pass needs to know.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EncoderConfig {
    pub names: Names,
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    /// Rows of the table of positions.
    pub positions: usize,
    /// The row of a text's first token: RoBERTa counts from the padding's id plus one.
    pub first_position: usize,
    /// Rows of the table of token types; 0 where there is none. A text alone is of the first type.
    pub types: usize,
    pub eps: f32,
    pub activation: Pointwise,
}

/// The families that are read, by `model_type`.
const FAMILIES: [(&str, Names); 5] = [
    ("bert", Names::Bert),
    ("roberta", Names::Bert),
    ("xlm-roberta", Names::Bert),
    ("camembert", Names::Bert),
    ("distilbert", Names::Distilbert),
];

/// The object in a small JSON file.
pub(super) fn object(path: &Path) -> Result<Value, LoadError> {
    let value = json(path)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(wrong(
        path,
        format!("expected an object, found {}", brief(value)),
    ))
}

/// A small JSON file.
pub(super) fn json(path: &Path) -> Result<Value, LoadError> {
    let bytes =
        fsio::read_bytes(path, SMALL_BYTES).map_err(|error| wrong(path, error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(path, error.to_string()))
}

pub(super) fn wrong(path: &Path, reason: String) -> LoadError {
    LoadError::File {
        path: path.to_owned(),
        reason,
    }
}

impl EncoderConfig {
    /// Reads a `config.json`.
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        let config = object(path)?;
        let family = config["model_type"].as_str().unwrap_or_default();
        let Some((_, names)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
            let expected: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
            return Err(LoadError::Family {
                path: path.to_owned(),
                found: brief(&config["model_type"]),
                expected: expected.join(", "),
            });
        };
        let size = |key: &str| size(path, &config, key);
        let told = |key: &str, expected: &str| {
            let found = brief(&config[key]);
            wrong(path, format!("{key}: expected {expected}, found {found}"))
        };
        let (hidden, heads, layers, intermediate, act) = match names {
            Names::Bert => (
                "hidden_size",
                "num_attention_heads",
                "num_hidden_layers",
                "intermediate_size",
                "hidden_act",
            ),
            Names::Distilbert => ("dim", "n_heads", "n_layers", "hidden_dim", "activation"),
        };
        for key in ["is_decoder", "add_cross_attention"] {
            if config[key] == true {
                return Err(told(key, "false: an encoder sees the whole text"));
            }
        }
        match config["position_embedding_type"].as_str() {
            None | Some("absolute") => {}
            Some(_) => return Err(told("position_embedding_type", "\"absolute\"")),
        }
        let activation = match config[act].as_str() {
            None if config[act].is_null() => Pointwise::Gelu,
            Some("gelu" | "gelu_python") => Pointwise::Gelu,
            Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Pointwise::GeluTanh,
            Some("relu") => Pointwise::Relu,
            Some("silu" | "swish") => Pointwise::Silu,
            _ => return Err(told(act, "gelu, gelu_new, relu or silu")),
        };
        let eps = match &config["layer_norm_eps"] {
            Value::Null => 1e-12,
            eps => eps
                .as_f64()
                .filter(|eps| (0.0..1.0).contains(eps))
                .ok_or_else(|| told("layer_norm_eps", "a number from 0 to 1"))?,
        };
        let types = match (names, &config["type_vocab_size"]) {
            (Names::Distilbert, _) => 0,
            (Names::Bert, Value::Null) => 2,
            (Names::Bert, _) => size("type_vocab_size")?,
        };
        let first_position = match (family, &config["pad_token_id"]) {
            ("bert" | "distilbert", _) => 0,
            (_, Value::Null) => 2,
            (_, padding) => {
                padding
                    .as_u64()
                    .and_then(|id| usize::try_from(id).ok())
                    .filter(|id| *id < MOST)
                    .ok_or_else(|| told("pad_token_id", "a token's id"))?
                    + 1
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "arithmetic is f32")]
        let read = Self {
            names: *names,
            vocabulary: size("vocab_size")?,
            hidden: size(hidden)?,
            layers: size(layers)?,
            heads: size(heads)?,
            intermediate: size(intermediate)?,
            positions: size("max_position_embeddings")?,
            first_position,
            types,
            eps: eps as f32,
            activation,
        };
        if !read.hidden.is_multiple_of(read.heads) {
            return Err(told(
                heads,
                &format!("a divisor of {hidden} ({})", read.hidden),
            ));
        }
        if read.first_position >= read.positions {
            return Err(told(
                "max_position_embeddings",
                &format!("more than {}", read.first_position),
            ));
        }
        Ok(read)
    }

    /// Tokens of the longest text.
    pub(super) fn longest(&self) -> usize {
        self.positions - self.first_position
    }
}

/// What no size of an encoder reaches.
const MOST: usize = 1 << 22;

/// A positive size.
pub(super) fn size(path: &Path, object: &Value, key: &str) -> Result<usize, LoadError> {
    let found = &object[key];
    found
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| (1..MOST).contains(n))
        .ok_or_else(|| {
            let found = brief(found);
            wrong(
                path,
                format!(
                    "{key}: expected a whole number from 1 to {}, found {found}",
                    MOST - 1
                ),
            )
        })
}
