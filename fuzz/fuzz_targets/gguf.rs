//! A GGUF file: container, configuration, tokenizer, template and tensors.
#![no_main]

use colloquy::hub::ModelFiles;
use colloquy::kernels::Profile;
use colloquy::model::template::Day;
use colloquy::model::{Decoder, ModelParts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    colloquy_fuzz::mind_uncaught_panics_only();
    let path = colloquy_fuzz::file("model.gguf", data);
    let Ok(files) = ModelFiles::gguf(&path, None) else {
        return;
    };
    let day = Day {
        year: 2026,
        month: 11,
        day: 20,
    };
    let Ok(parts) = ModelParts::read(&files, day, true, 1) else {
        return;
    };
    let positions = parts.spec.max_positions.min(64);
    let _ = parts.weights.packed_bytes(Profile::Int8);
    let _ = Decoder::load(
        parts.spec,
        &parts.weights,
        positions,
        Profile::Int8,
        colloquy_fuzz::cpu(),
    );
});
