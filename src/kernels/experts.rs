//! A feed-forward part made of experts: each row passes through the few that a router chooses for it.
//!
//! A row's result depends on no other row: its experts' contributions are computed by layers whose bits do not depend on
//! what shares a call, and are added in the order of its ranks.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};

use super::Cpu;
use super::elementwise::{Activation, add_scaled_into, exp_in_place};
use super::linear::{Input, Output, PackedLinear};
use super::ops::{floats, rows};

/// One expert: gate and up side by side, then down.
#[derive(Clone)]
pub struct Expert {
    /// `hidden → 2 · intermediate`.
    pub gate_up: Arc<PackedLinear>,
    /// `intermediate → hidden`.
    pub down: Arc<PackedLinear>,
}

/// `[rows, hidden] → [rows, hidden]`: the stream plus, for every row, the weighted sum of its `per_token` experts on the
/// normalised row. Weights are the router's softmax over all experts (Shazeer et al. 2017; Qwen3-MoE).
#[derive(Clone)]
pub struct Experts {
    /// RMS norm before router and experts.
    pub norm: (Arc<[f32]>, f32),
    /// `hidden → experts`.
    pub router: Arc<PackedLinear>,
    pub experts: Vec<Expert>,
    pub per_token: usize,
    /// Chosen weights are scaled to a sum of one.
    pub normalised: bool,
    pub activation: Activation,
    pub cpu: Arc<Cpu>,
    /// The same processor with the calling thread alone.
    pub alone: Arc<Cpu>,
}

impl Experts {
    /// The experts of a row of router logits, best first, ties by number, with their weights.
    fn choose(&self, logits: &mut [f32]) -> Vec<(usize, f32)> {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        for logit in logits.iter_mut() {
            *logit -= largest;
        }
        exp_in_place(logits, self.cpu.set);
        let total: f32 = logits.iter().sum();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        order.truncate(self.per_token);
        let chosen: f32 = order.iter().map(|&e| logits[e]).sum();
        let total = if self.normalised { chosen } else { total };
        order.into_iter().map(|e| (e, logits[e] / total)).collect()
    }

    fn normed<'a>(&'a self, x: &'a [f32]) -> Input<'a> {
        let (weight, eps) = (&*self.norm.0, self.norm.1);
        Input::Norm { x, weight, eps }
    }

    fn forward(&self, x: &[f32], m: usize, hidden: usize) -> Vec<f32> {
        let mut logits = self.router.forward(self.normed(x), None, &self.cpu);
        let chosen: Vec<Vec<(usize, f32)>> = logits
            .chunks_exact_mut(self.experts.len())
            .map(|logits| self.choose(logits))
            .collect();
        // Where each expert is wanted: row and rank.
        let mut places = vec![Vec::new(); self.experts.len()];
        for (row, chosen) in chosen.iter().enumerate() {
            for (rank, &(e, _)) in chosen.iter().enumerate() {
                places[e].push((row, rank));
            }
        }
        let mut wanted: Vec<usize> = (0..places.len())
            .filter(|&e| !places[e].is_empty())
            .collect();
        // The largest first, so that threads end together.
        wanted.sort_by_key(|&e| (std::cmp::Reverse(places[e].len()), e));
        // `[row][rank][hidden]`
        let mut parts = vec![0.0f32; m * self.per_token * hidden];
        let place = Output(parts.as_mut_ptr());
        let one = |e: usize, cpu: &Cpu| {
            let (places, expert) = (&places[e], &self.experts[e]);
            let mut gathered = Vec::with_capacity(places.len() * hidden);
            for &(row, _) in places {
                gathered.extend_from_slice(&x[row * hidden..(row + 1) * hidden]);
            }
            let inner = expert.gate_up.forward(self.normed(&gathered), None, cpu);
            let gate = Input::Gate {
                x: &inner,
                activation: self.activation,
            };
            let out = expert.down.forward(gate, None, cpu);
            for (&(row, rank), out) in places.iter().zip(out.chunks_exact(hidden)) {
                let at = (row * self.per_token + rank) * hidden;
                // SAFETY: this row's and rank's own part, which no other expert has.
                unsafe { std::slice::from_raw_parts_mut(place.at(at), hidden) }
                    .copy_from_slice(out);
            }
        };
        // Many experts: one a thread at a time, which spares threads the meeting in each of their layers. Few: all threads
        // on each.
        let threads = &self.cpu.threads;
        if wanted.len() >= 4 * threads.count() {
            threads.run(wanted.len(), &|i| one(wanted[i], &self.alone));
        } else {
            for &e in &wanted {
                one(e, &self.cpu);
            }
        }
        let mut out = x.to_vec();
        let mut sum = vec![0.0f32; hidden];
        let mut next = vec![0.0f32; hidden];
        for (row, chosen) in chosen.iter().enumerate() {
            sum.fill(0.0);
            for (rank, &(_, share)) in chosen.iter().enumerate() {
                let at = (row * self.per_token + rank) * hidden;
                add_scaled_into(
                    &sum,
                    &parts[at..at + hidden],
                    share,
                    &mut next,
                    self.cpu.set,
                );
                std::mem::swap(&mut sum, &mut next);
            }
            let stream = &x[row * hidden..(row + 1) * hidden];
            let place = &mut out[row * hidden..(row + 1) * hidden];
            add_scaled_into(stream, &sum, 1.0, place, self.cpu.set);
        }
        out
    }

    /// Bytes of the experts' weights.
    pub fn bytes(&self) -> usize {
        let experts = self.experts.iter();
        experts.map(|e| e.gate_up.bytes() + e.down.bytes()).sum()
    }

