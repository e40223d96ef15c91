//! Sixteen `f32` lanes on every instruction set, with one meaning.
//!
//! Kernels are written once over [`Lanes`] and compiled for AVX-512, AVX2 + FMA and plain Rust. Every operation is
//! correctly rounded on its own (a fused multiply-add rounds once everywhere), so the bits agree between them.

/// Sixteen lanes.
///
/// # Safety
/// Implementations backed by intrinsics may only be used inside functions compiled for their instruction set; pointers
/// must be valid for sixteen elements (or `n` for the partial forms).
pub unsafe trait Lanes: Copy {
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    /// Sixteen bf16 numbers, widened exactly.
    unsafe fn load_bf16(p: *const u16) -> Self;
    /// Sixteen pairs of bf16 numbers, widened exactly: the even ones, the odd ones.
    unsafe fn load_bf16_pairs(p: *const u16) -> (Self, Self);
    /// Sixteen f16 numbers, widened exactly.
    unsafe fn load_f16(p: *const u16) -> Self;
    /// Sixteen f16 numbers, rounded to the nearest, ties to even.
    unsafe fn store_f16(self, p: *mut u16);
    /// Asks for the cache line at `p` to come to L2; any address is allowed.
    #[inline(always)]
    unsafe fn prefetch(_p: *const u8) {}
    /// The first `n` lanes; the others are zero.
    unsafe fn load_n(p: *const f32, n: usize) -> Self;
    unsafe fn store(self, p: *mut f32);
    unsafe fn store_n(self, p: *mut f32, n: usize);
    /// `self * b + c`, rounded once.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    unsafe fn div(self, b: Self) -> Self;
    /// The larger, lane by lane; `b` where either is NaN.
    unsafe fn max(self, b: Self) -> Self;
    /// The smaller, lane by lane; `b` where either is NaN.
    unsafe fn min(self, b: Self) -> Self;
    /// Rounded to the nearest integer, ties to even.
    unsafe fn round(self) -> Self;
    /// `2^n` for integral lanes `n` in -126..=127.
    unsafe fn exp2_int(self) -> Self;
    /// Zero of the same sign in lanes below the normal numbers.
    unsafe fn flush(self) -> Self;
    /// Lanes `from..to` of `self`, `other` elsewhere.
    unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self;

    /// Lanes as an array.
    #[inline(always)]
    unsafe fn array(self) -> [f32; 16] {
        let mut out = [0.0; 16];
        // SAFETY: sixteen elements.
        unsafe { self.store(out.as_mut_ptr()) };
        out
    }

    /// The sum over lanes by a fixed tree: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller's.
        let a = unsafe { self.array() };
        tree(a, |x, y| x + y)
    }

    /// The largest lane; anything where one is NaN.
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: the caller's.
        let a = unsafe { self.array() };
        tree(a, f32::max)
    }

    /// `e^x` with a relative error below 2e-7 for `x` in -87..=88; smaller `x` give 0.
    ///
    /// Cody-Waite reduction by ln 2 in two parts and the Taylor polynomial of degree 7 (Horner) on ±ln 2 / 2.
    #[inline(always)]
    unsafe fn exp(self) -> Self {
        // SAFETY: the caller's.
        unsafe {
            // The constant comes first: both operations give their second operand when one is NaN, and NaN must stay.
            let x = Self::splat(-87.0).max(Self::splat(88.0).min(self));
            let n = x.mul(Self::splat(std::f32::consts::LOG2_E)).round();
            let r = n.mul_add(Self::splat(-0.693_359_4), x);
            let r = n.mul_add(Self::splat(2.121_944_4e-4), r);
            let mut p = Self::splat(1.0 / 5040.0);
            for c in [
                1.0 / 720.0,
                1.0 / 120.0,
                1.0 / 24.0,
                1.0 / 6.0,
                0.5,
                1.0,
                1.0,
            ] {
                p = p.mul_add(r, Self::splat(c));
            }
            let e = p.mul(n.exp2_int());
            e.zero_below(self, -87.0)
        }
    }

    /// `self`, or 0 in lanes where `x < bound`.
    unsafe fn zero_below(self, x: Self, bound: f32) -> Self;
}

#[inline(always)]
fn tree(a: [f32; 16], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut a = a;
    let mut half = 8;
    while half > 0 {
        for i in 0..half {
            a[i] = f(a[i], a[i + half]);
        }
        half /= 2;
    }
    a[0]
}

