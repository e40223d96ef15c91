//! Profile `f32`: weights as stored, f32 arithmetic.
//!
//! Panels of 32 output columns, `[panel][k][32]`, stored as f32 or bf16 (widened exactly). An output is one chain of fused
//! multiply-adds over k in ascending order, from zero.

use super::super::InstructionSet;
use super::super::buffer::Buffer;
use super::super::lanes::{Lanes, for_each_set};
use super::{
    AHEAD_ROWS, Cpu, Input, Output, Place, Rows, TILES_BYTES, Target, Tiles, each_row, unwritten,
    with_rows,
};

const PANEL: usize = 32;

pub(super) struct F32Weights {
    n: usize,
    k: usize,
    panels: Panels,
}

enum Panels {
    F32(Buffer<f32>),
    Bf16(Buffer<u16>),
}

impl F32Weights {
    pub(super) fn pack(parts: &[Rows<'_>], n: usize, k: usize) -> Self {
        let size = n.div_ceil(PANEL) * k * PANEL;
        let place = |row: usize, j: usize| ((row / PANEL) * k + j) * PANEL + row % PANEL;
        let panels = if parts.iter().all(|part| matches!(part, Rows::Bf16(_))) {
            let mut out = Buffer::<u16>::zeroed(size);
            each_row(parts, k, |row, numbers| {
                for (j, number) in numbers.iter().enumerate() {
                    out[place(row, j)] = half::bf16::from_f32(*number).to_bits();
                }
            });
            Panels::Bf16(out)
        } else {
            let mut out = Buffer::<f32>::zeroed(size);
            each_row(parts, k, |row, numbers| {
                for (j, number) in numbers.iter().enumerate() {
                    out[place(row, j)] = *number;
                }
            });
            Panels::F32(out)
        };
        Self { n, k, panels }
    }

    /// Whether the weights are stored in 16 bits.
    pub(super) fn is_bf16(&self) -> bool {
        matches!(self.panels, Panels::Bf16(_))
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(p) => p.len() * 4,
            Panels::Bf16(p) => p.len() * 2,
        }
    }

    pub(super) fn copy_row(&self, row: usize, out: &mut [f32]) {
        let base = (row / PANEL) * self.k * PANEL + row % PANEL;
        for (j, out) in out.iter_mut().enumerate() {
            *out = match &self.panels {
                Panels::F32(p) => p[base + j * PANEL],
                Panels::Bf16(p) => f32::from_bits(u32::from(p[base + j * PANEL]) << 16),
            };
        }
    }

    pub(super) fn forward(&self, input: Input<'_>, target: Target<'_>, y: &Output, cpu: &Cpu) {
        let (m, k) = (input.count(self.k), self.k);
        let mut made = unwritten::<f32>(if matches!(input, Input::Rows(_)) {
            0
        } else {
            m * k
        });
        let x = if let Input::Rows(x) = input {
            x.as_ptr()
        } else {
            let out = Output(made.as_mut_ptr().cast::<f32>());
            input.each_row(k, cpu, &|row, numbers| {
                // SAFETY: this row's own place.
                unsafe { std::ptr::copy_nonoverlapping(numbers.as_ptr(), out.at(row * k), k) };
            });
            made.as_ptr().cast()
        };
        let x = Output(x.cast_mut());
        let tiles = Tiles::new(m, tile_rows(cpu.set));
        let panels = self.n.div_ceil(PANEL);
        let most = TILES_BYTES / (k * 4 * tile_rows(cpu.set));
        tiles.sweep(panels, most, &cpu.threads, &|panel, range| {
            let part = range.len();
            for (i, t) in range.enumerate() {
                let (first, rows) = tiles.at(t);
                let tile = Tile {
                    x: x.at(first * k),
                    k,
                    place: target.place(y, first, panel * PANEL, PANEL),
                    first_line: i * k,
                    line_scale: (1 << 16) / part,
                };
                let tile = &tile;
                match &self.panels {
                    Panels::F32(p) => {
                        let w = p[panel * k * PANEL..].as_ptr();
                        for_each_set!(cpu.set, panel_f32(w: *const f32, rows: usize, tile: &Tile));
                    }
                    Panels::Bf16(p) => {
                        let w = p[panel * k * PANEL..].as_ptr();
                        for_each_set!(cpu.set, panel_bf16(w: *const u16, rows: usize, tile: &Tile));
                    }
                }
            }
        });
    }
}

/// Rows of a register tile that the instruction set has room for.
fn tile_rows(set: InstructionSet) -> usize {
    match set {
        InstructionSet::Portable => 4,
        InstructionSet::Avx2 => 3,
        _ => 12,
    }
}

/// Rows of one panel.
struct Tile {
    x: *const f32,
    k: usize,
    place: Place,
    /// This tile's share of asking for the next panel: its first line, in `1 / tiles` lines, and `2^16 / tiles`.
    first_line: usize,
    line_scale: usize,
}

#[inline(always)]
unsafe fn panel_f32<V: Lanes>(w: *const f32, rows: usize, tile: &Tile) {
    // SAFETY: the panel holds k × 32 weights.
    unsafe {
        let next = w.wrapping_add(tile.k * PANEL).cast();
        let load = |j: usize| (V::load(w.add(j * PANEL)), V::load(w.add(j * PANEL + 16)));
        with_rows!(rows, R, { rows_of::<V, R>(tile, next, 4 * PANEL, load) });
    }
}

#[inline(always)]
unsafe fn panel_bf16<V: Lanes>(w: *const u16, rows: usize, tile: &Tile) {
    // SAFETY: the panel holds k × 32 weights.
    unsafe {
        let next = w.wrapping_add(tile.k * PANEL).cast();
        let load = |j: usize| {
            (
                V::load_bf16(w.add(j * PANEL)),
                V::load_bf16(w.add(j * PANEL + 16)),
            )
        };
        with_rows!(rows, R, { rows_of::<V, R>(tile, next, 2 * PANEL, load) });
    }
}

/// `R` rows × 32 columns in registers; `next` is the next panel, of `line` bytes per k.
#[inline(always)]
unsafe fn rows_of<V: Lanes, const R: usize>(
    tile: &Tile,
    next: *const u8,
    line: usize,
    w: impl Fn(usize) -> (V, V),
) {
    // SAFETY: R rows of x with k numbers each, R rows of y with `columns` numbers from here.
    unsafe {
        let mut acc = [[V::splat(0.0); 2]; R];
        for j in 0..tile.k {
            let (w0, w1) = w(j);
            if R >= AHEAD_ROWS {
                let at = ((tile.first_line + j) * tile.line_scale) >> 16;
                V::prefetch(next.wrapping_add(at * line));
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = V::splat(*tile.x.add(r * tile.k + j));
                acc[0] = x.mul_add(w0, acc[0]);
                acc[1] = x.mul_add(w1, acc[1]);
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            tile.place.finish(r, *acc);
        }
    }
}
