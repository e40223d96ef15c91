//! A maker for tests: deterministic words from keys, restless scheduling, rejections and failures.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::{
    About, Cancel, End, Inputs, MakeError, Maker, Manifest, PageMark, RunDir, RunError, RunWriter,
    SharedCallLog, Slot, carry_out, conversation_id, no_events,
};
use crate::engine::{Completion, Finish, ModelIdentity};
use crate::export;
use crate::pipeline::hub::{Candidate, Gate, Hub, HubRules};
use crate::pipeline::{CallOutcome, RoundResult};
use crate::record::{
    Conversation, Dialogue, EndReason, Experience, GroupChat, Individual, ModelRole, Query, Remark,
    Role, Turn, Verdict,
};
use crate::rng::Stream;
use crate::settings::{Environment, Overrides, RecipeText, RunSpec, Stage, resolve};

pub(super) fn spec(extra: &str) -> RunSpec {
    let recipe = RecipeText::from_file(Path::new("fake.toml"), format!("model = 'm'\n{extra}"));
    resolve(
        &recipe,
        &Overrides::default(),
        &Environment::from_lookup(|_| None),
    )
    .unwrap()
    .spec
}

pub(super) fn manifest(spec: &RunSpec) -> Manifest {
    manifest_with(spec, |_, model| model.clone())
}

/// The same with models by role.
pub(super) fn manifest_with(
    spec: &RunSpec,
    models: impl Fn(ModelRole, &ModelIdentity) -> ModelIdentity,
) -> Manifest {
    let model = ModelIdentity {
        reference: "m".into(),
        hash: "cafe".into(),
        profile: "f32".into(),
        licence: "UNKNOWN".into(),
        demo: true,
        prompt_pack: "compact".into(),
    };
    let pages = ["returns", "a/b", "empty", "warranty"]
        .map(|id| PageMark {
            id: id.into(),
            hash: format!("hash of {id}"),
        })
        .to_vec();
    let prompts = BTreeMap::from([(
        Stage::Conversations,
        BTreeMap::from([("agent".to_owned(), "1".to_owned())]),
    )]);
    Manifest::new(
        spec,
        Inputs {
            models: spec
                .roles()
                .map(|role| (role, models(role, &model)))
                .collect(),
            pages,
            given_queries: None,
            experience_files: BTreeMap::new(),
            against: Vec::new(),
            prompts,
        },
    )
}

#[derive(Clone, Default)]
pub(super) struct Fake {
    /// Schedules, never content.
    pub(super) restless: u64,
    /// Utters the wish to stop at this many model calls.
    pub(super) stop_after: Option<u64>,
    /// Says at this many that the time has been over for long.
    pub(super) leave_after: Option<u64>,
    /// The engine is gone after this many.
    pub(super) die_after: Option<u64>,
    pub(super) calls: Rc<Cell<u64>>,
    pub(super) asked: Rc<RefCell<BTreeSet<String>>>,
    /// Keys that were asked again although their answer was written down.
    pub(super) again: Rc<RefCell<Vec<String>>>,
    pub(super) cancel: Cancel,
    /// All say one of a few things.
    pub(super) alike: bool,
    /// Stages take turns.
    pub(super) phases: bool,
    /// Stages that were begun, in order.
    pub(super) begun: Rc<RefCell<Vec<Stage>>>,
}

impl Fake {
    pub(super) fn restless(restless: u64) -> Self {
        Self {
            restless,
            ..Self::default()
        }
    }

    /// The maker of one session.
    pub(super) fn with(&self, calls: SharedCallLog) -> FakeMaker {
        let rules = HubRules {
            gate: Gate::Ungated,
            ..HubRules::default()
        };
        FakeMaker {
            fake: self.clone(),
            calls,
            hub: RefCell::new(Hub::new(Vec::new(), rules).unwrap()),
        }
    }

