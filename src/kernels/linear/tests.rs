use half::bf16;

use super::*;
use crate::rng::Stream;

#[expect(clippy::cast_possible_truncation, reason = "test data")]
fn numbers(name: &str, n: usize) -> Vec<f32> {
    let s = Stream::root(1).child(name);
    (0..n)
        .map(|i| (s.unit(i as u64) * 2.0 - 1.0) as f32)
        .collect()
}

const SHAPES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 33, 5),
    (3, 32, 24),
    (12, 70, 40),
    (13, 31, 7),
    (25, 96, 64),
    (40, 130, 33),
    (30, 70, 200),
    (50, 16, 576),
];

/// Every set and two thread counts.
fn machines() -> Vec<Cpu> {
    InstructionSet::available()
        .into_iter()
        .flat_map(|set| {
            [1, 2].map(|count| Cpu {
                threads: Threads::new(count),
                set,
            })
        })
        .collect()
}

/// Every output by `chain(x row, w row)`, then bias, then residual.
fn twin(
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    k: usize,
    chain: impl Fn(&[f32], &[f32]) -> f32,
) -> Vec<f32> {
    let n = w.len() / k;
    let mut y = Vec::new();
    for (r, x) in x.chunks_exact(k).enumerate() {
        for (c, w) in w.chunks_exact(k).enumerate() {
            let sum = chain(x, w);
            let sum = bias.map_or(sum, |b| sum + b[c]);
            y.push(residual.map_or(sum, |residual| residual[r * n + c] + sum));
        }
    }
    y
}

/// Compares the profile with its chain bit for bit, over shapes, sets, threads, biases and residuals.
fn equals_its_definition(profile: Profile, chain: impl Fn(&[f32], &[f32]) -> f32 + Copy) {
    for (m, n, k) in SHAPES {
        let (mut x, mut w) = (numbers("x", m * k), numbers("w", n * k));
        let (bias, residual) = (numbers("b", n), numbers("r", m * n));
        // Blocks of nothing, and numbers next to nothing.
        x[..k.min(32)].fill(0.0);
        x[m * k - 1] = 1e-40;
        w[n * k / 2] = -1e-39;
        if k > 32 && m > 1 {
            x[k..k + 32].fill(1e-41);
        }
        for cpu in machines() {
            for (bias, residual) in [
                (None, None),
                (Some(&bias), None),
                (None, Some(&residual)),
                (Some(&bias), Some(&residual)),
            ] {
                let packed = PackedLinear::pack(&[Rows::F32(&w)], k, bias.cloned(), profile);
                let y = packed.forward(Input::Rows(&x), residual.map(Vec::as_slice), &cpu);
                let (bias, residual) = (bias.map(Vec::as_slice), residual.map(Vec::as_slice));
                let want = twin(&x, &w, bias, residual, k, chain);
                assert_eq!(y, want, "{profile:?} {m} {n} {k} {:?}", cpu.set);
            }
        }
    }
}

#[test]
fn f32_is_one_chain_of_fused_multiply_adds() {
    equals_its_definition(Profile::F32, |x, w| {
        x.iter()
            .zip(w)
            .fold(0.0f32, |sum, (x, w)| x.mul_add(*w, sum))
    });
}

#[test]
fn bf16_is_one_chain_over_pairs_odd_member_first() {
    let flush = |x: f32| {
        if x.abs() < f32::MIN_POSITIVE {
            x * 0.0
        } else {
            x
        }
    };
    let round = |x: &f32| flush(bf16::from_f32(flush(*x)).to_f32());
    equals_its_definition(Profile::Bf16, |x, w| {
        let mut sum = 0.0f32;
        for (x, w) in x.chunks(2).zip(w.chunks(2)) {
            if let ([_, x], [_, w]) = (x, w) {
                sum = flush(round(x).mul_add(round(w), sum));
            }
            sum = flush(round(&x[0]).mul_add(round(&w[0]), sum));
        }
        sum
    });
}

/// Blocks of 32, each with its scale: the codes and the scale in f32.
#[expect(clippy::cast_possible_truncation, reason = "codes are small")]
fn quantised(v: &[f32], tiny: f32) -> (Vec<i32>, f32) {
    let largest = v.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    let inverse = if largest > tiny { 127.0 / largest } else { 0.0 };
    (
        v.iter()
            .map(|v| (v * inverse).round_ties_even() as i32)
            .collect(),
        largest / 127.0,
    )
}

#[test]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "codes are small"
)]
fn int8_is_exact_within_blocks_and_one_chain_over_them() {
    equals_its_definition(Profile::Int8, |x, w| {
        let mut total = 0.0f32;
        for (x, w) in x.chunks(32).zip(w.chunks(32)) {
            let (x, sx) = quantised(x, 1e-30);
            let scale = w.iter().fold(0.0f32, |a, b| a.max(b.abs())) / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let sw = half::f16::from_f32(scale).to_f32();
            let sum: i32 = x
                .iter()
                .zip(w)
                .map(|(x, w)| x * (w * inverse).round_ties_even() as i32)
                .sum();
            total = (sum as f32).mul_add(sw * sx, total);
        }
        total
    });
}

