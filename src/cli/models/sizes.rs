//! Sizes of models, and how they are written.

use serde_json::{Value, json};

use crate::engine::{KvType, Numerics, Profile};
use crate::model::{Manifest, ManifestSampling, ModelSpec, Norms, QkNorm};

/// Every `--quant` with the profile that it means.
pub const QUANTS: &[(&str, Profile)] = &[
    ("none", Profile::F32),
    ("bf16", Profile::Bf16),
    ("q8_0", Profile::Int8),
    ("q4", Profile::Q4),
];

/// Memory of a model: in its usual profile, and at each quant.
pub fn of_weights(
    manifest: &Manifest,
    weights: impl Fn(Profile) -> u64,
    cache: impl Fn(KvType) -> u64,
) -> Value {
    let usual = Numerics::usual(manifest);
    let quants: serde_json::Map<String, Value> = QUANTS
        .iter()
        .map(|(name, profile)| ((*name).to_owned(), weights(*profile).into()))
        .collect();
    json!({
        "profile": usual.name(),
        "weight_bytes": weights(usual.profile),
        "cache_bytes_per_1000_tokens": 1000 * cache(usual.kv),
        "weight_bytes_at": quants,
    })
}

/// The memory of weights at each quant, for people.
pub fn at_each_quant(memory: &Value) -> String {
    let of = |(name, _): &(&str, Profile)| {
        let bytes = number(&memory["weight_bytes_at"][*name]);
        format!("{name} {}", size(bytes))
    };
    QUANTS.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// All numbers of a model: matrices, biases and norms, the embedding once where the head shares it.
pub fn parameters(spec: &ModelSpec) -> usize {
    let (queries, keys) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let biases = usize::from(spec.qkv_bias) * (queries + 2 * keys)
        + usize::from(spec.output_bias) * spec.hidden
        + usize::from(spec.mlp_bias) * (2 * spec.intermediate + spec.hidden);
    let norms = match spec.norms {
        Norms::Before | Norms::After => 2 * spec.hidden,
        Norms::Around => 4 * spec.hidden,
    } + match spec.qk_norm {
        QkNorm::None => 0,
        QkNorm::Head => 2 * spec.head_dim,
        QkNorm::Whole => queries + keys,
    };
    spec.parameters(|experts| experts.count)
        + (1 + usize::from(!spec.tied)) * spec.vocab_size * spec.hidden
        + spec.layers * (biases + norms)
        + spec.hidden
}

/// Recommended sampling with its numbers as they were written: 0.7, which f32 does not hold exactly.
pub fn sampling(sampling: Option<&ManifestSampling>) -> Value {
    let mut value = serde_json::to_value(sampling).unwrap_or(Value::Null);
    for number in value
        .as_object_mut()
        .into_iter()
        .flat_map(|map| map.values_mut())
    {
        #[expect(clippy::cast_possible_truncation, reason = "it was an f32")]
        let written = number
            .as_f64()
            .filter(|n| n.fract() != 0.0)
            .and_then(|n| (n as f32).to_string().parse::<f64>().ok());
        if let Some(written) = written {
            *number = written.into();
        }
    }
    value
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// `1.24 B`, `134.5 M`.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn short(count: u64) -> String {
    let count = count as f64;
    if count >= 1e9 {
        format!("{:.2} B", count / 1e9)
    } else {
        format!("{:.1} M", count / 1e6)
    }
}

/// Bytes as people read them.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes >= 1e9 {
        format!("{:.1} GB", bytes / 1e9)
    } else {
        format!("{:.1} MB", bytes / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::shipped;

    #[test]
    fn every_shipped_shape_is_of_a_family_that_is_read() {
        for manifest in shipped() {
            let shape = manifest.shape.as_ref().unwrap();
            let mut config = json!({
                "model_type": shape.family,
                "hidden_size": shape.hidden,
                "intermediate_size": shape.intermediate,
                "num_hidden_layers": shape.layers,
                "num_attention_heads": shape.heads,
                "num_key_value_heads": shape.kv_heads,
                "head_dim": shape.head_dim,
                "vocab_size": shape.vocabulary,
                "tie_word_embeddings": shape.tied,
            });
            if let Some(experts) = shape.experts {
                config["num_experts"] = experts.into();
                config["num_experts_per_tok"] = shape.experts_per_token.into();
                config["moe_intermediate_size"] = shape.intermediate.into();
            }
            let name = manifest.repository.as_deref().unwrap();
            let spec = ModelSpec::from_config(&config.to_string())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(parameters(&spec) as u64, shape.parameters, "{name}");
            for kv in [KvType::F32, KvType::F16] {
                let own = spec.kv_bytes_per_token(kv) as u64;
                assert_eq!(own, shape.kv_bytes_per_token(kv), "{name}");
            }
        }
    }

    #[test]
    fn figures_for_people() {
        assert_eq!(short(7_615_616_512), "7.62 B");
        assert_eq!(short(134_515_008), "134.5 M");
        assert_eq!(
            (size(999_900_000), size(1_500_000_000)),
            ("999.9 MB".into(), "1.5 GB".into())
        );
    }
}
