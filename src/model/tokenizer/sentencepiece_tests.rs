//! Small SentencePiece models of the shipped help pages, against what SentencePiece and the tokenizers library make of some
//! texts (`tests/tokenizers/make_fixtures.py`).

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::variant::Prefix;
use super::{Detokenizer, Tokenizer};
use crate::model::TokenId;

/// Every variant of both models: its name, itself, and what is expected of it.
fn variants() -> Vec<(String, Arc<Tokenizer>, Vec<Json>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers");
    let read = |name: &str| -> Json {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let goldens = read("goldens.json");
    let goldens = goldens.as_object().unwrap();
    let variant = |(name, golden): (&String, &Json)| {
        let mut json = read(&format!("{}.json", name.split('-').next().unwrap()));
        for (key, part) in golden["parts"].as_object().unwrap() {
            json[key] = part.clone();
        }
        let tokenizer = Tokenizer::from_bytes(json.to_string().as_bytes(), &[]).unwrap();
        let rows = golden["rows"].as_array().unwrap().clone();
        (name.clone(), Arc::new(tokenizer), rows)
    };
    goldens.iter().map(variant).collect()
}

fn ids_of(value: &Json) -> Vec<TokenId> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn texts_become_the_ids_of_the_reference() {
    let mut compared = 0;
    for (name, tokenizer, rows) in variants() {
        for row in rows {
            let text = row["text"].as_str().unwrap();
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(ids, ids_of(&row["ids"]), "{name} {text:?}");
            assert_eq!(
                tokenizer.decode(&ids).unwrap(),
                row["decoded"].as_str().unwrap(),
                "{name} {text:?}"
            );
            // Before a space of its own the library's Metaspace puts none, SentencePiece does.
            let spaced = name.starts_with("unigram") && text.starts_with([' ', '▁']);
            if !row["sentencepiece"].is_null() && !spaced {
                assert_eq!(ids, ids_of(&row["sentencepiece"]), "{name} {text:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

/// Prompts are tokenised stretch by stretch between control tokens.
#[test]
fn stretches_give_the_ids_of_the_whole() {
    for (name, tokenizer, rows) in variants() {
        for row in rows {
            let text = row["text"].as_str().unwrap();
            let mut ids = Vec::new();
            let mut at_start = true;
            for stretch in tokenizer.stretches(text) {
                match stretch {
                    Err(id) => ids.push(id),
                    Ok(stretch) => {
                        let spaced = match tokenizer.prefix() {
                            Prefix::Never => false,
                            Prefix::Start => at_start,
                            Prefix::EveryStretch => true,
                        };
                        ids.extend(if spaced {
                            tokenizer.encode_plain(stretch).unwrap()
                        } else {
                            tokenizer.encode_inner(stretch).unwrap()
                        });
                    }
                }
                at_start = false;
            }
            assert_eq!(ids, ids_of(&row["ids"]), "{name} {text:?}");
        }
    }
}

#[test]
fn text_that_appears_token_by_token_is_the_whole_text_at_every_token() {
    for (name, tokenizer, rows) in variants() {
        for row in rows {
            let text = row["text"].as_str().unwrap();
            let ids = tokenizer.encode_inner(text).unwrap();
            let prompt = tokenizer.encode("a").unwrap();
            let mut detokenizer = Detokenizer::new(Arc::clone(&tokenizer), &prompt);
            let mut shown = String::new();
            for (count, id) in ids.iter().enumerate() {
                shown.push_str(&detokenizer.push(*id));
                let bytes: Vec<u8> = ids[..=count]
                    .iter()
                    .flat_map(|id| tokenizer.bytes_of(*id).unwrap().to_vec())
                    .collect();
                // what is not shown yet is the beginning of a character
                let whole = String::from_utf8_lossy(&bytes);
                let held = whole.trim_end_matches('\u{FFFD}');
                assert_eq!(shown, held, "{name} {text:?} after {count}");
                let reply = tokenizer.reply_text(&prompt, &ids[..=count]);
                assert!(reply.starts_with(&shown), "{name} {text:?} after {count}");
            }
            shown.push_str(&detokenizer.finish());
            assert_eq!(
                shown,
                tokenizer.reply_text(&prompt, &ids),
                "{name} {text:?}"
            );
        }
    }
}

/// Pages and personas may spell control words out; models must not take them for marks.
#[test]
fn spelt_out_marks_are_words_in_every_variant() {
    for (name, tokenizer, rows) in variants() {
        for row in rows {
            let text = row["text"].as_str().unwrap();
            for ids in [
                tokenizer.encode_plain(text).unwrap(),
                tokenizer.encode_inner(text).unwrap(),
            ] {
                assert!(
                    !ids.iter().any(|id| tokenizer.is_control(*id)),
                    "{name} {text:?}: {ids:?}"
                );
                let said: Vec<u8> = ids
                    .iter()
                    .flat_map(|id| tokenizer.bytes_of(*id).unwrap().to_vec())
                    .collect();
                let said = String::from_utf8(said).unwrap();
                if !name.ends_with("nfc") && !name.ends_with("nfkc") {
                    let text = text.replace('▁', " ");
                    // At most the tokenizer's own space comes before.
                    assert!(
                        said == text || said.strip_prefix(' ') == Some(&text),
                        "{name}: {said:?} for {text:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn older_files_beside_the_tokenizer_name_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers/bpe.json");
    let path = folder.path().join("tokenizer.json");
    std::fs::copy(source, &path).unwrap();
    let load = || Tokenizer::load(&path, None);
    let plain = load().unwrap();
    assert!(!plain.is_control(plain.id("the").or(plain.id("▁the")).unwrap()));
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();

    write(
        "special_tokens_map.json",
        r#"{"eos_token": {"content": "▁the"}, "additional_special_tokens": ["▁to"]}"#,
    );
    let named = load().unwrap();
    for word in ["▁the", "▁to"] {
        assert!(named.is_control(named.id(word).unwrap()), "{word}");
    }

    let next = plain.size();
    write(
        "added_tokens.json",
        &format!(
            r#"{{"<two>": {}, "<one>": {next}, "<s>": {}}}"#,
            next + 1,
            plain.id("<s>").unwrap()
        ),
    );
    let added = load().unwrap();
    assert_eq!(added.size(), next + 2);
    let ids = added.encode("a<two>b").unwrap();
    assert!(
        ids.contains(&TokenId::try_from(next + 1).unwrap()),
        "{ids:?}"
    );
    write(
        "added_tokens.json",
        &format!(r#"{{"<far>": {}}}"#, next + 7),
    );
    let message = load().unwrap_err().to_string();
    assert!(
        message.contains("added_tokens.json") && message.contains("<far>"),
        "{message}"
    );
}
