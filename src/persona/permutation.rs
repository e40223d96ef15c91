use crate::rng::Stream;

/// Rounds of the network. Luby and Rackoff (1988): four make a permutation that cannot be told from a random one.
const ROUNDS: u64 = 4;

/// A seeded permutation of `0..len` that needs no list: a Feistel network over the smallest even number of bits that holds
/// `len`, walked on until it lands below `len` (at most four steps on average).
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    len: u64,
    /// Bits of half an index.
    half: u32,
    stream: Stream,
}

impl Permutation {
    /// The permutation that a stream stands for.
    ///
    /// # Panics
    /// When `len` is 0.
    #[must_use]
    pub fn new(stream: Stream, len: u64) -> Self {
        assert!(len > 0, "nothing to permute");
        let bits = u64::BITS - (len - 1).leading_zeros();
        Self {
            len,
            half: bits.div_ceil(2).max(1),
            stream,
        }
    }

    /// Where `index` (taken modulo the length) goes.
    #[must_use]
    pub fn at(&self, index: u64) -> u64 {
        let mut at = index % self.len;
        loop {
            at = self.once(at);
            if at < self.len {
                return at;
            }
        }
    }

    fn once(&self, at: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (at >> self.half, at & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (self.stream.at(round).bits(right) & mask));
        }
        left << self.half | right
    }
}
