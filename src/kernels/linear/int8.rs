//! Profiles `int8` and `q4`: weights in blocks, 8-bit activations, exact integer sums.
//!
//! Activations are quantised per row and block of 32 (`code = round(x / d)`, `d = max |x| / 127` in f32). A block's products
//! with codes of weights sum up to an exact int32, which does not depend on the order; blocks are added in one f32 chain in
//! ascending order. So the bits agree between tilings, threads and instruction sets. Per block, with `sum` of codes' products
//! less offsets, one step of the chain is
//!
//! - one scale: `total = fma(sum, scale · d, total)`;
//! - a scale for each half: `total = fma(fma(high sum, high scale, low sum · low scale), d, total)`;
//! - then for each minimum: `total = fma(-minimum, Σx · d, total)`, Σx being the sum of activations' codes it stands under.
//!
//! Weights are kept in the formats of GGUF's quantised types: blocks of a file as they are, without loss; other weights as
//! Q8_0 (`code = round(w / d)`, `d = max |w| / 127` as f16), or in profile `q4` in the format of Q4_K, by least squares. A
//! matrix of parts in different formats is a row of segments.

mod activations;
mod panels;
mod q4;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use half::f16;

use self::activations::{Extras, Quantised};
use self::panels::{PANEL, Panels};
use self::tile::Tile;
use super::format::{BLOCK, GROUP, Group};
use super::{BlockKind, Cpu, Input, InstructionSet, Output, Rows, TILES_BYTES, Target, Tiles};

/// Rows of a register tile, at most.
const TILE: usize = 12;

/// A weight matrix of `n` outputs and `k` inputs, in blocks.
pub(super) struct BlockWeights {
    k: usize,
    segments: Vec<Segment>,
    /// What the segments need to know of activations' sums, each once.
    extras: Vec<Extras>,
}

/// Columns that follow each other in one format.
struct Segment {
    /// The first column and the first panel.
    column: usize,
    panel: usize,
    /// Which of the matrix's `extras` it needs.
    extras: usize,
    /// What to call the weights, for people.
    name: &'static str,
    panels: Panels,
}

/// What becomes of weights that are not in blocks yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Narrow {
    Q8,
    Q4,
}

impl Narrow {
    fn kind(self) -> BlockKind {
        match self {
            Self::Q8 => BlockKind::Q8_0,
            Self::Q4 => BlockKind::Q4K,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Q8 => "q8_0",
            Self::Q4 => "q4",
        }
    }

    fn group(self, values: &[f32]) -> Group {
        match self {
            Self::Q8 => q8_0(values),
            Self::Q4 => q4::group(values),
        }
    }
}

/// One part of a matrix and how it is kept.
struct Part<'a> {
    rows: Rows<'a>,
    count: usize,
    kind: BlockKind,
    name: &'static str,
    /// Whether its blocks stay what they are.
    native: bool,
}

