use std::collections::BTreeMap;

use crate::rng::Stream;

/// A permutation of `0..n` in one cycle, so that nothing stays in its place where there are two or more (Sattolo, An
/// algorithm to generate a random cyclic permutation, 1986).
#[must_use]
pub fn derangement(n: usize, draw: Stream) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, draw.below(i as u64, i));
    }
    order
}

/// From which conversation each of `wanted` takes its controls, of those that have none yet: another of these, or where there
/// is one alone, one that is paired already. None where there is no other.
#[must_use]
pub fn pairs(
    wanted: &[String],
    known: &BTreeMap<String, Option<String>>,
    draw: Stream,
) -> Vec<(String, Option<String>)> {
    let unpaired = |id: &&String| known.get(*id).is_none_or(Option::is_none);
    let open: Vec<&String> = wanted.iter().filter(unpaired).collect();
    // What a later batch pairs is drawn otherwise than what an earlier one did.
    let draw = draw.child("pairs").at(known.len() as u64);
    if let [one] = open[..] {
        let others: Vec<&String> = known.keys().filter(|id| *id != one).collect();
        let with = (!others.is_empty()).then(|| (*draw.pick(0, &others)).clone());
        return if with.is_none() && known.contains_key(one) {
            Vec::new()
        } else {
            vec![(one.clone(), with)]
        };
    }
    let order = derangement(open.len(), draw);
    let pair = |(id, with): (&&String, usize)| ((*id).clone(), Some(open[with].clone()));
    open.iter().zip(order).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_in_its_place_and_everything_is_reached() {
        for n in 2..40 {
            for seed in 0..20 {
                let order = derangement(n, Stream::root(seed));
                let mut at = 0;
                for step in 1..=n {
                    at = order[at];
                    assert_eq!(at == 0, step == n, "{order:?}");
                }
            }
        }
        assert_eq!(derangement(1, Stream::root(1)), [0]);
        assert_ne!(
            derangement(9, Stream::root(1)),
            derangement(9, Stream::root(2))
        );
    }

    #[test]
    fn who_is_paired_stays_so_and_who_comes_later_is_paired_with_another() {
        let draw = Stream::root(7);
        let ids = |n: usize| (0..n).map(|n| format!("c/{n}/0")).collect::<Vec<_>>();
        let mut known = BTreeMap::new();
        assert_eq!(
            pairs(&ids(1), &known, draw),
            [("c/0/0".to_owned(), None::<String>)]
        );
        known.extend(pairs(&ids(1), &known, draw));
        assert!(pairs(&ids(1), &known, draw).is_empty());
        let more = pairs(&ids(5), &known, draw);
        assert_eq!(more.len(), 5);
        known.extend(more);
        assert!(pairs(&ids(5), &known, draw).is_empty());
        let last = pairs(&ids(6), &known, draw);
        assert_eq!(last.len(), 1);
        assert!(last[0].0 == "c/5/0" && known.contains_key(last[0].1.as_ref().unwrap()));
        known.extend(last);
        for (id, with) in &known {
            assert!(with.as_ref().is_some_and(|with| with != id), "{id}");
        }
    }
}
