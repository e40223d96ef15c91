//! Everything a run needs, brought together: settings, pages, given questions, model, prompts.

pub mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{EngineArgs, RecipeArgs};
use super::failure::{Code, Failure, allow};
use super::maker::support_settings;
use super::talk::grouped;
use crate::engine::{
    ChatModel, KvType, LoadOptions, LocalModel, POOL_TOKENS, Profile, ScriptedModel,
};
use crate::hash;
use crate::hub::{self, CachePlaces, ModelFiles};
use crate::knowledge::{self, PageFile, Pages, choose_passages};
use crate::model::ModelParts;
use crate::model::template::Day;
use crate::pipeline::{GivenQuery, Sides, Subject, read_queries};
use crate::prompt::{Pack, Prompts, Template};
use crate::record::Page;
use crate::run::{Inputs, Manifest, PageMark, Plan};
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
        engine: args.engine.overrides(),
        set: args.set.clone(),
    };
    let settings = settings::resolve(&recipe, &overrides, &Environment::from_process())?;
    Ok((settings, recipe))
}

/// What flags alone say of the engine.
pub fn engine_room(flags: &EngineArgs) -> Result<settings::EngineRoom, Failure> {
    let overrides = Overrides {
        model: vec!["scripted".into()],
        engine: flags.overrides(),
        ..Overrides::default()
    };
    let recipe = RecipeText::embedded(&settings::EMBEDDED[0]);
    Ok(
        settings::resolve(&recipe, &overrides, &Environment::from_lookup(|_| None))?
            .spec
            .engine,
    )
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
    pub fn open(spec: RunSpec) -> Result<Self, Failure> {
        Self::open_with(spec, load_model)
    }

    /// The same with a model that comes from elsewhere.
    pub fn open_with(
        mut spec: RunSpec,
        load: impl FnOnce(&str, &RunSpec) -> Result<ChatModel, Failure>,
    ) -> Result<Self, Failure> {
        if let PagesDir::Folder(folder) = &spec.pages.dir
            && let Ok(absolute) = std::path::absolute(folder)
        {
            spec.pages.dir = PagesDir::Folder(absolute);
        }
        // The user's own spelling stays the model's name in rows.
        let model_reference = spec.model.clone();
        spec.model = absolute_if_folder(spec.model);
        for path in [&mut spec.queries.from, &mut spec.prompts]
            .into_iter()
            .flatten()
        {
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
        let (pages, unasked) = asked_pages(pages, given.as_deref());
        if let (true, Some(path)) = (pages.is_empty(), &spec.queries.from) {
            return Err(Failure::new(
                Code::Data,
                format!("{}: no page has a question", path.display()),
            ));
        }
        if unasked > 0 {
            warnings.push(unasked_note(unasked, pages.len()));
        }
        let given_hash = match &spec.queries.from {
            Some(path) => Some(hash::of_file(path).map_err(|error| Failure::read(path, &error))?),
            None => None,
        };
        let model = load(&model_reference, &spec)?;
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

/// A folder is found from anywhere; what is no folder is for the hub to read.
fn absolute_if_folder(reference: String) -> String {
    let path = Path::new(&reference);
    let named = ["demo", "scripted"].contains(&reference.as_str());
    if named || !path.is_dir() {
        return reference;
    }
    std::path::absolute(path)
        .ok()
        .and_then(|absolute| absolute.to_str().map(str::to_owned))
        .unwrap_or(reference)
}

/// What is said of pages without a question.
pub fn unasked_note(unasked: usize, asked: usize) -> String {
    format!(
        "{unasked} of {} pages have no question in queries.from and get no conversation",
        asked + unasked
    )
}

/// The pages that get places in the plan, and how many do not: where questions are given, a page without one has nothing to
/// be talked about.
pub fn asked_pages(pages: Vec<Page>, given: Option<&[GivenQuery]>) -> (Vec<Page>, usize) {
    let Some(given) = given else {
        return (pages, 0);
    };
    let all = pages.len();
    let asked: BTreeSet<&str> = given.iter().map(|one| one.query.page.as_str()).collect();
    let pages: Vec<Page> = pages
        .into_iter()
        .filter(|page| asked.contains(page.id.as_str()))
        .collect();
    let without = all - pages.len();
    (pages, without)
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
    let options = load_options(reference, spec)?;
    let parts = read_parts(reference, true, options.threads)?;
    Ok(ChatModel::Local(Arc::new(LocalModel::start(
        parts, &options,
    )?)))
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How a model is to be run, from the engine's settings and the machine.
pub fn load_options(reference: &str, spec: &RunSpec) -> Result<LoadOptions, Failure> {
    let cores = cores();
    let threads = usize::try_from(spec.engine.threads.or(cores as u64)).unwrap_or(usize::MAX);
    if threads > cores {
        return Err(Failure::new(
            Code::Usage,
            format!("{threads} threads on {cores} cores would wait for each other in every step"),
        )
        .hint(format!("--threads {cores} at most")));
    }
    let memory_bytes = match spec.engine.memory {
        settings::Auto::Auto => None,
        settings::Auto::Exactly(bytes) => Some(bytes),
    };
    Ok(LoadOptions {
        reference: reference.to_owned(),
        threads,
        profile: match spec.quant {
            settings::Quant::Auto => None,
            settings::Quant::None => Some(Profile::F32),
            settings::Quant::Bf16 => Some(Profile::Bf16),
            settings::Quant::Q8 => Some(Profile::Int8),
        },
        kv: match spec.kv_dtype {
            settings::KvDtype::Auto => None,
            settings::KvDtype::F32 => Some(KvType::F32),
            settings::KvDtype::F16 => Some(KvType::F16),
            settings::KvDtype::Bf16 => Some(KvType::Bf16),
        },
        memory_bytes,
        available_bytes: memory::available(),
    })
}

/// What a recipe's conversations need at their longest, and how many fit.
pub struct Room {
    /// Tokens of the customer's and the agent's view.
    pub views: [usize; 2],
    /// Conversations that fit at once, at least one.
    pub conversations: usize,
}

/// How many conversations of a recipe fit at once.
pub fn room(workshop: &Workshop, model: &LocalModel) -> Result<Room, Failure> {
    let views = longest_views(workshop)?;
    let conversations = model.room_for(&views);
    if conversations > 0 {
        return Ok(Room {
            views,
            conversations,
        });
    }
    let tokens = model.pool_for(&views);
    let needed = (model.memory_for(&views) as u64).div_ceil(1_000_000);
    let shorter = "lower conversation.max_turns, or choose a smaller model";
    let hint = if tokens <= POOL_TOKENS && needed <= memory::available() / 10 * 9 / 1_000_000 {
        format!(
            "{} is enough for one at a time; or {shorter}",
            allow(needed)
        )
    } else {
        shorter.to_owned()
    };
    Err(Failure::new(
        Code::Usage,
        format!(
            "a conversation needs {} tokens of cache at its longest, and there is room for {}",
            grouped(tokens as u64),
            grouped(model.pool_tokens() as u64)
        ),
    )
    .hint(hint))
}

/// The longest views that a recipe's conversations reserve, in tokens: the customer's and the agent's.
fn longest_views(workshop: &Workshop) -> Result<[usize; 2], Failure> {
    /// Places of the plan that are looked at.
    const MEASURED: u64 = 64;
    let (spec, model) = (&workshop.spec, &workshop.model);
    let settings = support_settings(spec, workshop);
    let ids: Vec<String> = workshop.pages.keys().cloned().collect();
    let mut worst = [0; 2];
    for slot in Plan::new(spec, &ids).slots(MEASURED) {
        let page = &workshop.pages[&slot.cell.page];
        let passages = choose_passages(page, &page.title, settings.passage_tokens, |text| {
            model.count_tokens(text)
        });
        let subject = Subject {
            page,
            passages: &passages,
            query: &page.title,
            cell: &slot.cell,
            case: &slot.case,
        };
        let sides = Sides::render(&workshop.prompts, &settings, subject)?;
        let longest = sides.worst_case_tokens(&settings, model, slot.cell.style);
        for (worst, here) in worst.iter_mut().zip(longest) {
            *worst = here.min(model.context_tokens()).max(*worst);
        }
    }
    Ok(worst)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Query;

    #[test]
    fn a_model_folder_is_found_from_anywhere() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            absolute_if_folder("models/demo".into()),
            here.join("models/demo").to_str().unwrap()
        );
        for other in ["org/name", "demo", "scripted", "Cargo.toml"] {
            assert_eq!(absolute_if_folder(other.into()), other);
        }
    }

    #[test]
    fn pages_without_a_given_question_get_no_place() {
        let page = |id: &str| Page {
            id: id.into(),
            title: id.into(),
            paragraphs: Vec::new(),
        };
        let pages = vec![page("a"), page("b"), page("c")];
        assert_eq!(asked_pages(pages.clone(), None).1, 0);
        let given = ["c", "a", "c"].map(|id| GivenQuery {
            query: Query {
                id: "q/0".into(),
                page: id.into(),
                text: "?".into(),
            },
            tone: None,
            style: None,
        });
        let (asked, without) = asked_pages(pages, Some(&given));
        let ids: Vec<_> = asked.iter().map(|page| page.id.as_str()).collect();
        assert_eq!((ids, without), (vec!["a", "c"], 1));
    }
}
