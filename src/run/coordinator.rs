mod judging;
mod stages;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use judging::{Judged, Recorded};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::{JoinSet, LocalSet};

use super::entry::{EntryRef, Failed, PageQueries};
use super::event::{AttemptResult, Cancel, EventSink, Progress, RunEvent};
use super::gate::Gate;
use super::journal::Journal;
use super::lock::RunLock;
use super::plan::{Slot, Task, query_of, second_query_of};
use super::replay::{NO_EXPERIENCE, NO_QUERIES, Replay, SlotHistory, SlotState};
use super::rounds::{Found, Rounds};
use super::store::{RunDir, RunError, RunWriter};
use super::support_plan::SupportPlace;
use super::variants::QueryProducts;
use crate::pipeline::{CallLog, CallLogError, CallOutcome, RoundResult};
use crate::quality::Monitor;
use crate::record::{Dialogue, Experience, FirstLanguage, Query, Sample, Verdict};
use crate::settings::{Shares, Stage};

/// The memory of a run's calls, as it is handed to whoever makes the run's records.
pub type SharedCallLog = Arc<dyn CallLog + Send + Sync>;

/// Makes what a run is made of. What it gives may depend on its arguments only, never on when or beside what it is asked.
/// Every model call goes through the [`SharedCallLog`] it was made with.
pub trait Maker {
    /// Whether a stage must be finished before the next begins: its models do not fit in memory beside the others.
    fn in_phases(&self) -> bool {
        false
    }

    /// Gets ready to make a stage's records, and no others until another stage is begun. Asked for in phases only, and only
    /// when there is something to make.
    ///
    /// # Errors
    /// When nothing can be made.
    fn begin(&self, stage: Stage) -> Result<(), MakeError> {
        let _ = stage;
        Ok(())
    }

    /// The questions of a page. Call keys are `q/<page>/<part>/<try>`.
    fn queries(&self, page: &str) -> impl Future<Output = Result<Vec<Query>, MakeError>>;

    /// The products of the recipe that fit a question, where all variants are wanted. Call keys are `p/<question>/<try>`.
    fn products(&self, query: &Query) -> impl Future<Output = Result<Vec<String>, MakeError>>;

    /// The given experience of a place among the group chats; `None` where they are made in rounds.
    fn given_experience(&self, place: u64) -> Option<Arc<Experience>>;

    /// A round of experiences for these places. Rounds come in order, each after the one before it is over, whether made here
    /// or [`recalled`](Self::recall_round). Call keys are `e/<round>/<call>/<try>`.
    fn experiences(
        &self,
        round: u64,
        places: &[u64],
    ) -> impl Future<Output = Result<RoundResult, MakeError>>;

    /// A round that an earlier session made.
    fn recall_round(&self, round: &RoundResult);

    /// Conversations of elsewhere that none may resemble, where the recipe names such.
    fn against(&self) -> &[Sample] {
        &[]
    }

    /// The conversation of a place, this attempt; its verdict says whether it is kept. Call keys begin with
    /// [`conversation_id`](super::conversation_id) and a slash.
    fn converse(
        &self,
        slot: &Slot,
        attempt: u32,
        about: About<'_>,
    ) -> impl Future<Output = Result<Dialogue, MakeError>>;
}

/// What a conversation starts from.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// The question, and one more of the same page where the plan has it.
    Query(&'a SupportPlace, &'a Query, Option<&'a Query>),
    Experience(&'a Arc<Experience>),
}

/// Why something was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MakeError {
    /// This attempt fails, the next may not: the context overflowed, the grammar met a dead end. Counted under `reason`,
    /// which is a word for statistics.
    #[error("{reason}: {detail}")]
    Failed { reason: String, detail: String },
    /// Nothing more can be made: the engine has stopped, a call could not be recorded.
    #[error("{0}")]
    Fatal(Arc<dyn std::error::Error + Send + Sync>),
}

impl MakeError {
    /// Nothing more can be made, because of this.
    pub fn fatal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Fatal(Arc::new(error))
    }
}

