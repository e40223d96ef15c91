//! Weight files: safetensors or GGUF, mapped, checked, and handed out tensor by tensor under the original model's names.

mod bytes;
mod gguf;
mod safetensors;
mod tensor;

use std::path::{Path, PathBuf};

pub(in crate::model) use self::bytes::Bytes;
use self::gguf::GgufTensors;
use self::safetensors::SafetensorsFiles;
use self::tensor::{Entry, Numbers, Tensor};
use super::gguf::{Gguf, Layout, TensorType};
use crate::brief::brief;
use crate::kernels::{PackedLinear, Profile, Rows};

/// What is wrong with a weight file.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: not a whole safetensors file: {detail}", path.display())]
    Format { path: PathBuf, detail: String },
    #[error("tensor `{name}` is missing (looked in {files} weight file{})", if *files == 1 { "" } else { "s" })]
    Missing { name: String, files: usize },
    #[error("{}: tensor `{name}` has shape {}, the configuration asks for {expected:?}", path.display(), brief(format_args!("{found:?}")))]
    Shape {
        path: PathBuf,
        name: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error("{}: tensor `{name}` is {found}; F32, F16 and BF16 are supported", path.display())]
    Type {
        path: PathBuf,
        name: String,
        found: String,
    },
    #[error("{}: tensor `{name}` holds NaN or infinity", path.display())]
    NotFinite { path: PathBuf, name: String },
}

/// The tensors of a model's weight files.
pub struct Weights {
    source: Source,
}

enum Source {
    Safetensors(SafetensorsFiles),
    Gguf(GgufTensors),
}

impl Weights {
    /// Maps safetensors files and checks their headers.
    ///
    /// # Errors
    /// When a file cannot be opened, is cut short, or its header does not describe it.
    pub fn open(paths: &[PathBuf]) -> Result<Self, WeightsError> {
        let map = |path: &PathBuf| {
            let bytes = Bytes::map(path).map_err(|source| WeightsError::Io {
                path: path.clone(),
                source,
            })?;
            Ok((path.clone(), bytes))
        };
        Self::safetensors(paths.iter().map(map).collect::<Result<_, WeightsError>>()?)
    }

    /// The one file of a model that is part of the program.
    ///
    /// # Errors
    /// As [`Weights::open`].
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self, WeightsError> {
        Self::safetensors(vec![(name.into(), Bytes::Embedded(bytes))])
    }

    fn safetensors(files: Vec<(PathBuf, Bytes)>) -> Result<Self, WeightsError> {
        Ok(Self {
            source: Source::Safetensors(SafetensorsFiles::new(files)?),
        })
    }

    /// The tensors of a GGUF model.
    pub(in crate::model) fn gguf(gguf: Gguf, layout: Layout) -> Self {
        Self {
            source: Source::Gguf(GgufTensors { gguf, layout }),
        }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.source {
            Source::Safetensors(files) => files.bytes(),
            Source::Gguf(tensors) => tensors.gguf.bytes(),
        }
    }

    /// Bytes that the tensors take once packed, at most: in profile `f32` bf16 as it is and everything else as f32; in
    /// profiles `bf16` and `int8` matrices in that type; in `q4` those of layers, others as in `int8`.
    #[must_use]
    pub fn packed_bytes(&self, profile: Profile) -> usize {
        let packed = |entry: Entry| {
            let numbers: usize = entry.shape.iter().product();
            let matrix = entry.shape.len() >= 2;
            match (profile, entry.kind) {
                (Profile::Q4, _) if matrix && entry.in_layer => numbers / 8 * 5,
                // Blocks keep their codes; scales of some types are wider here than in files.
                (Profile::Int8 | Profile::Q4, Some(TensorType::Blocks(kind))) if matrix => {
                    numbers / kind.values() * kind.bytes() / 5 * 6
                }
                (Profile::Int8 | Profile::Q4, _) if matrix => numbers + numbers / 16,
                (Profile::Bf16, _) if matrix => numbers * 2,
                (_, Some(TensorType::BF16)) => numbers * 2,
                _ => numbers * 4,
            }
        };
        match &self.source {
            Source::Safetensors(files) => files.entries().map(packed).sum(),
            Source::Gguf(tensors) => tensors.entries().map(packed).sum(),
        }
    }

    /// Whether a tensor is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Safetensors(files) => files.has(name),
            Source::Gguf(tensors) => tensors.has(name),
        }
    }

    /// Whether a tensor is stored in blocks, which a profile with 8-bit activations keeps as they are.
    #[must_use]
    pub fn in_blocks(&self, name: &str) -> bool {
        match &self.source {
            Source::Safetensors(_) => false,
            Source::Gguf(tensors) => tensors.in_blocks(name),
        }
    }

    fn find<'a>(&'a self, name: &'a str, shape: &[usize]) -> Result<Tensor<'a>, WeightsError> {
        match &self.source {
            Source::Safetensors(files) => files.find(name, shape),
            Source::Gguf(tensors) => tensors.find(name, shape),
        }
    }

    /// A vector as f32.
    ///
    /// # Errors
    /// When it is missing, of another shape or type, or not finite.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, WeightsError> {
        self.find(name, &[len])?.floats()
    }

    /// A matrix of `rows × k` as f32, row by row.
    ///
    /// # Errors
    /// As [`Weights::vector`].
    pub fn matrix(&self, name: &str, rows: usize, k: usize) -> Result<Vec<f32>, WeightsError> {
        self.find(name, &[rows, k])?.floats()
    }

    /// Matrices of `rows × k`, packed one below the other, with the biases of the same names where `bias`.
    ///
    /// # Errors
    /// As [`Weights::vector`].
    pub fn linear(
        &self,
        parts: &[(&str, usize)],
        k: usize,
        bias: bool,
        profile: Profile,
    ) -> Result<PackedLinear, WeightsError> {
        let names: Vec<String> = parts
            .iter()
            .map(|(name, _)| format!("{name}.weight"))
            .collect();
        let tensors = parts
            .iter()
            .zip(&names)
            .map(|((_, n), name)| self.find(name, &[*n, k]))
            .collect::<Result<Vec<_>, _>>()?;
        let numbers = tensors
            .iter()
            .map(Tensor::numbers)
            .collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<Rows<'_>> = numbers.iter().map(Numbers::rows).collect();
        let biases = if bias {
            let mut all = Vec::new();
            for (name, n) in parts {
                all.extend(self.vector(&format!("{name}.bias"), *n)?);
            }
            Some(all)
        } else {
            None
        };
        Ok(PackedLinear::pack(&rows, k, biases, profile))
    }

    /// The types of the tensors by the bytes they take, most first, where the files are GGUF.
    #[must_use]
    pub fn gguf_types(&self) -> Option<Vec<(TensorType, usize)>> {
        match &self.source {
            Source::Safetensors(_) => None,
            Source::Gguf(tensors) => Some(tensors.gguf.types()),
        }
    }

    /// The paths, for messages.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let (safetensors, gguf) = match &self.source {
            Source::Safetensors(files) => (Some(files.paths()), None),
            Source::Gguf(tensors) => (None, Some(tensors.gguf.paths())),
        };
        safetensors
            .into_iter()
            .flatten()
            .chain(gguf.into_iter().flatten())
    }
}
