//! A chat model computed here: template and tokenizer around an engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::load::{Loaded, Marks, context_tokens, load, processor, start_counted};
use super::{
    Ask, ChatError, Completion, Demand, Engine, EngineSession, EngineSet, EngineStats,
    GenerateRequest, LoadOptions, ModelIdentity, Numerics, Sampling, ScoreRequest, TokenId,
};
use crate::model::template::Thought;
use crate::model::{ChatRole, Encoder, ManifestSampling, ModelError, ModelParts, View};

/// A chat model's files, read; its engine runs while it is loaded. One that plays several roles may be known by several
/// names.
pub struct LocalModel {
    identity: ModelIdentity,
    /// The model's own sampling, under the user's.
    sampling: Sampling,
    encoder: Arc<Encoder>,
    /// What the template gets beside the conversation.
    kwargs: BTreeMap<String, Value>,
    /// Tokens that the template puts around the shortest view.
    frame_tokens: usize,
    seat: Arc<Seat>,
}

/// Where a model runs, whatever it is called.
struct Seat {
    parts: ModelParts,
    numerics: Numerics,
    end: Vec<TokenId>,
    /// Marks of thoughts.
    thoughts: Vec<TokenId>,
    threads: usize,
    stats: Arc<EngineStats>,
    running: Mutex<Option<Running>>,
}

/// An engine under way.
#[derive(Clone)]
struct Running {
    engine: Arc<Engine>,
    pool_tokens: usize,
    weight_bytes: usize,
}

impl std::fmt::Debug for LocalModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalModel")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Loads models that run together on the same threads, each with so many tokens of cache.
///
/// # Errors
/// When weights do not fit the configuration.
pub fn start_together(models: &[(&LocalModel, usize)]) -> Result<(), ModelError> {
    let Some((first, _)) = models.first() else {
        return Ok(());
    };
    let cpu = processor(first.seat.threads);
    let mut facts = Vec::new();
    let mut all = Vec::new();
    for (model, pool_tokens) in models {
        let Seat {
            parts,
            numerics,
            stats,
            ..
        } = &*model.seat;
        let marks = model.seat.marks();
        let stats = Arc::clone(stats);
        let Loaded {
            parts,
            pool_tokens,
            weight_bytes,
            ..
        } = load(parts, marks, *numerics, &cpu, stats, |_| *pool_tokens)?;
        facts.push((pool_tokens, weight_bytes));
        all.push(parts);
    }
    let engines = EngineSet::start(all).map_err(ModelError::Start)?;
    for (((model, _), engine), (pool_tokens, weight_bytes)) in models.iter().zip(engines).zip(facts)
    {
        model.seat.set(Some(Running {
            engine,
            pool_tokens,
            weight_bytes,
        }));
    }
    Ok(())
}

