//! Which of a repository's files a chat model or an embedder needs.

use std::collections::BTreeSet;

/// What is asked for of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The model as its makers publish it: safetensors with their configuration, tokenizer and template.
    Model,
    /// One GGUF file, by its path in the repository.
    File(String),
    /// The GGUF file of a quantization, as `Q4_K_M`.
    Quant(String),
}

/// The files to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Files(Vec<String>),
    /// Those, and the shards that this index among them names.
    Sharded(Vec<String>),
}

/// The index of weights in several files.
pub const INDEX: &str = "model.safetensors.index.json";
const ONE: &str = "model.safetensors";
const GGUF: &str = ".gguf";
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
const USED: [&str; 3] = [
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
];
/// What sentence-transformers writes beside an encoder, and reads its vectors by.
const MODULES: &str = "modules.json";
const EMBEDDER: [&str; 3] = [
    MODULES,
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
];
/// How the folder of the module ends that makes one vector of many, as `1_Pooling`.
const POOLING: &str = "_Pooling/config.json";

/// Chooses among the files of a repository.
///
/// # Errors
/// What is missing, and what there is instead.
pub fn choose(names: &[String], ask: &Ask) -> Result<Wanted, String> {
    let has = |name: &str| names.iter().any(|other| other == name);
    match ask {
        Ask::File(file) if has(file) => Ok(Wanted::Files(parts_of(names, file))),
        Ask::File(file) => Err(format!("it has no file {file}{}", ggufs(names))),
        Ask::Quant(quant) => of_quant(names, quant),
        Ask::Model => {
            let mut missing: Vec<&str> = NEEDED.into_iter().filter(|name| !has(name)).collect();
            if !has(USED[0]) && !has(USED[1]) && !has(MODULES) {
                missing.push("a chat template (chat_template.jinja, or tokenizer_config.json)");
            }
            let weights = if has(ONE) {
                Some(ONE)
            } else {
                Some(INDEX).filter(|index| has(index))
            };
            let Some(weights) = weights else {
                return Err(instead(names));
            };
            if !missing.is_empty() {
                return Err(format!("it lacks {}", missing.join(", ")));
            }
            let small = NEEDED.into_iter().chain(USED).filter(|name| has(name));
            let files = small.chain(of_embedder(names)).chain([weights]);
            let files = files.map(ToOwned::to_owned).collect();
            Ok(if weights == INDEX {
                Wanted::Sharded(files)
            } else {
                Wanted::Files(files)
            })
        }
    }
}

/// What an embedder is read by beside its encoder; none where it is not one.
fn of_embedder(names: &[String]) -> impl Iterator<Item = &str> {
    let is_one = names.iter().any(|name| name == MODULES);
    let wanted = move |name: &&str| {
        let pooling = name.strip_suffix(POOLING);
        is_one && (EMBEDDER.contains(name) || pooling.is_some_and(|rest| !rest.contains('/')))
    };
    names.iter().map(String::as_str).filter(wanted)
}

/// What a repository without safetensors holds.
fn instead(names: &[String]) -> String {
    let any = |ending: &str| names.iter().any(|name| name.ends_with(ending));
    if any(GGUF) {
        format!("it has no safetensors{}", ggufs(names))
    } else if names.iter().any(|name| name == "adapter_config.json") {
        "it is an adapter (LoRA), which must be merged into its base model first".into()
    } else if any(".bin") || any(".pt") || any(".pth") {
        "it has pickled PyTorch weights only, which are not read".into()
    } else {
        format!("it has neither {ONE} nor {INDEX}")
    }
}

/// The GGUF files there are, for a message.
fn ggufs(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let all: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| name.ends_with(GGUF))
        .collect();
    let more = match all.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if all.is_empty() {
        return String::new();
    }
    let shown = &all[..all.len().min(SHOWN)];
    format!("; its GGUF files are {}{more}", shown.join(", "))
}

fn of_quant(names: &[String], quant: &str) -> Result<Wanted, String> {
    let wanted = quant.to_ascii_lowercase();
    let is = |name: &&String| {
        let lower = name.to_ascii_lowercase();
        let Some(stem) = lower.strip_suffix(GGUF) else {
            return false;
        };
        let stem = split(stem).map_or(stem, |(stem, _, _)| stem);
        stem.strip_suffix(&wanted)
            .is_some_and(|rest| rest.ends_with(['-', '.', '_', '/']))
    };
    let found: BTreeSet<Vec<String>> = names
        .iter()
        .filter(is)
        .map(|name| parts_of(names, name))
        .collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(files), None) => Ok(Wanted::Files(files)),
        (None, _) => Err(format!("it has no {quant}{}", ggufs(names))),
        (Some(one), Some(other)) => Err(format!(
            "{} and {} are both {quant}; name the file",
            one[0], other[0]
        )),
    }
}

/// All parts of a GGUF file that is split, in order; itself where it is whole.
fn parts_of(names: &[String], file: &str) -> Vec<String> {
    let of = |name: &str| {
        let stem = name.strip_suffix(GGUF)?;
        split(stem).map(|(stem, _, count)| (stem.to_owned(), count.to_owned()))
    };
    let Some(whole) = of(file) else {
        return vec![file.to_owned()];
    };
    let mut parts: Vec<String> = names
        .iter()
        .filter(|name| of(name).is_some_and(|other| other == whole))
        .cloned()
        .collect();
    parts.sort_unstable();
    parts
}

