use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::fsio;
use crate::persona::entries::entries;
use crate::persona::individual::{field, kind, text};
use crate::persona::{Skipped, individual_of, tidy};
use crate::record::{Experience, Individual};

/// Bytes of a file of experiences, all of which are held.
const MAX_BYTES: u64 = 256 << 20;

/// Folded keys under which an experience has its people.
const PEOPLE: &[&str] = &[
    "participants",
    "individuals",
    "personas",
    "people",
    "speakers",
];

/// What is expected of an entry, for people.
const EXPECTED: &str =
    "expected {\"participants\", \"relations\", \"situation\", \"topic\", \"starter\"}";

/// Given experiences, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenExperiences {
    /// With ids `"<file stem>/<n>"` and no shots; of depth 0 unless the file says otherwise.
    pub experiences: Vec<Experience>,
    pub skipped: Skipped,
}

/// A file of experiences that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExperienceFileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// An entry that does not have the form, where none may be skipped.
    #[error("{path}:{line}: {what}")]
    BadEntry {
        path: PathBuf,
        line: u64,
        what: String,
    },
    /// Nothing in it.
    #[error(
        "{path}: no experiences; expected at least one, as JSON or JSONL{}",
        because(skipped)
    )]
    NoExperiences { path: PathBuf, skipped: Skipped },
}

fn because(skipped: &Skipped) -> String {
    if skipped.is_empty() {
        String::new()
    } else {
        format!("; {skipped}")
    }
}

/// Reads a file of experiences: see [`parse_experiences`].
///
/// # Errors
/// When it cannot be read, has no experience, or, if `strict`, has an entry that is none.
pub fn read_experiences(
    path: &Path,
    strict: bool,
) -> Result<GivenExperiences, ExperienceFileError> {
    let text = fsio::read_text(path, MAX_BYTES).map_err(|source| ExperienceFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse_experiences(path, &text, strict)
}

/// The experiences of a text, JSONL or one JSON value: our own; the situation configurations of ConvoGen, one or a list; its
/// conversation records, whose configuration stands under `situation_config`. Keys count whatever their case and
/// separators; what else an entry has is left alone. `path` names the text in messages, and its stem begins the ids.
///
/// # Errors
/// When there is no experience, or, if `strict`, an entry that is none.
pub fn parse_experiences(
    path: &Path,
    text: &str,
    strict: bool,
) -> Result<GivenExperiences, ExperienceFileError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut given = GivenExperiences::default();
    for (line, entry) in entries(text) {
        let found = match entry {
            Ok(value) => experiences_of(&value),
            Err(what) => vec![Err(what)],
        };
        for experience in found {
            match experience {
                Ok(mut experience) => {
                    experience.id = format!("{stem}/{}", given.experiences.len());
                    given.experiences.push(experience);
                }
                Err(what) if strict => {
                    return Err(ExperienceFileError::BadEntry {
                        path: path.to_owned(),
                        line,
                        what,
                    });
                }
                Err(what) => given.skipped.add(line, what),
            }
        }
    }
    if given.experiences.is_empty() {
        return Err(ExperienceFileError::NoExperiences {
            path: path.to_owned(),
            skipped: given.skipped,
        });
    }
    Ok(given)
}

/// The experiences of one value: one, or those of a list, which may stand alone under a key.
fn experiences_of(value: &Value) -> Vec<Result<Experience, String>> {
    let list = match value {
        Value::Array(values) => Some(values),
        Value::Object(object) if wraps(object) => {
            let mut lists = object.values().filter_map(Value::as_array);
            lists.next().filter(|_| lists.next().is_none())
        }
        _ => None,
    };
    match list {
        Some(values) => values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                experience_of(value).map_err(|what| format!("entry {}: {what}", at + 1))
            })
            .collect(),
        None => vec![experience_of(value)],
    }
}

/// Whether an object has nothing of an experience itself.
fn wraps(object: &Map<String, Value>) -> bool {
    field(object, PEOPLE).is_none()
        && field(object, &["situation", "topic"]).is_none()
        && config(object).is_none()
}

/// What a conversation record is about.
fn config(object: &Map<String, Value>) -> Option<&Value> {
    field(object, &["situationconfig", "experience", "config"])
}

fn experience_of(value: &Value) -> Result<Experience, String> {
    let Value::Object(object) = value else {
        return Err(format!("{}; {EXPECTED}", kind(value)));
    };
    match config(object) {
        Some(Value::String(json)) => {
            let inner: Value = serde_json::from_str(json)
                .map_err(|error| format!("`situation_config` is no JSON: {error}"))?;
            match &inner {
                Value::Object(inner) => bare_experience(inner),
                other => Err(format!("`situation_config` is {}; {EXPECTED}", kind(other))),
            }
        }
        Some(Value::Object(inner)) => bare_experience(inner),
        Some(other) => Err(format!("`situation_config` is {}; {EXPECTED}", kind(other))),
        None => bare_experience(object),
    }
}

