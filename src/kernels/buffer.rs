//! Zeroed memory for weights and the page pool: its own mapping, on huge pages where the system has them, taken from the
//! system only as it is written.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// A fixed-size slice of zero-initialised plain numbers, aligned to a memory page.
pub struct Buffer<T: Plain> {
    /// Keeps the mapping alive; read and written through `pointer` alone.
    _mapping: MmapMut,
    pointer: *mut T,
    len: usize,
    element: PhantomData<T>,
}

/// Numbers for which all-zero bytes are a value and which need no drop.
///
/// # Safety
/// Only for such types.
pub unsafe trait Plain: Copy + Send + Sync {}
// SAFETY: plain numbers.
unsafe impl Plain for f32 {}
// SAFETY: plain numbers.
unsafe impl Plain for u16 {}
// SAFETY: plain numbers.
unsafe impl Plain for u8 {}

impl<T: Plain> Buffer<T> {
    /// `len` zeroes.
    ///
    /// # Panics
    /// When the system has no address space left for them.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let bytes = len
            .checked_mul(size_of::<T>())
            .expect("a buffer fits the address space");
        let mut mapping = MmapMut::map_anon(bytes.max(1)).expect("address space for a buffer");
        #[cfg(target_os = "linux")]
        let _ = mapping.advise(memmap2::Advice::HugePage);
        let pointer = mapping.as_mut_ptr().cast();
        Self {
            _mapping: mapping,
            pointer,
            len,
            element: PhantomData,
        }
    }

    /// Base address for kernels that write disjoint parts from several threads.
    #[must_use]
    pub fn as_ptr(&self) -> *mut T {
        self.pointer
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds `len` zero-initialised elements, page-aligned, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.pointer, self.len) }
    }
}

impl<T: Plain> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `&mut self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.len) }
    }
}

// SAFETY: it owns plain numbers.
unsafe impl<T: Plain> Send for Buffer<T> {}
// SAFETY: shared access only reads, or writes through `as_ptr` under its callers' own contract.
unsafe impl<T: Plain> Sync for Buffer<T> {}
