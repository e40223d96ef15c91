use half::{bf16, f16};

use crate::kernels::BlockKind;

/// How a tensor's numbers are stored: single numbers, or blocks that share scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TensorType {
    F32,
    F16,
    BF16,
    Blocks(BlockKind),
}

/// Types that exist in files and are not read, by their numbers there.
const REFUSED: [(u32, &str); 27] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
    (42, "Q2_0"),
];

impl TensorType {
    /// What is read, for messages.
    pub const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q2_K to Q6_K";

    /// The type of a number in a file.
    ///
    /// # Errors
    /// The name of a type that is not read, or the number where it has none.
    pub fn from_id(id: u32) -> Result<Self, String> {
        Ok(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Blocks(BlockKind::Q4_0),
            3 => Self::Blocks(BlockKind::Q4_1),
            6 => Self::Blocks(BlockKind::Q5_0),
            7 => Self::Blocks(BlockKind::Q5_1),
            8 => Self::Blocks(BlockKind::Q8_0),
            10 => Self::Blocks(BlockKind::Q2K),
            11 => Self::Blocks(BlockKind::Q3K),
            12 => Self::Blocks(BlockKind::Q4K),
            13 => Self::Blocks(BlockKind::Q5K),
            14 => Self::Blocks(BlockKind::Q6K),
            30 => Self::BF16,
            _ => {
                let name = REFUSED.iter().find(|(known, _)| *known == id);
                return Err(
                    name.map_or_else(|| format!("of type {id}"), |(_, name)| (*name).to_owned())
                );
            }
        })
    }

    /// The format's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Blocks(kind) => kind.name(),
        }
    }

    /// Numbers in a block.
    #[must_use]
    pub fn block(self) -> usize {
        match self {
            Self::Blocks(kind) => kind.values(),
            _ => 1,
        }
    }

    /// Bytes of a block.
    #[must_use]
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Blocks(kind) => kind.bytes(),
        }
    }

    /// Bytes of a row of `k` numbers, or `None` where that is no whole number of blocks or too large.
    #[must_use]
    pub fn row_bytes(self, k: usize) -> Option<usize> {
        k.is_multiple_of(self.block())
            .then(|| (k / self.block()).checked_mul(self.block_bytes()))?
    }

    /// Single numbers as f32; `None` for blocks.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        let pairs = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        Some(match self {
            Self::F32 => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Self::F16 => pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
            Self::BF16 => pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
            Self::Blocks(_) => return None,
        })
    }
}