/// `stem-00002-of-00003` taken apart.
fn split(stem: &str) -> Option<(&str, &str, &str)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    (digits(count) && digits(number)).then_some((name, number, count))
}

/// The shards that an index names.
///
/// # Errors
/// Where it is no index, or a name in it is no file beside it.
pub fn shards(index: &[u8]) -> Result<BTreeSet<String>, String> {
    let index: serde_json::Value =
        serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let map = index["weight_map"]
        .as_object()
        .filter(|map| !map.is_empty())
        .ok_or("weight_map: expected an object of tensor names and files")?;
    map.iter()
        .map(|(tensor, file)| match file.as_str() {
            Some(file) if super::layout::stays_inside(file) && !file.contains('/') => {
                Ok(file.to_owned())
            }
            _ => Err(format!(
                "weight_map.{tensor}: expected the name of a file beside the index, found {file}"
            )),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    const WHOLE: [&str; 8] = [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "onnx/model.onnx",
        "pytorch_model.bin",
        "tokenizer.json",
        "tokenizer_config.json",
    ];

    #[test]
    fn only_what_is_needed_is_wanted() {
        let wanted = choose(&names(&WHOLE), &Ask::Model).unwrap();
        assert_eq!(
            wanted,
            Wanted::Files(names(&[
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "generation_config.json",
                "model.safetensors",
            ]))
        );
        let mut sharded = names(&WHOLE);
        sharded[3] = INDEX.into();
        assert!(
            matches!(choose(&sharded, &Ask::Model), Ok(Wanted::Sharded(files)) if files.last().unwrap() == INDEX)
        );
    }

    #[test]
    fn an_embedder_comes_with_its_pooling() {
        let mut list = names(&WHOLE);
        list.extend(names(&[
            "1_Pooling/config.json",
            "1_Pooling/other.bin",
            "2_Normalize/config.json",
            "onnx/1_Pooling/config.json",
            "sentence_bert_config.json",
        ]));
        // Without modules.json nothing leads to them.
        assert_eq!(
            choose(&list, &Ask::Model),
            choose(&names(&WHOLE), &Ask::Model)
        );
        list.extend(names(&["modules.json"]));
        list.retain(|name| name != "tokenizer_config.json");
        let wanted = names(&[
            "config.json",
            "tokenizer.json",
            "generation_config.json",
            "1_Pooling/config.json",
            "sentence_bert_config.json",
            "modules.json",
            "model.safetensors",
        ]);
        assert_eq!(choose(&list, &Ask::Model), Ok(Wanted::Files(wanted)));
    }

    #[test]
    fn what_is_there_instead_is_said() {
        for (list, says) in [
            (
                &["config.json", "model.safetensors"][..],
                "tokenizer.json, a chat template",
            ),
            (
                &["a-Q4_K_M.gguf", "a-Q8_0.gguf"],
                "a-Q4_K_M.gguf, a-Q8_0.gguf",
            ),
            (
                &["adapter_config.json", "adapter_model.safetensors"],
                "LoRA",
            ),
            (&["config.json", "pytorch_model.bin"], "pickled"),
            (&["README.md"], "neither model.safetensors"),
        ] {
            let told = choose(&names(list), &Ask::Model).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }

    #[test]
    fn gguf_files_are_found_by_name_and_quantization() {
        let list = names(&[
            "m-q4_k_m.gguf",
            "m-IQ4_K_M.gguf",
            "m.Q8_0.gguf",
            "BF16/m-BF16-00002-of-00002.gguf",
            "BF16/m-BF16-00001-of-00002.gguf",
            "x-F16.gguf",
            "y-F16.gguf",
        ]);
        let get = |ask| choose(&list, &ask);
        let quant = |name: &str| get(Ask::Quant(name.into()));
        assert_eq!(
            quant("Q4_K_M"),
            Ok(Wanted::Files(names(&["m-q4_k_m.gguf"])))
        );
        assert_eq!(quant("q8_0"), Ok(Wanted::Files(names(&["m.Q8_0.gguf"]))));
        let parts = Wanted::Files(names(&[
            "BF16/m-BF16-00001-of-00002.gguf",
            "BF16/m-BF16-00002-of-00002.gguf",
        ]));
        assert_eq!(quant("BF16"), Ok(parts.clone()));
        assert_eq!(
            get(Ask::File("BF16/m-BF16-00001-of-00002.gguf".into())),
            Ok(parts)
        );
        assert!(quant("F16").unwrap_err().contains("name the file"));
        assert!(quant("Q2_K").unwrap_err().contains("m-q4_k_m.gguf"));
        assert!(
            get(Ask::File("n.gguf".into()))
                .unwrap_err()
                .contains("m.Q8_0.gguf")
        );
    }

    #[test]
    fn an_index_names_files_beside_it() {
        let good = br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(shards(good).unwrap().len(), 2);
        for bad in [
            &br#"{"weight_map": {"a": "../x"}}"#[..],
            br#"{"weight_map": {"a": "/etc/passwd"}}"#,
            br#"{"weight_map": {"a": "sub/x"}}"#,
            br#"{"weight_map": {"a": 3}}"#,
            br#"{"weight_map": {}}"#,
            b"[]",
            b"{",
        ] {
            assert!(shards(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
