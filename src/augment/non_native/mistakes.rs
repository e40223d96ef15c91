//! Single mistakes, where a few words in a row show that they can be made.

use super::Rule;
use crate::augment::pieces::{Piece, capitalised, insert, remove, starts_sentence, swap};
use crate::augment::words::{AUXILIARIES, COUNTED, PAST, STATE, THIRD, UNCOUNTED, has};

const SUBJECTS: &[&str] = &["he", "i", "it", "she", "there", "they", "we", "you"];
const BE: &[&str] = &["am", "are", "is"];
const DO: &[&str] = &["do", "does"];
const QUESTIONS: &[&str] = &["how", "what", "when", "where", "which", "who", "why"];
/// Forms of the past with the participles that German speakers put for them.
const PERFECT: &[(&str, &str)] = &[
    ("asked", "asked"),
    ("bought", "bought"),
    ("broke", "broken"),
    ("chose", "chosen"),
    ("dropped", "dropped"),
    ("forgot", "forgotten"),
    ("gave", "given"),
    ("left", "left"),
    ("lost", "lost"),
    ("missed", "missed"),
    ("moved", "moved"),
    ("ordered", "ordered"),
    ("paid", "paid"),
    ("received", "received"),
    ("returned", "returned"),
    ("said", "said"),
    ("sent", "sent"),
    ("signed", "signed"),
    ("told", "told"),
    ("tried", "tried"),
    ("used", "used"),
    ("went", "gone"),
];
const UNITS: &[&str] = &[
    "day", "days", "hour", "hours", "month", "months", "week", "weeks", "year", "years",
];