    async fn say(&self, key: &str, calls: &SharedCallLog) -> Result<Completion, MakeError> {
        if let Some(CallOutcome::Reply(reply)) = calls.recall(key) {
            return Ok(reply);
        }
        let mood = Stream::root(self.restless).child(key);
        for _ in 0..mood.below(0, 5) {
            tokio::task::yield_now().await;
        }
        self.calls.set(self.calls.get() + 1);
        if self.die_after.is_some_and(|last| self.calls.get() > last) {
            return Err(MakeError::fatal(std::io::Error::other(
                "the engine has stopped",
            )));
        }
        if !self.asked.borrow_mut().insert(key.to_owned()) {
            self.again.borrow_mut().push(key.to_owned());
        }
        let draw = Stream::root(1).child(key);
        let tokens: Vec<u32> = (1..=1 + draw.below(0, 4))
            .map(|at| u32::try_from(draw.bits(at as u64) % 999).unwrap())
            .collect();
        let text = if self.alike && key.starts_with("c/") {
            let thing = ["kettle", "lamp", "toaster"][draw.below(9, 3)];
            format!("Well then, about this {thing}: it is what it is.")
        } else {
            format!("{key} \"says\" {tokens:?} £\n")
        };
        let reply = Completion {
            tokens,
            text,
            finish: Finish::Accepted,
            thinking_tokens: 0,
            prompt_tokens: 3,
            reused_tokens: 1,
        };
        calls.record(key, &CallOutcome::Reply(reply.clone()))?;
        if self.stop_after == Some(self.calls.get()) {
            self.cancel.cancel();
            tokio::task::yield_now().await;
        }
        if self.leave_after == Some(self.calls.get()) {
            self.cancel.leave();
            tokio::task::yield_now().await;
        }
        Ok(reply)
    }
}

/// A [`Fake`] with the memory of a run.
pub(super) struct FakeMaker {
    fake: Fake,
    calls: SharedCallLog,
    hub: RefCell<Hub>,
}

impl FakeMaker {
    /// Whether a stage may be worked on now.
    fn check(&self, stage: Stage) {
        let last = self.fake.begun.borrow().last().copied();
        assert!(
            !self.fake.phases || last == Some(stage),
            "{stage} in {last:?}"
        );
    }
}

impl Maker for FakeMaker {
    fn in_phases(&self) -> bool {
        self.fake.phases
    }

    fn begin(&self, stage: Stage) -> Result<(), MakeError> {
        self.fake.begun.borrow_mut().push(stage);
        Ok(())
    }

    async fn queries(&self, page: &str) -> Result<Vec<Query>, MakeError> {
        self.check(Stage::Queries);
        if page == "empty" {
            return Err(MakeError::Failed {
                reason: "no_facts".into(),
                detail: "the page says nothing".into(),
            });
        }
        let mut queries = Vec::new();
        for call in 0..2 {
            let reply = self
                .fake
                .say(&format!("q/{page}/{call}/0"), &self.calls)
                .await?;
            queries.push(Query {
                id: format!("{page}/{call}"),
                page: page.into(),
                text: reply.text,
                tone: None,
                style: None,
            });
        }
        Ok(queries)
    }

    async fn products(&self, query: &Query) -> Result<Vec<String>, MakeError> {
        self.check(Stage::Products);
        let key = format!("p/{}/0", query.id);
        let reply = self.fake.say(&key, &self.calls).await?;
        let draw = Stream::root(5).child(&reply.text);
        if draw.unit(0) < 0.1 {
            return Err(MakeError::Failed {
                reason: "form".into(),
                detail: "no list".into(),
            });
        }
        let all = ["camera", "laptop", "kettle"].iter().zip(1..);
        let fits = all.filter(|(_, n)| draw.unit(*n) < 0.5);
        Ok(fits.map(|(name, _)| (*name).to_owned()).collect())
    }

    fn given_experience(&self, _place: u64) -> Option<Arc<Experience>> {
        None
    }

    async fn experiences(&self, round: u64, places: &[u64]) -> Result<RoundResult, MakeError> {
        self.check(Stage::Experiences);
        let mut candidates = Vec::new();
        // What later rounds make depends on what earlier ones let in.
        let known = self.hub.borrow().members().len();
        for place in places {
            let key = format!("e/{round}/{place}/0");
            let reply = self.fake.say(&key, &self.calls).await?;
            let draw = Stream::root(4).child(&key);
            let name = |name: &str| Individual {
                name: name.into(),
                ..Individual::of_persona("someone")
            };
            let made = if draw.unit(0) < 0.3 {
                Err("cut off".to_owned())
            } else {
                Ok(Experience {
                    id: format!("e/{place}"),
                    participants: vec![name("Ada"), name("Bo")],
                    relations: format!("They know {known} others."),
                    situation: reply.text.replace('\n', " "),
                    topic: "the thing".into(),
                    starter: "Who has it?".into(),
                    ..Experience::default()
                })
            };
            candidates.push(Candidate {
                place: *place,
                made,
            });
        }
        let admitted = self.hub.borrow_mut().admit(round, candidates);
        admitted.map_err(MakeError::fatal)
    }

