//! What settles a question, and what is held back until it is settled.

use std::sync::Arc;

use super::tests::{Memory, assignment, context_with, page, talk};
use super::*;
use crate::knowledge::Passages;
use crate::record::{Cause, Conversation, GoalState, GuardKind, Outcome, Role, Style};

fn talks(context: &SupportContext, change: impl Fn(&mut Assignment)) -> Vec<Conversation> {
    (0..40)
        .map(|slot| {
            let mut assignment = assignment(slot, Outcome::Resolved, Style::Plain);
            change(&mut assignment);
            talk(context, assignment)
        })
        .collect()
}

fn resolved(talks: &[Conversation]) -> usize {
    let is = |talk: &&Conversation| talk.outcome == Some(Outcome::Resolved);
    talks.iter().filter(is).count()
}

fn german(settings: &mut SupportSettings) {
    settings.language = "German".to_owned();
    settings.facts = Facts::Unread;
}

/// Of English conversations, whose replies are linked to the page.
fn context(model: &str) -> SupportContext {
    english(model, |_| {})
}

fn english(model: &str, change: impl FnOnce(&mut SupportSettings)) -> SupportContext {
    context_with(model, Arc::default(), |settings| {
        settings.facts = Facts::Linked;
        change(settings);
    })
}

#[test]
fn an_answer_from_the_page_settles_the_question_before_it_is_resolved() {
    let all = talks(&context("scripted"), |_| {});
    for talk in &all {
        let [goal] = &talk.goals[..] else {
            panic!("{:?}", talk.goals)
        };
        assert_eq!(goal.question, talk.query);
        for turn in goal.attempted.iter().chain(&goal.done) {
            assert_eq!(talk.turns[*turn].speaker, Role::Agent);
        }
        if talk.outcome == Some(Outcome::Resolved) {
            assert_eq!(goal.state(), GoalState::Done, "{talk:#?}");
        }
    }
    assert!(resolved(&all) > 20, "{}", resolved(&all));
}

#[test]
fn what_no_reply_settles_is_never_resolved() {
    for (model, state) in [
        ("scripted:ask_back=1", GoalState::Open),
        ("scripted:evade=1", GoalState::Attempted),
        // Nor when the turns run out.
        ("scripted:evade=1,endless=1", GoalState::Attempted),
    ] {
        let context = english(model, |settings| settings.max_turns = 7);
        let all = talks(&context, |_| {});
        assert_eq!(resolved(&all), 0, "{model}");
        for talk in &all {
            assert_eq!(talk.goals[0].state(), state, "{model}: {talk:#?}");
            let first = (state == GoalState::Attempted).then_some(1);
            assert_eq!(talk.goals[0].attempted, first);
        }
        let ended = |talk: &Conversation| talk.outcome.is_some();
        assert!(
            all.iter().filter(|talk| ended(talk)).count() > 20,
            "{model}"
        );
    }
}

#[test]
fn where_grounding_cannot_judge_a_reply_settles_it_and_a_question_back_does_not() {
    let log = Arc::new(Memory::default());
    let evades = talks(&context_with("scripted:evade=1", log, german), |_| {});
    assert!(resolved(&evades) > 20);
    assert!(evades.iter().all(|talk| talk.goals[0].done == Some(1)));
    let log = Arc::new(Memory::default());
    let asks = talks(&context_with("scripted:ask_back=1", log, german), |_| {});
    assert_eq!(resolved(&asks), 0);
}

#[test]
fn what_the_page_lacks_is_kept_from_the_agent_and_never_resolved() {
    let kept_back =
        Passages::of(&page(), str::len).bearing("How long do I have to send something back?");
    assert!(!kept_back.is_empty() && kept_back.len() < page().paragraphs.len());
    let lacks = |assignment: &mut Assignment| {
        assignment.cell.outcome = Outcome::Unresolved;
        assignment.cell.cause = Some(Cause::PageLacksIt);
    };
    let changes: [fn(&mut SupportSettings); 2] = [|_| {}, german];
    for change in changes {
        let context = english("scripted", change);
        let all = talks(&context, lacks);
        assert_eq!(resolved(&all), 0);
        for talk in &all {
            assert!(!talk.passages.is_empty());
            assert!(talk.passages.iter().all(|index| !kept_back.contains(index)));
            assert_eq!(talk.goals[0].state(), GoalState::Attempted);
        }
    }
    // The other causes leave the agent what it has else.
    let other = |assignment: &mut Assignment| {
        lacks(assignment);
        assignment.cell.cause = Some(Cause::PolicyRefuses);
    };
    let all = talks(&context("scripted"), other);
    assert!(
        all.iter()
            .all(|talk| talk.passages.iter().any(|index| kept_back.contains(index)))
    );
}