/// Makes one mistake at a place, if it can be made there.
pub(super) fn mistake(rule: Rule, pieces: &mut Vec<Piece>, at: usize) {
    let free = |at: usize| pieces.get(at).is_some_and(|piece| piece.free);
    let word = |at: usize| pieces.get(at).map_or_else(String::new, Piece::lower);
    let here = word(at);
    let before = at.checked_sub(1).map(word).unwrap_or_default();
    if !free(at) && rule != Rule::Since && rule != Rule::AgoBefore {
        return;
    }
    // A word that ends a clause says nothing of the next.
    let joined = |at: usize| pieces.get(at).is_some_and(|piece| !piece.ends_clause());
    match rule {
        Rule::NoArticle
            if matches!(here.as_str(), "a" | "an" | "the")
                && joined(at)
                && at + 1 < pieces.len() =>
        {
            remove(pieces, at);
        }
        Rule::NoA if matches!(here.as_str(), "a" | "an") && joined(at) && at + 1 < pieces.len() => {
            remove(pieces, at);
        }
        Rule::ThePlus
            if UNCOUNTED.contains(&here.as_str())
                && ["about", "for", "of", "with", "by", "to"].contains(&before.as_str()) =>
        {
            insert(pieces, at, "the");
        }
        Rule::Inversion
            if SUBJECTS.contains(&word(at + 1).as_str())
                && free(at + 1)
                && joined(at)
                && asks(pieces, at) =>
        {
            let goes_on = joined(at + 1);
            if !word(at + 2).is_empty() {
                mark(pieces, at);
                if DO.contains(&here.as_str()) {
                    remove(pieces, at);
                } else if here != "did" && goes_on {
                    swap(pieces, at);
                }
            }
        }
        Rule::Embedded
            if QUESTIONS.contains(&before.as_str())
                && at > 1
                && !starts_sentence(pieces, at - 1)
                && SUBJECTS.contains(&here.as_str())
                && joined(at)
                && free(at + 1)
                && has(AUXILIARIES, &word(at + 1)) =>
        {
            let tail = std::mem::take(&mut pieces[at + 1].tail);
            swap(pieces, at);
            pieces[at + 1].tail = tail;
        }
        Rule::NoBe
            if BE.contains(&here.as_str())
                && joined(at)
                && at > 0
                && !starts_sentence(pieces, at)
                && at + 1 < pieces.len() =>
        {
            let subject = SUBJECTS[..SUBJECTS.len()].contains(&before.as_str())
                || COUNTED.contains(&before.as_str());
            if subject && word(at + 1) != "not" {
                remove(pieces, at);
            }
        }
        Rule::Preposition if joined(at) && !has(AUXILIARIES, &word(at + 1)) => {
            let next = word(at + 1);
            let day = next.ends_with("day") || next.ends_with("days");
            let other = match here.as_str() {
                "on" if day && next != "holiday" => "in",
                "at" if ["home", "the", "my", "your"].contains(&next.as_str()) => "in",
                "in" if ["the", "my", "your"].contains(&next.as_str()) => "on",
                "for" if ["my", "the", "a"].contains(&next.as_str()) && before == "pay" => return,
                "about" => "of",
                _ => return,
            };
            pieces[at].put(other);
        }
        Rule::ForTo
            if here == "to"
                && joined(at)
                && at > 0
                && [
                    "need", "have", "want", "going", "like", "able", "supposed", "possible", "try",
                    "up",
                ]
                .iter()
                .all(|verb| before != *verb)
                && COUNTED.contains(&before.as_str()) =>
        {
            pieces[at].put("for");
        }
        Rule::DoubleNegation if matches!(here.as_str(), "anything" | "anybody" | "anyone") => {
            let denied = (at.saturating_sub(3)..at).any(|place| {
                let word = word(place);
                word == "not" || word.ends_with("n't")
            });
            if denied {
                pieces[at].put(if here == "anything" {
                    "nothing"
                } else {
                    "nobody"
                });
            }
        }
        Rule::Age if here == "old" && at > 2 && UNITS.contains(&before.as_str()) => {
            let be = (at.saturating_sub(5)..at)
                .rev()
                .find(|&place| matches!(word(place).as_str(), "is" | "am" | "are"));
            if let Some(place) = be.filter(|&place| free(place)) {
                let have = if word(place) == "is" { "has" } else { "have" };
                pieces[place].put(have);
                remove(pieces, at);
            }
        }
        Rule::AgoBefore
            if here == "ago"
                && free(at)
                && at > 2
                && UNITS.contains(&before.as_str())
                && free(at - 1) =>
        {
            remove(pieces, at);
            insert(pieces, at - 2, "before");
        }
        Rule::Since
            if here == "for"
                && free(at)
                && joined(at)
                && UNITS.contains(&word(at + 2).as_str())
                && is_number(&word(at + 1)) =>
        {
            pieces[at].put("since");
        }
        Rule::Until
            if here == "by"
                && joined(at)
                && (word(at + 1) == "when" || word(at + 1).ends_with("day")) =>
        {
            pieces[at].put("until");
        }
        Rule::Capitals
            if COUNTED.contains(&here.as_str()) && !here.ends_with('s') && is_noun(&before) =>
        {
            pieces[at].word = capitalised(&pieces[at].word);
        }
        Rule::VerbLast
            if SUBJECTS.contains(&here.as_str())
                && ["because", "although", "if"].contains(&before.as_str())
                && joined(at)
                && joined(at + 1)
                && free(at + 1) =>
        {
            let verb = word(at + 1);
            let end = (at + 2..pieces.len())
                .find(|&place| pieces[place].ends_clause())
                .unwrap_or(pieces.len().saturating_sub(1));
            let short =
                end > at + 1 && end < at + 8 && (at + 2..=end).all(|place| word(place) != "and");
            if short && has(AUXILIARIES, &verb) && word(at + 2) != "not" {
                let mut moved = pieces.remove(at + 1);
                moved.tail = std::mem::take(&mut pieces[end - 1].tail);
                pieces.insert(end, moved);
            }
        }
        Rule::Uncounted if matches!(here.as_str(), "information" | "advice" | "packaging") => {
            let plural = format!("{here}s");
            pieces[at].put(&plural);
        }
        Rule::Progressive if before == "i" && joined(at) && at > 0 => {
            let state = STATE.iter().find(|(plain, _)| *plain == here);
            let owns =
                here != "have" || matches!(word(at + 1).as_str(), "a" | "an" | "the" | "no" | "my");
            if let Some((_, ing)) = state.filter(|_| owns) {
                let inverted = at > 1 && has(AUXILIARIES, &word(at - 2));
                if !inverted {
                    pieces[at].put(ing);
                    insert(pieces, at, "am");
                }
            }
        }
        Rule::NoSubject
            if here == "it"
                && joined(at)
                && matches!(
                    word(at + 1).as_str(),
                    "is" | "was" | "has" | "says" | "makes" | "does" | "leaks" | "works"
                ) =>
        {
            let begins = starts_sentence(pieces, at)
                || ["because", "but", "and", "although"].contains(&before.as_str());
            if begins && at + 2 < pieces.len() {
                remove(pieces, at);
            }
        }
        Rule::Past => {
            let helped = (at.saturating_sub(3)..at).any(|place| {
                let word = word(place);
                has(AUXILIARIES, &word)
                    || ["been", "be", "being", "got", "n't"].contains(&word.as_str())
                    || word.ends_with("'ve")
                    || word.ends_with("n't")
            });
            let said = SUBJECTS.contains(&before.as_str()) || COUNTED.contains(&before.as_str());
            if let Some((_, plain)) = PAST
                .iter()
                .find(|(past, _)| *past == here)
                .filter(|_| said && !helped)
            {
                pieces[at].put(plain);
            }
        }
        Rule::Plural => {
            let counted = is_number(&before)
                || ["many", "some", "several", "these", "those", "which", "few"]
                    .contains(&before.as_str());
            if counted
                && here.len() > 3
                && here.ends_with('s')
                && !here.ends_with("ss")
                && !here.ends_with("us")
            {
                let single = here.strip_suffix("ies").map_or_else(
                    || here[..here.len() - 1].to_owned(),
                    |stem| format!("{stem}y"),
                );
                pieces[at].put(&single);
            }
        }
        Rule::Third if joined(at) || here != "has" => {
            if let Some((_, plain)) = THIRD.iter().find(|(third, _)| *third == here) {
                let said = ["he", "it", "she"].contains(&before.as_str())
                    || COUNTED.contains(&before.as_str());
                if said {
                    pieces[at].put(plain);
                }
            }
        }
        Rule::Perfect
            if matches!(before.as_str(), "i" | "we" | "you" | "they")
                && at > 0
                && !pieces[at - 1].ends_clause() =>
        {
            let inverted = at > 1 && has(AUXILIARIES, &word(at - 2));
            if let Some((_, participle)) = PERFECT
                .iter()
                .find(|(past, _)| *past == here)
                .filter(|_| !inverted)
            {
                pieces[at].put(participle);
                insert(pieces, at, "have");
            }
        }
        Rule::Must
            if here == "have" && word(at + 1) == "to" && free(at + 1) && joined(at) && at > 0 =>
        {
            let asked = at > 1
                && SUBJECTS.contains(&before.as_str())
                && free(at - 1)
                && free(at - 2)
                && word(at - 2) == "do"
                // `How long do I have to pay` asks for the time that is left.
                && !(at > 2 && word(at - 3) == "long");
            let said =
                SUBJECTS.contains(&before.as_str()) && !(at > 1 && has(AUXILIARIES, &word(at - 2)));
            if asked || said {
                remove(pieces, at + 1);
                if asked {
                    remove(pieces, at);
                    pieces[at - 2].put("must");
                } else {
                    pieces[at].put("must");
                }
            }
        }
        Rule::Comma
            if matches!(
                here.as_str(),
                "because"
                    | "how"
                    | "if"
                    | "that"
                    | "what"
                    | "when"
                    | "whether"
                    | "where"
                    | "which"
                    | "why"
            ) && at > 1 =>
        {
            let verbs = [
                "know",
                "me",
                "sure",
                "say",
                "said",
                "told",
                "see",
                "wonder",
                "explain",
                "understand",
                "think",
                "return",
                "back",
                "order",
                "arrived",
                "late",
                "time",
            ];
            let behind = verbs.contains(&before.as_str())
                || matches!(here.as_str(), "because" | "if" | "when");
            if behind
                && !pieces[at - 1].ends_clause()
                && !matches!(
                    before.as_str(),
                    "and"
                        | "as"
                        | "but"
                        | "even"
                        | "only"
                        | "or"
                        | "what"
                        | "of"
                        | "in"
                        | "for"
                        | "just"
                        | "until"
                        | "by"
                        | "since"
                )
            {
                pieces[at - 1].tail.push(',');
            }
        }
        Rule::WhenIf
            if here == "if"
                && joined(at)
                && SUBJECTS.contains(&word(at + 1).as_str())
                && !matches!(
                    before.as_str(),
                    "know"
                        | "me"
                        | "see"
                        | "sure"
                        | "wonder"
                        | "what"
                        | "even"
                        | "as"
                        | "check"
                        | "ask"
                ) =>
        {
            pieces[at].put("when");
        }
        Rule::Become
            if here == "get"
                && joined(at)
                && matches!(word(at + 1).as_str(), "a" | "an" | "my" | "the" | "any")
                && before != "to" =>
        {
            pieces[at].put("become");
        }
        Rule::Kindly if here == "please" && joined(at) => pieces[at].put("kindly"),
        _ => {}
    }
}

