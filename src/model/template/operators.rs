//! Python's `+ ~ * %` on template values, none of them without bounds.

use minijinja::formatting::{FormatStyle, format as formatted};
use minijinja::value::{Rest, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::budget;
use super::printing::{kind_name, printed, repr};

pub(super) fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        budget::make(a.len().checked_add(b.len()))?;
        return Ok(Value::from([a, b].concat()));
    }
    if left.is_tuple() == right.is_tuple() && is_list(left) && is_list(right) {
        let bytes = budget::measure(left)?.checked_add(budget::measure(right)?);
        budget::make(bytes)?;
        let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).collect();
        return Ok(like(left, items));
    }
    match numbers(left, right) {
        Some(Numbers::Whole(a, b)) => a
            .checked_add(b)
            .map(whole)
            .ok_or_else(|| refused("+", left, right)),
        Some(Numbers::Real(a, b)) => Ok(Value::from(a + b)),
        None => Err(refused("+", left, right)),
    }
}

/// A sum from the left, as `+` binds.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands further arguments over by value"
)]
pub(super) fn sum(terms: Rest<Value>) -> Result<Value, Error> {
    let mut terms = terms.iter();
    let first = terms.next().cloned().unwrap_or_default();
    terms.try_fold(first, |sum, term| add(&sum, term))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands further arguments over by value"
)]
pub(super) fn concat(parts: Rest<Value>) -> Result<Value, Error> {
    let mut out = String::new();
    for part in &*parts {
        if part.as_str().is_none() {
            budget::weigh(part)?;
        }
        let text = printed(part);
        budget::make(out.len().checked_add(text.len()))?;
        out.push_str(&text);
    }
    Ok(Value::from(out))
}

pub(super) fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    for (value, times) in [(left, right), (right, left)] {
        if !times.is_integer() && times.kind() != ValueKind::Bool {
            continue;
        }
        // Python takes a negative number for none.
        let times = match i128::try_from(times.clone()) {
            Ok(times) => usize::try_from(times.max(0)).unwrap_or(usize::MAX),
            Err(_) => continue,
        };
        if let Some(text) = value.as_str() {
            budget::make(text.len().checked_mul(times))?;
            return Ok(Value::from(text.repeat(times)));
        }
        if is_list(value) {
            budget::make(budget::measure(value)?.checked_mul(times))?;
            let items: Vec<Value> = value.try_iter()?.collect();
            let count = items.len() * times;
            return Ok(like(value, items.into_iter().cycle().take(count).collect()));
        }
    }
    match numbers(left, right) {
        Some(Numbers::Whole(a, b)) => a
            .checked_mul(b)
            .map(whole)
            .ok_or_else(|| refused("*", left, right)),
        Some(Numbers::Real(a, b)) => Ok(Value::from(a * b)),
        None => Err(refused("*", left, right)),
    }
}

/// `value[start:stop:step]`.
pub(super) fn slice(
    value: &Value,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> Result<Value, Error> {
    if step == 0 {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a slice's step is 0",
        ));
    }
    let bytes = budget::measure(value)?;
    budget::make(Some(bytes))?;
    let items: Vec<Value> = match value.as_str() {
        Some(text) => text.chars().map(Value::from).collect(),
        None if is_list(value) => value.try_iter()?.collect(),
        None => return Err(refused("[::]", value, &Value::from(step))),
    };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (least, most) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let bound = |at: i64| {
        (if at < 0 {
            at.saturating_add(length)
        } else {
            at
        })
        .clamp(least, most)
    };
    let (first, end) = if step > 0 {
        (0, length)
    } else {
        (length - 1, -1)
    };
    let (mut at, end) = (start.map_or(first, bound), stop.map_or(end, bound));
    let mut taken = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        taken.extend(
            usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at))
                .cloned(),
        );
        at = at.saturating_add(step);
    }
    Ok(match value.as_str() {
        Some(_) => taken
            .iter()
            .map(|item| item.as_str().unwrap_or_default())
            .collect::<String>()
            .into(),
        None => like(value, taken),
    })
}

