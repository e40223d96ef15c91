mod judging;
mod places;
mod stages;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, OnceCell};
use tokio::task::{JoinSet, LocalSet};

use super::entry::{EntryRef, PageQueries};
use super::event::{Cancel, EventSink, Progress, RunEvent};
use super::gate::Gate;
use super::journal::Journal;
use super::lock::RunLock;
use super::maker::{Maker, SharedCallLog};
use super::replay::{Replay, SlotHistory, SlotState};
use super::rounds::Rounds;
use super::store::{RunDir, RunError, RunWriter};
use super::timeline::Timeline;
use super::variants::QueryProducts;
use crate::pipeline::{CallLog, CallLogError, CallOutcome};
use crate::quality::Monitor;
use crate::record::{Dialogue, FirstLanguage, Sample};
use crate::settings::Shares;

/// How a session of a run ended.
#[derive(Debug)]
pub struct Summary {
    pub dir: RunDir,
    pub end: End,
    pub progress: Progress,
    /// Still held, so that what follows (an export) is this process's to write; drop it when that is done.
    pub lock: RunLock,
}

/// Why a session of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every place of the plan is finished.
    Complete,
    /// Every place within the limit is.
    Limit,
    /// The time was over before that; what was unfinished goes on next time.
    Time,
    /// A figure was beyond a bound at which the recipe wants the run to stop.
    Bound,
    /// Someone wished to stop; what was unfinished goes on next time.
    Interrupted,
}

impl End {
    /// What a wish to stop leads to.
    fn wished(cancel: &Cancel) -> Self {
        if cancel.is_time() {
            Self::Time
        } else {
            Self::Interrupted
        }
    }
}

