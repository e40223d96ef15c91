use serde_json::{Map, Value};

use super::Row;

/// A row of the `messages` format in ShareGPT's shape, as LLaMA-Factory and older trainers read it: `conversations` of
/// `{from, value}`, where `human` and `gpt` take turns and `human` begins. None where nothing is left of it.
///
/// What one side says in a row becomes one message, a blank line between. What `gpt` says before the first `human` is left
/// out, and so is what `human` says after the last `gpt`: LLaMA-Factory takes no row with an odd number of messages
/// (github.com/hiyouga/LLaMA-Factory, data/README.md, "Sharegpt Format"). A system message is a column, `system`.
pub(super) fn of_messages(row: Row) -> Option<Row> {
    let mut shaped = Map::new();
    for (column, value) in row {
        if column != "messages" {
            shaped.insert(column, value);
            continue;
        }
        let Value::Array(messages) = value else {
            return None;
        };
        let (system, conversations) = alternating(messages);
        if conversations.is_empty() {
            return None;
        }
        shaped.insert("conversations".into(), conversations.into());
        if let Some(system) = system {
            shaped.insert("system".into(), system);
        }
    }
    Some(shaped)
}

fn alternating(messages: Vec<Value>) -> (Option<Value>, Vec<Value>) {
    let mut system = None;
    let mut said: Vec<Row> = Vec::new();
    for message in messages {
        let Value::Object(mut message) = message else {
            continue;
        };
        let (Some(Value::String(role)), Some(Value::String(text))) =
            (message.remove("role"), message.remove("content"))
        else {
            continue;
        };
        let from = match role.as_str() {
            "system" => {
                system = Some(Value::String(text));
                continue;
            }
            "user" => "human",
            _ => "gpt",
        };
        if text.is_empty() || (said.is_empty() && from == "gpt") {
            continue;
        }
        let trained = message.remove("train");
        match said.last_mut() {
            Some(last) if last["from"] == from => join(last, &text, trained.as_ref()),
            _ => {
                let mut turn = Row::new();
                turn.insert("from".into(), from.into());
                turn.insert("value".into(), text.into());
                if let Some(trained) = trained {
                    turn.insert("train".into(), trained);
                }
                said.push(turn);
            }
        }
    }
    if said.last().is_some_and(|last| last["from"] == "human") {
        said.pop();
    }
    (system, said.into_iter().map(Value::Object).collect())
}

/// Adds to a message; trained on only where both parts are.
fn join(last: &mut Row, text: &str, trained: Option<&Value>) {
    if let Some(Value::String(whole)) = last.get_mut("value") {
        whole.push_str("\n\n");
        whole.push_str(text);
    }
    if trained == Some(&Value::Bool(false)) {
        last.insert("train".into(), false.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn row(messages: &[(&str, &str)]) -> Row {
        let messages: Vec<Value> = messages
            .iter()
            .map(|(role, content)| json!({"role": role, "content": content}))
            .collect();
        let Value::Object(row) = json!({"id": "c/3/1", "messages": messages, "tone": null}) else {
            unreachable!()
        };
        row
    }

    #[test]
    fn a_row_is_exactly_this() {
        let shaped = of_messages(row(&[
            ("system", "You are Alex."),
            ("assistant", "Hello."),
            ("user", "Hi."),
            ("user", "Why?"),
            ("assistant", "So."),
            ("assistant", ""),
            ("assistant", "And so."),
            ("user", "Thanks."),
        ]));
        assert_eq!(
            Value::Object(shaped.unwrap()).to_string(),
            concat!(
                r#"{"id":"c/3/1","conversations":[{"from":"human","value":"Hi.\n\nWhy?"},{"from":"gpt","value":"So.\n\nAnd so."}],"#,
                r#""system":"You are Alex.","tone":null}"#
            )
        );
    }

    #[test]
    fn a_row_of_one_side_is_none() {
        for messages in [
            &[][..],
            &[("user", "Hi.")],
            &[("assistant", "Hi.")],
            &[("assistant", "Hi."), ("user", "Well?")],
            &[("user", ""), ("assistant", "")],
        ] {
            assert_eq!(of_messages(row(messages)), None, "{messages:?}");
        }
    }

    #[test]
    fn a_joined_message_is_trained_on_where_all_of_it_is() {
        let messages = json!([
            {"role": "user", "content": "a", "train": false},
            {"role": "assistant", "content": "b", "train": true},
            {"role": "assistant", "content": "c", "train": false},
        ]);
        let (_, said) = alternating(messages.as_array().unwrap().clone());
        assert_eq!(
            Value::Array(said),
            json!([{"from": "human", "value": "a", "train": false}, {"from": "gpt", "value": "b\n\nc", "train": false}])
        );
    }

    proptest! {
        #[test]
        fn sides_take_turns_from_human_to_gpt(
            messages in prop::collection::vec((0..2usize, "[ab]{0,2}"), 0..12)
        ) {
            let messages: Vec<(&str, &str)> = messages
                .iter()
                .map(|(side, text)| (["user", "assistant"][*side], text.as_str()))
                .collect();
            if let Some(shaped) = of_messages(row(&messages)) {
                let said = shaped["conversations"].as_array().unwrap();
                prop_assert!(!said.is_empty() && said.len() % 2 == 0);
                for (place, turn) in said.iter().enumerate() {
                    prop_assert_eq!(turn["from"].as_str(), Some(["human", "gpt"][place % 2]));
                    prop_assert!(turn["value"] != "");
                }
            }
        }
    }
}
