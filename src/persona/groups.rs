use std::path::Path;

use serde_json::Value;

use super::entries::entries;
use super::individual::{field, kind};
use super::{PersonaError, Skipped, individual_of};
use crate::fsio;
use crate::record::Individual;

/// Bytes of a file of groups, all of which are held.
const MAX_BYTES: u64 = 256 << 20;

/// Keys under which an object has its people, folded.
const PEOPLE: &[&str] = &["participants", "individuals", "personas", "people", "group"];

/// Given groups, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    pub groups: Vec<Vec<Individual>>,
    pub skipped: Skipped,
}

/// Reads a file of groups: a group a line, or one JSON list of groups.
///
/// # Errors
/// When it cannot be read, has no group, or, if `strict`, has an entry that is none.
pub fn read_groups(path: &Path, strict: bool) -> Result<Groups, PersonaError> {
    let text = fsio::read_text(path, MAX_BYTES).map_err(|source| PersonaError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse_groups(path, &text, strict)
}

/// The groups of a text: each a list of individuals and personas, or an object that has it under `participants`,
/// `individuals`, `personas` or `group`.
///
/// # Errors
/// As for [`read_groups`].
pub fn parse_groups(path: &Path, text: &str, strict: bool) -> Result<Groups, PersonaError> {
    let mut found = Groups::default();
    for (line, entry) in entries(text) {
        let groups = match entry {
            Ok(value) => groups_of(&value),
            Err(what) => vec![Err(what)],
        };
        for group in groups {
            match group {
                Ok(group) => found.groups.push(group),
                Err(what) if strict => {
                    return Err(PersonaError::BadLine {
                        path: path.to_owned(),
                        line,
                        what,
                    });
                }
                Err(what) => found.skipped.add(line, what),
            }
        }
    }
    if found.groups.is_empty() {
        return Err(PersonaError::NoGroups {
            path: path.to_owned(),
            skipped: found.skipped,
        });
    }
    Ok(found)
}

/// The groups of one value: one, or several where it is a list of groups.
fn groups_of(value: &Value) -> Vec<Result<Vec<Individual>, String>> {
    match value {
        Value::Array(values) if values.iter().all(is_group) && !values.is_empty() => values
            .iter()
            .enumerate()
            .map(|(at, value)| group_of(value).map_err(|what| format!("group {}: {what}", at + 1)))
            .collect(),
        value => vec![group_of(value)],
    }
}

/// Whether a value can only be a group: a list, or an object with a list of people.
fn is_group(value: &Value) -> bool {
    match value {
        Value::Array(_) => true,
        Value::Object(object) => matches!(field(object, PEOPLE), Some(Value::Array(_))),
        _ => false,
    }
}

fn group_of(value: &Value) -> Result<Vec<Individual>, String> {
    let people = match value {
        Value::Array(people) => people,
        Value::Object(object) => match field(object, PEOPLE) {
            Some(Value::Array(people)) => people,
            Some(other) => return Err(format!("{}; expected a list of people", kind(other))),
            None => return Err("no `participants`, `individuals` or `personas`".to_owned()),
        },
        other => return Err(format!("{}; expected a list of people", kind(other))),
    };
    let group = people
        .iter()
        .enumerate()
        .map(|(at, person)| {
            individual_of(person).map_err(|what| format!("person {}: {what}", at + 1))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if group.len() < 2 {
        return Err(format!("{} people; expected two or more", group.len()));
    }
    let names = || group.iter().map(|person| person.name.to_lowercase());
    let twice = |(at, name): &(usize, String)| {
        !name.is_empty() && names().take(*at).any(|earlier| earlier == *name)
    };
    match names().enumerate().find(twice) {
        Some((at, _)) => Err(format!("two people are called `{}`", group[at].name)),
        None => Ok(group),
    }
}
