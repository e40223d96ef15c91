use std::collections::BTreeSet;

use super::sieve::{Facts, number, value};
use crate::record::{Cause, Cooperation, EndReason, FirstLanguage, Outcome, Style, Tone};

/// Which conversations are exported: conditions that must all hold. Where nothing is said of verdicts, kept ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Where {
    pub(super) conditions: Vec<Condition>,
}

/// `tone=annoyed|angry`, `turns>=4`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// As it was typed, for messages.
    pub(super) typed: String,
    pub(super) column: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// One of these; [`NONE`] is a column without a value.
    Is(Vec<String>),
    IsNot(Vec<String>),
    /// Of columns that are numbers.
    Number(Order, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Order {
    /// As they are typed; the longer ones first.
    const ALL: &[(&str, Self)] = &[
        ("!=", Self::NotEqual),
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("=", Self::Equal),
        (">", Self::Greater),
        ("<", Self::Less),
    ];

    fn holds(self, left: f64, right: f64) -> bool {
        match left.partial_cmp(&right) {
            None => false,
            Some(order) => match self {
                Self::Equal => order.is_eq(),
                Self::NotEqual => order.is_ne(),
                Self::Less => order.is_lt(),
                Self::AtMost => order.is_le(),
                Self::Greater => order.is_gt(),
                Self::AtLeast => order.is_ge(),
            },
        }
    }
}

/// The value of a column that has none.
pub const NONE: &str = "none";
/// What a condition on verdicts says where kept and rejected ones are meant.
const ANY: &str = "any";
/// Begins the columns of a judge's scores.
pub(super) const JUDGE: &str = "judge.";

/// Columns that not every conversation has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoreColumns {
    /// Of [`Sample::fields`](crate::record::Sample::fields).
    pub fields: BTreeSet<String>,
    /// Aspects that a judge gave scores for.
    pub aspects: BTreeSet<String>,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error(
        "{text:?} is no condition; expected column=value, column=a|b, column!=value, or column>=number"
    )]
    Malformed { text: String },
    #[error("there is no column {column:?}")]
    Column {
        column: String,
        /// Nearest first.
        known: Vec<String>,
    },
    #[error("{column} is never {value:?}")]
    Value {
        column: String,
        value: String,
        /// Nearest first.
        known: Vec<String>,
    },
    #[error("{column} is a number, and {value:?} is none")]
    NoNumber { column: String, value: String },
    #[error("{column} is a text; {order} is for numbers")]
    NoOrder { column: String, order: &'static str },
}

impl ConditionError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Malformed { .. } => {
                "conditions stand side by side with commas: 'outcome=RESOLVED,turns>=4'".into()
            }
            Self::Column { known, .. } => format!("there is: {}", known.join(", ")),
            Self::Value { known, .. } => format!("it is one of: {}", known.join(", ")),
            Self::NoNumber { column, .. } => format!("like {column}>=4"),
            Self::NoOrder { column, .. } => format!("like {column}=value or {column}!=value"),
        }
    }
}

/// Columns that every export knows.
const COLUMNS: &[&str] = &[
    "id",
    "kind",
    "verdict",
    "reason",
    "outcome",
    "end_reason",
    "tone",
    "style",
    "first_language",
    "cooperation",
    "cause",
    "product",
    "page",
    "query_id",
    "query",
    "experience",
    "topic",
    "situation",
    "turns",
    "words",
    "review",
    "demo",
];

/// The values of a column that has a fixed set of them.
fn values_of(column: &str) -> Option<Vec<&'static str>> {
    fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|one| name(*one)).chain([NONE]).collect()
    }
    Some(match column {
        "kind" => vec!["support", "group"],
        "verdict" => vec!["keep", "reject", ANY],
        "review" => vec!["keep", "drop", NONE],
        "demo" => vec!["true", "false"],
        "outcome" => names(Outcome::ALL, Outcome::name),
        "end_reason" => names(EndReason::ALL, EndReason::name),
        "tone" => names(Tone::ALL, Tone::name),
        "style" => names(Style::ALL, Style::name),
        "first_language" => names(FirstLanguage::ALL, FirstLanguage::name),
        "cooperation" => names(Cooperation::ALL, Cooperation::name),
        "cause" => names(Cause::ALL, Cause::name),
        _ => return None,
    })
}

pub(super) fn is_number(column: &str) -> bool {
    ["turns", "words"].contains(&column) || column.starts_with(JUDGE)
}

pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let given = given.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&given, &name.to_lowercase());
    let mut known: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (likeness(name), name))
        .collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    known.into_iter().map(|(_, name)| name.to_owned()).collect()
}

impl Where {
    /// Reads conditions with commas between them.
    ///
    /// # Errors
    /// When one of them is none, or names a column or value that cannot be.
    pub fn parse(text: &str, more: &MoreColumns) -> Result<Self, ConditionError> {
        let conditions = text
            .split(',')
            .map(|typed| Condition::parse(typed.trim(), more))
            .collect::<Result<_, _>>()?;
        Ok(Self { conditions })
    }

    /// Whether conversations may be meant that were turned down.
    #[must_use]
    pub fn takes_rejected(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|condition| match condition.column.as_str() {
            "reason" => true,
            "verdict" => condition.test != Test::Is(vec!["keep".into()]),
            _ => false,
        })
    }
}

