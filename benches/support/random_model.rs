//! Model folders with random weights of well-known shapes, made where they are needed.

use std::collections::BTreeMap;
use std::path::Path;

use colloquy::model::ModelSpec;
use colloquy::rng::Stream;
use half::bf16;
use safetensors::tensor::{Dtype, TensorView};

/// `config.json` of a shape by name.
pub fn config(shape: &str) -> Option<String> {
    let (architecture, hidden, ff, layers, heads, kv, vocab, theta) = match shape {
        "smollm2-135m" => ("LlamaForCausalLM", 576, 1536, 30, 9, 3, 49_152, 100_000.0),
        "qwen2.5-0.5b" => (
            "Qwen2ForCausalLM",
            896,
            4864,
            24,
            14,
            2,
            151_936,
            1_000_000.0,
        ),
        "tiny" => ("LlamaForCausalLM", 64, 160, 2, 4, 2, 512, 10_000.0),
        "mite" => ("LlamaForCausalLM", 32, 64, 1, 2, 1, 256, 10_000.0),
        _ => return None,
    };
    Some(format!(
        r#"{{"architectures":["{architecture}"],"vocab_size":{vocab},"hidden_size":{hidden},"intermediate_size":{ff},
        "num_hidden_layers":{layers},"num_attention_heads":{heads},"num_key_value_heads":{kv},"hidden_act":"silu",
        "max_position_embeddings":8192,"rms_norm_eps":1e-5,"rope_theta":{theta},"tie_word_embeddings":true,"use_sliding_window":false}}"#
    ))
}

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
    add("model.norm.weight".into(), vec![h], 1.0, 0.1);
    for i in 0..spec.layers {
        let at = |name: &str| format!("model.layers.{i}.{name}");
        add(at("input_layernorm.weight"), vec![h], 1.0, 0.1);
        add(at("post_attention_layernorm.weight"), vec![h], 1.0, 0.1);
        for (name, n) in [("q", q), ("k", kv), ("v", kv)] {
            add(
                at(&format!("self_attn.{name}_proj.weight")),
                vec![n, h],
                0.0,
                spread(h),
            );
            if spec.qkv_bias {
                add(
                    at(&format!("self_attn.{name}_proj.bias")),
                    vec![n],
                    0.0,
                    0.1,
                );
            }
        }
        add(at("self_attn.o_proj.weight"), vec![h, q], 0.0, spread(q));
        add(at("mlp.gate_proj.weight"), vec![ff, h], 0.0, spread(h));
        add(at("mlp.up_proj.weight"), vec![ff, h], 0.0, spread(h));
        add(at("mlp.down_proj.weight"), vec![h, ff], 0.0, spread(ff));
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
