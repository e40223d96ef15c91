use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::counts::{bars, counted, decimal, histogram, number, percent_of, plain, ratio, share};
use super::figure::Reading;
use super::{Chart, Context, Metric, Section, Table, Unit, bands};
use crate::metrics;
use crate::metrics::parallel;
use crate::record::{EndReason, Kind, Outcome, Role, Sample};
use crate::rng::Stream;

/// Conversations that a table of outliers names.
const NAMED: usize = 20;
/// Values of an axis that a table names.
const VALUES: usize = 40;

/// Columns that conversations are told apart by, in the order of their tables.
const AXES: &[&str] = &[
    "tone",
    "style",
    "first_language",
    "cooperation",
    "cause",
    "product",
    "page",
    "topic",
    "split",
    "status",
];

/// How long conversations and their turns are, how they end, and what they are about. Of kept conversations.
#[must_use]
pub fn shape(samples: &[&Sample], context: &Context<'_>) -> Section {
    let draw = context.draw.child("shape");
    let lengths: Vec<Length> = parallel::map(samples, context.threads, |sample| Length::of(sample));
    let roles = roles(samples);
    let mut metrics = vec![
        Metric::new(
            "shape.conversations",
            "conversations",
            Unit::Count,
            Some(number(samples.len())),
        )
        .read(plain("Conversations that are kept.", "")),
    ];
    metrics.extend(turn_metrics(samples, &lengths, draw));
    for role in &roles {
        metrics.extend(role_metrics(*role, samples, &lengths, draw));
    }
    metrics.extend(end_metrics(samples));
    let mut charts = vec![histogram(
        "shape.turns",
        "Turns of a conversation",
        "turns",
        "conversations",
        &[(
            "conversations",
            lengths.iter().map(|length| length.turns.len()).collect(),
        )],
    )];
    let words_of = |role: &RoleOf| {
        let turns = lengths.iter().flat_map(|length| &length.turns);
        turns
            .filter(|turn| role.is(turn))
            .map(|turn| turn.words)
            .collect::<Vec<usize>>()
    };
    let series: Vec<(&str, Vec<usize>)> = roles
        .iter()
        .map(|role| (role.name(), words_of(role)))
        .collect();
    charts.push(histogram(
        "shape.words",
        "Words of a turn",
        "words",
        "turns",
        &series,
    ));
    charts.extend(end_charts(samples));
    let mut tables: Vec<Table> = AXES
        .iter()
        .filter_map(|axis| by_axis(axis, samples, &lengths))
        .collect();
    tables.extend(people(samples));
    tables.extend(outliers(samples, &lengths));
    Section {
        key: "shape".to_owned(),
        title: "Shape".to_owned(),
        about: "How long conversations and their turns are, how they end, and what they are about. Words are runs of letters and digits; intervals are over conversations.".to_owned(),
        metrics,
        charts,
        tables,
    }
}

/// How long a conversation is.
struct Length {
    turns: Vec<TurnLength>,
}

struct TurnLength {
    role: Option<Role>,
    words: usize,
    tokens: Option<usize>,
}

impl Length {
    fn of(sample: &Sample) -> Self {
        let turns = sample.turns.iter().filter(|turn| !turn.text.is_empty());
        Self {
            turns: turns
                .map(|turn| TurnLength {
                    role: sample.role(turn),
                    words: metrics::words(&turn.text).count(),
                    tokens: turn.tokens,
                })
                .collect(),
        }
    }

    fn words(&self) -> usize {
        self.turns.iter().map(|turn| turn.words).sum()
    }
}

/// Whose turns are looked at: one side's, or those of members of groups.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RoleOf(Option<Role>);

impl RoleOf {
    fn name(self) -> &'static str {
        self.0.map_or("member", Role::name)
    }

    fn is(self, turn: &TurnLength) -> bool {
        turn.role == self.0
    }
}

fn roles(samples: &[&Sample]) -> Vec<RoleOf> {
    let has = |role: Option<Role>| {
        let mut speakers = samples.iter().flat_map(|sample| &sample.speakers);
        speakers.any(|speaker| speaker.role == role)
    };
    [Some(Role::Customer), Some(Role::Agent), None]
        .into_iter()
        .filter(|role| has(*role))
        .map(RoleOf)
        .collect()
}

/// The kind of all of them, where it is one.
fn only_kind(samples: &[&Sample]) -> Option<Kind> {
    let kind = samples.first()?.kind;
    samples
        .iter()
        .all(|sample| sample.kind == kind)
        .then_some(kind)
}

