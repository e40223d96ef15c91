use std::path::Path;

use memmap2::Mmap;

use crate::fsio;

/// Where a file's bytes are.
pub(in crate::model) enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
    #[cfg(test)]
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps a file.
    pub(in crate::model) fn map(path: &Path) -> std::io::Result<Self> {
        let file = fsio::open_regular(path)?;
        // SAFETY: the map is read-only; a file that is changed while it is read gives other numbers or a signal, as
        // with every mapped model file.
        unsafe { Mmap::map(&file) }.map(Self::Mapped)
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
            #[cfg(test)]
            Self::Owned(bytes) => bytes,
        }
    }
}
