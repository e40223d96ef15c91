use super::Arch;

/// Where a tensor of the original model lies in a GGUF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) struct Place {
    /// The tensor's name in the file.
    pub(in crate::model) name: String,
    /// Which of the matrices stacked in it, for a mixture of experts.
    pub(in crate::model) expert: Option<usize>,
    /// Heads whose rows the converter has interleaved.
    pub(in crate::model) interleaved_heads: Option<usize>,
}

/// What the names and orders of a model's tensors depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) struct Layout {
    pub(in crate::model) arch: Arch,
    pub(in crate::model) heads: usize,
    pub(in crate::model) kv_heads: usize,
}

impl Layout {
    /// The place of a tensor, by its name in the original model's files; `None` where the format has no name for it.
    pub(in crate::model) fn place(&self, original: &str) -> Option<Place> {
        let (path, ending) = original.rsplit_once('.')?;
        if !matches!(ending, "weight" | "bias") {
            return None;
        }
        let plain = |name: String| Place {
            name,
            expert: None,
            interleaved_heads: None,
        };
        let whole = match path {
            "model.embed_tokens" => Some("token_embd"),
            "model.norm" => Some("output_norm"),
            "lm_head" => Some("output"),
            _ => None,
        };
        if let Some(whole) = whole {
            return Some(plain(format!("{whole}.{ending}")));
        }
        let (layer, part) = path.strip_prefix("model.layers.")?.split_once('.')?;
        if let Some(experts) = part.strip_prefix("mlp.experts.") {
            let (expert, matrix) = experts.split_once('.')?;
            let matrix = match matrix {
                "gate_proj" => "ffn_gate_exps",
                "up_proj" => "ffn_up_exps",
                "down_proj" => "ffn_down_exps",
                _ => return None,
            };
            return Some(Place {
                expert: Some(expert.parse().ok()?),
                ..plain(format!("blk.{layer}.{matrix}.{ending}"))
            });
        }
        let name = self.in_layer(part)?;
        let interleaved_heads = match name {
            "attn_q" if self.arch.interleaves() => Some(self.heads),
            "attn_k" if self.arch.interleaves() => Some(self.kv_heads),
            _ => None,
        };
        Some(Place {
            interleaved_heads,
            ..plain(format!("blk.{layer}.{name}.{ending}"))
        })
    }

    fn in_layer(&self, part: &str) -> Option<&'static str> {
        Some(match part {
            "self_attn.q_proj" => "attn_q",
            "self_attn.k_proj" => "attn_k",
            "self_attn.v_proj" => "attn_v",
            "self_attn.qkv_proj" => "attn_qkv",
            "self_attn.o_proj" => "attn_output",
            "self_attn.q_norm" => "attn_q_norm",
            "self_attn.k_norm" => "attn_k_norm",
            "mlp.gate_proj" => "ffn_gate",
            // both halves, one below the other
            "mlp.gate_up_proj" if self.arch == Arch::Phi3 => "ffn_up",
            "mlp.up_proj" if self.arch != Arch::Phi3 => "ffn_up",
            "mlp.down_proj" => "ffn_down",
            "mlp.gate" => "ffn_gate_inp",
            "input_layernorm" => "attn_norm",
            "post_attention_layernorm" if self.arch.norms_after() => "post_attention_norm",
            "post_attention_layernorm" | "pre_feedforward_layernorm" => "ffn_norm",
            "post_feedforward_layernorm" => "post_ffw_norm",
            _ => return None,
        })
    }
}

/// Undoes the interleaving of rotary pairs in rows of `row_bytes`: the file holds each head's rows in the order
/// 0, d/2, 1, d/2 + 1, …, the original in the order 0, 1, 2, …
///
/// # Panics
/// When the rows are no whole heads of an even width.
pub(in crate::model) fn original_order(data: &[u8], row_bytes: usize, heads: usize) -> Vec<u8> {
    let rows = data.len() / row_bytes;
    let width = rows / heads;
    assert!(
        rows == heads * width && width.is_multiple_of(2),
        "whole heads of an even width"
    );
    let mut out = Vec::with_capacity(data.len());
    for row in 0..rows {
        let (head, at) = (row / width, row % width);
        let from = head * width + 2 * (at % (width / 2)) + at / (width / 2);
        out.extend_from_slice(&data[from * row_bytes..(from + 1) * row_bytes]);
    }
    out
}
