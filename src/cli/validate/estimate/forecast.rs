use std::collections::BTreeMap;

use serde::Serialize;

use super::lifetimes::{Attempt, State, expected};
use super::pace::{Span, Speed};
use super::sample::Sample;
use crate::metrics::bootstrap;
use crate::record::Kind;
use crate::rng::Stream;

/// Resamples of the attempts.
const RESAMPLES: u32 = 400;
const LEVEL: f64 = 0.95;

/// What a plan has work for.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Places by kind.
    pub places: BTreeMap<Kind, f64>,
    /// Turns of a conversation, at least and at most, by kind.
    pub turns: BTreeMap<Kind, (u32, u32)>,
    /// Pages that need questions.
    pub pages: u64,
    /// Group chats that need experiences.
    pub experiences: f64,
    pub max_attempts: u32,
    /// Conversations alive at once.
    pub live: u64,
}

/// A number and the range it is likely in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Range {
    pub low: f64,
    pub likely: f64,
    pub high: f64,
}

impl Range {
    pub fn exactly(value: f64) -> Self {
        Self {
            low: value,
            likely: value,
            high: value,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            likely: self.likely + other.likely,
            high: self.high + other.high,
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            low: self.low * factor,
            likely: self.likely * factor,
            high: self.high * factor,
        }
    }
}

/// What a whole run would take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    pub hours: Range,
    pub tokens: Range,
    /// Places that no attempt fills.
    pub empty: f64,
    /// At conversations.
    pub attempts: f64,
    /// Of these, those that are turned down.
    pub turned_down: f64,
    /// What had to be assumed, for people.
    pub assumed: Vec<String>,
}

/// Tokens of all places of a kind.
struct Conversations {
    tokens: Range,
    attempts: f64,
    empty: f64,
    /// Of one attempt.
    each: f64,
}

/// What follows from a sample; else why nothing does.
pub fn forecast(sample: &Sample, speed: &Speed, work: &Work) -> Result<Forecast, String> {
    let mut assumed = Vec::new();
    let mut tokens = Range::default();
    for (made, wanted, what) in [
        (
            sample.questions,
            whole(work.pages),
            "the questions of no page are",
        ),
        (
            sample.experiences,
            work.experiences,
            "no round of experiences is",
        ),
    ] {
        if wanted > 0.0 {
            let each = made.each().ok_or_else(|| format!("{what} ready by then"))?;
            tokens = tokens.plus(Range::exactly(each * wanted));
        }
    }
    let (mut attempts, mut empty, mut longest) = (0.0, 0.0, 0.0f64);
    for (&kind, &places) in work.places.iter().filter(|(_, places)| **places > 0.0) {
        let of = conversations(sample, work, kind, places, &mut assumed)?;
        tokens = tokens.plus(of.tokens);
        attempts += of.attempts;
        empty += of.empty;
        longest = longest.max(of.each);
    }
    let rate = speed.second.rate();
    if speed.second.tokens == 0 {
        return Err("no reply was finished in the second half of the time".into());
    }
    // What is left when the last conversation has begun cannot fill the batch any more.
    let drain = longest * whole(work.live) / rate;
    let seconds = |tokens: f64, rate: f64, drain: f64| {
        let Span {
            seconds,
            tokens: before,
        } = speed.first;
        seconds + (tokens - whole(before)).max(0.0) / rate + drain
    };
    let hours = Range {
        low: seconds(tokens.low, rate * (1.0 + speed.spread), 0.0),
        likely: seconds(tokens.likely, rate, drain / 2.0),
        high: seconds(tokens.high, rate * (1.0 - speed.spread).max(0.1), drain),
    };
    let places: f64 = work.places.values().sum();
    Ok(Forecast {
        hours: hours.times(1.0 / 3600.0),
        tokens,
        empty,
        attempts,
        turned_down: 1.0 - (places - empty) / attempts.max(1.0),
        assumed,
    })
}

fn conversations(
    sample: &Sample,
    work: &Work,
    kind: Kind,
    places: f64,
    assumed: &mut Vec<String>,
) -> Result<Conversations, String> {
    let name = match kind {
        Kind::Support => "support conversation",
        Kind::Group => "group chat",
    };
    let attempts = sample.attempts.get(&kind).map_or(&[][..], Vec::as_slice);
    let Some(likely) = expected(attempts.iter().copied()) else {
        return by_turns(sample, work, kind, places, name, assumed);
    };
    let all = |of: super::lifetimes::Expected| of.attempts(work.max_attempts) * of.tokens;
    let draw = Stream::root(0).child("estimate");
    let range = bootstrap::interval(attempts.len(), RESAMPLES, LEVEL, draw, |chosen| {
        expected(chosen.iter().map(|&at| attempts[at])).map(all)
    });
    let ended = count(attempts, |state| state != State::Live);
    if ended < 10 {
        assumed.push(format!("only {ended} {name}s came to an end"));
    }
    if count(attempts, |state| state == State::TurnedDown) == 0 {
        // With none of n turned down, as many as 3 / n may be (Hanley and Lippman-Hand, 1983).
        let most = 300 / ended.max(1);
        assumed.push(format!(
            "no {name} was turned down; up to {most} % may be all the same"
        ));
    }
    let of_one = all(likely);
    Ok(Conversations {
        tokens: Range {
            low: range.map_or(of_one, |range| range.low.min(of_one)),
            likely: of_one,
            high: range.map_or(of_one, |range| range.high.max(of_one)),
        }
        .times(places),
        attempts: likely.attempts(work.max_attempts) * places,
        empty: likely.lost(work.max_attempts) * places,
        each: likely.tokens,
    })
}

