use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<GivenExperiences, String> {
    parse_experiences(Path::new("sub/given.jsonl"), text, false).map_err(|e| e.to_string())
}

const OWN: &str = r#"{"participants":[{"name":"Mara","work":"ferry pilot"},{"name":"Jon","persona":"A baker."}],"relations":"neighbours","situation":"The ferry is late.","topic":"the ferry","starter":"Well, what now?"}"#;

/// The same experience as ConvoGen's files have it.
const CONFIG: &str = r#"{
  "individuals": [
    {"name": "Mara", "nationality": "Norwegian", "age": 41, "qualities": ["blunt", "fair"], "speechStyle": "short sentences",
     "lifestyle": {"work": "ferry pilot", "hobbies": ["chess"]}, "memory": "She ran aground once."},
    {"name": "Jon", "persona": "12 - A baker."}
  ],
  "relations": [{"Mara": {"Jon": "a neighbour"}}, "Jon knows Mara's brother"],
  "situation": "The ferry is late.",
  "topic": "the ferry",
  "conversationStarter": "Well, what now?"
}"#;

#[test]
fn own_lines_come_back_as_they_are() {
    let line = OWN.replacen('{', r#"{"id":"e/7","depth":2,"shots":["seed/0"],"#, 1);
    let given = parse(&format!("{OWN}\n\n{line}\r\n")).unwrap();
    assert!(given.skipped.is_empty());
    let mut own: Experience = serde_json::from_str(OWN).unwrap();
    own.id = "given/0".into();
    assert_eq!(given.experiences[0], own);
    own.id = "given/1".into();
    own.depth = 2;
    assert_eq!(given.experiences[1], own);
}

#[test]
fn configurations_and_records_are_read_however_they_are_wrapped() {
    let flat = CONFIG.replace('\n', " ");
    let record = format!(
        r#"{{"meetingID": "m1", "speakerMap": {{"Mara": "Guest1"}}, "Conversation": [{{"speaker": "Guest1", "transcript": "Hm."}}], "situation_config": {flat}}}"#
    );
    let text = serde_json::to_string(CONFIG).unwrap();
    for given in [
        CONFIG.to_owned(),
        format!("[{CONFIG}]"),
        format!("{flat}\n"),
        record.clone(),
        format!("\u{feff}[{record}]"),
        format!("{{\"version\": 1, \"experiences\": [{CONFIG}]}}"),
        format!("{{\"situationConfig\": {text}}}"),
    ] {
        let given = parse(&given).unwrap_or_else(|error| panic!("{error}: {given}"));
        assert!(given.skipped.is_empty());
        let json = serde_json::to_string(&given.experiences).unwrap();
        assert_eq!(
            json,
            r#"[{"id":"given/0","participants":[{"name":"Mara","nationality":"Norwegian","age":41,"qualities":["blunt","fair"],"speech_style":"short sentences","work":"ferry pilot","hobbies":["chess"],"memory":"She ran aground once."},{"name":"Jon","persona":"A baker."}],"relations":"Mara Jon a neighbour. Jon knows Mara's brother.","situation":"The ferry is late.","topic":"the ferry","starter":"Well, what now?"}]"#
        );
    }
}

#[test]
fn relations_may_be_a_text_a_list_or_a_map() {
    let with = |relations: &str| {
        let text = OWN.replace("\"neighbours\"", relations);
        parse(&text).map(|given| given.experiences[0].relations.clone())
    };
    for (relations, expected) in [
        ("\" old  friends \"", "old friends"),
        (
            "[\"1. Mara is older\", \"both sing!\", \"\"]",
            "Mara is older. both sing!",
        ),
        (
            "{\"Mara-Jon\": \"cousins\", \"Jon\": [\"shy\", \"new\"]}",
            "Mara-Jon: cousins. Jon: shy, new.",
        ),
    ] {
        assert_eq!(with(relations).unwrap(), expected);
    }
    assert!(
        with("3")
            .unwrap_err()
            .contains("`relations` is the number 3; expected a text, a list or a map")
    );
    assert!(
        with("[true]")
            .unwrap_err()
            .contains("`relations` has true or false in it")
    );
    assert!(
        with("[]")
            .unwrap_err()
            .contains("no `relations`; expected {")
    );
}

#[test]
fn people_may_stand_under_their_names() {
    let text = OWN.replace(
        r#"[{"name":"Mara","work":"ferry pilot"},{"name":"Jon","persona":"A baker."}]"#,
        r#"{"Mara":{"work":"ferry pilot"},"Jon":"A baker."}"#,
    );
    assert_eq!(parse(&text).unwrap(), parse(OWN).unwrap());
}

#[test]
fn dirt_is_skipped_counted_and_listed() {
    let lacks = |field: &str| OWN.replace(&format!("\"{field}\":"), &format!("\"x{field}\":"));
    let lines = [
        OWN.to_owned(),
        "{\"participants\": [".to_owned(),
        "\"a text\"".to_owned(),
        lacks("participants"),
        lacks("situation"),
        lacks("starter"),
        OWN.replace("\"Jon\"", "\"mara\""),
        OWN.replace("\"name\":\"Jon\",", ""),
        OWN.replace(",{\"name\":\"Jon\",\"persona\":\"A baker.\"}", ""),
        OWN.replace("\"work\":\"ferry pilot\"", "\"age\":\"old\""),
        OWN.replacen('{', "{\"depth\":-1,", 1),
        "{\"situation_config\": []}".to_owned(),
        OWN.to_owned(),
    ];
    let text = lines.join("\n");
    let given = parse(&text).unwrap();
    let ids: Vec<_> = given.experiences.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(ids, ["given/0", "given/1"]);
    assert_eq!((given.skipped.count, given.skipped.first.len()), (11, 10));
    let expected = [
        (2, "EOF while parsing a list at column 18"),
        (3, "the text `a text`; expected {\"participants\""),
        (4, "no `participants`; expected"),
        (5, "no `situation`; expected"),
        (6, "no `starter`; expected"),
        (7, "two participants are called `mara`"),
        (8, "participant 2: no `name`"),
        (9, "1 participants; expected two or more"),
        (
            10,
            "participant 1: `age` is the text `old`; expected a number",
        ),
        (11, "`depth` is the number -1; expected a whole number"),
    ];
    for ((line, what), (number, start)) in given.skipped.first.iter().zip(expected) {
        assert!(*line == number && what.starts_with(start), "{line}: {what}");
    }
    let strict = parse_experiences(Path::new("given.jsonl"), &text, true).unwrap_err();
    assert_eq!(
        strict.to_string(),
        "given.jsonl:2: EOF while parsing a list at column 18"
    );
    let listed = parse(&format!("[{OWN}, 3]")).unwrap();
    assert_eq!(listed.skipped.first[0].1[..18], *"entry 2: the numbe");
}

#[test]
fn files_that_give_nothing_are_refused() {
    assert_eq!(
        parse("\n").unwrap_err(),
        "sub/given.jsonl: no experiences; expected at least one, as JSON or JSONL"
    );
    assert!(parse("[]").unwrap_err().ends_with("as JSON or JSONL"));
    assert_eq!(
        parse("{\n \"situation\": 3,\n").unwrap_err(),
        "sub/given.jsonl: no experiences; expected at least one, as JSON or JSONL; 1 skipped: 3 (EOF while parsing a value at column 0)"
    );
    let error = read_experiences(Path::new("/nowhere/e.json"), false).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/e.json: "));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("e.json");
    std::fs::write(&path, b"{\xff").unwrap();
    let error = read_experiences(&path, false).unwrap_err().to_string();
    assert!(error.contains("not UTF-8 at byte 1"), "{error}");
    std::fs::write(&path, CONFIG).unwrap();
    assert_eq!(
        read_experiences(&path, true).unwrap().experiences[0].id,
        "e/0"
    );
}

proptest! {
    #[test]
    fn no_change_of_a_byte_makes_it_panic(at in 0..CONFIG.len(), byte in 0u8..128, cut in 0..CONFIG.len()) {
        let mut bytes = CONFIG.as_bytes().to_vec();
        bytes[at] = byte;
        for text in [&bytes[..], &bytes[..cut]] {
            let _ = parse(&String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn the_seeds_of_the_program_are_read_and_pass_the_gate() {
    use crate::pipeline::hub::{Admission, Candidate, Hub, HubRules};
    let text = include_str!("../../prompts/experiences/seeds.jsonl");
    let seeds = parse_experiences(Path::new("seeds.jsonl"), text, true).unwrap();
    let as_they_are: Vec<Experience> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut hub = Hub::new(Vec::new(), HubRules::default()).unwrap();
    let mut candidates = Vec::new();
    for (place, (seed, own)) in (0..).zip(seeds.experiences.into_iter().zip(as_they_are)) {
        let id = seed.id.clone();
        assert_eq!(seed, Experience { id, ..own });
        candidates.push(Candidate {
            place,
            made: Ok(seed),
        });
    }
    for result in hub.admit(0, candidates).unwrap().places {
        assert_eq!(
            result.admission,
            Admission::Admitted {
                joins: true,
                like: None
            }
        );
    }
}
