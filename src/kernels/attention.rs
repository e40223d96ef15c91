//! Paged attention: rotary position, page write, and softmax(q·Kᵀ)·V over pages of 32 keys, in f32 arithmetic on keys and
//! values of a storage type.
//!
//! Keys are visited in blocks of 32 by absolute position with one online-softmax update a block (Milakov and Gimelshein
//! 2018). A row's arithmetic depends only on its own position, so decode, prefill chunks and cache hits give the same bits.
//!
//! A page of one layer and one kv head is `K[head_dim][32]` followed by `V[32][head_dim]`.

mod element;
mod tile;
mod write;

pub use element::KvType;
pub use write::{Rotation, rope_and_write};

use std::sync::Arc;

use self::element::{Bf16, Element, F16};
use self::tile::{TILE, Tile, run};
use super::Cpu;
use super::linear::Output;

/// Tokens of a page, and of an attention block.
pub const PAGE_TOKENS: usize = 32;
/// The widest head.
pub const MAX_HEAD_DIM: usize = 256;

/// What attention of one layer looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    pub heads: usize,
    pub kv_heads: usize,
    /// At most [`MAX_HEAD_DIM`].
    pub head_dim: usize,
    /// Multiplies q·k.
    pub scale: f32,
    /// Then a soft cap on it: `cap · tanh(x / cap)`.
    pub cap: Option<f32>,
    /// A query sees this many latest keys, itself included.
    pub window: Option<usize>,
}

/// RMS norm of queries and keys before they are rotated; each weight is as long as a head, or as all heads of its kind, and
/// the norm is taken over as many numbers.
#[derive(Clone, Debug)]
pub struct QkWeights {
    pub query: Arc<[f32]>,
    pub key: Arc<[f32]>,
    pub eps: f32,
}

impl AttentionShape {
    /// Numbers of one page of one layer.
    #[must_use]
    pub fn page_len(&self) -> usize {
        self.kv_heads * self.head_dim * PAGE_TOKENS * 2
    }

    /// Length of a row of fused q, k, v.
    #[must_use]
    pub fn qkv_len(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}

/// Consecutive rows of one sequence in a step.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// First row of the step's batch.
    pub first_row: usize,
    pub rows: usize,
    /// Position of the first row in its sequence.
    pub position: usize,
    /// The sequence's pages from position 0; they cover its last row.
    pub pages: &'a [u32],
}

/// Cosines and sines per position: `[position][rotary_dim / 2]`.
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// A table for `positions` positions from the inverse frequencies of half the rotary dimensions; both factors are
    /// multiplied by `magnitude`.
    #[must_use]
    pub fn new(inverse_frequencies: &[f32], positions: usize, magnitude: f32) -> Self {
        let angles = || {
            (0..positions).flat_map(|p| {
                // The reference multiplies in f32 before it takes the cosine.
                #[expect(clippy::cast_precision_loss, reason = "positions are below 2^24")]
                inverse_frequencies
                    .iter()
                    .map(move |&f| f64::from(f * p as f32))
            })
        };
        #[expect(clippy::cast_possible_truncation, reason = "tables are f32")]
        Self {
            half: inverse_frequencies.len(),
            cos: angles().map(|a| a.cos() as f32 * magnitude).collect(),
            sin: angles().map(|a| a.sin() as f32 * magnitude).collect(),
        }
    }

    /// Half of the numbers of a head that are rotated.
    fn half(&self) -> usize {
        self.half
    }

    /// Cosines and sines at a position.
    fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let row = position * self.half..(position + 1) * self.half;
        (&self.cos[row.clone()], &self.sin[row])
    }

    /// Positions covered.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half.max(1)
    }
}

/// `out = softmax(scale · q·Kᵀ)·V` for every row; `q` and `out` are `rows × heads · head_dim`, `pool` is one layer.
///
/// # Safety
/// Every page id must lie in the pool, no one may write the pages meanwhile, and `out` must have room for as much as `q`.
///
/// # Panics
/// When the head is wider than [`MAX_HEAD_DIM`].
pub unsafe fn attend(
    shape: AttentionShape,
    kv: KvType,
    q: &[f32],
    spans: &[Span<'_>],
    pool: *const u8,
    out: *mut f32,
    cpu: &Cpu,
) {
    assert!(shape.head_dim <= MAX_HEAD_DIM, "a head that fits the tiles");
    // SAFETY: the caller's.
    unsafe {
        match kv {
            KvType::F32 => attend_in::<f32>(shape, q, spans, pool.cast(), out, cpu),
            KvType::F16 => attend_in::<F16>(shape, q, spans, pool.cast(), out, cpu),
            KvType::Bf16 => attend_in::<Bf16>(shape, q, spans, pool.cast(), out, cpu),
        }
    }
}

unsafe fn attend_in<E: Element>(
    shape: AttentionShape,
    q: &[f32],
    spans: &[Span<'_>],
    pool: *const E,
    out: *mut f32,
    cpu: &Cpu,
) {
    let group = shape.heads / shape.kv_heads;
    let most = tile::rows(cpu.set);
    // One item is a kv head of a span and a run of its (token, head of the group) rows. Heads come first: sequences that
    // share pages read them one after the other, from the cache.
    let run_rows = 2 * most;
    let items: Vec<(usize, &Span<'_>, usize)> = (0..shape.kv_heads)
        .flat_map(|h| {
            spans.iter().flat_map(move |span| {
                (0..span.rows * group)
                    .step_by(run_rows)
                    .map(move |from| (h, span, from))
            })
        })
        .collect();
    let out = Output(out);
    let pool = Output(pool.cast_mut());
    cpu.threads.run(items.len(), &|item| {
        let (kv_head, span, from) = items[item];
        let rows = run_rows.min(span.rows * group - from);
        let tiles = rows.div_ceil(most);
        for t in 0..tiles {
            let (a, b) = (from + rows * t / tiles, from + rows * (t + 1) / tiles);
            let mut tile = Tile {
                shape,
                q: [std::ptr::null(); TILE],
                out: [std::ptr::null_mut(); TILE],
                start: [0; TILE],
                end: [0; TILE],
                pages: span.pages.as_ptr(),
                pool: pool.at(kv_head * shape.head_dim * PAGE_TOKENS * 2),
            };
            for (r, row) in (a..b).enumerate() {
                let (token, head) = (row / group, kv_head * group + row % group);
                let offset = ((span.first_row + token) * shape.heads + head) * shape.head_dim;
                tile.q[r] = q[offset..].as_ptr();
                tile.out[r] = out.at(offset);
                tile.end[r] = span.position + token + 1;
                tile.start[r] = shape.window.map_or(0, |w| tile.end[r].saturating_sub(w));
            }
            run(cpu.set, b - a, &tile);
        }
    });
}

#[cfg(test)]
mod tests;
