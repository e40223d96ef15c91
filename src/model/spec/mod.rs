//! One description for every decoder family, read from `config.json`.

mod family;
mod keys;
mod rope;
mod windows;

use serde_json::{Map, Value};

pub use self::family::Family;
use self::keys::Keys;
pub use self::rope::{Rope, RopeScaling};
use crate::kernels::{Activation, KvType, MAX_HEAD_DIM};

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
    pub norms: Norms,
    /// Norm weights are stored less one.
    pub norm_offset: bool,
    pub qk_norm: QkNorm,
    pub activation: Activation,
    /// Per layer; `None` where positions are left out.
    pub rope: Vec<Option<Rope>>,
    /// Biases on q, k and v; on the attention's output; on the feed-forward layers.
    pub qkv_bias: bool,
    pub output_bias: bool,
    pub mlp_bias: bool,
    /// The head is the embedding.
    pub tied: bool,
    /// Per layer: how many latest keys a query sees, itself included; `None` sees all.
    pub windows: Vec<Option<usize>>,
    /// Multiplies embeddings; what a layer adds to the stream; q·k. Logits are divided by the last.
    pub embedding_scale: f32,
    pub residual_scale: f32,
    pub attention_scale: f32,
    pub logits_divisor: f32,
    /// `cap · tanh(x / cap)` on scaled q·k and on logits.
    pub attention_cap: Option<f32>,
    pub logits_cap: Option<f32>,
    pub experts: Option<Experts>,
    /// The longest sequence the model was made for, in tokens.
    pub max_positions: usize,
}

/// Where a layer's RMS norms stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norms {
    /// Before attention and before the feed-forward part.
    Before,
    /// After each, before it is added to the stream (OLMo 2).
    After,
    /// Before and after each (Gemma).
    Around,
}

/// RMS norm of queries and keys, before they are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNorm {
    None,
    /// Head by head, one weight for all heads.
    Head,
    /// Over all heads at once.
    Whole,
}

/// A feed-forward part of which each token passes through a few experts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experts {
    pub count: usize,
    pub per_token: usize,
    pub intermediate: usize,
    /// The chosen experts' shares are scaled to a sum of one.
    pub normalised: bool,
    /// Per layer: whether it has experts; the others have the usual part.
    pub layers: Vec<bool>,
}

