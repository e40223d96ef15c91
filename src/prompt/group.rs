//! What the templates of group chats may use.

use serde::Serialize;

use super::registry::Sample;
use super::{PromptError, Prompts, Template};
use crate::record::{Experience, Individual, MoveSigns};

/// What the two messages for writing experiences may use.
#[derive(Clone, Debug, Serialize)]
pub struct ExperiencesVars<'a> {
    /// Where people come from: `generated`, `sampled` or `reused`.
    pub mode: &'a str,
    pub language: &'a str,
    /// Examples, each as JSON text.
    pub shots: &'a [String],
    pub n: usize,
    /// One for each of the `n`.
    pub plans: Vec<PlanVar>,
}

/// What is asked of one experience.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanVar {
    pub participants: usize,
    /// Their persona lines, or individuals as JSON text; empty when they are invented.
    pub people: Vec<String>,
    /// Wishes; may be empty.
    pub setting: String,
    pub mood: String,
    pub relation: String,
}

/// What a member's system message and description may use.
#[derive(Clone, Debug, Serialize)]
pub struct MemberVars<'a> {
    pub name: &'a str,
    /// The other members.
    pub others: Vec<&'a str>,
    /// Who it is in one text; empty where the fields below say it.
    pub persona: &'a str,
    pub age: String,
    pub nationality: &'a str,
    pub qualities: &'a [String],
    pub speech_style: &'a str,
    pub work: &'a str,
    pub hobbies: &'a [String],
    pub memory: &'a str,
    pub relations: &'a str,
    pub situation: &'a str,
    pub topic: &'a str,
    pub language: &'a str,
    pub max_words: usize,
    /// The sentences by which members leave, pause and break in.
    pub leave: &'a [String],
    pub pause: &'a [String],
    pub interrupt: &'a [String],
}

impl<'a> MemberVars<'a> {
    /// One member of an experience.
    #[must_use]
    pub fn of(
        experience: &'a Experience,
        member: usize,
        language: &'a str,
        max_words: usize,
        signs: &'a MoveSigns,
    ) -> Self {
        let individual = &experience.participants[member];
        let others = experience.participants.iter().enumerate();
        Self {
            name: &individual.name,
            others: others
                .filter(|(place, _)| *place != member)
                .map(|(_, other)| other.name.as_str())
                .collect(),
            relations: &experience.relations,
            situation: &experience.situation,
            topic: &experience.topic,
            leave: &signs.leave,
            pause: &signs.pause,
            interrupt: &signs.interrupt,
            ..Self::alone(individual, language, max_words)
        }
    }

    fn alone(individual: &'a Individual, language: &'a str, max_words: usize) -> Self {
        let text = |field: &'a Option<String>| field.as_deref().unwrap_or_default();
        Self {
            name: &individual.name,
            others: Vec::new(),
            persona: text(&individual.persona),
            age: individual
                .age
                .map_or_else(String::new, |age| age.to_string()),
            nationality: text(&individual.nationality),
            qualities: &individual.qualities,
            speech_style: text(&individual.speech_style),
            work: text(&individual.work),
            hobbies: &individual.hobbies,
            memory: text(&individual.memory),
            relations: "",
            situation: "",
            topic: "",
            language,
            max_words,
            leave: &[],
            pause: &[],
            interrupt: &[],
        }
    }

    /// The same without person and experience: what is left when rendered are the instructions.
    #[must_use]
    pub fn bare(&self) -> MemberVars<'a> {
        MemberVars {
            name: "",
            others: Vec::new(),
            persona: "",
            age: String::new(),
            nationality: "",
            qualities: &[],
            speech_style: "",
            work: "",
            hobbies: &[],
            memory: "",
            relations: "",
            situation: "",
            topic: "",
            language: "",
            max_words: self.max_words,
            leave: self.leave,
            pause: self.pause,
            interrupt: self.interrupt,
        }
    }
}

/// What the question for the next speaker may use.
#[derive(Clone, Debug, Serialize)]
pub struct NextSpeakerVars<'a> {
    /// What `describe.j2` gave of everyone.
    pub descriptions: &'a [String],
    /// What `opening.j2` gave.
    pub opening: &'a str,
    pub transcript: Vec<LineVar<'a>>,
    /// Who may speak.
    pub names: Vec<&'a str>,
}

/// A turn.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LineVar<'a> {
    pub speaker: &'a str,
    pub text: &'a str,
}

#[derive(Serialize)]
struct OpeningVars<'a> {
    topic: &'a str,
    situation: &'a str,
    relations: &'a str,
    starter: &'a str,
}

