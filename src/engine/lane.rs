//! One model of an engine: its pages, its sequences, its weights; what turns requests for it into sequences, and steps into
//! answers.

use std::sync::Arc;
use std::time::Instant;

use toktrie::SimpleVob;

use super::constraint::Grammars;
use super::memory::Memory;
use super::runner::{End, ModelRunner};
use super::scheduler::Scheduler;
use super::sequence::{Generation, Reply, ScoreJob, ScoreResults, Sequence, SessionId, Work};
use super::stats::EngineStats;
use super::{ChatError, Completion, GenerateRequest, ScoreRequest, TokenId};
use crate::model::KvPool;

/// Text of a run of ids.
pub type Decode = Box<dyn Fn(&[TokenId]) -> String + Send + Sync>;

/// What the engine must know of a vocabulary.
pub struct Vocabulary {
    /// Whether an id may be drawn; ids beyond the list (padding of the embedding) never are, nor should control ids that
    /// end nothing.
    pub drawable: Vec<bool>,
    /// Ids that end a reply.
    pub end: Vec<TokenId>,
    /// Text of a run of ids.
    pub decode: Decode,
    /// The tokenizer as grammars see it.
    pub environment: Option<toktrie::TokEnv>,
}

/// How an engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Rows of a step at most, while prompts are waiting.
    pub step_tokens: usize,
    /// Longest sequence, in tokens.
    pub context_tokens: usize,
    /// Off only to measure what prefix reuse is worth.
    pub reuse: bool,
}

/// A model to be run: its weights, room for keys and values, its vocabulary.
pub struct EngineParts {
    pub runner: ModelRunner,
    pub pool: KvPool,
    pub vocabulary: Vocabulary,
    pub options: EngineOptions,
    /// Where its work is counted.
    pub stats: Arc<EngineStats>,
}

/// A model under way; the engine's thread owns it.
pub(super) struct Lane {
    pub memory: Memory,
    pub scheduler: Scheduler,
    runner: ModelRunner,
    vocabulary: Vocabulary,
    /// The vocabulary's drawable ids as grammars write theirs: a bit each.
    drawable: SimpleVob,
    grammars: Option<Grammars>,
    options: EngineOptions,
    stats: Arc<EngineStats>,
    next_order: u64,
}

impl Lane {
    /// # Errors
    /// When the tokenizer cannot carry grammars.
    pub fn new(parts: EngineParts) -> Result<Self, String> {
        let EngineParts {
            runner,
            pool,
            vocabulary,
            options,
            stats,
        } = parts;
        let grammars = vocabulary
            .environment
            .as_ref()
            .map(Grammars::new)
            .transpose()?;
        let mut drawable = SimpleVob::alloc(runner.decoder.spec.vocab_size);
        for (id, &flag) in vocabulary.drawable.iter().enumerate().take(drawable.len()) {
            drawable.set(id, flag);
        }
        Ok(Self {
            memory: Memory::new(pool, options.reuse),
            scheduler: Scheduler::default(),
            runner,
            vocabulary,
            drawable,
            grammars,
            options,
            stats,
            next_order: 0,
        })
    }

    /// Sequences that would be part of the next step, more or less; 0 when there is nothing to do.
    pub fn ready(&self) -> usize {
        if self.scheduler.is_idle() {
            0
        } else {
            self.scheduler.running.len().max(1)
        }
    }

    fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    fn begin(&mut self, session: SessionId, tokens: Vec<TokenId>, logits_from: usize, work: Work) {
        let order = self.order();
        let sequence = Sequence {
            session,
            order,
            tokens,
            computed: 0,
            pages: Vec::new(),
            logits_from,
            reused: 0,
            work,
        };
        self.scheduler.add(sequence, &mut self.memory);
    }

    pub fn start_generation(
        &mut self,
        session: SessionId,
        request: GenerateRequest,
        reply: Reply<Completion>,
    ) {
        let constraint = match (&request.grammar, &self.grammars) {
            (None, _) => None,
            (Some(_), None) => {
                let _ = reply.send(Err(ChatError::Grammar(
                    "this tokenizer cannot carry grammars".into(),
                )));
                return;
            }
            (Some(grammar), Some(grammars)) => match grammars.start(grammar) {
                Ok(constraint) => Some(constraint),
                Err(error) => {
                    let _ = reply.send(Err(ChatError::Grammar(error)));
                    return;
                }
            },
        };
        EngineStats::add(&self.stats.prompt_tokens, request.prompt.len());
        let (tokens, from) = (request.prompt.clone(), request.prompt.len() - 1);
        self.begin(
            session,
            tokens,
            from,
            Work::Generate(Box::new(Generation {
                request,
                constraint,
                reply,
            })),
        );
    }

