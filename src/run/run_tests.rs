use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::fake::{Fake, exported, manifest, session, spec};
use super::journal::Sink;
use super::{
    AttemptResult, End, Journal, JournalError, Manifest, Plan, RunDir, RunError, RunEvent,
    RunState, RunWriter, SlotState, carry_out, nearest_run,
};
use crate::settings::{RunSpec, Stage};

/// A run that nothing disturbed.
fn undisturbed(spec: &RunSpec) -> String {
    let runs = tempfile::tempdir().unwrap();
    let (dir, end) = session(runs.path(), spec, &Fake::default(), 1).unwrap();
    assert_eq!(end, End::Complete);
    exported(&dir)
}

#[test]
fn concurrency_changes_nothing() {
    let spec = spec("count = 40");
    let alone = undisturbed(&spec);
    assert!(alone.lines().count() > 25, "{}", alone.lines().count());
    for (concurrency, restless) in [(1, 5), (3, 6), (3, 7), (64, 8), (64, 9)] {
        let runs = tempfile::tempdir().unwrap();
        let fake = Fake::restless(restless);
        let (dir, _) = session(runs.path(), &spec, &fake, concurrency).unwrap();
        assert_eq!(exported(&dir), alone, "{concurrency} at once");
        assert!(fake.again.borrow().is_empty());
    }
}

#[test]
fn rows_are_in_plan_order_and_of_kept_conversations_only() {
    let spec = spec("count = 30");
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &Fake::restless(3), 16).unwrap();
    let replay = dir.replay().unwrap();
    let ids: Vec<String> = exported(&dir)
        .lines()
        .map(|row| {
            serde_json::from_str::<serde_json::Value>(row).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let mut expected = Vec::new();
    for slot in 0..30 {
        if let SlotState::Kept { attempt } = replay.state(slot, spec.max_attempts) {
            expected.push(format!("c/{slot}/{attempt}"));
        }
    }
    assert_eq!(ids, expected);
    assert!(
        ids.iter().any(|id| !id.ends_with("/0")),
        "some were replaced"
    );
}

/// Interrupted again and again, at any number of calls, the run ends the same and no answer is asked for twice.
#[test]
fn interrupted_and_resumed_is_undisturbed() {
    let spec = spec("count = 14");
    let alone = undisturbed(&spec);
    for step in [3, 17] {
        let runs = tempfile::tempdir().unwrap();
        let shared = Fake::default();
        let mut sessions = 0;
        let dir = loop {
            let calls = std::rc::Rc::default();
            let fake = Fake {
                restless: sessions,
                stop_after: Some(step),
                cancel: super::Cancel::default(),
                calls,
                ..shared.clone()
            };
            let (dir, end) = session(runs.path(), &spec, &fake, 4).unwrap();
            sessions += 1;
            assert!(sessions < 1000);
            if end == End::Complete {
                break dir;
            }
            assert_eq!(end, End::Interrupted);
        };
        assert!(sessions > 1);
        assert_eq!(exported(&dir), alone, "stopped every {step} calls");
    }
}

#[test]
fn what_was_written_is_not_asked_again() {
    let spec = spec("count = 14");
    let runs = tempfile::tempdir().unwrap();
    let first = Fake {
        stop_after: Some(40),
        ..Fake::restless(1)
    };
    assert_eq!(
        session(runs.path(), &spec, &first, 8).unwrap().1,
        End::Interrupted
    );
    let second = Fake {
        asked: first.asked.clone(),
        ..Fake::restless(2)
    };
    assert_eq!(
        session(runs.path(), &spec, &second, 8).unwrap().1,
        End::Complete
    );
    assert_eq!(*second.again.borrow(), Vec::<String>::new());
}

/// Cut at any byte, as by a crash, the run ends the same.
#[test]
fn a_crash_at_any_byte_changes_nothing() {
    let spec = spec("count = 5");
    let alone = undisturbed(&spec);
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &Fake::restless(1), 3).unwrap();
    let path = dir.journal_path();
    let whole = fs::read(&path).unwrap();
    let last_lines = whole.len()
        - whole
            .split_inclusive(|byte| *byte == b'\n')
            .rev()
            .take(2)
            .map(<[u8]>::len)
            .sum::<usize>();
    let everywhere = (0..last_lines)
        .step_by(613)
        .chain((last_lines..whole.len()).step_by(29))
        .chain(last_lines..last_lines + 10);
    for cut in everywhere {
        fs::write(&path, &whole[..cut]).unwrap();
        let (dir, end) = session(runs.path(), &spec, &Fake::restless(cut as u64), 3).unwrap();
        assert_eq!(end, End::Complete);
        assert_eq!(exported(&dir), alone, "cut at {cut}");
    }
}

