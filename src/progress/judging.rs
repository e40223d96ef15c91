use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::{LINE_EVERY, clock};

/// Shows how far judging is: a bar in a terminal, a line now and then elsewhere.
pub struct JudgeWatcher {
    bar: Option<ProgressBar>,
    total: u64,
    started: Instant,
    last_line: Mutex<Instant>,
}

impl JudgeWatcher {
    /// Of `total` conversations; `terminal` says whether standard error is one.
    #[must_use]
    pub fn new(terminal: bool, total: u64) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template("judged {pos}/{len} {bar:16.cyan} ETA {eta}")
                .expect("a valid template")
                .progress_chars("▓▒░");
            bar.set_style(style);
            bar
        });
        let now = Instant::now();
        Self {
            bar,
            total,
            started: now,
            last_line: Mutex::new(now),
        }
    }

    /// So many are judged.
    pub fn show(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let mut last = self
            .last_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "conversations are few")]
        let left = seconds * (self.total - done.min(self.total)) as f64 / done.max(1) as f64;
        eprintln!("judged {done} of {} · {} left", self.total, clock(left));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
