//! What judging a corpus costs: milliseconds a measure over 10,000 conversations of 8 turns.
//!
//!     cargo bench --bench metrics
//!     cargo bench --bench metrics -- --conversations 50000 --threads 1 --templates
//!
//! The corpus is put together from the sentences and questions of the shipped pages, a sixth of the words exchanged for
//! others, so that texts are neither all alike nor of chance; with `--templates` nothing is exchanged, which is the worst case
//! of all that compares conversations. First the measures alone, then the sections of the report, which have intervals as
//! well; the last line is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints figures and stops where its files are broken"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use colloquy::metrics::{
    Corpus, Cosines, Openers, bootstrap, compression, distinct, hdd, mattr, mtld, parallel,
    resembling, self_bleu, self_repetition, tfidf,
};
use colloquy::record::{Kind, Role, Sample, Speaker, Utterance, Verdict};
use colloquy::report::{
    Context, augmentation, corpus_sections, dialogue, grounding, lexical, redundancy, semantic,
};
use colloquy::rng::Stream;
use serde_json::{Map, Value, json};

const TURNS: u64 = 8;

/// Questions and answers of the shipped pages.
fn sentences() -> [Vec<String>; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/pages");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".facts.json"))
        .collect();
    files.sort();
    let (mut questions, mut answers) = (Vec::new(), Vec::new());
    for file in files {
        let page: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for fact in page["facts"].as_array().into_iter().flatten() {
            answers.extend(fact["text"].as_str().map(str::to_owned));
            let asked = fact["questions"].as_array().into_iter().flatten();
            questions.extend(asked.filter_map(|question| Some(question.as_str()?.to_owned())));
        }
    }
    [questions, answers]
}

fn corpus(conversations: u64, exchange: bool) -> Vec<Sample> {
    let sentences = sentences();
    let words: Vec<&str> = sentences
        .iter()
        .flatten()
        .flat_map(|sentence| sentence.split(' '))
        .collect();
    let text = |draw: Stream, side: usize| -> String {
        let sentence = draw.pick(0, &sentences[side]);
        let exchanged = sentence.split(' ').zip(1..).map(|(word, at)| {
            if exchange && draw.child("exchange").below(at, 6) == 0 {
                draw.child("word").pick(at, &words)
            } else {
                word
            }
        });
        exchanged.collect::<Vec<&str>>().join(" ")
    };
    let root = Stream::root(1);
    (0..conversations)
        .map(|nth| {
            let turn = |at: u64| {
                let speaker = usize::from(at % 2 == 1);
                Utterance {
                    speaker,
                    text: text(root.at(nth).at(at), speaker),
                    ..Utterance::default()
                }
            };
            let speaker = |name: &str, role| Speaker {
                name: name.to_owned(),
                role: Some(role),
                persona: String::new(),
            };
            Sample {
                id: format!("c/{nth}/0"),
                kind: Kind::Support,
                speakers: vec![
                    speaker("Customer", Role::Customer),
                    speaker("Agent", Role::Agent),
                ],
                turns: (0..TURNS).map(turn).collect(),
                outcome: None,
                end_reason: None,
                verdict: Verdict::Keep,
                rewrites: Vec::new(),
                fields: BTreeMap::new(),
            }
        })
        .collect()
}

fn main() {
    let given: Vec<String> = std::env::args().collect();
    let number = |flag: &str, otherwise: u64| {
        let at = given.iter().position(|word| word == flag);
        at.map_or(otherwise, |at| given[at + 1].parse().unwrap())
    };
    let conversations = number("--conversations", 10_000);
    let threads = usize::try_from(number("--threads", 2)).unwrap();
    let templates = given.iter().any(|word| word == "--templates");
    let samples = corpus(conversations, !templates);
    let refs: Vec<&Sample> = samples.iter().collect();
    let turns: Vec<&str> = samples
        .iter()
        .flat_map(|sample| &sample.turns)
        .map(|turn| turn.text.as_str())
        .collect();
    let wholes: Vec<String> = samples
        .iter()
        .map(|sample| {
            let texts: Vec<&str> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
            texts.join("\n")
        })
        .collect();
    let owners: Vec<usize> = (0..turns.len())
        .map(|at| at / usize::try_from(TURNS).unwrap())
        .collect();
    let by_turn = Corpus::of(turns.iter().copied());
    let by_whole = Corpus::of(wholes.iter().map(String::as_str));
    println!(
        "{conversations} conversations, {} words, {threads} threads",
        by_turn.texts().iter().map(Vec::len).sum::<usize>()
    );
    let mut report = Map::new();
    let mut time = |name: &str, work: &dyn Fn() -> usize| {
        let start = Instant::now();
        black_box(work());
        let spent = start.elapsed().as_secs_f64() * 1e3;
        println!("{name:<24} {spent:>9.1} ms");
        report.insert(name.to_owned(), json!((spent * 10.0).round() / 10.0));
        spent
    };
    let draw = Stream::root(2);
    let each = |of: fn(&[u32]) -> Option<f64>| {
        parallel::map(by_whole.texts(), threads, |text| of(text))
            .into_iter()
            .flatten()
            .count()
    };
    let some = by_whole.some(&draw.shuffle(by_whole.len())[..by_whole.len().min(500)]);
    let cosines = Cosines::of_words(&tfidf(&some), threads);
    time("numbering words", &|| {
        Corpus::of(turns.iter().copied()).len()
    });
    time("MTLD", &|| each(mtld));
    time("HD-D", &|| each(hdd));
    time("MATTR", &|| each(mattr));
    time("distinct-3 of all", &|| {
        usize::from(distinct(&by_turn, 3).is_some())
    });
    time("gzip of all", &|| {
        usize::from(compression(turns.iter().copied()).is_some())
    });
    time("8-gram self-repetition", &|| {
        self_repetition(&by_turn, &owners).len()
    });
    time("self-BLEU of 500", &|| {
        usize::from(self_bleu::sampled(&by_turn, 500, 1, draw).is_some())
    });
    time("openers and closers", &|| {
        Openers::of(turns.iter().copied(), 3).counts().len()
            + Openers::closing(turns.iter().copied(), 3).counts().len()
    });
    time("near duplicates", &|| {
        resembling(&by_whole, 0.5, threads).iter().flatten().count()
    });
    time("TF-IDF cosines of 500", &|| {
        Cosines::of_words(&tfidf(&some), threads).len()
    });
    time("Vendi score of 500", &|| {
        usize::from(cosines.vendi().is_some())
    });
    let parts: Vec<(f64, f64)> = turns.iter().take(10_000).map(|_| (1.0, 2.0)).collect();
    time("one interval", &|| {
        usize::from(bootstrap::ratio_interval(&parts, 0.95, draw, threads).is_some())
    });
    let context = Context::plain(threads);
    time("section lexical", &|| {
        lexical(&refs, &context).metrics.len()
    });
    time("section redundancy", &|| {
        redundancy(&refs, &context).metrics.len()
    });
    time("section semantic", &|| {
        semantic(&refs, &context).metrics.len()
    });
    time("section dialogue", &|| {
        dialogue(&refs, &context).metrics.len()
    });
    time("section grounding", &|| {
        usize::from(grounding(&refs, &context).is_some())
    });
    time("section augmentation", &|| {
        usize::from(augmentation(&refs, &context).is_some())
    });
    let all = time("all sections", &|| corpus_sections(&refs, &context).len());
    println!("{:.1} s in all, of 60 for 10,000 conversations", all / 1e3);
    println!("{}", Value::Object(report));
}
