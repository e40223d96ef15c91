//! The handles of an engine: a set of models on one thread pool, one model of it, a conversation's claim.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::core::{Claim, Command, Core, Opening};
use super::lane::{EngineOptions, EngineParts, Lane, Vocabulary};
use super::memory::Memory;
use super::runner::ModelRunner;
use super::sequence::{Reply, SessionId};
use super::stats::EngineStats;
use super::{ChatError, Completion, GenerateRequest, ScoreRequest};
use crate::kernels::PAGE_TOKENS;
use crate::model::KvPool;

/// Models that run together: one thread takes their requests and lets one of them step at a time, so that they never compete
/// for cores. What each gives does not depend on the others.
pub struct EngineSet {
    commands: Mutex<Option<Sender<Command>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    next_session: AtomicU64,
}

/// A handle to one running model; the last one of a set to go stops the set.
pub struct Engine {
    set: Arc<EngineSet>,
    lane: usize,
    stats: Arc<EngineStats>,
    context_tokens: usize,
    reservable_pages: usize,
}

/// A conversation's claim on the memory of its models, given back when dropped.
pub struct EngineSession {
    id: SessionId,
    set: Arc<EngineSet>,
    /// Models with the longest view that was reserved of each, in tokens.
    longest: Vec<(usize, usize)>,
}

impl Drop for EngineSession {
    fn drop(&mut self) {
        let _ = self.set.send(Command::Close(self.id));
    }
}

impl EngineSet {
    /// Starts models on a thread of their own; their handles come in the same order. They should share one thread pool.
    ///
    /// # Errors
    /// When a tokenizer cannot carry grammars.
    ///
    /// # Panics
    /// When the system cannot start a thread.
    pub fn start(models: Vec<EngineParts>) -> Result<Vec<Arc<Engine>>, String> {
        keep_freed_memory();
        let mut lanes = Vec::new();
        let mut facts = Vec::new();
        for parts in models {
            let stats = Arc::clone(&parts.stats);
            let context_tokens = parts.options.context_tokens;
            let lane = Lane::new(parts)?;
            facts.push((stats, context_tokens, lane.memory.reservable()));
            lanes.push(lane);
        }
        let (commands, inbox) = channel();
        let core = Core::new(inbox, lanes);
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || core.run())
            .expect("the system can start a thread");
        let set = Arc::new(Self {
            commands: Mutex::new(Some(commands)),
            thread: Mutex::new(Some(thread)),
            next_session: AtomicU64::new(0),
        });
        let engine = |(lane, (stats, context_tokens, reservable_pages))| {
            Arc::new(Engine {
                set: Arc::clone(&set),
                lane,
                stats,
                context_tokens,
                reservable_pages,
            })
        };
        Ok(facts.into_iter().enumerate().map(engine).collect())
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
}