#[test]
fn the_same_command_again_has_nothing_to_do() {
    let spec = spec("count = 8");
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &Fake::default(), 2).unwrap();
    let before = fs::read(dir.journal_path()).unwrap();
    let fake = Fake::default();
    let (again, end) = session(runs.path(), &spec, &fake, 2).unwrap();
    assert_eq!(
        (again.path(), end, fake.calls.get()),
        (dir.path(), End::Complete, 0)
    );
    assert_eq!(fs::read(dir.journal_path()).unwrap(), before);
    assert_eq!(fs::read_dir(runs.path()).unwrap().count(), 1);
}

#[test]
fn count_may_grow_and_a_limit_is_a_prefix() {
    let runs = tempfile::tempdir().unwrap();
    let small = spec("count = 6");
    let (dir, _) = session(runs.path(), &small, &Fake::default(), 2).unwrap();
    let first = exported(&dir);
    let mut large = spec("count = 20");
    large.limit = Some(12);
    let (dir, end) = session(runs.path(), &large, &Fake::default(), 2).unwrap();
    assert_eq!(end, End::Limit);
    let limited = exported(&dir);
    large.limit = None;
    let (dir, end) = session(runs.path(), &large, &Fake::default(), 5).unwrap();
    assert_eq!(end, End::Complete);
    let all = exported(&dir);
    assert!(limited.starts_with(&first) && all.starts_with(&limited));
    assert!(first.len() < limited.len() && limited.len() < all.len());
    assert_eq!(all, undisturbed(&spec("count = 20")));
    assert_eq!(RunDir::open(dir.path()).unwrap().manifest().spec.count, 20);
}

#[test]
fn a_live_export_is_the_longest_finished_prefix() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 30");
    let (dir, end) = session(
        runs.path(),
        &spec,
        &Fake {
            stop_after: Some(110),
            ..Fake::restless(2)
        },
        9,
    )
    .unwrap();
    assert_eq!(end, End::Interrupted);
    let replay = dir.replay().unwrap();
    let prefix = dir.finished_prefix(&replay);
    assert!(
        (0..prefix).all(|slot| replay.state(slot, 4).is_finished())
            && !replay.state(prefix, 4).is_finished()
    );
    let rows = exported(&dir);
    assert!(prefix > 0 && replay.slots.len() as u64 > prefix);
    assert!(undisturbed(&spec).starts_with(&rows));
}

#[test]
fn status_counts_and_names_what_is_missing() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 40\nmax_attempts = 2");
    let (dir, _) = session(runs.path(), &spec, &Fake::restless(2), 16).unwrap();
    let status = dir.status(&dir.replay().unwrap());
    assert_eq!(
        (
            status.state,
            status.count,
            status.open,
            status.finished_prefix
        ),
        (RunState::Complete, Some(40), Some(0), 40)
    );
    assert_eq!(status.kept + status.exhausted, 40);
    assert_eq!(status.kept, exported(&dir).lines().count() as u64);
    assert_eq!(status.shortfalls.len() as u64, status.exhausted);
    assert_eq!((status.pages, status.pages_with_queries), (4, 3));
    assert_eq!(
        status
            .rejected
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["context", "echo", "no_queries"]
    );
    let plan = Plan::new(&spec, &dir.manifest().page_ids()).slots(40);
    for missing in &status.shortfalls {
        let place = &plan[usize::try_from(missing.slot).unwrap()];
        assert_eq!((place.index, &place.task), (missing.slot, &missing.task));
        assert!(
            place.support().unwrap().cell.page == "empty" && missing.reasons == ["no_queries"]
                || missing.reasons.len() == 2,
            "{missing:?}"
        );
    }
    assert_eq!(status.rejected["no_queries"], 10);
    let some = &status.shortfalls[0];
    assert!(
        dir.conversation(&dir.replay().unwrap(), some.slot, 7)
            .unwrap()
            .is_none()
    );
}

