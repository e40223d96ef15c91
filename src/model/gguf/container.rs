use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::GgufError;
use super::reader::{Broken, Reader};
use super::types::TensorType;
use super::value::{Kind, Value};
use crate::model::weights::Bytes;

/// Where tensors begin, where `general.alignment` says nothing else.
const ALIGNMENT: u64 = 32;
/// Dimensions of a tensor at most, as the format says.
const MAX_DIMENSIONS: u32 = 4;
/// Keys, and tensors, of a file at most; the largest models have some thousand.
const MOST_ENTRIES: usize = 1 << 16;
/// Bytes of the name of a key or a tensor; a tensor's may have 64, as the format says.
const LONGEST_NAME: usize = 1 << 10;

/// One GGUF file: its metadata and where its tensors lie, all of it checked against the file.
pub(super) struct Container {
    pub(super) path: PathBuf,
    bytes: Bytes,
    /// Key → kind and where the value begins.
    metadata: BTreeMap<String, (Kind, usize)>,
    tensors: BTreeMap<String, TensorInfo>,
}

/// A tensor as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub kind: TensorType,
    /// Outermost first, so that a matrix is `[rows, numbers in a row]`.
    pub shape: Vec<usize>,
    /// Where its bytes lie in the file.
    start: usize,
    end: usize,
}

impl TensorInfo {
    /// Bytes in the file.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.end - self.start
    }
}

impl Container {
    pub(super) fn open(path: &Path) -> Result<Self, GgufError> {
        let bytes = Bytes::map(path).map_err(|source| GgufError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, bytes)
    }

    pub(super) fn parse(path: &Path, bytes: Bytes) -> Result<Self, GgufError> {
        let mut reader = Reader::new(&bytes);
        let broken = |broken: Broken| GgufError::Broken {
            path: path.to_owned(),
            at: broken.at,
            what: broken.what,
        };
        let (tensor_count, key_count) = header(&mut reader).map_err(broken)?;
        let metadata = metadata(&mut reader, key_count).map_err(broken)?;
        let alignment = match metadata.get("general.alignment") {
            None => ALIGNMENT,
            Some((kind, at)) => match kind.read(&bytes[*at..]).and_then(Value::uint) {
                Some(alignment @ 1..=0x1_0000) if alignment.is_power_of_two() => alignment,
                _ => {
                    return Err(broken(Broken {
                        at: *at,
                        what: "general.alignment: expected a power of two up to 65536".into(),
                    }));
                }
            },
        };
        let tensors = tensors(&mut reader, tensor_count, alignment).map_err(broken)?;
        no_overlap(&tensors).map_err(broken)?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            metadata,
            tensors,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The value of a key; an error where it is a text that is no UTF-8.
    pub(super) fn value(&self, key: &str) -> Result<Option<Value<'_>>, GgufError> {
        let Some((kind, at)) = self.metadata.get(key) else {
            return Ok(None);
        };
        let value = kind.read(&self.bytes[*at..]);
        value.map(Some).ok_or_else(|| GgufError::Broken {
            path: self.path.clone(),
            at: *at,
            what: format!("`{key}` is no UTF-8"),
        })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    pub(super) fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// The bytes of one of this file's tensors.
    pub(super) fn data(&self, info: &TensorInfo) -> &[u8] {
        &self.bytes[info.start..info.end]
    }
}

fn header(reader: &mut Reader<'_>) -> Result<(usize, usize), Broken> {
    let magic = reader.take(4, "the magic")?;
    if magic != b"GGUF" {
        return Err(Broken {
            at: 0,
            what: "it does not begin with GGUF".into(),
        });
    }
    match reader.u32("the version")? {
        2 | 3 => {}
        1 => {
            return Err(reader.broken("version 1 is not read; convert the model again"));
        }
        other if other.swap_bytes() <= 3 => {
            return Err(reader.broken("it is big-endian, which is not read"));
        }
        other => return Err(reader.broken(format!("version {other}, expected 2 or 3"))),
    }
    let mut count = |least, what: &str| {
        let at = reader.at();
        match reader.count(least, what)? {
            count if count > MOST_ENTRIES => Err(Broken {
                at,
                what: format!("{what} is {count}, expected at most {MOST_ENTRIES}"),
            }),
            count => Ok(count),
        }
    };
    // a tensor takes 32 bytes with an empty name, a key 13 with an empty name and one byte of value
    Ok((
        count(32, "the number of tensors")?,
        count(13, "the number of keys")?,
    ))
}

/// The name of a key or a tensor.
fn name<'a>(reader: &mut Reader<'a>, what: &str) -> Result<&'a str, Broken> {
    let at = reader.at();
    let name = reader.text(what)?;
    if name.len() > LONGEST_NAME {
        return Err(Broken {
            at,
            what: format!(
                "{what} has {} bytes, expected at most {LONGEST_NAME}",
                name.len()
            ),
        });
    }
    Ok(name)
}

