use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata};

use super::tensor::{Entry, Tensor};
use super::{Bytes, WeightsError};
use crate::brief::brief;
use crate::fsio::HEADER_BYTES;
use crate::model::gguf::TensorType;

/// The tensors of a model's safetensors files.
pub(super) struct SafetensorsFiles {
    files: Vec<SafetensorsFile>,
    /// Name → index of its file.
    names: BTreeMap<String, usize>,
}

struct SafetensorsFile {
    path: PathBuf,
    bytes: Bytes,
    metadata: Metadata,
    /// Where the tensors begin.
    data: usize,
}

impl SafetensorsFiles {
    pub(super) fn new(files: Vec<(PathBuf, Bytes)>) -> Result<Self, WeightsError> {
        let mut all = Self {
            files: Vec::new(),
            names: BTreeMap::new(),
        };
        for (path, bytes) in files {
            all.add(path, bytes)?;
        }
        Ok(all)
    }

    fn add(&mut self, path: PathBuf, bytes: Bytes) -> Result<(), WeightsError> {
        let format = |detail: String| WeightsError::Format {
            path: path.clone(),
            detail,
        };
        if let Some(start) = bytes.first_chunk()
            && u64::from_le_bytes(*start) > HEADER_BYTES
        {
            return Err(format(format!(
                "its header would have {} bytes; expected at most {HEADER_BYTES}",
                u64::from_le_bytes(*start)
            )));
        }
        SafeTensors::deserialize(&bytes)
            .map_err(|e| format(explain(&e.to_string(), bytes.len())))?;
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| format(e.to_string()))?;
        for name in metadata.tensors().keys() {
            self.names.insert(name.clone(), self.files.len());
        }
        self.files.push(SafetensorsFile {
            path,
            bytes,
            metadata,
            data: header + 8,
        });
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.bytes.len()).sum()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Every tensor; no type where it is not read.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let tensors = self.files.iter().flat_map(|file| file.metadata.tensors());
        tensors.map(|(name, info)| Entry {
            in_layer: name.contains("layers."),
            shape: info.shape.clone(),
            kind: kind(info.dtype),
        })
    }

    pub(super) fn find<'a>(
        &'a self,
        name: &'a str,
        shape: &[usize],
    ) -> Result<Tensor<'a>, WeightsError> {
        let missing = || WeightsError::Missing {
            name: name.to_owned(),
            files: self.files.len(),
        };
        let file = &self.files[*self.names.get(name).ok_or_else(missing)?];
        let info = file.metadata.info(name).ok_or_else(missing)?;
        if info.shape != shape {
            return Err(WeightsError::Shape {
                path: file.path.clone(),
                name: name.to_owned(),
                found: info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        let kind = kind(info.dtype).ok_or_else(|| WeightsError::Type {
            path: file.path.clone(),
            name: name.to_owned(),
            found: format!("{:?}", info.dtype),
        })?;
        let (start, end) = info.data_offsets;
        Ok(Tensor {
            path: &file.path,
            name,
            kind,
            data: Cow::Borrowed(&file.bytes[file.data + start..file.data + end]),
        })
    }
}

fn kind(dtype: Dtype) -> Option<TensorType> {
    match dtype {
        Dtype::F32 => Some(TensorType::F32),
        Dtype::F16 => Some(TensorType::F16),
        Dtype::BF16 => Some(TensorType::BF16),
        _ => None,
    }
}

fn explain(error: &str, len: usize) -> String {
    format!(
        "{} (the file has {len} bytes; a download cut short looks like this)",
        brief(error)
    )
}
