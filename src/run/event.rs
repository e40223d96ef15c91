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
    /// The questions are there, and products are sought for each.
    Fitting { queries: u64, fitted: u64 },
    /// The products that fit a question are known, or could not be found.
    QueryProducts {
        query: String,
        products: usize,
        problem: Option<String>,
    },
    /// The plan is known now, where it was not when the run began.
    Planned {
        /// Places to finish now.
        places: u64,
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
    /// A figure that the recipe has watched is beyond its bound.
    Alarm {
        /// Which, and how far, for people.
        what: String,
        /// The run ends for it.
        stops: bool,
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
pub struct Cancel(Arc<watch::Sender<Wish>>);

/// What is wished; what comes later outweighs what comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    GoOn,
    /// The time is over: nothing new.
    Close,
    /// It has been over for long: nothing more.
    Leave,
    Stop,
}

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Wish::GoOn)))
    }
}

impl Cancel {
    /// Utters it.
    pub fn cancel(&self) {
        self.wish(Wish::Stop);
    }

    /// The time is over: what is alive is finished, and nothing new begun.
    pub fn close(&self) {
        self.wish(Wish::Close);
    }

    /// The time has been over for long: what is alive is abandoned, as on [`cancel`](Self::cancel).
    pub fn leave(&self) {
        self.wish(Wish::Leave);
    }

    /// Whether what is alive is to be abandoned.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.held() >= Wish::Leave
    }

    /// Whether nothing new is to be begun.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.held() >= Wish::Close
    }

    /// Whether the time was over, and nobody wished to stop.
    #[must_use]
    pub fn is_time(&self) -> bool {
        (Wish::Close..=Wish::Leave).contains(&self.held())
    }

    /// Waits until what is alive is to be abandoned.
    pub async fn cancelled(&self) {
        self.heard(Wish::Leave).await;
    }

    /// Waits until nothing new is to be begun.
    pub async fn closing(&self) {
        self.heard(Wish::Close).await;
    }

    fn wish(&self, wish: Wish) {
        self.0.send_if_modified(|held| {
            let more = wish > *held;
            *held = wish.max(*held);
            more
        });
    }

    fn held(&self) -> Wish {
        *self.0.borrow()
    }

    async fn heard(&self, wish: Wish) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|held| *held >= wish).await;
    }
}
