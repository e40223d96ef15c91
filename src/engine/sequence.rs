//! One sequence of tokens under way, and what it is for.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::constraint::Constraint;
use super::pages::PageId;
use super::{ChatError, Completion, GenerateRequest, ScoreRequest, TokenId};

/// A conversation's claim on the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

pub(super) type Reply<T> = oneshot::Sender<Result<T, ChatError>>;

/// A sequence under way.
pub(super) struct Sequence {
    pub session: SessionId,
    /// Order of arrival; ties in a session are served in this order.
    pub order: u64,
    /// The prompt and what was generated.
    pub tokens: Vec<TokenId>,
    /// Tokens whose keys and values are in the pool.
    pub computed: usize,
    /// Pages from position 0, each held once by this sequence.
    pub pages: Vec<PageId>,
    /// Positions from here on need logits.
    pub logits_from: usize,
    /// Prompt tokens found in the pool at the start.
    pub reused: usize,
    pub work: Work,
}

/// What a sequence is for.
pub(super) enum Work {
    Generate(Box<Generation>),
    /// Computes the shared start of a score, then makes its branches.
    ScoreStart(Box<ScoreJob>),
    /// One continuation of a score: position `logits_from + i` is about `targets[i]`.
    Branch {
        job: Arc<ScoreResults>,
        index: usize,
        targets: Vec<TokenId>,
        log_probabilities: Vec<f32>,
    },
}

/// A reply in the making.
pub(super) struct Generation {
    pub request: GenerateRequest,
    pub constraint: Option<Constraint>,
    pub reply: Reply<Completion>,
}

/// A score whose shared start is being computed.
pub(super) struct ScoreJob {
    pub request: ScoreRequest,
    pub reply: Reply<Vec<Vec<f32>>>,
}

/// Gathers the branches of a score; the last one answers.
pub(super) struct ScoreResults {
    state: std::sync::Mutex<ScoreState>,
}

struct ScoreState {
    done: Vec<Option<Vec<f32>>>,
    reply: Option<Reply<Vec<Vec<f32>>>>,
}

impl ScoreResults {
    pub fn new(branches: usize, reply: Reply<Vec<Vec<f32>>>) -> Arc<Self> {
        Arc::new(Self {
            state: std::sync::Mutex::new(ScoreState {
                done: vec![None; branches],
                reply: Some(reply),
            }),
        })
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, ScoreState> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn finish(&self, index: usize, values: Vec<f32>) {
        let mut state = self.locked();
        state.done[index] = Some(values);
        if state.done.iter().all(Option::is_some)
            && let Some(reply) = state.reply.take()
        {
            let all = state.done.iter_mut().filter_map(Option::take).collect();
            let _ = reply.send(Ok(all));
        }
    }

    pub fn fail(&self, error: ChatError) {
        if let Some(reply) = self.locked().reply.take() {
            let _ = reply.send(Err(error));
        }
    }

    pub fn abandoned(&self) -> bool {
        self.locked()
            .reply
            .as_ref()
            .is_none_or(oneshot::Sender::is_closed)
    }
}

impl Sequence {
    /// Nobody waits for it any more.
    pub fn abandoned(&self) -> bool {
        match &self.work {
            Work::Generate(generation) => generation.reply.is_closed(),
            Work::ScoreStart(job) => job.reply.is_closed(),
            Work::Branch { job, .. } => job.abandoned(),
        }
    }

    /// Answers with an error.
    pub fn fail(self, error: ChatError) {
        match self.work {
            Work::Generate(generation) => drop(generation.reply.send(Err(error))),
            Work::ScoreStart(job) => drop(job.reply.send(Err(error))),
            Work::Branch { job, .. } => job.fail(error),
        }
    }

    /// Tokens that have no keys and values yet.
    pub fn remaining(&self) -> usize {
        self.tokens.len() - self.computed
    }
}
