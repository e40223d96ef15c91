//! What the script says of people and as people: experiences by field, and turns of group chats.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::lines::{system_of, texts_of};
use crate::engine::{ChatRole, View};
use crate::rng::Stream;

const NAMES: &[&str] = &[
    "Ada", "Bela", "Cato", "Dora", "Emre", "Fay", "Gus", "Hana", "Ivo", "Juno", "Kai", "Lena",
    "Mara", "Nils", "Olga", "Pia", "Quinn", "Rosa", "Sven", "Tara", "Uma", "Vito", "Wren", "Yara",
];
const THINGS: &[&str] = &[
    "ladder", "kettle", "bicycle", "letter", "garden", "engine", "window", "ferry", "violin",
    "chimney", "blanket", "lantern", "harvest", "ticket", "cellar", "bridge", "parrot", "wallet",
    "recipe", "orchard", "fence", "lift", "choir", "tent", "mirror", "invoice", "puddle", "anchor",
    "scarf", "attic", "compass", "quarry", "beehive", "tram", "curtain", "shovel",
];
const DEEDS: &[&str] = &[
    "mended", "lost", "painted", "borrowed", "carried", "hid", "sold", "found", "broke",
    "measured", "cleaned", "forgot", "returned", "locked", "counted", "lifted", "drew", "followed",
    "opened", "weighed", "guarded", "burnt", "planted", "buried",
];
const WHEN: &[&str] = &[
    "on Monday",
    "last winter",
    "before dawn",
    "after the storm",
    "at the fair",
    "in the hall",
    "by the river",
    "during the strike",
    "for a week",
    "in silence",
    "behind the school",
    "under the stairs",
    "at the border",
    "with two neighbours",
    "without a word",
    "in the rain",
];
const TRAITS: &[&str] = &[
    "patient", "stubborn", "curious", "vain", "gentle", "restless", "frugal", "loud", "shy",
    "exact", "proud", "wry",
];
/// Fields that may be copied: names must differ within an experience.
const COPIED: &[&str] = &[
    "speech_style",
    "work",
    "memory",
    "relations",
    "situation",
    "topic",
    "starter",
];
const TURNS: &[&str] = &[
    "Nobody told me that the {thing} was {deed} {when}.",
    "The {thing} is not worth all this noise.",
    "Ask the one who {deed} it {when}.",
    "My brother {deed} a {thing} {when} and never spoke of it.",
    "So what happens to the {thing} now?",
    "I would rather have {deed} the {other} {when}.",
    "You can't compare a {thing} with a {other}.",
    "Somebody {deed} it {when}, that much is clear.",
    "Is the {thing} still there, or has it been {deed}?",
    "Let the {thing} be and look at the {other}.",
];

fn filled(pattern: &str, draw: Stream) -> String {
    pattern
        .replace("{thing}", draw.pick::<&str>(1, THINGS))
        .replace("{other}", draw.pick::<&str>(2, THINGS))
        .replace("{deed}", draw.pick::<&str>(3, DEEDS))
        .replace("{when}", draw.pick::<&str>(4, WHEN))
}

fn sentence(draw: Stream) -> String {
    filled(
        &format!(
            "{} {{deed}} the {{thing}} {{when}}.",
            draw.pick(5, &["Someone", "The eldest", "A stranger", "One of them"])
        ),
        draw,
    )
}

/// Texts of the examples that a prompt shows, by field.
#[derive(Default)]
pub(super) struct Shown {
    chance: f64,
    texts: BTreeMap<String, Vec<String>>,
}

impl Shown {
    /// The examples in the last message, to be copied from with this chance.
    pub(super) fn in_prompt(view: &View, chance: f64) -> Self {
        let mut shown = Self {
            chance,
            ..Self::default()
        };
        let prompt = texts_of(view, ChatRole::User).last().unwrap_or_default();
        for line in prompt.lines().filter(|_| chance > 0.0) {
            let example = line
                .strip_prefix("Example")
                .and_then(|rest| rest.split_once(": "));
            if let Some(Ok(value)) = example.map(|(_, json)| serde_json::from_str(json)) {
                shown.learn(&value);
            }
        }
        shown
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::Array(entries) => entries.iter().for_each(|entry| self.learn(entry)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if COPIED.contains(&name.as_str()) => {
                            self.texts
                                .entry(name.clone())
                                .or_default()
                                .push(text.clone());
                        }
                        _ => self.learn(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// The text that an example has in a field, if it is copied.
    pub(super) fn text(&self, name: &str, draw: Stream) -> Option<String> {
        let texts = self.texts.get(name)?;
        (draw.unit(0) < self.chance).then(|| draw.pick(1, texts).clone())
    }
}

/// A text for a field of an experience, by the field's name; `None` for other fields.
pub(super) fn field(name: &str, draw: Stream) -> Option<String> {
    Some(match name {
        "name" => format!(
            "{} {}",
            draw.pick(0, NAMES),
            ["Berg", "Dell", "Fox", "Holm", "Lind", "Moss"][draw.below(1, 6)]
        ),
        "nationality" => {
            ["Finnish", "Kenyan", "Peruvian", "Welsh", "Korean"][draw.below(0, 5)].to_owned()
        }
        "qualities" => (*draw.pick(0, TRAITS)).to_owned(),
        "hobbies" => format!("collecting a {}", draw.pick::<&str>(0, THINGS)),
        "speech_style" => format!("{} and short", draw.pick::<&str>(0, TRAITS)),
        "work" => format!("{} maker", draw.pick::<&str>(0, THINGS)),
        "memory" | "situation" => format!("{} {}", sentence(draw.at(1)), sentence(draw.at(2))),
        "relations" => filled("They share a {thing} since it was {deed} {when}.", draw),
        "topic" => filled("who {deed} the {thing} {when}", draw),
        "starter" => filled("Who {deed} the {thing} {when}, and why?", draw),
        _ => return None,
    })
}

/// The fields of an object whose texts are told apart by their names.
pub(super) fn object(
    properties: &Map<String, Value>,
    draw: Stream,
    mut inner: impl FnMut(&str, &Value, Stream) -> Option<Value>,
) -> Option<Value> {
    let mut object = Map::new();
    for (name, schema) in properties {
        object.insert(name.clone(), inner(name, schema, draw.child(name))?);
    }
    Some(Value::Object(object))
}

/// Whether it speaks as a member of a group.
pub(super) fn is_member(view: &View) -> bool {
    system_of(view)
        .lines()
        .next()
        .is_some_and(|line| line.contains(", in a group chat with "))
}

/// A turn of a member that it has not said yet.
pub(super) fn member(view: &View, draw: Stream) -> String {
    let said: Vec<&str> = texts_of(view, ChatRole::Assistant).collect();
    let line = |n: u64| filled(draw.at(n).pick::<&str>(0, TURNS), draw.at(n));
    (0..8)
        .map(line)
        .find(|line| !said.iter().any(|turn| turn.contains(line.as_str())))
        .unwrap_or_else(|| line(8))
}

/// The others in the group, as the system message names them.
pub(super) fn others(view: &View) -> Vec<&str> {
    let line = system_of(view).lines().next().unwrap_or_default();
    let named = line.split_once(", in a group chat with ");
    named.map_or(Vec::new(), |(_, rest)| {
        let list = rest.split_once('.').map_or(rest, |(list, _)| list);
        list.split(", ").collect()
    })
}
