use super::counts::{number, percent};
use super::figure::shown;
use super::making::{covered, furthest};
use super::{Headline, Level, Material, Metric, Place, Point, Rejects, Section};

/// What rules look at.
struct Seen<'a> {
    material: &'a Material,
    kept: usize,
    sections: &'a [Section],
    rejects: &'a [Rejects],
}

/// A rule of the headline.
struct Rule {
    /// Why it matters to whoever trains on the corpus. For readers of this table.
    #[expect(dead_code, reason = "the table's own documentation")]
    because: &'static str,
    points: fn(&Seen) -> Vec<Point>,
}

/// Fewer conversations than this say little of a recipe.
const FEW: usize = 100;

/// The rules, the gravest first.
const RULES: &[Rule] = &[
    Rule {
        because: "without conversations there is nothing to judge",
        points: nothing,
    },
    Rule {
        because: "the demo model is for trying the pipeline; its data teach nothing",
        points: demo,
    },
    Rule {
        because: "the recipe's mix is what the corpus was made for; what differs by chance alone is not counted",
        points: quotas,
    },
    Rule {
        because: "a place without a conversation is a hole in the mix, and holes are where the model is weakest",
        points: empty,
    },
    Rule {
        because: "near twins teach nothing new and leak between splits",
        points: twins,
    },
    Rule {
        because: "who trains on what people would not say learns to talk like that; only intervals that lie outside count",
        points: bands,
    },
    Rule {
        because: "a model that is turned down often makes what is kept as well, just below the bar",
        points: turned_down,
    },
    Rule {
        because: "rows that cannot be read are missing from every figure",
        points: unread,
    },
    Rule {
        because: "intervals of a small sample are wide: absence of findings is no proof",
        points: few,
    },
];

fn point(level: Level, metric: Option<&str>, text: impl Into<String>) -> Vec<Point> {
    vec![Point {
        level,
        text: text.into(),
        metric: metric.map(str::to_owned),
    }]
}

fn nothing(seen: &Seen) -> Vec<Point> {
    if seen.kept > 0 {
        return Vec::new();
    }
    let most = seen.rejects.first().map(|first| {
        format!(
            "; the most frequent reason is {}",
            first.reason.replace('_', " ")
        )
    });
    point(
        Level::Poor,
        Some("shape.conversations"),
        format!("nothing is kept{}", most.unwrap_or_default()),
    )
}

fn demo(seen: &Seen) -> Vec<Point> {
    if !seen.material.source.demo {
        return Vec::new();
    }
    point(
        Level::Poor,
        None,
        "data of the demo model, for trying the pipeline and not for training",
    )
}

fn quotas(seen: &Seen) -> Vec<Point> {
    let Some(making) = &seen.material.making else {
        return Vec::new();
    };
    let kept = seen.material.kept();
    let missed = furthest(covered(making, &kept));
    let missed: Vec<_> = missed
        .iter()
        .filter(|one| one.beyond_chance && one.deviation().abs() > 0.05)
        .collect();
    let Some(worst) = missed.first() else {
        return Vec::new();
    };
    let level = if worst.deviation().abs() > 0.15 {
        Level::Poor
    } else {
        Level::Mixed
    };
    let others = match missed.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more values are off"),
    };
    point(
        level,
        Some("coverage.furthest"),
        format!(
            "{} {}: {} of the plan, {} of what is kept{others}",
            worst.axis.replace('_', " "),
            worst.value,
            percent(worst.planned),
            percent(worst.kept),
        ),
    )
}

fn empty(seen: &Seen) -> Vec<Point> {
    let Some(making) = &seen.material.making else {
        return Vec::new();
    };
    let share = number(making.empty.len()) / number(making.places.max(1));
    let level = match share {
        share if share > 0.1 => Level::Poor,
        share if share > 0.02 => Level::Mixed,
        _ => return Vec::new(),
    };
    point(
        level,
        Some("coverage.empty"),
        format!(
            "{} of {} places stayed empty",
            making.empty.len(),
            making.places
        ),
    )
}

/// All figures, of all sections.
fn metrics<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Metric> + use<'a> {
    seen.sections.iter().flat_map(|section| &section.metrics)
}

