//! How weights in blocks lie in memory: panels of 16 columns, one stream each.
//!
//! Per two blocks of 32 (a pair): their codes, block by block, then scales, then minima, each `[block][part][16 columns]`. In
//! formats with steps, a line of two units for each column comes before every four pairs.
//!
//! A block's codes are lines of 64 bytes, one for each bit. A whole line of bytes is a group of four values of k for each
//! column, `[16 columns][4]`. Codes of 8 bits are the eight groups in turn. Others are made of planes, one after the other
//! from the lowest bits: four bits (line i: group i low, group i + 4 high), two bits (line i: groups i, i + 2, i + 4, i + 6)
//! and single bits (one line: groups in order), so that a shift and a mask give a group back.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::super::super::Buffer;
use super::super::BlockKind;
use super::super::format::{BLOCK, Format, GROUP, GROUP_BLOCKS, Group};

/// Output columns of a panel.
pub(super) const PANEL: usize = 16;
/// Pairs of blocks of a group.
pub(super) const GROUP_PAIRS: usize = GROUP_BLOCKS / 2;
/// Bytes of a cache line, and of a vector.
pub(super) const LINE: usize = 64;

impl Format {
    /// Bytes of a scale or a minimum.
    const fn number_bytes(self) -> usize {
        if self.steps { 1 } else { 2 }
    }

    /// Bytes of a pair of blocks of a panel.
    pub(super) const fn pair_bytes(self) -> usize {
        let numbers = if self.minima { 4 } else { 2 } * self.parts * PANEL;
        2 * self.bits * LINE + numbers * self.number_bytes()
    }

    /// Bytes of the units of a group.
    pub(super) const fn unit_bytes(self) -> usize {
        if self.steps { LINE } else { 0 }
    }

    /// Bytes of a whole group of a panel.
    const fn group_bytes(self) -> usize {
        self.unit_bytes() + GROUP_PAIRS * self.pair_bytes()
    }

    /// Bytes of a panel.
    const fn panel_bytes(self, pairs: usize) -> usize {
        pairs * self.pair_bytes() + pairs.div_ceil(GROUP_PAIRS) * self.unit_bytes()
    }

    /// Bits of a code's first plane.
    pub(super) const fn base(self) -> usize {
        match self.bits {
            8 => 8,
            4..8 => 4,
            _ => 2,
        }
    }
}

/// Columns of one format.
pub(super) struct Panels {
    kind: BlockKind,
    n: usize,
    k: usize,
    stream: Buffer<u8>,
}

