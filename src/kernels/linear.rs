//! `y = x · Wᵀ + b` in three numeric profiles, with what comes before it (norm, gated activation) and after it (residual).
//!
//! Every output is one chain of additions over k in a fixed order, whatever the tile, the number of rows, the thread or the
//! instruction set: the numeric contract. What a profile's chain is, its own file says.

mod bf16;
mod blocks;
mod f32;
mod format;
mod int8;

use std::mem::MaybeUninit;

use half::bf16 as Half;
use half::slice::HalfFloatSliceExt;

use self::bf16::Bf16Weights;
pub use self::blocks::{BlockKind, BlocksError};
use self::f32::F32Weights;
use self::int8::{BlockWeights, Narrow};
use super::InstructionSet;
use super::elementwise::{Activation, gate_into, norm_into};
use super::lanes::Lanes;
use super::{Cpu, Threads};

/// A weight matrix of `n` outputs and `k` inputs, with its bias.
pub struct PackedLinear {
    n: usize,
    k: usize,
    weights: Weights,
    bias: Option<Vec<f32>>,
}

enum Weights {
    F32(F32Weights),
    Bf16(Bf16Weights),
    Blocks(BlockWeights),
}

/// How the linear layers compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Weights as stored (f32 or bf16), f32 arithmetic.
    F32,
    /// Weights and activations rounded to bf16, products in pairs, f32 sums.
    Bf16,
    /// Weights and activations in 8 bits, exact integer sums; weights that are in blocks stay what they are.
    Int8,
    /// The same with weights in 4 bits, whatever they come from.
    Q4,
}

impl Profile {
    /// The name in run manifests and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Q4 => "q4",
        }
    }

    /// What a head and its embedding are kept in: 4 bits cost the choice among all tokens more than they save.
    #[must_use]
    pub fn head(self) -> Self {
        match self {
            Self::Q4 => Self::Int8,
            profile => profile,
        }
    }
}

/// Some rows of a weight matrix as stored: `rows × k`, row-major.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    F32(&'a [f32]),
    Bf16(&'a [Half]),
    /// Blocks of a GGUF file.
    Blocks {
        kind: BlockKind,
        bytes: &'a [u8],
    },
}

impl<'a> Rows<'a> {
    /// Rows of `k` numbers in blocks.
    ///
    /// # Errors
    /// When rows are not whole blocks, or the bytes not whole rows.
    pub fn blocks(kind: BlockKind, bytes: &'a [u8], k: usize) -> Result<Self, BlocksError> {
        let row = kind.row_bytes(k)?;
        if !bytes.len().is_multiple_of(row) {
            let bytes = bytes.len();
            return Err(BlocksError::Bytes {
                kind,
                k,
                bytes,
                row,
            });
        }
        Ok(Self::Blocks { kind, bytes })
    }

    /// How many rows of `k` numbers it has.
    ///
    /// # Panics
    /// When it is not a whole number of them.
    fn count(&self, k: usize) -> usize {
        let (len, row) = match self {
            Self::F32(rows) => (rows.len(), k),
            Self::Bf16(rows) => (rows.len(), k),
            Self::Blocks { kind, bytes } => {
                let row = kind.row_bytes(k).expect("rows of whole blocks");
                (bytes.len(), row)
            }
        };
        assert!(len.is_multiple_of(row), "whole rows of {k}");
        len / row
    }

    /// Row `i` in f32: itself, or made in `scratch` (`k` numbers).
    fn row<'b>(&'b self, i: usize, k: usize, scratch: &'b mut [f32]) -> &'b [f32] {
        self.values(i, k, 0..k, scratch)
    }

    /// Some numbers of row `i` in f32: themselves, or made in `scratch`. In blocks the first one begins a group of 256.
    fn values<'b>(
        &'b self,
        i: usize,
        k: usize,
        range: std::ops::Range<usize>,
        scratch: &'b mut [f32],
    ) -> &'b [f32] {
        let scratch = &mut scratch[..range.len()];
        let at = i * k + range.start..i * k + range.end;
        match self {
            Self::F32(rows) => return &rows[at],
            Self::Bf16(rows) => rows[at].convert_to_f32_slice(scratch),
            Self::Blocks { kind, .. } => kind.numbers(self.blocks_of(i, k), range.start, scratch),
        }
        scratch
    }

    /// The blocks of row `i`.
    fn blocks_of(&self, i: usize, k: usize) -> &'a [u8] {
        let Self::Blocks { kind, bytes } = self else {
            return &[];
        };
        let row = k / kind.values() * kind.bytes();
        &bytes[i * row..(i + 1) * row]
    }
}

