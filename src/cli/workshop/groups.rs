//! What group chats are made from: given experiences, or examples and people.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::cli::failure::{Code, Failure};
use crate::hash;
use crate::pipeline::People;
use crate::record::{Experience, Individual, Kind};
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
            let given = inputs.file("experiences.from", path)?;
            inputs.given = Some(given.into_iter().map(Arc::new).collect());
            return Ok(Some(inputs));
        }
        inputs.seeds = match &spec.experiences.seeds {
            Some(path) => inputs.file("experiences.seeds", path)?,
            None => shipped_seeds(),
        };
        if let Some(path) = &spec.experiences.hub_from {
            let more = inputs.file("experiences.hub_from", path)?;
            inputs.seeds.extend(more);
        }
        let invented = spec.personas.mode == PersonaMode::Generated;
        if invented {
            // An example has the form of what is asked for.
            let full = |seed: &Experience| {
                seed.participants
                    .iter()
                    .all(|individual| individual.persona.is_none())
            };
            inputs.seeds.retain(full);
        }
        for (n, seed) in inputs.seeds.iter_mut().enumerate() {
            seed.id = format!("seed/{n}");
            seed.depth = 0;
            seed.shots.clear();
        }
        let seeds = hash::of_value(&inputs.seeds);
        inputs.hashes.insert("experiences.seeds", seeds);
        inputs.people(spec)?;
        Ok(Some(inputs))
    }

    fn file(&mut self, key: &'static str, path: &Path) -> Result<Vec<Experience>, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::read(path, &error))?;
        self.hashes.insert(key, hash::of_bytes(text.as_bytes()));
        text.lines()
            .map(|line| {
                serde_json::from_str(line).map_err(|e| Failure::new(Code::Data, e.to_string()))
            })
            .collect()
    }

    fn people(&mut self, spec: &RunSpec) -> Result<(), Failure> {
        let _: Option<Individual> = None;
        if spec.personas.mode == PersonaMode::Sampled {
            let lines: Vec<String> = PERSONAS.lines().map(str::to_owned).collect();
            self.people = People::Drawn(Arc::new(move |n| {
                let line = &lines[usize::try_from(n).unwrap_or(0) % lines.len()];
                let value: serde_json::Value =
                    serde_json::from_str(line).map_err(|e| e.to_string())?;
                Ok(value["persona"].as_str().unwrap_or_default().to_owned())
            }));
        }
        Ok(())
    }
}

fn shipped_seeds() -> Vec<Experience> {
    SEEDS
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
