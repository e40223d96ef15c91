//! The few-shot hub: experiences that are shown as shots when new ones are made, and the gate through which new ones join.
//!
//! Work goes in rounds. What is made in a round depends on the hub as earlier rounds left it; at its end [`Hub::admit`]
//! looks at the candidates in the order of their places and says of each whether it is used and whether it joins. The
//! result is written down, and [`Hub::replay`] of what was written gives the same hub.
//!
//! Nothing here draws: [`Hub::shots`] is a function of the hub and of the stream it is given.

mod index;
mod rules;
mod schema;
mod stems;
mod story;
#[cfg(test)]
mod tests;

pub use index::Likeness;
pub use rules::{Gate, HubRules, ShotChoice};
pub use story::StoryWords;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::record::Experience;
use crate::rng::Stream;
use index::Index;

/// What a round made for one place of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Place among the group conversations of the run.
    pub place: u64,
    /// With id and shots; its depth is the hub's to say. Or why there is none.
    pub made: Result<Experience, String>,
}

/// What became of a round: enough to bring a hub to the same state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundResult {
    /// From 0.
    pub round: u64,
    /// In ascending order of places.
    pub places: Vec<PlaceResult>,
}

impl RoundResult {
    /// The experiences that are used, with their places.
    pub fn admitted(&self) -> impl Iterator<Item = (u64, &Experience)> {
        self.places.iter().filter_map(|place| {
            let admitted = matches!(place.admission, Admission::Admitted { .. });
            Some((place.place, place.experience.as_ref().filter(|_| admitted)?))
        })
    }

    /// The places that need another, each with why.
    pub fn refused(&self) -> impl Iterator<Item = (u64, RefusalReason)> {
        self.places
            .iter()
            .filter_map(|place| match &place.admission {
                Admission::Refused { reason, .. } => Some((place.place, *reason)),
                Admission::Admitted { .. } => None,
            })
    }
}

/// What became of one candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceResult {
    pub place: u64,
    pub admission: Admission,
    /// With its depth. None when none could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experience: Option<Experience>,
}

/// Whether a candidate is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Admission {
    /// The conversation of its place is about it.
    Admitted {
        /// It can be a shot from now on.
        joins: bool,
        /// The id of the experience that it is too like to be a shot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        like: Option<String>,
    },
    /// Its place needs another.
    Refused {
        reason: RefusalReason,
        /// What was seen, for people.
        detail: String,
        /// The id of the experience that it tells again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        like: Option<String>,
    },
}

/// Why a candidate is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Not the form of an experience: nothing could be made, empty fields, a name twice, too few or too many
    /// participants, a starter that nobody would say.
    Schema,
    /// It tells again an experience that is in use, or one that an earlier place of the round brought.
    Novelty,
}

impl RefusalReason {
    /// The name in records and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Novelty => "novelty",
        }
    }
}

impl std::fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Rounds or seeds that do not fit the hub.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// A round was left out or comes twice.
    #[error("round {found} of the hub; expected round {expected}")]
    Round { expected: u64, found: u64 },
    /// Places of a round do not ascend.
    #[error("place {place} of round {round} comes after place {after}; expected ascending places")]
    Places { round: u64, place: u64, after: u64 },
    /// Two experiences claim one id.
    #[error("two experiences of the hub have the id `{id}`")]
    SameId { id: String },
    /// A shot that the hub does not have.
    #[error("experience `{id}` names the shot `{shot}`, which is not in the hub")]
    UnknownShot { id: String, shot: String },
    /// A recorded round that says of an experience that it is used, and does not have it.
    #[error("place {place} of round {round} is admitted without an experience")]
    Missing { round: u64, place: u64 },
}

/// The experiences that can be shots, and the words of all that are in use.
#[derive(Clone, Debug, PartialEq)]
pub struct Hub {
    rules: HubRules,
    /// What can be a shot: seeds first, then what joined, in that order.
    members: Vec<Member>,
    seeds: usize,
    /// Places in `members` by id.
    by_id: HashMap<String, usize>,
    /// Ids of everything in `index`, in its order: members, and what was admitted without joining.
    known: Vec<String>,
    ids: HashSet<String>,
    index: Index,
    rounds: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Member {
    experience: Experience,
    /// How many candidates of finished rounds it was a shot of.
    uses: u64,
}

impl Hub {
    /// A hub of seeds alone. Seeds without an id are named `seed/<n>`.
    ///
    /// # Errors
    /// When two seeds have the same id.
    pub fn new(seeds: Vec<Experience>, rules: HubRules) -> Result<Self, HubError> {
        let mut hub = Self {
            rules,
            members: Vec::with_capacity(seeds.len()),
            seeds: seeds.len(),
            by_id: HashMap::new(),
            known: Vec::new(),
            ids: HashSet::new(),
            index: Index::default(),
            rounds: 0,
        };
        for (n, mut seed) in seeds.into_iter().enumerate() {
            if seed.id.is_empty() {
                seed.id = format!("seed/{n}");
            }
            hub.check_new(std::iter::once(&Experience {
                shots: Vec::new(),
                ..seed.clone()
            }))?;
            hub.learn(&seed);
            hub.join(seed);
        }
        Ok(hub)
    }

