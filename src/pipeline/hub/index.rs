use std::collections::HashMap;

use super::story::Part;
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
    /// Whether this is too like.
    #[must_use]
    pub fn is_over(&self, rules: &HubRules) -> bool {
        self.common_stems > rules.max_common_stems
            || self.contained_pairs > rules.max_contained_pairs
    }

    pub(super) fn describe(&self, rules: &HubRules) -> String {
        format!(
            "common stems {:.2} (at most {:.2}), contained pairs {:.2} (at most {:.2}): {}",
            self.common_stems,
            rules.max_common_stems,
            self.contained_pairs,
            rules.max_contained_pairs,
            self.words.join(", ")
        )
    }
}

/// Which stories have which words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    stems: HashMap<(Part, String), Vec<u32>>,
    pairs: HashMap<(Part, String, String), Vec<u32>>,
    /// Stems and pairs of each story.
    sizes: Vec<(u32, u32)>,
}

impl Index {
    pub(super) fn add(&mut self, words: &StoryWords) {
        let story =
            u32::try_from(self.sizes.len()).expect("fewer stories than memory has room for");
        for stem in &words.stems {
            self.stems.entry(stem.clone()).or_default().push(story);
        }
        for pair in &words.pairs {
            self.pairs.entry(pair.clone()).or_default().push(story);
        }
        let size = |n: usize| u32::try_from(n).expect("words of one story");
        self.sizes
            .push((size(words.stems.len()), size(words.pairs.len())));
    }

    /// The story that is furthest over a limit, or nearest to one, the earliest of equals.
    pub(super) fn nearest(
        &self,
        words: &StoryWords,
        rules: &HubRules,
    ) -> Option<(usize, Likeness)> {
        let mut common = vec![(0u32, 0u32); self.sizes.len()];
        for story in words
            .stems
            .iter()
            .filter_map(|s| self.stems.get(s))
            .flatten()
        {
            common[*story as usize].0 += 1;
        }
        for story in words
            .pairs
            .iter()
            .filter_map(|p| self.pairs.get(p))
            .flatten()
        {
            common[*story as usize].1 += 1;
        }
        let (stems, pairs) = (words.stems.len(), words.pairs.len());
        let shares = |at: usize| {
            let ((same_stems, same_pairs), (other_stems, other_pairs)) =
                (common[at], self.sizes[at]);
            (
                share(
                    same_stems as usize,
                    stems + other_stems as usize - same_stems as usize,
                ),
                share(same_pairs as usize, pairs.min(other_pairs as usize)),
            )
        };
        let closeness = |at: usize| {
            let (a, b) = shares(at);
            (a / rules.max_common_stems).max(b / rules.max_contained_pairs)
        };
        let mut nearest: Option<(usize, f64)> = None;
        for at in (0..common.len()).filter(|&at| common[at] != (0, 0)) {
            let closeness = closeness(at);
            if nearest.is_none_or(|(_, most)| closeness > most) {
                nearest = Some((at, closeness));
            }
        }
        let (at, _) = nearest?;
        let (common_stems, contained_pairs) = shares(at);
        let story = u32::try_from(at).ok()?;
        let mut shared: Vec<&str> = words
            .stems
            .iter()
            .filter(|stem| {
                self.stems
                    .get(*stem)
                    .is_some_and(|stories| stories.binary_search(&story).is_ok())
            })
            .map(|(_, stem)| stem.as_str())
            .collect();
        shared.sort_by_key(|stem| (std::cmp::Reverse(stem.len()), *stem));
        shared.dedup();
        let likeness = Likeness {
            common_stems,
            contained_pairs,
            words: shared.into_iter().take(SHOWN).map(str::to_owned).collect(),
        };
        Some((at, likeness))
    }
}

/// `part / whole`, 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of words in a story")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
