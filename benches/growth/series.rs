//! The three series: each measures its points and says how much faster than its work a point's time has grown.

use serde_json::{Value, json};

use crate::load::{self, LONGEST, Model, Run};

/// Runs of one point, of which the fastest counts: what disturbs only ever slows down.
const REPEATS: usize = 4;
/// Conversations of a point at least, so that its time can be measured.
const CONVERSATIONS: (usize, usize) = (256, 8);
/// Conversations that wait for room in the third series; the largest pool holds so many times as many.
pub const WAITING: usize = 64;
pub const LARGEST: usize = 16 * WAITING;

/// A point: how much of what grows, what was measured there, and how many times faster than the work the time has grown.
pub struct Point {
    pub at: usize,
    pub run: Run,
    pub growth: f64,
}

/// A series, and what is compared with it.
pub struct Series {
    pub points: Vec<Point>,
    pub reference: Vec<(f64, f64)>,
}

impl Series {
    pub fn worst(&self) -> f64 {
        self.points.iter().fold(0.0, |most, p| most.max(p.growth))
    }

    /// Time per turn is to fall or stay: each point against the best of the smaller ones.
    fn of_turns(runs: Vec<(usize, Run)>, reference: Vec<(f64, f64)>) -> Self {
        let mut least = f64::INFINITY;
        let points = runs.into_iter().map(|(at, run)| {
            let growth = if least.is_finite() {
                run.ms_per_turn() / least
            } else {
                1.0
            };
            least = least.min(run.ms_per_turn());
            Point { at, run, growth }
        });
        Self {
            points: points.collect(),
            reference,
        }
    }

    pub fn json(&self, name: &str) -> Value {
        let points = self.points.iter().map(|Point { at, run, growth }| {
            json!({
                (name): at, "turns_per_s": run.turns_per_s(), "ms_per_turn": run.ms_per_turn(),
                "prompt_tokens_computed_per_turn": run.did.prefill / run.did.turns,
                "reuse_rate": 1.0 - run.did.prefill / run.did.prompt,
                "keys_per_turn": run.did.keys / run.did.turns, "steps": run.did.steps,
                "host_share": run.host(), "between_share": run.between(), "growth": growth,
            })
        });
        json!({ "points": points.collect::<Vec<_>>(), "worst_growth": self.worst() })
    }
}

fn repeats(model: &Model) -> usize {
    if model.is_small() { REPEATS } else { 1 }
}

fn fastest(model: &Model, run: impl Fn() -> Run) -> Run {
    let runs = (0..repeats(model)).map(|_| run());
    runs.min_by(|a, b| a.seconds.total_cmp(&b.seconds))
        .expect("at least one run")
}

/// Turns against conversations alive at once, 1 to `most`.
pub fn alive(model: &Model, most: usize) -> Series {
    let least = if model.is_small() {
        CONVERSATIONS.0
    } else {
        CONVERSATIONS.1
    };
    let mut runs = Vec::new();
    let mut n = 1;
    while n <= most {
        let rounds = (least / n).max(if model.is_small() { 4 } else { 2 });
        runs.push((
            n,
            fastest(model, || load::conversations(model, n, rounds, n)),
        ));
        n *= 2;
    }
    Series::of_turns(runs, Vec::new())
}

/// Time per turn against transcript length. A turn's work is a constant and its keys: the line through the shorter points
/// says what the longer ones may take.
pub fn length(model: &Model) -> Series {
    let lengths: Vec<usize> = (8..=LONGEST.ilog2()).map(|n| 1 << n).collect();
    let passes: Vec<Vec<[Run; 2]>> = (0..repeats(model) as u64)
        .map(|pass| load::transcript(model, pass, &lengths))
        .collect();
    let mut runs = Vec::new();
    for (i, &at) in lengths.iter().enumerate() {
        let mut turns: Vec<Run> = passes.iter().flat_map(|pass| pass[i]).collect();
        turns.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        // Without the slower half: single turns are short, and what disturbs only ever slows down.
        turns.truncate(turns.len().div_ceil(2).max(2));
        runs.push((at, Run::mean(&turns)));
    }
    let shorter = runs.iter().filter(|(at, _)| *at <= LONGEST / 4);
    let (constant, per_key) = line(shorter.map(|(_, run)| (run.did.keys, run.ms_per_turn())));
    let expected = |run: &Run| constant + per_key * run.did.keys;
    let reference = runs.iter().map(|(at, run)| (*at as f64, expected(run)));
    Series {
        reference: reference.collect(),
        points: runs
            .iter()
            .map(|&(at, run)| Point {
                at,
                run,
                growth: run.ms_per_turn() / expected(&run),
            })
            .collect(),
    }
}

/// Least squares: the value at 0, and the slope.
fn line(points: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let points: Vec<_> = points.collect();
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let both: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let slope = both / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>();
    (y - slope * x, slope)
}

/// The same conversations against the pool they share; `alive` has what as many at once do that need not wait.
pub fn pool(model: &Model, alive: &Series) -> Series {
    let rounds = if model.is_small() { 8 } else { 1 };
    let sizes = [4, 8, 16, 32, WAITING, LARGEST];
    let runs = sizes.map(|room| {
        let run = fastest(model, || load::conversations(model, WAITING, rounds, room));
        (room, run)
    });
    let as_many = alive.points.iter().filter(|p| sizes.contains(&p.at));
    let reference = as_many.map(|p| (p.at as f64, p.run.turns_per_s()));
    Series::of_turns(
        runs.into(),
        reference.filter(|p| p.0 <= WAITING as f64).collect(),
    )
}