    /// The rules it was made with.
    #[must_use]
    pub fn rules(&self) -> &HubRules {
        &self.rules
    }

    /// The number of the next round.
    #[must_use]
    pub fn round(&self) -> u64 {
        self.rounds
    }

    /// What the hub began with.
    pub fn seeds(&self) -> impl ExactSizeIterator<Item = &Experience> {
        self.members[..self.seeds].iter().map(|m| &m.experience)
    }

    /// Everything that can be a shot, with how often it was one: seeds, then what joined, in the order of joining.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&Experience, u64)> {
        self.members.iter().map(|m| (&m.experience, m.uses))
    }

    /// A member by id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Experience> {
        self.by_id.get(id).map(|&at| &self.members[at].experience)
    }

    /// The shots of one call, chosen as the rules say from what earlier rounds left; fewer than asked for when the hub has
    /// no more. `draw` is the call's own stream.
    #[must_use]
    pub fn shots(&self, draw: &Stream) -> Vec<&Experience> {
        let count = self.rules.shots.min(self.members.len());
        let chosen: Vec<usize> = match self.rules.choice {
            ShotChoice::Fixed => (0..count).collect(),
            ShotChoice::Random => drawn(draw, self.members.len(), count),
            ShotChoice::Coverage => self.least_used(draw, count),
        };
        chosen
            .into_iter()
            .map(|at| &self.members[at].experience)
            .collect()
    }

    fn least_used(&self, draw: &Stream, count: usize) -> Vec<usize> {
        let rank = |&at: &usize| (self.members[at].uses, draw.bits(at as u64), at);
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        if count < order.len() {
            order.select_nth_unstable_by_key(count, rank);
            order.truncate(count);
        }
        order.sort_unstable_by_key(rank);
        let human = |&at: &usize| self.members[at].experience.depth == 0;
        if count >= 2
            && !order.iter().any(human)
            && let Some(pinned) = (0..self.seeds).filter(human).min_by_key(rank)
        {
            order[count - 1] = pinned;
        }
        order
    }

    /// Ends a round: says of each candidate, in the order of places, whether it is used and whether it joins.
    ///
    /// # Errors
    /// When the round is not the next one, places do not ascend, an id is there already, or a shot is unknown; the hub is
    /// as it was then.
    pub fn admit(
        &mut self,
        round: u64,
        candidates: Vec<Candidate>,
    ) -> Result<RoundResult, HubError> {
        self.check_round(round, candidates.iter().map(|c| c.place))?;
        self.check_new(candidates.iter().filter_map(|c| c.made.as_ref().ok()))?;
        let mut places = Vec::with_capacity(candidates.len());
        for Candidate { place, made } in candidates {
            let result = match made {
                Ok(mut experience) => {
                    experience.depth = self.depth_after(&experience.shots);
                    PlaceResult {
                        place,
                        admission: self.judge(&experience),
                        experience: Some(experience),
                    }
                }
                Err(detail) => PlaceResult {
                    place,
                    admission: Admission::Refused {
                        reason: RefusalReason::Schema,
                        detail,
                        like: None,
                    },
                    experience: None,
                },
            };
            // What an earlier place brought counts for novelty at once; it joins when all are judged.
            if let (Admission::Admitted { .. }, Some(experience)) =
                (&result.admission, &result.experience)
            {
                self.learn(experience);
            }
            places.push(result);
        }
        self.finish(&places);
        Ok(RoundResult { round, places })
    }

    /// Does again what a recorded round did, without judging.
    ///
    /// # Errors
    /// As for [`Self::admit`], and when an admitted place has no experience; the hub is as it was then.
    pub fn replay(&mut self, result: &RoundResult) -> Result<(), HubError> {
        self.check_round(result.round, result.places.iter().map(|p| p.place))?;
        self.check_new(result.places.iter().filter_map(|p| p.experience.as_ref()))?;
        let admitted = |place: &&PlaceResult| matches!(place.admission, Admission::Admitted { .. });
        if let Some(place) = result
            .places
            .iter()
            .filter(admitted)
            .find(|place| place.experience.is_none())
        {
            return Err(HubError::Missing {
                round: result.round,
                place: place.place,
            });
        }
        for experience in result
            .places
            .iter()
            .filter(admitted)
            .filter_map(|place| place.experience.as_ref())
        {
            self.learn(experience);
        }
        self.finish(&result.places);
        Ok(())
    }

    /// One more than the deepest of these members.
    fn depth_after(&self, shots: &[String]) -> u32 {
        let deepest = shots
            .iter()
            .filter_map(|id| self.get(id))
            .map(|shot| shot.depth)
            .max();
        deepest.unwrap_or(0).saturating_add(1)
    }

    /// From now on nothing may tell it again, what is like it is no shot, and nothing else may have its id.
    fn learn(&mut self, experience: &Experience) {
        self.ids.insert(experience.id.clone());
        self.known.push(experience.id.clone());
        self.index.add(&StoryWords::of(experience));
    }

    /// From now on it can be a shot.
    fn join(&mut self, experience: Experience) {
        self.by_id.insert(experience.id.clone(), self.members.len());
        self.members.push(Member {
            experience,
            uses: 0,
        });
    }

    /// Counts what was shown, refused candidates' shots too, and lets in what joins.
    fn finish(&mut self, places: &[PlaceResult]) {
        let made = || places.iter().filter_map(|p| p.experience.as_ref());
        for shot in made().flat_map(|experience| &experience.shots) {
            if let Some(&at) = self.by_id.get(shot) {
                self.members[at].uses += 1;
            }
        }
        for place in places {
            if let (Admission::Admitted { joins: true, .. }, Some(experience)) =
                (&place.admission, &place.experience)
            {
                self.join(experience.clone());
            }
        }
        self.rounds += 1;
    }

    fn judge(&self, experience: &Experience) -> Admission {
        if let Err(detail) = schema::check(experience, &self.rules) {
            return Admission::Refused {
                reason: RefusalReason::Schema,
                detail,
                like: None,
            };
        }
        match self.rules.gate {
            Gate::Off => Admission::Admitted {
                joins: false,
                like: None,
            },
            Gate::Ungated => Admission::Admitted {
                joins: true,
                like: None,
            },
            Gate::Gated => match self.nearest(experience) {
                Some((id, likeness)) if likeness.is_same(&self.rules) => Admission::Refused {
                    reason: RefusalReason::Novelty,
                    detail: likeness.describe(&self.rules),
                    like: Some(id.to_owned()),
                },
                Some((id, likeness)) if likeness.is_over(&self.rules) => Admission::Admitted {
                    joins: false,
                    like: Some(id.to_owned()),
                },
                _ => Admission::Admitted {
                    joins: experience.depth <= self.rules.max_depth,
                    like: None,
                },
            },
        }
    }

    /// What is most like an experience among all that is in use, if anything shares words with it. The gate needs not be
    /// on.
    #[must_use]
    pub fn nearest(&self, experience: &Experience) -> Option<(&str, Likeness)> {
        let (at, likeness) = self
            .index
            .nearest(&StoryWords::of(experience), &self.rules)?;
        Some((&self.known[at], likeness))
    }

    fn check_round(&self, round: u64, places: impl Iterator<Item = u64>) -> Result<(), HubError> {
        if round != self.rounds {
            return Err(HubError::Round {
                expected: self.rounds,
                found: round,
            });
        }
        let mut last = None;
        for place in places {
            if let Some(after) = last.filter(|&after| place <= after) {
                return Err(HubError::Places {
                    round,
                    place,
                    after,
                });
            }
            last = Some(place);
        }
        Ok(())
    }

    fn check_new<'a>(
        &self,
        experiences: impl Iterator<Item = &'a Experience>,
    ) -> Result<(), HubError> {
        let mut ids = HashSet::new();
        for experience in experiences {
            let id = &experience.id;
            if !ids.insert(id) || self.ids.contains(id) {
                return Err(HubError::SameId { id: id.clone() });
            }
            if let Some(shot) = experience.shots.iter().find(|s| self.get(s).is_none()) {
                return Err(HubError::UnknownShot {
                    id: id.clone(),
                    shot: shot.clone(),
                });
            }
        }
        Ok(())
    }
}

/// `count` different numbers below `n`, in the order in which they are drawn.
fn drawn(draw: &Stream, n: usize, count: usize) -> Vec<usize> {
    // A shuffle of 0..n of which only what moved is held.
    let mut moved: HashMap<usize, usize> = HashMap::new();
    (0..count)
        .map(|i| {
            let j = i + draw.below(i as u64, n - i);
            let at = |moved: &HashMap<usize, usize>, k| moved.get(&k).copied().unwrap_or(k);
            let (taken, put) = (at(&moved, j), at(&moved, i));
            moved.insert(j, put);
            taken
        })
        .collect()
}