/// Plain Rust: any processor.
#[derive(Clone, Copy)]
pub struct Portable(pub(super) [f32; 16]);

// SAFETY: no intrinsics; pointers are the caller's.
unsafe impl Lanes for Portable {
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 16])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: sixteen elements by contract; unaligned reads are allowed.
        Self(unsafe { p.cast::<[f32; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> Self {
        // SAFETY: sixteen elements by contract.
        let raw = unsafe { p.cast::<[u16; 16]>().read_unaligned() };
        Self(raw.map(|h| f32::from_bits(u32::from(h) << 16)))
    }
    #[inline(always)]
    unsafe fn load_bf16_pairs(p: *const u16) -> (Self, Self) {
        // SAFETY: sixteen pairs by contract.
        let raw = unsafe { p.cast::<[[u16; 2]; 16]>().read_unaligned() };
        let widen = |h: u16| f32::from_bits(u32::from(h) << 16);
        (
            Self(raw.map(|pair| widen(pair[0]))),
            Self(raw.map(|pair| widen(pair[1]))),
        )
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> Self {
        // SAFETY: sixteen elements by contract.
        let raw = unsafe { p.cast::<[u16; 16]>().read_unaligned() };
        Self(raw.map(|h| half::f16::from_bits(h).to_f32()))
    }
    #[inline(always)]
    unsafe fn store_f16(self, p: *mut u16) {
        let raw = self.0.map(|x| half::f16::from_f32(x).to_bits());
        // SAFETY: sixteen elements by contract.
        unsafe { p.cast::<[u16; 16]>().write_unaligned(raw) };
    }
    #[inline(always)]
    unsafe fn flush(self) -> Self {
        Self(self.0.map(|x| {
            if x.abs() < f32::MIN_POSITIVE {
                x * 0.0
            } else {
                x
            }
        }))
    }
    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> Self {
        let mut a = [0.0; 16];
        // SAFETY: `n <= 16` elements by contract.
        unsafe { std::ptr::copy_nonoverlapping(p, a.as_mut_ptr(), n) };
        Self(a)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: sixteen elements by contract.
        unsafe { p.cast::<[f32; 16]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    unsafe fn store_n(self, p: *mut f32, n: usize) {
        // SAFETY: `n <= 16` elements by contract.
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), p, n) };
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - b.0[i]))
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] / b.0[i]))
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if self.0[i] > b.0[i] {
                self.0[i]
            } else {
                b.0[i]
            }
        }))
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if self.0[i] < b.0[i] {
                self.0[i]
            } else {
                b.0[i]
            }
        }))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    unsafe fn exp2_int(self) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "integral, in -126..=127"
        )]
        Self(
            self.0
                .map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23)),
        )
    }
    #[inline(always)]
    unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if i >= from && i < to {
                self.0[i]
            } else {
                other.0[i]
            }
        }))
    }
    #[inline(always)]
    unsafe fn zero_below(self, x: Self, bound: f32) -> Self {
        Self(std::array::from_fn(|i| {
            if x.0[i] < bound { 0.0 } else { self.0[i] }
        }))
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86;

/// Compiles a function generic over [`Lanes`] for every instruction set and calls the one asked for.
macro_rules! for_each_set {
    ($set:expr, $function:ident($($argument:ident: $type:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,popcnt")]
        unsafe fn avx512($($argument: $type),*) { unsafe { $function::<$crate::kernels::lanes::Avx512>($($argument),*) } }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c,popcnt")]
        unsafe fn avx2($($argument: $type),*) { unsafe { $function::<$crate::kernels::lanes::Avx2>($($argument),*) } }
        match $set {
            // SAFETY: the set was found on this processor; pointers are the caller's contract.
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::InstructionSet::Avx512
            | $crate::kernels::InstructionSet::Avx512Vnni
            | $crate::kernels::InstructionSet::Avx512Bf16 => unsafe { avx512($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::InstructionSet::Avx2 => unsafe { avx2($($argument),*) },
            // SAFETY: plain Rust; pointers are the caller's contract.
            _ => unsafe { $function::<$crate::kernels::lanes::Portable>($($argument),*) },
        }
    }};
}
pub(crate) use for_each_set;
