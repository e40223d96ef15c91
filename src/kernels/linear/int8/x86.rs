//! Tiles in AVX-512 with VNNI, and in AVX2.

use super::super::super::lanes::{Avx512, Lanes, Portable};
use super::super::format::BLOCK;
use super::super::{AHEAD_ROWS, unroll};
use super::activations::{RowPlace, TINY};
use super::panels::{GROUP_PAIRS, LINE, PANEL};
use super::tile::{Tile, format_of};
#[cfg_attr(
    not(test),
    expect(
        clippy::wildcard_imports,
        reason = "intrinsics are a vocabulary of their own"
    )
)]
use std::arch::x86_64::*;

/// Below [`AHEAD_ROWS`] rows: how far ahead of the stream to ask for it, in bytes.
const AHEAD_BYTES: usize = 4352;

/// Group `g` of a block's codes: four of each column.
#[inline(always)]
unsafe fn group_512<const F: usize>(block: *const u8, g: usize) -> __m512i {
    let format = const { format_of(F) };
    // The plane of `width` bits whose first line is number `first`, its bits at `to` of each byte.
    let plane = |first: usize, to: usize, width: usize| unsafe {
        let line = _mm512_load_si512(block.add((first + g % width) * LINE).cast());
        if width == 8 {
            return line;
        }
        // Bits of neighbours come along and are masked out.
        let (turn, mask) = turned(g / width * width, to, width);
        let line = _mm512_rolv_epi32(line, _mm512_set1_epi32(turn & 31));
        _mm512_and_si512(line, _mm512_set1_epi8(mask))
    };
    let base = format.base();
    if format.bits == base {
        plane(0, 0, base)
    } else {
        unsafe { _mm512_or_si512(plane(0, 0, base), plane(base, base, format.bits - base)) }
    }
}

/// How far to shift `width` bits from place `from` to place `to` of a byte, and the mask that keeps them there.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "places within a byte"
)]
const fn turned(from: usize, to: usize, width: usize) -> (i32, i8) {
    let mask = (255u8 >> (8 - width)) << to;
    (to as i32 - from as i32, mask.cast_signed())
}

/// Scales or minima number `i` of a pair: f16, or steps of `unit`.
#[inline(always)]
unsafe fn numbers_512<const F: usize>(numbers: *const u8, i: usize, unit: __m512) -> __m512 {
    let format = const { format_of(F) };
    unsafe {
        if !format.steps {
            return halves_512(numbers.add(i * 2 * PANEL));
        }
        let steps = _mm_load_si128(numbers.add(i * PANEL).cast());
        let steps = if format.minima {
            _mm512_cvtepu8_epi32(steps)
        } else {
            _mm512_cvtepi8_epi32(steps)
        };
        _mm512_mul_ps(_mm512_cvtepi32_ps(steps), unit)
    }
}

/// Sixteen f16.
#[inline(always)]
unsafe fn halves_512(at: *const u8) -> __m512 {
    unsafe { _mm512_cvtph_ps(_mm256_load_si256(at.cast())) }
}

