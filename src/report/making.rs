use std::collections::BTreeMap;

use super::counts::{bars, counted, number, percent, percent_of, plain, share};
use super::pace;
use super::{Chart, ChartKind, Making, Material, Metric, Section, Series, Table, Unit};
use crate::record::{GuardKind, Sample};

/// Rows of a table of places.
const NAMED: usize = 20;

/// How a run came by its conversations: what was planned and what is there, attempts, retries and guards.
pub(super) fn sections(material: &Material) -> Vec<Section> {
    let kept = material.kept();
    let mut sections = Vec::new();
    if let Some(making) = &material.making {
        sections.push(coverage(making, &kept));
        sections.push(attempts(making, material, &kept));
    } else if kept.len() < material.samples.len() {
        let yes: Vec<bool> = material.samples.iter().map(Sample::is_kept).collect();
        let failed: Vec<bool> = yes.iter().map(|kept| !kept).collect();
        let (value, interval) = share(&failed);
        sections.push(Section {
            key: "making".to_owned(),
            title: "Errors".to_owned(),
            about: "Rows that say that they could not be made.".to_owned(),
            metrics: vec![
                Metric::new("making.errors", "rows with an error", Unit::Share, value)
                    .within(interval)
                    .read(plain(
                        "Rows that hold an error instead of a conversation.",
                        "",
                    )),
            ],
            charts: Vec::new(),
            tables: Vec::new(),
        });
    }
    sections
}

/// A value of an axis: what the plan has of it, and what is kept.
pub(super) struct Covered<'a> {
    pub(super) axis: &'a str,
    pub(super) value: String,
    pub(super) planned: f64,
    pub(super) kept: f64,
    /// Whether chance alone would hardly part them so far: two standard errors.
    pub(super) beyond_chance: bool,
}

impl Covered<'_> {
    pub(super) fn deviation(&self) -> f64 {
        self.kept - self.planned
    }
}

/// The value of a sample on an axis of the plan.
fn on(axis: &str, sample: &Sample) -> Option<String> {
    match axis {
        "kind" => Some(sample.kind.name().to_owned()),
        "participants" => Some(sample.speakers.len().to_string()),
        "outcome" => Some(sample.outcome.map_or("cut", |own| own.name()).to_owned()),
        _ => sample.fields.get(axis).cloned(),
    }
}

/// Every value of every axis with the shares that the plan and the kept conversations have of it. An axis that only one
/// kind of conversations has is shared among those.
pub(super) fn covered<'a>(making: &'a Making, kept: &[&Sample]) -> Vec<Covered<'a>> {
    let mut found = Vec::new();
    for (axis, planned) in &making.planned {
        let support = ["tone", "style", "page", "outcome", "cooperation", "product"].contains(axis);
        let mut own: BTreeMap<String, usize> = BTreeMap::new();
        for sample in kept {
            let of_kind = match (support, *axis) {
                (true, _) => sample.kind == crate::record::Kind::Support,
                (false, "participants") => sample.kind == crate::record::Kind::Group,
                _ => true,
            };
            if let Some(value) = on(axis, sample).filter(|_| of_kind) {
                *own.entry(value).or_default() += 1;
            }
        }
        let (all_planned, all_kept): (usize, usize) = (planned.values().sum(), own.values().sum());
        if all_planned == 0 || all_kept == 0 {
            continue;
        }
        let values: std::collections::BTreeSet<&String> =
            planned.keys().chain(own.keys()).collect();
        for value in values {
            let of = |counts: &BTreeMap<String, usize>, all: usize| {
                number(counts.get(value).copied().unwrap_or(0)) / number(all)
            };
            let (plan, kept) = (of(planned, all_planned), of(&own, all_kept));
            let spread = (plan * (1.0 - plan) / number(all_kept)).sqrt();
            found.push(Covered {
                axis,
                value: value.clone(),
                planned: plan,
                kept,
                beyond_chance: (kept - plan).abs() > 2.0 * spread,
            });
        }
    }
    found
}

