//! What choosing from a row asks of sixteen lanes: comparisons as bits, lanes closed up, sums in f64.

use super::lanes::{Lanes, Portable};

/// Lanes that can be told apart and picked. Bit `i` of a mask speaks of lane `i`.
///
/// # Safety
/// As for [`Lanes`]; the processor must have `popcnt` besides.
pub unsafe trait Picks: Lanes {
    /// Sixteen sums in f64, one a lane.
    type Wide: Copy;

    /// Where `self >= b`.
    unsafe fn at_least(self, b: Self) -> u16;
    /// Lanes of `self` where the bit is set, `other` elsewhere.
    unsafe fn pick(self, bits: u16, other: Self) -> Self;
    /// Writes the lanes whose bit is set to `p`, closed up and in order; what follows them in the sixteen places is lost.
    unsafe fn compress(self, bits: u16, p: *mut f32);
    /// The bits of `first`, `first + 1` and so on.
    unsafe fn ids(first: u32) -> Self;
    /// Sums of nothing.
    unsafe fn wide() -> Self::Wide;
    /// `sums` and the lanes of `self`, widened exactly and added lane by lane.
    unsafe fn add_to(self, sums: Self::Wide) -> Self::Wide;
    /// The sums as an array.
    unsafe fn wide_array(sums: Self::Wide) -> [f64; 16];

    /// The whole sum by a fixed tree: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
    #[inline(always)]
    unsafe fn wide_sum(sums: Self::Wide) -> f64 {
        // SAFETY: the caller's.
        let mut a = unsafe { Self::wide_array(sums) };
        let mut half = 8;
        while half > 0 {
            for i in 0..half {
                a[i] += a[i + half];
            }
            half /= 2;
        }
        a[0]
    }
}

// SAFETY: no intrinsics; pointers are the caller's.
unsafe impl Picks for Portable {
    type Wide = [f64; 16];

