//! Everything a run needs, brought together: settings, pages, given questions, model, prompts.

pub mod disk;
pub mod groups;
pub mod memory;
pub mod models;
mod seating;
pub mod thoughts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{EngineArgs, RecipeArgs};
use super::failure::{Code, Failure};
use super::maker::questions_for;
use crate::knowledge::{self, PageFile, Pages};
use crate::pipeline::{Cast, Player, read_queries};
use crate::prompt::Template;
use crate::record::{Kind, Page, Query, Sample};
use crate::run::{Inputs, Manifest, PageMark, Plan, Sources};
use crate::settings::{
    self, Environment, FirstMessage, Overrides, PagesDir, RecipeText, RunSpec, Settings,
    SpeakerMethod, Stage,
};
use crate::{hash, import};
use groups::GroupInputs;
use models::{Models, read_models};
pub use models::{cache_places, cores, embedder, find_files, load_options, read_parts};
pub use seating::{Seating, largest_groups};

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
    Ok(engine_spec(flags)?.engine)
}

/// The same, with how models are loaded.
pub fn engine_spec(flags: &EngineArgs) -> Result<RunSpec, Failure> {
    let overrides = Overrides {
        model: vec!["scripted".into()],
        engine: flags.overrides(),
        ..Overrides::default()
    };
    let recipe = RecipeText::embedded(&settings::EMBEDDED[0]);
    let nothing = Environment::from_lookup(|_| None);
    Ok(settings::resolve(&recipe, &overrides, &nothing)?.spec)
}

/// Inputs by content, and the models that will work on them.
pub struct Workshop {
    pub spec: RunSpec,
    pub pages: BTreeMap<String, Arc<Page>>,
    pub warnings: Vec<String>,
    pub given: Option<Vec<Query>>,
    /// Where there are group chats.
    pub groups: Option<GroupInputs>,
    /// Conversations of elsewhere that none may resemble.
    pub against: Vec<Sample>,
    /// Of the roles that there is work for.
    pub models: Models,
    pub cast: Cast,
    pub manifest: Manifest,
    inputs: Inputs,
}

impl Workshop {
    /// Reads everything; models are not loaded yet. Pages and questions first: they fail fast.
    pub fn open(spec: RunSpec) -> Result<Self, Failure> {
        Self::open_with(spec, read_models)
    }

    /// The same for a run whose stages were made anew so often.
    pub fn redone(&mut self, redo: BTreeMap<Stage, u32>) {
        self.spec.redo = redo;
        self.manifest = Manifest::new(&self.spec, self.inputs.clone());
    }

    /// The same with models that come from elsewhere.
    pub fn open_with(
        mut spec: RunSpec,
        read: impl FnOnce(&RunSpec) -> Result<Models, Failure>,
    ) -> Result<Self, Failure> {
        // The user's own spelling stays a model's name in rows.
        let as_typed = spec.clone();
        if let PagesDir::Folder(folder) = &spec.pages.dir
            && let Ok(absolute) = std::path::absolute(folder)
        {
            spec.pages.dir = PagesDir::Folder(absolute);
        }
        spec.model = absolute_if_folder(spec.model);
        for reference in spec.models.references_mut() {
            *reference = absolute_if_folder(std::mem::take(reference));
        }
        let files = [
            &mut spec.queries.from,
            &mut spec.prompts,
            &mut spec.experiences.from,
            &mut spec.experiences.seeds,
            &mut spec.experiences.hub_from,
            &mut spec.personas.from,
        ];
        let against = spec.quality.against.iter_mut();
        for path in files.into_iter().flatten().chain(against) {
            if let Ok(absolute) = std::path::absolute(&path) {
                *path = absolute;
            }
        }
        let groups = GroupInputs::read(&spec)?;
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
        if let Some(groups) = &groups {
            warnings.extend(groups.warnings.iter().cloned());
        }
        let given_hash = given.as_ref().map(hash::of_value);
        let models = read(&as_typed)?;
        thoughts::check(&spec, &models)?;
        let cast = models::cast(&models, spec.prompts.as_deref())?;
        if pages.is_empty() && spec.has(Kind::Support) {
            warnings.push("there are no pages".into());
        }
        let marks = pages
            .iter()
            .map(|page| PageMark {
                id: page.id.clone(),
                hash: hash::of_value(page),
            })
            .collect();
        // The deciding model's prompts have names of their own where they are not the customer's.
        let decides =
            cast.decides_apart() && cast.status.prompts.pack() != cast.customer.prompts.pack();
        let decider = decides.then_some(("status/", &cast.status, Template::Customer));
        let hashes = |templates: &[(&str, &Player, Template)]| {
            templates
                .iter()
                .map(|(of, player, t)| (of.to_string() + t.file(), player.prompts.hash_of(&[*t])))
                .collect::<BTreeMap<_, _>>()
        };
        let mut conversations = Vec::new();
        if spec.has(Kind::Support) {
            conversations.extend([
                ("", &cast.agent, Template::Agent),
                ("", &cast.customer, Template::Customer),
                ("", &cast.status, Template::Status),
            ]);
            if spec.customer.first_message == FirstMessage::Query {
                for template in [
                    Template::RewriteSystem,
                    Template::Rewrite,
                    Template::ProductFit,
                ] {
                    conversations.push(("", &cast.customer, template));
                }
            }
            if spec.customer.second_question > 0.0 {
                conversations.push(("", &cast.customer, Template::Second));
            }
            if spec.conversation.is_steered() {
                conversations.push(("", &cast.agent, Template::Steer));
            }
            conversations.extend(decider);
        }
        if spec.has(Kind::Group) {
            conversations.extend([
                ("", &cast.member, Template::Member),
                ("", &cast.member, Template::Opening),
            ]);
            if spec.group.speaker == SpeakerMethod::Auto {
                conversations.extend([
                    ("", &cast.manager, Template::Describe),
                    ("", &cast.manager, Template::NextSpeaker),
                ]);
            }
        }
        let stages = BTreeMap::from([
            (
                Stage::Experiences,
                hashes(&[
                    ("", &cast.experiences, Template::ExperiencesSystem),
                    ("", &cast.experiences, Template::Experiences),
                ]),
            ),
            (
                Stage::Queries,
                hashes(&[
                    ("", &cast.queries, Template::QueriesSystem),
                    ("", &cast.queries, Template::Queries),
                ]),
            ),
            (
                Stage::Products,
                hashes(&[("", &cast.customer, Template::ProductFit)]),
            ),
            (Stage::Conversations, hashes(&conversations)),
        ]);
        let (against, against_hashes) = read_against(&spec.quality.against)?;
        let inputs = Inputs {
            models: models
                .iter()
                .map(|(role, model)| (*role, model.identity().clone()))
                .collect(),
            pages: marks,
            given_queries: given_hash,
            experience_files: groups
                .as_ref()
                .map(|groups| groups.hashes.clone())
                .unwrap_or_default(),
            against: against_hashes,
            prompts: stages,
        };
        let manifest = Manifest::new(&spec, inputs.clone());
        let pages = pages
            .into_iter()
            .map(|page| (page.id.clone(), Arc::new(page)))
            .collect();
        Ok(Self {
            spec,
            pages,
            warnings,
            given,
            groups,
            against,
            models,
            cast,
            manifest,
            inputs,
        })
    }

