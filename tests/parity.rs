//! Log-probabilities of tiny random models of every family against the reference implementation
//! (fixtures: `tests/parity/make_fixtures.py`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use colloquy::engine::{Engine, GenerateRequest, Sampling, ScoreRequest};
use colloquy::kernels::{Activation, KvType, Profile};
use colloquy::model::{ModelSpec, RopeScaling};
use colloquy::rng::Stream;
use common::{Setup, block_on, engine, engine_with, fixture};
use serde_json::Value;

const TOLERANCE: f32 = 1e-4;
const INT8_MEAN_TOLERANCE: f32 = 0.2;
const BF16_MEAN_TOLERANCE: f32 = 0.05;
const F16_MEAN_TOLERANCE: f32 = 0.005;

const ALL: [&str; 14] = [
    "llama2",
    "llama3",
    "llama3-new-keys",
    "llama-bias",
    "llama-gelu",
    "llama-linear",
    "mistral",
    "mistral-window",
    "qwen2",
    "qwen2-window",
    "qwen2.5",
    "qwen2.5-bf16",
    "sharded",
    "smollm2",
];

fn expected(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture(name).join("expected.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    value["texts"].as_array().unwrap().clone()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| u32::try_from(v.as_u64().unwrap()).unwrap())
        .collect()
}

#[allow(clippy::cast_possible_truncation, reason = "fixtures are f32")]
fn floats(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap() as f32)
        .collect()
}

/// The largest difference from the reference over all texts.
fn distance(engine: &std::sync::Arc<Engine>, name: &str) -> f32 {
    distances(engine, name).1
}

/// The mean and the largest difference from the reference over all texts.
#[allow(clippy::cast_precision_loss, reason = "a few dozen numbers")]
fn distances(engine: &std::sync::Arc<Engine>, name: &str) -> (f32, f32) {
    let (mut sum, mut count) = (0.0f32, 0usize);
    let mut worst = 0.0f32;
    for text in expected(name) {
        let tokens = ids(&text["ids"]);
        let want = floats(&text["logprobs"]);
        let got = block_on(async {
            let session = engine.open(&[tokens.len()]).await.unwrap();
            let request = ScoreRequest {
                prompt: vec![tokens[0]],
                continuations: vec![tokens[1..].to_vec()],
            };
            engine.score(&session, request).await.unwrap().remove(0)
        });
        assert_eq!(got.len(), want.len());
        for (a, b) in got.iter().zip(&want) {
            sum += (a - b).abs();
            count += 1;
            worst = worst.max((a - b).abs());
        }
    }
    (sum / count as f32, worst)
}

#[test]
fn every_fixture_is_listed() {
    let root = fixture("");
    let mut found: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.path().join("expected.json").exists())
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut listed = ALL.map(String::from);
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn log_probabilities_agree() {
    for name in ALL {
        let worst = distance(&engine(name, Setup::default()), name);
        println!("{name}: largest difference {worst:.2e}");
        assert!(worst < TOLERANCE, "{name}: {worst}");
    }
}

/// The other profiles and storage types are approximations: these random models, whose numbers are far wilder than a
/// trained one's, stay within a stated distance on average.
#[test]
fn narrower_numbers_stay_close() {
    for (profile, kv, tolerance) in [
        (Profile::F32, KvType::F16, F16_MEAN_TOLERANCE),
        (Profile::F32, KvType::Bf16, BF16_MEAN_TOLERANCE),
        (Profile::Bf16, KvType::F16, BF16_MEAN_TOLERANCE),
        (Profile::Int8, KvType::F16, INT8_MEAN_TOLERANCE),
    ] {
        for name in ALL {
            let setup = Setup {
                profile,
                kv,
                ..Setup::default()
            };
            let (mean, worst) = distances(&engine(name, setup), name);
            let what = format!("{name} {} with {} pages", profile.name(), kv.name());
            println!("{what}: mean difference {mean:.5}, largest {worst:.4}");
            assert!(mean < tolerance, "{what}: {mean}");
        }
    }
}

#[test]
fn greedy_continuations_agree() {
    for name in ALL {
        let engine = engine(name, Setup::default());
        for text in expected(name) {
            let want = ids(&text["greedy"]);
            let prompt = ids(&text["ids"]);
            let got = block_on(async {
                let session = engine.open(&[prompt.len() + want.len()]).await.unwrap();
                let request = GenerateRequest {
                    prompt: prompt.clone(),
                    max_new_tokens: want.len(),
                    sampling: Sampling::greedy(),
                    grammar: None,
                    stop: Vec::new(),
                    draw: Stream::root(0),
                };
                engine.generate(&session, request).await.unwrap().tokens
            });
            assert_eq!(got, want, "{name}");
        }
    }
}

/// A description that is wrong in one field is far off: the fixtures can tell.
#[test]
fn flipping_any_field_fails_by_ten_times() {
    type Flip = (&'static str, &'static str, fn(&mut ModelSpec));
    let flips: [Flip; 10] = [
        ("llama3", "norm_eps", |s| s.norm_eps = 1e-2),
        ("llama3", "activation", |s| {
            s.activation = Activation::GeluTanh;
        }),
        ("llama-gelu", "activation", |s| {
            s.activation = Activation::Silu;
        }),
        ("llama3", "rope.theta", |s| s.rope.theta = 10_000.0),
        ("llama3", "rope.scaling", |s| {
            s.rope.scaling = RopeScaling::None;
        }),
        ("llama-linear", "rope.scaling", |s| {
            s.rope.scaling = RopeScaling::None;
        }),
        ("mistral-window", "windows", |s| s.windows.fill(None)),
        ("qwen2-window", "windows", |s| s.windows.fill(Some(12))),
        ("qwen2", "qkv_bias", |s| s.qkv_bias = false),
        ("llama-bias", "mlp_bias", |s| s.mlp_bias = false),
    ];
    for (name, field, flip) in flips {
        let worst = distance(&engine_with(name, Setup::default(), flip), name);
        println!("{name} with another {field}: {worst:.2e}");
        assert!(worst > 10.0 * TOLERANCE, "{name} {field}: {worst}");
    }
    let far = |name, change: fn(&mut ModelSpec)| {
        distance(&engine_with(name, Setup::default(), change), name)
    };
    assert!(far("llama-bias", |s| s.output_bias = false) > 10.0 * TOLERANCE);
    // Another grouping of heads needs other shapes and is refused while loading; see the weights' own tests.
}
