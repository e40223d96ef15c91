use super::reader::{Broken, Reader};

/// A value of the metadata, read from the mapped file when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    Array(Array<'a>),
}

/// A list of one kind of value. Lists of lists are refused when the file is opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    kind: Kind,
    len: usize,
    bytes: &'a [u8],
}

/// The kinds of values and their numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    pub(super) fn from_id(id: u32) -> Option<Self> {
        const ALL: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::Text,
            Kind::Array,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        ALL.get(id as usize).copied()
    }

    /// Bytes of a value, the least where they vary.
    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Text => 8,
            Self::Array => 12,
        }
    }

    /// Passes over a value, checking that all of it is there.
    pub(super) fn skip(self, reader: &mut Reader<'_>) -> Result<(), Broken> {
        match self {
            Self::Text => reader.bytes("a text").map(|_| ()),
            Self::Bool => match reader.take(1, "a truth value")?[0] {
                0 | 1 => Ok(()),
                other => Err(reader.broken(format!("a truth value is {other}, expected 0 or 1"))),
            },
            Self::Array => {
                let id = reader.u32("the kind of a list's entries")?;
                let kind = Self::from_id(id)
                    .ok_or_else(|| reader.broken(format!("{id} is no kind of value")))?;
                if kind == Self::Array {
                    return Err(reader.broken("a list of lists, which no key of a model is"));
                }
                let len = reader.count(kind.bytes(), "the length of a list")?;
                if matches!(kind, Self::Text | Self::Bool) {
                    (0..len).try_for_each(|_| kind.skip(reader))
                } else {
                    reader.take(len * kind.bytes(), "a list").map(|_| ())
                }
            }
            _ => reader.take(self.bytes(), "a number").map(|_| ()),
        }
    }

    /// The value at the front of bytes that [`Kind::skip`] has passed; `None` for a text that is no UTF-8.
    pub(super) fn read(self, bytes: &[u8]) -> Option<Value<'_>> {
        macro_rules! number {
            ($type:ty) => {
                <$type>::from_le_bytes(bytes.first_chunk().copied()?)
            };
        }
        Some(match self {
            Self::U8 => Value::Unsigned(number!(u8).into()),
            Self::U16 => Value::Unsigned(number!(u16).into()),
            Self::U32 => Value::Unsigned(number!(u32).into()),
            Self::U64 => Value::Unsigned(number!(u64)),
            Self::I8 => Value::Signed(number!(i8).into()),
            Self::I16 => Value::Signed(number!(i16).into()),
            Self::I32 => Value::Signed(number!(i32).into()),
            Self::I64 => Value::Signed(number!(i64)),
            Self::F32 => Value::Float(shortest(number!(f32))),
            Self::F64 => Value::Float(number!(f64)),
            Self::Bool => Value::Bool(*bytes.first()? == 1),
            Self::Text => {
                let mut reader = Reader::new(bytes);
                Value::Text(std::str::from_utf8(reader.bytes("a text").ok()?).ok()?)
            }
            Self::Array => {
                let mut reader = Reader::new(bytes);
                let kind = Self::from_id(reader.u32("a kind").ok()?)?;
                let len = reader.count(kind.bytes(), "a length").ok()?;
                Value::Array(Array {
                    kind,
                    len,
                    bytes: &bytes[reader.at()..],
                })
            }
        })
    }
}

/// The number that was written down: 1e-5 rather than the nearest f32's 9.99999974e-6.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

impl<'a> Value<'a> {
    pub(super) fn uint(self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(value),
            Self::Signed(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    pub(super) fn float(self) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "sizes and factors of a model are far below 2^52"
        )]
        match self {
            Self::Float(value) => Some(value),
            Self::Unsigned(value) => Some(value as f64),
            Self::Signed(value) => Some(value as f64),
            _ => None,
        }
    }

    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn flag(self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    pub(super) fn array(self) -> Option<Array<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }
}

impl<'a> Array<'a> {
    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries in order; `None` for a text that is no UTF-8.
    pub fn iter(self) -> impl Iterator<Item = Option<Value<'a>>> {
        let mut reader = Reader::new(self.bytes);
        (0..self.len).map(move |_| {
            let rest = &self.bytes[reader.at()..];
            self.kind.skip(&mut reader).ok()?;
            self.kind.read(rest)
        })
    }
}