fn twins(seen: &Seen) -> Vec<Point> {
    metrics(seen)
        .filter(|metric| metric.key.starts_with("redundancy.near") && metric.band.is_none())
        .filter_map(|metric| {
            let value = metric.value?;
            // What a small sample shows may be chance: at least the interval's lower end counts.
            let sure = metric.interval.map_or(value, |interval| interval.low);
            let level = match (value, sure) {
                (value, sure) if value > 0.1 && sure > 0.05 => Level::Poor,
                (value, sure) if value > 0.01 && sure > 0.0 => Level::Mixed,
                _ => return None,
            };
            let text = format!("{}: {}", metric.title, shown(value, metric.unit));
            Some(point(level, Some(&metric.key), text))
        })
        .flatten()
        .collect()
}

fn bands(seen: &Seen) -> Vec<Point> {
    let mut found: Vec<(f64, Vec<Point>)> = metrics(seen)
        .filter_map(|metric| {
            let (value, band) = (metric.value?, metric.band.as_ref()?);
            let side = match metric.place()? {
                Place::Inside => return None,
                Place::Below => "below",
                Place::Above => "above",
            };
            // In widths of the band; one without width counts by its value.
            let width = (band.high - band.low).max(0.1 * band.high.abs()).max(1e-9);
            let far = (band.low - value).max(value - band.high) / width;
            let text = format!(
                "{}: {}, {side} the {} to {} of human conversations",
                metric.title,
                shown(value, metric.unit),
                shown(band.low, metric.unit),
                shown(band.high, metric.unit),
            );
            let level = if far > 2.0 { Level::Poor } else { Level::Mixed };
            Some((far, point(level, Some(&metric.key), text)))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().flat_map(|(_, points)| points).collect()
}

fn turned_down(seen: &Seen) -> Vec<Point> {
    let all = seen.kept + seen.rejects.iter().map(|one| one.count).sum::<usize>();
    let share = 1.0 - number(seen.kept) / number(all.max(1));
    let level = match share {
        _ if seen.kept == 0 => return Vec::new(),
        share if share > 0.5 => Level::Poor,
        share if share > 0.25 => Level::Mixed,
        _ => return Vec::new(),
    };
    let first = seen.rejects.first();
    let reason = first.map(|first| first.reason.replace('_', " "));
    point(
        level,
        Some("making.kept"),
        format!(
            "{} of all attempts were turned down or failed, most for: {}",
            percent(share),
            reason.unwrap_or_default()
        ),
    )
}

fn unread(seen: &Seen) -> Vec<Point> {
    let skipped = seen.material.source.skipped;
    let share = number(skipped) / number((seen.material.samples.len() + skipped).max(1));
    if share <= 0.01 {
        return Vec::new();
    }
    point(
        Level::Mixed,
        None,
        format!("{skipped} rows hold no conversation, or are cut off"),
    )
}

fn few(seen: &Seen) -> Vec<Point> {
    if seen.kept == 0 || seen.kept >= FEW {
        return Vec::new();
    }
    point(
        Level::Mixed,
        Some("shape.conversations"),
        format!(
            "only {} conversation{}: figures are rough, and what is not found may still be there",
            seen.kept,
            if seen.kept == 1 { "" } else { "s" }
        ),
    )
}

impl Headline {
    /// What figures amount to.
    pub(super) fn of(material: &Material, sections: &[Section], rejects: &[Rejects]) -> Self {
        let seen = Seen {
            material,
            kept: material.source.conversations,
            sections,
            rejects,
        };
        let mut points: Vec<Point> = RULES.iter().flat_map(|rule| (rule.points)(&seen)).collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.level));
        let level = points.first().map_or(Level::Good, |point| point.level);
        let placed: Vec<Place> = metrics(&seen).filter_map(Metric::place).collect();
        let outside = placed.iter().filter(|place| **place != Place::Inside);
        let figures = match placed.len() {
            0 => String::new(),
            all => format!(
                "; {} of {all} figures with a human band lie outside it",
                outside.count()
            ),
        };
        let text = format!(
            "{}: {} conversation{}{figures}{}.",
            match level {
                Level::Good => "Good",
                Level::Mixed => "Worth a look",
                Level::Poor => "Poor",
            },
            seen.kept,
            if seen.kept == 1 { "" } else { "s" },
            match points.len() {
                0 => ", and nothing stands out".to_owned(),
                1 => ". One thing stands out".to_owned(),
                n => format!(". {n} things stand out"),
            }
        );
        Self {
            level,
            text,
            points,
        }
    }
}
