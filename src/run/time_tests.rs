//! Runs that end because the time is over, and runs one of whose stages is made anew.

use std::path::Path;
use std::sync::Arc;

use super::fake::{Fake, exported, manifest, session, spec};
use super::*;
use crate::settings::{RunSpec, Stage};

const MIXED: &str =
    "count = 30\n[plan]\nkind = { support = 1, group = 2 }\n[experiences]\nper_round = 5";

fn calm(spec: &RunSpec) -> String {
    let runs = tempfile::tempdir().unwrap();
    let (dir, end) = session(runs.path(), spec, &Fake::default(), 4).unwrap();
    assert_eq!(end, End::Complete);
    exported(&dir)
}

/// A session that is told that the time is over when so many attempts have ended.
fn closed_after(attempts: u64, runs: &Path, spec: &RunSpec, fake: &Fake) -> Summary {
    let writer = RunWriter::open(runs, manifest(spec)).unwrap();
    let cancel = fake.cancel.clone();
    let ended = std::sync::atomic::AtomicU64::new(0);
    let events: EventSink = Arc::new(move |event| {
        if matches!(event, RunEvent::ConversationFinished { .. })
            && ended.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == attempts
        {
            cancel.close();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let work = carry_out(writer, |calls| fake.with(calls), 4, events, &fake.cancel);
    runtime.block_on(work).unwrap()
}

#[test]
fn when_the_time_is_over_the_living_are_finished_and_nothing_is_begun() {
    let spec = spec(MIXED);
    let whole = calm(&spec);
    for attempts in [1, 2, 7, 19] {
        let runs = tempfile::tempdir().unwrap();
        let fake = Fake::restless(attempts);
        let Summary {
            dir,
            end,
            progress,
            lock,
        } = closed_after(attempts, runs.path(), &spec, &fake);
        drop(lock);
        assert_eq!(end, End::Time, "{attempts}");
        // Four at once: the one that ended, and those that were alive.
        assert!(
            (1..=attempts + 3).contains(&progress.finished),
            "{attempts}: {progress:?}"
        );
        let replay = dir.replay().unwrap();
        assert!(replay.calls.keys().all(|key| !key.starts_with("c/")));
        assert_eq!(dir.finished_prefix(&replay), progress.finished);
        let part = exported(&dir);
        assert!(part.len() < whole.len() && whole.starts_with(&part));
        let (dir, end) = session(runs.path(), &spec, &Fake::default(), 4).unwrap();
        assert_eq!((end, exported(&dir) == whole), (End::Complete, true));
    }
}

#[test]
fn a_time_that_is_over_with_the_last_place_ends_the_run() {
    let spec = spec("count = 3");
    let runs = tempfile::tempdir().unwrap();
    let summary = closed_after(1, runs.path(), &spec, &Fake::default());
    assert_eq!(summary.end, End::Complete);
}

#[test]
fn those_who_take_too_long_are_left_and_their_calls_kept() {
    let spec = spec(MIXED);
    for phases in [false, true] {
        let runs = tempfile::tempdir().unwrap();
        let fake = Fake {
            leave_after: Some(40),
            phases,
            ..Fake::default()
        };
        let (_, end) = session(runs.path(), &spec, &fake, 4).unwrap();
        assert_eq!(end, End::Time);
        let next = Fake {
            asked: fake.asked.clone(),
            again: fake.again.clone(),
            phases,
            ..Fake::default()
        };
        let (dir, end) = session(runs.path(), &spec, &next, 4).unwrap();
        assert_eq!(end, End::Complete);
        assert_eq!(exported(&dir), calm(&spec));
        assert!(fake.again.borrow().is_empty(), "{:?}", fake.again.borrow());
    }
}

#[test]
fn a_wish_to_stop_outweighs_the_time() {
    let cancel = Cancel::default();
    cancel.cancel();
    cancel.close();
    assert!(cancel.is_cancelled() && !cancel.is_time());
}

/// Opens the run of `spec` at `path` and makes it.
fn made_at(path: &Path, spec: &RunSpec, fake: &Fake) -> RunDir {
    let writer = RunWriter::open_at(path, manifest(spec)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let work = carry_out(
        writer,
        |calls| fake.with(calls),
        4,
        no_events(),
        &fake.cancel,
    );
    let summary = runtime.block_on(work).unwrap();
    assert_eq!(summary.end, End::Complete);
    summary.dir
}

fn asked(fake: &Fake, prefix: &str) -> usize {
    let asked = fake.asked.borrow();
    asked.iter().filter(|key| key.starts_with(prefix)).count()
}

#[test]
fn a_stage_made_anew_takes_over_what_comes_before_it() {
    let first = spec(MIXED);
    for (stage, queries, rounds) in [
        (Stage::Conversations, false, false),
        (Stage::Experiences, false, true),
        (Stage::Queries, true, false),
    ] {
        let runs = tempfile::tempdir().unwrap();
        let (dir, _) = session(runs.path(), &first, &Fake::default(), 4).unwrap();
        let (path, before) = (dir.path().to_owned(), exported(&dir));
        let aside = set_aside(&path).unwrap();
        assert_eq!(
            aside.file_name().unwrap().to_str().unwrap(),
            format!("{}.old-1", path.file_name().unwrap().to_str().unwrap())
        );
        let mut again = first.clone();
        again.redo.insert(stage, 1);
        let fake = Fake::default();
        let dir = made_at(&path, &again, &fake);
        assert!(asked(&fake, "c/") > 30, "{stage}");
        assert_eq!(asked(&fake, "q/") > 0, queries, "{stage}");
        assert_eq!(asked(&fake, "e/") > 0, rounds, "{stage}");
        assert!(dir.replay().unwrap().rounds().count() > 0);
        // What was there before is there still.
        assert_eq!(exported(&RunDir::open(&aside).unwrap()), before);
        // The second time there is nothing to do.
        let idle = Fake::default();
        made_at(&path, &again, &idle);
        assert_eq!(idle.calls.get(), 0);
        assert!(set_aside(&path).unwrap().ends_with(format!(
            "{}.old-2",
            path.file_name().unwrap().to_str().unwrap()
        )));
    }
}

#[test]
fn rounds_are_not_taken_from_runs_that_try_more_often() {
    let runs = tempfile::tempdir().unwrap();
    session(runs.path(), &spec(MIXED), &Fake::default(), 4).unwrap();
    let more = spec(&format!("max_attempts = 7\n{MIXED}"));
    let fake = Fake::default();
    let (dir, _) = session(runs.path(), &more, &fake, 4).unwrap();
    assert!(asked(&fake, "e/") > 0 && asked(&fake, "q/") == 0);
    assert_eq!(exported(&dir), calm(&more));
    let words = spec(&format!("{MIXED}\n[group]\nwords = 9"));
    let fake = Fake::default();
    let (dir, _) = session(runs.path(), &words, &fake, 4).unwrap();
    assert_eq!((asked(&fake, "e/"), asked(&fake, "q/")), (0, 0));
    assert_eq!(exported(&dir), calm(&words));
}

#[test]
fn a_stage_made_anew_has_draws_and_a_fingerprint_of_its_own() {
    let first = spec(MIXED);
    let mut again = first.clone();
    again.redo.insert(Stage::Experiences, 2);
    let (a, b) = (manifest(&first), manifest(&again));
    assert_eq!(a.changed_keys(&b), ["redo"]);
    assert_eq!(a.fingerprint(Stage::Queries), b.fingerprint(Stage::Queries));
    for stage in [Stage::Experiences, Stage::Conversations] {
        assert_ne!(a.fingerprint(stage), b.fingerprint(stage));
    }
    assert_eq!(first.draws(Stage::Queries), again.draws(Stage::Queries));
    assert_ne!(
        first.draws(Stage::Experiences),
        again.draws(Stage::Experiences)
    );
    // The plan stays.
    let places = |spec: &RunSpec| Plan::new(spec, &a.page_ids()).slots(30);
    assert_eq!(places(&first), places(&again));
    let json = serde_json::to_value(&first).unwrap();
    assert!(json.get("redo").is_none());
    let json = serde_json::to_string(&again).unwrap();
    assert_eq!(serde_json::from_str::<RunSpec>(&json).unwrap(), again);
}
