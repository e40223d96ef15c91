//! How fast an engine reads prompts and writes replies, whole steps with sampling, as a run sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::News;
use super::limit::{Demand, Work};
use super::machine::WARM_UP;
use crate::engine::{ChatError, Engine, EngineSession, GenerateRequest, Sampling, TokenId};
use crate::rng::Stream;

/// Tokens that every sequence has before it is decoded.
pub const DECODE_CONTEXT: usize = 64;
/// Timed repeats, of which the median counts.
pub const REPEATS: usize = 3;

/// How tokens are drawn: what chat models ask for, so that sampling costs what it costs.
pub const SAMPLING: Sampling = Sampling {
    temperature: 0.8,
    top_k: 50,
    top_p: 0.9,
    min_p: 0.0,
    repetition_penalty: 1.0,
    presence_penalty: 0.0,
    frequency_penalty: 0.0,
    penalty_last_n: 0,
};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Workload {
    pub prompt_tokens: usize,
    pub new_tokens: usize,
    /// Sequences decoded together, ascending.
    pub batches: Vec<usize>,
    pub seed: u64,
    /// Ids that random prompts are made of are below this.
    pub vocabulary: usize,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Speed {
    pub prefill: Timing,
    pub decode: Vec<Timing>,
}

/// One workload, timed.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Sequences together.
    pub batch: usize,
    /// Tokens read or written by one repeat.
    pub tokens: usize,
    /// Each repeat, in order.
    pub seconds: Vec<f64>,
    /// What one repeat has to do.
    pub work: Work,
}

impl Timing {
    /// The median of the repeats.
    #[must_use]
    pub fn median_seconds(&self) -> f64 {
        median(&self.seconds)
    }

    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    pub fn tokens_per_s(&self) -> f64 {
        self.tokens as f64 / self.median_seconds()
    }
}

/// Why a workload cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum SpeedError {
    /// More sequences than the page pool holds.
    #[error(
        "a batch of {batch} sequences of {tokens} tokens does not fit: the page pool of {pool_mb} MB holds {fits}"
    )]
    Batch {
        batch: usize,
        tokens: usize,
        pool_mb: u64,
        /// The largest batch that would fit.
        fits: usize,
    },
    /// Longer than the model's context.
    #[error("{what} of {tokens} tokens exceeds the model's context: at most {most}")]
    Context {
        what: &'static str,
        tokens: usize,
        most: usize,
    },
    #[error(transparent)]
    Chat(#[from] ChatError),
}

/// The largest batch whose sequences fit the page pool together.
#[must_use]
pub fn largest_batch(engine: &Engine, new_tokens: usize) -> usize {
    engine.room_for(&[DECODE_CONTEXT + new_tokens])
}

/// Whether everything can be measured.
///
/// # Errors
/// Names what does not fit, and what would.
pub fn check(engine: &Engine, workload: &Workload, pool_bytes: u64) -> Result<(), SpeedError> {
    let context = engine.context_tokens();
    for (what, tokens, most) in [
        ("a prompt", workload.prompt_tokens, context - 1),
        (
            "a reply",
            workload.new_tokens,
            context.saturating_sub(DECODE_CONTEXT),
        ),
    ] {
        if tokens > most {
            return Err(SpeedError::Context { what, tokens, most });
        }
    }
    let batch = |batch: usize, tokens: usize, fits: usize| SpeedError::Batch {
        batch,
        tokens,
        pool_mb: pool_bytes.div_ceil(1_000_000),
        fits,
    };
    let prompt = workload.prompt_tokens + 1;
    if engine.room_for(&[prompt]) == 0 {
        return Err(batch(1, prompt, 0));
    }
    let fits = largest_batch(engine, workload.new_tokens);
    match workload.batches.iter().find(|batch| **batch > fits) {
        Some(size) => Err(batch(*size, DECODE_CONTEXT + workload.new_tokens, fits)),
        None => Ok(()),
    }
}

