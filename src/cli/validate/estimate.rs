//! What the whole of a run would take, from a while of it.

mod forecast;
mod lifetimes;
mod pace;
mod sample;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::bench::machine::peak_memory;
use crate::cli::failure::{Code, Failure};
use crate::cli::generate::{self, Deadline, Stop};
use crate::cli::scratch::Scratch;
use crate::cli::talk::grouped;
use crate::cli::workshop::disk::free_disk;
use crate::cli::workshop::{Workshop, memory};
use crate::progress::clock;
use crate::run::{End, RunWriter};
pub use forecast::Work;
use forecast::{Forecast, Range, forecast};
use lifetimes::State;
use pace::{Pace, Speed};
use sample::Sample;

/// Where models take turns, places whose conversations follow the questions: a while is too short for all questions of a
/// long plan.
const PLACES_IN_TURN: u64 = 16;

/// What was measured, and what follows from it.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    pub measured: Measured,
    /// Of the whole run, from its beginning.
    pub whole: Option<Whole>,
    /// Why nothing follows.
    pub unknown: Option<String>,
    pub memory: Memory,
    /// What there is too little of.
    pub does_not_fit: Vec<String>,
}

/// A while of generation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    pub seconds: f64,
    /// Generated, of all stages.
    pub tokens: u64,
    /// In the second half of the time.
    pub tokens_per_second: f64,
    /// Conversations that came to an end.
    pub finished: u64,
    pub kept: u64,
    /// Whether the whole run was made meanwhile: then nothing is extrapolated.
    pub complete: bool,
}

/// All of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Whole {
    pub count: u64,
    pub forecast: Forecast,
    /// Journal and export.
    pub disk_bytes: u64,
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The most that this process has held; none where the system does not tell.
    pub peak: Option<u64>,
    /// Weights, and all keys and values that there is room for: where the peak goes as the cache fills.
    pub full: Option<u64>,
    /// What this process may have in all.
    pub there: Option<u64>,
}

/// Generates for a while in a folder that is gone afterwards.
///
/// # Errors
/// As making a run, and when someone wishes to stop.
pub fn estimate(
    workshop: &mut Workshop,
    time: Duration,
    mut work: Work,
) -> Result<Estimate, Failure> {
    let seating = workshop.seating()?;
    seating.start()?;
    if seating.in_phases() {
        let limit = workshop.spec.limit.unwrap_or(u64::MAX);
        workshop.spec.limit = Some(limit.min(PLACES_IN_TURN));
        workshop.manifest.spec.limit = workshop.spec.limit;
    }
    if let Some(room) = seating.room()? {
        work.live = work.live.min(room as u64);
    }
    eprintln!(
        "generating for {} to see how long it takes",
        clock(time.as_secs_f64())
    );
    let path = Scratch::free_path();
    // Before the folder is there: it goes whatever happens.
    let stop = Stop::listen(Some(path.clone()))?;
    let place = Scratch::new(path)?;
    let writer = RunWriter::open(place.path(), workshop.manifest.clone())?;
    let pace = Pace::begin();
    let deadline = Some(Deadline::abrupt(time));
    let summary = generate::drive(workshop, &seating, writer, pace.sink(), &stop, deadline)?;
    let speed = pace.end();
    if summary.end == End::Interrupted {
        return Err(Failure::new(Code::Later, "the estimate was interrupted")
            .hint("nothing is left of it; the same command begins anew"));
    }
    let sample = Sample::of(&summary.dir)?;
    let there = memory::look();
    let memory = Memory {
        peak: Some(peak_memory()).filter(|bytes| *bytes > 0),
        full: seating.full_bytes(),
        there: there.group_limit.into_iter().chain(there.total).min(),
    };
    let complete = summary.end == End::Complete;
    let mut estimate = follow(
        &sample,
        &speed,
        &work,
        workshop.spec.count,
        complete,
        memory,
    );
    estimate.does_not_fit = lacking(&estimate, &workshop.spec.out);
    Ok(estimate)
}

