//! Choosing from a row of logits: what is largest, what reaches a bound, how much it weighs. One pass each, no sort.
//!
//! Sums run over sixteen lanes in f64 (element `i` in lane `i mod 16`) and a fixed tree, so they are the same on every
//! instruction set.

use super::InstructionSet;
use super::lanes::for_each_set;
use super::picks::Picks;

/// Numbers of a block; the largest of each of its sixteen lanes is remembered.
const BLOCK: usize = 128;
const VECTORS: usize = BLOCK / 16;
/// Groups of blocks whose lanes' largest are remembered together.
const GROUPS: usize = 16;
/// Weights of a chunk, which has a sum of its own.
pub const CHUNK: usize = 256;

/// What a first pass over a row leaves behind: the largest allowed numbers of its parts, minus infinity where none is.
pub struct Peaks {
    /// Sixteen for each block.
    blocks: Vec<f32>,
    /// Sixteen for each group of blocks; block `b` is in group `b mod 16`.
    groups: [f32; 16 * GROUPS],
}

impl Default for Peaks {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            groups: [f32::NEG_INFINITY; 16 * GROUPS],
        }
    }
}

impl Peaks {
    /// A number that at least `k` allowed numbers of the row reach; minus infinity when none can be told.
    pub fn reached_by(&self, k: usize, scratch: &mut Vec<f32>) -> f32 {
        let parts: &[f32] = if k <= self.groups.len() {
            &self.groups
        } else {
            &self.blocks
        };
        if k == 0 || k > parts.len() {
            return f32::NEG_INFINITY;
        }
        scratch.clear();
        scratch.extend_from_slice(parts);
        *scratch
            .select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a))
            .1
    }
}

/// A row of logits and which of them may be drawn.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    logits: &'a [f32],
    /// A bit for each, in words of 32; all may be drawn when there are none.
    allowed: Option<&'a [u32]>,
    set: InstructionSet,
}

impl<'a> Row<'a> {
    /// # Panics
    /// When there are fewer bits than logits.
    pub fn new(logits: &'a [f32], allowed: Option<&'a [u32]>, set: InstructionSet) -> Self {
        assert!(
            allowed.is_none_or(|words| words.len() >= logits.len().div_ceil(32)),
            "a bit for every logit"
        );
        Self {
            logits,
            allowed,
            set,
        }
    }

    /// The largest allowed number (minus infinity when none is), or nothing when any number is not finite.
    pub fn scan(&self, peaks: &mut Peaks) -> Option<f32> {
        let blocks = self.logits.len().div_ceil(BLOCK);
        peaks.blocks.resize(16 * blocks, 0.0);
        let (row, mut finite) = (self.raw(), false);
        let (blocks, groups) = (peaks.blocks.as_mut_ptr(), peaks.groups.as_mut_ptr());
        let out = &raw mut finite;
        for_each_set!(self.set, scan_row(row: RawRow, blocks: *mut f32, groups: *mut f32, out: *mut bool));
        let peak = peaks
            .groups
            .iter()
            .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        finite.then_some(peak)
    }

    /// The first allowed number that reaches `bound`, by its place.
    pub fn first(&self, peaks: &Peaks, bound: f32) -> Option<usize> {
        let (row, blocks, mut found) = (self.raw(), peaks.blocks.as_ptr(), usize::MAX);
        let out = &raw mut found;
        assert_eq!(
            peaks.blocks.len(),
            16 * self.logits.len().div_ceil(BLOCK),
            "the row's own peaks"
        );
        for_each_set!(self.set, first_of_row(row: RawRow, blocks: *const f32, bound: f32, out: *mut usize));
        (found < usize::MAX).then_some(found)
    }

    /// Fills `list` with the allowed numbers that reach `bound`, each as `(number - peak) / temperature`.
    pub fn collect(
        &self,
        peaks: &Peaks,
        bound: f32,
        peak: f32,
        temperature: f32,
        list: &mut Shortlist,
    ) {
        list.make_room(self.logits.len());
        assert_eq!(
            peaks.blocks.len(),
            16 * self.logits.len().div_ceil(BLOCK),
            "the row's own peaks"
        );
        let (row, blocks) = (self.raw(), peaks.blocks.as_ptr());
        let scale = Scale {
            bound,
            peak,
            temperature,
        };
        let (values, ids) = (list.values.as_mut_ptr(), list.ids.as_mut_ptr());
        let len = &raw mut list.len;
        for_each_set!(self.set, collect_row(row: RawRow, blocks: *const f32, scale: Scale, values: *mut f32, ids: *mut u32, len: *mut usize));
    }

