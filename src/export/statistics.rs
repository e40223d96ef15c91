use std::collections::BTreeMap;

use super::{Item, Row};
use crate::record::Sample;

/// What a dataset holds, counted while it is written: bounded by the values of a few columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// By split: rows, and the conversations or experiences they are of.
    pub rows: Vec<u64>,
    pub items: Vec<u64>,
    /// By column and value, how many rows of each split.
    pub counts: BTreeMap<&'static str, BTreeMap<String, Vec<u64>>>,
    /// Turns of the conversations.
    pub turns: BTreeMap<usize, u64>,
}

/// Columns that are counted.
const COUNTED: &[&str] = &[
    "outcome",
    "status",
    "end_reason",
    "tone",
    "style",
    "guard",
    "side",
    "verdict",
    "reason",
    "run",
];

impl Statistics {
    /// Of nothing yet.
    #[must_use]
    pub fn new(splits: usize) -> Self {
        Self {
            rows: vec![0; splits],
            items: vec![0; splits],
            ..Self::default()
        }
    }

    /// Counts an item with the rows it became.
    pub fn add(&mut self, item: &Item, rows: &[Row], split: usize) {
        if rows.is_empty() {
            return;
        }
        self.items[split] += 1;
        self.rows[split] += rows.len() as u64;
        if let Item::Dialogue(dialogue) = item {
            *self
                .turns
                .entry(Sample::of(dialogue).turns.len())
                .or_default() += 1;
        }
        for row in rows {
            for column in COUNTED {
                let Some(value) = row.get(*column) else {
                    continue;
                };
                let value = value.as_str().unwrap_or("none").to_owned();
                let splits = self.rows.len();
                let counts = self.counts.entry(column).or_default();
                counts.entry(value).or_insert_with(|| vec![0; splits])[split] += 1;
            }
        }
    }
}
