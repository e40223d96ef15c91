//! `y = x · Wᵀ + b` in profile `int8`: 8-bit weights and activations, exact integer sums.
//!
//! Weights are quantised once, per row and block of 32 (`code = round(w / d)`, `d = max |w| / 127` kept as f16: the q8_0 of
//! the GGUF format). Activations are quantised per row and block of 32 in the same way with an f32 scale. A block's product
//! is an exact int32 sum; blocks are added in one f32 chain in ascending order. Integer sums do not depend on the order, so
//! the bits agree between tilings, threads and instruction sets.
//!
//! Layout: panels of 16 columns; per block `[8 groups of 4 k][16 columns][4 k]` codes as `u8 = code + 128`, then, apart,
//! `[16 columns]` scales. With unsigned weights the sum starts at `-128 · Σx`, which takes the offset out again.

use half::f16;

use super::Threads;
use super::buffer::Buffer;
use super::lanes::InstructionSet;
use super::linear::{AHEAD_ROWS, Output, Rows};

/// Values that share a scale.
const BLOCK: usize = 32;
/// Output columns of a panel.
const PANEL: usize = 16;
/// Bytes of codes of one block of a panel.
const PANEL_BLOCK: usize = BLOCK * PANEL;
/// Activations of one chunk of rows stay within this many bytes of L2.
const ROW_BLOCK_BYTES: usize = 448 << 10;
/// Blocks of activations no larger than this count as zero.
const TINY: f32 = 1e-30;
/// Rows of a register tile.
const TILE: usize = 12;

/// A weight matrix of `n` outputs and `k` inputs, quantised.
pub struct Int8Weights {
    n: usize,
    k: usize,
    blocks: usize,
    codes: Buffer<u8>,
    /// f16 bits.
    scales: Buffer<u16>,
}

/// Activations, quantised: what a step's rows become once, for all panels.
struct Quantised {
    codes: Vec<i8>,
    scales: Vec<f32>,
    /// `-128 · Σ codes` of a block.
    starts: Vec<i32>,
}

