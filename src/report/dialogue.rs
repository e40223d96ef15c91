use super::figure::Reading;
use super::texts::{estimate, estimate_mean};
use super::{Chart, ChartKind, Context, Metric, Section, Series, Unit};
use crate::guards::{Candidate, Instructions, Utterance, begins_anew, check_for};
use crate::metrics::{evenness, gini, parallel};
use crate::record::{GuardKind, Kind, Sample};

/// Places in a conversation that the chart tells apart; later turns count with the last.
const PLACES: usize = 16;

/// What can be wrong with a turn, and its figure.
const FAULTS: [Fault; 6] = [
    Fault {
        key: "dialogue.echo",
        title: "Echoes",
        is: |turn| has(GuardKind::Echo, turn),
        reading: Reading {
            measures: "The share of turns that say another speaker's turn back.",
            way: "Echoes grow with the length of a conversation where a model loses track of who it is; there should be none.",
            none: "There are none, as it should be.",
            ..Reading::NONE
        },
    },
    Fault {
        key: "dialogue.restart",
        title: "Restarts",
        is: |turn| begins_anew(turn),
        reading: Reading {
            measures: "The share of turns that begin the conversation anew: a greeting or an opening in its middle.",
            way: "A model that restarts has lost what was said; there should be none.",
            none: "There are none, as it should be.",
            ..Reading::NONE
        },
    },
    Fault {
        key: "dialogue.role_confusion",
        title: "Role confusion",
        is: |turn| has(GuardKind::RoleLeak, turn),
        reading: Reading {
            measures: "The share of turns that speak as the other side, or name their speaker as a script would.",
            way: "Trained on such turns, a model takes the wrong part; there should be none.",
            none: "There are none, as it should be.",
            ..Reading::NONE
        },
    },
    Fault {
        key: "dialogue.repeat",
        title: "Repeats",
        is: |turn| has(GuardKind::Repeat, turn) && !begins_anew(turn),
        reading: Reading {
            measures: "The share of turns that say an own earlier turn again, or one sentence twice.",
            way: "Repeats are how conversations get stuck; there should be next to none.",
            none: "There are none, as it should be.",
            ..Reading::NONE
        },
    },
    Fault {
        key: "dialogue.meta_talk",
        title: "Meta talk",
        is: |turn| has(GuardKind::MetaTalk, turn),
        reading: Reading {
            measures: "The share of turns that talk about being a model, or about the conversation as a text.",
            way: "It breaks the part; there should be none.",
            none: "There are none, as it should be.",
            ..Reading::NONE
        },
    },
    Fault {
        key: "dialogue.thanks_loop",
        title: "Courtesy after courtesy",
        is: |turn| has(GuardKind::ThanksLoop, turn),
        reading: Reading {
            measures: "The share of turns that are nothing but thanks and goodbyes after the same.",
            way: "Conversations that do not find their end have many.",
            none: "There are none, as it should be.",
            ..Reading::NONE
        },
    },
];

