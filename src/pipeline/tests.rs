use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::augment::style::{self, Manner};
use crate::dialogue::DecisionRule;
use crate::engine::{ChatModel, ScriptedModel};
use crate::knowledge::{Format, parse};
use crate::prompt::{Pack, Prompts};
use crate::record::{
    Case, Cause, Cell, Conversation, EndReason, FirstLanguage, GuardKind, Outcome, Page, Query,
    Role, Style, Tone, Verdict,
};
use crate::rng::Stream;

/// A journal in memory; fails after a number of records, as a kill would.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) calls: Mutex<BTreeMap<String, CallOutcome>>,
    pub(super) made: Mutex<usize>,
    pub(super) room: Option<usize>,
}

impl CallLog for Memory {
    fn recall(&self, key: &str) -> Option<CallOutcome> {
        let json = serde_json::to_string(self.calls.lock().unwrap().get(key)?).unwrap();
        Some(serde_json::from_str(&json).unwrap())
    }

    fn record(&self, key: &str, outcome: &CallOutcome) -> Result<(), CallLogError> {
        let mut made = self.made.lock().unwrap();
        if self.room == Some(*made) {
            return Err(CallLogError("killed".to_owned()));
        }
        *made += 1;
        let before = self
            .calls
            .lock()
            .unwrap()
            .insert(key.to_owned(), outcome.clone());
        assert_eq!(before, None, "{key} was asked twice");
        Ok(())
    }
}

pub(super) fn page() -> Page {
    parse(
        "returns",
        Format::Markdown,
        "# Returns\n\nMost things bought from us can come back to us without any fuss.\n\n## How long\n\nYou can return most \
         items within 30 days of delivery for a full refund. A camera has a longer period of 45 days.\n\nWashing machines are \
         collected from your home for a fee of £20. Smaller parcels are dropped at any post office.\n\n## Refunds\n\nRefunds \
         reach your card within 5 working days of our check. Gift cards are credited on the same day.\n\nOpened software is \
         not taken back at all. Earphones count as hygiene goods and must be sealed.",
    )
}

pub(super) fn context_with(
    model: &str,
    log: Arc<Memory>,
    change: impl FnOnce(&mut SupportSettings),
) -> SupportContext {
    let model = ChatModel::Scripted(Arc::new(ScriptedModel::parse(model).unwrap()));
    let pack = Pack::named(&model.identity().prompt_pack).unwrap();
    let mut settings = SupportSettings {
        passage_tokens: 60,
        ..SupportSettings::default()
    };
    change(&mut settings);
    SupportContext {
        shelf: Shelf::default(),
        caller: Caller::new(Cast::one(model, Arc::new(Prompts::embedded(pack))), log),
        settings: Arc::new(settings),
        root: Stream::root(7),
    }
}

pub(super) fn context(model: &str) -> SupportContext {
    context_with(model, Arc::default(), |_| {})
}

pub(super) fn assignment(slot: u64, outcome: Outcome, style: Style) -> Assignment {
    Assignment {
        slot,
        attempt: 0,
        cell: Cell {
            page: "returns".into(),
            tone: Tone::Annoyed,
            style,
            first_language: (style == Style::NonNative).then_some(FirstLanguage::Hindi),
            product: Some("washing machine".into()),
            outcome,
            cooperation: crate::record::Cooperation::Forthcoming,
            cause: None,
        },
        case: Case {
            name: "Mia".into(),
            item: "washing machine".into(),
            order_id: format!("LK-{}", 10_000 + slot),
            order_date: "3 May".into(),
            price: "£239".into(),
        },
        query: Query {
            id: format!("returns/{slot}"),
            page: "returns".into(),
            text: "How long do I have to send something back?".into(),
            tone: None,
            style: None,
        },
        second: None,
        page: Arc::new(page()),
    }
}

pub(super) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

pub(super) fn talk(context: &SupportContext, assignment: Assignment) -> Conversation {
    block(converse(context, assignment)).unwrap()
}

fn reason(conversation: &Conversation) -> &str {
    match &conversation.verdict {
        Verdict::Keep => "keep",
        Verdict::Reject { reason, .. } => reason,
    }
}

