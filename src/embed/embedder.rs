use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::LoadError;
use super::config::EncoderConfig;
use super::encoder::Encoder;
use super::modules::{Modules, Pooling};
use super::tokens::Tokens;
use crate::brief::brief;
use crate::hub::{self, CachePlaces, ModelFiles, ModelFormat, ModelRef};
use crate::kernels::{Cpu, InstructionSet, Threads};
use crate::metrics::semantic::{Embed, EmbedError};
use crate::model::{TokenId, Weights};

/// Tokens that pass through the layers together; a text longer than that goes alone.
const STEP_TOKENS: usize = 1024;
/// Texts that are tokenised together.
const STEP_TEXTS: usize = 256;

/// A model that turns texts into vectors of unit length.
pub struct Embedder {
    name: String,
    hidden: usize,
    pooling: Vec<Pooling>,
    assumed: bool,
    tokens: Tokens,
    encoder: Encoder,
    cpu: Cpu,
    cut: AtomicUsize,
}

impl Embedder {
    /// Finds a model by its reference, as chat models are found, and loads it.
    ///
    /// # Errors
    /// When nothing is there, or it is no embedder that is read here: says which file, what in it, and what was expected.
    pub fn find(reference: &str, places: &CachePlaces, threads: usize) -> Result<Self, LoadError> {
        if reference == "demo" || reference == "scripted" || reference.starts_with("scripted:") {
            return Err(LoadError::Chat {
                reference: reference.to_owned(),
            });
        }
        match ModelRef::parse(reference)? {
            ModelRef::Folder(folder) => {
                // The place on this machine is nobody's business in a report.
                let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                let name = whole.file_name().unwrap_or(whole.as_os_str());
                Self::load(&folder, &name.to_string_lossy(), threads)
            }
            ModelRef::Repo {
                repo,
                revision,
                gguf: None,
            } => {
                let folder = hub::folder_of(&repo, &revision, places)?;
                Self::load(&folder, reference, threads)
            }
            ModelRef::Gguf(_) | ModelRef::Repo { .. } => Err(LoadError::Gguf {
                reference: reference.to_owned(),
            }),
        }
    }

    /// Loads the model in a folder; `name` is what reports call it.
    ///
    /// # Errors
    /// As [`Embedder::find`].
    pub fn load(folder: &Path, name: &str, threads: usize) -> Result<Self, LoadError> {
        let modules = Modules::read(folder)?;
        let files = ModelFiles::encoder_in_folder(&modules.folder)?;
        let ModelFormat::HuggingFace(side) = &files.format else {
            return Err(LoadError::Gguf {
                reference: name.to_owned(),
            });
        };
        let config = EncoderConfig::read(&side.config)?;
        let weights = Weights::open(&files.weights)?;
        let tokens = Tokens::read(
            side,
            modules.most_tokens,
            config.longest(),
            config.vocabulary,
        )?;
        Ok(Self {
            name: name.to_owned(),
            hidden: config.hidden,
            tokens: tokens.with(modules.lowercase, modules.prompt),
            pooling: modules.pooling,
            assumed: modules.assumed,
            encoder: Encoder::load(config, &weights)?,
            cpu: Cpu {
                threads: Threads::new(threads),
                set: InstructionSet::detect(),
            },
            cut: AtomicUsize::new(0),
        })
    }

    /// Numbers of a vector.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.hidden * self.pooling.len()
    }

    /// Tokens of a text that are read at most, those around it included; what is longer is cut at its end.
    #[must_use]
    pub fn most_tokens(&self) -> usize {
        self.tokens.most
    }

    /// Whether the mean of its tokens is assumed to be a text's vector, as no `modules.json` says so.
    #[must_use]
    pub fn assumes_mean(&self) -> bool {
        self.assumed
    }

    /// How many texts were cut so far.
    #[must_use]
    pub fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }

    fn failed(&self, text: &str, reason: impl std::fmt::Display) -> EmbedError {
        let begin: String = text.chars().take(40).collect();
        EmbedError {
            model: self.name.clone(),
            reason: format!("{}, at the text that begins {begin:?}", brief(reason)),
        }
    }

    /// The ids of some texts.
    fn ids(&self, texts: &[&str]) -> Result<Vec<Vec<TokenId>>, EmbedError> {
        let made: Vec<OnceLock<_>> = texts.iter().map(|_| OnceLock::new()).collect();
        self.cpu.threads.run(texts.len(), &|i| {
            let _ = made[i].set(self.tokens.of(texts[i]));
        });
        let mut all = Vec::new();
        for (made, text) in made.into_iter().zip(texts) {
            let made = made.into_inner().expect("every text was tokenised");
            let (ids, cut) = made.map_err(|error| self.failed(text, error))?;
            self.cut.fetch_add(usize::from(cut), Ordering::Relaxed);
            all.push(ids);
        }
        Ok(all)
    }

    /// The vector of a text from its rows.
    fn pooled(&self, rows: &[f32]) -> Option<Vec<f32>> {
        let n = self.hidden;
        let mut vector: Vec<f64> = Vec::with_capacity(self.dimensions());
        for pooling in &self.pooling {
            let column = |j: usize| rows.iter().skip(j).step_by(n).map(|x| f64::from(*x));
            #[expect(clippy::cast_precision_loss, reason = "texts are short")]
            let count = (rows.len() / n) as f64;
            vector.extend((0..n).map(|j| match pooling {
                Pooling::First => f64::from(rows[j]),
                Pooling::Max => column(j).fold(f64::NEG_INFINITY, f64::max),
                Pooling::Mean => column(j).sum::<f64>() / count,
            }));
        }
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "vectors are f32")]
        let unit = |x: f64| (x / length) as f32;
        (length.is_finite() && length > 0.0).then(|| vector.into_iter().map(unit).collect())
    }
}

impl Embed for Embedder {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for some in texts.chunks(STEP_TEXTS) {
            let ids = self.ids(some)?;
            let mut next = 0;
            while next < ids.len() {
                let (mut flat, mut spans) = (Vec::new(), Vec::<Range<usize>>::new());
                while let Some(own) = ids.get(next + spans.len())
                    && (flat.is_empty() || flat.len() + own.len() <= STEP_TOKENS)
                {
                    spans.push(flat.len()..flat.len() + own.len());
                    flat.extend_from_slice(own);
                }
                let rows = self.encoder.forward(&flat, &spans, &self.cpu);
                for (span, text) in spans.iter().zip(&some[next..]) {
                    let rows = &rows[span.start * self.hidden..span.end * self.hidden];
                    let vector = self.pooled(rows);
                    vectors.push(vector.ok_or_else(|| {
                        self.failed(
                            text,
                            "the model computes no direction (zero, NaN or infinity)",
                        )
                    })?);
                }
                next += spans.len();
            }
        }
        Ok(vectors)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
