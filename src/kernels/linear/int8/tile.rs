//! A tile: some rows of activations against a panel. The definition for any processor, and the choice of a faster way.

use super::super::super::lanes::{Lanes, Portable};
use super::super::format::{BLOCK, Format};
#[cfg(target_arch = "x86_64")]
use super::super::with_rows;
use super::super::{BlockKind, InstructionSet, Place};
use super::panels::{GROUP_PAIRS, LINE, PANEL, code};
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Rows of quantised activations, one panel, and where the results go.
pub(super) struct Tile {
    pub w: *const u8,
    pub pairs: usize,
    pub codes: *const i8,
    pub scales: *const f32,
    /// By block, row and part: what sums start at, as i32, or what minima are multiplied with, as f32.
    pub extras: *const u32,
    pub place: Place,
    /// What to ask memory for, and how many lines of it per pair of blocks.
    pub next: *const u8,
    pub ahead: usize,
}

/// The block with `$f` as a constant: the place of `$kind` among all kinds.
macro_rules! with_kind {
    ($kind:expr, $f:ident, $body:block) => {
        with_kind!(@ $kind, $f, $body, Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2K Q3K Q4K Q5K Q6K)
    };
    (@ $kind:expr, $f:ident, $body:block, $($name:ident)*) => {
        match $kind {
            $(BlockKind::$name => {
                const $f: usize = BlockKind::$name as usize;
                $body
            })*
        }
    };
}

/// The format of the kind at place `kind`.
pub(super) const fn format_of(kind: usize) -> Format {
    BlockKind::ALL[kind].format()
}

pub(super) fn run(kind: BlockKind, set: InstructionSet, rows: usize, tile: &Tile) {
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni | InstructionSet::Avx512Bf16 => {
            // SAFETY: the set was found on this processor; pointers cover the rows.
            with_kind!(kind, F, {
                with_rows!(rows, R, { unsafe { x86::vnni::<F, R>(tile) } });
            });
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => {
            // SAFETY: as above.
            with_kind!(kind, F, {
                match rows {
                    1 => unsafe { x86::avx2::<F, 1>(tile) },
                    2 => unsafe { x86::avx2::<F, 2>(tile) },
                    _ => unsafe { x86::avx2::<F, 3>(tile) },
                }
            });
        }
        // SAFETY: pointers cover the rows.
        _ => unsafe { portable(kind.format(), tile, rows) },
    }
}

/// Any processor: the definition, as written above.
unsafe fn portable(format: Format, tile: &Tile, rows: usize) {
    // SAFETY: the caller's.
    unsafe {
        let parts = format.parts;
        let mut total = vec![[0.0f32; PANEL]; rows];
        let (mut at, mut units) = (tile.w, [[0u16; PANEL]; 2]);
        for b in 0..2 * tile.pairs {
            if format.steps && b % (2 * GROUP_PAIRS) == 0 {
                units = at.cast::<[[u16; PANEL]; 2]>().read_unaligned();
                at = at.add(format.unit_bytes());
            }
            let pair = std::slice::from_raw_parts(at, format.pair_bytes());
            let (codes, numbers) = pair.split_at(2 * format.bits * LINE);
            let lines = &codes[b % 2 * format.bits * LINE..][..format.bits * LINE];
            // Scales come first, then minima, each by block and part.
            let number = |which: usize, part: usize, column: usize| {
                let i = ((2 * which + b % 2) * parts + part) * PANEL + column;
                let raw = if format.steps {
                    numbers[i].into()
                } else {
                    u16::from_le_bytes([numbers[2 * i], numbers[2 * i + 1]])
                };
                format.number(u16::from_le(units[which][column]), raw)
            };
            for (column, w) in (0..PANEL).map(|c| (c, codes_of(format, lines, c))) {
                for (r, total) in total.iter_mut().enumerate() {
                    let x = tile.codes.add((b * rows + r) * BLOCK).cast::<[i8; BLOCK]>();
                    let extras = tile.extras.add((b * rows + r) * parts);
                    let mut sums = [0i32; 2];
                    for (j, (w, x)) in w.iter().zip(*x).enumerate() {
                        sums[j * parts / BLOCK] += i32::from(*w) * i32::from(x);
                    }
                    let mut scaled = [0.0f32; 2];
                    for part in 0..parts {
                        let start = if format.minima {
                            0
                        } else {
                            (*extras.add(part)).cast_signed()
                        };
                        #[expect(clippy::cast_precision_loss, reason = "below 2^24")]
                        let sum = (sums[part] + start) as f32;
                        scaled[part] = sum;
                    }
                    let (total, d) = (&mut total[column], *tile.scales.add(b * rows + r));
                    *total = if parts == 1 {
                        scaled[0].mul_add(number(0, 0, column) * d, *total)
                    } else {
                        let low = scaled[0] * number(0, 0, column);
                        let both = scaled[1].mul_add(number(0, 1, column), low);
                        both.mul_add(d, *total)
                    };
                    if format.minima {
                        for part in 0..parts {
                            let sum = f32::from_bits(*extras.add(part));
                            *total = (-number(1, part, column)).mul_add(sum, *total);
                        }
                    }
                }
            }
            if b % 2 == 1 {
                at = at.add(format.pair_bytes());
            }
        }
        for (r, total) in total.iter().enumerate() {
            tile.place.finish(r, [Portable::load(total.as_ptr())]);
        }
    }
}

/// The codes of a column of a block.
fn codes_of(format: Format, lines: &[u8], column: usize) -> [u8; BLOCK] {
    std::array::from_fn(|j| code(format, lines, j, column))
}