    /// The sum of `e^(number - peak)` over the whole row, allowed or not.
    pub fn exp_sum(&self, peak: f32) -> f64 {
        let (row, mut sum) = (self.raw(), 0.0);
        let out = &raw mut sum;
        for_each_set!(self.set, exp_sum_row(row: RawRow, peak: f32, out: *mut f64));
        sum
    }

    fn raw(&self) -> RawRow {
        RawRow {
            x: self.logits.as_ptr(),
            n: self.logits.len(),
            words: self.allowed.map_or(std::ptr::null(), <[u32]>::as_ptr),
        }
    }
}

/// Numbers of a row that are still in the running, with their ids ascending.
#[derive(Default)]
pub struct Shortlist {
    /// Sixteen places more than the longest list had, so that whole vectors can be written.
    values: Vec<f32>,
    ids: Vec<u32>,
    len: usize,
}

impl Shortlist {
    pub fn values(&self) -> &[f32] {
        &self.values[..self.len]
    }

    pub fn ids(&self) -> &[u32] {
        &self.ids[..self.len]
    }

    fn make_room(&mut self, len: usize) {
        if self.values.len() < len + 16 {
            self.values.resize(len + 16, 0.0);
            self.ids.resize(len + 16, 0);
        }
    }

    /// Puts numbers with ascending ids that are not in the list yet where they belong.
    pub fn insert(&mut self, extra: &[(u32, f32)]) {
        self.make_room(self.len + extra.len());
        let mut end = self.len;
        for (before, &(id, value)) in extra.iter().enumerate().rev() {
            let at = self.ids[..end].partition_point(|&other| other < id);
            self.ids.copy_within(at..end, at + before + 1);
            self.values.copy_within(at..end, at + before + 1);
            self.ids[at + before] = id;
            self.values[at + before] = value;
            end = at;
        }
        self.len += extra.len();
    }

    /// Keeps what is above `bound`, and of what equals it the first `ties`.
    pub fn keep(&mut self, bound: f32, ties: usize, set: InstructionSet) {
        let (values, ids, n) = (self.values.as_mut_ptr(), self.ids.as_mut_ptr(), self.len);
        let len = &raw mut self.len;
        for_each_set!(set, keep_some(values: *mut f32, ids: *mut u32, n: usize, bound: f32, ties: usize, len: *mut usize));
    }

    /// Every number becomes `e` to its power; `sums` get the sum of every chunk.
    pub fn weigh(&mut self, sums: &mut Vec<f64>, set: InstructionSet) {
        sums.resize(self.len.div_ceil(CHUNK), 0.0);
        let (x, n, sums) = (self.values.as_mut_ptr(), self.len, sums.as_mut_ptr());
        for_each_set!(set, weigh_all(x: *mut f32, n: usize, sums: *mut f64));
    }
}

/// The sum of every chunk, of what reaches `cut`.
pub fn chunk_sums(weights: &[f32], cut: f32, sums: &mut Vec<f64>, set: InstructionSet) {
    sums.resize(weights.len().div_ceil(CHUNK), 0.0);
    let (x, n, sums) = (weights.as_ptr(), weights.len(), sums.as_mut_ptr());
    for_each_set!(set, sum_chunks(x: *const f32, n: usize, cut: f32, sums: *mut f64));
}

/// Writes the weights that reach `from` but not `below` to `band`; gives how many they are, and the sum of those that reach
/// `below`.
pub fn split_band(
    weights: &[f32],
    from: f32,
    below: f32,
    band: &mut Vec<f32>,
    set: InstructionSet,
) -> (usize, f64) {
    if band.len() < weights.len() + 16 {
        band.resize(weights.len() + 16, 0.0);
    }
    let (x, n, out) = (weights.as_ptr(), weights.len(), band.as_mut_ptr());
    let mut found = (0usize, 0.0f64);
    let (len, above) = (&raw mut found.0, &raw mut found.1);
    for_each_set!(set, split_all(x: *const f32, n: usize, from: f32, below: f32, out: *mut f32, len: *mut usize, above: *mut f64));
    found
}

#[derive(Clone, Copy)]
struct Scale {
    bound: f32,
    peak: f32,
    temperature: f32,
}

