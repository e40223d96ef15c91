//! Records for tests of rooms that take them.

use super::*;

/// A conversation of two turns, kept.
pub fn conversation() -> Conversation {
    let turn = |speaker, text: &str| Turn {
        speaker,
        text: text.into(),
        tokens: vec![1],
        edits: 0,
        links: Vec::new(),
        restyled: None,
        rejected: Vec::new(),
    };
    Conversation {
        id: "c/3/1".into(),
        slot: 3,
        attempt: 1,
        cell: Cell {
            page: "returns".into(),
            tone: Tone::Annoyed,
            style: Style::Typos,
            first_language: None,
            product: Some("washing machine".into()),
            outcome: Outcome::Resolved,
            cooperation: Cooperation::Forthcoming,
            cause: None,
        },
        case: Case {
            name: "Ada".into(),
            item: "washing machine".into(),
            order_id: "LK-48213".into(),
            order_date: "3 May".into(),
            price: "£239".into(),
        },
        query_id: "returns/2".into(),
        query: "Why?".into(),
        rewrites: Vec::new(),
        goals: Vec::new(),
        passages: vec![0],
        turns: vec![
            turn(Role::Customer, "why \"£19\"\n?"),
            turn(Role::Agent, "It is heavy."),
        ],
        outcome: None,
        end_reason: EndReason::MaxTurns,
        verdict: Verdict::Keep,
    }
}