impl Int8Weights {
    /// Quantises row blocks, one below the other.
    #[must_use]
    pub fn pack(parts: &[Rows<'_>], k: usize) -> Self {
        let n: usize = parts.iter().map(|part| part.len() / k).sum();
        let (blocks, panels) = (k.div_ceil(BLOCK), n.div_ceil(PANEL));
        let mut codes = Buffer::<u8>::zeroed(panels * blocks * PANEL_BLOCK);
        let mut scales = Buffer::<u16>::zeroed(panels * blocks * PANEL);
        // Columns and inputs that do not exist have code 0.
        codes.fill(128);
        let mut row = 0;
        for part in parts {
            for i in 0..part.len() / k {
                let (panel, column) = (row / PANEL, row % PANEL);
                for block in 0..blocks {
                    let width = BLOCK.min(k - block * BLOCK);
                    let value = |j: usize| part.at(i * k + block * BLOCK + j);
                    let largest = (0..width).map(|j| value(j).abs()).fold(0.0, f32::max);
                    let scale = largest / 127.0;
                    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                    let at = panel * blocks + block;
                    scales[at * PANEL + column] = f16::from_f32(scale).to_bits();
                    for j in 0..width {
                        #[expect(
                            clippy::cast_possible_truncation,
                            clippy::cast_sign_loss,
                            reason = "-127..=127, then 1..=255"
                        )]
                        let code = ((value(j) * inverse).round_ties_even().clamp(-127.0, 127.0)
                            as i32
                            + 128) as u8;
                        codes[at * PANEL_BLOCK + (j / 4) * PANEL * 4 + column * 4 + j % 4] = code;
                    }
                }
                row += 1;
            }
        }
        Self {
            n,
            k,
            blocks,
            codes,
            scales,
        }
    }

    /// Bytes of codes and scales.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.codes.len() + 2 * self.scales.len()
    }

    /// Row `row` of the matrix, back in f32.
    pub fn copy_row(&self, row: usize, out: &mut [f32]) {
        let (panel, column) = (row / PANEL, row % PANEL);
        for (k, out) in out.iter_mut().enumerate() {
            let (at, j) = (panel * self.blocks + k / BLOCK, k % BLOCK);
            let code = self.codes[at * PANEL_BLOCK + (j / 4) * PANEL * 4 + column * 4 + j % 4];
            let scale = f16::from_bits(self.scales[at * PANEL + column]).to_f32();
            *out = (f32::from(code) - 128.0) * scale;
        }
    }

    /// `y[m × n] = x[m × k] · Wᵀ + b`; the lengths are the caller's to check.
    pub(super) fn forward(
        &self,
        x: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        threads: &Threads,
        set: InstructionSet,
    ) {
        let m = x.len() / self.k;
        if m == 0 {
            return;
        }
        let rows = self.quantise(x, m, threads, set);
        let rows_per_block =
            (ROW_BLOCK_BYTES / (self.blocks * BLOCK)).clamp(TILE, 768) / TILE * TILE;
        let row_blocks = m.div_ceil(rows_per_block);
        let panels = self.n.div_ceil(PANEL);
        let panels_per_chunk = (panels * row_blocks / (threads.count() * 8))
            .clamp(1, 32)
            .min(panels);
        let panel_chunks = panels.div_ceil(panels_per_chunk);
        let y = Output(y.as_mut_ptr());
        threads.run(row_blocks * panel_chunks, &|chunk| {
            let (block, part) = (chunk / panel_chunks, chunk % panel_chunks);
            let first = block * rows_per_block;
            let count = rows_per_block.min(m - first);
            for panel in part * panels_per_chunk..((part + 1) * panels_per_chunk).min(panels) {
                let columns = PANEL.min(self.n - panel * PANEL);
                let job = Job {
                    codes: self.codes[panel * self.blocks * PANEL_BLOCK..].as_ptr(),
                    scales: self.scales[panel * self.blocks * PANEL..].as_ptr(),
                    blocks: self.blocks,
                    columns,
                    bias: bias.map_or(std::ptr::null(), |bias| bias[panel * PANEL..].as_ptr()),
                    n: self.n,
                };
                let tiles = count.div_ceil(TILE);
                for t in 0..tiles {
                    let (a, b) = (first + count * t / tiles, first + count * (t + 1) / tiles);
                    let tile = Tile {
                        codes: rows.codes[a * self.blocks * BLOCK..].as_ptr(),
                        scales: rows.scales[a * self.blocks..].as_ptr(),
                        starts: rows.starts[a * self.blocks..].as_ptr(),
                        y: y.at(a * self.n + panel * PANEL),
                        first_line: t * self.blocks * (PANEL_BLOCK / 64),
                        line_scale: (1 << 16) / tiles,
                    };
                    run(set, b - a, &job, &tile);
                }
            }
        });
    }

    fn quantise(&self, x: &[f32], m: usize, threads: &Threads, set: InstructionSet) -> Quantised {
        let (blocks, width) = (self.blocks, self.blocks * BLOCK);
        let mut out = Quantised {
            codes: vec![0; m * width],
            scales: vec![0.0; m * blocks],
            starts: vec![0; m * blocks],
        };
        let (codes, scales, starts) = (
            Output(out.codes.as_mut_ptr()),
            Output(out.scales.as_mut_ptr()),
            Output(out.starts.as_mut_ptr()),
        );
        let per_chunk = (16_384 / self.k).clamp(1, m);
        threads.run(m.div_ceil(per_chunk), &|chunk| {
            for row in chunk * per_chunk..((chunk + 1) * per_chunk).min(m) {
                let x = &x[row * self.k..(row + 1) * self.k];
                // SAFETY: this row's own parts.
                let (codes, scales, starts) = unsafe {
                    (
                        std::slice::from_raw_parts_mut(codes.at(row * width), width),
                        std::slice::from_raw_parts_mut(scales.at(row * blocks), blocks),
                        std::slice::from_raw_parts_mut(starts.at(row * blocks), blocks),
                    )
                };
                quantise_row(set, x, codes, scales, starts);
            }
        });
        out
    }
}

