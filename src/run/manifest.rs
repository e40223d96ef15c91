use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::PLAN_VERSION;
use super::store::RunError;
use crate::engine::ModelIdentity;
use crate::quality::FILTERS_VERSION;
use crate::record::{Kind, ModelMark, ModelRole, Provenance, RECORD_VERSION};
use crate::settings::{Keys, RunSpec, Stage, diff_keys};
use crate::{fsio, hash};

/// The version of a run folder's layout and of `run.json`.
pub const RUN_FORMAT: u32 = 1;

/// The version of the rules that turn replies into records (guards, endings, typos). Raise it when the same replies would
/// become other bytes: a run made under other rules is then a run of its own.
pub const RULES_VERSION: u32 = 2;

/// The program's name in records.
pub const PROGRAM: &str = concat!("colloquy ", env!("CARGO_PKG_VERSION"));

/// A page of the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PageMark {
    pub id: String,
    /// Of its content.
    pub hash: String,
}

/// What a run depends on beside its recipe, by content.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Of the roles that the run has work for.
    pub models: BTreeMap<ModelRole, ModelIdentity>,
    pub pages: Vec<PageMark>,
    /// The hash of the file in `queries.from`.
    pub given_queries: Option<String>,
    /// Of what experiences are made from: given ones, seeds, people; by the key that names it.
    pub experience_files: BTreeMap<&'static str, String>,
    /// The hashes of the files in `quality.against`.
    pub against: Vec<String>,
    /// Hashes of the templates each stage renders, by template name.
    pub prompts: BTreeMap<Stage, BTreeMap<String, String>>,
}

/// `run.json`: what a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`RUN_FORMAT`].
    pub format: u32,
    /// The program that made the run's folder.
    pub program: String,
    pub name: String,
    /// The agent's, or the members' of groups, as it was when the run began; rows name it so.
    pub model: ModelIdentity,
    /// Of every role that the run has work for, where they are not all the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<ModelRole, ModelIdentity>,
    /// In plan order.
    pub pages: Vec<PageMark>,
    /// Per stage: everything its records depend on, and the fingerprint of that.
    pub stages: BTreeMap<Stage, StageMark>,
    /// The fingerprint of what decides which conversations are kept; none where all are. Not part of what the run is: under
    /// other rules its conversations are looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// How the run was last carried out.
    pub operational: Keys,
    /// The whole of the settings, as last given.
    pub spec: RunSpec,
}

/// What a stage's records depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageMark {
    pub fingerprint: String,
    pub keys: Keys,
}

impl Manifest {
    /// The manifest of a run to be.
    ///
    /// # Panics
    /// When the leading role has no model.
    #[must_use]
    pub fn new(spec: &RunSpec, inputs: Inputs) -> Self {
        let Inputs {
            mut models,
            mut pages,
            given_queries,
            experience_files,
            against,
            prompts,
        } = inputs;
        pages.sort();
        let model = models[&spec.leading_role()].clone();
        let roles = |stage| recorded_roles(spec, stage);
        let mark = |stage: Stage, parents: &[(&str, Value)]| {
            let mut keys = spec.content_keys(stage);
            keys.extend(
                parents
                    .iter()
                    .map(|(path, value)| ((*path).to_owned(), value.clone())),
            );
            keys.extend(model_keys(&roles(stage), &models, &model));
            keys.insert("versions.record".into(), RECORD_VERSION.into());
            keys.insert("versions.rules".into(), RULES_VERSION.into());
            let prompts = prompts.get(&stage).into_iter().flatten();
            keys.extend(
                prompts.map(|(name, hash)| (format!("prompts.{name}"), hash.clone().into())),
            );
            StageMark {
                fingerprint: hash::of_value(&keys),
                keys,
            }
        };
        let mut stages = BTreeMap::new();
        let mut parents = vec![("versions.plan", Value::from(PLAN_VERSION))];
        if spec.has(Kind::Support) {
            let made_from = [
                ("pages", hash::of_value(&pages).into()),
                ("queries.from", given_queries.into()),
            ];
            let queries = mark(Stage::Queries, &made_from);
            parents.push((QUERIES_PARENT, queries.fingerprint.clone().into()));
            if spec.has_all_variants() {
                let made_from = [(QUERIES_PARENT, queries.fingerprint.clone().into())];
                let products = mark(Stage::Products, &made_from);
                parents.push((PRODUCTS_PARENT, products.fingerprint.clone().into()));
                stages.insert(Stage::Products, products);
            }
            stages.insert(Stage::Queries, queries);
        }
        if spec.has(Kind::Group) {
            let made_from: Vec<(&str, Value)> = experience_files
                .into_iter()
                .map(|(key, hash)| (key, hash.into()))
                .collect();
            let experiences = mark(Stage::Experiences, &made_from);
            parents.push((EXPERIENCES_PARENT, experiences.fingerprint.clone().into()));
            stages.insert(Stage::Experiences, experiences);
        }
        stages.insert(Stage::Conversations, mark(Stage::Conversations, &parents));
        if models.values().all(|other| *other == model) {
            models.clear();
        }
        Self {
            format: RUN_FORMAT,
            program: PROGRAM.into(),
            name: spec.name.clone(),
            stages,
            quality: spec.quality.turns_down().then(|| {
                let rules = (spec.quality_keys(), against, FILTERS_VERSION);
                hash::of_value(&rules)
            }),
            operational: spec.operational_keys(),
            model,
            models,
            pages,
            spec: spec.clone(),
        }
    }