#[test]
fn customers_ask_agents_answer_from_the_page_and_the_customer_ends_it() {
    for model in ["scripted", "scripted:prompts=full"] {
        let context = context(model);
        let mut outcomes = BTreeMap::<_, usize>::new();
        for slot in 0..60 {
            let planned = Outcome::ALL[usize::try_from(slot).unwrap() % 3];
            let conversation = talk(&context, assignment(slot, planned, Style::Plain));
            assert_eq!(conversation.verdict, Verdict::Keep, "{conversation:#?}");
            assert!(
                (4..=12).contains(&conversation.turns.len())
                    && conversation.turns.len().is_multiple_of(2)
            );
            assert_eq!(conversation.turns[0].speaker, Role::Customer);
            assert!(conversation.turns[0].text.ends_with(&conversation.query));
            assert!(
                conversation
                    .turns
                    .iter()
                    .all(|turn| !turn.text.is_empty() && turn.edits == 0)
            );
            let page = page();
            let seen: Vec<&str> = conversation
                .passages
                .iter()
                .map(|&p| page.paragraphs[p].text.as_str())
                .collect();
            let answer = &conversation.turns_of(Role::Agent).next().unwrap().text;
            assert!(
                seen.iter().any(|text| text
                    .split_inclusive(". ")
                    .any(|s| answer.contains(s.trim()))),
                "{answer}"
            );
            *outcomes.entry(conversation.outcome.unwrap()).or_default() +=
                usize::from(conversation.outcome == Some(planned));
        }
        assert!(
            outcomes.len() == 3 && outcomes.values().sum::<usize>() >= 40,
            "{outcomes:?}"
        );
    }
}

#[test]
fn long_pages_give_their_best_passages() {
    let mut about_cameras = assignment(1, Outcome::Resolved, Style::Plain);
    about_cameras.query.text = "How many days do I have for a camera?".into();
    let conversation = talk(&context("scripted"), about_cameras);
    assert!(conversation.passages.len() < page().paragraphs.len());
    assert!(
        conversation.passages.contains(&1),
        "{:?}",
        conversation.passages
    );
}

#[test]
fn typing_mistakes_are_laid_over_every_customer_turn() {
    let context = context("scripted");
    let plain = talk(&context, assignment(3, Outcome::Resolved, Style::Plain));
    let typos = talk(&context, assignment(3, Outcome::Resolved, Style::Typos));
    let turns: Vec<_> = typos.turns_of(Role::Customer).collect();
    assert!(
        turns.iter().filter(|turn| turn.edits > 0).count() * 4 >= turns.len() * 3,
        "{turns:#?}"
    );
    assert!(
        turns
            .iter()
            .all(|turn| (turn.edits == 0) != turn.tokens.is_empty())
    );
    assert_ne!(plain.turns[0].text, typos.turns[0].text);
    let words = |text: &str| text.split_whitespace().count();
    assert_eq!(words(&plain.turns[0].text), words(&typos.turns[0].text));
    assert!(
        typos
            .turns_of(Role::Agent)
            .all(|turn| turn.edits == 0 && !turn.tokens.is_empty())
    );
}

#[test]
fn guards_ask_once_again_and_then_cut() {
    let expected = [
        ("empty", GuardKind::Empty),
        ("long", GuardKind::TooLong),
        ("truncated", GuardKind::TooLong),
        ("leak", GuardKind::RoleLeak),
        ("echo", GuardKind::PromptLeak),
    ];
    for (dial, kind) in expected {
        let conversation = talk(
            &context(&format!("scripted:{dial}=1")),
            assignment(1, Outcome::Resolved, Style::Plain),
        );
        assert_eq!(
            (conversation.end_reason, conversation.outcome),
            (EndReason::GuardCut, None)
        );
        assert_eq!(reason(&conversation), "guard_cut");
        let last = conversation.turns.last().unwrap();
        assert!(last.text.is_empty() && last.rejected.len() == 2, "{last:?}");
        assert!(
            last.rejected
                .iter()
                .all(|rejected| rejected.hit.kind == kind),
            "{dial}: {last:?}"
        );
    }
}

#[test]
fn a_second_draw_often_saves_the_turn_and_keeps_what_was_rejected() {
    let context = context("scripted:echo=0.15,long=0.05,leak=0.05");
    let all: Vec<Conversation> = (0..80)
        .map(|slot| talk(&context, assignment(slot, Outcome::Resolved, Style::Plain)))
        .collect();
    let saved = |turn: &crate::record::Turn| !turn.text.is_empty() && turn.rejected.len() == 1;
    assert!(
        all.iter()
            .flat_map(|c| &c.turns)
            .filter(|turn| saved(turn))
            .count()
            > 40
    );
    let cut = all
        .iter()
        .filter(|c| c.end_reason == EndReason::GuardCut)
        .count();
    assert!((4..60).contains(&cut), "{cut}");
    assert!(
        all.iter()
            .flat_map(|c| &c.turns)
            .flat_map(|t| &t.rejected)
            .any(|r| r.hit.kind == GuardKind::Echo)
    );
}

