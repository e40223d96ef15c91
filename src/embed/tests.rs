use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::hub::CachePlaces;
use crate::metrics::semantic::Embed;
use crate::rng::Stream;

const NAMES: [&str; 3] = ["bert", "roberta", "distilbert"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/embed")
        .join(name)
}

/// What transformers computes; see `tests/embed/make_fixtures.py`.
#[derive(serde::Deserialize)]
struct Expected {
    texts: Vec<String>,
    #[serde(default)]
    ids: Vec<Vec<u32>>,
    /// Texts that were too long.
    #[serde(default)]
    cut: usize,
    #[serde(default)]
    rows: Vec<f32>,
    vectors: Vec<Vec<f32>>,
}

impl Expected {
    fn read(path: &Path) -> Self {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(String::as_str).collect()
    }
}

fn largest_difference(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let differences = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}

#[test]
fn tiny_encoders_compute_what_transformers_computes() {
    for name in NAMES {
        let expected = Expected::read(&fixture(name).join("expected.json"));
        let embedder = Embedder::load(&fixture(name), name, 2).unwrap();
        assert_eq!((embedder.dimensions(), embedder.most_tokens()), (16, 16));
        let ids = embedder.ids(&expected.texts()).unwrap();
        assert_eq!(ids, expected.ids, "{name}");
        assert_eq!(embedder.cut(), expected.cut, "{name}");
        let whole = 0..ids[0].len();
        let rows = embedder
            .encoder
            .forward(&ids[0], std::slice::from_ref(&whole), &embedder.cpu);
        let off = largest_difference(&rows, &expected.rows);
        assert!(off < 1e-5, "{name}: rows are off by {off}");
        let vectors = embedder.embed(&expected.texts()).unwrap();
        let off = largest_difference(&vectors.concat(), &expected.vectors.concat());
        assert!(off < 1e-5, "{name}: vectors are off by {off}");
    }
}

#[test]
fn a_vector_depends_on_its_text_alone() {
    let expected = Expected::read(&fixture("bert").join("expected.json"));
    let texts = expected.texts();
    let first = Embedder::load(&fixture("bert"), "bert", 1).unwrap();
    let vectors = first.embed(&texts).unwrap();
    for threads in [1, 3] {
        let embedder = Embedder::load(&fixture("bert"), "bert", threads).unwrap();
        for (text, vector) in texts.iter().zip(&vectors) {
            assert_eq!(embedder.embed(&[text]).unwrap()[0], *vector, "{text}");
        }
        // Enough for several steps of tokens and of texts, in another order.
        let many: Vec<&str> = texts.iter().rev().copied().cycle().take(700).collect();
        let found = embedder.embed(&many).unwrap();
        assert_eq!(found.len(), many.len());
        for (vector, wanted) in found.iter().zip(vectors.iter().rev().cycle()) {
            assert_eq!(vector, wanted);
        }
    }
    assert_eq!(first.embed(&[]).unwrap(), Vec::<Vec<f32>>::new());
}

/// A copy of a fixture that a test may spoil.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        for file in FILES {
            std::fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn change(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.path(file)).unwrap_or_else(|_| "{}".into());
        let mut value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        std::fs::write(self.path(file), value.to_string()).unwrap();
    }

    fn load(&self) -> Result<Embedder, LoadError> {
        Embedder::load(self.folder.path(), "copy", 1)
    }

    fn embed(&self, text: &str) -> Vec<f32> {
        self.load().unwrap().embed(&[text]).unwrap().remove(0)
    }

    /// Why it is no embedder.
    fn told(&self) -> String {
        let told = self.load().map(drop).expect_err("refused").to_string();
        assert!(told.len() < 1000, "{told}");
        told
    }
}

const FILES: [&str; 6] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

