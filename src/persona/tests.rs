use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::record::Individual;
use crate::rng::Stream;

fn pool(name: &str, text: &str) -> Result<Pool, String> {
    Pool::of_text(Path::new(name), text.to_owned(), false).map_err(|error| error.to_string())
}

fn personas(pool: &Pool) -> Vec<String> {
    (0..pool.len())
        .map(|place| pool.get(place).unwrap().persona.unwrap_or_default())
        .collect()
}

#[test]
fn every_usual_key_has_a_persona_under_it() {
    let text = "\u{feff}{\"persona\": \"12 - A lock keeper.\"}\r\n\
                {\"input persona\": \"3. A  baker\", \"text\": \"other\"}\n\n\
                {\"Description\": \"A nurse\", \"synthesized text\": \"…\"}\n\
                {\"id\": 7, \"text\": \"1999 was her year\"}\n\
                \"- A diver\"\n\
                {\"name\": \"Marit\", \"speechStyle\": \"slow\", \"qualities\": [\"fair\"]}";
    let pool = pool("p.jsonl", text).unwrap();
    assert_eq!(pool.skipped(), &Skipped::default());
    assert_eq!(
        personas(&pool),
        [
            "A lock keeper.",
            "A baker",
            "A nurse",
            "1999 was her year",
            "A diver",
            ""
        ]
    );
    let marit = pool.get(5).unwrap();
    assert_eq!(
        (marit.name.as_str(), marit.qualities),
        ("Marit", vec!["fair".to_owned()])
    );
    assert_eq!(marit.speech_style.as_deref(), Some("slow"));
}

#[test]
fn plain_lines_are_personas() {
    for name in ["p.txt", "p"] {
        let pool = pool(
            name,
            "12 - A lock keeper\n\n  3) A baker \n{not json}\nA nurse, 40",
        )
        .unwrap();
        assert_eq!(
            personas(&pool),
            ["A lock keeper", "A baker", "{not json}", "A nurse, 40"]
        );
    }
}

