//! `y = x · Wᵀ + b`: in profile `f32` here, in profile `int8` next door.
//!
//! In profile `f32`, weights are packed into panels of 32 output columns, `[panel][k][32]`, stored as f32 or bf16 (widened exactly). Every
//! output is one chain of fused multiply-adds over k in ascending order, whatever the tile, the number of rows, the thread
//! or the instruction set: the numeric contract of the profile.

use half::bf16;

use super::Threads;
use super::buffer::Buffer;
use super::int8::Int8Weights;
use super::lanes::{InstructionSet, Lanes, for_each_set};

const PANEL: usize = 32;
/// Activations of one chunk of rows stay within this many bytes of L2.
const ROW_BLOCK_BYTES: usize = 448 << 10;

/// A weight matrix of `n` outputs and `k` inputs, with its bias.
pub struct PackedLinear {
    n: usize,
    k: usize,
    panels: Panels,
    bias: Option<Vec<f32>>,
}

enum Panels {
    F32(Buffer<f32>),
    Bf16(Buffer<u16>),
    Int8(Int8Weights),
}

/// How the linear layers compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Weights as stored (f32 or bf16), f32 arithmetic.
    F32,
    /// Weights and activations in 8 bits, exact integer sums.
    Int8,
}

impl Profile {
    /// The name in run manifests and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

/// One block of rows of a weight matrix as stored: `rows × k`, row-major.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl Rows<'_> {
    /// Number `i` in f32.
    pub(super) fn at(&self, i: usize) -> f32 {
        match self {
            Self::F32(rows) => rows[i],
            Self::Bf16(rows) => rows[i].to_f32(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(rows) => rows.len(),
            Self::Bf16(rows) => rows.len(),
        }
    }
}

impl PackedLinear {
    /// Packs row blocks (for example q, k and v) one below the other. In profile `f32`, stored as bf16 when every block is
    /// bf16.
    ///
    /// # Panics
    /// When a block is not a whole number of rows of length `k`, or the bias is not one number a row.
    #[must_use]
    pub fn pack(blocks: &[Rows<'_>], k: usize, bias: Option<Vec<f32>>, profile: Profile) -> Self {
        let n: usize = blocks.iter().map(|block| block.len() / k).sum();
        assert!(
            blocks.iter().all(|block| block.len() % k == 0),
            "whole rows"
        );
        assert!(
            bias.as_ref().is_none_or(|bias| bias.len() == n),
            "one bias a row"
        );
        if profile == Profile::Int8 {
            let panels = Panels::Int8(Int8Weights::pack(blocks, k));
            return Self { n, k, panels, bias };
        }
        let size = n.div_ceil(PANEL) * k * PANEL;
        let place = |row: usize, j: usize| ((row / PANEL) * k + j) * PANEL + row % PANEL;
        let mut row = 0;
        let panels = if blocks.iter().all(|block| matches!(block, Rows::Bf16(_))) {
            let mut out = Buffer::<u16>::zeroed(size);
            for block in blocks {
                let Rows::Bf16(data) = block else {
                    unreachable!("checked above")
                };
                for line in data.chunks_exact(k) {
                    line.iter()
                        .enumerate()
                        .for_each(|(j, w)| out[place(row, j)] = w.to_bits());
                    row += 1;
                }
            }
            Panels::Bf16(out)
        } else {
            let mut out = Buffer::<f32>::zeroed(size);
            for block in blocks {
                for i in 0..block.len() / k {
                    for j in 0..k {
                        out[place(row, j)] = match block {
                            Rows::F32(data) => data[i * k + j],
                            Rows::Bf16(data) => data[i * k + j].to_f32(),
                        };
                    }
                    row += 1;
                }
            }
            Panels::F32(out)
        };
        Self { n, k, panels, bias }
    }

    /// Outputs.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// Bytes of the packed weights.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(p) => p.len() * 4,
            Panels::Bf16(p) => p.len() * 2,
            Panels::Int8(weights) => weights.bytes(),
        }
    }

