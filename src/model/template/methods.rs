//! Python's methods of texts, lists and mappings that minijinja's own set lacks or has otherwise.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::operators::longest_width;
use super::printing::printed;
use super::{budget, words};

/// Calls a method of a value.
pub(super) fn call(
    state: &mut State,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    budget::weigh(value)?;
    for argument in args {
        budget::weigh(argument)?;
    }
    let found = match value.kind() {
        ValueKind::String => text_method(value.as_str().unwrap_or_default(), name, args)?,
        ValueKind::Seq | ValueKind::Iterable => list_method(value, name, args)?,
        ValueKind::Map if name == "copy" && args.is_empty() => Some(value.clone()),
        _ => None,
    };
    match found {
        Some(found) => Ok(found),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

fn text_method(text: &str, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let chars_of = |args: &[Value]| -> Result<Option<String>, Error> {
        let (chars,): (Option<String>,) = from_args(args)?;
        Ok(chars)
    };
    let found: Value = match name {
        "strip" => words::strip(text, chars_of(args)?.as_deref(), true, true).into(),
        "lstrip" => words::strip(text, chars_of(args)?.as_deref(), true, false).into(),
        "rstrip" => words::strip(text, chars_of(args)?.as_deref(), false, true).into(),
        "split" | "rsplit" => {
            let (separator, most) = split_arguments(args)?;
            let parts = words::split(text, separator.as_deref(), most, name == "rsplit")
                .ok_or_else(|| invalid("split: the separator is empty"))?;
            budget::make(Some(parts.len() * 16))?;
            parts
                .into_iter()
                .map(Value::from)
                .collect::<Vec<_>>()
                .into()
        }
        "splitlines" => {
            let (keep, options): (Option<bool>, Kwargs) = from_args(args)?;
            let keep = keep.or(options.get("keepends")?).unwrap_or(false);
            let lines = words::lines(text, keep);
            lines
                .into_iter()
                .map(Value::from)
                .collect::<Vec<_>>()
                .into()
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let cut = if name == "partition" {
                text.split_once(separator)
            } else {
                text.rsplit_once(separator)
            };
            let parts = match cut {
                Some((before, after)) => [before, separator, after],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        "removeprefix" => {
            let (affix,): (&str,) = from_args(args)?;
            text.strip_prefix(affix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (affix,): (&str,) = from_args(args)?;
            text.strip_suffix(affix).unwrap_or(text).into()
        }
        "replace" => {
            let (old, new, count, options): (&str, &str, Option<i64>, Kwargs) = from_args(args)?;
            let count = count.or(options.get("count")?);
            options.assert_all_used()?;
            replaced(text, old, new, count)?
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let mut out = String::new();
            for (index, item) in items.try_iter()?.enumerate() {
                let item = item
                    .as_str()
                    .ok_or_else(|| invalid("join: an item is no text"))?;
                let between = if index > 0 { text } else { "" };
                budget::make(out.len().checked_add(between.len() + item.len()))?;
                out.push_str(between);
                out.push_str(item);
            }
            out.into()
        }
        "title" => words::title(text).into(),
        "swapcase" => words::swapcase(text).into(),
        "casefold" => text.to_lowercase().into(),
        "capitalize" => words::capitalize(text).into(),
        "isspace" => (!text.is_empty() && text.chars().all(words::is_space)).into(),
        "isdecimal" => (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).into(),
        "isidentifier" => {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            (text.chars().all(word) && text.chars().next().is_some_and(|c| !c.is_numeric())).into()
        }
        "istitle" => (text.chars().any(char::is_alphabetic) && words::title(text) == text).into(),
        "find" | "index" | "rfind" | "rindex" => {
            let (what, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
            let place = words::find(text, what, start, end, name.starts_with('r'));
            if place.is_none() && name.ends_with("index") {
                return Err(invalid("index: the text is not in it"));
            }
            place.map_or(-1, |n| i64::try_from(n).unwrap_or(-1)).into()
        }
        "ljust" | "rjust" | "center" | "zfill" => {
            let (width, fill): (i64, Option<char>) = from_args(args)?;
            let width = usize::try_from(width).unwrap_or(0);
            budget::make(width.checked_mul(4).and_then(|w| w.checked_add(text.len())))?;
            words::padded(text, width, fill, name).into()
        }
        "format" => {
            let values = args.iter().try_fold(0, |sum, value| {
                Ok::<_, Error>(sum + budget::measure(value)?)
            })?;
            let fields = text.matches('{').count();
            let bytes = values
                .checked_mul(fields.max(1))
                .and_then(|sum| sum.checked_add(longest_width(text)))
                .and_then(|sum| sum.checked_add(text.len()));
            budget::make(bytes)?;
            // Fields without a format of their own print what Python prints.
            let plain = |value: &Value| match value.kind() {
                ValueKind::None | ValueKind::Bool | ValueKind::Seq => {
                    Value::from(printed(value).into_owned())
                }
                _ => value.clone(),
            };
            let args: Vec<Value> = args.iter().map(plain).collect();
            let style = minijinja::formatting::FormatStyle::StrFormat;
            minijinja::formatting::format(style, text, &args)?.into()
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

/// `replace` of texts, as a method and as a filter.
pub(super) fn replaced(
    text: &str,
    old: &str,
    new: &str,
    count: Option<i64>,
) -> Result<Value, Error> {
    let most = count.map_or(usize::MAX, |count| {
        usize::try_from(count).unwrap_or(usize::MAX)
    });
    let found = if old.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(old).count()
    };
    let bytes = found.min(most).checked_mul(new.len());
    budget::make(bytes.and_then(|bytes| bytes.checked_add(text.len())))?;
    Ok(text.replacen(old, new, most).into())
}

fn split_arguments(args: &[Value]) -> Result<(Option<String>, Option<usize>), Error> {
    let (separator, most, options): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = separator
        .or(options.get("sep")?)
        .filter(|value| !value.is_none());
    let most: Option<i64> = most.or(options.get("maxsplit")?);
    options.assert_all_used()?;
    let separator = match separator {
        None => None,
        Some(value) => Some(
            value
                .as_str()
                .ok_or_else(|| invalid("split: the separator is no text"))?
                .to_owned(),
        ),
    };
    Ok((separator, most.and_then(|most| usize::try_from(most).ok())))
}

fn list_method(value: &Value, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match name {
        "index" => {
            let (what,): (&Value,) = from_args(args)?;
            let place = value.try_iter()?.position(|item| item == *what);
            Value::from(place.ok_or_else(|| invalid("index: the value is not in the list"))?)
        }
        "count" => {
            let (what,): (&Value,) = from_args(args)?;
            Value::from(value.try_iter()?.filter(|item| item == what).count())
        }
        "copy" if args.is_empty() => value.clone(),
        // Templates run where nothing may be changed.
        "append" | "extend" | "insert" | "pop" | "remove" | "clear" | "sort" | "reverse" => {
            return Err(invalid("lists cannot be changed; build a new one with `+`"));
        }
        _ => return Ok(None),
    }))
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}
