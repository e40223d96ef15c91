use std::collections::HashMap;

use super::Corpus;

/// Words of a run: as many are seldom said twice by chance.
pub const RUN: usize = 8;

/// Of each group of texts, as of the turns of a conversation, how many of its runs of eight words some other group has too,
/// and how many it has: self-repetition across outputs (Salkar et al., Self-Repetition in Abstractive Neural Summarizers,
/// 2022, who count runs from four words on; longer ones, as McCoy et al., How Much Do Language Models Copy From Their
/// Training Data?, 2023, are no set phrases of the language). Runs do not cross texts; `group` says for each text which group
/// it belongs to, from 0. Grows with the corpus. Runs are compared by a hash of 64 bits.
#[must_use]
pub fn self_repetition(corpus: &Corpus, group: &[usize]) -> Vec<(usize, usize)> {
    let mut owners: HashMap<u64, Option<usize>> = HashMap::new();
    let each = || corpus.texts().iter().zip(group);
    for (text, &group) in each() {
        for run in text.windows(RUN) {
            owners
                .entry(hash(run))
                .and_modify(|owner| *owner = owner.filter(|owner| *owner == group))
                .or_insert(Some(group));
        }
    }
    let groups = group.iter().max().map_or(0, |last| last + 1);
    let mut found = vec![(0, 0); groups];
    for (text, &group) in each() {
        for run in text.windows(RUN) {
            found[group].0 += usize::from(owners[&hash(run)].is_none());
            found[group].1 += 1;
        }
    }
    found
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) after each word.
pub(super) fn hash(words: &[u32]) -> u64 {
    words.iter().fold(words.len() as u64, |hash, word| {
        mixed(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(*word))
    })
}

pub(super) fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let corpus = Corpus::of([
            // Two runs, the second of which the second group has.
            "a b c d e f g h i",
            "b c d e f g h i",
            // Once more in the same group: no other has it.
            "p q r s t u v w",
            "p q r s t u v w",
            "too short for a run",
        ]);
        let found = self_repetition(&corpus, &[0, 1, 2, 2, 3]);
        assert_eq!(found, [(1, 2), (1, 1), (0, 2), (0, 0)]);
        // Text by text, the last two but one are each other's.
        let found = self_repetition(&corpus, &[0, 1, 2, 3, 4]);
        assert_eq!(found, [(1, 2), (1, 1), (1, 1), (1, 1), (0, 0)]);
        // Three groups: once shared is shared, whoever comes last.
        let thrice = Corpus::of(["a b c d e f g h"; 3]);
        assert_eq!(self_repetition(&thrice, &[0, 1, 0]), [(2, 2), (1, 1)]);
        assert!(self_repetition(&Corpus::default(), &[]).is_empty());
    }
}