impl Condition {
    /// What it asks for, for likeness.
    pub(super) fn wanted(&self) -> String {
        match &self.test {
            Test::Is(values) | Test::IsNot(values) => values.join(" "),
            Test::Number(_, number) => number.to_string(),
        }
    }

    fn parse(typed: &str, more: &MoreColumns) -> Result<Self, ConditionError> {
        let malformed = || ConditionError::Malformed {
            text: typed.to_owned(),
        };
        let at = typed.find(['=', '!', '<', '>']).ok_or_else(malformed)?;
        let (column, rest) = typed.split_at(at);
        let (sign, order) = Order::ALL
            .iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(malformed)?;
        let (column, value) = (column.trim(), rest[sign.len()..].trim());
        if column.is_empty() || value.is_empty() {
            return Err(malformed());
        }
        check_column(column, more)?;
        let equality = match order {
            Order::Equal => Some(Test::Is as fn(Vec<String>) -> Test),
            Order::NotEqual => Some(Test::IsNot as fn(Vec<String>) -> Test),
            _ => None,
        };
        let test = match equality {
            _ if is_number(column) && !value.eq_ignore_ascii_case(NONE) => {
                let number = value.parse().ok().filter(|number: &f64| number.is_finite());
                let number = number.ok_or_else(|| ConditionError::NoNumber {
                    column: column.to_owned(),
                    value: value.to_owned(),
                })?;
                Test::Number(*order, number)
            }
            Some(test) => test(
                value
                    .split('|')
                    .map(|value| value_of(column, value.trim()))
                    .collect::<Result<_, _>>()?,
            ),
            None => {
                return Err(ConditionError::NoOrder {
                    column: column.to_owned(),
                    order: sign,
                });
            }
        };
        Ok(Self {
            typed: typed.to_owned(),
            column: column.to_owned(),
            test,
        })
    }

    pub(super) fn holds(&self, facts: &Facts) -> bool {
        match &self.test {
            Test::Number(order, right) => {
                number(facts, &self.column).is_some_and(|left| order.holds(left, *right))
            }
            Test::Is(values) => self.is_among(facts, values),
            Test::IsNot(values) => !self.is_among(facts, values),
        }
    }

    fn is_among(&self, facts: &Facts, values: &[String]) -> bool {
        if self.column == "verdict" && values.iter().any(|value| value == ANY) {
            return true;
        }
        match value(facts, &self.column) {
            Some(value) => values.contains(&value),
            None => values.iter().any(|value| value == NONE),
        }
    }
}

fn check_column(column: &str, more: &MoreColumns) -> Result<(), ConditionError> {
    if COLUMNS.contains(&column) || more.fields.contains(column) {
        return Ok(());
    }
    if let Some(aspect) = column.strip_prefix(JUDGE)
        && more.aspects.contains(aspect)
    {
        return Ok(());
    }
    let aspects: Vec<String> = more
        .aspects
        .iter()
        .map(|aspect| format!("{JUDGE}{aspect}"))
        .collect();
    let known = COLUMNS.iter().copied();
    let more = more.fields.iter().map(String::as_str);
    let aspects = aspects.iter().map(String::as_str);
    let all: BTreeSet<&str> = known.chain(more).chain(aspects).collect();
    Err(ConditionError::Column {
        column: column.to_owned(),
        known: nearest(column, all),
    })
}

/// A value as the column spells it.
fn value_of(column: &str, value: &str) -> Result<String, ConditionError> {
    let Some(known) = values_of(column) else {
        return Ok(value.to_owned());
    };
    match known.iter().find(|name| name.eq_ignore_ascii_case(value)) {
        Some(name) => Ok((*name).to_owned()),
        None => Err(ConditionError::Value {
            column: column.to_owned(),
            value: value.to_owned(),
            known: nearest(value, known),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    #[test]
    fn what_is_no_condition_is_refused_with_what_is() {
        let refused = |text: &str| {
            let more = MoreColumns {
                fields: ["mood".to_owned()].into(),
                ..MoreColumns::default()
            };
            let error = Where::parse(text, &more).unwrap_err();
            (error.to_string(), error.hint())
        };
        for (text, message, hint) in [
            ("", "is no condition", "with commas"),
            ("tone", "\"tone\" is no condition", "with commas"),
            ("tone=", "is no condition", "with commas"),
            ("tone=annoyed,,", "\"\" is no condition", "with commas"),
            ("tone!annoyed", "is no condition", "with commas"),
            ("=x", "is no condition", "with commas"),
            ("toen=annoyed", "no column \"toen\"", "there is: tone, "),
            ("modo=x", "no column \"modo\"", "there is: mood, "),
            ("judge.natural>=4", "no column", "there is: "),
            (
                "tone=angri",
                "tone is never \"angri\"",
                "it is one of: angry, ",
            ),
            (
                "outcome=RESOVLED",
                "outcome is never",
                "it is one of: RESOLVED, ",
            ),
            ("turns>=many", "turns is a number", "like turns>=4"),
            ("turns>=nan", "turns is a number", "like turns>=4"),
            ("tone>=angry", "tone is a text; >= is for numbers", "tone="),
        ] {
            let (said, hinted) = refused(text);
            assert!(said.contains(message), "{text}: {said}");
            assert!(hinted.contains(hint), "{text}: {hinted}");
        }
    }

    #[test]
    fn kinds_are_all_known() {
        let known = values_of("kind").unwrap();
        assert!(Kind::ALL.iter().all(|kind| known.contains(&kind.name())));
    }
}
