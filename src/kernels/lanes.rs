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
mod x86 {
    use super::Lanes;
    #[cfg_attr(
        not(test),
        expect(
            clippy::wildcard_imports,
            reason = "intrinsics are a vocabulary of their own"
        )
    )]
    use std::arch::x86_64::*;

    /// AVX-512F.
    #[derive(Clone, Copy)]
    pub struct Avx512(pub(in super::super) __m512);

    #[inline(always)]
    fn mask(n: usize) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "sixteen bits are meant")]
        if n >= 16 {
            u16::MAX
        } else {
            ((1u32 << n) - 1) as u16
        }
    }

    #[inline(always)]
    unsafe fn halves(x: __m512) -> (__m256, __m256) {
        unsafe {
            let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x));
            (_mm512_castps512_ps256(x), _mm256_castpd_ps(upper))
        }
    }

    /// The rest of the tree below 8 + 8.
    #[inline(always)]
    unsafe fn sum_of_eight(x: __m256) -> f32 {
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    unsafe fn largest_of_eight(x: __m256) -> f32 {
        unsafe {
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
    }

    // SAFETY: used only in functions compiled with avx512f.
    unsafe impl Lanes for Avx512 {
        #[inline(always)]
        unsafe fn prefetch(p: *const u8) {
            unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { Self(_mm512_set1_ps(x)) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let (a, b) = halves(self.0);
                sum_of_eight(_mm256_add_ps(a, b))
            }
        }
        #[inline(always)]
        unsafe fn largest(self) -> f32 {
            unsafe {
                let (a, b) = halves(self.0);
                largest_of_eight(_mm256_max_ps(a, b))
            }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Self(_mm512_loadu_ps(p)) }
        }
        #[inline(always)]
        unsafe fn load_bf16(p: *const u16) -> Self {
            unsafe {
                let h = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
                Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(h)))
            }
        }
        #[inline(always)]
        unsafe fn load_bf16_pairs(p: *const u16) -> (Self, Self) {
            unsafe {
                let pairs = _mm512_loadu_si512(p.cast());
                let odd = _mm512_and_si512(pairs, _mm512_set1_epi32(0xffff_0000_u32.cast_signed()));
                (
                    Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs))),
                    Self(_mm512_castsi512_ps(odd)),
                )
            }
        }
        #[inline(always)]
        unsafe fn load_f16(p: *const u16) -> Self {
            unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(p.cast()))) }
        }
        #[inline(always)]
        unsafe fn store_f16(self, p: *mut u16) {
            unsafe {
                _mm256_storeu_si256(
                    p.cast(),
                    _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0),
                );
            }
        }
        #[inline(always)]
        unsafe fn flush(self) -> Self {
            unsafe {
                let bound = _mm512_set1_ps(f32::MIN_POSITIVE);
                let tiny = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(self.0), bound);
                Self(_mm512_mask_mul_ps(
                    self.0,
                    tiny,
                    self.0,
                    _mm512_setzero_ps(),
                ))
            }
        }
        #[inline(always)]
        unsafe fn load_n(p: *const f32, n: usize) -> Self {
            unsafe { Self(_mm512_maskz_loadu_ps(mask(n), p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm512_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn store_n(self, p: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, mask(n), self.0) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe { Self(_mm512_fmadd_ps(self.0, b.0, c.0)) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { Self(_mm512_add_ps(self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            unsafe { Self(_mm512_sub_ps(self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { Self(_mm512_mul_ps(self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn div(self, b: Self) -> Self {
            unsafe { Self(_mm512_div_ps(self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn max(self, b: Self) -> Self {
            unsafe { Self(_mm512_max_ps(self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn min(self, b: Self) -> Self {
            unsafe { Self(_mm512_min_ps(self.0, b.0)) }
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            unsafe { Self(_mm512_roundscale_ps::<0>(self.0)) }
        }
        #[inline(always)]
        unsafe fn exp2_int(self) -> Self {
            unsafe {
                let n = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
                Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(n)))
            }
        }
        #[inline(always)]
        unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self {
            unsafe { Self(_mm512_mask_mov_ps(other.0, mask(to) & !mask(from), self.0)) }
        }
        #[inline(always)]
        unsafe fn zero_below(self, x: Self, bound: f32) -> Self {
            unsafe {
                let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x.0, _mm512_set1_ps(bound));
                Self(_mm512_maskz_mov_ps(!below, self.0))
            }
        }
    }

    /// AVX2 + FMA: two registers of eight lanes.
    #[derive(Clone, Copy)]
    pub struct Avx2(pub(in crate::kernels) __m256, pub(in crate::kernels) __m256);

    // SAFETY: used only in functions compiled with avx2 and fma.
    unsafe impl Lanes for Avx2 {
        #[inline(always)]
        unsafe fn prefetch(p: *const u8) {
            unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { Self(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { sum_of_eight(_mm256_add_ps(self.0, self.1)) }
        }
        #[inline(always)]
        unsafe fn largest(self) -> f32 {
            unsafe { largest_of_eight(_mm256_max_ps(self.0, self.1)) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { Self(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
        }
        #[inline(always)]
        unsafe fn load_bf16(p: *const u16) -> Self {
            unsafe {
                let widen = |q: *const u16| {
                    let h = _mm256_cvtepu16_epi32(_mm_loadu_si128(q.cast()));
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(h))
                };
                Self(widen(p), widen(p.add(8)))
            }
        }
        #[inline(always)]
        unsafe fn load_bf16_pairs(p: *const u16) -> (Self, Self) {
            unsafe {
                let mask = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
                let part = |q: *const u16| {
                    let pairs = _mm256_loadu_si256(q.cast());
                    (
                        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)),
                        _mm256_castsi256_ps(_mm256_and_si256(pairs, mask)),
                    )
                };
                let (a, b) = (part(p), part(p.add(16)));
                (Self(a.0, b.0), Self(a.1, b.1))
            }
        }
        #[inline(always)]
        unsafe fn load_f16(p: *const u16) -> Self {
            unsafe {
                let widen = |q: *const u16| _mm256_cvtph_ps(_mm_loadu_si128(q.cast()));
                Self(widen(p), widen(p.add(8)))
            }
        }
        #[inline(always)]
        unsafe fn store_f16(self, p: *mut u16) {
            unsafe {
                let narrow = |x| _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x);
                _mm_storeu_si128(p.cast(), narrow(self.0));
                _mm_storeu_si128(p.add(8).cast(), narrow(self.1));
            }
        }
        #[inline(always)]
        unsafe fn flush(self) -> Self {
            unsafe {
                let part = |x| {
                    let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
                    let bound = _mm256_set1_ps(f32::MIN_POSITIVE);
                    let tiny = _mm256_cmp_ps::<_CMP_LT_OQ>(size, bound);
                    _mm256_blendv_ps(x, _mm256_mul_ps(x, _mm256_setzero_ps()), tiny)
                };
                Self(part(self.0), part(self.1))
            }
        }
        #[inline(always)]
        unsafe fn load_n(p: *const f32, n: usize) -> Self {
            unsafe {
                let mut a = [0.0f32; 16];
                std::ptr::copy_nonoverlapping(p, a.as_mut_ptr(), n);
                Self::load(a.as_ptr())
            }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe {
                _mm256_storeu_ps(p, self.0);
                _mm256_storeu_ps(p.add(8), self.1);
            }
        }
        #[inline(always)]
        unsafe fn store_n(self, p: *mut f32, n: usize) {
            unsafe {
                let a = self.array();
                std::ptr::copy_nonoverlapping(a.as_ptr(), p, n);
            }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            unsafe {
                Self(
                    _mm256_fmadd_ps(self.0, b.0, c.0),
                    _mm256_fmadd_ps(self.1, b.1, c.1),
                )
            }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            unsafe { Self(_mm256_sub_ps(self.0, b.0), _mm256_sub_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn div(self, b: Self) -> Self {
            unsafe { Self(_mm256_div_ps(self.0, b.0), _mm256_div_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn max(self, b: Self) -> Self {
            unsafe { Self(_mm256_max_ps(self.0, b.0), _mm256_max_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn min(self, b: Self) -> Self {
            unsafe { Self(_mm256_min_ps(self.0, b.0), _mm256_min_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            unsafe { Self(_mm256_round_ps::<8>(self.0), _mm256_round_ps::<8>(self.1)) }
        }
        #[inline(always)]
        unsafe fn exp2_int(self) -> Self {
            unsafe {
                let power = |x| {
                    let n = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n))
                };
                Self(power(self.0), power(self.1))
            }
        }
        #[inline(always)]
        unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self {
            unsafe {
                let (a, b) = (self.array(), other.array());
                let out: [f32; 16] =
                    std::array::from_fn(|i| if i >= from && i < to { a[i] } else { b[i] });
                Self::load(out.as_ptr())
            }
        }
        #[inline(always)]
        unsafe fn zero_below(self, x: Self, bound: f32) -> Self {
            unsafe {
                let bound = _mm256_set1_ps(bound);
                let clear = |e, x| _mm256_andnot_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(x, bound), e);
                Self(clear(self.0, x.0), clear(self.1, x.1))
            }
        }
    }
}

/// The instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    Portable,
    Avx2,
    Avx512,
    /// AVX-512 with byte and word forms and VNNI.
    Avx512Vnni,
    /// The same with bf16 dot products.
    Avx512Bf16,
}

impl InstructionSet {
    /// The widest one that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("popcnt") {
                let vnni =
                    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni");
                let pairs = is_x86_feature_detected!("avx512bf16");
                return match (vnni, pairs) {
                    (true, true) => Self::Avx512Bf16,
                    (true, false) => Self::Avx512Vnni,
                    (false, _) => Self::Avx512,
                };
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
                && is_x86_feature_detected!("popcnt")
            {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Every one that this processor has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        [
            Self::Portable,
            Self::Avx2,
            Self::Avx512,
            Self::Avx512Vnni,
            Self::Avx512Bf16,
        ]
        .into_iter()
        .filter(|&set| set <= Self::detect())
        .collect()
    }

    /// The name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2+fma",
            Self::Avx512 => "avx512f",
            Self::Avx512Vnni => "avx512f+vnni",
            Self::Avx512Bf16 => "avx512f+vnni+bf16",
        }
    }

    /// The part of it that f32 kernels use, by name.
    #[must_use]
    pub fn f32_name(self) -> &'static str {
        match self {
            Self::Avx512Vnni | Self::Avx512Bf16 => Self::Avx512.name(),
            set => set.name(),
        }
    }

    /// The part of it that bf16 kernels use, by name; without bf16 products, their steps are repeated in f32.
    #[must_use]
    pub fn bf16_name(self) -> &'static str {
        match self {
            Self::Avx512Bf16 => "avx512f+bf16",
            set => set.f32_name(),
        }
    }

    /// The part of it that 8-bit kernels use, by name.
    #[must_use]
    pub fn int8_name(self) -> &'static str {
        match self {
            Self::Avx512 => Self::Avx2.name(),
            Self::Avx512Bf16 => Self::Avx512Vnni.name(),
            set => set.name(),
        }
    }
}

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
            $crate::kernels::lanes::InstructionSet::Avx512
            | $crate::kernels::lanes::InstructionSet::Avx512Vnni
            | $crate::kernels::lanes::InstructionSet::Avx512Bf16 => unsafe { avx512($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::lanes::InstructionSet::Avx2 => unsafe { avx2($($argument),*) },
            // SAFETY: plain Rust; pointers are the caller's contract.
            _ => unsafe { $function::<$crate::kernels::lanes::Portable>($($argument),*) },
        }
    }};
}
pub(crate) use for_each_set;
