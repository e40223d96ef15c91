//! One family of quantised weights: codes of a few bits with a scale, and for some a minimum, per 16 or 32 values.

use half::f16;

/// Values that share a block: activations have one scale for as many.
pub(super) const BLOCK: usize = 32;
/// Values of a group: those that share one unit of scales in formats with steps.
pub(super) const GROUP: usize = 256;
/// Blocks of a group.
pub(super) const GROUP_BLOCKS: usize = GROUP / BLOCK;

/// What a member of the family keeps. A weight is `scale · (code - offset) - minimum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// Bits of a code, which is not negative.
    pub bits: usize,
    /// Scales of a block: one, or two for its halves.
    pub parts: usize,
    /// Whether each scale has a minimum beside it.
    pub minima: bool,
    /// Whether scales and minima are whole steps (8 bits: not negative beside minima, else of either sign) of two units per
    /// group. Otherwise they are f16 themselves.
    pub steps: bool,
    /// Taken off every code; 0 in formats with minima.
    pub offset: u8,
}

impl Format {
    /// A scale or minimum in f32; exact, as no product of a unit and a step has more than 19 significant bits.
    pub fn number(self, unit: u16, raw: u16) -> f32 {
        if !self.steps {
            return f16::from_bits(raw).to_f32();
        }
        let [low, _] = raw.to_le_bytes();
        let step = if self.minima {
            f32::from(low)
        } else {
            f32::from(low.cast_signed())
        };
        f16::from_bits(unit).to_f32() * step
    }
}

/// Up to 256 values of a row, taken apart: what every format can be packed from and read back as.
pub(super) struct Group {
    pub codes: [u8; GROUP],
    /// f16 bits of the scales' and the minima's unit, in formats with steps.
    pub units: [u16; 2],
    /// By block and half (the first alone counts where a block has one part): f16 bits, or a step.
    pub scales: [[u16; 2]; GROUP_BLOCKS],
    pub minima: [[u16; 2]; GROUP_BLOCKS],
}

impl Group {
    /// Values that are all zero.
    pub fn empty(format: Format) -> Self {
        Self {
            codes: [format.offset; GROUP],
            units: [0; 2],
            scales: [[0; 2]; GROUP_BLOCKS],
            minima: [[0; 2]; GROUP_BLOCKS],
        }
    }

    /// The numbers of block `block`. A product of code and scale is exact in all formats but Q6_K, where it is rounded once;
    /// so is the difference from a minimum.
    pub fn numbers(&self, format: Format, block: usize, out: &mut [f32]) {
        let codes = &self.codes[block * BLOCK..(block + 1) * BLOCK];
        for (j, (out, code)) in out.iter_mut().zip(codes).enumerate() {
            let half = j * format.parts / BLOCK;
            let scale = format.number(self.units[0], self.scales[block][half]);
            let value = scale * (f32::from(*code) - f32::from(format.offset));
            *out = if format.minima {
                value - format.number(self.units[1], self.minima[block][half])
            } else {
                value
            };
        }
    }
}
