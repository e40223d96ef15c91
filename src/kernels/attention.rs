//! Paged attention in profile `f32`: rotary position, page write, and softmax(q·Kᵀ)·V over pages of 32 keys.
//!
//! Keys are visited in blocks of 32 by absolute position with one online-softmax update a block (Milakov and Gimelshein
//! 2018). A row's arithmetic depends only on its own position, so decode, prefill chunks and cache hits give the same bits.
//!
//! A page of one layer and one kv head is `K[head_dim][32]` followed by `V[32][head_dim]`.

use super::Threads;
use super::lanes::{InstructionSet, Lanes};
use super::linear::Output;

/// Tokens of a page, and of an attention block.
pub const PAGE_TOKENS: usize = 32;
/// Query rows that share the loads of a block.
const TILE: usize = 6;
/// The widest head.
pub const MAX_HEAD_DIM: usize = 256;
/// Below every score; finite, so that differences of it are.
const MASKED: f32 = -1e30;

/// What attention of one layer looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    pub heads: usize,
    pub kv_heads: usize,
    /// At most [`MAX_HEAD_DIM`].
    pub head_dim: usize,
    /// Multiplies q·k.
    pub scale: f32,
    /// A query sees this many latest keys, itself included.
    pub window: Option<usize>,
}

impl AttentionShape {
    /// f32 numbers of one page of one layer.
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

    /// Positions covered.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half.max(1)
    }

    /// Rotates the first `2 · half` numbers of a head in place, as halves (x1, x2).
    fn rotate(&self, position: usize, head: &mut [f32]) {
        let (cos, sin) = (
            &self.cos[position * self.half..],
            &self.sin[position * self.half..],
        );
        let (a, rest) = head.split_at_mut(self.half);
        for j in 0..self.half {
            let (x, y) = (a[j], rest[j]);
            a[j] = x * cos[j] - y * sin[j];
            rest[j] = y * cos[j] + x * sin[j];
        }
    }
}

