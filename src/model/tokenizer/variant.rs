use std::collections::HashMap;

use serde_json::Value as Json;
use tokenizers::{AddedVocabulary, Tokenizer};

use crate::model::TokenId;

/// Where a tokenizer puts a space before text that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Never,
    /// At the very start of a text.
    Start,
    /// At the start and after every token that was added to the vocabulary by hand.
    EveryStretch,
}

/// Reads the rule off the normalizer and the pre-tokenizer.
pub(super) fn prefix_of(tokenizer: &Tokenizer) -> Prefix {
    let (normalizer, pre_tokenizer) = parts(tokenizer);
    // Tokens that are looked for in normalised text only do not begin it anew.
    let added = tokenizer.get_added_tokens_decoder();
    let found_late = !added.is_empty() && added.values().all(|token| token.normalized);
    let steps = flat(&normalizer).into_iter().chain(flat(&pre_tokenizer));
    let rules = steps.map(|step| match step["type"].as_str() {
        Some("Prepend") if found_late => Prefix::Start,
        Some("Prepend") => Prefix::EveryStretch,
        Some("Metaspace") if step["prepend_scheme"] == "always" => Prefix::EveryStretch,
        Some("Metaspace") if step["prepend_scheme"] == "first" => Prefix::Start,
        Some("ByteLevel") if step["add_prefix_space"] == true => Prefix::EveryStretch,
        _ => Prefix::Never,
    });
    rules.fold(Prefix::Never, |a, b| match (a, b) {
        (Prefix::EveryStretch, _) | (_, Prefix::EveryStretch) => Prefix::EveryStretch,
        (Prefix::Start, _) | (_, Prefix::Start) => Prefix::Start,
        (Prefix::Never, Prefix::Never) => Prefix::Never,
    })
}

/// The same tokenizer, but blind to control tokens and, where asked, without the space before a text.
#[derive(Debug)]
pub(super) struct Variant {
    tokenizer: Tokenizer,
    /// Hand-added tokens get new ids in the changed vocabulary; these are the true ones.
    true_ids: HashMap<TokenId, TokenId>,
}

impl Variant {
    pub(super) fn new(
        main: &Tokenizer,
        control: impl Fn(TokenId) -> bool,
        prefix: bool,
    ) -> Result<Self, tokenizers::Error> {
        let mut tokenizer = main.clone();
        if !prefix {
            let (normalizer, pre_tokenizer) = parts(main);
            let normalizer: Option<tokenizers::NormalizerWrapper> =
                serde_json::from_value(without_prefix(normalizer))?;
            let pre_tokenizer: Option<tokenizers::PreTokenizerWrapper> =
                serde_json::from_value(without_prefix(pre_tokenizer))?;
            tokenizer.with_normalizer(normalizer)?;
            tokenizer.with_pre_tokenizer(pre_tokenizer);
        }
        tokenizer.with_added_vocabulary(AddedVocabulary::new());
        let mut added: Vec<_> = main
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(id, _)| !control(*id))
            .collect();
        added.sort_unstable_by_key(|(id, _)| *id);
        tokenizer.add_tokens(added.iter().map(|(_, token)| token.clone()))?;
        let true_ids = added
            .into_iter()
            .filter_map(|(id, token)| Some((tokenizer.token_to_id(&token.content)?, id)))
            .collect();
        Ok(Self {
            tokenizer,
            true_ids,
        })
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<TokenId>, tokenizers::Error> {
        let encoding = self.tokenizer.encode_fast(text, false)?;
        Ok(encoding
            .get_ids()
            .iter()
            .map(|id| self.true_ids.get(id).copied().unwrap_or(*id))
            .collect())
    }
}

fn parts(tokenizer: &Tokenizer) -> (Json, Json) {
    let json = |part: Result<Json, _>| part.unwrap_or(Json::Null);
    (
        json(serde_json::to_value(tokenizer.get_normalizer())),
        json(serde_json::to_value(tokenizer.get_pre_tokenizer())),
    )
}

/// The steps of a sequence, or the one step there is.
pub(super) fn flat(part: &Json) -> Vec<&Json> {
    match ["normalizers", "pretokenizers", "decoders"]
        .iter()
        .find_map(|key| part[*key].as_array())
    {
        Some(steps) => steps.iter().flat_map(flat).collect(),
        None => vec![part],
    }
}

fn without_prefix(mut part: Json) -> Json {
    for key in ["normalizers", "pretokenizers"] {
        if let Some(steps) = part.get_mut(key).and_then(Json::as_array_mut) {
            let changed = steps
                .drain(..)
                .map(without_prefix)
                .filter(|step| !step.is_null())
                .collect();
            *steps = changed;
        }
    }
    match part["type"].as_str() {
        Some("Prepend") => return Json::Null,
        Some("Metaspace") => part["prepend_scheme"] = "never".into(),
        Some("ByteLevel") if part.get("add_prefix_space").is_some() => {
            part["add_prefix_space"] = false.into();
        }
        _ => {}
    }
    part
}
