//! What in a reply claims nothing: greetings, sympathy, questions, offers to help, what the customer said.

use std::sync::LazyLock;

use super::Told;
use super::lexicon;
use super::reading::Reading;
use super::tokens::Kind;

/// Beginnings of parts that claim nothing, after words that only lead in.
static OPENINGS: LazyLock<Vec<Vec<&str>>> = LazyLock::new(|| {
    include_str!("words/openings.txt")
        .lines()
        .map(|line| line.split(' ').collect())
        .collect()
});

/// Words that only lead in.
const LEADS: &[&str] = &[
    "and", "but", "just", "ouch", "oops", "hm", "well", "ok", "okay", "yes", "no", "oh", "ah",
    "so", "then", "also", "now", "first", "actually", "again", "right",
];

/// First words of a question.
const ASKING: &[&str] = &[
    "what", "when", "where", "which", "who", "whose", "why", "how", "is", "are", "was", "were",
    "do", "does", "did", "have", "has", "had", "can", "could", "would", "will", "shall", "may",
    "might", "should", "am", "any", "anything",
];

/// Verbs of what an agent says to have done or to be doing; no page backs that.
const DEEDS: &[&str] = &[
    "check",
    "look",
    "cancel",
    "refund",
    "process",
    "arrange",
    "issue",
    "update",
    "change",
    "send",
    "email",
    "book",
    "add",
    "apply",
    "register",
    "escalate",
    "pass",
    "forward",
    "order",
    "credit",
    "extend",
    "contact",
    "speak",
    "waive",
    "approve",
    "confirm",
    "put",
    "make",
    "remove",
    "unlock",
    "reset",
    "file",
    "log",
    "raise",
    "schedule",
    "reschedule",
    "flag",
    "start",
    "transfer",
    "call",
    "give",
    "place",
    "pull",
    "find",
    "open",
    "complete",
    "submit",
    "request",
];

/// Which clauses claim something, in the order of the reading.
pub(super) fn claims(reading: &Reading, told: &Told) -> Vec<bool> {
    let words: Vec<Vec<&str>> = reading
        .clauses
        .iter()
        .map(|clause| {
            reading.tokens[clause.tokens.clone()]
                .iter()
                .filter(|token| matches!(token.kind, Kind::Word | Kind::Number(_)))
                .map(|token| token.text.as_str())
                .collect()
        })
        .collect();
    let mut claims = vec![true; words.len()];
    let mut idle = false;
    for (index, clause) in words.iter().enumerate() {
        let asserts = asserts(reading, index, clause, told);
        let opening = opens_idly(clause) && !names_number(reading, index, told);
        let names_customer = told.is_name(clause);
        let repeats = repeats(reading, index, clause, told);
        if clause.is_empty() || opening || names_customer || repeats || idle && !asserts {
            claims[index] = false;
            idle = idle || opening || repeats;
        } else {
            idle = false;
        }
    }
    claims
}

fn opens_idly(clause: &[&str]) -> bool {
    let lead = clause
        .iter()
        .take_while(|word| LEADS.contains(word))
        .count();
    // "so you ..." and "oh" are openings themselves.
    (0..=lead).any(|skip| {
        OPENINGS
            .iter()
            .any(|opening| clause[skip..].starts_with(opening))
    })
}

/// Whether a clause has a number that the customer did not name.
fn names_number(reading: &Reading, index: usize, told: &Told) -> bool {
    let tokens = &reading.clauses[index].tokens;
    reading
        .quantities
        .iter()
        .any(|quantity| tokens.contains(&quantity.tokens.start) && !told.knows(quantity))
}

/// Whether a clause states a condition of the shop's, whatever stands before it.
fn asserts(reading: &Reading, index: usize, clause: &[&str], told: &Told) -> bool {
    let number = names_number(reading, index, told);
    let says = clause.windows(2).any(|pair| {
        matches!(
            pair,
            [
                "you" | "we" | "it" | "they" | "that" | "this" | "there",
                "can" | "must" | "may" | "will" | "should"
            ] | ["we", _]
                | [
                    "is" | "are",
                    "free" | "covered" | "included" | "possible" | "allowed"
                ]
                | ["you", "get" | "pay" | "receive" | "need"]
        )
    });
    number || says
}

/// Whether a clause gives back what the customer said about the case.
fn repeats(reading: &Reading, index: usize, clause: &[&str], told: &Told) -> bool {
    let about = clause.iter().find(|word| !LEADS.contains(word));
    if !matches!(
        about,
        Some(&("you" | "your" | "since" | "as" | "that" | "it" | "if"))
    ) {
        return false;
    }
    let rules = clause.iter().any(|word| {
        matches!(
            *word,
            "can"
                | "must"
                | "may"
                | "will"
                | "should"
                | "free"
                | "entitled"
                | "need"
                | "have"
                | "get"
        )
    });
    let mut terms = reading
        .terms
        .iter()
        .filter(|term| term.clause == index && !lexicon::is_plain(&term.base))
        .peekable();
    let unknown_number = reading.quantities.iter().any(|quantity| {
        reading.clauses[index]
            .tokens
            .contains(&quantity.tokens.start)
            && !told.knows(quantity)
    });
    !rules && !unknown_number && terms.peek().is_some() && terms.all(|term| told.said(term))
}

/// Whether the sentence is a question as a whole.
pub(super) fn is_question(sentence: &str, reading: &Reading) -> bool {
    let asks = sentence
        .trim_end_matches(['"', '”', '’', '\'', ')', ' '])
        .ends_with('?');
    if !asks {
        return false;
    }
    let mut words = reading
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.as_str());
    let first = words.find(|word| !LEADS.contains(word)).unwrap_or("");
    ASKING.contains(&first) || reading.clauses.len() == 1
}

/// The verb of something that the agent says to have done or to be about to do.
pub(super) fn deed(reading: &Reading) -> Option<&str> {
    let words: Vec<&str> = reading
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.as_str())
        .collect();
    (0..words.len()).find_map(|at| {
        let rest = &words[at..];
        let skip = match rest {
            [
                "i",
                "have" | "will",
                "just" | "now" | "already" | "also",
                ..,
            ]
            | ["we", "have", "just" | "now" | "already", ..] => 3,
            ["i", "am", "going", "to", ..] => 4,
            ["i", "have" | "will" | "am" | "just", ..] => 2,
            ["i", ..] if rest.get(1).is_some_and(|verb| verb.ends_with("ed")) => 1,
            _ => return None,
        };
        let verb = rest.get(skip)?;
        let base = lexicon::base(verb);
        let done = rest[1] != "am" || skip > 2 || verb.ends_with("ing");
        (done && DEEDS.iter().any(|deed| lexicon::base(deed) == base)).then_some(*verb)
    })
}
