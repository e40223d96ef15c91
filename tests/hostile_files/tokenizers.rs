//! `tokenizer.json` and the names that `tokenizer_config.json` gives.

use serde_json::{Value, json};

use super::room::Folder;

fn folder(change: impl FnOnce(&mut Value)) -> Folder {
    let folder = Folder::new();
    folder.edit("tokenizer.json", change);
    folder
}

fn added(id: u64, content: &str) -> Value {
    json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().unwrap().push(value);
}

#[test]
fn ids_beyond_the_model() {
    for id in [6144, 1 << 20, 4_000_000_000, u64::from(u32::MAX)] {
        folder(|t| t["model"]["vocab"]["zzzz"] = id.into()).refused(&["tokenizer"]);
        folder(|t| push(&mut t["added_tokens"], added(id, "<|odd|>"))).refused(&["tokenizer"]);
    }
    for id in [json!(1_u64 << 32), json!(-1), json!(1.5), json!("1")] {
        folder(|t| t["model"]["vocab"]["zzzz"] = id).refused(&["tokenizer.json"]);
    }
}

#[test]
fn ids_that_are_given_twice() {
    any(
        &folder(|t| t["model"]["vocab"]["zzzz"] = 17.into()),
        "a word",
    );
    any(
        &folder(|t| push(&mut t["added_tokens"], added(2, "<|odd|>"))),
        "a control token",
    );
}

#[test]
fn merges_of_unknown_tokens() {
    folder(|t| push(&mut t["model"]["merges"], json!(["qqqq", "zzzz"])))
        .refused(&["tokenizer.json", "out of vocabulary"]);
    folder(|t| push(&mut t["model"]["merges"], json!("a"))).refused(&["tokenizer.json"]);
    folder(|t| push(&mut t["model"]["merges"], json!([]))).refused(&["tokenizer.json"]);
    folder(|t| t["model"]["merges"] = json!(3)).refused(&["tokenizer.json"]);
}

/// The library takes a prefix off by its length alone: off a shorter text, or off half a letter.
#[test]
fn merges_that_lack_the_prefix_of_what_continues() {
    for (prefix, token) in [
        ("##", "b"),
        ("##", "bcd"),
        ("#", "é"),
        ("##", "\u{20AC}"),
        ("\u{20AC}", "éa"),
    ] {
        for merge in [json!(["a", token]), json!(format!("a {token}"))] {
            let folder = folder(|t| {
                t["model"] = json!({"type": "BPE", "vocab": {"a": 0, token: 1}, "merges": [merge]});
                t["model"]["continuing_subword_prefix"] = prefix.into();
            });
            folder.refused(&[
                "tokenizer.json",
                "model.merges",
                "continuing_subword_prefix",
            ]);
        }
    }
    folder(|t| t["model"]["continuing_subword_prefix"] = "##".into())
        .refused(&["tokenizer.json", "model.merges"]);
}

/// A step at every letter for each of a thousand million times.
#[test]
fn patterns_that_count_far() {
    for pattern in ["(?:(?=)){1000000000}", "((a{1,400}){400})(?!b){400}"] {
        let step = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        folder(|t| push(&mut t["pre_tokenizer"]["pretokenizers"], step)).refused(&[
            "tokenizer.json",
            "pre_tokenizer",
            "counts",
        ]);
    }
}

/// The library knows steps without a type, and steps as lists; they are bounded as others are.
#[test]
fn steps_in_other_words() {
    let prepend = "e".repeat(1 << 20);
    for step in [
        json!({"pattern": {"Regex": "e|"}, "content": "e".repeat(1000)}),
        json!([{"Regex": "e|"}, "e".repeat(1000)]),
        json!({"prepend": prepend}),
        json!({"type": "Sequence", "decoders": [], "normalizers": [{"type": "Prepend", "prepend": prepend}]}),
        json!({"type": "Replace", "normalizers": [], "pattern": {"String": "e"}, "content": "e".repeat(1000)}),
    ] {
        folder(|t| t["normalizer"] = step).refused(&["tokenizer.json"]);
    }
}

/// The text again and again, after it is cut into tokens.
#[test]
fn post_processors_repeat_nothing() {
    let folder = folder(|t| {
        let piece = json!({"Sequence": {"id": "A", "type_id": 0}});
        t["post_processor"] = json!({"type": "TemplateProcessing", "single": vec![piece; 100_000], "pair": [], "special_tokens": {}});
    });
    assert_eq!(folder.read(), Ok(()));
}

#[test]
fn tokens_of_no_length() {
    let read = folder(|t| push(&mut t["added_tokens"], added(6143, ""))).read();
    assert!(read.is_ok() || read.unwrap_err().contains("tokenizer.json"));
    let read = folder(|t| t["model"]["vocab"][""] = 6143.into()).read();
    assert!(read.is_ok() || read.unwrap_err().contains("tokenizer.json"));
    folder(|t| t["model"]["vocab"] = json!({})).refused(&["tokenizer.json"]);
}

/// Read or refused: what matters is that it ends, in short.
fn any(folder: &Folder, what: &str) {
    let read = folder.read();
    assert!(
        read.is_ok() || read.as_ref().is_err_and(|told| told.len() < 1000),
        "{what}: {read:?}"
    );
}

