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
    /// In order while a plan is in use; what starts between plans stands at the end until the next one.
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
        self.running.push(sequence);
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

    /// Takes sequences out of the batch: `places` are indices of `running`, ascending. One pass, however many they are.
    pub fn take(&mut self, places: &[usize], memory: &mut Memory) -> Vec<Sequence> {
        let mut taken = Vec::with_capacity(places.len());
        if let Some(&first) = places.first() {
            let mut wanted = places.iter().peekable();
            for (i, sequence) in (first..).zip(self.running.split_off(first)) {
                if wanted.next_if_eq(&&i).is_some() {
                    taken.push(sequence);
                } else {
                    self.running.push(sequence);
                }
            }
        }
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
        // Merges what has started since the last plan; all of it at once, for each insertion would move half of the others.
        self.running.sort_by_key(|s| (s.session, s.order));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sequence::Generation;
    use crate::engine::{GenerateRequest, Sampling};
    use crate::kernels::KvType;
    use crate::model::{KvPool, ModelSpec};
    use crate::rng::Stream;

    fn memory() -> Memory {
        let config = r#"{"architectures":["LlamaForCausalLM"],"vocab_size":64,"hidden_size":16,"intermediate_size":16,
            "num_hidden_layers":1,"num_attention_heads":1,"num_key_value_heads":1,"hidden_act":"silu",
            "max_position_embeddings":64,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":true}"#;
        let spec = ModelSpec::from_config(config).unwrap();
        Memory::new(KvPool::new(&spec, 32, KvType::F32), true)
    }

    /// A prompt of one token, which is the session's number.
    fn sequence(session: u32, order: u64) -> Sequence {
        let prompt = vec![session];
        let request = GenerateRequest {
            prompt: prompt.clone(),
            max_new_tokens: 1,
            sampling: Sampling::greedy(),
            grammar: None,
            stop: Vec::new(),
            draw: Stream::root(0),
            keep: None,
        };
        let (reply, _) = tokio::sync::oneshot::channel();
        Sequence {
            session: SessionId(session.into()),
            order,
            tokens: prompt,
            computed: 0,
            pages: Vec::new(),
            logits_from: 0,
            reused: 0,
            work: Work::Generate(Box::new(Generation {
                request,
                constraint: None,
                reply,
            })),
        }
    }

    #[test]
    fn sessions_are_served_in_order_whenever_they_start() {
        let (mut scheduler, mut memory) = (Scheduler::default(), memory());
        for (order, session) in (0..).zip([5, 2, 9]) {
            scheduler.add(sequence(session, order), &mut memory);
        }
        assert_eq!(scheduler.plan(512, &mut memory).tokens, [2, 5, 9]);
        for (order, session) in (3..).zip([7, 2, 1]) {
            scheduler.add(sequence(session, order), &mut memory);
        }
        let plan = scheduler.plan(512, &mut memory);
        assert_eq!(plan.tokens, [1, 2, 2, 5, 7, 9]);
        let orders: Vec<u64> = scheduler.running.iter().map(|s| s.order).collect();
        assert_eq!(orders, [5, 1, 4, 0, 3, 2], "ties in the order of arrival");
    }

    #[test]
    fn what_is_taken_out_leaves_the_others_in_order() {
        let (mut scheduler, mut memory) = (Scheduler::default(), memory());
        for session in 0..6 {
            scheduler.add(sequence(session, session.into()), &mut memory);
        }
        let sessions = |all: &[Sequence]| all.iter().map(|s| s.session.0).collect::<Vec<_>>();
        assert!(scheduler.take(&[], &mut memory).is_empty());
        let taken = scheduler.take(&[1, 2, 5], &mut memory);
        assert_eq!(sessions(&taken), [1, 2, 5]);
        assert_eq!(sessions(&scheduler.running), [0, 3, 4]);
        assert_eq!(
            sessions(&scheduler.take(&[0, 1, 2], &mut memory)),
            [0, 3, 4]
        );
        assert!(scheduler.is_idle());
    }
}
