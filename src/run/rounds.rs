use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pipeline::RoundResult;
use crate::record::Experience;

/// The experiences of a run as its rounds bring them. Every place of the plan for a group chat waits for one; a round makes
/// candidates for the first places that have none, a fixed number of them, whatever `count` or a limit say: so what a round
/// makes depends on the rounds before it alone.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    found: BTreeMap<u64, Arc<Experience>>,
    tries: BTreeMap<u64, u32>,
    /// Below it every place is found or given up.
    settled: u64,
    next: u64,
    per_round: usize,
    max_tries: u32,
}

/// What is known of a place's experience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Here(Arc<Experience>),
    /// It was tried as often as a place may be.
    GivenUp,
    NotYet,
}

impl Rounds {
    /// With what earlier sessions made.
    pub(super) fn new<'a>(
        per_round: usize,
        max_tries: u32,
        made: impl IntoIterator<Item = &'a RoundResult>,
    ) -> Self {
        let mut rounds = Self {
            found: BTreeMap::new(),
            tries: BTreeMap::new(),
            settled: 0,
            next: 0,
            per_round: per_round.max(1),
            max_tries,
        };
        for round in made {
            rounds.take(round);
        }
        rounds
    }

    /// The number of the next round.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The places that the next round is for, in order.
    pub(super) fn places(&self) -> Vec<u64> {
        (self.settled..)
            .filter(|place| self.of(*place) == Found::NotYet)
            .take(self.per_round)
            .collect()
    }

    /// What is known of a place's experience.
    pub(super) fn of(&self, place: u64) -> Found {
        if let Some(experience) = self.found.get(&place) {
            return Found::Here(Arc::clone(experience));
        }
        let tries = self.tries.get(&place).copied().unwrap_or(0);
        if tries >= self.max_tries {
            Found::GivenUp
        } else {
            Found::NotYet
        }
    }

    /// A round is over.
    pub(super) fn take(&mut self, round: &RoundResult) {
        for (place, experience) in round.admitted() {
            self.found.insert(place, Arc::new(experience.clone()));
        }
        for (place, _) in round.refused() {
            *self.tries.entry(place).or_default() += 1;
        }
        while self.of(self.settled) != Found::NotYet {
            self.settled += 1;
        }
        self.next = round.round + 1;
    }
}
