use std::sync::Arc;

use tokio::sync::watch;

/// What happens in a run, for whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEvent {
    /// The run begins or goes on.
    Started {
        /// Places to finish now.
        places: u64,
        /// Of these, finished before.
        finished: u64,
        kept: u64,
        pages: u64,
        pages_with_queries: u64,
    },
    /// A page's queries are there, or could not be made.
    PageQueries {
        page: String,
        queries: usize,
        problem: Option<String>,
    },
    /// A round of experiences is over.
    Round {
        round: u64,
        admitted: usize,
        refused: usize,
    },
    /// An attempt has ended.
    ConversationFinished {
        slot: u64,
        attempt: u32,
        turns: usize,
        result: AttemptResult,
    },
    /// A model call was made (not recalled).
    TokensGenerated {
        tokens: usize,
        prompt_tokens: usize,
        reused_tokens: usize,
    },
    /// How things stand, after each place that is finished.
    Progress(Progress),
}

/// How an attempt came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    Kept,
    Rejected { reason: String },
    Failed { reason: String },
}

/// How a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Places to finish now, those finished before included.
    pub places: u64,
    pub finished: u64,
    pub kept: u64,
    /// Conversations alive.
    pub live: u64,
    /// Attempts turned down or failed since the start of this process.
    pub rejected: u64,
    /// Tokens generated since the start of this process.
    pub tokens: u64,
}

/// Takes events; called from the run's own thread, so it must be quick.
pub type EventSink = Arc<dyn Fn(&RunEvent) + Send + Sync>;

/// For runs that nobody watches.
#[must_use]
pub fn no_events() -> EventSink {
    Arc::new(|_| {})
}

/// A wish to stop, shared by whoever may utter it and whoever must hear it.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Utters it.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was uttered.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is uttered.
    pub async fn cancelled(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}
