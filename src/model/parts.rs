//! A model's files, read: what an engine is built from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::gguf::{self, Gguf, GgufError};
use super::template::{ChatTemplate, Day, TemplateError};
use super::tokenizer::{Tokenizer, TokenizerError};
use super::{Manifest, ModelSpec, SpecError, Weights, WeightsError, shipped_for};
use crate::fsio;
use crate::hub::{HubError, ModelFiles, ModelFormat, SideFiles};

/// What can be wrong with a model folder.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{}: {source}", path.display())]
    Spec { path: PathBuf, source: SpecError },
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Encode(#[from] super::EncodeError),
    #[error("the model cannot be started: {0}")]
    Start(String),
    /// The weights and the smallest useful pool do not fit.
    #[error(
        "the weights take {weights_mb} MB and the smallest useful page pool {pool_mb} MB, together more than the {allowed_mb} MB of memory allowed"
    )]
    Memory {
        weights_mb: u64,
        pool_mb: u64,
        allowed_mb: u64,
        /// What the system has to spare.
        available_mb: u64,
        /// Weights and pool in 8 bits, where that is not asked for already.
        narrow_mb: Option<u64>,
    },
    /// More is allowed than there is.
    #[error("{allowed_mb} MB of memory are allowed, and this machine can give {available_mb} MB")]
    MemoryPromised { allowed_mb: u64, available_mb: u64 },
}

/// Everything of a model but its packed weights.
pub struct ModelParts {
    pub spec: ModelSpec,
    pub config: Value,
    pub generation: Option<Value>,
    pub tokenizer: Arc<Tokenizer>,
    /// `None` only where the caller said that it needs none.
    pub template: Option<ChatTemplate>,
    pub weights: Weights,
    pub manifest: Manifest,
    /// Hash over all files.
    pub hash: String,
}

/// The files of the demo model, part of the program.
macro_rules! demo_file {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo/", $name)).as_slice()
    };
}