fn turn_metrics(samples: &[&Sample], lengths: &[Length], draw: Stream) -> Vec<Metric> {
    let kind = only_kind(samples);
    let turns: Vec<(f64, f64)> = lengths
        .iter()
        .map(|length| (number(length.turns.len()), 1.0))
        .collect();
    let (value, interval) = ratio(&turns, draw.child("turns"));
    let turns = Metric::new("shape.turns", "turns a conversation", Unit::Number, value)
        .within(interval)
        .band((kind == Some(Kind::Support)).then(bands::support_turns))
        .read(Reading {
            measures: "Messages of one speaker each, of all sides together.",
            below: "most matters are not settled in so few",
            inside: "as long as people take",
            above: "longer than people take, which often means going in circles",
            ..Reading::NONE
        });
    let words: Vec<(f64, f64)> = lengths
        .iter()
        .map(|length| (number(length.words()), number(length.turns.len())))
        .collect();
    let (value, interval) = ratio(&words, draw.child("words"));
    let words = Metric::new("shape.words", "words a turn", Unit::Number, value)
        .within(interval)
        .band(kind.map(|kind| match kind {
            Kind::Support => bands::support_words(),
            Kind::Group => bands::group_words(),
        }))
        .read(Reading {
            measures: "Mean over all turns.",
            below: "turns are clipped",
            inside: "as much as people say at a time",
            above: "more than people say at a time, as models do that are not held back",
            ..Reading::NONE
        });
    vec![turns, words]
}

fn role_metrics(
    role: RoleOf,
    samples: &[&Sample],
    lengths: &[Length],
    draw: Stream,
) -> Vec<Metric> {
    let name = role.name();
    let draw = draw.child(name);
    let mut metrics = Vec::new();
    let mut add = |part: &str, title: String, reading: &'static str, pairs: Vec<(f64, f64)>| {
        let (value, interval) = ratio(&pairs, draw.child(part));
        if value.is_some() {
            let key = format!("shape.{name}.{part}");
            metrics.push(
                Metric::new(&key, &title, Unit::Number, value)
                    .within(interval)
                    .read(plain(reading, "")),
            );
        }
    };
    let own = |length: &Length| length.turns.iter().filter(|turn| role.is(turn)).count();
    let taking = samples.iter().zip(lengths).filter(|(sample, _)| {
        let mut speakers = sample.speakers.iter();
        speakers.any(|speaker| speaker.role == role.0)
    });
    let taking: Vec<&Length> = taking.map(|(_, length)| length).collect();
    add(
        "turns",
        format!("{name}: turns a conversation"),
        "Turns of this side in a conversation that it takes part in.",
        taking
            .iter()
            .map(|length| (number(own(length)), 1.0))
            .collect(),
    );
    let sum = |length: &Length, of: &dyn Fn(&TurnLength) -> Option<usize>| {
        let turns = length.turns.iter().filter(|turn| role.is(turn));
        let counts: Vec<usize> = turns.filter_map(of).collect();
        (number(counts.iter().sum()), number(counts.len()))
    };
    add(
        "words",
        format!("{name}: words a turn"),
        "Mean over all turns of this side.",
        taking
            .iter()
            .map(|length| sum(length, &|turn| Some(turn.words)))
            .collect(),
    );
    add(
        "tokens",
        format!("{name}: tokens a turn"),
        "Tokens as the model made them; of turns that no rule changed afterwards.",
        taking
            .iter()
            .map(|length| sum(length, &|turn| turn.tokens))
            .collect(),
    );
    metrics
}

fn end_metrics(samples: &[&Sample]) -> Vec<Metric> {
    let mut metrics = Vec::new();
    let known: Vec<bool> = samples
        .iter()
        .filter(|sample| sample.outcome.is_some() || sample.end_reason.is_some())
        .filter(|sample| sample.kind == Kind::Support)
        .map(|sample| sample.outcome == Some(Outcome::Resolved))
        .collect();
    if !known.is_empty() {
        let (value, interval) = share(&known);
        metrics.push(
            Metric::new("shape.resolved", "resolved", Unit::Share, value)
                .within(interval)
                .read(plain(
                    "Support conversations that end with the customer helped, of those whose end is known.",
                    "What it should be is for the recipe to say.",
                )),
        );
    }
    let ends: Vec<bool> = samples
        .iter()
        .filter_map(|sample| sample.end_reason)
        .map(|end| {
            matches!(
                end,
                EndReason::MaxTurns | EndReason::GuardCut | EndReason::Context
            )
        })
        .collect();
    if !ends.is_empty() {
        let (value, interval) = share(&ends);
        metrics.push(
            Metric::new("shape.cut", "ended by a limit", Unit::Share, value)
                .within(interval)
                .read(plain(
                    "Conversations that a limit of turns or of context, or a guard, ended, rather than somebody who takes part.",
                    "Few do among people.",
                )),
        );
    }
    metrics
}

fn end_charts(samples: &[&Sample]) -> Vec<Chart> {
    let ends = counted(
        samples
            .iter()
            .filter_map(|sample| Some(sample.end_reason?.name().replace('_', " "))),
    );
    let outcomes = counted(
        samples
            .iter()
            .filter_map(|sample| Some(sample.outcome?.name().to_lowercase())),
    );
    let mut charts = Vec::new();
    if !ends.is_empty() {
        charts.push(bars(
            "shape.end_reasons",
            "What ends conversations",
            "conversations",
            &ends,
        ));
    }
    if !outcomes.is_empty() {
        charts.push(bars(
            "shape.outcomes",
            "How they come out",
            "conversations",
            &outcomes,
        ));
    }
    charts
}

