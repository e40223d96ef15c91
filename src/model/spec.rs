//! One description for every decoder family, read from `config.json`.

use std::fmt;

use serde_json::{Map, Value};

use crate::kernels::{Activation, KvType, MAX_HEAD_DIM};

/// The families that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Llama,
    Mistral,
    Qwen2,
}

/// Everything about a decoder that changes its arithmetic.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the configuration's own flags"
)]
pub struct ModelSpec {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub norm_eps: f32,
    pub activation: Activation,
    pub rope: Rope,
    /// Biases on q, k and v; on the attention's output; on the feed-forward layers.
    pub qkv_bias: bool,
    pub output_bias: bool,
    pub mlp_bias: bool,
    /// The head is the embedding.
    pub tied: bool,
    /// Per layer: how many latest keys a query sees, itself included; `None` sees all.
    pub windows: Vec<Option<usize>>,
    /// The longest sequence the model was made for, in tokens.
    pub max_positions: usize,
}

/// Rotary position embedding (Su et al. 2021) and its scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    pub theta: f64,
    pub scaling: RopeScaling,
}

/// How frequencies are stretched for long contexts; all fixed at load.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    None,
    /// Positions divided by `factor`.
    Linear {
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
}

/// What is wrong with a configuration: which key, what it holds, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("not a JSON object: {0}")]
    Json(String),
    #[error("`{key}` is missing")]
    Missing { key: &'static str },
    #[error("`{key}` is {found}, expected {expected}")]
    Value {
        key: String,
        found: String,
        expected: String,
    },
    #[error(
        "architecture {found} is not supported; supported are LlamaForCausalLM, MistralForCausalLM and Qwen2ForCausalLM"
    )]
    Architecture { found: String },
    #[error("`{key}` = {found} changes the model's arithmetic in a way that is not supported")]
    Unsupported { key: String, found: String },
}

/// Keys that say nothing about the forward pass of a supported family.
const HARMLESS: &[&str] = &[
    "architectures",
    "model_type",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "use_cache",
    "initializer_range",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "unk_token_id",
    "sep_token_id",
    "_name_or_path",
    "attention_dropout",
    "hidden_dropout",
    "attn_pdrop",
    "resid_pdrop",
    "embd_pdrop",
    "pretraining_tp",
    "max_window_layers",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "rope_interleaved",
    "sliding_window",
    "use_sliding_window",
    "layer_types",
    "is_llama_config",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "attn_implementation",
    "_attn_implementation",
    "auto_map",
    "name_or_path",
    "task_specific_params",
    "transformers.js_config",
    "max_length",
    "chunk_size_feed_forward",
    "attention_bias",
    "mlp_bias",
    "hidden_act",
    "rms_norm_eps",
    "tie_word_embeddings",
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
    "attn",
    "attention",
    "expert",
    "quant",
    "alibi",
    "activation",
    "act_fn",
    "residual",
    "parallel",
    "shared",
    "layer",
];

/// Reads typed values out of a JSON object.
struct Keys<'a>(&'a Map<String, Value>);

impl Keys<'_> {
    fn find(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn wrong(key: &str, found: impl fmt::Display, expected: &str) -> SpecError {
        SpecError::Value {
            key: key.to_owned(),
            found: found.to_string(),
            expected: expected.to_owned(),
        }
    }

    fn size(&self, key: &'static str) -> Result<usize, SpecError> {
        self.optional_size(key)?.ok_or(SpecError::Missing { key })
    }

    fn optional_size(&self, key: &'static str) -> Result<Option<usize>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if (1..=1 << 24).contains(&n) => Ok(Some(n)),
            _ => Err(Self::wrong(key, value, "a whole number from 1 to 16777216")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(n) if n.is_finite() && n > 0.0 => Ok(Some(n)),
            _ => Err(Self::wrong(key, value, "a positive number")),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, SpecError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| Self::wrong(key, value, "true or false"))
    }
}

