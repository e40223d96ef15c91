//! Linking replies to a help page: microseconds a sentence, one thread.
//!
//!     cargo bench --bench grounding
//!
//! The replies are the planted sentences of `tests/grounding` about one page, the page is prepared once. The figure is
//! the median of many rounds; the last line is one JSON object.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a bench prints figures and stops where its files are broken"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use colloquy::knowledge::grounding::{Grounds, Told};
use colloquy::knowledge::{Format, parse};
use colloquy::record::Case;
use serde_json::{Value, json};

const ROUNDS: usize = 201;
const PAGE: &str = "returns";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(format!("prompts/pages/{PAGE}.md"))).unwrap();
    let page = parse(PAGE, Format::Markdown, &text);
    let mut replies = Vec::new();
    for kind in [
        "supported",
        "altered",
        "negated",
        "wrong_page",
        "invented",
        "no_claim",
    ] {
        let lines = fs::read_to_string(root.join(format!("tests/grounding/{kind}.jsonl"))).unwrap();
        for line in lines.lines() {
            let planted: Value = serde_json::from_str(line).unwrap();
            if planted["page"] == PAGE {
                replies.push(planted["text"].as_str().unwrap().to_owned());
            }
        }
    }
    let case = Case {
        name: "Ada".to_owned(),
        item: "kettle".to_owned(),
        order_id: "LK-48213".to_owned(),
        order_date: "3 May".to_owned(),
        price: "£49".to_owned(),
    };
    let mut told = Told::new("Larkmoor", "Alex", &case);
    told.hear("i bought a kettle 34 days ago, order LK-48213, can i still send it back?");
    let passages: Vec<usize> = (0..page.paragraphs.len()).collect();
    let median = |mut run: Box<dyn FnMut() -> usize + '_>| {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                let units = run();
                start.elapsed().as_secs_f64() * 1e6 / units as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let prepare = median(Box::new(|| {
        black_box(Grounds::of(&page));
        1
    }));
    let grounds = Grounds::of(&page);
    let link = median(Box::new(|| {
        replies
            .iter()
            .map(|reply| black_box(grounds.examine(&passages, &told, reply).links).len())
            .sum()
    }));
    println!("{} replies about `{PAGE}`", replies.len());
    println!("page prepared   {prepare:8.1} µs");
    println!("sentence linked {link:8.1} µs");
    println!("{}", json!({"page_us": prepare, "link_us": link}));
}
