//! `config.json`: refused, or a description that can be loaded or refused without absurd memory.
#![no_main]

use colloquy::kernels::{KvType, Profile};
use colloquy::model::{Decoder, ModelSpec, Weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let spec = match ModelSpec::from_config(text) {
        Ok(spec) => spec,
        Err(error) => {
            assert!(error.to_string().len() < 1000, "a message is for people");
            return;
        }
    };
    assert!(spec.layers > 0 && spec.rope.len() == spec.layers && spec.windows.len() == spec.layers);
    let _ = (
        spec.linear_parameters(),
        spec.kv_bytes_per_token(KvType::F32),
    );
    let positions = spec.max_positions.min(32_768);
    for rope in spec.rope.iter().flatten().take(2) {
        let frequencies = rope.inverse_frequencies(positions);
        assert!(
            frequencies.iter().all(|f| f.is_finite() && *f >= 0.0),
            "{rope:?}"
        );
        assert!(rope.magnitude().is_finite(), "{rope:?}");
    }
    let nothing = Weights::open(&[]).expect("no file is opened");
    let loaded = Decoder::load(
        spec,
        &nothing,
        positions,
        Profile::Int8,
        colloquy_fuzz::cpu(),
    );
    assert!(loaded.is_err(), "there are no weights");
});
