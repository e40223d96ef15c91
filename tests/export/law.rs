//! What an export of anything becomes when it is read again: what the format can carry comes back.

use std::collections::BTreeMap;

use colloquy::export::{AsynthRules, MessageRules, Shape};
use colloquy::import;
use colloquy::record::{
    Case, Cell, Conversation, Cooperation, Dialogue, EndReason, Experience, GroupChat, Individual,
    Outcome, Provenance, Remark, Role, Sample, Style, Tone, Turn, Verdict,
};
use proptest::prelude::*;
use serde_json::Value;

fn provenance() -> Provenance {
    Provenance {
        program: "colloquy".into(),
        recipe: "law".into(),
        stage: "0".into(),
        model: "m".into(),
        model_hash: "h".into(),
        profile: "f32".into(),
        seed: u64::MAX,
        demo: false,
        models: BTreeMap::new(),
    }
}

fn some_text() -> impl Strategy<Value = String> {
    // Not only blank: nobody reads that back as a turn.
    "[a-zA-Zäß£😀\"\\\\\n\t:,. ]{0,12}[a-z?!]"
}

fn conversations() -> impl Strategy<Value = Conversation> {
    (
        prop::collection::vec(some_text(), 1..7),
        prop::sample::select(Tone::ALL),
        prop::sample::select(Style::ALL),
        prop::option::of(prop::sample::select(Outcome::ALL)),
        prop::sample::select(EndReason::ALL),
        prop::option::of(some_text()),
        some_text(),
    )
        .prop_map(
            |(texts, tone, style, outcome, end_reason, product, query)| Conversation {
                id: "c/7/2".into(),
                slot: 7,
                attempt: 2,
                cell: Cell {
                    page: "returns".into(),
                    tone,
                    style,
                    first_language: None,
                    product,
                    outcome: Outcome::Resolved,
                    cooperation: Cooperation::Vague,
                    cause: None,
                },
                case: Case {
                    name: "Ada".into(),
                    item: "kettle".into(),
                    order_id: "LK-1".into(),
                    order_date: "3 May".into(),
                    price: "£9".into(),
                },
                query_id: "returns/2".into(),
                query,
                rewrites: Vec::new(),
                passages: vec![0],
                turns: texts
                    .into_iter()
                    .enumerate()
                    .map(|(place, text)| Turn {
                        speaker: [Role::Customer, Role::Agent][place % 2],
                        text,
                        tokens: Vec::new(),
                        edits: 0,
                        links: Vec::new(),
                        restyled: None,
                        rejected: Vec::new(),
                    })
                    .collect(),
                goals: Vec::new(),
                outcome,
                end_reason,
                verdict: Verdict::Keep,
            },
        )
}

fn chats() -> impl Strategy<Value = GroupChat> {
    let turns = prop::collection::vec((0..3usize, "[a-zäß😀\" ]{0,9}[a-z]"), 1..8);
    (turns, some_text(), some_text()).prop_map(|(turns, topic, situation)| GroupChat {
        id: "c/3/0".into(),
        slot: 3,
        attempt: 0,
        experience: Experience {
            id: "e/1".into(),
            participants: ["Mara Lind", "Jo", "Adé"]
                .map(|name| Individual {
                    name: name.into(),
                    ..Individual::of_persona(format!("{name} is calm."))
                })
                .into(),
            relations: "neighbours".into(),
            situation,
            topic,
            starter: "Well?".into(),
            depth: 0,
            shots: Vec::new(),
        },
        planned_turns: 8,
        turns: turns
            .into_iter()
            .map(|(speaker, text)| Remark {
                speaker,
                text,
                tokens: Vec::new(),
                moves: Vec::new(),
                rejected: Vec::new(),
            })
            .collect(),
        end_reason: EndReason::AllLeft,
        verdict: Verdict::Keep,
    })
}

/// What an export of one conversation becomes when it is read again.
fn back(shape: &Shape, dialogue: &Dialogue) -> Sample {
    let row = shape
        .rows(&dialogue.clone().into(), &provenance())
        .remove(0);
    let line = format!("{}\n", Value::Object(row));
    let path = std::path::Path::new("x.jsonl");
    let read = import::read_from(line.as_bytes(), path, None).unwrap();
    assert!(read.skipped.is_empty(), "{}", read.skipped);
    read.samples.into_iter().next().unwrap()
}

fn said(sample: &Sample) -> Vec<(usize, &str)> {
    let turns = sample.turns.iter();
    turns
        .map(|turn| (turn.speaker, turn.text.as_str()))
        .collect()
}

proptest! {
    /// `messages` carries a conversation whole: who says what, how it ended, and every field.
    #[test]
    fn messages_come_back(conversation in conversations()) {
        let dialogue = Dialogue::Support(conversation);
        let original = Sample::of(&dialogue);
        let read = back(&Shape::Messages(MessageRules::default()), &dialogue);
        prop_assert_eq!(said(&read), said(&original));
        prop_assert_eq!((&read.id, read.kind), (&original.id, original.kind));
        prop_assert_eq!((read.outcome, read.end_reason), (original.outcome, original.end_reason));
        for (name, value) in &original.fields {
            prop_assert_eq!(read.fields.get(name), Some(value), "{}", name);
        }
    }

    /// asynth's shape carries what is said, tone and page; outcomes as far as it has words for them.
    #[test]
    fn asynth_comes_back(conversation in conversations()) {
        let dialogue = Dialogue::Support(conversation);
        let original = Sample::of(&dialogue);
        let read = back(&Shape::Asynth(AsynthRules::default()), &dialogue);
        prop_assert_eq!(said(&read), said(&original));
        let resolved = original.outcome == Some(Outcome::Resolved);
        prop_assert_eq!(read.outcome == Some(Outcome::Resolved), resolved);
        for name in ["tone", "page"] {
            prop_assert_eq!(read.fields.get(name), original.fields.get(name), "{}", name);
        }
    }

    /// ConvoGen's shape carries a chat: names, who says what, topic and situation.
    #[test]
    fn chats_come_back(chat in chats()) {
        let dialogue = Dialogue::Group(chat);
        let original = Sample::of(&dialogue);
        let read = back(&Shape::Convogen { opening: false }, &dialogue);
        let told = |sample: &Sample| -> Vec<(String, String)> {
            let name = |speaker: usize| sample.speakers[speaker].name.clone();
            sample.turns.iter().map(|turn| (name(turn.speaker), turn.text.clone())).collect()
        };
        prop_assert_eq!(told(&read), told(&original));
        prop_assert_eq!(&read.id, &original.id);
        for name in ["topic", "situation"] {
            prop_assert_eq!(read.fields.get(name), original.fields.get(name), "{}", name);
        }
    }

    /// Experiences are read back as they are, and leave as the same bytes again.
    #[test]
    fn experiences_leave_as_they_came(chat in chats()) {
        let item = |experience| colloquy::export::Item::Experience(experience);
        let rows = |experience| Shape::Experiences.rows(&item(experience), &provenance());
        let line = Value::Object(rows(chat.experience.clone()).remove(0)).to_string();
        let read: Experience = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read, &chat.experience);
        prop_assert_eq!(Value::Object(rows(read).remove(0)).to_string(), line);
    }
}