/// What is wrong with a configuration: which key, what it holds, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("not a JSON object: {0}")]
    Json(String),
    #[error("`{key}` is missing")]
    Missing { key: String },
    #[error("`{key}` is {found}, expected {expected}")]
    Value {
        key: String,
        found: String,
        expected: String,
    },
    #[error("architecture {found} is not supported; supported are {supported}")]
    Architecture { found: String, supported: String },
    #[error("`{key}` = {found} changes the model's arithmetic in a way that is not supported")]
    Unsupported { key: String, found: String },
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
        // A model that sees pictures as well: its language half.
        if map.get("model_type").and_then(Value::as_str) == Some("gemma3") {
            let inner = map.get("text_config").and_then(Value::as_object);
            let inner = inner.ok_or(SpecError::Missing {
                key: "text_config".into(),
            })?;
            return Self::of_family(Family::Gemma3, Keys::new(inner, "text_config."));
        }
        Self::from_table(&map)
    }

    fn from_table(map: &Map<String, Value>) -> Result<Self, SpecError> {
        let keys = Keys::new(map, "");
        Self::of_family(Family::of(&keys)?, keys)
    }

    fn of_family(family: Family, keys: Keys<'_>) -> Result<Self, SpecError> {
        keys.refuse_unknown(family.own_keys(), &[("full_attn_mod", 1.0)])?;
        let defaults = family.defaults();
        // Sizes that the language half of a larger model may leave to its class.
        let silent = |size: usize| (family == Family::Gemma3).then_some(size);
        let hidden = keys.size_or("hidden_size", silent(2304))?;
        let heads = keys.size_or("num_attention_heads", silent(8))?;
        let kv_heads = match keys.size("num_key_value_heads")? {
            Some(kv_heads) => kv_heads,
            None if keys.names("num_key_value_heads") => heads,
            None => defaults.kv_heads.unwrap_or(heads),
        };
        if heads % kv_heads != 0 {
            return Err(keys.wrong(
                "num_key_value_heads",
                kv_heads,
                &format!("a divisor of the {heads} attention heads"),
            ));
        }
        let head_dim = match keys.size("head_dim")?.or(defaults.head_dim) {
            Some(d) => d,
            None if hidden % heads == 0 => hidden / heads,
            None => {
                return Err(keys.wrong(
                    "num_attention_heads",
                    heads,
                    &format!("a divisor of hidden_size {hidden}"),
                ));
            }
        };
        if head_dim % 2 == 1 || head_dim > MAX_HEAD_DIM {
            return Err(keys.wrong(
                "head_dim",
                head_dim,
                &format!("an even number up to {MAX_HEAD_DIM}"),
            ));
        }
        let layers = keys.size_or("num_hidden_layers", silent(26))?;
        if layers > 1024 {
            return Err(keys.wrong("num_hidden_layers", layers, "at most 1024"));
        }
        let attention_bias = keys.flag("attention_bias")?;
        let (qkv_bias, output_bias) = match family {
            Family::Mistral | Family::Phi3 => (false, false),
            Family::Qwen2 => (true, false),
            _ => {
                let bias = attention_bias.unwrap_or(false);
                (bias, bias)
            }
        };
        if attention_bias.is_some_and(|bias| bias != qkv_bias) {
            return Err(keys.unsupported("attention_bias", !qkv_bias));
        }
        let mlp_bias = keys.flag("mlp_bias")?.unwrap_or(false);
        if mlp_bias && !matches!(family, Family::Llama | Family::SmolLm3 | Family::Granite) {
            return Err(keys.unsupported("mlp_bias", true));
        }
        let max_positions = keys
            .size("max_position_embeddings")?
            .unwrap_or(defaults.max_positions);
        let gemma = family.is_gemma();
        let (full, sliding) = rope::Source {
            keys,
            family,
            head_dim,
            max_positions,
        }
        .read()?;
        let rotated = windows::rotated(&keys, family, layers)?;
        let windows = windows::windows(&keys, family, &rotated)?;
        let rope = rotated
            .iter()
            .zip(&windows)
            .map(|(rotated, window)| {
                let rope = if window.is_some() { &sliding } else { &full };
                rotated.then(|| rope.clone())
            })
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^24")]
        let root = |size: usize| (size as f32).sqrt();
        let query_scalar = if gemma {
            keys.factor("query_pre_attn_scalar", 256.0)?
        } else {
            0.0
        };
        let cap = |key: &str, default: Option<f32>| match default {
            Some(default) if !keys.names(key) => Ok(Some(default)),
            _ => keys.find(key).map(|_| keys.factor(key, 0.0)).transpose(),
        };
        let (attention_cap, logits_cap) = match family {
            Family::Gemma2 => (
                cap("attn_logit_softcapping", Some(50.0))?,
                cap("final_logit_softcapping", Some(30.0))?,
            ),
            Family::Gemma3 => {
                // Its attention never reads it (transformers, modeling_gemma3.py); others might.
                if let Some(value) = keys.find("attn_logit_softcapping") {
                    return Err(keys.unsupported("attn_logit_softcapping", value));
                }
                (None, cap("final_logit_softcapping", None)?)
            }
            _ => (None, None),
        };
        let granite = |key: &str| match family {
            Family::Granite => keys.factor(key, 1.0),
            _ => Ok(1.0),
        };
        Ok(Self {
            family,
            vocab_size: keys.size_or("vocab_size", silent(262_208))?,
            hidden,
            intermediate: keys.size_or("intermediate_size", silent(9216))?,
            layers,
            heads,
            kv_heads,
            head_dim,
            norm_eps: keys.factor("rms_norm_eps", defaults.norm_eps)?,
            norms: match family {
                Family::Gemma2 | Family::Gemma3 => Norms::Around,
                Family::Olmo2 => Norms::After,
                _ => Norms::Before,
            },
            norm_offset: gemma,
            qk_norm: match family {
                Family::Qwen3 | Family::Qwen3Moe | Family::Gemma3 => QkNorm::Head,
                Family::Olmo2 => QkNorm::Whole,
                _ => QkNorm::None,
            },
            activation: activation(&keys, gemma)?,
            rope,
            qkv_bias,
            output_bias,
            mlp_bias,
            tied: keys.flag("tie_word_embeddings")?.unwrap_or(defaults.tied),
            windows,
            embedding_scale: if gemma {
                root(hidden)
            } else {
                granite("embedding_multiplier")?
            },
            residual_scale: granite("residual_multiplier")?,
            attention_scale: match family {
                Family::Granite => granite("attention_multiplier")?,
                _ if gemma => 1.0 / query_scalar.sqrt(),
                _ => 1.0 / root(head_dim),
            },
            logits_divisor: granite("logits_scaling")?,
            attention_cap,
            logits_cap,
            experts: match family {
                Family::Qwen3Moe => Some(experts(&keys, layers)?),
                _ => None,
            },
            max_positions,
        })
    }

    /// Bytes of keys and values per token.
    #[must_use]
    pub fn kv_bytes_per_token(&self, kv: KvType) -> usize {
        2 * self.layers * self.kv_heads * self.head_dim * kv.bytes()
    }

    /// Bytes of the rotary tables for so many positions: one for layers that see everything, one for those that see a window.
    #[must_use]
    pub fn rope_bytes(&self, positions: usize) -> usize {
        2 * positions * self.head_dim * size_of::<f32>()
    }

    /// Whether layer `i` has experts.
    #[must_use]
    pub fn has_experts(&self, i: usize) -> bool {
        self.experts.as_ref().is_some_and(|e| e.layers[i])
    }

    /// Numbers in all weight matrices that a token passes through (the embedding look-up left out, the head and the experts
    /// that it is given included).
    #[must_use]
    pub fn linear_parameters(&self) -> usize {
        self.parameters(|experts| experts.per_token) + self.vocab_size * self.hidden
    }

    /// Numbers in the weight matrices of all layers, `of` the experts that count.
    #[must_use]
    pub fn parameters(&self, of: impl Fn(&Experts) -> usize) -> usize {
        let attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads);
        let dense = 3 * self.hidden * self.intermediate;
        let sparse = self
            .experts
            .as_ref()
            .map_or(0, |e| self.hidden * (e.count + 3 * e.intermediate * of(e)));
        (0..self.layers)
            .map(|i| attention + if self.has_experts(i) { sparse } else { dense })
            .sum()
    }
}

