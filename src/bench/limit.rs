//! The physical limit: no engine on this machine can do the same work in less time.
//!
//! `t ≥ max( bytes / bandwidth, Σ over operation classes of operations / peak )`. Bytes are what must be read at least:
//! the weights once a step, keys and values once per token and sequence. Operations are multiply-adds, two each: every
//! row of a step passes the layers, only sampled rows the head; attention multiplies each query with the keys it may see
//! and the weights with the values.

use serde::Serialize;

use super::machine::Machine;
use crate::engine::{Profile, Started};
use crate::model::{ModelSpec, StepBytes};

/// Which of the processor's units an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationClass {
    F32,
    Bf16,
    Int8,
}

/// The class that a profile's linear layers compute in.
#[must_use]
pub fn linear_class(profile: Profile) -> OperationClass {
    match profile {
        Profile::F32 => OperationClass::F32,
        Profile::Bf16 => OperationClass::Bf16,
        Profile::Int8 | Profile::Q4 => OperationClass::Int8,
    }
}

/// The class that attention computes in.
const ATTENTION_CLASS: OperationClass = OperationClass::F32;

/// What a model asks of a machine, per token and step.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Bytes of weights that each step reads.
    pub step_bytes: StepBytes,
    /// Bytes of keys and values per token, all layers together.
    pub kv_bytes_per_token: usize,
    /// Numbers in the matrices that every row passes; and those of the head, which only sampled rows pass.
    pub body_parameters: usize,
    pub head_parameters: usize,
    /// Query heads times their width.
    pub attention_width: usize,
    /// Per layer: how many latest keys a query sees; `None` sees all.
    pub windows: Vec<Option<usize>>,
    pub linear: OperationClass,
    pub attention: OperationClass,
}

impl Demand {
    /// What a started model asks.
    #[must_use]
    pub fn of(spec: &ModelSpec, started: &Started) -> Self {
        let head_parameters = spec.vocab_size * spec.hidden;
        Self {
            step_bytes: started.step_bytes,
            kv_bytes_per_token: started.kv_bytes_per_token,
            body_parameters: spec.linear_parameters() - head_parameters,
            head_parameters,
            attention_width: spec.heads * spec.head_dim,
            windows: spec.windows.clone(),
            linear: linear_class(started.numerics.profile),
            attention: ATTENTION_CLASS,
        }
    }

    /// `new` steps of `batch` sequences that have `context` tokens before the first of them: each step feeds one token a
    /// sequence, the first the context's last.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of operations")]
    pub fn decode(&self, batch: usize, context: usize, new: usize) -> Work {
        let keys = self.keys(context..context + new) * batch as f64;
        let rows = (batch * new) as f64;
        Work {
            bytes: new as f64 * self.step_bytes.of(batch as f64) + self.key_bytes(keys),
            linear: 2.0 * rows * (self.body_parameters + self.head_parameters) as f64,
            attention: self.attention_operations(keys),
        }
    }

    /// One prompt of `tokens` tokens of which the last is sampled from, in one step.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of operations")]
    pub fn prefill(&self, tokens: usize) -> Work {
        Work {
            bytes: self.step_bytes.of(tokens as f64) + (tokens * self.kv_bytes_per_token) as f64,
            linear: 2.0 * (tokens * self.body_parameters + self.head_parameters) as f64,
            attention: self.attention_operations(self.keys(1..tokens + 1)),
        }
    }

    /// Keys that queries with these numbers of tokens before and with them see, summed over layers.
    #[expect(clippy::cast_precision_loss, reason = "a count of keys")]
    fn keys(&self, seen: std::ops::Range<usize>) -> f64 {
        let of = |window: &Option<usize>| -> f64 {
            let window = window.unwrap_or(usize::MAX);
            seen.clone().map(|tokens| tokens.min(window) as f64).sum()
        };
        self.windows.iter().map(of).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "a size")]
    fn key_bytes(&self, keys: f64) -> f64 {
        keys * self.kv_bytes_per_token as f64 / self.windows.len() as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a width")]
    fn attention_operations(&self, keys: f64) -> f64 {
        4.0 * self.attention_width as f64 * keys
    }
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    pub bytes: f64,
    /// Operations of the linear layers, and of attention.
    pub linear: f64,
    pub attention: f64,
}

