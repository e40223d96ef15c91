use serde_json::{Map, Value};

use super::About;
use super::sides::{self, Message, Side};
use crate::record::{Link, Sample, Support, Why};

/// The sample of a row of `messages`.
pub(super) fn sample(
    row: &Map<String, Value>,
    about: &mut About,
) -> Result<Option<Sample>, String> {
    let list = ["messages", "conversation", "conversations"]
        .iter()
        .find_map(|key| row.get(*key)?.as_array())
        .ok_or("`messages` is not a list")?;
    let messages: Result<Vec<Message>, String> = list
        .iter()
        .enumerate()
        .map(|(at, item)| message(item).map_err(|what| format!("message {}: {what}", at + 1)))
        .collect();
    Ok(sides::sample(row, messages?, about))
}

fn message(item: &Value) -> Result<Message, String> {
    let role = item.get("role").and_then(Value::as_str);
    let role = role.ok_or("no `role`; expected {\"role\", \"content\"}")?;
    let side = Side::of(role).ok_or_else(|| {
        format!("unknown role {role:?}; expected system, user, assistant, customer or agent")
    })?;
    let text = text(item.get("content"))?;
    let links = match item.get("links").and_then(Value::as_array) {
        Some(links) => links.iter().filter_map(|row| link(&text, row)).collect(),
        None => Vec::new(),
    };
    Ok(Message { side, text, links })
}

/// A text, the texts of a list of parts, or nothing.
fn text(content: Option<&Value>) -> Result<String, String> {
    match content {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
                .collect();
            Ok(texts.join("\n"))
        }
        Some(_) => Err("`content` is not a text".to_owned()),
    }
}

/// What backs a sentence, as we write it: without the place in the paragraph, of which a row has the words only.
fn link(text: &str, row: &Value) -> Option<Link> {
    let place = |key: &str| {
        let character = usize::try_from(row.get(key)?.as_u64()?).ok()?;
        let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        starts.nth(character)
    };
    let (start, end) = (place("start")?, place("end")?);
    let support = match row.get("support")?.as_str()? {
        "supported" => Support::Supported {
            paragraph: usize::try_from(row.get("paragraph")?.as_u64()?).ok()?,
            span: 0..0,
        },
        "unsupported" => Support::Unsupported {
            why: why(row.get("why").and_then(Value::as_str).unwrap_or_default()),
        },
        "no_claim" => Support::NoClaim,
        _ => return None,
    };
    (start <= end).then_some(Link {
        sentence: start..end,
        verdict: support,
    })
}

/// What is wrong, from how it is told.
fn why(told: &str) -> Why {
    const MARK: &str = "\u{0}";
    let kinds: [fn(String) -> Why; 8] = [
        Why::Number,
        Why::Limit,
        Why::Denial,
        Why::Name,
        Why::Word,
        Why::Condition,
        Why::Deed,
        Why::Elsewhere,
    ];
    kinds
        .iter()
        .find_map(|kind| {
            let shape = kind(MARK.to_owned()).to_string();
            let (before, after) = shape.split_once(MARK)?;
            let words = told.strip_prefix(before)?.strip_suffix(after)?;
            Some(kind(words.to_owned()))
        })
        .unwrap_or_else(|| Why::Elsewhere(told.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_read_back() {
        let kinds = [
            Why::Number("3 %".into()),
            Why::Limit("at most 3".into()),
            Why::Denial("can".into()),
            Why::Name("Ada".into()),
            Why::Word("all".into()),
            Why::Condition("a receipt".into()),
            Why::Deed("I sent it".into()),
            Why::Elsewhere("blue, boat".into()),
        ];
        for kind in kinds {
            assert_eq!(why(&kind.to_string()), kind);
        }
        assert_eq!(why("odd"), Why::Elsewhere("odd".into()));
    }
}
