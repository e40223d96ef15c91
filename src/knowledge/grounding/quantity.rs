use std::ops::Range;

use super::tokens::{Kind, Token};

/// What a number counts. Days and weeks are minutes too; months and working days are not days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Length of time in minutes.
    Minutes,
    WorkingDays,
    Months,
    /// Hundredths of the currency with this sign.
    Money(char),
    Percent,
    /// Minutes after midnight.
    Clock,
    /// A time of day of which morning or afternoon was left open.
    HalfClock,
    /// Month times 100 plus day.
    Date,
    Grams,
    Millimetres,
    Megabytes,
    /// Things, times, people.
    Count,
}

/// Which side of a limit is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    None,
    /// Within, up to, before.
    AtMost,
    /// At least, more than, after.
    AtLeast,
}

/// A number with its unit.
#[derive(Clone, Debug)]
pub(super) struct Quantity {
    /// The tokens it takes up.
    pub(super) tokens: Range<usize>,
    pub(super) measure: Measure,
    /// In thousandths of the measure.
    pub(super) value: i64,
    pub(super) bound: Bound,
    /// Tokens before and after that say which side of a limit is meant; their negations negate nothing else.
    pub(super) frame: Range<usize>,
}

impl Quantity {
    /// Whether both say the same, limits apart.
    pub(super) fn equals(&self, other: &Self) -> bool {
        use Measure::{Clock, HalfClock};
        match (self.measure, other.measure) {
            (HalfClock, Clock | HalfClock) | (Clock, HalfClock) => {
                (self.value - other.value) % 720_000 == 0
            }
            (a, b) => a == b && self.value == other.value,
        }
    }

    /// Whether both could answer the same question.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        use Measure::{Clock, HalfClock, Minutes, Months, WorkingDays};
        let class = |measure| match measure {
            Minutes | Months | WorkingDays => Minutes,
            Clock | HalfClock => Clock,
            other => other,
        };
        class(self.measure) == class(other.measure)
    }
}

/// Words between a number and its unit.
const BETWEEN: &[&str] = &[
    "more",
    "further",
    "full",
    "whole",
    "extra",
    "additional",
    "equal",
    "consecutive",
    "calendar",
    "clear",
    "short",
    "straight",
    "of",
    "other",
    "to",
];

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The numbers of a sentence with their units and limits.
pub(super) fn quantities(tokens: &[Token]) -> Vec<Quantity> {
    let mut found: Vec<Quantity> = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let Some((measure, value, range)) = read(tokens, index) else {
            index += 1;
            continue;
        };
        index = range.end.max(index + 1);
        let (bound, frame) = bound(tokens, &range, measure);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates; such a number equals none"
        )]
        found.push(Quantity {
            tokens: range,
            measure,
            value: (value * 1000.0).round() as i64,
            bound,
            frame,
        });
    }
    half_clocks(tokens, &mut found);
    found
}

fn word(tokens: &[Token], index: usize) -> &str {
    tokens
        .get(index)
        .filter(|token| token.kind == Kind::Word)
        .map_or("", |token| token.text.as_str())
}

/// A unit's measure and how much of it one is.
fn unit(word: &str) -> Option<(Measure, f64)> {
    use Measure::{Grams, Megabytes, Millimetres, Minutes, Months, Percent};
    Some(match word {
        "minute" | "minutes" | "min" | "mins" => (Minutes, 1.0),
        "hour" | "hours" | "h" | "hr" | "hrs" => (Minutes, 60.0),
        "day" | "days" => (Minutes, 1440.0),
        "week" | "weeks" => (Minutes, 10080.0),
        "fortnight" | "fortnights" => (Minutes, 20160.0),
        "month" | "months" => (Months, 1.0),
        "year" | "years" => (Months, 12.0),
        "pound" | "pounds" | "quid" => (Measure::Money('£'), 100.0),
        "pence" | "penny" | "p" => (Measure::Money('£'), 1.0),
        "euro" | "euros" => (Measure::Money('€'), 100.0),
        "dollar" | "dollars" => (Measure::Money('$'), 100.0),
        "percent" => (Percent, 1.0),
        "kg" | "kilo" | "kilos" | "kilogram" | "kilograms" | "kilogramme" | "kilogrammes" => {
            (Grams, 1000.0)
        }
        "g" | "gram" | "grams" => (Grams, 1.0),
        "mm" | "millimetre" | "millimetres" | "millimeters" => (Millimetres, 1.0),
        "cm" | "centimetre" | "centimetres" | "centimeters" => (Millimetres, 10.0),
        "m" | "metre" | "metres" | "meter" | "meters" => (Millimetres, 1000.0),
        "mb" | "megabyte" | "megabytes" => (Megabytes, 1.0),
        "gb" | "gigabyte" | "gigabytes" => (Megabytes, 1000.0),
        _ => return None,
    })
}

