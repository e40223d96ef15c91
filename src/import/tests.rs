use std::io::BufReader;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::record::{EndReason, Outcome, Role, Support, Verdict};

fn read(text: &str) -> Result<Imported, ImportError> {
    read_from(text.as_bytes(), Path::new("dir/some.jsonl"), None)
}

/// Who says what, by name.
fn said(sample: &Sample) -> Vec<(&str, &str)> {
    let name = |at: usize| sample.speakers[at].name.as_str();
    let turns = sample.turns.iter();
    turns
        .map(|turn| (name(turn.speaker), turn.text.as_str()))
        .collect()
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn messages_of_anybody() {
    let found = read(concat!(
        r#"{"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},"#,
        r#"{"role":"tool","content":"42"},{"role":"user","content":" "},{"role":"user","content":[{"type":"text","text":"Bye"}]}],"#,
        r#""outcome":"ABANDONED","end_reason":"customer","tone":"calm","score":1.5,"ok":true,"none":null,"list":[1]}"#,
        "\n\n",
        r#"{"id":7,"messages":[{"role":"Customer","content":"a"},{"role":"agent","content":"b"}],"outcome":"odd"}"#,
        "\n",
        r#"{"id":"e","messages":[]}"#,
        "\n",
        r#"{"messages":[{"role":"user","cont"#,
    ))
    .unwrap();
    assert_eq!(found.format, ForeignFormat::Messages);
    let [first, second] = &found.samples[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        said(first),
        [("Customer", "Hi"), ("Agent", "Hello"), ("Customer", "Bye")]
    );
    assert_eq!(first.id, "some/0");
    assert_eq!(first.speakers[1].role, Some(Role::Agent));
    assert_eq!(
        (first.outcome, first.end_reason),
        (Some(Outcome::Abandoned), Some(EndReason::Customer))
    );
    let fields: Vec<(&str, &str)> = first
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("ok", "true"),
            ("score", "1.5"),
            ("system", "Be kind."),
            ("tone", "calm")
        ]
    );
    assert_eq!((second.id.as_str(), second.outcome), ("7", None));
    assert_eq!(second.fields["outcome"], "odd");
    let skipped = &found.skipped;
    assert_eq!((skipped.rows, skipped.turns, skipped.blank), (2, 2, 1));
    assert_eq!(
        skipped.to_string(),
        "2 conversations, 2 turns, 1 blank line left out: line 1 (what a tool said), line 1 (an empty turn), line 4 (an empty conversation), line 5 (cut off)"
    );
}

#[test]
fn links_are_read_back() {
    let found = read(concat!(
        r#"{"messages":[{"role":"assistant","content":"It’s £9. Free!","links":["#,
        r#"{"start":0,"end":8,"support":"supported","paragraph":2,"source":"£9","why":null},"#,
        r#"{"start":9,"end":14,"support":"unsupported","paragraph":null,"source":null,"why":"`free` is not on the page"},"#,
        r#"{"start":9,"end":99,"support":"no_claim"},{"start":3,"end":1,"support":"no_claim"}]}]}"#,
    ))
    .unwrap();
    let turn = &found.samples[0].turns[0];
    let told: Vec<(&str, &Support)> = turn
        .links
        .iter()
        .map(|link| (&turn.text[link.sentence.clone()], &link.verdict))
        .collect();
    assert_eq!(
        told,
        [
            (
                "It’s £9.",
                &Support::Supported {
                    paragraph: 2,
                    span: 0..0
                }
            ),
            (
                "Free!",
                &Support::Unsupported {
                    why: crate::record::Why::Name("free".into())
                }
            ),
        ]
    );
}

#[test]
fn a_view_of_a_group_chat_is_taken_apart() {
    let row = r#"{"id":"c/5/0#2","messages":[{"role":"user","content":"Mara: Well?\nand?\nMara Lind: Oh: no"},{"role":"assistant","content":"Jo: is me"}],"perspective":"Jo","participants":["Mara","Mara Lind","Jo"],"topic":"boats"}"#;
    let found = read(row).unwrap();
    let sample = &found.samples[0];
    assert_eq!(sample.kind, crate::record::Kind::Group);
    assert_eq!(
        said(sample),
        [
            ("Mara", "Well?\nand?"),
            ("Mara Lind", "Oh: no"),
            ("Jo", "Jo: is me")
        ]
    );
    assert_eq!(sample.fields["topic"], "boats");
}

