//! A run's rounds of experiences, and its group chats.

use std::cell::RefCell;
use std::sync::Arc;

use super::{language, sampling, sort_out};
use crate::cli::workshop::Workshop;
use crate::cli::workshop::groups::GroupInputs;
use crate::dialogue::{DecisionRule, FloorRules, Method};
use crate::pipeline::hub::{Gate, Hub, HubRules, ShotChoice};
use crate::pipeline::{
    Caller, Cast, ExperienceContext, ExperienceSettings, GroupContext, GroupSettings, RoundResult,
    Wanted, chat, generate_experiences,
};
use crate::record::{Dialogue, Experience, ModelRole, MoveSigns};
use crate::run::{GroupPlace, GroupPlan, MakeError, Slot};
use crate::settings::{RunSpec, SpeakerMethod, Stage};

/// Makes experiences and group chats for a run.
pub struct GroupMaker {
    given: Option<Vec<Arc<Experience>>>,
    hub: RefCell<Hub>,
    experiences: ExperienceContext,
    group: GroupContext,
    /// The places of the plan as far as they were asked for.
    places: RefCell<(GroupPlan, Vec<GroupPlace>)>,
}

impl GroupMaker {
    pub fn new(workshop: &Workshop, inputs: &GroupInputs, caller: &Caller) -> Self {
        let (spec, cast) = (&workshop.spec, &workshop.cast);
        let hub = Hub::new(inputs.seeds.clone(), hub_rules(spec));
        Self {
            given: inputs.given.clone(),
            hub: RefCell::new(hub.expect("seeds were looked at when they were read")),
            experiences: ExperienceContext {
                caller: caller.clone(),
                settings: Arc::new(experience_settings(spec, cast)),
                root: spec.draws(Stage::Experiences),
                people: inputs.people.clone(),
            },
            group: GroupContext {
                caller: caller.clone(),
                settings: Arc::new(group_settings(spec, cast)),
                root: spec.draws(Stage::Conversations),
            },
            places: RefCell::new((GroupPlan::new(spec), Vec::new())),
        }
    }

    /// The experience of a place, where they are given: in their order, and again from the beginning.
    pub fn given(&self, place: u64) -> Option<Arc<Experience>> {
        let given = self.given.as_ref()?;
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        Some(Arc::clone(&given[place % given.len()]))
    }

    pub fn recall(&self, round: &RoundResult) {
        // Rounds come in order, as they were made; one that does not fit is of another program and shows in what follows.
        let _ = self.hub.borrow_mut().replay(round);
    }

    pub async fn round(&self, round: u64, places: &[u64]) -> Result<RoundResult, MakeError> {
        let wanted: Vec<Wanted> = places.iter().map(|place| self.wanted(*place)).collect();
        // Nobody else makes a round meanwhile.
        let hub = self.hub.borrow().clone();
        let candidates = generate_experiences(&self.experiences, &hub, round, &wanted)
            .await
            .map_err(sort_out)?;
        self.hub
            .borrow_mut()
            .admit(round, candidates)
            .map_err(MakeError::fatal)
    }

    pub async fn chat(
        &self,
        slot: &Slot,
        attempt: u32,
        experience: &Arc<Experience>,
    ) -> Result<Dialogue, MakeError> {
        chat(&self.group, slot.index, attempt, experience)
            .await
            .map(Dialogue::Group)
            .map_err(sort_out)
    }

    fn wanted(&self, place: u64) -> Wanted {
        let (plan, places) = &mut *self.places.borrow_mut();
        while places.len() as u64 <= place {
            places.extend(plan.next());
        }
        let place = places[usize::try_from(place).expect("below a length")];
        Wanted {
            place: place.experience,
            participants: place.participants,
            first_person: place.first_person,
        }
    }
}

fn hub_rules(spec: &RunSpec) -> HubRules {
    let rules = &spec.experiences;
    HubRules {
        gate: Gate::named(rules.hub.name()).expect("the same names"),
        max_depth: rules.max_depth,
        round_size: rules.per_round as usize,
        shots: rules.shots as usize,
        choice: ShotChoice::named(rules.shot_choice.name()).expect("the same names"),
        ..HubRules::default()
    }
}

pub fn experience_settings(spec: &RunSpec, cast: &Cast) -> ExperienceSettings {
    ExperienceSettings {
        language: language(&spec.language),
        sampling: sampling(&cast.experiences.model, spec.sampling.experiences),
        per_call: spec.experiences.per_call as usize,
        thinking: spec.thinking_of(ModelRole::Experiences) as usize,
    }
}

pub fn group_settings(spec: &RunSpec, cast: &Cast) -> GroupSettings {
    let rules = &spec.group;
    let place = |number: &u32| (*number as usize).saturating_sub(1);
    GroupSettings {
        language: language(&spec.language),
        min_turns: rules.min_turns as usize,
        max_turns: rules.max_turns as usize,
        words: rules.words as usize,
        sampling: sampling(&cast.member.model, spec.sampling.member),
        decision: DecisionRule::Draw { temperature: 1.0 },
        floor: FloorRules {
            method: match rules.speaker {
                SpeakerMethod::Auto => Method::Auto,
                SpeakerMethod::RoundRobin => Method::RoundRobin,
                SpeakerMethod::Random => Method::Random,
                SpeakerMethod::Manual => Method::Manual(rules.order.iter().map(place).collect()),
            },
            transitions: rules
                .transitions
                .iter()
                .filter_map(|(from, after)| {
                    let from = from.parse::<u32>().ok()?;
                    Some((place(&from), after.iter().map(place).collect()))
                })
                .collect(),
            repeats: rules.repeats,
        },
        signs: MoveSigns {
            leave: rules.leave.clone(),
            pause: rules.pause.clone(),
            interrupt: rules.interrupt.clone(),
        },
        thinking: spec.thinking_of(ModelRole::Member) as usize,
    }
}