fn follow(
    sample: &Sample,
    speed: &Speed,
    work: &Work,
    count: u64,
    complete: bool,
    memory: Memory,
) -> Estimate {
    let attempts = || sample.attempts.values().flatten();
    let ended = |kept: bool| {
        let is = |state| state == State::Kept || (!kept && state == State::TurnedDown);
        attempts().filter(|one| is(one.state)).count() as u64
    };
    let seconds = speed.first.seconds + speed.second.seconds;
    let measured = Measured {
        seconds,
        tokens: sample.tokens,
        tokens_per_second: speed.second.rate(),
        finished: ended(false),
        kept: ended(true),
        complete,
    };
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let forecast = if complete {
        let (finished, kept) = (measured.finished as f64, measured.kept as f64);
        Ok(Forecast {
            hours: Range::exactly(seconds / 3600.0),
            tokens: Range::exactly(sample.tokens as f64),
            empty: count as f64 - kept,
            attempts: finished,
            turned_down: 1.0 - kept / finished.max(1.0),
            assumed: Vec::new(),
        })
    } else {
        forecast(sample, speed, work)
    };
    let (whole, unknown) = match forecast {
        Ok(forecast) => {
            let whole = Whole {
                count,
                disk_bytes: disk(sample, &forecast, count),
                forecast,
            };
            (Some(whole), None)
        }
        Err(reason) => (None, Some(reason)),
    };
    Estimate {
        measured,
        whole,
        unknown,
        memory,
        does_not_fit: Vec::new(),
    }
}

/// Bytes of a run's journal and its export, by what they are so far.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]
fn disk(sample: &Sample, forecast: &Forecast, count: u64) -> u64 {
    let calls = sample.call_bytes as f64 * forecast.tokens.likely / sample.tokens.max(1) as f64;
    let records = sample.records.each().unwrap_or(0.0) * forecast.attempts;
    let rows = sample.rows.each().unwrap_or(0.0) * (count as f64 - forecast.empty);
    (calls + records + rows) as u64
}

/// What there is too little of.
fn lacking(estimate: &Estimate, out: &Path) -> Vec<String> {
    let mut lacking = Vec::new();
    let needed = estimate.whole.as_ref().map(|whole| whole.disk_bytes);
    if let (Some(needed), Some(free)) = (needed, free_disk(out))
        && needed > free
    {
        lacking.push(format!(
            "{} on disk: {} are free at {}",
            size(needed),
            size(free),
            out.display()
        ));
    }
    let Memory { peak, full, there } = estimate.memory;
    if let (Some(needed), Some(there)) = (full.max(peak), there)
        && needed > there
    {
        lacking.push(format!(
            "{} of memory: there are {}",
            size(needed),
            size(there)
        ));
    }
    lacking
}

impl Estimate {
    /// For people; `licence` is what the model's terms say of its output.
    pub fn to_text(&self, licence: &str) -> String {
        let Measured {
            seconds,
            tokens,
            tokens_per_second,
            finished,
            kept,
            complete,
        } = &self.measured;
        let mut text = format!(
            "estimate from {} of generation: {} tokens, {} a second in the second half; {} conversations came to an end, {} of them kept\n",
            clock(*seconds),
            grouped(*tokens),
            grouped(rounded(*tokens_per_second)),
            grouped(*finished),
            grouped(*kept),
        );
        if let Some(reason) = &self.unknown {
            let _ = writeln!(
                text,
                "  nothing follows: {reason}; try a longer one, as --estimate 5m"
            );
        }
        let memory = self.memory.told();
        if let Some(Whole {
            count,
            forecast,
            disk_bytes,
        }) = &self.whole
        {
            let Range { low, likely, high } = forecast.hours;
            let time = if *complete {
                format!("{}, all of it made just now", lasting(likely))
            } else {
                format!(
                    "≈ {} ({} to {})",
                    lasting(likely),
                    lasting(low),
                    lasting(high)
                )
            };
            let _ = writeln!(
                text,
                "  {} kept {time} · {} tokens · {} on disk · {memory} · output terms: {licence}",
                grouped(count.saturating_sub(rounded(forecast.empty))),
                about(forecast.tokens.likely, *complete),
                size(*disk_bytes),
            );
            let empty = match rounded(forecast.empty) {
                0 => String::new(),
                n => format!("; {} of {} places stay empty", grouped(n), grouped(*count)),
            };
            let _ = writeln!(
                text,
                "  {:.0} % of the attempts turned down and made again{empty}",
                100.0 * forecast.turned_down
            );
            if !complete {
                let _ = writeln!(
                    text,
                    "  assumed: the pace of the second half to the end, half a conversation's time to finish the last ones"
                );
            }
            for assumed in &forecast.assumed {
                let _ = writeln!(text, "  assumed: {assumed}");
            }
        } else {
            let _ = writeln!(text, "  {memory} · output terms: {licence}");
        }
        for lacking in &self.does_not_fit {
            let _ = writeln!(text, "  does not fit: {lacking}");
        }
        text
    }
}