/// The quantity that begins at a token.
fn read(tokens: &[Token], index: usize) -> Option<(Measure, f64, Range<usize>)> {
    let kind = tokens.get(index)?.kind;
    let text = |at: usize| word(tokens, at);
    match kind {
        Kind::Sign(sign @ ('£' | '$' | '€')) => {
            let Kind::Number(value) = tokens.get(index + 1)?.kind else {
                return None;
            };
            Some((Measure::Money(sign), value * 100.0, index..index + 2))
        }
        Kind::Clock(minutes) => {
            #[expect(clippy::cast_precision_loss, reason = "minutes of a day")]
            let minutes = minutes as f64;
            let half = match text(index + 1) {
                "pm" if minutes < 720.0 => 720.0,
                _ => 0.0,
            };
            let used = 1 + usize::from(matches!(text(index + 1), "am" | "pm"));
            Some((Measure::Clock, minutes + half, index..index + used))
        }
        Kind::Number(value) => Some(number(tokens, index, value)).filter(|(measure, _, range)| {
            // "one of them", "a new one", "two-step".
            tokens[index].text != "one" || *measure != Measure::Count || range.len() > 1
        }),
        Kind::Word => spoken(tokens, index),
        _ => None,
    }
}

fn number(tokens: &[Token], index: usize, value: f64) -> (Measure, f64, Range<usize>) {
    let text = |at: usize| word(tokens, at);
    let next = text(index + 1);
    match next {
        "am" => return (Measure::Clock, value % 12.0 * 60.0, index..index + 2),
        "pm" => {
            return (
                Measure::Clock,
                (value % 12.0 + 12.0) * 60.0,
                index..index + 2,
            );
        }
        "oclock" | "in" if next == "oclock" || text(index + 2) == "the" => {
            let part = index + if next == "oclock" { 4 } else { 3 };
            let (shift, known) = match text(part) {
                "morning" => (0.0, true),
                "afternoon" | "evening" => (12.0, true),
                _ => (0.0, false),
            };
            if known {
                return (
                    Measure::Clock,
                    (value % 12.0 + shift) * 60.0,
                    index..part + 1,
                );
            }
            if next == "oclock" {
                return (Measure::HalfClock, value % 12.0 * 60.0, index..index + 2);
            }
        }
        "per" if text(index + 2) == "cent" => return (Measure::Percent, value, index..index + 3),
        _ => {}
    }
    if tokens
        .get(index + 1)
        .is_some_and(|token| token.kind == Kind::Sign('%'))
    {
        return (Measure::Percent, value, index..index + 2);
    }
    let month = |at: usize| MONTHS.iter().position(|name| *name == text(at));
    #[expect(clippy::cast_precision_loss, reason = "a month's number")]
    let date = |month: usize| ((month + 1) * 100) as f64 + value;
    let ordinal = matches!(next, "st" | "nd" | "rd" | "th");
    let after = index + 1 + usize::from(ordinal);
    let after = after + usize::from(text(after) == "of");
    if value <= 31.0
        && let Some(month) = month(after)
        && tokens[after].name
    {
        return (Measure::Date, date(month), index..after + 1);
    }
    if value <= 31.0
        && index > 0
        && let Some(month) = month(index - 1)
        && tokens[index - 1].name
    {
        return (
            Measure::Date,
            date(month),
            index..after.min(index + 1 + usize::from(ordinal)),
        );
    }
    let mut at = index + 1;
    let mut working = false;
    while at < index + 4
        && (BETWEEN.contains(&text(at)) || matches!(text(at), "working" | "business"))
    {
        working |= matches!(text(at), "working" | "business");
        at += 1;
    }
    if text(at) == "monthly" {
        return (Measure::Months, value, index..at + 1);
    }
    if matches!(text(at), "weekdays" | "workdays") || working && matches!(text(at), "day" | "days")
    {
        return (Measure::WorkingDays, value, index..at + 1);
    }
    if let Some((measure, size)) = unit(text(at)) {
        // "four pounds ninety-five"
        if measure == Measure::Money('£')
            && size > 1.0
            && let Some(Kind::Number(pence)) = tokens.get(at + 1).map(|token| token.kind)
            && pence < 100.0
            && unit(text(at + 2)).is_none_or(|(measure, _)| measure == Measure::Money('£'))
        {
            let used = at + 2 + usize::from(matches!(text(at + 2), "pence" | "p"));
            return (measure, value * size + pence, index..used);
        }
        return (measure, value * size, index..at + 1);
    }
    // "at nine"
    let ends = tokens
        .get(index + 1)
        .is_none_or(|token| token.kind == Kind::Mark);
    if ends && index > 0 && text(index - 1) == "at" && (1.0..=12.0).contains(&value) {
        return (Measure::HalfClock, value % 12.0 * 60.0, index..index + 1);
    }
    // "18 or older" are years.
    if text(index + 1) == "or" && matches!(text(index + 2), "older" | "over") {
        return (Measure::Months, value * 12.0, index..index + 1);
    }
    (Measure::Count, value, index..index + 1)
}

