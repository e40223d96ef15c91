use std::collections::HashMap;

use crate::metrics::words;

/// Words of a run.
const RUN: usize = 5;

/// The runs of five words in a conversation, by hash, in order, each once; a turn of fewer words is one run. What conversations
/// are compared by (Broder, On the Resemblance and Containment of Documents, 1997).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(Vec<u64>);

impl Runs {
    /// The runs of turns.
    pub fn of<'a>(turns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut runs = Vec::new();
        for turn in turns {
            let words: Vec<u64> = words(turn).map(|word| hash(word.bytes())).collect();
            let run = |words: &[u64]| hash(words.iter().flat_map(|word| word.to_le_bytes()));
            if words.len() < RUN {
                if !words.is_empty() {
                    runs.push(run(&words));
                }
            } else {
                runs.extend(words.windows(RUN).map(run));
            }
        }
        runs.sort_unstable();
        runs.dedup();
        Self(runs)
    }

    /// Runs in both over runs in either, 0 to 1; 0 of nothing.
    #[must_use]
    pub fn resemblance(&self, other: &Self) -> f64 {
        self.resembles(other, 0.0).unwrap_or(0.0)
    }

    /// The resemblance, where it is `least` at least. Gives up as soon as too many runs are in one only.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of runs"
    )]
    fn resembles(&self, other: &Self, least: f64) -> Option<f64> {
        let all = self.0.len() + other.0.len();
        // both ≥ least · (all − both), and all − 2 · both are in one only; one more, for what was rounded.
        let most_apart = all as f64 * (1.0 - least) / (1.0 + least);
        let most_apart = most_apart as usize + 1;
        if all == 0 || self.0.len().abs_diff(other.0.len()) > most_apart {
            return None;
        }
        let (mut a, mut b, mut both) = (0, 0, 0);
        while let (Some(left), Some(right)) = (self.0.get(a), other.0.get(b)) {
            both += usize::from(left == right);
            a += usize::from(left <= right);
            b += usize::from(right <= left);
            if a + b - 2 * both > most_apart {
                return None;
            }
        }
        let resemblance = both as f64 / (all - both) as f64;
        (resemblance >= least).then_some(resemblance)
    }

    /// As many runs as one that resembles this one by `least` must have one of, whichever it has (Bayardo, Ma and Srikant,
    /// Scaling Up All Pairs Similarity Search, 2007): two sets that share `least` of either share one of the first
    /// n − ⌈least · n⌉ + 1 of each, in any order common to both.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of a count"
    )]
    fn telling(&self, least: f64) -> &[u64] {
        let n = self.0.len();
        // A hair less, so that a product that rounds up never costs a run.
        let shared = (least * n as f64 - 1e-9).ceil().max(0.0) as usize;
        &self.0[..(n + 1).saturating_sub(shared).min(n)]
    }
}

/// FNV-1a of 64 bits, its bits mixed once more so that order by value is order by chance.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// Finds what resembles a conversation, among many, without looking at all of them. Finds every one: no sketches.
#[derive(Clone, Debug)]
pub struct Likeness<Id> {
    least: f64,
    holders: HashMap<u64, Vec<Id>>,
    runs: HashMap<Id, Runs>,
}

impl<Id: Copy + Ord + std::hash::Hash> Likeness<Id> {
    /// Finds what resembles by `least` at least, which is above 0.
    #[must_use]
    pub fn new(least: f64) -> Self {
        Self {
            least,
            holders: HashMap::new(),
            runs: HashMap::new(),
        }
    }

    /// Adds one; one of the same id gives way.
    pub fn add(&mut self, id: Id, runs: Runs) {
        self.remove(id);
        for run in runs.telling(self.least) {
            self.holders.entry(*run).or_default().push(id);
        }
        self.runs.insert(id, runs);
    }

    /// Takes one out.
    pub fn remove(&mut self, id: Id) {
        let Some(runs) = self.runs.remove(&id) else {
            return;
        };
        for run in runs.telling(self.least) {
            if let Some(holders) = self.holders.get_mut(run) {
                holders.retain(|other| *other != id);
                if holders.is_empty() {
                    self.holders.remove(run);
                }
            }
        }
    }

    /// The runs of one.
    #[must_use]
    pub fn runs(&self, id: Id) -> Option<&Runs> {
        self.runs.get(&id)
    }

    /// What resembles these runs, with how much, in order of ids.
    #[must_use]
    pub fn like(&self, runs: &Runs) -> Vec<(Id, f64)> {
        let mut candidates: Vec<Id> = runs
            .telling(self.least)
            .iter()
            .filter_map(|run| self.holders.get(run))
            .flatten()
            .copied()
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .filter_map(|id| Some((id, self.runs[&id].resembles(runs, self.least)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        let runs = |turns: &[&str]| Runs::of(turns.iter().copied());
        // abcde bcdef cdefg; abcde bcdef cdefx.
        let resemblance = runs(&["a b c d e f g"]).resemblance(&runs(&["A b, c d e f x!"]));
        assert!((resemblance - 0.5).abs() < 1e-12);
        // Turns do not run into each other.
        assert!(runs(&["a b c", "d e f"]).resemblance(&runs(&["a b c d e f"])) < 1e-12);
        let same = runs(&["a b c", "d e"]);
        assert!((same.resemblance(&runs(&["d e", "a b c"])) - 1.0).abs() < 1e-12);
        assert!(runs(&[]).resemblance(&runs(&["", "–"])) < 1e-12);
    }

    #[test]
    fn what_is_taken_out_is_not_found() {
        let mut likeness = Likeness::new(0.5);
        let runs = Runs::of(["one two three four five six"]);
        likeness.add(1, runs.clone());
        likeness.add(2, runs.clone());
        let ids = |likeness: &Likeness<i32>| -> Vec<i32> {
            likeness.like(&runs).iter().map(|(id, _)| *id).collect()
        };
        assert_eq!(ids(&likeness), [1, 2]);
        likeness.remove(1);
        assert_eq!(ids(&likeness), [2]);
        likeness.add(2, Runs::of(["something else"]));
        assert!(ids(&likeness).is_empty());
        likeness.remove(2);
        assert!(likeness.holders.is_empty() && likeness.runs.is_empty());
    }

    proptest! {
        #[test]
        fn every_like_one_is_found(
            texts in prop::collection::vec(prop::collection::vec(0..12u8, 0..30), 1..30),
            least in 0.1..1.0f64,
        ) {
            let all: Vec<Runs> = texts
                .iter()
                .map(|text| {
                    let text: Vec<String> = text.iter().map(|word| format!("w{}", word / 4)).collect();
                    Runs::of([text.join(" ").as_str()])
                })
                .collect();
            let mut likeness = Likeness::new(least);
            for (id, runs) in all.iter().enumerate() {
                likeness.add(id, runs.clone());
            }
            for runs in &all {
                let expected: Vec<usize> = (0..all.len())
                    .filter(|other| all[*other].resemblance(runs) >= least)
                    .collect();
                let found: Vec<usize> = likeness.like(runs).iter().map(|(id, _)| *id).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
