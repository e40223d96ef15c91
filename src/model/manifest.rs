//! What the program knows of a model beyond its own files: `colloquy.toml` in the model's folder, over the manifest that
//! comes with the program for the model's repository, where there is one.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::brief::brief;
use crate::kernels::Profile;

/// A model's manifest. Every key may be left out.
///
/// What is serialised is part of the model's identity: it changes what is made. Facts for people are only read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Recommended sampling, over `generation_config.json` and under the user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<ManifestSampling>,
    /// `org/name` on the hub; in a folder's manifest it brings what the program knows of that repository.
    #[serde(skip_serializing)]
    pub repository: Option<String>,
    /// The branch, tag or commit that is pulled where none is said.
    #[serde(skip_serializing)]
    pub revision: Option<String>,
    /// Whether its terms must be accepted on the hub; none where that is not known.
    #[serde(skip_serializing)]
    pub gated: Option<bool>,
    /// For people.
    #[serde(skip_serializing)]
    pub notes: Vec<String>,
    /// What of all this was not verified.
    #[serde(skip_serializing)]
    pub unverified: Vec<String>,
    #[serde(skip_serializing)]
    pub template: Option<TemplateFacts>,
    #[serde(skip_serializing)]
    pub shape: Option<Shape>,
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

/// Sampling as a model's makers advise it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManifestSampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
}

impl ManifestSampling {
    /// A key that is outside the range that recipes allow, with that range.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let bad = |value: Option<f32>, fits: fn(f32) -> bool| value.is_some_and(|v| !fits(v));
        [
            (
                bad(self.temperature, |t| (0.0..=10.0).contains(&t)),
                ("temperature", "0 to 10"),
            ),
            (
                bad(self.top_p, |p| p > 0.0 && p <= 1.0),
                ("top_p", "above 0, up to 1"),
            ),
            (
                self.top_k.is_some_and(|k| k > 1_000_000),
                ("top_k", "0 to 1000000"),
            ),
            (
                bad(self.min_p, |p| (0.0..1.0).contains(&p)),
                ("min_p", "0 up to below 1"),
            ),
            (
                bad(self.repetition_penalty, |r| r > 0.0 && r <= 10.0),
                ("repetition_penalty", "above 0, up to 10"),
            ),
            (
                bad(self.presence_penalty, |p| (-10.0..=10.0).contains(&p)),
                ("presence_penalty", "-10 to 10"),
            ),
        ]
        .into_iter()
        .find_map(|(wrong, what)| wrong.then_some(what))
    }
}

/// What a chat template does, as its makers published it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateFacts {
    pub system: SystemRole,
    /// It writes a system message of its own where none is given.
    pub default_system: bool,
    pub thinking: Thinking,
    /// The variable that turns thinking on and off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_switch: Option<String>,
    /// It prints today's date.
    pub date: bool,
    /// User and assistant must take turns.
    pub alternates: bool,
}

/// Where a chat template puts a system message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemRole {
    /// In a turn of its own.
    Own,
    /// Into a message of the user's.
    Joined,
    /// Nowhere: it is an error.
    Refused,
}

/// Whether a model thinks before it replies, unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// It cannot.
    None,
    Off,
    On,
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// With line, column and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|e| brief(e.to_string().trim_end()))?;
        if manifest.context_tokens == Some(0) {
            return Err("`context_tokens` is 0; expected at least 1".to_owned());
        }
        if let Some((key, expected)) = manifest.sampling.and_then(|sampling| sampling.wrong()) {
            return Err(format!(
                "`sampling.{key}` is out of range; expected {expected}"
            ));
        }
        if let Some(problem) = manifest.shape.as_ref().and_then(Shape::wrong) {
            return Err(format!("`shape`: {problem}"));
        }
        Ok(manifest)
    }

    /// This manifest with what it leaves out from another, key by key.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        let list = |own: Vec<String>, base: Vec<String>| if own.is_empty() { base } else { own };
        let (own, under) = (
            self.sampling.unwrap_or_default(),
            base.sampling.unwrap_or_default(),
        );
        let sampling =
            (self.sampling.is_some() || base.sampling.is_some()).then(|| ManifestSampling {
                temperature: own.temperature.or(under.temperature),
                top_p: own.top_p.or(under.top_p),
                top_k: own.top_k.or(under.top_k),
                min_p: own.min_p.or(under.min_p),
                repetition_penalty: own.repetition_penalty.or(under.repetition_penalty),
                presence_penalty: own.presence_penalty.or(under.presence_penalty),
            });
        Self {
            name: self.name.or(base.name),
            // Terms go with their licence: another licence's do not hold.
            output_terms: match &self.licence {
                Some(_) => self.output_terms,
                None => self.output_terms.or(base.output_terms),
            },
            licence: self.licence.or(base.licence),
            demo: self.demo || base.demo,
            prompt_pack: self.prompt_pack.or(base.prompt_pack),
            context_tokens: self.context_tokens.or(base.context_tokens),
            passage_tokens: self.passage_tokens.or(base.passage_tokens),
            quant: self.quant.or(base.quant),
            sampling,
            repository: self.repository.or(base.repository),
            revision: self.revision.or(base.revision),
            gated: self.gated.or(base.gated),
            notes: list(self.notes, base.notes),
            unverified: list(self.unverified, base.unverified),
            template: self.template.or(base.template),
            think_marks: self.think_marks.or(base.think_marks),
            shape: self.shape.or(base.shape),
        }
    }
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// The texts of the shipped manifests with their file names.
        const SHIPPED: &[(&str, &str)] = &[$((
            concat!($name, ".toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/", $name, ".toml")),
        )),+];
    };
}

