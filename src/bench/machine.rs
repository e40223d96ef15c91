//! What this machine gives: memory bandwidth and arithmetic peaks, measured with the kernels' own threads.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::limit::OperationClass;
use crate::kernels::{Buffer, InstructionSet, Threads};

/// Before anything is timed: clocks rise, threads wake.
pub const WARM_UP: Duration = Duration::from_millis(60);
/// Memory that no cache holds.
const BANDWIDTH_BYTES: usize = 512 << 20;
/// What is read at least, however little memory there is.
const LEAST_BYTES: usize = 8 << 20;
/// Rounds of a peak's loop in one try: some milliseconds.
const ROUNDS: usize = 1_000_000;
/// Independent accumulators of a peak's loop: enough to hide the latency of two units.
const CHAINS: usize = 12;
/// Tries, of which the best counts: what disturbs only ever slows down.
const TRIES: usize = 5;

/// A machine's figures at one moment; they drift.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The widest instruction set that the kernels use.
    pub instructions: &'static str,
    pub threads: usize,
    pub bandwidth_gb_s: f64,
    pub peaks: Peaks,
}

/// Operations per second of all threads together, in 10⁹; none where the processor has no such instruction. A fused
/// multiply-add counts as two.
#[derive(Clone, Debug, Serialize)]
pub struct Peaks {
    pub f32: f64,
    pub bf16: Option<f64>,
    pub int8: Option<f64>,
}

impl Machine {
    /// Measures everything, in about a second, on at most a quarter of the memory to spare.
    #[must_use]
    pub fn measure(threads: usize, spare_bytes: u64) -> Self {
        Self::measure_with(&Threads::new(threads), within(BANDWIDTH_BYTES, spare_bytes))
    }

    /// The same on less memory: faster, and too high where caches are large.
    #[must_use]
    pub fn glance(threads: usize, spare_bytes: u64) -> Self {
        let bytes = within(BANDWIDTH_BYTES / 2, spare_bytes);
        Self::measure_with(&Threads::new(threads), bytes)
    }

    fn measure_with(threads: &Threads, bytes: usize) -> Self {
        Self {
            instructions: InstructionSet::detect().name(),
            threads: threads.count(),
            peaks: Peaks {
                f32: f32_peak(threads),
                bf16: bf16_peak(threads),
                int8: int8_peak(threads),
            },
            bandwidth_gb_s: bandwidth_over(threads, bytes),
        }
    }

    /// The same machine as a model of `bytes` sees it, whose weights caches may hold: the bandwidth of reading as much as
    /// that, if it is more.
    #[must_use]
    pub fn for_weights(mut self, bytes: usize) -> Self {
        if bytes < BANDWIDTH_BYTES {
            let own = bandwidth_over(&Threads::new(self.threads), bytes);
            self.bandwidth_gb_s = self.bandwidth_gb_s.max(own);
        }
        self
    }

    /// The better of two moments, figure by figure: what was possible between them.
    #[must_use]
    pub fn at_best(&self, other: &Self) -> Self {
        let best = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
        Self {
            bandwidth_gb_s: self.bandwidth_gb_s.max(other.bandwidth_gb_s),
            peaks: Peaks {
                f32: self.peaks.f32.max(other.peaks.f32),
                bf16: best(self.peaks.bf16, other.peaks.bf16),
                int8: best(self.peaks.int8, other.peaks.int8),
            },
            ..self.clone()
        }
    }

    /// Whether bandwidth or f32 peak differ so much between two moments that figures from both cannot be compared.
    #[must_use]
    pub fn has_drifted(&self, other: &Self) -> bool {
        let apart = |a: f64, b: f64| a.max(b) > 1.25 * a.min(b);
        apart(self.bandwidth_gb_s, other.bandwidth_gb_s) || apart(self.peaks.f32, other.peaks.f32)
    }

    /// 10⁹ operations per second of a class; that of f32 where the processor has no instruction for it.
    #[must_use]
    pub fn peak(&self, class: OperationClass) -> f64 {
        match class {
            OperationClass::F32 => self.peaks.f32,
            OperationClass::Bf16 => self.peaks.bf16.unwrap_or(self.peaks.f32),
            OperationClass::Int8 => self.peaks.int8.unwrap_or(self.peaks.f32),
        }
    }
}

/// As many bytes as wanted, or a quarter of what there is to spare.
fn within(wanted: usize, spare_bytes: u64) -> usize {
    let most = usize::try_from(spare_bytes / 4).unwrap_or(usize::MAX);
    wanted.min(most).max(LEAST_BYTES)
}

