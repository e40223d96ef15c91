//! GGUF's quantised types: how their blocks hold codes, scales and minima. Source: the block structures and reference
//! decoders of ggml (`ggml-common.h`, `ggml-quants.c`).

use half::f16;

use super::format::{BLOCK, Format, GROUP, Group};

/// A quantised tensor type of GGUF files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

/// Why bytes are not rows of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlocksError {
    #[error("a row of {k} numbers is not a whole number of {} blocks of {}", kind.name(), kind.values())]
    Row { kind: BlockKind, k: usize },
    #[error("{bytes} bytes are not a whole number of rows of {k} numbers in {}, of {row} bytes each", kind.name())]
    Bytes {
        kind: BlockKind,
        k: usize,
        bytes: usize,
        row: usize,
    },
    #[error("a scale of {} block {block} is NaN or infinite", kind.name())]
    NotFinite { kind: BlockKind, block: usize },
}

impl BlockKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The name that ggml gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Numbers of a block.
    #[must_use]
    pub fn values(self) -> usize {
        if self.format().steps { GROUP } else { BLOCK }
    }

    /// Bytes of a block.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2K => 84,
            Self::Q3K => 110,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Bytes of a row of `k` numbers.
    ///
    /// # Errors
    /// When a row is not a whole number of blocks.
    pub fn row_bytes(self, k: usize) -> Result<usize, BlocksError> {
        if k == 0 || !k.is_multiple_of(self.values()) {
            return Err(BlocksError::Row { kind: self, k });
        }
        Ok(k / self.values() * self.bytes())
    }

    /// Whether every scale and minimum of whole blocks is finite: one that is not would make every result that it takes part
    /// in NaN or infinite.
    ///
    /// # Errors
    /// Names the first block where one is not.
    pub fn check_finite(self, blocks: &[u8]) -> Result<(), BlocksError> {
        for (block, bytes) in blocks.chunks_exact(self.bytes()).enumerate() {
            let (a, b) = self.halves();
            let finite = |at: usize| f16::from_bits(word(bytes, at)).is_finite();
            if !finite(a) || !b.is_none_or(finite) {
                return Err(BlocksError::NotFinite { kind: self, block });
            }
        }
        Ok(())
    }

    /// Where a block keeps its f16 scale, and its f16 minimum.
    pub(super) fn halves(self) -> (usize, Option<usize>) {
        match self {
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 => (0, None),
            Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K => (0, Some(2)),
            Self::Q2K => (80, Some(82)),
            Self::Q3K => (108, None),
            Self::Q6K => (208, None),
        }
    }

    /// The format that keeps it without loss.
    pub(super) const fn format(self) -> Format {
        const fn format(
            bits: usize,
            parts: usize,
            minima: bool,
            steps: bool,
            offset: u8,
        ) -> Format {
            Format {
                bits,
                parts,
                minima,
                steps,
                offset,
            }
        }
        match self {
            Self::Q4_0 => format(4, 1, false, false, 8),
            Self::Q4_1 => format(4, 1, true, false, 0),
            Self::Q5_0 => format(5, 1, false, false, 16),
            Self::Q5_1 => format(5, 1, true, false, 0),
            Self::Q8_0 => format(8, 1, false, false, 128),
            Self::Q2K => format(2, 2, true, true, 0),
            Self::Q3K => format(3, 2, false, true, 4),
            Self::Q4K => format(4, 1, true, true, 0),
            Self::Q5K => format(5, 1, true, true, 0),
            Self::Q6K => format(6, 2, false, true, 32),
        }
    }

    /// Takes a row's group number `group` apart; its last one may have fewer than 256 values.
    pub(super) fn unpack(self, row: &[u8], group: usize) -> Group {
        let mut out = Group::empty(self.format());
        let per_group = GROUP / self.values();
        let blocks = row.chunks_exact(self.bytes()).skip(group * per_group);
        for (at, block) in blocks.take(per_group).enumerate() {
            match self {
                Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => {
                    self.small(block, at, &mut out);
                }
                Self::Q8_0 => q8_0(block, at, &mut out),
                Self::Q2K => q2_k(block, &mut out),
                Self::Q3K => q3_k(block, &mut out),
                Self::Q4K => q45_k(block, None, &block[16..], &mut out),
                Self::Q5K => q45_k(block, Some(&block[16..48]), &block[48..], &mut out),
                Self::Q6K => q6_k(block, &mut out),
            }
        }
        out
    }

    /// A row's numbers from number `from` on, which begins a group.
    pub(super) fn numbers(self, row: &[u8], from: usize, out: &mut [f32]) {
        for (i, out) in out.chunks_mut(GROUP).enumerate() {
            let group = self.unpack(row, from / GROUP + i);
            for (block, out) in out.chunks_mut(BLOCK).enumerate() {
                group.numbers(self.format(), block, out);
            }
        }
    }

    /// Scale, perhaps minimum, perhaps 32 fifth bits, and 16 bytes of nibbles: value j low in byte j, value j + 16 high.
    fn small(self, block: &[u8], at: usize, out: &mut Group) {
        let format = self.format();
        out.scales[at][0] = word(block, 0);
        let mut rest = &block[2..];
        if format.minima {
            // The file's minimum is added, the format's is taken off.
            out.minima[at][0] = word(rest, 0) ^ 0x8000;
            rest = &rest[2..];
        }
        let mut fifth = 0;
        if format.bits == 5 {
            fifth = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
            rest = &rest[4..];
        }
        let codes = &mut out.codes[at * BLOCK..(at + 1) * BLOCK];
        for (j, byte) in rest.iter().enumerate() {
            codes[j] = byte & 15 | bit(fifth, j) << 4;
            codes[j + 16] = byte >> 4 | bit(fifth, j + 16) << 4;
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn bit(bits: u32, at: usize) -> u8 {
    u8::from(bits >> at & 1 == 1)
}

fn q8_0(block: &[u8], at: usize, out: &mut Group) {
    out.scales[at][0] = word(block, 0);
    let codes = &mut out.codes[at * BLOCK..(at + 1) * BLOCK];
    for (code, byte) in codes.iter_mut().zip(&block[2..]) {
        *code = byte ^ 128;
    }
}

/// Of each 128 values the four runs of 32 stand in 32 bytes, two bits each; 16 values share a scale and a minimum.
fn q2_k(block: &[u8], out: &mut Group) {
    out.units = [word(block, 80), word(block, 82)];
    for (i, byte) in block[..16].iter().enumerate() {
        out.scales[i / 2][i % 2] = u16::from(byte & 15);
        out.minima[i / 2][i % 2] = u16::from(byte >> 4);
    }
    for (i, code) in out.codes.iter_mut().enumerate() {
        *code = block[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    }
}

/// As in Q2_K, and run r's third bits are bit r of 32 bytes; scales have six bits, four of them in nibbles.
fn q3_k(block: &[u8], out: &mut Group) {
    out.units[0] = word(block, 108);
    let scales = &block[96..108];
    for i in 0..16 {
        let low = scales[i % 8] >> (i / 8 * 4) & 15;
        let high = scales[8 + i % 4] >> (i / 4 * 2) & 3;
        let step = (low | high << 4).wrapping_sub(32);
        out.scales[i / 2][i % 2] = u16::from(step);
    }
    for (i, code) in out.codes.iter_mut().enumerate() {
        let low = block[32 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        *code = low | (block[i % 32] >> (i / 32) & 1) << 2;
    }
}

/// Of each 64 values 32 stand in the low and 32 in the high nibbles of 32 bytes; run r's fifth bits are bit r of `fifth`.
fn q45_k(block: &[u8], fifth: Option<&[u8]>, nibbles: &[u8], out: &mut Group) {
    out.units = [word(block, 0), word(block, 2)];
    let s = &block[4..16];
    for i in 0..4 {
        out.scales[i][0] = u16::from(s[i] & 63);
        out.minima[i][0] = u16::from(s[i + 4] & 63);
        out.scales[i + 4][0] = u16::from(s[i + 8] & 15 | s[i] >> 6 << 4);
        out.minima[i + 4][0] = u16::from(s[i + 8] >> 4 | s[i + 4] >> 6 << 4);
    }
    for (i, code) in out.codes.iter_mut().enumerate() {
        let low = nibbles[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
        let high = fifth.map_or(0, |fifth| fifth[i % 32] >> (i / 32) & 1);
        *code = low | high << 4;
    }
}

/// Of each 128 values 64 stand in the low and 64 in the high nibbles of 64 bytes, the upper two bits as Q2_K's codes.
fn q6_k(block: &[u8], out: &mut Group) {
    out.units[0] = word(block, 208);
    for (i, &step) in block[192..208].iter().enumerate() {
        out.scales[i / 2][i % 2] = u16::from(step);
    }
    for (i, code) in out.codes.iter_mut().enumerate() {
        let low = block[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
        let high = block[128 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        *code = low | high << 4;
    }
}