#[test]
fn broken_lines_are_skipped_counted_and_named() {
    let long = format!("{{\"persona\": \"{}\"}}", "x".repeat(70_000));
    let mut text = format!("{{\"persona\": \"A baker\"}}\n{{\"persona\": \"A nur\n{long}\n");
    text += "{\"persona\": 3}\n{\"mood\": \"good\"}\n[]\n{\"persona\": \" \"}\n";
    text += &"nonsense\n".repeat(7);
    text += "{\"persona\": \"A diver\"}\n";
    let found = pool("p.jsonl", &text).unwrap();
    assert_eq!(personas(&found), ["A baker", "A diver"]);
    let skipped = found.skipped();
    assert_eq!((skipped.count, skipped.first.len()), (13, 10));
    let told = skipped.to_string();
    for part in [
        "13 skipped: 2 (EOF while parsing a string at column 18), 3 (70016 bytes; expected a line of at most 65536), ",
        "4 (`persona` is the number 3; expected a text), 5 (nothing that says who that is; expected ",
        "6 (a list; expected an individual (an object) or a persona (a string)), 7 (nothing",
        "11 (expected ident at column 2), …",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let strict = |text: &str| {
        Pool::of_text(Path::new("p.jsonl"), text.to_owned(), true).map_err(|e| e.to_string())
    };
    assert_eq!(
        strict(&text).unwrap_err(),
        "p.jsonl:2: EOF while parsing a string at column 18"
    );
    assert_eq!(strict("\"A baker\"\n\n").unwrap().len(), 1);
}

#[test]
fn files_without_personas_are_refused() {
    assert_eq!(
        pool("p.jsonl", "\n \n").unwrap_err(),
        "p.jsonl: no personas; expected at least one line like {\"persona\": \"…\"}"
    );
    assert!(
        pool("p.jsonl", "[\n")
            .unwrap_err()
            .ends_with("\"…\"}; 1 skipped: 1 (EOF while parsing a list at column 1)")
    );
    let missing = Pool::open(Path::new("/nowhere/p.jsonl"), false).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/p.jsonl: "));
}

#[test]
fn a_file_is_read_where_its_lines_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.jsonl");
    let line = |n: usize| {
        format!(
            "{{\"persona\": \"Number {n} of many, {}\"}}\n",
            "ü".repeat(n % 7)
        )
    };
    let text: String = (0..5_000).map(line).collect();
    std::fs::write(&path, &text).unwrap();
    let pool = Pool::open(&path, true).unwrap();
    assert_eq!(pool.len(), 5_000);
    assert_eq!(pool.fingerprint(), crate::hash::of_bytes(text.as_bytes()));
    let expected = |n: usize| {
        format!(
            "Number {n} of many,{}{}",
            if n.is_multiple_of(7) { "" } else { " " },
            "ü".repeat(n % 7)
        )
    };
    for n in [0, 1, 2_499, 4_999] {
        assert_eq!(pool.get(n).unwrap().persona, Some(expected(n)));
    }
    let draw = Stream::root(3).child("personas");
    let drawn = |nth| pool.draw(&draw, nth).unwrap().persona.unwrap();
    let first: BTreeSet<String> = (0..5_000).map(drawn).collect();
    assert_eq!(first.len(), 5_000);
    let second: BTreeSet<String> = (5_000..10_000).map(drawn).collect();
    assert_eq!(first, second);
    assert!((0..20).any(|nth| drawn(nth) != drawn(nth + 5_000)));
    assert_eq!(
        pool.draw(&draw, 17).unwrap(),
        pool.get(pool.place_of(&draw, 17)).unwrap()
    );

    std::fs::write(&path, &text[..60]).unwrap();
    let error = pool.get(4_000).unwrap_err().to_string();
    assert!(
        error.contains("p.jsonl: changed while it was in use: line 4001 is"),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_text_are_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.txt");
    std::fs::write(&path, b"A baker\nA n\xffrse\nA diver").unwrap();
    let pool = Pool::open(&path, false).unwrap();
    assert_eq!(personas(&pool), ["A baker", "A diver"]);
    assert_eq!(
        pool.skipped().first,
        [(2, "not UTF-8 at byte 3".to_owned())]
    );
}

#[test]
fn individuals_are_read_in_their_usual_spellings() {
    let given = serde_json::json!({
        "name": "Marit", "Nationality": "Norwegian", "age": "58 years", "qualities": "stubborn, fair",
        "speechStyle": ["long pauses", "one sentence"],
        "lifestyle": {"work": "ferry captain", "hobbies": ["skiing", " "]},
        "memory": "Her ferry  lost power.", "mood": 3, "persona": null,
    });
    let own = r#"{"name":"Marit","nationality":"Norwegian","age":58,"qualities":["stubborn","fair"],"speech_style":"long pauses, one sentence","work":"ferry captain","hobbies":["skiing"],"memory":"Her ferry lost power."}"#;
    let read = individual_of(&given).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), own);
    assert_eq!(individual_of(&serde_json::from_str(own).unwrap()), Ok(read));
    let lived = individual_of(&serde_json::json!({"name": "Jo", "lifestyle": "bakes at night"}));
    assert_eq!(lived.unwrap().work.as_deref(), Some("bakes at night"));
    for (given, expected) in [
        (
            serde_json::json!({"name": ["a", 3]}),
            "`name` has the number 3 in it; expected texts",
        ),
        (
            serde_json::json!({"age": "old"}),
            "`age` is the text `old`; expected a number of years",
        ),
        (
            serde_json::json!({"age": -3}),
            "`age` is the number -3; expected a number of years",
        ),
        (
            serde_json::json!({"qualities": 3}),
            "`qualities` is the number 3; expected a list of texts",
        ),
        (serde_json::json!(null), "null; expected an individual"),
        (serde_json::json!(""), "an empty persona"),
    ] {
        let error = individual_of(&given).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

fn groups(text: &str) -> Result<Groups, String> {
    parse_groups(Path::new("g.jsonl"), text, false).map_err(|error| error.to_string())
}

fn people(groups: &Groups) -> Vec<Vec<String>> {
    let called = |i: &Individual| i.persona.clone().unwrap_or_else(|| i.name.clone());
    groups
        .groups
        .iter()
        .map(|g| g.iter().map(called).collect())
        .collect()
}

#[test]
fn groups_are_a_line_each_or_one_list() {
    let expected = [
        vec!["A baker".to_owned(), "Marit".to_owned()],
        vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
    ];
    for text in [
        "[\"1. A baker\", {\"name\": \"Marit\"}]\n\n{\"id\": 3, \"personas\": [\"a\", \"b\", \"c\"]}\n",
        "[[\"A baker\", {\"name\": \"Marit\"}],\n {\"Participants\": [\"a\", \"b\", \"c\"]}]",
        "{\"individuals\": [{\"persona\": \"A baker\"}, {\"name\": \"Marit\"}]}\r\n[\"a\", \"b\", \"c\"]",
    ] {
        let groups = groups(text).unwrap();
        assert_eq!(people(&groups), expected, "{text}");
        assert!(groups.skipped.is_empty());
    }
}

#[test]
fn groups_that_are_none_are_named() {
    let text = "[\"a\", \"b\"]\n[\"a\"]\n{\"mood\": 1}\n3\n[{\"name\": \"Jo\"}, {\"name\": \"jo\"}]\n[\"a\", 3]\n[\"a\"";
    let found = groups(text).unwrap();
    assert_eq!(people(&found), [["a", "b"]]);
    assert_eq!(
        found.skipped.to_string(),
        "6 skipped: 2 (1 people; expected two or more), 3 (no `participants`, `individuals` or `personas`), \
         4 (the number 3; expected a list of people), 5 (two people are called `jo`), \
         6 (person 2: the number 3; expected an individual (an object) or a persona (a string)), \
         7 (EOF while parsing a list at column 4)"
    );
    let strict = parse_groups(Path::new("g.jsonl"), text, true).unwrap_err();
    assert_eq!(
        strict.to_string(),
        "g.jsonl:2: 1 people; expected two or more"
    );
    assert!(
        groups("")
            .unwrap_err()
            .starts_with("g.jsonl: no groups; expected at least one")
    );
    assert!(
        groups("[[\"a\", \"b\"],\n[\"c\"")
            .unwrap_err()
            .contains("2 (EOF while parsing a list")
    );
}

proptest! {
    #[test]
    fn a_permutation_hits_everything_once(len in 1u64..3_000, seed in any::<u64>()) {
        let permutation = Permutation::new(Stream::root(seed), len);
        let hit: BTreeSet<u64> = (0..len).map(|n| permutation.at(n)).collect();
        prop_assert_eq!(hit.len() as u64, len);
        prop_assert!(hit.into_iter().all(|at| at < len));
    }

    #[test]
    fn a_permutation_of_very_many_stays_within(len in 1u64..=1 << 60, n in any::<u64>()) {
        let permutation = Permutation::new(Stream::root(1), len);
        prop_assert!(permutation.at(n) < len);
        prop_assert_eq!(permutation.at(n), permutation.at(n % len));
    }

    #[test]
    fn no_text_makes_a_pool_or_groups_panic(text in "[\\[\\]{}\",: a-c0-9\n\r\u{fe}]{0,60}") {
        for name in ["p.jsonl", "p.txt", "p"] {
            if let Ok(pool) = pool(name, &text) {
                for place in 0..pool.len() {
                    pool.get(place).unwrap();
                }
            }
        }
        let _ = groups(&text);
    }
}

#[test]
fn permutations_differ_and_move() {
    let order = |seed| {
        let permutation = Permutation::new(Stream::root(seed), 1_000);
        (0..1_000).map(|n| permutation.at(n)).collect::<Vec<_>>()
    };
    assert_ne!(order(1), order(2));
    for seed in 0..20 {
        let fixed = order(seed)
            .iter()
            .zip(0..)
            .filter(|(at, n)| **at == *n)
            .count();
        assert!(fixed < 8, "{fixed} of 1,000 stay");
    }
}

#[test]
fn the_personas_of_the_program_are_all_usable() {
    let shipped =
        |text: &'static str| Pool::of_text(Path::new("shipped.jsonl"), text, true).unwrap();
    let personas = shipped(include_str!("../../prompts/personas/personas.jsonl"));
    assert!(personas.len() >= 200);
    let different: BTreeSet<_> = super::tests::personas(&personas).into_iter().collect();
    assert_eq!(different.len(), personas.len());
    let individuals = shipped(include_str!("../../prompts/personas/individuals.jsonl"));
    let named = |place| !individuals.get(place).unwrap().name.is_empty();
    assert!((0..individuals.len()).all(named));
}