fn metadata(
    reader: &mut Reader<'_>,
    count: usize,
) -> Result<BTreeMap<String, (Kind, usize)>, Broken> {
    let mut metadata = BTreeMap::new();
    for _ in 0..count {
        let start = reader.at();
        let key = name(reader, "a key")?;
        let named = |broken: Broken| Broken {
            at: broken.at,
            what: format!("`{}`: {}", shown(key), broken.what),
        };
        let id = reader.u32("the kind of a value").map_err(named)?;
        let kind = Kind::from_id(id)
            .ok_or_else(|| named(reader.broken(format!("{id} is no kind of value"))))?;
        let at = reader.at();
        kind.skip(reader).map_err(named)?;
        if metadata.insert(key.to_owned(), (kind, at)).is_some() {
            return Err(Broken {
                at: start,
                what: format!("the key `{}` is there twice", shown(key)),
            });
        }
    }
    Ok(metadata)
}

fn tensors(
    reader: &mut Reader<'_>,
    count: usize,
    alignment: u64,
) -> Result<BTreeMap<String, TensorInfo>, Broken> {
    let mut found = Vec::new();
    for _ in 0..count {
        let start = reader.at();
        let name = name(reader, "a tensor's name")?;
        let (kind, shape, bytes, offset) = tensor(reader, alignment).map_err(|broken| Broken {
            at: broken.at,
            what: format!("tensor `{}` {}", shown(name), broken.what),
        })?;
        found.push((start, name, kind, shape, bytes, offset));
    }
    let data = (reader.at() as u64).next_multiple_of(alignment);
    let len = (reader.at() + reader.left()) as u64;
    let mut tensors = BTreeMap::new();
    for (at, name, kind, shape, bytes, offset) in found {
        let wrong = |what: String| Broken {
            at,
            what: format!("tensor `{}` {what}", shown(name)),
        };
        let end = offset
            .checked_add(data)
            .and_then(|start| start.checked_add(bytes as u64));
        let Some(end) = end.filter(|end| *end <= len) else {
            return Err(wrong(format!(
                "lies at {offset} of the data and takes {bytes} bytes, but the file ends {} bytes after where the data begins (a download cut short looks like this)",
                len.saturating_sub(data)
            )));
        };
        let end = usize::try_from(end).expect("within the mapped file");
        let info = TensorInfo {
            kind,
            shape,
            start: end - bytes,
            end,
        };
        if tensors.insert(name.to_owned(), info).is_some() {
            return Err(wrong("is there twice".into()));
        }
    }
    Ok(tensors)
}

/// Type, shape, bytes and offset of a tensor, after its name.
fn tensor(
    reader: &mut Reader<'_>,
    alignment: u64,
) -> Result<(TensorType, Vec<usize>, usize, u64), Broken> {
    let dimensions = reader.u32("its number of dimensions")?;
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(reader.broken(format!(
            "has {dimensions} dimensions, expected 1 to {MAX_DIMENSIONS}"
        )));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        let size = reader.u64("a dimension")?;
        match usize::try_from(size) {
            Ok(size) if size > 0 => shape.push(size),
            _ => return Err(reader.broken(format!("has a dimension of {size}"))),
        }
    }
    shape.reverse();
    let id = reader.u32("its type")?;
    let kind = TensorType::from_id(id).map_err(|found| {
        reader.broken(format!(
            "is {found}, which is not read; read are {}",
            TensorType::SUPPORTED
        ))
    })?;
    let (k, rows) = shape.split_last().expect("at least one dimension");
    let bytes = kind
        .row_bytes(*k)
        .ok_or_else(|| {
            reader.broken(format!(
                "has rows of {k} numbers, which are no whole blocks of {} as {} needs",
                kind.block(),
                kind.name()
            ))
        })
        .and_then(|row| {
            let bytes = rows.iter().try_fold(row, |all, n| all.checked_mul(*n));
            bytes.ok_or_else(|| reader.broken(format!("has the impossible shape {shape:?}")))
        })?;
    let offset = reader.u64("its offset")?;
    if !offset.is_multiple_of(alignment) {
        return Err(reader.broken(format!(
            "lies at {offset} of the data, which is no multiple of the alignment {alignment}"
        )));
    }
    Ok((kind, shape, bytes, offset))
}

fn no_overlap(tensors: &BTreeMap<String, TensorInfo>) -> Result<(), Broken> {
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_unstable_by_key(|(_, info)| (info.start, info.end));
    for pair in order.windows(2) {
        let [(first, a), (second, b)] = pair else {
            unreachable!("windows of two")
        };
        if b.start < a.end {
            return Err(Broken {
                at: b.start,
                what: format!(
                    "the tensors `{}` and `{}` overlap",
                    shown(first),
                    shown(second)
                ),
            });
        }
    }
    Ok(())
}

/// A name for a message, cut where it is no name.
fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    let cut: String = name.chars().take(LONGEST).collect();
    if cut.len() < name.len() {
        format!("{cut}…")
    } else {
        cut
    }
}
