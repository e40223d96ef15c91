//! A small pool of worker threads for data-parallel loops.
//!
//! Workers spin for a bounded while after a job, because the next one is usually microseconds away inside a step, and
//! park between steps. Every thread begins with its own run of neighbouring chunks, so that what one chunk asks of memory
//! for the next comes to the right core, and then helps the others: no result may depend on who computes what.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Rounds of `spin_loop` before a worker parks: some tens of microseconds.
const SPIN_ROUNDS: u32 = 4_000;

type Job = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// The job's number, whether it is open to workers, and how many are at it; see [`State`].
    state: AtomicU64,
    /// Written by `run` while no worker is at a job, read by workers that have joined one.
    job: UnsafeCell<Option<Job>>,
    chunks: AtomicUsize,
    /// The next chunk of each thread's own run.
    next: Box<[Next]>,
    panicked: AtomicBool,
    stopping: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
}

/// On a cache line of its own.
#[repr(align(64))]
struct Next(AtomicUsize);

/// `[number: 47][open: 1][workers: 16]`. A worker joins an open job by adding itself; the caller closes the job when no chunk
/// is left and waits for those that joined. A worker that the system gave no time meanwhile is not waited for.
struct State;

impl State {
    const OPEN: u64 = 1 << 16;
    const WORKERS: u64 = Self::OPEN - 1;

    fn number(state: u64) -> u64 {
        state >> 17
    }

    fn is_open(state: u64) -> bool {
        state & Self::OPEN != 0
    }
}

// SAFETY: `job` is the only non-Sync field; `run` writes it under the run lock while no worker is at a job and none can
// join, and publishes it by the release store to `state`.
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
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            chunks: AtomicUsize::new(0),
            next: (0..count.max(1))
                .map(|_| Next(AtomicUsize::new(0)))
                .collect(),
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
                    .spawn(move || work(&shared, i))
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
        // SAFETY: the last job is closed and nobody is at it.
        unsafe { *shared.job.get() = Some(job) };
        // Left behind when the last job's caller unwound as well.
        shared.panicked.store(false, Ordering::Relaxed);
        shared.chunks.store(chunks, Ordering::Relaxed);
        for (thread, next) in shared.next.iter().enumerate() {
            let first = chunks * thread / shared.next.len();
            next.0.store(first, Ordering::Relaxed);
        }
        let number = State::number(shared.state.load(Ordering::Relaxed)) + 1;
        shared
            .state
            .store(number << 17 | State::OPEN, Ordering::Release);
        if *shared
            .sleepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            > 0
        {
            shared.wake.notify_all();
        }
        let wait = Wait(shared);
        claim(shared, 0, body);
        drop(wait);
        assert!(
            !shared.panicked.swap(false, Ordering::Relaxed),
            "a kernel thread panicked"
        );
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
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

/// Closes the job and waits for the workers at it, also when the caller's own chunk unwinds.
struct Wait<'a>(&'a Shared);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!State::OPEN, Ordering::AcqRel);
        let mut rounds = 0u32;
        while self.0.state.load(Ordering::Acquire) & State::WORKERS > 0 {
            rounds += 1;
            if rounds > SPIN_ROUNDS {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// Works on the chunks of thread `me`, then on what is left of the others'.
fn claim(shared: &Shared, me: usize, body: &(dyn Fn(usize) + Sync)) {
    let chunks = shared.chunks.load(Ordering::Relaxed);
    let count = shared.next.len();
    for thread in (me..count).chain(0..me) {
        let end = chunks * (thread + 1) / count;
        loop {
            let i = shared.next[thread].0.fetch_add(1, Ordering::Relaxed);
            if i >= end {
                break;
            }
            body(i);
        }
    }
}

fn work(shared: &Shared, me: usize) {
    let mut seen = 0u64;
    let ready = |seen: u64| {
        let state = shared.state.load(Ordering::Acquire);
        (State::is_open(state) && State::number(state) != seen).then_some(state)
    };
    let stopping = || shared.stopping.load(Ordering::Acquire);
    loop {
        let mut rounds = 0u32;
        let state = loop {
            if stopping() {
                return;
            }
            if let Some(state) = ready(seen) {
                break state;
            }
            rounds += 1;
            if rounds > SPIN_ROUNDS {
                let mut sleepers = shared
                    .sleepers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *sleepers += 1;
                while ready(seen).is_none() && !stopping() {
                    sleepers = shared
                        .wake
                        .wait(sleepers)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                *sleepers -= 1;
            } else {
                std::hint::spin_loop();
            }
        };
        let joined =
            shared
                .state
                .compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed);
        if joined.is_err() {
            continue;
        }
        seen = State::number(state);
        // SAFETY: this worker has joined an open job, so `job` is set and stays valid until it has left.
        let body = unsafe { &*(*shared.job.get()).expect("an open job is set") };
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| claim(shared, me, body)));
        if result.is_err() {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        shared.state.fetch_sub(1, Ordering::Release);
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
