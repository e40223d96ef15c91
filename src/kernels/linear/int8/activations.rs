//! Activations in 8 bits: what a step's rows become once, for all panels.

use std::mem::MaybeUninit;

use super::super::format::{BLOCK, Format};
use super::super::{Cpu, Input, InstructionSet, Output, Tiles, unwritten};

/// Blocks of activations no larger than this count as zero.
pub(super) const TINY: f32 = 1e-30;

/// What a format needs to know of the sums of activations' codes, once or per half of a block: `-offset · Σx`, where its
/// sums of products start; or `Σx · d` in f32, which minima are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extras {
    pub parts: usize,
    /// 0 for minima.
    offset: i32,
}

impl Extras {
    pub(super) fn of(format: Format) -> Self {
        Self {
            parts: format.parts,
            offset: format.offset.into(),
        }
    }

    /// The bits, from the sums of a block's halves and the scale.
    #[inline(always)]
    pub(super) fn bits(self, sums: [i32; 2], scale: f32) -> [u32; 2] {
        let sums = if self.parts == 1 {
            [sums[0] + sums[1], 0]
        } else {
            sums
        };
        sums.map(|sum| {
            if self.offset == 0 {
                #[expect(clippy::cast_precision_loss, reason = "below 2^12")]
                let sum = sum as f32;
                (sum * scale).to_bits()
            } else {
                (-self.offset * sum).cast_unsigned()
            }
        })
    }
}

/// Rows of codes in tiles: `[tile][block][row][32]`; scales and extras likewise.
pub(super) struct Quantised {
    codes: Box<[MaybeUninit<i8>]>,
    scales: Box<[MaybeUninit<f32>]>,
    /// By kind of extras.
    extras: Vec<(Extras, Box<[MaybeUninit<u32>]>)>,
    /// Of a row, an even number.
    blocks: usize,
}

impl Quantised {
    pub(super) fn new(
        input: Input<'_>,
        k: usize,
        tiles: Tiles,
        kinds: &[Extras],
        cpu: &Cpu,
    ) -> Self {
        let (m, blocks) = (input.count(k), 2 * k.div_ceil(2 * BLOCK));
        let extras = kinds
            .iter()
            .map(|&kind| (kind, unwritten(m * blocks * kind.parts)));
        let mut out = Self {
            codes: unwritten(m * blocks * BLOCK),
            scales: unwritten(m * blocks),
            extras: extras.collect(),
            blocks,
        };
        let codes = Output(out.codes.as_mut_ptr().cast::<i8>());
        let scales = Output(out.scales.as_mut_ptr().cast::<f32>());
        let extras: Vec<_> = out
            .extras
            .iter_mut()
            .map(|(kind, bits)| (*kind, Output(bits.as_mut_ptr().cast::<u32>())))
            .collect();
        input.each_row(k, cpu, &|row, numbers| {
            let (first, rows) = tiles.of(row);
            let at = first * blocks + row - first;
            let place = RowPlace {
                codes: codes.at(first * blocks * BLOCK + (row - first) * BLOCK),
                scales: scales.at(at),
                extras: &extras,
                at,
                rows,
                blocks,
            };
            quantise(cpu.set, numbers, &place);
        });
        out
    }

    /// Bytes of a row's codes.
    pub(super) fn row_bytes(&self) -> usize {
        self.blocks * BLOCK
    }

    /// Codes, scales and extras of the tile that begins with row `first`.
    pub(super) fn tile(&self, first: usize, extras: usize) -> (*const i8, *const f32, *const u32) {
        let at = first * self.blocks;
        let (kind, bits) = &self.extras[extras];
        (
            self.codes[at * BLOCK..].as_ptr().cast(),
            self.scales[at..].as_ptr().cast(),
            bits[at * kind.parts..].as_ptr().cast(),
        )
    }
}

/// Where a row's blocks go: block `b` is `b · rows` further on.
pub(super) struct RowPlace<'a> {
    pub codes: *mut i8,
    pub scales: *mut f32,
    extras: &'a [(Extras, Output<u32>)],
    /// Of the row's first block, in blocks.
    at: usize,
    pub rows: usize,
    pub blocks: usize,
}

impl RowPlace<'_> {
    /// Notes a block's scale and what follows from the sums of its halves.
    #[inline(always)]
    pub(super) unsafe fn finish(&self, block: usize, scale: f32, sums: [i32; 2]) {
        let at = block * self.rows;
        // SAFETY: the row's own place.
        unsafe {
            *self.scales.add(at) = scale;
            for (kind, out) in self.extras {
                let out = out.at((self.at + at) * kind.parts);
                for (part, bits) in kind
                    .bits(sums, scale)
                    .into_iter()
                    .take(kind.parts)
                    .enumerate()
                {
                    *out.add(part) = bits;
                }
            }
        }
    }
}

fn quantise(set: InstructionSet, x: &[f32], place: &RowPlace<'_>) {
    #[inline(always)]
    unsafe fn body(x: &[f32], place: &RowPlace<'_>) {
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
            let mut sums = [0i32; 2];
            for (j, value) in full.into_iter().enumerate() {
                let value = if finite { value } else { 0.0 };
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "-127..=127 by construction"
                )]
                let code = (value * inverse).round_ties_even() as i8;
                // SAFETY: the row's own place.
                unsafe { *place.codes.add(block * place.rows * BLOCK + j) = code };
                sums[j / 16] += i32::from(code);
            }
            // SAFETY: as above.
            unsafe { place.finish(block, scale, sums) };
        }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow(x: &[f32], place: &RowPlace<'_>) {
        unsafe { body(x, place) }
    }
    match set {
        // SAFETY: the set was found on this processor; the place is the row's own.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni | InstructionSet::Avx512Bf16 => unsafe {
            super::x86::quantise(x, place);
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => unsafe { narrow(x, place) },
        // SAFETY: as above.
        _ => unsafe { body(x, place) },
    }
}