impl Prompts {
    /// System and user message for writing experiences.
    ///
    /// # Errors
    /// When a template fails on this data; the sample data at load made that unlikely.
    pub fn experiences(&self, vars: &ExperiencesVars<'_>) -> Result<(String, String), PromptError> {
        Ok((
            self.render(Template::ExperiencesSystem, vars)?,
            self.render(Template::Experiences, vars)?,
        ))
    }

    /// A member's system message.
    ///
    /// # Errors
    /// As for [`Self::experiences`].
    pub fn member(&self, vars: &MemberVars<'_>) -> Result<String, PromptError> {
        self.render(Template::Member, vars)
    }

    /// A line on a member, for choosing the next speaker.
    ///
    /// # Errors
    /// As for [`Self::experiences`].
    pub fn describe(&self, individual: &Individual) -> Result<String, PromptError> {
        self.render(Template::Describe, &MemberVars::alone(individual, "", 0))
    }

    /// The message that opens a group chat.
    ///
    /// # Errors
    /// As for [`Self::experiences`].
    pub fn opening(&self, experience: &Experience) -> Result<String, PromptError> {
        self.render(
            Template::Opening,
            &OpeningVars {
                topic: &experience.topic,
                situation: &experience.situation,
                relations: &experience.relations,
                starter: &experience.starter,
            },
        )
    }

    /// The question who speaks next.
    ///
    /// # Errors
    /// As for [`Self::experiences`].
    pub fn next_speaker(&self, vars: &NextSpeakerVars<'_>) -> Result<String, PromptError> {
        self.render(Template::NextSpeaker, vars)
    }

    /// The templates of group chats rendered with sample data.
    pub(super) fn group_samples(&self) -> Result<Vec<Sample>, PromptError> {
        let full = Individual {
            name: "Mara".into(),
            nationality: Some("Croatian".into()),
            age: Some(58),
            qualities: vec!["patient".into(), "blunt".into()],
            speech_style: Some("short sentences, long pauses".into()),
            work: Some("harbour pilot".into()),
            hobbies: vec!["chess".into()],
            memory: Some("She once turned a ferry round for a dog.".into()),
            persona: None,
        };
        let brief = Individual {
            name: "Teo".into(),
            ..Individual::of_persona("A young baker who has never slept past four.")
        };
        let experience = Experience {
            participants: vec![full, brief],
            relations: "They share a stairwell and nothing else.".into(),
            situation: "The lift is stuck and the neighbours wait on the stairs.".into(),
            topic: "who pays for the lift".into(),
            starter: "I carried that fridge up myself, and nobody held the door.".into(),
            ..Experience::default()
        };
        let shots = [serde_json::to_string(&experience).unwrap_or_default()];
        let mut asked = None;
        for mode in ["generated", "sampled", "reused"] {
            for shots in [&shots[..], &[]] {
                let people = (mode != "generated").then(|| "A young baker.".to_owned());
                let vars = ExperiencesVars {
                    mode,
                    language: "English",
                    shots,
                    n: 1,
                    plans: vec![PlanVar {
                        participants: 2,
                        people: people.into_iter().cycle().take(2).collect(),
                        ..PlanVar::default()
                    }],
                };
                let rendered = self.experiences(&vars)?;
                asked.get_or_insert(rendered);
            }
        }
        let (system, user) = asked.unwrap_or_default();
        let signs = MoveSigns::default();
        let vars = |place| MemberVars::of(&experience, place, "English", 30, &signs);
        let member = |place| self.member(&vars(place));
        self.member(&vars(0).bare())?;
        self.member(&MemberVars {
            leave: &[],
            pause: &[],
            interrupt: &[],
            ..vars(0)
        })?;
        let descriptions = experience
            .participants
            .iter()
            .map(|individual| self.describe(individual))
            .collect::<Result<Vec<_>, _>>()?;
        member(1)?;
        let opening = self.opening(&experience)?;
        let names = vec!["Mara", "Teo"];
        let next = self.next_speaker(&NextSpeakerVars {
            descriptions: &descriptions,
            opening: &opening,
            transcript: vec![LineVar {
                speaker: "Mara",
                text: "Six floors, and you ask me that now?",
            }],
            names,
        })?;
        let texts = [
            (Template::ExperiencesSystem, system),
            (Template::Experiences, user),
            (Template::Member, member(0)?),
            (Template::Describe, descriptions[0].clone()),
            (Template::Opening, opening),
            (Template::NextSpeaker, next),
        ];
        Ok(texts
            .map(|(template, text)| Sample { template, text })
            .into())
    }
}
