use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::record::{Experience, GroupChat, Individual};

/// Who speaks the opening. Nobody of the group is called so.
pub const OPENING_SPEAKER: &str = "Host";

/// A group chat in `ConvoGen`'s shape. Field order and names are theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConvogenRow<'a> {
    #[serde(rename = "meetingID")]
    pub meeting_id: &'a str,
    #[serde(rename = "speakerMap")]
    pub speaker_map: SpeakerMap<'a>,
    #[serde(rename = "Conversation")]
    pub conversation: Vec<Utterance<'a>>,
    pub situation_config: SituationConfig<'a>,
    /// Marks data of the demo model; other rows do not have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub demo: bool,
}

/// Names with what they are called in the conversation: `Guest1`, `Guest2` … in the order of the experience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerMap<'a>(Vec<(&'a str, String)>);

impl Serialize for SpeakerMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, guest) in &self.0 {
            map.serialize_entry(name, guest)?;
        }
        map.end()
    }
}

/// A turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Utterance<'a> {
    pub speaker: String,
    pub transcript: Cow<'a, str>,
}

/// The experience under `ConvoGen`'s keys; what is empty is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SituationConfig<'a> {
    pub individuals: Vec<Person<'a>>,
    pub relations: &'a str,
    pub situation: &'a str,
    pub topic: &'a str,
    #[serde(rename = "conversationStarter")]
    pub starter: &'a str,
}

/// One of the individuals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub qualities: &'a [String],
    #[serde(rename = "speechStyle", skip_serializing_if = "Option::is_none")]
    pub speech_style: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifestyle: Option<Lifestyle<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persona: Option<&'a str>,
}

/// Work and hobbies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lifestyle<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub hobbies: &'a [String],
}

impl<'a> ConvogenRow<'a> {
    /// The row of a chat. `opening` puts before it what its people were told, in the words of the experience.
    #[must_use]
    pub fn new(chat: &'a GroupChat, opening: bool, demo: bool) -> Self {
        let experience = &chat.experience;
        let opening = opening.then(|| Utterance {
            speaker: OPENING_SPEAKER.into(),
            transcript: opening_of(experience).into(),
        });
        let turns = chat.turns.iter().filter(|turn| !turn.text.is_empty());
        let turns = turns.map(|turn| Utterance {
            speaker: guest(turn.speaker),
            transcript: turn.text.as_str().into(),
        });
        Self {
            meeting_id: &chat.id,
            speaker_map: SpeakerMap(
                chat.names()
                    .enumerate()
                    .map(|(place, name)| (name, guest(place)))
                    .collect(),
            ),
            conversation: opening.into_iter().chain(turns).collect(),
            situation_config: SituationConfig::new(experience),
            demo,
        }
    }
}

fn guest(place: usize) -> String {
    format!("Guest{}", place + 1)
}

fn opening_of(experience: &Experience) -> String {
    let Experience {
        topic,
        situation,
        relations,
        starter,
        ..
    } = experience;
    let labelled = [
        ("Topic", topic),
        ("Situation", situation),
        ("Relations", relations),
    ];
    let mut lines: Vec<String> = labelled
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, text)| format!("{label}: {text}"))
        .collect();
    lines.push(starter.clone());
    lines.join("\n")
}

impl<'a> SituationConfig<'a> {
    fn new(experience: &'a Experience) -> Self {
        Self {
            individuals: experience.participants.iter().map(Person::new).collect(),
            relations: &experience.relations,
            situation: &experience.situation,
            topic: &experience.topic,
            starter: &experience.starter,
        }
    }
}

impl<'a> Person<'a> {
    fn new(individual: &'a Individual) -> Self {
        let lifestyle = Lifestyle {
            work: individual.work.as_deref(),
            hobbies: &individual.hobbies,
        };
        Self {
            name: &individual.name,
            nationality: individual.nationality.as_deref(),
            age: individual.age,
            qualities: &individual.qualities,
            speech_style: individual.speech_style.as_deref(),
            lifestyle: (lifestyle.work.is_some() || !lifestyle.hobbies.is_empty())
                .then_some(lifestyle),
            memory: individual.memory.as_deref(),
            persona: individual.persona.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::group::tests::chat;

    const CONFIG: &str = concat!(
        r#""situation_config":{"individuals":[{"name":"Mara Lind","nationality":"Norwegian","age":41,"qualities":["blunt"],"#,
        r#""speechStyle":"short sentences","lifestyle":{"work":"ferry pilot","hobbies":["chess"]},"memory":"She ran aground in fog once."},"#,
        r#"{"name":"Jo","persona":"A baker who sings."},{"name":"Adé","qualities":["calm"]}],"relations":"neighbours","situation":"the ferry is late","#,
        r#""topic":"boats","conversationStarter":"Well?"}}"#,
    );

    #[test]
    fn a_row_is_exactly_this() {
        let expected = format!(
            "{}{CONFIG}",
            concat!(
                r#"{"meetingID":"c/5/0","speakerMap":{"Mara Lind":"Guest1","Jo":"Guest2","Adé":"Guest3"},"Conversation":["#,
                r#"{"speaker":"Guest1","transcript":"Well?"},{"speaker":"Guest2","transcript":"It is \"late\"."},"#,
                r#"{"speaker":"Guest1","transcript":"Again."},{"speaker":"Guest2","transcript":"I have to go now."}],"#,
            )
        );
        let chat = chat();
        assert_eq!(
            serde_json::to_string(&ConvogenRow::new(&chat, false, false)).unwrap(),
            expected
        );
    }

    #[test]
    fn the_opening_comes_first_where_it_is_asked_for() {
        let chat = chat();
        let row = serde_json::to_value(ConvogenRow::new(&chat, true, true)).unwrap();
        let turns = row["Conversation"].as_array().unwrap();
        assert_eq!(turns.len(), 5);
        assert_eq!(turns[0]["speaker"], OPENING_SPEAKER);
        assert_eq!(
            turns[0]["transcript"],
            "Topic: boats\nSituation: the ferry is late\nRelations: neighbours\nWell?"
        );
        assert_eq!(row["demo"], true);
    }
}
