//! How a model is loaded, and the engine that runs it.

use std::sync::Arc;

use super::{
    Engine, EngineOptions, EngineParts, EngineSet, EngineStats, ModelRunner, TokenId, Vocabulary,
};
use crate::kernels::{Cpu, InstructionSet, KvType, PAGE_TOKENS, Profile, Threads};
use crate::model::{Decoder, KvPool, Manifest, ModelError, ModelParts, StepBytes};

/// Tokens that one step computes at most while prompts wait.
const STEP_TOKENS: usize = 512;
/// The smallest pool worth starting with.
pub(super) const LEAST_POOL_TOKENS: usize = 4096;
/// Tokens that the pool holds unless memory says less.
pub const POOL_TOKENS: usize = 131_072;
/// The longest context where neither the model nor its manifest asks for less.
const LONGEST_CONTEXT: usize = 32_768;

/// How a model is to be run.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// As the user named the model.
    pub reference: String,
    pub threads: usize,
    /// How the linear layers compute; when not given, as the model's manifest says, and else in 8 bits.
    pub profile: Option<Profile>,
    /// How keys and values are kept; when not given, f32 in profile `f32` and f16 in the others.
    pub kv: Option<KvType>,
    /// Bytes for weights and the page pool together; half of what is available when not given.
    pub memory_bytes: Option<u64>,
    /// Bytes that the system has to spare.
    pub available_bytes: u64,
}

/// What a model's bits depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numerics {
    pub profile: Profile,
    pub kv: KvType,
}

impl Numerics {
    /// What a model gets when nothing is asked for.
    #[must_use]
    pub fn usual(manifest: &Manifest) -> Self {
        let profile = manifest.quant.map_or(Profile::Int8, Profile::from);
        Self {
            profile,
            kv: usual_kv(profile),
        }
    }

    /// The name in run manifests and records: the profile, and the type of keys and values where it is not the usual one.
    #[must_use]
    pub fn name(self) -> String {
        let profile = self.profile.name();
        if self.kv == usual_kv(self.profile) {
            profile.to_owned()
        } else {
            format!("{profile}+kv-{}", self.kv.name())
        }
    }
}

fn usual_kv(profile: Profile) -> KvType {
    match profile {
        Profile::F32 => KvType::F32,
        Profile::Bf16 | Profile::Int8 | Profile::Q4 => KvType::F16,
    }
}

impl LoadOptions {
    /// What is left open, decided for a model.
    #[must_use]
    pub fn numerics(&self, manifest: &Manifest) -> Numerics {
        let profile = self.profile.unwrap_or(Numerics::usual(manifest).profile);
        let kv = self.kv.unwrap_or(usual_kv(profile));
        Numerics { profile, kv }
    }
}

impl LoadOptions {
    /// Bytes for weights and page pools.
    ///
    /// # Errors
    /// When more is allowed than there is.
    pub fn budget(&self) -> Result<u64, ModelError> {
        let budget = self.memory_bytes.unwrap_or(self.available_bytes / 2);
        if self.memory_bytes.is_some() && budget > self.allowable() {
            return Err(ModelError::MemoryPromised {
                allowed_mb: megabytes(budget),
                available_mb: self.allowable() / 1_000_000,
            });
        }
        Ok(budget)
    }

    /// Bytes that may be allowed: activations, logits and grammars come on top of weights and pages.
    #[must_use]
    pub fn allowable(&self) -> u64 {
        self.available_bytes / 10 * 9
    }
}

/// Full megabytes that hold so many bytes.
fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// Threads and instructions that models compute with.
pub(super) fn processor(threads: usize) -> Arc<Cpu> {
    Arc::new(Cpu {
        threads: Threads::new(threads),
        set: InstructionSet::detect(),
    })
}

/// Tokens that a prompt and its reply may have together.
pub(super) fn context_tokens(parts: &ModelParts) -> usize {
    let most = parts.manifest.context_tokens.unwrap_or(LONGEST_CONTEXT);
    parts.spec.max_positions.min(most)
}

