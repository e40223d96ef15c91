//! From weight files to a decoder.

use std::sync::Arc;

use super::super::{ModelSpec, Norms, QkNorm, Weights, WeightsError};
use super::{Branch, Decoder, Feed, Layer};
use crate::kernels::{
    Before, Cap, Cpu, Embedding, Expert, Experts, Join, Linear, PackedLinear, Profile, QkWeights,
    RopeTable, Threads,
};

type Loaded<T> = std::result::Result<T, WeightsError>;

/// The weights of a model, and how they are to be packed.
struct Source<'a> {
    spec: &'a ModelSpec,
    weights: &'a Weights,
    /// Before the names of all tensors but the head: "model." as a rule.
    root: String,
    profile: Profile,
    cpu: &'a Arc<Cpu>,
}

impl Source<'_> {
    fn pack(
        &self,
        parts: &[(String, usize)],
        k: usize,
        bias: bool,
        profile: Profile,
    ) -> Loaded<Arc<PackedLinear>> {
        let parts: Vec<(&str, usize)> = parts.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        Ok(Arc::new(self.weights.linear(&parts, k, bias, profile)?))
    }

    fn linear(
        &self,
        before: Before,
        parts: &[(String, usize)],
        k: usize,
        bias: bool,
    ) -> Loaded<Linear> {
        Ok(Linear {
            before,
            weights: self.pack(parts, k, bias, self.profile)?,
            cpu: Arc::clone(self.cpu),
        })
    }

    /// The weight of a norm over `len` numbers, as it multiplies.
    fn scale(&self, name: &str, len: usize) -> Loaded<Arc<[f32]>> {
        let mut weight = self.weights.vector(&format!("{name}.weight"), len)?;
        if self.spec.norm_offset {
            for w in &mut weight {
                *w += 1.0;
            }
        }
        Ok(weight.into())
    }

    fn norm(&self, name: &str) -> Loaded<(Arc<[f32]>, f32)> {
        Ok((self.scale(name, self.spec.hidden)?, self.spec.norm_eps))
    }

    fn before(&self, name: &str) -> Loaded<Before> {
        let (weight, eps) = self.norm(name)?;
        Ok(Before::Norm(weight, eps))
    }

    /// A branch whose result is normalised by `norm`, if any, before it joins the stream.
    fn branch(&self, linear: Linear, norm: Option<&str>) -> Loaded<Branch> {
        let scale = self.spec.residual_scale;
        let norm = norm.map(|name| self.norm(name)).transpose()?;
        #[expect(clippy::float_cmp, reason = "exactly one, as the configuration says")]
        let plain = norm.is_none() && scale == 1.0;
        let join = (!plain).then(|| Join {
            norm,
            scale,
            cpu: Arc::clone(self.cpu),
        });
        Ok(Branch { linear, join })
    }

    fn layer(&self, i: usize, rope: Option<Arc<RopeTable>>) -> Loaded<Layer> {
        let spec = self.spec;
        let at = |name: &str| format!("{}layers.{i}.{name}", self.root);
        let (h, d) = (spec.hidden, spec.head_dim);
        let (queries, keys) = (spec.heads * d, spec.kv_heads * d);
        // Names of the norms around attention and around the feed-forward part.
        let around = match spec.norms {
            Norms::Before => [
                Some("input_layernorm"),
                None,
                Some("post_attention_layernorm"),
                None,
            ],
            Norms::After => [
                None,
                Some("post_attention_layernorm"),
                None,
                Some("post_feedforward_layernorm"),
            ],
            Norms::Around => [
                Some("input_layernorm"),
                Some("post_attention_layernorm"),
                Some("pre_feedforward_layernorm"),
                Some("post_feedforward_layernorm"),
            ],
        }
        .map(|name| name.map(at));
        let before = |name: &Option<String>| match name {
            Some(name) => self.before(name),
            None => Ok(Before::Nothing),
        };
        let fused = at("self_attn.qkv_proj");
        let qkv = if self.weights.has(&format!("{fused}.weight")) {
            vec![(fused, queries + 2 * keys)]
        } else {
            vec![
                (at("self_attn.q_proj"), queries),
                (at("self_attn.k_proj"), keys),
                (at("self_attn.v_proj"), keys),
            ]
        };
        let qk_norm = match spec.qk_norm {
            QkNorm::None => None,
            QkNorm::Head => Some((d, d)),
            QkNorm::Whole => Some((queries, keys)),
        };
        let qk_norm = qk_norm
            .map(|(query, key)| {
                Ok(QkWeights {
                    query: self.scale(&at("self_attn.q_norm"), query)?,
                    key: self.scale(&at("self_attn.k_norm"), key)?,
                    eps: spec.norm_eps,
                })
            })
            .transpose()?;
        let output = self.linear(
            Before::Nothing,
            &[(at("self_attn.o_proj"), h)],
            queries,
            spec.output_bias,
        )?;
        let feed = if spec.has_experts(i) {
            Feed::Sparse(self.experts(i, around[2].as_deref())?)
        } else {
            let ff = spec.intermediate;
            let fused = at("mlp.gate_up_proj");
            let gate_up = if self.weights.has(&format!("{fused}.weight")) {
                vec![(fused, 2 * ff)]
            } else {
                vec![(at("mlp.gate_proj"), ff), (at("mlp.up_proj"), ff)]
            };
            let down = self.linear(
                Before::Gate(spec.activation),
                &[(at("mlp.down_proj"), h)],
                ff,
                spec.mlp_bias,
            )?;
            Feed::Dense {
                gate_up: self.linear(before(&around[2])?, &gate_up, h, spec.mlp_bias)?,
                down: self.branch(down, around[3].as_deref())?,
            }
        };
        Ok(Layer {
            qkv: self.linear(before(&around[0])?, &qkv, h, spec.qkv_bias)?,
            qk_norm,
            rope,
            window: spec.windows[i],
            output: self.branch(output, around[1].as_deref())?,
            feed,
        })
    }

    fn experts(&self, i: usize, norm: Option<&str>) -> Loaded<Experts> {
        let spec = self.spec;
        let table = spec.experts.as_ref().expect("a layer with experts");
        let at = |name: &str| format!("{}layers.{i}.mlp.{name}", self.root);
        let (h, inner) = (spec.hidden, table.intermediate);
        let experts = (0..table.count)
            .map(|e| {
                let one = |name: &str| at(&format!("experts.{e}.{name}"));
                let gate_up = [(one("gate_proj"), inner), (one("up_proj"), inner)];
                Ok(Expert {
                    gate_up: self.pack(&gate_up, h, false, self.profile)?,
                    down: self.pack(&[(one("down_proj"), h)], inner, false, self.profile)?,
                })
            })
            .collect::<Loaded<Vec<_>>>()?;
        Ok(Experts {
            norm: self.norm(norm.expect("a norm before experts"))?,
            // Which experts a token gets must not hang on rounding: the router stays as stored.
            router: self.pack(&[(at("gate"), table.count)], h, false, Profile::F32)?,
            experts,
            per_token: table.per_token,
            normalised: table.normalised,
            activation: spec.activation,
            cpu: Arc::clone(self.cpu),
            alone: Arc::new(Cpu {
                threads: Threads::new(1),
                set: self.cpu.set,
            }),
        })
    }
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
    ) -> Loaded<Self> {
        // The language half of a model that sees pictures as well has a name before its names.
        let roots = ["model.", "language_model.model.", "model.language_model."];
        let root = roots
            .into_iter()
            .find(|root| weights.has(&format!("{root}embed_tokens.weight")))
            .unwrap_or(roots[0])
            .to_owned();
        let source = Source {
            spec: &spec,
            weights,
            root,
            profile,
            cpu: &cpu,
        };
        let mut tables: Vec<(usize, Arc<RopeTable>)> = Vec::new();
        let layers = (0..spec.layers)
            .map(|i| {
                let rope = spec.rope[i].as_ref().map(|rope| {
                    let known = tables
                        .iter()
                        .find(|(j, _)| spec.rope[*j].as_ref() == Some(rope));
                    if let Some((_, table)) = known {
                        return Arc::clone(table);
                    }
                    let frequencies = rope.inverse_frequencies(positions);
                    let table = RopeTable::new(&frequencies, positions, rope.magnitude());
                    tables.push((i, Arc::new(table)));
                    Arc::clone(&tables[tables.len() - 1].1)
                });
                source.layer(i, rope)
            })
            .collect::<Loaded<Vec<_>>>()?;
        let head = profile.head();
        // Rows of an embedding that is not also the head are only looked up: they stay as stored.
        let (h, vocab) = (spec.hidden, spec.vocab_size);
        let table = [(format!("{}embed_tokens", source.root), vocab)];
        let blocks = weights.in_blocks(&format!("{}.weight", table[0].0));
        let stored = match head {
            Profile::Int8 if blocks => head,
            _ if spec.tied => head,
            _ => Profile::F32,
        };
        let table = source.pack(&table, h, false, stored)?;
        let head = if spec.tied {
            Arc::clone(&table)
        } else {
            let name = source.root.replace("model.", "") + "lm_head";
            source.pack(&[(name, vocab)], h, false, head)?
        };
        let head = Linear {
            before: source.before(&format!("{}norm", source.root))?,
            weights: head,
            cpu: Arc::clone(&cpu),
        };
        let embedding = Embedding {
            table,
            scale: spec.embedding_scale,
            cpu: Arc::clone(&cpu),
        };
        #[expect(clippy::float_cmp, reason = "exactly one, as the configuration says")]
        let cap = (spec.logits_divisor != 1.0 || spec.logits_cap.is_some()).then(|| Cap {
            divisor: spec.logits_divisor,
            cap: spec.logits_cap,
            cpu: Arc::clone(&cpu),
        });
        Ok(Self {
            spec,
            cpu,
            positions,
            embedding,
            layers,
            head,
            cap,
        })
    }
}
