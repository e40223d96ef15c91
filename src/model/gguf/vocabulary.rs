use std::collections::HashMap;

use super::{Gguf, GgufError};
use crate::brief::brief;

/// Bytes of a token at most: the longest in published vocabularies have a few hundred.
const LONGEST: usize = 1024;
/// Tokens at most, four times as many as the largest published vocabularies have.
const MOST: usize = 1 << 20;

/// What a token is for, as the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// The tokens of a file by id.
pub(super) struct Vocabulary {
    pub(super) names: Vec<String>,
    pub(super) purposes: Vec<Purpose>,
    /// 0 where the file gives none.
    pub(super) scores: Vec<f32>,
    pub(super) ids: HashMap<String, usize>,
}

impl Vocabulary {
    pub(super) fn read(gguf: &Gguf) -> Result<Self, GgufError> {
        const TOKENS: &str = "tokenizer.ggml.tokens";
        const TYPES: &str = "tokenizer.ggml.token_type";
        const SCORES: &str = "tokenizer.ggml.scores";
        let tokens = gguf
            .array(TOKENS)?
            .ok_or_else(|| gguf.wrong(TOKENS, "is missing"))?;
        if tokens.len() > MOST {
            return Err(gguf.wrong(
                TOKENS,
                format!("holds {} tokens, expected at most {MOST}", tokens.len()),
            ));
        }
        let mut names = Vec::with_capacity(tokens.len());
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            let name = token
                .and_then(super::Value::text)
                .ok_or_else(|| gguf.wrong(TOKENS, format!("holds no UTF-8 text at {id}")))?;
            if name.len() > LONGEST {
                return Err(gguf.wrong(
                    TOKENS,
                    format!(
                        "holds a token of {} bytes at {id}, expected at most {LONGEST}",
                        name.len()
                    ),
                ));
            }
            // as llama.cpp names them
            let name = if name.is_empty() {
                format!("[EMPTY_{id}]")
            } else {
                name.to_owned()
            };
            if let Some(other) = ids.insert(name.clone(), id) {
                return Err(gguf.wrong(
                    TOKENS,
                    format!("holds {:?} twice, at {other} and {id}", brief(&name)),
                ));
            }
            names.push(name);
        }
        if names.is_empty() {
            return Err(gguf.wrong(TOKENS, "is empty"));
        }
        let sized = |key: &str, len: usize| {
            if len == names.len() {
                Ok(())
            } else {
                Err(gguf.wrong(key, format!("has {len} entries for {} tokens", names.len())))
            }
        };
        let purposes = match gguf.array(TYPES)? {
            None => vec![Purpose::Normal; names.len()],
            Some(types) => {
                sized(TYPES, types.len())?;
                types
                    .iter()
                    .map(|kind| match kind.and_then(super::Value::uint) {
                        Some(0 | 1) => Ok(Purpose::Normal),
                        Some(2) => Ok(Purpose::Unknown),
                        Some(3) => Ok(Purpose::Control),
                        Some(4) => Ok(Purpose::UserDefined),
                        Some(5) => Ok(Purpose::Unused),
                        Some(6) => Ok(Purpose::Byte),
                        _ => Err(gguf.wrong(TYPES, "holds something else than 0 to 6")),
                    })
                    .collect::<Result<_, _>>()?
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "scores are stored as f32")]
        let scores = match gguf.array(SCORES)? {
            None => vec![0.0; names.len()],
            Some(scores) => {
                sized(SCORES, scores.len())?;
                scores
                    .iter()
                    .map(|score| {
                        let score = score.and_then(super::Value::float);
                        let score = score.filter(|score| !score.is_nan());
                        score
                            .map(|score| score as f32)
                            .ok_or_else(|| gguf.wrong(SCORES, "holds something else than numbers"))
                    })
                    .collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            names,
            purposes,
            scores,
            ids,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}