/// An engine over a model's parts, and the facts about it.
pub struct Started {
    pub engine: Arc<Engine>,
    pub numerics: Numerics,
    pub pool_tokens: usize,
    pub weight_bytes: usize,
    /// Bytes of weights that every step reads.
    pub step_bytes: StepBytes,
    /// Bytes of keys and values per token.
    pub kv_bytes_per_token: usize,
    /// What computes each class of tensor, for people.
    pub kernels: Vec<(&'static str, String)>,
}

/// A model with its weights packed, ready to run, and the facts about it.
pub(super) struct Loaded {
    pub parts: EngineParts,
    pub pool_tokens: usize,
    pub weight_bytes: usize,
    pub step_bytes: StepBytes,
    pub kernels: Vec<(&'static str, String)>,
}

/// Tokens with a meaning of their own.
#[derive(Clone, Copy)]
pub(super) struct Marks<'a> {
    /// End a reply.
    pub end: &'a [TokenId],
    /// Begin and end thoughts: only drawn where they are a stop.
    pub thoughts: &'a [TokenId],
}

/// Packs weights; `pool_tokens` says how much cache goes with how many bytes of them.
pub(super) fn load(
    parts: &ModelParts,
    marks: Marks<'_>,
    numerics: Numerics,
    cpu: &Arc<Cpu>,
    stats: Arc<EngineStats>,
    pool_tokens: impl FnOnce(usize) -> usize,
) -> Result<Loaded, ModelError> {
    let Numerics { profile, kv } = numerics;
    let spec = &parts.spec;
    let context = context_tokens(parts);
    let decoder = Decoder::load(
        spec.clone(),
        &parts.weights,
        context,
        profile,
        Arc::clone(cpu),
    )?;
    let weight_bytes = decoder.weight_bytes();
    let (step_bytes, kernels) = (decoder.step_bytes(), decoder.kernels(kv));
    let pool_tokens = pool_tokens(weight_bytes);
    let tokenizer = Arc::clone(&parts.tokenizer);
    let mut drawable = vec![true; tokenizer.size().min(spec.vocab_size)];
    let Marks { end, thoughts } = marks;
    let barred = tokenizer.control_ids().filter(|id| !end.contains(id));
    for id in barred.chain(thoughts.iter().copied()) {
        if let Some(flag) = drawable.get_mut(id as usize) {
            *flag = false;
        }
    }
    let vocabulary = Vocabulary {
        drawable,
        end: end.to_vec(),
        stops: thoughts
            .iter()
            .filter_map(|id| Some((*id, tokenizer.name(*id)?)))
            .collect(),
        environment: tokenizer.token_env(end).ok(),
        decode: Box::new(move |ids| tokenizer.reply_text(&[], ids)),
    };
    let options = EngineOptions {
        step_tokens: STEP_TOKENS,
        context_tokens: context,
        reuse: true,
    };
    let runner = ModelRunner {
        decoder,
        cpu: Arc::clone(cpu),
    };
    let parts = EngineParts {
        runner,
        pool: KvPool::new(spec, pool_tokens / PAGE_TOKENS, kv),
        vocabulary,
        options,
        stats,
    };
    Ok(Loaded {
        parts,
        pool_tokens,
        weight_bytes,
        step_bytes,
        kernels,
    })
}

/// Packs weights and starts an engine for them alone; `end` are the ids that end a reply.
///
/// # Errors
/// When weights do not fit the configuration, or memory does not hold them.
pub fn start_engine(
    parts: &ModelParts,
    end: &[TokenId],
    options: &LoadOptions,
) -> Result<Started, ModelError> {
    let marks = Marks { end, thoughts: &[] };
    start_counted(parts, marks, options, Arc::default())
}

/// The same, with its work counted in `stats`.
pub(super) fn start_counted(
    parts: &ModelParts,
    marks: Marks<'_>,
    options: &LoadOptions,
    stats: Arc<EngineStats>,
) -> Result<Started, ModelError> {
    let numerics = options.numerics(&parts.manifest);
    // Told before anything is packed: the system would kill the program half-way.
    let budget = options.budget()?;
    let needs = |numerics: Numerics| {
        let tables = parts.spec.rope_bytes(context_tokens(parts));
        let weights = (parts.weights.packed_bytes(numerics.profile) + tables) as u64;
        let per_token = parts.spec.kv_bytes_per_token(numerics.kv) as u64;
        (weights, LEAST_POOL_TOKENS as u64 * per_token)
    };
    let (expected, least) = needs(numerics);
    if expected + least > budget {
        let (narrow, pool) = needs(Numerics {
            profile: Profile::Int8,
            kv: KvType::F16,
        });
        return Err(ModelError::Memory {
            weights_mb: megabytes(expected),
            pool_mb: megabytes(least),
            allowed_mb: megabytes(budget),
            available_mb: options.allowable() / 1_000_000,
            narrow_mb: (narrow + pool < expected + least).then_some(megabytes(narrow + pool)),
        });
    }
    let kv_bytes_per_token = parts.spec.kv_bytes_per_token(numerics.kv);
    let pool_tokens = |weight_bytes: usize| {
        let spare = budget.saturating_sub(weight_bytes as u64).max(least);
        usize::try_from(spare / kv_bytes_per_token as u64)
            .unwrap_or(POOL_TOKENS)
            .min(POOL_TOKENS)
    };
    let cpu = processor(options.threads);
    let loaded = load(parts, marks, numerics, &cpu, stats, pool_tokens)?;
    let mut engines = EngineSet::start(vec![loaded.parts]).map_err(ModelError::Start)?;
    Ok(Started {
        engine: engines.pop().expect("one model, one handle"),
        pool_tokens: loaded.pool_tokens,
        weight_bytes: loaded.weight_bytes,
        step_bytes: loaded.step_bytes,
        kv_bytes_per_token,
        numerics,
        kernels: loaded.kernels,
    })
}