fn activation(keys: &Keys<'_>, gemma: bool) -> Result<Activation, SpecError> {
    let (key, default) = if gemma {
        ("hidden_activation", "gelu_pytorch_tanh")
    } else {
        ("hidden_act", "silu")
    };
    match keys.text(key)?.unwrap_or(default) {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(Activation::GeluTanh),
        found => Err(keys.wrong(key, found, "silu or gelu_pytorch_tanh")),
    }
}

fn experts(keys: &Keys<'_>, layers: usize) -> Result<Experts, SpecError> {
    let count = match keys.size("num_experts")? {
        Some(count) => count,
        None => keys.size_or("num_local_experts", Some(128))?,
    };
    let per_token = keys.size_or("num_experts_per_tok", Some(8))?;
    if per_token > count {
        return Err(keys.wrong(
            "num_experts_per_tok",
            per_token,
            &format!("at most the {count} experts"),
        ));
    }
    let step = keys.size_or("decoder_sparse_step", Some(1))?;
    let dense: Vec<u64> = keys
        .list("mlp_only_layers")?
        .unwrap_or_default()
        .iter()
        .map(|layer| {
            layer
                .as_u64()
                .ok_or_else(|| keys.wrong("mlp_only_layers", layer, "numbers of layers"))
        })
        .collect::<Result<_, _>>()?;
    Ok(Experts {
        count,
        per_token,
        intermediate: keys.size_or("moe_intermediate_size", Some(768))?,
        normalised: keys.flag("norm_topk_prob")?.unwrap_or(false),
        layers: (0..layers)
            .map(|layer| !dense.contains(&(layer as u64)) && (layer + 1).is_multiple_of(step))
            .collect(),
    })
}

#[cfg(test)]
mod tests;
