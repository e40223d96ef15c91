use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;
use toktrie::TokEnv;

use super::bytes::TokenBytes;
use super::detokenizer::Detokenizer;
use super::growth;
use super::soundness;
use super::trie;
use super::variant::{Prefix, Variant, prefix_of};
use crate::brief::brief;
use crate::fsio;
use crate::model::TokenId;

/// What can go wrong with a tokenizer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenizerError {
    #[error("cannot read {}: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error(
        "the tokenizer has ids up to {highest}, but the model has embeddings for {rows} only; tokenizer and weights do not belong together"
    )]
    Rows { highest: TokenId, rows: usize },
    #[error("cannot tokenise {text:?}: {reason}")]
    Encode { text: String, reason: String },
    #[error(
        "this kind of tokenizer (decoder {decoder}) gives no bytes per token, which grammars need"
    )]
    NoBytes { decoder: String },
    #[error(
        "no end token is known; expected eos_token_id in generation_config.json or config.json, or a chat template that ends its turns with a token"
    )]
    NoEnd,
}

/// The longest file; the largest vocabularies published take a quarter of it.
const MOST_BYTES: u64 = 128 << 20;
/// Ids stay below; the largest vocabularies published use a sixteenth of it. Tables have a place for each id.
const MOST_IDS: TokenId = 1 << 22;

