use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::record::{EndReason, Outcome};

/// The row's own id: `id`, or `meetingID`.
pub(super) fn id(row: &Map<String, Value>) -> Option<String> {
    ["id", "meetingID"]
        .iter()
        .filter_map(|key| plain(row.get(*key)?))
        .find(|id| !id.is_empty())
}

/// A text, number or truth as a text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The columns of a row that are told apart from the others, and the others.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) outcome: Option<Outcome>,
    pub(super) end_reason: Option<EndReason>,
    /// Everything else with a plain value, by name; what is null is not there. An outcome or end reason of a name that is not
    /// ours stays here.
    pub(super) fields: BTreeMap<String, String>,
}

impl Columns {
    pub(super) fn of(row: &Map<String, Value>) -> Self {
        let mut columns = Self::default();
        for (name, value) in row {
            let Some(value) = plain(value) else { continue };
            let named = |own: &str| own == value;
            match name.as_str() {
                "id" | "meetingID" => continue,
                "outcome" => {
                    let mut all = Outcome::ALL.iter().copied();
                    columns.outcome = all.find(|outcome| named(outcome.name()));
                    if columns.outcome.is_some() {
                        continue;
                    }
                }
                "end_reason" => {
                    let mut all = EndReason::ALL.iter().copied();
                    columns.end_reason = all.find(|reason| named(reason.name()));
                    if columns.end_reason.is_some() {
                        continue;
                    }
                }
                _ => {}
            }
            columns.fields.insert(name.clone(), value);
        }
        columns
    }
}