#[test]
fn events_tell_the_story() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 12");
    let writer = RunWriter::open(runs.path(), manifest(&spec)).unwrap();
    assert!(writer.created);
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let fake = Fake::restless(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let events = Arc::new(move |event: &RunEvent| listener.lock().unwrap().push(event.clone()));
    let summary = runtime
        .block_on(carry_out(
            writer,
            |calls| fake.with(calls),
            4,
            events,
            &fake.cancel,
        ))
        .unwrap();
    let told = told.lock().unwrap();
    assert!(matches!(
        told[0],
        RunEvent::Started {
            places: 12,
            finished: 0,
            kept: 0,
            pages: 4,
            pages_with_queries: 0
        }
    ));
    let count =
        |wanted: fn(&RunEvent) -> bool| told.iter().filter(|event| wanted(event)).count() as u64;
    let kept = count(|event| {
        matches!(
            event,
            RunEvent::ConversationFinished {
                result: AttemptResult::Kept,
                ..
            }
        )
    });
    let other = count(|event| {
        matches!(
            event,
            RunEvent::ConversationFinished {
                result: AttemptResult::Rejected { .. } | AttemptResult::Failed { .. },
                ..
            }
        )
    });
    assert_eq!(
        (kept, other),
        (summary.progress.kept, summary.progress.rejected)
    );
    assert_eq!(
        count(|event| matches!(event, RunEvent::PageQueries { .. })),
        4
    );
    assert_eq!(
        count(|event| matches!(event, RunEvent::TokensGenerated { .. })),
        fake.calls.get()
    );
    let tokens: usize = told
        .iter()
        .map(|event| {
            if let RunEvent::TokensGenerated { tokens, .. } = event {
                *tokens
            } else {
                0
            }
        })
        .sum();
    assert_eq!(summary.progress.tokens, tokens as u64);
    assert_eq!(summary.progress.finished, 12);
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 4");
    let writer = RunWriter::open(runs.path(), manifest(&spec)).unwrap();
    let error = RunWriter::open(runs.path(), manifest(&spec)).err().unwrap();
    assert!(
        matches!(&error, RunError::Locked { process: Some(id), .. } if *id == std::process::id()),
        "{error}"
    );
    assert!(
        error.to_string().contains("another colloquy is writing"),
        "{error}"
    );
    let reader = RunDir::open(writer.dir.path()).unwrap();
    let status = reader.status(&reader.replay().unwrap());
    assert_eq!(
        (status.state, status.process),
        (RunState::Live, Some(std::process::id()))
    );
    drop(writer);
    assert_eq!(
        reader.status(&reader.replay().unwrap()).state,
        RunState::Partial
    );
}

#[test]
fn the_lock_is_held_until_the_summary_is_done_with() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 4");
    let writer = RunWriter::open(runs.path(), manifest(&spec)).unwrap();
    let fake = Fake::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let summary = runtime
        .block_on(carry_out(
            writer,
            |calls| fake.with(calls),
            2,
            super::no_events(),
            &fake.cancel,
        ))
        .unwrap();
    let open = || RunWriter::open(runs.path(), manifest(&spec));
    assert!(matches!(open(), Err(RunError::Locked { .. })));
    drop(summary.lock);
    assert!(open().is_ok());
}

#[test]
fn a_writer_removes_what_killed_ones_left() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 4");
    let writer = RunWriter::open(runs.path(), manifest(&spec)).unwrap();
    let path = writer.dir.path().to_owned();
    drop(writer);
    let names = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let before = names(&path);
    for name in ["run.json.12.tmp", "messages.jsonl.4000000.tmp"] {
        fs::write(path.join(name), "half").unwrap();
    }
    RunWriter::open(runs.path(), manifest(&spec)).unwrap();
    assert_eq!(names(&path), before);
}

