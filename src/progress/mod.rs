//! What a run's watcher sees: a bar in a terminal, a line now and then elsewhere. Everything goes to standard error.

#![expect(clippy::print_stderr, reason = "this is the room that shows progress")]

mod judging;

pub use judging::JudgeWatcher;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::run::{AttemptResult, EventSink, RunEvent};

/// Without a terminal, at most one line in this time.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The speed shown is that of the last so many seconds.
const WINDOW: Duration = Duration::from_secs(15);

/// Tokens of one such stretch are counted together.
const BUCKET: Duration = Duration::from_millis(250);
/// Nobody reads faster.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Shows a run's events until it is dropped.
pub struct Watcher {
    state: Arc<Mutex<State>>,
}

struct State {
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    last_shown: Option<Instant>,
    pages: u64,
    pages_ready: u64,
    /// Questions that products are sought for, and that have them.
    queries: u64,
    fitted: u64,
    places: u64,
    finished: u64,
    finished_before: u64,
    kept: u64,
    turned_down: u64,
    tokens: u64,
    /// Tokens by when their bucket began.
    recent: VecDeque<(Instant, u64)>,
    problems: Vec<String>,
    /// Made in this session.
    experiences: u64,
}

impl Watcher {
    /// A watcher; `terminal` says whether standard error is one.
    #[must_use]
    pub fn new(terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{msg} {bar:16.cyan} {prefix}")
                .expect("a valid template")
                .progress_chars("▓▒░");
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let now = Instant::now();
        let state = State {
            bar,
            started: now,
            last_line: now,
            last_shown: None,
            pages: 0,
            pages_ready: 0,
            queries: 0,
            fitted: 0,
            places: 0,
            finished: 0,
            finished_before: 0,
            kept: 0,
            turned_down: 0,
            tokens: 0,
            recent: VecDeque::new(),
            problems: Vec::new(),
            experiences: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Where a run's events go.
    #[must_use]
    pub fn sink(&self) -> EventSink {
        let state = Arc::clone(&self.state);
        Arc::new(move |event| {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.take(event);
            state.show();
        })
    }

    /// Takes the bar away and gives what went wrong on the way, in order.
    #[must_use]
    pub fn finish(self) -> Vec<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        std::mem::take(&mut state.problems)
    }
}

impl State {
    fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Started {
                places,
                finished,
                kept,
                pages,
                pages_with_queries,
            } => {
                (self.places, self.finished, self.finished_before, self.kept) =
                    (*places, *finished, *finished, *kept);
                (self.pages, self.pages_ready) = (*pages, *pages_with_queries);
            }
            RunEvent::PageQueries { page, problem, .. } => {
                self.pages_ready += 1;
                if let Some(problem) = problem {
                    self.problems.push(format!("page {page}: {problem}"));
                }
            }
            RunEvent::Fitting { queries, fitted } => {
                (self.queries, self.fitted) = (*queries, *fitted);
            }
            RunEvent::QueryProducts { query, problem, .. } => {
                self.fitted += 1;
                if let Some(problem) = problem {
                    self.problems
                        .push(format!("products of {query}: {problem}"));
                }
            }
            RunEvent::Planned { places } => self.places = *places,
            RunEvent::Round { admitted, .. } => self.experiences += *admitted as u64,
            RunEvent::ConversationFinished { result, .. } => {
                self.turned_down += u64::from(!matches!(result, AttemptResult::Kept));
            }
            RunEvent::TokensGenerated { tokens, .. } => {
                let now = Instant::now();
                self.tokens += *tokens as u64;
                match self.recent.back_mut() {
                    Some((since, sum)) if now.duration_since(*since) < BUCKET => {
                        *sum += *tokens as u64;
                    }
                    _ => self.recent.push_back((now, *tokens as u64)),
                }
                while self
                    .recent
                    .front()
                    .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
                {
                    self.recent.pop_front();
                }
            }
            RunEvent::Alarm { what, stops } => {
                let then = if *stops {
                    "; live conversations are finished, then it stops"
                } else {
                    ""
                };
                let line = format!("warning: {what}{then}");
                match &self.bar {
                    Some(bar) => bar.println(&line),
                    None => eprintln!("{line}"),
                }
            }
            RunEvent::Progress(progress) => {
                (self.finished, self.kept) = (progress.finished, progress.kept);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn speed(&self) -> Option<f64> {
        let span = self.started.elapsed().min(WINDOW).as_secs_f64();
        let tokens: u64 = self.recent.iter().map(|(_, n)| n).sum();
        (span > 1.0).then(|| tokens as f64 / span)
    }

    /// Seconds to go, from the conversations finished in this session; `None` while there is nothing to tell from.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn eta(&self) -> Option<f64> {
        let done = self.finished - self.finished_before;
        let left = self.places.saturating_sub(self.finished);
        let enough = done >= 3 && self.started.elapsed() > Duration::from_secs(2);
        (enough && left > 0)
            .then(|| self.started.elapsed().as_secs_f64() / done as f64 * left as f64)
    }

    fn show(&mut self) {
        if self.last_shown.is_some_and(|at| at.elapsed() < SHOW_EVERY) {
            return;
        }
        self.last_shown = Some(Instant::now());
        let mut message = String::new();
        if self.pages > 0 {
            let ready = self.pages_ready.min(self.pages);
            message = format!("queries {ready}/{} · ", self.pages);
        }
        if self.queries > 0 {
            message = format!("{message}products {}/{} · ", self.fitted, self.queries);
        }
        if self.experiences > 0 {
            message = format!("{message}{} experiences · ", self.experiences);
        }
        message = format!("{message}conversations {}/{}", self.finished, self.places);
        let mut tail = Vec::new();
        if let Some(speed) = self.speed() {
            tail.push(format!("{speed:.0} tok/s"));
        }
        if let Some(eta) = self.eta() {
            tail.push(format!("ETA {}", clock(eta)));
        }
        if self.turned_down > 0 {
            tail.push(format!("{} turned down", self.turned_down));
        }
        if let Some(bar) = &self.bar {
            tail.push("(Ctrl-C saves)".into());
            bar.set_length(self.places);
            bar.set_position(self.finished);
            bar.set_message(message);
            bar.set_prefix(tail.join(" · "));
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{message} · {}", tail.join(" · "));
        }
    }
}

/// A duration as people say it: `0:31`, `1:02:03`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a sensible range"
    )]
    let s = seconds.clamp(0.0, 1e9).round() as u64;
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        assert_eq!(
            (clock(31.2), clock(3723.0)),
            ("0:31".into(), "1:02:03".into())
        );
    }

    #[test]
    fn problems_are_kept_and_an_eta_needs_evidence() {
        let watcher = Watcher::new(false);
        let sink = watcher.sink();
        sink(&RunEvent::Started {
            places: 4,
            finished: 1,
            kept: 1,
            pages: 2,
            pages_with_queries: 0,
        });
        sink(&RunEvent::PageQueries {
            page: "a".into(),
            queries: 0,
            problem: Some("grammar".into()),
        });
        assert!(watcher.state.lock().unwrap().eta().is_none());
        assert_eq!(watcher.finish(), ["page a: grammar"]);
    }
}
