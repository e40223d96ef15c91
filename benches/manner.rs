//! What the rules over texts cost: questions of the shipped pages a second, one thread.
//!
//!     cargo bench --bench manner
//!
//! `checks` is all that is looked at in one customer turn: its manner, its tone, whether it thanks and asks. The last line is
//! one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints figures"
)]

use std::path::Path;
use std::time::Instant;

use colloquy::augment::style::{Manner, check};
use colloquy::augment::verify::{Kind, Rewrite, verify};
use colloquy::augment::{colloquial, non_native, typos};
use colloquy::record::{FirstLanguage, Tone};
use colloquy::rng::Stream;
use serde_json::{Map, Value};

fn questions() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/pages");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the shipped pages")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".facts.json"))
        .collect();
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let json = std::fs::read_to_string(file).expect("a page's facts");
        let page: Value = serde_json::from_str(&json).expect("facts are JSON");
        for fact in page["facts"].as_array().into_iter().flatten() {
            let questions = fact["questions"].as_array().into_iter().flatten();
            out.extend(questions.filter_map(|question| Some(question.as_str()?.to_owned())));
        }
    }
    out
}

/// Texts a second, the best of five rounds.
fn rate(texts: &[String], work: impl Fn(usize, &str) -> usize) -> f64 {
    let round = || {
        let start = Instant::now();
        let made: usize = texts
            .iter()
            .enumerate()
            .map(|(at, text)| work(at, text))
            .sum();
        std::hint::black_box(made);
        texts.len() as f64 / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| round()).fold(0.0, f64::max)
}

fn main() {
    let texts = questions();
    let draws = Stream::root(7);
    let mut report = Map::new();
    let mut tell = |name: &str, rate: f64| {
        println!("{name:<11} {rate:>9.0} texts/s");
        report.insert(name.to_owned(), rate.round().into());
    };
    tell(
        "checks",
        rate(&texts, |_, text| {
            let check = check(Manner::Colloquial, Tone::Annoyed, text);
            usize::from(check.asks) + usize::from(check.thanks)
        }),
    );
    tell(
        "typos",
        rate(&texts, |at, text| {
            typos::apply(text, 4, &[], draws.at(at as u64)).text.len()
        }),
    );
    tell(
        "colloquial",
        rate(&texts, |at, text| {
            colloquial::apply(text, 0.7, &[], draws.at(at as u64))
                .text
                .len()
        }),
    );
    tell(
        "non_native",
        rate(&texts, |at, text| {
            let language = FirstLanguage::ALL[at % FirstLanguage::ALL.len()];
            non_native::apply(text, language, 0.7, &[], draws.at(at as u64))
                .text
                .len()
        }),
    );
    tell(
        "verify",
        rate(&texts, |_, text| {
            let after = format!("{text} Thanks a lot!");
            let rewrite = Rewrite {
                kind: Kind::Tone,
                before: text,
                after: &after,
                products: &[],
                protected: &[],
            };
            usize::from(verify(rewrite).is_ok())
        }),
    );
    println!("{}", Value::Object(report));
}
