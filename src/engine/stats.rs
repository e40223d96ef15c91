//! What the engine has done, readable at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that only grow.
#[derive(Default)]
pub struct EngineStats {
    pub steps: AtomicU64,
    /// Prompt tokens asked for; of them, found in the pool; of them, computed.
    pub prompt_tokens: AtomicU64,
    pub reused_tokens: AtomicU64,
    pub prefill_tokens: AtomicU64,
    /// Tokens generated.
    pub new_tokens: AtomicU64,
    /// Replies finished, and scores.
    pub replies: AtomicU64,
    pub scores: AtomicU64,
    /// Keys read by all rows of all steps, per layer.
    pub attended_tokens: AtomicU64,
    /// Time inside forward passes, and in steps as a whole (planning and sampling included).
    pub forward_ns: AtomicU64,
    pub step_ns: AtomicU64,
    /// Time for grammar masks, summed over the threads that make them.
    pub mask_ns: AtomicU64,
    /// Most pages in use at once.
    pub peak_pages: AtomicU64,
}

impl EngineStats {
    pub(super) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Relaxed);
    }

    /// Adds a duration.
    pub(super) fn add_time(counter: &AtomicU64, time: std::time::Duration) {
        counter.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// One counter's value.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }
}