// Smaller ones first within a family.
shipped!(
    "smollm2-135m-instruct",
    "smollm2-360m-instruct",
    "smollm2-1.7b-instruct",
    "smollm3-3b",
    "qwen2.5-0.5b-instruct",
    "qwen2.5-1.5b-instruct",
    "qwen2.5-7b-instruct",
    "qwen3-0.6b",
    "qwen3-4b-instruct-2507",
    "qwen3-8b",
    "qwen3-30b-a3b-instruct-2507",
    "llama-3.2-1b-instruct",
    "llama-3.2-3b-instruct",
    "llama-3.1-8b-instruct",
    "mistral-7b-instruct-v0.3",
    "mistral-nemo-instruct-2407",
    "phi-3.5-mini-instruct",
    "phi-4-mini-instruct",
    "gemma-2-2b-it",
    "gemma-3-1b-it",
    "olmo-2-0425-1b-instruct",
    "granite-3.3-2b-instruct",
);

/// The manifests that come with the program; each has a repository and a shape.
#[must_use]
pub fn shipped() -> &'static [Manifest] {
    static ALL: LazyLock<Vec<Manifest>> = LazyLock::new(|| {
        let parse = |(_, text): &(&str, &str)| Manifest::parse(text).expect("tests read each one");
        SHIPPED.iter().map(parse).collect()
    });
    &ALL
}

/// The shipped manifest of a repository, its name in any case, as on the hub.
#[must_use]
pub fn shipped_for(repository: &str) -> Option<&'static Manifest> {
    shipped().iter().find(|manifest| {
        manifest
            .repository
            .as_deref()
            .is_some_and(|own| own.eq_ignore_ascii_case(repository))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Pack;

    #[test]
    fn every_shipped_manifest_says_what_users_must_know() {
        for (file, text) in SHIPPED {
            let manifest = Manifest::parse(text).unwrap_or_else(|e| panic!("{file}: {e}"));
            let repository = manifest.repository.as_deref().expect(file);
            let (_, name) = repository.split_once('/').expect(file);
            assert_eq!(format!("{}.toml", name.to_lowercase()), *file);
            for (key, value) in [
                ("name", &manifest.name),
                ("licence", &manifest.licence),
                ("output_terms", &manifest.output_terms),
                ("revision", &manifest.revision),
                ("prompt_pack", &manifest.prompt_pack),
            ] {
                assert!(
                    value.as_deref().is_some_and(|v| !v.is_empty()),
                    "{file}: {key}"
                );
            }
            let pack = manifest.prompt_pack.as_deref().unwrap();
            assert!(Pack::named(pack).is_some(), "{file}: {pack}");
            assert!(manifest.template.is_some(), "{file}");
            assert!(!manifest.demo && !manifest.unverified.is_empty(), "{file}");
            let pinned = manifest.revision.as_deref() != Some("main");
            let says = manifest.unverified.iter().any(|what| what == "the commit");
            assert_ne!(pinned, says, "{file}: the commit is pinned or named as not");
        }
        let mut names: Vec<_> = shipped().iter().map(|m| m.repository.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SHIPPED.len());
    }

    #[test]
    fn shapes_add_up_to_the_published_parameters() {
        for manifest in shipped() {
            let shape = manifest.shape.as_ref().expect("every manifest has a shape");
            assert_eq!(
                shape.computed_parameters(),
                shape.parameters,
                "{:?}",
                manifest.repository
            );
        }
    }

    #[test]
    fn a_repository_is_found_in_any_case() {
        assert!(shipped_for("qwen/QWEN3-8b").is_some());
        assert!(shipped_for("qwen/qwen3-9b").is_none());
    }

    #[test]
    fn the_upper_manifest_wins_key_by_key() {
        let upper = Manifest::parse("context_tokens = 512\n[sampling]\ntop_p = 0.5").unwrap();
        let lower = shipped_for("Qwen/Qwen3-8B").unwrap().clone();
        let both = upper.clone().over(lower.clone());
        let sampling = both.sampling.unwrap();
        assert_eq!(
            (sampling.top_p, sampling.temperature),
            (Some(0.5), Some(0.7))
        );
        assert_eq!(both.context_tokens, Some(512));
        assert_eq!(both.licence, lower.licence);
        assert_eq!(both.output_terms, lower.output_terms);
        // Whoever names another licence must name its terms.
        let other = Manifest::parse("licence = 'MIT'")
            .unwrap()
            .over(lower.clone());
        assert_eq!(
            (other.licence.as_deref(), other.output_terms),
            (Some("MIT"), None)
        );
        assert_eq!(Manifest::default().over(lower.clone()), lower);
    }

    #[test]
    fn facts_are_no_part_of_the_identity() {
        let text = |m: &Manifest| serde_json::to_string(m).unwrap();
        let plain = Manifest::parse("name = 'x'").unwrap();
        let mut facts = plain.clone();
        facts.notes = vec!["note".into()];
        facts.shape.clone_from(&shipped()[0].shape);
        facts.gated = Some(true);
        assert_eq!(text(&plain), text(&facts));
        facts.sampling = Some(ManifestSampling::default());
        assert_ne!(text(&plain), text(&facts));
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (text, says) in [
            ("[sampling]\ntemperature = -1", "sampling.temperature"),
            ("[sampling]\ntop_p = 0", "above 0"),
            ("[sampling]\nmin_p = 1.0", "min_p"),
            ("[sampling]\nheat = 1", "heat"),
            ("wrong = 1", "wrong"),
        ] {
            let error = Manifest::parse(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
