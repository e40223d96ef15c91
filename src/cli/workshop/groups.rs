//! What group chats are made from: given experiences, or examples and people.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::cli::failure::{Code, Failure};
use crate::hash;
use crate::persona::{Pool, Skipped, read_groups};
use crate::pipeline::hub::{Hub, HubRules};
use crate::pipeline::{People, RoundResult, parse_experiences, read_experiences};
use crate::record::{Experience, Kind};
use crate::rng::Stream;
use crate::run::RunDir;
use crate::settings::{PersonaMode, RunSpec};

/// The examples that come with the program.
pub const SEEDS: &str = include_str!("../../../prompts/experiences/seeds.jsonl");
/// The personas that come with the program.
pub const PERSONAS: &str = include_str!("../../../prompts/personas/personas.jsonl");

/// Inputs of group chats, by content.
pub struct GroupInputs {
    pub given: Option<Vec<Arc<Experience>>>,
    pub seeds: Vec<Experience>,
    pub people: People,
    /// Hashes of what was read, by the key that names it.
    pub hashes: BTreeMap<&'static str, String>,
    pub warnings: Vec<String>,
}

impl GroupInputs {
    /// Reads what a recipe names; nothing where it has no groups.
    pub fn read(spec: &RunSpec) -> Result<Option<Self>, Failure> {
        if !spec.has(Kind::Group) {
            return Ok(None);
        }
        let mut inputs = Self {
            given: None,
            seeds: Vec::new(),
            people: People::Invented,
            hashes: BTreeMap::new(),
            warnings: Vec::new(),
        };
        if let Some(path) = &spec.experiences.from {
            let given = inputs.experiences(path, spec.personas.strict)?;
            let hash = hash::of_value(&given);
            inputs.hashes.insert("experiences.from", hash);
            inputs.given = Some(given.into_iter().map(Arc::new).collect());
            return Ok(Some(inputs));
        }
        inputs.seeds = match &spec.experiences.seeds {
            Some(path) => inputs.experiences(path, true)?,
            None => parse_experiences(Path::new("seeds.jsonl"), SEEDS, true)?.experiences,
        };
        if let Some(path) = &spec.experiences.hub_from {
            let more = if path.is_dir() {
                of_run(path)?
            } else {
                inputs.experiences(path, spec.personas.strict)?
            };
            inputs.seeds.extend(more);
        }
        if spec.personas.mode == PersonaMode::Generated {
            // An example has the form of what is asked for.
            inputs.seeds.retain(|seed| {
                let mut people = seed.participants.iter();
                people.all(|individual| individual.persona.is_none())
            });
        }
        for (n, seed) in inputs.seeds.iter_mut().enumerate() {
            seed.id = format!("seed/{n}");
            seed.shots.clear();
        }
        Hub::new(inputs.seeds.clone(), HubRules::default())
            .map_err(|error| Failure::new(Code::Data, format!("experiences.seeds: {error}")))?;
        let hash = hash::of_value(&inputs.seeds);
        inputs.hashes.insert("experiences.seeds", hash);
        inputs.people(spec)?;
        Ok(Some(inputs))
    }

    fn experiences(&mut self, path: &Path, strict: bool) -> Result<Vec<Experience>, Failure> {
        let read = read_experiences(path, strict)?;
        self.left_out(path, &read.skipped);
        Ok(read.experiences)
    }

    fn people(&mut self, spec: &RunSpec) -> Result<(), Failure> {
        let rules = &spec.personas;
        let (people, hash) = match (rules.mode, &rules.from) {
            (PersonaMode::Generated, _) | (PersonaMode::Reused, None) => return Ok(()),
            (PersonaMode::Reused, Some(path)) => {
                let read = read_groups(path, rules.strict)?;
                self.left_out(path, &read.skipped);
                let hash = hash::of_value(&read.groups);
                (People::Given(Arc::new(read.groups)), hash)
            }
            (PersonaMode::Sampled, from) => {
                let pool = match from {
                    Some(path) => Pool::open(path, rules.strict)?,
                    None => Pool::of_text(Path::new("personas.jsonl"), PERSONAS, true)?,
                };
                self.left_out(
                    from.as_deref().unwrap_or(Path::new("personas.jsonl")),
                    pool.skipped(),
                );
                let hash = pool.fingerprint().to_owned();
                let draw = Stream::root(spec.seed).child("personas");
                let drawn = move |nth| pool.draw(&draw, nth).map_err(|error| error.to_string());
                (People::Drawn(Arc::new(drawn)), hash)
            }
        };
        self.people = people;
        self.hashes.insert("personas.from", hash);
        Ok(())
    }

    fn left_out(&mut self, path: &Path, skipped: &Skipped) {
        if !skipped.is_empty() {
            let path = path.display();
            self.warnings.push(format!("{path}: lines {skipped}"));
        }
    }
}

/// The experiences that an earlier run made and used.
fn of_run(path: &Path) -> Result<Vec<Experience>, Failure> {
    let replay = RunDir::open(path)?.replay()?;
    let made: Vec<Experience> = replay
        .rounds()
        .flat_map(RoundResult::admitted)
        .map(|(_, experience)| experience.clone())
        .collect();
    if made.is_empty() {
        let text = format!("{} has no experiences", path.display());
        return Err(Failure::new(Code::Data, text)
            .hint("experiences.hub_from names a run of group chats, or a file of experiences"));
    }
    Ok(made)
}