/// Lines that were not durable when the power went may be lost in any order; the run ends the same.
#[test]
fn a_hole_among_the_last_lines_changes_nothing() {
    let spec = spec("count = 5");
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(runs.path(), &spec, &Fake::restless(1), 3).unwrap();
    let path = dir.journal_path();
    let whole = fs::read(&path).unwrap();
    let mark = b" \"synced\"\n";
    let ends = whole.windows(mark.len()).enumerate();
    let ends: Vec<_> = ends
        .filter(|(_, window)| window == mark)
        .map(|(at, _)| at)
        .collect();
    let (last, earlier) = (ends[ends.len() - 1], ends[ends.len() - 2]);
    let hole = |at: usize| {
        let mut bytes = whole[..last - 8].to_vec();
        bytes[at..at + 40].fill(0);
        fs::write(&path, bytes).unwrap();
        session(runs.path(), &spec, &Fake::restless(2), 3)
    };
    let (dir, _) = hole(usize::midpoint(earlier, last)).unwrap();
    assert_eq!(exported(&dir), undisturbed(&spec));
    let error = hole(earlier - 60).err().unwrap();
    assert!(
        matches!(error, RunError::Journal(JournalError::Damaged { .. })),
        "{error}"
    );
}

#[test]
fn a_dead_engine_ends_the_session_and_the_next_goes_on() {
    let runs = tempfile::tempdir().unwrap();
    let spec = spec("count = 9");
    let error = session(
        runs.path(),
        &spec,
        &Fake {
            die_after: Some(20),
            ..Fake::restless(4)
        },
        4,
    )
    .unwrap_err();
    assert!(matches!(error, RunError::Fatal(_)), "{error}");
    let (dir, _) = session(runs.path(), &spec, &Fake::restless(5), 4).unwrap();
    assert_eq!(exported(&dir), undisturbed(&spec));
}

/// A file that fills up.
struct Filling(fs::File, usize);

impl Write for Filling {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let room = from.len().min(self.1);
        if room == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.1 -= room;
        self.0.write(&from[..room])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Filling {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_full_disk_ends_the_session_and_the_next_goes_on() {
    let spec = spec("count = 6");
    for room in [0, 1, 100, 1_000, 4_000] {
        let runs = tempfile::tempdir().unwrap();
        let mut writer = RunWriter::open(runs.path(), manifest(&spec)).unwrap();
        let path = writer.dir.journal_path();
        let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        writer.journal =
            Arc::new(Journal::with_sink(&path, Box::new(Filling(file, room))).unwrap());
        let fake = Fake::restless(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let error = runtime
            .block_on(carry_out(
                writer,
                |calls| fake.with(calls),
                3,
                super::no_events(),
                &fake.cancel,
            ))
            .unwrap_err();
        assert!(
            matches!(error, RunError::Journal(JournalError::Write { .. })),
            "{error}"
        );
        assert!(error.hint().is_some());
        let (dir, _) = session(runs.path(), &spec, &Fake::default(), 3).unwrap();
        assert_eq!(exported(&dir), undisturbed(&spec), "room for {room}");
    }
}

#[test]
fn another_recipe_is_another_run_that_takes_over_what_did_not_change() {
    let runs = tempfile::tempdir().unwrap();
    let (old, _) = session(runs.path(), &spec("count = 8"), &Fake::default(), 2).unwrap();
    let changed = spec("count = 8\ncustomer.tone = { angry = 1 }\n[engine]\nthreads = 1\n");
    let next = manifest(&changed);
    let (near, keys) = nearest_run(runs.path(), &next).unwrap();
    assert_eq!(
        (near.as_path(), keys),
        (old.path(), vec!["customer.tone".to_owned()])
    );
    assert_eq!(
        next.fingerprint(Stage::Queries),
        old.manifest().fingerprint(Stage::Queries)
    );
    let fake = Fake::default();
    let (dir, _) = session(runs.path(), &changed, &fake, 2).unwrap();
    assert_ne!(dir.path(), old.path());
    assert!(
        fake.asked.borrow().iter().all(|key| !key.starts_with("q/")),
        "queries are taken over"
    );
    assert_eq!(exported(&dir), undisturbed(&changed));
    let seed = manifest(&spec("seed = 9"));
    assert_eq!(nearest_run(runs.path(), &seed).unwrap().1, ["seed"]);
    assert_eq!(
        nearest_run(runs.path(), old.manifest()).unwrap().0,
        dir.path()
    );
}

#[test]
fn operational_keys_do_not_make_another_run() {
    let a = manifest(&spec(""));
    let b = manifest(&spec(
        "count = 99\n[engine]\nthreads = 3\nconcurrency = 7\nmemory = '2 GiB'\n[pages]\ndir = 'elsewhere'",
    ));
    assert_eq!(a.folder_name(), b.folder_name());
    assert!(a.changed_keys(&b).is_empty());
    assert!(a.folder_name().starts_with("fake-") && a.folder_name().len() == 13);
    let mut c = a.clone();
    c.model.reference = "/other/place".into();
    assert_eq!(c.folder_name(), a.folder_name());
}

#[test]
fn newer_and_broken_runs_are_refused_by_name() {
    let runs = tempfile::tempdir().unwrap();
    let path = runs.path().join("r");
    assert!(matches!(RunDir::open(&path), Err(RunError::NoRun { .. })));
    fs::create_dir(&path).unwrap();
    fs::write(
        path.join("run.json"),
        r#"{"format": 12, "program": "colloquy 9.1.0", "future": []}"#,
    )
    .unwrap();
    let error = RunDir::open(&path).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "was written by colloquy 9.1.0 (format 12); this version reads up to format 1"
        ),
        "{error}"
    );
    fs::write(path.join("run.json"), "{").unwrap();
    assert!(matches!(
        RunDir::open(&path),
        Err(RunError::NotAManifest { .. })
    ));
    let whole = manifest(&spec(
        "plan.cross = ['tone', 'style']\n[sampling.agent]\ntop_p = 0.9",
    ));
    whole.write(&path.join("run.json")).unwrap();
    assert_eq!(Manifest::read(&path.join("run.json")).unwrap(), whole);
    let mut other = whole.clone();
    other
        .stages
        .get_mut(&Stage::Conversations)
        .unwrap()
        .keys
        .insert("language".into(), "xx".into());
    let held = runs.path().join(whole.folder_name());
    fs::create_dir(&held).unwrap();
    other.write(&held.join("run.json")).unwrap();
    let error = RunWriter::open(runs.path(), whole).err().unwrap();
    assert!(
        matches!(&error, RunError::AnotherRun { changed, .. } if changed == &["language"]),
        "{error}"
    );
}

#[test]
fn an_unwritable_place_is_named() {
    let runs = tempfile::tempdir().unwrap();
    let file = runs.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RunWriter::open(&file, manifest(&spec(""))).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot create {}", file.display())),
        "{error}"
    );
}