/// Carries a run out: takes the unfinished places in plan order, up to `concurrency` at once, makes each until it is kept
/// or out of attempts, and writes everything down. What is made does not depend on `concurrency`, nor on where an earlier
/// session stopped. On `cancel`, live conversations are abandoned where they wait; their calls are not lost. Once it is
/// closing they are finished, and no other is begun.
///
/// `maker` is given the memory of the run's calls. Runs on the current thread; call it from a current-thread runtime.
///
/// # Errors
/// When something cannot be written, or the maker cannot go on. What was written before stays good.
pub async fn carry_out<M: Maker + 'static>(
    writer: RunWriter,
    maker: impl FnOnce(SharedCallLog) -> M,
    concurrency: usize,
    events: EventSink,
    cancel: &Cancel,
) -> Result<Summary, RunError> {
    // The first is dropped last: the journal is closed before another process may write it.
    let RunWriter {
        lock,
        dir,
        journal,
        replay,
        ..
    } = writer;
    let spec = &dir.manifest().spec;
    let state = |slot: u64| replay.state(slot, spec.max_attempts);
    let known = dir.plan(&replay);
    // Nothing is finished before the plan is known.
    let places = known
        .as_ref()
        .map_or(0, |plan| spec.places_of(plan.length(spec.count)));
    let kept = (0..places)
        .filter(|slot| matches!(state(*slot), SlotState::Kept { .. }))
        .count() as u64;
    let finished = (0..places)
        .filter(|slot| state(*slot).is_finished())
        .count() as u64;
    let mut progress = Progress {
        places,
        finished,
        kept,
        ..Progress::default()
    };
    let pages = dir.manifest().pages.len() as u64;
    events(&RunEvent::Started {
        places,
        finished,
        kept,
        pages,
        pages_with_queries: replay.queries.len() as u64,
    });
    let mut timeline = Timeline::open(dir.path());
    let shared = Rc::new(Shared::new(
        maker,
        &dir,
        Arc::clone(&journal),
        &replay,
        Arc::clone(&events),
        cancel,
    )?);

    let work = async {
        let mut plan = match known {
            Some(plan) => plan,
            None => match shared.lay_out(concurrency, cancel).await? {
                Some(sources) => super::Plan::all(spec, &sources),
                None => return Ok(End::wished(cancel)),
            },
        };
        let planned = plan.length(spec.count);
        let places = spec.places_of(planned);
        if progress.places != places {
            progress.places = places;
            events(&RunEvent::Planned { places });
        }
        if shared.maker.in_phases() {
            let plan = plan.clone().take_while(|slot| slot.index < places);
            let open = plan.filter(|slot| !state(slot.index).is_finished());
            if !shared.begin_in_turn(open, concurrency, cancel).await? {
                return Ok(End::wished(cancel));
            }
        }
        let mut next = || {
            plan.by_ref()
                .take_while(|slot| slot.index < places)
                .find_map(|slot| match state(slot.index) {
                    SlotState::Open { attempt } | SlotState::Waiting { attempt } => {
                        Some((slot, attempt))
                    }
                    SlotState::Kept { .. } | SlotState::Exhausted => None,
                })
        };
        let mut live: JoinSet<Result<SlotEnd, RunError>> = JoinSet::new();
        let result = loop {
            while shared.may_begin(live.len(), concurrency) && !cancel.is_closing() {
                let Some((slot, attempt)) = next() else { break };
                let shared = Rc::clone(&shared);
                live.spawn_local(async move { shared.finish(&slot, attempt).await });
            }
            if cancel.is_cancelled() {
                break Ok(End::wished(cancel));
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => break Ok(End::wished(cancel)),
                () = shared.one_more_waits() => {}
                joined = live.join_next() => match joined {
                    None if cancel.is_closing() && next().is_some() => break Ok(End::Time),
                    None => break Ok(if places < planned { End::Limit } else { End::Complete }),
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    Some(Ok(Err(error))) => break Err(error),
                    Some(Ok(Ok(end))) => {
                        progress.finished += 1;
                        progress.kept += u64::from(end.kept);
                        progress.rejected += end.rejected;
                        progress.live = live.len() as u64;
                        progress.tokens = shared.calls.tokens.load(Ordering::Relaxed);
                        timeline.note(&progress);
                        events(&RunEvent::Progress(progress));
                    }
                },
            }
        };
        live.shutdown().await;
        result
    };
    let mut result = LocalSet::new().run_until(work).await;
    if shared.is_halted.get() && matches!(result, Ok(End::Time)) {
        result = Ok(End::Bound);
    }
    let flushed = journal.flush();
    // A failure to write is the cause of whatever else went wrong.
    flushed?;
    progress.live = 0;
    progress.tokens = shared.calls.tokens.load(Ordering::Relaxed);
    if progress.tokens > 0 {
        timeline.write(&progress);
    }
    Ok(Summary {
        end: result?,
        progress,
        dir: dir.clone(),
        lock,
    })
}

/// What the tasks of a run share.
struct Shared<M> {
    maker: M,
    dir: RunDir,
    gate: Option<Gate>,
    monitor: RefCell<Option<Monitor>>,
    cancel: Cancel,
    /// A bound was crossed at which the run is to stop.
    is_halted: Cell<bool>,
    /// What earlier sessions finished at places that are not settled.
    unsettled: BTreeMap<u64, SlotHistory>,
    calls: Arc<Calls>,
    journal: Arc<Journal>,
    queries: BTreeMap<String, OnceCell<PageQueries>>,
    rounds: Mutex<Rounds>,
    /// Products that fit, by question; where all variants are wanted.
    products: RefCell<BTreeMap<String, QueryProducts>>,
    events: EventSink,
    seed: u64,
    languages: Shares<FirstLanguage>,
    max_attempts: u32,
}

/// Places that wait at most for earlier ones, so that these cannot hold back a run's memory.
const MOST_WAITING: usize = 4096;

/// How a place ended.
struct SlotEnd {
    kept: bool,
    rejected: u64,
}

