use serde_json::{Map, Value};

use super::About;
use super::columns::Columns;
use super::sides::{Side, two_sides};
use crate::record::{Kind, Outcome, Sample, Utterance, Verdict};

/// The reason of rows that asynth could not make.
pub const ERROR: &str = "error";

/// The sample of an asynth row. Its `title` is the `page`; `status` and `length` stay as they are, while the word by which
/// the customer ended it is taken off the last text. Rows of status `ERROR` are samples that were turned down.
pub(super) fn sample(
    row: &Map<String, Value>,
    about: &mut About,
) -> Result<Option<Sample>, String> {
    let Columns {
        mut outcome,
        end_reason,
        mut fields,
    } = Columns::of(row);
    if let Some(title) = fields.remove("title") {
        fields.insert("page".to_owned(), title);
    }
    let status = fields.get("status").map(String::as_str);
    let failed = status == Some("ERROR");
    let list = row.get("conversation").and_then(Value::as_array);
    let list = list.ok_or("`conversation` is not a list")?;
    let mut turns = Vec::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let mut turn = turn(item).map_err(|what| format!("message {}: {what}", at + 1))?;
        if at + 1 == list.len()
            && let Some((text, word)) = without_status(&turn.text)
            && status.is_none_or(|status| status == word)
        {
            outcome = outcome_of(word);
            turn.text.truncate(text.len());
            if turn.text.is_empty() {
                continue;
            }
        }
        if turn.text.trim().is_empty() {
            about.turn("an empty turn");
        } else {
            turns.push(turn);
        }
    }
    outcome = status.and_then(outcome_of).or(outcome);
    let verdict = if failed {
        Verdict::Reject {
            reason: ERROR.to_owned(),
            detail: fields.get("error").cloned().unwrap_or_default(),
        }
    } else {
        Verdict::Keep
    };
    let sample = Sample {
        id: about.id.clone(),
        kind: Kind::Support,
        speakers: two_sides("Customer", "Agent"),
        turns,
        outcome,
        end_reason,
        verdict,
        rewrites: Vec::new(),
        fields,
    };
    Ok(if failed {
        Some(sample)
    } else {
        about.kept(sample)
    })
}

fn outcome_of(status: &str) -> Option<Outcome> {
    [Outcome::Resolved, Outcome::Unresolved]
        .into_iter()
        .find(|outcome| outcome.name() == status)
}

/// A turn. The name says who speaks, since the originals have the roles the wrong way round; the role does where there is
/// none.
fn turn(item: &Value) -> Result<Utterance, String> {
    let speaker = match item.get("name").and_then(Value::as_str) {
        Some("Customer") => 0,
        Some("Support_Agent") => 1,
        Some(name) => {
            return Err(format!(
                "unknown name {name:?}; expected Customer or Support_Agent"
            ));
        }
        None => {
            let role = item.get("role").and_then(Value::as_str);
            let role = role.ok_or("neither `name` nor `role`")?;
            match Side::of(role) {
                Some(Side::Customer) => 0,
                Some(Side::Agent) => 1,
                _ => return Err(format!("unknown role {role:?}; expected user or assistant")),
            }
        }
    };
    let text = match item.get("content") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err("`content` is not a text".to_owned()),
    };
    Ok(Utterance {
        speaker,
        text,
        ..Utterance::default()
    })
}

/// The text before the word that ends a conversation, and the word.
fn without_status(text: &str) -> Option<(&str, &'static str)> {
    let bare = text.trim_end_matches(|c: char| c.is_whitespace() || ".!*\"'`)]}".contains(c));
    ["UNRESOLVED", "RESOLVED"].into_iter().find_map(|word| {
        let rest = bare.strip_suffix(word)?;
        let rest = rest.trim_end_matches(|c: char| c.is_whitespace() || "*\"'`([{".contains(c));
        Some((rest, word))
    })
}
