//! How keys and values are stored.

use super::super::buffer::Plain;
use super::super::lanes::Lanes;

/// The type that keys and values are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvType {
    /// 4 bytes, exact.
    F32,
    /// 2 bytes: relative error up to 2^-11, numbers up to 65,504.
    F16,
    /// 2 bytes: relative error up to 2^-8, numbers as large as f32's.
    Bf16,
}

impl KvType {
    /// Bytes of a number.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The name in settings and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// A storage type, read and written sixteen numbers at a time.
///
/// # Safety
/// As for [`Lanes`]: pointers must be valid for sixteen elements, or `n` for the partial form.
pub(super) unsafe trait Element: Plain + 'static {
    unsafe fn load<V: Lanes>(p: *const Self) -> V;
    unsafe fn store<V: Lanes>(x: V, p: *mut Self);

    /// The first `n` numbers; the other lanes are zero.
    #[inline(always)]
    unsafe fn load_n<V: Lanes>(p: *const Self, n: usize) -> V {
        // SAFETY: `n <= 16` elements by contract; zero bytes are a value.
        unsafe {
            let mut all: [Self; 16] = std::mem::zeroed();
            std::ptr::copy_nonoverlapping(p, all.as_mut_ptr(), n);
            Self::load(all.as_ptr())
        }
    }
}

/// f16 bits.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct F16(u16);

/// bf16 bits.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Bf16(u16);

// SAFETY: plain numbers.
unsafe impl Plain for F16 {}
// SAFETY: plain numbers.
unsafe impl Plain for Bf16 {}

// SAFETY: the lanes' own contract.
unsafe impl Element for f32 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(p: *const Self) -> V {
        unsafe { V::load(p) }
    }
    #[inline(always)]
    unsafe fn store<V: Lanes>(x: V, p: *mut Self) {
        unsafe { x.store(p) }
    }
}

// SAFETY: the lanes' own contract.
unsafe impl Element for F16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(p: *const Self) -> V {
        unsafe { V::load_f16(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store<V: Lanes>(x: V, p: *mut Self) {
        unsafe { x.store_f16(p.cast()) }
    }
}

// SAFETY: the lanes' own contract.
unsafe impl Element for Bf16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(p: *const Self) -> V {
        unsafe { V::load_bf16(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store<V: Lanes>(x: V, p: *mut Self) {
        // SAFETY: sixteen elements by contract.
        unsafe {
            let rounded = x.array().map(|x| Bf16(half::bf16::from_f32(x).to_bits()));
            p.cast::<[Self; 16]>().write_unaligned(rounded);
        }
    }
}
