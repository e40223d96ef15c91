//! The forward pass, written once for every family, on candle tensors and the kernels' custom ops.

mod load;

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{KvPool, ModelSpec};
use crate::kernels::{
    Attention, AttentionShape, Cap, Cpu, Embedding, Experts, Join, KvType, Linear, PackedLinear,
    QkWeights, RopeTable, Span,
};

/// One step's input: rows of several sequences, each row one token.
pub struct StepRows<'a> {
    /// One id a row.
    pub tokens: &'a [u32],
    /// Which rows belong together and where their pages are; covers every row.
    pub spans: &'a [Span<'a>],
    /// Rows whose logits are wanted, ascending.
    pub logits: &'a [u32],
}

/// Bytes of weights that a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBytes {
    /// With every expert.
    pub all: usize,
    /// Of `all`, those of experts.
    pub experts: usize,
    /// Experts of a token, and all of a layer.
    pub chosen: (usize, usize),
}

impl StepBytes {
    /// Expected bytes of a step of `rows` rows whose experts are drawn evenly.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sizes")]
    pub fn of(&self, rows: f64) -> f64 {
        let (per_token, count) = self.chosen;
        let unwanted = (1.0 - per_token as f64 / count as f64).powf(rows);
        self.all as f64 - self.experts as f64 * unwanted
    }
}

/// A decoder with its weights packed.
pub struct Decoder {
    pub spec: ModelSpec,
    cpu: Arc<Cpu>,
    positions: usize,
    embedding: Embedding,
    layers: Vec<Layer>,
    head: Linear,
    /// What happens to logits, where anything does.
    cap: Option<Cap>,
}

struct Layer {
    qkv: Linear,
    qk_norm: Option<QkWeights>,
    /// Shared by layers that rotate alike.
    rope: Option<Arc<RopeTable>>,
    window: Option<usize>,
    output: Branch,
    feed: Feed,
}

/// The end of a layer's half: a linear layer whose result joins the stream.
struct Branch {
    linear: Linear,
    /// Where it is not simply added.
    join: Option<Join>,
}

impl Branch {
    /// `[rows, n], [rows, k] → [rows, n]`
    fn add(&self, stream: &Tensor, inner: &Tensor) -> Result<Tensor> {
        match &self.join {
            None => stream.apply_op2_no_bwd(inner, &self.linear),
            Some(join) => {
                let branch = inner.apply_op1_no_bwd(&self.linear)?;
                stream.apply_op2_no_bwd(&branch, join)
            }
        }
    }
}

/// A layer's feed-forward half.
enum Feed {
    Dense { gate_up: Linear, down: Branch },
    Sparse(Experts),
}

impl Feed {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense { gate_up, down } => down.add(x, &x.apply_op1_no_bwd(gate_up)?),
            Self::Sparse(experts) => x.apply_op1_no_bwd(experts),
        }
    }
}

impl Layer {
    fn matrices(&self) -> Vec<&Arc<PackedLinear>> {
        let mut all = vec![&self.qkv.weights, &self.output.linear.weights];
        match &self.feed {
            Feed::Dense { gate_up, down } => all.extend([&gate_up.weights, &down.linear.weights]),
            Feed::Sparse(experts) => all.extend(experts.matrices()),
        }
        all
    }
}

impl Decoder {
    /// Positions that the rotary tables cover.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let head = &self.head.weights;
        let table = Some(&self.embedding.table).filter(|table| !Arc::ptr_eq(head, table));
        let layers = self.layers.iter().flat_map(Layer::matrices);
        layers
            .chain([head])
            .chain(table)
            .map(|weights| weights.bytes())
            .sum()
    }

    /// Bytes of weights that a step reads: all but a table of which single rows are looked up, and of experts those that
    /// somebody wants.
    #[must_use]
    pub fn step_bytes(&self) -> StepBytes {
        let all = if Arc::ptr_eq(&self.head.weights, &self.embedding.table) {
            self.weight_bytes()
        } else {
            self.weight_bytes() - self.embedding.table.bytes()
        };
        let experts = self.layers.iter().map(|layer| match &layer.feed {
            Feed::Dense { .. } => 0,
            Feed::Sparse(experts) => experts.bytes(),
        });
        StepBytes {
            all,
            experts: experts.sum(),
            chosen: self
                .spec
                .experts
                .as_ref()
                .map_or((1, 1), |experts| (experts.per_token, experts.count)),
        }
    }

    /// What computes each class of tensor, for people, in the order of a step.
    #[must_use]
    pub fn kernels(&self, kv: KvType) -> Vec<(&'static str, String)> {
        let set = self.cpu.set;
        let mut linear: Vec<String> = self
            .layers
            .iter()
            .flat_map(Layer::matrices)
            .map(|weights| weights.kernel(set))
            .collect();
        linear.sort_unstable();
        linear.dedup();
        vec![
            ("linear", linear.join(" and ")),
            (
                "attention",
                format!("f32 ({} pages) {}", kv.name(), set.f32_name()),
            ),
            ("norm, gate", format!("f32 {}", set.f32_name())),
            ("head", self.head.weights.kernel(set)),
        ]
    }

    /// One step: writes keys and values of every row to the pool and returns the logits `[rows.logits, vocab]`, or `None`
    /// when none are wanted.
    ///
    /// # Errors
    /// When the rows do not fit the model or the pool; the caller made them, so this is a defect.
    pub fn forward(&self, rows: &StepRows<'_>, pool: &KvPool) -> Result<Option<Tensor>> {
        let ids = Tensor::new(rows.tokens, &Device::Cpu)?;
        let mut x = ids.apply_op1_no_bwd(&self.embedding)?;
        let last = self.layers.len().saturating_sub(1);
        for (i, layer) in self.layers.iter().enumerate() {
            let attention = Attention {
                shape: self.shape(layer.window),
                norm: layer.qk_norm.as_ref(),
                rope: layer.rope.as_deref(),
                spans: rows.spans,
                pool: Arc::clone(&pool.memory),
                kv: pool.kv,
                layer: pool.layer(i),
                cpu: Arc::clone(&self.cpu),
            };
            let mut mixed = x
                .apply_op1_no_bwd(&layer.qkv)?
                .apply_op1_no_bwd(&attention)?;
            if i == last {
                // Only rows that are sampled need the rest of the last layer.
                if rows.logits.is_empty() {
                    return Ok(None);
                }
                if rows.logits.len() < rows.tokens.len() {
                    let wanted = Tensor::new(rows.logits, &Device::Cpu)?;
                    x = x.index_select(&wanted, 0)?;
                    mixed = mixed.index_select(&wanted, 0)?;
                }
            }
            x = layer.feed.forward(&layer.output.add(&x, &mixed)?)?;
        }
        let logits = x.apply_op1_no_bwd(&self.head)?;
        if let Some(cap) = &self.cap {
            logits.inplace_op1(cap)?;
        }
        Ok(Some(logits))
    }

    fn shape(&self, window: Option<usize>) -> AttentionShape {
        AttentionShape {
            heads: self.spec.heads,
            kv_heads: self.spec.kv_heads,
            head_dim: self.spec.head_dim,
            scale: self.spec.attention_scale,
            cap: self.spec.attention_cap,
            window,
        }
    }
}
