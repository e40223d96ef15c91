//! The pool, the tree and the sessions' claims: who may hold which page.
//!
//! A session reserves its worst case before it starts, so nothing runs out on the way: pages held by live sessions never
//! exceed their claims, and everything else in the tree can be forgotten. What a session's views were last computed from
//! stays held until the session replaces it or ends.

use std::collections::BTreeMap;

use super::TokenId;
use super::pages::{PageId, PagePool};
use super::radix::RadixTree;
use super::sequence::{Sequence, SessionId};
use crate::kernels::PAGE_TOKENS;
use crate::model::KvPool;

/// A live conversation's claim.
struct Session {
    reserved: usize,
    views: usize,
    /// The latest prefix of each view, oldest first.
    held: Vec<Held>,
}

struct Held {
    tokens: Vec<TokenId>,
    pages: Vec<PageId>,
}

impl Session {
    /// The held prefix that `tokens` go on from, and how much they share: the longest common start, if it is at least half
    /// of what is held.
    fn continued_by(&self, tokens: &[TokenId]) -> Option<(usize, usize)> {
        let shared = |held: &Held| {
            held.tokens
                .iter()
                .zip(tokens)
                .take_while(|(a, b)| a == b)
                .count()
        };
        self.held
            .iter()
            .enumerate()
            .map(|(i, held)| (i, shared(held), held.tokens.len()))
            .filter(|&(_, shared, len)| shared * 2 >= len)
            .max_by_key(|&(_, shared, _)| shared)
            .map(|(i, shared, _)| (i, shared))
    }
}

/// Pages, and the right to them.
pub(super) struct Memory {
    pub kv: KvPool,
    pool: PagePool,
    tree: RadixTree,
    sessions: BTreeMap<SessionId, Session>,
    reserved: usize,
    /// Pages kept apart for the branches of scores, and how many are in use.
    branch_pages: usize,
    branches_in_use: usize,
    /// Off for measuring what reuse is worth.
    reuse: bool,
}

/// Pages that hold `tokens` tokens.
pub(super) fn pages_for(tokens: usize) -> usize {
    tokens.div_ceil(PAGE_TOKENS)
}

/// Pages of a pool that are kept apart for the branches of scores.
fn branch_pages(pages: usize) -> usize {
    (pages / 8).clamp(1, 64)
}

impl Memory {
    pub fn new(kv: KvPool, reuse: bool) -> Self {
        let pages = kv.pages();
        Self {
            kv,
            pool: PagePool::new(pages),
            tree: RadixTree::default(),
            sessions: BTreeMap::new(),
            reserved: 0,
            branch_pages: branch_pages(pages),
            branches_in_use: 0,
            reuse,
        }
    }

    /// Pages that sessions may reserve in all.
    pub fn reservable(&self) -> usize {
        self.pool.capacity() - self.branch_pages
    }

    /// Pages that sessions may reserve in a pool of so many.
    pub fn reservable_of(pages: usize) -> usize {
        pages.saturating_sub(branch_pages(pages))
    }

    /// Pages that a session with these views needs at worst: each view's own, and one more while the next request's last
    /// page is a copy.
    pub fn worst_case(views: &[usize]) -> usize {
        views
            .iter()
            .map(|&tokens| pages_for(tokens) + 1)
            .sum::<usize>()
            + 1
    }

    /// Pages of the smallest pool that has `pages` to reserve.
    pub fn pool_for(pages: usize) -> usize {
        pages + (pages / 7 + 1).min(64)
    }

    /// Whether so many pages can be reserved now.
    pub fn fits(&self, pages: usize) -> bool {
        self.reserved + pages <= self.reservable()
    }

    /// Reserves pages, which must fit.
    pub fn open(&mut self, id: SessionId, pages: usize, views: usize) {
        debug_assert!(self.fits(pages), "asked before");
        self.reserved += pages;
        self.sessions.insert(
            id,
            Session {
                reserved: pages,
                views,
                held: Vec::new(),
            },
        );
    }

