use super::{Chart, ChartKind, Series};
use crate::run::Tick;

/// Places on the horizontal axis.
const BINS: usize = 40;

/// Tokens a second over the time that a run was at work, its sessions one after the other; none where too little was noted.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times and counts for people"
)]
pub fn chart(ticks: &[Tick]) -> Option<Chart> {
    // Stretches of time at work: seconds, tokens.
    let mut stretches: Vec<(f64, f64)> = Vec::new();
    let mut before: Option<&Tick> = None;
    for tick in ticks {
        let last = before.filter(|last| last.session == tick.session && last.ms <= tick.ms);
        let (ms, tokens) = last.map_or((0, 0), |last| (last.ms, last.tokens));
        let seconds = (tick.ms - ms) as f64 / 1000.0;
        stretches.push((seconds, tick.tokens.saturating_sub(tokens) as f64));
        before = Some(tick);
    }
    let whole: f64 = stretches.iter().map(|(seconds, _)| seconds).sum();
    if stretches.len() < 4 || whole <= 0.0 {
        return None;
    }
    let bins = BINS.min(stretches.len());
    let width = whole / bins as f64;
    let mut sums = vec![0.0; bins];
    let mut at = 0.0;
    for (seconds, tokens) in stretches {
        let (start, end) = (at, at + seconds);
        at = end;
        let first = ((start / width) as usize).min(bins - 1);
        let last = ((end / width) as usize).min(bins - 1);
        for (bin, sum) in sums.iter_mut().enumerate().take(last + 1).skip(first) {
            let from = (bin as f64 * width).max(start);
            let to = ((bin + 1) as f64 * width).min(end);
            let part = if seconds > 0.0 {
                ((to - from) / seconds).clamp(0.0, 1.0)
            } else {
                1.0 / (last - first + 1) as f64
            };
            *sum += tokens * part;
        }
    }
    let unit = if whole >= 600.0 { 60.0 } else { 1.0 };
    let label = |bin: usize| format!("{:.1}", (bin as f64 + 0.5) * width / unit);
    Some(Chart {
        key: "making.pace".to_owned(),
        title: "Throughput".to_owned(),
        kind: ChartKind::Line,
        x: if unit > 1.0 {
            "minutes at work"
        } else {
            "seconds at work"
        }
        .to_owned(),
        y: "tokens a second".to_owned(),
        labels: (0..bins).map(label).collect(),
        series: vec![Series {
            name: "tokens a second".to_owned(),
            values: sums.iter().map(|tokens| tokens / width).collect(),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(session: u64, ms: u64, tokens: u64) -> Tick {
        Tick {
            session,
            ms,
            finished: 0,
            kept: 0,
            tokens,
        }
    }

    #[test]
    fn a_steady_run_is_a_flat_line_and_no_token_is_lost() {
        let ticks: Vec<Tick> = (1..=100).map(|n| tick(1, n * 100, n * 50)).collect();
        let chart = chart(&ticks).unwrap();
        let values = &chart.series[0].values;
        assert_eq!((values.len(), chart.labels.len()), (BINS, BINS));
        assert!(values.iter().all(|value| (value - 500.0).abs() < 1e-6));
        assert_eq!(chart.labels[0], "0.1");
    }

    #[test]
    fn sessions_follow_each_other_without_the_time_between() {
        let mut ticks: Vec<Tick> = (1..=4).map(|n| tick(1, n * 1000, n * 100)).collect();
        ticks.extend((1..=4).map(|n| tick(9999, n * 1000, n * 300)));
        let chart = chart(&ticks).unwrap();
        let values = &chart.series[0].values;
        assert_eq!(values.len(), 8);
        assert!((values[0] - 100.0).abs() < 1e-6 && (values[7] - 300.0).abs() < 1e-6);
        let tokens: f64 = values.iter().sum();
        assert!((tokens - 1600.0).abs() < 1e-6);
    }

    #[test]
    fn little_says_nothing() {
        assert!(chart(&[]).is_none());
        assert!(chart(&[tick(1, 0, 5); 9]).is_none());
        assert!(chart(&[tick(1, 10, 5), tick(1, 20, 9)]).is_none());
    }
}