#[test]
fn control_tokens_of_any_kind() {
    for content in [
        "",
        " ",
        "a",
        "\0",
        "<|end|>",
        "<|",
        "\u{E000}",
        &"e".repeat(1 << 20),
    ] {
        any(
            &folder(|t| t["added_tokens"][1]["content"] = content.into()),
            content,
        );
        for flag in ["lstrip", "rstrip", "single_word", "normalized"] {
            let odd = folder(|t| {
                t["added_tokens"][1]["content"] = content.into();
                t["added_tokens"][1][flag] = true.into();
            });
            any(&odd, flag);
        }
    }
    for value in [
        json!(""),
        json!(3),
        json!({"content": ""}),
        json!({"content": [1]}),
        json!("x".repeat(1 << 20)),
    ] {
        let folder = Folder::new();
        folder.edit("tokenizer_config.json", |config| {
            for key in ["eos_token", "bos_token", "unk_token", "odd_token"] {
                config[key] = value.clone();
            }
        });
        any(&folder, "a name");
    }
}

#[test]
fn a_huge_vocabulary() {
    folder(|t| {
        let vocab = t["model"]["vocab"].as_object_mut().unwrap();
        for i in 0..300_000 {
            vocab.insert(format!("token {i}"), (5000 + i).into());
        }
    })
    .refused(&["ids up to", "embeddings for 6144"]);
    folder(|t| t["model"]["vocab"]["x".repeat(1 << 20)] = 6143.into())
        .read()
        .unwrap();
}

/// Each step makes a text longer by a factor: together by more than any memory holds.
#[test]
fn normalizers_that_make_texts_grow() {
    let double = json!({"type": "Replace", "pattern": {"String": "e"}, "content": "ee"});
    for (steps, content) in [(40, 2), (4, 1 << 14), (1, 1 << 24)] {
        let mut step = double.clone();
        step["content"] = "e".repeat(content).into();
        folder(|t| t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![step; steps]}))
            .refused(&["tokenizer.json"]);
    }
    let double = json!({"type": "Replace", "pattern": {"Regex": "e|"}, "content": "ee"});
    folder(|t| t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![double; 40]}))
        .refused(&["tokenizer.json"]);
    let prepend = json!({"type": "Prepend", "prepend": "e".repeat(1 << 20)});
    folder(|t| t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![prepend; 48]}))
        .refused(&["tokenizer.json"]);
}

#[test]
fn decoders_that_make_texts_grow() {
    let double = json!({"type": "Replace", "pattern": {"String": "e"}, "content": "ee"});
    folder(|t| t["decoder"] = json!({"type": "Sequence", "decoders": vec![double; 40]}))
        .refused(&["tokenizer.json"]);
}

#[test]
fn patterns_that_take_for_ever() {
    for pattern in [
        "(a|aa)+$",
        "(.*)*x",
        "((((((((((a{100}){100}){100}){100}){100}){100}){100}){100}){100}){100})",
        "(?=(.*)*x)(.*)*y\\1",
        &"(".repeat(100_000),
    ] {
        let step = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let read = folder(|t| push(&mut t["pre_tokenizer"]["pretokenizers"], step)).read();
        assert!(
            read.is_ok() || read.as_ref().unwrap_err().len() < 1000,
            "{pattern:.40}: {read:?}"
        );
    }
}

#[test]
fn parts_of_any_kind() {
    for (part, value) in [
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        ),
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
        ),
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": ""}),
        ),
        // a trie of no node; one whose root leads outside
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "AAAAAGEA"}),
        ),
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAECAwRhAA=="}),
        ),
        ("pre_tokenizer", json!({"type": "FixedLength", "length": 0})),
        (
            "pre_tokenizer",
            json!({"type": "Metaspace", "replacement": "", "prepend_scheme": "always"}),
        ),
        (
            "decoder",
            json!({"type": "Strip", "content": "a", "start": 1_000_000_000, "stop": u64::MAX}),
        ),
        (
            "decoder",
            json!({"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": true}),
        ),
        (
            "decoder",
            json!({"type": "WordPiece", "prefix": "", "cleanup": true}),
        ),
        (
            "post_processor",
            json!({"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}),
        ),
        (
            "truncation",
            json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 9}),
        ),
        (
            "padding",
            json!({"strategy": {"Fixed": 1_000_000_000_000_u64}, "direction": "Right", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": ""}),
        ),
        (
            "model",
            json!({"type": "Unigram", "unk_id": 99, "vocab": [["a", 0.0]], "byte_fallback": false}),
        ),
        (
            "model",
            json!({"type": "Unigram", "unk_id": null, "vocab": [["a", 0.0]], "byte_fallback": true}),
        ),
        (
            "model",
            json!({"type": "WordLevel", "unk_token": "?", "vocab": {"a": 0}}),
        ),
        (
            "model",
            json!({"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "", "max_input_chars_per_word": 0, "vocab": {"a": 0}}),
        ),
        (
            "model",
            json!({"type": "BPE", "unk_token": "?", "vocab": {"a": 0}, "merges": []}),
        ),
        (
            "model",
            json!({"type": "BPE", "dropout": 1e300, "vocab": {"a": 0}, "merges": []}),
        ),
        (
            "model",
            json!({"type": "BPE", "continuing_subword_prefix": "éé", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}),
        ),
    ] {
        let read = folder(|t| t[part] = value.clone()).read();
        assert!(
            read.is_ok() || read.as_ref().unwrap_err().len() < 1000,
            "{part} {value}: {read:?}"
        );
    }
}
