//! Small tokenizers of each kind, written here so that tests need no downloaded file.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use super::Tokenizer;
use super::bytes::letters_of_bytes;

pub(crate) const TURN_MARKS: [&str; 6] = [
    "<|im_start|>",
    "<|im_end|>",
    "<s>",
    "</s>",
    "<|user|>",
    "<|assistant|>",
];
const WORDS: [&str; 10] = [
    "the",
    "hello",
    "user",
    "order",
    "assistant",
    "system",
    "kettle",
    "is",
    "late",
    "123",
];

fn added(from: usize, rstrip: bool) -> Vec<Json> {
    let token = |(index, name): (usize, &&str)| json!({"id": from + index, "content": name, "single_word": false, "lstrip": false, "rstrip": rstrip, "normalized": false, "special": true});
    TURN_MARKS.iter().enumerate().map(token).collect()
}

/// Adds a word's prefixes to a BPE vocabulary.
fn learn(word: &str, vocab: &mut Map<String, Json>, merges: &mut Vec<String>) {
    let mut left = String::new();
    for c in word.chars() {
        if !left.is_empty() {
            let merged = format!("{left}{c}");
            if !vocab.contains_key(&merged) {
                merges.push(format!("{left} {c}"));
                vocab.insert(merged, vocab.len().into());
            }
        }
        left.push(c);
    }
}

fn build(mut json: Json, truncated: bool) -> Tokenizer {
    json["version"] = "1.0".into();
    if truncated {
        json["truncation"] =
            json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    }
    Tokenizer::from_bytes(json.to_string().as_bytes(), &[]).unwrap()
}

/// Like GPT-2, SmolLM2 and Qwen: bytes as letters, control tokens after the vocabulary. Also a plain added word, `<think>`.
pub(crate) fn byte_level() -> Tokenizer {
    let mut vocab = Map::new();
    for letter in letters_of_bytes() {
        vocab.insert(letter.to_string(), vocab.len().into());
    }
    let mut merges = Vec::new();
    for word in WORDS {
        learn(word, &mut vocab, &mut merges);
        learn(&format!("Ġ{word}"), &mut vocab, &mut merges);
    }
    let mut tokens = added(vocab.len(), false);
    tokens.push(json!({"id": vocab.len() + tokens.len(), "content": "<think>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}));
    let json = json!({
        "added_tokens": tokens,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
    });
    build(json, true)
}

/// Where the SentencePiece-like kind puts its space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Llama 2 and Phi-3: a `Prepend` normalizer.
    Prepend,
    /// Mistral's newer files: `Metaspace` at the start only.
    First,
    /// No space.
    Never,
}

/// Like Llama 2: pieces with `▁`, unknown characters as bytes. `rstrip` lets control tokens swallow what follows, as Phi-3's do.
pub(crate) fn pieces(space: Space, rstrip: bool) -> Tokenizer {
    let mut vocab = Map::new();
    vocab.insert("<unk>".to_owned(), 0.into());
    for byte in 0..=255 {
        vocab.insert(format!("<0x{byte:02X}>"), vocab.len().into());
    }
    for c in
        "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?<>|_/'\"-é".chars()
    {
        vocab.insert(c.to_string(), vocab.len().into());
    }
    let mut merges = Vec::new();
    for word in WORDS {
        learn(&format!("▁{word}"), &mut vocab, &mut merges);
        learn(word, &mut vocab, &mut merges);
    }
    learn("▁▁", &mut vocab, &mut merges);
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let metaspace = |scheme: &str| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
    let (normalizer, pre_tokenizer) = match space {
        Space::Prepend => (
            json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]}),
            Json::Null,
        ),
        Space::First => (Json::Null, metaspace("first")),
        Space::Never => (Json::Null, metaspace("never")),
    };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if space != Space::Never {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let json = json!({
        "added_tokens": added(vocab.len(), rstrip),
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": merges},
    });
    build(json, false)
}

/// Like T5 and XLM-R: a unigram model whose own vocabulary holds the control tokens.
pub(crate) fn unigram() -> Tokenizer {
    let mut vocab = vec![("<unk>".to_owned(), 0.0)];
    vocab.extend(TURN_MARKS.map(|name| (name.to_owned(), 0.0)));
    vocab.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), -20.0)));
    vocab.extend(
        "▁abcdefghijklmnopqrstuvwxyz<>|_/.!?"
            .chars()
            .map(|c| (c.to_string(), -8.0)),
    );
    for (word, score) in WORDS.into_iter().zip(1..) {
        vocab.push((word.to_owned(), -6.0 - f64::from(score) / 10.0));
        vocab.push((format!("▁{word}"), -5.0 - f64::from(score) / 10.0));
    }
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let json = json!({
        "added_tokens": added(1, false),
        "pre_tokenizer": metaspace,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, metaspace]},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": true},
    });
    build(json, false)
}

/// A decoder without a byte per piece.
pub(crate) fn word_pieces() -> Tokenizer {
    let mut vocab = Map::new();
    for token in [
        "[UNK]", "hello", "order", "##s", "the", "late", "a", "##b", ".",
    ] {
        vocab.insert(token.to_owned(), vocab.len().into());
    }
    let json = json!({
        "added_tokens": added(vocab.len(), false),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": false},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab},
    });
    build(json, false)
}

/// Every kind whose tokens have bytes.
pub(crate) fn all() -> Vec<(&'static str, Tokenizer)> {
    vec![
        ("byte level", byte_level()),
        ("pieces, prepend", pieces(Space::Prepend, false)),
        ("pieces, prepend, rstrip", pieces(Space::Prepend, true)),
        ("pieces, first", pieces(Space::First, false)),
        ("pieces, never", pieces(Space::Never, false)),
        ("unigram", unigram()),
    ]
}

/// Tokenizers of published models, where a copy lies beside the project.
pub(crate) fn published() -> Vec<(String, Tokenizer)> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/assets/tokenizers"));
    let Some(folder) = folders.into_iter().find(|folder| folder.is_dir()) else {
        return Vec::new();
    };
    let load = |name: &str| {
        let path: PathBuf = folder.join(name).with_added_extension("json");
        path.is_file()
            .then(|| (name.to_owned(), Tokenizer::load(&path, None).unwrap()))
    };
    ["smollm2", "phi-3-mini", "granite-7b"]
        .into_iter()
        .filter_map(load)
        .collect()
}
