//! Numbers, amounts, ids, dates and times: what must be in a rewrite to the letter.

use super::tokens::{Class, Token, is_time};
use crate::augment::words::month;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    /// A number's value, an id, the name of a day, a month's number.
    value: String,
    class: Class,
    unit: &'static str,
    /// A month stands beside it.
    of_month: bool,
    at: usize,
}

/// The first fact of one text that the other lacks, as a token's place.
pub(super) fn lacking(of: &[Token], from: &[Token]) -> Option<usize> {
    let theirs = facts(from);
    facts(of)
        .into_iter()
        .find(|fact| !theirs.iter().any(|other| matches(fact, other)))
        .map(|fact| fact.at)
}

fn matches(a: &Fact, b: &Fact) -> bool {
    let units = a.unit == b.unit
        || (a.unit.is_empty() && b.unit != "st" || b.unit.is_empty() && a.unit != "st")
        || a.of_month && b.of_month;
    a.value == b.value && (a.class == b.class) && units
}

fn facts(tokens: &[Token]) -> Vec<Fact> {
    let is_month = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| month(&token.text, true).is_some())
    };
    let mut out = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let fact = match token.class {
            Class::Number | Class::Exact => Fact {
                value: token.text.clone(),
                class: token.class.clone(),
                unit: token.unit,
                of_month: is_month(at.checked_sub(1))
                    || is_month(Some(at + 1))
                    || is_month(Some(at + 2)),
                at,
            },
            Class::Word if is_time(tokens, at) => Fact {
                value: month(&token.text, true)
                    .map_or(token.text.clone(), |month| format!("month {month}")),
                class: Class::Word,
                unit: "",
                of_month: false,
                at,
            },
            Class::Word => continue,
        };
        out.push(fact);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn kept(a: &str, b: &str) -> bool {
        let (a, b) = (tokens(a), tokens(b));
        lacking(&a, &b).is_none() && lacking(&b, &a).is_none()
    }

    #[test]
    fn facts_are_kept_in_any_spelling() {
        for (a, b) in [
            ("two weeks", "2 weeks"),
            ("£25", "25 pounds"),
            ("300 pounds", "300 quid"),
            ("on 3 May", "on May 3rd"),
            ("10% off", "10 percent off"),
            ("twice", "two times"),
            ("order lk-48213", "order LK-48213"),
            ("between 2 and 4 pm", "between 2 pm and 4pm"),
            ("12 March", "12 Mar"),
        ] {
            assert!(kept(a, b), "{a} / {b}");
        }
    }

    #[test]
    fn changed_facts_are_lacking() {
        for (a, b) in [
            ("two weeks", "two months"),
            ("£25", "€25"),
            ("£49.99", "£45.99"),
            ("the second one", "the third one"),
            ("10%", "£10"),
            ("9:30", "9:45"),
            ("LK-48213", "LK-48231"),
            ("Saturday", "Sunday"),
            ("may I", "may I on 3 May"),
            ("a.b@c.org", "a.b@c.com"),
        ] {
            assert!(!kept(a, b), "{a} / {b}");
        }
    }
}
