use super::figure::Reading;
use super::texts::{LEVEL, Side, estimate, estimate_mean, whole};
use super::{Context, Metric, Section, Table, Unit};
use crate::augment::style::{asks, thanks};
use crate::metrics::{
    Corpus, Openers, bootstrap, budget, compression, parallel, resembling, self_bleu,
    self_repetition, words,
};
use crate::record::Sample;
use std::collections::{HashMap, HashSet};

/// Bytes of a draw that is compressed: what the smallest of runs has.
const BUDGET: usize = 10_000;
/// Bytes of all texts that are compressed as one at most: far more than a compressor looks back over.
const MOST_BYTES: usize = 16 << 20;
const DRAWS: u64 = 40;
/// Turns that are compared with each other for self-BLEU, and how often.
const BLEU_TURNS: usize = 500;
const BLEU_DRAWS: u64 = 5;
/// Words of an opener or closer.
const EDGE: usize = 3;
/// Openers and closers that count as the common ones.
const TOP: usize = 10;
/// Conversations that share so much of their runs of five words are near duplicates.
const NEAR: f64 = 0.5;
/// Shorter turns are said again for good reasons.
const SAME_WORDS: usize = 5;

/// How much is said again.
#[must_use]
pub fn redundancy(samples: &[&Sample], context: &Context<'_>) -> Section {
    let all = Side::whole(samples);
    let sides = Side::each(samples);
    let mut metrics = compressed(&all, context);
    metrics.extend(repeated(&all, samples.len(), context));
    metrics.push(near_duplicates(samples, context));
    let mut tables = Vec::new();
    for side in &sides {
        metrics.push(bleu(side, context));
        let (figures, lists) = edges(side, context);
        metrics.extend(figures);
        tables.extend(lists);
        metrics.extend(habits(side, context));
    }
    Section {
        key: "redundancy".into(),
        title: "Repetition".into(),
        about: "How much of the corpus says again what other parts of it say: what a model trained on it would learn by heart.".into(),
        metrics,
        charts: Vec::new(),
        tables,
    }
}

fn compressed(all: &Side<'_>, context: &Context<'_>) -> Vec<Metric> {
    let sizes: Vec<usize> = all.turns.iter().map(|turn| turn.len() + 1).collect();
    let draw = context.draw.child("redundancy.compression");
    let nths: Vec<u64> = (0..DRAWS).collect();
    let of_draw = |nth: &u64| {
        let drawn = budget(&sizes, BUDGET, draw.at(*nth))?;
        compression(drawn.iter().map(|&(at, bytes)| cut(all.turns[at], bytes)))
    };
    let found: Vec<f64> = parallel::map(&nths, context.threads, of_draw)
        .into_iter()
        .flatten()
        .collect();
    let of_some = Metric::new(
        "redundancy.compression",
        "Compression ratio at 10,000 bytes",
        Unit::Number,
        bootstrap::mean(found.iter().copied()),
    )
    .within(estimate_mean(&found, draw, context).1)
    .note(if found.is_empty() {
        format!("the corpus has fewer than {BUDGET} bytes")
    } else {
        format!("gzip -9 over {BUDGET} bytes of turns drawn at random, so that corpora of any size compare; mean of {DRAWS} draws, the interval is over them")
    })
    .read(Reading {
        measures: "How many times smaller gzip makes turns from all over the corpus.",
        way: "More means that turns share more wording.",
        ..Reading::NONE
    });
    let mut bytes = 0;
    let first = all.turns.iter().take_while(|turn| {
        bytes += turn.len() + 1;
        bytes <= MOST_BYTES
    });
    let first: Vec<&str> = first.copied().collect();
    let of_all = Metric::new(
        "redundancy.compression_all",
        "Compression ratio of all",
        Unit::Number,
        compression(first.iter().copied()),
    )
    .note(format!(
        "gzip -9 over {} of {} turns in their order, as Shaib et al. 2024 do; no interval, since a turn drawn twice packs to nothing",
        first.len(),
        all.turns.len()
    ))
    .read(Reading {
        measures: "How many times smaller gzip makes the corpus as a whole.",
        way: "Grows with the corpus, so compare corpora of like size only; a corpus made from templates packs far better than its parts.",
        ..Reading::NONE
    });
    vec![of_some, of_all]
}

