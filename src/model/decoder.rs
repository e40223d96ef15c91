//! The forward pass, written once for every family, on candle tensors and the kernels' custom ops.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{ModelSpec, Weights, WeightsError};
use crate::kernels::{
    Attention, AttentionShape, Before, Buffer, Cpu, Embedding, KvType, Linear, PAGE_TOKENS,
    PackedLinear, Profile, RopeTable, Span,
};

/// Keys and values of every page of every layer: `[layer][page]` of the kernels' page layout.
pub struct KvPool {
    memory: Arc<Buffer<u8>>,
    kv: KvType,
    pages: usize,
    page_bytes: usize,
    layers: usize,
}

impl KvPool {
    /// Room for `pages` pages of 32 tokens. Memory is taken as pages are first written.
    #[must_use]
    pub fn new(spec: &ModelSpec, pages: usize, kv: KvType) -> Self {
        let page_bytes = spec.kv_heads * spec.head_dim * PAGE_TOKENS * 2 * kv.bytes();
        Self {
            memory: Arc::new(Buffer::zeroed(spec.layers * pages * page_bytes)),
            kv,
            pages,
            page_bytes,
            layers: spec.layers,
        }
    }

    /// Pages in the pool.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Copies what page `from` holds to page `to`, in every layer.
    pub fn copy_page(&mut self, from: u32, to: u32) {
        assert!(
            (from as usize) < self.pages && (to as usize) < self.pages,
            "pages of this pool"
        );
        for layer in 0..self.layers {
            let at = |page: u32| (layer * self.pages + page as usize) * self.page_bytes;
            // SAFETY: both pages lie in the pool, and `&mut self` keeps the forward pass away.
            unsafe {
                let base = self.memory.as_ptr();
                std::ptr::copy(base.add(at(from)), base.add(at(to)), self.page_bytes);
            }
        }
    }

    fn layer(&self, layer: usize) -> std::ops::Range<usize> {
        let len = self.pages * self.page_bytes;
        layer * len..(layer + 1) * len
    }
}

/// One step's input: rows of several sequences, each row one token.
pub struct StepRows<'a> {
    /// One id a row.
    pub tokens: &'a [u32],
    /// Which rows belong together and where their pages are; covers every row.
    pub spans: &'a [Span<'a>],
    /// Rows whose logits are wanted, ascending.
    pub logits: &'a [u32],
}

/// A decoder with its weights packed.
pub struct Decoder {
    pub spec: ModelSpec,
    cpu: Arc<Cpu>,
    rope: Arc<RopeTable>,
    embedding: Embedding,
    layers: Vec<Layer>,
    head: Linear,
}

struct Layer {
    qkv: Linear,
    output: Linear,
    gate_up: Linear,
    down: Linear,
    window: Option<usize>,
}

