//! From references to chat models, read but not loaded, and who plays which role.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory;
use crate::cli::failure::{Code, Failure};
use crate::embed::Embedder;
use crate::engine::{ChatModel, KvType, LoadOptions, LocalModel, Profile, ScriptedModel};
use crate::hub::{self, CachePlaces, ModelFiles};
use crate::model::ModelParts;
use crate::model::template::Day;
use crate::pipeline::{Cast, Player};
use crate::prompt::{Pack, Prompts};
use crate::record::ModelRole;
use crate::settings::{self, EngineRoom, Environment, ModelChoice, RunSpec};

/// What templates print as today's date, so that a run does not depend on the day it is made.
const RUN_DAY: &str = "2026-01-01";

/// The models of a run by role; the same files loaded in the same way are one model, whatever they are called.
pub type Models = BTreeMap<ModelRole, ChatModel>;

/// Reads the models of all roles that a recipe has work for.
pub fn read_models(spec: &RunSpec) -> Result<Models, Failure> {
    let mut read: Vec<(ModelChoice, ChatModel)> = Vec::new();
    let mut models = Models::new();
    for role in spec.roles() {
        let choice = spec.model_of(role);
        let known = read.iter().find(|(other, _)| *other == choice);
        let model = if let Some((_, model)) = known {
            model.clone()
        } else {
            let model = one_of(&read, read_model(&choice, &spec.engine)?);
            read.push((choice, model.clone()));
            model
        };
        models.insert(role, told(model, spec, role)?);
    }
    Ok(models)
}

/// The model that judges a run, read, where one is named.
pub fn read_judge(spec: &RunSpec) -> Result<Option<ChatModel>, Failure> {
    let Some(choice) = spec.judge() else {
        return Ok(None);
    };
    let model = read_model(&choice, &spec.engine)?;
    Ok(Some(told(model, spec, ModelRole::Judge)?))
}

/// A role's model with what its chat template gets in that role.
fn told(model: ChatModel, spec: &RunSpec, role: ModelRole) -> Result<ChatModel, Failure> {
    let kwargs = spec.kwargs_of(role);
    let ChatModel::Local(local) = &model else {
        return Ok(model);
    };
    if kwargs.is_empty() {
        return Ok(model);
    }
    let told = local.with_kwargs(kwargs).map_err(|error| {
        let text = format!(
            "{} ({role}) cannot be given its chat_template_kwargs: {error}",
            local.identity().reference
        );
        Failure::new(Code::Recipe, text)
            .hint("its chat template says which variables it takes, and which values")
    })?;
    Ok(ChatModel::Local(Arc::new(told)))
}

/// A model that was read, or the same one read before under another name.
fn one_of(read: &[(ModelChoice, ChatModel)], model: ChatModel) -> ChatModel {
    let identity = model.identity();
    let same = read.iter().find_map(|(_, other)| match other {
        ChatModel::Local(other)
            if other.identity().hash == identity.hash
                && other.identity().profile == identity.profile =>
        {
            Some(other)
        }
        _ => None,
    });
    match same {
        Some(other) => ChatModel::Local(Arc::new(other.called(&identity.reference))),
        None => model,
    }
}

/// The chat model of a reference, read.
fn read_model(choice: &ModelChoice, room: &EngineRoom) -> Result<ChatModel, Failure> {
    let reference = choice.reference.as_str();
    if reference == "scripted" || reference.starts_with("scripted:") {
        let model = ScriptedModel::parse(reference)
            .map_err(|error| Failure::new(Code::Usage, format!("{reference}: {error}")))?;
        return Ok(ChatModel::Scripted(Arc::new(model)));
    }
    let options = load_options(choice, room)?;
    let parts = read_parts(reference, true, options.threads)?;
    Ok(ChatModel::Local(Arc::new(LocalModel::read(
        parts, &options,
    )?)))
}

