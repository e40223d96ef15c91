//! A chat model computed here: template and tokenizer around an engine.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Ask, ChatError, Completion, Engine, EngineOptions, EngineSession, EngineStats, GenerateRequest,
    ModelIdentity, ModelRunner, Sampling, ScoreRequest, TokenId, Vocabulary,
};
use crate::kernels::{Cpu, InstructionSet, KvType, PAGE_TOKENS, Profile, Threads};
use crate::model::template::Thought;
use crate::model::{
    ChatRole, Decoder, Encoder, KvPool, Manifest, ManifestSampling, ModelError, ModelParts,
    ModelSpec, StepBytes, View,
};

/// Tokens that one step computes at most while prompts wait.
const STEP_TOKENS: usize = 512;
/// The smallest pool worth starting with.
const LEAST_POOL_TOKENS: u64 = 4096;
/// Tokens that the pool holds unless memory says less.
pub const POOL_TOKENS: usize = 131_072;

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

/// A chat model, loaded.
pub struct LocalModel {
    identity: ModelIdentity,
    engine: Arc<Engine>,
    encoder: Encoder,
    /// The model's own sampling, under the user's.
    sampling: Sampling,
    end: Vec<TokenId>,
    /// Tokens that the template puts around the shortest view.
    frame_tokens: usize,
    passage_tokens: Option<u32>,
    pool_tokens: usize,
    threads: usize,
    weight_bytes: usize,
    kv_bytes_per_token: usize,
    parameters: usize,
}

impl std::fmt::Debug for LocalModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalModel")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
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

/// Packs weights and starts an engine; `end` are the ids that end a reply.
///
/// # Errors
/// When weights do not fit the configuration, or memory does not hold them.
pub fn start_engine(
    parts: &ModelParts,
    end: &[TokenId],
    options: &LoadOptions,
) -> Result<Started, ModelError> {
    start_engine_with(parts, end, &[], options)
}

/// The same; `marks` of thoughts are only drawn where they are a stop.
fn start_engine_with(
    parts: &ModelParts,
    end: &[TokenId],
    marks: &[TokenId],
    options: &LoadOptions,
) -> Result<Started, ModelError> {
    let spec: &ModelSpec = &parts.spec;
    let context = spec
        .max_positions
        .min(parts.manifest.context_tokens.unwrap_or(32_768));
    let Numerics { profile, kv } = options.numerics(&parts.manifest);
    let budget = options.memory_bytes.unwrap_or(options.available_bytes / 2);
    // Told before anything is packed: the system would kill the program half-way.
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    // Activations, logits and grammars come on top of weights and pages.
    let allowable = options.available_bytes / 10 * 9;
    let available_mb = allowable / 1_000_000;
    if options.memory_bytes.is_some() && budget > allowable {
        return Err(ModelError::MemoryPromised {
            allowed_mb: megabytes(budget),
            available_mb,
        });
    }
    let needs = |profile, kv| {
        let weights = parts.weights.packed_bytes(profile) as u64;
        (
            weights,
            LEAST_POOL_TOKENS * spec.kv_bytes_per_token(kv) as u64,
        )
    };
    let (expected, least) = needs(profile, kv);
    if expected + least > budget {
        let (narrow, pool) = needs(Profile::Int8, KvType::F16);
        return Err(ModelError::Memory {
            weights_mb: megabytes(expected),
            pool_mb: megabytes(least),
            allowed_mb: megabytes(budget),
            available_mb,
            narrow_mb: (narrow + pool < expected + least).then_some(megabytes(narrow + pool)),
        });
    }
    let per_token = spec.kv_bytes_per_token(kv) as u64;
    let cpu = Arc::new(Cpu {
        threads: Threads::new(options.threads),
        set: InstructionSet::detect(),
    });
    let decoder = Decoder::load(
        spec.clone(),
        &parts.weights,
        context,
        profile,
        Arc::clone(&cpu),
    )?;
    let weight_bytes = decoder.weight_bytes();
    let (step_bytes, kernels) = (decoder.step_bytes(), decoder.kernels(kv));
    let spare = budget.saturating_sub(weight_bytes as u64).max(least);
    let pool_tokens = usize::try_from(spare / per_token)
        .unwrap_or(POOL_TOKENS)
        .min(POOL_TOKENS);
    let tokenizer = Arc::clone(&parts.tokenizer);
    let mut drawable = vec![true; tokenizer.size().min(spec.vocab_size)];
    let barred = tokenizer.control_ids().filter(|id| !end.contains(id));
    for id in barred.chain(marks.iter().copied()) {
        if let Some(flag) = drawable.get_mut(id as usize) {
            *flag = false;
        }
    }
    let vocabulary = Vocabulary {
        drawable,
        end: end.to_vec(),
        stops: marks
            .iter()
            .filter_map(|id| Some((*id, tokenizer.name(*id)?)))
            .collect(),
        environment: tokenizer.token_env(end).ok(),
        decode: Box::new(move |ids| tokenizer.reply_text(&[], ids)),
    };
    let setup = EngineOptions {
        step_tokens: STEP_TOKENS,
        context_tokens: context,
        reuse: true,
    };
    let pool = KvPool::new(spec, pool_tokens / PAGE_TOKENS, kv);
    let engine = Engine::start(ModelRunner { decoder, cpu }, pool, vocabulary, setup)
        .map_err(ModelError::Start)?;
    Ok(Started {
        engine,
        pool_tokens,
        weight_bytes,
        step_bytes,
        kv_bytes_per_token: spec.kv_bytes_per_token(kv),
        numerics: Numerics { profile, kv },
        kernels,
    })
}

