use std::sync::Arc;

use super::Tokenizer;
use super::variant::Prefix;
use crate::model::TokenId;

/// Tokens of the prompt that the decoder sees before the reply, where there is no table of bytes.
const CONTEXT_TOKENS: usize = 6;
/// Tokens after which text that is still no UTF-8 is given up on.
const PATIENCE_TOKENS: usize = 16;

/// The text of a reply while it grows: each token gives the characters it completes, so the pieces joined are the text.
/// Bytes that never become UTF-8 give U+FFFD. Control tokens give nothing.
#[derive(Debug)]
pub struct Detokenizer {
    tokenizer: Arc<Tokenizer>,
    /// Bytes of a character that is not whole yet.
    pending: Vec<u8>,
    /// The tokenizer put a space before the reply, which is not part of its text.
    drop_space: bool,
    /// Without a table of bytes: the last ids, of which the first `shown` have been given out as text.
    window: Vec<TokenId>,
    shown: usize,
}

impl Detokenizer {
    /// For a reply to this prompt.
    #[must_use]
    pub fn new(tokenizer: Arc<Tokenizer>, prompt: &[TokenId]) -> Self {
        let drop_space = match (tokenizer.prefix(), prompt.last()) {
            (Prefix::Never, _) | (Prefix::Start, Some(_)) => false,
            (_, None) => true,
            (Prefix::EveryStretch, Some(last)) => tokenizer.is_control(*last),
        };
        let window = prompt[prompt.len().saturating_sub(CONTEXT_TOKENS)..].to_vec();
        Self {
            tokenizer,
            pending: Vec::new(),
            drop_space,
            shown: window.len(),
            window,
        }
    }

    /// Adds a token; returns the text it completes, possibly none.
    pub fn push(&mut self, id: TokenId) -> String {
        if self.tokenizer.is_control(id) {
            return String::new();
        }
        match self.tokenizer.bytes_of(id) {
            Some(bytes) => {
                self.pending.extend_from_slice(bytes);
                if std::mem::take(&mut self.drop_space) && self.pending.first() == Some(&b' ') {
                    self.pending.remove(0);
                }
                let whole = whole_bytes(&self.pending);
                let rest = self.pending.split_off(whole);
                String::from_utf8_lossy(&std::mem::replace(&mut self.pending, rest)).into_owned()
            }
            None => self.push_to_window(id),
        }
    }

    /// The reply is over: what is left of a broken character.
    pub fn finish(&mut self) -> String {
        if self.tokenizer.bytes_of(0).is_some() {
            return String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned();
        }
        let text = self.new_text();
        self.shown = self.window.len();
        text
    }

    /// decode(before + new) without decode(before).
    fn push_to_window(&mut self, id: TokenId) -> String {
        self.window.push(id);
        let text = self.new_text();
        if text.ends_with('\u{FFFD}') && self.window.len() - self.shown < PATIENCE_TOKENS {
            return String::new();
        }
        // what was new is the context of what comes next
        let keep = self.window.len() - self.shown;
        self.window
            .drain(..self.window.len() - keep.max(CONTEXT_TOKENS).min(self.window.len()));
        self.shown = self.window.len();
        text
    }

    fn new_text(&self) -> String {
        let decode = |ids: &[TokenId]| self.tokenizer.decode(ids).unwrap_or_default();
        let (before, all) = (decode(&self.window[..self.shown]), decode(&self.window));
        all.strip_prefix(&before)
            .map(str::to_owned)
            .unwrap_or_default()
    }
}

/// How many bytes at the front are settled: all but an unfinished character at the end.
fn whole_bytes(bytes: &[u8]) -> usize {
    let mut settled = 0;
    for chunk in bytes.utf8_chunks() {
        settled += chunk.valid().len();
        let end = settled + chunk.invalid().len();
        if end == bytes.len() && !chunk.invalid().is_empty() && could_continue(chunk.invalid()) {
            return settled;
        }
        settled = end;
    }
    settled
}

/// Whether some bytes are the beginning of a character.
fn could_continue(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.error_len().is_none(),
    }
}
