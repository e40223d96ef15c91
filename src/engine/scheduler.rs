//! What runs in the next step: every sequence that decodes, then prompt chunks up to a token budget.

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
    waiting_branches: Vec<Sequence>,
}

impl Scheduler {
    /// Adds a sequence; its known prefix is attached.
    pub fn add(&mut self, mut sequence: Sequence, memory: &mut Memory) {
        if matches!(sequence.work, Work::Branch { .. })
            && !memory.admit_branch(branch_pages(&sequence))
        {
            self.waiting_branches.push(sequence);
            return;
        }
        if memory.attach(&mut sequence).is_err() {
            self.finish_branch(&sequence, memory);
            memory.discard(&sequence);
            sequence.fail(out_of_pages());
            return;
        }
        let key = |s: &Sequence| (s.session, s.order);
        let at = self
            .running
            .partition_point(|other| key(other) <= key(&sequence));
        self.running.insert(at, sequence);
    }

    /// Gives back a branch's share and starts branches that waited for it.
    pub fn finish_branch(&mut self, sequence: &Sequence, memory: &mut Memory) {
        if matches!(sequence.work, Work::Branch { .. }) {
            memory.end_branch(branch_pages(sequence));
            for waiting in std::mem::take(&mut self.waiting_branches) {
                self.add(waiting, memory);
            }
        }
    }

    /// Whether anything is under way.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting_branches.is_empty()
    }

    /// Drops what nobody waits for and everything of ended sessions.
    pub fn sweep(&mut self, memory: &mut Memory, ended: impl Fn(SessionId) -> bool) {
        self.waiting_branches.retain(|s| !s.abandoned());
        let mut i = 0;
        while i < self.running.len() {
            if self.running[i].abandoned() || ended(self.running[i].session) {
                let sequence = self.running.remove(i);
                memory.discard(&sequence);
                self.finish_branch(&sequence, memory);
                sequence.fail(ChatError::Stopped("the conversation was given up".into()));
            } else {
                i += 1;
            }
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
        for i in failed.into_iter().rev() {
            let sequence = self.running.remove(i);
            memory.discard(&sequence);
            self.finish_branch(&sequence, memory);
            sequence.fail(out_of_pages());
            for part in plan.parts.iter_mut().filter(|part| part.sequence > i) {
                part.sequence -= 1;
            }
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
