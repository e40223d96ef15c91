//! What the rules know about English words: which carry content, which mean the same here, and which are only manner.

mod contractions;
mod manner;
mod nouns;
mod plain;
mod stems;
mod synonyms;

pub(super) use contractions::{BARE, CONTRACTED, DROPPED, EVERYDAY, MERGED, SPELT_OUT};
pub(super) use manner::{ASIDES, COURTESY, FILLERS, GREETINGS, TEMPER};
pub(super) use nouns::{COUNTED, PAST, STATE, THIRD, UNCOUNTED};
pub(super) use plain::{AUXILIARIES, FUNCTION, NEGATIONS, UNITS, WEEKDAYS, month};
pub(super) use stems::stem;
pub(super) use synonyms::{GROUPS, OPPOSITES, known_meaning, same_meaning};

/// Whether a sorted table has a word.
pub(super) fn has(table: &[&str], word: &str) -> bool {
    table.binary_search(&word).is_ok()
}

/// Every word of the tables that stands for itself, in no order.
pub(super) fn dictionary() -> impl Iterator<Item = &'static str> {
    let single = [
        AUXILIARIES,
        COURTESY,
        COUNTED,
        FILLERS,
        FUNCTION,
        GREETINGS,
        NEGATIONS,
        TEMPER,
        UNCOUNTED,
        WEEKDAYS,
    ];
    let pairs = [PAST, THIRD, STATE].into_iter().flatten();
    let groups = GROUPS.iter().flat_map(|group| group.split(' '));
    single
        .into_iter()
        .flatten()
        .copied()
        .chain(groups)
        .chain(pairs.flat_map(|(form, plain)| [*form, *plain]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_without_doubles() {
        for (name, table) in [
            ("auxiliaries", AUXILIARIES),
            ("counted", COUNTED),
            ("uncounted", UNCOUNTED),
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
