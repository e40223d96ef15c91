//! Everything a run needs, brought together: settings, pages, given questions, model, prompts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::RecipeArgs;
use super::failure::{Code, Failure};
use crate::engine::{ChatModel, LoadOptions, LocalModel, ScriptedModel};
use crate::hash;
use crate::hub::{self, CachePlaces};
use crate::knowledge::{self, PageFile, Pages};
use crate::model::ModelParts;
use crate::model::template::Day;
use crate::pipeline::{GivenQuery, read_queries};
use crate::prompt::{Pack, Prompts, Template};
use crate::record::Page;
use crate::run::{Inputs, Manifest, PageMark};
use crate::settings::{
    self, Environment, Overrides, PagesDir, RecipeText, RunSpec, Settings, Stage,
};

/// What templates print as today's date, so that a run does not depend on the day it is made.
const RUN_DAY: &str = "2026-01-01";

/// Settings from a recipe and the command line.
pub fn read_settings(
    args: &RecipeArgs,
    out: Option<PathBuf>,
    limit: Option<u64>,
) -> Result<(Settings, RecipeText), Failure> {
    let recipe = RecipeText::find(args.recipe.as_deref())?;
    let overrides = Overrides {
        model: args.model.clone(),
        seed: args.seed,
        count: None,
        limit,
        out,
        set: args.set.clone(),
    };
    let settings = settings::resolve(&recipe, &overrides, &Environment::from_process())?;
    Ok((settings, recipe))
}

/// Inputs by content, and the model that will work on them.
pub struct Workshop {
    pub spec: RunSpec,
    pub pages: BTreeMap<String, Arc<Page>>,
    pub warnings: Vec<String>,
    pub given: Option<Vec<GivenQuery>>,
    pub model: ChatModel,
    pub prompts: Arc<Prompts>,
    pub manifest: Manifest,
}

impl Workshop {
    /// Loads everything. Pages and questions first: they fail fast.
    pub fn open(mut spec: RunSpec) -> Result<Self, Failure> {
        if let PagesDir::Folder(folder) = &spec.pages.dir
            && let Ok(absolute) = std::path::absolute(folder)
        {
            spec.pages.dir = PagesDir::Folder(absolute);
        }
        for path in [&mut spec.queries.from, &mut spec.prompts].into_iter().flatten() {
            if let Ok(absolute) = std::path::absolute(&path) {
                *path = absolute;
            }
        }
        let Pages { pages, warnings } = load_pages(&spec)?;
        let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let given = spec
            .queries
            .from
            .as_deref()
            .map(|path| read_queries(path, &pages))
            .transpose()?;
        let given_hash = match &spec.queries.from {
            Some(path) => Some(hash::of_file(path).map_err(|error| Failure::read(path, &error))?),
            None => None,
        };
        let model = load_model(&spec.model, &spec)?;
        let pack_name = &model.identity().prompt_pack;
        let pack = Pack::named(pack_name).ok_or_else(|| {
            Failure::new(
                Code::Data,
                format!("the model's manifest asks for the prompt pack `{pack_name}`"),
            )
            .hint("use full or compact")
        })?;
        let prompts = match &spec.prompts {
            Some(folder) => Prompts::with_overrides(pack, folder)?,
            None => Prompts::embedded(pack),
        };
        if pages.is_empty() {
            warnings.push("there are no pages".into());
        }
        let marks = pages
            .iter()
            .map(|page| PageMark {
                id: page.id.clone(),
                hash: hash::of_value(page),
            })
            .collect();
        let hashes = |templates: &[Template]| {
            templates
                .iter()
                .map(|t| (t.file().to_owned(), prompts.hash_of(&[*t])))
                .collect::<BTreeMap<_, _>>()
        };
        let stages = BTreeMap::from([
            (
                Stage::Queries,
                hashes(&[Template::QueriesSystem, Template::Queries]),
            ),
            (
                Stage::Conversations,
                hashes(&[Template::Agent, Template::Customer, Template::Status]),
            ),
        ]);
        let inputs = Inputs {
            model: model.identity().clone(),
            pages: marks,
            given_queries: given_hash,
            prompts: stages,
        };
        let manifest = Manifest::new(&spec, inputs);
        let pages = pages
            .into_iter()
            .map(|page| (page.id.clone(), Arc::new(page)))
            .collect();
        Ok(Self {
            spec,
            pages,
            warnings,
            given,
            model,
            prompts: Arc::new(prompts),
            manifest,
        })
    }
}