/// Names of the kernels' instruction sets that this processor has, narrowest first; the last is the one used.
#[must_use]
pub fn instruction_sets() -> Vec<&'static str> {
    InstructionSet::available()
        .into_iter()
        .map(InstructionSet::name)
        .collect()
}

/// Whether it also multiplies pairs of bf16.
#[must_use]
pub fn has_bf16() -> bool {
    InstructionSet::detect() == InstructionSet::Avx512Bf16
}

/// GB/s of reading memory that no cache holds, all threads together; the best of a few tries.
#[must_use]
pub fn bandwidth(threads: &Threads) -> f64 {
    bandwidth_over(threads, BANDWIDTH_BYTES)
}

#[expect(clippy::cast_precision_loss, reason = "a size")]
fn bandwidth_over(threads: &Threads, bytes: usize) -> f64 {
    let data = Buffer::<f32>::zeroed(bytes / size_of::<f32>());
    // SAFETY: one writer, inside the buffer; every page is touched so that it is real memory.
    (0..data.len())
        .step_by(1024)
        .for_each(|i| unsafe { *data.as_ptr().add(i) = 1.0 });
    let chunks = 256;
    let per = data.len() / chunks;
    // What caches hold is read several times before the clock is looked at.
    let passes = ((64 << 20) / bytes.max(1)).clamp(1, 1024);
    let read = || {
        threads.run(chunks, &|c| {
            let part = &data[c * per..(c + 1) * per];
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: just detected.
                unsafe { x86::read(part) };
                return;
            }
            let mut sums = [0.0f32; 64];
            for block in part.chunks_exact(64) {
                sums.iter_mut().zip(block).for_each(|(s, x)| *s += x);
            }
            std::hint::black_box(sums);
        });
    };
    (0..4)
        .map(|_| {
            let started = Instant::now();
            (0..passes).for_each(|_| read());
            (passes * per * chunks * 4) as f64 / started.elapsed().as_secs_f64() / 1e9
        })
        .fold(0.0, f64::max)
}

/// 10⁹ operations per second of a loop that does `per_round` a round.
#[expect(clippy::cast_precision_loss, reason = "a count of operations")]
fn peak_of(threads: &Threads, per_round: usize, burn: &(dyn Fn(usize) + Sync)) -> f64 {
    let run = || {
        let started = Instant::now();
        threads.run(threads.count(), &|_| burn(ROUNDS));
        let operations = threads.count() * ROUNDS * per_round;
        operations as f64 / started.elapsed().as_secs_f64() / 1e9
    };
    let started = Instant::now();
    while started.elapsed() < WARM_UP {
        run();
    }
    (0..TRIES).map(|_| run()).fold(0.0, f64::max)
}

/// GFLOP/s of f32 fused multiply-adds, all threads together; the best of a few tries.
#[must_use]
pub fn f32_peak(threads: &Threads) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: just detected.
            return peak_of(threads, 16 * CHAINS * 2, &|n| unsafe { x86::f32_wide(n) });
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: just detected.
            return peak_of(threads, 8 * CHAINS * 2, &|n| unsafe { x86::f32_narrow(n) });
        }
    }
    peak_of(threads, 8 * CHAINS * 2, &|rounds| {
        let mut acc = [1.0f32; 8 * CHAINS];
        let (a, b) = std::hint::black_box((0.5f32, 1.0f32));
        for _ in 0..rounds {
            for x in &mut acc {
                *x = *x * a + b;
            }
        }
        std::hint::black_box(acc);
    })
}

/// GFLOP/s of bf16 pair products added in f32 (two operations a product), all threads together; none without AVX512-BF16.
#[must_use]
pub fn bf16_peak(threads: &Threads) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if has_bf16() {
        // SAFETY: just detected.
        let peak = peak_of(threads, 32 * CHAINS * 2, &|n| unsafe { x86::bf16(n) });
        return Some(peak);
    }
    let _ = threads;
    None
}

/// GOP/s of 8-bit multiply-adds (two operations each), all threads together; none without VNNI.
#[must_use]
pub fn int8_peak(threads: &Threads) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
        // SAFETY: just detected.
        let peak = peak_of(threads, 64 * CHAINS * 2, &|n| unsafe { x86::int8(n) });
        return Some(peak);
    }
    let _ = threads;
    None
}

