//! JSON as models are shown it and asked for it: a space after every comma and colon, as most training text has it.

use serde_json::Value;

/// A value on one line with the separators `", "` and `": "`.
#[must_use]
pub fn spaced(value: &Value) -> String {
    match value {
        Value::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(spaced).collect();
            format!("[{}]", entries.join(", "))
        }
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::String(name.clone()), spaced(value))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