#[test]
fn sharegpt_in_one_list() {
    let found = read(
        "\u{feff} \n [ {\"conversations\": [\n{\"from\":\"human\",\"value\":\"a, ]\\\"\"},{\"from\":\"gpt\",\"value\":\"b\"}]} ,\n{\"id\":\"x\",\"conversations\":[{\"from\":\"gpt\",\"value\":\"c\"}]}\n]\n",
    )
    .unwrap();
    assert_eq!(found.format, ForeignFormat::Sharegpt);
    assert_eq!(
        said(&found.samples[0]),
        [("Customer", "a, ]\""), ("Agent", "b")]
    );
    assert_eq!(
        (
            found.samples[1].id.as_str(),
            said(&found.samples[1]),
            found.skipped
        ),
        ("x", vec![("Agent", "c")], Skipped::default())
    );
    assert_eq!(
        error("[{\"conversations\":[]},\n{\"conversations\":[{\"from\":\"Bob\",\"value\":\"\"}]}]"),
        "dir/some.jsonl:2: message 1: unknown speaker \"Bob\"; expected system, human or gpt"
    );
    let torn = read("[{\"conversations\":[{\"from\":\"gpt\",\"value\":\"c\"}]},{\"conv").unwrap();
    assert_eq!((torn.samples.len(), torn.skipped.rows), (1, 1));
}

#[test]
fn asynth_with_its_quirks() {
    let row = |turns: &str, status: &str| {
        format!(
            r#"{{"title":"Returns","tone":"angry","style":"typos","conversation":[{turns}],"length":3,"status":"{status}"}}"#
        )
    };
    let turn = |name: &str, text: &str| {
        let role = if name == "Customer" {
            "assistant"
        } else {
            "user"
        };
        format!(r#"{{"content":"{text}","role":"{role}","name":"{name}"}}"#)
    };
    let start = turn("Customer", "why?") + "," + &turn("Support_Agent", "Because.");
    let lines = [
        row(&format!("{start},{}", turn("Customer", "RESOLVED")), "RESOLVED"),
        row(&format!("{start},{}", turn("Customer", "Hm. UNRESOLVED.")), "UNRESOLVED"),
        row(&format!("{start},{}", turn("Customer", "It is RESOLVED")), "UNRESOLVED"),
        r#"{"title":"Returns","tone":null,"style":"typos","conversation":[],"length":0,"status":"ERROR","error":"too long"}"#.to_owned(),
        row("", "RESOLVED"),
    ];
    let found = read(&lines.join("\n")).unwrap();
    assert_eq!(found.format, ForeignFormat::Asynth);
    let last = |at: usize| said(&found.samples[at])[2..].to_vec();
    assert_eq!(
        said(&found.samples[0]),
        [("Customer", "why?"), ("Agent", "Because.")]
    );
    assert_eq!(last(1), [("Customer", "Hm.")]);
    assert_eq!(last(2), [("Customer", "It is RESOLVED")]);
    let outcomes: Vec<_> = found.samples.iter().map(|sample| sample.outcome).collect();
    let (yes, no) = (Some(Outcome::Resolved), Some(Outcome::Unresolved));
    assert_eq!(outcomes, [yes, no, no, None]);
    let failed = &found.samples[3];
    assert_eq!(
        failed.verdict,
        Verdict::Reject {
            reason: "error".into(),
            detail: "too long".into()
        }
    );
    assert_eq!(
        (failed.turns.len(), failed.fields["page"].as_str()),
        (0, "Returns")
    );
    assert_eq!((found.samples.len(), found.skipped.rows), (4, 1));
    assert_eq!(found.samples[0].fields["length"], "3");
}

#[test]
fn convogen_with_and_without_a_map() {
    let found = read(concat!(
        r#"{"meetingID":"m1","speakerMap":{"Mara Lind":"Guest1","Jo":"Guest2"},"Conversation":[{"speaker":"Host","transcript":"Topic: boats"},"#,
        r#"{"speaker":"Guest2","transcript":"Well?"},{"speaker":"Guest1","transcript":""},{"speaker":"Guest3","transcript":"Hm."}],"#,
        r#""situation_config":{"individuals":[{"name":"Jo","qualities":["calm"]}],"relations":"none","situation":"late","topic":"boats","conversationStarter":"Well?"}}"#,
        "\n",
        r#"{"Conversation":[{"speaker":"Ann","transcript":"Hi"},{"speaker":"Bo","transcript":"Ho"},{"speaker":"Ann","transcript":"Ha"}]}"#,
    ))
    .unwrap();
    let sample = &found.samples[0];
    assert_eq!(said(sample), [("Jo", "Well?"), ("Guest3", "Hm.")]);
    assert_eq!(sample.speakers[1].persona, "calm");
    for (name, value) in [
        ("opening", "Topic: boats"),
        ("relations", "none"),
        ("starter", "Well?"),
        ("topic", "boats"),
    ] {
        assert_eq!(sample.fields[name], value);
    }
    assert_eq!((sample.id.as_str(), found.skipped.turns), ("m1", 1));
    assert_eq!(
        said(&found.samples[1]),
        [("Ann", "Hi"), ("Bo", "Ho"), ("Ann", "Ha")]
    );
}

#[test]
fn what_is_none_is_one_clear_error() {
    let cases = [
        ("", "no rows; expected JSON lines"),
        ("\n\n", "(2 blank lines left out)"),
        (
            "hello",
            "some.jsonl:1: not JSON: expected value at column 1",
        ),
        ("{\n\"messages\":[]}\n", "some.jsonl:1: not JSON: EOF"),
        ("[1,2]", "some.jsonl:1: not a JSON object"),
        ("[{\"messages\":[]}] x", "some.jsonl:1: something after"),
        (
            "[{},]",
            "no conversation of a known shape; expected `messages`",
        ),
        (
            "{\"prompt\":\"a\",\"text\":\"b\"}",
            "keys: \"prompt\", \"text\"",
        ),
        (
            "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n\n{\"conversations\":[{\"from\":\"gpt\",\"value\":\"\"}]}",
            "some.jsonl:3: no `messages`, a list of {\"role\", \"content\"}, as line 1 has; keys: \"conversations\"",
        ),
        (
            "{\"messages\":[{\"role\":\"Ann\",\"content\":\"a\"}]}",
            "unknown role \"Ann\"",
        ),
        (
            "{\"messages\":[{\"content\":\"a\"}]}",
            "message 1: no `role`",
        ),
        (
            "{\"messages\":[{\"role\":\"user\",\"content\":3}]}",
            "`content` is not a text",
        ),
        ("{\"Conversation\":[3]}", "turn 1: no `speaker`"),
        (
            "{\"Conversation\":[],\"speakerMap\":[]}",
            "`speakerMap` is not an object",
        ),
    ];
    for (text, expected) in cases {
        let told = error(text);
        assert!(told.contains(expected), "{text}: {told}");
    }
    let named = read_from(
        "{\"messages\":[]}".as_bytes(),
        Path::new("a"),
        Some(ForeignFormat::Asynth),
    );
    let told = named.unwrap_err().to_string();
    assert!(told.contains("as --as asynth has"), "{told}");
    let gone = super::read(Path::new("no/such"), None).unwrap_err();
    assert!(matches!(gone, ImportError::Io { .. }));
}

#[test]
fn a_row_that_never_ends_is_refused_in_time() {
    struct Endless(u64);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'"');
            if self.0 == 0 {
                buffer[0] = b'[';
            }
            self.0 += buffer.len() as u64;
            assert!(self.0 < 80 << 20, "more than a row was read");
            Ok(buffer.len())
        }
    }
    for read in [0, 1] {
        let bytes = BufReader::with_capacity(1 << 20, Endless(read));
        let told = read_from(bytes, Path::new("a"), None).unwrap_err();
        assert_eq!(told.to_string(), "a:1: a row of more than 64 MiB");
    }
}