/// The values that are furthest from their plan, that first.
pub(super) fn furthest(covered: Vec<Covered<'_>>) -> Vec<Covered<'_>> {
    let mut covered = covered;
    covered.sort_by(|a, b| {
        let far = b.deviation().abs().total_cmp(&a.deviation().abs());
        far.then_with(|| (a.axis, &a.value).cmp(&(b.axis, &b.value)))
    });
    covered
}

fn coverage(making: &Making, kept: &[&Sample]) -> Section {
    let all = covered(making, kept);
    let mut charts: Vec<Chart> = pace::chart(&making.timeline).into_iter().collect();
    let mut tables = Vec::new();
    for axis in making.planned.keys() {
        let own: Vec<&Covered> = all.iter().filter(|one| one.axis == *axis).collect();
        if own.len() < 2 {
            continue;
        }
        let title = axis.replace('_', " ");
        if own.len() <= NAMED {
            charts.push(Chart {
                key: format!("coverage.{axis}"),
                title: format!("{title}: planned and kept"),
                kind: ChartKind::Bars,
                x: title.clone(),
                y: "per cent".to_owned(),
                labels: own.iter().map(|one| one.value.clone()).collect(),
                series: vec![
                    Series {
                        name: "planned".to_owned(),
                        values: own.iter().map(|one| 100.0 * one.planned).collect(),
                    },
                    Series {
                        name: "kept".to_owned(),
                        values: own.iter().map(|one| 100.0 * one.kept).collect(),
                    },
                ],
            });
        }
        tables.push(Table {
            title: format!("{title}: planned and kept"),
            columns: [title.as_str(), "planned", "kept", "points apart"]
                .map(str::to_owned)
                .to_vec(),
            rows: own
                .iter()
                .map(|one| {
                    vec![
                        one.value.clone(),
                        percent(one.planned),
                        percent(one.kept),
                        format!("{:+.1}", 100.0 * one.deviation()),
                    ]
                })
                .collect(),
        });
    }
    let all = furthest(all);
    let first = all.first();
    Section {
        key: "coverage".to_owned(),
        title: "Plan and result".to_owned(),
        about: "What the plan's finished places were to be like, and what the conversations kept for them are. Outcomes are what happened, whatever was planned.".to_owned(),
        metrics: vec![
            Metric::new("coverage.places", "finished places", Unit::Count, Some(number(making.places)))
                .read(plain("Places of the plan with nothing left to be made, from the first on.", "")),
            Metric::new("coverage.empty", "empty places", Unit::Count, Some(number(making.empty.len())))
                .read(plain("Places whose attempts were all turned down or failed.", "Each is a hole in the mix.")),
            Metric::new(
                "coverage.furthest",
                "furthest from the plan",
                Unit::Share,
                first.map(|one| one.deviation().abs()),
            )
            .note(first.filter(|one| one.deviation() != 0.0).map(|one| {
                format!(
                    "{} {}: {} planned, {} kept",
                    one.axis.replace('_', " "),
                    one.value,
                    percent(one.planned),
                    percent(one.kept)
                )
            }).unwrap_or_default())
            .read(plain(
                "Of all values of all axes, the largest distance between its share of the plan and of what is kept.",
                "Small corpora are apart by chance.",
            )),
        ],
        charts,
        tables,
    }
}

fn attempts(making: &Making, material: &Material, kept: &[&Sample]) -> Section {
    let all = material.samples.len() + making.failed.len();
    let ends: Vec<bool> = (0..all).map(|at| at < kept.len()).collect();
    let (rate, interval) = share(&ends);
    let first: Vec<bool> = making.kept_at.iter().map(|at| *at == Some(0)).collect();
    let (at_once, first_interval) = share(&first);
    let turns: usize = material
        .samples
        .iter()
        .map(|sample| sample.turns.len())
        .sum();
    let hits = counted(
        material
            .samples
            .iter()
            .flat_map(|sample| &sample.turns)
            .flat_map(|turn| &turn.rejected)
            .map(|rejected| guard(rejected.hit.kind)),
    );
    let hit: usize = hits.iter().map(|(_, n)| n).sum();
    let mut tries: Vec<usize> = Vec::new();
    for at in making.kept_at.iter().flatten() {
        tries.resize(tries.len().max(at + 1), 0);
        tries[*at] += 1;
    }
    let tries: Vec<(String, usize)> = tries
        .iter()
        .enumerate()
        .map(|(at, n)| (format!("try {}", at + 1), *n))
        .collect();
    let mut charts = Vec::new();
    if tries.len() > 1 {
        charts.push(bars("making.tries", "Which try was kept", "places", &tries));
    }
    let mut tables = Vec::new();
    if !hits.is_empty() {
        charts.push(bars(
            "making.guards",
            "Replies that guards turned down",
            "replies",
            &hits,
        ));
        tables.push(Table {
            title: "Replies that guards turned down".to_owned(),
            columns: ["guard", "replies", "of all turns"]
                .map(str::to_owned)
                .to_vec(),
            rows: hits
                .iter()
                .map(|(name, n)| vec![name.clone(), n.to_string(), percent_of(*n, turns)])
                .collect(),
        });
    }
    if !making.empty.is_empty() {
        tables.push(Table {
            title: format!("Empty places: {}", making.empty.len()),
            columns: ["what was asked for", "why"].map(str::to_owned).to_vec(),
            rows: making
                .empty
                .iter()
                .take(NAMED)
                .map(|(task, why)| vec![task.clone(), why.clone()])
                .collect(),
        });
    }
    Section {
        key: "making".to_owned(),
        title: "Errors and retries".to_owned(),
        about: "What it took to get the conversations: attempts that were turned down or failed, and replies that a guard had made again. Nothing of it is deleted; the journal has it all.".to_owned(),
        metrics: vec![
            Metric::new("making.attempts", "attempts", Unit::Count, Some(number(all)))
                .read(plain("Conversations that were begun at these places.", "")),
            Metric::new("making.kept", "attempts kept", Unit::Share, rate)
                .within(interval)
                .read(plain("Attempts that became a kept conversation.", "What is turned down costs time, and says what the model is bad at.")),
            Metric::new("making.first", "places kept at the first try", Unit::Share, at_once)
                .within(first_interval)
                .read(plain("Places whose first attempt was kept.", "")),
            Metric::new(
                "making.guard_hits",
                "replies made again",
                Unit::Share,
                (turns > 0).then(|| number(hit) / number(turns)),
            )
            .read(plain("Replies that a guard turned down, for each turn that stands.", "Many mean that the model does not hold its part.")),
        ],
        charts,
        tables,
    }
}

/// The name of a guard, for people.
fn guard(kind: GuardKind) -> String {
    let name = serde_json::to_value(kind).ok();
    let name = name.as_ref().and_then(serde_json::Value::as_str);
    name.unwrap_or_default().replace('_', " ")
}