/// Quantities without a number: half an hour, within a week, a fortnight, noon, twice, half the price.
fn spoken(tokens: &[Token], index: usize) -> Option<(Measure, f64, Range<usize>)> {
    let text = |at: usize| word(tokens, at);
    let past = |at: usize| -> Option<f64> {
        let Kind::Number(hours) = tokens.get(at + 1)?.kind else {
            return None;
        };
        let shift = if text(index) == "half" { 30.0 } else { 15.0 };
        match text(at) {
            "past" => Some(hours % 12.0 * 60.0 + shift),
            "to" => Some((hours % 12.0 * 60.0 + 720.0 - shift) % 720.0),
            _ => None,
        }
    };
    if matches!(text(index), "half" | "quarter")
        && let Some(minutes) = past(index + 1)
    {
        let known = match text(index + 3) {
            "am" => Some(0.0),
            "pm" => Some(720.0),
            _ => None,
        };
        return Some(match known {
            Some(shift) => (Measure::Clock, minutes + shift, index..index + 4),
            None => (Measure::HalfClock, minutes, index..index + 3),
        });
    }
    match text(index) {
        "half" => match (text(index + 1), unit(text(index + 2))) {
            ("a" | "an", Some((Measure::Months, size))) => {
                Some((Measure::Months, size / 2.0, index..index + 3))
            }
            ("a" | "an", Some((measure, size))) => Some((measure, size / 2.0, index..index + 3)),
            ("of" | "the" | "your", _) => Some((Measure::Percent, 50.0, index..index + 1)),
            _ => None,
        },
        "quarter" if text(index + 1) == "of" && text(index + 3) == "hour" => {
            Some((Measure::Minutes, 15.0, index..index + 4))
        }
        "a" | "an" | "one" => {
            let rate = !matches!(
                index.checked_sub(1).map_or("", text),
                "within"
                    | "in"
                    | "after"
                    | "for"
                    | "than"
                    | "about"
                    | "takes"
                    | "least"
                    | "to"
                    | "every"
                    | "lasts"
                    | "under"
                    | "over"
                    | "until"
            );
            let (working, at) = match text(index + 1) {
                "working" | "business" => (true, index + 2),
                "full" | "whole" | "single" => (false, index + 2),
                _ => (false, index + 1),
            };
            let (measure, size) = unit(text(at))?;
            let time = matches!(measure, Measure::Minutes | Measure::Months);
            let fortnight = text(at) == "fortnight";
            if !time || rate && !fortnight && !working {
                return None;
            }
            if working {
                return Some((Measure::WorkingDays, 1.0, index..at + 1));
            }
            if text(at + 1) == "and" && text(at + 2) == "a" && text(at + 3) == "half" {
                return Some((measure, size * 1.5, index..at + 4));
            }
            Some((measure, size, index..at + 1))
        }
        "fortnight" => Some((Measure::Minutes, 20160.0, index..index + 1)),
        "noon" | "midday" => Some((Measure::Clock, 720.0, index..index + 1)),
        "midnight" => Some((Measure::Clock, 1440.0, index..index + 1)),
        "twice" => Some((Measure::Count, 2.0, index..index + 1)),
        _ => None,
    }
}