impl Memory {
    fn told(self) -> String {
        let Self { peak, full, there } = self;
        let most = match (peak, full) {
            (Some(peak), Some(full)) if full > peak => {
                format!(
                    "{} of memory so far, {} with a full cache",
                    size(peak),
                    size(full)
                )
            }
            (Some(peak), _) => format!("{} of memory", size(peak)),
            (None, _) => "memory not told by this system".into(),
        };
        there.map_or(most.clone(), |there| format!("{most}, of {}", size(there)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]
fn rounded(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

/// A number of which two digits are known.
fn about(value: f64, exactly: bool) -> String {
    let whole = rounded(value);
    let step = 10u64.pow(whole.checked_ilog10().unwrap_or(0).saturating_sub(1));
    if exactly {
        grouped(whole)
    } else {
        grouped((whole + step / 2) / step * step)
    }
}

fn lasting(hours: f64) -> String {
    if hours < 1.0 {
        clock(hours * 3600.0)
    } else {
        format!("{hours:.1} h")
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn size(bytes: u64) -> String {
    let mb = bytes as f64 / 1e6;
    if mb < 1000.0 {
        format!("{mb:.1} MB")
    } else {
        format!("{:.1} GB", mb / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_say_no_more_than_is_known() {
        for (value, told) in [
            (7.0, "7"),
            (1234.0, "1,200"),
            (41_499_999.0, "41,000,000"),
            (0.0, "0"),
        ] {
            assert_eq!(about(value, false), told);
        }
        assert_eq!(about(1234.0, true), "1,234");
        assert_eq!(
            (lasting(0.5), lasting(7.44)),
            ("30:00".into(), "7.4 h".into())
        );
        assert_eq!(
            (size(12_340_000), size(1_940_000_000)),
            ("12.3 MB".into(), "1.9 GB".into())
        );
    }

    #[test]
    fn what_there_is_too_little_of_is_named() {
        let memory = Memory {
            peak: Some(5),
            full: Some(9_000_000_000),
            there: Some(8_000_000_000),
        };
        let estimate = Estimate {
            measured: Measured::default(),
            whole: Some(Whole {
                count: 1,
                forecast: Forecast {
                    hours: Range::exactly(1.0),
                    tokens: Range::exactly(1.0),
                    empty: 0.0,
                    attempts: 1.0,
                    turned_down: 0.0,
                    assumed: Vec::new(),
                },
                disk_bytes: u64::MAX,
            }),
            unknown: None,
            memory,
            does_not_fit: Vec::new(),
        };
        let lacking = lacking(&estimate, Path::new("."));
        assert_eq!(lacking.len(), if cfg!(unix) { 2 } else { 1 }, "{lacking:?}");
        assert!(
            lacking
                .last()
                .unwrap()
                .contains("9.0 GB of memory: there are 8.0 GB")
        );
    }
}
