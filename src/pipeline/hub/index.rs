use std::collections::HashMap;

use super::story::Stem;
use super::{HubRules, StoryWords};

/// Words of a refusal's detail.
const SHOWN: usize = 6;

/// How like two stories are.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// Stems in both over stems in either (Jaccard), 0 to 1; a stem of a memory meets stems of memories only.
    pub common_stems: f64,
    /// Pairs of neighbouring stems in both over pairs of the shorter story, 0 to 1.
    pub contained_pairs: f64,
    /// The longest of the stems in both.
    pub words: Vec<String>,
}

impl Likeness {
    /// Whether one is the other told again.
    #[must_use]
    pub fn is_same(&self, rules: &HubRules) -> bool {
        self.common_stems >= rules.same_stems || self.contained_pairs >= rules.same_pairs
    }

    /// Whether this is too like for a shot.
    #[must_use]
    pub fn is_over(&self, rules: &HubRules) -> bool {
        self.common_stems > rules.max_common_stems
            || self.contained_pairs > rules.max_contained_pairs
    }

    pub(super) fn describe(&self, rules: &HubRules) -> String {
        format!(
            "common stems {:.2} (below {:.2}), contained pairs {:.2} (below {:.2}): {}",
            self.common_stems,
            rules.same_stems,
            self.contained_pairs,
            rules.same_pairs,
            self.words.join(", ")
        )
    }
}

/// Which stories have which words. Stems are numbered as they come, so that pairs are two numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    numbers: HashMap<Stem, u32>,
    /// Stories of each stem, in order.
    stems: Vec<Vec<u32>>,
    /// Stories of each pair of stems, in order.
    pairs: HashMap<(u32, u32), Vec<u32>>,
    /// Stems and pairs of each story.
    sizes: Vec<(u32, u32)>,
}

impl Index {
    pub(super) fn add(&mut self, words: &StoryWords) {
        let story = small(self.sizes.len());
        for stem in &words.stems {
            let next = small(self.stems.len());
            let number = *self.numbers.entry(stem.clone()).or_insert(next);
            if number == next {
                self.stems.push(Vec::new());
            }
            self.stems[number as usize].push(story);
        }
        for pair in self.numbered(words).collect::<Vec<_>>() {
            self.pairs.entry(pair).or_default().push(story);
        }
        self.sizes
            .push((small(words.stems.len()), small(words.pairs.len())));
    }

    /// The pairs of which both stems are known.
    fn numbered<'a>(&'a self, words: &'a StoryWords) -> impl Iterator<Item = (u32, u32)> + 'a {
        words
            .pairs
            .iter()
            .filter_map(|(low, high)| Some((*self.numbers.get(low)?, *self.numbers.get(high)?)))
    }

    /// The story that is furthest over a limit, or nearest to one, the earliest of equals.
    pub(super) fn nearest(
        &self,
        words: &StoryWords,
        rules: &HubRules,
    ) -> Option<(usize, Likeness)> {
        let known = words.stems.iter().filter_map(|stem| self.numbers.get(stem));
        let mut common = vec![(0u32, 0u32); self.sizes.len()];
        for number in known {
            for &story in &self.stems[*number as usize] {
                common[story as usize].0 += 1;
            }
        }
        for stories in self
            .numbered(words)
            .filter_map(|pair| self.pairs.get(&pair))
        {
            for &story in stories {
                common[story as usize].1 += 1;
            }
        }
        let (stems, pairs) = (small(words.stems.len()), small(words.pairs.len()));
        let shares = |at: usize| {
            let ((same_stems, same_pairs), (other_stems, other_pairs)) =
                (common[at], self.sizes[at]);
            (
                share(same_stems, stems + other_stems - same_stems),
                share(same_pairs, pairs.min(other_pairs)),
            )
        };
        let mut nearest: Option<(usize, f64)> = None;
        for at in (0..common.len()).filter(|&at| common[at].0 > 0) {
            let (common_stems, contained_pairs) = shares(at);
            let closeness = (common_stems / rules.max_common_stems)
                .max(contained_pairs / rules.max_contained_pairs);
            if nearest.is_none_or(|(_, most)| closeness > most) {
                nearest = Some((at, closeness));
            }
        }
        let (at, _) = nearest?;
        let (common_stems, contained_pairs) = shares(at);
        let likeness = Likeness {
            common_stems,
            contained_pairs,
            words: self.shared(words, small(at)),
        };
        Some((at, likeness))
    }

    /// The longest stems that a story has as well, without repeats.
    fn shared(&self, words: &StoryWords, story: u32) -> Vec<String> {
        let has = |number: &u32| self.stems[*number as usize].binary_search(&story).is_ok();
        let mut shared: Vec<&str> = words
            .stems
            .iter()
            .filter(|stem| self.numbers.get(*stem).is_some_and(has))
            .map(|(_, stem)| stem.as_str())
            .collect();
        shared.sort_by_key(|stem| (std::cmp::Reverse(stem.len()), *stem));
        shared.dedup();
        shared.truncate(SHOWN);
        shared.into_iter().map(str::to_owned).collect()
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).expect("fewer stories and words than memory has room for")
}

/// `part / whole`, 0 of nothing.
fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        0.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}