#[test]
fn what_is_no_embedder_is_told_in_one_message() {
    let mut told = Vec::new();
    let mut case = |file: &str, change: &dyn Fn(&mut Value), wanted: &[&str]| {
        let copy = Copy::of("bert");
        copy.change(file, change);
        let message = copy.told();
        for part in wanted {
            assert!(message.contains(part), "{part:?} in {message}");
        }
        told.push(message);
    };
    let config = "config.json";
    case(
        config,
        &|c| c["model_type"] = json!("llama"),
        &["\"llama\"", "expected bert, roberta", "hint: "],
    );
    case(
        config,
        &|c| c["model_type"] = json!(null),
        &["model_type null", "config.json"],
    );
    case(
        config,
        &|c| c["model_type"] = json!("x".repeat(9999)),
        &["model_type"],
    );
    case(config, &|c| *c = json!([1]), &["expected an object", "[1]"]);
    case(
        config,
        &|c| c["hidden_act"] = json!("mish"),
        &["hidden_act", "\"mish\"", "expected gelu"],
    );
    case(config, &|c| c["is_decoder"] = json!(true), &["is_decoder"]);
    case(
        config,
        &|c| c["position_embedding_type"] = json!("relative_key"),
        &["position_embedding_type", "absolute"],
    );
    case(
        config,
        &|c| c["num_attention_heads"] = json!(3),
        &["num_attention_heads", "divisor"],
    );
    case(
        config,
        &|c| c["hidden_size"] = json!(-1),
        &["hidden_size", "whole number", "-1"],
    );
    case(
        config,
        &|c| c["num_hidden_layers"] = json!(4_000_000),
        &["`encoder.layer.2.", "missing"],
    );
    case(
        config,
        &|c| c["layer_norm_eps"] = json!("no"),
        &["layer_norm_eps"],
    );
    case(
        config,
        &|c| c["vocab_size"] = json!(4_000_000),
        &["word_embeddings", "shape"],
    );
    case(
        config,
        &|c| c["vocab_size"] = json!(50),
        &["ids up to", "50"],
    );
    case(
        config,
        &|c| c["intermediate_size"] = json!(25),
        &["intermediate.dense", "shape"],
    );
    case(
        config,
        &|c| c["max_position_embeddings"] = json!(21),
        &["position_embeddings", "shape"],
    );
    case(
        "modules.json",
        &|m| *m = json!([]),
        &["modules.json", "expected a list"],
    );
    case(
        "modules.json",
        &|m| m[1]["type"] = json!("a.Dense"),
        &["module 1 is \"a.Dense\"", "expected Transformer"],
    );
    case(
        "modules.json",
        &|m| m[1]["path"] = json!("../other"),
        &["module 1: path", "beside it"],
    );
    case(
        "modules.json",
        &|m| m[0]["path"] = json!("none"),
        &["none", "no such folder"],
    );
    case(
        "1_Pooling/config.json",
        &|p| p["pooling_mode_lasttoken"] = json!(true),
        &["1_Pooling", "lasttoken", "cls, max, mean"],
    );
    case(
        "1_Pooling/config.json",
        &|p| p["pooling_mode"] = json!(["mean", "sum"]),
        &["\"sum\""],
    );
    case(
        "sentence_bert_config.json",
        &|s| s["max_seq_length"] = json!("long"),
        &["max_seq_length"],
    );
    case(
        "sentence_bert_config.json",
        &|s| s["max_seq_length"] = json!(2),
        &["2 tokens at most"],
    );
    case(
        "config_sentence_transformers.json",
        &|s| s["default_prompt_name"] = json!("q"),
        &["default_prompt_name", "\"q\""],
    );
    case(
        "tokenizer.json",
        &|t| t["post_processor"] = json!(null),
        &["tokenizer.json", "post_processor"],
    );
    case(
        "tokenizer.json",
        &|t| t["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([9999]),
        &["9999"],
    );
    case(
        "tokenizer.json",
        &|t| t["post_processor"]["single"] = json!([{"Sequence": {"id": "A", "type_id": 0}}]),
        &["0 tokens around"],
    );
    case(
        "tokenizer.json",
        &|t| t["model"] = json!(3),
        &["tokenizer.json"],
    );
    told.sort();
    told.dedup();
    assert!(told.len() > 20, "messages tell cases apart");

    for file in &FILES[..3] {
        let copy = Copy::of("bert");
        std::fs::remove_file(copy.path(file)).unwrap();
        assert!(copy.told().contains(file));
    }
    let copy = Copy::of("bert");
    let bytes = std::fs::read(copy.path("model.safetensors")).unwrap();
    std::fs::write(copy.path("model.safetensors"), &bytes[..bytes.len() - 9]).unwrap();
    assert!(copy.told().contains("not a whole safetensors file"));
    let mut lost = bytes.clone();
    lost[bytes.len() - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(copy.path("model.safetensors"), &lost).unwrap();
    assert!(copy.told().contains("NaN"));

    let find = |reference: &str| {
        let told = Embedder::find(reference, &CachePlaces::default(), 1);
        told.map(drop).expect_err("refused").to_string()
    };
    assert!(find("demo").contains("chat model"));
    assert!(find("org/name:Q4_K_M").contains("GGUF"));
    assert!(find("org/name").contains("no Hugging Face cache"));
    assert!(find("./no-such").contains("no such folder"));
    let chat = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    assert!(find(chat.to_str().unwrap()).contains("model_type"));
}

#[test]
fn variants_of_the_same_model_give_the_same_vector() {
    let text = "Please refund the lens";
    let vector = Copy::of("bert").embed(text);
    let same = |change: &dyn Fn(&Copy)| {
        let copy = Copy::of("bert");
        change(&copy);
        copy.embed(text) == vector
    };
    // What sentence-transformers assumes without its own files: the mean.
    assert!(same(&|copy| std::fs::remove_file(
        copy.path("modules.json")
    )
    .unwrap()));
    let bare = Copy::of("bert");
    assert!(!bare.load().unwrap().assumes_mean());
    std::fs::remove_file(bare.path("modules.json")).unwrap();
    assert!(bare.load().unwrap().assumes_mean());
    let file = "1_Pooling/config.json";
    assert!(same(
        &|copy| copy.change(file, |p| *p = json!({"pooling_mode": "mean"}))
    ));
    assert!(!same(
        &|copy| copy.change(file, |p| *p = json!({"pooling_mode": "cls"}))
    ));
    assert!(same(
        &|copy| copy.change("config.json", |c| c["hidden_act"] = json!(null))
    ));
    assert!(!same(
        &|copy| copy.change("config.json", |c| c["hidden_act"] = json!("gelu_new"))
    ));
    let prompt = |prompt: &str| {
        let value = json!({"prompts": {"q": prompt}, "default_prompt_name": "q"});
        same(&|copy| copy.change("config_sentence_transformers.json", |c| *c = value.clone()))
    };
    assert!(prompt("") && !prompt("query: "));
    // The encoder in a folder of its own, as the first versions wrote it.
    assert!(same(&|copy| {
        std::fs::create_dir(copy.path("0_BERT")).unwrap();
        for file in [&FILES[..3], &FILES[4..5]].concat() {
            std::fs::rename(copy.path(file), copy.path(&format!("0_BERT/{file}"))).unwrap();
        }
        copy.change("modules.json", |m| m[0]["path"] = json!("0_BERT"));
    }));
    // Several poolings lie one after the other.
    let copy = Copy::of("bert");
    copy.change(
        file,
        |p| *p = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}),
    );
    let both = copy.embed(text);
    assert_eq!(both.len(), 32);
    let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length(&both) - 1.0).abs() < 1e-6 && length(&both[16..]) < 0.99);
    let scale = length(&both[16..]);
    let mean: Vec<f32> = both[16..].iter().map(|x| x / scale).collect();
    assert!(largest_difference(&mean, &vector) < 1e-6);
}