/// Loops of nothing but multiply-adds. The operands are opaque, so that nothing is computed beforehand, and loaded once,
/// so that nothing but the arithmetic is timed.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_fmadd_ps, _mm256_set1_ps,
        _mm512_add_ps, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_setzero_si512,
    };
    use std::hint::black_box;

    use super::CHAINS;

    /// Reads numbers, asking for what comes 2 KiB later.
    #[target_feature(enable = "avx512f")]
    pub fn read(numbers: &[f32]) {
        let mut sums = [_mm512_setzero_ps(); 4];
        for block in numbers.chunks_exact(64) {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 64 numbers; any address may be asked for.
                unsafe {
                    let at = block.as_ptr().add(16 * i);
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(512).cast());
                    *sum = _mm512_add_ps(*sum, _mm512_loadu_ps(at));
                }
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    pub fn f32_wide(rounds: usize) {
        let (a, b) = black_box((_mm512_set1_ps(0.5), _mm512_set1_ps(1.0)));
        let mut acc = [b; CHAINS];
        for _ in 0..rounds {
            for x in &mut acc {
                *x = _mm512_fmadd_ps(*x, a, b);
            }
        }
        black_box(acc);
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn f32_narrow(rounds: usize) {
        let (a, b) = black_box((_mm256_set1_ps(0.5), _mm256_set1_ps(1.0)));
        let mut acc = [b; CHAINS];
        for _ in 0..rounds {
            for x in &mut acc {
                *x = _mm256_fmadd_ps(*x, a, b);
            }
        }
        black_box(acc);
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn bf16(rounds: usize) {
        // 0.5 in bf16, sixteen bits a number.
        // SAFETY: both are 64 plain bytes.
        let half =
            || unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi16(0x3f00)) };
        let (a, b) = black_box((half(), half()));
        let mut acc = [_mm512_setzero_ps(); CHAINS];
        for _ in 0..rounds {
            for x in &mut acc {
                *x = _mm512_dpbf16_ps(*x, a, b);
            }
        }
        black_box(acc);
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn int8(rounds: usize) {
        let (a, b) = black_box((_mm512_set1_epi8(3), _mm512_set1_epi8(1)));
        let mut acc = [_mm512_setzero_si512(); CHAINS];
        for _ in 0..rounds {
            for x in &mut acc {
                *x = _mm512_dpbusd_epi32(*x, a, b);
            }
        }
        black_box(acc);
    }
}

/// Peak resident memory of this process, in bytes, since it began or [`reset_peak_memory`] was last heard.
#[must_use]
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Lets [`peak_memory`] begin anew, where the system can: between models in one process.
pub fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_figures_and_knows_when_they_drift() {
        assert_eq!(within(512, 1 << 40), LEAST_BYTES);
        assert_eq!(within(64 << 20, 128 << 20), 32 << 20);
        assert_eq!(within(64 << 20, u64::MAX), 64 << 20);
        let now = Machine::measure_with(&Threads::new(1), 8 << 20);
        assert!(now.bandwidth_gb_s > 0.1 && now.peaks.f32 > 0.1, "{now:?}");
        assert!(instruction_sets().contains(&now.instructions));
        assert!(!now.has_drifted(&now));
        let small = now.clone().for_weights(1 << 20);
        assert!(small.bandwidth_gb_s >= now.bandwidth_gb_s && small.bandwidth_gb_s < 1e5);
        let mut later = now.clone();
        later.bandwidth_gb_s *= 1.5;
        later.peaks.int8 = Some(7.0);
        assert!(now.has_drifted(&later) && later.has_drifted(&now));
        let best = now.at_best(&later);
        assert!(best.bandwidth_gb_s >= later.bandwidth_gb_s);
        assert!(best.peaks.int8.is_none_or(|peak| peak >= 7.0));
    }

    #[test]
    fn a_class_without_an_instruction_has_the_peak_of_f32() {
        let machine = Machine {
            instructions: "portable",
            threads: 1,
            bandwidth_gb_s: 1.0,
            peaks: Peaks {
                f32: 5.0,
                bf16: None,
                int8: Some(9.0),
            },
        };
        let peaks = [
            OperationClass::F32,
            OperationClass::Bf16,
            OperationClass::Int8,
        ]
        .map(|class| machine.peak(class));
        assert_eq!(peaks.map(f64::to_bits), [5.0, 5.0, 9.0].map(f64::to_bits));
    }

    #[test]
    fn the_peak_of_memory_begins_anew() {
        let before = peak_memory();
        let taken = vec![1u8; 64 << 20];
        std::hint::black_box(&taken);
        let with = peak_memory();
        assert!(with >= before.max(64 << 20), "{before} {with}");
        drop(taken);
        reset_peak_memory();
        assert!(peak_memory() <= with);
    }
}