fn quantise_row(
    set: InstructionSet,
    x: &[f32],
    codes: &mut [i8],
    scales: &mut [f32],
    starts: &mut [i32],
) {
    #[inline(always)]
    fn body(x: &[f32], codes: &mut [i8], scales: &mut [f32], starts: &mut [i32]) {
        for (block, x) in x.chunks(BLOCK).enumerate() {
            let mut full = [0.0f32; BLOCK];
            full[..x.len()].copy_from_slice(x);
            let mut lanes = [0.0f32; 16];
            let mut finite = true;
            for j in 0..16 {
                let (a, b) = (full[j].abs(), full[j + 16].abs());
                finite &= a < f32::INFINITY && b < f32::INFINITY;
                lanes[j] = if a > b { a } else { b };
            }
            let largest = lanes
                .iter()
                .copied()
                .fold(0.0, |a: f32, b| if a > b { a } else { b });
            // What is not a number stays none: the row's result must not look sound.
            let scale = if finite { largest / 127.0 } else { f32::NAN };
            if !finite {
                full = [0.0; BLOCK];
            }
            // Below this everything rounds to nothing, and the inverse would overflow.
            let inverse = if largest > TINY { 127.0 / largest } else { 0.0 };
            let codes = &mut codes[block * BLOCK..(block + 1) * BLOCK];
            let mut sum = 0i32;
            for (code, value) in codes.iter_mut().zip(full) {
                // SAFETY: finite, and at most 127 in size up to rounding.
                let rounded: i32 =
                    unsafe { (value * inverse).round_ties_even().to_int_unchecked() };
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "-127..=127 by construction"
                )]
                let narrow = rounded as i8;
                *code = narrow;
                sum += i32::from(narrow);
            }
            scales[block] = scale;
            starts[block] = -128 * sum;
        }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn wide(x: &[f32], codes: &mut [i8], scales: &mut [f32], starts: &mut [i32]) {
        body(x, codes, scales, starts);
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn narrow(x: &[f32], codes: &mut [i8], scales: &mut [f32], starts: &mut [i32]) {
        body(x, codes, scales, starts);
    }
    match set {
        // SAFETY: the set was found on this processor.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni => unsafe { wide(x, codes, scales, starts) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => unsafe {
            narrow(x, codes, scales, starts);
        },
        _ => body(x, codes, scales, starts),
    }
}

/// One panel.
struct Job {
    codes: *const u8,
    scales: *const u16,
    blocks: usize,
    columns: usize,
    bias: *const f32,
    n: usize,
}

/// Rows of quantised activations, and where their results go.
struct Tile {
    codes: *const i8,
    scales: *const f32,
    starts: *const i32,
    y: *mut f32,
    /// This tile's share of asking for the next panel: its first cache line in `1 / tiles` lines, and `2^16 / tiles`.
    first_line: usize,
    line_scale: usize,
}

fn run(set: InstructionSet, rows: usize, job: &Job, tile: &Tile) {
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni => {
            macro_rules! rows {
                ($($r:literal),*) => {
                    match rows {
                        // SAFETY: the set was found on this processor; pointers cover the rows.
                        $($r => unsafe { x86::vnni::<$r>(job, tile) },)*
                        _ => unreachable!("tiles have at most {TILE} rows"),
                    }
                };
            }
            rows!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        }
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => unsafe { x86::avx2(job, tile, rows) },
        // SAFETY: pointers cover the rows.
        _ => unsafe { portable(job, tile, rows) },
    }
}

/// Any processor: the definition, as written above.
unsafe fn portable(job: &Job, tile: &Tile, rows: usize) {
    // SAFETY: the caller's.
    unsafe {
        for r in 0..rows {
            let mut total = [0.0f32; PANEL];
            for b in 0..job.blocks {
                let mut sums = [*tile.starts.add(r * job.blocks + b); PANEL];
                let x =
                    std::slice::from_raw_parts(tile.codes.add((r * job.blocks + b) * BLOCK), BLOCK);
                let w = std::slice::from_raw_parts(job.codes.add(b * PANEL_BLOCK), PANEL_BLOCK);
                for (g, w) in w.chunks_exact(PANEL * 4).enumerate() {
                    for (c, sum) in sums.iter_mut().enumerate() {
                        for j in 0..4 {
                            *sum += i32::from(w[c * 4 + j]) * i32::from(x[g * 4 + j]);
                        }
                    }
                }
                let sx = *tile.scales.add(r * job.blocks + b);
                for (c, total) in total.iter_mut().enumerate() {
                    let sw = f16::from_bits(*job.scales.add(b * PANEL + c)).to_f32();
                    #[expect(clippy::cast_precision_loss, reason = "below 2^24")]
                    let sum = sums[c] as f32;
                    *total = sum.mul_add(sw * sx, *total);
                }
            }
            finish(job, tile, r, &total);
        }
    }
}

