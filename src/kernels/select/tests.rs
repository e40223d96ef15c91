use super::*;
use crate::rng::Stream;

#[expect(clippy::cast_possible_truncation, reason = "test data")]
fn row(n: usize, seed: u64) -> Vec<f32> {
    let s = Stream::root(seed);
    // A grid, so that equal numbers meet.
    (0..n)
        .map(|i| (s.unit(i as u64) * 60.0).floor() as f32 / 8.0 - 4.0)
        .collect()
}

fn masks(n: usize) -> Vec<Vec<u32>> {
    let words = n.div_ceil(32);
    let s = Stream::root(3);
    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    let random = (0..words).map(|i| s.bits(i as u64) as u32).collect();
    let patches = (0..words).map(|i| [u32::MAX, 0][i / 5 % 2]).collect();
    vec![vec![u32::MAX; words], random, patches, vec![0; words]]
}

fn is_allowed(words: &[u32], id: usize) -> bool {
    words[id / 32] >> (id % 32) & 1 == 1
}

const LENGTHS: [usize; 10] = [1, 15, 16, 33, 127, 128, 130, 257, 1000, 4999];

#[test]
fn scans_and_lists_match_plain_loops() {
    for n in LENGTHS {
        let logits = row(n, n as u64);
        for words in masks(n) {
            let allowed: Vec<usize> = (0..n).filter(|&id| is_allowed(&words, id)).collect();
            let peak = allowed
                .iter()
                .fold(f32::NEG_INFINITY, |a, &id| a.max(logits[id]));
            for set in InstructionSet::available() {
                let (mut peaks, mut list, mut scratch) =
                    (Peaks::default(), Shortlist::default(), Vec::new());
                let row = Row::new(&logits, Some(&words), set);
                assert_eq!(row.scan(&mut peaks), Some(peak));
                for bound in [-9.0, 0.0, 2.0, 3.375, 99.0] {
                    let want: Vec<usize> = allowed
                        .iter()
                        .copied()
                        .filter(|&id| logits[id] >= bound)
                        .collect();
                    assert_eq!(row.first(&peaks, bound), want.first().copied());
                    row.collect(&peaks, bound, 1.5, 0.7, &mut list);
                    let values: Vec<f32> =
                        want.iter().map(|&id| (logits[id] - 1.5) / 0.7).collect();
                    assert_eq!(list.values(), values);
                    assert!(list.ids().iter().map(|&id| id as usize).eq(want));
                }
                for k in [0, 1, 5, 100, 256, 300, 5000] {
                    let bound = peaks.reached_by(k, &mut scratch);
                    let reached = allowed.iter().filter(|&&id| logits[id] >= bound).count();
                    assert!(
                        bound == f32::NEG_INFINITY || reached >= k,
                        "{n} {k} {bound}"
                    );
                }
            }
        }
    }
}

#[test]
fn lists_keep_insert_and_weigh_like_plain_loops() {
    for n in LENGTHS {
        let logits = row(n, 7 + n as u64);
        for set in InstructionSet::available() {
            let mut peaks = Peaks::default();
            let row = Row::new(&logits, None, set);
            row.scan(&mut peaks);
            for (bound, ties) in [
                (-4.0, 0),
                (1.0, 0),
                (1.0, 3),
                (1.0, n),
                (3.25, 17),
                (9.0, 9),
            ] {
                let mut list = Shortlist::default();
                row.collect(&peaks, -4.0, 0.0, 1.0, &mut list);
                list.keep(bound, ties, set);
                let mut left = ties;
                let want: Vec<usize> = (0..n)
                    .filter(|&id| {
                        let tied = logits[id].to_bits() == f32::to_bits(bound) && left > 0;
                        left -= usize::from(tied);
                        logits[id] > bound || tied
                    })
                    .collect();
                assert!(list.ids().iter().map(|&id| id as usize).eq(want.clone()));
                assert!(
                    list.values()
                        .iter()
                        .zip(&want)
                        .all(|(v, &id)| v.to_bits() == logits[id].to_bits())
                );
                let mut sums = Vec::new();
                list.weigh(&mut sums, set);
                assert_eq!(sums.len(), want.len().div_ceil(CHUNK));
                let total: f64 = want.iter().map(|&id| f64::from(logits[id]).exp()).sum();
                assert!((sums.iter().sum::<f64>() - total).abs() <= 1e-6 * total);
            }
            let odd = |id: &u32| id % 2 == 1;
            let ids = || 0..u32::try_from(n).unwrap();
            let words = vec![0x5555_5555; n.div_ceil(32)];
            let mut list = Shortlist::default();
            Row::new(&logits, Some(&words), set).scan(&mut peaks);
            Row::new(&logits, Some(&words), set).collect(&peaks, -4.0, 0.0, 1.0, &mut list);
            let extra: Vec<(u32, f32)> = ids()
                .filter(odd)
                .map(|id| (id, logits[id as usize]))
                .collect();
            list.insert(&extra);
            assert!(list.ids().iter().copied().eq(ids()));
            assert_eq!(list.values(), logits);
        }
    }
}

#[test]
fn sums_and_bands_match_plain_loops_and_are_equal_on_every_set() {
    for n in LENGTHS {
        let weights: Vec<f32> = row(n, 9).iter().map(|x| x + 4.0).collect();
        for (from, below) in [(0.0, 1.0), (1.0, 5.5), (2.0, f32::INFINITY), (3.0, 3.0)] {
            let mut first = None;
            for set in InstructionSet::available() {
                let (mut band, mut sums) = (Vec::new(), Vec::new());
                let (len, above) = split_band(&weights, from, below, &mut band, set);
                let want: Vec<f32> = weights
                    .iter()
                    .copied()
                    .filter(|&w| w >= from && w < below)
                    .collect();
                assert_eq!(band[..len], want);
                let heavier = weights.iter().filter(|&&w| w >= below);
                let want: f64 = heavier.map(|&w| f64::from(w)).sum();
                assert!((above - want).abs() <= 1e-12 * want);
                chunk_sums(&weights, from, &mut sums, set);
                for (sum, chunk) in sums.iter().zip(weights.chunks(CHUNK)) {
                    let kept = chunk.iter().filter(|&&w| w >= from);
                    let want: f64 = kept.map(|&w| f64::from(w)).sum();
                    assert!((sum - want).abs() <= 1e-12 * want);
                }
                sums.push(above);
                sums.push(Row::new(&weights, None, set).exp_sum(4.0));
                let bits: Vec<u64> = sums.iter().map(|s| s.to_bits()).collect();
                assert_eq!(*first.get_or_insert_with(|| bits.clone()), bits, "{set:?}");
            }
        }
    }
}
