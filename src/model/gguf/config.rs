use serde_json::{Map, Value as Json, json};

use super::{Arch, Gguf, GgufError};

/// Keys below the architecture's name that are read, say nothing about the arithmetic, or only repeat what it implies.
const KNOWN: &[&str] = &[
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.scale",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.value_length",
    "attn_logit_softcapping",
    "block_count",
    "context_length",
    "embedding_length",
    "embedding_scale",
    "expert_count",
    "expert_feed_forward_length",
    "expert_used_count",
    "feed_forward_length",
    "final_logit_softcapping",
    "logit_scale",
    "residual_scale",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "tensor_data_layout",
    "vocab_size",
];

/// The model's `config.json`, as its original in the Hugging Face layout has it.
///
/// # Errors
/// Names the key that is missing or malformed, or that this program does not know.
pub(in crate::model) fn config(gguf: &Gguf, arch: Arch) -> Result<Json, GgufError> {
    let keys = Keys { gguf, arch };
    keys.refuse_unknown()?;
    let (hidden, layers) = (keys.need("embedding_length")?, keys.need("block_count")?);
    if layers > 1024 {
        return Err(gguf.wrong(
            &keys.full("block_count"),
            format!("is {layers}, expected at most 1024"),
        ));
    }
    let heads = keys.need("attention.head_count")?;
    let head_dim = keys.head_dim(hidden, heads)?;
    let mut config = Map::new();
    let mut set = |key: &str, value: Json| config.insert(key.to_owned(), value);
    let (class, kind) = names(arch, keys.window()?);
    set("architectures", json!([class]));
    set("model_type", kind.into());
    set("vocab_size", keys.rows("token_embd.weight")?.into());
    set("hidden_size", hidden.into());
    set("num_hidden_layers", layers.into());
    set("num_attention_heads", heads.into());
    set(
        "num_key_value_heads",
        keys.size("attention.head_count_kv")?
            .unwrap_or(heads)
            .into(),
    );
    set("head_dim", head_dim.into());
    let inner = "feed_forward_length";
    if let Some(inner) = keys.size(inner)?.filter(|inner| *inner > 0) {
        set("intermediate_size", inner.into());
    } else if arch != Arch::Qwen3Moe {
        return Err(gguf.wrong(&keys.full(inner), "is missing"));
    }
    set(
        "max_position_embeddings",
        keys.need("context_length")?.into(),
    );
    let eps = "attention.layer_norm_rms_epsilon";
    let eps = keys
        .float(eps)?
        .ok_or_else(|| gguf.wrong(&keys.full(eps), "is missing"))?;
    set("rms_norm_eps", eps.into());
    set(
        "tie_word_embeddings",
        gguf.tensor("output.weight").is_none().into(),
    );
    if !matches!(arch, Arch::Qwen2 | Arch::Phi3 | Arch::Gemma2) {
        set("attention_bias", keys.has("blk.0.attn_q.bias").into());
    }
    if matches!(arch, Arch::Llama | Arch::SmolLm3 | Arch::Granite) {
        set("mlp_bias", keys.has("blk.0.ffn_gate.bias").into());
    }
    let theta = keys.float("rope.freq_base")?.unwrap_or(10_000.0);
    set("rope_theta", theta.into());
    set("rope_scaling", keys.rope_scaling(head_dim)?);
    for (name, key) in [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"),
        ("eos_token_id", "tokenizer.ggml.eos_token_id"),
    ] {
        if let Some(id) = gguf.uint(key)? {
            set(name, id.into());
        }
    }
    let rotated = keys.size("rope.dimension_count")?.unwrap_or(head_dim);
    if rotated != head_dim {
        #[expect(clippy::cast_precision_loss, reason = "a head's width")]
        set(
            "partial_rotary_factor",
            (rotated as f64 / head_dim as f64).into(),
        );
    }
    keys.family(&mut config, hidden, heads, head_dim, layers)?;
    Ok(Json::Object(config))
}

