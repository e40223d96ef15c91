//! Profile `int8`: 8-bit weights and activations, exact integer sums.
//!
//! Weights are quantised once, per row and block of 32 (`code = round(w / d)`, `d = max |w| / 127` kept as f16: the q8_0 of
//! the GGUF format). Activations are quantised per row and block of 32 in the same way with an f32 scale. A block's product
//! is an exact int32 sum; blocks are added in one f32 chain in ascending order. Integer sums do not depend on the order, so
//! the bits agree between tilings, threads and instruction sets.
//!
//! Layout: panels of 16 columns, one stream of 8.5 bits a weight: per two blocks 2 × `[8 groups of 4 k][16 columns][4 k]`
//! codes as `u8 = code + 128`, then one line of 2 × 16 f16 scales. With unsigned weights a block's sum starts at
//! `-128 · Σx`, which takes the offset out again. Activations in tiles: codes `[tile][block][row][32]`.

use half::f16;

use super::super::InstructionSet;
use super::super::buffer::Buffer;
use super::super::lanes::{Lanes, Portable};
#[cfg(target_arch = "x86_64")]
use super::{AHEAD_ROWS, unroll, with_rows};
use super::{Cpu, Input, Output, Place, Rows, TILES_BYTES, Target, Tiles, each_row, unwritten};

/// Values that share a scale.
const BLOCK: usize = 32;
/// Output columns of a panel.
const PANEL: usize = 16;
/// Bytes of codes of one block of a panel.
const CODES: usize = BLOCK * PANEL;
/// Bytes of two blocks of a panel with their scales.
const PAIR: usize = 2 * (CODES + 2 * PANEL);
/// Cache lines of them.
const PAIR_LINES: usize = PAIR / 64;
/// Blocks of activations no larger than this count as zero.
const TINY: f32 = 1e-30;
/// Rows of a register tile, at most.
const TILE: usize = 12;

/// A weight matrix of `n` outputs and `k` inputs, quantised.
pub(super) struct Int8Weights {
    n: usize,
    k: usize,
    /// Pairs of blocks; a missing block is zero.
    pairs: usize,
    stream: Buffer<u8>,
}

/// Activations, quantised: what a step's rows become once, for all panels.
struct Quantised {
    codes: Output<i8>,
    scales: Output<f32>,
    /// `-128 · Σ codes` of a block.
    starts: Output<i32>,
}

impl Int8Weights {
    /// Quantises row blocks, one below the other.
    pub(super) fn pack(parts: &[Rows<'_>], n: usize, k: usize) -> Self {
        let (pairs, panels) = (k.div_ceil(2 * BLOCK), n.div_ceil(PANEL));
        let mut stream = Buffer::<u8>::zeroed(panels * pairs * PAIR);
        // Columns and inputs that do not exist have code 0.
        for pair in stream.chunks_exact_mut(PAIR) {
            pair[..2 * CODES].fill(128);
        }
        each_row(parts, k, |row, numbers| {
            let (panel, column) = (row / PANEL, row % PANEL);
            for (block, values) in numbers.chunks(BLOCK).enumerate() {
                let largest = values.iter().map(|v| v.abs()).fold(0.0, f32::max);
                let finite = values.iter().all(|v| v.is_finite());
                // What is not a number stays none.
                let scale = if finite { largest / 127.0 } else { f32::NAN };
                let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                let pair = &mut stream[(panel * pairs + block / 2) * PAIR..][..PAIR];
                let at = 2 * CODES + (block % 2 * PANEL + column) * 2;
                pair[at..at + 2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
                for (j, value) in values.iter().enumerate() {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "-127..=127, then 1..=255"
                    )]
                    let code = ((value * inverse).round_ties_even().clamp(-127.0, 127.0) as i32
                        + 128) as u8;
                    pair[block % 2 * CODES + place(j, column)] = code;
                }
            }
        });
        Self {
            n,
            k,
            pairs,
            stream,
        }
    }

    /// Bytes of codes and scales.
    pub(super) fn bytes(&self) -> usize {
        self.stream.len()
    }

