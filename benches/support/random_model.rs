//! Model folders with random weights of well-known shapes, made where they are needed.

use std::collections::BTreeMap;
use std::path::Path;

use colloquy::model::{ModelSpec, Norms, QkNorm};
use colloquy::rng::Stream;
use half::bf16;
use safetensors::tensor::{Dtype, TensorView};

/// `config.json` of a shape by name.
pub fn config(shape: &str) -> Option<String> {
    // Sizes: vocabulary, hidden, intermediate, layers, heads, kv heads.
    let (architecture, sizes, more) = match shape {
        "smollm2-135m" => (
            "LlamaForCausalLM",
            [49_152, 576, 1536, 30, 9, 3],
            r#""rope_theta":100000,"hidden_act":"silu""#,
        ),
        "qwen2.5-0.5b" => (
            "Qwen2ForCausalLM",
            [151_936, 896, 4864, 24, 14, 2],
            r#""rope_theta":1000000"#,
        ),
        "qwen3-0.6b" => (
            "Qwen3ForCausalLM",
            [151_936, 1024, 3072, 28, 16, 8],
            r#""rope_theta":1000000,"head_dim":128"#,
        ),
        "gemma3-270m" => (
            "Gemma3ForCausalLM",
            [262_144, 640, 2048, 18, 4, 1],
            r#""head_dim":256,"query_pre_attn_scalar":256,"sliding_window":512"#,
        ),
        "granite-350m" => (
            "GraniteForCausalLM",
            [100_352, 1024, 2048, 28, 16, 4],
            r#""attention_multiplier":0.015625,"embedding_multiplier":12,"residual_multiplier":0.246,"logits_scaling":4"#,
        ),
        // A mixture of a workstation's size: 0.9 billion numbers, 0.2 of them for each token.
        "qwen3-moe-0.9b" => (
            "Qwen3MoeForCausalLM",
            [49_152, 768, 2048, 12, 12, 4],
            r#""head_dim":64,"num_experts":64,"num_experts_per_tok":8,"moe_intermediate_size":448,"norm_topk_prob":true"#,
        ),
        "tiny" => ("LlamaForCausalLM", [512, 64, 160, 2, 4, 2], PLAIN),
        "mite" => ("LlamaForCausalLM", [256, 32, 64, 1, 2, 1], PLAIN),
        _ => return None,
    };
    let [vocab, hidden, ff, layers, heads, kv] = sizes;
    Some(format!(
        r#"{{"architectures":["{architecture}"],"vocab_size":{vocab},"hidden_size":{hidden},"intermediate_size":{ff},
        "num_hidden_layers":{layers},"num_attention_heads":{heads},"num_key_value_heads":{kv},
        "max_position_embeddings":8192,"rms_norm_eps":1e-5,"tie_word_embeddings":true,{more}}}"#
    ))
}

const PLAIN: &str = r#""rope_theta":10000"#;

/// Writes `config.json` and `model.safetensors` (bf16) to `dir`.
pub fn write(shape: &str, dir: &Path) -> std::io::Result<()> {
    let config =
        config(shape).ok_or_else(|| std::io::Error::other(format!("unknown shape {shape}")))?;
    let spec = ModelSpec::from_config(&config).map_err(std::io::Error::other)?;
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    let stream = Stream::root(11);
    let mut add = |name: String, shape: Vec<usize>, center: f32, spread: f32| {
        let n: usize = shape.iter().product();
        let s = stream.child(&name);
        #[expect(clippy::cast_possible_truncation, reason = "random weights")]
        let bytes = (0..n as u64)
            .flat_map(|i| {
                bf16::from_f32(center + spread * (s.unit(i) as f32 * 2.0 - 1.0)).to_le_bytes()
            })
            .collect();
        tensors.insert(name, (shape, bytes));
    };
    let (h, d, ff) = (spec.hidden, spec.head_dim, spec.intermediate);
    let (q, kv) = (spec.heads * d, spec.kv_heads * d);
    #[expect(clippy::cast_precision_loss, reason = "matrix widths")]
    let spread = |k: usize| (3.0 / k as f32).sqrt();
    add(
        "model.embed_tokens.weight".into(),
        vec![spec.vocab_size, h],
        0.0,
        0.05,
    );
    // Stored less one where the family adds it again.
    let one = if spec.norm_offset { 0.0 } else { 1.0 };
    add("model.norm.weight".into(), vec![h], one, 0.1);
    for i in 0..spec.layers {
        let at = |name: &str| format!("model.layers.{i}.{name}");
        let norms: &[&str] = match spec.norms {
            Norms::Before => &["input_layernorm", "post_attention_layernorm"],
            Norms::After => &["post_attention_layernorm", "post_feedforward_layernorm"],
            Norms::Around => &[
                "input_layernorm",
                "post_attention_layernorm",
                "pre_feedforward_layernorm",
                "post_feedforward_layernorm",
            ],
        };
        for name in norms {
            add(at(&format!("{name}.weight")), vec![h], one, 0.1);
        }
        for (name, n) in [("q", q), ("k", kv), ("v", kv)] {
            let part = at(&format!("self_attn.{name}_proj"));
            add(format!("{part}.weight"), vec![n, h], 0.0, spread(h));
            if spec.qkv_bias {
                add(format!("{part}.bias"), vec![n], 0.0, 0.1);
            }
            let whole = match spec.qk_norm {
                QkNorm::None => continue,
                QkNorm::Head => d,
                QkNorm::Whole => n,
            };
            if name != "v" {
                let norm = at(&format!("self_attn.{name}_norm.weight"));
                add(norm, vec![whole], one, 0.1);
            }
        }
        add(at("self_attn.o_proj.weight"), vec![h, q], 0.0, spread(q));
        let mut part = |name: &str, ff: usize| {
            let at = |piece: &str| at(&format!("mlp.{name}{piece}_proj.weight"));
            add(at("gate"), vec![ff, h], 0.0, spread(h));
            add(at("up"), vec![ff, h], 0.0, spread(h));
            add(at("down"), vec![h, ff], 0.0, spread(ff));
        };
        match &spec.experts {
            Some(experts) if experts.layers[i] => {
                for e in 0..experts.count {
                    part(&format!("experts.{e}."), experts.intermediate);
                }
                add(
                    at("mlp.gate.weight"),
                    vec![experts.count, h],
                    0.0,
                    spread(h),
                );
            }
            _ => part("", ff),
        }
    }
    let views = tensors.iter().map(|(name, (shape, data))| {
        (
            name.clone(),
            TensorView::new(Dtype::BF16, shape.clone(), data).expect("the data fits its shape"),
        )
    });
    safetensors::serialize_to_file(views, None, &dir.join("model.safetensors"))
        .map_err(std::io::Error::other)?;
    std::fs::write(dir.join("config.json"), config)
}
