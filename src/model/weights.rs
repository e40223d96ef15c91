//! Weight files: safetensors, mapped, checked, and handed out tensor by tensor.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata};

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
    #[error("{}: tensor `{name}` has shape {found:?}, the configuration asks for {expected:?}", path.display())]
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
    files: Vec<(PathBuf, Bytes, Metadata, usize)>,
    /// Name → index of its file.
    names: BTreeMap<String, usize>,
}

/// Where a file's bytes are.
enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl Weights {
    /// Maps the files and checks their headers.
    ///
    /// # Errors
    /// When a file cannot be opened, is cut short, or its header does not describe it.
    pub fn open(paths: &[PathBuf]) -> Result<Self, WeightsError> {
        let mut weights = Self {
            files: Vec::new(),
            names: BTreeMap::new(),
        };
        for path in paths {
            let io = |source| WeightsError::Io {
                path: path.clone(),
                source,
            };
            let file = File::open(path).map_err(io)?;
            // SAFETY: the map is read-only; a file that is changed while it is read gives other numbers or a signal, as
            // with every mapped model file.
            let map = unsafe { Mmap::map(&file) }.map_err(io)?;
            weights.add(path.clone(), Bytes::Mapped(map))?;
        }
        Ok(weights)
    }

    /// The one file of a model that is part of the program.
    ///
    /// # Errors
    /// As [`Weights::open`].
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self, WeightsError> {
        let mut weights = Self {
            files: Vec::new(),
            names: BTreeMap::new(),
        };
        weights.add(name.into(), Bytes::Embedded(bytes))?;
        Ok(weights)
    }

    fn add(&mut self, path: PathBuf, bytes: Bytes) -> Result<(), WeightsError> {
        let format = |detail: String| WeightsError::Format {
            path: path.clone(),
            detail,
        };
        SafeTensors::deserialize(&bytes)
            .map_err(|e| format(explain(&e.to_string(), bytes.len())))?;
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| format(e.to_string()))?;
        for name in metadata.tensors().keys() {
            self.names.insert(name.clone(), self.files.len());
        }
        self.files.push((path, bytes, metadata, header + 8));
        Ok(())
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|(_, map, _, _)| map.len()).sum()
    }

    /// Bytes that the tensors take once packed, at most: in profile `f32` bf16 as it is and everything else as f32; in
    /// profiles `bf16` and `int8` matrices in that type.
    #[must_use]
    pub fn packed_bytes(&self, profile: Profile) -> usize {
        let tensors = self
            .files
            .iter()
            .flat_map(|(_, _, metadata, _)| metadata.tensors().into_values());
        tensors
            .map(|info| {
                let numbers: usize = info.shape.iter().product();
                match (profile, info.dtype) {
                    (Profile::Int8, _) if info.shape.len() == 2 => numbers + numbers / 16,
                    (Profile::Bf16, _) if info.shape.len() == 2 => numbers * 2,
                    (_, Dtype::BF16) => numbers * 2,
                    _ => numbers * 4,
                }
            })
            .sum()
    }

    /// Whether a tensor is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, WeightsError> {
        let missing = || WeightsError::Missing {
            name: name.to_owned(),
            files: self.files.len(),
        };
        let (path, map, metadata, start) =
            &self.files[*self.names.get(name).ok_or_else(missing)?];
        let info = metadata.info(name).ok_or_else(missing)?;
        let (path, name) = (path.clone(), name.to_owned());
        if info.shape != shape {
            return Err(WeightsError::Shape {
                path,
                name,
                found: info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(WeightsError::Type {
                path,
                name,
                found: format!("{:?}", info.dtype),
            });
        }
        let data = &map[start + info.data_offsets.0..start + info.data_offsets.1];
        Ok(Tensor {
            path,
            name,
            dtype: info.dtype,
            data,
        })
    }

    /// A vector as f32.
    ///
    /// # Errors
    /// When it is missing, of another shape or type, or not finite.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, WeightsError> {
        self.find(name, &[len])?.floats()
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
        let tensors = parts
            .iter()
            .map(|(name, n)| self.find(&format!("{name}.weight"), &[*n, k]))
            .collect::<Result<Vec<_>, _>>()?;
        let narrow = tensors.iter().all(|t| t.dtype == Dtype::BF16);
        let mut wide = Vec::new();
        let mut half = Vec::new();
        for tensor in &tensors {
            if narrow {
                half.push(tensor.halves()?);
            } else {
                wide.push(tensor.floats()?);
            }
        }
        let blocks: Vec<Rows<'_>> = if narrow {
            half.iter().map(|b| Rows::Bf16(b)).collect()
        } else {
            wide.iter().map(|b| Rows::F32(b)).collect()
        };
        let biases = if bias {
            let mut all = Vec::new();
            for (name, n) in parts {
                all.extend(self.vector(&format!("{name}.bias"), *n)?);
            }
            Some(all)
        } else {
            None
        };
        Ok(PackedLinear::pack(&blocks, k, biases, profile))
    }

    /// The paths, for messages.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, ..)| path.as_path())
    }
}

struct Tensor<'a> {
    path: PathBuf,
    name: String,
    dtype: Dtype,
    data: &'a [u8],
}

impl Tensor<'_> {
    fn check(&self, finite: bool) -> Result<(), WeightsError> {
        if finite {
            Ok(())
        } else {
            Err(WeightsError::NotFinite {
                path: self.path.clone(),
                name: self.name.clone(),
            })
        }
    }

    fn floats(&self) -> Result<Vec<f32>, WeightsError> {
        let pairs = || self.data.chunks_exact(2).map(|b| [b[0], b[1]]);
        let out: Vec<f32> = match self.dtype {
            Dtype::F32 => self
                .data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::BF16 => pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
            _ => pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        };
        self.check(out.iter().all(|x| x.is_finite()))?;
        Ok(out)
    }

    fn halves(&self) -> Result<Vec<bf16>, WeightsError> {
        let out: Vec<bf16> = self
            .data
            .chunks_exact(2)
            .map(|b| bf16::from_le_bytes([b[0], b[1]]))
            .collect();
        self.check(out.iter().all(|x| x.is_finite()))?;
        Ok(out)
    }
}

fn explain(error: &str, len: usize) -> String {
    format!("{error} (the file has {len} bytes; a download cut short looks like this)")
}
