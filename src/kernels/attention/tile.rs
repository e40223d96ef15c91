//! Query rows of one kv head against its pages: the part that computes.

use super::super::InstructionSet;
use super::super::elementwise::capped;
use super::super::lanes::Lanes;
use super::super::linear::with_rows;
use super::element::Element;
use super::{AttentionShape, MAX_HEAD_DIM, PAGE_TOKENS};

/// Query rows that share the loads of a block, at most.
pub(super) const TILE: usize = 12;
/// Below every score; finite, so that differences of it are.
const MASKED: f32 = -1e30;

/// Up to [`TILE`] query rows of one kv head.
pub(super) struct Tile<E> {
    pub shape: AttentionShape,
    pub q: [*const f32; TILE],
    pub out: [*mut f32; TILE],
    /// Keys `start..end` are seen.
    pub start: [usize; TILE],
    pub end: [usize; TILE],
    pub pages: *const u32,
    /// The layer's pool, at the kv head's part of page 0.
    pub pool: *const E,
}

/// Rows of a tile that the instruction set has registers for.
pub(super) fn rows(set: InstructionSet) -> usize {
    match set {
        InstructionSet::Portable | InstructionSet::Avx2 => 3,
        _ => TILE,
    }
}

/// Computes the first `rows` rows of the tile.
pub(super) fn run<E: Element>(set: InstructionSet, rows: usize, tile: &Tile<E>) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,popcnt")]
    unsafe fn avx512<E: Element, const R: usize>(tile: &Tile<E>) {
        unsafe { rows_of::<super::super::lanes::Avx512, E, R>(tile) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn avx2<E: Element>(rows: usize, tile: &Tile<E>) {
        unsafe { few::<super::super::lanes::Avx2, E>(rows, tile) }
    }
    match set {
        // SAFETY: the set was found on this processor; the tile's pointers are valid for its first rows.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { avx2(rows, tile) },
        // SAFETY: as above, plain Rust.
        InstructionSet::Portable => unsafe {
            few::<super::super::lanes::Portable, E>(rows, tile);
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        _ => with_rows!(rows, R, { unsafe { avx512::<E, R>(tile) } }),
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("an instruction set of another processor"),
    }
}

#[inline(always)]
unsafe fn few<V: Lanes, E: Element>(rows: usize, tile: &Tile<E>) {
    // SAFETY: the caller's.
    unsafe {
        match rows {
            1 => rows_of::<V, E, 1>(tile),
            2 => rows_of::<V, E, 2>(tile),
            _ => rows_of::<V, E, 3>(tile),
        }
    }
}

/// Running sums of a tile: outputs so far, the largest score, the sum of weights.
struct State<const R: usize> {
    out: [[f32; MAX_HEAD_DIM + 16]; R],
    largest: [f32; R],
    total: [f32; R],
}

#[inline(always)]
unsafe fn rows_of<V: Lanes, E: Element, const R: usize>(tile: &Tile<E>) {
    let d = tile.shape.head_dim;
    let (start, end) = (&tile.start[..R], &tile.end[..R]);
    let first = start.iter().min().copied().unwrap_or(0) / PAGE_TOKENS;
    let last = end.iter().max().copied().unwrap_or(0).div_ceil(PAGE_TOKENS);
    // SAFETY: pages first..last exist; every row's q and out hold d numbers.
    unsafe {
        // Rows side by side, so that a step of the chain reads one place.
        let mut q = [[0.0f32; R]; MAX_HEAD_DIM];
        for r in 0..R {
            for (j, q) in q[..d].iter_mut().enumerate() {
                q[r] = *tile.q[r].add(j);
            }
        }
        let mut state = State::<R> {
            out: [[0.0; MAX_HEAD_DIM + 16]; R],
            largest: [MASKED; R],
            total: [0.0; R],
        };
        let page = |block: usize| {
            let id = *tile.pages.add(block) as usize;
            tile.pool.add(id * tile.shape.page_len())
        };
        for block in first..last {
            let keys = page(block);
            let next = page((block + 1).min(last - 1));
            let s = scores::<V, E, R>(&q, keys, next, d);
            let (values, next) = (keys.add(d * PAGE_TOKENS), next.add(d * PAGE_TOKENS));
            block_of::<V, E, R>(tile, &mut state, block, s, values, next);
        }
        for r in 0..R {
            let inverse = V::splat(1.0 / state.total[r]);
            for j in (0..d).step_by(16) {
                V::load(state.out[r].as_ptr().add(j))
                    .mul(inverse)
                    .store_n(tile.out[r].add(j), (d - j).min(16));
            }
        }
    }
}

/// `q·Kᵀ` against the 32 keys of a page; asks for the next page's keys meanwhile.
#[inline(always)]
unsafe fn scores<V: Lanes, E: Element, const R: usize>(
    q: &[[f32; R]; MAX_HEAD_DIM],
    keys: *const E,
    next: *const E,
    d: usize,
) -> [[V; 2]; R] {
    // SAFETY: d lines of 32 keys.
    unsafe {
        let mut s = [[V::splat(0.0); 2]; R];
        for (j, q) in q[..d].iter().enumerate() {
            let line = j * PAGE_TOKENS;
            let (k0, k1): (V, V) = (E::load(keys.add(line)), E::load(keys.add(line + 16)));
            V::prefetch(next.add(line).cast());
            if size_of::<E>() == 4 {
                V::prefetch(next.add(line + 16).cast());
            }
            for (q, s) in q.iter().zip(&mut s) {
                let q = V::splat(*q);
                s[0] = q.mul_add(k0, s[0]);
                s[1] = q.mul_add(k1, s[1]);
            }
        }
        s
    }
}

/// One block's online-softmax update; asks for the next page's values meanwhile.
#[inline(always)]
unsafe fn block_of<V: Lanes, E: Element, const R: usize>(
    tile: &Tile<E>,
    state: &mut State<R>,
    block: usize,
    mut s: [[V; 2]; R],
    values: *const E,
    next: *const E,
) {
    let base = block * PAGE_TOKENS;
    let d = tile.shape.head_dim;
    // SAFETY: 32 lines of d values.
    unsafe {
        let (scale, masked, zero) = (V::splat(tile.shape.scale), V::splat(MASKED), V::splat(0.0));
        let from: [usize; R] =
            std::array::from_fn(|r| tile.start[r].saturating_sub(base).min(PAGE_TOKENS));
        let to: [usize; R] =
            std::array::from_fn(|r| tile.end[r].saturating_sub(base).min(PAGE_TOKENS));
        let clip = |r: usize, h: usize, x: V, other: V| {
            let within = |key: usize| key.saturating_sub(16 * h).min(16);
            x.keep(within(from[r]), within(to[r]), other)
        };
        let mut fall = [0.0f32; 16];
        for r in 0..R {
            s[r] = s[r].map(|s| s.mul(scale));
            if let Some(cap) = tile.shape.cap {
                s[r] = s[r].map(|s| capped(s, cap));
            }
            s[r][0] = clip(r, 0, s[r][0], masked);
            s[r][1] = clip(r, 1, s[r][1], masked);
            let before = state.largest[r];
            let now = before.max(s[r][0].max(s[r][1]).largest());
            state.largest[r] = now;
            fall[r] = before - now;
        }
        let mut correction = [0.0f32; 16];
        V::load(fall.as_ptr()).exp().store(correction.as_mut_ptr());
        let mut p = [[0.0f32; PAGE_TOKENS]; R];
        for r in 0..R {
            let m = V::splat(state.largest[r]);
            let p0 = clip(r, 0, s[r][0].sub(m).exp(), zero);
            let p1 = clip(r, 1, s[r][1].sub(m).exp(), zero);
            state.total[r] = state.total[r].mul_add(correction[r], p0.add(p1).sum());
            p0.store(p[r].as_mut_ptr());
            p1.store(p[r].as_mut_ptr().add(16));
        }
        let weigh = Weigh {
            p: &p,
            correction: &correction,
            // Slots past every row's own end may hold anything, NaN included, and are not read.
            keys: to.iter().max().copied().unwrap_or(0),
            values,
            next,
            d,
        };
        let mut j = 0;
        while j < d {
            if R <= 6 && d - j >= 64 {
                weigh.columns::<V, 4>(&mut state.out, j, 16);
                j += 64;
            } else if d - j >= 32 {
                weigh.columns::<V, 2>(&mut state.out, j, 16);
                j += 32;
            } else {
                weigh.columns::<V, 1>(&mut state.out, j, (d - j).min(16));
                j += 16;
            }
        }
    }
}

/// `out = out · correction + p · V` over the first `keys` keys of a page.
struct Weigh<'a, E, const R: usize> {
    p: &'a [[f32; PAGE_TOKENS]; R],
    correction: &'a [f32; 16],
    keys: usize,
    values: *const E,
    next: *const E,
    d: usize,
}

impl<E: Element, const R: usize> Weigh<'_, E, R> {
    /// `16 · C` columns from `j` on, `lanes` of them in the last vector.
    #[expect(
        clippy::needless_range_loop,
        reason = "indices walk several arrays in step and unroll"
    )]
    #[inline(always)]
    unsafe fn columns<V: Lanes, const C: usize>(
        &self,
        out: &mut [[f32; MAX_HEAD_DIM + 16]; R],
        j: usize,
        lanes: usize,
    ) {
        // SAFETY: columns j.. of 32 lines of d values.
        unsafe {
            let mut acc = [[V::splat(0.0); C]; R];
            for r in 0..R {
                let correction = V::splat(self.correction[r]);
                for c in 0..C {
                    // Adding +0 clears the sign of a zero, so that masked keys cannot show.
                    acc[r][c] =
                        V::load(out[r].as_ptr().add(j + 16 * c)).mul_add(correction, V::splat(0.0));
                }
            }
            for key in 0..self.keys {
                let at = self.values.add(key * self.d + j);
                for c in 0..(C * 16 * size_of::<E>()).div_ceil(64) {
                    let line = self.next.add(key * self.d + j).cast::<u8>().add(64 * c);
                    V::prefetch(line);
                }
                let mut v = [V::splat(0.0); C];
                for (c, v) in v.iter_mut().enumerate() {
                    *v = if lanes == 16 {
                        E::load(at.add(16 * c))
                    } else {
                        E::load_n(at.add(16 * c), lanes)
                    };
                }
                for r in 0..R {
                    let weight = V::splat(self.p[r][key]);
                    for c in 0..C {
                        acc[r][c] = weight.mul_add(v[c], acc[r][c]);
                    }
                }
            }
            for r in 0..R {
                for c in 0..C {
                    acc[r][c].store(out[r].as_mut_ptr().add(j + 16 * c));
                }
            }
        }
    }
}
