//! What this machine gives: memory bandwidth and arithmetic peak, measured with the kernels' own threads.

use std::time::Instant;

use colloquy::kernels::{Buffer, Threads};

/// GB/s of reading memory that no cache holds, all threads together; the best of a few tries.
pub fn bandwidth(threads: &Threads) -> f64 {
    let data = Buffer::<f32>::zeroed(128 << 20);
    // SAFETY: one writer, inside the buffer; every page is touched so that it is real memory.
    (0..data.len())
        .step_by(1024)
        .for_each(|i| unsafe { *data.as_ptr().add(i) = 1.0 });
    let chunks = 256;
    let per = data.len() / chunks;
    (0..4)
        .map(|_| {
            let started = Instant::now();
            threads.run(chunks, &|c| {
                let mut sums = [0.0f32; 64];
                for block in data[c * per..(c + 1) * per].chunks_exact(64) {
                    sums.iter_mut().zip(block).for_each(|(s, x)| *s += x);
                }
                std::hint::black_box(sums);
            });
            (data.len() * 4) as f64 / started.elapsed().as_secs_f64() / 1e9
        })
        .fold(0.0, f64::max)
}

/// GFLOP/s of f32 fused multiply-adds, all threads together; the best of a few tries.
pub fn f32_peak(threads: &Threads) -> f64 {
    const ROUNDS: usize = 2_000_000;
    let lanes = lanes();
    (0..5)
        .map(|_| {
            let started = Instant::now();
            threads.run(threads.count(), &|_| burn(ROUNDS));
            (threads.count() * ROUNDS * lanes * 12 * 2) as f64
                / started.elapsed().as_secs_f64()
                / 1e9
        })
        .fold(0.0, f64::max)
}

/// GOP/s of 8-bit multiply-adds (two operations each), all threads together; none without VNNI.
pub fn int8_peak(threads: &Threads) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512vnni") {
        #[target_feature(enable = "avx512f,avx512vnni")]
        fn burn(rounds: usize) {
            use std::arch::x86_64::{_mm512_dpbusd_epi32, _mm512_set1_epi8, _mm512_setzero_si512};
            let (a, b) = (_mm512_set1_epi8(3), _mm512_set1_epi8(1));
            let mut acc = [_mm512_setzero_si512(); 12];
            for _ in 0..rounds {
                for x in &mut acc {
                    *x = _mm512_dpbusd_epi32(*x, std::hint::black_box(a), b);
                }
            }
            std::hint::black_box(acc);
        }
        const ROUNDS: usize = 2_000_000;
        let best = (0..5)
            .map(|_| {
                let started = Instant::now();
                // SAFETY: just detected.
                threads.run(threads.count(), &|_| unsafe { burn(ROUNDS) });
                (threads.count() * ROUNDS * 64 * 12 * 2) as f64
                    / started.elapsed().as_secs_f64()
                    / 1e9
            })
            .fold(0.0, f64::max);
        return Some(best);
    }
    let _ = threads;
    None
}

fn lanes() -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        return 16;
    }
    8
}

fn burn(rounds: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f")]
        fn wide(rounds: usize) {
            use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
            let (a, b) = (_mm512_set1_ps(0.5), _mm512_set1_ps(1.0));
            let mut acc = [b; 12];
            for _ in 0..rounds {
                for x in &mut acc {
                    *x = _mm512_fmadd_ps(*x, a, b);
                }
            }
            std::hint::black_box(acc);
        }
        #[target_feature(enable = "avx2,fma")]
        fn narrow(rounds: usize) {
            use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
            let (a, b) = (_mm256_set1_ps(0.5), _mm256_set1_ps(1.0));
            let mut acc = [b; 12];
            for _ in 0..rounds {
                for x in &mut acc {
                    *x = _mm256_fmadd_ps(*x, a, b);
                }
            }
            std::hint::black_box(acc);
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: just detected.
            unsafe { wide(rounds) };
            return;
        }
        if is_x86_feature_detected!("fma") {
            // SAFETY: just detected.
            unsafe { narrow(rounds) };
            return;
        }
    }
    let mut acc = [1.0f32; 96];
    for _ in 0..rounds {
        for x in &mut acc {
            *x = *x * 0.5 + 1.0;
        }
    }
    std::hint::black_box(acc);
}

/// Peak resident memory of this process so far, in bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}
