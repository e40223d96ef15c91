//! What can be learnt of a model from the command line: its facts, and how likely it finds a text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::fs;

use program::{Place, model_folder, without_template};

#[test]
fn the_demo_model_is_shown() {
    let place = Place::new();
    let facts = place.ok(&["models", "show", "demo", "--json"]).json();
    assert_eq!(facts["family"], "llama");
    assert_eq!(facts["disk"]["dtype"], "BF16");
    assert_eq!(facts["demo"], true);
    assert!(facts["parameters"].as_u64().unwrap() > 1_000_000);
    assert_eq!(facts["tokenizer"]["kind"], "byte-level BPE");
    assert_eq!(facts["prompt_pack"], "compact");
    let text = place.ok(&["models", "show", "demo"]).out;
    assert!(
        text.contains("has a system role") && text.contains("per 1,000 tokens"),
        "{text}"
    );

    // A folder without a manifest says what it does not know.
    let folder = model_folder(&place, "model", |_, bytes| Some(bytes));
    let facts = place.ok(&["models", "show", &folder, "--json"]).json();
    assert_eq!(
        (&facts["licence"], &facts["output_terms"]),
        (&"UNKNOWN".into(), &"UNKNOWN".into())
    );
    assert_eq!(
        (&facts["prompt_pack"], &facts["demo"]),
        (&"full".into(), &false.into())
    );
    let base = model_folder(&place, "base", without_template);
    let text = place.ok(&["models", "show", &base]).out;
    assert!(text.contains("none, so it cannot chat"), "{text}");
}

#[test]
fn a_gguf_file_is_shown_as_a_folder_is() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gguf/blocks-of-256.gguf");
    let facts = place.ok(&["models", "show", file, "--json"]).json();
    assert_eq!(facts["family"], "llama");
    assert_eq!(facts["disk"]["format"], "gguf");
    let types = facts["disk"]["dtype"].as_str().unwrap();
    assert!(
        types.contains("Q6_K ") && types.contains("Q2_K "),
        "{types}"
    );
    assert_eq!(facts["tokenizer"]["kind"], "byte-level BPE");
    assert_eq!(facts["template"]["system"], "supported");
    assert_eq!(facts["end_tokens"][0]["text"], "<|im_end|>");
    let text = place.ok(&["models", "show", file]).out;
    assert!(text.contains("GGUF: Q6_K "), "{text}");
    place.write("hello.txt", "hello the order");
    let scored = place.ok(&[
        "score",
        "--model",
        file,
        "--text-file",
        "hello.txt",
        "--json",
    ]);
    assert!(scored.json()["tokens"].as_array().unwrap().len() > 1);
}

#[test]
fn texts_are_scored() {
    let place = Place::new();
    let text = "How long do I have? £5 <|end|> ünï\n";
    place.write("text.txt", text);
    let scored = place
        .ok(&[
            "score",
            "--model",
            "demo",
            "--text-file",
            "text.txt",
            "--json",
        ])
        .json();
    let tokens = scored["tokens"].as_array().unwrap();
    let joined: String = tokens
        .iter()
        .map(|token| token["text"].as_str().unwrap())
        .collect();
    assert_eq!(joined, text);
    assert!(tokens[0]["logprob"].is_null());
    let scores: Vec<f64> = tokens[1..]
        .iter()
        .map(|token| token["logprob"].as_f64().unwrap())
        .collect();
    assert!(scores.iter().all(|score| *score < 0.0));
    // `<|end|>` is words here, not the token that ends a reply.
    assert!(tokens.iter().all(|token| token["id"] != 1), "{tokens:?}");
    let count = f64::from(u32::try_from(scores.len()).unwrap());
    let perplexity = (-scores.iter().sum::<f64>() / count).exp();
    assert!((scored["perplexity"].as_f64().unwrap() / perplexity - 1.0).abs() < 1e-5);

    // A base model scores as well.
    let base = model_folder(&place, "base", without_template);
    let same = place.ok(&[
        "score",
        "--model",
        &base,
        "--quant",
        "none",
        "--text-file",
        "text.txt",
        "--json",
    ]);
    assert_eq!(same.json(), scored);
    let table = place.ok(&["score", "--model", "demo", "--text-file", "text.txt"]);
    assert!(table.out.contains("perplexity"), "{}", table.out);

    place.write("one.txt", "H");
    let one = place.ok(&[
        "score",
        "--model",
        "demo",
        "--text-file",
        "one.txt",
        "--json",
    ]);
    assert!(one.json()["perplexity"].is_null(), "{}", one.out);
    place.write("empty.txt", "");
    place.write("long.txt", &text.repeat(200));
    fs::write(place.path("bytes.txt"), b"ab\xff").unwrap();
    for (file, code, says) in [
        ("empty.txt", 65, "is empty"),
        ("long.txt", 65, "the model's context holds 2,048"),
        ("bytes.txt", 65, "not UTF-8 at byte 2"),
        ("none.txt", 66, "cannot read"),
    ] {
        let told = place.fails(&["score", "--model", "demo", "--text-file", file], code);
        assert!(told.contains(says) && told.contains(file), "{told}");
    }
}
