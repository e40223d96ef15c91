//! Counter-based random streams.
//!
//! A stream is a key; a draw is a pure function of `(key, position)`. Nothing depends on how many draws came before, on
//! batch slots or on threads, so a resumed or re-scheduled run draws the same numbers. Keys are derived by name:
//! `Stream::root(seed).child("conversation/12").child("customer").at(3)`.

/// A named point in the tree of random streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u64; 2],
}

impl Stream {
    /// The root stream of a run.
    #[must_use]
    pub fn root(seed: u64) -> Self {
        Self::from_hash(blake3::hash(
            &[b"colloquy stream v1".as_slice(), &seed.to_le_bytes()].concat(),
        ))
    }

    /// A stream named below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.key[0].to_le_bytes());
        hasher.update(&self.key[1].to_le_bytes());
        hasher.update(name.as_bytes());
        Self::from_hash(hasher.finalize())
    }

    /// A numbered stream below this one (a turn, an attempt, a row).
    #[must_use]
    pub fn at(&self, index: u64) -> Self {
        Self {
            key: [
                mix(self.key[0] ^ mix(index ^ 0x9e37_79b9_7f4a_7c15)),
                mix(self.key[1].wrapping_add(mix(index))),
            ],
        }
    }

    fn from_hash(hash: blake3::Hash) -> Self {
        let bytes = hash.as_bytes();
        let word = |i: usize| {
            u64::from_le_bytes(
                bytes[i..i + 8]
                    .try_into()
                    .expect("eight bytes of a 32-byte hash"),
            )
        };
        Self {
            key: [word(0), word(8)],
        }
    }

    /// 64 uniform bits at `position`.
    #[must_use]
    pub fn bits(&self, position: u64) -> u64 {
        mix(
            mix(self.key[0].wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
                ^ self.key[1],
        )
    }

    /// A uniform number in `[0, 1)` with 53 bits.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn unit(&self, position: u64) -> f64 {
        (self.bits(position) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A uniform index below `n` (`n > 0`).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the result is below `n`")]
    pub fn below(&self, position: u64, n: usize) -> usize {
        ((u128::from(self.bits(position)) * n as u128) >> 64) as usize
    }

    /// One element of a non-empty slice.
    #[must_use]
    pub fn pick<'a, T>(&self, position: u64, from: &'a [T]) -> &'a T {
        &from[self.below(position, from.len())]
    }

    /// A permutation of `0..n`.
    #[must_use]
    pub fn shuffle(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i + 1));
        }
        order
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection with full avalanche.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_key_and_position_only() {
        let a = Stream::root(7).child("x").at(3);
        let b = Stream::root(7).child("x").at(3);
        assert_eq!(a.bits(9), b.bits(9));
        assert_ne!(a.bits(9), a.bits(10));
        assert_ne!(a.bits(9), Stream::root(8).child("x").at(3).bits(9));
        assert_ne!(a.bits(9), Stream::root(7).child("y").at(3).bits(9));
    }

    #[test]
    fn uniform_enough() {
        let s = Stream::root(1);
        let mut counts = [0usize; 10];
        for i in 0..100_000 {
            counts[s.below(i, 10)] += 1;
        }
        for c in counts {
            assert!((9_600..10_400).contains(&c), "{counts:?}");
        }
        let mean: f64 = (0..100_000).map(|i| s.at(i).unit(0)).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }

    #[test]
    fn shuffle_is_a_permutation() {
        let mut order = Stream::root(3).shuffle(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