    /// Row `row` of the matrix: an embedding, when the matrix is a tied head.
    ///
    /// # Panics
    /// When `row` is not below `n` or `out` is not `k` long.
    pub fn copy_row(&self, row: usize, out: &mut [f32]) {
        assert!(
            row < self.n && out.len() == self.k,
            "row {row} of {}",
            self.n
        );
        let base = (row / PANEL) * self.k * PANEL + row % PANEL;
        let column = |j: usize| base + j * PANEL;
        match &self.panels {
            Panels::F32(p) => out
                .iter_mut()
                .enumerate()
                .for_each(|(j, o)| *o = p[column(j)]),
            Panels::Bf16(p) => out
                .iter_mut()
                .enumerate()
                .for_each(|(j, o)| *o = f32::from_bits(u32::from(p[column(j)]) << 16)),
            Panels::Int8(weights) => weights.copy_row(row, out),
        }
    }

    /// What computes it with an instruction set, for people: arithmetic, weights where they differ, instructions.
    #[must_use]
    pub fn kernel(&self, set: InstructionSet) -> String {
        match &self.panels {
            Panels::F32(_) => format!("f32 {}", set.f32_name()),
            Panels::Bf16(_) => format!("f32 (bf16 weights) {}", set.f32_name()),
            Panels::Int8(_) => format!("int8 {}", set.int8_name()),
        }
    }

    /// `y[m × n] = x[m × k] · Wᵀ + b`.
    ///
    /// # Panics
    /// When the lengths of `x` and `y` do not fit.
    pub fn forward(&self, x: &[f32], y: &mut [f32], threads: &Threads, set: InstructionSet) {
        let m = x.len() / self.k;
        assert!(
            x.len() == m * self.k && y.len() == m * self.n,
            "x is m × k and y is m × n"
        );
        if m == 0 {
            return;
        }
        if let Panels::Int8(weights) = &self.panels {
            weights.forward(x, self.bias.as_deref(), y, threads, set);
            return;
        }
        let rows_per_block = (ROW_BLOCK_BYTES / (self.k * 4)).clamp(12, 384) / 12 * 12;
        let row_blocks = m.div_ceil(rows_per_block);
        let panels = self.n.div_ceil(PANEL);
        // Enough chunks to balance, large enough to amortise a claim.
        let panels_per_chunk = (panels * row_blocks / (threads.count() * 8))
            .clamp(1, 16)
            .min(panels);
        let panel_chunks = panels.div_ceil(panels_per_chunk);
        let y = Output(y.as_mut_ptr());
        threads.run(row_blocks * panel_chunks, &|chunk| {
            let (block, part) = (chunk / panel_chunks, chunk % panel_chunks);
            let first_row = block * rows_per_block;
            let rows = rows_per_block.min(m - first_row);
            for panel in part * panels_per_chunk..((part + 1) * panels_per_chunk).min(panels) {
                self.panel(
                    set,
                    panel,
                    &x[first_row * self.k..(first_row + rows) * self.k],
                    rows,
                    y.at(first_row * self.n),
                );
            }
        });
    }

    /// One panel for a block of rows; `y` points at the block's first row.
    fn panel(&self, set: InstructionSet, panel: usize, x: &[f32], rows: usize, y: *mut f32) {
        let columns = PANEL.min(self.n - panel * PANEL);
        let bias = self
            .bias
            .as_ref()
            .map_or(std::ptr::null(), |bias| bias[panel * PANEL..].as_ptr());
        // SAFETY: within the chunk's own columns of the chunk's own rows.
        let y = unsafe { y.add(panel * PANEL) };
        let shape = Shape {
            k: self.k,
            n: self.n,
            rows,
            columns,
        };
        let x = x.as_ptr();
        match &self.panels {
            Panels::F32(p) => {
                let w = p[panel * self.k * PANEL..].as_ptr();
                for_each_set!(set, panel_f32(w: *const f32, x: *const f32, bias: *const f32, y: *mut f32, shape: Shape));
            }
            Panels::Bf16(p) => {
                let w = p[panel * self.k * PANEL..].as_ptr();
                for_each_set!(set, panel_bf16(w: *const u16, x: *const f32, bias: *const f32, y: *mut f32, shape: Shape));
            }
            Panels::Int8(_) => unreachable!("int8 has its own loop"),
        }
    }
}

