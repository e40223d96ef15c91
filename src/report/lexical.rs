use super::figure::Reading;
use super::{Context, Metric, Section, Unit, bands};
use crate::metrics::{Corpus, bootstrap, mtld, parallel};
use crate::record::Sample;

/// Fewer words say nothing of a conversation's vocabulary.
const LEAST_WORDS: usize = 50;

/// How rich the words are.
#[must_use]
pub fn lexical(samples: &[&Sample], context: &Context<'_>) -> Section {
    let texts: Vec<String> = samples.iter().map(|sample| whole(sample)).collect();
    let corpus = Corpus::of(texts.iter().map(String::as_str));
    let long: Vec<&Vec<u32>> = corpus
        .texts()
        .iter()
        .filter(|text| text.len() >= LEAST_WORDS)
        .collect();
    let found: Vec<f64> = parallel::map(&long, context.threads, |text| mtld(text))
        .into_iter()
        .flatten()
        .collect();
    let draw = context.draw.child("lexical");
    let metric = Metric::new(
        "lexical.mtld",
        "MTLD of a conversation",
        Unit::Number,
        bootstrap::mean(found.iter().copied()),
    )
    .within(bootstrap::mean_interval(&found, 0.95, draw.child("mtld")))
    .band(Some(bands::mtld()))
    .note(format!(
        "mean of {} conversations of {LEAST_WORDS} words and more",
        found.len()
    ))
    .read(Reading {
        measures: "How many words go by, on average, before a conversation's words repeat themselves (different words fall to 0.72 of all).",
        below: "words come again sooner than people's do, as with set phrases or a narrow topic",
        inside: "as varied as people talk",
        above: "denser than people talk, which reads as written prose rather than speech",
        way: "",
    });
    Section {
        key: "lexical".into(),
        title: "Words".into(),
        about: "How rich the vocabulary is, whatever the length of texts.".into(),
        metrics: vec![metric],
        charts: Vec::new(),
        tables: Vec::new(),
    }
}

/// All that is said, as one text.
fn whole(sample: &Sample) -> String {
    let texts: Vec<&str> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    texts.join("\n")
}
