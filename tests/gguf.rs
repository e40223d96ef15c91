//! GGUF models against llama.cpp and the original tokenizers (fixtures: `tests/gguf/make_fixtures.py`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use colloquy::engine::{Engine, EngineSet, ScoreRequest};
use colloquy::hub::ModelFiles;
use colloquy::kernels::{BlockKind, PackedLinear, Profile, Rows};
use colloquy::model::ModelParts;
use colloquy::model::template::Day;
use common::{Setup, block_on, cpu, engine_parts};
use serde_json::Value;

const TOLERANCE: f64 = 1e-4;
/// llama.cpp looks its GELU up in a table of 16-bit numbers.
const GELU_TOLERANCE: f64 = 0.02;

const ALL: [&str; 15] = [
    "llama2",
    "llama3",
    "smollm2",
    "qwen2",
    "qwen3",
    "qwen3moe",
    "phi3",
    "longrope",
    "gemma2",
    "gemma3",
    "olmo2",
    "granite",
    "smollm3",
    "blocks-of-32",
    "blocks-of-256",
];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/gguf")
        .join(name)
}

fn read(name: &str) -> ModelParts {
    let files = ModelFiles::gguf(&fixture(&format!("{name}.gguf")), None).unwrap();
    let day = Day::parse("2026-11-20").unwrap();
    ModelParts::read(&files, day, true, 1).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(&format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let all = value.as_array().unwrap().iter();
    all.map(|v| u32::try_from(v.as_u64().unwrap()).unwrap())
        .collect()
}

fn floats(value: &Value) -> Vec<f64> {
    let all = value.as_array().unwrap().iter();
    all.map(|v| v.as_f64().unwrap()).collect()
}

/// Log-probabilities of some continuations of a prompt.
fn score(engine: &Arc<Engine>, prompt: &[u32], continuations: Vec<Vec<u32>>) -> Vec<Vec<f32>> {
    let longest = continuations.iter().map(Vec::len).max().unwrap();
    block_on(async {
        let session = engine.open(&[prompt.len() + longest]).await.unwrap();
        let request = ScoreRequest {
            prompt: prompt.to_vec(),
            continuations,
        };
        engine.score(&session, request).await.unwrap()
    })
}

fn worst(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let apart = got.iter().zip(want).map(|(a, b)| (f64::from(*a) - b).abs());
    apart.fold(0.0, f64::max)
}

fn engine(parts: &ModelParts, setup: Setup) -> Arc<Engine> {
    let (spec, positions) = (parts.spec.clone(), parts.spec.max_positions);
    let parts = engine_parts(spec, &parts.weights, positions, setup, &cpu(setup));
    EngineSet::start(vec![parts]).unwrap().remove(0)
}

/// The largest difference from llama.cpp, over every next token of the texts and all of the last distributions.
fn distance(engine: &Arc<Engine>, expected: &Value) -> f64 {
    let mut far = 0.0f64;
    for text in expected["texts"].as_array().unwrap() {
        let tokens = ids(&text["ids"]);
        let next = score(engine, &tokens[..1], vec![tokens[1..].to_vec()]);
        far = far.max(worst(&next[0], &floats(&text["logprobs"])));
        let last = floats(&text["last"]);
        let each = (0..u32::try_from(last.len()).unwrap()).map(|id| vec![id]);
        let got = score(engine, &tokens, each.collect()).concat();
        far = far.max(worst(&got, &last));
    }
    far
}

/// The largest difference from transformers with the original, over every next token of all texts but some first ones; 0
/// where there is no original.
fn from_transformers(engine: &Arc<Engine>, expected: &Value, skip: usize) -> f64 {
    let texts = expected["texts"].as_array().unwrap();
    let theirs = expected["transformers"].as_array().into_iter().flatten();
    let each = texts.iter().zip(theirs).skip(skip).map(|(text, theirs)| {
        let tokens = ids(&text["ids"]);
        let next = score(engine, &tokens[..1], vec![tokens[1..].to_vec()]);
        worst(&next[0], &floats(theirs))
    });
    each.fold(0.0, f64::max)
}

#[test]
fn log_probabilities_agree() {
    for name in ALL {
        let (engine, expected) = (engine(&read(name), Setup::default()), expected(name));
        let far = distance(&engine, &expected);
        println!("{name}: largest difference from llama.cpp {far:.2e}");
        let tolerance = if name.starts_with("gemma") {
            GELU_TOLERANCE
        } else {
            TOLERANCE
        };
        assert!(far < tolerance, "{name}: {far}");
        // LongRoPE: transformers takes the factors for short texts where a text is short, llama.cpp and this program where
        // the context is.
        let skip = usize::from(name == "longrope");
        let far = from_transformers(&engine, &expected, skip);
        println!("{name}: largest difference from transformers {far:.2e}");
        assert!(far < TOLERANCE, "{name}: {far} from transformers");
    }
}

#[test]
fn texts_become_the_originals_tokens() {
    for name in ALL {
        let tokenizer = read(name).tokenizer;
        for case in expected(name)["encodings"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            assert_eq!(
                tokenizer.encode(text).unwrap(),
                ids(&case["ids"]),
                "{name}: {text:?}"
            );
        }
    }
}

/// In 8 bits, as llama.cpp computes quantised models too: both are about as far from the exact result, and from each other.
#[test]
fn quantised_models_stay_close_in_eight_bits() {
    let setup = Setup {
        profile: Profile::Int8,
        ..Setup::default()
    };
    for name in ["blocks-of-32", "blocks-of-256"] {
        let (engine, expected) = (engine(&read(name), setup), expected(name));
        let (mut exact, mut native, mut theirs, mut count) = (0.0, 0.0, 0.0, 0);
        let texts = expected["texts"].as_array().unwrap();
        for (text, llama) in texts.iter().zip(expected["native"].as_array().unwrap()) {
            let tokens = ids(&text["ids"]);
            let got = score(&engine, &tokens[..1], vec![tokens[1..].to_vec()]).remove(0);
            let (want, llama) = (floats(&text["logprobs"]), floats(llama));
            for ((got, want), llama) in got.iter().zip(&want).zip(&llama) {
                exact += (f64::from(*got) - want).abs();
                native += (f64::from(*got) - llama).abs();
                theirs += (want - llama).abs();
                count += 1;
            }
        }
        let mean = |sum: f64| sum / f64::from(count);
        let (exact, native, theirs) = (mean(exact), mean(native), mean(theirs));
        println!(
            "{name}: mean difference {exact:.4} from exact, {native:.4} from llama.cpp, whose own is {theirs:.4}"
        );
        assert!(exact < 0.1 && native < 0.1, "{name}: {exact}, {native}");
    }
}

/// The numbers of every type of block, against the format's own package.
#[test]
fn blocks_hold_the_numbers() {
    let text = std::fs::read_to_string(fixture("blocks.json")).unwrap();
    let blocks: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(blocks.as_object().unwrap().len(), BlockKind::ALL.len());
    for kind in BlockKind::ALL {
        let case = &blocks[kind.name()];
        let hex = case["bytes"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let want = floats(&case["numbers"]);
        let rows = Rows::blocks(kind, &bytes, want.len()).unwrap();
        let packed = PackedLinear::pack(&[rows], want.len(), None, Profile::F32);
        let mut got = vec![0.0; want.len()];
        packed.copy_row(0, &mut got);
        for (i, (a, b)) in got.iter().zip(&want).enumerate() {
            assert!(
                (f64::from(*a) - b).abs() <= 1e-6 * b.abs().max(0.01),
                "{} {i}: {a}, expected {b}",
                kind.name()
            );
        }
    }
}