struct Fault {
    key: &'static str,
    title: &'static str,
    is: fn(&Candidate<'_>) -> bool,
    reading: Reading,
}

fn has(kind: GuardKind, turn: &Candidate<'_>) -> bool {
    check_for(kind, turn).is_some()
}

/// Whether speakers stay who they are, and how they share the floor.
#[must_use]
pub fn dialogue(samples: &[&Sample], context: &Context<'_>) -> Section {
    let found = parallel::map(samples, context.threads, |sample| faults(sample));
    let mut metrics: Vec<Metric> = FAULTS
        .iter()
        .enumerate()
        .map(|(nth, fault)| {
            #[expect(clippy::cast_precision_loss, reason = "counts of turns")]
            let parts: Vec<(f64, f64)> = found
                .iter()
                .map(|turns| {
                    let wrong = turns.iter().filter(|turn| turn[nth]).count();
                    (wrong as f64, turns.len() as f64)
                })
                .collect();
            let (value, interval) = estimate(&parts, context.draw.child(fault.key), context);
            Metric::new(fault.key, fault.title, Unit::Share, value)
                .within(interval)
                .note("by rule: phrases are English, comparisons hold for all languages")
                .read(fault.reading)
        })
        .collect();
    metrics.extend(floor(samples, context));
    Section {
        key: "dialogue".into(),
        title: "Dialogue".into(),
        about: "Whether speakers stay who they are and go forward, and how they share the floor. The rules are those that guard a run's replies, so what they turned down there is not here; on files of others they count what nobody turned down.".into(),
        metrics,
        charts: by_place(&found).into_iter().collect(),
        tables: Vec::new(),
    }
}

/// What is wrong with each turn, in the order of [`FAULTS`].
fn faults(sample: &Sample) -> Vec<[bool; FAULTS.len()]> {
    let instructions = Instructions::default();
    let texts: Vec<Utterance> = sample
        .turns
        .iter()
        .map(|turn| Utterance::new(&turn.text))
        .collect();
    let of = |at: usize| {
        let turn = &sample.turns[at];
        let before = |own: bool| -> Vec<&Utterance> {
            (0..at)
                .filter(|other| (sample.turns[*other].speaker == turn.speaker) == own)
                .map(|other| &texts[other])
                .collect()
        };
        let (own, other) = (before(true), before(false));
        let name = |at: usize| sample.speakers.get(at).map_or("", |who| who.name.as_str());
        let others: Vec<&str> = (0..sample.speakers.len())
            .filter(|at| *at != turn.speaker)
            .map(name)
            .filter(|name| !name.is_empty())
            .collect();
        let candidate = Candidate {
            speaker: sample.role(turn),
            text: &texts[at],
            truncated: false,
            own: &own,
            other: &other,
            instructions: &instructions,
            own_name: name(turn.speaker),
            other_names: &others,
            max_words: usize::MAX,
        };
        FAULTS.map(|fault| (fault.is)(&candidate))
    };
    (0..sample.turns.len()).map(of).collect()
}

/// How the floor is shared.
fn floor(samples: &[&Sample], context: &Context<'_>) -> [Metric; 2] {
    let of = |key: &str, title: &str, measure: fn(&[usize]) -> Option<f64>, reading: Reading| {
        let found: Vec<f64> = parallel::map(samples, context.threads, |sample| {
            let mut turns = vec![0; sample.speakers.len()];
            for turn in &sample.turns {
                if let Some(count) = turns.get_mut(turn.speaker) {
                    *count += 1;
                }
            }
            measure(&turns)
        })
        .into_iter()
        .flatten()
        .collect();
        let (value, interval) = estimate_mean(&found, context.draw.child(key), context);
        let two_sides = samples.iter().all(|sample| sample.kind == Kind::Support);
        Metric::new(key, title, Unit::Number, value)
            .within(interval)
            .note(if two_sides {
                "two sides that take turns: it says how often one of them has a turn more"
            } else {
                "those who never speak count as speakers"
            })
            .read(reading)
    };
    [
        of(
            "dialogue.speaker_entropy",
            "Speaker entropy",
            evenness,
            Reading {
                measures: "How evenly the turns of a conversation are shared: the entropy of who speaks over its most, 0 to 1.",
                way: "1 is the same number of turns for everyone, 0 a monologue; people are uneven, so a group that is at 1 throughout goes round the table.",
                ..Reading::NONE
            },
        ),
        of(
            "dialogue.turn_gini",
            "Gini of turns",
            gini,
            Reading {
                measures: "How unevenly the turns of a conversation are shared, 0 to 1.",
                way: "0 is the same number of turns for everyone; the nearer to 1, the more one speaker has the floor.",
                ..Reading::NONE
            },
        ),
    ]
}

/// Shares of faults by place in the conversation.
#[expect(clippy::cast_precision_loss, reason = "counts of turns")]
fn by_place(found: &[Vec<[bool; FAULTS.len()]>]) -> Option<Chart> {
    let mut turns = [0usize; PLACES];
    let mut wrong = [[0usize; PLACES]; FAULTS.len()];
    for conversation in found {
        for (at, turn) in conversation.iter().enumerate() {
            let place = at.min(PLACES - 1);
            turns[place] += 1;
            for (nth, is) in turn.iter().enumerate() {
                wrong[nth][place] += usize::from(*is);
            }
        }
    }
    let places = turns.iter().rposition(|count| *count > 0)? + 1;
    let label = |place: usize| {
        let more = if place + 1 == PLACES { "+" } else { "" };
        format!("{}{more}", place + 1)
    };
    Some(Chart {
        key: "dialogue.faults".into(),
        title: "Faults by place in the conversation".into(),
        kind: ChartKind::Line,
        x: "turn".into(),
        y: "share of turns".into(),
        labels: (0..places).map(label).collect(),
        series: FAULTS
            .iter()
            .zip(&wrong)
            .map(|(fault, wrong)| Series {
                name: fault.title.to_owned(),
                values: (0..places)
                    .map(|place| wrong[place] as f64 / turns[place].max(1) as f64)
                    .collect(),
            })
            .collect(),
    })
}
