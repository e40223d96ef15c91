//! A small pool of worker threads for data-parallel loops.
//!
//! Workers spin for a bounded while after a job, because the next one is usually microseconds away inside a step, and
//! park between steps. Chunks are claimed dynamically: no result may depend on who computes what.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Rounds of `spin_loop` before a worker parks: some tens of microseconds.
const SPIN_ROUNDS: u32 = 4_000;

type Job = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// Counts jobs; a change means that `job` and `chunks` are ready.
    epoch: AtomicU64,
    /// Written by `run` before `epoch` moves, read by workers after they saw it move.
    job: UnsafeCell<Option<Job>>,
    chunks: AtomicUsize,
    next: AtomicUsize,
    /// Workers that have not finished the current job.
    pending: AtomicUsize,
    panicked: AtomicBool,
    stopping: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
}

// SAFETY: `job` is the only non-Sync field; it is written only while every worker is between jobs (`pending` is 0 and the
// run lock is held) and published by the release store to `epoch`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the raw pointer inside is only dereferenced during `run`, while the closure is borrowed there.
unsafe impl Send for Shared {}

/// A pool of `count` threads, the caller's included.
pub struct Threads {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    run_lock: Mutex<()>,
}

impl Threads {
    /// Starts `count - 1` workers; `count` 0 counts as 1.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            chunks: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
        });
        let workers = (1..count)
            .map(|i| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("kernel-{i}"))
                    .spawn(move || work(&shared))
                    .expect("the system can start a thread")
            })
            .collect();
        Self {
            shared,
            workers,
            run_lock: Mutex::new(()),
        }
    }

    /// Threads of the pool, the caller's included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `body(i)` for every `i` in `0..chunks`, in any order, on any thread, and returns when all are done.
    ///
    /// # Panics
    /// When a call of `body` panicked on a worker.
    pub fn run(&self, chunks: usize, body: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || chunks <= 1 {
            (0..chunks).for_each(body);
            return;
        }
        let _only_one = self.run_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        // SAFETY: the lifetime is erased, but `run` does not return (nor unwind, see `Wait`) before every worker is done.
        let job: Job = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(body)
        };
        // SAFETY: no worker reads `job` between jobs.
        unsafe { *shared.job.get() = Some(job) };
        shared.chunks.store(chunks, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        shared.pending.store(self.workers.len(), Ordering::Relaxed);
        shared.epoch.fetch_add(1, Ordering::Release);
        if *shared
            .sleepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            > 0
        {
            shared.wake.notify_all();
        }
        let wait = Wait(shared);
        claim(shared, body);
        drop(wait);
        assert!(
            !shared.panicked.swap(false, Ordering::Relaxed),
            "a kernel thread panicked"
        );
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.epoch.fetch_add(1, Ordering::Release);
        drop(
            self.shared
                .sleepers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

/// Waits for the workers, also when the caller's own chunk unwinds.
struct Wait<'a>(&'a Shared);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut rounds = 0u32;
        while self.0.pending.load(Ordering::Acquire) > 0 {
            rounds += 1;
            if rounds > SPIN_ROUNDS {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

fn claim(shared: &Shared, body: &(dyn Fn(usize) + Sync)) {
    let chunks = shared.chunks.load(Ordering::Relaxed);
    loop {
        let i = shared.next.fetch_add(1, Ordering::Relaxed);
        if i >= chunks {
            return;
        }
        body(i);
    }
}

fn work(shared: &Shared) {
    let mut seen = 0u64;
    loop {
        let mut rounds = 0u32;
        while shared.epoch.load(Ordering::Acquire) == seen {
            rounds += 1;
            if rounds > SPIN_ROUNDS {
                let mut sleepers = shared
                    .sleepers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *sleepers += 1;
                while shared.epoch.load(Ordering::Acquire) == seen {
                    sleepers = shared
                        .wake
                        .wait(sleepers)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                *sleepers -= 1;
            } else {
                std::hint::spin_loop();
            }
        }
        seen = seen.wrapping_add(1);
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: `epoch` moved, so `job` is set, and it stays valid until `pending` reaches 0.
        let body = unsafe { &*(*shared.job.get()).expect("a job is set before the epoch moves") };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| claim(shared, body)));
        if result.is_err() {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        shared.pending.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_once() {
        for count in [1, 2, 3] {
            let threads = Threads::new(count);
            for chunks in [0usize, 1, 2, 7, 100] {
                let hits: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..50 {
                    threads.run(chunks, &|i| {
                        hits[i].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 50));
            }
        }
    }

    #[test]
    fn a_parked_pool_wakes() {
        let threads = Threads::new(2);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let sum = AtomicUsize::new(0);
        threads.run(1000, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 499_500);
    }

    #[test]
    fn a_panic_on_a_worker_reaches_the_caller() {
        let threads = Threads::new(2);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            threads.run(64, &|i| assert!(i != 33, "planted"));
        }));
        assert!(result.is_err());
        let sum = AtomicUsize::new(0);
        threads.run(10, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
    }
}
