//! Row-wise pieces: RMS norm, gated activation. Sums run over sixteen lanes (element `i` in lane `i mod 16`) and a fixed tree.

use super::Threads;
use super::lanes::{InstructionSet, Lanes, for_each_set};
use super::linear::Output;

/// `y = x / sqrt(mean(x²) + eps) · weight`, row by row (Zhang and Sennrich 2019).
///
/// # Panics
/// When lengths do not fit.
pub fn rms_norm(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    y: &mut [f32],
    threads: &Threads,
    set: InstructionSet,
) {
    let n = weight.len();
    let rows = x.len() / n;
    assert!(x.len() == rows * n && y.len() == x.len(), "rows of {n}");
    let out = Output(y.as_mut_ptr());
    let per_chunk = rows_per_chunk(rows, n);
    threads.run(rows.div_ceil(per_chunk), &|chunk| {
        for row in chunk * per_chunk..((chunk + 1) * per_chunk).min(rows) {
            let (x, w, y) = (x[row * n..].as_ptr(), weight.as_ptr(), out.at(row * n));
            for_each_set!(set, norm_row(x: *const f32, w: *const f32, eps: f32, y: *mut f32, n: usize));
        }
    });
}

#[inline(always)]
unsafe fn norm_row<V: Lanes>(x: *const f32, w: *const f32, eps: f32, y: *mut f32, n: usize) {
    // SAFETY: n numbers at x, w and y.
    unsafe {
        let mut squares = V::splat(0.0);
        for j in (0..n).step_by(16) {
            let v = V::load_n(x.add(j), (n - j).min(16));
            squares = v.mul_add(v, squares);
        }
        #[expect(clippy::cast_precision_loss, reason = "row lengths are far below 2^24")]
        let scale = V::splat(1.0 / (squares.sum() / n as f32 + eps).sqrt());
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            V::load_n(x.add(j), lanes)
                .mul(scale)
                .mul(V::load_n(w.add(j), lanes))
                .store_n(y.add(j), lanes);
        }
    }
}

/// `y = a + b`.
///
/// # Panics
/// When lengths differ.
pub fn add(a: &[f32], b: &[f32], y: &mut [f32], threads: &Threads) {
    assert!(a.len() == b.len() && a.len() == y.len(), "one length");
    const CHUNK: usize = 16_384;
    let (len, out) = (a.len(), Output(y.as_mut_ptr()));
    threads.run(len.div_ceil(CHUNK), &|chunk| {
        let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(len);
        // SAFETY: this chunk's own part.
        let y = unsafe { std::slice::from_raw_parts_mut(out.at(range.start), range.len()) };
        for ((y, a), b) in y.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
            *y = a + b;
        }
    });
}

/// The activation of a gated feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · σ(x)` (Elfwing, Uchibe and Doya 2018).
    Silu,
    /// `x · σ(2 · √(2/π) · (x + 0.044715 x³))`, the tanh form of GELU (Hendrycks and Gimpel 2016).
    GeluTanh,
}

/// `y = activation(gate) · up`, where a row of `x` is `gate` then `up`, each `n` long.
///
/// # Panics
/// When lengths do not fit.
pub fn gate(
    activation: Activation,
    x: &[f32],
    n: usize,
    y: &mut [f32],
    threads: &Threads,
    set: InstructionSet,
) {
    let rows = x.len() / (2 * n);
    assert!(
        x.len() == rows * 2 * n && y.len() == rows * n,
        "rows of 2 × {n}"
    );
    let out = Output(y.as_mut_ptr());
    let per_chunk = rows_per_chunk(rows, n);
    threads.run(rows.div_ceil(per_chunk), &|chunk| {
        for row in chunk * per_chunk..((chunk + 1) * per_chunk).min(rows) {
            let (x, y) = (x[row * 2 * n..].as_ptr(), out.at(row * n));
            for_each_set!(set, gate_row(activation: Activation, x: *const f32, y: *mut f32, n: usize));
        }
    });
}

#[inline(always)]
unsafe fn gate_row<V: Lanes>(activation: Activation, x: *const f32, y: *mut f32, n: usize) {
    // SAFETY: 2 n numbers at x, n at y.
    unsafe {
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let gate = V::load_n(x.add(j), lanes);
            let up = V::load_n(x.add(n + j), lanes);
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

fn rows_per_chunk(rows: usize, n: usize) -> usize {
    (16_384 / n.max(1)).clamp(1, rows.max(1))
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
        let threads = Threads::new(2);
        for (rows, n) in [(1, 1), (3, 15), (5, 40), (2, 576), (70, 256)] {
            let (x, w) = (wave(rows * n), wave(n));
            let mut first: Option<Vec<f32>> = None;
            for set in InstructionSet::available() {
                let mut y = vec![0.0; rows * n];
                rms_norm(&x, &w, 1e-5, &mut y, &threads, set);
                for r in 0..rows {
                    let row = &x[r * n..(r + 1) * n];
                    let mean = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n as f64;
                    for j in 0..n {
                        let want = f64::from(row[j]) / (mean + 1e-5).sqrt() * f64::from(w[j]);
                        assert!((f64::from(y[r * n + j]) - want).abs() < 1e-5);
                    }
                }
                assert_eq!(*first.get_or_insert_with(|| y.clone()), y, "{set:?}");
            }
        }
    }

    #[test]
    fn activations_are_close_to_f64_and_equal_on_every_set() {
        let threads = Threads::new(1);
        let n = 37;
        let mut x = wave(4 * 2 * n);
        x[0] = -120.0;
        x[1] = 120.0;
        for activation in [Activation::Silu, Activation::GeluTanh] {
            let mut first: Option<Vec<f32>> = None;
            for set in InstructionSet::available() {
                let mut y = vec![0.0; 4 * n];
                gate(activation, &x, n, &mut y, &threads, set);
                for r in 0..4 {
                    for j in 0..n {
                        let (g, u) = (f64::from(x[r * 2 * n + j]), f64::from(x[r * 2 * n + n + j]));
                        let want = u * match activation {
                            Activation::Silu => g / (1.0 + (-g).exp()),
                            Activation::GeluTanh => {
                                let z = (2.0 / std::f64::consts::PI).sqrt()
                                    * (g + 0.044_715 * g.powi(3));
                                0.5 * g * (1.0 + z.tanh())
                            }
                        };
                        assert!(
                            (f64::from(y[r * n + j]) - want).abs() < 1e-5 * want.abs().max(1.0),
                            "{g} {u}"
                        );
                    }
                }
                assert_eq!(*first.get_or_insert_with(|| y.clone()), y, "{set:?}");
            }
        }
    }

    #[test]
    fn sums_are_sums() {
        for n in [1, 5, 16_384, 40_001] {
            let (a, mut y) = (wave(n), vec![0.0; n]);
            add(&a, &a, &mut y, &Threads::new(2));
            assert!(
                y.iter()
                    .zip(&a)
                    .all(|(y, a)| y.to_bits() == (a + a).to_bits())
            );
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