impl Decoder {
    /// Packs the weights; rotary tables cover `positions` positions.
    ///
    /// # Errors
    /// Names the tensor that is missing, of another shape or type, or not finite.
    pub fn load(
        spec: ModelSpec,
        weights: &Weights,
        positions: usize,
        profile: Profile,
        cpu: Arc<Cpu>,
    ) -> std::result::Result<Self, WeightsError> {
        let (h, d, ff) = (spec.hidden, spec.head_dim, spec.intermediate);
        let linear = |before: Before, parts: &[(&str, usize)], k: usize, bias: bool| {
            Ok(Linear {
                before,
                weights: Arc::new(weights.linear(parts, k, bias, profile)?),
                cpu: Arc::clone(&cpu),
            })
        };
        let norm = |name: &str| {
            let weight = weights.vector(&format!("{name}.weight"), h)?.into();
            Ok(Before::Norm(weight, spec.norm_eps))
        };
        let layers = (0..spec.layers)
            .map(|i| {
                let at = |name: &str| format!("model.layers.{i}.{name}");
                let (q, k, v) = (
                    at("self_attn.q_proj"),
                    at("self_attn.k_proj"),
                    at("self_attn.v_proj"),
                );
                let (gate, up) = (at("mlp.gate_proj"), at("mlp.up_proj"));
                let (kv, heads) = (spec.kv_heads * d, spec.heads * d);
                Ok(Layer {
                    qkv: linear(
                        norm(&at("input_layernorm"))?,
                        &[(&q, heads), (&k, kv), (&v, kv)],
                        h,
                        spec.qkv_bias,
                    )?,
                    output: linear(
                        Before::Nothing,
                        &[(&at("self_attn.o_proj"), h)],
                        heads,
                        spec.output_bias,
                    )?,
                    gate_up: linear(
                        norm(&at("post_attention_layernorm"))?,
                        &[(&gate, ff), (&up, ff)],
                        h,
                        spec.mlp_bias,
                    )?,
                    down: linear(
                        Before::Gate(spec.activation),
                        &[(&at("mlp.down_proj"), h)],
                        ff,
                        spec.mlp_bias,
                    )?,
                    window: spec.windows[i],
                })
            })
            .collect::<std::result::Result<Vec<_>, WeightsError>>()?;
        // Rows of an embedding that is not also the head are only looked up: they stay as stored.
        let stored = if spec.tied { profile } else { Profile::F32 };
        let table = [("model.embed_tokens", spec.vocab_size)];
        let embedding = Arc::new(weights.linear(&table, h, false, stored)?);
        let head = if spec.tied {
            Arc::clone(&embedding)
        } else {
            Arc::new(weights.linear(&[("lm_head", spec.vocab_size)], h, false, profile)?)
        };
        let rope = Arc::new(RopeTable::new(
            &spec.rope.inverse_frequencies(d),
            positions,
            1.0,
        ));
        let head = Linear {
            before: norm("model.norm")?,
            weights: head,
            cpu: Arc::clone(&cpu),
        };
        let embedding = Embedding {
            table: embedding,
            cpu: Arc::clone(&cpu),
        };
        Ok(Self {
            spec,
            cpu,
            rope,
            embedding,
            layers,
            head,
        })
    }

    /// Positions that the rotary tables cover.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.rope.positions()
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let mut shared: Vec<&Arc<PackedLinear>> = vec![&self.head.weights];
        if !Arc::ptr_eq(&self.head.weights, &self.embedding.table) {
            shared.push(&self.embedding.table);
        }
        for layer in &self.layers {
            shared.extend([
                &layer.qkv.weights,
                &layer.output.weights,
                &layer.gate_up.weights,
                &layer.down.weights,
            ]);
        }
        shared.iter().map(|w| w.bytes()).sum()
    }

    /// Bytes of weights that every step reads: all but a table of which single rows are looked up.
    #[must_use]
    pub fn step_bytes(&self) -> usize {
        if Arc::ptr_eq(&self.head.weights, &self.embedding.table) {
            self.weight_bytes()
        } else {
            self.weight_bytes() - self.embedding.table.bytes()
        }
    }

    /// What computes each class of tensor, for people, in the order of a step.
    #[must_use]
    pub fn kernels(&self, kv: KvType) -> Vec<(&'static str, String)> {
        let set = self.cpu.set;
        let mut linear: Vec<String> = self
            .layers
            .iter()
            .flat_map(|layer| [&layer.qkv, &layer.output, &layer.gate_up, &layer.down])
            .map(|linear| linear.weights.kernel(set))
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
                rope: Some(Arc::clone(&self.rope)),
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
            x = x.apply_op2_no_bwd(&mixed, &layer.output)?;
            let inner = x.apply_op1_no_bwd(&layer.gate_up)?;
            x = x.apply_op2_no_bwd(&inner, &layer.down)?;
        }
        x.apply_op1_no_bwd(&self.head).map(Some)
    }

    #[expect(clippy::cast_precision_loss, reason = "a head's width")]
    fn shape(&self, window: Option<usize>) -> AttentionShape {
        AttentionShape {
            heads: self.spec.heads,
            kv_heads: self.spec.kv_heads,
            head_dim: self.spec.head_dim,
            scale: 1.0 / (self.spec.head_dim as f32).sqrt(),
            window,
        }
    }
}