/// Length and outcome by the values of a column.
fn by_axis(axis: &str, samples: &[&Sample], lengths: &[Length]) -> Option<Table> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        if let Some(value) = sample.fields.get(axis) {
            groups.entry(value).or_default().push(at);
        }
    }
    // A column that says something else in every row is no axis.
    if groups.is_empty() || (groups.len() > VALUES && groups.len() * 2 > samples.len()) {
        return None;
    }
    let mut groups: Vec<(&str, Vec<usize>)> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(b.0)));
    let row = |name: String, places: &[usize]| {
        let turns: usize = places.iter().map(|&at| lengths[at].turns.len()).sum();
        let words: usize = places.iter().map(|&at| lengths[at].words()).sum();
        let outcomes: Vec<Outcome> = places
            .iter()
            .filter_map(|&at| samples[at].outcome)
            .collect();
        let of = |wanted: Outcome| {
            let own = outcomes.iter().filter(|outcome| **outcome == wanted);
            percent_of(own.count(), outcomes.len())
        };
        let mean = |sum: usize, n: usize| match n {
            0 => "–".to_owned(),
            n => decimal(number(sum) / number(n)),
        };
        vec![
            name,
            places.len().to_string(),
            percent_of(places.len(), samples.len()),
            mean(turns, places.len()),
            mean(words, turns),
            of(Outcome::Resolved),
            of(Outcome::Unresolved),
            of(Outcome::Abandoned),
        ]
    };
    let mut rows: Vec<Vec<String>> = groups
        .iter()
        .take(VALUES)
        .map(|(name, places)| row((*name).to_owned(), places))
        .collect();
    if groups.len() > VALUES {
        let rest: Vec<usize> = groups[VALUES..]
            .iter()
            .flat_map(|(_, places)| places.iter().copied())
            .collect();
        rows.push(row(format!("{} others", groups.len() - VALUES), &rest));
    }
    Some(Table {
        title: format!("By {}", axis.replace('_', " ")),
        columns: [
            axis,
            "conversations",
            "share",
            "turns",
            "words a turn",
            "resolved",
            "unresolved",
            "abandoned",
        ]
        .map(|name| name.replace('_', " "))
        .to_vec(),
        rows,
    })
}

/// Who speaks in group chats.
fn people(samples: &[&Sample]) -> Option<Table> {
    let mut people: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.kind == Kind::Group) {
        for (at, speaker) in sample.speakers.iter().enumerate() {
            let own = people.entry(&speaker.name).or_default();
            own.0 += 1;
            own.1 += sample
                .turns
                .iter()
                .filter(|turn| turn.speaker == at)
                .count();
        }
    }
    if people.is_empty() {
        return None;
    }
    let different = people.len();
    let mut people: Vec<(&str, (usize, usize))> = people.into_iter().collect();
    people.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let rows = people
        .iter()
        .take(VALUES)
        .map(|(name, (chats, turns))| {
            vec![(*name).to_owned(), chats.to_string(), turns.to_string()]
        })
        .collect();
    let title = if different > VALUES {
        format!("By person: {different} names, the most frequent {VALUES}")
    } else {
        format!("By person: {different} names")
    };
    Some(Table {
        title,
        columns: ["name", "chats", "turns"].map(str::to_owned).to_vec(),
        rows,
    })
}

/// Conversations far longer than the others: more than three times the middle half's width beyond it (Tukey's outer fence),
/// in turns or in words, and by more than a turn or a few words.
fn outliers(samples: &[&Sample], lengths: &[Length]) -> Option<Table> {
    let fence = |mut values: Vec<usize>, least: f64| {
        values.sort_unstable();
        let values: Vec<f64> = values.into_iter().map(number).collect();
        let low = metrics::bootstrap::quantile(&values, 0.25)?;
        let high = metrics::bootstrap::quantile(&values, 0.75)?;
        Some(high + (3.0 * (high - low)).max(least))
    };
    let turns = fence(lengths.iter().map(|own| own.turns.len()).collect(), 2.0)?;
    let words = fence(lengths.iter().map(Length::words).collect(), 40.0)?;
    let mut found: Vec<(&Sample, usize, usize)> = samples
        .iter()
        .zip(lengths)
        .map(|(sample, length)| (*sample, length.turns.len(), length.words()))
        .filter(|(_, own_turns, own_words)| {
            number(*own_turns) > turns || number(*own_words) > words
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    let all = found.len();
    found.sort_by_key(|(_, turns, words)| Reverse((*turns, *words)));
    Some(Table {
        title: format!(
            "Outliers: {all} of more than {} turns or {} words",
            decimal(turns),
            decimal(words)
        ),
        columns: ["id", "turns", "words"].map(str::to_owned).to_vec(),
        rows: found
            .iter()
            .take(NAMED)
            .map(|(sample, turns, words)| {
                vec![sample.id.clone(), turns.to_string(), words.to_string()]
            })
            .collect(),
    })
}