impl ModelSpec {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// Names the key that is missing, malformed or not supported.
    pub fn from_config(text: &str) -> Result<Self, SpecError> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| SpecError::Json(e.to_string()))?;
        let Value::Object(map) = value else {
            return Err(SpecError::Json("it holds something else".to_owned()));
        };
        let keys = Keys(&map);
        let family = family(&keys)?;
        let mut read = vec![
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
        ];
        read.extend(["num_key_value_heads", "head_dim", "max_position_embeddings"]);
        refuse_unknown(&map, &read)?;

        let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        // Where the key is absent, the reference's configuration class decides.
        let kv_default = if family == Family::Mistral { 8 } else { heads };
        let kv_heads = keys
            .optional_size("num_key_value_heads")?
            .unwrap_or(kv_default);
        if heads % kv_heads != 0 {
            return Err(Keys::wrong(
                "num_key_value_heads",
                kv_heads,
                &format!("a divisor of the {heads} attention heads"),
            ));
        }
        let head_dim = match keys.optional_size("head_dim")? {
            Some(d) => d,
            None if hidden % heads == 0 => hidden / heads,
            None => {
                return Err(Keys::wrong(
                    "num_attention_heads",
                    heads,
                    &format!("a divisor of hidden_size {hidden}"),
                ));
            }
        };
        if head_dim % 2 == 1 || head_dim > MAX_HEAD_DIM {
            return Err(Keys::wrong(
                "head_dim",
                head_dim,
                &format!("an even number up to {MAX_HEAD_DIM}"),
            ));
        }
        let layers = keys.size("num_hidden_layers")?;
        if layers > 1024 {
            return Err(Keys::wrong("num_hidden_layers", layers, "at most 1024"));
        }
        let attention_bias = keys.flag("attention_bias")?;
        let (qkv_bias, output_bias) = match family {
            Family::Llama => (
                attention_bias.unwrap_or(false),
                attention_bias.unwrap_or(false),
            ),
            Family::Mistral => (false, false),
            Family::Qwen2 => (true, false),
        };
        if family != Family::Llama && attention_bias.is_some_and(|bias| bias != qkv_bias) {
            return Err(SpecError::Unsupported {
                key: "attention_bias".into(),
                found: (!qkv_bias).to_string(),
            });
        }
        let max_positions =
            keys.optional_size("max_position_embeddings")?
                .unwrap_or(match family {
                    Family::Llama => 2048,
                    Family::Mistral => 131_072,
                    Family::Qwen2 => 32_768,
                });
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the model's own type is f32"
        )]
        let norm_eps = keys.number("rms_norm_eps")?.unwrap_or(1e-6) as f32;
        Ok(Self {
            family,
            vocab_size: keys.size("vocab_size")?,
            hidden,
            intermediate: keys.size("intermediate_size")?,
            layers,
            heads,
            kv_heads,
            head_dim,
            norm_eps,
            activation: activation(&keys)?,
            rope: rope(&keys, max_positions)?,
            qkv_bias,
            output_bias,
            mlp_bias: keys.flag("mlp_bias")?.unwrap_or(false),
            tied: keys.flag("tie_word_embeddings")?.unwrap_or(false),
            windows: windows(&keys, family, layers)?,
            max_positions,
        })
    }

    /// Bytes of keys and values per token.
    #[must_use]
    pub fn kv_bytes_per_token(&self, kv: KvType) -> usize {
        2 * self.layers * self.kv_heads * self.head_dim * kv.bytes()
    }

    /// Numbers in all weight matrices that a token passes through (the embedding look-up left out, the head included).
    #[must_use]
    pub fn linear_parameters(&self) -> usize {
        let attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads);
        self.layers * (attention + 3 * self.hidden * self.intermediate)
            + self.vocab_size * self.hidden
    }
}

impl Rope {
    /// Inverse frequencies of half the head's dimensions, in the reference's own precision.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the reference computes these in f32"
    )]
    pub fn inverse_frequencies(&self, head_dim: usize) -> Vec<f32> {
        (0..head_dim / 2)
            .map(|i| {
                let exponent = (2 * i) as f32 / head_dim as f32;
                let f = 1.0 / (self.theta as f32).powf(exponent);
                match self.scaling {
                    RopeScaling::None => f,
                    RopeScaling::Linear { factor } => f / factor as f32,
                    RopeScaling::Llama3 {
                        factor,
                        low,
                        high,
                        original,
                    } => {
                        let wavelength = 2.0 * std::f64::consts::PI / f64::from(f);
                        if wavelength < original / high {
                            f
                        } else if wavelength > original / low {
                            (f64::from(f) / factor) as f32
                        } else {
                            let smooth = (original / wavelength - low) / (high - low);
                            ((1.0 - smooth) * f64::from(f) / factor + smooth * f64::from(f)) as f32
                        }
                    }
                }
            })
            .collect()
    }
}

