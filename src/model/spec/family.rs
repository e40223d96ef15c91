//! What the families' configuration classes say where a file is silent.

use super::SpecError;
use super::keys::Keys;

/// The families that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Llama,
    SmolLm3,
    Mistral,
    Qwen2,
    Qwen3,
    Qwen3Moe,
    Phi3,
    Gemma2,
    Gemma3,
    Olmo2,
    Granite,
}

/// A family by the names that files give it.
struct Named {
    family: Family,
    architecture: &'static str,
    /// `model_type`.
    kind: &'static str,
}

const fn named(family: Family, architecture: &'static str, kind: &'static str) -> Named {
    Named {
        family,
        architecture,
        kind,
    }
}

const FAMILIES: [Named; 11] = [
    named(Family::Llama, "LlamaForCausalLM", "llama"),
    named(Family::SmolLm3, "SmolLM3ForCausalLM", "smollm3"),
    named(Family::Mistral, "MistralForCausalLM", "mistral"),
    named(Family::Qwen2, "Qwen2ForCausalLM", "qwen2"),
    named(Family::Qwen3, "Qwen3ForCausalLM", "qwen3"),
    named(Family::Qwen3Moe, "Qwen3MoeForCausalLM", "qwen3_moe"),
    named(Family::Phi3, "Phi3ForCausalLM", "phi3"),
    named(Family::Gemma2, "Gemma2ForCausalLM", "gemma2"),
    named(Family::Gemma3, "Gemma3ForCausalLM", "gemma3_text"),
    named(Family::Olmo2, "Olmo2ForCausalLM", "olmo2"),
    named(Family::Granite, "GraniteForCausalLM", "granite"),
];

/// What holds where a key is absent (transformers 5, `configuration_*.py`).
pub(super) struct Defaults {
    /// Where the whole key is absent; `None` stands for as many as heads, as null does.
    pub kv_heads: Option<usize>,
    /// `None` stands for `hidden / heads`.
    pub head_dim: Option<usize>,
    pub max_positions: usize,
    pub norm_eps: f32,
    pub theta: f64,
    pub tied: bool,
}

impl Family {
    /// The family that a configuration names.
    pub(super) fn of(keys: &Keys<'_>) -> Result<Self, SpecError> {
        let architecture = keys
            .list("architectures")?
            .and_then(|list| list.first()?.as_str());
        let kind = keys.text("model_type")?;
        FAMILIES
            .iter()
            .find(|named| match architecture {
                Some(architecture) => architecture == named.architecture,
                None => kind == Some(named.kind),
            })
            .map(|named| named.family)
            .ok_or_else(|| SpecError::Architecture {
                found: architecture
                    .or(kind)
                    .unwrap_or("(none is named)")
                    .to_owned(),
                supported: supported(),
            })
    }

    pub(super) fn defaults(self) -> Defaults {
        let plain = Defaults {
            kv_heads: None,
            head_dim: None,
            max_positions: 2048,
            norm_eps: 1e-6,
            theta: 10_000.0,
            tied: false,
        };
        match self {
            Self::Llama | Self::Granite => plain,
            Self::SmolLm3 => Defaults {
                kv_heads: Some(4),
                max_positions: 32_768,
                theta: 2_000_000.0,
                tied: true,
                ..plain
            },
            Self::Mistral => Defaults {
                kv_heads: Some(8),
                max_positions: 131_072,
                ..plain
            },
            Self::Qwen2 => Defaults {
                kv_heads: Some(32),
                max_positions: 32_768,
                ..plain
            },
            Self::Qwen3 => Defaults {
                kv_heads: Some(32),
                head_dim: Some(128),
                max_positions: 32_768,
                ..plain
            },
            Self::Qwen3Moe => Defaults {
                kv_heads: Some(4),
                max_positions: 32_768,
                ..plain
            },
            Self::Phi3 => Defaults {
                max_positions: 4096,
                norm_eps: 1e-5,
                ..plain
            },
            Self::Gemma2 => Defaults {
                kv_heads: Some(4),
                head_dim: Some(256),
                max_positions: 8192,
                tied: true,
                ..plain
            },
            Self::Gemma3 => Defaults {
                kv_heads: Some(4),
                head_dim: Some(256),
                max_positions: 131_072,
                theta: 1_000_000.0,
                tied: true,
                ..plain
            },
            Self::Olmo2 => Defaults {
                norm_eps: 1e-5,
                ..plain
            },
        }
    }

    /// Keys that this family reads beyond those of all.
    pub(super) fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::SmolLm3 => &["no_rope_layers", "no_rope_layer_interval"],
            Self::Qwen3Moe => &[
                "decoder_sparse_step",
                "mlp_only_layers",
                "moe_intermediate_size",
                "norm_topk_prob",
                "num_experts",
                "num_experts_per_tok",
                "num_local_experts",
            ],
            Self::Phi3 => &["partial_rotary_factor"],
            Self::Gemma2 => &[
                "attn_logit_softcapping",
                "final_logit_softcapping",
                "hidden_activation",
                "query_pre_attn_scalar",
            ],
            Self::Gemma3 => &[
                "_sliding_window_pattern",
                "attn_logit_softcapping",
                "final_logit_softcapping",
                "hidden_activation",
                "query_pre_attn_scalar",
                "rope_local_base_freq",
                "sliding_window_pattern",
            ],
            Self::Granite => &[
                "attention_multiplier",
                "embedding_multiplier",
                "logits_scaling",
                "residual_multiplier",
            ],
            Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 | Self::Olmo2 => &[],
        }
    }

    /// Gemma keeps norm weights less one, scales embeddings and normalises before and after.
    pub(super) fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }
}

/// The architectures, for a message.
fn supported() -> String {
    let names: Vec<&str> = FAMILIES.iter().map(|named| named.architecture).collect();
    names.join(", ")
}
