//! Row-wise pieces: RMS norm, gated activation, soft caps. Sums run over sixteen lanes (element `i` in lane `i mod 16`) and a fixed tree.

use super::InstructionSet;
use super::lanes::{Lanes, for_each_set};

/// `y = x / sqrt(mean(x²) + eps) · weight`, one row (Zhang and Sennrich 2019).
///
/// # Panics
/// When lengths differ.
pub fn norm_into(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], set: InstructionSet) {
    assert!(x.len() == weight.len() && x.len() == y.len(), "one length");
    let (n, x, w, y) = (x.len(), x.as_ptr(), weight.as_ptr(), y.as_mut_ptr());
    for_each_set!(set, norm_row(x: *const f32, w: *const f32, eps: f32, y: *mut f32, n: usize));
}

#[inline(always)]
unsafe fn norm_row<V: Lanes>(x: *const f32, w: *const f32, eps: f32, y: *mut f32, n: usize) {
    // SAFETY: n numbers at x, w and y.
    unsafe { weighted::<V>(x, inverse_rms::<V>(x, eps, n), w, y, n) }
}

/// `1 / sqrt(mean(x²) + eps)` of `n` numbers.
#[inline(always)]
pub(super) unsafe fn inverse_rms<V: Lanes>(x: *const f32, eps: f32, n: usize) -> f32 {
    // SAFETY: n numbers at x.
    unsafe {
        let mut squares = V::splat(0.0);
        for j in (0..n).step_by(16) {
            let v = V::load_n(x.add(j), (n - j).min(16));
            squares = v.mul_add(v, squares);
        }
        #[expect(clippy::cast_precision_loss, reason = "row lengths are far below 2^24")]
        let mean = squares.sum() / n as f32;
        1.0 / (mean + eps).sqrt()
    }
}

/// `y = x · scale · w`, number by number; `x` and `y` may be one.
#[inline(always)]
pub(super) unsafe fn weighted<V: Lanes>(
    x: *const f32,
    scale: f32,
    w: *const f32,
    y: *mut f32,
    n: usize,
) {
    // SAFETY: n numbers at x, w and y.
    unsafe {
        let scale = V::splat(scale);
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            V::load_n(x.add(j), lanes)
                .mul(scale)
                .mul(V::load_n(w.add(j), lanes))
                .store_n(y.add(j), lanes);
        }
    }
}

/// `y = x + scale · branch`, one row.
///
/// # Panics
/// When lengths differ.
pub fn add_scaled_into(x: &[f32], branch: &[f32], scale: f32, y: &mut [f32], set: InstructionSet) {
    assert!(x.len() == branch.len() && x.len() == y.len(), "one length");
    let (n, x, branch, y) = (x.len(), x.as_ptr(), branch.as_ptr(), y.as_mut_ptr());
    for_each_set!(set, add_row(x: *const f32, branch: *const f32, scale: f32, y: *mut f32, n: usize));
}

#[inline(always)]
unsafe fn add_row<V: Lanes>(x: *const f32, branch: *const f32, scale: f32, y: *mut f32, n: usize) {
    // SAFETY: n numbers at x, branch and y.
    unsafe {
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let (x, branch) = (V::load_n(x.add(j), lanes), V::load_n(branch.add(j), lanes));
            branch.mul_add(V::splat(scale), x).store_n(y.add(j), lanes);
        }
    }
}

/// `cap · tanh(x / cap)`: what soft-caps a score (Gemma Team 2024).
#[inline(always)]
pub(super) unsafe fn capped<V: Lanes>(x: V, cap: f32) -> V {
    // SAFETY: the caller's.
    unsafe {
        // tanh z = 1 - 2 / (e^2z + 1); the exponential saturates, so nothing overflows.
        let e = x.mul(V::splat(2.0 / cap)).exp();
        let one = V::splat(1.0);
        one.sub(V::splat(2.0).div(e.add(one))).mul(V::splat(cap))
    }
}