impl<M: Maker> Shared<M> {
    fn new(
        maker: impl FnOnce(SharedCallLog) -> M,
        dir: &RunDir,
        journal: Arc<Journal>,
        replay: &Replay,
        events: EventSink,
        cancel: &Cancel,
    ) -> Result<Self, RunError> {
        let spec = &dir.manifest().spec;
        let cell = |page: String| {
            let known = replay.queries.get(&page).cloned();
            (page, OnceCell::new_with(known))
        };
        let calls = Arc::new(Calls {
            recalled: replay.calls.clone(),
            journal: Arc::clone(&journal),
            events: Arc::clone(&events),
            tokens: AtomicU64::new(0),
        });
        let maker = maker(Arc::clone(&calls) as SharedCallLog);
        let queries = dir.manifest().page_ids().into_iter().map(cell).collect();
        for round in replay.rounds() {
            maker.recall_round(round);
        }
        let per_round = spec.experiences.per_round as usize;
        let rounds = Rounds::new(per_round, spec.max_attempts, replay.rounds());
        let gate = Gate::of(dir, replay, maker.against())?;
        let mut unsettled = BTreeMap::new();
        if gate.is_some() {
            let open = |history: &SlotHistory| !history.state(spec.max_attempts).is_finished();
            let histories = replay.slots.iter().filter(|(_, history)| open(history));
            unsettled.extend(histories.map(|(slot, history)| (*slot, history.clone())));
        }
        Ok(Self {
            gate,
            monitor: RefCell::new(Monitor::new(&spec.monitor)),
            cancel: cancel.clone(),
            is_halted: Cell::new(false),
            unsettled,
            dir: dir.clone(),
            maker,
            calls,
            journal,
            queries,
            rounds: Mutex::new(rounds),
            products: RefCell::new(replay.products.clone()),
            events,
            seed: spec.seed,
            languages: spec.customer.first_language.clone(),
            max_attempts: spec.max_attempts,
        })
    }

    /// Whether one more place may be begun beside those alive. Those that wait for others to be settled need no place in
    /// the batch.
    fn may_begin(&self, live: usize, concurrency: usize) -> bool {
        let waiting = self.gate.as_ref().map_or(0, Gate::waiting);
        live - waiting < concurrency.max(1) && waiting < MOST_WAITING
    }

    /// Until a place has begun to wait for others.
    async fn one_more_waits(&self) {
        match &self.gate {
            Some(gate) => gate.moved.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Lets the monitor see how an attempt ended.
    fn watch(&self, kept: Option<&Dialogue>) {
        let Some(monitor) = &mut *self.monitor.borrow_mut() else {
            return;
        };
        for alarm in monitor.take(kept.map(Sample::of).as_ref()) {
            (self.events)(&RunEvent::Alarm {
                what: alarm.to_string(),
                stops: alarm.stops,
            });
            if alarm.stops {
                self.is_halted.set(true);
                self.cancel.close();
            }
        }
    }
}

/// The journal as the pipeline sees it.
struct Calls {
    /// What earlier sessions left unfinished.
    recalled: BTreeMap<String, CallOutcome>,
    journal: Arc<Journal>,
    events: EventSink,
    tokens: AtomicU64,
}

impl CallLog for Calls {
    fn recall(&self, key: &str) -> Option<CallOutcome> {
        self.recalled.get(key).cloned()
    }

    fn record(&self, key: &str, outcome: &CallOutcome) -> Result<(), CallLogError> {
        self.journal
            .append(EntryRef::Call { key, outcome })
            .map_err(|error| CallLogError(error.to_string()))?;
        if let CallOutcome::Reply(reply) = outcome {
            let tokens = reply.tokens.len();
            self.tokens.fetch_add(tokens as u64, Ordering::Relaxed);
            (self.events)(&RunEvent::TokensGenerated {
                tokens,
                prompt_tokens: reply.prompt_tokens,
                reused_tokens: reply.reused_tokens,
            });
        }
        Ok(())
    }
}