    /// Row `row` of the matrix, back in f32.
    pub(super) fn copy_row(&self, row: usize, out: &mut [f32]) {
        let (panel, column) = (row / PANEL, row % PANEL);
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let pair = &self.stream[(panel * self.pairs + block / 2) * PAIR..][..PAIR];
            let scale = scale_of(&pair[2 * CODES..], block % 2 * PANEL + column);
            for (j, out) in out.iter_mut().enumerate() {
                let code = pair[block % 2 * CODES + place(j, column)];
                *out = (f32::from(code) - 128.0) * scale;
            }
        }
    }

    pub(super) fn forward(&self, input: Input<'_>, target: Target<'_>, y: &Output, cpu: &Cpu) {
        let m = input.count(self.k);
        let (blocks, width) = (2 * self.pairs, 2 * self.pairs * BLOCK);
        let most_rows = match cpu.set {
            InstructionSet::Avx2 | InstructionSet::Avx512 => 3,
            _ => TILE,
        };
        let tiles = Tiles::new(m, most_rows);
        let mut codes = unwritten::<i8>(m * width);
        let mut scales = unwritten::<f32>(m * blocks);
        let mut starts = unwritten::<i32>(m * blocks);
        let x = Quantised {
            codes: Output(codes.as_mut_ptr().cast()),
            scales: Output(scales.as_mut_ptr().cast()),
            starts: Output(starts.as_mut_ptr().cast()),
        };
        input.each_row(self.k, cpu, &|row, numbers| {
            let (first, rows) = tiles.of(row);
            let place = RowPlace {
                codes: x.codes.at(first * width + (row - first) * BLOCK),
                scales: x.scales.at(first * blocks + row - first),
                starts: x.starts.at(first * blocks + row - first),
                rows,
                blocks,
            };
            quantise(cpu.set, numbers, &place);
        });
        let panels = self.n.div_ceil(PANEL);
        let most = TILES_BYTES / (width * most_rows);
        tiles.sweep(panels, most, &cpu.threads, &|panel, range| {
            let w = self.stream[panel * self.pairs * PAIR..].as_ptr();
            // Lines of the next panel that each tile of this block asks for, per pair of blocks.
            let ahead = PAIR_LINES.div_ceil(range.len());
            for (i, t) in range.enumerate() {
                let (first, rows) = tiles.at(t);
                let tile = Tile {
                    w,
                    pairs: self.pairs,
                    codes: x.codes.at(first * width),
                    scales: x.scales.at(first * blocks),
                    starts: x.starts.at(first * blocks),
                    place: target.place(y, first, panel * PANEL, PANEL),
                    next: w.wrapping_add((self.pairs * PAIR_LINES + i * ahead * self.pairs) * 64),
                    ahead: if i * ahead < PAIR_LINES { ahead } else { 0 },
                };
                run(cpu.set, rows, &tile);
            }
        });
    }
}

/// Where code `j` of a column stands in its block.
fn place(j: usize, column: usize) -> usize {
    (j / 4) * PANEL * 4 + column * 4 + j % 4
}

/// Scale `i` of a line of scales.
fn scale_of(line: &[u8], i: usize) -> f32 {
    f16::from_le_bytes([line[2 * i], line[2 * i + 1]]).to_f32()
}

/// Where a row's blocks go: block `b` is `b · rows` further on.
struct RowPlace {
    codes: *mut i8,
    scales: *mut f32,
    starts: *mut i32,
    rows: usize,
    blocks: usize,
}

fn quantise(set: InstructionSet, x: &[f32], place: &RowPlace) {
    #[inline(always)]
    unsafe fn body(x: &[f32], place: &RowPlace) {
        for block in 0..place.blocks {
            let mut full = [0.0f32; BLOCK];
            let x = x.get(block * BLOCK..).unwrap_or_default();
            let width = x.len().min(BLOCK);
            full[..width].copy_from_slice(&x[..width]);
            let largest = full
                .iter()
                .map(|v| v.to_bits() & 0x7fff_ffff)
                .max()
                .unwrap_or(0);
            let finite = largest < f32::INFINITY.to_bits();
            let largest = f32::from_bits(largest);
            // What is not a number stays none: the row's result must not look sound.
            let scale = if finite { largest / 127.0 } else { f32::NAN };
            // Below this everything rounds to nothing, and the inverse would overflow.
            let inverse = if finite && largest > TINY {
                127.0 / largest
            } else {
                0.0
            };
            let mut sum = 0i32;
            for (j, value) in full.into_iter().enumerate() {
                let value = if finite { value } else { 0.0 };
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "-127..=127 by construction"
                )]
                let code = (value * inverse).round_ties_even() as i8;
                // SAFETY: the row's own place.
                unsafe { *place.codes.add(block * place.rows * BLOCK + j) = code };
                sum += i32::from(code);
            }
            // SAFETY: as above.
            unsafe {
                *place.scales.add(block * place.rows) = scale;
                *place.starts.add(block * place.rows) = -128 * sum;
            }
        }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow(x: &[f32], place: &RowPlace) {
        unsafe { body(x, place) }
    }
    match set {
        // SAFETY: the set was found on this processor; the place is the row's own.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni | InstructionSet::Avx512Bf16 => unsafe {
            x86::quantise(x, place);
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => unsafe { narrow(x, place) },
        // SAFETY: as above.
        _ => unsafe { body(x, place) },
    }
}

