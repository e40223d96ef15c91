use std::sync::Arc;

use toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use super::Tokenizer;

/// Longer tokens do not fit the trie; they are runs of spaces or dashes, and a reply can do without.
const LONGEST_BYTES: usize = 1000;

struct Env {
    trie: TokTrie,
    tokenizer: Arc<Tokenizer>,
}

/// `ends` is not empty; every token has bytes.
pub(super) fn token_env(tokenizer: &Arc<Tokenizer>, ends: &[TokenId]) -> TokEnv {
    let size = u32::try_from(tokenizer.size()).expect("ids are 32 bits");
    let words: Vec<Vec<u8>> = (0..size)
        .map(|id| {
            let bytes = tokenizer.bytes_of(id).unwrap_or_default();
            match (bytes.len(), tokenizer.is_control(id) || ends.contains(&id)) {
                (LONGEST_BYTES.. | 0, _) => Vec::new(),
                (_, true) => [&[TokTrie::SPECIAL_TOKEN_MARKER], bytes].concat(),
                (_, false) => bytes.to_vec(),
            }
        })
        .collect();
    let trie = TokTrie::from(&TokRxInfo::new(size, ends[0]), &words).with_eos_tokens(ends);
    Arc::new(Env {
        trie,
        tokenizer: Arc::clone(tokenizer),
    })
}

impl TokenizerEnv for Env {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    /// Grammars ask for bytes in the middle of a reply, so no space is put before them.
    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            self.tokenizer
                .encode_inner(text)
                .unwrap_or_else(|_| self.trie.greedy_tokenize(text.as_bytes()))
        })
    }

    fn tokenize_bytes_special(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            self.tokenizer
                .encode(text)
                .unwrap_or_else(|_| self.trie.greedy_tokenize(text.as_bytes()))
        })
    }
}