/// Line order, as different concurrency leaves it, does not reach the export.
fn shuffled(path: &Path, seed: u64) {
    let text = fs::read(path).unwrap();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let order = crate::rng::Stream::root(seed).shuffle(lines.len() - 1);
    let mut bytes = lines[0].to_vec();
    for at in order {
        bytes.extend_from_slice(lines[at + 1]);
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any schedule, any interruptions, any cut, any line order: the same bytes.
    #[test]
    fn nothing_that_happens_reaches_the_bytes(
        stops in prop::collection::vec((1u64..60, 1usize..20, any::<u64>(), 0usize..300), 0..4), last in 1usize..30, order: u64,
    ) {
        let kinds = if order % 2 == 0 { "" } else { "\n[plan]\nkind = { support = 1, group = 1 }\n[experiences]\nper_round = 3" };
        let spec = spec(&format!("count = 7{kinds}"));
        let runs = tempfile::tempdir().unwrap();
        for (stop, concurrency, restless, cut) in stops {
            let (dir, _) = session(runs.path(), &spec, &Fake { stop_after: Some(stop), ..Fake::restless(restless) }, concurrency).unwrap();
            let path = dir.journal_path();
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
        }
        let (dir, _) = session(runs.path(), &spec, &Fake::restless(1), last).unwrap();
        shuffled(&dir.journal_path(), order);
        prop_assert_eq!(exported(&dir), undisturbed(&spec));
    }
}

#[test]
fn every_page_is_asked_evenly() {
    let runs = tempfile::tempdir().unwrap();
    let (dir, _) = session(
        runs.path(),
        &spec("count = 32\nmax_attempts = 30"),
        &Fake::default(),
        8,
    )
    .unwrap();
    let replay = dir.replay().unwrap();
    let mut uses = BTreeMap::<String, u64>::new();
    for conversation in dir.kept(&replay).unwrap() {
        let conversation = conversation.unwrap();
        let query = &conversation.support().unwrap().query_id;
        *uses.entry(query.clone()).or_default() += 1;
    }
    assert_eq!(
        uses.values().copied().collect::<Vec<_>>(),
        [4; 6],
        "{uses:?}"
    );
}