    pub fn start_score(
        &mut self,
        session: SessionId,
        request: ScoreRequest,
        reply: Reply<Vec<Vec<f32>>>,
    ) {
        EngineStats::add(&self.stats.prompt_tokens, request.prompt.len());
        if request.continuations.is_empty() || request.continuations.iter().any(Vec::is_empty) {
            let _ = reply.send(Err(ChatError::Grammar(
                "a continuation to score is empty".into(),
            )));
            return;
        }
        let job = ScoreJob { request, reply };
        let start = job.request.prompt[..job.request.prompt.len() - 1].to_vec();
        if start.is_empty() {
            self.branch(session, job);
        } else {
            let len = start.len();
            self.begin(session, start, len, Work::ScoreStart(Box::new(job)));
        }
    }

    /// The shared start is computed: one sequence for each continuation.
    fn branch(&mut self, session: SessionId, job: ScoreJob) {
        let ScoreJob { request, reply } = job;
        let first = request.prompt.len();
        let results = ScoreResults::new(request.continuations.len(), reply);
        for (index, targets) in request.continuations.into_iter().enumerate() {
            // The last token is only looked up, never an input.
            let tokens = [request.prompt.as_slice(), &targets[..targets.len() - 1]].concat();
            let work = Work::Branch {
                job: Arc::clone(&results),
                index,
                targets,
                log_probabilities: Vec::new(),
            };
            self.begin(session, tokens, first - 1, work);
        }
    }

    /// Runs one step.
    pub fn step(&mut self) {
        let started = Instant::now();
        self.compute();
        EngineStats::add_time(&self.stats.step_ns, started.elapsed());
    }

    fn compute(&mut self) {
        let plan = self
            .scheduler
            .plan(self.options.step_tokens, &mut self.memory);
        if plan.parts.is_empty() {
            return;
        }
        self.stats.peak_pages.fetch_max(
            self.memory.used() as u64,
            std::sync::atomic::Ordering::Relaxed,
        );
        let outcome = self.runner.step(
            &plan,
            &mut self.scheduler.running,
            &self.memory.kv,
            &self.vocabulary,
            &self.drawable,
        );
        EngineStats::add_time(&self.stats.forward_ns, outcome.forward);
        EngineStats::add_time(&self.stats.mask_ns, outcome.masks);
        EngineStats::add(&self.stats.steps, 1);
        EngineStats::add(&self.stats.prefill_tokens, outcome.prefill_tokens);
        EngineStats::add(&self.stats.new_tokens, outcome.new_tokens);
        EngineStats::add(&self.stats.attended_tokens, outcome.attended_tokens);
        let (places, ends): (Vec<usize>, Vec<End>) = outcome.ended.into_iter().unzip();
        let ended = self.scheduler.take(&places, &mut self.memory);
        for (sequence, end) in ended.into_iter().zip(ends) {
            if let Some((session, job)) = self.retire(sequence, end) {
                self.branch(session, job);
            }
        }
    }

    /// Answers for a sequence that has ended; a score whose shared start is computed goes on with its branches.
    fn retire(&mut self, sequence: Sequence, end: End) -> Option<(SessionId, ScoreJob)> {
        match end {
            End::Failed(error) => {
                self.memory.discard(&sequence);
                sequence.fail(error);
            }
            End::Done { keep, completion } => {
                if matches!(sequence.work, Work::Branch { .. }) {
                    self.memory.discard(&sequence);
                } else {
                    self.memory.detach(&sequence, keep);
                }
                EngineStats::add(&self.stats.reused_tokens, sequence.reused);
                match sequence.work {
                    Work::Generate(generation) => {
                        EngineStats::add(&self.stats.replies, 1);
                        if let Some(completion) = completion {
                            let _ = generation.reply.send(Ok(completion));
                        }
                    }
                    Work::ScoreStart(job) => return Some((sequence.session, *job)),
                    Work::Branch {
                        job,
                        index,
                        log_probabilities,
                        ..
                    } => {
                        EngineStats::add(&self.stats.scores, 1);
                        job.finish(index, log_probabilities);
                    }
                }
            }
        }
        None
    }
}
