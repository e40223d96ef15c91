use std::collections::HashSet;

use crate::metrics::words;

/// Words of a run whose coming back counts.
const RUN: usize = 4;
/// Words that a loop may have, and how often it must come in a row.
const LONGEST_LOOP: usize = 12;
const ROUNDS: usize = 4;
/// With fewer runs than this a share says nothing.
const FEWEST: usize = 20;

/// The share of runs of four words that stood in the conversation before; none where it is too short to tell. Runs do not
/// reach from one turn into the next.
pub fn repeated<'a>(turns: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let mut seen = HashSet::new();
    let mut all = 0_u32;
    for turn in turns {
        let words: Vec<String> = words(turn).collect();
        for run in words.windows(RUN) {
            all += 1;
            seen.insert(run.to_vec());
        }
    }
    let different = u32::try_from(seen.len()).unwrap_or(u32::MAX);
    (all as usize >= FEWEST).then(|| f64::from(all - different) / f64::from(all))
}

/// Words that a text says over and over: the same 1 to 12 of them four times in a row.
#[must_use]
pub fn looped(text: &str) -> Option<String> {
    let words: Vec<String> = words(text).collect();
    (1..=LONGEST_LOOP).find_map(|length| {
        // So many words in a row that equal the one a round before.
        let mut equal = 0;
        (length..words.len()).find_map(|at| {
            equal = if words[at] == words[at - length] {
                equal + 1
            } else {
                0
            };
            (equal == length * (ROUNDS - 1)).then(|| words[at + 1 - length..=at].join(" "))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_found_and_emphasis_is_not() {
        for (text, found) in [
            ("no no no no", Some("no")),
            ("no no no, thanks", None),
            (
                "I will check and I will check and I will check and I will check and",
                Some("i will check and"),
            ),
            (
                "I will check and I will check and I will check then go",
                None,
            ),
            ("a b a b a b c a b", None),
            ("", None),
        ] {
            assert_eq!(looped(text).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn shares_by_hand() {
        let turn = "one two three four five six seven eight nine ten eleven twelve thirteen";
        // Ten runs, then the same ten.
        assert_eq!(repeated([turn, turn]), Some(0.5));
        assert_eq!(repeated([turn]), None);
        let words: Vec<String> = (0..40).map(|n| format!("w{n}")).collect();
        assert_eq!(repeated([words.join(" ").as_str()]), Some(0.0));
    }
}
