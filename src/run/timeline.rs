//! How fast a run went: cumulative figures beside the clock, in `timeline.jsonl`. For people; nothing is made from it, and a
//! run goes on where it cannot be written.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::event::Progress;
use super::store::RunDir;

const FILE: &str = "timeline.jsonl";
/// Shortest time between two lines.
const EVERY: Duration = Duration::from_millis(250);
/// Lines are at least this part of the session's time apart, so that a long run has few.
const PART: u32 = 200;

/// A moment of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// When the session began: seconds since 1970.
    pub session: u64,
    /// Since the session began.
    pub ms: u64,
    /// Places finished, those of earlier sessions included.
    pub finished: u64,
    pub kept: u64,
    /// Tokens generated since the session began.
    pub tokens: u64,
}

/// Writes a session's ticks.
pub(super) struct Timeline {
    file: Option<File>,
    session: u64,
    started: Instant,
    last: Option<Instant>,
}

impl Timeline {
    pub(super) fn open(dir: &Path) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            file: OpenOptions::new()
                .create(true)
                .append(true)
                .open(dir.join(FILE))
                .ok(),
            session: since.map_or(0, |since| since.as_secs()),
            started: Instant::now(),
            last: None,
        }
    }

    /// Notes how things stand, unless that was done just now.
    pub(super) fn note(&mut self, progress: &Progress) {
        let rest = EVERY.max(self.started.elapsed() / PART);
        if self.last.is_none_or(|last| last.elapsed() >= rest) {
            self.write(progress);
        }
    }

    /// Notes how things stand.
    pub(super) fn write(&mut self, progress: &Progress) {
        self.last = Some(Instant::now());
        let Some(file) = &mut self.file else {
            return;
        };
        let tick = Tick {
            session: self.session,
            ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            finished: progress.finished,
            kept: progress.kept,
            tokens: progress.tokens,
        };
        let line = serde_json::to_string(&tick).expect("plain data serialises to JSON") + "\n";
        if file.write_all(line.as_bytes()).is_err() {
            self.file = None;
        }
    }
}

impl RunDir {
    /// How fast the run went, session by session; empty where that was not written down. Lines that are none are passed over.
    #[must_use]
    pub fn timeline(&self) -> Vec<Tick> {
        let text = std::fs::read_to_string(self.path().join(FILE)).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_back_and_come_no_faster_than_they_should() {
        let dir = tempfile::tempdir().unwrap();
        let mut timeline = Timeline::open(dir.path());
        let progress = Progress {
            finished: 3,
            kept: 2,
            tokens: 40,
            ..Progress::default()
        };
        timeline.note(&progress);
        timeline.note(&progress);
        timeline.write(&progress);
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let ticks: Vec<Tick> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(ticks.len(), 2);
        assert_eq!(
            (ticks[1].finished, ticks[1].kept, ticks[1].tokens),
            (3, 2, 40)
        );
        assert_eq!(ticks[0].session, ticks[1].session);
        // Where there is no folder, nothing is written and nothing fails.
        Timeline::open(&dir.path().join("no")).write(&progress);
    }
}
