//! The forward pass: embeddings, then layers of attention and feed-forward, each followed by a layer norm (Devlin et al. 2019).

use std::ops::Range;

use super::config::{EncoderConfig, Names};
use crate::kernels::{Cpu, Input, PackedLinear, Profile, activate, attend_both_ways, layer_norm};
use crate::model::{TokenId, Weights, WeightsError};

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    qkv: PackedLinear,
    joined: PackedLinear,
    after_attention: Norm,
    wide: PackedLinear,
    narrow: PackedLinear,
    after_feed_forward: Norm,
}

/// An encoder's weights in f32.
pub(super) struct Encoder {
    config: EncoderConfig,
    /// `vocabulary × hidden`.
    words: Vec<f32>,
    /// `positions × hidden`, those of the text's first token first; the embedding of the first token type is added.
    places: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

/// Names of a layer's tensors, without their layer's.
struct LayerNames {
    layers: &'static str,
    qkv: [&'static str; 3],
    joined: &'static str,
    after_attention: &'static str,
    wide: &'static str,
    narrow: &'static str,
    after_feed_forward: &'static str,
}

const BERT: LayerNames = LayerNames {
    layers: "encoder.layer",
    qkv: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    joined: "attention.output.dense",
    after_attention: "attention.output.LayerNorm",
    wide: "intermediate.dense",
    narrow: "output.dense",
    after_feed_forward: "output.LayerNorm",
};

const DISTILBERT: LayerNames = LayerNames {
    layers: "transformer.layer",
    qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    joined: "attention.out_lin",
    after_attention: "sa_layer_norm",
    wide: "ffn.lin1",
    narrow: "ffn.lin2",
    after_feed_forward: "output_layer_norm",
};

/// What a model with a head calls its encoder.
const PREFIXES: [&str; 4] = ["", "bert.", "roberta.", "distilbert."];

impl Encoder {
    /// Takes an encoder's tensors out of its weight files.
    pub(super) fn load(config: EncoderConfig, weights: &Weights) -> Result<Self, WeightsError> {
        const WORDS: &str = "embeddings.word_embeddings.weight";
        let prefix = PREFIXES
            .iter()
            .find(|prefix| weights.has(&format!("{prefix}{WORDS}")))
            .unwrap_or(&"");
        let (hidden, wide) = (config.hidden, config.intermediate);
        let name = |name: &str| format!("{prefix}{name}");
        let norm = |name: &str| {
            // Files from the first years say gamma and beta.
            let part = |now: &str, then: &str| {
                let old = format!("{name}.{then}");
                let name = if weights.has(&old) {
                    old
                } else {
                    format!("{name}.{now}")
                };
                weights.vector(&name, hidden)
            };
            Ok::<_, WeightsError>(Norm {
                weight: part("weight", "gamma")?,
                bias: part("bias", "beta")?,
            })
        };
        let linear = |parts: &[&str], n: usize, k: usize| {
            let parts: Vec<(&str, usize)> = parts.iter().map(|part| (*part, n)).collect();
            weights.linear(&parts, k, true, Profile::F32)
        };
        let words = weights.matrix(&name(WORDS), config.vocabulary, hidden)?;
        let mut places = weights.matrix(
            &name("embeddings.position_embeddings.weight"),
            config.positions,
            hidden,
        )?;
        places.drain(..config.first_position * hidden);
        if config.types > 0 {
            let types = weights.matrix(
                &name("embeddings.token_type_embeddings.weight"),
                config.types,
                hidden,
            )?;
            for place in places.chunks_exact_mut(hidden) {
                for (place, kind) in place.iter_mut().zip(&types) {
                    *place += kind;
                }
            }
        }
        let names = match config.names {
            Names::Bert => BERT,
            Names::Distilbert => DISTILBERT,
        };
        let mut layers = Vec::new();
        for i in 0..config.layers {
            let name = |part: &str| format!("{prefix}{}.{i}.{part}", names.layers);
            let qkv = names.qkv.map(name);
            let [q, k, v] = &qkv;
            layers.push(Layer {
                qkv: linear(&[q, k, v], hidden, hidden)?,
                joined: linear(&[&name(names.joined)], hidden, hidden)?,
                after_attention: norm(&name(names.after_attention))?,
                wide: linear(&[&name(names.wide)], wide, hidden)?,
                narrow: linear(&[&name(names.narrow)], hidden, wide)?,
                after_feed_forward: norm(&name(names.after_feed_forward))?,
            });
        }
        Ok(Self {
            norm: norm(&name("embeddings.LayerNorm"))?,
            config,
            words,
            places,
            layers,
        })
    }

    /// The last layer's rows, `hidden` numbers each, of texts whose ids lie one after the other. Ids are below the vocabulary's
    /// size, and no text is longer than the model's longest.
    pub(super) fn forward(&self, ids: &[TokenId], texts: &[Range<usize>], cpu: &Cpu) -> Vec<f32> {
        let EncoderConfig {
            hidden,
            heads,
            eps,
            activation,
            ..
        } = self.config;
        let normed = |mut x: Vec<f32>, norm: &Norm| {
            layer_norm(&mut x, &norm.weight, &norm.bias, eps, cpu);
            x
        };
        let mut x = Vec::with_capacity(ids.len() * hidden);
        for text in texts {
            for (id, place) in ids[text.clone()]
                .iter()
                .zip(self.places.chunks_exact(hidden))
            {
                let word = &self.words[*id as usize * hidden..][..hidden];
                x.extend(word.iter().zip(place).map(|(word, place)| word + place));
            }
        }
        let mut x = normed(x, &self.norm);
        for layer in &self.layers {
            let qkv = layer.qkv.forward(Input::Rows(&x), None, cpu);
            let seen = attend_both_ways(&qkv, heads, hidden / heads, texts, cpu);
            x = layer.joined.forward(Input::Rows(&seen), Some(&x), cpu);
            x = normed(x, &layer.after_attention);
            let mut wide = layer.wide.forward(Input::Rows(&x), None, cpu);
            activate(&mut wide, activation, cpu);
            x = layer.narrow.forward(Input::Rows(&wide), Some(&x), cpu);
            x = normed(x, &layer.after_feed_forward);
        }
        x
    }
}