    /// The fingerprint of a stage.
    #[must_use]
    pub fn fingerprint(&self, stage: Stage) -> &str {
        self.stages.get(&stage).map_or("", |mark| &mark.fingerprint)
    }

    /// The model of a role; the agent's where the run has no work for the role.
    #[must_use]
    pub fn model_of(&self, role: ModelRole) -> &ModelIdentity {
        self.models.get(&role).unwrap_or(&self.model)
    }

    /// The models of the roles that the run has work for, as the user named them.
    #[must_use]
    pub fn model_names(&self) -> BTreeMap<ModelRole, String> {
        let name = |role| (role, self.model_of(role).reference.clone());
        self.spec.roles().map(name).collect()
    }

    /// Whether a model took part that is for trying the pipeline only.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.model.demo || self.models.values().any(|model| model.demo)
    }

    /// What made the run's conversations.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        let mark = |model: &ModelIdentity| ModelMark {
            model: model.reference.clone(),
            model_hash: model.hash.clone(),
            profile: model.profile.clone(),
        };
        let ModelMark {
            model,
            model_hash,
            profile,
        } = mark(&self.model);
        Provenance {
            program: self.program.clone(),
            recipe: self.name.clone(),
            stage: self.fingerprint(Stage::Conversations).to_owned(),
            model,
            model_hash,
            profile,
            seed: self.spec.seed,
            demo: self.is_demo(),
            models: self
                .models
                .iter()
                .map(|(role, model)| (*role, mark(model)))
                .collect(),
        }
    }

    /// The name of the run's folder.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let fingerprint = self.fingerprint(Stage::Conversations);
        format!("{}-{}", self.name, &fingerprint[..fingerprint.len().min(8)])
    }

    /// The ids of the pages, in plan order.
    #[must_use]
    pub fn page_ids(&self) -> Vec<String> {
        self.pages.iter().map(|page| page.id.clone()).collect()
    }

    /// What keeps two runs from being one: the names of the content keys that differ.
    #[must_use]
    pub fn changed_keys(&self, newer: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        for stage in Stage::ALL {
            let keys = |manifest: &Self| {
                let mark = manifest.stages.get(stage);
                let roles = recorded_roles(&manifest.spec, *stage);
                mark.map(|mark| by_role(&roles, mark.keys.clone()))
                    .unwrap_or_default()
            };
            changed.extend(diff_keys(&keys(self), &keys(newer)));
        }
        for (table, end, word) in [
            ("model", "", "model"),
            ("model", PROFILE, "model.profile"),
            ("models", ".thinking", "thinking"),
            ("models", ".chat_template_kwargs", "chat_template_kwargs"),
        ] {
            let of = |role: &ModelRole| format!("{table}.{role}{end}");
            let mut speakers = recorded_roles(&newer.spec, Stage::Conversations);
            if word == "thinking" {
                // Who decides says nothing.
                speakers.retain(|role| ![ModelRole::Status, ModelRole::Manager].contains(role));
            }
            if speakers.iter().all(|role| changed.contains(&of(role))) {
                // All of them are one word.
                changed.retain(|key| !ModelRole::ALL.iter().any(|role| *key == of(role)));
                changed.push(word.to_owned());
            }
        }
        // They only say that something of an earlier stage changed, and that is named itself.
        changed.retain(|key| {
            ![QUERIES_PARENT, PRODUCTS_PARENT, EXPERIENCES_PARENT].contains(&key.as_str())
        });
        changed.sort();
        changed.dedup();
        changed
    }

    /// Reads a `run.json`.
    ///
    /// # Errors
    /// When it cannot be read, was written by a later version, or is not a manifest.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        /// What every version of the format has.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            program: String,
        }
        let bytes = std::fs::read(path).map_err(|source| RunError::io("read", path, source))?;
        let broken = |error: serde_json::Error| RunError::NotAManifest {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let head: Head = serde_json::from_slice(&bytes).map_err(broken)?;
        if head.format > RUN_FORMAT {
            return Err(RunError::NewerFormat {
                path: path.to_owned(),
                program: head.program,
                found: head.format,
            });
        }
        serde_json::from_slice(&bytes).map_err(broken)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RunError> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain data serialises to JSON");
        bytes.push(b'\n');
        fsio::write_atomically(path, &bytes).map_err(|source| RunError::io("write", path, source))
    }
}