/// The folder of prompts that a recipe names.
pub fn prompt_folder(spec: &RunSpec) -> Option<PathBuf> {
    spec.prompts.clone()
}

/// The pages that a recipe names.
pub fn load_pages(spec: &RunSpec) -> Result<Pages, Failure> {
    let (include, exclude) = (&spec.pages.include, &spec.pages.exclude);
    Ok(match &spec.pages.dir {
        PagesDir::Shipped => knowledge::collect(super::shipped::pages(), include, exclude)?,
        PagesDir::Folder(folder) => knowledge::load_folder(folder, include, exclude)?,
    })
}

impl super::shipped::ShippedPage {
    /// As if read from a folder.
    pub fn file(&self) -> Option<PageFile> {
        let path = PathBuf::from(self.name);
        let (id, format) = PageFile::name_of(&path)?;
        Some(PageFile {
            id,
            path,
            format,
            bytes: self.text.as_bytes().to_vec(),
        })
    }
}

/// The chat model of a reference.
pub fn load_model(reference: &str, spec: &RunSpec) -> Result<ChatModel, Failure> {
    if reference == "scripted" || reference.starts_with("scripted:") {
        let model = ScriptedModel::parse(reference)
            .map_err(|error| Failure::new(Code::Usage, format!("{reference}: {error}")))?;
        return Ok(ChatModel::Scripted(Arc::new(model)));
    }
    let options = load_options(reference, spec);
    let parts = read_parts(reference, true, options.threads)?;
    Ok(ChatModel::Local(Arc::new(LocalModel::start(
        parts, &options,
    )?)))
}

/// How a model is to be run, from the engine's settings and the machine.
pub fn load_options(reference: &str, spec: &RunSpec) -> LoadOptions {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = usize::try_from(spec.engine.threads.or(cores as u64))
        .unwrap_or(cores)
        .clamp(1, 256);
    let memory_bytes = match spec.engine.memory {
        settings::Auto::Auto => None,
        settings::Auto::Exactly(bytes) => Some(bytes),
    };
    LoadOptions {
        reference: reference.to_owned(),
        threads,
        memory_bytes,
        available_bytes: available_memory(),
    }
}

/// The files of a model, read; `template` says whether it must be able to chat.
pub fn read_parts(reference: &str, template: bool, threads: usize) -> Result<ModelParts, Failure> {
    let day = Day::parse(RUN_DAY).expect("a date");
    if reference == "demo" {
        return Ok(ModelParts::demo(day)?);
    }
    let env = Environment::from_process();
    let place = |name: &str| env.get(name).map(PathBuf::from);
    let home = std::env::home_dir();
    let places = CachePlaces {
        hub_cache: place(settings::env::HF_HUB_CACHE),
        hf_home: place(settings::env::HF_HOME),
        cache_home: None,
        home,
    };
    let files = hub::resolve(reference, &places)?;
    Ok(ModelParts::read(&files, day, template, threads)?)
}

/// Bytes that this process may still take: what the system has, or what its control group leaves.
fn available_memory() -> u64 {
    let field = |text: &str, name: &str| -> Option<u64> {
        text.lines()
            .find(|line| line.starts_with(name))?
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    let system = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| field(&text, "MemAvailable:"))
        .map_or(4 << 30, |kilobytes| kilobytes * 1024);
    let number = |path: &str| {
        std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(path))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    match (number("memory.max"), number("memory.current")) {
        (Some(most), Some(current)) => system.min(most.saturating_sub(current)),
        (Some(most), None) => system.min(most),
        _ => system,
    }
}
