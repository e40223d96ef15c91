//! Typed values out of a configuration's JSON, and which keys may be left unread.

use std::fmt;

use serde_json::{Map, Value};

use super::SpecError;

/// Keys that say nothing about the forward pass of any supported family, or are read wherever they matter.
const HARMLESS: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attention_bias",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_implementation",
    "attn_pdrop",
    "auto_map",
    "chunk_size_feed_forward",
    "embd_pdrop",
    "head_dim",
    "hidden_act",
    "hidden_dropout",
    "is_llama_config",
    "layer_types",
    "max_window_layers",
    "mlp_bias",
    "num_attention_heads",
    "num_hidden_layers",
    "output_attentions",
    "resid_pdrop",
    "rms_norm_eps",
    "rope_interleaved",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "use_sliding_window",
];
/// Parts of names that hint at arithmetic; an unknown key with one of them is an error rather than ignored.
const SUSPICIOUS: &[&str] = &[
    "scal",
    "softcap",
    "multiplier",
    "norm",
    "rope",
    "rotary",
    "window",
    "bias",
    "bidirectional",
    "attn",
    "attention",
    "expert",
    "moe",
    "quant",
    "alibi",
    "activation",
    "act_fn",
    "residual",
    "parallel",
    "shared",
    "layer",
    "clip",
];

/// A configuration's object.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    map: &'a Map<String, Value>,
    /// Before every key in messages: the name of the table and a dot, where it is not the file's own.
    prefix: &'a str,
}

impl<'a> Keys<'a> {
    pub fn new(map: &'a Map<String, Value>, prefix: &'a str) -> Self {
        Self { map, prefix }
    }

    /// A key as messages name it.
    pub fn named(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The value, unless it is absent or null.
    pub fn find(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there, null or not.
    pub fn names(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub fn wrong(&self, key: &str, found: impl fmt::Display, expected: &str) -> SpecError {
        SpecError::Value {
            key: self.named(key),
            found: shortened(&found),
            expected: expected.to_owned(),
        }
    }

    pub fn unsupported(&self, key: &str, found: impl fmt::Display) -> SpecError {
        SpecError::Unsupported {
            key: self.named(key),
            found: shortened(&found),
        }
    }

    pub fn missing(&self, key: &str) -> SpecError {
        SpecError::Missing {
            key: self.named(key),
        }
    }

    pub fn size(&self, key: &str) -> Result<Option<usize>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if (1..=1 << 24).contains(&n) => Ok(Some(n)),
            _ => Err(self.wrong(key, value, "a whole number from 1 to 16777216")),
        }
    }

    /// A size, `default` where the key is absent or null; without a default it must be there.
    pub fn size_or(&self, key: &str, default: Option<usize>) -> Result<usize, SpecError> {
        self.size(key)?.or(default).ok_or_else(|| self.missing(key))
    }

    /// A positive number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(n) if n.is_finite() && n > 0.0 => Ok(Some(n)),
            _ => Err(self.wrong(key, value, "a positive number")),
        }
    }

    /// A positive number within f32.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the model's own type is f32"
    )]
    pub fn factor(&self, key: &str, default: f32) -> Result<f32, SpecError> {
        let Some(n) = self.number(key)? else {
            return Ok(default);
        };
        let n = n as f32;
        if n.is_finite() && n > 0.0 {
            Ok(n)
        } else {
            Err(self.wrong(key, n, "a positive number that f32 can hold"))
        }
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    pub fn text(&self, key: &str) -> Result<Option<&'a str>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        value
            .as_str()
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, "a text"))
    }

    pub fn list(&self, key: &str) -> Result<Option<&'a [Value]>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        value
            .as_array()
            .map(|list| Some(list.as_slice()))
            .ok_or_else(|| self.wrong(key, value, "a list"))
    }

    /// Refuses keys that look like arithmetic, were not `read`, and do not say that they are off. `neutral` are keys whose one
    /// value changes nothing.
    pub fn refuse_unknown(&self, read: &[&str], neutral: &[(&str, f64)]) -> Result<(), SpecError> {
        for (key, value) in self.map {
            let name = key.as_str();
            let known = HARMLESS.contains(&name) || read.contains(&name);
            let off = value.is_null()
                || value == &Value::Bool(false)
                || value.as_object().is_some_and(Map::is_empty)
                || neutral
                    .iter()
                    .any(|(key, one)| *key == name && value.as_f64() == Some(*one));
            if !known && !off && SUSPICIOUS.iter().any(|part| key.contains(part)) {
                return Err(self.unsupported(key, value));
            }
        }
        if self.map.get("rope_interleaved") == Some(&Value::Bool(true)) {
            return Err(self.unsupported("rope_interleaved", true));
        }
        Ok(())
    }
}

/// A value for a message.
fn shortened(value: &impl fmt::Display) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