/// Gives every role its model and the prompts that suit the model.
pub fn cast(models: &Models, folder: Option<&Path>) -> Result<Cast, Failure> {
    let mut packs: BTreeMap<&'static str, Arc<Prompts>> = BTreeMap::new();
    let mut player = |role: ModelRole| {
        // A role without work has no model; another's stands in, and is never asked.
        let model = models.get(&role).or_else(|| models.values().next());
        let model = model.expect("a run has work for a model");
        let name = &model.identity().prompt_pack;
        let pack = Pack::named(name).ok_or_else(|| {
            Failure::new(
                Code::Data,
                format!("the model's manifest asks for the prompt pack `{name}`"),
            )
            .hint("use full or compact")
        })?;
        let prompts = match packs.get(pack.name()) {
            Some(prompts) => Arc::clone(prompts),
            None => Arc::new(match folder {
                Some(folder) => Prompts::with_overrides(pack, folder)?,
                None => Prompts::embedded(pack),
            }),
        };
        packs.insert(pack.name(), Arc::clone(&prompts));
        Ok::<_, Failure>(Player {
            model: model.clone(),
            prompts,
        })
    };
    Ok(Cast {
        queries: player(ModelRole::Queries)?,
        customer: player(ModelRole::Customer)?,
        agent: player(ModelRole::Agent)?,
        status: player(ModelRole::Status)?,
        experiences: player(ModelRole::Experiences)?,
        member: player(ModelRole::Member)?,
        manager: player(ModelRole::Manager)?,
        judge: player(ModelRole::Judge)?,
    })
}

/// Models by who plays them, in the order of the roles: roles that share one are named together.
pub fn by_model(models: &Models) -> Vec<(Vec<ModelRole>, &ChatModel)> {
    let mut groups: Vec<(Vec<ModelRole>, &ChatModel)> = Vec::new();
    for (role, model) in models {
        let same = |(_, other): &&mut (Vec<ModelRole>, &ChatModel)| {
            other.is(model) && other.identity().reference == model.identity().reference
        };
        match groups.iter_mut().find(same) {
            Some((roles, _)) => roles.push(*role),
            None => groups.push((vec![*role], model)),
        }
    }
    groups
}

/// Roles as people read them: `customer, status`.
pub fn roles(roles: &[ModelRole]) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    names.join(", ")
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How a model is to be run, from the engine's settings and the machine.
pub fn load_options(choice: &ModelChoice, room: &EngineRoom) -> Result<LoadOptions, Failure> {
    let cores = cores();
    let threads = usize::try_from(room.threads.or(cores as u64)).unwrap_or(usize::MAX);
    if threads > cores {
        return Err(Failure::new(
            Code::Usage,
            format!("{threads} threads on {cores} cores would wait for each other in every step"),
        )
        .hint(format!("--threads {cores} at most")));
    }
    let memory_bytes = match room.memory {
        settings::Auto::Auto => None,
        settings::Auto::Exactly(bytes) => Some(bytes),
    };
    Ok(LoadOptions {
        reference: choice.reference.clone(),
        threads,
        profile: match choice.quant {
            settings::Quant::Auto => None,
            settings::Quant::None => Some(Profile::F32),
            settings::Quant::Bf16 => Some(Profile::Bf16),
            settings::Quant::Q8 => Some(Profile::Int8),
            settings::Quant::Q4 => Some(Profile::Q4),
        },
        kv: match choice.kv_dtype {
            settings::KvDtype::Auto => None,
            settings::KvDtype::F32 => Some(KvType::F32),
            settings::KvDtype::F16 => Some(KvType::F16),
            settings::KvDtype::Bf16 => Some(KvType::Bf16),
        },
        memory_bytes,
        available_bytes: memory::available(),
    })
}

/// The files of a model, read; `template` says whether it must be able to chat.
pub fn read_parts(reference: &str, template: bool, threads: usize) -> Result<ModelParts, Failure> {
    let day = Day::parse(RUN_DAY).expect("a date");
    if reference == "demo" {
        return Ok(ModelParts::demo(day)?);
    }
    let files = find_files(reference)?;
    Ok(ModelParts::read(&files, day, template, threads)?)
}

/// Where the files of a model are.
pub fn find_files(reference: &str) -> Result<ModelFiles, Failure> {
    let places = cache_places(&Environment::from_process());
    Ok(hub::resolve(reference, &places)?)
}

/// The embedder of a reference, loaded.
pub fn embedder(reference: &str, threads: usize) -> Result<Embedder, Failure> {
    let places = cache_places(&Environment::from_process());
    let embedder = Embedder::find(reference, &places, threads)?;
    if embedder.assumes_mean() {
        eprintln!(
            "note: {} has no modules.json: the mean of its tokens is taken for the vector of a text",
            crate::brief::brief(reference)
        );
    }
    Ok(embedder)
}

/// Where the Hugging Face cache may be.
pub fn cache_places(env: &Environment) -> CachePlaces {
    let place = |name: &str| env.get(name).map(PathBuf::from);
    CachePlaces {
        hub_cache: place(settings::env::HF_HUB_CACHE),
        hf_home: place(settings::env::HF_HOME),
        cache_home: None,
        home: std::env::home_dir(),
    }
}
