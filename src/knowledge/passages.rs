use std::collections::{BTreeMap, BTreeSet};

use super::bm25::Bm25;
use crate::record::Page;

/// Words that say nothing about the subject.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "but", "by", "can", "could", "did", "do", "does", "for", "from", "get", "had", "has",
    "have", "how", "i", "if", "in", "is", "it", "its", "just", "me", "my", "no", "not", "of", "on",
    "once", "or", "our", "so", "that", "the", "their", "them", "then", "there", "they", "this",
    "to", "until", "us", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with", "would", "you", "your",
];

/// A paragraph bears on a question when its score is at least this share of the best one's.
const BEARS: f64 = 0.1;

/// A page's paragraphs, ready to be chosen from.
#[derive(Clone, Debug)]
pub struct Passages {
    /// Tokens of each paragraph with the line end that follows it.
    costs: Vec<usize>,
    bm25: Bm25<String>,
}

impl Passages {
    /// Reads a page; `count` counts tokens.
    #[must_use]
    pub fn of(page: &Page, count: impl Fn(&str) -> usize) -> Self {
        let bags: Vec<BTreeMap<String, usize>> = page
            .paragraphs
            .iter()
            .map(|p| bag(&format!("{} {}", p.heading, p.text)))
            .collect();
        Self {
            costs: costs(page, count),
            bm25: Bm25::of(&bags),
        }
    }

    /// Indices of the paragraphs that bear on a question, in page order: by BM25 all but those that share no word with it or
    /// only a common one; the whole page where none shares any, since then each may.
    ///
    /// Wide on purpose: on the 24 pages that come with the program they are half of a page, and hold the answer in 92 of 100
    /// cases.
    #[must_use]
    pub fn bearing(&self, question: &str) -> Vec<usize> {
        let scores = self.bm25.scores(bag(question).keys());
        let best = scores.iter().copied().fold(0.0, f64::max);
        (0..scores.len())
            .filter(|&index| scores[index] >= BEARS * best)
            .collect()
    }

    /// Indices of the paragraphs an agent gets to see for a query, in page order: all of them when the page fits, else the
    /// best by BM25 that fit together; at least one, even if that alone is over the budget. None of those that are
    /// `kept_back`, so there may be none.
    #[must_use]
    pub fn choose(&self, query: &str, budget_tokens: usize, kept_back: &[usize]) -> Vec<usize> {
        let costs = &self.costs;
        let open = (0..costs.len()).filter(|index| !kept_back.contains(index));
        let mut ranked: Vec<usize> = open.collect();
        if ranked.iter().map(|&index| costs[index]).sum::<usize>() <= budget_tokens {
            return ranked;
        }
        let scores = self.bm25.scores(bag(query).keys());
        ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        let mut chosen = BTreeSet::new();
        let mut used = 0;
        for index in ranked {
            if chosen.is_empty() || used + costs[index] <= budget_tokens {
                used += costs[index];
                chosen.insert(index);
            }
        }
        chosen.into_iter().collect()
    }
}

/// As [`Passages::choose`], for one query, with nothing kept back.
#[must_use]
pub fn choose_passages(
    page: &Page,
    query: &str,
    budget_tokens: usize,
    count: impl Fn(&str) -> usize,
) -> Vec<usize> {
    Passages::of(page, count).choose(query, budget_tokens, &[])
}

/// The page as runs of consecutive paragraphs within the budget, as even as whole paragraphs allow; a paragraph over
/// the budget is a run of its own.
#[must_use]
pub fn chunks(page: &Page, budget_tokens: usize, count: impl Fn(&str) -> usize) -> Vec<Vec<usize>> {
    let costs = costs(page, count);
    let packed = pack(&costs, budget_tokens);
    // The fewest runs, then the smallest budget that still needs no more of them: no leftover of one short paragraph.
    let (mut low, mut high) = (0, budget_tokens);
    while low < high {
        let middle = low.midpoint(high);
        if pack(&costs, middle).len() <= packed.len() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    pack(&costs, high)
}

fn pack(costs: &[usize], budget_tokens: usize) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for (index, &cost) in costs.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if used + cost <= budget_tokens => {
                run.push(index);
                used += cost;
            }
            _ => {
                runs.push(vec![index]);
                used = cost;
            }
        }
    }
    runs
}

/// Tokens of each paragraph with the line end that follows it.
fn costs(page: &Page, count: impl Fn(&str) -> usize) -> Vec<usize> {
    page.paragraphs
        .iter()
        .map(|paragraph| count(&paragraph.text) + 1)
        .collect()
}

/// The words that say something, in their base form, with how often each stands there.
pub(super) fn bag(text: &str) -> BTreeMap<String, usize> {
    let mut bag = BTreeMap::new();
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() && !STOP_WORDS.contains(&word) {
            *bag.entry(stem(word)).or_insert(0) += 1;
        }
    }
    bag
}

/// The word without the commonest English endings, so that `returned`, `returning` and `returns` meet.
pub(in crate::knowledge) fn stem(word: &str) -> String {
    let long_enough = |rest: &str| rest.chars().count() >= 3;
    let strip = |ending: &str| word.strip_suffix(ending).filter(|rest| long_enough(rest));
    if let Some(rest) = strip("ies") {
        return format!("{rest}y");
    }
    let bare = ["ing", "ed", "es", "s"].iter().find_map(|ending| {
        let stays = *ending == "s" && (word.ends_with("ss") || word.ends_with("us"));
        if stays { None } else { strip(ending) }
    });
    let bare = bare.unwrap_or(word);
    let mut letters: Vec<char> = bare.chars().collect();
    if letters.len() > 3 && letters[letters.len() - 1] == letters[letters.len() - 2] && bare != word
    {
        letters.pop();
    }
    if letters.len() > 3 && letters.last() == Some(&'e') {
        letters.pop();
    }
    letters.into_iter().collect()
}
