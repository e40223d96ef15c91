//! What is kept under rules of quality does not depend on how it came about.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::fake::{Fake, exported, session, spec};
use super::*;
use crate::settings::RunSpec;

fn alike(restless: u64) -> Fake {
    Fake {
        alike: true,
        ..Fake::restless(restless)
    }
}

/// Rows, and why what was turned down at each place was.
fn result(dir: &RunDir) -> (String, Vec<(u64, u32, String)>) {
    let replay = dir.replay().unwrap();
    let mut reasons = Vec::new();
    for (slot, history) in &replay.slots {
        for attempt in history.attempts.keys() {
            let found = dir.conversation(&replay, *slot, *attempt).unwrap();
            if let Some(dialogue) = found {
                reasons.push((*slot, *attempt, format!("{:?}", dialogue.verdict())));
            }
        }
    }
    (exported(dir), reasons)
}

fn undisturbed(spec: &RunSpec) -> (String, Vec<(u64, u32, String)>) {
    let runs = tempfile::tempdir().unwrap();
    let (dir, end) = session(runs.path(), spec, &alike(0), 1).unwrap();
    assert_eq!(end, End::Complete);
    result(&dir)
}

const GATED: &str = "[quality]\nnear_duplicates = 0.7\nsame_opening = 3";

#[test]
fn twins_are_turned_down_and_made_again() {
    let spec = spec(&format!("count = 12\nmax_attempts = 6\n{GATED}"));
    let (rows, reasons) = undisturbed(&spec);
    let twins = |reason: &str| {
        let mut found = reasons.iter();
        found.any(|(_, _, verdict)| verdict.contains(reason))
    };
    assert!(twins("near_duplicate") && twins("same_opening"));
    let loose = super::fake::spec("count = 12\nmax_attempts = 6\n[quality]\nnear_duplicates = 1");
    let (all, none) = undisturbed(&loose);
    assert!(rows.lines().count() < all.lines().count());
    assert!(
        !none
            .iter()
            .any(|(_, _, verdict)| verdict.contains("near_duplicate"))
    );
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &alike(0), 4).unwrap();
    let status = dir.status(&dir.replay().unwrap());
    assert!(status.rejected["near_duplicate"] > 0);
    assert_eq!(status.kept + status.exhausted, 12);
}

/// The same conversations under other rules: what is there is looked at again, and only what is missing is made.
#[test]
fn other_rules_make_nothing_twice() {
    let text =
        |least: &str| format!("count = 12\nmax_attempts = 6\n[quality]\nnear_duplicates = {least}");
    let (loose, strict) = (spec(&text("1")), spec(&text("0.7")));
    let runs = tempfile::tempdir().unwrap();
    let fake = alike(1);
    let (first, _) = session(runs.path(), &loose, &fake, 5).unwrap();
    let before = result(&first);
    let (dir, end) = session(runs.path(), &strict, &fake, 5).unwrap();
    assert_eq!((dir.path(), end), (first.path(), End::Complete));
    assert_eq!(result(&dir), undisturbed(&strict));
    assert!(fake.again.borrow().is_empty());
    let calls = fake.calls.get();
    let (dir, _) = session(runs.path(), &loose, &fake, 5).unwrap();
    assert_eq!(exported(&dir), before.0);
    assert_eq!(fake.calls.get(), calls, "everything was there");
}

#[test]
fn a_grown_run_is_the_run_it_would_have_been() {
    let text = |count: u32| spec(&format!("count = {count}\nmax_attempts = 5\n{GATED}"));
    let runs = tempfile::tempdir().unwrap();
    session(runs.path(), &text(7), &alike(1), 3).unwrap();
    let (dir, _) = session(runs.path(), &text(13), &alike(2), 8).unwrap();
    assert_eq!(result(&dir), undisturbed(&text(13)));
}

/// A bound ends the run as if its time was over; what is made is the same.
#[test]
fn a_bound_stops_the_run_and_changes_nothing() {
    let text = |monitor: &str| format!("count = 60\nmax_attempts = 3\n{monitor}");
    let watched = spec(&text("[monitor]\nwindow = 20\nstop = { rejected = 0.05 }"));
    let runs = tempfile::tempdir().unwrap();
    let (dir, end) = session(runs.path(), &watched, &alike(1), 4).unwrap();
    assert_eq!(end, End::Bound);
    let stopped = dir.status(&dir.replay().unwrap());
    assert!(stopped.open > Some(0));
    let plain = spec(&text(""));
    let (dir, end) = session(runs.path(), &plain, &alike(2), 4).unwrap();
    assert_eq!(end, End::Complete);
    assert_eq!(result(&dir), undisturbed(&plain));
    let warned = spec(&text("[monitor]\nwindow = 20\nwarn = { rejected = 0.05 }"));
    assert_eq!(undisturbed(&warned), undisturbed(&plain));
}

fn cut(path: &Path, bytes: usize) {
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..whole.len().saturating_sub(bytes)]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any schedule, any interruption, any cut: the same conversations, turned down for the same reasons.
    #[test]
    fn nothing_that_happens_reaches_what_is_kept(
        stops in prop::collection::vec((1u64..50, 1usize..20, any::<u64>(), 0usize..400), 0..4), last in 1usize..30,
    ) {
        let spec = spec(&format!("count = 9\nmax_attempts = 5\n{GATED}"));
        let runs = tempfile::tempdir().unwrap();
        for (stop, concurrency, restless, bytes) in stops {
            let fake = Fake { stop_after: Some(stop), ..alike(restless) };
            let (dir, _) = session(runs.path(), &spec, &fake, concurrency).unwrap();
            cut(&dir.journal_path(), bytes);
        }
        let (dir, end) = session(runs.path(), &spec, &alike(3), last).unwrap();
        prop_assert_eq!(end, End::Complete);
        prop_assert_eq!(result(&dir), undisturbed(&spec));
    }
}