impl Drop for EngineSet {
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

impl Engine {
    /// Starts one model alone.
    ///
    /// # Errors
    /// When the tokenizer cannot carry grammars.
    pub fn start(
        runner: ModelRunner,
        pool: KvPool,
        vocabulary: Vocabulary,
        options: EngineOptions,
    ) -> Result<Arc<Self>, String> {
        let parts = EngineParts {
            runner,
            pool,
            vocabulary,
            options,
            stats: Arc::default(),
        };
        let mut engines = EngineSet::start(vec![parts])?;
        Ok(engines.pop().expect("one model, one handle"))
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

    /// The same in a pool of so many tokens.
    #[must_use]
    pub fn room_in(pool_tokens: usize, views: &[usize]) -> usize {
        Memory::reservable_of(pool_tokens / PAGE_TOKENS) / Memory::worst_case(views)
    }

    /// Tokens of the smallest pool that holds one session with these views.
    #[must_use]
    pub fn pool_for(views: &[usize]) -> usize {
        Memory::pool_for(Memory::worst_case(views)) * PAGE_TOKENS
    }

    /// Waits until the worst case of a conversation's views (tokens each) can be reserved. First come, first served.
    ///
    /// # Errors
    /// When it could never be, or the engine has stopped.
    pub async fn open(self: &Arc<Self>, views: &[usize]) -> Result<EngineSession, ChatError> {
        Self::open_together(&[(self, views)]).await
    }

    /// The same for a conversation that several models of one set take part in, each named once, with its own views: all is
    /// reserved at once.
    ///
    /// # Errors
    /// As for [`Self::open`]; also when the models do not run together.
    pub async fn open_together(
        models: &[(&Arc<Self>, &[usize])],
    ) -> Result<EngineSession, ChatError> {
        let Some(((first, _), others)) = models.split_first() else {
            return Err(ChatError::Stopped("a session without a model".into()));
        };
        let set = &first.set;
        let apart = |(engine, _): &(&Arc<Self>, _)| !Arc::ptr_eq(&engine.set, set);
        if others.iter().any(apart) {
            return Err(ChatError::Stopped("its models do not run together".into()));
        }
        let mut claims = Vec::new();
        for (engine, views) in models {
            let pages = Memory::worst_case(views);
            if pages > engine.reservable_pages {
                return Err(ChatError::Pool {
                    needed_tokens: pages * PAGE_TOKENS,
                    pool_tokens: engine.reservable_pages * PAGE_TOKENS,
                });
            }
            claims.push(Claim {
                lane: engine.lane,
                pages,
                views: views.len(),
            });
        }
        let longest = models
            .iter()
            .map(|(engine, views)| (engine.lane, views.iter().copied().max().unwrap_or(0)))
            .collect();
        let id = SessionId(set.next_session.fetch_add(1, Ordering::Relaxed));
        // Made before the wait, so that a caller who gives up waiting gives back what it may have been granted.
        let session = EngineSession {
            id,
            set: Arc::clone(set),
            longest,
        };
        set.call(|reply| Command::Open(Opening { id, claims, reply }))
            .await?;
        Ok(session)
    }

    /// Makes a reply.
    ///
    /// # Errors
    /// When the prompt outgrows the context or what the session reserved, the grammar fails, or numbers go wrong.
    pub async fn generate(
        &self,
        session: &EngineSession,
        request: GenerateRequest,
    ) -> Result<Completion, ChatError> {
        self.fits(session, request.prompt.len(), 1, request.max_new_tokens)?;
        let request = Box::new(request);
        self.set
            .call(|reply| Command::Generate {
                lane: self.lane,
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
        let longest = request.continuations.iter().map(Vec::len).max();
        let longest = longest.unwrap_or(0);
        self.fits(session, request.prompt.len(), longest, longest)?;
        let request = Box::new(request);
        self.set
            .call(|reply| Command::Score {
                lane: self.lane,
                session: session.id,
                request,
                reply,
            })
            .await
    }

    /// Refuses what has no place: `least` new tokens in the context, `most` in what the session reserved. Pages beyond the
    /// reserved ones might be there or not, as others need them; whether a reply is made must not depend on that.
    fn fits(
        &self,
        session: &EngineSession,
        prompt_tokens: usize,
        least: usize,
        most: usize,
    ) -> Result<(), ChatError> {
        let context_tokens = self.context_tokens;
        if prompt_tokens == 0 {
            return Err(ChatError::Template("the prompt is empty".into()));
        }
        if prompt_tokens + least > context_tokens {
            return Err(ChatError::Context {
                prompt_tokens,
                new_tokens: least,
                context_tokens,
            });
        }
        let reserved = session.longest.iter().find(|(lane, _)| *lane == self.lane);
        let Some((_, reserved_tokens)) = reserved else {
            return Err(ChatError::Stopped(
                "its session has no room in this model".into(),
            ));
        };
        if prompt_tokens + most.min(context_tokens - prompt_tokens) > *reserved_tokens {
            return Err(ChatError::Room {
                prompt_tokens,
                new_tokens: most,
                reserved_tokens: *reserved_tokens,
            });
        }
        Ok(())
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