/// Pieces of rows that often nearly fit.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "\"",
        "\\",
        "\"messages\"",
        "\"role\":\"user\"",
        "\"content\":\"a\"",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
        "\"conversations\"",
        "{\"from\":\"gpt\",\"value\":\"RESOLVED\"}",
        "{\"conversation\":[",
        "\"status\":\"ERROR\"",
        "\"title\":1",
        "{\"Conversation\":[{\"speaker\":\"Host\",\"transcript\":\"é\"}]}",
        "\"speakerMap\":{\"a\":\"b\"}",
        "\"links\":[{\"start\":0,\"end\":1,\"support\":\"no_claim\"}]",
        "null",
        "\u{feff}",
        " ",
        "-1e400",
        "\\u0000",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop_oneof![nearly(), prop::collection::vec(any::<u8>(), 0..300)]) {
        let path = Path::new("x.jsonl");
        for format in [None, Some(ForeignFormat::Messages), Some(ForeignFormat::Sharegpt), Some(ForeignFormat::Asynth), Some(ForeignFormat::Convogen)] {
            let whole = read_from(&bytes[..], path, format).map_err(|error| error.to_string());
            if let Ok(found) = &whole {
                for sample in &found.samples {
                    prop_assert!(sample.turns.iter().all(|turn| turn.speaker < sample.speakers.len()));
                    prop_assert!(sample.turns.iter().all(|turn| !turn.text.trim().is_empty()));
                }
            }
            // In whatever pieces the bytes come.
            for capacity in [1, 3] {
                let pieces = BufReader::with_capacity(capacity, &bytes[..]);
                prop_assert_eq!(&read_from(pieces, path, format).map_err(|error| error.to_string()), &whole);
            }
        }
    }
}