/// Rows of quantised activations, one panel, and where the results go.
struct Tile {
    w: *const u8,
    pairs: usize,
    codes: *const i8,
    scales: *const f32,
    starts: *const i32,
    place: Place,
    /// What to ask memory for, and how many lines of it per pair of blocks.
    next: *const u8,
    ahead: usize,
}

fn run(set: InstructionSet, rows: usize, tile: &Tile) {
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni | InstructionSet::Avx512Bf16 => {
            // SAFETY: the set was found on this processor; pointers cover the rows.
            with_rows!(rows, R, { unsafe { x86::vnni::<R>(tile) } });
        }
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => match rows {
            1 => unsafe { x86::avx2::<1>(tile) },
            2 => unsafe { x86::avx2::<2>(tile) },
            _ => unsafe { x86::avx2::<3>(tile) },
        },
        // SAFETY: pointers cover the rows.
        _ => unsafe { portable(tile, rows) },
    }
}

/// Any processor: the definition, as written above.
unsafe fn portable(tile: &Tile, rows: usize) {
    // SAFETY: the caller's.
    unsafe {
        for r in 0..rows {
            let mut total = [0.0f32; PANEL];
            for b in 0..2 * tile.pairs {
                let mut sums = [*tile.starts.add(b * rows + r); PANEL];
                let x = std::slice::from_raw_parts(tile.codes.add((b * rows + r) * BLOCK), BLOCK);
                let pair = std::slice::from_raw_parts(tile.w.add(b / 2 * PAIR), PAIR);
                let codes = &pair[b % 2 * CODES..][..CODES];
                for (g, w) in codes.chunks_exact(PANEL * 4).enumerate() {
                    for (c, sum) in sums.iter_mut().enumerate() {
                        for j in 0..4 {
                            *sum += i32::from(w[c * 4 + j]) * i32::from(x[g * 4 + j]);
                        }
                    }
                }
                let sx = *tile.scales.add(b * rows + r);
                for (c, total) in total.iter_mut().enumerate() {
                    let sw = scale_of(&pair[2 * CODES..], b % 2 * PANEL + c);
                    #[expect(clippy::cast_precision_loss, reason = "below 2^24")]
                    let sum = sums[c] as f32;
                    *total = sum.mul_add(sw * sx, *total);
                }
            }
            tile.place.finish(r, [Portable::load(total.as_ptr())]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::super::lanes::{Avx512, Lanes, Portable};
    use super::{AHEAD_ROWS, BLOCK, CODES, PAIR, PANEL, RowPlace, TINY, Tile, unroll};
    #[cfg_attr(
        not(test),
        expect(
            clippy::wildcard_imports,
            reason = "intrinsics are a vocabulary of their own"
        )
    )]
    use std::arch::x86_64::*;

    /// `R` rows × 16 columns: eight `vpdpbusd` a block and row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) unsafe fn vnni<const R: usize>(tile: &Tile) {
        // SAFETY: the caller's.
        unsafe {
            let mut total = [_mm512_setzero_ps(); R];
            let mut next = tile.next;
            let (mut pair, mut codes) = (tile.w, tile.codes);
            let (mut scales, mut starts) = (tile.scales, tile.starts);
            for _ in 0..tile.pairs {
                if R >= AHEAD_ROWS {
                    for _ in 0..tile.ahead {
                        _mm_prefetch::<_MM_HINT_T1>(next.cast());
                        next = next.wrapping_add(64);
                    }
                } else {
                    // The stream goes on into the next panel.
                    let ahead = pair.wrapping_add(4 * PAIR);
                    for line in 0..PAIR / 64 {
                        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64 * line).cast());
                    }
                }
                unroll!(2, half, {
                    let w = pair.add(half * CODES);
                    let mut lines = [_mm512_setzero_si512(); 8];
                    unroll!(8, g, {
                        lines[g] = _mm512_load_si512(w.add(g * 64).cast());
                    });
                    let line = pair.add(2 * CODES + half * 2 * PANEL);
                    let sw = _mm512_cvtph_ps(_mm256_load_si256(line.cast()));
                    unroll!(R, r, {
                        let mut sum = _mm512_set1_epi32(*starts.add(r));
                        let x = codes.add(r * BLOCK);
                        unroll!(8, g, {
                            let x = _mm512_set1_epi32(x.add(4 * g).cast::<i32>().read_unaligned());
                            sum = _mm512_dpbusd_epi32(sum, lines[g], x);
                        });
                        let scale = _mm512_mul_ps(sw, _mm512_set1_ps(*scales.add(r)));
                        total[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, total[r]);
                    });
                    codes = codes.add(R * BLOCK);
                    scales = scales.add(R);
                    starts = starts.add(R);
                });
                pair = pair.add(PAIR);
            }
            unroll!(R, r, {
                tile.place.finish(r, [Avx512(total[r])]);
            });
        }
    }

    /// One row's blocks.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) unsafe fn quantise(x: &[f32], place: &RowPlace) {
        // SAFETY: the caller's.
        unsafe {
            for block in 0..place.blocks {
                let left = x.len().saturating_sub(block * BLOCK);
                let at = x.as_ptr().wrapping_add(block * BLOCK);
                let (a, b) = if left >= BLOCK {
                    (_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16)))
                } else {
                    let mask = (1u32 << left) - 1;
                    #[expect(clippy::cast_possible_truncation, reason = "halves of the mask")]
                    let (low, high) = (mask as u16, (mask >> 16) as u16);
                    (
                        _mm512_maskz_loadu_ps(low, at),
                        _mm512_maskz_loadu_ps(high, at.wrapping_add(16)),
                    )
                };
                // Sizes order like their bits, and what is not finite is above all else.
                let size = _mm512_set1_epi32(0x7fff_ffff);
                let (p, q) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
                let both = _mm512_max_epi32(_mm512_and_si512(p, size), _mm512_and_si512(q, size));
                let bits = _mm512_reduce_max_epi32(both).cast_unsigned();
                let finite = bits < f32::INFINITY.to_bits();
                let largest = f32::from_bits(bits);
                let scale = if finite { largest / 127.0 } else { f32::NAN };
                let inverse = if finite && largest > TINY {
                    127.0 / largest
                } else {
                    0.0
                };
                let inverse = _mm512_set1_ps(inverse);
                let keep = if finite { u16::MAX } else { 0 };
                let a = _mm512_cvtps_epi32(_mm512_maskz_mul_ps(keep, a, inverse));
                let b = _mm512_cvtps_epi32(_mm512_maskz_mul_ps(keep, b, inverse));
                let sum = _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
                let codes = place.codes.add(block * place.rows * BLOCK);
                _mm_storeu_si128(codes.cast(), _mm512_cvtepi32_epi8(a));
                _mm_storeu_si128(codes.add(16).cast(), _mm512_cvtepi32_epi8(b));
                *place.scales.add(block * place.rows) = scale;
                *place.starts.add(block * place.rows) = -128 * sum;
            }
        }
    }

    /// Without VNNI: `|x| · sign(x)·w` in bytes, whose pairs stay below 2^15, then pairs of pairs; all sums are exact.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn avx2<const R: usize>(tile: &Tile) {
        // SAFETY: the caller's.
        unsafe {
            let (offset, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
            let mut total = [[_mm256_setzero_ps(); 2]; R];
            for b in 0..2 * tile.pairs {
                let pair = tile.w.add(b / 2 * PAIR);
                let codes = tile.codes.add(b * R * BLOCK);
                let mut sums = [[_mm256_setzero_si256(); 2]; R];
                for g in 0..BLOCK / 4 {
                    let line = pair.add(b % 2 * CODES + g * 64);
                    let w = [line, line.add(32)]
                        .map(|w| _mm256_xor_si256(_mm256_loadu_si256(w.cast()), offset));
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let x = codes.add(r * BLOCK + g * 4);
                        let x = _mm256_set1_epi32(x.cast::<i32>().read_unaligned());
                        let size = _mm256_abs_epi8(x);
                        for (sum, w) in sums.iter_mut().zip(w) {
                            let pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(w, x));
                            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                        }
                    }
                }
                let line = pair.add(2 * CODES + b % 2 * 2 * PANEL);
                for (r, (total, sums)) in total.iter_mut().zip(sums).enumerate() {
                    let sx = _mm256_set1_ps(*tile.scales.add(b * R + r));
                    for (h, (total, sum)) in total.iter_mut().zip(sums).enumerate() {
                        let sw = _mm256_cvtph_ps(_mm_loadu_si128(line.add(16 * h).cast()));
                        let scale = _mm256_mul_ps(sw, sx);
                        *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *total);
                    }
                }
            }
            for (r, total) in total.iter().enumerate() {
                let mut out = [0.0f32; PANEL];
                _mm256_storeu_ps(out.as_mut_ptr(), total[0]);
                _mm256_storeu_ps(out.as_mut_ptr().add(8), total[1]);
                tile.place.finish(r, [Portable::load(out.as_ptr())]);
            }
        }
    }
}
