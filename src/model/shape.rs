//! A model's size from its shape alone, without its files.

use serde::{Deserialize, Serialize};

use crate::kernels::{KvType, Profile};

/// The numbers of a decoder that its size follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// `model_type` in `config.json`.
    pub family: String,
    /// As published; [`Shape::computed_parameters`] must agree.
    pub parameters: u64,
    /// The longest sequence it was made for, in tokens; none where that is not certain.
    pub positions: Option<u64>,
    pub layers: u64,
    pub hidden: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub head_dim: u64,
    /// Of each expert, where there are several.
    pub intermediate: u64,
    pub vocabulary: u64,
    /// The head is the embedding.
    pub tied: bool,
    /// Biases on queries, keys and values.
    #[serde(default)]
    pub qkv_bias: bool,
    #[serde(default)]
    pub qk_norm: HeadNorms,
    /// Norms after attention and feed-forward as well as before.
    #[serde(default)]
    pub sandwich_norms: bool,
    #[serde(default)]
    pub experts: Option<u64>,
    #[serde(default)]
    pub experts_per_token: Option<u64>,
}

/// Norms on queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadNorms {
    #[default]
    None,
    /// One for all heads.
    Head,
    /// Over all heads at once.
    All,
}

/// No shape has more of anything: products of a few stay within 128 bits, and sizes are kept within 64.
const MOST: u64 = 1 << 24;

impl Shape {
    /// What makes no sense, if anything does.
    #[must_use]
    pub fn wrong(&self) -> Option<String> {
        let sizes = [
            ("layers", self.layers),
            ("hidden", self.hidden),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("intermediate", self.intermediate),
            ("vocabulary", self.vocabulary),
            ("experts", self.experts.unwrap_or(1)),
        ];
        if let Some((key, size)) = sizes.iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Some(format!("`{key}` is {size}; expected 1 to {MOST}"));
        }
        let wide = u64::try_from(self.wide_parameters());
        (wide.is_err() || wide.is_ok_and(|n| n > 1 << 50))
            .then(|| "it has more parameters than any model".to_owned())
    }

    /// Numbers in all weights, the head once where it is the embedding.
    #[must_use]
    pub fn computed_parameters(&self) -> u64 {
        u64::try_from(self.wide_parameters()).unwrap_or(u64::MAX)
    }

    fn wide_parameters(&self) -> u128 {
        self.matrix_numbers() + self.vector_numbers()
    }

    fn matrix_numbers(&self) -> u128 {
        self.layer_numbers() + self.table_numbers()
    }

    /// Of embedding and head.
    fn table_numbers(&self) -> u128 {
        let tables = if self.tied { 1 } else { 2 };
        tables * u128::from(self.vocabulary) * u128::from(self.hidden)
    }

    fn layer_numbers(&self) -> u128 {
        let n = u128::from;
        let width = n(self.heads) + n(self.kv_heads);
        let attention = 2 * n(self.hidden) * n(self.head_dim) * width;
        let experts = n(self.experts.unwrap_or(1));
        let router = self
            .experts
            .map_or(0, |experts| n(experts) * n(self.hidden));
        let feed_forward = 3 * experts * n(self.hidden) * n(self.intermediate) + router;
        n(self.layers) * (attention + feed_forward)
    }

    fn vector_numbers(&self) -> u128 {
        let n = u128::from;
        let (queries, keys) = (
            n(self.heads) * n(self.head_dim),
            n(self.kv_heads) * n(self.head_dim),
        );
        let biases = if self.qkv_bias { queries + 2 * keys } else { 0 };
        let qk = match self.qk_norm {
            HeadNorms::None => 0,
            HeadNorms::Head => 2 * n(self.head_dim),
            HeadNorms::All => queries + keys,
        };
        let norms = if self.sandwich_norms { 4 } else { 2 };
        n(self.layers) * (norms * n(self.hidden) + biases + qk) + n(self.hidden)
    }

    /// Bytes of the weights once loaded from bf16 files, as [`super::Weights::packed_bytes`] counts them.
    #[must_use]
    pub fn weight_bytes(&self, profile: Profile) -> u64 {
        let matrices = match profile {
            Profile::F32 | Profile::Bf16 => 2 * self.matrix_numbers(),
            Profile::Int8 => self.matrix_numbers() + self.matrix_numbers() / 16,
            Profile::Q4 => {
                self.layer_numbers() / 8 * 5 + self.table_numbers() + self.table_numbers() / 16
            }
        };
        u64::try_from(matrices + 2 * self.vector_numbers()).unwrap_or(u64::MAX)
    }

    /// Bytes of the weight files in bf16, their headers left out.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.computed_parameters().saturating_mul(2)
    }

    /// Bytes of keys and values per token.
    #[must_use]
    pub fn kv_bytes_per_token(&self, kv: KvType) -> u64 {
        let numbers = 2 * self.layers * self.kv_heads * self.head_dim;
        numbers.saturating_mul(kv.bytes() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::shipped_for;
    use crate::model::{ModelParts, template::Day};

    #[test]
    fn sizes_are_those_of_the_loaded_model() {
        let parts = ModelParts::demo(Day::parse("2026-01-01").unwrap()).unwrap();
        let spec = &parts.spec;
        let n = |size: usize| size as u64;
        let shape = Shape {
            family: "llama".into(),
            parameters: 0,
            positions: None,
            layers: n(spec.layers),
            hidden: n(spec.hidden),
            heads: n(spec.heads),
            kv_heads: n(spec.kv_heads),
            head_dim: n(spec.head_dim),
            intermediate: n(spec.intermediate),
            vocabulary: n(spec.vocab_size),
            tied: spec.tied,
            qkv_bias: spec.qkv_bias,
            qk_norm: HeadNorms::None,
            sandwich_norms: false,
            experts: None,
            experts_per_token: None,
        };
        for profile in [Profile::F32, Profile::Bf16, Profile::Int8] {
            let (packed, computed) = (
                parts.weights.packed_bytes(profile) as u64,
                shape.weight_bytes(profile),
            );
            // A byte per matrix is lost to rounding; the demo's norms are a few thousand numbers.
            assert!(
                packed.abs_diff(computed) < 50_000,
                "{profile:?}: {packed} {computed}"
            );
        }
        assert_eq!(
            shape.kv_bytes_per_token(KvType::F16),
            spec.kv_bytes_per_token(KvType::F16) as u64
        );
    }

    #[test]
    fn keys_and_values_of_known_shapes() {
        // 2 × 28 layers × 4 heads × 128 × 2 bytes.
        let shape = |name| shipped_for(name).unwrap().shape.clone().unwrap();
        let seven = shape("Qwen/Qwen2.5-7B-Instruct");
        assert_eq!(seven.kv_bytes_per_token(KvType::F16), 57_344);
        assert_eq!(seven.weight_bytes(Profile::Bf16), 15_231_233_024);
    }

    #[test]
    fn shapes_without_measure_are_refused() {
        let good = shipped_for("Qwen/Qwen3-8B").unwrap().shape.clone().unwrap();
        assert_eq!(good.wrong(), None);
        for change in [
            (|shape: &mut Shape| shape.layers = 0) as fn(&mut Shape),
            |shape| shape.hidden = u64::MAX,
            |shape| {
                shape.layers = MOST;
                shape.intermediate = MOST;
            },
        ] {
            let mut shape = good.clone();
            change(&mut shape);
            assert!(shape.wrong().is_some(), "{shape:?}");
        }
    }
}