/// `R` rows × 16 columns: eight `vpdpbusd` a block and row.
#[expect(clippy::cast_ptr_alignment, reason = "codes are read unaligned")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn vnni<const F: usize, const R: usize>(tile: &Tile) {
    let format = const { format_of(F) };
    let parts = format.parts;
    // SAFETY: the caller's.
    unsafe {
        let mut total = [_mm512_setzero_ps(); R];
        let mut units = [_mm512_setzero_ps(); 2];
        let mut next = tile.next;
        let (mut at, mut codes) = (tile.w, tile.codes);
        let (mut scales, mut extras) = (tile.scales, tile.extras);
        for p in 0..tile.pairs {
            if format.steps && p % GROUP_PAIRS == 0 {
                units = [halves_512(at), halves_512(at.add(2 * PANEL))];
                at = at.add(format.unit_bytes());
            }
            if R >= AHEAD_ROWS {
                for _ in 0..tile.ahead {
                    _mm_prefetch::<_MM_HINT_T1>(next.cast());
                    next = next.wrapping_add(LINE);
                }
            } else {
                // The stream goes on into the next panel.
                let ahead = at.wrapping_add(AHEAD_BYTES);
                for line in 0..format.pair_bytes() / LINE {
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(LINE * line).cast());
                }
            }
            for b in 0..2 {
                let block = at.add(b * format.bits * LINE);
                let numbers = at.add(2 * format.bits * LINE);
                let mut lines = [_mm512_setzero_si512(); 8];
                unroll!(8, g, {
                    lines[g] = group_512::<F>(block, g);
                });
                let number = |which: usize, part: usize| {
                    let i = (2 * which + b) * parts + part;
                    numbers_512::<F>(numbers, i, units[which])
                };
                let scales_of = [number(0, 0), number(0, parts - 1)];
                let minima_of = if const { format_of(F).minima } {
                    [number(1, 0), number(1, parts - 1)]
                } else {
                    scales_of
                };
                unroll!(R, r, {
                    let x = codes.add(r * BLOCK).cast::<i32>();
                    let extras = extras.add(r * parts);
                    let mut sums = [_mm512_setzero_si512(); 2];
                    if const { !format_of(F).minima } {
                        sums[0] = _mm512_set1_epi32((*extras).cast_signed());
                        sums[1] = _mm512_set1_epi32((*extras.add(parts - 1)).cast_signed());
                    }
                    unroll!(8, g, {
                        let x = _mm512_set1_epi32(x.add(g).read_unaligned());
                        let part = g * parts / 8;
                        sums[part] = _mm512_dpbusd_epi32(sums[part], lines[g], x);
                    });
                    let d = _mm512_set1_ps(*scales.add(r));
                    let low = _mm512_cvtepi32_ps(sums[0]);
                    if const { format_of(F).parts == 1 } {
                        total[r] = _mm512_fmadd_ps(low, _mm512_mul_ps(scales_of[0], d), total[r]);
                    } else {
                        let low = _mm512_mul_ps(low, scales_of[0]);
                        let high = _mm512_cvtepi32_ps(sums[1]);
                        let both = _mm512_fmadd_ps(high, scales_of[1], low);
                        total[r] = _mm512_fmadd_ps(both, d, total[r]);
                    }
                    if const { format_of(F).minima } {
                        let sum = _mm512_set1_ps(f32::from_bits(*extras));
                        total[r] = _mm512_fnmadd_ps(minima_of[0], sum, total[r]);
                        if const { format_of(F).parts == 2 } {
                            let sum = _mm512_set1_ps(f32::from_bits(*extras.add(1)));
                            total[r] = _mm512_fnmadd_ps(minima_of[1], sum, total[r]);
                        }
                    }
                });
                codes = codes.add(R * BLOCK);
                scales = scales.add(R);
                extras = extras.add(R * parts);
            }
            at = at.add(format.pair_bytes());
        }
        unroll!(R, r, {
            tile.place.finish(r, [Avx512(total[r])]);
        });
    }
}

/// One row's blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(super) unsafe fn quantise(x: &[f32], place: &RowPlace<'_>) {
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
            let (a, b) = (_mm512_cvtepi32_epi8(a), _mm512_cvtepi32_epi8(b));
            let codes = place.codes.add(block * place.rows * BLOCK);
            _mm_storeu_si128(codes.cast(), a);
            _mm_storeu_si128(codes.add(16).cast(), b);
            place.finish(block, scale, [sum_of_codes(a), sum_of_codes(b)]);
        }
    }
}

/// The sum of sixteen codes.
#[inline(always)]
unsafe fn sum_of_codes(codes: __m128i) -> i32 {
    unsafe {
        // Bytes without a sign are summed by eights.
        let sums = _mm_sad_epu8(
            _mm_xor_si128(codes, _mm_set1_epi8(-128)),
            _mm_setzero_si128(),
        );
        _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_srli_si128::<8>(sums))) - 16 * 128
    }
}

/// 32 bytes of group `g`, from `h` on: of half of the columns.
#[inline(always)]
unsafe fn group_256<const F: usize>(block: *const u8, g: usize, h: usize) -> __m256i {
    let format = const { format_of(F) };
    let plane = |first: usize, to: usize, width: usize| unsafe {
        let line = block.add((first + g % width) * LINE + 32 * h);
        let line = _mm256_loadu_si256(line.cast());
        if width == 8 {
            return line;
        }
        let (turn, mask) = turned(g / width * width, to, width);
        let line = if turn >= 0 {
            _mm256_sllv_epi32(line, _mm256_set1_epi32(turn))
        } else {
            _mm256_srlv_epi32(line, _mm256_set1_epi32(-turn))
        };
        _mm256_and_si256(line, _mm256_set1_epi8(mask))
    };
    let base = format.base();
    if format.bits == base {
        plane(0, 0, base)
    } else {
        unsafe { _mm256_or_si256(plane(0, 0, base), plane(base, base, format.bits - base)) }
    }
}

/// As [`numbers_512`], eight columns from `h` eights on.
#[inline(always)]
unsafe fn numbers_256<const F: usize>(
    numbers: *const u8,
    i: usize,
    h: usize,
    unit: __m256,
) -> __m256 {
    let format = const { format_of(F) };
    unsafe {
        if !format.steps {
            return halves_256(numbers.add((i * PANEL + 8 * h) * 2));
        }
        let steps = _mm_loadl_epi64(numbers.add(i * PANEL + 8 * h).cast());
        let steps = if format.minima {
            _mm256_cvtepu8_epi32(steps)
        } else {
            _mm256_cvtepi8_epi32(steps)
        };
        _mm256_mul_ps(_mm256_cvtepi32_ps(steps), unit)
    }
}