impl BlockWeights {
    /// Packs parts, one below the other. Where 8 bits are asked for, those that are blocks already stay what they are.
    pub(super) fn pack(parts: &[Rows<'_>], k: usize, narrow: Narrow) -> Self {
        let parts: Vec<Part<'_>> = parts
            .iter()
            .map(|rows| {
                let (kind, name, native) = match rows {
                    Rows::Blocks { kind, .. } if narrow == Narrow::Q8 => (*kind, kind.name(), true),
                    _ => (narrow.kind(), narrow.name(), false),
                };
                Part {
                    rows: *rows,
                    count: rows.count(k),
                    kind,
                    name,
                    native,
                }
            })
            .collect();
        let (mut column, mut panel) = (0, 0);
        let (mut segments, mut all_extras) = (Vec::new(), Vec::new());
        for parts in parts.chunk_by(|a, b| a.kind == b.kind) {
            let (kind, name) = (parts[0].kind, parts[0].name);
            let panels = pack_segment(parts, k, narrow);
            let needed = Extras::of(kind.format());
            let extras = all_extras.iter().position(|e| *e == needed);
            let extras = extras.unwrap_or_else(|| {
                all_extras.push(needed);
                all_extras.len() - 1
            });
            let (n, count) = (panels.columns(), panels.count());
            segments.push(Segment {
                column,
                panel,
                extras,
                name,
                panels,
            });
            column += n;
            panel += count;
        }
        Self {
            k,
            segments,
            extras: all_extras,
        }
    }

    /// Bytes of codes, scales and minima.
    pub(super) fn bytes(&self) -> usize {
        self.segments.iter().map(|s| s.panels.bytes()).sum()
    }

    /// What the weights are called, each name once.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.segments.iter().map(|s| s.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Row `row` of the matrix, back in f32.
    pub(super) fn copy_row(&self, row: usize, out: &mut [f32]) {
        let at = self.segments.partition_point(|s| s.column <= row) - 1;
        let segment = &self.segments[at];
        segment.panels.read(row - segment.column, out);
    }

    pub(super) fn forward(&self, input: Input<'_>, target: Target<'_>, y: &Output, cpu: &Cpu) {
        let most_rows = match cpu.set {
            InstructionSet::Avx2 | InstructionSet::Avx512 => 3,
            _ => TILE,
        };
        let tiles = Tiles::new(input.count(self.k), most_rows);
        let x = Quantised::new(input, self.k, tiles, &self.extras, cpu);
        let last = self.segments.last().expect("a matrix has rows");
        let panels = last.panel + last.panels.count();
        let most = TILES_BYTES / (x.row_bytes() * most_rows);
        tiles.sweep(panels, most, &cpu.threads, &|panel, range| {
            let at = self.segments.partition_point(|s| s.panel <= panel) - 1;
            let segment = &self.segments[at];
            let (panels, panel) = (&segment.panels, panel - segment.panel);
            let (w, lines, pairs) = (panels.at(panel), panels.lines(), panels.pairs());
            let columns = PANEL.min(panels.columns() - panel * PANEL);
            // Lines of the next panel that each tile of this block asks for, per pair of blocks.
            let ahead = lines.div_ceil(range.len() * pairs);
            for (i, t) in range.enumerate() {
                let (first, rows) = tiles.at(t);
                let asked = i * ahead * pairs;
                let (codes, scales, extras) = x.tile(first, segment.extras);
                let tile = Tile {
                    w,
                    pairs,
                    codes,
                    scales,
                    extras,
                    place: target.place(y, first, segment.column + panel * PANEL, columns),
                    next: w.wrapping_add((lines + asked) * 64),
                    ahead: if asked < lines { ahead } else { 0 },
                };
                tile::run(panels.kind(), cpu.set, rows, &tile);
            }
        });
    }
}

/// Packs parts of one format, one below the other.
fn pack_segment(parts: &[Part<'_>], k: usize, narrow: Narrow) -> Panels {
    let n = parts.iter().map(|part| part.count).sum();
    let kind = parts[0].kind;
    Panels::pack(kind, n, k, |column, g| {
        let (mut row, mut part) = (column, &parts[0]);
        for next in &parts[1..] {
            if row < part.count {
                break;
            }
            row -= part.count;
            part = next;
        }
        match part.rows {
            Rows::Blocks { kind: own, .. } if part.native => {
                own.unpack(part.rows.blocks_of(row, k), g)
            }
            _ => {
                let values = g * GROUP..k.min((g + 1) * GROUP);
                narrow.group(part.rows.values(row, k, values, &mut [0.0; GROUP]))
            }
        }
    })
}

/// The 8-bit codes of at most 256 values.
fn q8_0(values: &[f32]) -> Group {
    let mut out = Group::empty(BlockKind::Q8_0.format());
    for (at, values) in values.chunks(BLOCK).enumerate() {
        let largest = values.iter().map(|v| v.abs()).fold(0.0, f32::max);
        let finite = values.iter().all(|v| v.is_finite());
        // What is not a number stays none.
        let scale = if finite { largest / 127.0 } else { f32::NAN };
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        out.scales[at][0] = f16::from_f32(scale).to_bits();
        for (code, value) in out.codes[at * BLOCK..].iter_mut().zip(values) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "-127..=127, then 1..=255"
            )]
            let rounded =
                ((value * inverse).round_ties_even().clamp(-127.0, 127.0) as i32 + 128) as u8;
            *code = rounded;
        }
    }
    out
}