/// From the length of turns, where none has come to an end.
#[expect(clippy::cast_precision_loss, reason = "tokens and turns")]
fn by_turns(
    sample: &Sample,
    work: &Work,
    kind: Kind,
    places: f64,
    name: &str,
    assumed: &mut Vec<String>,
) -> Result<Conversations, String> {
    let turns = sample.turns.get(&kind).copied().unwrap_or(0);
    let tokens: u64 = sample
        .attempts
        .get(&kind)
        .map_or(0, |attempts| attempts.iter().map(|one| one.tokens).sum());
    let (least, most) = work.turns.get(&kind).copied().unwrap_or((1, 1));
    if turns == 0 || tokens == 0 {
        return Err(format!("no turn of a {name} was said by then"));
    }
    assumed.push(format!(
        "no {name} came to an end: counted by its turns, of which there may be {least} to {most}, and as if none were turned down"
    ));
    let turn = tokens as f64 / turns as f64;
    let (low, high) = (turn * f64::from(least), turn * f64::from(most));
    let likely = low.midpoint(high);
    Ok(Conversations {
        tokens: Range { low, likely, high }.times(places),
        attempts: places,
        empty: 0.0,
        each: likely,
    })
}

fn count(attempts: &[Attempt], is: impl Fn(State) -> bool) -> usize {
    attempts.iter().filter(|one| is(one.state)).count()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
fn whole(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::super::sample::Made;
    use super::*;

    fn sample(states: &[(u64, State)]) -> Sample {
        let attempts = states
            .iter()
            .map(|&(tokens, state)| Attempt { tokens, state })
            .collect();
        Sample {
            attempts: BTreeMap::from([(Kind::Support, attempts)]),
            turns: BTreeMap::from([(Kind::Support, 16)]),
            tokens: 1200,
            questions: Made {
                cost: 200,
                things: 5,
            },
            ..Sample::default()
        }
    }

    fn work() -> Work {
        Work {
            places: BTreeMap::from([(Kind::Support, 1000.0)]),
            turns: BTreeMap::from([(Kind::Support, (4, 12))]),
            pages: 10,
            experiences: 0.0,
            max_attempts: 3,
            live: 8,
        }
    }

    const SPEED: Speed = Speed {
        first: Span {
            seconds: 10.0,
            tokens: 400,
        },
        second: Span {
            seconds: 10.0,
            tokens: 1000,
        },
        spread: 0.1,
    };

    #[test]
    fn questions_come_once_and_replacements_are_counted() {
        let states = [
            (100, State::Kept),
            (140, State::TurnedDown),
            (120, State::Kept),
            (120, State::Kept),
        ];
        let found = forecast(&sample(&states), &SPEED, &work()).unwrap();
        // 1 + 1/4 + 1/16 attempts a place, of 120 tokens; 40 tokens a page.
        let tokens = 400.0 + 1.3125 * 120.0 * 1000.0;
        assert!((found.tokens.likely - tokens).abs() < 1e-6, "{found:?}");
        assert!((found.empty - 1000.0 / 64.0).abs() < 1e-9);
        assert!((found.turned_down - 0.25).abs() < 1e-9);
        // Ten seconds, the rest at 100 a second, and half of the last conversations' 8 · 120 tokens.
        let seconds = 10.0 + (tokens - 400.0) / 100.0 + 4.8;
        assert!((found.hours.likely * 3600.0 - seconds).abs() < 1e-6);
        assert!(found.tokens.low < found.tokens.likely && found.tokens.likely < found.tokens.high);
        assert!(found.hours.low < found.hours.likely && found.hours.likely < found.hours.high);
        assert!(found.assumed[0].contains("only 4"), "{:?}", found.assumed);
    }

    #[test]
    fn where_none_has_ended_turns_are_counted() {
        let states = [(100, State::Live), (60, State::Live)];
        let found = forecast(&sample(&states), &SPEED, &work()).unwrap();
        // 10 tokens a turn, 4 to 12 turns, and the questions.
        let Range { low, likely, high } = found.tokens;
        assert_eq!((low, likely, high), (40_400.0, 80_400.0, 120_400.0));
        assert!(found.assumed[0].contains("4 to 12"), "{:?}", found.assumed);
    }

    #[test]
    fn what_cannot_be_known_is_said() {
        let kept = sample(&[(100, State::Kept)]);
        let unasked = Sample {
            questions: Made::default(),
            ..kept.clone()
        };
        let said = forecast(&unasked, &SPEED, &work()).unwrap_err();
        assert!(said.contains("questions of no page"), "{said}");
        let groups = Work {
            experiences: 5.0,
            ..work()
        };
        let said = forecast(&kept, &SPEED, &groups).unwrap_err();
        assert!(said.contains("no round of experiences"), "{said}");
        let other = Work {
            places: BTreeMap::from([(Kind::Group, 3.0)]),
            ..work()
        };
        let said = forecast(&kept, &SPEED, &other).unwrap_err();
        assert!(said.contains("no turn of a group chat"), "{said}");
        let still = Speed {
            second: Span::default(),
            ..SPEED
        };
        assert!(forecast(&kept, &still, &work()).is_err());
    }
}