/// What holds a machine back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    Bandwidth,
    Arithmetic,
}

/// The least time that work takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub seconds: f64,
    pub bound: Bound,
}

impl Work {
    /// The limit on a machine.
    #[must_use]
    pub fn limit(&self, demand: &Demand, machine: &Machine) -> Limit {
        let reading = self.bytes / (machine.bandwidth_gb_s * 1e9);
        let computing = self.linear / (machine.peak(demand.linear) * 1e9)
            + self.attention / (machine.peak(demand.attention) * 1e9);
        if reading > computing {
            Limit {
                seconds: reading,
                bound: Bound::Bandwidth,
            }
        } else {
            Limit {
                seconds: computing,
                bound: Bound::Arithmetic,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::Peaks;

    fn demand() -> Demand {
        Demand {
            step_bytes: StepBytes {
                all: 1000,
                experts: 0,
                chosen: (1, 1),
            },
            kv_bytes_per_token: 20,
            body_parameters: 400,
            head_parameters: 100,
            attention_width: 8,
            windows: vec![None, Some(3)],
            linear: OperationClass::Int8,
            attention: OperationClass::F32,
        }
    }

    fn machine(gb_s: f64) -> Machine {
        Machine {
            instructions: "portable",
            threads: 1,
            bandwidth_gb_s: gb_s,
            peaks: Peaks {
                f32: 1.0,
                bf16: None,
                int8: Some(4.0),
            },
        }
    }

    #[test]
    fn decoding_counts_what_was_counted_by_hand() {
        // Steps see 4 and 5 tokens; the second layer only 3 of them: 9 + 6 keys a sequence.
        let work = demand().decode(2, 4, 2);
        assert_eq!(
            work,
            Work {
                bytes: 2.0 * 1000.0 + 2.0 * 15.0 * 10.0,
                linear: 2.0 * 4.0 * 500.0,
                attention: 4.0 * 8.0 * 30.0,
            }
        );
    }

    /// Two of eight experts a token: two tokens want 8 · (1 - (3/4)²) = 3.5 of them.
    #[test]
    fn experts_count_as_far_as_they_are_wanted() {
        let bytes = StepBytes {
            all: 1000,
            experts: 800,
            chosen: (2, 8),
        };
        assert!((bytes.of(1.0) - 400.0).abs() < 1e-9);
        assert!((bytes.of(2.0) - 550.0).abs() < 1e-9);
        assert!((bytes.of(1e6) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn a_prompt_counts_what_was_counted_by_hand() {
        // 1 + 2 + 3 + 4 keys in the first layer, 1 + 2 + 3 + 3 in the second.
        let work = demand().prefill(4);
        assert_eq!(
            work,
            Work {
                bytes: 1000.0 + 80.0,
                linear: 2.0 * (4.0 * 400.0 + 100.0),
                attention: 4.0 * 8.0 * 19.0,
            }
        );
    }

    #[test]
    fn the_limit_is_the_larger_of_two_times() {
        let work = Work {
            bytes: 6e9,
            linear: 8e9,
            attention: 1e9,
        };
        // 8 at 4 and 1 at 1 make 3 s; 6 GB at 1 GB/s make 6 s, at 3 GB/s 2 s.
        let slow = work.limit(&demand(), &machine(1.0));
        assert!((slow.seconds - 6.0).abs() < 1e-12 && slow.bound == Bound::Bandwidth);
        let fast = work.limit(&demand(), &machine(3.0));
        assert!((fast.seconds - 3.0).abs() < 1e-12 && fast.bound == Bound::Arithmetic);
    }

    #[test]
    fn every_profile_has_a_class() {
        assert_eq!(linear_class(Profile::F32), OperationClass::F32);
        assert_eq!(linear_class(Profile::Bf16), OperationClass::Bf16);
        assert_eq!(linear_class(Profile::Int8), OperationClass::Int8);
        assert_eq!(linear_class(Profile::Q4), OperationClass::Int8);
    }
}
