//! Stages that take turns make what stages make that stream into each other; and what a run depends on by role.

use super::fake::{Fake, exported, manifest, manifest_with, session, spec};
use super::*;
use crate::engine::ModelIdentity;
use crate::record::ModelRole;
use crate::settings::Stage;

fn in_phases() -> Fake {
    Fake {
        phases: true,
        ..Fake::restless(3)
    }
}

#[test]
fn stages_in_turn_make_the_same() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 30");
    let (dir, _) = session(&runs.path().join("stream"), &spec, &Fake::restless(1), 8).unwrap();
    let fake = in_phases();
    let (turns, end) = session(&runs.path().join("turns"), &spec, &fake, 8).unwrap();
    assert_eq!(end, End::Complete);
    assert_eq!(exported(&turns), exported(&dir));
    // The fake itself panics when it is asked for a stage that was not begun.
    assert_eq!(*fake.begun.borrow(), [Stage::Queries, Stage::Conversations]);
    // Nothing is begun for nothing.
    let again = in_phases();
    session(&runs.path().join("turns"), &spec, &again, 8).unwrap();
    assert!(again.begun.borrow().is_empty());
}

#[test]
fn stages_in_turn_go_on_where_they_stopped() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 30");
    let (calm, _) = session(&runs.path().join("calm"), &spec, &Fake::restless(1), 64).unwrap();
    let hurt = runs.path().join("hurt");
    let mut begun = Vec::new();
    for stop in [2, 5, 1, 20, 33] {
        let fake = Fake {
            stop_after: Some(stop),
            ..in_phases()
        };
        let (_, end) = session(&hurt, &spec, &fake, 3).unwrap();
        begun.push(fake.begun.borrow().clone());
        if end == End::Complete {
            break;
        }
    }
    assert_eq!(begun[0], [Stage::Queries], "stopped among the questions");
    let last = in_phases();
    let (dir, end) = session(&hurt, &spec, &last, 64).unwrap();
    assert_eq!((end, exported(&dir)), (End::Complete, exported(&calm)));
    assert_eq!(
        *last.begun.borrow(),
        [Stage::Conversations],
        "the questions were there"
    );
}

const MIXED: &str =
    "count = 30\n[plan]\nkind = { support = 1, group = 2 }\n[experiences]\nper_round = 5";

#[test]
fn groups_in_turn_make_the_same() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec(MIXED);
    let (dir, _) = session(&runs.path().join("stream"), &spec, &Fake::restless(1), 8).unwrap();
    let fake = in_phases();
    let (turns, end) = session(&runs.path().join("turns"), &spec, &fake, 8).unwrap();
    assert_eq!(end, End::Complete);
    assert_eq!(exported(&turns), exported(&dir));
    assert!(exported(&dir).contains("\"perspective\""));
    assert_eq!(
        *fake.begun.borrow(),
        [Stage::Queries, Stage::Experiences, Stage::Conversations]
    );
}

#[test]
fn a_stage_depends_on_its_own_models_alone() {
    let other = |role: ModelRole, change: fn(&mut ModelIdentity)| {
        manifest_with(&spec(""), move |of, model| {
            let mut model = model.clone();
            if of == role {
                change(&mut model);
            }
            model
        })
    };
    let hash = |model: &mut ModelIdentity| model.hash = "f00d".into();
    let one = manifest(&spec(""));
    assert!(one.models.is_empty() && one.provenance().models.is_empty());
    for (role, keys) in [
        (ModelRole::Queries, "model.queries"),
        (ModelRole::Customer, "model.customer"),
        (ModelRole::Agent, "model.agent"),
        (ModelRole::Status, "model.status"),
    ] {
        let two = other(role, hash);
        assert_eq!(one.changed_keys(&two), [keys]);
        assert_eq!(two.changed_keys(&one), [keys]);
        let same = |stage| one.fingerprint(stage) == two.fingerprint(stage);
        assert_eq!(same(Stage::Queries), role != ModelRole::Queries);
        assert!(!same(Stage::Conversations), "questions are their parents");
        assert_eq!(two.provenance().models[&role].model_hash, "f00d");
        assert_eq!(two.models.len(), 4);
    }
    // All of them are one word, and a name is nobody's content.
    let all = manifest_with(&spec(""), |_, model| ModelIdentity {
        profile: "int8".into(),
        ..model.clone()
    });
    assert_eq!(one.changed_keys(&all), ["model.profile"]);
    let named = other(ModelRole::Agent, |model| {
        model.reference = "elsewhere".into();
    });
    assert!(one.changed_keys(&named).is_empty());
    assert_eq!(named.folder_name(), one.folder_name());
    assert_eq!(named.provenance().model, "elsewhere");
    let mut sober = other(ModelRole::Queries, |model| model.demo = false);
    assert!(sober.is_demo(), "the others are");
    sober
        .models
        .values_mut()
        .for_each(|model| model.demo = false);
    sober.model.demo = false;
    assert!(!sober.is_demo());
}
