use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::cli::args::TimeArgs;
use crate::cli::failure::{Code, Failure};
use crate::run::Cancel;

/// How long live conversations may take when the time is over.
const GRACE: Duration = Duration::from_mins(1);

/// The longest time that can be asked for: a year.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// When no conversation is begun any more.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// From now.
    left: Duration,
    /// How long live conversations may take then.
    grace: Duration,
    /// As asked for.
    until: Option<TimeOfDay>,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = crate::progress::clock(self.left.as_secs_f64());
        match self.until {
            Some(until) => write!(f, "stops at {until}, in {left}"),
            None => write!(f, "stops in {left}"),
        }
    }
}

/// A time of the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl TimeArgs {
    /// What was asked for, from now on.
    ///
    /// # Errors
    /// When this system does not tell the time of the clock.
    pub fn deadline(self) -> Result<Option<Deadline>, Failure> {
        let left = match (self.lasting, self.until) {
            (None, None) => return Ok(None),
            (Some(lasting), _) => lasting,
            (None, Some(until)) => until_next(until).ok_or_else(|| {
                Failure::new(
                    Code::Usage,
                    "--until: this system does not tell what time it is here",
                )
                .hint("use --for, as --for 8h")
            })?,
        };
        Ok(Some(Deadline {
            left,
            grace: GRACE,
            until: self.until,
        }))
    }
}

impl Deadline {
    /// After this time; what is alive then is left at once.
    pub fn abrupt(left: Duration) -> Self {
        Self {
            left,
            grace: Duration::ZERO,
            until: None,
        }
    }
}

/// Does `work`; when the time is over, says so through `cancel`, and again when that was long ago.
pub async fn within<T>(
    deadline: Option<Deadline>,
    cancel: &Cancel,
    work: impl Future<Output = T>,
) -> T {
    match deadline {
        Some(Deadline { left, grace, .. }) => timed(left, grace, cancel, work).await,
        None => work.await,
    }
}

async fn timed<T>(
    left: Duration,
    grace: Duration,
    cancel: &Cancel,
    work: impl Future<Output = T>,
) -> T {
    let timer = async {
        tokio::time::sleep(left).await;
        cancel.close();
        tokio::time::sleep(grace).await;
        cancel.leave();
        std::future::pending::<T>().await
    };
    tokio::select! {
        done = work => done,
        never = timer => never,
    }
}

/// A time like `8h`, `30m`, `90s`, `1h30m`; `d` is a day.
///
/// # Errors
/// What was expected.
pub fn span(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time like 8h, 30m, 90s or 1h30m".to_owned();
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| expected())?;
        let mut after = rest[digits..].chars();
        let unit = match after.next() {
            Some('d') => 24 * 3600,
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(expected()),
        };
        if unit >= last_unit {
            return Err(expected());
        }
        last_unit = unit;
        let seconds = number.checked_mul(unit).ok_or_else(expected)?;
        total = total.saturating_add(Duration::from_secs(seconds));
        rest = after.as_str();
    }
    match total {
        Duration::ZERO => Err(expected()),
        total if total > LONGEST => Err("expected a year at most".to_owned()),
        total => Ok(total),
    }
}

/// A time like `07:00`.
///
/// # Errors
/// What was expected.
pub fn time_of_day(text: &str) -> Result<TimeOfDay, String> {
    let number = |text: &str, most: u8| {
        let short = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|n| short && *n <= most)
    };
    text.split_once(':')
        .and_then(|(hour, minute)| {
            Some(TimeOfDay {
                hour: number(hour, 23)?,
                minute: number(minute, 59).filter(|_| minute.len() == 2)?,
            })
        })
        .ok_or_else(|| "expected a time of day like 07:00 or 23:30".to_owned())
}

/// How long it is until the clock here shows a time; a day where it shows it now.
fn until_next(time: TimeOfDay) -> Option<Duration> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let seconds = i64::try_from(now.as_secs()).ok()?;
    let next = next_after(seconds, time)?;
    Some(Duration::from_secs(u64::try_from(next).ok()?).saturating_sub(now))
}

/// When the clock here shows a time next, in seconds since 1970; `now` is before it.
#[cfg(unix)]
fn next_after(now: i64, time: TimeOfDay) -> Option<i64> {
    let clock: libc::time_t = now;
    let mut local = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both point to values of the right types, and what is written is read only where that succeeded.
    let local = unsafe {
        if libc::localtime_r(&raw const clock, local.as_mut_ptr()).is_null() {
            return None;
        }
        local.assume_init()
    };
    // Days differ in length where clocks change, so the calendar is asked for each.
    (0..=1).find_map(|days| {
        let mut wanted = libc::tm {
            tm_mday: local.tm_mday + days,
            tm_hour: time.hour.into(),
            tm_min: time.minute.into(),
            tm_sec: 0,
            tm_isdst: -1,
            ..local
        };
        // SAFETY: `wanted` is a whole `tm`; days beyond the month's end are what `mktime` is for.
        let at = unsafe { libc::mktime(&raw mut wanted) };
        (at > now).then_some(at)
    })
}

#[cfg(not(unix))]
fn next_after(_now: i64, _time: TimeOfDay) -> Option<i64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, seconds) in [
            ("8h", 8 * 3600),
            ("30m", 1800),
            ("90s", 90),
            ("1h30m", 5400),
            ("2d1h1m1s", 2 * 86400 + 3661),
        ] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "8",
            "h",
            "8 h",
            "-1h",
            "1.5h",
            "0s",
            "30m1h",
            "1h1h",
            "99999999999999999999h",
            "400d",
            "8hours",
            "é",
            "8µ",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        for (text, hour, minute) in [("07:00", 7, 0), ("7:05", 7, 5), ("23:59", 23, 59)] {
            assert_eq!(time_of_day(text), Ok(TimeOfDay { hour, minute }), "{text}");
        }
        for text in [
            "", "7", "24:00", "12:60", "12:5", "+1:00", "07:00:00", "7h", "1é:00",
        ] {
            assert!(time_of_day(text).is_err(), "{text}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn the_clock_shows_a_time_once_a_day() {
        let now = 1_700_000_000;
        let mut first = Vec::new();
        for hour in 0..24 {
            let at = next_after(now, TimeOfDay { hour, minute: 30 }).unwrap();
            // A day is up to 25 hours long.
            assert!(at > now && at - now <= 25 * 3600, "{hour}");
            let again = next_after(at, TimeOfDay { hour, minute: 30 }).unwrap();
            assert!((23 * 3600..=25 * 3600).contains(&(again - at)), "{hour}");
            first.push(at);
        }
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 24);
    }

    #[test]
    fn work_is_told_once_the_time_is_over_and_again_when_that_was_long_ago() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let cancel = Cancel::default();
        let work = async {
            cancel.closing().await;
            assert!(!cancel.is_cancelled() && cancel.is_time());
            cancel.cancelled().await;
            cancel.is_time()
        };
        let (left, grace) = (Duration::from_millis(5), Duration::from_millis(50));
        let begun = std::time::Instant::now();
        assert!(runtime.block_on(timed(left, grace, &cancel, work)));
        assert!(begun.elapsed() >= left + grace);
        cancel.cancel();
        assert!(!cancel.is_time());
        let calm = Cancel::default();
        assert_eq!(runtime.block_on(within(None, &calm, async { 7 })), 7);
        assert!(!calm.is_closing());
    }
}
