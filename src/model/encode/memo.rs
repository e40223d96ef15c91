use std::collections::HashMap;
use std::sync::Arc;

use crate::model::TokenId;

/// Ids of long stretches: the system message is the same in every prompt of a conversation.
#[derive(Debug, Default)]
pub(super) struct Memo {
    known: HashMap<(bool, String), Arc<[TokenId]>>,
    bytes: usize,
}

impl Memo {
    const SHORTEST_BYTES: usize = 256;
    const MOST_BYTES: usize = 16 << 20;

    pub(super) fn get(&self, spaced: bool, text: &str) -> Option<Arc<[TokenId]>> {
        if text.len() < Self::SHORTEST_BYTES {
            None
        } else {
            self.known.get(&(spaced, text.to_owned())).cloned()
        }
    }

    pub(super) fn keep(&mut self, spaced: bool, text: String, ids: Vec<TokenId>) {
        if text.len() < Self::SHORTEST_BYTES {
            return;
        }
        let bytes = text.len() + size_of_val(&ids[..]);
        if self.bytes + bytes > Self::MOST_BYTES {
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.known.insert((spaced, text), ids.into());
    }
}
