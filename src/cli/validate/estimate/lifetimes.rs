use std::cmp::Ordering;

/// One attempt at a conversation, as far as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Generated so far.
    pub tokens: u64,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Kept,
    TurnedDown,
    /// It had not come to an end when the time was over.
    Live,
}

/// What to expect of an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Tokens until it ends: the mean.
    pub tokens: f64,
    /// Chance that it is kept.
    pub kept: f64,
}

impl Expected {
    /// Attempts that a place takes when it may have `most`: each is made only where all before it were turned down.
    pub fn attempts(self, most: u32) -> f64 {
        (0..most.max(1)).map(|n| self.lost(n)).sum()
    }

    /// Chance that `most` attempts are all turned down. Takes attempts at one place for independent.
    pub fn lost(self, most: u32) -> f64 {
        (1.0 - self.kept).powi(i32::try_from(most).unwrap_or(i32::MAX))
    }
}

/// What to expect of attempts of which some were seen to their end only. Short ones end first, so the mean of those that have
/// ended is too low; each is weighed by the chance to be seen at its length (Kaplan and Meier, Nonparametric Estimation from
/// Incomplete Observations, 1958; with two ways to end, Aalen and Johansen 1978). Beyond the longest that was seen, attempts
/// end at the rate at which they did on the whole. `None` where none has ended.
#[expect(clippy::cast_precision_loss, reason = "tokens")]
pub fn expected(attempts: impl Iterator<Item = Attempt>) -> Option<Expected> {
    let mut attempts: Vec<Attempt> = attempts.collect();
    // At one length, what ended was alive until then, and so was what is live: ends come first.
    attempts.sort_by(|a, b| {
        a.tokens
            .cmp(&b.tokens)
            .then_with(|| match (a.state, b.state) {
                (State::Live, State::Live) => Ordering::Equal,
                (State::Live, _) => Ordering::Greater,
                (_, State::Live) => Ordering::Less,
                _ => Ordering::Equal,
            })
    });
    let count = |state: State| attempts.iter().filter(|a| a.state == state).count() as f64;
    let ended = count(State::Kept) + count(State::TurnedDown);
    if ended == 0.0 {
        return None;
    }
    let seen: f64 = attempts.iter().map(|a| a.tokens as f64).sum();
    let (mut alive, mut kept, mut mean, mut before) = (1.0, 0.0, 0.0, 0.0);
    let mut at_risk = attempts.len() as f64;
    for attempt in &attempts {
        let tokens = attempt.tokens as f64;
        mean += alive * (tokens - before);
        before = tokens;
        if attempt.state != State::Live {
            let ends = alive / at_risk;
            alive -= ends;
            if attempt.state == State::Kept {
                kept += ends;
            }
        }
        at_risk -= 1.0;
    }
    Some(Expected {
        tokens: mean + alive.max(0.0) * seen / ended,
        kept: (kept + alive.max(0.0) * count(State::Kept) / ended).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tokens: u64, state: State) -> Attempt {
        Attempt { tokens, state }
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn seen_to_the_end_is_a_plain_mean() {
        let all = [
            (100, State::Kept),
            (140, State::TurnedDown),
            (120, State::Kept),
            (120, State::Kept),
        ];
        let found = expected(all.into_iter().map(|(n, state)| at(n, state))).unwrap();
        close(found.tokens, 120.0);
        close(found.kept, 0.75);
    }

    #[test]
    fn what_is_live_counts_by_how_far_it_came() {
        // One of two ends at 100; the other, at risk from 100 on, ends at 300 for sure: it stands for the one that was lost.
        let all = [
            at(100, State::TurnedDown),
            at(200, State::Live),
            at(300, State::Kept),
        ];
        let found = expected(all.into_iter()).unwrap();
        // 100 for all, and 200 more for two thirds.
        close(found.tokens, 100.0 + 2.0 / 3.0 * 200.0);
        close(found.kept, 2.0 / 3.0);
    }

    #[test]
    fn beyond_the_longest_the_rate_of_ends_holds() {
        let all = [
            at(100, State::Kept),
            at(100, State::Live),
            at(200, State::Live),
        ];
        let found = expected(all.into_iter()).unwrap();
        // A third ends at 100; the rest is alive at 200, and ends once in 400 tokens.
        close(found.tokens, 100.0 + 2.0 / 3.0 * 100.0 + 2.0 / 3.0 * 400.0);
        close(found.kept, 1.0);
        assert_eq!(expected([at(5, State::Live)].into_iter()), None);
        assert_eq!(expected([].into_iter()), None);
    }

    #[test]
    fn places_take_attempts_until_one_is_kept() {
        let half = Expected {
            tokens: 1.0,
            kept: 0.5,
        };
        close(half.attempts(3), 1.75);
        close(half.lost(3), 0.125);
        close(
            Expected {
                tokens: 1.0,
                kept: 1.0,
            }
            .attempts(3),
            1.0,
        );
    }
}