impl From<CallLogError> for MakeError {
    fn from(error: CallLogError) -> Self {
        Self::fatal(error)
    }
}

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

    /// Makes a place until it is kept or out of attempts.
    async fn finish(&self, slot: &Slot, first_attempt: u32) -> Result<SlotEnd, RunError> {
        let nothing = async |reason: &str, detail: String| {
            self.fail(slot, first_attempt, reason.into(), detail)?;
            self.give_up(slot.index, Judged::default()).await?;
            Ok(SlotEnd {
                kept: false,
                rejected: 1,
            })
        };
        match &slot.task {
            Task::Support(place) => {
                let page = &place.cell.page;
                let queries = &self.queries(page).await?.queries;
                if queries.is_empty() {
                    return nothing(NO_QUERIES, format!("page {page} has no queries")).await;
                }
                let index = place
                    .query
                    .unwrap_or_else(|| query_of(self.seed, page, place.page_use, queries.len()));
                let second = place
                    .second_question
                    .then(|| second_query_of(self.seed, page, place.page_use, queries.len()))
                    .flatten()
                    .filter(|second| *second != index);
                let second = second.map(|second| &queries[second]);
                let query = &queries[index];
                let place = place.asking(query, &self.languages, self.seed);
                let about = About::Query(&place, query, second);
                self.try_until_kept(slot, first_attempt, about).await
            }
            Task::Group(place) => {
                let Some(experience) = self.experience(place.experience).await? else {
                    return nothing(
                        NO_EXPERIENCE,
                        format!("no experience {} could be made", place.experience),
                    )
                    .await;
                };
                let about = About::Experience(&experience);
                self.try_until_kept(slot, first_attempt, about).await
            }
        }
    }

    async fn try_until_kept(
        &self,
        slot: &Slot,
        first_attempt: u32,
        about: About<'_>,
    ) -> Result<SlotEnd, RunError> {
        let mut rejected = 0;
        let mut judged = Judged::default();
        for attempt in first_attempt..self.max_attempts {
            let conversation = match self.recorded(slot.index, attempt)? {
                Recorded::Nothing => match self.maker.converse(slot, attempt, about).await {
                    Ok(conversation) => {
                        debug_assert_eq!(
                            conversation.place(),
                            (slot.index, attempt),
                            "a conversation knows its place"
                        );
                        self.journal.append((&conversation).into())?;
                        conversation
                    }
                    Err(MakeError::Failed { reason, detail }) => {
                        self.fail(slot, attempt, reason, detail)?;
                        self.watch(None);
                        rejected += 1;
                        continue;
                    }
                    Err(MakeError::Fatal(error)) => return Err(RunError::Fatal(error)),
                },
                Recorded::Conversation(conversation) => *conversation,
                // Counted when it was made.
                Recorded::TurnedDown => continue,
            };
            let result = match conversation.verdict() {
                Verdict::Keep => self.judge(slot.index, &conversation, &mut judged).await?,
                Verdict::Reject { reason, .. } => AttemptResult::Rejected {
                    reason: reason.clone(),
                },
            };
            let kept = result == AttemptResult::Kept;
            self.watch(kept.then_some(&conversation));
            (self.events)(&RunEvent::ConversationFinished {
                slot: slot.index,
                attempt,
                turns: conversation.turns(),
                result,
            });
            if kept {
                return Ok(SlotEnd { kept, rejected });
            }
            rejected += 1;
        }
        self.give_up(slot.index, judged).await?;
        Ok(SlotEnd {
            kept: false,
            rejected,
        })
    }

    fn fail(
        &self,
        slot: &Slot,
        attempt: u32,
        reason: String,
        detail: String,
    ) -> Result<(), RunError> {
        let failed = Failed {
            slot: slot.index,
            attempt,
            reason,
            detail,
        };
        self.journal.append(EntryRef::Failed(&failed))?;
        let result = AttemptResult::Failed {
            reason: failed.reason,
        };
        (self.events)(&RunEvent::ConversationFinished {
            slot: slot.index,
            attempt,
            turns: 0,
            result,
        });
        Ok(())
    }

    /// The experience of a place among the group chats. Rounds are made one after the other by whoever needs them first.
    async fn experience(&self, place: u64) -> Result<Option<Arc<Experience>>, RunError> {
        if let Some(given) = self.maker.given_experience(place) {
            return Ok(Some(given));
        }
        let mut rounds = self.rounds.lock().await;
        loop {
            match rounds.of(place) {
                Found::Here(experience) => return Ok(Some(experience)),
                Found::GivenUp => return Ok(None),
                Found::NotYet => {}
            }
            let made = self
                .maker
                .experiences(rounds.next(), &rounds.places())
                .await
                .map_err(|error| match error {
                    MakeError::Fatal(error) => RunError::Fatal(error),
                    error @ MakeError::Failed { .. } => RunError::Fatal(Arc::new(error)),
                })?;
            self.journal.append(EntryRef::Round(&made))?;
            (self.events)(&RunEvent::Round {
                round: made.round,
                admitted: made.admitted().count(),
                refused: made.refused().count(),
            });
            rounds.take(&made);
        }
    }

    /// The queries of a page, made by the first place that needs them.
    async fn queries(&self, page: &str) -> Result<&PageQueries, RunError> {
        let make = || async {
            let queries = match self.maker.queries(page).await {
                Ok(queries) if queries.is_empty() => PageQueries {
                    page: page.into(),
                    queries,
                    problem: Some("none were found".into()),
                },
                Ok(queries) => PageQueries {
                    page: page.into(),
                    queries,
                    problem: None,
                },
                Err(error @ MakeError::Failed { .. }) => PageQueries {
                    page: page.into(),
                    queries: Vec::new(),
                    problem: Some(error.to_string()),
                },
                Err(MakeError::Fatal(error)) => return Err(RunError::Fatal(error)),
            };
            self.journal.append(EntryRef::Queries(&queries))?;
            let PageQueries {
                page,
                queries: list,
                problem,
            } = &queries;
            (self.events)(&RunEvent::PageQueries {
                page: page.clone(),
                queries: list.len(),
                problem: problem.clone(),
            });
            Ok(queries)
        };
        self.queries
            .get(page)
            .expect("the plan names pages of the run only")
            .get_or_try_init(make)
            .await
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
