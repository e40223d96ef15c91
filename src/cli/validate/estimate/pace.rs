use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::run::{EventSink, RunEvent};

/// Length of a slice, in milliseconds.
const SLICE_MS: u128 = 100;
/// Parts of the second half that are compared with each other.
const PARTS: usize = 8;

/// When tokens came.
#[derive(Clone)]
pub struct Pace {
    begun: Instant,
    slices: Arc<Mutex<Vec<u64>>>,
}

/// How fast tokens came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// The first half: stages get under way, prompts are read for the first time.
    pub first: Span,
    /// The second half: as it goes on.
    pub second: Span,
    /// Two standard errors of the second half's rate, as a share of it.
    pub spread: f64,
}

/// Tokens over some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    pub seconds: f64,
    pub tokens: u64,
}

impl Span {
    #[expect(clippy::cast_precision_loss, reason = "tokens")]
    pub fn rate(self) -> f64 {
        self.tokens as f64 / self.seconds.max(1e-3)
    }
}

impl Pace {
    /// From now on.
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            slices: Arc::default(),
        }
    }

    pub fn sink(&self) -> EventSink {
        let pace = self.clone();
        Arc::new(move |event| {
            if let RunEvent::TokensGenerated { tokens, .. } = event {
                let slice = usize::try_from(pace.begun.elapsed().as_millis() / SLICE_MS);
                let mut slices = pace.slices.lock().unwrap_or_else(PoisonError::into_inner);
                if let Ok(slice) = slice {
                    if slices.len() <= slice {
                        slices.resize(slice + 1, 0);
                    }
                    slices[slice] += *tokens as u64;
                }
            }
        })
    }

    /// Up to now.
    pub fn end(&self) -> Speed {
        let slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        Speed::of(&slices, self.begun.elapsed().as_secs_f64())
    }
}

impl Speed {
    /// `slices` hold the tokens of [`SLICE_MS`] each; those after the last are empty.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds and tokens"
    )]
    fn of(slices: &[u64], seconds: f64) -> Self {
        let slice = SLICE_MS as f64 / 1000.0;
        let whole = ((seconds / slice) as usize).max(1);
        let half = whole / 2;
        let tokens = |from: usize, to: usize| -> u64 {
            slices[from.min(slices.len())..to.min(slices.len())]
                .iter()
                .sum()
        };
        let first = Span {
            seconds: half as f64 * slice,
            tokens: tokens(0, half),
        };
        let second = Span {
            seconds: (seconds - first.seconds).max(1e-3),
            tokens: tokens(half, usize::MAX),
        };
        let part = (whole - half) / PARTS;
        let rates: Vec<f64> = (0..PARTS)
            .map(|n| tokens(half + n * part, half + (n + 1) * part) as f64)
            .collect();
        let mean = rates.iter().sum::<f64>() / PARTS as f64;
        let variance =
            rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (PARTS - 1) as f64;
        Self {
            first,
            second,
            spread: if mean > 0.0 {
                2.0 * (variance / PARTS as f64).sqrt() / mean
            } else {
                0.0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_is_the_pace() {
        // Two seconds: ten slices of 5 tokens, then ten of 20, and a rest.
        let slices: Vec<u64> = [5; 10].into_iter().chain([20; 10]).collect();
        let speed = Speed::of(&slices, 2.04);
        assert_eq!((speed.first.tokens, speed.second.tokens), (50, 200));
        assert!((speed.first.rate() - 50.0).abs() < 1e-9);
        assert!((speed.second.rate() - 200.0 / 1.04).abs() < 1e-9);
        assert!(speed.spread.abs() < 1e-12);
    }

    #[test]
    fn the_spread_is_two_standard_errors() {
        // The second half: eight parts of one slice, half of them 10 and half 30: a standard deviation of 400 · 8 / 4 / 7.
        let slices = [0, 0, 0, 0, 0, 0, 0, 0, 10, 30, 10, 30, 10, 30, 10, 30];
        let speed = Speed::of(&slices, 1.6);
        let expected = 2.0 * (100.0f64 * 8.0 / 7.0 / 8.0).sqrt() / 20.0;
        assert!((speed.spread - expected).abs() < 1e-9, "{}", speed.spread);
        // Nothing came, or the time was too short for slices.
        assert_eq!(Speed::of(&[], 0.05).second.tokens, 0);
        assert_eq!(Speed::of(&[7], 0.05).second.tokens, 7);
    }
}
