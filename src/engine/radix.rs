//! What the pool already knows: a tree of pages over token ids.
//!
//! A node is one page: up to 32 tokens that follow its parent's. Only full pages have children. A page may be shared by any
//! number of sequences; a prefix that ends inside a page is shared by copying that page (the caller's part). Children are
//! kept in the order of their tokens, so the longest common prefix is found among the two neighbours of the key.

use std::collections::{BTreeMap, BTreeSet};

use super::TokenId;
use super::pages::{PageId, PagePool};
use crate::kernels::PAGE_TOKENS;

type NodeId = usize;
const ROOT: NodeId = 0;

struct Node {
    page: PageId,
    parent: NodeId,
    tokens: Box<[TokenId]>,
    children: BTreeMap<Box<[TokenId]>, NodeId>,
    /// When it was last read or written, in look-ups.
    used: u64,
}

/// Pages by the tokens they hold, each held once by the tree itself.
pub struct RadixTree {
    nodes: Vec<Option<Node>>,
    vacant: Vec<NodeId>,
    /// Leaves by last use: what may be forgotten first.
    leaves: BTreeSet<(u64, NodeId)>,
    clock: u64,
}

/// The longest known prefix of a sequence.
#[derive(Debug, PartialEq, Eq)]
pub struct Match {
    /// Full pages from position 0.
    pub pages: Vec<PageId>,
    /// A page whose first so many tokens follow; to be copied before it is written.
    pub partial: Option<(PageId, usize)>,
}

impl Match {
    /// Tokens covered.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.pages.len() * PAGE_TOKENS + self.partial.map_or(0, |(_, n)| n)
    }
}

impl Default for RadixTree {
    fn default() -> Self {
        let root = Node {
            page: 0,
            parent: ROOT,
            tokens: Box::default(),
            children: BTreeMap::new(),
            used: 0,
        };
        Self {
            nodes: vec![Some(root)],
            vacant: Vec::new(),
            leaves: BTreeSet::new(),
            clock: 0,
        }
    }
}

