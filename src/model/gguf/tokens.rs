use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::split::Splitting;
use super::vocabulary::{Purpose, Vocabulary};
use super::{Arch, Gguf, GgufError};
use crate::brief::brief;

const MODEL: &str = "tokenizer.ggml.model";
const SPLITTING: &str = "tokenizer.ggml.pre";
const MERGES: &str = "tokenizer.ggml.merges";
/// Merges at most, twice as many as the largest published vocabularies have.
const MOST_MERGES: usize = 1 << 20;

/// What the tokenizer's files of a Hugging Face folder say.
pub(in crate::model) struct TokenizerFiles {
    /// `tokenizer.json`.
    pub(in crate::model) tokenizer: Json,
    /// `bos_token` and its kin, of `tokenizer_config.json`.
    pub(in crate::model) named: BTreeMap<String, String>,
    pub(in crate::model) chat_template: Option<String>,
    /// `generation_config.json`: ends of a reply, and how the model is best sampled.
    pub(in crate::model) generation: Json,
}

/// Reads everything about text out of the metadata.
///
/// # Errors
/// Names the key that is missing, malformed, or of a kind that is not supported.
pub(in crate::model) fn tokenizer_files(
    gguf: &Gguf,
    arch: Arch,
) -> Result<TokenizerFiles, GgufError> {
    let vocabulary = Vocabulary::read(gguf)?;
    let model = gguf
        .text(MODEL)?
        .ok_or_else(|| gguf.wrong(MODEL, "is missing"))?;
    let tokenizer = match model {
        "gpt2" => byte_level(gguf, &vocabulary)?,
        "llama" => pieces(gguf, arch, &vocabulary)?,
        other => {
            return Err(GgufError::Unsupported {
                path: gguf.path().to_owned(),
                what: format!(
                    "`{MODEL}` is {:?}; supported are gpt2 (byte-level BPE) and llama (SentencePiece)",
                    brief(other)
                ),
            });
        }
    };
    let id = |name: &str| {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let id = gguf.uint(&key)?;
        // an id that no token has says that there is none
        Ok(id
            .and_then(|id| usize::try_from(id).ok())
            .filter(|id| *id < vocabulary.len()))
    };
    let mut named = BTreeMap::new();
    for (name, key) in [
        ("bos_token", "bos"),
        ("eos_token", "eos"),
        ("unk_token", "unknown"),
        ("pad_token", "padding"),
    ] {
        if let Some(id) = id(key)? {
            named.insert(name.to_owned(), vocabulary.names[id].clone());
        }
    }
    let mut generation = Map::new();
    let mut ends = Vec::new();
    for key in ["eos", "eot", "eom"] {
        ends.extend(id(key)?);
    }
    ends.dedup();
    generation.insert("eos_token_id".into(), json!(ends));
    for (name, key) in [
        ("temperature", "temp"),
        ("top_p", "top_p"),
        ("min_p", "min_p"),
        ("repetition_penalty", "penalty_repeat"),
    ] {
        if let Some(number) = gguf.float(&format!("general.sampling.{key}"))? {
            generation.insert(name.into(), number.into());
        }
    }
    if let Some(k) = gguf.uint("general.sampling.top_k")? {
        generation.insert("top_k".into(), k.into());
    }
    Ok(TokenizerFiles {
        tokenizer,
        named,
        chat_template: gguf.text("tokenizer.chat_template")?.map(str::to_owned),
        generation: Json::Object(generation),
    })
}

/// Tokens that are found in a text before it is cut: control tokens and those that were added by hand.
///
/// `swallows`: Phi-3's take the white space after them, which the file does not say.
fn added(vocabulary: &Vocabulary, swallows: bool) -> Vec<Json> {
    let tokens = vocabulary
        .names
        .iter()
        .zip(&vocabulary.purposes)
        .enumerate();
    tokens
        .filter_map(|(id, (name, purpose))| {
            let special = match purpose {
                Purpose::Control | Purpose::Unknown => true,
                Purpose::UserDefined => false,
                _ => return None,
            };
            let rstrip = swallows && !matches!(name.as_str(), "<unk>" | "<s>" | "<|endoftext|>");
            Some(json!({"id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": rstrip, "normalized": false, "special": special}))
        })
        .collect()
}

fn ids(vocabulary: &Vocabulary) -> Map<String, Json> {
    let names = vocabulary.names.iter().enumerate();
    names.map(|(id, name)| (name.clone(), id.into())).collect()
}