fn bare_experience(object: &Map<String, Value>) -> Result<Experience, String> {
    let needed =
        |keys: &[&str]| text(object, keys)?.ok_or_else(|| format!("no `{}`; {EXPECTED}", keys[0]));
    let participants = people(object)?;
    let relations = match field(
        object,
        &["relations", "relationships", "relation", "relationship"],
    ) {
        Some(value) => told(value)?,
        None => String::new(),
    };
    let depth = match field(object, &["depth"]) {
        None => 0,
        Some(value) => value
            .as_u64()
            .and_then(|depth| u32::try_from(depth).ok())
            .ok_or_else(|| format!("`depth` is {}; expected a whole number", kind(value)))?,
    };
    if relations.is_empty() {
        return Err(format!("no `relations`; {EXPECTED}"));
    }
    Ok(Experience {
        id: String::new(),
        participants,
        relations,
        situation: needed(&["situation"])?,
        topic: needed(&["topic"])?,
        starter: tidy(&needed(&[
            "starter",
            "conversationstarter",
            "opening",
            "openingline",
        ])?),
        depth,
        shots: Vec::new(),
    })
}

/// The participants: a list of individuals, or an object with each under their name.
fn people(object: &Map<String, Value>) -> Result<Vec<Individual>, String> {
    let people = match field(object, PEOPLE) {
        None => return Err(format!("no `participants`; {EXPECTED}")),
        Some(Value::Array(people)) => people
            .iter()
            .enumerate()
            .map(|(at, person)| {
                individual_of(person).map_err(|what| format!("participant {}: {what}", at + 1))
            })
            .collect::<Result<Vec<_>, _>>()?,
        Some(Value::Object(people)) => people
            .iter()
            .map(|(name, person)| {
                let mut individual = individual_of(person)
                    .map_err(|what| format!("participant `{name}`: {what}"))?;
                if individual.name.is_empty() {
                    individual.name = tidy(name);
                }
                Ok(individual)
            })
            .collect::<Result<Vec<_>, String>>()?,
        Some(other) => {
            return Err(format!(
                "`participants` is {}; expected a list of individuals",
                kind(other)
            ));
        }
    };
    if people.len() < 2 {
        return Err(format!(
            "{} participants; expected two or more",
            people.len()
        ));
    }
    let names: Vec<String> = people.iter().map(|p| p.name.to_lowercase()).collect();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("participant {}: no `name`", at + 1));
        }
        if names[..at].contains(name) {
            return Err(format!("two participants are called `{}`", people[at].name));
        }
    }
    Ok(people)
}

/// Relations as a text: lists and maps become a sentence each.
fn told(value: &Value) -> Result<String, String> {
    let sentences = match value {
        Value::String(text) => {
            return Ok(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        Value::Array(values) => values.iter().map(phrase).collect::<Result<Vec<_>, _>>()?,
        Value::Object(map) => map
            .iter()
            .map(|(who, how)| Ok(format!("{}: {}", tidy(who), phrase(how)?)))
            .collect::<Result<Vec<_>, String>>()?,
        other => {
            return Err(format!(
                "`relations` is {}; expected a text, a list or a map",
                kind(other)
            ));
        }
    };
    let ended = |sentence: String| {
        if sentence.ends_with(['.', '!', '?', '。']) {
            sentence
        } else {
            sentence + "."
        }
    };
    Ok(sentences
        .into_iter()
        .filter(|sentence| sentence.contains(char::is_alphanumeric))
        .map(ended)
        .collect::<Vec<_>>()
        .join(" "))
}

/// One relation: a text, the texts of a list, or what a map says of whom.
fn phrase(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(tidy(text)),
        Value::Array(values) => Ok(values
            .iter()
            .map(phrase)
            .collect::<Result<Vec<_>, _>>()?
            .join(", ")),
        Value::Object(map) => Ok(map
            .iter()
            .map(|(who, how)| Ok(format!("{} {}", tidy(who), phrase(how)?)))
            .collect::<Result<Vec<_>, String>>()?
            .join(", ")),
        other => Err(format!(
            "`relations` has {} in it; expected texts",
            kind(other)
        )),
    }
}

#[cfg(test)]
#[path = "experience_file_tests.rs"]
mod tests;
