/// In which proportion the rows of several sources follow each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Of 1, by source.
    shares: Vec<f64>,
    taken: Vec<u64>,
}

/// Why a text is no mix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    #[error("{0:?} is no share; expected a number above 0")]
    Share(String),
    #[error("{given} shares for {sources} runs")]
    Count { given: usize, sources: usize },
}

impl Mix {
    /// Reads `0.7,0.3`: a share for each source. They are in proportion to each other.
    ///
    /// # Errors
    /// When one is no number above 0, or there are not as many as sources.
    pub fn parse(text: &str, sources: usize) -> Result<Self, MixError> {
        let shares = text.split(',').map(|share| {
            let share = share.trim();
            let number = share.parse().ok();
            number
                .filter(|number: &f64| number.is_finite() && *number > 0.0)
                .ok_or_else(|| MixError::Share(share.to_owned()))
        });
        let shares: Vec<f64> = shares.collect::<Result<_, _>>()?;
        if shares.len() != sources {
            return Err(MixError::Count {
                given: shares.len(),
                sources,
            });
        }
        let whole: f64 = shares.iter().sum();
        Ok(Self {
            taken: vec![0; sources],
            shares: shares.iter().map(|share| share / whole).collect(),
        })
    }

    /// The source that is furthest behind its share of one row more; the first of equals.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
    pub fn next(&self) -> usize {
        let after = (self.taken.iter().sum::<u64>() + 1) as f64;
        let behind = |source: usize| self.shares[source] * after - self.taken[source] as f64;
        (0..self.shares.len())
            .reduce(|most, source| {
                if behind(source) > behind(most) + 1e-9 {
                    source
                } else {
                    most
                }
            })
            .expect("a mix has a source")
    }

    /// Rows of a source were written.
    pub fn took(&mut self, source: usize, rows: u64) {
        self.taken[source] += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_has_the_mix() {
        for text in ["0.7,0.3", "7,3", "1,1,1", "0.9,0.05,0.05", "1"] {
            let sources = text.split(',').count();
            let mut mix = Mix::parse(text, sources).unwrap();
            for rows in 1..2000u32 {
                let next = mix.next();
                mix.took(next, 1);
                for source in 0..sources {
                    let meant = mix.shares[source] * f64::from(rows);
                    #[expect(clippy::cast_precision_loss, reason = "few rows")]
                    let off = (mix.taken[source] as f64 - meant).abs();
                    assert!(off < 1.0 + 1e-6, "{text}: {:?} after {rows}", mix.taken);
                }
            }
        }
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for (text, told) in [
            ("0.7", "1 shares for 2 runs"),
            ("1,1,1", "3 shares for 2 runs"),
            ("1,0", "\"0\" is no share"),
            ("1,x", "\"x\" is no share"),
            ("1,-2", "no share"),
            ("1,inf", "no share"),
            ("", "no share"),
        ] {
            let error = Mix::parse(text, 2).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
