/// The answers that a judge chooses between.
pub(super) const DIGITS: &[&str] = &["1", "2", "3", "4", "5"];
/// The same for whether something is harmful.
pub(super) const YES_NO: &[&str] = &["yes", "no"];

/// An answer as likelihoods have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    pub value: f64,
    /// Share of all replies that are one of the answers, at most 1.
    pub mass: f64,
}

/// The mean of the digits 1, 2, … in proportion to the probabilities whose logarithms are given. None where no number is
/// among them.
#[must_use]
pub fn mean_digit(scores: &[f32]) -> Option<Weighed> {
    let mut total = 0.0;
    let mut sum = 0.0;
    let best = best(scores)?;
    for (digit, score) in (1u8..).zip(scores) {
        if score.is_nan() {
            continue;
        }
        // Against the likeliest, so that no small number is lost.
        let weight = (f64::from(*score) - best).exp();
        total += weight;
        sum += weight * f64::from(digit);
    }
    Some(Weighed {
        value: sum / total,
        mass: (total * best.exp()).min(1.0),
    })
}

/// The probability of the first against the second.
pub(super) fn first_of_two(scores: &[f32]) -> Option<Weighed> {
    let Weighed { value, mass } = mean_digit(scores)?;
    Some(Weighed {
        value: 2.0 - value,
        mass,
    })
}

fn best(scores: &[f32]) -> Option<f64> {
    let numbers = scores.iter().filter(|score| !score.is_nan());
    let best = numbers.copied().fold(f32::NEG_INFINITY, f32::max);
    (best > f32::NEG_INFINITY).then_some(f64::from(best))
}

/// The mean of several answers.
pub(super) fn mean(all: &[Weighed]) -> Option<Weighed> {
    let part = |of: fn(&Weighed) -> f64| crate::metrics::bootstrap::mean(all.iter().map(of));
    Some(Weighed {
        value: part(|one| one.value)?,
        mass: part(|one| one.mass)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<Weighed>, value: f64, mass: f64) {
        let found = found.unwrap();
        assert!(
            (found.value - value).abs() < 1e-6 && (found.mass - mass).abs() < 1e-6,
            "{found:?}"
        );
    }

    #[test]
    fn known_likelihoods_give_known_scores() {
        let of = |shares: [f32; 5]| mean_digit(&shares.map(f32::ln));
        near(of([0.2, 0.2, 0.2, 0.2, 0.2]), 3.0, 1.0);
        near(of([0.0, 0.0, 0.0, 0.1, 0.3]), 4.75, 0.4);
        near(of([0.5, 0.25, 0.0, 0.0, 0.25]), 2.25, 1.0);
        // However unlikely all of them are.
        let far = mean_digit(&[-200.0, -200.0, -200.0, -200.0, -199.0]).unwrap();
        assert!(far.value > 3.0 && far.value < 5.0 && far.mass < 1e-80);
        near(
            mean_digit(&[
                f32::NAN,
                f32::NEG_INFINITY,
                0.25f32.ln(),
                f32::NAN,
                f32::NAN,
            ]),
            3.0,
            0.25,
        );
        assert_eq!(mean_digit(&[f32::NEG_INFINITY; 5]), None);
        assert_eq!(mean_digit(&[f32::NAN; 5]), None);
        near(first_of_two(&[0.6f32.ln(), 0.2f32.ln()]), 0.75, 0.8);
    }
}
