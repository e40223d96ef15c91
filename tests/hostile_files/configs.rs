//! `config.json`, `generation_config.json`, `colloquy.toml`.

use serde_json::{Value, json};

use super::room::Folder;

fn config(key: &str, value: Value, says: &[&str]) {
    let folder = Folder::new();
    folder.edit("config.json", |config| config[key] = value);
    folder.refused(&[&["config.json"], says].concat());
}

#[test]
fn counts_that_cannot_be() {
    for key in [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "max_position_embeddings",
    ] {
        for value in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!("many"),
            json!(1_000_000_000_u64),
            json!(1_000_000_000_000_u64),
            json!(u64::MAX),
            json!(1e308),
            json!([1]),
            json!({}),
        ] {
            config(key, value, &[key, "expected"]);
        }
    }
    config("num_hidden_layers", json!(1025), &["at most 1024"]);
}

/// Within every bound, and nothing of it in the weights: told before memory is taken.
#[test]
fn counts_that_weights_do_not_have() {
    let folder = Folder::new();
    for (key, value) in [
        ("num_hidden_layers", 1024),
        ("vocab_size", 1 << 24),
        ("hidden_size", 1 << 24),
        ("intermediate_size", 1 << 24),
        ("num_attention_heads", 1 << 24),
    ] {
        let folder = Folder::new();
        folder.edit("config.json", |config| {
            config[key] = json!(value);
        });
        folder.refused(&[]);
    }
    folder.edit("config.json", |config| {
        config["architectures"] = json!(["Qwen3MoeForCausalLM"]);
        config["num_experts"] = json!(1_000_000);
        config["moe_intermediate_size"] = json!(1 << 24);
        config["mlp_only_layers"] = json!([]);
    });
    folder.refused(&["is missing"]);
    folder.edit("config.json", |config| {
        config["mlp_only_layers"] = json!(vec![7; 1_000_000]);
    });
    folder.refused(&["is missing"]);
}

#[test]
fn rotations_that_cannot_be() {
    let long = |n: usize| json!({"type": "longrope", "short_factor": vec![1.0; n], "long_factor": vec![1.0; n]});
    config(
        "rope_scaling",
        long(100_000),
        &["a list of 32 positive numbers"],
    );
    config("rope_theta", json!(0), &["rope_theta", "positive"]);
    config("rope_theta", json!(-1e9), &["rope_theta", "positive"]);
    config("rope_theta", json!(1e-300), &["rope_theta", "finite"]);
    let tables = [
        (json!({"type": "linear", "factor": 1e-300}), false),
        (json!({"type": "linear", "factor": 1e300}), true),
        (json!({"type": "yarn", "factor": 1e-300}), false),
        (
            json!({"type": "yarn", "factor": 4, "mscale": 1e300, "mscale_all_dim": 1e-300}),
            false,
        ),
        (
            json!({"type": "longrope", "short_factor": vec![1e-45; 32], "long_factor": vec![1.0; 32]}),
            false,
        ),
    ];
    for (table, sound) in tables {
        let folder = Folder::new();
        folder.edit("config.json", |config| {
            config["rope_scaling"] = table.clone();
        });
        let read = folder.read();
        assert_eq!(read.is_ok(), sound, "{table}: {read:?}");
        assert!(
            sound || read.unwrap_err().contains("rope_scaling"),
            "{table}"
        );
    }
}

#[test]
fn windows_of_any_size() {
    for window in [json!(1), json!(1 << 24)] {
        let folder = Folder::new();
        folder.edit("config.json", |config| {
            config["architectures"] = json!(["MistralForCausalLM"]);
            config["sliding_window"] = window;
        });
        assert_eq!(folder.read(), Ok(()));
    }
    let folder = Folder::new();
    folder.edit("config.json", |config| {
        config["architectures"] = json!(["MistralForCausalLM"]);
        config["sliding_window"] = json!(1_u64 << 40);
    });
    folder.refused(&["sliding_window"]);
    folder.edit("config.json", |config| {
        config["sliding_window"] = json!(16);
        config["layer_types"] = json!(vec!["full_attention"; 100_000]);
    });
    folder.refused(&["layer_types", "a list of 5"]);
}