    pub fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.reserved -= session.reserved;
            for page in session.held.into_iter().flat_map(|held| held.pages) {
                self.pool.release(page);
            }
        }
    }

    /// Gives a new sequence the pages of its longest known prefix, its last token excepted, which must be computed for its
    /// logits.
    pub fn attach(&mut self, sequence: &mut Sequence) -> Result<(), ()> {
        let most = sequence
            .logits_from
            .min(sequence.tokens.len().saturating_sub(1));
        if !self.reuse || most == 0 {
            return Ok(());
        }
        let found = self.tree.find(&sequence.tokens[..most]);
        self.let_go(sequence.session, &sequence.tokens[..found.tokens()]);
        for &page in &found.pages {
            self.pool.retain(page);
        }
        if let Some((page, _)) = found.partial {
            self.pool.retain(page);
        }
        let (tokens, partial) = (found.tokens(), found.partial);
        sequence.pages = found.pages;
        sequence.computed = sequence.pages.len() * PAGE_TOKENS;
        if let Some((page, _)) = partial {
            let copy = self.take();
            if let Some(copy) = copy {
                self.kv.copy_page(page, copy);
                sequence.pages.push(copy);
                sequence.computed = tokens;
            }
            self.pool.release(page);
            copy.ok_or(())?;
        }
        sequence.reused = sequence.computed;
        Ok(())
    }

    /// Makes room for the sequence's first `tokens` tokens.
    pub fn grow(&mut self, sequence: &mut Sequence, tokens: usize) -> Result<(), ()> {
        while sequence.pages.len() * PAGE_TOKENS < tokens {
            let page = self.take().ok_or(())?;
            sequence.pages.push(page);
        }
        Ok(())
    }

    fn take(&mut self) -> Option<PageId> {
        loop {
            if let Some(page) = self.pool.take() {
                return Some(page);
            }
            if !self.tree.forget_one(&mut self.pool) {
                return None;
            }
        }
    }

    /// Whether `pages` more may go to a branch of a score now. One branch at a time may always run.
    pub fn admit_branch(&mut self, pages: usize) -> bool {
        let fits = self.branches_in_use == 0 || self.branches_in_use + pages <= self.branch_pages;
        if fits {
            self.branches_in_use += pages;
        }
        fits
    }

    pub fn end_branch(&mut self, pages: usize) {
        self.branches_in_use -= pages;
    }

    /// Takes a finished sequence's pages back. Its first `keep` tokens are remembered, and held for the session.
    pub fn detach(&mut self, sequence: &Sequence, keep: usize) {
        let keep = keep.min(sequence.computed);
        if self.reuse && keep > 0 {
            let tokens = &sequence.tokens[..keep];
            let pages =
                self.tree
                    .insert(tokens, &sequence.pages[..pages_for(keep)], &mut self.pool);
            self.hold(sequence.session, tokens, pages);
        }
        for &page in &sequence.pages {
            self.pool.release(page);
        }
    }

    /// Drops a sequence's pages, remembering nothing.
    pub fn discard(&mut self, sequence: &Sequence) {
        for &page in &sequence.pages {
            self.pool.release(page);
        }
    }

    /// Of the held prefix that a starting sequence goes on from, keeps only what it shares: the rest (a reply that was turned
    /// down, a status question) would count against the session's claim while the sequence writes its own.
    fn let_go(&mut self, id: SessionId, known: &[TokenId]) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some((i, shared)) = session.continued_by(known) else {
            return;
        };
        let held = &mut session.held[i];
        held.tokens.truncate(shared);
        for page in held.pages.drain(pages_for(shared)..) {
            self.pool.release(page);
        }
    }

    /// Holds a prefix for a session, in place of the one that it is the beginning of (what followed was a thought), or of the
    /// one it continues: the one with the longest common start if that is at least half of it, else the oldest once every view
    /// has one.
    fn hold(&mut self, id: SessionId, tokens: &[TokenId], pages: Vec<PageId>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        for &page in &pages {
            self.pool.retain(page);
        }
        let begun = |held: &Held| held.tokens.starts_with(tokens);
        let begun = session.held.iter().position(begun);
        let continued = begun.or_else(|| session.continued_by(tokens).map(|(i, _)| i));
        let replaced = continued.or((session.held.len() >= session.views).then_some(0));
        if let Some(i) = replaced {
            for page in session.held.remove(i).pages {
                self.pool.release(page);
            }
        }
        session.held.push(Held {
            tokens: tokens.to_vec(),
            pages,
        });
    }

    /// Pages in use by anyone, the tree included.
    pub fn used(&self) -> usize {
        self.pool.capacity() - self.pool.free()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KvType;
    use crate::model::ModelSpec;

    #[test]
    fn the_smallest_pool_for_a_session_holds_it() {
        let spec = tiny();
        let reservable =
            |pages| Memory::new(KvPool::new(&spec, pages, KvType::F16), true).reservable();
        for pages in (1..200).chain([447, 448, 449, 600, 4000]) {
            let pool = Memory::pool_for(pages);
            assert!(reservable(pool) >= pages, "{pages} in {pool}");
        }
    }

    /// A thought that is longer than its prompt does not stay beside it.
    #[test]
    fn what_is_held_of_a_thought_goes_with_it() {
        let mut memory = Memory::new(KvPool::new(&tiny(), 40, KvType::F16), true);
        let id = SessionId(1);
        memory.open(id, 30, 2);
        let mut hold = |tokens: usize| {
            let pages: Vec<PageId> = (0..pages_for(tokens))
                .map(|_| memory.pool.take().unwrap())
                .collect();
            memory.hold(id, &vec![3; tokens], pages.clone());
            for page in pages {
                memory.pool.release(page);
            }
            (memory.sessions[&id].held.len(), memory.used())
        };
        let (prompt, thought) = (2 * PAGE_TOKENS, 9 * PAGE_TOKENS);
        assert_eq!(hold(prompt + thought), (1, 11));
        assert_eq!(hold(prompt), (1, 2));
        // The next turn thinks again.
        assert_eq!(hold(prompt + 1 + thought), (1, 12));
        assert_eq!(hold(prompt + 1), (1, 3));
    }

    fn tiny() -> ModelSpec {
        ModelSpec::from_config(
            r#"{"architectures":["LlamaForCausalLM"],"vocab_size":8,"hidden_size":8,"intermediate_size":8,
            "num_hidden_layers":1,"num_attention_heads":1,"num_key_value_heads":1,"hidden_act":"silu",
            "max_position_embeddings":64,"rms_norm_eps":1e-5,"rope_theta":10000.0}"#,
        )
        .unwrap()
    }
}