/// Whether a word turned round here makes a question: it opens the sentence, or a question word and what belongs to it do.
fn asks(pieces: &[Piece], at: usize) -> bool {
    let verb = pieces[at].lower();
    if !has(AUXILIARIES, &verb) {
        return false;
    }
    let start = (0..=at)
        .rev()
        .find(|&place| starts_sentence(pieces, place) || pieces[place - 1].ends_clause())
        .unwrap_or(0);
    start == at
        || at - start < 5
            && pieces[start..at]
                .iter()
                .any(|piece| piece.is_any(QUESTIONS))
}

/// A question that is not turned round any more needs its mark.
fn mark(pieces: &mut [Piece], at: usize) {
    let Some(last) = (at..pieces.len())
        .find(|&place| pieces[place].ends_sentence() || place + 1 == pieces.len())
    else {
        return;
    };
    let tail = &mut pieces[last].tail;
    if !tail.contains('?') {
        if tail.ends_with(['.', '!']) {
            tail.pop();
        }
        tail.push('?');
    }
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit()) && !word.is_empty()
        || [
            "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve",
            "twenty", "thirty",
        ]
        .contains(&word)
}

/// Whether a noun follows a word.
fn is_noun(before: &str) -> bool {
    [
        "a", "an", "any", "each", "her", "his", "my", "new", "old", "our", "the", "their", "this",
        "your",
    ]
    .contains(&before)
}