    /// Finds a way to run the models.
    pub fn seating(&self) -> Result<Seating, Failure> {
        Seating::of(self)
    }
}

/// Conversations of elsewhere that none may resemble, and the hashes of their files.
fn read_against(files: &[PathBuf]) -> Result<(Vec<Sample>, Vec<String>), Failure> {
    let (mut samples, mut hashes) = (Vec::new(), Vec::new());
    for path in files {
        let hint = "quality.against names files of conversations, as `colloquy export` writes them";
        let failed = |code, error: &dyn std::fmt::Display| {
            Failure::new(code, format!("quality.against: {error}")).hint(hint)
        };
        match import::read(path, None) {
            Ok(read) => samples.extend(read.samples),
            Err(error @ import::ImportError::Io { .. }) => {
                return Err(failed(Code::Missing, &error));
            }
            Err(error) => return Err(failed(Code::Data, &error)),
        }
        hashes.push(hash::of_file(path).map_err(|error| failed(Code::Io, &error))?);
    }
    Ok((samples, hashes))
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

/// The plan as far as it can be told before questions are written: where it is of all variants, with or without all products.
pub fn foreseen<'a>(
    spec: &RunSpec,
    pages: impl Iterator<Item = &'a Page>,
    given: Option<&[Query]>,
    products: bool,
) -> Plan {
    let pages: Vec<&Page> = pages.collect();
    if !spec.has_all_variants() {
        let ids: Vec<String> = pages.iter().map(|page| page.id.clone()).collect();
        return Plan::new(spec, &ids);
    }
    let mut sources = Sources::default();
    for page in pages {
        let queries: Vec<Query> = match given {
            Some(given) => given
                .iter()
                .filter(|one| one.page == page.id)
                .cloned()
                .collect(),
            None => (0..questions_for(spec, page))
                .map(|n| Query {
                    id: format!("{}/{n}", page.id),
                    page: page.id.clone(),
                    text: page.title.clone(),
                    tone: None,
                    style: None,
                })
                .collect(),
        };
        for query in queries.iter().filter(|_| products) {
            let all = spec.customer.product.values().cloned();
            sources.products.insert(query.id.clone(), all.collect());
        }
        sources.queries.insert(page.id.clone(), queries);
    }
    Plan::all(spec, &sources)
}

/// The pages that get places in the plan, and how many do not: where questions are given, a page without one has nothing to
/// be talked about.
pub fn asked_pages(pages: Vec<Page>, given: Option<&[Query]>) -> (Vec<Page>, usize) {
    let Some(given) = given else {
        return (pages, 0);
    };
    let all = pages.len();
    let asked: BTreeSet<&str> = given.iter().map(|one| one.page.as_str()).collect();
    let pages: Vec<Page> = pages
        .into_iter()
        .filter(|page| asked.contains(page.id.as_str()))
        .collect();
    let without = all - pages.len();
    (pages, without)
}

/// The pages that a recipe names.
pub fn load_pages(spec: &RunSpec) -> Result<Pages, Failure> {
    if !spec.has(Kind::Support) {
        return Ok(Pages::default());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let given = ["c", "a", "c"].map(|id| Query {
            id: "q/0".into(),
            page: id.into(),
            text: "?".into(),
            tone: None,
            style: None,
        });
        let (asked, without) = asked_pages(pages, Some(&given));
        let ids: Vec<_> = asked.iter().map(|page| page.id.as_str()).collect();
        assert_eq!((ids, without), (vec!["a", "c"], 1));
    }
}