impl Seat {
    fn marks(&self) -> Marks<'_> {
        Marks {
            end: &self.end,
            thoughts: &self.thoughts,
        }
    }

    fn set(&self, running: Option<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn running(&self) -> Option<Running> {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn engine(&self) -> Result<Arc<Engine>, ChatError> {
        let running = self.running();
        running
            .map(|running| running.engine)
            .ok_or_else(|| ChatError::Stopped("the model is not loaded".into()))
    }
}

impl LocalModel {
    /// Reads a model's parts, which must have a chat template. It is not loaded yet.
    ///
    /// # Errors
    /// When template and tokenizer do not work together.
    ///
    /// # Panics
    /// When the parts were read without a template.
    pub fn read(mut parts: ModelParts, options: &LoadOptions) -> Result<Self, ModelError> {
        let template = parts.template.take().expect("read with a template");
        let encoder = Encoder::new(template, Arc::clone(&parts.tokenizer))?;
        let end = encoder.end_ids(&parts.config, parts.generation.as_ref());
        let frame_tokens = framing(&encoder, Thought::Closed)?;
        let manifest = &parts.manifest;
        let unknown = || "UNKNOWN".to_owned();
        let numerics = options.numerics(manifest);
        let identity = ModelIdentity {
            reference: options.reference.clone(),
            hash: parts.hash.clone(),
            profile: numerics.name(),
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
        let seat = Seat {
            thoughts: encoder.think_ids(),
            parts,
            numerics,
            end,
            threads: options.threads,
            stats: Arc::default(),
            running: Mutex::new(None),
        };
        Ok(Self {
            identity,
            sampling: own_sampling(seat.parts.generation.as_ref(), seat.parts.manifest.sampling),
            encoder: Arc::new(encoder),
            kwargs: BTreeMap::new(),
            frame_tokens,
            seat: Arc::new(seat),
        })
    }

    /// Reads a model from its parts and loads it alone.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::load_alone`].
    pub fn start(parts: ModelParts, options: &LoadOptions) -> Result<Self, ModelError> {
        let model = Self::read(parts, options)?;
        model.load_alone(options)?;
        Ok(model)
    }

    /// Loads the model with all the memory that the options allow.
    ///
    /// # Errors
    /// When weights do not fit the configuration, or memory does not hold them.
    pub fn load_alone(&self, options: &LoadOptions) -> Result<(), ModelError> {
        let Seat { parts, stats, .. } = &*self.seat;
        let marks = self.seat.marks();
        let started = start_counted(parts, marks, options, Arc::clone(stats))?;
        self.seat.set(Some(Running {
            engine: started.engine,
            pool_tokens: started.pool_tokens,
            weight_bytes: started.weight_bytes,
        }));
        Ok(())
    }

    /// Ends its engine and gives its memory back.
    pub fn unload(&self) {
        self.seat.set(None);
    }

    /// The same files under another name: one engine.
    #[must_use]
    pub fn called(&self, reference: &str) -> Self {
        Self {
            identity: ModelIdentity {
                reference: reference.to_owned(),
                ..self.identity.clone()
            },
            sampling: self.sampling,
            encoder: Arc::clone(&self.encoder),
            kwargs: self.kwargs.clone(),
            frame_tokens: self.frame_tokens,
            seat: Arc::clone(&self.seat),
        }
    }

    /// The same files behind a template with these variables: one engine.
    ///
    /// # Errors
    /// When the template does not render with them, or ends turns with what the engine does not end replies at.
    pub fn with_kwargs(&self, kwargs: &BTreeMap<String, Value>) -> Result<Self, ModelError> {
        let encoder = self.encoder.with_kwargs(kwargs)?;
        if let Some(end) = encoder.turn_end().filter(|id| !self.seat.end.contains(id)) {
            let name = encoder.tokenizer().name(end).unwrap_or_default();
            return Err(ModelError::Start(format!(
                "its chat template then ends turns with {name:?}, at which replies do not end"
            )));
        }
        Ok(Self {
            identity: self.identity.clone(),
            sampling: self.sampling,
            frame_tokens: framing(&encoder, Thought::Closed)?,
            encoder: Arc::new(encoder),
            kwargs: kwargs.clone(),
            seat: Arc::clone(&self.seat),
        })
    }

    /// What the template gets beside the conversation.
    #[must_use]
    pub fn kwargs(&self) -> &BTreeMap<String, Value> {
        &self.kwargs
    }

    /// Whether both are one engine.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.seat, &other.seat)
    }

    /// What the model needs of memory, before it is loaded: `views` are those of one conversation, `calls` of single calls
    /// beside conversations (tokens each).
    #[must_use]
    pub fn demand(&self, views: &[usize], calls: &[usize]) -> Demand {
        let Seat {
            parts, numerics, ..
        } = &*self.seat;
        Demand::new(
            parts.weights.packed_bytes(numerics.profile) as u64,
            parts.spec.kv_bytes_per_token(numerics.kv) as u64,
            &self.framed(views),
            &self.framed(calls),
        )
    }

    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    #[must_use]
    pub fn context_tokens(&self) -> usize {
        context_tokens(&self.seat.parts)
    }

    /// The model's own sampling (`generation_config.json`).
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Room for passages that the model's manifest asks for.
    #[must_use]
    pub fn passage_tokens(&self) -> Option<u32> {
        self.seat.parts.manifest.passage_tokens
    }

    /// Tokens that the page pool holds; none while it is not loaded.
    #[must_use]
    pub fn pool_tokens(&self) -> usize {
        self.seat.running().map_or(0, |running| running.pool_tokens)
    }

    /// How many conversations with these worst cases (tokens per view) fit at once in a page pool of so many tokens.
    #[must_use]
    pub fn room_in(&self, pool_tokens: usize, worst_case_tokens: &[usize]) -> usize {
        Engine::room_in(pool_tokens, &self.framed(worst_case_tokens))
    }

    /// Bytes of weights, keys and values with which one conversation of these views has room.
    #[must_use]
    pub fn memory_for(&self, worst_case_tokens: &[usize]) -> usize {
        let per_token = self
            .seat
            .parts
            .spec
            .kv_bytes_per_token(self.seat.numerics.kv);
        self.weight_bytes() + self.pool_for(worst_case_tokens) * per_token
    }

    /// Tokens of cache with which one conversation of these views has room.
    #[must_use]
    pub fn pool_for(&self, worst_case_tokens: &[usize]) -> usize {
        Engine::pool_for(&self.framed(worst_case_tokens))
    }

    /// Tokens that the template puts around the shortest view.
    #[must_use]
    pub fn frame_tokens(&self) -> usize {
        self.frame_tokens
    }

    /// Views with what the template puts around them.
    fn framed(&self, worst_case_tokens: &[usize]) -> Vec<usize> {
        let framed = |tokens: &usize| (tokens + self.frame_tokens).min(self.context_tokens());
        worst_case_tokens.iter().map(framed).collect()
    }

    /// Tokens that a thought of at most so many takes, with what opens and closes it.
    #[must_use]
    pub fn thought_room(&self, thinking_tokens: usize) -> usize {
        if thinking_tokens == 0 || self.encoder.think_marks().is_none() {
            return 0;
        }
        let opening = framing(&self.encoder, Thought::Open).unwrap_or_default();
        let closing = self.encoder.closing(false).map_or(0, |ids| ids.len());
        thinking_tokens + opening.saturating_sub(self.frame_tokens) + closing
    }

    /// Threads that compute.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.seat.threads
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let expected = || {
            let Seat {
                parts, numerics, ..
            } = &*self.seat;
            parts.weights.packed_bytes(numerics.profile)
        };
        self.seat
            .running()
            .map_or_else(expected, |running| running.weight_bytes)
    }

    /// Numbers in the weight matrices.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.seat.parts.spec.linear_parameters()
    }

    /// What its engine has done, over all times that it was loaded.
    #[must_use]
    pub fn stats(&self) -> &EngineStats {
        &self.seat.stats
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
        Self::open_together(&[(self, worst_case_tokens)]).await
    }

    /// The same for a conversation that several models take part in, each with its own views.
    ///
    /// # Errors
    /// As for [`Self::open`]; also when a model is not loaded, or not together with the others.
    pub async fn open_together(models: &[(&Self, &[usize])]) -> Result<EngineSession, ChatError> {
        // Names of one engine are one place.
        let mut seats: Vec<(Arc<Engine>, Vec<usize>)> = Vec::new();
        for (model, views) in models {
            let (engine, views) = (model.seat.engine()?, model.framed(views));
            match seats
                .iter_mut()
                .find(|(seat, _)| Arc::ptr_eq(seat, &engine))
            {
                Some((_, held)) => held.extend(views),
                None => seats.push((engine, views)),
            }
        }
        let seats: Vec<(&Arc<Engine>, &[usize])> = seats
            .iter()
            .map(|(engine, views)| (engine, views.as_slice()))
            .collect();
        Engine::open_together(&seats).await
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
        // No later prompt has the thought: it would only take the room of the next one.
        let keep = marks.map(|_| prompt.len());
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
                keep: None,
            };
            let thought = self.seat.engine()?.generate(session, request).await?;
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
            keep,
        };
        let completion = self.seat.engine()?.generate(session, request).await?;
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
        let end = self.encoder.turn_end().or(self.seat.end.first().copied());
        self.weigh_ended(session, view, tail, choices, end).await
    }

    /// The log-probability of each choice as what the next reply begins with.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn weigh(
        &self,
        session: &EngineSession,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, ChatError> {
        self.weigh_ended(session, view, tail, choices, None).await
    }

    async fn weigh_ended(
        &self,
        session: &EngineSession,
        view: &View,
        tail: &str,
        choices: &[&str],
        end: Option<TokenId>,
    ) -> Result<Vec<f32>, ChatError> {
        let prompt = self.prompt(view, Some(tail))?;
        let ended = |choice: &&str| {
            let mut ids = self
                .encoder
                .encode_reply(&prompt, choice)
                .map_err(template)?;
            ids.extend(end);
            Ok(ids)
        };
        let continuations = choices
            .iter()
            .map(ended)
            .collect::<Result<Vec<_>, ChatError>>()?;
        let scores = self
            .seat
            .engine()?
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

/// Tokens of the prompt for the shortest view.
fn framing(encoder: &Encoder, thought: Thought) -> Result<usize, ModelError> {
    let mut shortest = View::with_system("");
    shortest.push(ChatRole::User, "", Vec::new());
    Ok(encoder.encode_thought(&shortest, None, thought)?.ids.len())
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