/// Damaged files are refused, or read as something; the program does not stop.
#[test]
fn damaged_files_never_stop_the_program() {
    let draw = Stream::root(17).child("damage");
    let mut refused = 0;
    for (i, file) in FILES.iter().cycle().take(180).enumerate() {
        let copy = Copy::of(NAMES[i % 2]);
        let mut bytes = std::fs::read(copy.path(file)).unwrap();
        let own = draw.child(&i.to_string());
        for change in 0..4 {
            // The header of a weight file is where a byte matters.
            let within = bytes.len().min(3000);
            let at = own.below(2 * change, within);
            bytes[at] = u8::try_from(own.below(2 * change + 1, 256)).unwrap();
        }
        std::fs::write(copy.path(file), &bytes).unwrap();
        match copy.load() {
            Ok(embedder) => drop(embedder.embed(&["Where is it?", ""])),
            Err(error) => {
                assert!(error.to_string().len() < 2000);
                refused += 1;
            }
        }
    }
    assert!(refused > 90, "{refused}");
}

/// With a real model, against vectors of sentence-transformers: `tests/embed/compare.py` calls it.
#[test]
#[ignore = "needs a model: run tests/embed/compare.py"]
#[expect(clippy::cast_precision_loss, reason = "a report")]
fn a_real_model_computes_what_sentence_transformers_computes() {
    let place = |name: &str| PathBuf::from(std::env::var(name).expect(name));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let embedder = Embedder::load(&place("EMBEDDER"), "real", threads).unwrap();
    let expected = Expected::read(&place("VECTORS"));
    let texts = expected.texts();
    let vectors = embedder.embed(&texts).unwrap();
    let off = largest_difference(&vectors.concat(), &expected.vectors.concat());
    eprintln!("{} texts, largest difference {off:.2e}", texts.len());
    if !cfg!(debug_assertions) {
        let many = texts.iter().copied().cycle();
        let many: Vec<&str> = many.take(texts.len() * 20).collect();
        let ids: usize = embedder.ids(&many).unwrap().iter().map(Vec::len).sum();
        let start = std::time::Instant::now();
        assert_eq!(embedder.embed(&many).unwrap().len(), many.len());
        let seconds = start.elapsed().as_secs_f64();
        eprintln!(
            "{:.0} texts/s, {:.0} tokens/s on {threads} threads",
            many.len() as f64 / seconds,
            ids as f64 / seconds,
        );
    }
    assert!(off < 1e-5, "off by {off}");
}