/// Divides every number by `divisor`, then caps it softly.
pub fn cap_in_place(x: &mut [f32], divisor: f32, cap: Option<f32>, set: InstructionSet) {
    let (p, n) = (x.as_mut_ptr(), x.len());
    for_each_set!(set, cap_all(p: *mut f32, n: usize, divisor: f32, cap: Option<f32>));
}

#[inline(always)]
unsafe fn cap_all<V: Lanes>(p: *mut f32, n: usize, divisor: f32, cap: Option<f32>) {
    // SAFETY: n numbers at p.
    unsafe {
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let x = V::load_n(p.add(j), lanes).div(V::splat(divisor));
            let x = match cap {
                Some(cap) => capped(x, cap),
                None => x,
            };
            x.store_n(p.add(j), lanes);
        }
    }
}

/// The activation of a gated feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · σ(x)` (Elfwing, Uchibe and Doya 2018).
    Silu,
    /// `x · σ(2 · √(2/π) · (x + 0.044715 x³))`, the tanh form of GELU (Hendrycks and Gimpel 2016).
    GeluTanh,
}

/// `y = activation(gate) · up`.
///
/// # Panics
/// When lengths differ.
pub fn gate_into(
    activation: Activation,
    gate: &[f32],
    up: &[f32],
    y: &mut [f32],
    set: InstructionSet,
) {
    assert!(
        gate.len() == up.len() && gate.len() == y.len(),
        "one length"
    );
    let (n, gate, up, y) = (gate.len(), gate.as_ptr(), up.as_ptr(), y.as_mut_ptr());
    for_each_set!(set, gate_row(activation: Activation, gate: *const f32, up: *const f32, y: *mut f32, n: usize));
}

#[inline(always)]
unsafe fn gate_row<V: Lanes>(
    activation: Activation,
    gate: *const f32,
    up: *const f32,
    y: *mut f32,
    n: usize,
) {
    // SAFETY: n numbers at gate, up and y.
    unsafe {
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let gate = V::load_n(gate.add(j), lanes);
            let up = V::load_n(up.add(j), lanes);
            let slope = match activation {
                Activation::Silu => gate,
                Activation::GeluTanh => {
                    let cube = gate.mul(gate).mul(gate);
                    cube.mul_add(V::splat(0.044_715), gate)
                        .mul(V::splat(1.595_769))
                }
            };
            let denominator = V::splat(0.0).sub(slope).exp().add(V::splat(1.0));
            gate.div(denominator).mul(up).store_n(y.add(j), lanes);
        }
    }
}

/// `x = e^x` for every number; below -87 gives 0.
pub fn exp_in_place(x: &mut [f32], set: InstructionSet) {
    let (p, n) = (x.as_mut_ptr(), x.len());
    for_each_set!(set, exp_all(p: *mut f32, n: usize));
}

