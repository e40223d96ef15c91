use std::borrow::Cow;
use std::path::Path;

use half::bf16;

use super::WeightsError;
use crate::kernels::{BlockKind, Rows};
use crate::model::gguf::TensorType;

/// One tensor as stored, rows in the original model's order.
pub(super) struct Tensor<'a> {
    pub(super) path: &'a Path,
    pub(super) name: &'a str,
    pub(super) kind: TensorType,
    pub(super) data: Cow<'a, [u8]>,
}

/// What a file says of a tensor.
pub(super) struct Entry {
    /// In a layer, rather than embedding or head.
    pub(super) in_layer: bool,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Option<TensorType>,
}

/// Numbers of a tensor as the kernels take them.
pub(super) enum Numbers<'a> {
    Wide(Vec<f32>),
    Half(Vec<bf16>),
    Blocks(BlockKind, &'a [u8]),
}

impl Numbers<'_> {
    pub(super) fn rows(&self) -> Rows<'_> {
        match self {
            Self::Wide(rows) => Rows::F32(rows),
            Self::Half(rows) => Rows::Bf16(rows),
            Self::Blocks(kind, bytes) => Rows::Blocks { kind: *kind, bytes },
        }
    }
}

impl Tensor<'_> {
    fn check(&self, finite: bool) -> Result<(), WeightsError> {
        if finite {
            Ok(())
        } else {
            Err(WeightsError::NotFinite {
                path: self.path.to_owned(),
                name: self.name.to_owned(),
            })
        }
    }

    /// The numbers of a vector.
    pub(super) fn floats(&self) -> Result<Vec<f32>, WeightsError> {
        let out = self
            .kind
            .decode(&self.data)
            .ok_or_else(|| WeightsError::Type {
                path: self.path.to_owned(),
                name: self.name.to_owned(),
                found: self.kind.name().to_owned(),
            })?;
        self.check(out.iter().all(|x| x.is_finite()))?;
        Ok(out)
    }

    /// The numbers of a matrix; bf16 and blocks stay what they are.
    pub(super) fn numbers(&self) -> Result<Numbers<'_>, WeightsError> {
        match self.kind {
            TensorType::BF16 => {
                let pairs = self.data.chunks_exact(2);
                let out: Vec<bf16> = pairs.map(|b| bf16::from_le_bytes([b[0], b[1]])).collect();
                self.check(out.iter().all(|x| x.is_finite()))?;
                Ok(Numbers::Half(out))
            }
            TensorType::Blocks(kind) => {
                self.check(kind.check_finite(&self.data).is_ok())?;
                Ok(Numbers::Blocks(kind, &self.data))
            }
            _ => self.floats().map(Numbers::Wide),
        }
    }
}
