//! Where a model's folder keeps its chat templates and the names of its special tokens.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::TemplateError;
use crate::brief::brief;

/// What is read of a folder.
pub(super) struct TemplateFiles {
    /// The template for conversations.
    pub(super) source: String,
    /// Those for other purposes, by name.
    pub(super) others: BTreeMap<String, String>,
    /// `bos_token` and its kin.
    pub(super) special_tokens: BTreeMap<String, String>,
}

const DEFAULT: &str = "default";

impl TemplateFiles {
    pub(super) fn read(folder: &Path) -> Result<Self, TemplateError> {
        let config = json(&folder.join("tokenizer_config.json"))?;
        let mut special_tokens = special_tokens(&json(&folder.join("special_tokens_map.json"))?);
        special_tokens.extend(self::special_tokens(&config));

        let own_file = read_optional(&folder.join("chat_template.jinja"))?;
        let mut named: BTreeMap<_, _> = own_file
            .map(|source| (DEFAULT.to_owned(), source))
            .into_iter()
            .collect();
        if named.is_empty() {
            named = templates(&folder.join("tokenizer_config.json"), &config)?;
        }
        if named.is_empty() {
            let path = folder.join("chat_template.json");
            named = templates(&path, &json(&path)?)?;
        }
        named.extend(additional(&folder.join("additional_chat_templates"))?);
        let source = named
            .remove(DEFAULT)
            .ok_or_else(|| TemplateError::Missing {
                folder: folder.to_owned(),
            })?;
        Ok(Self {
            source,
            others: named,
            special_tokens,
        })
    }
}

/// A file that may be absent; `Null` then.
fn json(path: &Path) -> Result<Json, TemplateError> {
    match read_optional(path)? {
        None => Ok(Json::Null),
        Some(text) => serde_json::from_str(&text).map_err(|error| TemplateError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

fn read_optional(path: &Path) -> Result<Option<String>, TemplateError> {
    match crate::fsio::read_text(path, crate::fsio::SMALL_BYTES) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TemplateError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// The key `chat_template`: a text, or a list of named texts of which one is `default` or the only one.
fn templates(path: &Path, config: &Json) -> Result<BTreeMap<String, String>, TemplateError> {
    let malformed = |reason: String| TemplateError::Malformed {
        path: path.to_owned(),
        reason,
    };
    match &config["chat_template"] {
        Json::Null => Ok(BTreeMap::new()),
        Json::String(source) => Ok(BTreeMap::from([(DEFAULT.to_owned(), source.clone())])),
        Json::Array(entries) => {
            let pair = |entry: &Json| {
                let (name, source) = (entry["name"].as_str()?, entry["template"].as_str()?);
                Some((name.to_owned(), source.to_owned()))
            };
            let mut named: BTreeMap<String, String> = entries.iter().filter_map(pair).collect();
            if named.len() == 1
                && let Some((_, only)) = named.pop_first()
            {
                named.insert(DEFAULT.to_owned(), only);
            }
            if named.contains_key(DEFAULT) {
                return Ok(named);
            }
            let names: Vec<_> = named.into_keys().collect();
            Err(malformed(format!(
                "chat_template: expected a template named `default` among [{}]",
                brief(names.join(", "))
            )))
        }
        other => Err(malformed(format!(
            "chat_template: expected a text or a list of named texts, found {}",
            brief(other)
        ))),
    }
}

/// `additional_chat_templates/tool_use.jinja` and its like.
fn additional(folder: &Path) -> Result<BTreeMap<String, String>, TemplateError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => {
            return Err(TemplateError::Read {
                path: folder.to_owned(),
                reason: error.to_string(),
            });
        }
    };
    let mut named = BTreeMap::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_stem().and_then(|stem| stem.to_str());
        if let (Some(name), Some("jinja")) = (name, path.extension().and_then(|e| e.to_str()))
            && let Some(source) = read_optional(&path)?
        {
            named.insert(name.to_owned(), source);
        }
    }
    Ok(named)
}

/// `bos_token`, `eos_token`, …: plain texts, or objects with `content`.
fn special_tokens(config: &Json) -> BTreeMap<String, String> {
    let entries = config
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.ends_with("_token"));
    let content = |value: &Json| {
        let text = value.as_str().or_else(|| value["content"].as_str())?;
        Some(text.to_owned())
    };
    entries
        .filter_map(|(key, value)| Some((key.clone(), content(value)?)))
        .collect()
}
