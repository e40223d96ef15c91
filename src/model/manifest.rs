//! What the program knows of a model beyond its own files: `colloquy.toml` in the model's folder, where there is one.

use serde::{Deserialize, Serialize};

use crate::kernels::Profile;

/// A model's manifest. Every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// For people.
    pub name: Option<String>,
    /// SPDX expression of the weights.
    pub licence: Option<String>,
    /// Terms of what the model writes; `UNKNOWN` in records and cards when no one said.
    pub output_terms: Option<String>,
    /// Marks a model for trying the pipeline only.
    pub demo: bool,
    /// `full` or `compact`.
    pub prompt_pack: Option<String>,
    /// The longest context to use, in tokens, when shorter than the model's own.
    pub context_tokens: Option<usize>,
    /// Room for help-page passages in a prompt, in tokens.
    pub passage_tokens: Option<u32>,
    /// What opens and what closes a thought, where neither template nor tokenizer tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think_marks: Option<[String; 2]>,
    /// How the weights are best loaded, where the recipe leaves it open.
    pub quant: Option<ManifestQuant>,
}

/// A model's own choice of numeric profile, under the names that recipes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManifestQuant {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "bf16")]
    Bf16,
    #[serde(rename = "q8_0")]
    Q8,
    #[serde(rename = "q4")]
    Q4,
}

impl From<ManifestQuant> for Profile {
    fn from(quant: ManifestQuant) -> Self {
        match quant {
            ManifestQuant::None => Self::F32,
            ManifestQuant::Bf16 => Self::Bf16,
            ManifestQuant::Q8 => Self::Int8,
            ManifestQuant::Q4 => Self::Q4,
        }
    }
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// With line, column and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())
    }
}
