use std::borrow::Cow;

use super::WeightsError;
use super::tensor::{Entry, Tensor};
use crate::model::gguf::{Gguf, Layout, TensorType, original_order};

/// The tensors of a GGUF model under their original names, shapes and orders of rows.
pub(super) struct GgufTensors {
    pub(super) gguf: Gguf,
    pub(super) layout: Layout,
}

impl GgufTensors {
    pub(super) fn has(&self, name: &str) -> bool {
        let place = self.layout.place(name);
        place.is_some_and(|place| self.gguf.tensor(&place.name).is_some())
    }

    pub(super) fn in_blocks(&self, name: &str) -> bool {
        let tensor = self.layout.place(name).and_then(|place| {
            let (_, info, _) = self.gguf.tensor(&place.name)?;
            Some(info.kind)
        });
        matches!(tensor, Some(TensorType::Blocks(_)))
    }

    /// Every tensor.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.gguf.tensors().map(|(name, info)| Entry {
            in_layer: name.starts_with("blk."),
            shape: info.shape.clone(),
            kind: Some(info.kind),
        })
    }

    pub(super) fn find<'a>(
        &'a self,
        name: &'a str,
        shape: &[usize],
    ) -> Result<Tensor<'a>, WeightsError> {
        let missing = |in_file: &str| WeightsError::Missing {
            name: if in_file.is_empty() {
                name.to_owned()
            } else {
                format!("{in_file} ({name})")
            },
            files: self.gguf.paths().count(),
        };
        let place = self.layout.place(name).ok_or_else(|| missing(""))?;
        let (path, info, data) = self
            .gguf
            .tensor(&place.name)
            .ok_or_else(|| missing(&place.name))?;
        let wrong_shape = || WeightsError::Shape {
            path: path.to_owned(),
            name: place.name.clone(),
            found: info.shape.clone(),
            expected: shape.to_vec(),
        };
        let (own_shape, data) = match (place.expert, &info.shape[..]) {
            (None, own) => (own, data),
            (Some(expert), [experts, own @ ..]) if expert < *experts && own.len() == 2 => {
                let size = data.len() / experts;
                (own, &data[expert * size..(expert + 1) * size])
            }
            (Some(_), _) => return Err(wrong_shape()),
        };
        if own_shape != shape {
            return Err(wrong_shape());
        }
        let data = match place.interleaved_heads {
            Some(heads) if shape[0].is_multiple_of(2 * heads) => {
                Cow::Owned(original_order(data, data.len() / shape[0], heads))
            }
            Some(_) => return Err(wrong_shape()),
            None => Cow::Borrowed(data),
        };
        Ok(Tensor {
            path,
            name,
            kind: info.kind,
            data,
        })
    }
}
