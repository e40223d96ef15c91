use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::record::Individual;

/// Keys under which a persona stands, folded, the first that is there counts.
const PERSONA: &[&str] = &["persona", "inputpersona", "description", "text"];

/// A key without case, separators and spaces: `speechStyle`, `speech_style` and `Speech style` are one.
#[must_use]
pub fn folded(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The value of the first of these folded keys that is there and not null.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().find_map(|key| {
        object
            .iter()
            .find(|(name, value)| folded(name) == *key && !value.is_null())
            .map(|(_, value)| value)
    })
}

/// A line without a list's number (`12 - `, `12. `, `3) `, `- `), its white space single.
#[must_use]
pub fn tidy(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let after = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = [" - ", ". ", ") ", ": "]
        .iter()
        .find_map(|mark| after.strip_prefix(mark));
    match numbered {
        Some(rest) if after.len() < text.len() => rest.trim_start().to_owned(),
        _ => text.strip_prefix("- ").unwrap_or(&text).to_owned(),
    }
}

/// An individual from an object in one of the usual spellings, or a persona from a string.
///
/// An object may have `name`, `nationality`, `age`, `qualities`, `speechStyle`, `lifestyle` (an object with `work` and
/// `hobbies`, or a text, which is taken as work), `work`, `hobbies`, `memory` and `persona`. Keys count whatever their case
/// and separators; others are left alone. Lists may be texts with commas.
///
/// # Errors
/// What is wrong, for people: another kind of value, or nothing that says who that is.
pub fn individual_of(value: &Value) -> Result<Individual, String> {
    let object = match value {
        Value::String(text) => {
            return match filled(text) {
                Some(persona) => Ok(Individual::of_persona(persona)),
                None => Err("an empty persona".to_owned()),
            };
        }
        Value::Object(object) => object,
        other => {
            return Err(format!(
                "{}; expected an individual (an object) or a persona (a string)",
                kind(other)
            ));
        }
    };
    let lifestyle = field(object, &["lifestyle", "lifestyles"]);
    let (mut work, mut hobbies) = (
        text(object, &["work", "job", "occupation", "profession"])?,
        list(object, &["hobbies", "hobby", "interests"])?,
    );
    match lifestyle {
        Some(Value::Object(lifestyle)) => {
            work = work.or(text(
                lifestyle,
                &["work", "job", "occupation", "profession"],
            )?);
            if hobbies.is_empty() {
                hobbies = list(lifestyle, &["hobbies", "hobby", "interests"])?;
            }
        }
        Some(_) => work = work.or(text(object, &["lifestyle", "lifestyles"])?),
        None => {}
    }
    let individual = Individual {
        name: text(object, &["name", "fullname"])?.unwrap_or_default(),
        nationality: text(object, &["nationality", "country"])?,
        age: age(object)?,
        qualities: list(object, &["qualities", "quality", "traits", "personality"])?,
        speech_style: text(object, &["speechstyle", "speakingstyle", "speech"])?,
        work,
        hobbies,
        memory: text(object, &["memory", "memories"])?,
        persona: text(object, PERSONA)?.map(|persona| tidy(&persona)),
    };
    if individual == Individual::default() {
        return Err(
            "nothing that says who that is; expected `persona`, or `name`, `qualities`, `memory` and the like".to_owned(),
        );
    }
    Ok(individual)
}

/// `text` tidied, if it has a letter or digit.
fn filled(text: &str) -> Option<String> {
    let text = tidy(text);
    text.contains(char::is_alphanumeric).then_some(text)
}

/// The text of a key; a list of texts is joined.
pub(crate) fn text(object: &Map<String, Value>, keys: &[&str]) -> Result<Option<String>, String> {
    let single = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = match field(object, keys) {
        None => return Ok(None),
        Some(Value::String(text)) => single(text),
        Some(Value::Array(_)) => list(object, keys)?.join(", "),
        Some(other) => {
            return Err(format!("`{}` is {}; expected a text", keys[0], kind(other)));
        }
    };
    Ok(text.contains(char::is_alphanumeric).then_some(text))
}

/// The texts of a key; a text is split at commas and semicolons.
fn list(object: &Map<String, Value>, keys: &[&str]) -> Result<Vec<String>, String> {
    let texts: Vec<Cow<'_, str>> = match field(object, keys) {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => text.split([',', ';']).map(Cow::Borrowed).collect(),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| match value {
                Value::String(text) => Ok(Cow::Borrowed(text.as_str())),
                other => Err(format!(
                    "`{}` has {} in it; expected texts",
                    keys[0],
                    kind(other)
                )),
            })
            .collect::<Result<_, _>>()?,
        Some(other) => {
            return Err(format!(
                "`{}` is {}; expected a list of texts",
                keys[0],
                kind(other)
            ));
        }
    };
    Ok(texts.iter().filter_map(|text| filled(text)).collect())
}

/// A number, or a text with one in it.
fn age(object: &Map<String, Value>) -> Result<Option<u32>, String> {
    let bad = |value: &Value| format!("`age` is {}; expected a number of years", kind(value));
    let Some(value) = field(object, &["age"]) else {
        return Ok(None);
    };
    let years = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text
            .split(|c: char| !c.is_ascii_digit())
            .find(|digits| !digits.is_empty())
            .and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    match years.and_then(|years| u32::try_from(years).ok()) {
        Some(years) => Ok(Some(years)),
        None => Err(bad(value)),
    }
}

/// What a value is, for people.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let start: String = text.chars().take(20).collect();
            format!("the text `{start}`")
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
