//! Profile `bf16`: weights and activations rounded to bf16 (ties to even), f32 sums.
//!
//! An output is one chain over pairs of k in ascending order: the odd member's product is added first, then the even one's,
//! each with one rounding, and numbers below 2^-126 count as zero on the way in and out. That is what `vdpbf16ps` does
//! (Intel, Software Developer's Manual, volume 2; held to on AMD's cores by the tests here), and what the other instruction
//! sets repeat step by step: the bits agree everywhere, at a fraction of the speed elsewhere.
//!
//! Panels of 32 columns, `[panel][k / 2][32][2]`. Activations in tiles, `[tile][k / 2][row][2]`.

use half::bf16;

use super::super::InstructionSet;
use super::super::buffer::Buffer;
use super::super::lanes::{Lanes, for_each_set};
#[cfg(target_arch = "x86_64")]
use super::{AHEAD_ROWS, unroll, with_rows};
use super::{Cpu, Input, Output, Place, Rows, TILES_BYTES, Target, Tiles, each_row, unwritten};

const PANEL: usize = 32;
/// Rows of a register tile.
const TILE: usize = 12;

pub(super) struct Bf16Weights {
    n: usize,
    k: usize,
    /// `k / 2`, rounded up; a missing number is zero.
    pairs: usize,
    panels: Buffer<u16>,
}

/// To bf16 bits, ties to even; what is below the normal numbers is zero of the same sign, and NaN stays NaN.
fn round(x: f32) -> u16 {
    let tiny = x.abs() < f32::MIN_POSITIVE;
    bf16::from_f32(if tiny { x * 0.0 } else { x }).to_bits()
}

