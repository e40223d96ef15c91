use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::entry::{EntryRef, to_line};
use super::journal::Sink;
use super::{Entry, Failed, Journal, JournalError, PageQueries, Replay, read_entry, read_journal};
use crate::pipeline::CallOutcome;

fn failed(slot: u64) -> Failed {
    Failed {
        slot,
        attempt: 0,
        reason: "echo £".into(),
        detail: "line\nbreak".into(),
    }
}

fn lines(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|slot| to_line(EntryRef::Failed(&failed(slot))))
        .collect()
}

/// What the writer adds once everything before is durable.
fn mark() -> Vec<u8> {
    to_line(EntryRef::Synced)
}

/// The lines without the marks, which come when they come.
fn without_marks(bytes: &[u8]) -> Vec<u8> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| *line != mark())
        .flatten()
        .copied()
        .collect()
}

fn read_all(path: &Path) -> Result<(Vec<Entry>, u64), JournalError> {
    let mut entries = Vec::new();
    let sound = read_journal(path, |_, entry| entries.push(entry))?;
    Ok((entries, sound))
}

/// Cut anywhere, the journal is the lines that were whole; a writer goes on from there.
#[test]
fn a_journal_cut_at_any_byte_is_its_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    let lines = lines(4);
    let whole = lines.concat();
    let last_two = lines[..2].concat().len();
    for cut in last_two..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (entries, sound) = read_all(&path).unwrap();
        let expected = (0..=4)
            .rev()
            .find(|count| lines[..*count].concat().len() <= cut)
            .unwrap();
        assert_eq!(
            (entries.len(), sound),
            (expected, lines[..expected].concat().len() as u64),
            "cut at {cut}"
        );
        let journal = Journal::open(&path, sound).unwrap();
        journal.append(EntryRef::Failed(&failed(9))).unwrap();
        journal.flush().unwrap();
        drop(journal);
        let (entries, _) = read_all(&path).unwrap();
        assert_eq!(
            entries[expected..],
            [Entry::Failed(failed(9)), Entry::Synced],
            "cut at {cut}"
        );
    }
}

/// The first two lines were durable; those after them may come out of a power loss in any state.
#[test]
fn a_bad_line_is_torn_unless_it_was_durable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    let mut lines = lines(4);
    lines.insert(2, mark());
    let whole = lines.concat();
    for at in (0..whole.len()).filter(|at| whole[*at] != b'\n') {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(&path, &bytes).unwrap();
        let line = (0..5)
            .find(|line| at < lines[..=*line].concat().len())
            .unwrap();
        match read_all(&path) {
            Ok((entries, sound)) => {
                assert!(line >= 2 && entries.len() == line, "byte {at}");
                assert_eq!(sound, lines[..line].concat().len() as u64);
            }
            Err(JournalError::Damaged { line: named, .. }) => {
                assert!(line < 2 && (named == line as u64 + 1), "byte {at}");
            }
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
    // A file that grew before its bytes arrived.
    fs::write(&path, [whole.as_slice(), &[0; 100]].concat()).unwrap();
    assert_eq!(read_all(&path).unwrap().0.len(), 5);
    fs::write(&path, [b"x\n", whole.as_slice()].concat()).unwrap();
    let error = read_all(&path).unwrap_err();
    assert!(
        error.to_string().ends_with("j.jsonl:1: damaged line"),
        "{error}"
    );
}

#[test]
fn a_later_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    fs::write(
        &path,
        to_line(EntryRef::Start {
            journal: 9,
            program: "colloquy 7.0.0",
            run: "x",
        }),
    )
    .unwrap();
    let error = read_all(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("was written by colloquy 7.0.0 (journal version 9)"),
        "{error}"
    );
    let json = br#"{"dream":{}}"#;
    fs::write(
        &path,
        [
            format!("{:08x} ", crc32fast::hash(json)).as_bytes(),
            json,
            b"\n",
        ]
        .concat(),
    )
    .unwrap();
    let error = read_all(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("j.jsonl:1: not an entry of a journal"),
        "{error}"
    );
}

#[test]
fn entries_are_found_again_by_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    fs::write(&path, lines(5).concat()).unwrap();
    let mut places = Vec::new();
    read_journal(&path, |at, _| places.push(at)).unwrap();
    let mut file = fs::File::open(&path).unwrap();
    for slot in [3, 0, 4] {
        assert_eq!(
            read_entry(&mut file, &path, places[slot]).unwrap(),
            Entry::Failed(failed(slot as u64))
        );
    }
    assert!(read_entry(&mut file, &path, 3).is_err());
}

