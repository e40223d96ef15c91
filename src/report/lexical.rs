use super::figure::Reading;
use super::texts::{estimate, estimate_mean, whole};
use super::{Chart, ChartKind, Context, Metric, Section, Series, Unit, bands};
use crate::metrics::{Corpus, bootstrap, distinct, hdd, mattr, mtld, parallel};
use crate::record::Sample;

/// Fewer words say nothing of a conversation's vocabulary.
const LEAST_WORDS: usize = 50;
/// Lengths to which conversations are cut: the longest that half of them have.
const CUTS: [usize; 2] = [100, 50];
/// Words of a draw for figures that fall as a corpus grows: what the smallest of runs has.
const BUDGET: usize = 2000;
/// Draws.
const DRAWS: u64 = 40;
/// Width of a bar of the histogram.
const BIN: usize = 10;

/// How rich the words are.
#[must_use]
pub fn lexical(samples: &[&Sample], context: &Context<'_>) -> Section {
    let texts: Vec<String> = samples.iter().map(|sample| whole(sample)).collect();
    let corpus = Corpus::of(texts.iter().map(String::as_str));
    let (of_mtld, values) = mtld_of(&corpus, context);
    let mut metrics = vec![of_mtld];
    metrics.extend(at_equal_length(&corpus, context));
    metrics.extend(distinct_runs(samples, context));
    Section {
        key: "lexical".into(),
        title: "Words".into(),
        about: "How rich the vocabulary is, whatever the length of conversations and the size of the corpus.".into(),
        metrics,
        charts: histogram(&values).into_iter().collect(),
        tables: Vec::new(),
    }
}

fn mtld_of(corpus: &Corpus, context: &Context<'_>) -> (Metric, Vec<f64>) {
    let long: Vec<&Vec<u32>> = long_enough(corpus, LEAST_WORDS);
    let found: Vec<f64> = parallel::map(&long, context.threads, |text| mtld(text))
        .into_iter()
        .flatten()
        .collect();
    let (mean, interval) = estimate_mean(&found, context.draw.child("lexical.mtld"), context);
    let metric = Metric::new("lexical.mtld", "MTLD of a conversation", Unit::Number, mean)
        .within(interval)
        .band(Some(bands::mtld()))
        .note(of_so_many(found.len(), corpus.len(), LEAST_WORDS))
        .read(Reading {
            measures: "How many words go by before a conversation's words come again (different words fall to 0.72 of all), on average.",
            below: "words come again sooner than with people, as in set phrases or on a narrow topic",
            inside: "as varied as people talk",
            above: "denser than people talk, more like written prose than like speech",
            ..Reading::NONE
        });
    (metric, found)
}

/// HD-D and MATTR over the first words of each conversation, all of one length.
fn at_equal_length(corpus: &Corpus, context: &Context<'_>) -> [Metric; 2] {
    let has = |cut: usize| long_enough(corpus, cut).len();
    let cut = CUTS
        .into_iter()
        .find(|cut| 2 * has(*cut) >= corpus.len().max(1))
        .unwrap_or(CUTS[CUTS.len() - 1]);
    let texts: Vec<&[u32]> = long_enough(corpus, cut)
        .into_iter()
        .map(|text| &text[..cut])
        .collect();
    let of = |key: &str, title: &str, measure: fn(&[u32]) -> Option<f64>, measures| {
        let found: Vec<f64> = parallel::map(&texts, context.threads, |text| measure(text))
            .into_iter()
            .flatten()
            .collect();
        let (mean, interval) = estimate_mean(&found, context.draw.child(key), context);
        Metric::new(key, title, Unit::Share, mean)
            .within(interval)
            .note(format!(
                "the first {cut} words of each conversation, so that all are equally long; {}",
                of_so_many(found.len(), corpus.len(), cut)
            ))
            .read(Reading {
                measures,
                way: "More is more varied; it is steady over lengths, so runs may be compared by it, but no published band is known for conversations.",
                ..Reading::NONE
            })
    };
    [
        of(
            "lexical.hdd",
            "HD-D (42)",
            hdd,
            "The share of different words among 42 that are drawn from a conversation.",
        ),
        of(
            "lexical.mattr",
            "MATTR (50)",
            mattr,
            "The share of different words in a window of 50, averaged over all windows of a conversation.",
        ),
    ]
}

fn distinct_runs(samples: &[&Sample], context: &Context<'_>) -> Vec<Metric> {
    let turns = samples.iter().flat_map(|sample| &sample.turns);
    let corpus = Corpus::of(turns.map(|turn| turn.text.as_str()));
    let draw = context.draw.child("lexical.distinct");
    let nths: Vec<u64> = (0..DRAWS).collect();
    let drawn: Vec<Corpus> = parallel::map(&nths, context.threads, |nth| {
        corpus.of_words(BUDGET, draw.at(*nth))
    })
    .into_iter()
    .flatten()
    .collect();
    let of = |n: usize| {
        let key = format!("lexical.distinct_{n}");
        let found: Vec<f64> = parallel::map(&drawn, context.threads, |some| distinct(some, n))
            .into_iter()
            .flatten()
            .collect();
        let title = format!("Distinct-{n}");
        Metric::new(&key, &title, Unit::Share, bootstrap::mean(found.iter().copied()))
            .within(estimate(&pairs(&found), context.draw.child(&key), context).1)
            .note(if drawn.is_empty() {
                format!("the corpus has fewer than {BUDGET} words")
            } else {
                format!(
                    "{BUDGET} words of turns drawn at random, so that corpora of any size compare; mean of {DRAWS} draws, the interval is over them"
                )
            })
            .read(Reading {
                measures: match n {
                    1 => "The share of different words among all words.",
                    2 => "The share of different pairs of words among all pairs.",
                    _ => "The share of different runs of three words among all of them.",
                },
                way: "Less means that the same words return from turn to turn; templates show in pairs and runs of three first.",
                ..Reading::NONE
            })
    };
    (1..=3).map(of).collect()
}

fn pairs(values: &[f64]) -> Vec<(f64, f64)> {
    values.iter().map(|value| (*value, 1.0)).collect()
}

fn long_enough(corpus: &Corpus, words: usize) -> Vec<&Vec<u32>> {
    let texts = corpus.texts().iter();
    texts.filter(|text| text.len() >= words).collect()
}

fn of_so_many(some: usize, all: usize, words: usize) -> String {
    format!("mean of {some} of {all} conversations, those of {words} words and more")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bins of a histogram"
)]
fn histogram(values: &[f64]) -> Option<Chart> {
    const BINS: usize = 20;
    if values.is_empty() {
        return None;
    }
    let mut counts = [0usize; BINS];
    for value in values {
        counts[((value / BIN as f64) as usize).min(BINS - 1)] += 1;
    }
    let bins = counts.iter().rposition(|count| *count > 0)? + 1;
    Some(Chart {
        key: "lexical.mtld".into(),
        title: "MTLD by conversation".into(),
        kind: ChartKind::Histogram,
        x: "MTLD".into(),
        y: "conversations".into(),
        labels: (0..bins)
            .map(|bin| {
                let from = bin * BIN;
                if bin + 1 == BINS {
                    format!("{from}+")
                } else {
                    format!("{from}–{}", from + BIN)
                }
            })
            .collect(),
        series: vec![Series {
            name: "conversations".into(),
            values: counts[..bins].iter().map(|count| *count as f64).collect(),
        }],
    })
}
