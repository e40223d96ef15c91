//! Texts to token ids, with what stands around a text and no more of it than the model reads.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::LoadError;
use super::config::{object, wrong};
use crate::brief::brief;
use crate::fsio;
use crate::hub::SideFiles;
use crate::model::TokenId;
use crate::model::tokenizer::{Tokenizer, TokenizerError};

/// The longest `tokenizer.json`.
const MOST_BYTES: u64 = 128 << 20;
/// Tokens around a text; published models have one on each side.
const MOST_AROUND: usize = 16;

pub(super) struct Tokens {
    tokenizer: Tokenizer,
    before: Vec<TokenId>,
    after: Vec<TokenId>,
    /// With what stands around it.
    pub most: usize,
    lowercase: bool,
    prompt: String,
}

/// The part of a `tokenizer.json` that says what stands around a text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    post_processor: Value,
}

impl Tokens {
    /// Reads the tokenizer; `most_tokens` is what sentence-transformers' own file says, `longest` what the model has positions
    /// for, and `rows` the size of its vocabulary.
    pub(super) fn read(
        side: &SideFiles,
        most_tokens: Option<usize>,
        longest: usize,
        rows: usize,
    ) -> Result<Self, LoadError> {
        let path = &side.tokenizer;
        let tokenizer = Tokenizer::load(path, side.tokenizer_config.as_deref())?;
        tokenizer.check_rows(rows)?;
        let (before, after) = around(path, tokenizer.size())?;
        let said = match (most_tokens, &side.tokenizer_config) {
            (Some(most), _) => Some(most),
            (None, Some(path)) => model_max_length(&object(path)?),
            (None, None) => None,
        };
        let most = said.unwrap_or(longest).min(longest);
        if most <= before.len() + after.len() {
            return Err(wrong(
                path,
                format!(
                    "the model reads {most} tokens at most, and {} stand around every text",
                    before.len() + after.len()
                ),
            ));
        }
        Ok(Self {
            tokenizer,
            before,
            after,
            most,
            lowercase: false,
            prompt: String::new(),
        })
    }

    /// What happens to every text before it is read as tokens.
    pub(super) fn with(self, lowercase: bool, prompt: String) -> Self {
        Self {
            lowercase,
            prompt,
            ..self
        }
    }

    /// The ids of a text, and whether it was cut.
    pub(super) fn of(&self, text: &str) -> Result<(Vec<TokenId>, bool), TokenizerError> {
        let prepared;
        let text = if self.lowercase || !self.prompt.is_empty() {
            let all = format!("{}{text}", self.prompt);
            prepared = if self.lowercase {
                all.to_lowercase()
            } else {
                all
            };
            &prepared
        } else {
            text
        };
        let own = self.tokenizer.encode(text)?;
        let room = self.most - self.before.len() - self.after.len();
        let kept = own.len().min(room);
        let ids = [&self.before[..], &own[..kept], &self.after].concat();
        Ok((ids, kept < own.len()))
    }
}

/// `model_max_length`, where it is a length: tokenizers without one say a number beyond all integers.
fn model_max_length(config: &Value) -> Option<usize> {
    let most = config["model_max_length"].as_u64()?;
    usize::try_from(most).ok().filter(|most| *most > 0)
}

/// The ids before and after every text.
fn around(path: &Path, size: usize) -> Result<(Vec<TokenId>, Vec<TokenId>), LoadError> {
    let malformed = |reason: String| wrong(path, format!("post_processor: {reason}"));
    let bytes =
        fsio::read_bytes(path, MOST_BYTES).map_err(|error| wrong(path, error.to_string()))?;
    let file: File = serde_json::from_slice(&bytes).map_err(|error| wrong(path, brief(error)))?;
    let (before, after) = match steps(&file.post_processor)[..] {
        [step] => match step["type"].as_str() {
            Some("TemplateProcessing") => template(step),
            Some("BertProcessing" | "RobertaProcessing") => {
                let id = |key: &str| id(&step[key][1]).map(|id| vec![id]);
                id("cls").zip(id("sep"))
            }
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| {
        malformed("expected a TemplateProcessing, BertProcessing or RobertaProcessing that puts tokens around one text".into())
    })?;
    let all = || before.iter().chain(&after);
    if all().count() == 0 || all().count() > MOST_AROUND {
        return Err(malformed(format!(
            "it puts {} tokens around a text; expected 1 to {MOST_AROUND}",
            all().count()
        )));
    }
    if let Some(id) = all().find(|id| **id as usize >= size) {
        return Err(malformed(format!("{id} is the id of no token")));
    }
    Ok((before, after))
}

/// The steps that put tokens anywhere.
fn steps(processor: &Value) -> Vec<&Value> {
    match processor["type"].as_str() {
        Some("Sequence") => {
            let steps = processor["processors"].as_array();
            let steps = steps.into_iter().flatten();
            steps.filter(|step| step["type"] != "ByteLevel").collect()
        }
        _ => vec![processor],
    }
}

fn id(value: &Value) -> Option<TokenId> {
    value.as_u64().and_then(|id| TokenId::try_from(id).ok())
}

fn template(step: &Value) -> Option<(Vec<TokenId>, Vec<TokenId>)> {
    let (mut before, mut after, mut texts) = (Vec::new(), Vec::new(), 0);
    for piece in step["single"].as_array()? {
        let token = &piece["SpecialToken"];
        if token.is_null() {
            (piece["Sequence"]["id"] == "A").then_some(())?;
            texts += 1;
            continue;
        }
        (token["type_id"].as_u64() == Some(0)).then_some(())?;
        let known = &step["special_tokens"][token["id"].as_str()?];
        let side = if texts == 0 { &mut before } else { &mut after };
        for value in known["ids"].as_array()?.iter().take(MOST_AROUND + 1) {
            side.push(id(value)?);
        }
    }
    (texts == 1).then_some((before, after))
}
