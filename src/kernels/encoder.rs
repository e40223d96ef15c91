//! What encoders need beside linear layers: layer norm, activations number by number, and attention in both directions.
//!
//! Texts lie one after the other without padding, and attention runs over a text's own rows only: no bit of a text depends on
//! what lies beside it.

use std::ops::Range;

use super::Cpu;
use super::InstructionSet;
use super::lanes::{Lanes, for_each_set};
use super::linear::Output;

/// Numbers that are worth the meeting of threads.
const CHUNK: usize = 8192;

/// The activation of a feed-forward layer without a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointwise {
    /// `max(x, 0)`.
    Relu,
    /// `x · σ(x)`.
    Silu,
    /// `x · Φ(x)` (Hendrycks and Gimpel 2016), the error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
    Gelu,
    /// Its tanh form.
    GeluTanh,
}

/// Applies an activation to every number.
pub fn activate(x: &mut [f32], activation: Pointwise, cpu: &Cpu) {
    let (len, set, out) = (x.len(), cpu.set, Output(x.as_mut_ptr()));
    cpu.threads.run(len.div_ceil(CHUNK), &|chunk| {
        let n = CHUNK.min(len - chunk * CHUNK);
        let p = out.at(chunk * CHUNK);
        for_each_set!(set, activate_all(activation: Pointwise, p: *mut f32, n: usize));
    });
}

#[inline(always)]
unsafe fn activate_all<V: Lanes>(activation: Pointwise, p: *mut f32, n: usize) {
    // SAFETY: n numbers at p.
    unsafe {
        let zero = V::splat(0.0);
        let sigmoid = |slope: V| zero.sub(slope).exp().add(V::splat(1.0));
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let x = V::load_n(p.add(j), lanes);
            let y = match activation {
                Pointwise::Relu => zero.max(x),
                Pointwise::Silu => x.div(sigmoid(x)),
                Pointwise::Gelu => gelu(x),
                Pointwise::GeluTanh => {
                    let cube = x.mul(x).mul(x);
                    let slope = cube.mul_add(V::splat(0.044_715), x);
                    x.div(sigmoid(slope.mul(V::splat(1.595_769))))
                }
            };
            y.store_n(p.add(j), lanes);
        }
    }
}

/// `max(x, 0) - |x| · Φ(-|x|)`: small numbers keep their digits.
#[inline(always)]
unsafe fn gelu<V: Lanes>(x: V) -> V {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.0);
        let size = x.max(zero.sub(x));
        let z = size.mul(V::splat(std::f32::consts::FRAC_1_SQRT_2));
        let one = V::splat(1.0);
        let t = one.div(z.mul_add(V::splat(0.327_591_1), one));
        let mut tail = V::splat(1.061_405_4);
        for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6, 0.0] {
            tail = tail.mul_add(t, V::splat(c));
        }
        let tail = tail.mul(zero.sub(z.mul(z)).exp()).mul(V::splat(0.5));
        zero.max(x).sub(size.mul(tail))
    }
}

/// Every row to mean 0 and variance 1, then times `weight` plus `bias` (Ba, Kiros and Hinton 2016).
///
/// # Panics
/// When lengths do not fit.
pub fn layer_norm(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32, cpu: &Cpu) {
    let n = weight.len();
    assert!(
        n > 0 && bias.len() == n && x.len().is_multiple_of(n),
        "rows of {n}"
    );
    let (rows, per_chunk) = (x.len() / n, (CHUNK / n).max(1));
    let (set, out) = (cpu.set, Output(x.as_mut_ptr()));
    cpu.threads.run(rows.div_ceil(per_chunk), &|chunk| {
        for row in chunk * per_chunk..((chunk + 1) * per_chunk).min(rows) {
            let p = out.at(row * n);
            normalise(p, weight, bias, eps, set);
        }
    });
}

fn normalise(p: *mut f32, weight: &[f32], bias: &[f32], eps: f32, set: InstructionSet) {
    let (n, w, b) = (weight.len(), weight.as_ptr(), bias.as_ptr());
    for_each_set!(set, normalise_row(p: *mut f32, w: *const f32, b: *const f32, eps: f32, n: usize));
}