#[test]
fn the_turn_limit_asks_for_an_outcome() {
    let context = context_with("scripted:endless=1", Arc::default(), |settings| {
        settings.max_turns = 7;
    });
    for slot in 0..10 {
        let conversation = talk(&context, assignment(slot, Outcome::Resolved, Style::Plain));
        assert_eq!(
            (conversation.end_reason, conversation.turns.len()),
            (EndReason::MaxTurns, 6)
        );
        assert!(conversation.outcome.is_some());
    }
}

#[test]
fn no_end_before_the_least_number_of_turns() {
    let log = Arc::new(Memory::default());
    let context = context_with("scripted", log.clone(), |settings| {
        settings.min_turns = 6;
        settings.decision = DecisionRule::Likeliest;
    });
    let conversation = talk(&context, assignment(2, Outcome::Abandoned, Style::Plain));
    assert!(conversation.turns.len() >= 6);
    assert_eq!(
        (conversation.end_reason, conversation.outcome),
        (EndReason::Customer, Some(Outcome::Abandoned))
    );
    assert!(log.recall("c/2/0/status/4/0").is_none() && log.recall("c/2/0/status/6/0").is_some());
}

#[test]
fn what_came_out_otherwise_than_planned_is_turned_down_when_asked() {
    let context = context_with("scripted", Arc::default(), |settings| {
        settings.keep_only_planned_outcome = true;
    });
    let all: Vec<Conversation> = (0..80)
        .map(|slot| {
            talk(
                &context,
                assignment(slot, Outcome::Unresolved, Style::Plain),
            )
        })
        .collect();
    for conversation in &all {
        let expected = if conversation.outcome == Some(Outcome::Unresolved) {
            "keep"
        } else {
            "outcome"
        };
        assert_eq!(reason(conversation), expected);
    }
    assert!(
        all.iter()
            .any(|conversation| reason(conversation) == "outcome")
    );
    let short = context_with("scripted", Arc::default(), |settings| {
        (settings.min_turns, settings.max_turns) = (10, 4);
    });
    assert_eq!(
        reason(&talk(
            &short,
            assignment(0, Outcome::Resolved, Style::Plain)
        )),
        "too_short"
    );
}

#[test]
fn a_full_context_ends_the_conversation_and_other_failures_end_the_task() {
    let full = talk(
        &context("scripted:context=300,endless=1"),
        assignment(1, Outcome::Resolved, Style::Plain),
    );
    assert_eq!((full.end_reason, full.outcome), (EndReason::Context, None));
    assert!(
        !full.turns.is_empty() && reason(&full) == "context",
        "{full:#?}"
    );
    let failed = block(converse(
        &context("scripted:error=1"),
        assignment(1, Outcome::Resolved, Style::Plain),
    ));
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .starts_with("c/1/0/customer/0/0: numbers went wrong")
    );
}

/// Everything a run's bytes are made of.
fn bytes(conversations: &[Conversation]) -> String {
    conversations
        .iter()
        .map(|c| serde_json::to_string(c).unwrap() + "\n")
        .collect()
}

#[test]
fn bytes_do_not_depend_on_how_conversations_interleave() {
    const COUNT: u64 = 24;
    let plan = |slot| {
        let outcome = Outcome::ALL[usize::try_from(slot % 3).unwrap()];
        let style = Style::ALL[usize::try_from(slot % 8).unwrap()];
        let mut planned = assignment(slot, outcome, style);
        planned.cell.cause = (outcome == Outcome::Unresolved).then_some(Cause::PageLacksIt);
        planned
    };
    let make = || {
        let model = "scripted:echo=0.1,empty=0.05,thank=0.3,ask_back=0.3,evade=0.2";
        context_with(model, Arc::default(), |settings| settings.hold_style = true)
    };
    let alone: Vec<Conversation> = (0..COUNT).map(|slot| talk(&make(), plan(slot))).collect();
    for width in [1, 3, 64] {
        let context = make();
        let together = block(async {
            let places = Arc::new(tokio::sync::Semaphore::new(width));
            let mut tasks = tokio::task::JoinSet::new();
            for slot in (0..COUNT).rev() {
                let (context, places) = (context.clone(), places.clone());
                tasks.spawn(async move {
                    let _place = places.acquire().await.unwrap();
                    converse(&context, plan(slot)).await.unwrap()
                });
            }
            let mut done = tasks.join_all().await;
            done.sort_by_key(|conversation| conversation.slot);
            done
        });
        assert_eq!(bytes(&together), bytes(&alone), "{width} at once");
    }
}