/// The first bytes of a text, up to where a letter ends.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Long runs and whole turns that other conversations have too.
fn repeated(all: &Side<'_>, conversations: usize, context: &Context<'_>) -> [Metric; 2] {
    let corpus = Corpus::of(all.turns.iter().copied());
    #[expect(clippy::cast_precision_loss, reason = "counts of runs")]
    let parts: Vec<(f64, f64)> = self_repetition(&corpus, &all.of)
        .into_iter()
        .map(|(shared, runs)| (shared as f64, runs as f64))
        .collect();
    let size = format!(
        "grows with the corpus, here {conversations} conversations: compare like with like"
    );
    let of = |key: &str, title: &str, parts: &[(f64, f64)], reading: Reading| {
        let (value, interval) = estimate(parts, context.draw.child(key), context);
        Metric::new(key, title, Unit::Share, value)
            .within(interval)
            .note(size.clone())
            .read(reading)
    };
    let mut holders: HashMap<&[u32], HashSet<usize>> = HashMap::new();
    for (text, of) in corpus.texts().iter().zip(&all.of) {
        if text.len() >= SAME_WORDS {
            holders.entry(text).or_default().insert(*of);
        }
    }
    let mut turns = vec![(0.0, 0.0); conversations];
    for (text, of) in corpus.texts().iter().zip(&all.of) {
        if let Some(holders) = holders.get(text.as_slice()) {
            turns[*of].0 += f64::from(u8::from(holders.len() > 1));
            turns[*of].1 += 1.0;
        }
    }
    [
        of(
            "redundancy.self_repetition",
            "Runs of eight words said elsewhere",
            &parts,
            Reading {
                measures: "Of all runs of eight words, the share that some other conversation has word for word.",
                way: "More means templates, or a page that is read out: eight words in a row are seldom the same by chance.",
                none: "There are none.",
                ..Reading::NONE
            },
        ),
        of(
            "redundancy.same_turns",
            "Turns said elsewhere word for word",
            &turns,
            Reading {
                measures: "Of the turns of five words and more, the share that another conversation has word for word, punctuation aside.",
                way: "Such turns teach nothing the second time.",
                none: "There are none.",
                ..Reading::NONE
            },
        ),
    ]
}

fn near_duplicates(samples: &[&Sample], context: &Context<'_>) -> Metric {
    let texts: Vec<String> = parallel::map(samples, context.threads, |sample| whole(sample));
    let corpus = Corpus::of(texts.iter().map(String::as_str));
    let found = resembling(&corpus, NEAR, context.threads);
    let parts: Vec<(f64, f64)> = found
        .iter()
        .map(|near| (f64::from(u8::from(near.is_some())), 1.0))
        .collect();
    let key = "redundancy.near_duplicates";
    let (value, interval) = estimate(&parts, context.draw.child(key), context);
    let most = found
        .iter()
        .enumerate()
        .filter_map(|(text, near)| near.map(|near| (text, near)))
        .reduce(|best, next| {
            if next.1.resemblance > best.1.resemblance {
                next
            } else {
                best
            }
        });
    let alike = most.map_or_else(String::new, |(text, near)| {
        format!(
            "{} and {} share {:.0} % of their runs of five words; ",
            samples[text].id,
            samples[near.text].id,
            near.resemblance * 100.0
        )
    });
    Metric::new(key, "Near duplicates", Unit::Share, value)
        .within(interval)
        .note(format!("{alike}grows with the corpus"))
        .read(Reading {
            measures: "The share of conversations that share half of their runs of five words, or more, with some other.",
            way: "Each is hardly more than a copy: drop them, or widen the topics, before the corpus is used.",
            none: "There are none.",
            ..Reading::NONE
        })
}

fn bleu(side: &Side<'_>, context: &Context<'_>) -> Metric {
    let key = format!("redundancy.self_bleu{}", side.suffix);
    let corpus = Corpus::of(side.turns.iter().copied());
    let draw = context.draw.child(&key);
    let size = BLEU_TURNS.min(corpus.len());
    let nths: Vec<u64> = (0..if size < BLEU_TURNS { 1 } else { BLEU_DRAWS }).collect();
    let of_draw = |nth: &u64| self_bleu::sampled(&corpus, BLEU_TURNS, 1, draw.at(*nth));
    let found: Vec<f64> = parallel::map(&nths, context.threads, of_draw)
        .into_iter()
        .flatten()
        .collect();
    let interval = (found.len() > 1)
        .then(|| bootstrap::mean_interval(&found, LEVEL, draw))
        .flatten();
    let note = if size < BLEU_TURNS {
        format!(
            "all {size} turns against each other: with fewer than {BLEU_TURNS} it comes out lower"
        )
    } else {
        format!(
            "{BLEU_TURNS} turns against each other, mean of {BLEU_DRAWS} draws; the interval is over them"
        )
    };
    Metric::new(
        &key,
        &format!("Self-BLEU of turns{}", side.title),
        Unit::Share,
        bootstrap::mean(found.iter().copied()),
    )
    .within(interval)
    .note(note)
    .read(Reading {
        measures: "How much of a turn's runs of one to four words other turns have too (Self-BLEU, Zhu et al. 2018).",
        way: "Less is more varied; near 100 % every turn is put together from the others.",
        ..Reading::NONE
    })
}