/// The original's class and model type.
fn names(arch: Arch, window: Option<u64>) -> (&'static str, &'static str) {
    match arch {
        // the format has no name of its own for Mistral
        Arch::Llama if window.is_some() => ("MistralForCausalLM", "mistral"),
        Arch::Llama => ("LlamaForCausalLM", "llama"),
        Arch::SmolLm3 => ("SmolLM3ForCausalLM", "smollm3"),
        Arch::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
        Arch::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
        Arch::Qwen3Moe => ("Qwen3MoeForCausalLM", "qwen3_moe"),
        Arch::Phi3 => ("Phi3ForCausalLM", "phi3"),
        Arch::Gemma2 => ("Gemma2ForCausalLM", "gemma2"),
        Arch::Gemma3 => ("Gemma3ForCausalLM", "gemma3_text"),
        // OLMo 3 goes by the same name and has windows
        Arch::Olmo2 if window.is_some() => ("Olmo3ForCausalLM", "olmo3"),
        Arch::Olmo2 => ("Olmo2ForCausalLM", "olmo2"),
        Arch::Granite => ("GraniteForCausalLM", "granite"),
    }
}

struct Keys<'a> {
    gguf: &'a Gguf,
    arch: Arch,
}

impl Keys<'_> {
    fn full(&self, key: &str) -> String {
        format!("{}.{key}", self.arch.name())
    }

    fn refuse_unknown(&self) -> Result<(), GgufError> {
        let start = self.full("");
        for key in self.gguf.keys() {
            let Some(name) = key.strip_prefix(&start) else {
                continue;
            };
            // zero and false say that something is not there
            let nothing = match self.gguf.value(key)? {
                Some(super::Value::Bool(flag)) => flag == (name == "attention.causal"),
                Some(value) => value.float() == Some(0.0),
                None => true,
            };
            if !nothing && !KNOWN.contains(&name) {
                return Err(GgufError::Unsupported {
                    path: self.gguf.path().to_owned(),
                    what: format!(
                        "`{key}` is not known, and may change the model's arithmetic in a way that is not supported"
                    ),
                });
            }
        }
        Ok(())
    }

    /// A size; where the file lists one per layer, all must be the same.
    fn size(&self, key: &str) -> Result<Option<u64>, GgufError> {
        let full = self.full(key);
        let value = match self.gguf.value(&full)? {
            Some(super::Value::Array(list)) => {
                let mut all = list.iter();
                let first = all.next().flatten();
                if all.any(|other| other != first) {
                    return Err(GgufError::Unsupported {
                        path: self.gguf.path().to_owned(),
                        what: format!(
                            "`{full}` differs from layer to layer, which is not supported"
                        ),
                    });
                }
                first
            }
            value => value,
        };
        value
            .map(|value| {
                let size = value.uint().filter(|size| *size < 1 << 32);
                size.ok_or_else(|| self.gguf.wrong(&full, "is not a size"))
            })
            .transpose()
    }

    fn need(&self, key: &str) -> Result<u64, GgufError> {
        match self.size(key)? {
            Some(0) => Err(self.gguf.wrong(&self.full(key), "is 0")),
            Some(size) => Ok(size),
            None => Err(self.gguf.wrong(&self.full(key), "is missing")),
        }
    }

    fn float(&self, key: &str) -> Result<Option<f64>, GgufError> {
        self.gguf.float(&self.full(key))
    }

    fn has(&self, tensor: &str) -> bool {
        self.gguf.tensor(tensor).is_some()
    }

    /// Rows of a matrix.
    fn rows(&self, tensor: &str) -> Result<usize, GgufError> {
        let missing = || GgufError::Unsupported {
            path: self.gguf.path().to_owned(),
            what: format!("tensor `{tensor}` is missing; the file holds no whole model"),
        };
        let (_, info, _) = self.gguf.tensor(tensor).ok_or_else(missing)?;
        Ok(info.shape[0])
    }

    fn head_dim(&self, hidden: u64, heads: u64) -> Result<u64, GgufError> {
        let key = "attention.key_length";
        let width = self.size(key)?;
        if let Some(other) = self.size("attention.value_length")?
            && Some(other) != width
            && (width.is_some() || other * heads != hidden)
        {
            return Err(self.gguf.wrong(
                &self.full("attention.value_length"),
                format!("is {other}, which is not the width of the keys"),
            ));
        }
        match width {
            Some(width) => Ok(width),
            None if hidden.is_multiple_of(heads) => Ok(hidden / heads),
            None => Err(self.gguf.wrong(&self.full(key), "is missing")),
        }
    }

    fn window(&self) -> Result<Option<u64>, GgufError> {
        Ok(self
            .size("attention.sliding_window")?
            .filter(|window| *window > 0))
    }

    /// For architectures whose originals say by layer which windows are used, and whose files do not.
    fn refuse_window(&self) -> Result<(), GgufError> {
        match self.window()? {
            None => Ok(()),
            Some(window) => Err(GgufError::Unsupported {
                path: self.gguf.path().to_owned(),
                what: format!(
                    "`{}` is {window}, which is not supported for this architecture",
                    self.full("attention.sliding_window")
                ),
            }),
        }
    }

    /// Which layers have a window, as `layer_types`: every one but each `usual`th, where the file says nothing else.
    fn layer_types(&self, layers: u64, usual: u64) -> Result<Json, GgufError> {
        let key = self.full("attention.sliding_window_pattern");
        let name = |window: bool| {
            if window {
                "sliding_attention"
            } else {
                "full_attention"
            }
        };
        let wrong = || {
            self.gguf.wrong(
                &key,
                format!("is neither a period nor a list of {layers} truth values"),
            )
        };
        let period = match self.gguf.value(&key)? {
            None => usual,
            Some(super::Value::Array(list)) if list.len() as u64 == layers => {
                return list
                    .iter()
                    .map(|window| Some(Json::from(name(window?.flag()?))))
                    .collect::<Option<Vec<_>>>()
                    .map(Json::Array)
                    .ok_or_else(wrong);
            }
            Some(value) => value
                .uint()
                .filter(|period| *period > 0)
                .ok_or_else(wrong)?,
        };
        Ok((1..=layers)
            .map(|layer| Json::from(name(layer % period != 0)))
            .collect())
    }

    fn rope_scaling(&self, head_dim: u64) -> Result<Json, GgufError> {
        let factors = |tensor: &str| {
            let Some((_, info, data)) = self.gguf.tensor(tensor) else {
                return Ok(None);
            };
            let rotated = self.size("rope.dimension_count")?.unwrap_or(head_dim);
            if info.shape != [usize::try_from(rotated / 2).unwrap_or(0)] {
                return Err(GgufError::Unsupported {
                    path: self.gguf.path().to_owned(),
                    what: format!(
                        "tensor `{tensor}` has shape {:?}, expected [{}]",
                        info.shape,
                        rotated / 2
                    ),
                });
            }
            let factors = info.kind.decode(data);
            factors.map(Some).ok_or_else(|| GgufError::Unsupported {
                path: self.gguf.path().to_owned(),
                what: format!("tensor `{tensor}` is {}, expected F32", info.kind.name()),
            })
        };
        let original = self.size("rope.scaling.original_context_length")?;
        let attention = self.float("rope.scaling.attn_factor")?;
        let (long, short) = (
            factors("rope_factors_long.weight")?,
            factors("rope_factors_short.weight")?,
        );
        if let (Some(long), Some(short)) = (long, short) {
            return Ok(json!({
                "rope_type": "longrope",
                "long_factor": long,
                "short_factor": short,
                "attention_factor": attention,
                "original_max_position_embeddings": original,
            }));
        }
        // Llama 3.1 and later: the original's formula is in the file as its results, one for each frequency
        if let Some(factors) = factors("rope_freqs.weight")? {
            return Ok(json!({
                "rope_type": "longrope",
                "long_factor": factors,
                "short_factor": factors,
                "attention_factor": 1.0,
                "original_max_position_embeddings": self.size("context_length")?,
            }));
        }
        let factor = self.float("rope.scaling.factor")?;
        match self.gguf.text(&self.full("rope.scaling.type"))? {
            None | Some("none") => Ok(Json::Null),
            Some("linear") => Ok(json!({ "rope_type": "linear", "factor": factor })),
            Some(other) => Ok(json!({
                "rope_type": other,
                "factor": factor,
                "original_max_position_embeddings": original,
            })),
        }
    }

    /// What only one family's configuration has.
    fn family(
        &self,
        config: &mut Map<String, Json>,
        hidden: u64,
        heads: u64,
        head_dim: u64,
        layers: u64,
    ) -> Result<(), GgufError> {
        let mut set = |key: &str, value: Json| config.insert(key.to_owned(), value);
        #[expect(clippy::cast_precision_loss, reason = "sizes of a model")]
        let (head_width, head_share) = (head_dim as f64, hidden as f64 / heads as f64);
        match self.arch {
            Arch::Llama => {
                if let Some(window) = self.window()? {
                    set("sliding_window", window.into());
                }
                if let Some(experts) = self.size("expert_count")?.filter(|n| *n > 0) {
                    set("num_local_experts", experts.into());
                }
            }
            Arch::Qwen2 | Arch::Qwen3 => self.refuse_window()?,
            Arch::SmolLm3 => {
                self.refuse_window()?;
                // every fourth layer has no positions; the file does not say so
                let rotated = (1..=layers).map(|layer| Json::from(u8::from(layer % 4 != 0)));
                set("no_rope_layers", rotated.collect());
            }
            Arch::Qwen3Moe => {
                self.refuse_window()?;
                let experts = self.need("expert_count")?;
                let width = match self.size("expert_feed_forward_length")? {
                    Some(width) => width,
                    None => self.expert_width()?,
                };
                set("num_experts", experts.into());
                set(
                    "num_experts_per_tok",
                    self.need("expert_used_count")?.into(),
                );
                set("moe_intermediate_size", width.into());
                // no layer has the usual part, whose width may be left out
                set("intermediate_size", width.into());
                set("norm_topk_prob", true.into());
                set("decoder_sparse_step", 1.into());
                set("mlp_only_layers", json!([]));
            }
            Arch::Phi3 => {
                set("sliding_window", self.window()?.into());
                if let Some(original) = self.size("rope.scaling.original_context_length")? {
                    set("original_max_position_embeddings", original.into());
                }
            }
            Arch::Gemma2 | Arch::Gemma3 => {
                set("hidden_activation", "gelu_pytorch_tanh".into());
                let (largest, period) = if self.arch == Arch::Gemma2 {
                    (46, 2)
                } else {
                    (62, 6)
                };
                // only the models of 27 B have another; the file does not say so
                let scalar = if layers == largest {
                    head_share
                } else {
                    head_width
                };
                set("query_pre_attn_scalar", scalar.into());
                if self.arch == Arch::Gemma2 {
                    let attention = self.float("attn_logit_softcapping")?.unwrap_or(50.0);
                    let logits = self.float("final_logit_softcapping")?.unwrap_or(30.0);
                    set("attn_logit_softcapping", attention.into());
                    set("final_logit_softcapping", logits.into());
                    set("sliding_window", self.window()?.unwrap_or(4096).into());
                    set("layer_types", self.layer_types(layers, period)?);
                } else {
                    let local = self.float("rope.freq_base_swa")?.unwrap_or(10_000.0);
                    set("rope_local_base_freq", local.into());
                    let logits = self.float("final_logit_softcapping")?.filter(|x| *x > 0.0);
                    set("final_logit_softcapping", logits.into());
                    let window = self.window()?;
                    set("sliding_window", window.into());
                    let period = if window.is_some() { period } else { 1 };
                    set("layer_types", self.layer_types(layers, period)?);
                }
            }
            Arch::Olmo2 => {
                if let Some(window) = self.window()? {
                    set("sliding_window", window.into());
                    set("layer_types", self.layer_types(layers, 4)?);
                }
            }
            Arch::Granite => {
                self.refuse_window()?;
                for (name, key, absent) in [
                    ("embedding_multiplier", "embedding_scale", 1.0),
                    ("residual_multiplier", "residual_scale", 1.0),
                    ("logits_scaling", "logit_scale", 1.0),
                    (
                        "attention_multiplier",
                        "attention.scale",
                        1.0 / head_width.sqrt(),
                    ),
                ] {
                    let said = self.float(key)?.filter(|scale| *scale != 0.0);
                    set(name, said.unwrap_or(absent).into());
                }
            }
        }
        Ok(())
    }

    /// The width of an expert, from the matrices themselves.
    fn expert_width(&self) -> Result<u64, GgufError> {
        let found = self.gguf.tensor("blk.0.ffn_gate_exps.weight");
        match found {
            Some((_, info, _)) if info.shape.len() == 3 => Ok(info.shape[1] as u64),
            _ => Err(self
                .gguf
                .wrong(&self.full("expert_feed_forward_length"), "is missing")),
        }
    }
}