/// What ends the key of a model's numeric profile.
const PROFILE: &str = ".profile";

/// The roles that make a stage's records, also where they have no work.
fn recorded_roles(spec: &RunSpec, stage: Stage) -> Vec<ModelRole> {
    let mut roles = Vec::new();
    match stage {
        Stage::Queries => roles.push(ModelRole::Queries),
        Stage::Products => roles.push(ModelRole::Customer),
        Stage::Experiences => roles.push(ModelRole::Experiences),
        Stage::Conversations => {
            if spec.has(Kind::Support) {
                roles.extend([ModelRole::Customer, ModelRole::Agent, ModelRole::Status]);
            }
            if spec.has(Kind::Group) {
                roles.extend([ModelRole::Member, ModelRole::Manager]);
            }
        }
    }
    roles
}

/// The keys by which a stage depends on its models, and on no others: `model`, or `model.<role>` where they differ. `other`
/// stands for roles without work.
fn model_keys(
    roles: &[ModelRole],
    models: &BTreeMap<ModelRole, ModelIdentity>,
    other: &ModelIdentity,
) -> Keys {
    let content = |role: &ModelRole| {
        let model = models.get(role).unwrap_or(other);
        (model.hash.as_str(), model.profile.as_str())
    };
    let alike = roles.iter().all(|role| content(role) == content(&roles[0]));
    let named = |name: String, role: &ModelRole| {
        let (hash, profile) = content(role);
        [
            (name.clone(), Value::from(hash)),
            (name + PROFILE, profile.into()),
        ]
    };
    if alike {
        return named("model".into(), &roles[0]).into();
    }
    roles
        .iter()
        .flat_map(|role| named(format!("model.{role}"), role))
        .collect()
}

/// A stage's keys with its models named by role, however they were written.
fn by_role(roles: &[ModelRole], mut keys: Keys) -> Keys {
    for end in ["", PROFILE] {
        if let Some(value) = keys.remove(&format!("model{end}")) {
            let roles = roles.iter();
            keys.extend(roles.map(|role| (format!("model.{role}{end}"), value.clone())));
        }
    }
    keys
}

/// The key by which conversations depend on queries.
const QUERIES_PARENT: &str = "stage.queries";
/// The key by which they depend on the products that fit.
const PRODUCTS_PARENT: &str = "stage.products";
/// The key by which they depend on experiences.
const EXPERIENCES_PARENT: &str = "stage.experiences";

/// The manifest of every readable run in a folder of runs, with its path, in path order.
pub(super) fn manifests_in(runs: &Path) -> Vec<(PathBuf, Manifest)> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .filter_map(|folder| Some((folder.clone(), Manifest::read(&folder.join(RUN_FILE)).ok()?)))
        .collect()
}

/// The manifest's file in a run folder.
pub(super) const RUN_FILE: &str = "run.json";