/// A tokenizer as published, read-only and shared by threads.
pub struct Tokenizer {
    main: tokenizers::Tokenizer,
    size: usize,
    /// Per id: it steers the model (turn marks, begin, end) and must never come out of a content.
    control: Vec<bool>,
    /// The id, and its name, that stands for characters without a token.
    unknown: Option<(TokenId, String)>,
    bytes: Option<TokenBytes>,
    decoder: Json,
    prefix: Prefix,
    /// Blind to control tokens; made when first needed, since it doubles the vocabulary's memory.
    plain: OnceLock<Variant>,
    /// Like `plain`, and for text that continues a text.
    inner: OnceLock<Variant>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("size", &self.size)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json`, and from `tokenizer_config.json`, where given, which tokens have a name (`eos_token`, …).
    ///
    /// # Errors
    /// When a file cannot be read or is no tokenizer.
    pub fn load(path: &Path, config: Option<&Path>) -> Result<Self, TokenizerError> {
        let read = |path: &Path| {
            fsio::read_bytes(path, MOST_BYTES).map_err(|error| TokenizerError::Read {
                path: path.to_owned(),
                reason: error.to_string(),
            })
        };
        let malformed = |path: &Path, reason: String| TokenizerError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let json = |path: &Path| -> Result<Json, TokenizerError> {
            serde_json::from_slice(&read(path)?).map_err(|error| malformed(path, error.to_string()))
        };
        // Older models keep names and added words in files of their own, beside it.
        let beside = |name: &str| Some(path.with_file_name(name)).filter(|path| path.is_file());
        let map = beside("special_tokens_map.json");
        let mut named = Vec::new();
        for config in config.into_iter().chain(map.as_deref()) {
            named.extend(named_tokens(&json(config)?));
        }
        let mut added = Vec::new();
        let added_path = beside("added_tokens.json");
        if let Some(path) = &added_path {
            let entries = json(path)?;
            let id = |id: &Json| id.as_u64().and_then(|id| TokenId::try_from(id).ok());
            for (token, value) in entries.as_object().into_iter().flatten() {
                let id = id(value)
                    .ok_or_else(|| malformed(path, format!("{token:?}: expected an id")))?;
                added.push((id, token.clone()));
            }
        }
        added.sort_unstable();
        Self::build(&read(path)?, &named, &added)
            .map_err(|reason| malformed(added_path.as_deref().unwrap_or(path), reason))
    }

    /// Builds from the text of a `tokenizer.json`; `named` are further control tokens.
    pub(crate) fn from_bytes(json: &[u8], named: &[String]) -> Result<Self, String> {
        Self::build(json, named, &[])
    }

    /// `added` are words with their ids, ascending; those that the vocabulary lacks join it at its end.
    fn build(json: &[u8], named: &[String], added: &[(TokenId, String)]) -> Result<Self, String> {
        soundness::check(json)?;
        growth::check(json)?;
        let mut main =
            growth::stopped(|| tokenizers::Tokenizer::from_bytes(json))?.map_err(brief)?;
        // It would only add tokens that chat templates add, and could repeat a text as often as it likes.
        main.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        for (id, token) in added {
            if main.token_to_id(token).is_some() {
                continue;
            }
            let word = tokenizers::AddedToken::from(token.clone(), false).normalized(false);
            main.add_tokens([word]).map_err(|error| error.to_string())?;
            if main.token_to_id(token) != Some(*id) {
                return Err(format!(
                    "{token:?} has the id {id}, which does not follow the vocabulary"
                ));
            }
        }
        main.with_truncation(None)
            .map_err(|error| error.to_string())?;
        main.with_padding(None);
        let vocabulary = main.get_vocab(true);
        let highest = vocabulary.values().max().ok_or("the vocabulary is empty")?;
        if *highest >= MOST_IDS {
            return Err(format!(
                "it gives a token the id {highest}; expected ids below {MOST_IDS}"
            ));
        }
        let size = *highest as usize + 1;
        let added = main.get_added_tokens_decoder();
        let mut control = vec![false; size];
        for (id, token) in &added {
            if let Some(flag) = control.get_mut(*id as usize) {
                *flag = token.special || steers(&token.content);
            }
        }
        for name in named {
            if let Some(flag) = main
                .token_to_id(name)
                .and_then(|id| control.get_mut(id as usize))
            {
                *flag = true;
            }
        }
        let decoder =
            serde_json::to_value(main.get_decoder()).map_err(|error| error.to_string())?;
        let bytes = TokenBytes::new(&decoder, size, |id| {
            Some((main.id_to_token(id)?, added.contains_key(&id)))
        });
        let prefix = prefix_of(&main);
        let unknown = unknown_token(&main);
        Ok(Self {
            main,
            size,
            control,
            unknown,
            bytes,
            decoder,
            prefix,
            plain: OnceLock::new(),
            inner: OnceLock::new(),
        })
    }

    /// The highest id plus one.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Refuses a model with fewer embedding rows than ids. More rows are common (padding); their ids are to be masked.
    ///
    /// # Errors
    /// [`TokenizerError::Rows`].
    pub fn check_rows(&self, rows: usize) -> Result<(), TokenizerError> {
        if self.size > rows {
            let highest = TokenId::try_from(self.size - 1).unwrap_or(TokenId::MAX);
            return Err(TokenizerError::Rows { highest, rows });
        }
        Ok(())
    }

    /// The id of a token by its name in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<TokenId> {
        self.main.token_to_id(token)
    }

    /// The name of a token in the vocabulary; not its text.
    #[must_use]
    pub fn name(&self, id: TokenId) -> Option<String> {
        self.main.id_to_token(id)
    }

    /// Whether a token steers the model instead of being text.
    #[must_use]
    pub fn is_control(&self, id: TokenId) -> bool {
        self.control.get(id as usize).copied().unwrap_or(true)
    }

    /// All control tokens, ascending.
    pub fn control_ids(&self) -> impl Iterator<Item = TokenId> {
        (0..)
            .zip(&self.control)
            .filter(|(_, control)| **control)
            .map(|(id, _)| id)
    }

    /// Where this tokenizer puts a space of its own.
    pub(crate) fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Tokenises a rendered prompt: control tokens in the text are recognised, none is added.
    ///
    /// # Errors
    /// When the model of the tokenizer has no token for a character.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        let encoding = self
            .main
            .encode_fast(text, false)
            .map_err(|error| unencodable(text, &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokenises a text in which `<|im_end|>` and its kin are plain words.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_plain(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        let ids = self.encode(text)?;
        if !self.spells_control(text, &ids) {
            return Ok(ids);
        }
        let variant = self
            .variant(&self.plain, true)
            .map_err(|error| unencodable(text, &error))?;
        self.encode_blind(variant, text)
    }

    /// As [`Tokenizer::encode_plain`], for a text that continues another one: no space is put before it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_inner(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        if self.prefix == Prefix::Never {
            return self.encode_plain(text);
        }
        let variant = self
            .variant(&self.inner, false)
            .map_err(|error| unencodable(text, &error))?;
        self.encode_blind(variant, text)
    }

    fn variant<'a>(
        &self,
        cell: &'a OnceLock<Variant>,
        prefix: bool,
    ) -> Result<&'a Variant, tokenizers::Error> {
        if let Some(variant) = cell.get() {
            return Ok(variant);
        }
        let made = Variant::new(&self.main, |id| self.is_control(id), prefix)?;
        Ok(cell.get_or_init(|| made))
    }

    fn encode_blind(&self, variant: &Variant, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        let encode = |text: &str| {
            variant
                .encode(text)
                .map_err(|error| unencodable(text, &error))
        };
        let ids = encode(text)?;
        if !self.spells_control(text, &ids) {
            return Ok(ids);
        }
        // a vocabulary whose model itself knows the name of a control token: one character alone never spells it
        let mut chars = text.char_indices();
        let second = chars.by_ref().nth(1).map_or(text.len(), |(at, _)| at);
        let mut ids = encode(&text[..second])?;
        let inner = if self.prefix == Prefix::Never {
            variant
        } else {
            self.variant(&self.inner, false)
                .map_err(|error| unencodable(text, &error))?
        };
        for c in text[second..].chars() {
            ids.extend(
                inner
                    .encode(c.encode_utf8(&mut [0; 4]))
                    .map_err(|error| unencodable(text, &error))?,
            );
        }
        Ok(ids)
    }

    /// Whether ids of a text hold a control token. The unknown token counts only where its name is spelled out; else it
    /// is a character without a token.
    fn spells_control(&self, text: &str, ids: &[TokenId]) -> bool {
        let harmless = self
            .unknown
            .as_ref()
            .filter(|(_, name)| !text.contains(name))
            .map(|(id, _)| *id);
        ids.iter()
            .any(|id| self.is_control(*id) && Some(*id) != harmless)
    }

    /// The stretches of a text between control tokens, in order: `Ok(text)` or `Err(control id)`. A control token that
    /// swallows white space around it does so here.
    pub(crate) fn stretches<'a>(&self, text: &'a str) -> Vec<Result<&'a str, TokenId>> {
        let split = self
            .main
            .get_added_vocabulary()
            .extract_and_normalize(self.main.get_normalizer(), text);
        let splits = split.get_splits(
            tokenizers::OffsetReferential::Original,
            tokenizers::OffsetType::Byte,
        );
        let mut stretches = Vec::new();
        let mut from = 0;
        for (_, (start, end), tokens) in splits {
            let Some([token]) = tokens.as_deref() else {
                continue;
            };
            if !self.is_control(token.id) {
                continue;
            }
            if start > from {
                stretches.push(Ok(&text[from..start]));
            }
            stretches.push(Err(token.id));
            from = end;
        }
        if from < text.len() {
            stretches.push(Ok(&text[from..]));
        }
        stretches
    }

    /// Byte ranges of control tokens spelled out in a text.
    pub(crate) fn control_spans(&self, text: &str) -> Vec<(usize, usize)> {
        let split = self
            .main
            .get_added_vocabulary()
            .extract_and_normalize(self.main.get_normalizer(), text);
        let splits = split.get_splits(
            tokenizers::OffsetReferential::Original,
            tokenizers::OffsetType::Byte,
        );
        let found = splits.into_iter().filter(|(_, _, tokens)| matches!(tokens.as_deref(), Some([token]) if self.is_control(token.id)));
        found.map(|(_, span, _)| span).collect()
    }

    /// The text of some ids, control tokens spelled out.
    ///
    /// # Errors
    /// When the decoder refuses them.
    pub fn decode(&self, ids: &[TokenId]) -> Result<String, TokenizerError> {
        let unreadable = |error: tokenizers::Error| TokenizerError::Encode {
            text: format!("{ids:?}"),
            reason: error.to_string(),
        };
        // One of the library's decoders counts back from the last token, and ids may stand for none.
        let stands = |id: &TokenId| self.main.id_to_token(*id).is_some();
        if !ids.iter().any(stands) {
            return Ok(String::new());
        }
        self.main.decode(ids, false).map_err(unreadable)
    }

    /// The text of a whole reply to a prompt: what a [`Detokenizer`] gives, piece by piece, when fed with `ids`.
    #[must_use]
    pub fn reply_text(self: &Arc<Self>, prompt: &[TokenId], ids: &[TokenId]) -> String {
        let mut detokenizer = Detokenizer::new(Arc::clone(self), prompt);
        let mut text: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
        text.push_str(&detokenizer.finish());
        text
    }

    /// The bytes a token stands for inside a text; `None` when this kind of tokenizer has none. Control tokens have the
    /// bytes of their name.
    #[must_use]
    pub fn bytes_of(&self, id: TokenId) -> Option<&[u8]> {
        self.bytes.as_ref().map(|bytes| bytes.of(id))
    }

    /// The tokenizer as grammars see it, ending with any of `ends`. Build once per model: it holds a trie of all tokens.
    ///
    /// Masks cover [`Tokenizer::size`] ids, which may be fewer than the model has logits.
    ///
    /// # Errors
    /// When tokens have no bytes of their own, or `ends` is empty or unknown.
    pub fn token_env(self: &Arc<Self>, ends: &[TokenId]) -> Result<TokEnv, TokenizerError> {
        if self.bytes.is_none() {
            return Err(TokenizerError::NoBytes {
                decoder: self.decoder["type"].to_string(),
            });
        }
        let ends: Vec<TokenId> = ends
            .iter()
            .copied()
            .filter(|id| (*id as usize) < self.size)
            .collect();
        if ends.is_empty() {
            return Err(TokenizerError::NoEnd);
        }
        Ok(trie::token_env(self, &ends))
    }
}

/// `bos_token` and its kin, and `additional_special_tokens`: plain texts, or objects with `content`.
fn named_tokens(config: &Json) -> Vec<String> {
    let content = |value: &Json| {
        let text = value.as_str().or_else(|| value["content"].as_str())?;
        Some(text.to_owned())
    };
    let entries = config.as_object().into_iter().flatten();
    let one = entries.filter(|(key, _)| key.ends_with("_token"));
    let mut named: Vec<String> = one.filter_map(|(_, value)| content(value)).collect();
    let more = config["additional_special_tokens"].as_array();
    named.extend(more.into_iter().flatten().filter_map(content));
    named
}

fn unknown_token(tokenizer: &tokenizers::Tokenizer) -> Option<(TokenId, String)> {
    use tokenizers::ModelWrapper::{BPE, Unigram, WordLevel, WordPiece};
    let name = match tokenizer.get_model() {
        BPE(model) => model.get_unk_token().clone()?,
        WordPiece(model) => model.unk_token.clone(),
        WordLevel(model) => model.unk_token.clone(),
        Unigram(_) => "<unk>".to_owned(),
    };
    Some((tokenizer.token_to_id(&name)?, name))
}

/// Turn marks that some published vocabularies do not flag as special.
fn steers(content: &str) -> bool {
    let barred = |bar: char| {
        let inner = content
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'));
        inner.is_some_and(|inner| inner.len() > 2 && inner.starts_with(bar) && inner.ends_with(bar))
    };
    matches!(
        content,
        "<s>" | "</s>" | "<bos>" | "<eos>" | "[INST]" | "[/INST]"
    ) || barred('|')
        || barred('｜')
}

fn unencodable(text: &str, error: &tokenizers::Error) -> TokenizerError {
    TokenizerError::Encode {
        text: text.chars().take(60).collect(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