    #[inline(always)]
    unsafe fn at_least(self, b: Self) -> u16 {
        (0..16).fold(0, |bits, i| bits | u16::from(self.0[i] >= b.0[i]) << i)
    }
    #[inline(always)]
    unsafe fn pick(self, bits: u16, other: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if bits >> i & 1 == 1 {
                self.0[i]
            } else {
                other.0[i]
            }
        }))
    }
    #[inline(always)]
    unsafe fn compress(self, bits: u16, p: *mut f32) {
        let mut at = 0;
        for i in 0..16 {
            // SAFETY: `at <= i < 16` places by contract.
            unsafe { *p.add(at) = self.0[i] };
            at += usize::from(bits >> i & 1);
        }
    }
    #[inline(always)]
    unsafe fn ids(first: u32) -> Self {
        let mut id = first;
        Self(std::array::from_fn(|_| {
            id += 1;
            f32::from_bits(id - 1)
        }))
    }
    #[inline(always)]
    unsafe fn wide() -> [f64; 16] {
        [0.0; 16]
    }
    #[inline(always)]
    unsafe fn add_to(self, sums: [f64; 16]) -> [f64; 16] {
        std::array::from_fn(|i| sums[i] + f64::from(self.0[i]))
    }
    #[inline(always)]
    unsafe fn wide_array(sums: [f64; 16]) -> [f64; 16] {
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Picks;
    use crate::kernels::lanes::{Avx2, Avx512};
    #[cfg_attr(
        not(test),
        expect(
            clippy::wildcard_imports,
            reason = "intrinsics are a vocabulary of their own"
        )
    )]
    use std::arch::x86_64::*;

    // SAFETY: used only in functions compiled with avx512f.
    unsafe impl Picks for Avx512 {
        type Wide = (__m512d, __m512d);

        #[inline(always)]
        unsafe fn at_least(self, b: Self) -> u16 {
            unsafe { _mm512_cmp_ps_mask::<_CMP_GE_OQ>(self.0, b.0) }
        }
        #[inline(always)]
        unsafe fn pick(self, bits: u16, other: Self) -> Self {
            unsafe { Self(_mm512_mask_mov_ps(other.0, bits, self.0)) }
        }
        #[inline(always)]
        unsafe fn compress(self, bits: u16, p: *mut f32) {
            // Closed up in a register: the form that compresses into memory is many times slower on Zen 4.
            unsafe { _mm512_storeu_ps(p, _mm512_maskz_compress_ps(bits, self.0)) }
        }
        #[inline(always)]
        unsafe fn ids(first: u32) -> Self {
            unsafe {
                let steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                let first = _mm512_set1_epi32(first.cast_signed());
                Self(_mm512_castsi512_ps(_mm512_add_epi32(first, steps)))
            }
        }
        #[inline(always)]
        unsafe fn wide() -> Self::Wide {
            unsafe { (_mm512_setzero_pd(), _mm512_setzero_pd()) }
        }
        #[inline(always)]
        unsafe fn add_to(self, sums: Self::Wide) -> Self::Wide {
            unsafe {
                let low = _mm512_castps512_ps256(self.0);
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
                (
                    _mm512_add_pd(sums.0, _mm512_cvtps_pd(low)),
                    _mm512_add_pd(sums.1, _mm512_cvtps_pd(_mm256_castpd_ps(high))),
                )
            }
        }
        #[inline(always)]
        unsafe fn wide_array(sums: Self::Wide) -> [f64; 16] {
            unsafe {
                let mut out = [0.0; 16];
                _mm512_storeu_pd(out.as_mut_ptr(), sums.0);
                _mm512_storeu_pd(out.as_mut_ptr().add(8), sums.1);
                out
            }
        }
    }

    /// For every mask of eight lanes, the lanes it keeps, closed up.
    static CLOSED_UP: [[u32; 8]; 256] = closed_up();

    const fn closed_up() -> [[u32; 8]; 256] {
        let mut table = [[0; 8]; 256];
        let mut bits = 0;
        while bits < 256 {
            let (mut lane, mut at) = (0, 0);
            while lane < 8 {
                if bits >> lane & 1 == 1 {
                    table[bits][at] = lane;
                    at += 1;
                }
                lane += 1;
            }
            bits += 1;
        }
        table
    }

    #[inline(always)]
    unsafe fn close_up(x: __m256, bits: u16) -> __m256 {
        unsafe {
            let order = CLOSED_UP[usize::from(bits & 0xff)].as_ptr();
            _mm256_permutevar8x32_ps(x, _mm256_loadu_si256(order.cast()))
        }
    }

    // SAFETY: used only in functions compiled with avx2.
    unsafe impl Picks for Avx2 {
        type Wide = [__m256d; 4];

        #[inline(always)]
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "eight bits each"
        )]
        unsafe fn at_least(self, b: Self) -> u16 {
            unsafe {
                let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(self.0, b.0));
                let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(self.1, b.1));
                (low | high << 8) as u16
            }
        }
        #[inline(always)]
        unsafe fn pick(self, bits: u16, other: Self) -> Self {
            unsafe {
                let blend = |bits: u16, x, other| {
                    let lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
                    let set = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), lane);
                    _mm256_blendv_ps(other, x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane)))
                };
                Self(
                    blend(bits, self.0, other.0),
                    blend(bits >> 8, self.1, other.1),
                )
            }
        }
        #[inline(always)]
        unsafe fn compress(self, bits: u16, p: *mut f32) {
            unsafe {
                _mm256_storeu_ps(p, close_up(self.0, bits));
                let first = (bits & 0xff).count_ones() as usize;
                _mm256_storeu_ps(p.add(first), close_up(self.1, bits >> 8));
            }
        }
        #[inline(always)]
        unsafe fn ids(first: u32) -> Self {
            unsafe {
                let steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                let from = |first: u32| {
                    let first = _mm256_set1_epi32(first.cast_signed());
                    _mm256_castsi256_ps(_mm256_add_epi32(first, steps))
                };
                Self(from(first), from(first + 8))
            }
        }
        #[inline(always)]
        unsafe fn wide() -> Self::Wide {
            unsafe { [_mm256_setzero_pd(); 4] }
        }
        #[inline(always)]
        unsafe fn add_to(self, sums: Self::Wide) -> Self::Wide {
            unsafe {
                let add = |sum, x| _mm256_add_pd(sum, _mm256_cvtps_pd(x));
                [
                    add(sums[0], _mm256_castps256_ps128(self.0)),
                    add(sums[1], _mm256_extractf128_ps::<1>(self.0)),
                    add(sums[2], _mm256_castps256_ps128(self.1)),
                    add(sums[3], _mm256_extractf128_ps::<1>(self.1)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn wide_array(sums: Self::Wide) -> [f64; 16] {
            unsafe {
                let mut out = [0.0; 16];
                for (i, sum) in sums.into_iter().enumerate() {
                    _mm256_storeu_pd(out.as_mut_ptr().add(4 * i), sum);
                }
                out
            }
        }
    }
}
