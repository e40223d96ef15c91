/// Reads little-endian numbers and texts out of a file, each checked against what is left of it.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What is wrong, and at which byte.
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) what: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn broken(&self, what: impl Into<String>) -> Broken {
        Broken {
            at: self.at,
            what: what.into(),
        }
    }

    pub(super) fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], Broken> {
        if len > self.left() {
            return Err(self.broken(format!(
                "{what} takes {len} bytes, and {} are left (a download cut short looks like this)",
                self.left()
            )));
        }
        let bytes = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, Broken> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_le_bytes(
            bytes.try_into().expect("four bytes were taken"),
        ))
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, Broken> {
        let bytes = self.take(8, what)?;
        Ok(u64::from_le_bytes(
            bytes.try_into().expect("eight bytes were taken"),
        ))
    }

    /// A number of things that take at least `least` bytes each, so that it is never more than the file can hold.
    pub(super) fn count(&mut self, least: usize, what: &str) -> Result<usize, Broken> {
        let start = self.at;
        let count = self.u64(what)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() / least => Ok(count),
            _ => Err(Broken {
                at: start,
                what: format!(
                    "{what} is {count}, more than the remaining {} bytes can hold",
                    self.left()
                ),
            }),
        }
    }

    /// A text with its length before it; it need not be UTF-8.
    pub(super) fn bytes(&mut self, what: &str) -> Result<&'a [u8], Broken> {
        let len = self.count(1, &format!("the length of {what}"))?;
        self.take(len, what)
    }

    pub(super) fn text(&mut self, what: &str) -> Result<&'a str, Broken> {
        let start = self.at;
        std::str::from_utf8(self.bytes(what)?).map_err(|_| Broken {
            at: start,
            what: format!("{what} is no UTF-8"),
        })
    }
}