/// Calls `sink` with the number and the numbers of every row of all parts, one below the other.
fn each_row(parts: &[Rows<'_>], k: usize, mut sink: impl FnMut(usize, &[f32])) {
    let (mut row, mut scratch) = (0, vec![0.0; k]);
    for part in parts {
        for i in 0..part.count(k) {
            sink(row, part.row(i, k, &mut scratch));
            row += 1;
        }
    }
}

/// What a layer's rows of `k` numbers are made of.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// `m × k`, as they are.
    Rows(&'a [f32]),
    /// `m × k`, each row divided by its root mean square (plus `eps` under the root) and multiplied by `weight`.
    Norm {
        x: &'a [f32],
        weight: &'a [f32],
        eps: f32,
    },
    /// `m × 2k`, a row being `gate` then `up`: `activation(gate) · up`.
    Gate {
        x: &'a [f32],
        activation: Activation,
    },
}

impl Input<'_> {
    /// Rows of `k` numbers that come of it.
    fn count(&self, k: usize) -> usize {
        match self {
            Self::Rows(x) | Self::Norm { x, .. } => x.len() / k,
            Self::Gate { x, .. } => x.len() / (2 * k),
        }
    }

    fn fits(&self, k: usize) -> bool {
        match self {
            Self::Rows(x) => x.len().is_multiple_of(k),
            Self::Norm { x, weight, .. } => x.len().is_multiple_of(k) && weight.len() == k,
            Self::Gate { x, .. } => x.len().is_multiple_of(2 * k),
        }
    }

    /// Row `row`: a part of the input, or made in `scratch` (`k` numbers).
    fn row<'b>(
        &'b self,
        row: usize,
        k: usize,
        set: InstructionSet,
        scratch: &'b mut [f32],
    ) -> &'b [f32] {
        match *self {
            Self::Rows(x) => &x[row * k..(row + 1) * k],
            Self::Norm { x, weight, eps } => {
                norm_into(&x[row * k..(row + 1) * k], weight, eps, scratch, set);
                scratch
            }
            Self::Gate { x, activation } => {
                let (gate, up) = x[row * 2 * k..(row + 1) * 2 * k].split_at(k);
                gate_into(activation, gate, up, scratch, set);
                scratch
            }
        }
    }

    /// Makes every row on the pool's threads and hands it to `sink` with its number.
    fn each_row(&self, k: usize, cpu: &Cpu, sink: &(dyn Fn(usize, &[f32]) + Sync)) {
        let m = self.count(k);
        // A chunk is worth the meeting of threads.
        let per_chunk = (4096 / k).max(1).max(m.div_ceil(cpu.threads.count() * 4));
        cpu.threads.run(m.div_ceil(per_chunk), &|chunk| {
            let mut scratch = match self {
                Self::Rows(_) => Vec::new(),
                _ => vec![0.0; k],
            };
            for row in chunk * per_chunk..((chunk + 1) * per_chunk).min(m) {
                sink(row, self.row(row, k, cpu.set, &mut scratch));
            }
        });
    }
}

/// Where a kernel's results go: `n` numbers a row, and what is added to them.
#[derive(Clone, Copy)]
struct Target<'a> {
    n: usize,
    bias: Option<&'a [f32]>,
    /// `m × n`, added to the result last.
    residual: Option<&'a [f32]>,
}

impl Target<'_> {
    /// The place of the rows from `row` on in `columns` columns from `column` on, or in as many of them as there are.
    fn place(&self, y: &Output, row: usize, column: usize, columns: usize) -> Place {
        let at = row * self.n + column;
        let null = std::ptr::null();
        Place {
            y: y.at(at),
            n: self.n,
            columns: columns.min(self.n - column),
            bias: self.bias.map_or(null, |bias| bias[column..].as_ptr()),
            residual: self.residual.map_or(null, |r| r[at..].as_ptr()),
        }
    }
}