#[test]
fn bf16_weights_are_kept_as_they_are_in_profile_f32() {
    let (m, n, k) = (13, 70, 40);
    let (x, w) = (numbers("x", m * k), numbers("w", n * k));
    let half: Vec<bf16> = w.iter().map(|&w| bf16::from_f32(w)).collect();
    let wide: Vec<f32> = half.iter().map(|w| w.to_f32()).collect();
    for cpu in machines() {
        let pack = |rows| PackedLinear::pack(&[rows], k, None, Profile::F32);
        let (narrow, same) = (pack(Rows::Bf16(&half)), pack(Rows::F32(&wide)));
        assert_eq!(2 * narrow.bytes(), same.bytes());
        let forward = |w: &PackedLinear| w.forward(Input::Rows(&x), None, &cpu);
        assert_eq!(forward(&narrow), forward(&same));
    }
}

#[test]
fn norms_and_gates_before_a_layer_are_those_alone() {
    let (m, n, k) = (27, 40, 96);
    let (x, w, scale) = (
        numbers("x", m * 2 * k),
        numbers("w", n * k),
        numbers("s", k),
    );
    for cpu in machines() {
        let (mut normed, mut gated) = (vec![0.0; 2 * m * k], vec![0.0; m * k]);
        for (x, y) in x.chunks_exact(k).zip(normed.chunks_exact_mut(k)) {
            norm_into(x, &scale, 1e-5, y, cpu.set);
        }
        for (x, y) in x.chunks_exact(2 * k).zip(gated.chunks_exact_mut(k)) {
            gate_into(Activation::Silu, &x[..k], &x[k..], y, cpu.set);
        }
        let norm = Input::Norm {
            x: &x,
            weight: &scale,
            eps: 1e-5,
        };
        let gate = Input::Gate {
            x: &x,
            activation: Activation::Silu,
        };
        for profile in [Profile::F32, Profile::Bf16, Profile::Int8, Profile::Q4] {
            let packed = PackedLinear::pack(&[Rows::F32(&w)], k, None, profile);
            let forward = |input| packed.forward(input, None, &cpu);
            assert_eq!(forward(norm), forward(Input::Rows(&normed)), "{profile:?}");
            assert_eq!(forward(gate), forward(Input::Rows(&gated)), "{profile:?}");
        }
    }
}

#[test]
fn every_profile_is_close_to_f64_and_honest_about_nan() {
    let (m, n, k) = (4, 32, 512);
    let (x, w) = (numbers("x", m * k), numbers("w", n * k));
    for (profile, tolerance) in [
        (Profile::F32, 1e-4),
        (Profile::Bf16, 0.15),
        (Profile::Int8, 0.15),
        (Profile::Q4, 1.5),
    ] {
        let packed = PackedLinear::pack(&[Rows::F32(&w)], k, None, profile);
        let mut broken = x.clone();
        broken[k + 3] = f32::NAN;
        broken[2 * k + 5] = f32::INFINITY;
        for cpu in machines() {
            let y = packed.forward(Input::Rows(&x), None, &cpu);
            for (r, x) in x.chunks_exact(k).enumerate() {
                for (c, w) in w.chunks_exact(k).enumerate() {
                    let want: f64 = x.iter().zip(w).map(|(x, w)| f64::from(x * w)).sum();
                    let off = (f64::from(y[r * n + c]) - want).abs();
                    assert!(off < tolerance, "{profile:?} {off}");
                }
            }
            let y = packed.forward(Input::Rows(&broken), None, &cpu);
            assert!(y[..n].iter().all(|v| v.is_finite()));
            assert!(y[n..3 * n].iter().all(|v| !v.is_finite()), "{:?}", cpu.set);
            assert!(y[3 * n..].iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn blocks_stack_and_rows_read_back() {
    let (k, a, b) = (24, numbers("a", 24 * 5), numbers("b", 24 * 40));
    let stacked = [a.clone(), b.clone()].concat();
    for (profile, tolerance) in [
        (Profile::F32, 0.0),
        (Profile::Bf16, 0.004),
        (Profile::Int8, 0.005),
        (Profile::Q4, 0.2),
    ] {
        let packed = PackedLinear::pack(&[Rows::F32(&a), Rows::F32(&b)], k, None, profile);
        let mut row = vec![0.0; k];
        for i in [0, 4, 5, 31, 32, 44] {
            packed.copy_row(i, &mut row);
            let want = &stacked[i * k..(i + 1) * k];
            assert!(
                row.iter()
                    .zip(want)
                    .all(|(a, b)| (a - b).abs() <= tolerance),
                "{profile:?}"
            );
        }
    }
}