impl LocalModel {
    /// Starts a model from its parts, which must have a chat template.
    ///
    /// # Errors
    /// As [`start_engine`]; also when template and tokenizer do not work together.
    ///
    /// # Panics
    /// When the parts were read without a template.
    pub fn start(mut parts: ModelParts, options: &LoadOptions) -> Result<Self, ModelError> {
        let template = parts.template.take().expect("read with a template");
        let encoder = Encoder::new(template, Arc::clone(&parts.tokenizer))?;
        let end = encoder.end_ids(&parts.config, parts.generation.as_ref());
        let started = start_engine_with(&parts, &end, &encoder.think_ids(), options)?;
        let mut shortest = View::with_system("");
        shortest.push(ChatRole::User, "", Vec::new());
        let frame_tokens = encoder.encode(&shortest, None)?.ids.len();
        let manifest = &parts.manifest;
        let unknown = || "UNKNOWN".to_owned();
        let identity = ModelIdentity {
            reference: options.reference.clone(),
            hash: parts.hash.clone(),
            profile: options.numerics(manifest).name(),
            licence: manifest
                .output_terms
                .clone()
                .or_else(|| manifest.licence.clone())
                .unwrap_or_else(unknown),
            demo: manifest.demo,
            prompt_pack: manifest
                .prompt_pack
                .clone()
                .unwrap_or_else(|| "full".into()),
        };
        Ok(Self {
            identity,
            engine: started.engine,
            encoder,
            sampling: own_sampling(parts.generation.as_ref(), parts.manifest.sampling),
            end,
            frame_tokens,
            passage_tokens: manifest.passage_tokens,
            pool_tokens: started.pool_tokens,
            threads: options.threads,
            kv_bytes_per_token: started.kv_bytes_per_token,
            weight_bytes: started.weight_bytes,
            parameters: parts.spec.linear_parameters(),
        })
    }

    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.engine.context_tokens()
    }

    /// The model's own sampling (`generation_config.json`).
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Room for passages that the model's manifest asks for.
    #[must_use]
    pub fn passage_tokens(&self) -> Option<u32> {
        self.passage_tokens
    }

    /// Tokens that the page pool holds.
    #[must_use]
    pub fn pool_tokens(&self) -> usize {
        self.pool_tokens
    }

    /// How many conversations with these worst cases (tokens per view) fit in memory at once.
    #[must_use]
    pub fn room_for(&self, worst_case_tokens: &[usize]) -> usize {
        self.engine.room_for(&self.framed(worst_case_tokens))
    }

    /// Bytes of weights, keys and values with which one conversation of these views has room.
    #[must_use]
    pub fn memory_for(&self, worst_case_tokens: &[usize]) -> usize {
        self.weight_bytes + self.pool_for(worst_case_tokens) * self.kv_bytes_per_token
    }

    /// Tokens of cache with which one conversation of these views has room.
    #[must_use]
    pub fn pool_for(&self, worst_case_tokens: &[usize]) -> usize {
        self.engine.pool_for(&self.framed(worst_case_tokens))
    }

    /// Views with what the template puts around them.
    fn framed(&self, worst_case_tokens: &[usize]) -> Vec<usize> {
        let framed = |tokens: &usize| (tokens + self.frame_tokens).min(self.context_tokens());
        worst_case_tokens.iter().map(framed).collect()
    }

    /// Threads that compute.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Numbers in the weight matrices.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    #[must_use]
    pub fn stats(&self) -> &EngineStats {
        self.engine.stats()
    }

    /// The encoder, for showing what a model saw.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Tokens of a text, special-token text counted as plain text.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.encoder
            .tokenizer()
            .encode_plain(text)
            .map_or(text.len(), |ids| ids.len())
    }

    /// Waits until the worst case of a conversation's views can be reserved.
    ///
    /// # Errors
    /// When it could never be.
    pub async fn open(&self, worst_case_tokens: &[usize]) -> Result<EngineSession, ChatError> {
        self.engine.open(&self.framed(worst_case_tokens)).await
    }

    /// One reply to a view.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn reply(
        &self,
        session: &EngineSession,
        ask: Ask<'_>,
    ) -> Result<Completion, ChatError> {
        let marks = self.encoder.think_marks();
        let marks = marks.filter(|_| ask.thinking_tokens > 0);
        let thought = if marks.is_some() {
            Thought::Open
        } else {
            Thought::Closed
        };
        let encoded = self
            .encoder
            .encode_thought(ask.view, ask.tail, thought)
            .map_err(template)?;
        let mut prompt = encoded.ids;
        let context_tokens = self.context_tokens();
        let fits = |prompt: &[TokenId], new_tokens: usize| {
            let prompt_tokens = prompt.len();
            if prompt_tokens + new_tokens <= context_tokens {
                return Ok(());
            }
            Err(ChatError::Context {
                prompt_tokens,
                new_tokens,
                context_tokens,
            })
        };
        let mut thinking_tokens = 0;
        if let Some([_, close]) = marks {
            let closing = self.encoder.closing(false).map_err(template)?.len();
            fits(&prompt, ask.thinking_tokens + closing + ask.max_new_tokens)?;
            let request = GenerateRequest {
                prompt: prompt.clone(),
                max_new_tokens: ask.thinking_tokens,
                sampling: ask.sampling,
                grammar: None,
                stop: vec![close.clone()],
                draw: ask.draw.child("thinking"),
            };
            let thought = self.engine.generate(session, request).await?;
            thinking_tokens = thought.tokens.len();
            // However it ended, it is closed the same way.
            let on_new_line = thought.tokens.is_empty() || thought.text.ends_with('\n');
            prompt.extend(thought.tokens);
            prompt.extend(self.encoder.closing(on_new_line).map_err(template)?);
        }
        fits(&prompt, ask.max_new_tokens)?;
        let request = GenerateRequest {
            prompt,
            max_new_tokens: ask.max_new_tokens,
            sampling: ask.sampling,
            grammar: ask.grammar,
            stop: ask.stop.to_vec(),
            draw: ask.draw,
        };
        let completion = self.engine.generate(session, request).await?;
        Ok(Completion {
            thinking_tokens,
            ..completion
        })
    }

    /// The total log-probability of each choice as the whole next reply, end token included.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn choose(
        &self,
        session: &EngineSession,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, ChatError> {
        let prompt = self.prompt(view, Some(tail))?;
        let ended = |choice: &&str| {
            let mut ids = self
                .encoder
                .encode_reply(&prompt, choice)
                .map_err(template)?;
            ids.extend(self.encoder.turn_end().or(self.end.first().copied()));
            Ok(ids)
        };
        let continuations = choices
            .iter()
            .map(ended)
            .collect::<Result<Vec<_>, ChatError>>()?;
        let scores = self
            .engine
            .score(
                session,
                ScoreRequest {
                    prompt,
                    continuations,
                },
            )
            .await?;
        Ok(scores.iter().map(|tokens| tokens.iter().sum()).collect())
    }

    fn prompt(&self, view: &View, tail: Option<&str>) -> Result<Vec<TokenId>, ChatError> {
        Ok(self.encoder.encode(view, tail).map_err(template)?.ids)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn template(error: crate::model::EncodeError) -> ChatError {
    ChatError::Template(error.to_string())
}

/// A model's own sampling: its manifest's over its `generation_config.json`.
#[expect(clippy::cast_possible_truncation, reason = "sampling is f32")]
fn own_sampling(generation: Option<&Value>, manifest: Option<ManifestSampling>) -> Sampling {
    let number = |key: &str| {
        let value = generation.and_then(|g| g.get(key)).and_then(Value::as_f64);
        value.map(|value| value as f32)
    };
    let plain = Sampling::default();
    let told = manifest.unwrap_or_default();
    let or = |told: Option<f32>, key: &str, plain: f32| told.or(number(key)).unwrap_or(plain);
    let top_k = told
        .top_k
        .map(u64::from)
        .or_else(|| generation?.get("top_k")?.as_u64());
    Sampling {
        temperature: or(told.temperature, "temperature", plain.temperature),
        top_k: top_k.map_or(0, |k| usize::try_from(k).unwrap_or(0)),
        top_p: or(told.top_p, "top_p", plain.top_p),
        min_p: or(told.min_p, "min_p", plain.min_p),
        repetition_penalty: or(
            told.repetition_penalty,
            "repetition_penalty",
            plain.repetition_penalty,
        ),
        presence_penalty: told.presence_penalty.unwrap_or(plain.presence_penalty),
        ..plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_over_the_generation_config() {
        let generation = serde_json::json!({"temperature": 0.6, "top_p": 0.95, "top_k": 20});
        let told = ManifestSampling {
            temperature: Some(0.7),
            top_k: Some(0),
            ..ManifestSampling::default()
        };
        let both = own_sampling(Some(&generation), Some(told));
        assert_eq!((both.temperature, both.top_p, both.top_k), (0.7, 0.95, 0));
        let plain = own_sampling(None, None);
        assert_eq!(format!("{plain:?}"), format!("{:?}", Sampling::default()));
        assert_eq!(own_sampling(Some(&generation), None).top_k, 20);
    }
}