/// Adds the bias and stores a row's columns.
#[inline(always)]
unsafe fn finish(job: &Job, tile: &Tile, row: usize, total: &[f32; PANEL]) {
    // SAFETY: the row's own columns.
    unsafe {
        for (c, total) in total.iter().enumerate().take(job.columns) {
            let bias = if job.bias.is_null() {
                0.0
            } else {
                *job.bias.add(c)
            };
            *tile.y.add(row * job.n + c) = if job.bias.is_null() {
                *total
            } else {
                *total + bias
            };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Job, PANEL, PANEL_BLOCK, Tile, finish};
    #[cfg_attr(
        not(test),
        expect(
            clippy::wildcard_imports,
            reason = "intrinsics are a vocabulary of their own"
        )
    )]
    use std::arch::x86_64::*;

    /// `R` rows × 16 columns: eight `vpdpbusd` a block and row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) unsafe fn vnni<const R: usize>(job: &Job, tile: &Tile) {
        // SAFETY: the caller's.
        unsafe {
            let mut total = [_mm512_setzero_ps(); R];
            for b in 0..job.blocks {
                let w = job.codes.add(b * PANEL_BLOCK);
                let mut sums = [_mm512_setzero_si512(); R];
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_set1_epi32(*tile.starts.add(r * job.blocks + b));
                }
                for g in 0..BLOCK / 4 {
                    if R >= super::AHEAD_ROWS {
                        let line = tile.first_line + b * (PANEL_BLOCK / 64) + g;
                        let line = (line * tile.line_scale) >> 16;
                        let next = job.codes.wrapping_add(job.blocks * PANEL_BLOCK + line * 64);
                        _mm_prefetch::<_MM_HINT_T1>(next.cast());
                    }
                    let w = _mm512_loadu_si512(w.add(g * 64).cast());
                    for (r, sum) in sums.iter_mut().enumerate() {
                        let x = tile.codes.add((r * job.blocks + b) * BLOCK + g * 4);
                        let x = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
                        *sum = _mm512_dpbusd_epi32(*sum, w, x);
                    }
                }
                let sw = _mm512_cvtph_ps(_mm256_loadu_si256(job.scales.add(b * PANEL).cast()));
                for (r, total) in total.iter_mut().enumerate() {
                    let scale =
                        _mm512_mul_ps(sw, _mm512_set1_ps(*tile.scales.add(r * job.blocks + b)));
                    *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r]), scale, *total);
                }
            }
            for (r, total) in total.iter().enumerate() {
                let mask = if job.columns >= PANEL {
                    u16::MAX
                } else {
                    (1u16 << job.columns) - 1
                };
                let total = if job.bias.is_null() {
                    *total
                } else {
                    _mm512_add_ps(*total, _mm512_maskz_loadu_ps(mask, job.bias))
                };
                _mm512_mask_storeu_ps(tile.y.add(r * job.n), mask, total);
            }
        }
    }

    /// Without VNNI: widened to 16 bits, multiplied and added in pairs, exactly.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn avx2(job: &Job, tile: &Tile, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            for r in 0..rows {
                let mut total = [_mm256_setzero_ps(); 2];
                for b in 0..job.blocks {
                    let start = _mm256_set1_epi32(*tile.starts.add(r * job.blocks + b));
                    // Pair sums of columns: four columns a register, two lanes each.
                    let mut sums = [_mm256_setzero_si256(); 4];
                    for g in 0..BLOCK / 4 {
                        let x = tile.codes.add((r * job.blocks + b) * BLOCK + g * 4);
                        let x =
                            _mm256_cvtepi8_epi16(_mm_set1_epi32(x.cast::<i32>().read_unaligned()));
                        for (q, sum) in sums.iter_mut().enumerate() {
                            let w = job.codes.add(b * PANEL_BLOCK + g * 64 + q * 16);
                            let w = _mm256_cvtepu8_epi16(_mm_loadu_si128(w.cast()));
                            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(w, x));
                        }
                    }
                    let sx = _mm256_set1_ps(*tile.scales.add(r * job.blocks + b));
                    for (h, total) in total.iter_mut().enumerate() {
                        // hadd interleaves the halves; a permutation puts the columns back in order.
                        let pairs = _mm256_hadd_epi32(sums[2 * h], sums[2 * h + 1]);
                        let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
                        let sum = _mm256_cvtepi32_ps(_mm256_add_epi32(ordered, start));
                        let sw = _mm256_cvtph_ps(_mm_loadu_si128(
                            job.scales.add(b * PANEL + 8 * h).cast(),
                        ));
                        *total = _mm256_fmadd_ps(sum, _mm256_mul_ps(sw, sx), *total);
                    }
                }
                let mut out = [0.0f32; PANEL];
                _mm256_storeu_ps(out.as_mut_ptr(), total[0]);
                _mm256_storeu_ps(out.as_mut_ptr().add(8), total[1]);
                finish(job, tile, r, &out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    fn numbers(name: &str, n: usize) -> Vec<f32> {
        let s = Stream::root(3).child(name);
        (0..n)
            .map(|i| (s.unit(i as u64) * 2.0 - 1.0) as f32)
            .collect()
    }

    /// The same quantisation and chain, by the definition.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "codes are small"
    )]
    fn twin(x: &[f32], w: &[f32], bias: Option<&[f32]>, k: usize) -> Vec<f32> {
        let codes = |v: &[f32]| -> (Vec<i32>, f32) {
            let largest = v.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            (
                v.iter()
                    .map(|v| {
                        if largest > TINY {
                            (v * (127.0 / largest)).round_ties_even() as i32
                        } else {
                            0
                        }
                    })
                    .collect(),
                largest / 127.0,
            )
        };
        let weights = |v: &[f32]| -> (Vec<i32>, f32) {
            let scale = v.iter().fold(0.0f32, |a, b| a.max(b.abs())) / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            (
                v.iter()
                    .map(|v| (v * inverse).round_ties_even() as i32)
                    .collect(),
                f16::from_f32(scale).to_f32(),
            )
        };
        let mut y = Vec::new();
        for x in x.chunks_exact(k) {
            for (c, w) in w.chunks_exact(k).enumerate() {
                let mut total = 0.0f32;
                for (x, w) in x.chunks(BLOCK).zip(w.chunks(BLOCK)) {
                    let ((x, sx), (w, sw)) = (codes(x), weights(w));
                    let sum: i32 = x.iter().zip(&w).map(|(a, b)| a * b).sum();
                    total = (sum as f32).mul_add(sw * sx, total);
                }
                y.push(bias.map_or(total, |b| total + b[c]));
            }
        }
        y
    }

    #[test]
    fn equals_the_definition_bit_for_bit_on_every_set() {
        for (m, n, k) in [
            (1, 1, 32),
            (1, 17, 40),
            (3, 16, 64),
            (12, 40, 96),
            (13, 33, 7),
            (30, 70, 200),
            (50, 16, 576),
        ] {
            let (mut x, w, b) = (numbers("x", m * k), numbers("w", n * k), numbers("b", n));
            x[..k.min(32)].fill(0.0);
            x[m * k - 1] = 1e-40;
            if k > 32 && m > 1 {
                x[k..k + 32].fill(1e-41);
            }
            let weights = Int8Weights::pack(&[Rows::F32(&w)], k);
            for set in InstructionSet::available() {
                for count in [1, 2] {
                    let threads = Threads::new(count);
                    for bias in [None, Some(b.as_slice())] {
                        let mut y = vec![f32::NAN; m * n];
                        weights.forward(&x, bias, &mut y, &threads, set);
                        assert_eq!(y, twin(&x, &w, bias, k), "{m} {n} {k} {set:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn close_to_f64_and_honest_about_nan() {
        let (m, n, k) = (4, 32, 512);
        let (mut x, w) = (numbers("x", m * k), numbers("w", n * k));
        let weights = Int8Weights::pack(&[Rows::F32(&w)], k);
        let threads = Threads::new(1);
        let mut y = vec![0.0; m * n];
        weights.forward(&x, None, &mut y, &threads, InstructionSet::detect());
        for r in 0..m {
            for c in 0..n {
                let want: f64 = (0..k)
                    .map(|j| f64::from(x[r * k + j]) * f64::from(w[c * k + j]))
                    .sum();
                assert!(
                    (f64::from(y[r * n + c]) - want).abs() < 0.15,
                    "{} {want}",
                    y[r * n + c]
                );
            }
        }
        let mut row = vec![0.0; k];
        weights.copy_row(5, &mut row);
        assert!(
            row.iter()
                .zip(&w[5 * k..])
                .all(|(a, b)| (a - b).abs() < 0.005)
        );
        x[k + 3] = f32::NAN;
        x[2 * k + 5] = f32::INFINITY;
        for set in InstructionSet::available() {
            weights.forward(&x, None, &mut y, &threads, set);
            assert!(y[..n].iter().all(|v| v.is_finite()));
            assert!(y[n..3 * n].iter().all(|v| v.is_nan()), "{set:?}");
            assert!(y[3 * n..].iter().all(|v| v.is_finite()));
        }
    }
}