    fn recall_round(&self, round: &RoundResult) {
        self.hub.borrow_mut().replay(round).unwrap();
    }

    async fn converse(
        &self,
        slot: &Slot,
        attempt: u32,
        about: About<'_>,
    ) -> Result<Dialogue, MakeError> {
        self.check(Stage::Conversations);
        let (place, query) = match about {
            About::Query(place, query, _) => (place, query),
            About::Experience(experience) => return self.chat(slot, attempt, experience).await,
        };
        let id = conversation_id(slot.index, attempt);
        let draw = Stream::root(2).child(&id);
        let mut turns = Vec::new();
        for turn in 0..2 + draw.below(0, 3) {
            let speaker = if turn % 2 == 0 {
                Role::Customer
            } else {
                Role::Agent
            };
            let reply = self
                .fake
                .say(&format!("{id}/{}/{turn}/0", speaker.name()), &self.calls)
                .await?;
            turns.push(Turn {
                speaker,
                text: reply.text,
                tokens: reply.tokens,
                edits: 0,
                links: Vec::new(),
                restyled: None,
                rejected: Vec::new(),
            });
        }
        if draw.unit(1) < 0.2 {
            return Err(MakeError::Failed {
                reason: "context".into(),
                detail: "too long".into(),
            });
        }
        let kept = draw.unit(2) < 0.6;
        let verdict = if kept {
            Verdict::Keep
        } else {
            Verdict::Reject {
                reason: "echo".into(),
                detail: "x".into(),
            }
        };
        Ok(Dialogue::Support(Conversation {
            id,
            slot: slot.index,
            attempt,
            cell: place.cell.clone(),
            case: place.case.clone(),
            query_id: query.id.clone(),
            query: query.text.clone(),
            rewrites: Vec::new(),
            goals: Vec::new(),
            passages: vec![0, 2],
            turns,
            outcome: Some(place.cell.outcome),
            end_reason: EndReason::Customer,
            verdict,
        }))
    }
}

impl FakeMaker {
    async fn chat(
        &self,
        slot: &Slot,
        attempt: u32,
        experience: &Experience,
    ) -> Result<Dialogue, MakeError> {
        let id = conversation_id(slot.index, attempt);
        let mut turns = Vec::new();
        for turn in 0..3 {
            let key = format!("{id}/member/{turn}/0");
            let reply = self.fake.say(&key, &self.calls).await?;
            turns.push(Remark {
                speaker: turn % 2,
                text: reply.text,
                tokens: reply.tokens,
                moves: Vec::new(),
                rejected: Vec::new(),
            });
        }
        let verdict = if Stream::root(5).child(&id).unit(0) < 0.7 {
            Verdict::Keep
        } else {
            Verdict::Reject {
                reason: "echo".into(),
                detail: "x".into(),
            }
        };
        Ok(Dialogue::Group(GroupChat {
            id,
            slot: slot.index,
            attempt,
            experience: experience.clone(),
            planned_turns: 3,
            turns,
            end_reason: EndReason::MaxTurns,
            verdict,
        }))
    }
}

/// Opens the run in `runs` and carries it on.
pub(super) fn session(
    runs: &Path,
    spec: &RunSpec,
    fake: &Fake,
    concurrency: usize,
) -> Result<(RunDir, End), RunError> {
    let writer = RunWriter::open(runs, manifest(spec))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let summary = runtime.block_on(carry_out(
        writer,
        |calls| fake.with(calls),
        concurrency,
        no_events(),
        &fake.cancel,
    ))?;
    Ok((summary.dir, summary.end))
}

pub(super) fn exported(dir: &RunDir) -> String {
    let replay = dir.replay().unwrap();
    let mut bytes = Vec::new();
    export::to_writer(
        dir.kept(&replay).unwrap(),
        &export::Shape::default(),
        &dir.provenance(),
        Path::new("memory"),
        &mut bytes,
    )
    .unwrap();
    String::from_utf8(bytes).unwrap()
}