#[derive(Clone, Copy)]
struct RawRow {
    x: *const f32,
    n: usize,
    words: *const u32,
}

impl RawRow {
    /// Vectors of a block that the row has.
    #[inline(always)]
    fn vectors(self, block: usize) -> std::ops::Range<usize> {
        block * VECTORS..((block + 1) * VECTORS).min(self.n.div_ceil(16))
    }

    /// Whether all numbers of a block are there and allowed.
    #[inline(always)]
    unsafe fn is_whole(self, block: usize) -> bool {
        // SAFETY: a block that the row has whole has four words.
        unsafe {
            (block + 1) * BLOCK <= self.n
                && (self.words.is_null()
                    || (0..4).fold(u32::MAX, |all, i| all & *self.words.add(4 * block + i))
                        == u32::MAX)
        }
    }

    /// Which numbers of a vector are there and allowed.
    #[inline(always)]
    unsafe fn bits(self, vector: usize) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "sixteen bits are meant")]
        // SAFETY: a bit for every number.
        let allowed = if self.words.is_null() {
            u16::MAX
        } else {
            unsafe { (*self.words.add(vector / 2) >> (16 * (vector % 2))) as u16 }
        };
        allowed & first_lanes(self.n - 16 * vector)
    }

    /// The numbers of a vector; zeros after the row's end.
    #[inline(always)]
    unsafe fn load<V: Picks>(self, vector: usize) -> V {
        // SAFETY: the row has something of this vector.
        unsafe { load(self.x, 16 * vector, self.n) }
    }
}

#[inline(always)]
fn first_lanes(n: usize) -> u16 {
    if n >= 16 { u16::MAX } else { (1 << n) - 1 }
}

/// Sixteen of `n` numbers at `x`, from number `i` on; zeros after the end.
#[inline(always)]
unsafe fn load<V: Picks>(x: *const f32, i: usize, n: usize) -> V {
    unsafe {
        if i + 16 <= n {
            V::load(x.add(i))
        } else {
            V::load_n(x.add(i), n - i)
        }
    }
}

#[inline(always)]
unsafe fn scan_row<V: Picks>(row: RawRow, blocks: *mut f32, groups: *mut f32, finite: *mut bool) {
    unsafe {
        let (zero, lowest) = (V::splat(0.0), V::splat(f32::NEG_INFINITY));
        for group in 0..GROUPS {
            lowest.store(groups.add(16 * group));
        }
        // Stays zero while every number is finite; NaN and infinity times zero are NaN.
        let mut off = zero;
        for block in 0..row.n.div_ceil(BLOCK) {
            let (mut best, mut block_off) = (lowest, zero);
            if row.is_whole(block) {
                for vector in 0..VECTORS {
                    let x = V::load(row.x.add(block * BLOCK + 16 * vector));
                    block_off = block_off.add(x.mul(zero));
                    best = best.max(x);
                }
            } else {
                for vector in row.vectors(block) {
                    let x: V = row.load(vector);
                    block_off = block_off.add(x.mul(zero));
                    best = best.max(x.pick(row.bits(vector), lowest));
                }
            }
            off = off.add(block_off);
            best.store(blocks.add(16 * block));
            let group = groups.add(16 * (block % GROUPS));
            V::load(group).max(best).store(group);
        }
        // Plus and minus zero both.
        *finite = zero.at_least(off) == u16::MAX;
    }
}

