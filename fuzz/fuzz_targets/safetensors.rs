//! A weight file: opened, packed as its model's tensors, and one step computed where all are there.
#![no_main]

use colloquy::kernels::{KvType, Profile, Span};
use colloquy::model::{Decoder, KvPool, ModelSpec, StepRows, Weights};
use libfuzzer_sys::fuzz_target;

/// What the seeds hold: a decoder of one layer.
const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"vocab_size":8,"hidden_size":8,"intermediate_size":8,
    "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,"tie_word_embeddings":true,
    "max_position_embeddings":32}"#;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let path = colloquy_fuzz::file("model.safetensors", bytes);
    let Ok(weights) = Weights::open(&[path]) else {
        return;
    };
    let profile = [Profile::F32, Profile::Bf16, Profile::Int8][usize::from(*choice) % 3];
    let _ = (weights.bytes(), weights.packed_bytes(profile));
    let spec = ModelSpec::from_config(CONFIG).expect("the configuration is sound");
    let Ok(decoder) = Decoder::load(spec.clone(), &weights, 32, profile, colloquy_fuzz::cpu())
    else {
        return;
    };
    let pool = KvPool::new(&spec, 1, KvType::F16);
    let span = Span {
        first_row: 0,
        rows: 2,
        position: 0,
        pages: &[0],
    };
    let rows = StepRows {
        tokens: &[1, 7],
        spans: &[span],
        logits: &[0, 1],
    };
    decoder
        .forward(&rows, &pool)
        .expect("the rows fit the model");
});
