//! Memory of keys and values.

use std::sync::Arc;

use super::ModelSpec;
use crate::kernels::{Buffer, KvType, PAGE_TOKENS};

/// Keys and values of every page of every layer: `[layer][page]` of the kernels' page layout.
pub struct KvPool {
    pub(super) memory: Arc<Buffer<u8>>,
    pub(super) kv: KvType,
    pages: usize,
    page_bytes: usize,
    layers: usize,
}

impl KvPool {
    /// Room for `pages` pages of 32 tokens. Memory is taken as pages are first written.
    #[must_use]
    pub fn new(spec: &ModelSpec, pages: usize, kv: KvType) -> Self {
        let page_bytes = spec.kv_heads * spec.head_dim * PAGE_TOKENS * 2 * kv.bytes();
        Self {
            memory: Arc::new(Buffer::zeroed(spec.layers * pages * page_bytes)),
            kv,
            pages,
            page_bytes,
            layers: spec.layers,
        }
    }

    /// Pages in the pool.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Copies what page `from` holds to page `to`, in every layer.
    pub fn copy_page(&mut self, from: u32, to: u32) {
        assert!(
            (from as usize) < self.pages && (to as usize) < self.pages,
            "pages of this pool"
        );
        for layer in 0..self.layers {
            let at = |page: u32| (layer * self.pages + page as usize) * self.page_bytes;
            // SAFETY: both pages lie in the pool, and `&mut self` keeps the forward pass away.
            unsafe {
                let base = self.memory.as_ptr();
                std::ptr::copy(base.add(at(from)), base.add(at(to)), self.page_bytes);
            }
        }
    }

    /// The bytes of one layer.
    pub(super) fn layer(&self, layer: usize) -> std::ops::Range<usize> {
        let len = self.pages * self.page_bytes;
        layer * len..(layer + 1) * len
    }
}
