use super::figure::Reading;
use super::texts::{LEVEL, whole};
use super::{Context, Metric, Section, Unit};
use crate::metrics::{Corpus, Cosines, tfidf};
use crate::record::Sample;

/// Conversations that are compared with each other: Vendi scores compare for equal numbers only.
const MOST: usize = 500;

/// How far apart conversations are in what they are about.
#[must_use]
pub fn semantic(samples: &[&Sample], context: &Context<'_>) -> Section {
    let draw = context.draw.child("semantic");
    let mut chosen = draw.shuffle(samples.len());
    chosen.truncate(MOST);
    chosen.sort_unstable();
    let texts: Vec<String> = chosen.iter().map(|&at| whole(samples[at])).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embedded = context
        .embedder
        .map(|embedder| (embedder.name(), embedder.embed(&texts)));
    let by_words =
        || Cosines::of_words(&tfidf(&Corpus::of(texts.iter().copied())), context.threads);
    let (cosines, by) = match &embedded {
        Some((name, Ok(vectors))) => (
            Cosines::of_vectors(vectors, context.threads),
            format!("by vectors of {name}"),
        ),
        Some((_, Err(error))) => (
            by_words(),
            format!("by words (TF-IDF), since the embedder failed: {error}"),
        ),
        None => (
            by_words(),
            "by words (TF-IDF), since no embedder was given: other words for the same thing count as different".to_owned(),
        ),
    };
    let n = cosines.len();
    let sampled = if samples.len() > MOST {
        format!(
            "{n} of {} conversations, drawn at random; {by}",
            samples.len()
        )
    } else {
        format!("all {n} conversations; {by}")
    };
    let vendi = if n > 1 { cosines.vendi() } else { None };
    #[expect(clippy::cast_precision_loss, reason = "a number of conversations")]
    let share = vendi.map(|vendi| vendi / n as f64);
    let metrics = vec![
        Metric::new("semantic.vendi", "Vendi score", Unit::Number, vendi)
            .note(format!("{sampled}; no interval, since a conversation drawn twice adds nothing"))
            .read(Reading {
                measures: "How many different conversations there are in effect (the exponential of the entropy of how alike they are).",
                way: "1 would be one conversation over and over, the number of conversations no two alike; compare it for equal numbers only.",
                ..Reading::NONE
            }),
        Metric::new("semantic.vendi_share", "Vendi score of a conversation", Unit::Share, share)
            .note(sampled.clone())
            .read(Reading {
                measures: "The Vendi score over the number of conversations compared: the share of them that is new, in effect.",
                way: "More is more varied; it falls as more of the same is added.",
                ..Reading::NONE
            }),
        Metric::new("semantic.cosine", "Mean cosine of two conversations", Unit::Number, cosines.mean())
            .within(cosines.mean_interval(LEVEL, draw.child("interval"), context.threads))
            .note(sampled)
            .read(Reading {
                measures: "How alike two conversations are on average, from 0 (nothing in common) to 1 (the same).",
                way: "Less is more varied in topic; it hardly depends on how many there are, so corpora of any size compare, measured in the same way.",
                ..Reading::NONE
            }),
    ];
    Section {
        key: "semantic".into(),
        title: "Topics".into(),
        about: "How far apart conversations are in what they are about, whatever their words."
            .into(),
        metrics,
        charts: Vec::new(),
        tables: Vec::new(),
    }
}
