use serde::{Deserialize, Serialize};

/// One person of a group. Either `persona` says who that is, or the other fields do.
///
/// The order of the fields is their order of dependence, on disk and in grammars. Empty fields are not written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Individual {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nationality: Option<String>,
    /// In years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qualities: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech_style: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hobbies: Vec<String>,
    /// What happened to them that the situation may grow from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Who they are in one text, instead of the fields above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
}

impl Individual {
    /// A person of whom only this is known; whoever brings them into a group gives them a name.
    #[must_use]
    pub fn of_persona(persona: impl Into<String>) -> Self {
        Self {
            persona: Some(persona.into()),
            ..Self::default()
        }
    }

    /// Who they are, in one text.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut add = |label: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                parts.push(format!("{label}{value}"));
            }
        };
        add("", self.persona.clone());
        add("", self.nationality.clone());
        add("", self.age.map(|age| format!("{age} years")));
        add("", Some(self.qualities.join(", ")));
        add("speech: ", self.speech_style.clone());
        add("work: ", self.work.clone());
        add("hobbies: ", Some(self.hobbies.join(", ")));
        add("memory: ", self.memory.clone());
        parts.join("; ")
    }

    /// The first word of the name, as others call them.
    #[must_use]
    pub fn first_name(&self) -> &str {
        self.name.split_whitespace().next().unwrap_or_default()
    }
}

/// What a group talks about: who they are, how they stand to each other and what has just happened.
///
/// The order of the fields is their order of dependence, on disk and in grammars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experience {
    /// `"e/<place>"` for generated ones, `"seed/<n>"` or `"<file stem>/<n>"` for given ones. Files that give experiences
    /// need none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub participants: Vec<Individual>,
    pub relations: String,
    pub situation: String,
    pub topic: String,
    /// What the first of them says.
    pub starter: String,
    /// 0 for human or given ones, else one more than the deepest of its shots.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// Ids of the experiences that its maker was shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shots: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Experience {
    /// The participants' names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.participants
            .iter()
            .map(|individual| individual.name.as_str())
    }

    /// The place of a name among the participants, letter case aside.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<usize> {
        let name = name.trim().to_lowercase();
        self.names()
            .position(|other| other.trim().to_lowercase() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experience() -> Experience {
        Experience {
            id: "e/3".into(),
            participants: vec![
                Individual {
                    name: "Mara Lind".into(),
                    nationality: Some("Norwegian".into()),
                    age: Some(41),
                    qualities: vec!["blunt".into()],
                    speech_style: Some("short sentences".into()),
                    work: Some("ferry pilot".into()),
                    hobbies: vec!["chess".into()],
                    memory: Some("She ran aground in fog once.".into()),
                    persona: None,
                },
                Individual {
                    name: "Jo".into(),
                    ..Individual::of_persona("A baker who sings.")
                },
            ],
            relations: "neighbours".into(),
            situation: "the ferry is late".into(),
            topic: "boats".into(),
            starter: "Well?".into(),
            depth: 1,
            shots: vec!["seed/0".into()],
        }
    }

    #[test]
    fn on_disk_in_the_order_of_dependence_without_what_is_empty() {
        let json = serde_json::to_string(&experience()).unwrap();
        assert_eq!(
            json,
            r#"{"id":"e/3","participants":[{"name":"Mara Lind","nationality":"Norwegian","age":41,"qualities":["blunt"],"speech_style":"short sentences","work":"ferry pilot","hobbies":["chess"],"memory":"She ran aground in fog once."},{"name":"Jo","persona":"A baker who sings."}],"relations":"neighbours","situation":"the ferry is late","topic":"boats","starter":"Well?","depth":1,"shots":["seed/0"]}"#
        );
        assert_eq!(
            serde_json::from_str::<Experience>(&json).unwrap(),
            experience()
        );
        let bare = r#"{"participants":[{"name":"Jo"}],"relations":"","situation":"s","topic":"t","starter":"u"}"#;
        let given: Experience = serde_json::from_str(bare).unwrap();
        assert_eq!(serde_json::to_string(&given).unwrap(), bare);
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        for json in [
            r#"{"participants":[],"relations":"","situation":"","topic":"","starter":"","mood":"x"}"#,
            r#"{"participants":[{"name":"Jo","mood":"x"}],"relations":"","situation":"","topic":"","starter":""}"#,
        ] {
            let error = serde_json::from_str::<Experience>(json).unwrap_err();
            assert!(error.to_string().contains("unknown field `mood`"));
        }
    }

    #[test]
    fn people_are_found_by_name() {
        let experience = experience();
        assert_eq!(experience.place_of(" mara LIND"), Some(0));
        assert_eq!(experience.place_of("Mara"), None);
        assert_eq!(experience.participants[0].first_name(), "Mara");
    }
}
