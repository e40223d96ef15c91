//! The engine: one thread that takes requests, runs steps and answers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use toktrie::SimpleVob;

use super::constraint::Grammars;
use super::memory::Memory;
use super::runner::{End, ModelRunner};
use super::scheduler::Scheduler;
use super::sequence::{Generation, Reply, ScoreJob, ScoreResults, Sequence, SessionId, Work};
use super::stats::EngineStats;
use super::{ChatError, Completion, GenerateRequest, ScoreRequest, TokenId};
use crate::kernels::PAGE_TOKENS;

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

enum Command {
    Open {
        id: SessionId,
        pages: usize,
        views: usize,
        reply: Reply<()>,
    },
    Close(SessionId),
    Generate {
        session: SessionId,
        request: Box<GenerateRequest>,
        reply: Reply<Completion>,
    },
    Score {
        session: SessionId,
        request: Box<ScoreRequest>,
        reply: Reply<Vec<Vec<f32>>>,
    },
}

/// A handle to a running engine; the last one to go stops it.
pub struct Engine {
    commands: Mutex<Option<Sender<Command>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stats: Arc<EngineStats>,
    context_tokens: usize,
    reservable_pages: usize,
    next_session: std::sync::atomic::AtomicU64,
}

/// A conversation's claim on the engine's memory, given back when dropped.
pub struct EngineSession {
    id: SessionId,
    engine: Arc<Engine>,
}

impl Drop for EngineSession {
    fn drop(&mut self) {
        let _ = self.engine.send(Command::Close(self.id));
    }
}

impl Engine {
    /// Starts the engine's thread.
    ///
    /// # Errors
    /// When the tokenizer cannot carry grammars.
    ///
    /// # Panics
    /// When the system cannot start a thread.
    pub fn start(
        runner: ModelRunner,
        memory_pages: crate::model::KvPool,
        vocabulary: Vocabulary,
        options: EngineOptions,
    ) -> Result<Arc<Self>, String> {
        keep_freed_memory();
        let grammars = vocabulary
            .environment
            .as_ref()
            .map(Grammars::new)
            .transpose()?;
        let stats = Arc::new(EngineStats::default());
        let memory = Memory::new(memory_pages, options.reuse);
        let reservable_pages = memory.reservable();
        let (commands, inbox) = channel();
        let mut drawable = SimpleVob::alloc(runner.decoder.spec.vocab_size);
        for (id, &flag) in vocabulary.drawable.iter().enumerate().take(drawable.len()) {
            drawable.set(id, flag);
        }
        let core = Core {
            inbox,
            open: true,
            memory,
            scheduler: Scheduler::default(),
            runner,
            vocabulary,
            drawable,
            grammars,
            options,
            stats: Arc::clone(&stats),
            opening: VecDeque::new(),
            closing: BTreeSet::new(),
            next_order: 0,
        };
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || core.run())
            .expect("the system can start a thread");
        Ok(Arc::new(Self {
            commands: Mutex::new(Some(commands)),
            thread: Mutex::new(Some(thread)),
            stats,
            context_tokens: options.context_tokens,
            reservable_pages,
            next_session: std::sync::atomic::AtomicU64::new(0),
        }))
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> &EngineStats {
        &self.stats
    }

    /// Longest sequence, in tokens.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// How many sessions with these views (tokens each) the pages hold at once, nothing shared.
    #[must_use]
    pub fn room_for(&self, views: &[usize]) -> usize {
        self.reservable_pages / Memory::worst_case(views)
    }

    /// Tokens of the smallest pool that holds one session with these views.
    #[must_use]
    pub fn pool_for(&self, views: &[usize]) -> usize {
        Memory::pool_for(Memory::worst_case(views)) * PAGE_TOKENS
    }

    fn send(&self, command: Command) -> Result<(), ChatError> {
        let stopped = || ChatError::Stopped("its thread has ended".into());
        let guard = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        guard
            .as_ref()
            .ok_or_else(stopped)?
            .send(command)
            .map_err(|_| stopped())
    }

    async fn call<T>(&self, make: impl FnOnce(Reply<T>) -> Command) -> Result<T, ChatError> {
        let (reply, answer) = oneshot::channel();
        self.send(make(reply))?;
        answer
            .await
            .unwrap_or_else(|_| Err(ChatError::Stopped("its thread has ended".into())))
    }

    /// Waits until the worst case of a conversation's views (tokens each) can be reserved. First come, first served.
    ///
    /// # Errors
    /// When it could never be, or the engine has stopped.
    pub async fn open(self: &Arc<Self>, views: &[usize]) -> Result<EngineSession, ChatError> {
        let pages = Memory::worst_case(views);
        if pages > self.reservable_pages {
            let pool_tokens = self.reservable_pages * PAGE_TOKENS;
            return Err(ChatError::Pool {
                needed_tokens: pages * PAGE_TOKENS,
                pool_tokens,
            });
        }
        let id = SessionId(
            self.next_session
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        );
        // Made before the wait, so that a caller who gives up waiting gives back what it may have been granted.
        let session = EngineSession {
            id,
            engine: Arc::clone(self),
        };
        self.call(|reply| Command::Open {
            id,
            pages,
            views: views.len(),
            reply,
        })
        .await?;
        Ok(session)
    }