#[test]
fn json_that_is_none_or_deep() {
    let deep = [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
    ];
    for file in [
        "config.json",
        "generation_config.json",
        "tokenizer_config.json",
        "tokenizer.json",
    ] {
        for text in deep.iter().map(String::as_str).chain([
            "",
            "{",
            "\"a\\ud800\"",
            "1e999999",
            "{\"a\":1,}",
            "\0",
        ]) {
            let folder = Folder::new();
            folder.write(file, text);
            folder.refused(&[file]);
        }
        let folder = Folder::new();
        folder.write(file, b"{\"a\": \"caf\xe9\"}");
        folder.refused(&[file]);
    }
    let folder = Folder::new();
    folder.edit("config.json", |config| {
        let mut inner = json!(1);
        for _ in 0..100 {
            inner = json!([inner]);
        }
        config["a_table_of_its_own"] = inner;
    });
    assert_eq!(folder.read(), Ok(()));
}

#[test]
fn end_tokens_and_sampling_of_any_kind() {
    for (key, value) in [
        ("eos_token_id", json!(u64::MAX)),
        ("eos_token_id", json!(-1)),
        (
            "eos_token_id",
            json!([[1], "x", null, 1e300, 4_000_000_000_u64]),
        ),
        ("eos_token_id", json!({"a": 1})),
        ("eos_token_id", json!(vec![1; 1_000_000])),
        ("temperature", json!(1e300)),
        ("temperature", json!(-1)),
        ("top_k", json!(u64::MAX)),
        ("top_p", json!(-1e300)),
        ("min_p", json!(7)),
        ("repetition_penalty", json!(0)),
        ("repetition_penalty", json!(-1e300)),
    ] {
        let folder = Folder::new();
        folder.edit("generation_config.json", |config| {
            config[key] = value.clone();
        });
        let read = folder.read();
        assert!(
            read.is_ok() || read.as_ref().unwrap_err().len() < 300,
            "{key} {value:.60}: {read:?}"
        );
    }
    for text in ["[]", "3", "null", "\"a\""] {
        let folder = Folder::new();
        folder.write("generation_config.json", text);
        folder.write("config.json", text);
        folder.refused(&["config.json"]);
    }
}

#[test]
fn manifests_of_any_kind() {
    let deep = format!("name = {}", "[".repeat(100_000));
    let tables = format!("[{}]", vec!["a"; 100_000].join("."));
    let dotted = format!("{} = 1", vec!["a"; 100_000].join("."));
    let inline = format!("name = {}", "{a=".repeat(100_000));
    let long = format!("nmae = \"{}\"", "x".repeat(1 << 20));
    for text in [
        &deep,
        &tables,
        &dotted,
        &inline,
        &long,
        "context_tokens = 99999999999999999999",
        "context_tokens = -1",
        "quant = \"q1\"",
        "name = 3",
        "name = \"a\"\nname = \"b\"",
    ] {
        let folder = Folder::new();
        folder.write("colloquy.toml", text);
        folder.refused(&["colloquy.toml"]);
    }
    let folder = Folder::new();
    folder.write("colloquy.toml", b"name = \"caf\xe9\"");
    folder.refused(&["colloquy.toml"]);
    folder.write("colloquy.toml", "context_tokens = 0");
    folder.refused(&["context_tokens"]);
}

/// The longest context that a file may ask for needs more memory than there is for its tables alone.
#[test]
fn a_context_that_memory_does_not_hold() {
    let folder = Folder::new();
    folder.edit("config.json", |config| {
        config["max_position_embeddings"] = json!(1 << 24);
    });
    folder.write("colloquy.toml", "context_tokens = 16777216");
    folder.refused(&["memory"]);
}
