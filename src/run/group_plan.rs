use serde::{Deserialize, Serialize};

use super::quota::{Quota, share_weights};
use crate::rng::Stream;
use crate::settings::{GroupSize, RunSpec};

/// A place for a group chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPlace {
    /// Which of the run's experiences it talks about: how many group chats come before it.
    pub experience: u64,
    /// How many people meet, unless the experience or its people are given.
    pub participants: usize,
    /// How many people the places before it have.
    pub first_person: u64,
}

/// The endless plan of a run's group chats; the sizes of the groups are as near to their shares as whole numbers allow, in
/// every prefix.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    sizes: Vec<GroupSize>,
    quota: Quota,
    draw: Stream,
    next: GroupPlace,
}

impl GroupPlan {
    /// The plan of a recipe.
    #[must_use]
    pub fn new(spec: &RunSpec) -> Self {
        let shares = &spec.experiences.participants;
        Self {
            sizes: shares.values().copied().collect(),
            quota: Quota::new(share_weights(shares)),
            draw: Stream::root(spec.seed).child("group size"),
            next: GroupPlace {
                experience: 0,
                participants: 0,
                first_person: 0,
            },
        }
    }
}

impl Iterator for GroupPlan {
    type Item = GroupPlace;

    fn next(&mut self) -> Option<GroupPlace> {
        let mut safe = Vec::new();
        self.quota.safe(&mut safe);
        let size = *self.draw.at(self.next.experience).pick(0, &safe);
        self.quota.serve(size);
        let place = GroupPlace {
            participants: self.sizes[size].0,
            ..self.next
        };
        self.next.experience += 1;
        self.next.first_person += place.participants as u64;
        Some(place)
    }
}
