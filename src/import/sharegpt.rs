use serde_json::{Map, Value};

use super::About;
use super::sides::{self, Message, Side};
use crate::record::Sample;

/// The sample of a `ShareGPT` row.
pub(super) fn sample(
    row: &Map<String, Value>,
    about: &mut About,
) -> Result<Option<Sample>, String> {
    let list = row.get("conversations").and_then(Value::as_array);
    let messages: Result<Vec<Message>, String> = list
        .ok_or("`conversations` is not a list")?
        .iter()
        .enumerate()
        .map(|(at, item)| message(item).map_err(|what| format!("message {}: {what}", at + 1)))
        .collect();
    Ok(sides::sample(row, messages?, about))
}

fn message(item: &Value) -> Result<Message, String> {
    let from = item.get("from").and_then(Value::as_str);
    let from = from.ok_or("no `from`; expected {\"from\", \"value\"}")?;
    let side = Side::of(from)
        .ok_or_else(|| format!("unknown speaker {from:?}; expected system, human or gpt"))?;
    let text = match item.get("value") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err("`value` is not a text".to_owned()),
    };
    Ok(Message {
        side,
        text,
        links: Vec::new(),
    })
}