/// Measures an engine that no reply of can end early (one started without end tokens). `tell` hears what comes next.
///
/// # Errors
/// When something does not fit, or the engine fails.
pub async fn measure(
    engine: &Arc<Engine>,
    demand: &Demand,
    workload: &Workload,
    tell: &dyn Fn(News<'_>),
) -> Result<Speed, SpeedError> {
    let begins = |what: String| tell(News::Begins(&what));
    begins(format!(
        "prefill of {} tokens, {REPEATS} times",
        workload.prompt_tokens
    ));
    let prefill = prefill(engine, demand, workload).await?;
    let mut decode = Vec::new();
    for &batch in &workload.batches {
        begins(format!(
            "decoding {batch} × {} tokens, {REPEATS} times",
            workload.new_tokens
        ));
        decode.push(decode_batch(engine, demand, workload, batch).await?);
    }
    Ok(Speed { prefill, decode })
}

async fn prefill(
    engine: &Arc<Engine>,
    demand: &Demand,
    workload: &Workload,
) -> Result<Timing, SpeedError> {
    let root = Stream::root(workload.seed).child("prefill");
    let tokens = workload.prompt_tokens;
    // No two prompts are alike, so nothing of them is found in the cache.
    let mut prompts = (0..).map(|number| prompt(root.at(number), tokens, workload.vocabulary));
    let mut next = || prompts.next().expect("endless");
    let session = [Arc::new(engine.open(&[tokens + 1]).await?)];
    let mut round = async || run_together(engine, &session, vec![next()], 1, root).await;
    let started = Instant::now();
    while started.elapsed() < WARM_UP {
        round().await?;
    }
    let mut seconds = Vec::new();
    for _ in 0..REPEATS {
        seconds.push(round().await?.as_secs_f64());
    }
    Ok(Timing {
        batch: 1,
        tokens,
        seconds,
        work: demand.prefill(tokens),
    })
}

async fn decode_batch(
    engine: &Arc<Engine>,
    demand: &Demand,
    workload: &Workload,
    batch: usize,
) -> Result<Timing, SpeedError> {
    let root = Stream::root(workload.seed).child("decode");
    let new = workload.new_tokens;
    let prompts: Vec<Vec<TokenId>> = (0..batch as u64)
        .map(|number| prompt(root.at(number), DECODE_CONTEXT, workload.vocabulary))
        .collect();
    let mut sessions = Vec::new();
    for _ in 0..batch {
        sessions.push(Arc::new(engine.open(&[DECODE_CONTEXT + new]).await?));
    }
    let round = async || run_together(engine, &sessions, prompts.clone(), new, root).await;
    // The first round also computes the prompts; from then on they are in the cache, and each step feeds one token a
    // sequence.
    let started = Instant::now();
    loop {
        round().await?;
        if started.elapsed() >= WARM_UP {
            break;
        }
    }
    let mut seconds = Vec::new();
    for _ in 0..REPEATS {
        seconds.push(round().await?.as_secs_f64());
    }
    Ok(Timing {
        batch,
        tokens: batch * new,
        seconds,
        work: demand.decode(batch, DECODE_CONTEXT, new),
    })
}

/// Sends one request per session at once and waits for all.
async fn run_together(
    engine: &Arc<Engine>,
    sessions: &[Arc<EngineSession>],
    prompts: Vec<Vec<TokenId>>,
    new_tokens: usize,
    root: Stream,
) -> Result<Duration, ChatError> {
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for ((session, prompt), number) in sessions.iter().zip(prompts).zip(0..) {
        let (engine, session) = (Arc::clone(engine), Arc::clone(session));
        let request = GenerateRequest {
            prompt,
            max_new_tokens: new_tokens,
            sampling: SAMPLING,
            grammar: None,
            stop: Vec::new(),
            draw: root.child("draw").at(number),
            keep: None,
        };
        calls.spawn(async move { engine.generate(&session, request).await });
    }
    while let Some(call) = calls.join_next().await {
        let reply = call.map_err(|error| ChatError::Stopped(error.to_string()))??;
        if reply.tokens.len() != new_tokens {
            let told = format!("{} of {new_tokens} tokens came", reply.tokens.len());
            return Err(ChatError::Stopped(told));
        }
    }
    Ok(started.elapsed())
}

/// Random ids.
fn prompt(stream: Stream, tokens: usize, vocabulary: usize) -> Vec<TokenId> {
    (0..tokens as u64)
        .map(|i| TokenId::try_from(stream.below(i, vocabulary)).expect("ids are 32 bits"))
        .collect()
}

/// The middle of some numbers; of an even count the upper one of the two.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_order_and_one_outlier() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(median(&[9.0, 1.0, 2.0]), 2.0));
        assert!(near(median(&[5.0]), 5.0));
        assert!(median(&[]).is_nan());
        let timing = Timing {
            batch: 4,
            tokens: 100,
            seconds: vec![0.5, 4.0, 0.25],
            work: Work {
                bytes: 0.0,
                linear: 0.0,
                attention: 0.0,
            },
        };
        assert!(near(timing.tokens_per_s(), 200.0));
    }

    #[test]
    fn prompts_differ_and_stay_inside_the_vocabulary() {
        let root = Stream::root(1);
        let one = prompt(root.at(0), 200, 50);
        assert_ne!(one, prompt(root.at(1), 200, 50));
        assert_eq!(one, prompt(root.at(0), 200, 50));
        assert!(one.len() == 200 && one.iter().all(|id| *id < 50));
    }
}