/// Eight f16.
#[inline(always)]
unsafe fn halves_256(at: *const u8) -> __m256 {
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
}

/// Groups whose products two by two can be added up in 16 bits, of those of one part.
const fn groups_in_16_bits(bits: usize) -> usize {
    match bits {
        // 15 · 127 · 2 · 8, and less.
        ..=4 => 8,
        5 => 4,
        6 => 2,
        _ => 1,
    }
}

/// Without VNNI: products of bytes in pairs stay below 2^15, then pairs of pairs; all sums are exact. Codes of 8 bits are
/// taken with their sign, whose bytes are multiplied as `|w| · sign(w) x`.
#[expect(clippy::cast_ptr_alignment, reason = "codes are read unaligned")]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn avx2<const F: usize, const R: usize>(tile: &Tile) {
    let format = const { format_of(F) };
    let parts = format.parts;
    let adds = const { groups_in_16_bits(format_of(F).bits) };
    // SAFETY: the caller's.
    unsafe {
        let (offset, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
        let mut total = [[_mm256_setzero_ps(); 2]; R];
        let mut units = tile.w;
        let mut at = tile.w;
        for b in 0..2 * tile.pairs {
            if format.steps && b % (2 * GROUP_PAIRS) == 0 {
                units = at;
                at = at.add(format.unit_bytes());
            }
            let block = at.add(b % 2 * format.bits * LINE);
            let numbers = at.add(2 * format.bits * LINE);
            let codes = tile.codes.add(b * R * BLOCK);
            let extras = tile.extras.add(b * R * parts);
            for h in 0..2 {
                let mut sums = [[_mm256_setzero_si256(); 2]; R];
                if format.offset > 0 && format.bits < 8 {
                    for (r, sums) in sums.iter_mut().enumerate() {
                        for (part, sum) in sums.iter_mut().enumerate().take(parts) {
                            *sum = _mm256_set1_epi32((*extras.add(r * parts + part)).cast_signed());
                        }
                    }
                }
                let mut short = [_mm256_setzero_si256(); R];
                unroll!(8, g, {
                    let w = group_256::<F>(block, g, h);
                    let (size, sign) = if format.bits == 8 {
                        let w = _mm256_xor_si256(w, offset);
                        (_mm256_abs_epi8(w), w)
                    } else {
                        (w, w)
                    };
                    for r in 0..R {
                        let x = codes.add(r * BLOCK + g * 4).cast::<i32>();
                        let mut x = _mm256_set1_epi32(x.read_unaligned());
                        if format.bits == 8 {
                            x = _mm256_sign_epi8(x, sign);
                        }
                        let products = _mm256_maddubs_epi16(size, x);
                        short[r] = _mm256_add_epi16(short[r], products);
                        let part = g * parts / 8;
                        if (g + 1) % adds.min(8 / parts) == 0 {
                            let wide = _mm256_madd_epi16(short[r], ones);
                            sums[r][part] = _mm256_add_epi32(sums[r][part], wide);
                            short[r] = _mm256_setzero_si256();
                        }
                    }
                });
                let unit = |which: usize| {
                    if format.steps {
                        halves_256(units.add((which * PANEL + 8 * h) * 2))
                    } else {
                        _mm256_setzero_ps()
                    }
                };
                let number = |which: usize, part: usize| {
                    let i = (2 * which + b % 2) * parts + part;
                    numbers_256::<F>(numbers, i, h, unit(which))
                };
                let scale = [number(0, 0), number(0, parts - 1)];
                for (r, total) in total.iter_mut().enumerate() {
                    let total = &mut total[h];
                    let d = _mm256_set1_ps(*tile.scales.add(b * R + r));
                    let low = _mm256_cvtepi32_ps(sums[r][0]);
                    if parts == 1 {
                        *total = _mm256_fmadd_ps(low, _mm256_mul_ps(scale[0], d), *total);
                    } else {
                        let low = _mm256_mul_ps(low, scale[0]);
                        let both = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[r][1]), scale[1], low);
                        *total = _mm256_fmadd_ps(both, d, *total);
                    }
                    if format.minima {
                        for part in 0..parts {
                            let sum = f32::from_bits(*extras.add(r * parts + part));
                            let minimum = number(1, part);
                            *total = _mm256_fnmadd_ps(minimum, _mm256_set1_ps(sum), *total);
                        }
                    }
                }
            }
            if b % 2 == 1 {
                at = at.add(format.pair_bytes());
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