/// Where the results of one tile go.
struct Place {
    y: *mut f32,
    n: usize,
    /// Columns that exist.
    columns: usize,
    /// Or null.
    bias: *const f32,
    /// Laid out as `y`, or null.
    residual: *const f32,
}

impl Place {
    /// Adds bias and residual to a row's columns, sixteen a vector, and stores those that exist.
    ///
    /// # Safety
    /// As for [`Lanes`]; the row is one of the tile's.
    #[inline(always)]
    unsafe fn finish<V: Lanes, const C: usize>(&self, row: usize, sums: [V; C]) {
        // SAFETY: the row's own columns; bias and residual hold as many.
        unsafe {
            for (c, sum) in sums.into_iter().enumerate() {
                let lanes = self.columns.saturating_sub(16 * c).min(16);
                if lanes == 0 {
                    continue;
                }
                let (at, mut sum) = (row * self.n + 16 * c, sum);
                if !self.bias.is_null() {
                    sum = sum.add(V::load_n(self.bias.add(16 * c), lanes));
                }
                if !self.residual.is_null() {
                    sum = V::load_n(self.residual.add(at), lanes).add(sum);
                }
                sum.store_n(self.y.add(at), lanes);
            }
        }
    }
}

impl PackedLinear {
    /// Packs parts (for example q, k and v) one below the other. In profile `f32`, stored as bf16 when every part is bf16.
    ///
    /// # Panics
    /// When a part is not a whole number of rows of length `k`, or the bias is not one number a row.
    #[must_use]
    pub fn pack(parts: &[Rows<'_>], k: usize, bias: Option<Vec<f32>>, profile: Profile) -> Self {
        let n: usize = parts.iter().map(|part| part.count(k)).sum();
        assert!(
            bias.as_ref().is_none_or(|bias| bias.len() == n),
            "one bias a row"
        );
        let weights = match profile {
            Profile::F32 => Weights::F32(F32Weights::pack(parts, n, k)),
            Profile::Bf16 => Weights::Bf16(Bf16Weights::pack(parts, n, k)),
            Profile::Int8 => Weights::Blocks(BlockWeights::pack(parts, k, Narrow::Q8)),
            Profile::Q4 => Weights::Blocks(BlockWeights::pack(parts, k, Narrow::Q4)),
        };
        Self {
            n,
            k,
            weights,
            bias,
        }
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
        match &self.weights {
            Weights::F32(weights) => weights.bytes(),
            Weights::Bf16(weights) => weights.bytes(),
            Weights::Blocks(weights) => weights.bytes(),
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
        match &self.weights {
            Weights::F32(weights) => weights.copy_row(row, out),
            Weights::Bf16(weights) => weights.copy_row(row, out),
            Weights::Blocks(weights) => weights.copy_row(row, out),
        }
    }

    /// What computes it with an instruction set, for people: arithmetic, weights where they differ, instructions.
    #[must_use]
    pub fn kernel(&self, set: InstructionSet) -> String {
        match &self.weights {
            Weights::F32(weights) if weights.is_bf16() => {
                format!("f32 (bf16 weights) {}", set.f32_name())
            }
            Weights::F32(_) => format!("f32 {}", set.f32_name()),
            Weights::Bf16(_) => format!("bf16 {}", set.bf16_name()),
            Weights::Blocks(weights) => match weights.names().as_slice() {
                ["q8_0" | "Q8_0"] => format!("int8 {}", set.int8_name()),
                names => format!("int8 ({} weights) {}", names.join(", "), set.int8_name()),
            },
        }
    }

    /// `y[m × n] = residual + (input · Wᵀ + b)`.
    ///
    /// # Panics
    /// When the lengths of `input` and `residual` do not fit.
    #[must_use]
    pub fn forward(&self, input: Input<'_>, residual: Option<&[f32]>, cpu: &Cpu) -> Vec<f32> {
        let m = input.count(self.k);
        assert!(input.fits(self.k), "rows of {} inputs", self.k);
        assert!(
            residual.is_none_or(|residual| residual.len() == m * self.n),
            "one residual an output"
        );
        let mut y = unwritten::<f32>(m * self.n);
        if m > 0 {
            let target = Target {
                n: self.n,
                bias: self.bias.as_deref(),
                residual,
            };
            let out = Output(y.as_mut_ptr().cast());
            match &self.weights {
                Weights::F32(weights) => weights.forward(input, target, &out, cpu),
                Weights::Bf16(weights) => weights.forward(input, target, &out, cpu),
                Weights::Blocks(weights) => weights.forward(input, target, &out, cpu),
            }
        }
        // SAFETY: the kernels have written every output of every row.
        unsafe { y.assume_init() }.into_vec()
    }
}

/// Memory for `len` numbers that somebody is about to write.
pub(super) fn unwritten<T>(len: usize) -> Box<[MaybeUninit<T>]> {
    Box::new_uninit_slice(len)
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

/// Rows cut into register tiles of at most `most`, as equal as can be: 32 = 11 + 11 + 10.
#[derive(Clone, Copy)]
struct Tiles {
    m: usize,
    count: usize,
}

impl Tiles {
    fn new(m: usize, most: usize) -> Self {
        Self {
            m,
            count: m.div_ceil(most),
        }
    }

    /// First row and number of rows of tile `t`.
    fn at(self, t: usize) -> (usize, usize) {
        let first = self.m * t / self.count;
        (first, self.m * (t + 1) / self.count - first)
    }

    /// First row and number of rows of the tile that `row` belongs to.
    fn of(self, row: usize) -> (usize, usize) {
        self.at(((row + 1) * self.count - 1) / self.m)
    }

    /// Calls `body(panel, tiles)` for all panels and tiles, on the pool's threads: at most `most` tiles at a time, so that
    /// their activations stay in the cache while panels pass.
    fn sweep(
        self,
        panels: usize,
        most: usize,
        threads: &Threads,
        body: &(dyn Fn(usize, std::ops::Range<usize>) + Sync),
    ) {
        let blocks = self.count.div_ceil(most.max(1));
        // Enough chunks to balance, large enough to amortise a claim.
        let per_chunk = (panels * blocks / (threads.count() * 32))
            .clamp(1, 32)
            .min(panels);
        let chunks = panels.div_ceil(per_chunk);
        threads.run(blocks * chunks, &|chunk| {
            let (block, part) = (chunk / chunks, chunk % chunks);
            let tiles = self.count * block / blocks..self.count * (block + 1) / blocks;
            for panel in part * per_chunk..((part + 1) * per_chunk).min(panels) {
                body(panel, tiles.clone());
            }
        });
    }
}

/// Activations of one block of tiles stay within this many bytes of the second cache.
const TILES_BYTES: usize = 448 << 10;

/// Below this many rows the processor's own prefetching does better.
const AHEAD_ROWS: usize = 5;

/// Repeats a block for `$i` in `0..$n`, `$n` at most 12, written out: arrays indexed by `$i` stay in registers.
macro_rules! unroll {
    (2, $i:ident, $body:block) => {
        unroll!(@ 2, $i, $body, 0 1)
    };
    (8, $i:ident, $body:block) => {
        unroll!(@ 8, $i, $body, 0 1 2 3 4 5 6 7)
    };
    ($n:expr, $i:ident, $body:block) => {
        unroll!(@ $n, $i, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $n:expr, $i:ident, $body:block, $($at:literal)*) => {
        $(if const { $at < $n } { let $i = $at; $body })*
    };
}
use unroll;

/// The block with `$r` as a constant that equals `$rows`, 1 to 12.
macro_rules! with_rows {
    ($rows:expr, $r:ident, $body:block) => {
        with_rows!(@ $rows, $r, $body, 1 2 3 4 5 6 7 8 9 10 11 12)
    };
    (@ $rows:expr, $r:ident, $body:block, $($at:literal)*) => {
        match $rows {
            $($at => {
                const $r: usize = $at;
                $body
            })*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
pub(super) use with_rows;

#[cfg(test)]
mod block_tests;
#[cfg(test)]
mod tests;