impl Panels {
    /// Packs `n` columns of `k` values: `group(column, i)` makes group `i` of a column, on several threads.
    pub(super) fn pack(
        kind: BlockKind,
        n: usize,
        k: usize,
        group: impl Fn(usize, usize) -> Group + Sync,
    ) -> Self {
        let format = kind.format();
        let panel_bytes = format.panel_bytes(k.div_ceil(2 * BLOCK));
        let count = n.div_ceil(PANEL);
        let mut stream = Buffer::<u8>::zeroed(count * panel_bytes);
        // A thread is worth its start only with something to do.
        let threads = available_parallelism().map_or(1, NonZero::get);
        let per_thread = count
            .div_ceil(threads.min((n * k).div_ceil(1 << 18)).max(1))
            .max(1);
        let fill = |first: usize, panels: &mut [u8]| {
            for (i, panel) in panels.chunks_exact_mut(panel_bytes).enumerate() {
                for (g, bytes) in panel.chunks_mut(format.group_bytes()).enumerate() {
                    for column in 0..PANEL {
                        let at = (first + i) * PANEL + column;
                        if at < n {
                            write(format, bytes, column, &group(at, g));
                        } else {
                            write(format, bytes, column, &Group::empty(format));
                        }
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            let mut parts = stream.chunks_mut(per_thread * panel_bytes).enumerate();
            let first = parts.next();
            for (i, panels) in parts {
                let fill = &fill;
                scope.spawn(move || fill(i * per_thread, panels));
            }
            if let Some((_, panels)) = first {
                fill(0, panels);
            }
        });
        Self { kind, n, k, stream }
    }

    pub(super) fn kind(&self) -> BlockKind {
        self.kind
    }

    /// Columns.
    pub(super) fn columns(&self) -> usize {
        self.n
    }

    /// Pairs of blocks of a column; a missing block is zero.
    pub(super) fn pairs(&self) -> usize {
        self.k.div_ceil(2 * BLOCK)
    }

    /// Panels.
    pub(super) fn count(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    pub(super) fn bytes(&self) -> usize {
        self.stream.len()
    }

    /// Cache lines of a panel.
    pub(super) fn lines(&self) -> usize {
        self.kind.format().panel_bytes(self.pairs()) / LINE
    }

    /// Panel `panel`.
    pub(super) fn at(&self, panel: usize) -> *const u8 {
        self.stream[panel * self.lines() * LINE..].as_ptr()
    }

    /// Reads a column back.
    pub(super) fn read(&self, column: usize, out: &mut [f32]) {
        let format = self.kind.format();
        let (panel, column) = (column / PANEL, column % PANEL);
        for (g, out) in out.chunks_mut(GROUP).enumerate() {
            let panel = &self.stream[panel * self.lines() * LINE..][..self.lines() * LINE];
            let bytes = panel.chunks(format.group_bytes()).nth(g);
            let values = read(format, bytes.unwrap_or_default(), column);
            for (block, out) in out.chunks_mut(BLOCK).enumerate() {
                values.numbers(format, block, out);
            }
        }
    }
}

/// Puts a group of a column into its bytes of a panel.
fn write(format: Format, bytes: &mut [u8], column: usize, values: &Group) {
    let (units, rest) = bytes.split_at_mut(format.unit_bytes());
    for (line, unit) in units.chunks_exact_mut(2 * PANEL).zip(values.units) {
        line[2 * column..2 * column + 2].copy_from_slice(&unit.to_le_bytes());
    }
    for (p, pair) in rest.chunks_exact_mut(format.pair_bytes()).enumerate() {
        let (codes, numbers) = pair.split_at_mut(2 * format.bits * LINE);
        for (b, lines) in codes.chunks_exact_mut(format.bits * LINE).enumerate() {
            let block = 2 * p + b;
            let codes = &values.codes[block * BLOCK..(block + 1) * BLOCK];
            write_codes(format, codes, lines, column);
        }
        for (i, raw) in numbers_of(format, values, p) {
            let at = (i * PANEL + column) * format.number_bytes();
            let bytes = &raw.to_le_bytes()[..format.number_bytes()];
            numbers[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// Scales and minima of pair `p` of a group, with their places.
fn numbers_of(format: Format, values: &Group, p: usize) -> impl Iterator<Item = (usize, u16)> {
    let which = [Some(values.scales), format.minima.then_some(values.minima)];
    let parts = format.parts;
    which
        .into_iter()
        .flatten()
        .enumerate()
        .flat_map(move |(which, numbers)| {
            (0..2 * parts).map(move |i| {
                let number = numbers[2 * p + i / parts][i % parts];
                (2 * which * parts + i, number)
            })
        })
}

/// Takes a group of a column out of its bytes of a panel.
fn read(format: Format, bytes: &[u8], column: usize) -> Group {
    let mut values = Group::empty(format);
    let (units, rest) = bytes.split_at(format.unit_bytes());
    let word = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    for (unit, line) in values.units.iter_mut().zip(units.chunks_exact(2 * PANEL)) {
        *unit = word(line, 2 * column);
    }
    for (p, pair) in rest.chunks_exact(format.pair_bytes()).enumerate() {
        let (codes, numbers) = pair.split_at(2 * format.bits * LINE);
        for (b, lines) in codes.chunks_exact(format.bits * LINE).enumerate() {
            for j in 0..BLOCK {
                values.codes[(2 * p + b) * BLOCK + j] = code(format, lines, j, column);
            }
        }
        let get = |i: usize| {
            let at = i * PANEL + column;
            if format.steps {
                numbers[at].into()
            } else {
                word(numbers, 2 * at)
            }
        };
        for i in 0..2 * format.parts {
            let (block, part) = (2 * p + i / format.parts, i % format.parts);
            values.scales[block][part] = get(i);
            if format.minima {
                values.minima[block][part] = get(2 * format.parts + i);
            }
        }
    }
    values
}

/// Puts a column's codes of a block into its lines.
fn write_codes(format: Format, codes: &[u8], lines: &mut [u8], column: usize) {
    // Four codes at once: a group of the column.
    let group = |g: usize| {
        u32::from_le_bytes([
            codes[4 * g],
            codes[4 * g + 1],
            codes[4 * g + 2],
            codes[4 * g + 3],
        ])
    };
    let mut put = |line: usize, bytes: u32| {
        lines[line * LINE + 4 * column..][..4].copy_from_slice(&bytes.to_le_bytes());
    };
    let mut line = 0;
    let mut low = 0;
    while low < format.bits {
        let width = match format.bits - low {
            8 => 8,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let mask = u32::from_le_bytes([u8::MAX >> (8 - width); 4]);
        // A plane has `width` lines, and each line the groups that are `width` apart.
        for first in 0..width {
            let mut bytes = 0;
            for (i, g) in (first..8).step_by(width).enumerate() {
                bytes |= (group(g) >> low & mask) << (i * width);
            }
            put(line, bytes);
            line += 1;
        }
        low += width;
    }
}

/// Code `j` of a column of a block.
#[inline(always)]
pub(super) fn code(format: Format, lines: &[u8], j: usize, column: usize) -> u8 {
    let (g, at) = (j / 4, column * 4 + j % 4);
    let field = |first: usize, width: usize| {
        let byte = lines[(first + g % width) * LINE + at];
        byte >> (g / width * width) & (u8::MAX >> (8 - width))
    };
    let base = format.base();
    let low = field(0, base);
    match format.bits - base {
        0 => low,
        width => low | field(base, width) << base,
    }
}