/// Pages lie in folders, so that one's id may begin with another's.
#[test]
fn a_page_with_queries_forgets_its_own_calls_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    let outcome = CallOutcome::Choice(vec![-1.0]);
    let keys = ["q/a/0/0", "q/a/1/0", "q/a/0/1/0", "q/a/b/0/0", "q/ab/0/0"];
    let mut lines: Vec<_> = keys
        .into_iter()
        .map(|key| {
            to_line(EntryRef::Call {
                key,
                outcome: &outcome,
            })
        })
        .collect();
    lines.push(to_line(EntryRef::Queries(&PageQueries {
        page: "a".into(),
        queries: Vec::new(),
        problem: None,
    })));
    fs::write(&path, lines.concat()).unwrap();
    let replay = Replay::read(&path, None).unwrap();
    assert_eq!(
        replay.calls.keys().collect::<Vec<_>>(),
        ["q/a/0/1/0", "q/a/b/0/0", "q/ab/0/0"]
    );
}

#[test]
fn calls_of_what_is_finished_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    let outcome = CallOutcome::Choice(vec![-1.0, f32::NEG_INFINITY]);
    let call = |key: &str| {
        to_line(EntryRef::Call {
            key,
            outcome: &outcome,
        })
    };
    let done = to_line(EntryRef::Failed(&failed(1)));
    fs::write(
        &path,
        [
            call("c/1/0/a/0/0"),
            call("c/10/0/a/0/0"),
            call("c/1/1/a/0/0"),
            done.clone(),
            call("c/1/0/b/0/0"),
            done,
        ]
        .concat(),
    )
    .unwrap();
    let replay = Replay::read(&path, None).unwrap();
    assert_eq!(
        replay.calls.keys().collect::<Vec<_>>(),
        ["c/1/1/a/0/0", "c/10/0/a/0/0"]
    );
    assert_eq!(replay.calls["c/1/1/a/0/0"], outcome);
    assert_eq!(replay.slots[&1].attempts.len(), 1);
}

/// A disk that takes so many bytes, noting what was made durable.
#[derive(Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Option<usize>,
    syncs: Arc<Mutex<usize>>,
}

impl Write for Disk {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap();
        let room = self.room.map_or(from.len(), |room| {
            room.saturating_sub(bytes.len()).min(from.len())
        });
        if room == 0 && !from.is_empty() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        bytes.extend_from_slice(&from[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Disk {
    fn sync(&mut self) -> io::Result<()> {
        *self.syncs.lock().unwrap() += 1;
        Ok(())
    }
}

#[test]
fn syncs_are_grouped() {
    let disk = Disk::default();
    let journal = Journal::with_sink(Path::new("memory"), Box::new(disk.clone())).unwrap();
    for slot in 0..500 {
        journal.append(EntryRef::Failed(&failed(slot))).unwrap();
    }
    journal.flush().unwrap();
    assert_eq!(
        without_marks(&disk.bytes.lock().unwrap()),
        lines(500).concat()
    );
    let syncs = *disk.syncs.lock().unwrap();
    assert!((1..=20).contains(&syncs), "{syncs}");
    journal.append(EntryRef::Failed(&failed(500))).unwrap();
    drop(journal);
    let bytes = disk.bytes.lock().unwrap();
    assert_eq!(without_marks(&bytes), lines(501).concat());
    assert!(bytes.ends_with(&mark()));
    assert_eq!(*disk.syncs.lock().unwrap(), syncs + 1);
}

/// A disk whose driver is broken.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("a defect in the sink");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Broken {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_dead_writer_is_no_success() {
    let journal = Journal::with_sink(Path::new("broken"), Box::new(Broken)).unwrap();
    // It may be taken before the writer has died of it.
    let _ = journal.append(EntryRef::Failed(&failed(0)));
    for _ in 0..2 {
        let error = journal.flush().unwrap_err();
        assert!(matches!(error, JournalError::Write { .. }), "{error}");
        assert!(error.to_string().contains("thread has ended"), "{error}");
        assert!(journal.append(EntryRef::Failed(&failed(1))).is_err());
    }
}

proptest! {
    /// A full disk is reported, nothing follows the torn line, and what is there reads back.
    #[test]
    fn a_full_disk_stops_everything(room in 0usize..1000) {
        let disk = Disk { room: Some(room), ..Disk::default() };
        let journal = Journal::with_sink(Path::new("full"), Box::new(disk.clone())).unwrap();
        let mut refused = false;
        for slot in 0..8 {
            refused |= journal.append(EntryRef::Failed(&failed(slot))).is_err();
        }
        let flushed = journal.flush();
        let whole = lines(8).concat();
        let bytes = disk.bytes.lock().unwrap().clone();
        let complete = without_marks(&bytes) == whole && bytes.ends_with(&mark());
        prop_assert_eq!(flushed.is_ok(), complete);
        // A mark a line at the most, if the disk is slow.
        prop_assert!(complete || room < whole.len() + 8 * mark().len());
        if let Err(error) = flushed {
            let full = matches!(&error, JournalError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull);
            prop_assert!(full);
            prop_assert!(journal.append(EntryRef::Failed(&failed(9))).is_err());
        } else {
            prop_assert!(!refused);
        }
        drop(journal);
        let written = without_marks(&disk.bytes.lock().unwrap());
        let whole_lines = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        prop_assert!(whole.starts_with(&written[..whole_lines]));
    }
}