/// Rotates q and k, writes k and v to their pages in `pool` (one layer), and leaves the rotated q in `q`
/// (`rows × heads · head_dim`). `qkv` is `rows × qkv_len`.
///
/// # Safety
/// Pages that are written here must not be read or written by anyone else meanwhile; every page id must lie in the pool.
///
/// # Panics
/// When lengths do not fit or a position is outside the table.
pub unsafe fn rope_and_write(
    shape: AttentionShape,
    rope: Option<&RopeTable>,
    qkv: &[f32],
    spans: &[Span<'_>],
    pool: *mut f32,
    q: &mut [f32],
    threads: &Threads,
) {
    let (d, q_len, len) = (
        shape.head_dim,
        shape.heads * shape.head_dim,
        shape.qkv_len(),
    );
    assert!(
        qkv.len() / len == q.len() / q_len && qkv.len().is_multiple_of(len),
        "as many rows of q as of qkv"
    );
    let rows: Vec<(usize, &Span<'_>)> = spans
        .iter()
        .flat_map(|s| (0..s.rows).map(move |i| (i, s)))
        .collect();
    let (out, pool) = (Output(q.as_mut_ptr()), Output(pool));
    let per_chunk = 8;
    threads.run(rows.len().div_ceil(per_chunk), &|chunk| {
        for &(i, span) in &rows[chunk * per_chunk..((chunk + 1) * per_chunk).min(rows.len())] {
            let (row, position) = (span.first_row + i, span.position + i);
            let x = &qkv[row * len..(row + 1) * len];
            // SAFETY: this row's own part of q.
            let q = unsafe { std::slice::from_raw_parts_mut(out.at(row * q_len), q_len) };
            q.copy_from_slice(&x[..q_len]);
            if let Some(rope) = rope {
                q.chunks_exact_mut(d)
                    .for_each(|head| rope.rotate(position, head));
            }
            let (page, slot) = (
                span.pages[position / PAGE_TOKENS] as usize,
                position % PAGE_TOKENS,
            );
            let mut key = [0.0f32; MAX_HEAD_DIM];
            for h in 0..shape.kv_heads {
                let key = &mut key[..d];
                key.copy_from_slice(&x[q_len + h * d..][..d]);
                if let Some(rope) = rope {
                    rope.rotate(position, key);
                }
                let value = &x[q_len + (shape.kv_heads + h) * d..][..d];
                let base = pool.at(page * shape.page_len() + h * d * PAGE_TOKENS * 2);
                // SAFETY: slot `slot` of this head of this page, which no other row writes.
                unsafe {
                    for (j, &k) in key.iter().enumerate() {
                        *base.add(j * PAGE_TOKENS + slot) = k;
                    }
                    std::ptr::copy_nonoverlapping(
                        value.as_ptr(),
                        base.add((PAGE_TOKENS + slot) * d),
                        d,
                    );
                }
            }
        }
    });
}

/// `out = softmax(scale · q·Kᵀ)·V` for every row; `q` and `out` are `rows × heads · head_dim`, `pool` is one layer.
///
/// # Safety
/// Every page id must lie in the pool, and no one may write the pages meanwhile.
///
/// # Panics
/// When lengths do not fit.
pub unsafe fn attend(
    shape: AttentionShape,
    q: &[f32],
    spans: &[Span<'_>],
    pool: *const f32,
    out: &mut [f32],
    threads: &Threads,
    set: InstructionSet,
) {
    assert!(
        q.len() == out.len() && shape.head_dim <= MAX_HEAD_DIM,
        "q and out have one shape"
    );
    let group = shape.heads / shape.kv_heads;
    // One item is a kv head of a span and a run of its (token, head of the group) rows.
    const RUN: usize = 10 * TILE;
    let items: Vec<(&Span<'_>, usize, usize)> = spans
        .iter()
        .flat_map(|span| {
            (0..shape.kv_heads).flat_map(move |h| {
                (0..span.rows * group)
                    .step_by(RUN)
                    .map(move |from| (span, h, from))
            })
        })
        .collect();
    let out = Output(out.as_mut_ptr());
    let pool = Output(pool.cast_mut());
    threads.run(items.len(), &|item| {
        let (span, kv_head, from) = items[item];
        let rows = RUN.min(span.rows * group - from);
        let tiles = rows.div_ceil(TILE);
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
            let tile = &tile;
            match b - a {
                1 => run::<1>(set, tile),
                2 => run::<2>(set, tile),
                3 => run::<3>(set, tile),
                4 => run::<4>(set, tile),
                5 => run::<5>(set, tile),
                _ => run::<6>(set, tile),
            }
        }
    });
}

/// Up to [`TILE`] query rows of one kv head.
struct Tile {
    shape: AttentionShape,
    q: [*const f32; TILE],
    out: [*mut f32; TILE],
    /// Keys `start..end` are seen.
    start: [usize; TILE],
    end: [usize; TILE],
    pages: *const u32,
    /// The layer's pool, at the kv head's part of page 0.
    pool: *const f32,
}

fn run<const R: usize>(set: InstructionSet, tile: &Tile) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512<const R: usize>(tile: &Tile) {
        unsafe { tile_rows::<super::lanes::Avx512, R>(tile) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2<const R: usize>(tile: &Tile) {
        unsafe { tile_rows::<super::lanes::Avx2, R>(tile) }
    }
    match set {
        // SAFETY: the set was found on this processor; the tile's pointers are valid for its first R rows.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 | InstructionSet::Avx512Vnni => unsafe { avx512::<R>(tile) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { avx2::<R>(tile) },
        // SAFETY: as above, plain Rust.
        _ => unsafe { tile_rows::<super::lanes::Portable, R>(tile) },
    }
}

#[inline(always)]
unsafe fn tile_rows<V: Lanes, const R: usize>(tile: &Tile) {
    let shape = tile.shape;
    let d = shape.head_dim;
    let mut o = [[0.0f32; MAX_HEAD_DIM]; R];
    let mut p = [[0.0f32; PAGE_TOKENS]; R];
    let mut largest = [MASKED; R];
    let mut total = [0.0f32; R];
    let first = tile.start[..R].iter().min().copied().unwrap_or(0) / PAGE_TOKENS;
    let last = tile.end[..R]
        .iter()
        .max()
        .copied()
        .unwrap_or(0)
        .div_ceil(PAGE_TOKENS);
    // SAFETY: pages first..last exist; every row's q and out hold d numbers.
    unsafe {
        for block in first..last {
            let base = block * PAGE_TOKENS;
            let keys = tile
                .pool
                .add(*tile.pages.add(block) as usize * shape.page_len());
            let values = keys.add(d * PAGE_TOKENS);
            let mut s = [[V::splat(0.0); 2]; R];
            for j in 0..d {
                let (k0, k1) = (
                    V::load(keys.add(j * PAGE_TOKENS)),
                    V::load(keys.add(j * PAGE_TOKENS + 16)),
                );
                for (r, s) in s.iter_mut().enumerate() {
                    let q = V::splat(*tile.q[r].add(j));
                    s[0] = q.mul_add(k0, s[0]);
                    s[1] = q.mul_add(k1, s[1]);
                }
            }
            let mut correction = [V::splat(1.0); R];
            // Slots past every row's own end may hold anything, NaN included, and are not read.
            let seen = tile.end[..R]
                .iter()
                .map(|end| end.saturating_sub(base).min(PAGE_TOKENS))
                .max()
                .unwrap_or(0);
            for r in 0..R {
                let from = tile.start[r].saturating_sub(base).min(PAGE_TOKENS);
                let to = tile.end[r].saturating_sub(base).min(PAGE_TOKENS);
                let half = |h: usize, x: V, other: V| {
                    let clip = |key: usize| key.saturating_sub(16 * h).min(16);
                    x.keep(clip(from), clip(to), other)
                };
                let (scale, masked, zero) =
                    (V::splat(shape.scale), V::splat(MASKED), V::splat(0.0));
                let s0 = half(0, s[r][0].mul(scale), masked);
                let s1 = half(1, s[r][1].mul(scale), masked);
                let before = largest[r];
                let now = before.max(s0.max(s1).largest());
                largest[r] = now;
                correction[r] = V::splat(before - now).exp();
                let m = V::splat(now);
                let p0 = half(0, s0.sub(m).exp(), zero);
                let p1 = half(1, s1.sub(m).exp(), zero);
                total[r] = total[r].mul_add(correction[r].array()[0], p0.add(p1).sum());
                p0.store(p[r].as_mut_ptr());
                p1.store(p[r].as_mut_ptr().add(16));
            }
            let mut j = 0;
            while j < d {
                if d - j >= 64 {
                    weigh::<V, R, 4>(&mut o, &p, &correction, seen, values, d, j, 16);
                    j += 64;
                } else if d - j >= 32 {
                    weigh::<V, R, 2>(&mut o, &p, &correction, seen, values, d, j, 16);
                    j += 32;
                } else {
                    weigh::<V, R, 1>(&mut o, &p, &correction, seen, values, d, j, (d - j).min(16));
                    j += 16;
                }
            }
        }
        for r in 0..R {
            let inverse = V::splat(1.0 / total[r]);
            for j in (0..d).step_by(16) {
                V::load(o[r].as_ptr().add(j))
                    .mul(inverse)
                    .store_n(tile.out[r].add(j), (d - j).min(16));
            }
        }
    }
}

/// `o = o · correction + p · V` over the first `keys` keys, for `16 · C` columns from `j` on (`lanes` of them in the last
/// vector).
#[expect(
    clippy::needless_range_loop,
    clippy::too_many_arguments,
    reason = "indices walk several arrays in step and unroll"
)]
#[inline(always)]
unsafe fn weigh<V: Lanes, const R: usize, const C: usize>(
    o: &mut [[f32; MAX_HEAD_DIM]; R],
    p: &[[f32; PAGE_TOKENS]; R],
    correction: &[V; R],
    keys: usize,
    values: *const f32,
    d: usize,
    j: usize,
    lanes: usize,
) {
    // SAFETY: columns j.. of 32 rows of d values.
    unsafe {
        let mut acc = [[V::splat(0.0); C]; R];
        for r in 0..R {
            for c in 0..C {
                // Adding +0 clears the sign of a zero, so that masked keys cannot show.
                acc[r][c] =
                    V::load(o[r].as_ptr().add(j + 16 * c)).mul_add(correction[r], V::splat(0.0));
            }
        }
        for key in 0..keys {
            let mut v = [V::splat(0.0); C];
            for (c, v) in v.iter_mut().enumerate() {
                let at = values.add(key * d + j + 16 * c);
                *v = if lanes == 16 {
                    V::load(at)
                } else {
                    V::load_n(at, lanes)
                };
            }
            for r in 0..R {
                let weight = V::splat(p[r][key]);
                for c in 0..C {
                    acc[r][c] = weight.mul_add(v[c], acc[r][c]);
                }
            }
        }
        for r in 0..R {
            for c in 0..C {
                acc[r][c].store(o[r].as_mut_ptr().add(j + 16 * c));
            }
        }
    }
}

#[cfg(test)]
mod tests;