/// A remainder, or a text with its `%s` filled in.
pub(super) fn modulo(left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(pattern) = left.as_str() {
        let values = if right.is_tuple() {
            right.try_iter()?.collect()
        } else {
            vec![right.clone()]
        };
        return fill(pattern, &values);
    }
    match numbers(left, right) {
        Some(Numbers::Whole(a, b)) if b != 0 => a
            .checked_rem(b)
            .and_then(|rest| {
                let other_side = rest != 0 && (rest < 0) != (b < 0);
                rest.checked_add(if other_side { b } else { 0 })
            })
            .map(whole)
            .ok_or_else(|| refused("%", left, right)),
        Some(Numbers::Real(a, b)) if b != 0.0 => {
            let rest = a % b;
            let other_side = rest != 0.0 && (rest < 0.0) != (b < 0.0);
            Ok(Value::from(if other_side { rest + b } else { rest }))
        }
        Some(_) => Err(Error::new(
            ErrorKind::InvalidOperation,
            "division by zero in %",
        )),
        None => Err(refused("%", left, right)),
    }
}

/// `"%s and %d" % (…)`, as text: each conversion by itself, `%s` and `%r` with Python's own texts.
pub(super) fn fill(pattern: &str, values: &[Value]) -> Result<Value, Error> {
    let misfit = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("in %: {what}"));
    let mut out = String::new();
    let mut given = values.iter();
    let mut named = false;
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let (key, after) = match after.strip_prefix('(').and_then(|key| key.split_once(')')) {
            Some((key, after)) => (Some(key), after),
            None => (None, after),
        };
        let end = after
            .find(|c: char| !matches!(c, '-' | '+' | ' ' | '#' | '.' | '0'..='9'))
            .ok_or_else(|| misfit("the text ends within a conversion"))?;
        let (flags, after) = after.split_at(end);
        let mut chars = after.chars();
        let conversion = chars.next().unwrap_or('%');
        rest = chars.as_str();
        if conversion == '%' {
            out.push('%');
            continue;
        }
        let value = match key {
            Some(key) => {
                named = true;
                let map = values.first().filter(|map| map.kind() == ValueKind::Map);
                let map = map.ok_or_else(|| misfit("a name asks for a mapping"))?;
                map.get_attr(key)?
            }
            None => given
                .next()
                .ok_or_else(|| misfit("there are fewer values than conversions"))?
                .clone(),
        };
        let (conversion, value) = match conversion {
            's' => ('s', Value::from(printed(&value).into_owned())),
            'r' => ('s', Value::from(repr(&value))),
            other => (other, value),
        };
        let bytes = longest_width(flags)
            .checked_add(value.as_str().map_or(64, str::len))
            .and_then(|more| more.checked_add(out.len()));
        budget::make(bytes)?;
        let pattern = format!("%{flags}{conversion}");
        out.push_str(&formatted(FormatStyle::Printf, &pattern, &[value])?);
    }
    out.push_str(rest);
    if !named
        && given
            .next()
            .is_some_and(|rest| rest.kind() != ValueKind::Map)
    {
        return Err(misfit("there are more values than conversions"));
    }
    Ok(Value::from(out))
}

/// The sum of all numbers in a pattern: no width or precision is more.
pub(super) fn longest_width(pattern: &str) -> usize {
    let numbers = pattern.split(|c: char| !c.is_ascii_digit());
    numbers
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap_or(usize::MAX))
        .fold(0, usize::saturating_add)
}

fn is_list(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Seq => true,
        ValueKind::Iterable => value.len().is_some(),
        _ => false,
    }
}

fn like(original: &Value, items: Vec<Value>) -> Value {
    if original.is_tuple() {
        Value::from(Tuple::from(items))
    } else {
        Value::from(items)
    }
}

enum Numbers {
    Whole(i128, i128),
    Real(f64, f64),
}

fn numbers(left: &Value, right: &Value) -> Option<Numbers> {
    let number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if !number(left) || !number(right) {
        return None;
    }
    let is_whole = |value: &Value| value.is_integer() || value.kind() == ValueKind::Bool;
    if is_whole(left) && is_whole(right) {
        let as_whole = |value: &Value| i128::try_from(value.clone()).ok();
        return Some(Numbers::Whole(as_whole(left)?, as_whole(right)?));
    }
    let real = |value: &Value| f64::try_from(value.clone()).ok();
    Some(Numbers::Real(real(left)?, real(right)?))
}

fn whole(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::from(value), Value::from)
}

fn refused(sign: &str, left: &Value, right: &Value) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!(
            "`{sign}` does not go with {} and {}",
            kind_name(left),
            kind_name(right)
        ),
    )
}
