//! What the rules know about English words: which carry content, which mean the same here, and which are only manner.

mod manner;
mod plain;
mod stems;
mod synonyms;

pub(super) use manner::{ASIDES, COURTESY, FILLERS, GREETINGS, TEMPER};
pub(super) use plain::{AUXILIARIES, FUNCTION, NEGATIONS, UNITS, WEEKDAYS, month};
pub(super) use stems::stem;
pub(super) use synonyms::{OPPOSITES, known_meaning, same_meaning};

/// Whether a sorted table has a word.
pub(super) fn has(table: &[&str], word: &str) -> bool {
    table.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_without_doubles() {
        for (name, table) in [
            ("auxiliaries", AUXILIARIES),
            ("courtesy", COURTESY),
            ("fillers", FILLERS),
            ("function", FUNCTION),
            ("greetings", GREETINGS),
            ("negations", NEGATIONS),
            ("temper", TEMPER),
            ("units", UNITS),
            ("weekdays", WEEKDAYS),
        ] {
            for pair in table.windows(2) {
                assert!(pair[0] < pair[1], "{name}: {} {}", pair[0], pair[1]);
            }
        }
    }
}