impl RadixTree {
    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id]
            .as_ref()
            .expect("ids in the tree name live nodes")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id]
            .as_mut()
            .expect("ids in the tree name live nodes")
    }

    /// The child that shares the longest start with `key`, and how much.
    fn closest(&self, id: NodeId, key: &[TokenId]) -> Option<(NodeId, usize)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let children = &self.node(id).children;
        let before = children
            .range::<[TokenId], _>((Unbounded, Included(key)))
            .next_back();
        let after = children
            .range::<[TokenId], _>((Excluded(key), Unbounded))
            .next();
        [before, after]
            .into_iter()
            .flatten()
            .map(|(tokens, &child)| {
                (
                    child,
                    tokens.iter().zip(key).take_while(|(a, b)| a == b).count(),
                )
            })
            .filter(|&(_, shared)| shared > 0)
            .max_by_key(|&(_, shared)| shared)
    }

    fn touch(&mut self, id: NodeId) {
        self.clock += 1;
        let clock = self.clock;
        let node = self.node_mut(id);
        let old = std::mem::replace(&mut node.used, clock);
        if self.leaves.remove(&(old, id)) {
            self.leaves.insert((clock, id));
        }
    }

    /// The longest known prefix of `tokens`.
    pub fn find(&mut self, tokens: &[TokenId]) -> Match {
        let mut found = Match {
            pages: Vec::new(),
            partial: None,
        };
        let mut at = ROOT;
        let mut rest = tokens;
        while !rest.is_empty() {
            let key = &rest[..rest.len().min(PAGE_TOKENS)];
            let Some((child, shared)) = self.closest(at, key) else {
                break;
            };
            self.touch(child);
            let page = self.node(child).page;
            if shared < PAGE_TOKENS {
                found.partial = Some((page, shared));
                break;
            }
            found.pages.push(page);
            at = child;
            rest = &rest[PAGE_TOKENS..];
        }
        found
    }

    /// Remembers the pages of `tokens`; where the tree has the same page already, that one stays. Returns the tree's pages
    /// on the way.
    pub fn insert(
        &mut self,
        tokens: &[TokenId],
        pages: &[PageId],
        pool: &mut PagePool,
    ) -> Vec<PageId> {
        let mut path = Vec::new();
        let mut at = ROOT;
        for (chunk, &page) in tokens.chunks(PAGE_TOKENS).zip(pages) {
            if let Some((child, shared)) = self.closest(at, chunk) {
                let known = self.node(child).tokens.len();
                if shared == chunk.len() {
                    // The tree has this page, or a longer one that begins with it.
                    self.touch(child);
                    path.push(self.node(child).page);
                    if chunk.len() < PAGE_TOKENS {
                        return path;
                    }
                    at = child;
                    continue;
                }
                if shared == known && known < chunk.len() {
                    // A shorter page of the same text: ours takes its place.
                    self.remove(child, pool);
                }
            }
            at = self.add(at, chunk, page, pool);
            path.push(page);
        }
        path
    }

    fn add(
        &mut self,
        parent: NodeId,
        tokens: &[TokenId],
        page: PageId,
        pool: &mut PagePool,
    ) -> NodeId {
        pool.retain(page);
        self.clock += 1;
        let node = Node {
            page,
            parent,
            tokens: tokens.into(),
            children: BTreeMap::new(),
            used: self.clock,
        };
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            self.nodes.len() - 1
        });
        self.nodes[id] = Some(node);
        self.leaves.insert((self.clock, id));
        let up = self.node_mut(parent);
        let was_leaf = up.children.is_empty();
        let used = up.used;
        up.children.insert(tokens.into(), id);
        if was_leaf {
            self.leaves.remove(&(used, parent));
        }
        id
    }

    /// Removes a leaf.
    fn remove(&mut self, id: NodeId, pool: &mut PagePool) {
        let node = self.nodes[id]
            .take()
            .expect("ids in the tree name live nodes");
        debug_assert!(node.children.is_empty(), "only leaves are removed");
        self.vacant.push(id);
        self.leaves.remove(&(node.used, id));
        pool.release(node.page);
        let parent = self.node_mut(node.parent);
        parent.children.remove(&node.tokens);
        let (bare, used) = (parent.children.is_empty(), parent.used);
        if bare && node.parent != ROOT {
            self.leaves.insert((used, node.parent));
        }
    }

    /// Forgets the leaf that was not used for the longest time and that nobody else holds. False when there is none.
    ///
    /// What somebody holds is in use: it goes behind all others, so that the next search does not meet it again.
    pub fn forget_one(&mut self, pool: &mut PagePool) -> bool {
        for _ in 0..self.leaves.len() {
            let Some(&(_, id)) = self.leaves.first() else {
                break;
            };
            if pool.holders(self.node(id).page) == 1 {
                self.remove(id, pool);
                return true;
            }
            self.touch(id);
        }
        false
    }

    /// Pages in the tree.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.nodes.len() - self.vacant.len() - 1
    }

    /// Whether nothing is remembered.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn store(tree: &mut RadixTree, pool: &mut PagePool, tokens: &[TokenId]) -> Vec<PageId> {
        let pages: Vec<PageId> = (0..tokens.len().div_ceil(PAGE_TOKENS))
            .map(|_| pool.take().unwrap())
            .collect();
        let path = tree.insert(tokens, &pages, pool);
        for page in pages {
            pool.release(page);
        }
        path
    }

    #[test]
    fn a_prefix_is_found_to_the_token() {
        let (mut tree, mut pool) = (RadixTree::default(), PagePool::new(64));
        let a: Vec<TokenId> = (0..70).collect();
        let path = store(&mut tree, &mut pool, &a);
        assert_eq!(path.len(), 3);
        let found = tree.find(&a);
        assert_eq!(
            (found.tokens(), found.pages.as_slice(), found.partial),
            (70, &path[..2], Some((path[2], 6)))
        );
        let mut b = a.clone();
        b[40] = 999;
        assert_eq!(tree.find(&b).tokens(), 40);
        assert_eq!(tree.find(&[5]).tokens(), 0);
    }

    #[test]
    fn a_longer_page_replaces_its_own_beginning() {
        let (mut tree, mut pool) = (RadixTree::default(), PagePool::new(64));
        let a: Vec<TokenId> = (0..64).collect();
        store(&mut tree, &mut pool, &a[..40]);
        store(&mut tree, &mut pool, &a);
        assert_eq!((tree.len(), pool.free()), (2, 62));
        store(&mut tree, &mut pool, &a[..50]);
        assert_eq!((tree.len(), tree.find(&a).tokens()), (2, 64));
    }

    #[test]
    fn what_is_held_is_not_forgotten() {
        let (mut tree, mut pool) = (RadixTree::default(), PagePool::new(8));
        let path = store(&mut tree, &mut pool, &(0..64).collect::<Vec<_>>());
        pool.retain(path[1]);
        assert!(!tree.forget_one(&mut pool));
        pool.release(path[1]);
        assert!(
            tree.forget_one(&mut pool) && tree.forget_one(&mut pool) && !tree.forget_one(&mut pool)
        );
        assert_eq!((pool.free(), tree.is_empty()), (8, true));
    }

    #[test]
    fn what_is_held_is_met_once_not_at_every_forgetting() {
        let (mut tree, mut pool) = (RadixTree::default(), PagePool::new(256));
        let held: Vec<PageId> = (0..100)
            .flat_map(|text| store(&mut tree, &mut pool, &[text; PAGE_TOKENS]))
            .collect();
        for &page in &held {
            pool.retain(page);
        }
        for text in 100..200 {
            store(&mut tree, &mut pool, &[text; PAGE_TOKENS]);
        }
        let before = tree.clock;
        for text in 100..200 {
            assert!(tree.forget_one(&mut pool));
            assert_eq!(tree.find(&[text; PAGE_TOKENS]).tokens(), 0, "oldest first");
        }
        assert_eq!(tree.clock - before, 100, "a touch for each that is held");
        assert!(!tree.forget_one(&mut pool));
        for page in held {
            pool.release(page);
        }
        assert!(tree.forget_one(&mut pool));
    }

    proptest! {
        /// Against the definition: the longest common prefix with anything stored since the last forgetting.
        #[test]
        fn finds_the_longest_common_prefix(texts in prop::collection::vec(prop::collection::vec(0u32..3, 1..100), 1..12),
                                           probe in prop::collection::vec(0u32..3, 1..100)) {
            let (mut tree, mut pool) = (RadixTree::default(), PagePool::new(256));
            for text in &texts {
                store(&mut tree, &mut pool, text);
            }
            let best = texts.iter().map(|t| t.iter().zip(&probe).take_while(|(a, b)| a == b).count()).max().unwrap();
            prop_assert_eq!(tree.find(&probe).tokens(), best);
            prop_assert_eq!(pool.capacity() - pool.free(), tree.len());
            while tree.forget_one(&mut pool) {}
            prop_assert!(tree.is_empty() && pool.free() == 256 && tree.leaves.is_empty());
        }
    }
}
