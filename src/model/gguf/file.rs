use std::path::{Path, PathBuf};

use super::container::{Container, TensorInfo};
use super::value::{Array, Value};
use super::{GgufError, TensorType};

/// A model in GGUF: one file, or all parts of a split one.
pub struct Gguf {
    parts: Vec<Container>,
}

impl Gguf {
    /// Maps the parts, in order, and checks that each is whole and all belong together.
    ///
    /// # Errors
    /// Names the file, the key or tensor, and the byte where something is wrong.
    ///
    /// # Panics
    /// When `paths` is empty.
    pub fn open(paths: &[PathBuf]) -> Result<Self, GgufError> {
        let parts = paths
            .iter()
            .map(|path| Container::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        Self::of_parts(parts)
    }

    pub(super) fn of_parts(parts: Vec<Container>) -> Result<Self, GgufError> {
        let whole = Self { parts };
        whole.check_parts()?;
        Ok(whole)
    }

    fn check_parts(&self) -> Result<(), GgufError> {
        let given = self.parts.len();
        for (i, part) in self.parts.iter().enumerate() {
            let wrong = |what: String| GgufError::Parts {
                path: part.path.clone(),
                what,
            };
            let number = |key: &str| Ok(part.value(key)?.and_then(Value::uint));
            let count = number("split.count")?.unwrap_or(1).max(1);
            if count != given as u64 {
                return Err(wrong(format!(
                    "`split.count` says {count} part{}, and there {} {given}\n  hint: parts lie side by side and are named name-00001-of-{count:05}.gguf",
                    if count == 1 { "" } else { "s" },
                    if given == 1 { "is" } else { "are" }
                )));
            }
            let no = number("split.no")?.unwrap_or(0);
            if given > 1 && no != i as u64 {
                return Err(wrong(format!(
                    "`split.no` is {no}, but by its name it is part {i} (counted from 0)"
                )));
            }
            let all: usize = self.parts.iter().map(|part| part.tensors().len()).sum();
            let said = number("split.tensors.count")?;
            if given > 1
                && let Some(said) = said.filter(|said| *said != all as u64)
            {
                return Err(wrong(format!(
                    "`split.tensors.count` says {said} tensors, and the parts hold {all}"
                )));
            }
            for earlier in &self.parts[..i] {
                let twice = part
                    .tensors()
                    .keys()
                    .find(|name| earlier.tensors().contains_key(*name));
                if let Some(name) = twice {
                    return Err(wrong(format!(
                        "tensor `{name}` is in {} too",
                        earlier.path.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// The first part, which holds the metadata.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.parts[0].path
    }

    /// All parts.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// Bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(Container::len).sum()
    }

    /// Every tensor, with its name in the file.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.parts.iter().flat_map(|part| {
            part.tensors()
                .iter()
                .map(|(name, info)| (name.as_str(), info))
        })
    }

    /// A tensor by its name in the file: the part it lies in, its description and its bytes.
    pub(in crate::model) fn tensor(&self, name: &str) -> Option<(&Path, &TensorInfo, &[u8])> {
        self.parts.iter().find_map(|part| {
            let info = part.tensors().get(name)?;
            Some((part.path.as_path(), info, part.data(info)))
        })
    }

    /// The types of the tensors by the bytes they take, most first.
    #[must_use]
    pub fn types(&self) -> Vec<(TensorType, usize)> {
        let mut types: Vec<(TensorType, usize)> = Vec::new();
        for (_, info) in self.tensors() {
            match types.iter_mut().find(|(kind, _)| *kind == info.kind) {
                Some((_, bytes)) => *bytes += info.bytes(),
                None => types.push((info.kind, info.bytes())),
            }
        }
        types.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        types
    }

    /// Every key of the metadata.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts[0].keys()
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When it is a text that is no UTF-8.
    pub fn value(&self, key: &str) -> Result<Option<Value<'_>>, GgufError> {
        self.parts[0].value(key)
    }

    pub(in crate::model) fn wrong(&self, key: &str, what: impl Into<String>) -> GgufError {
        GgufError::Key {
            path: self.path().to_owned(),
            key: key.to_owned(),
            what: what.into(),
        }
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        self.value(key)?
            .map(|value| read(value).ok_or_else(|| self.wrong(key, format!("is not {expected}"))))
            .transpose()
    }

    pub(super) fn uint(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.typed(key, "a whole number of at least 0", Value::uint)
    }

    pub(super) fn float(&self, key: &str) -> Result<Option<f64>, GgufError> {
        self.typed(key, "a finite number", |value| {
            value.float().filter(|number| number.is_finite())
        })
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.typed(key, "true or false", Value::flag)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.typed(key, "a text", Value::text)
    }

    pub(super) fn array(&self, key: &str) -> Result<Option<Array<'_>>, GgufError> {
        self.typed(key, "a list", Value::array)
    }
}
