//! The engine's thread: takes requests for all models, opens sessions, and lets one model step at a time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::lane::Lane;
use super::sequence::{Reply, SessionId};
use super::turns::Turns;
use super::{Completion, GenerateRequest, ScoreRequest};

/// What handles ask of the thread. `lane` is a model's place.
pub(super) enum Command {
    Open(Opening),
    Close(SessionId),
    Generate {
        lane: usize,
        session: SessionId,
        request: Box<GenerateRequest>,
        reply: Reply<Completion>,
    },
    Score {
        lane: usize,
        session: SessionId,
        request: Box<ScoreRequest>,
        reply: Reply<Vec<Vec<f32>>>,
    },
}

/// A session that waits for its pages.
pub(super) struct Opening {
    pub id: SessionId,
    /// One entry a model at most.
    pub claims: Vec<Claim>,
    pub reply: Reply<()>,
}

/// What a session reserves of one model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub lane: usize,
    pub pages: usize,
    pub views: usize,
}

/// The thread's own state.
pub(super) struct Core {
    inbox: Receiver<Command>,
    open: bool,
    lanes: Vec<Lane>,
    turns: Turns,
    /// Sessions waiting for pages, in order.
    opening: VecDeque<Opening>,
    /// Sessions that have ended since the last step.
    closing: BTreeSet<SessionId>,
}

impl Core {
    pub fn new(inbox: Receiver<Command>, lanes: Vec<Lane>) -> Self {
        Self {
            inbox,
            open: true,
            turns: Turns::new(lanes.len()),
            lanes,
            opening: VecDeque::new(),
            closing: BTreeSet::new(),
        }
    }

    /// Works until every handle is gone and everything asked for is answered.
    pub fn run(mut self) {
        while self.open || !self.is_idle() {
            self.receive();
            self.close();
            self.admit();
            for lane in &mut self.lanes {
                lane.scheduler.admit_branches(&mut lane.memory);
            }
            let ready: Vec<usize> = self.lanes.iter().map(Lane::ready).collect();
            if let Some(next) = self.turns.next(&ready) {
                self.lanes[next].step();
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| lane.scheduler.is_idle())
    }

    /// Takes what has arrived; waits for something when idle.
    fn receive(&mut self) {
        if self.open && self.is_idle() {
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
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.open = false;
                    return;
                }
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Open(opening) => self.opening.push_back(opening),
            Command::Close(id) => drop(self.closing.insert(id)),
            Command::Generate {
                lane,
                session,
                request,
                reply,
            } => self.lanes[lane].start_generation(session, *request, reply),
            Command::Score {
                lane,
                session,
                request,
                reply,
            } => self.lanes[lane].start_score(session, *request, reply),
        }
    }

    /// Closes the sessions that have ended and drops what nobody waits for: one pass for all that arrived together.
    fn close(&mut self) {
        let closing = std::mem::take(&mut self.closing);
        for lane in &mut self.lanes {
            lane.scheduler
                .sweep(&mut lane.memory, |session| closing.contains(&session));
            for id in &closing {
                lane.memory.close(*id);
            }
        }
        if !closing.is_empty() {
            self.opening
                .retain(|opening| !closing.contains(&opening.id));
        }
    }

    /// Opens sessions in order while there is room. A session gets its pages of all its models at once or none of them, so
    /// none ever holds what another waits for.
    fn admit(&mut self) {
        while let Some(next) = self.opening.front() {
            let fits = |claim: &Claim| self.lanes[claim.lane].memory.fits(claim.pages);
            if !next.claims.iter().all(fits) {
                return;
            }
            if let Some(Opening { id, claims, reply }) = self.opening.pop_front() {
                for Claim { lane, pages, views } in claims {
                    self.lanes[lane].memory.open(id, pages, views);
                }
                // Whoever no longer waits for it closes it.
                let _ = reply.send(Ok(()));
            }
        }
    }
}