#[inline(always)]
unsafe fn first_of_row<V: Picks>(row: RawRow, blocks: *const f32, bound: f32, found: *mut usize) {
    unsafe {
        let bound = V::splat(bound);
        for block in 0..row.n.div_ceil(BLOCK) {
            if V::load(blocks.add(16 * block)).at_least(bound) == 0 {
                continue;
            }
            for vector in row.vectors(block) {
                let bits = row.load::<V>(vector).at_least(bound) & row.bits(vector);
                if bits != 0 {
                    *found = 16 * vector + bits.trailing_zeros() as usize;
                    return;
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn collect_row<V: Picks>(
    row: RawRow,
    blocks: *const f32,
    scale: Scale,
    values: *mut f32,
    ids: *mut u32,
    len: *mut usize,
) {
    unsafe {
        let (bound, peak) = (V::splat(scale.bound), V::splat(scale.peak));
        let temperature = V::splat(scale.temperature);
        let mut found = 0;
        for block in 0..row.n.div_ceil(BLOCK) {
            if V::load(blocks.add(16 * block)).at_least(bound) == 0 {
                continue;
            }
            for vector in row.vectors(block) {
                let x: V = row.load(vector);
                let bits = x.at_least(bound) & row.bits(vector);
                if bits == 0 {
                    continue;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "vocabularies are far below 2^32"
                )]
                let first = 16 * vector as u32;
                // No more numbers found than passed, so sixteen places are free.
                x.sub(peak)
                    .div(temperature)
                    .compress(bits, values.add(found));
                V::ids(first).compress(bits, ids.add(found).cast());
                found += bits.count_ones() as usize;
            }
        }
        *len = found;
    }
}

#[inline(always)]
unsafe fn exp_sum_row<V: Picks>(row: RawRow, peak: f32, sum: *mut f64) {
    unsafe {
        let (zero, peak, mut sums) = (V::splat(0.0), V::splat(peak), V::wide());
        for i in (0..row.n).step_by(16) {
            let e = load::<V>(row.x, i, row.n).sub(peak).exp();
            sums = e.pick(first_lanes(row.n - i), zero).add_to(sums);
        }
        *sum = V::wide_sum(sums);
    }
}

#[inline(always)]
unsafe fn keep_some<V: Picks>(
    values: *mut f32,
    ids: *mut u32,
    n: usize,
    bound: f32,
    ties: usize,
    len: *mut usize,
) {
    unsafe {
        let (bound, mut ties, mut kept) = (V::splat(bound), ties, 0);
        for i in (0..n).step_by(16) {
            // The places after the end may be read: the list has sixteen more.
            let (x, id) = (V::load(values.add(i)), V::load(ids.add(i).cast()));
            let reach = x.at_least(bound) & first_lanes(n - i);
            let mut tied = bound.at_least(x) & reach;
            let fit = ties.min(tied.count_ones() as usize);
            ties -= fit;
            for _ in 0..fit {
                tied &= tied - 1;
            }
            let bits = reach & !tied;
            // Nothing is written that was not read yet: as many were kept as passed at most.
            x.compress(bits, values.add(kept));
            id.compress(bits, ids.add(kept).cast());
            kept += bits.count_ones() as usize;
        }
        *len = kept;
    }
}

#[inline(always)]
unsafe fn weigh_all<V: Picks>(x: *mut f32, n: usize, sums: *mut f64) {
    unsafe {
        let zero = V::splat(0.0);
        for (chunk, from) in (0..n).step_by(CHUNK).enumerate() {
            let mut wide = V::wide();
            for i in (from..(from + CHUNK).min(n)).step_by(16) {
                // The places after the end are the list's own, and zero now.
                let e = V::load(x.add(i)).exp().pick(first_lanes(n - i), zero);
                e.store(x.add(i));
                wide = e.add_to(wide);
            }
            *sums.add(chunk) = V::wide_sum(wide);
        }
    }
}

#[inline(always)]
unsafe fn sum_chunks<V: Picks>(x: *const f32, n: usize, cut: f32, sums: *mut f64) {
    unsafe {
        let (zero, cut) = (V::splat(0.0), V::splat(cut));
        for (chunk, from) in (0..n).step_by(CHUNK).enumerate() {
            let mut wide = V::wide();
            for i in (from..(from + CHUNK).min(n)).step_by(16) {
                let w: V = load(x, i, n);
                wide = w.pick(w.at_least(cut), zero).add_to(wide);
            }
            *sums.add(chunk) = V::wide_sum(wide);
        }
    }
}

#[inline(always)]
unsafe fn split_all<V: Picks>(
    x: *const f32,
    n: usize,
    from: f32,
    below: f32,
    out: *mut f32,
    len: *mut usize,
    above: *mut f64,
) {
    unsafe {
        let (zero, from, below) = (V::splat(0.0), V::splat(from), V::splat(below));
        let (mut found, mut sums) = (0, V::wide());
        for i in (0..n).step_by(16) {
            let w: V = load(x, i, n);
            let over = w.at_least(below) & first_lanes(n - i);
            let band = w.at_least(from) & first_lanes(n - i) & !over;
            sums = w.pick(over, zero).add_to(sums);
            w.compress(band, out.add(found));
            found += band.count_ones() as usize;
        }
        *len = found;
        *above = V::wide_sum(sums);
    }
}

#[cfg(test)]
mod tests;
