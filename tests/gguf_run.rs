//! The demo model as a GGUF file, whole and split, says what the demo model says: the whole way from file to dataset.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::path::Path;

use program::Place;
use safetensors::SafeTensors;
use serde_json::Value;

const F32: u32 = 0;
const BF16: u32 = 30;
const HEADS: [(&str, usize); 2] = [("attn_q", 4), ("attn_k", 2)];

struct Tensor {
    name: String,
    shape: Vec<usize>,
    kind: u32,
    data: Vec<u8>,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn key(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key)[..], &kind.to_le_bytes(), value].concat()
}

fn number(name: &str, value: u32) -> Vec<u8> {
    key(name, 4, &value.to_le_bytes())
}

fn array(name: &str, kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let head = [
        &kind.to_le_bytes()[..],
        &(items.len() as u64).to_le_bytes()[..],
    ];
    key(name, 9, &[&head.concat()[..], &items.concat()[..]].concat())
}

fn demo(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    std::fs::read(folder.join(file)).unwrap()
}

/// What stands before the tensors: hyperparameters, tokenizer and template.
fn keys() -> Vec<Vec<u8>> {
    let json = |file: &str| serde_json::from_slice::<Value>(&demo(file)).unwrap();
    let (config, tokenizer) = (json("config.json"), json("tokenizer.json"));
    let whole = |name: &str| u32::try_from(config[name].as_u64().unwrap()).unwrap();
    let mut tokens: Vec<(u64, &str)> = tokenizer["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, id)| (id.as_u64().unwrap(), name.as_str()))
        .collect();
    let special: Vec<&str> = tokenizer["added_tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["content"].as_str().unwrap())
        .collect();
    tokens.sort_unstable();
    let names: Vec<Vec<u8>> = tokens.iter().map(|(_, name)| text(name)).collect();
    let types: Vec<Vec<u8>> = tokens
        .iter()
        .map(|(_, name)| if special.contains(name) { 3_i32 } else { 1 })
        .map(|kind| kind.to_le_bytes().to_vec())
        .collect();
    let merges: Vec<Vec<u8>> = tokenizer["model"]["merges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|merge| match merge {
            Value::String(both) => text(both),
            both => text(&format!(
                "{} {}",
                both[0].as_str().unwrap(),
                both[1].as_str().unwrap()
            )),
        })
        .collect();
    let chat = json("tokenizer_config.json")["chat_template"].clone();
    let float = |name: &str, value: f32| key(name, 6, &value.to_le_bytes());
    vec![
        key("general.architecture", 8, &text("llama")),
        number("llama.embedding_length", whole("hidden_size")),
        number("llama.block_count", whole("num_hidden_layers")),
        number("llama.attention.head_count", whole("num_attention_heads")),
        number(
            "llama.attention.head_count_kv",
            whole("num_key_value_heads"),
        ),
        number("llama.attention.key_length", whole("head_dim")),
        number("llama.attention.value_length", whole("head_dim")),
        number("llama.rope.dimension_count", whole("head_dim")),
        number("llama.feed_forward_length", whole("intermediate_size")),
        number("llama.context_length", whole("max_position_embeddings")),
        number("llama.vocab_size", whole("vocab_size")),
        float("llama.attention.layer_norm_rms_epsilon", 1e-5),
        float("llama.rope.freq_base", 1e4),
        key("tokenizer.ggml.model", 8, &text("gpt2")),
        key("tokenizer.ggml.pre", 8, &text("smollm")),
        array("tokenizer.ggml.tokens", 8, &names),
        array("tokenizer.ggml.token_type", 5, &types),
        array("tokenizer.ggml.merges", 8, &merges),
        number("tokenizer.ggml.eos_token_id", whole("eos_token_id")),
        number("tokenizer.ggml.padding_token_id", whole("pad_token_id")),
        key("tokenizer.ggml.add_bos_token", 7, &[0]),
        key("tokenizer.chat_template", 8, &text(chat.as_str().unwrap())),
    ]
}

/// The weights as the converter lays them out: rotary pairs of queries and keys interleaved, vectors in f32.
fn tensors() -> Vec<Tensor> {
    let bytes = demo("model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<Tensor> = file
        .iter()
        .map(|(original, view)| {
            let name = original
                .replace("model.embed_tokens", "token_embd")
                .replace("model.norm", "output_norm")
                .replace("model.layers", "blk")
                .replace("self_attn.q_proj", "attn_q")
                .replace("self_attn.k_proj", "attn_k")
                .replace("self_attn.v_proj", "attn_v")
                .replace("self_attn.o_proj", "attn_output")
                .replace("mlp.gate_proj", "ffn_gate")
                .replace("mlp.up_proj", "ffn_up")
                .replace("mlp.down_proj", "ffn_down")
                .replace("input_layernorm", "attn_norm")
                .replace("post_attention_layernorm", "ffn_norm");
            let shape = view.shape().to_vec();
            let (kind, data) = if shape.len() == 1 {
                let wide = view.data().chunks_exact(2);
                (
                    F32,
                    wide.flat_map(|half| [0, 0, half[0], half[1]]).collect(),
                )
            } else {
                let heads = HEADS.iter().find(|(part, _)| name.contains(part));
                let data = view.data();
                (
                    BF16,
                    heads.map_or(data.to_vec(), |(_, n)| interleaved(data, shape[0], *n)),
                )
            };
            Tensor {
                name,
                shape,
                kind,
                data,
            }
        })
        .collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

/// Each head's rows in the order 0, d/2, 1, d/2 + 1, …
fn interleaved(data: &[u8], rows: usize, heads: usize) -> Vec<u8> {
    let (width, row) = (rows / heads, data.len() / rows);
    (0..rows)
        .flat_map(|at| {
            let (head, at) = (at / width, at % width);
            let from = head * width + at / 2 + (at % 2) * width / 2;
            data[from * row..(from + 1) * row].iter().copied()
        })
        .collect()
}

fn file(keys: &[Vec<u8>], tensors: &[Tensor]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    out.extend(keys.concat());
    let mut offset = 0;
    for tensor in tensors {
        out.extend(text(&tensor.name));
        out.extend(u32::try_from(tensor.shape.len()).unwrap().to_le_bytes());
        for size in tensor.shape.iter().rev() {
            out.extend((*size as u64).to_le_bytes());
        }
        out.extend(tensor.kind.to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        offset = (offset + tensor.data.len()).next_multiple_of(32);
    }
    for tensor in tensors {
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&tensor.data);
    }
    out
}

/// A short run's rows, without who made them.
fn said(place: &Place, out: &str, models: &[&str]) -> Vec<[Value; 3]> {
    let mut arguments = vec!["generate", "--out", out];
    for model in models {
        arguments.extend(["--model", model]);
    }
    for key in ["count=4", "queries.per_page=2", "queries.per_long_page=2"] {
        arguments.extend(["--set", key]);
    }
    place.ok(&arguments);
    let rows = place.read(&format!("{}/messages.jsonl", place.only_run(out)));
    rows.lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap())
        .map(|row| ["id", "messages", "outcome"].map(|name| row[name].clone()))
        .collect()
}

#[test]
fn the_file_says_what_the_folder_says() {
    let place = Place::new();
    // The format has no place for the sampling that a model recommends.
    let sampling = "\n[sampling]\ntemperature = 0.5\ntop_p = 0.9\n";
    let manifest = String::from_utf8(demo("manifest.toml")).unwrap() + sampling;
    for folder in ["whole", "split"] {
        place.write(&format!("{folder}/colloquy.toml"), &manifest);
    }
    let (keys, tensors) = (keys(), tensors());
    std::fs::write(place.path("whole/demo.gguf"), file(&keys, &tensors)).unwrap();
    let parts: Vec<&[Tensor]> = tensors.chunks(tensors.len().div_ceil(3)).collect();
    for (nth, part) in parts.iter().enumerate() {
        let two =
            |name: &str, value: usize| key(name, 2, &u16::try_from(value).unwrap().to_le_bytes());
        let count = i32::try_from(tensors.len()).unwrap();
        let mut own = vec![
            two("split.no", nth),
            two("split.count", parts.len()),
            key("split.tensors.count", 5, &count.to_le_bytes()),
        ];
        if nth == 0 {
            own.extend_from_slice(&keys);
        }
        let name = format!("split/demo-{:05}-of-{:05}.gguf", nth + 1, parts.len());
        std::fs::write(place.path(&name), file(&own, part)).unwrap();
    }

    let demo = said(&place, "a", &["demo"]);
    assert_eq!(demo.len(), 4);
    assert_eq!(said(&place, "b", &["./whole/demo.gguf"]), demo);
    assert_eq!(
        said(&place, "c", &["./split/demo-00002-of-00003.gguf"]),
        demo
    );
    // and as one of two models, beside the folder
    assert_eq!(said(&place, "d", &["demo", "customer=./whole"]), demo);
}
