//! The shipped help pages keep what they promise: long enough, and full of facts that can be checked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
struct Facts {
    title: String,
    facts: Vec<Fact>,
}

#[derive(Deserialize)]
struct Fact {
    id: String,
    values: Vec<String>,
    text: String,
    questions: Vec<String>,
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/pages");
    let mut pages: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.sort();
    pages
}

#[test]
fn every_page_has_its_length_and_its_facts() {
    let pages = pages();
    assert_eq!(pages.len(), 24);
    for page in pages {
        let name = page.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&page).unwrap();
        let words = text.split_whitespace().filter(|word| *word != "##").count();
        assert!(words >= 300, "{name}: {words} words");
        let json = std::fs::read_to_string(page.with_extension("facts.json")).unwrap();
        let Facts { title, facts } =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.starts_with(&format!("# {title}\n")), "{name}: {title}");
        assert!(facts.len() >= 8, "{name}: {} facts", facts.len());
        for Fact {
            id,
            values,
            text: sentence,
            questions,
        } in facts
        {
            assert!(
                text.contains(&sentence),
                "{name}: {id}: not on the page: {sentence}"
            );
            assert!(!values.is_empty() && !questions.is_empty(), "{name}: {id}");
            for value in values {
                assert!(
                    sentence.contains(&value) && text.contains(&value),
                    "{name}: {id}: {value} is not in: {sentence}"
                );
            }
        }
    }
}

#[test]
fn the_program_has_them_all() {
    let place = program::Place::new();
    let told = place
        .ok(&["validate", "--model", "scripted", "--json"])
        .json();
    let inside = told["plan"]["marginals"]["page"].as_object().unwrap();
    let names: Vec<_> = pages()
        .iter()
        .map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(inside.keys().cloned().collect::<Vec<_>>(), names);
    assert_eq!(told["notes"].as_array().unwrap().len(), 0, "{told}");
}