/// A base address that several threads write disjoint parts of.
pub(super) struct Output<T = f32>(pub *mut T);
// SAFETY: every user writes its own part only.
unsafe impl<T> Sync for Output<T> {}
impl<T> Output<T> {
    pub(super) fn at(&self, offset: usize) -> *mut T {
        // SAFETY: callers stay inside the slice that the pointer was made from.
        unsafe { self.0.add(offset) }
    }
}

#[derive(Clone, Copy)]
struct Shape {
    k: usize,
    n: usize,
    rows: usize,
    columns: usize,
}

/// What a tile asks memory for while it computes: its share of the next panel.
#[derive(Clone, Copy)]
struct Ahead {
    /// The next panel, or past the end of the last one; only a hint.
    panel: *const u8,
    /// Bytes of a panel per k.
    line: usize,
    /// This tile's first line, in `1 / tiles` lines, and `2^16 / tiles`.
    first: usize,
    scale: usize,
}

/// Below this many rows the processor's own prefetching does better.
pub(super) const AHEAD_ROWS: usize = 5;

#[inline(always)]
unsafe fn panel_f32<V: Lanes>(
    w: *const f32,
    x: *const f32,
    bias: *const f32,
    y: *mut f32,
    shape: Shape,
) {
    // SAFETY: the panel holds k × 32 weights.
    unsafe {
        let next = w.wrapping_add(shape.k * PANEL).cast();
        rows::<V>(x, bias, y, shape, (next, 4 * PANEL), |j| {
            (V::load(w.add(j * PANEL)), V::load(w.add(j * PANEL + 16)))
        });
    }
}

#[inline(always)]
unsafe fn panel_bf16<V: Lanes>(
    w: *const u16,
    x: *const f32,
    bias: *const f32,
    y: *mut f32,
    shape: Shape,
) {
    // SAFETY: the panel holds k × 32 weights.
    unsafe {
        let next = w.wrapping_add(shape.k * PANEL).cast();
        rows::<V>(x, bias, y, shape, (next, 2 * PANEL), |j| {
            (
                V::load_bf16(w.add(j * PANEL)),
                V::load_bf16(w.add(j * PANEL + 16)),
            )
        });
    }
}

/// Splits the rows into balanced tiles of at most `V::TILE_ROWS`.
#[inline(always)]
unsafe fn rows<V: Lanes>(
    x: *const f32,
    bias: *const f32,
    y: *mut f32,
    s: Shape,
    (panel, line): (*const u8, usize),
    w: impl Fn(usize) -> (V, V) + Copy,
) {
    let tiles = s.rows.div_ceil(V::TILE_ROWS);
    for t in 0..tiles {
        let ahead = Ahead {
            panel,
            line,
            first: t * s.k,
            scale: (1 << 16) / tiles,
        };
        let (from, to) = (s.rows * t / tiles, s.rows * (t + 1) / tiles);
        // SAFETY: rows from..to of x and y.
        unsafe {
            let (x, y) = (x.add(from * s.k), y.add(from * s.n));
            match to - from {
                1 => tile::<V, 1>(x, bias, y, s, ahead, w),
                2 => tile::<V, 2>(x, bias, y, s, ahead, w),
                3 => tile::<V, 3>(x, bias, y, s, ahead, w),
                4 => tile::<V, 4>(x, bias, y, s, ahead, w),
                5 => tile::<V, 5>(x, bias, y, s, ahead, w),
                6 => tile::<V, 6>(x, bias, y, s, ahead, w),
                7 => tile::<V, 7>(x, bias, y, s, ahead, w),
                8 => tile::<V, 8>(x, bias, y, s, ahead, w),
                9 => tile::<V, 9>(x, bias, y, s, ahead, w),
                10 => tile::<V, 10>(x, bias, y, s, ahead, w),
                11 => tile::<V, 11>(x, bias, y, s, ahead, w),
                _ => tile::<V, 12>(x, bias, y, s, ahead, w),
            }
        }
    }
}

