use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use tokio::sync::{Notify, oneshot};

use super::replay::{Replay, SlotState};
use super::store::{RunDir, RunError};
use crate::quality::{Filters, Finding, Settled, Settlement};
use crate::record::Sample;

/// Decides which finished conversations a run keeps, by the rules of its recipe.
pub(super) struct Gate {
    /// The fingerprint of the rules.
    pub rules: String,
    filters: Filters,
    /// Where what is kept depends on the other conversations.
    settlement: Option<RefCell<Settlement>>,
    /// Places that wait to hear.
    replies: RefCell<HashMap<u64, oneshot::Sender<Settled>>>,
    waiting: Cell<usize>,
    /// Somebody has begun to wait.
    pub moved: Notify,
}

impl Gate {
    /// The gate of a run, with what was settled in earlier sessions; none where everything is kept. `foreign` are
    /// conversations that none may resemble.
    ///
    /// # Errors
    /// When the run's records cannot be read.
    pub fn of(dir: &RunDir, replay: &Replay, foreign: &[Sample]) -> Result<Option<Self>, RunError> {
        let Some(rules) = dir.manifest().quality.clone() else {
            return Ok(None);
        };
        let spec = &dir.manifest().spec;
        let settlement = if spec.quality.compares() {
            let mut settlement = Settlement::new(&spec.quality, foreign);
            for (slot, history) in &replay.slots {
                match history.state(spec.max_attempts) {
                    SlotState::Kept { attempt } => {
                        let dialogue = dir.conversation(replay, *slot, attempt)?;
                        settlement.recall(*slot, dialogue.as_ref().map(Sample::of).as_ref());
                    }
                    SlotState::Exhausted => settlement.recall(*slot, None),
                    SlotState::Open { .. } | SlotState::Waiting { .. } => {}
                }
            }
            Some(RefCell::new(settlement))
        } else {
            None
        };
        Ok(Some(Self {
            rules,
            filters: dir.filters(),
            settlement,
            replies: RefCell::default(),
            waiting: Cell::new(0),
            moved: Notify::new(),
        }))
    }

    /// What is wrong with a conversation by itself.
    pub fn look(&self, sample: &Sample) -> Option<Finding> {
        self.filters.look(sample)
    }

    /// Places that wait for earlier ones.
    pub fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// The next conversation of a place, which nothing is wrong with by itself.
    pub async fn enter(&self, place: u64, attempt: u32, sample: &Sample) -> Settled {
        let Some(settlement) = &self.settlement else {
            return Settled::Done {
                kept: true,
                turned_down: Vec::new(),
            };
        };
        let said = settlement.borrow_mut().enter(place, attempt, sample);
        self.hear(place, said).await
    }

    /// A place that stays empty.
    pub async fn give_up(&self, place: u64) -> Settled {
        let Some(settlement) = &self.settlement else {
            return Settled::Done {
                kept: false,
                turned_down: Vec::new(),
            };
        };
        let said = settlement.borrow_mut().give_up(place);
        self.hear(place, said).await
    }

    /// Passes on what is said, and waits for what is said of a place.
    async fn hear(&self, place: u64, said: Vec<(u64, Settled)>) -> Settled {
        let mut own = None;
        for (other, settled) in said {
            if other == place {
                own = Some(settled);
            } else if let Some(reply) = self.replies.borrow_mut().remove(&other) {
                // Whoever is gone does not want to know.
                let _ = reply.send(settled);
            }
        }
        if let Some(own) = own {
            return own;
        }
        let (reply, heard) = oneshot::channel();
        self.replies.borrow_mut().insert(place, reply);
        self.waiting.set(self.waiting.get() + 1);
        self.moved.notify_one();
        let settled = heard.await.expect("a place is in the settlement once");
        self.waiting.set(self.waiting.get() - 1);
        settled
    }
}