fn family(keys: &Keys<'_>) -> Result<Family, SpecError> {
    let architecture = keys
        .find("architectures")
        .and_then(|a| a.get(0))
        .and_then(Value::as_str);
    let kind = keys.find("model_type").and_then(Value::as_str);
    match (architecture, kind) {
        (Some("LlamaForCausalLM"), _) | (None, Some("llama")) => Ok(Family::Llama),
        (Some("MistralForCausalLM"), _) | (None, Some("mistral")) => Ok(Family::Mistral),
        (Some("Qwen2ForCausalLM"), _) | (None, Some("qwen2")) => Ok(Family::Qwen2),
        (found, kind) => Err(SpecError::Architecture {
            found: found.or(kind).unwrap_or("(none is named)").to_owned(),
        }),
    }
}

fn refuse_unknown(map: &Map<String, Value>, read: &[&str]) -> Result<(), SpecError> {
    for (key, value) in map {
        let known = HARMLESS.contains(&key.as_str()) || read.contains(&key.as_str());
        let says_nothing = value.is_null()
            || value == &Value::Bool(false)
            || value.as_object().is_some_and(Map::is_empty);
        if !known && !says_nothing && SUSPICIOUS.iter().any(|part| key.contains(part)) {
            return Err(SpecError::Unsupported {
                key: key.clone(),
                found: value.to_string(),
            });
        }
    }
    if let Some(true) = map.get("rope_interleaved").and_then(Value::as_bool) {
        return Err(SpecError::Unsupported {
            key: "rope_interleaved".into(),
            found: "true".into(),
        });
    }
    Ok(())
}

fn activation(keys: &Keys<'_>) -> Result<Activation, SpecError> {
    match keys.find("hidden_act").map_or(Some("silu"), Value::as_str) {
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu_pytorch_tanh" | "gelu_new") => Ok(Activation::GeluTanh),
        found => Err(Keys::wrong(
            "hidden_act",
            found.unwrap_or("not a text"),
            "silu or gelu_pytorch_tanh",
        )),
    }
}

/// Both spellings in circulation: `rope_theta` + `rope_scaling`, and `rope_parameters`.
fn rope(keys: &Keys<'_>, max_positions: usize) -> Result<Rope, SpecError> {
    let empty = Map::new();
    let (name, table) = ["rope_parameters", "rope_scaling"]
        .into_iter()
        .find_map(|name| keys.find(name).map(|value| (name, value)))
        .map_or(Ok(("rope_scaling", &empty)), |(name, value)| {
            value
                .as_object()
                .map(|map| (name, map))
                .ok_or_else(|| Keys::wrong(name, value, "an object or null"))
        })?;
    let inner = Keys(table);
    let theta = inner
        .number("rope_theta")?
        .or(keys.number("rope_theta")?)
        .unwrap_or(10_000.0);
    if let Some(partial) = inner
        .number("partial_rotary_factor")?
        .filter(|p| (p - 1.0).abs() > f64::EPSILON)
    {
        return Err(SpecError::Unsupported {
            key: format!("{name}.partial_rotary_factor"),
            found: partial.to_string(),
        });
    }
    let need = |key: &'static str| {
        inner
            .number(key)?
            .ok_or_else(|| Keys::wrong(&format!("{name}.{key}"), "missing", "a positive number"))
    };
    let kind = inner.find("rope_type").or_else(|| inner.find("type"));
    let scaling = match kind.map_or(Some("default"), Value::as_str) {
        Some("default") => RopeScaling::None,
        Some("linear") => RopeScaling::Linear {
            factor: need("factor")?,
        },
        Some("llama3") => {
            #[expect(clippy::cast_precision_loss, reason = "a context length")]
            let original = inner
                .number("original_max_position_embeddings")?
                .unwrap_or(max_positions as f64);
            let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
            if low >= high {
                return Err(Keys::wrong(
                    &format!("{name}.high_freq_factor"),
                    high,
                    &format!("more than {low}"),
                ));
            }
            RopeScaling::Llama3 {
                factor: need("factor")?,
                low,
                high,
                original,
            }
        }
        found => {
            let found = found.unwrap_or("not a text").to_owned();
            return Err(SpecError::Unsupported {
                key: format!("{name}.rope_type"),
                found,
            });
        }
    };
    Ok(Rope { theta, scaling })
}

