use serde_json::{Map, Value};

use super::About;
use super::columns::Columns;
use crate::export::OPENING_SPEAKER;
use crate::persona::individual_of;
use crate::record::{Individual, Kind, Sample, Speaker, Utterance, Verdict};

/// The sample of a `ConvoGen` row. Speakers are in the order of `speakerMap`; of `situation_config` the texts are fields, and
/// what it says of the individuals is their persona. What the host says first is the field `opening`.
pub(super) fn sample(
    row: &Map<String, Value>,
    about: &mut About,
) -> Result<Option<Sample>, String> {
    let Columns {
        outcome,
        end_reason,
        mut fields,
    } = Columns::of(row);
    let config = config(row);
    for (key, name) in [
        ("topic", "topic"),
        ("situation", "situation"),
        ("relations", "relations"),
        ("conversationStarter", "starter"),
    ] {
        let value = config.as_ref().and_then(|config| config.get(key));
        if let Some(text) = value.and_then(Value::as_str) {
            fields.insert(name.to_owned(), text.to_owned());
        }
    }
    fields.remove("situation_config");
    let mut group = Group::of(row, config.as_ref())?;
    let list = row.get("Conversation").and_then(Value::as_array);
    let list = list.ok_or("`Conversation` is not a list")?;
    let mut turns = Vec::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let part = |key: &str| {
            item.get(key)
                .and_then(Value::as_str)
                .ok_or_else(|| format!("turn {}: no `{key}`, a text", at + 1))
        };
        let (speaker, text) = (part("speaker")?, part("transcript")?);
        if at == 0 && speaker == OPENING_SPEAKER && group.place(speaker).is_none() {
            fields.insert("opening".to_owned(), text.to_owned());
        } else if text.trim().is_empty() {
            about.turn("an empty turn");
        } else {
            turns.push(Utterance {
                speaker: group.place_or_new(speaker),
                text: text.to_owned(),
                ..Utterance::default()
            });
        }
    }
    Ok(about.kept(Sample {
        id: about.id.clone(),
        kind: Kind::Group,
        speakers: group.speakers,
        turns,
        outcome,
        end_reason,
        verdict: Verdict::Keep,
        rewrites: Vec::new(),
        fields,
    }))
}

/// What the chat is about: an object, or the text of one.
fn config(row: &Map<String, Value>) -> Option<Map<String, Value>> {
    match row.get("situation_config")? {
        Value::Object(config) => Some(config.clone()),
        Value::String(json) => serde_json::from_str(json).ok(),
        _ => None,
    }
}

/// Who takes part, and what they are called in the conversation.
struct Group {
    speakers: Vec<Speaker>,
    called: Vec<String>,
}

impl Group {
    fn of(row: &Map<String, Value>, config: Option<&Map<String, Value>>) -> Result<Self, String> {
        let people: Vec<Individual> = config
            .and_then(|config| config.get("individuals")?.as_array())
            .into_iter()
            .flatten()
            .filter_map(|person| individual_of(person).ok())
            .collect();
        let mut group = Self {
            speakers: Vec::new(),
            called: Vec::new(),
        };
        let map = match row.get("speakerMap") {
            None | Some(Value::Null) => return Ok(group),
            Some(Value::Object(map)) => map,
            Some(_) => return Err("`speakerMap` is not an object".to_owned()),
        };
        for (name, guest) in map {
            let guest = guest
                .as_str()
                .ok_or_else(|| format!("`speakerMap` has no text for {name:?}"))?;
            let person = people.iter().find(|person| person.name == *name);
            group.speakers.push(Speaker {
                name: name.clone(),
                role: None,
                persona: person.map(Individual::summary).unwrap_or_default(),
            });
            group.called.push(guest.to_owned());
        }
        Ok(group)
    }

    /// The place of a speaker, by what they are called, or by name.
    fn place(&self, speaker: &str) -> Option<usize> {
        let called = self.called.iter().position(|called| called == speaker);
        called.or_else(|| self.speakers.iter().position(|own| own.name == speaker))
    }

    /// The same; who is not in the map joins the others.
    fn place_or_new(&mut self, speaker: &str) -> usize {
        self.place(speaker).unwrap_or_else(|| {
            self.speakers.push(Speaker {
                name: speaker.to_owned(),
                role: None,
                persona: String::new(),
            });
            self.called.push(speaker.to_owned());
            self.speakers.len() - 1
        })
    }
}
