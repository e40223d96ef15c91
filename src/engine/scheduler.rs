//! What runs in the next step: every sequence that decodes, then prompt chunks up to a token budget.

use std::collections::VecDeque;

use super::memory::{Memory, pages_for};
use super::sequence::{Sequence, SessionId, Work};
use super::{ChatError, TokenId};

/// Rows whose logits one step makes at most; a row of a large vocabulary is half a megabyte.
const MAX_LOGIT_ROWS: usize = 256;

/// One sequence's part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Index among the running sequences.
    pub sequence: usize,
    /// First row of the step that is this sequence's.
    pub first_row: usize,
    pub rows: usize,
    /// Rows of the part, from its end, whose logits are wanted.
    pub logits: usize,
}

/// A step: rows of several sequences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StepPlan {
    pub parts: Vec<Part>,
    pub tokens: Vec<TokenId>,
    /// Rows whose logits are wanted, ascending.
    pub logit_rows: Vec<u32>,
}

/// Running sequences in the order they are served: by session, so that the plan's first conversations finish first.
#[derive(Default)]
pub(super) struct Scheduler {
    pub running: Vec<Sequence>,
    waiting_branches: VecDeque<Sequence>,
}

impl Scheduler {
    /// Adds a sequence: its known prefix is attached, and it runs from the next step on. A branch waits its turn.
    pub fn add(&mut self, sequence: Sequence, memory: &mut Memory) {
        if matches!(sequence.work, Work::Branch { .. }) {
            self.waiting_branches.push_back(sequence);
        } else {
            self.start(sequence, memory);
        }
    }

    fn start(&mut self, mut sequence: Sequence, memory: &mut Memory) {
        if memory.attach(&mut sequence).is_err() {
            Self::give_up(sequence, memory, out_of_pages());
            return;
        }
        let key = |s: &Sequence| (s.session, s.order);
        let at = self
            .running
            .partition_point(|other| key(other) <= key(&sequence));
        self.running.insert(at, sequence);
    }

    /// Starts branches that wait, in order, while there is room for them. Changes places in `running`, so never while a
    /// plan is in use.
    pub fn admit_branches(&mut self, memory: &mut Memory) {
        while let Some(next) = self.waiting_branches.front() {
            if !memory.admit_branch(branch_pages(next)) {
                return;
            }
            if let Some(branch) = self.waiting_branches.pop_front() {
                self.start(branch, memory);
            }
        }
    }

    /// Takes sequences out of the batch: `places` are indices of `running`, ascending.
    pub fn take(&mut self, places: &[usize], memory: &mut Memory) -> Vec<Sequence> {
        let mut taken: Vec<Sequence> = places
            .iter()
            .rev()
            .map(|&i| self.running.remove(i))
            .collect();
        taken.reverse();
        for sequence in &taken {
            if matches!(sequence.work, Work::Branch { .. }) {
                memory.end_branch(branch_pages(sequence));
            }
        }
        taken
    }

    /// Answers a sequence that is not running with an error, and forgets its pages.
    fn give_up(sequence: Sequence, memory: &mut Memory, error: ChatError) {
        if matches!(sequence.work, Work::Branch { .. }) {
            memory.end_branch(branch_pages(&sequence));
        }
        memory.discard(&sequence);
        sequence.fail(error);
    }

    /// Whether anything is under way.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting_branches.is_empty()
    }

    /// Drops what nobody waits for and everything of ended sessions.
    pub fn sweep(&mut self, memory: &mut Memory, ended: impl Fn(SessionId) -> bool) {
        let gone = |s: &Sequence| s.abandoned() || ended(s.session);
        self.waiting_branches.retain(|s| !gone(s));
        let places: Vec<usize> = (0..self.running.len())
            .filter(|&i| gone(&self.running[i]))
            .collect();
        for sequence in self.take(&places, memory) {
            memory.discard(&sequence);
            sequence.fail(ChatError::Stopped("the conversation was given up".into()));
        }
    }

    /// Plans the next step with at most `budget` rows (at least one a sequence that decodes), and sees to it that every row
    /// has its page. Sequences that cannot get one fail.
    pub fn plan(&mut self, budget: usize, memory: &mut Memory) -> StepPlan {
        let mut plan = StepPlan::default();
        let mut failed = Vec::new();
        let decodes = self.running.iter().filter(|s| s.remaining() == 1).count();
        let mut prompt_budget = budget.saturating_sub(decodes).max(PROMPT_FLOOR);
        for (i, sequence) in self.running.iter_mut().enumerate() {
            let remaining = sequence.remaining();
            let mut rows = if remaining == 1 {
                1
            } else {
                remaining.min(prompt_budget)
            };
            let wanted = |rows: usize| {
                (sequence.computed + rows)
                    .saturating_sub(sequence.logits_from.max(sequence.computed))
            };
            let room = MAX_LOGIT_ROWS.saturating_sub(plan.logit_rows.len());
            if wanted(rows) > room && rows > 1 {
                rows = rows.saturating_sub(wanted(rows) - room);
            }
            let logits = wanted(rows);
            if rows == 0 || (logits > room && room == 0 && !plan.parts.is_empty()) {
                continue;
            }
            if memory.grow(sequence, sequence.computed + rows).is_err() {
                failed.push(i);
                continue;
            }
            if remaining > 1 {
                prompt_budget -= rows;
            }
            let first_row = plan.tokens.len();
            plan.tokens
                .extend_from_slice(&sequence.tokens[sequence.computed..sequence.computed + rows]);
            plan.logit_rows.extend(
                (first_row + rows - logits..first_row + rows)
                    .map(|row| u32::try_from(row).unwrap_or(u32::MAX)),
            );
            plan.parts.push(Part {
                sequence: i,
                first_row,
                rows,
                logits,
            });
        }
        for sequence in self.take(&failed, memory) {
            memory.discard(&sequence);
            sequence.fail(out_of_pages());
        }
        for part in &mut plan.parts {
            part.sequence -= failed.iter().filter(|&&i| i < part.sequence).count();
        }
        plan
    }
}

/// Prompt tokens a step always has room for, so that decodes never starve prompts.
const PROMPT_FLOOR: usize = 64;

/// Pages that a branch may add: its own tokens, and the copy of the page it starts in.
fn branch_pages(sequence: &Sequence) -> usize {
    pages_for(sequence.tokens.len() - sequence.logits_from) + 1
}

fn out_of_pages() -> ChatError {
    ChatError::Stopped(
        "the page pool is exhausted although every session's worst case was reserved".into(),
    )
}
