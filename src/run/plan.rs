use serde::{Deserialize, Serialize};

use super::group_plan::{GroupPlace, GroupPlan};
use super::quota::{Quota, share_weights};
use super::support_plan::{SupportPlace, SupportPlan};
use super::variants::{Sources, VariantCounts};
use crate::record::Kind;
use crate::rng::Stream;
use crate::settings::RunSpec;

/// The version of the plan's rules; part of every conversation's fingerprint.
pub const PLAN_VERSION: u32 = 2;

/// A place in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// From 0.
    pub index: u64,
    pub task: Task,
}

/// What a place asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    Support(SupportPlace),
    Group(GroupPlace),
}

impl Slot {
    /// What a support conversation is to be like.
    #[must_use]
    pub fn support(&self) -> Option<&SupportPlace> {
        match &self.task {
            Task::Support(place) => Some(place),
            Task::Group(_) => None,
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Support(SupportPlace { cell, .. }) => write!(
                f,
                "{} · {} · {} · {} · {} › {}{}",
                cell.tone,
                cell.style,
                cell.cooperation,
                cell.product.as_deref().unwrap_or("no product"),
                cell.page,
                cell.outcome,
                cell.cause
                    .map(|cause| format!(" ({})", cause.words()))
                    .unwrap_or_default(),
            ),
            Self::Group(place) => write!(
                f,
                "group of {} · experience {}",
                place.participants, place.experience
            ),
        }
    }
}

/// The plan of a run, endless unless it is of all variants: kinds of conversations interleaved by their shares, each with a plan of its own. Any prefix is
/// balanced, and a place depends on the earlier ones and never on how many follow.
#[derive(Clone, Debug)]
pub struct Plan {
    kinds: Vec<Kind>,
    quota: Quota,
    draw: Stream,
    support: Option<SupportPlan>,
    groups: GroupPlan,
    next: u64,
}

impl Plan {
    /// The plan of a recipe over its pages. The order of `pages` does not matter; where there are support conversations,
    /// there must be one at least.
    #[must_use]
    pub fn new(spec: &RunSpec, pages: &[String]) -> Self {
        let support = spec.has(Kind::Support);
        Self::with(spec, support.then(|| SupportPlan::new(spec, pages)))
    }

    /// The plan of all variants of a run's questions. It ends with the last of them.
    #[must_use]
    pub fn all(spec: &RunSpec, sources: &Sources) -> Self {
        Self::with(spec, Some(SupportPlan::all(spec, sources)))
    }

    fn with(spec: &RunSpec, support: Option<SupportPlan>) -> Self {
        Self {
            kinds: spec.plan.kind.values().copied().collect(),
            quota: Quota::new(share_weights(&spec.plan.kind)),
            draw: Stream::root(spec.seed).child("kind"),
            support,
            groups: GroupPlan::new(spec),
            next: 0,
        }
    }

    /// How many variants there are, where the plan is of all of them.
    #[must_use]
    pub fn variants(&self) -> Option<VariantCounts> {
        self.support.as_ref()?.counts()
    }

    /// How many places there are, up to `most`.
    #[must_use]
    pub fn length(&self, most: u64) -> u64 {
        match (self.variants(), self.kinds.as_slice()) {
            (None, _) => most,
            (Some(counts), [_]) => counts.places.min(most),
            (Some(_), _) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.clone().take(most).count() as u64
            }
        }
    }

    /// The first `count` places.
    #[must_use]
    pub fn slots(self, count: u64) -> Vec<Slot> {
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
            .collect()
    }
}

impl Iterator for Plan {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let index = self.next;
        let mut safe = Vec::new();
        self.quota.safe(&mut safe);
        let kind = *self.draw.at(index).pick(0, &safe);
        self.quota.serve(kind);
        self.next += 1;
        let task = match (self.kinds[kind], &mut self.support) {
            (Kind::Support, Some(plan)) => Task::Support(plan.next()?),
            (Kind::Group, _) | (Kind::Support, None) => Task::Group(self.groups.next()?),
        };
        Some(Slot { index, task })
    }
}

/// Which of a page's `queries` is asked beside [`query_of`]: the next in the same order, the first after the last. None where
/// there is no other.
///
/// # Panics
/// When there are no queries.
#[must_use]
pub fn second_query_of(seed: u64, page: &str, page_use: u64, queries: usize) -> Option<usize> {
    let round = page_use - page_use % queries as u64;
    let next = round + (page_use + 1) % queries as u64;
    (queries > 1).then(|| query_of(seed, page, next, queries))
}

/// Which of a page's `queries` the page's `page_use`-th place asks: every query once, in an order of its own, before any
/// comes again.
///
/// # Panics
/// When there are no queries.
#[must_use]
pub fn query_of(seed: u64, page: &str, page_use: u64, queries: usize) -> usize {
    assert!(queries > 0, "a page without queries has no places");
    let round = page_use / queries as u64;
    let within = usize::try_from(page_use % queries as u64).expect("below a usize");
    Stream::root(seed)
        .child("query order")
        .child(page)
        .at(round)
        .shuffle(queries)[within]
}
