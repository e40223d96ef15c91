//! Jinja's filters and tests where minijinja's differ from them, are missing, or could make a value without bounds.
#![expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands optional and keyword arguments over by value"
)]

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::json::Style;
use super::methods::replaced;
use super::operators::{add, fill};
use super::printing::printed;
use super::source::{BUILT, WEIGH};
use super::{budget, words};

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter(WEIGH, |value: Value| -> Result<Value, Error> {
        budget::weigh(&value)?;
        Ok(value)
    });
    env.add_filter(BUILT, |value: Value| -> Result<Value, Error> {
        budget::built(&value)?;
        Ok(value)
    });
    env.add_filter("tojson", tojson);
    env.add_filter("string", |value: &Value| printed(value).into_owned());
    env.add_filter("trim", |value: &Value, chars: Option<String>| {
        words::strip(&printed(value), chars.as_deref(), true, true).to_owned()
    });
    env.add_filter("upper", |value: &Value| printed(value).to_uppercase());
    env.add_filter("lower", |value: &Value| printed(value).to_lowercase());
    env.add_filter("capitalize", |value: &Value| {
        words::capitalize(&printed(value))
    });
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("join", join);
    env.add_filter("replace", replace);
    env.add_filter("indent", indent);
    env.add_filter("format", |pattern: &Value, values: Rest<Value>| {
        fill(&printed(pattern), &values)
    });
    env.add_filter("sum", sum);
    env.add_filter("batch", batch);
    env.add_filter("slice", slice);
    env.add_filter("center", |value: &Value, width: Option<usize>| {
        let text = printed(value);
        let width = width.unwrap_or(80);
        budget::make(width.checked_add(text.len()))?;
        Ok::<_, Error>(words::padded(&text, width, None, "center"))
    });
    env.add_filter("wordcount", |value: &Value| {
        let word = |c: char| !c.is_alphanumeric() && c != '_';
        printed(value)
            .split(word)
            .filter(|word| !word.is_empty())
            .count()
    });
    env.add_filter("truncate", truncate);
    // Texts are sequences in Python.
    env.add_test("sequence", |value: &Value| {
        matches!(
            value.kind(),
            ValueKind::Seq | ValueKind::String | ValueKind::Map | ValueKind::Undefined
        )
    });
    env.add_test("iterable", |value: &Value| {
        matches!(
            value.kind(),
            ValueKind::Seq
                | ValueKind::String
                | ValueKind::Map
                | ValueKind::Iterable
                | ValueKind::Undefined
        )
    });
    env.add_test("number", |value: &Value| {
        matches!(value.kind(), ValueKind::Number | ValueKind::Bool)
    });
    env.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
}

fn tojson(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<String, Error> {
    // transformers' own filter has `ensure_ascii` first, so that an indentation by place is none.
    if indent.is_some() {
        return Err(invalid("tojson: write indent=…"));
    }
    let indent: Option<Option<usize>> = options.get("indent")?;
    let separators: Option<Option<Vec<String>>> = options.get("separators")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let indent = indent.flatten();
    let (item_separator, key_separator) = match separators.flatten().as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(invalid("tojson: separators takes two texts")),
        None => (
            if indent.is_some() { "," } else { ", " }.to_owned(),
            ": ".to_owned(),
        ),
    };
    if value.is_undefined() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            "tojson: the value is undefined",
        ));
    }
    let style = Style {
        ensure_ascii: ensure_ascii.unwrap_or(false),
        sort_keys: sort_keys.unwrap_or(false),
        indent,
        item_separator,
        key_separator,
    };
    // An element takes a line of its own, a character six bytes.
    let most = budget::measure(value)?
        .checked_mul(6)
        .zip(indent.unwrap_or(0).checked_add(2))
        .and_then(|(bytes, indent)| bytes.checked_mul(indent.div_ceil(16)));
    budget::make(most)?;
    Ok(style.dump(value))
}

/// The value of an attribute path: `function.name`, `0.role`.
fn attribute(value: &Value, path: &Value) -> Result<Value, Error> {
    let Some(path) = path.as_str() else {
        return value.get_item(path);
    };
    path.split('.')
        .try_fold(value.clone(), |at, part| match part.parse::<usize>() {
            Ok(index) => at.get_item(&Value::from(index)),
            Err(_) => at.get_attr(part),
        })
}

fn default(
    value: Value,
    other: Option<Value>,
    any_false: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let other = other.or(options.get("default_value")?);
    let any_false = any_false.or(options.get("boolean")?).unwrap_or(false);
    options.assert_all_used()?;
    Ok(if value.is_undefined() || (any_false && !value.is_true()) {
        other.unwrap_or_else(|| Value::from(""))
    } else {
        value
    })
}