/// How turns begin and end.
fn edges(side: &Side<'_>, context: &Context<'_>) -> ([Metric; 2], [Table; 2]) {
    let of =
        |name: &str, title: &str, found: &Openers, edge: fn(&str) -> String, reading: Reading| {
            let key = format!("redundancy.{name}{}", side.suffix);
            let top: HashSet<&str> = found
                .counts()
                .iter()
                .take(TOP)
                .map(|(words, _)| words.as_str())
                .collect();
            let is = parallel::map(&side.turns, context.threads, |turn| {
                top.contains(edge(turn).as_str())
            });
            let (_, interval) = estimate(&side.parts(&is), context.draw.child(&key), context);
            let metric = Metric::new(
                &key,
                &format!("Ten most common {title}{}", side.title),
                Unit::Share,
                found.share_of_top(TOP),
            )
            .within(interval)
            .note(format!(
                "{} different ones; the table shows the most common",
                found.counts().len()
            ))
            .read(reading);
            let all = side.turns.len().max(1);
            let table = Table {
                title: format!("Most common {title}{}", side.title),
                columns: vec!["words".into(), "turns".into(), "share".into()],
                rows: found
                    .counts()
                    .iter()
                    .take(TOP)
                    .map(|(words, count)| {
                        #[expect(clippy::cast_precision_loss, reason = "counts of turns")]
                        let share = *count as f64 / all as f64;
                        vec![
                            words.clone(),
                            count.to_string(),
                            super::figure::shown(share, Unit::Share),
                        ]
                    })
                    .collect(),
            };
            (metric, table)
        };
    let turns = || side.turns.iter().copied();
    let (openers, of_openers) = of(
        "openers",
        "openers",
        &Openers::of(turns(), EDGE),
        |turn| words(turn).take(EDGE).collect::<Vec<_>>().join(" "),
        Reading {
            measures: "The share of turns that begin with one of the ten most common beginnings of three words.",
            way: "The more, the more turns sound alike from their first word on.",
            ..Reading::NONE
        },
    );
    let (closers, of_closers) = of(
        "closers",
        "closers",
        &Openers::closing(turns(), EDGE),
        |turn| {
            let mut all: Vec<String> = words(turn).collect();
            all.split_off(all.len().saturating_sub(EDGE)).join(" ")
        },
        Reading {
            measures: "The share of turns that end with one of the ten most common endings of three words.",
            way: "The more, the more turns end on the same formula.",
            ..Reading::NONE
        },
    );
    ([openers, closers], [of_openers, of_closers])
}

/// Whether turns thank and ask.
fn habits(side: &Side<'_>, context: &Context<'_>) -> [Metric; 2] {
    let of = |name: &str, title: &str, rule: fn(&str) -> bool, reading: Reading| {
        let key = format!("redundancy.{name}{}", side.suffix);
        let is = parallel::map(&side.turns, context.threads, |turn| rule(turn));
        let (value, interval) = estimate(&side.parts(&is), context.draw.child(&key), context);
        Metric::new(&key, &format!("{title}{}", side.title), Unit::Share, value)
            .within(interval)
            .note("by rule, for English")
            .read(reading)
    };
    [
        of(
            "thanks",
            "Turns that thank",
            thanks,
            Reading {
                measures: "The share of turns that thank somebody.",
                none: "There are none.",
                way: "Near 100 % it is a habit of the model and says nothing; people thank for something.",
                ..Reading::NONE
            },
        ),
        of(
            "questions",
            "Turns that ask",
            asks,
            Reading {
                measures: "The share of turns that ask something.",
                way: if side.suffix == "_customer" {
                    "Customers ask to begin with; one who does in every turn never answers."
                } else {
                    "Who never asks cannot find out what is wrong; who always does ends every turn on the same formula."
                },
                none: "There are none: who never asks cannot find out what is wrong.",
                ..Reading::NONE
            },
        ),
    ]
}