#[inline(always)]
unsafe fn exp_all<V: Lanes>(p: *mut f32, n: usize) {
    // SAFETY: n numbers at p.
    unsafe {
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            V::load_n(p.add(j), lanes).exp().store_n(p.add(j), lanes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "test data"
    )]
    fn wave(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as f64 * 0.7).sin() * 3.0) as f32)
            .collect()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "test data")]
    fn norm_is_close_to_f64_and_equal_on_every_set() {
        for n in [1, 15, 40, 576, 256] {
            let (x, w) = (wave(n), wave(n));
            let mut first: Option<Vec<f32>> = None;
            for set in InstructionSet::available() {
                let mut y = vec![f32::NAN; n];
                norm_into(&x, &w, 1e-5, &mut y, set);
                let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n as f64;
                for j in 0..n {
                    let want = f64::from(x[j]) / (mean + 1e-5).sqrt() * f64::from(w[j]);
                    assert!((f64::from(y[j]) - want).abs() < 1e-5);
                }
                assert_eq!(*first.get_or_insert_with(|| y.clone()), y, "{set:?}");
            }
        }
    }

    #[test]
    fn activations_are_close_to_f64_and_equal_on_every_set() {
        let n = 137;
        let mut x = wave(2 * n);
        x[0] = -120.0;
        x[1] = 120.0;
        for activation in [Activation::Silu, Activation::GeluTanh] {
            let mut first: Option<Vec<f32>> = None;
            for set in InstructionSet::available() {
                let mut y = vec![f32::NAN; n];
                gate_into(activation, &x[..n], &x[n..], &mut y, set);
                for j in 0..n {
                    let (g, u) = (f64::from(x[j]), f64::from(x[n + j]));
                    let want = u * match activation {
                        Activation::Silu => g / (1.0 + (-g).exp()),
                        Activation::GeluTanh => {
                            let z =
                                (2.0 / std::f64::consts::PI).sqrt() * (g + 0.044_715 * g.powi(3));
                            0.5 * g * (1.0 + z.tanh())
                        }
                    };
                    assert!(
                        (f64::from(y[j]) - want).abs() < 1e-5 * want.abs().max(1.0),
                        "{g} {u}"
                    );
                }
                assert_eq!(*first.get_or_insert_with(|| y.clone()), y, "{set:?}");
            }
        }
    }

    #[test]
    fn sums_and_caps_are_close_to_f64_and_equal_on_every_set() {
        let n = 53;
        let (x, branch) = (wave(n), wave(2 * n)[n..].to_vec());
        let wide: Vec<f32> = wave(n).iter().map(|v| v * v * v * 9.0).collect();
        let mut first: Option<(Vec<f32>, Vec<f32>)> = None;
        for set in InstructionSet::available() {
            let mut sum = vec![f32::NAN; n];
            add_scaled_into(&x, &branch, 0.22, &mut sum, set);
            let mut scores = wide.clone();
            scores[0] = 1e30;
            scores[1] = -1e30;
            cap_in_place(&mut scores, 4.0, Some(30.0), set);
            assert!((scores[0] - 30.0).abs() < 1e-5 && (scores[1] + 30.0).abs() < 1e-5);
            for j in 0..n {
                let want = f64::from(x[j]) + f64::from(0.22f32) * f64::from(branch[j]);
                assert!((f64::from(sum[j]) - want).abs() < 1e-6);
                let want = 30.0 * (f64::from(wide[j]) / 120.0).tanh();
                assert!(
                    j < 2 || (f64::from(scores[j]) - want).abs() < 1e-5,
                    "{want}"
                );
            }
            let mut lost = [f32::NAN];
            cap_in_place(&mut lost, 1.0, Some(30.0), set);
            assert!(lost[0].is_nan());
            let all = (sum, scores);
            assert_eq!(*first.get_or_insert_with(|| all.clone()), all, "{set:?}");
        }
    }

    #[test]
    fn exp_is_accurate() {
        use super::super::lanes::Portable;
        let mut worst = 0.0f64;
        for i in -8700..8800 {
            #[expect(clippy::cast_precision_loss, reason = "test data")]
            let x = i as f32 / 100.0;
            // SAFETY: plain Rust lanes.
            let e = unsafe { Portable::splat(x).exp().array()[0] };
            worst = worst.max((f64::from(e) / f64::from(x).exp() - 1.0).abs());
        }
        assert!(worst < 3e-7, "{worst}");
        // SAFETY: plain Rust lanes.
        assert!(unsafe { Portable::splat(-1e30).exp().array()[3] } <= 0.0);
        for set in InstructionSet::available() {
            let mut x = [f32::NAN, 0.0, f32::NEG_INFINITY];
            exp_in_place(&mut x, set);
            assert!(x[0].is_nan() && x[1..] == [1.0, 0.0], "{x:?} {set:?}");
        }
    }
}
