use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hub::{Candidate, Hub};
use super::{Caller, PipelineError};
use crate::engine::{Ask, ChatError, ChatRole, Finish, Grammar, Sampling, View};
use crate::json::spaced;
use crate::prompt::{ExperiencesVars, PlanVar};
use crate::record::{Experience, Individual, ModelRole};
use crate::rng::Stream;

/// Letters that texts may have. The order of fields is the order in which each depends on those before it.
const NAME: usize = 24;
const TRAIT: usize = 24;
const SPEECH: usize = 60;
const WORK: usize = 48;
const MEMORY: usize = 160;
const RELATIONS: usize = 200;
const SITUATION: usize = 240;
const TOPIC: usize = 60;
const STARTER: usize = 120;
/// Letters of one experience beside its people, and of one person, with keys, quotes and commas.
const STORY_LETTERS: usize = RELATIONS + SITUATION + TOPIC + STARTER + 90;
const PERSON_LETTERS: usize = 2 * NAME + 8 * TRAIT + SPEECH + WORK + MEMORY + 140;
const NAMED_LETTERS: usize = NAME + 14;
/// Letters that a token stands for at least, in texts of this kind; a reply that needs more tokens is cut off and made again.
const LETTERS_PER_TOKEN: usize = 2;
/// Tokens of the brackets around all, and what a template adds.
const FRAME_TOKENS: usize = 48;
/// Asked at most this often for the same experiences.
const TRIES: u64 = 2;

/// What shapes experiences. Part of the stage's fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperienceSettings {
    pub language: String,
    pub sampling: Sampling,
    /// Experiences of one call, where the context holds so many.
    pub per_call: usize,
    /// Tokens a model may think before it writes.
    pub thinking: usize,
}

/// How people come into experiences.
#[derive(Clone)]
pub enum People {
    /// The model makes them up.
    Invented,
    /// People by number, each once before any comes again.
    Drawn(Arc<dyn Fn(u64) -> Result<Individual, String> + Send + Sync>),
    /// Groups by place; again from the beginning when they are through.
    Given(Arc<Vec<Vec<Individual>>>),
}

impl People {
    /// The name of the mode in prompts.
    fn mode(&self) -> &'static str {
        match self {
            Self::Invented => "generated",
            Self::Drawn(_) => "sampled",
            Self::Given(_) => "reused",
        }
    }
}

/// What is asked of one experience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Place among the group chats of the run.
    pub place: u64,
    pub participants: usize,
    /// People in the places before it: where its personas begin.
    pub first_person: u64,
}

/// What writing experiences needs.
#[derive(Clone)]
pub struct ExperienceContext {
    pub caller: Caller,
    pub settings: Arc<ExperienceSettings>,
    /// The run's root stream; each round draws below `e/<round>`.
    pub root: Stream,
    pub people: People,
}

/// One call: what it asks for, and whom it is about.
struct Part {
    wanted: Vec<Wanted>,
    people: Vec<Vec<Individual>>,
    shots: Vec<(String, String)>,
    draw: Stream,
    key: String,
}