    /// Makes a reply.
    ///
    /// # Errors
    /// When the prompt outgrows the context, the grammar fails, or numbers go wrong.
    pub async fn generate(
        &self,
        session: &EngineSession,
        request: GenerateRequest,
    ) -> Result<Completion, ChatError> {
        self.fits(request.prompt.len(), 1)?;
        let request = Box::new(request);
        self.call(|reply| Command::Generate {
            session: session.id,
            request,
            reply,
        })
        .await
    }

    /// Log-probabilities of every token of the given continuations.
    ///
    /// # Errors
    /// When a text outgrows the context or numbers go wrong.
    pub async fn score(
        &self,
        session: &EngineSession,
        request: ScoreRequest,
    ) -> Result<Vec<Vec<f32>>, ChatError> {
        self.fits(
            request.prompt.len(),
            request
                .continuations
                .iter()
                .map(Vec::len)
                .max()
                .unwrap_or(0),
        )?;
        let request = Box::new(request);
        self.call(|reply| Command::Score {
            session: session.id,
            request,
            reply,
        })
        .await
    }

    fn fits(&self, prompt_tokens: usize, new_tokens: usize) -> Result<(), ChatError> {
        let context_tokens = self.context_tokens;
        if prompt_tokens == 0 {
            return Err(ChatError::Template("the prompt is empty".into()));
        }
        if prompt_tokens + new_tokens > context_tokens {
            return Err(ChatError::Context {
                prompt_tokens,
                new_tokens,
                context_tokens,
            });
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// Tells the allocator to keep what a step frees: the next step asks for the same sizes again, and memory fresh from the
/// system costs a fault and a clearing per page.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: changes thresholds of the allocator only.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 512 << 20);
    }
}

/// A session that waits for its pages.
struct Opening {
    id: SessionId,
    pages: usize,
    views: usize,
    reply: Reply<()>,
}

/// The engine thread's own state.
struct Core {
    inbox: Receiver<Command>,
    open: bool,
    memory: Memory,
    scheduler: Scheduler,
    runner: ModelRunner,
    vocabulary: Vocabulary,
    /// The vocabulary's drawable ids as grammars write theirs: a bit each.
    drawable: SimpleVob,
    grammars: Option<Grammars>,
    options: EngineOptions,
    stats: Arc<EngineStats>,
    /// Sessions waiting for pages, in order.
    opening: VecDeque<Opening>,
    /// Sessions that have ended since the last step.
    closing: BTreeSet<SessionId>,
    next_order: u64,
}

impl Core {
    fn run(mut self) {
        while self.open || !self.scheduler.is_idle() {
            self.receive();
            self.close();
            self.admit();
            self.scheduler.admit_branches(&mut self.memory);
            if !self.scheduler.is_idle() {
                let started = Instant::now();
                self.step();
                EngineStats::add_time(&self.stats.step_ns, started.elapsed());
            }
        }
    }

    /// Takes what has arrived; waits for something when idle.
    fn receive(&mut self) {
        if self.scheduler.is_idle() && self.open {
            // A timeout lets abandoned openings be noticed.
            match self.inbox.recv_timeout(Duration::from_millis(500)) {
                Ok(command) => self.handle(command),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.open = false,
            }
        }
        loop {
            match self.inbox.try_recv() {
                Ok(command) => self.handle(command),
                Err(std::sync::mpsc::TryRecvError::Empty) => return,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.open = false;
                    return;
                }
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Open {
                id,
                pages,
                views,
                reply,
            } => self.opening.push_back(Opening {
                id,
                pages,
                views,
                reply,
            }),
            Command::Close(id) => drop(self.closing.insert(id)),
            Command::Generate {
                session,
                request,
                reply,
            } => self.start_generation(session, *request, reply),
            Command::Score {
                session,
                request,
                reply,
            } => self.start_score(session, *request, reply),
        }
    }

    /// Closes the sessions that have ended and drops what nobody waits for: one pass for all that arrived together.
    fn close(&mut self) {
        let closing = std::mem::take(&mut self.closing);
        self.scheduler
            .sweep(&mut self.memory, |session| closing.contains(&session));
        if closing.is_empty() {
            return;
        }
        self.opening
            .retain(|opening| !closing.contains(&opening.id));
        for id in closing {
            self.memory.close(id);
        }
    }

    /// Opens sessions in order while there is room.
    fn admit(&mut self) {
        while let Some(next) = self.opening.front() {
            if !self.memory.open(next.id, next.pages, next.views) {
                return;
            }
            if let Some(opened) = self.opening.pop_front() {
                // Whoever no longer waits for it closes it.
                let _ = opened.reply.send(Ok(()));
            }
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

    fn start_generation(
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

    fn start_score(
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

    fn step(&mut self) {
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
