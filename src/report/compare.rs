use super::counts::plain;
use super::figure::shown;
use super::{Level, Metric, Point, Report, Section, Table, Unit};
use crate::metrics::bootstrap::Interval;

/// A figure of two corpora.
struct Pair<'a> {
    section: &'a str,
    metric: Metric,
    other: f64,
    difference: Option<Interval>,
}

impl Pair<'_> {
    fn by(&self) -> f64 {
        self.metric.value.unwrap_or(self.other) - self.other
    }

    /// Whether the interval of the difference leaves zero out.
    fn is_sure(&self) -> bool {
        self.difference
            .is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0)
    }

    /// How large it is beside what is known of it: in half widths of its interval.
    fn weight(&self) -> f64 {
        self.difference.map_or(0.0, |interval| {
            self.by().abs() / ((interval.high - interval.low) / 2.0).max(1e-12)
        })
    }
}

/// The interval of the difference of two figures that are known by intervals of their own and were found independently:
/// Zou and Donner, Construction of confidence limits about effect measures, 2008, formula 7.
fn difference(a: (f64, Interval), b: (f64, Interval)) -> Interval {
    let ((a, of_a), (b, of_b)) = (a, b);
    let apart = |x: f64, y: f64| x.hypot(y);
    Interval {
        low: a - b - apart(a - of_a.low, of_b.high - b),
        high: a - b + apart(of_a.high - a, b - of_b.low),
    }
}

impl Report {
    /// Puts the figures of another corpus beside these.
    #[must_use]
    pub fn against(mut self, other: &Self) -> Self {
        let theirs = |key: &str| {
            let mut all = other.sections.iter().flat_map(|section| &section.metrics);
            all.find(|metric| metric.key == key)
        };
        let mut pairs: Vec<Pair> = Vec::new();
        for section in &mut self.sections {
            for metric in &mut section.metrics {
                let found = theirs(&metric.key).filter(|other| other.unit == metric.unit);
                metric.against = found.and_then(|other| other.value);
            }
        }
        for section in &self.sections {
            for metric in &section.metrics {
                let (Some(value), Some(against)) = (metric.value, metric.against) else {
                    continue;
                };
                // Sizes of corpora say nothing of how good they are.
                if metric.unit == Unit::Count {
                    continue;
                }
                let intervals = metric
                    .interval
                    .zip(theirs(&metric.key).and_then(|own| own.interval));
                pairs.push(Pair {
                    section: &section.key,
                    metric: metric.clone(),
                    other: against,
                    difference: intervals.map(|(a, b)| difference((value, a), (against, b))),
                });
            }
        }
        let rows = pairs.iter().map(row).collect();
        let points = points(&pairs);
        let sure = pairs.iter().filter(|pair| pair.is_sure()).count();
        let section = Section {
            key: "comparison".to_owned(),
            title: "Comparison".to_owned(),
            about: format!(
                "The same figures of {}. A difference is sure where its 95 % interval leaves zero out; of {} figures some differ so by chance.",
                other.source.name,
                pairs.len()
            ),
            metrics: vec![
                Metric::new(
                    "comparison.differ",
                    "figures that surely differ",
                    Unit::Count,
                    Some(super::counts::number(sure)),
                )
                .note(format!("of {} that both have", pairs.len()))
                .read(plain(
                    "Figures of both corpora whose difference is no chance.",
                    "",
                )),
            ],
            charts: Vec::new(),
            tables: vec![Table {
                title: format!("Against {}", other.source.name),
                columns: ["figure", "here", "there", "difference", "95 %", "reading"]
                    .map(str::to_owned)
                    .to_vec(),
                rows,
            }],
        };
        drop(pairs);
        self.sections.insert(0, section);
        self.headline.points.extend(points);
        self.against = Some(other.source.clone());
        self
    }
}

fn signed(value: f64, unit: Unit) -> String {
    let sign = if value < 0.0 { "−" } else { "+" };
    match unit {
        Unit::Share => format!("{sign}{:.1} points", 100.0 * value.abs()),
        _ => format!("{sign}{}", shown(value.abs(), unit)),
    }
}

fn row(pair: &Pair) -> Vec<String> {
    let unit = pair.metric.unit;
    vec![
        pair.metric.title.clone(),
        shown(pair.metric.value.unwrap_or_default(), unit),
        shown(pair.other, unit),
        signed(pair.by(), unit),
        pair.difference.map_or("–".to_owned(), |interval| {
            format!(
                "{} to {}",
                signed(interval.low, unit).trim_end_matches(" points"),
                signed(interval.high, unit).trim_end_matches(" points")
            )
        }),
        match pair.difference {
            None => "no interval to tell by",
            Some(_) if !pair.is_sure() => "may be chance",
            Some(_) if pair.by() > 0.0 => "higher here",
            Some(_) => "lower here",
        }
        .to_owned(),
    ]
}

/// Of each section the difference that is surest.
fn points(pairs: &[Pair]) -> Vec<Point> {
    let mut best: Vec<&Pair> = Vec::new();
    for pair in pairs.iter().filter(|pair| pair.is_sure()) {
        match best.iter_mut().find(|held| held.section == pair.section) {
            Some(held) if pair.weight() > held.weight() => *held = pair,
            Some(_) => {}
            None => best.push(pair),
        }
    }
    let points = best.iter().map(|pair| Point {
        // Which way is better is not for a comparison to say.
        level: Level::Good,
        text: format!(
            "{}: {} here, {} there",
            pair.metric.title,
            shown(pair.metric.value.unwrap_or_default(), pair.metric.unit),
            shown(pair.other, pair.metric.unit)
        ),
        metric: Some(pair.metric.key.clone()),
    });
    points.collect()
}
