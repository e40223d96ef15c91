use std::sync::{Arc, Mutex};

use super::tests::{Memory, block, page};
use super::*;
use crate::engine::{ChatModel, Completion, Finish, Sampling, ScriptedModel};
use crate::prompt::{Pack, Prompts};
use crate::rng::Stream;

fn query_context(model: &str, log: Arc<Memory>) -> QueryContext {
    let model = ChatModel::Scripted(Arc::new(ScriptedModel::parse(model).unwrap()));
    QueryContext {
        caller: Caller::new(
            Cast::one(model, Arc::new(Prompts::embedded(Pack::Compact))),
            log,
        ),
        settings: Arc::new(QuerySettings {
            brand: "Larkmoor".into(),
            language: "English".into(),
            sampling: Sampling::default(),
            thinking: 0,
            passage_tokens: 60,
        }),
        root: Stream::root(7),
    }
}

#[test]
fn every_part_of_a_page_gets_its_questions() {
    let log = Arc::new(Memory::default());
    let set = block(generate_queries(
        &query_context("scripted", log.clone()),
        &page(),
        7,
    ))
    .unwrap();
    assert_eq!((set.queries.len(), set.missing), (7, 0), "{set:#?}");
    let ids: Vec<&str> = set.queries.iter().map(|query| query.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "returns/0",
            "returns/1",
            "returns/2",
            "returns/3",
            "returns/4",
            "returns/5",
            "returns/6"
        ]
    );
    assert!(
        log.calls
            .lock()
            .unwrap()
            .keys()
            .filter(|key| key.ends_with("/0"))
            .count()
            > 1
    );
    let again = block(generate_queries(
        &query_context("scripted", Arc::default()),
        &page(),
        7,
    ))
    .unwrap();
    assert_eq!(again, set);
    let resumed = Arc::new(Memory {
        room: Some(0),
        calls: Mutex::new(log.calls.lock().unwrap().clone()),
        ..Memory::default()
    });
    assert_eq!(
        block(generate_queries(
            &query_context("scripted", resumed),
            &page(),
            7
        ))
        .unwrap(),
        set
    );
}

#[test]
fn double_and_cut_off_lists_are_asked_for_once_more() {
    let log = Arc::new(Memory::default());
    let doubles = block(generate_queries(
        &query_context("scripted:duplicate=1", log.clone()),
        &page(),
        9,
    ))
    .unwrap();
    assert!(doubles.dropped > 0 && doubles.missing > 0, "{doubles:#?}");
    assert_eq!(doubles.queries.len() + doubles.missing, 9);
    assert!(
        log.calls
            .lock()
            .unwrap()
            .keys()
            .any(|key| key.ends_with("/1"))
    );
    let cut = block(generate_queries(
        &query_context("scripted:truncated=1", Arc::default()),
        &page(),
        4,
    ))
    .unwrap();
    assert_eq!((cut.queries.len(), cut.dropped, cut.missing), (0, 4, 4));
    let log = Arc::new(Memory::default());
    let bad = Completion {
        tokens: vec![],
        text: "{}".into(),
        finish: Finish::Accepted,
        thinking_tokens: 0,
        prompt_tokens: 0,
        reused_tokens: 0,
    };
    log.record("q/returns/0/0", &CallOutcome::Reply(bad))
        .unwrap();
    let error = block(generate_queries(
        &query_context("scripted", log),
        &page(),
        9,
    ))
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("q/returns/0/0: the reply does not have the form"),
        "{error}"
    );
}