#[test]
fn a_page_of_one_paragraph_that_lacks_the_answer_shows_nothing() {
    let all = talks(&context("scripted"), |assignment| {
        let text = "# Hours\n\nOur phone line is open from 9 to 5 on weekdays.";
        let page = crate::knowledge::parse("hours", crate::knowledge::Format::Markdown, text);
        assignment.page = Arc::new(page);
        assignment.query.text = "When is the phone line open?".to_owned();
        assignment.cell.cause = Some(Cause::PageLacksIt);
    });
    assert_eq!(resolved(&all), 0);
    for talk in all {
        assert_eq!(talk.passages, [0; 0]);
        assert!(
            talk.turns_of(Role::Agent)
                .all(|turn| !turn.text.contains('9'))
        );
    }
}

#[test]
fn thanks_before_the_question_is_settled_are_made_again_once() {
    let hits = |talk: &Conversation, turn: usize| -> Vec<GuardKind> {
        let rejected = &talk.turns[turn].rejected;
        rejected.iter().map(|one| one.hit.kind).collect()
    };
    // Open to the end: every thanks is made again, and the second is kept.
    for talk in talks(&context("scripted:thank=1,evade=1"), |_| {}) {
        for (turn, said) in talk.turns.iter().enumerate() {
            let customer = said.speaker == Role::Customer && !said.text.is_empty();
            if customer && turn > 0 {
                assert_eq!(hits(&talk, turn), [GuardKind::Gratitude]);
                assert!(said.text.starts_with("Thank you"));
            } else if customer {
                assert!(hits(&talk, turn).is_empty());
            }
        }
    }
    // Settled: nobody minds.
    let (mut early, mut late) = (0, 0);
    for talk in talks(&context("scripted:thank=1"), |_| {}) {
        for (turn, said) in talk.turns.iter().enumerate().skip(1) {
            if said.speaker == Role::Agent || said.text.is_empty() {
                continue;
            }
            let settled = talk.goals[0].done.is_some_and(|done| done < turn);
            let expected: &[GuardKind] = if settled {
                &[]
            } else {
                &[GuardKind::Gratitude]
            };
            assert_eq!(hits(&talk, turn), expected, "{talk:#?}");
            early += usize::from(!settled);
            late += usize::from(settled);
        }
    }
    assert!(late > 20, "{early} {late}");
    // The word list is English.
    let log = Arc::new(Memory::default());
    for talk in talks(
        &context_with("scripted:thank=1,evade=1", log, german),
        |_| {},
    ) {
        let grateful = |turn| hits(&talk, turn).contains(&GuardKind::Gratitude);
        assert!(!(0..talk.turns.len()).any(grateful));
    }
}

fn with_second(assignment: &mut Assignment) {
    assignment.second = Some(crate::record::Query {
        id: "returns/s".into(),
        page: "returns".into(),
        text: "When does a refund reach my card?".into(),
        tone: None,
        style: None,
    });
}

#[test]
fn a_second_question_is_brought_up_when_the_first_is_settled() {
    let context = english("scripted", |settings| {
        settings.passage_tokens = 100;
    });
    let all = talks(&context, with_second);
    let (mut raised, mut both) = (0, 0);
    for talk in &all {
        let [first, second] = &talk.goals[..] else {
            panic!("{:?}", talk.goals)
        };
        let Some(turn) = second.raised else { continue };
        raised += 1;
        // At once, and the note is followed.
        assert_eq!(first.done, Some(turn - 1), "{talk:#?}");
        assert_eq!(talk.turns[turn].text, second.question);
        assert!(second.attempted.is_none_or(|attempted| attempted > turn));
        both += usize::from(second.done.is_some());
        if talk.outcome == Some(Outcome::Resolved) {
            assert_eq!(second.state(), GoalState::Done, "{talk:#?}");
        }
    }
    assert!(raised > 30 && both > 20, "{raised} {both}");
    assert!(resolved(&all) > 15, "{}", resolved(&all));
}

#[test]
fn a_second_question_that_is_never_settled_bars_resolved_and_one_without_time_does_not() {
    // The page lacks what the second asks for: nothing bears on it that the agent sees.
    let unanswerable = |assignment: &mut Assignment| {
        with_second(assignment);
        let text =
            "# Returns\n\nYou can return most items within 30 days of delivery for a full refund.";
        let page = crate::knowledge::parse("returns", crate::knowledge::Format::Markdown, text);
        assignment.page = Arc::new(page);
        assignment.query.text = "Within how many days can I return an item?".into();
        assignment.second.as_mut().unwrap().text = "Do you sell umbrellas?".into();
    };
    let all = talks(&context("scripted:evade=0.5"), unanswerable);
    let mut open = 0;
    for talk in &all {
        let second = &talk.goals[1];
        if second.raised.is_some() && second.done.is_none() {
            assert_ne!(talk.outcome, Some(Outcome::Resolved));
            open += 1;
        }
    }
    assert!(open > 10, "{open}");
    let context = english("scripted", |settings| {
        (settings.min_turns, settings.max_turns) = (2, 2);
    });
    let short = talks(&context, with_second);
    assert!(short.iter().all(|talk| talk.goals[1].raised.is_none()));
    assert!(resolved(&short) > 10, "{}", resolved(&short));
}