#[inline(always)]
unsafe fn normalise_row<V: Lanes>(p: *mut f32, w: *const f32, b: *const f32, eps: f32, n: usize) {
    #[expect(clippy::cast_precision_loss, reason = "row lengths are far below 2^24")]
    let count = n as f32;
    // SAFETY: n numbers at p, w and b.
    unsafe {
        let mut sum = V::splat(0.0);
        for j in (0..n).step_by(16) {
            sum = sum.add(V::load_n(p.add(j), (n - j).min(16)));
        }
        let mean = V::splat(sum.sum() / count);
        let zero = V::splat(0.0);
        let mut squares = zero;
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let off = V::load_n(p.add(j), lanes).sub(mean).keep(0, lanes, zero);
            squares = off.mul_add(off, squares);
        }
        let scale = V::splat(1.0 / (squares.sum() / count + eps).sqrt());
        for j in (0..n).step_by(16) {
            let lanes = (n - j).min(16);
            let x = V::load_n(p.add(j), lanes).sub(mean).mul(scale);
            let (w, b) = (V::load_n(w.add(j), lanes), V::load_n(b.add(j), lanes));
            x.mul_add(w, b).store_n(p.add(j), lanes);
        }
    }
}

/// Attention of every token to every token of its own text: rows of q, k and v side by side, `heads · head_dim` numbers each,
/// to rows of `heads · head_dim`. `texts` are the rows of each text; rows of none stay zero.
///
/// # Panics
/// When rows are not of that length, or a text lies outside them or over another.
#[must_use]
pub fn attend_both_ways(
    qkv: &[f32],
    heads: usize,
    head_dim: usize,
    texts: &[Range<usize>],
    cpu: &Cpu,
) -> Vec<f32> {
    let width = heads * head_dim;
    assert!(qkv.len().is_multiple_of(3 * width), "rows of q, k and v");
    let rows = qkv.len() / (3 * width);
    let in_order = texts.windows(2).all(|pair| pair[0].end <= pair[1].start);
    let inside = texts.iter().all(|t| t.start <= t.end && t.end <= rows);
    assert!(in_order && inside, "texts of their own rows");
    let mut out = vec![0.0f32; rows * width];
    let place = Output(out.as_mut_ptr());
    cpu.threads.run(texts.len() * heads, &|i| {
        let (text, head) = (&texts[i / heads], i % heads);
        let job = Head {
            qkv: &qkv[text.start * 3 * width..text.end * 3 * width],
            width,
            first: head * head_dim,
            len: head_dim,
            out: place.at(text.start * width),
        };
        let job = &job;
        for_each_set!(cpu.set, head_of(job: &Head<'_>));
    });
    out
}

/// One head of one text.
struct Head<'a> {
    qkv: &'a [f32],
    /// Numbers of q in a row.
    width: usize,
    /// The head's first column.
    first: usize,
    /// Its columns.
    len: usize,
    /// The text's first row of results.
    out: *mut f32,
}

/// Queries that are computed together.
const QUERIES: usize = 6;

#[inline(always)]
unsafe fn head_of<V: Lanes>(job: &Head<'_>) {
    let (d, row) = (job.len, 3 * job.width);
    let len = job.qkv.len() / row;
    let (keys, columns) = (len.next_multiple_of(16), d.next_multiple_of(16));
    // Keys stand in columns, values in rows; what pads either is zero.
    let mut k = vec![0.0f32; d * keys];
    let mut v = vec![0.0f32; len * columns];
    for (i, numbers) in job.qkv.chunks_exact(row).enumerate() {
        let of = |part: usize| &numbers[part * job.width + job.first..][..d];
        for (j, number) in of(1).iter().enumerate() {
            k[j * keys + i] = *number;
        }
        v[i * columns..][..d].copy_from_slice(of(2));
    }
    let mut scores = vec![0.0f32; QUERIES * keys];
    let mut first = 0;
    // SAFETY: every block's queries are rows of the text; k, v and scores are as long as said above.
    unsafe {
        while first + QUERIES <= len {
            queries::<V, QUERIES>(job, first, (&k, keys), (&v, columns), &mut scores);
            first += QUERIES;
        }
        while first < len {
            queries::<V, 1>(job, first, (&k, keys), (&v, columns), &mut scores);
            first += 1;
        }
    }
}

/// `Q` queries from row `first` on. Each score is one chain of additions over the head's numbers and each result one over the
/// keys, whatever `Q` is.
#[inline(always)]
unsafe fn queries<V: Lanes, const Q: usize>(
    job: &Head<'_>,
    first: usize,
    (k, keys): (&[f32], usize),
    (v, columns): (&[f32], usize),
    scores: &mut [f32],
) {
    let (d, row) = (job.len, 3 * job.width);
    let len = v.len() / columns;
    #[expect(clippy::cast_precision_loss, reason = "head sizes are small")]
    let scale = 1.0 / (d as f32).sqrt();
    // SAFETY: rows `first .. first + Q` of the text; k holds d × keys, v len × columns, scores Q × keys numbers.
    unsafe {
        let q: [*const f32; Q] =
            std::array::from_fn(|r| job.qkv.as_ptr().add((first + r) * row + job.first));
        let mut largest = [V::splat(f32::NEG_INFINITY); Q];
        for at in (0..keys).step_by(16) {
            let mut sums = [V::splat(0.0); Q];
            for j in 0..d {
                let key = V::load(k.as_ptr().add(j * keys + at));
                for (sum, q) in sums.iter_mut().zip(&q) {
                    *sum = V::splat(*q.add(j)).mul_add(key, *sum);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                let sum = sum.mul(V::splat(scale));
                let sum = sum.keep(0, (len - at).min(16), V::splat(f32::NEG_INFINITY));
                largest[r] = sum.max(largest[r]);
                sum.store(scores.as_mut_ptr().add(r * keys + at));
            }
        }
        let mut share = [0.0f32; Q];
        for r in 0..Q {
            let most = V::splat(largest[r].largest());
            let mut total = V::splat(0.0);
            for at in (0..keys).step_by(16) {
                let p = scores.as_mut_ptr().add(r * keys + at);
                let weight = V::load(p).sub(most).exp();
                total = total.add(weight);
                weight.store(p);
            }
            share[r] = 1.0 / total.sum();
        }
        for at in (0..columns).step_by(16) {
            let mut sums = [V::splat(0.0); Q];
            for key in 0..len {
                let value = V::load(v.as_ptr().add(key * columns + at));
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = V::splat(scores[r * keys + key]).mul_add(value, *sum);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                let p = job.out.add((first + r) * job.width + job.first + at);
                sum.mul(V::splat(share[r])).store_n(p, (d - at).min(16));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Threads;
    use crate::rng::Stream;

    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    fn numbers(name: &str, n: usize) -> Vec<f32> {
        let s = Stream::root(5).child(name);
        (0..n)
            .map(|i| (s.unit(i as u64) * 6.0 - 3.0) as f32)
            .collect()
    }

    /// What `compute` gives is the same on every instruction set and number of threads.
    fn everywhere(compute: impl Fn(&Cpu) -> Vec<f32>) -> Vec<f32> {
        let mut first: Option<Vec<f32>> = None;
        for set in InstructionSet::available() {
            for threads in [1, 3] {
                let threads = Threads::new(threads);
                let y = compute(&Cpu { threads, set });
                assert_eq!(*first.get_or_insert_with(|| y.clone()), y, "{set:?}");
            }
        }
        first.unwrap()
    }

    fn close(found: &[f32], wanted: impl Iterator<Item = f64>, most: f64) {
        let mut count = 0;
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(
                (f64::from(*found) - wanted).abs() < most,
                "{found} {wanted}"
            );
            count += 1;
        }
        assert_eq!(count, found.len());
    }

    /// The error function by its series (Abramowitz and Stegun 1964, 7.1.6): every term is positive.
    fn erf(x: f64) -> f64 {
        if x.abs() > 6.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..400 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        sum * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn activations_are_close_to_f64() {
        let mut x = numbers("activations", 20_011);
        x.extend([0.0, -0.0, 9.0, -9.0, 1e-8, 40.0, -40.0]);
        for activation in [
            Pointwise::Relu,
            Pointwise::Silu,
            Pointwise::Gelu,
            Pointwise::GeluTanh,
        ] {
            let y = everywhere(|cpu| {
                let mut y = x.clone();
                activate(&mut y, activation, cpu);
                y
            });
            let wanted = |x: f64| match activation {
                Pointwise::Relu => x.max(0.0),
                Pointwise::Silu => x / (1.0 + (-x).exp()),
                Pointwise::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt()).min(1.0)),
                Pointwise::GeluTanh => {
                    let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                    0.5 * x * (1.0 + z.tanh())
                }
            };
            close(&y, x.iter().map(|x| wanted(f64::from(*x))), 2e-6);
        }
        let mut lost = [f32::NAN];
        let threads = Threads::new(1);
        let set = InstructionSet::detect();
        activate(&mut lost, Pointwise::Gelu, &Cpu { threads, set });
        assert!(lost[0].is_nan());
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "test data")]
    fn layer_norm_is_close_to_f64() {
        for n in [1, 15, 40, 384] {
            let (x, w, b) = (numbers("x", 7 * n), numbers("w", n), numbers("b", n));
            let y = everywhere(|cpu| {
                let mut y = x.clone();
                layer_norm(&mut y, &w, &b, 1e-5, cpu);
                y
            });
            let wanted = x.chunks_exact(n).flat_map(|row| {
                let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
                let off = |x: f32| f64::from(x) - mean;
                let variance = row.iter().map(|&x| off(x).powi(2)).sum::<f64>() / n as f64;
                let scale = 1.0 / (variance + f64::from(1e-5f32)).sqrt();
                (0..n).map(move |j| off(row[j]) * scale).collect::<Vec<_>>()
            });
            let wanted = wanted.zip((0..n).cycle());
            let wanted = wanted.map(|(x, j)| x * f64::from(w[j]) + f64::from(b[j]));
            close(&y, wanted, 1e-5);
        }
    }

    /// One head of one text, in f64.
    fn naive(qkv: &[f32], heads: usize, d: usize, head: usize) -> Vec<Vec<f64>> {
        let row = 3 * heads * d;
        let len = qkv.len() / row;
        let at = |i: usize, part: usize, j: usize| {
            f64::from(qkv[i * row + part * heads * d + head * d + j])
        };
        (0..len)
            .map(|i| {
                #[expect(clippy::cast_precision_loss, reason = "test data")]
                let score = |t: usize| {
                    (0..d).map(|j| at(i, 0, j) * at(t, 1, j)).sum::<f64>() / (d as f64).sqrt()
                };
                let weights: Vec<f64> = (0..len).map(|t| score(t).exp()).collect();
                let total: f64 = weights.iter().sum();
                let mixed = |j: usize| (0..len).map(|t| weights[t] * at(t, 2, j)).sum::<f64>();
                (0..d).map(|j| mixed(j) / total).collect()
            })
            .collect()
    }

    #[test]
    fn attention_is_close_to_f64_and_a_text_alone_gives_the_same_bits() {
        for (heads, d, lengths) in [
            (2, 8, [1, 16, 7]),
            (3, 20, [33, 2, 6]),
            (1, 32, [5, 40, 12]),
        ] {
            let width = heads * d;
            let total: usize = lengths.iter().sum();
            let qkv = numbers("qkv", total * 3 * width);
            let mut texts = Vec::new();
            for len in lengths {
                let start = texts.last().map_or(0, |text: &Range<usize>| text.end);
                texts.push(start..start + len);
            }
            let y = everywhere(|cpu| attend_both_ways(&qkv, heads, d, &texts, cpu));
            for text in &texts {
                let own = &qkv[text.start * 3 * width..text.end * 3 * width];
                let rows = &y[text.start * width..text.end * width];
                let whole = 0..text.len();
                let alone = everywhere(|cpu| {
                    attend_both_ways(own, heads, d, std::slice::from_ref(&whole), cpu)
                });
                assert_eq!(alone, rows);
                let by_head: Vec<_> = (0..heads).map(|h| naive(own, heads, d, h)).collect();
                let wanted =
                    (0..text.len()).flat_map(|i| by_head.iter().flat_map(move |h| h[i].clone()));
                close(rows, wanted, 1e-5);
            }
        }
    }
}