/// Makes the candidates of a round, in the order of `wanted`; the hub is as earlier rounds left it. Calls go out side by
/// side.
///
/// # Errors
/// When a call fails, cannot be written down, or gives something its grammar forbids.
pub async fn generate_experiences(
    context: &ExperienceContext,
    hub: &Hub,
    round: u64,
    wanted: &[Wanted],
) -> Result<Vec<Candidate>, PipelineError> {
    let per_call = context.fitting(wanted);
    let mut calls = tokio::task::JoinSet::new();
    for (index, wanted) in wanted.chunks(per_call).enumerate() {
        let draw = context.root.child("e").at(round).at(index as u64);
        let shots = hub
            .shots(&draw.child("shots"))
            .into_iter()
            .map(|shot| (shot.id.clone(), shown(shot, &context.people)))
            .collect();
        let mut people = Vec::new();
        for one in wanted {
            people.push(context.people_of(one)?);
        }
        let part = Part {
            wanted: wanted.to_vec(),
            people,
            shots,
            draw,
            key: format!("e/{round}/{index}"),
        };
        let context = context.clone();
        calls.spawn_local(async move { (index, ask(&context, part).await) });
    }
    let mut made: Vec<Vec<Candidate>> = Vec::new();
    while let Some(joined) = calls.join_next().await {
        let (index, candidates) = match joined {
            Ok(joined) => joined,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        if made.len() <= index {
            made.resize(index + 1, Vec::new());
        }
        made[index] = match candidates {
            // The places are tried again in a later round; a stopped engine makes none.
            Err(PipelineError::Chat { source, .. })
                if !matches!(source, ChatError::Stopped(_) | ChatError::Pool { .. }) =>
            {
                let asked = wanted.chunks(per_call).nth(index).unwrap_or_default();
                lost(asked, &source.to_string())
            }
            candidates => candidates?,
        };
    }
    Ok(made.into_iter().flatten().collect())
}

impl ExperienceContext {
    /// Who takes part, as far as it is given.
    fn people_of(&self, wanted: &Wanted) -> Result<Vec<Individual>, PipelineError> {
        match &self.people {
            People::Invented => Ok(Vec::new()),
            People::Drawn(draw) => (0..wanted.participants as u64)
                .map(|nth| draw(wanted.first_person + nth))
                .collect::<Result<_, _>>()
                .map_err(PipelineError::Personas),
            People::Given(groups) => {
                let place = usize::try_from(wanted.place).unwrap_or(usize::MAX);
                Ok(groups[place % groups.len()].clone())
            }
        }
    }

    /// Experiences that one call can hold: what was asked for, or what half the context has room for.
    fn fitting(&self, wanted: &[Wanted]) -> usize {
        let model = self.caller.cast().model(ModelRole::Experiences);
        let largest = wanted
            .iter()
            .map(|one| self.letters(one))
            .max()
            .unwrap_or(1);
        let room = model.context_tokens() / 2 / largest.div_ceil(LETTERS_PER_TOKEN).max(1);
        self.settings.per_call.min(room).max(1)
    }

    /// The most letters of an experience.
    fn letters(&self, wanted: &Wanted) -> usize {
        let people = match &self.people {
            People::Invented => wanted.participants * PERSON_LETTERS,
            People::Drawn(_) => wanted.participants * NAMED_LETTERS,
            People::Given(_) => 0,
        };
        STORY_LETTERS + people
    }
}

async fn ask(context: &ExperienceContext, part: Part) -> Result<Vec<Candidate>, PipelineError> {
    let player = context.caller.cast().of(ModelRole::Experiences);
    let settings = &context.settings;
    let shots: Vec<String> = part.shots.iter().map(|(_, text)| text.clone()).collect();
    let plans = part.wanted.iter().zip(&part.people);
    let (system, user) = player.prompts.experiences(&ExperiencesVars {
        mode: context.people.mode(),
        language: &settings.language,
        shots: &shots,
        n: part.wanted.len(),
        plans: plans
            .map(|(wanted, people)| PlanVar {
                participants: people.len().max(if people.is_empty() {
                    wanted.participants
                } else {
                    0
                }),
                people: people.iter().map(told).collect(),
                ..PlanVar::default()
            })
            .collect(),
    })?;
    let model = &player.model;
    let prompt_tokens = model.count_tokens(&system) + model.count_tokens(&user) + FRAME_TOKENS;
    let letters: usize = part.wanted.iter().map(|one| context.letters(one)).sum();
    let wanted_tokens = letters.div_ceil(LETTERS_PER_TOKEN) + FRAME_TOKENS;
    let thought = model.thought_room(settings.thinking);
    let room = model
        .context_tokens()
        .saturating_sub(prompt_tokens + thought);
    let max_new_tokens = wanted_tokens.min(room).max(1);
    let mut view = View::with_system(system);
    view.push(ChatRole::User, user, Vec::new());
    let reserved = prompt_tokens + thought + max_new_tokens;
    let session = context
        .caller
        .open(&part.key, &[(ModelRole::Experiences, reserved)])
        .await?;
    let grammar = Arc::new(Grammar::JsonSchema(schema(context, &part)));
    for attempt in 0..TRIES {
        let key = format!("{}/{attempt}", part.key);
        let ask = Ask {
            view: &view,
            tail: None,
            max_new_tokens,
            thinking_tokens: settings.thinking,
            sampling: settings.sampling,
            grammar: Some(Arc::clone(&grammar)),
            stop: &[],
            draw: part.draw.at(attempt),
        };
        let reply = context
            .caller
            .reply(&session, ModelRole::Experiences, &key, ask)
            .await?;
        if reply.finish == Finish::Truncated {
            continue;
        }
        let list: List =
            serde_json::from_str(&reply.text).map_err(|error| PipelineError::Form {
                key,
                reason: error.to_string(),
            })?;
        return Ok(candidates(&part, list));
    }
    Ok(lost(
        &part.wanted,
        "the reply was cut off by the token limit",
    ))
}

fn candidates(part: &Part, list: List) -> Vec<Candidate> {
    let mut drafts = list.experiences.into_iter();
    part.wanted
        .iter()
        .zip(&part.people)
        .map(|(wanted, people)| Candidate {
            place: wanted.place,
            made: drafts
                .next()
                .ok_or_else(|| "the reply has fewer experiences".to_owned())
                .map(|draft| Experience {
                    id: format!("e/{}", wanted.place),
                    participants: draft.people(people),
                    relations: tidy(draft.relations),
                    situation: tidy(draft.situation),
                    topic: tidy(draft.topic),
                    starter: tidy(draft.starter),
                    depth: 0,
                    shots: part.shots.iter().map(|(id, _)| id.clone()).collect(),
                }),
        })
        .collect()
}

/// Places for which nothing was made.
fn lost(wanted: &[Wanted], why: &str) -> Vec<Candidate> {
    let none = |one: &Wanted| Candidate {
        place: one.place,
        made: Err(why.to_owned()),
    };
    wanted.iter().map(none).collect()
}

fn tidy(text: impl AsRef<str>) -> String {
    let words: Vec<&str> = text.as_ref().split_whitespace().collect();
    words.join(" ")
}

/// A given person as a prompt tells it.
fn told(individual: &Individual) -> String {
    match &individual.persona {
        Some(persona) if individual.name.is_empty() => persona.clone(),
        Some(persona) => format!("{}: {persona}", individual.name),
        None => spaced(&json!(individual)),
    }
}

/// An example as it is shown: in the form of the replies that are asked for.
fn shown(shot: &Experience, people: &People) -> String {
    let participants: Vec<Value> = match people {
        People::Invented => shot.participants.iter().map(|one| json!(one)).collect(),
        People::Drawn(_) => shot
            .participants
            .iter()
            .map(|one| json!({ "name": one.name }))
            .collect(),
        People::Given(_) => Vec::new(),
    };
    let mut value = json!({
        "participants": participants,
        "relations": shot.relations,
        "situation": shot.situation,
        "topic": shot.topic,
        "starter": shot.starter,
    });
    if let (People::Given(_), Some(fields)) = (people, value.as_object_mut()) {
        fields.shift_remove("participants");
    }
    spaced(&value)
}

#[derive(Deserialize)]
struct List {
    experiences: Vec<Draft>,
}

#[derive(Deserialize)]
struct Draft {
    #[serde(default)]
    participants: Vec<Individual>,
    relations: String,
    situation: String,
    topic: String,
    starter: String,
}

impl Draft {
    /// The people of the reply, or those that were given, with the names that the reply gives to them.
    fn people(&self, given: &[Individual]) -> Vec<Individual> {
        if given.is_empty() {
            let tidied = |one: &Individual| Individual {
                name: tidy(&one.name),
                ..one.clone()
            };
            return self.participants.iter().map(tidied).collect();
        }
        let mut names = self.participants.iter().map(|one| tidy(&one.name));
        given
            .iter()
            .map(|one| Individual {
                name: if one.name.is_empty() {
                    names.next().unwrap_or_default()
                } else {
                    one.name.clone()
                },
                ..one.clone()
            })
            .collect()
    }
}

/// Exactly the experiences that are asked for, each with its number of people, in the order of dependence, bounded.
fn schema(context: &ExperienceContext, part: &Part) -> String {
    let text = |letters: usize| json!({"type": "string", "minLength": 1, "maxLength": letters});
    let list = |least: usize, most: usize| json!({"type": "array", "items": text(TRAIT), "minItems": least, "maxItems": most});
    let object = |fields: Vec<(&str, Value)>| {
        let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let properties: serde_json::Map<String, Value> = fields
            .iter()
            .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
            .collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    };
    let person = match context.people {
        People::Invented => object(vec![
            ("name", text(NAME)),
            ("nationality", text(NAME)),
            (
                "age",
                json!({"type": "integer", "minimum": 16, "maximum": 95}),
            ),
            ("qualities", list(2, 5)),
            ("speech_style", text(SPEECH)),
            ("work", text(WORK)),
            ("hobbies", list(1, 3)),
            ("memory", text(MEMORY)),
        ]),
        People::Drawn(_) | People::Given(_) => object(vec![("name", text(NAME))]),
    };
    let one = |wanted: &Wanted| {
        let mut fields = Vec::new();
        if !matches!(context.people, People::Given(_)) {
            let people = wanted.participants;
            fields.push((
                "participants",
                json!({"type": "array", "items": person, "minItems": people, "maxItems": people}),
            ));
        }
        fields.extend([
            ("relations", text(RELATIONS)),
            ("situation", text(SITUATION)),
            ("topic", text(TOPIC)),
            ("starter", text(STARTER)),
        ]);
        object(fields)
    };
    let count = part.wanted.len();
    let all: Vec<Value> = part.wanted.iter().map(one).collect();
    let same = part
        .wanted
        .iter()
        .all(|wanted| wanted.participants == part.wanted[0].participants);
    let mut experiences = json!({"type": "array", "minItems": count, "maxItems": count});
    if same {
        experiences["items"] = all[0].clone();
    } else {
        experiences["prefixItems"] = Value::Array(all);
        experiences["items"] = false.into();
    }
    let mut whole = object(vec![("experiences", experiences)]);
    whole["x-guidance"] =
        json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "});
    whole.to_string()
}
