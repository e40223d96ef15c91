use std::collections::BTreeMap;

use super::{FailedAttempt, Making, Material, Source};
use crate::record::{Kind, Sample};
use crate::run::{AttemptEnd, Replay, RunDir, RunError, Slot, SlotState, Task, conversation_id};

impl Material {
    /// What a run holds: of the places that are finished from the first on, every attempt. `each` is told how many have been
    /// read.
    ///
    /// # Errors
    /// When the run's journal cannot be read.
    pub fn of_run(
        dir: &RunDir,
        replay: &Replay,
        name: String,
        mut each: impl FnMut(usize),
    ) -> Result<Self, RunError> {
        let spec = &dir.manifest().spec;
        let prefix = dir.finished_prefix(replay);
        let mut making = Making {
            places: usize::try_from(prefix).unwrap_or(usize::MAX),
            kept_at: (0..prefix)
                .map(|slot| match replay.state(slot, spec.max_attempts) {
                    SlotState::Kept { attempt } => usize::try_from(attempt).ok(),
                    _ => None,
                })
                .collect(),
            timeline: dir.timeline(),
            ..Making::default()
        };
        let slots = dir.plan(replay).map(|plan| plan.slots(prefix));
        for slot in slots.unwrap_or_default() {
            for (axis, value) in axes(&slot) {
                let counts = making.planned.entry(axis).or_default();
                *counts.entry(value).or_default() += 1;
            }
        }
        let status = dir.status(replay);
        for place in status.shortfalls {
            if place.slot < prefix {
                let why = place.reasons.join(", ");
                making.empty.push((place.task.to_string(), why));
            }
        }
        for (slot, history) in replay.slots.range(..prefix) {
            for (attempt, ended) in &history.attempts {
                if let AttemptEnd::Failed { reason } = &ended.end {
                    making.failed.push(FailedAttempt {
                        id: conversation_id(*slot, *attempt),
                        reason: reason.clone(),
                    });
                }
            }
        }
        let mut samples = Vec::new();
        for dialogue in dir.finished(replay, true)? {
            samples.push(Sample::of(&dialogue?));
            each(samples.len());
        }
        let kept = samples.iter().filter(|sample| sample.is_kept());
        let source = Source {
            name,
            facts: facts(dir, status.open),
            conversations: kept.clone().count(),
            turns: kept.map(|sample| sample.turns.len()).sum(),
            demo: dir.manifest().is_demo(),
            skipped: 0,
        };
        Ok(Self {
            source,
            samples,
            files: Vec::new(),
            making: Some(making),
            judged: dir.judgements()?,
        })
    }
}

/// What a place asks for, by the names of a sample's fields.
fn axes(slot: &Slot) -> Vec<(&'static str, String)> {
    match &slot.task {
        Task::Support(place) => {
            let cell = &place.cell;
            let mut axes = vec![
                ("kind", Kind::Support.name().to_owned()),
                ("tone", cell.tone.name().to_owned()),
                ("style", cell.style.name().to_owned()),
                ("page", cell.page.clone()),
                ("outcome", cell.outcome.name().to_owned()),
                ("cooperation", cell.cooperation.name().to_owned()),
            ];
            if let Some(product) = &cell.product {
                axes.push(("product", product.clone()));
            }
            if let Some(language) = cell.first_language {
                axes.push(("first_language", language.name().to_owned()));
            }
            axes
        }
        Task::Group(place) => vec![
            ("kind", Kind::Group.name().to_owned()),
            ("participants", place.participants.to_string()),
        ],
    }
}

/// What is known of a run, for people.
fn facts(dir: &RunDir, open: Option<u64>) -> Vec<(String, String)> {
    let manifest = dir.manifest();
    let provenance = dir.provenance();
    let mut models: BTreeMap<&str, (Vec<&str>, &str)> = BTreeMap::new();
    for role in manifest.spec.roles() {
        let model = manifest.model_of(role);
        let own = models
            .entry(model.reference.as_str())
            .or_insert((Vec::new(), model.licence.as_str()));
        own.0.push(role.name());
    }
    let mut facts = vec![
        ("recipe".to_owned(), manifest.name.clone()),
        ("seed".to_owned(), provenance.seed.to_string()),
        ("made by".to_owned(), provenance.program.clone()),
        ("profile".to_owned(), provenance.profile.clone()),
    ];
    for (model, (roles, licence)) in &models {
        let whose = if models.len() == 1 {
            "model".to_owned()
        } else {
            format!("model of {}", roles.join(", "))
        };
        facts.push((whose, (*model).to_owned()));
        facts.push((format!("terms of {model}'s output"), (*licence).to_owned()));
    }
    facts.push((
        "state".to_owned(),
        match open {
            Some(0) => "complete".to_owned(),
            Some(open) => format!(
                "{open} places to be made; the finished first part of the plan is looked at"
            ),
            None => "its plan is not known yet".to_owned(),
        },
    ));
    facts
}
