//! Tokens whose logits the penalties change: they stand apart from the row, so that the row itself is never written.

use crate::engine::{Sampling, TokenId};

/// Penalised tokens with their new logits, by ascending id.
#[derive(Default)]
pub(super) struct Penalised {
    tokens: Vec<(TokenId, f32)>,
    recent: Vec<TokenId>,
    kept: Vec<(TokenId, f32)>,
}

impl Penalised {
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
    }

    /// Penalises the allowed tokens among `recent` and takes their bits out of `allowed`.
    pub(super) fn take_out(
        &mut self,
        logits: &[f32],
        sampling: &Sampling,
        recent: &[TokenId],
        allowed: &mut [u32],
    ) {
        self.tokens.clear();
        self.recent.clear();
        self.recent.extend_from_slice(sampling.penalised(recent));
        self.recent.sort_unstable();
        for same in self.recent.chunk_by(|a, b| a == b) {
            let id = same[0] as usize;
            let (word, bit) = (id / 32, 1 << (id % 32));
            if id < logits.len() && allowed[word] & bit != 0 {
                allowed[word] &= !bit;
                self.tokens
                    .push((same[0], sampling.penalise(logits[id], same.len())));
            }
        }
    }

    /// The largest logit; minus infinity when there is none.
    pub(super) fn peak(&self) -> f32 {
        self.tokens
            .iter()
            .fold(f32::NEG_INFINITY, |peak, &(_, logit)| peak.max(logit))
    }

    /// The first token whose logit reaches `bound`.
    pub(super) fn first(&self, bound: f32) -> Option<TokenId> {
        self.tokens
            .iter()
            .find(|&&(_, logit)| logit >= bound)
            .map(|&(id, _)| id)
    }

    /// The tokens whose logits reach `bound`, scaled.
    pub(super) fn above(&mut self, bound: f32, scaled: impl Fn(f32) -> f32) -> &[(TokenId, f32)] {
        self.kept.clear();
        self.kept.extend(
            self.tokens
                .iter()
                .filter(|&&(_, logit)| logit >= bound)
                .map(|&(id, logit)| (id, scaled(logit))),
        );
        &self.kept
    }
}
