use std::sync::Arc;

use super::*;
use crate::engine::Sampling;
use crate::rng::Stream;

const PAGE: &str = "You are Robin, support agent at Larkmoor.\nPage: Returns\nYou can return most items within 30 days of \
                    delivery. A refund reaches your card within 5 working days of our check.";

fn ask(view: &View, seed: u64) -> Ask<'_> {
    Ask {
        view,
        tail: None,
        max_new_tokens: 80,
        thinking_tokens: 0,
        sampling: Sampling::default(),
        grammar: None,
        stop: &[],
        draw: Stream::root(seed),
    }
}

fn reply(model: &ScriptedModel, ask: Ask<'_>) -> Result<Completion, ChatError> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(model.reply(ask))
}

fn agent_view(question: &str) -> View {
    let mut view = View::with_system(PAGE);
    view.push(ChatRole::User, question, Vec::new());
    view
}

#[test]
fn agents_quote_the_sentence_that_was_asked_for() {
    let model = ScriptedModel::new(Dials::default());
    let view = agent_view("When does the refund reach my card?");
    let answer = reply(&model, ask(&view, 1)).unwrap();
    assert!(
        answer
            .text
            .contains("A refund reaches your card within 5 working days"),
        "{}",
        answer.text
    );
    assert_eq!(answer, reply(&model, ask(&view, 1)).unwrap());
    assert_eq!(answer.tokens.len(), answer.text.len());
}

#[test]
fn whoever_opens_the_chat_asks_the_question() {
    let mut view = View::with_system(
        "You are Mia.\nQuestion: How long do I have?\nItem: Laptop. Order: LK-12345, 3 May.",
    );
    view.push(ChatRole::User, OPENER, Vec::new());
    let model = ScriptedModel::new(Dials::default());
    assert!(
        reply(&model, ask(&view, 3))
            .unwrap()
            .text
            .ends_with("How long do I have?")
    );
}

#[test]
fn lists_follow_their_schema() {
    let schema = r#"{"type":"object","properties":{"queries":{"type":"array","items":{"type":"string","maxLength":40},"minItems":3,"maxItems":3}}}"#;
    let view = agent_view(
        "Page: Returns\nYou can return most items within 30 days of delivery for a refund.\nWrite 3.",
    );
    let grammar = Some(Arc::new(Grammar::JsonSchema(schema.to_owned())));
    let text = reply(
        &ScriptedModel::new(Dials::default()),
        Ask {
            grammar,
            ..ask(&view, 5)
        },
    )
    .unwrap()
    .text;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["queries"].as_array().unwrap().len(), 3);
    assert!(text.starts_with("{\"queries\": [\""), "{text}");
    assert!(
        value["queries"]
            .as_array()
            .unwrap()
            .iter()
            .all(|q| q.as_str().unwrap().len() <= 40)
    );
}

#[test]
fn texts_of_experiences_are_copied_from_the_examples_shown() {
    let fields = r#"{"type":"object","properties":{"name":{"type":"string"},"topic":{"type":"string"},"starter":{"type":"string"}}}"#;
    let mut view = View::with_system("You write experiences.");
    let example =
        r#"{"participants": [{"name": "Ada", "memory": "M"}], "topic": "T", "starter": "S"}"#;
    let prompt = format!("Example 1: {example}\nExample 2: none\nWrite 1 experience.");
    view.push(ChatRole::User, prompt, Vec::new());
    let copied = |reference: &str| {
        let model = ScriptedModel::parse(reference).unwrap();
        let made = (0..200).map(|seed| {
            let grammar = Some(Arc::new(Grammar::JsonSchema(fields.to_owned())));
            let ask = Ask {
                grammar,
                ..ask(&view, seed)
            };
            serde_json::from_str(&reply(&model, ask).unwrap().text).unwrap()
        });
        let all: Vec<serde_json::Value> = made.collect();
        let is = |name: &str, text: &str| all.iter().filter(|one| one[name] == text).count();
        [is("name", "Ada"), is("topic", "T"), is("starter", "S")]
    };
    assert_eq!(copied("scripted"), [0, 0, 0]);
    assert_eq!(copied("scripted:copy=1"), [0, 200, 200]);
    let [name, topic, starter] = copied("scripted:copy=0.5");
    assert_eq!(name, 0);
    assert!((70..130).contains(&topic) && (70..130).contains(&starter));
}

#[test]
fn every_dial_plants_its_defect() {
    let view = agent_view("When does the refund reach my card?");
    let with = |reference: &str| reply(&ScriptedModel::parse(reference).unwrap(), ask(&view, 1));
    assert_eq!(
        with("scripted:echo=1").unwrap().text,
        "When does the refund reach my card?"
    );
    assert!(
        with("scripted:long=1")
            .unwrap()
            .text
            .split_whitespace()
            .count()
            > 200
    );
    assert!(
        with("scripted:leak=1")
            .unwrap()
            .text
            .starts_with("Customer: ")
    );
    assert_eq!(
        with("scripted:truncated=1").unwrap().finish,
        Finish::Truncated
    );
    assert_eq!(with("scripted:empty=1").unwrap().text, "");
    assert!(matches!(
        with("scripted:error=1"),
        Err(ChatError::Numeric(_))
    ));
    assert!(matches!(
        with("scripted:context=60"),
        Err(ChatError::Context { .. })
    ));
}

#[test]
fn defects_come_at_their_rate_and_a_new_draw_is_another_chance() {
    let model = ScriptedModel::parse("scripted:empty=0.3").unwrap();
    let view = agent_view("Hello?");
    let empty = (0..400)
        .filter(|&seed| reply(&model, ask(&view, seed)).unwrap().text.is_empty())
        .count();
    assert!((80..160).contains(&empty), "{empty} of 400");
}

#[test]
fn decisions_follow_the_mood_and_the_length() {
    let model = ScriptedModel::new(Dials::default());
    let words = ["CONTINUE", "RESOLVED", "UNRESOLVED", "ABANDONED"];
    let decide = |mood: &str, turns: usize| {
        let mut view = View::with_system(mood);
        for _ in 0..turns {
            view.push(ChatRole::Assistant, "a", Vec::new());
            view.push(ChatRole::User, "b", Vec::new());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let scores = runtime
            .block_on(model.choose(&view, "\nStatus?", &words))
            .unwrap();
        assert!((scores.iter().map(|score| score.exp()).sum::<f32>() - 1.0).abs() < 1e-4);
        words[(0..4)
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
            .unwrap()]
    };
    assert_eq!(decide("You accept a clear answer.", 1), "CONTINUE");
    assert_eq!(decide("You accept a clear answer.", 4), "RESOLVED");
    assert_eq!(decide("You do not accept it.", 4), "UNRESOLVED");
    assert_eq!(decide("You leave early.", 4), "ABANDONED");
}