#[test]
fn what_was_called_before_a_kill_is_not_called_again() {
    const MODEL: &str = "scripted:echo=0.2,thank=0.3,ask_back=0.3";
    let plan = |slot| assignment(slot, Outcome::Resolved, Style::Typos);
    let whole = Arc::new(Memory::default());
    let context = context_with(MODEL, whole.clone(), |_| {});
    let expected: Vec<Conversation> = (0..3).map(|slot| talk(&context, plan(slot))).collect();
    let total = *whole.made.lock().unwrap();
    for room in 0..total {
        let first = Arc::new(Memory {
            room: Some(room),
            ..Memory::default()
        });
        let context = context_with(MODEL, first.clone(), |_| {});
        let stopped = (0..3)
            .find_map(|slot| block(converse(&context, plan(slot))).err())
            .unwrap();
        assert!(matches!(stopped, PipelineError::Log(_)), "{stopped}");
        let calls = first.calls.lock().unwrap().clone();
        let second = Arc::new(Memory {
            calls: Mutex::new(calls),
            ..Memory::default()
        });
        let context = context_with(MODEL, second.clone(), |_| {});
        let resumed: Vec<Conversation> = (0..3).map(|slot| talk(&context, plan(slot))).collect();
        assert_eq!(bytes(&resumed), bytes(&expected));
        assert_eq!(*second.made.lock().unwrap(), total - room);
    }
}

#[test]
fn a_journal_of_another_shape_is_refused() {
    let log = Arc::new(Memory::default());
    log.record("c/1/0/customer/0/0", &CallOutcome::Choice(vec![0.0]))
        .unwrap();
    let error = block(converse(
        &context_with("scripted", log, |_| {}),
        assignment(1, Outcome::Resolved, Style::Plain),
    ));
    assert!(matches!(
        error.unwrap_err(),
        PipelineError::OtherKind { .. }
    ));
}

#[test]
fn a_style_that_was_dropped_is_put_back_and_the_facts_stay() {
    let hold = |settings: &mut SupportSettings| settings.hold_style = true;
    let held = context_with("scripted", Arc::default(), hold);
    let free = context("scripted");
    let (mut restyled, mut customers) = (BTreeMap::<Style, usize>::new(), 0);
    for &style in Style::ALL {
        for slot in 0..12 {
            let made = talk(&held, assignment(slot, Outcome::Unresolved, style));
            let manner = Manner::of(style, made.cell.first_language).unwrap();
            for turn in &made.turns {
                let lacked = turn.restyled.is_some();
                assert!(!lacked || turn.speaker == Role::Customer && style != Style::Typos);
                assert_eq!(turn.edits == 0, !turn.tokens.is_empty());
                if lacked {
                    *restyled.entry(style).or_default() += 1;
                    assert!(turn.edits > 0, "{}", turn.text);
                }
                let by_rule = matches!(
                    style,
                    Style::Plain | Style::Casual | Style::Formal | Style::Colloquial
                );
                if turn.speaker == Role::Customer && by_rule {
                    let hold = style::holds(manner, &turn.text);
                    customers += 1;
                    assert!(hold.is_held(), "{style}: {}: {hold:?}", turn.text);
                }
                if let Some((_, rest)) = turn.text.split_once("LK-") {
                    assert!(made.case.order_id.ends_with(&rest[..5]), "{}", turn.text);
                }
            }
            let without = talk(&free, assignment(slot, Outcome::Unresolved, style));
            assert!(without.turns.iter().all(|turn| turn.restyled.is_none()));
        }
    }
    assert!(customers > 100, "{customers}");
    for style in [Style::Casual, Style::Colloquial, Style::NonNative] {
        assert!(restyled[&style] > 10, "{style}: {restyled:?}");
    }
    assert!(
        !restyled.contains_key(&Style::Typos) && !restyled.contains_key(&Style::Plain),
        "{restyled:?}"
    );
}