fn windows(
    keys: &Keys<'_>,
    family: Family,
    layers: usize,
) -> Result<Vec<Option<usize>>, SpecError> {
    let window = match (family, keys.0.contains_key("sliding_window")) {
        // The reference's own default where the key is absent; null says that there is none.
        (Family::Mistral, false) => Some(4096),
        _ => keys.optional_size("sliding_window")?,
    };
    let used = match family {
        Family::Llama => None,
        Family::Mistral => window,
        Family::Qwen2 => window.filter(|_| {
            keys.flag("use_sliding_window")
                .ok()
                .flatten()
                .unwrap_or(false)
        }),
    };
    if let Some(types) = keys.find("layer_types") {
        let types = types.as_array().filter(|types| types.len() == layers);
        let types = types.ok_or_else(|| {
            Keys::wrong(
                "layer_types",
                "something else",
                &format!("a list of {layers}"),
            )
        })?;
        return types
            .iter()
            .map(|kind| match kind.as_str() {
                Some("full_attention") => Ok(None),
                Some("sliding_attention") if used.is_some() => Ok(used),
                _ => Err(SpecError::Unsupported {
                    key: "layer_types".into(),
                    found: kind.to_string(),
                }),
            })
            .collect();
    }
    let first = match family {
        Family::Qwen2 => keys.optional_size("max_window_layers")?.unwrap_or(layers),
        _ => 0,
    };
    Ok((0..layers)
        .map(|layer| used.filter(|_| layer >= first))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"architectures":["LlamaForCausalLM"],"vocab_size":64,"hidden_size":32,"intermediate_size":48,
        "num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":128}"#;

    fn with(extra: &str) -> Result<ModelSpec, SpecError> {
        ModelSpec::from_config(&format!("{}, {extra}}}", PLAIN.trim_end_matches('}')))
    }

    #[test]
    fn defaults_follow_the_reference() {
        let spec = ModelSpec::from_config(PLAIN).unwrap();
        assert_eq!(
            (spec.kv_heads, spec.head_dim, spec.norm_eps, spec.rope.theta),
            (4, 8, 1e-6, 10_000.0)
        );
        assert!(!spec.tied && !spec.qkv_bias && spec.windows == [None, None]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let told = |extra: &str| with(extra).unwrap_err().to_string();
        assert!(
            told(r#""rope_scaling":{"rope_type":"yarn","factor":2}"#)
                .contains("`rope_scaling.rope_type` = yarn")
        );
        assert!(told(r#""final_logit_softcapping":30.0"#).contains("final_logit_softcapping"));
        assert!(told(r#""num_local_experts":8"#).contains("num_local_experts"));
        assert!(told(r#""quantization_config":{"bits":4}"#).contains("quantization_config"));
        assert!(told(r#""num_key_value_heads":3"#).contains("a divisor of the 4 attention heads"));
        assert!(told(r#""head_dim":7"#).contains("even"));
        assert!(told(r#""hidden_act":"relu2""#).contains("hidden_act"));
        assert!(told(r#""rms_norm_eps":-1"#).contains("positive"));
        assert!(ModelSpec::from_config("[]").is_err() && ModelSpec::from_config("{").is_err());
        let other = PLAIN.replace("LlamaForCausalLM", "T5Model");
        assert!(
            ModelSpec::from_config(&other)
                .unwrap_err()
                .to_string()
                .contains("T5Model")
        );
        let huge = PLAIN.replace("\"vocab_size\":64", "\"vocab_size\":99999999999");
        assert!(ModelSpec::from_config(&huge).is_err());
        assert!(
            ModelSpec::from_config(&PLAIN.replace("\"vocab_size\":64,", ""))
                .unwrap_err()
                .to_string()
                .contains("vocab_size")
        );
    }

    #[test]
    fn harmless_keys_pass() {
        assert!(with(r#""torch_dtype":"bfloat16","some_vendor_note":"x","quantization_config":null,"rope_interleaved":false"#).is_ok());
    }
}