    /// All weight matrices.
    pub fn matrices(&self) -> impl Iterator<Item = &Arc<PackedLinear>> {
        let experts = self.experts.iter();
        std::iter::once(&self.router).chain(experts.flat_map(|e| [&e.gate_up, &e.down]))
    }
}

impl CustomOp1 for Experts {
    fn name(&self) -> &'static str {
        "experts"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let hidden = self.router.k();
        if self.router.n() != self.experts.len() || self.per_token > self.experts.len() {
            bail!("a router over {} experts", self.router.n());
        }
        let (x, m) = floats(storage, layout, hidden, self.name())?;
        Ok(rows(self.forward(x, m, hidden), m, hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{InstructionSet, Profile, Rows, Threads};
    use crate::rng::Stream;

    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    fn numbers(name: &str, n: usize) -> Vec<f32> {
        let s = Stream::root(8).child(name);
        (0..n)
            .map(|i| (s.unit(i as u64) * 2.0 - 1.0) as f32)
            .collect()
    }

    const HIDDEN: usize = 24;
    const INNER: usize = 20;
    /// More than four for each of two threads: one row wants few experts, many rows want many.
    const COUNT: usize = 11;

    fn cpu(threads: usize, set: InstructionSet) -> Arc<Cpu> {
        let threads = Threads::new(threads);
        Arc::new(Cpu { threads, set })
    }

    fn experts(normalised: bool, profile: Profile, set: InstructionSet) -> Experts {
        let pack = |name: &str, n: usize, k: usize, profile| {
            Arc::new(PackedLinear::pack(
                &[Rows::F32(&numbers(name, n * k))],
                k,
                None,
                profile,
            ))
        };
        Experts {
            norm: (numbers("norm", HIDDEN).into(), 1e-6),
            router: pack("router", COUNT, HIDDEN, Profile::F32),
            experts: (0..COUNT)
                .map(|e| Expert {
                    gate_up: pack(&format!("up{e}"), 2 * INNER, HIDDEN, profile),
                    down: pack(&format!("down{e}"), HIDDEN, INNER, profile),
                })
                .collect(),
            per_token: 2,
            normalised,
            activation: Activation::Silu,
            cpu: cpu(2, set),
            alone: cpu(1, set),
        }
    }

    /// One row by the definition, in f64.
    fn twin(x: &[f32], normalised: bool) -> Vec<f64> {
        let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<_>>();
        let apply = |w: &[f64], x: &[f64]| -> Vec<f64> {
            w.chunks(x.len())
                .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
                .collect()
        };
        let x = wide(x.to_vec());
        #[expect(clippy::cast_precision_loss, reason = "test data")]
        let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
        let norm = wide(numbers("norm", HIDDEN));
        let level: Vec<f64> = x
            .iter()
            .zip(&norm)
            .map(|(x, w)| x / (mean + 1e-6).sqrt() * w)
            .collect();
        let logits = apply(&wide(numbers("router", COUNT * HIDDEN)), &level);
        let mut order: Vec<usize> = (0..COUNT).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let over = if normalised { &order[..2] } else { &order[..] };
        let total: f64 = over.iter().map(|&e| logits[e].exp()).sum();
        let mut out = x;
        for &e in &order[..2] {
            let name = format!("up{e}");
            let inner = apply(&wide(numbers(&name, 2 * INNER * HIDDEN)), &level);
            let (gate, up) = inner.split_at(INNER);
            let inner: Vec<f64> = gate
                .iter()
                .zip(up)
                .map(|(g, u)| g / (1.0 + (-g).exp()) * u)
                .collect();
            let down = apply(&wide(numbers(&format!("down{e}"), HIDDEN * INNER)), &inner);
            for (out, d) in out.iter_mut().zip(down) {
                *out += logits[e].exp() / total * d;
            }
        }
        out
    }

    #[test]
    fn agrees_with_the_definition_alone_and_in_company_on_every_set() {
        let m = 17;
        let x = numbers("x", m * HIDDEN);
        for normalised in [false, true] {
            let mut first: Option<Vec<f32>> = None;
            for set in InstructionSet::available() {
                let part = experts(normalised, Profile::F32, set);
                let all = part.forward(&x, m, HIDDEN);
                for (row, x) in x.chunks(HIDDEN).enumerate() {
                    let got = &all[row * HIDDEN..(row + 1) * HIDDEN];
                    for (got, want) in got.iter().zip(twin(x, normalised)) {
                        assert!((f64::from(*got) - want).abs() < 1e-5, "{got} {want}");
                    }
                    assert_eq!(part.forward(x, 1, HIDDEN), got, "row {row} alone");
                }
                assert_eq!(*first.get_or_insert_with(|| all.clone()), all, "{set:?}");
            }
        }
        let narrow = experts(true, Profile::Int8, InstructionSet::detect());
        let all = narrow.forward(&x, m, HIDDEN);
        let alone = narrow.forward(&x[..HIDDEN], 1, HIDDEN);
        assert_eq!(alone, all[..HIDDEN]);
    }

    #[test]
    fn ties_go_to_the_lower_number_and_nan_stays() {
        let part = experts(false, Profile::F32, InstructionSet::detect());
        let chosen = part.choose(&mut [0.5, 1.0, 0.5, 1.0, 1.0]);
        assert_eq!(chosen.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 3]);
        let mut x = numbers("x", HIDDEN);
        x[3] = f32::NAN;
        assert!(part.forward(&x, 1, HIDDEN).iter().all(|v| v.is_nan()));
    }
}