impl Bf16Weights {
    pub(super) fn pack(parts: &[Rows<'_>], n: usize, k: usize) -> Self {
        let pairs = k.div_ceil(2);
        let mut panels = Buffer::<u16>::zeroed(n.div_ceil(PANEL) * pairs * PANEL * 2);
        each_row(parts, k, |row, numbers| {
            let base = (row / PANEL) * pairs * PANEL * 2 + (row % PANEL) * 2;
            for (j, number) in numbers.iter().enumerate() {
                panels[base + (j / 2) * PANEL * 2 + j % 2] = round(*number);
            }
        });
        Self {
            n,
            k,
            pairs,
            panels,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        2 * self.panels.len()
    }

    pub(super) fn copy_row(&self, row: usize, out: &mut [f32]) {
        let base = (row / PANEL) * self.pairs * PANEL * 2 + (row % PANEL) * 2;
        for (j, out) in out.iter_mut().enumerate() {
            let bits = self.panels[base + (j / 2) * PANEL * 2 + j % 2];
            *out = f32::from_bits(u32::from(bits) << 16);
        }
    }

    pub(super) fn forward(&self, input: Input<'_>, target: Target<'_>, y: &Output, cpu: &Cpu) {
        let m = input.count(self.k);
        let tiles = Tiles::new(m, TILE);
        let mut x = unwritten::<u32>(m * self.pairs);
        let x = Output(x.as_mut_ptr().cast::<u32>());
        input.each_row(self.k, cpu, &|row, numbers| {
            let (first, rows) = tiles.of(row);
            let out = x.at(first * self.pairs + row - first);
            let set = cpu.set;
            // SAFETY: this row's own places, `rows` apart.
            unsafe { pack_row(set, numbers, out, rows) };
        });
        let panels = self.n.div_ceil(PANEL);
        let most = TILES_BYTES / (self.pairs * 4 * TILE);
        tiles.sweep(panels, most, &cpu.threads, &|panel, range| {
            let w = self.panels[panel * self.pairs * PANEL * 2..].as_ptr();
            // Lines of the next panel that each tile of this block asks for, per line that it reads.
            let ahead = (2 * self.pairs).div_ceil(range.len()).div_ceil(self.pairs);
            for (i, t) in range.enumerate() {
                let (first, rows) = tiles.at(t);
                let tile = Tile {
                    x: x.at(first * self.pairs),
                    pairs: self.pairs,
                    place: target.place(y, first, panel * PANEL, PANEL),
                    next: w
                        .wrapping_add(self.pairs * PANEL * 2 + i * ahead * self.pairs * 32)
                        .cast(),
                    ahead: if i * ahead < 2 { ahead } else { 0 },
                };
                run(cpu.set, rows, w, &tile);
            }
        });
    }
}

/// Rows of one panel.
struct Tile {
    x: *const u32,
    pairs: usize,
    place: Place,
    /// What to ask memory for, and how many lines of it per pair.
    next: *const u8,
    ahead: usize,
}

unsafe fn pack_row(set: InstructionSet, x: &[f32], out: *mut u32, stride: usize) {
    let pair = |a: f32, b: f32| u32::from(round(a)) | u32::from(round(b)) << 16;
    #[cfg(target_arch = "x86_64")]
    if matches!(set, InstructionSet::Avx512Bf16) {
        // SAFETY: the set was found on this processor; whole vectors of the row only.
        unsafe { x86::pack(&x[..x.len() / 32 * 32], out, stride) };
        let done = x.len() / 32 * 32;
        for (j, pairs) in x[done..].chunks(2).enumerate() {
            // SAFETY: the row's own places.
            unsafe {
                *out.add((done / 2 + j) * stride) = pair(pairs[0], *pairs.get(1).unwrap_or(&0.0));
            }
        }
        return;
    }
    let _ = set;
    for (j, pairs) in x.chunks(2).enumerate() {
        // SAFETY: the row's own places.
        unsafe { *out.add(j * stride) = pair(pairs[0], *pairs.get(1).unwrap_or(&0.0)) };
    }
}

fn run(set: InstructionSet, rows: usize, w: *const u16, tile: &Tile) {
    #[cfg(target_arch = "x86_64")]
    if set == InstructionSet::Avx512Bf16 {
        // SAFETY: the set was found on this processor; pointers cover the rows.
        with_rows!(rows, R, { unsafe { x86::tile::<R>(w, tile) } });
        return;
    }
    for_each_set!(set, rows_of(rows: usize, w: *const u16, tile: &Tile));
}

/// Row by row, as the definition reads.
#[inline(always)]
unsafe fn rows_of<V: Lanes>(rows: usize, w: *const u16, tile: &Tile) {
    // SAFETY: the panel holds pairs × 32 × 2 weights, x `rows` rows.
    unsafe {
        for r in 0..rows {
            let mut acc = [V::splat(0.0); 2];
            for j in 0..tile.pairs {
                let x = *tile.x.add(j * rows + r);
                let even = V::splat(f32::from_bits(x << 16));
                let odd = V::splat(f32::from_bits(x & 0xffff_0000));
                for (h, acc) in acc.iter_mut().enumerate() {
                    let (w_even, w_odd) = V::load_bf16_pairs(w.add(j * PANEL * 2 + h * 32));
                    *acc = odd.mul_add(w_odd, *acc).flush();
                    *acc = even.mul_add(w_even, *acc).flush();
                }
            }
            tile.place.finish(r, acc);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::super::lanes::Avx512;
    use super::{AHEAD_ROWS, PANEL, Tile, unroll};
    #[cfg_attr(
        not(test),
        expect(
            clippy::wildcard_imports,
            reason = "intrinsics are a vocabulary of their own"
        )
    )]
    use std::arch::x86_64::*;

    /// `R` rows × 32 columns: two `vdpbf16ps` a pair and row.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn tile<const R: usize>(w: *const u16, tile: &Tile) {
        // SAFETY: the caller's.
        unsafe {
            let load =
                |p: *const u16| -> __m512bh { std::mem::transmute(_mm512_loadu_si512(p.cast())) };
            let mut acc = [[_mm512_setzero_ps(); 2]; R];
            let mut next = tile.next;
            for j in 0..tile.pairs {
                let (w0, w1) = (load(w.add(j * PANEL * 2)), load(w.add(j * PANEL * 2 + 32)));
                if R >= AHEAD_ROWS {
                    for _ in 0..tile.ahead {
                        _mm_prefetch::<_MM_HINT_T1>(next.cast());
                        next = next.wrapping_add(64);
                    }
                } else {
                    // The stream goes on into the next panel.
                    let ahead = w.wrapping_add((j + 24) * PANEL * 2);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(32).cast());
                }
                let x = tile.x.add(j * R);
                unroll!(R, r, {
                    let x: __m512bh =
                        std::mem::transmute(_mm512_set1_epi32((*x.add(r)).cast_signed()));
                    acc[r][0] = _mm512_dpbf16_ps(acc[r][0], w0, x);
                    acc[r][1] = _mm512_dpbf16_ps(acc[r][1], w1, x);
                });
            }
            unroll!(R, r, {
                let acc = [Avx512(acc[r][0]), Avx512(acc[r][1])];
                tile.place.finish(r, acc);
            });
        }
    }

    /// Rounds 32 numbers at a time and puts their pairs `stride` apart.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn pack(x: &[f32], out: *mut u32, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut pairs = [0u32; 16];
            for (i, x) in x.chunks_exact(32).enumerate() {
                let (a, b) = (
                    _mm512_loadu_ps(x.as_ptr()),
                    _mm512_loadu_ps(x.as_ptr().add(16)),
                );
                // The second operand gives the lower half. Its own zeroing of tiny numbers is that of the definition.
                let packed: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(b, a));
                _mm512_storeu_si512(pairs.as_mut_ptr().cast(), packed);
                for (j, &pair) in pairs.iter().enumerate() {
                    *out.add((i * 16 + j) * stride) = pair;
                }
            }
        }
    }
}