fn byte_level(gguf: &Gguf, vocabulary: &Vocabulary) -> Result<Json, GgufError> {
    let name = gguf.text(SPLITTING)?.unwrap_or("default");
    let splitting = Splitting::named(name).ok_or_else(|| GgufError::Unsupported {
        path: gguf.path().to_owned(),
        what: format!(
            "`{SPLITTING}` is {:?}, a way to split text that is not known",
            brief(name)
        ),
    })?;
    let list = gguf
        .array(MERGES)?
        .ok_or_else(|| gguf.wrong(MERGES, "is missing"))?;
    if list.len() > MOST_MERGES {
        return Err(too_many(gguf, MERGES));
    }
    let mut merges = Vec::with_capacity(list.len());
    for (i, merge) in list.iter().enumerate() {
        let text = merge.and_then(super::Value::text);
        // the first character is part of the left side, whatever it is
        let cut = text.and_then(|text| {
            let first = text.chars().next()?.len_utf8();
            let space = first + text[first..].find(' ')?;
            Some((&text[..space], &text[space + 1..]))
        });
        let (left, right) =
            cut.ok_or_else(|| gguf.wrong(MERGES, format!("holds no two texts at {i}")))?;
        let known = |name: &str| vocabulary.ids.contains_key(name);
        if !(known(left) && known(right) && known(&format!("{left}{right}"))) {
            return Err(gguf.wrong(
                MERGES,
                format!(
                    "merges {:?} and {:?} at {i}, which are not all in the vocabulary",
                    brief(left),
                    brief(right)
                ),
            ));
        }
        merges.push(json!([left, right]));
    }
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    Ok(json!({
        "version": "1.0",
        "added_tokens": added(vocabulary, false),
        "normalizer": if splitting.composes { json!({"type": "NFC"}) } else { Json::Null },
        "pre_tokenizer": splitting.pre_tokenizer(),
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": ids(vocabulary),
            "merges": merges,
            "ignore_merges": splitting.whole_pieces,
        },
    }))
}

fn too_many(gguf: &Gguf, key: &str) -> GgufError {
    gguf.wrong(key, format!("makes more than {MOST_MERGES} merges"))
}

/// SentencePiece's BPE: of all neighbours whose union is a piece, those with the highest score are joined first. The same as
/// merges in the order of the scores of what comes of them.
fn pieces(gguf: &Gguf, arch: Arch, vocabulary: &Vocabulary) -> Result<Json, GgufError> {
    let prefix = gguf
        .flag("tokenizer.ggml.add_space_prefix")?
        .unwrap_or(true);
    if gguf
        .flag("tokenizer.ggml.remove_extra_whitespaces")?
        .unwrap_or(false)
    {
        return Err(GgufError::Unsupported {
            path: gguf.path().to_owned(),
            what: "`tokenizer.ggml.remove_extra_whitespaces` is true, which is not supported"
                .into(),
        });
    }
    let joins = |id: usize| {
        matches!(
            vocabulary.purposes[id],
            Purpose::Normal | Purpose::UserDefined
        )
    };
    let mut merges = Vec::new();
    for (id, name) in vocabulary.names.iter().enumerate() {
        if !joins(id) {
            continue;
        }
        let cuts = name.char_indices().skip(1).map(|(at, _)| name.split_at(at));
        for (left, right) in cuts {
            if let (Some(l), Some(r)) = (vocabulary.ids.get(left), vocabulary.ids.get(right))
                && joins(*l)
                && joins(*r)
            {
                merges.push((id, *l, *r));
            }
        }
        if merges.len() > MOST_MERGES {
            return Err(too_many(gguf, "tokenizer.ggml.tokens"));
        }
    }
    let score = |id: usize| vocabulary.scores[id];
    merges.sort_by(|a, b| score(b.0).total_cmp(&score(a.0)).then(a.cmp(b)));
    let names = &vocabulary.names;
    let merges: Vec<Json> = merges
        .into_iter()
        .map(|(_, left, right)| json!([names[left], names[right]]))
        .collect();
    let unknown = vocabulary
        .purposes
        .iter()
        .position(|purpose| *purpose == Purpose::Unknown);
    let replace = |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
    let (mut normalizers, mut decoders) = (Vec::new(), vec![replace("▁", " ")]);
    decoders.extend([json!({"type": "ByteFallback"}), json!({"type": "Fuse"})]);
    if prefix {
        normalizers.push(json!({"type": "Prepend", "prepend": "▁"}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    normalizers.push(replace(" ", "▁"));
    Ok(json!({
        "version": "1.0",
        "added_tokens": added(vocabulary, arch == Arch::Phi3),
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "unk_token": unknown.map(|id| &names[id]),
            "fuse_unk": true,
            "byte_fallback": true,
            "vocab": ids(vocabulary),
            "merges": merges,
        },
    }))
}