impl ModelParts {
    /// Reads a model. `day` is what templates print as today's date; `template` says whether one is needed.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(
        files: &ModelFiles,
        day: Day,
        template: bool,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let manifest = manifest_of(&files.dir, files.repository.as_deref())?;
        let read = match &files.format {
            ModelFormat::HuggingFace(side) => Self::read_folder(files, side, day, template)?,
            ModelFormat::Gguf => Self::read_gguf(files, day, template)?,
        };
        read.tokenizer.check_rows(read.spec.vocab_size)?;
        let template = match (read.template, manifest.think_marks.clone()) {
            (Some(template), Some(marks)) => Some(template.with_think_marks(marks)?),
            (template, _) => template,
        };
        Ok(Self {
            template,
            // The manifest changes prompts and budgets, so it belongs to what identifies the model.
            hash: crate::hash::of_value(&(files.content_hash(threads)?, &manifest)),
            manifest,
            ..read
        })
    }

    fn read_folder(
        files: &ModelFiles,
        side: &SideFiles,
        day: Day,
        template: bool,
    ) -> Result<Self, ModelError> {
        let (config_text, config) = json(&side.config)?;
        let spec = ModelSpec::from_config(&config_text).map_err(|source| ModelError::Spec {
            path: side.config.clone(),
            source,
        })?;
        let generation = side
            .generation_config
            .as_deref()
            .map(json)
            .transpose()?
            .map(|(_, value)| value);
        let template = if template {
            Some(ChatTemplate::load(&files.dir, day)?)
        } else {
            None
        };
        let tokenizer = Tokenizer::load(&side.tokenizer, side.tokenizer_config.as_deref())?;
        Ok(Self {
            spec,
            config,
            generation,
            tokenizer: Arc::new(tokenizer),
            template,
            weights: Weights::open(&files.weights)?,
            manifest: Manifest::default(),
            hash: String::new(),
        })
    }

    fn read_gguf(files: &ModelFiles, day: Day, template: bool) -> Result<Self, ModelError> {
        let gguf = Gguf::open(&files.weights)?;
        let path = gguf.path().to_owned();
        let gguf::GgufModel {
            config,
            text,
            layout,
        } = gguf::model(&gguf)?;
        let mut spec =
            ModelSpec::from_config(&config.to_string()).map_err(|source| ModelError::Spec {
                path: path.clone(),
                source,
            })?;
        // the converter has added the one
        spec.norm_offset = false;
        let named: Vec<String> = text.named.values().cloned().collect();
        let tokenizer = Tokenizer::from_bytes(text.tokenizer.to_string().as_bytes(), &named)
            .map_err(|reason| ModelError::File {
                path: path.clone(),
                reason: format!("the vocabulary: {reason}"),
            })?;
        let template = match (template, text.chat_template) {
            (false, _) => None,
            (true, Some(source)) => Some(ChatTemplate::new(&source, text.named, day)?),
            (true, None) => {
                let what = "is missing; a chat model has one, base models have none";
                return Err(gguf.wrong("tokenizer.chat_template", what).into());
            }
        };
        Ok(Self {
            spec,
            config,
            generation: Some(text.generation),
            tokenizer: Arc::new(tokenizer),
            template,
            weights: Weights::gguf(gguf, layout),
            manifest: Manifest::default(),
            hash: String::new(),
        })
    }

    /// The demo model.
    ///
    /// # Errors
    /// When the program was built with files that do not belong together.
    pub fn demo(day: Day) -> Result<Self, ModelError> {
        let file = |name: &str, reason: String| ModelError::File {
            path: Path::new("demo").join(name),
            reason,
        };
        let parse = |name: &str, bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes).map_err(|error| file(name, error.to_string()))
        };
        let (config_bytes, tokenizer_bytes) =
            (demo_file!("config.json"), demo_file!("tokenizer.json"));
        let config = parse("config.json", config_bytes)?;
        let spec =
            ModelSpec::from_config(&config.to_string()).map_err(|source| ModelError::Spec {
                path: "demo/config.json".into(),
                source,
            })?;
        let generation = parse(
            "generation_config.json",
            demo_file!("generation_config.json"),
        )?;
        let tokenizer_config = parse("tokenizer_config.json", demo_file!("tokenizer_config.json"))?;
        let tokens: BTreeMap<String, String> = tokenizer_config
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.ends_with("_token"))
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        let named: Vec<String> = tokens.values().cloned().collect();
        let tokenizer = Tokenizer::from_bytes(tokenizer_bytes, &named)
            .map_err(|e| file("tokenizer.json", e))?;
        tokenizer.check_rows(spec.vocab_size)?;
        let source = tokenizer_config["chat_template"]
            .as_str()
            .unwrap_or_default();
        let template = ChatTemplate::new(source, tokens, day)?;
        let manifest = std::str::from_utf8(demo_file!("manifest.toml"))
            .map_err(|e| file("manifest.toml", e.to_string()))?;
        let manifest = Manifest::parse(manifest).map_err(|e| file("manifest.toml", e))?;
        let weights = demo_file!("model.safetensors");
        let all = [
            config_bytes,
            tokenizer_bytes,
            demo_file!("generation_config.json"),
            demo_file!("tokenizer_config.json"),
            weights,
        ]
        .map(crate::hash::of_bytes);
        Ok(Self {
            spec,
            config,
            generation: Some(generation),
            tokenizer: Arc::new(tokenizer),
            template: Some(template),
            weights: Weights::embedded("demo/model.safetensors", weights)?,
            hash: crate::hash::of_value(&(all, &manifest)),
            manifest,
        })
    }
}

/// What is known of the model in a folder: its own manifest over the shipped one of its repository.
///
/// # Errors
/// When the folder's manifest cannot be read, or is malformed.
pub fn manifest_of(folder: &Path, repository: Option<&str>) -> Result<Manifest, ModelError> {
    let path = folder.join("colloquy.toml");
    let file = |reason: String| ModelError::File {
        path: path.clone(),
        reason,
    };
    let own = match fsio::read_text(&path, fsio::SMALL_BYTES) {
        Ok(text) => Manifest::parse(&text).map_err(file)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Manifest::default(),
        Err(error) => return Err(file(error.to_string())),
    };
    let base = own
        .repository
        .as_deref()
        .or(repository)
        .and_then(shipped_for);
    Ok(match base {
        Some(base) => own.over(base.clone()),
        None => own,
    })
}

fn json(path: &Path) -> Result<(String, Value), ModelError> {
    let file = |reason: String| ModelError::File {
        path: path.to_owned(),
        reason,
    };
    let text = fsio::read_text(path, fsio::SMALL_BYTES).map_err(|error| file(error.to_string()))?;
    let value = serde_json::from_str(&text).map_err(|error| file(error.to_string()))?;
    Ok((text, value))
}