/// `R` rows × 32 columns in registers.
#[inline(always)]
unsafe fn tile<V: Lanes, const R: usize>(
    x: *const f32,
    bias: *const f32,
    y: *mut f32,
    s: Shape,
    ahead: Ahead,
    w: impl Fn(usize) -> (V, V),
) {
    // SAFETY: R rows of x with k numbers each, R rows of y with `columns` numbers from here.
    unsafe {
        let mut acc = [[V::splat(0.0); 2]; R];
        for j in 0..s.k {
            let (w0, w1) = w(j);
            if R >= AHEAD_ROWS {
                let line = ((ahead.first + j) * ahead.scale) >> 16;
                V::prefetch(ahead.panel.wrapping_add(line * ahead.line));
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = V::splat(*x.add(r * s.k + j));
                acc[0] = x.mul_add(w0, acc[0]);
                acc[1] = x.mul_add(w1, acc[1]);
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            for (h, acc) in acc.iter().enumerate() {
                let columns = s.columns.saturating_sub(16 * h).min(16);
                if columns == 0 {
                    continue;
                }
                let acc = if bias.is_null() {
                    *acc
                } else {
                    acc.add(V::load_n(bias.add(16 * h), columns))
                };
                acc.store_n(y.add(r * s.n + 16 * h), columns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn numbers(name: &str, n: usize) -> Vec<f32> {
        let s = Stream::root(1).child(name);
        #[expect(clippy::cast_possible_truncation, reason = "test data")]
        (0..n)
            .map(|i| (s.unit(i as u64) * 2.0 - 1.0) as f32)
            .collect()
    }

    /// The same chain, naively.
    fn twin(x: &[f32], w: &[f32], bias: Option<&[f32]>, k: usize) -> Vec<f32> {
        let n = w.len() / k;
        let mut y = Vec::new();
        for x in x.chunks_exact(k) {
            for c in 0..n {
                let chain = (0..k).fold(0.0f32, |acc, j| x[j].mul_add(w[c * k + j], acc));
                y.push(bias.map_or(chain, |b| chain + b[c]));
            }
        }
        y
    }

    #[test]
    fn equals_the_naive_chain_bit_for_bit() {
        for (m, n, k) in [
            (1, 1, 1),
            (1, 33, 5),
            (3, 32, 24),
            (12, 70, 40),
            (13, 31, 7),
            (25, 96, 64),
            (40, 130, 33),
        ] {
            let (x, w, b) = (numbers("x", m * k), numbers("w", n * k), numbers("b", n));
            let half: Vec<bf16> = w.iter().map(|&w| bf16::from_f32(w)).collect();
            let wide: Vec<f32> = half.iter().map(|w| w.to_f32()).collect();
            for set in InstructionSet::available() {
                for count in [1, 2] {
                    let threads = Threads::new(count);
                    let mut y = vec![f32::NAN; m * n];
                    PackedLinear::pack(&[Rows::F32(&w)], k, Some(b.clone()), Profile::F32)
                        .forward(&x, &mut y, &threads, set);
                    assert_eq!(y, twin(&x, &w, Some(&b), k), "f32 {m} {n} {k} {set:?}");
                    y.fill(f32::NAN);
                    PackedLinear::pack(&[Rows::Bf16(&half)], k, None, Profile::F32)
                        .forward(&x, &mut y, &threads, set);
                    assert_eq!(y, twin(&x, &wide, None, k), "bf16 {m} {n} {k} {set:?}");
                }
            }
        }
    }

    #[test]
    fn blocks_stack_and_rows_read_back() {
        let (k, a, b) = (24, numbers("a", 24 * 5), numbers("b", 24 * 40));
        let stacked = [a.clone(), b.clone()].concat();
        let packed = PackedLinear::pack(&[Rows::F32(&a), Rows::F32(&b)], k, None, Profile::F32);
        let mut row = vec![0.0; k];
        for i in [0, 4, 5, 31, 32, 44] {
            packed.copy_row(i, &mut row);
            assert_eq!(row, stacked[i * k..(i + 1) * k]);
        }
    }
}