/// "between 9 and 7 pm": the bare number beside a time of day is one as well.
fn half_clocks(tokens: &[Token], found: &mut [Quantity]) {
    for index in 0..found.len() {
        let near = |other: usize| -> bool {
            let (a, b) = (&found[index.min(other)], &found[index.max(other)]);
            let gap = a.tokens.end..b.tokens.start;
            matches!(found[other].measure, Measure::Clock | Measure::HalfClock)
                && gap.len() <= 1
                && gap.clone().all(|at| {
                    matches!(tokens[at].text.as_str(), "and" | "to" | "until" | "till")
                        || tokens[at].kind == Kind::Mark
                })
        };
        let bare =
            found[index].measure == Measure::Count && (1000..=12_000).contains(&found[index].value);
        let beside = index > 0 && near(index - 1) || index + 1 < found.len() && near(index + 1);
        if bare && beside {
            found[index].measure = Measure::HalfClock;
            found[index].value = found[index].value * 60 % 720_000;
        }
    }
}

/// Which side of a limit the words around a quantity mean, and the tokens that say so.
fn bound(tokens: &[Token], range: &Range<usize>, measure: Measure) -> (Bound, Range<usize>) {
    let text = |back: usize| {
        range
            .start
            .checked_sub(back)
            .map_or("", |at| word(tokens, at))
    };
    let timely = matches!(
        measure,
        Measure::Minutes
            | Measure::WorkingDays
            | Measure::Months
            | Measure::Clock
            | Measure::HalfClock
            | Measure::Date
    );
    let skip = usize::from(matches!(
        text(1),
        "a" | "the" | "about" | "around" | "of" | "another" | "first" | "full" | "only"
    ));
    let (one, two, three) = (text(1 + skip), text(2 + skip), text(3 + skip));
    let back = |count: usize| range.start.saturating_sub(count + skip);
    let before = match (three, two, one) {
        (
            "no" | "not",
            "more" | "longer" | "later" | "greater" | "bigger" | "heavier" | "older" | "higher",
            "than",
        ) => Some((Bound::AtMost, 3)),
        ("no" | "not", "less" | "fewer" | "earlier" | "sooner" | "lower", "than") => {
            Some((Bound::AtLeast, 3))
        }
        (_, "at", "most") | (_, "up", "to") | (_, "maximum", "of") | (_, "many", "as") => {
            Some((Bound::AtMost, 2))
        }
        (_, "at", "least") | (_, "minimum", "of") | (_, "starting", "at" | "from") => {
            Some((Bound::AtLeast, 2))
        }
        (
            _,
            "less" | "fewer" | "lower" | "lighter" | "younger" | "cheaper" | "earlier" | "sooner"
            | "smaller",
            "than",
        ) => Some((Bound::AtMost, 2)),
        (
            _,
            "more" | "longer" | "heavier" | "older" | "later" | "greater" | "higher" | "bigger"
            | "larger" | "further",
            "than",
        ) => Some((Bound::AtLeast, 2)),
        (_, _, "within" | "under" | "below" | "maximum" | "max") => Some((Bound::AtMost, 1)),
        (_, _, "until" | "till" | "by" | "before") if timely => Some((Bound::AtMost, 1)),
        (_, _, "over" | "above" | "exceeding" | "minimum") => Some((Bound::AtLeast, 1)),
        (_, _, "after" | "past") if timely => Some((Bound::AtLeast, 1)),
        _ => None,
    };
    if let Some((bound, count)) = before {
        return (bound, back(count)..range.end);
    }
    // The words that follow, one counted noun may stand between: "5 items or more".
    for ahead in range.end..range.end + 3 {
        let pair = (word(tokens, ahead), word(tokens, ahead + 1));
        let bound = match pair {
            (
                "or" | "and",
                "more" | "over" | "above" | "longer" | "older" | "heavier" | "up" | "upwards",
            )
            | ("at", "least")
            | ("minimum", _) => Bound::AtLeast,
            ("or", "less" | "fewer" | "under" | "below" | "earlier" | "sooner")
            | ("at", "most")
            | ("maximum" | "max" | "tops", _) => Bound::AtMost,
            _ => continue,
        };
        return (bound, range.start..ahead + 2);
    }
    (Bound::None, range.clone())
}
