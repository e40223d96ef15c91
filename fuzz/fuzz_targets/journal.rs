//! A run's journal: arbitrary bytes, or arbitrary lines under checksums that hold.
#![no_main]

use colloquy::run::{Replay, read_journal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let mut journal = Vec::new();
    if choice % 4 == 0 {
        journal.extend_from_slice(bytes);
    } else {
        for line in bytes.split(|b| *b == b'\n') {
            journal.extend_from_slice(format!("{:08x} ", crc32fast::hash(line)).as_bytes());
            journal.extend_from_slice(line);
            journal.push(b'\n');
        }
    }
    let path = colloquy_fuzz::file("journal.jsonl", &journal);
    let mut at = 0;
    let sound = read_journal(&path, |start, _| {
        assert!(start >= at, "entries come in order");
        at = start;
    });
    // A damaged journal is read twice, with a pause between: once is enough here.
    let Ok(sound) = sound else {
        return;
    };
    assert!(
        sound <= journal.len() as u64,
        "no more is sound than there is"
    );
    let replay = Replay::read(&path).expect("read before");
    let _ = (replay.attempts(), replay.is_empty());
    for slot in 0..4 {
        replay.state(slot, 3);
    }
});