fn join(
    value: &Value,
    separator: Option<Value>,
    path: Option<Value>,
    options: Kwargs,
) -> Result<String, Error> {
    let separator = match separator.or(options.get("d")?) {
        Some(separator) => printed(&separator).into_owned(),
        None => String::new(),
    };
    let path: Option<Value> = path.or(options.get("attribute")?);
    options.assert_all_used()?;
    let mut out = String::new();
    let texts = value.as_str();
    let letters = texts.map(|text| text.chars().map(Value::from).collect::<Value>());
    for (index, item) in letters.as_ref().unwrap_or(value).try_iter()?.enumerate() {
        let item = match &path {
            Some(path) => attribute(&item, path)?,
            None => item,
        };
        let text = printed(&item);
        let between = if index > 0 { separator.as_str() } else { "" };
        budget::make(out.len().checked_add(between.len() + text.len()))?;
        out.push_str(between);
        out.push_str(&text);
    }
    Ok(out)
}

fn replace(
    value: &Value,
    old: &Value,
    new: &Value,
    count: Option<i64>,
    options: Kwargs,
) -> Result<Value, Error> {
    let count = count.or(options.get("count")?);
    options.assert_all_used()?;
    replaced(&printed(value), &printed(old), &printed(new), count)
}

fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = match width.or(options.get("width")?) {
        None => " ".repeat(4),
        Some(width) => {
            if let Some(text) = width.as_str() {
                text.to_owned()
            } else {
                let width = usize::try_from(width)?;
                budget::make(Some(width))?;
                " ".repeat(width)
            }
        }
    };
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let text = format!("{}\n", printed(value));
    let lines = words::lines(&text, false);
    let bytes = lines.len().checked_mul(width.len() + 1);
    budget::make(bytes.and_then(|bytes| bytes.checked_add(text.len())))?;
    let written = lines.iter().enumerate().map(|(index, line)| {
        let bare = if index == 0 {
            !first
        } else {
            line.is_empty() && !blank
        };
        let width = if bare { "" } else { width.as_str() };
        format!("{width}{line}")
    });
    Ok(written.collect::<Vec<_>>().join("\n"))
}

fn sum(
    value: &Value,
    path: Option<Value>,
    start: Option<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    let path: Option<Value> = path.or(options.get("attribute")?);
    let start: Option<Value> = start.or(options.get("start")?);
    options.assert_all_used()?;
    let mut total = start.unwrap_or_else(|| Value::from(0));
    for item in value.try_iter()? {
        let item = match &path {
            Some(path) => attribute(&item, path)?,
            None => item,
        };
        total = add(&total, &item)?;
    }
    Ok(total)
}

fn batch(value: &Value, count: usize, filler: Option<Value>) -> Result<Vec<Value>, Error> {
    if count == 0 {
        return Err(invalid("batch: the count is 0"));
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    if filler.is_some() {
        budget::make(count.checked_mul(16))?;
    }
    let part = |part: &[Value]| {
        let mut part = part.to_vec();
        if let Some(filler) = &filler {
            part.resize(count, filler.clone());
        }
        Value::from(part)
    };
    Ok(items.chunks(count).map(part).collect())
}

fn slice(value: &Value, count: usize, filler: Option<Value>) -> Result<Vec<Value>, Error> {
    if count == 0 {
        return Err(invalid("slice: the count is 0"));
    }
    budget::make(count.checked_mul(16))?;
    let items: Vec<Value> = value.try_iter()?.collect();
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut from = 0;
    let mut parts = Vec::with_capacity(count);
    for index in 0..count {
        let length = each + usize::from(index < longer);
        let mut part = items[from..from + length].to_vec();
        from += length;
        if let (Some(filler), true) = (&filler, longer > 0 && index >= longer) {
            part.push(filler.clone());
        }
        parts.push(Value::from(part));
    }
    Ok(parts)
}

fn truncate(
    value: &Value,
    length: Option<usize>,
    kill_words: Option<bool>,
    end: Option<String>,
    options: Kwargs,
) -> Result<String, Error> {
    let text = printed(value);
    let length = length.or(options.get("length")?).unwrap_or(255);
    let kill_words = kill_words.or(options.get("killwords")?).unwrap_or(false);
    let end: String = end
        .or(options.get("end")?)
        .unwrap_or_else(|| "...".to_owned());
    let leeway = options.get::<Option<usize>>("leeway")?.unwrap_or(5);
    options.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.into_owned());
    }
    let room = length
        .checked_sub(end.chars().count())
        .ok_or_else(|| invalid("truncate: the end is longer than the length"))?;
    let cut: String = text.chars().take(room).collect();
    let cut = match cut.rsplit_once(' ') {
        Some((whole, _)) if !kill_words => whole,
        _ => cut.as_str(),
    };
    Ok(format!("{cut}{end}"))
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}
