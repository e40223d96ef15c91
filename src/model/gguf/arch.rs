use super::{Gguf, GgufError};

/// The architectures that are read, by the format's names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Arch {
    /// Llama 2 and 3, SmolLM2, Mistral.
    Llama,
    SmolLm3,
    Qwen2,
    Qwen3,
    Qwen3Moe,
    Phi3,
    Gemma2,
    Gemma3,
    Olmo2,
    Granite,
}

const ALL: [(Arch, &str); 10] = [
    (Arch::Llama, "llama"),
    (Arch::SmolLm3, "smollm3"),
    (Arch::Qwen2, "qwen2"),
    (Arch::Qwen3, "qwen3"),
    (Arch::Qwen3Moe, "qwen3moe"),
    (Arch::Phi3, "phi3"),
    (Arch::Gemma2, "gemma2"),
    (Arch::Gemma3, "gemma3"),
    (Arch::Olmo2, "olmo2"),
    (Arch::Granite, "granite"),
];

impl Arch {
    /// What `general.architecture` says.
    pub(super) fn of(gguf: &Gguf) -> Result<Self, GgufError> {
        let key = "general.architecture";
        let name = gguf
            .text(key)?
            .ok_or_else(|| gguf.wrong(key, "is missing"))?;
        let kind = gguf.text("general.type")?.unwrap_or("model");
        if kind != "model" {
            return Err(gguf.wrong(
                "general.type",
                format!("is {kind:?}: the file goes with a model and is none by itself"),
            ));
        }
        ALL.into_iter()
            .find_map(|(arch, known)| (known == name).then_some(arch))
            .ok_or_else(|| GgufError::Unsupported {
                path: gguf.path().to_owned(),
                what: format!(
                    "architecture {name:?} is not supported; supported are {}",
                    ALL.map(|(_, name)| name).join(", ")
                ),
            })
    }

    pub(super) fn name(self) -> &'static str {
        ALL.into_iter()
            .find_map(|(arch, name)| (arch == self).then_some(name))
            .expect("every architecture has its name")
    }

    /// Whether the converter interleaves the rows of q and k: the original turns the halves of a head against each other,
    /// llama.cpp's kernels for these architectures turn neighbours.
    pub(super) fn interleaves(self) -> bool {
        matches!(self, Self::Llama | Self::SmolLm3 | Self::Granite)
    }

    /// Whether `post_attention_layernorm` follows the attention, rather than come before the feed-forward layers.
    pub(super) fn norms_after(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3 | Self::Olmo2)
    }
}
