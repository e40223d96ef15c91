//! Numbers in digits and words, with their units.

use super::tokens::{Class, Token};
use crate::augment::words::{UNITS, has};

/// Numbers in words. `one` is left out: it is a pronoun more often than a number.
const NUMBERS: &[(&str, u32)] = &[
    ("zero", 0),
    ("two", 2),
    ("twice", 2),
    ("both", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("dozen", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("hundred", 100),
    ("thousand", 1000),
    ("million", 1_000_000),
];

const ORDINALS: &[(&str, u32)] = &[
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
    ("ninth", 9),
    ("tenth", 10),
];
/// A chunk with digits, lower case: an amount, a number with its unit, or something to be kept to the letter.
pub(super) fn digits(lower: &str) -> Vec<(String, Class, &'static str)> {
    let lower = lower.strip_suffix("'s").unwrap_or(lower);
    let exact = || vec![(lower.to_uppercase(), Class::Exact, "")];
    let (currency, rest) = match lower.chars().next() {
        Some('£') => ("£", &lower['£'.len_utf8()..]),
        Some('€') => ("€", &lower['€'.len_utf8()..]),
        Some('$') => ("$", &lower[1..]),
        _ => ("", lower),
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .unwrap_or(rest.len());
    let (value, after) = rest.split_at(end);
    if value.is_empty() {
        return exact();
    }
    let value = value.trim_matches(['.', ',']);
    let value = plain_value(value);
    let amount = |unit: &'static str| (value.clone(), Class::Number, unit);
    match after {
        "" => vec![amount(currency)],
        "%" => vec![amount("%")],
        "£" => vec![amount("£")],
        "€" => vec![amount("€")],
        "$" => vec![amount("$")],
        "st" | "nd" | "rd" | "th" => vec![amount("st")],
        "am" | "a.m" => vec![amount("am")],
        "pm" | "p.m" => vec![amount("pm")],
        "x" => vec![amount("")],
        _ => match after.strip_prefix('-').unwrap_or(after) {
            unit if unit.len() > 1
                && unit.chars().all(char::is_alphabetic)
                && (after.starts_with('-') || unit.len() < 7) =>
            {
                vec![amount(currency), (unit.to_owned(), Class::Word, "")]
            }
            other
                if after.starts_with('-')
                    && !other.is_empty()
                    && other.chars().all(|c| c.is_ascii_digit())
                    && other.len() < 3 =>
            {
                vec![amount(currency), (plain_value(other), Class::Number, "")]
            }
            _ => exact(),
        },
    }
}

/// Without thousands separators and needless zeros: `1,200.00` is `1200`.
fn plain_value(digits: &str) -> String {
    let plain = match digits.rsplit_once([',', '.']) {
        Some((whole, part)) if part.len() == 3 => format!("{whole}{part}").replace([',', '.'], ""),
        Some((whole, part)) => {
            let whole = whole.replace([',', '.'], "");
            let part = part.trim_end_matches('0');
            if part.is_empty() {
                whole
            } else {
                format!("{whole}.{part}")
            }
        }
        None => digits.to_owned(),
    };
    let trimmed = plain.trim_start_matches('0');
    if trimmed.is_empty() || trimmed.starts_with('.') {
        format!("0{trimmed}")
    } else {
        trimmed.to_owned()
    }
}
/// Numbers in words get their values, numbers their units.
pub(super) fn number(tokens: &mut Vec<Token>) {
    for at in 0..tokens.len() {
        if tokens[at].class != Class::Word {
            continue;
        }
        let text = tokens[at].text.as_str();
        let next_is_time = tokens
            .get(at + 1)
            .is_some_and(|next| has(UNITS, &next.stem));
        let value = NUMBERS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| (*value, ""));
        let ordinal = ORDINALS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| (*value, "st"));
        let value = value
            .or(ordinal)
            .or((text == "one" && next_is_time).then_some((1, "")));
        if let Some((value, unit)) = value {
            let token = &mut tokens[at];
            token.class = Class::Number;
            token.text = value.to_string();
            token.unit = unit;
        }
    }
    // twenty five, three hundred
    let mut at = 0;
    while at + 1 < tokens.len() {
        let (a, b) = (&tokens[at], &tokens[at + 1]);
        let values = (a.text.parse::<u32>(), b.text.parse::<u32>());
        if let (Class::Number, Class::Number, "", (Ok(x), Ok(y))) =
            (&a.class, &b.class, a.unit, values)
            && a.stem.starts_with(char::is_alphabetic)
                | (y >= 100 && b.stem.starts_with(char::is_alphabetic))
            && b.stem.starts_with(char::is_alphabetic)
        {
            let whole = if (20..100).contains(&x) && y < 10 {
                Some(x + y)
            } else if y >= 100 && x < 100 {
                Some(x.saturating_mul(y))
            } else {
                None
            };
            if let Some(whole) = whole {
                tokens[at].text = whole.to_string();
                tokens[at].at.end = tokens[at + 1].at.end;
                tokens.remove(at + 1);
                continue;
            }
        }
        at += 1;
    }
    for at in 0..tokens.len() {
        if tokens[at].class != Class::Number || !tokens[at].unit.is_empty() {
            continue;
        }
        let next = tokens.get(at + 1).filter(|next| !next.starts_sentence());
        let beyond = tokens.get(at + 2).filter(|_| {
            next.is_some_and(|next| {
                matches!(
                    next.text.as_str(),
                    "working" | "full" | "whole" | "more" | "business"
                )
            })
        });
        let unit = next.and_then(unit_of).or(beyond.and_then(unit_of));
        if let Some(unit) = unit {
            tokens[at].unit = unit;
        }
    }
    for token in tokens
        .iter_mut()
        .filter(|token| token.class == Class::Number)
    {
        token.stem.clone_from(&token.text);
    }
}

fn unit_of(token: &Token) -> Option<&'static str> {
    Some(match token.stem.as_str() {
        "pound" | "quid" | "gbp" => "£",
        "euro" | "eur" => "€",
        "dollar" | "buck" | "usd" => "$",
        "percent" => "%",
        "minut" | "min" | "minute" => "minute",
        "hour" | "hr" => "hour",
        "day" => "day",
        "week" | "wk" => "week",
        "month" => "month",
        "year" | "yr" => "year",
        "am" => "am",
        "pm" => "pm",
        _ => return None,
    })
}
