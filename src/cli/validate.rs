//! `colloquy validate`

mod estimate;
mod findings;
mod language;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use estimate::Work;
use findings::{Findings, ModelFigures, ModelTerms, PlanFigures, ViewFigures};

use super::args::ValidateArgs;
use super::failure::{Code, Failure};
use super::generate::CONCURRENCY;
use super::maker::group::group_settings;
use super::maker::{query_settings, support_settings};
use super::talk::grouped;
use super::workshop::largest_groups;
use super::workshop::models::{Models, by_model, cast, read_judge};
use super::workshop::{
    Workshop, asked_pages, foreseen, load_pages, read_settings, thoughts, unasked_note,
};
use crate::knowledge::{Pages, choose_passages, chunks};
use crate::pipeline::{Cast, Members, Sides, Subject, ViewTokens, read_queries};
use crate::prompt::{Pack, PassageVar, Prompts, QueriesVars, Sample, Template};
use crate::record::{Cell, Kind, ModelRole, Page, Query};
use crate::run::{Slot, SupportPlace, Task, VariantCounts};
use crate::settings::{Axis, FirstMessage, RunSpec};

/// Places of the plan that are looked at; a longer plan only repeats its mix.
const PLACES: u64 = 100_000;
/// What the figures call places whose question is left as it is.
const NO_PRODUCT: &str = "no product";
/// Places whose prompts are rendered to be measured, unless there are more pages.
const MEASURED: usize = 64;

pub fn run(args: &ValidateArgs) -> Result<ExitCode, Failure> {
    let (settings, recipe) = read_settings(&args.recipe, None, None)?;
    let spec = settings.spec.clone();
    let Pages { pages, warnings } = load_pages(&spec)?;
    let given = spec
        .queries
        .from
        .as_deref()
        .map(|path| read_queries(path, &pages))
        .transpose()?;
    let (pages, unasked) = asked_pages(pages, given.as_deref());
    // Pages and questions are there; what is still missing is the model.
    let workshop = match Workshop::open(spec.clone()) {
        Ok(workshop) => Ok(workshop),
        Err(failure) if failure.code == Code::Missing => Err(failure.message),
        Err(failure) => return Err(failure),
    };
    let slots = places(&spec, &pages, given.as_deref());
    let variants = variants(&spec, &pages, given.as_deref());
    let mut impossible = Vec::new();
    let mut notes: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    if unasked > 0 {
        notes.push(unasked_note(unasked, pages.len()));
    }
    notes.extend(remarks(&spec, &slots, &pages, given.as_deref()));
    notes.extend(language::unread(&spec));
    let (pack, samples, model) = match &workshop {
        Ok(workshop) => {
            let model = measure(workshop, &slots, &mut impossible, &mut notes)?;
            let prompts = &workshop.cast.of(spec.leading_role()).prompts;
            let judge = judge_prompts(&spec)?;
            let samples = samples(&spec, &workshop.cast, judge.as_deref())?;
            (prompts.pack(), samples, Ok(model))
        }
        Err(reason) => {
            // A model that does not say otherwise gets the full pack.
            let prompts = match &spec.prompts {
                Some(folder) => Prompts::with_overrides(Pack::Full, folder)?,
                None => Prompts::embedded(Pack::Full),
            };
            let mut samples = prompts.samples()?;
            keep_used(&spec, &mut samples);
            (Pack::Full, samples, Err(reason.clone()))
        }
    };
    let mut workshop = workshop;
    let estimate = match (args.estimate, &mut workshop) {
        (None, _) => None,
        (Some(_), Err(reason)) => {
            return Err(Failure::new(Code::Missing, format!("--estimate: {reason}"))
                .hint("an estimate needs the model; leave out --estimate to check the rest"));
        }
        // What can never be made is told instead.
        (Some(_), Ok(_)) if !impossible.is_empty() => None,
        (Some(time), Ok(workshop)) => {
            // Of all variants, those that are known before products are.
            let count = foreseen(&spec, pages.iter(), given.as_deref(), false).length(spec.count);
            Some(estimate::estimate(
                workshop,
                time,
                work(&spec, &slots, count),
            )?)
        }
    };
    let findings = Findings {
        recipe: recipe.label.display().to_string(),
        pages: pages.len(),
        plan: PlanFigures {
            variants,
            ..figures(&spec, &slots, &pages)
        },
        settings,
        pack,
        samples,
        model,
        impossible,
        notes,
        estimate,
    };
    let output = if args.json {
        format!("{}\n", findings.to_json())
    } else {
        findings.to_text()
    };
    super::print(&output)?;
    match findings.impossible.len() {
        0 => Ok(ExitCode::SUCCESS),
        n => Err(Failure::new(
            Code::Recipe,
            format!(
                "{}: {n} thing{} can never be made: {}",
                findings.recipe,
                if n == 1 { "" } else { "s" },
                findings.impossible[0]
            ),
        )
        .hint("change the keys that are named, or leave those pages out with pages.exclude")),
    }
}

/// What a run has work for; what the plan shows stands for all of it.
#[expect(clippy::cast_precision_loss, reason = "places are far fewer than 2⁵³")]
fn work(spec: &RunSpec, slots: &[Slot], places: u64) -> Work {
    let mut pages: Vec<&str> = slots
        .iter()
        .filter_map(|slot| Some(slot.support()?.cell.page.as_str()))
        .collect();
    pages.sort_unstable();
    pages.dedup();
    let shown = (slots.len() as f64).max(1.0);
    let support = slots.iter().filter_map(Slot::support).count() as f64 / shown;
    let count = places as f64;
    let talk = &spec.conversation;
    Work {
        places: BTreeMap::from([
            (Kind::Support, support * count),
            (Kind::Group, (1.0 - support) * count),
        ]),
        turns: BTreeMap::from([
            (Kind::Support, (talk.min_turns, talk.max_turns)),
            (Kind::Group, (spec.group.min_turns, spec.group.max_turns)),
        ]),
        pages: match spec.queries.from {
            Some(_) => 0,
            None => pages.len() as u64,
        },
        experiences: match spec.experiences.from {
            Some(_) => 0.0,
            None => (1.0 - support) * count,
        },
        max_attempts: spec.max_attempts,
        live: spec
            .engine
            .concurrency
            .or(CONCURRENCY)
            .clamp(1, places.max(1)),
    }
}

fn places(spec: &RunSpec, pages: &[Page], given: Option<&[Query]>) -> Vec<Slot> {
    foreseen(spec, pages.iter(), given, false).slots(spec.count.min(PLACES))
}

fn figures(spec: &RunSpec, slots: &[Slot], pages: &[Page]) -> PlanFigures {
    let names = |axis: Axis| -> Vec<String> {
        match axis {
            Axis::Page => pages.iter().map(|page| page.id.clone()).collect(),
            Axis::Tone => spec
                .customer
                .tone
                .values()
                .map(ToString::to_string)
                .collect(),
            Axis::Style => spec
                .customer
                .style
                .values()
                .map(ToString::to_string)
                .collect(),
            Axis::Product => spec.customer.product.values().cloned().collect(),
            Axis::Outcome => spec
                .plan
                .outcome
                .values()
                .map(ToString::to_string)
                .collect(),
            Axis::Cooperation => spec
                .customer
                .cooperation
                .values()
                .map(ToString::to_string)
                .collect(),
        }
    };
    let value = |axis: Axis, cell: &Cell| match axis {
        Axis::Page => cell.page.clone(),
        Axis::Tone => cell.tone.to_string(),
        Axis::Style => cell.style.to_string(),
        Axis::Product => cell
            .product
            .clone()
            .unwrap_or_else(|| NO_PRODUCT.to_owned()),
        Axis::Outcome => cell.outcome.to_string(),
        Axis::Cooperation => cell.cooperation.to_string(),
    };
    let marginal = |axis: Axis| {
        let mut counts: BTreeMap<String, u64> =
            names(axis).into_iter().map(|name| (name, 0)).collect();
        for place in slots.iter().filter_map(Slot::support) {
            *counts.entry(value(axis, &place.cell)).or_default() += 1;
        }
        (axis, counts)
    };
    PlanFigures {
        places: slots.len() as u64,
        variants: None,
        marginals: if spec.has(Kind::Support) {
            Axis::ALL.iter().copied().map(marginal).collect()
        } else {
            Vec::new()
        },
        causes: count(slots, |slot| {
            let cause = slot.support()?.cell.cause?;
            Some(cause.to_string())
        }),
        kinds: count(slots, |slot| match &slot.task {
            Task::Support(_) => Some("support".to_owned()),
            Task::Group(_) => Some("group".to_owned()),
        }),
        group_sizes: count(slots, |slot| match &slot.task {
            Task::Support(_) => None,
            Task::Group(place) => Some(place.participants.to_string()),
        }),
    }
}

/// How the places of a plan of all variants come about: with no product at all, and with every product.
fn variants(spec: &RunSpec, pages: &[Page], given: Option<&[Query]>) -> Option<[VariantCounts; 2]> {
    let of = |products| foreseen(spec, pages.iter(), given, products).variants();
    Some([of(false)?, of(true)?])
}

fn count(slots: &[Slot], value: impl Fn(&Slot) -> Option<String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for value in slots.iter().filter_map(value) {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

fn remarks(spec: &RunSpec, slots: &[Slot], pages: &[Page], given: Option<&[Query]>) -> Vec<String> {
    let mut notes = Vec::new();
    let typos = spec
        .customer
        .style
        .values()
        .any(|style| style.name() == "typos");
    if spec.has(Kind::Support) && typos && spec.customer.typos_per_turn == 0 {
        notes.push(
            "customer.typos_per_turn is 0, so customers of the style typos make no typing mistakes"
                .into(),
        );
    }
    let holds = spec.has(Kind::Support) && spec.customer.hold_style;
    if holds && spec.language != "en" {
        notes.push(format!(
            "customer.hold_style knows English only and does nothing with language = {:?}",
            spec.language
        ));
    }
    if spec.has(Kind::Support) {
        let own = given.iter().flat_map(|given| given.iter());
        let own = own.filter(|query| query.tone.is_some() || query.style.is_some());
        match own.count() {
            0 => {}
            1 => notes.push(
                "1 question says its own tone or style; its conversations are in it, whatever the plan's shares".into(),
            ),
            n => notes.push(format!(
                "{n} questions say their own tone or style; their conversations are in it, whatever the plan's shares"
            )),
        }
    }
    let asked = slots.iter().filter_map(Slot::support).count();
    if asked < pages.len() {
        notes.push(format!(
            "count is {}, so {} of the {} pages get no conversation",
            spec.count,
            pages.len() - asked,
            pages.len()
        ));
    }
    if spec.count > PLACES && slots.len() as u64 == PLACES {
        notes.push(format!(
            "the plan is shown for its first {} places",
            grouped(PLACES)
        ));
    }
    notes
}

/// Renders the prompts of some places and counts their tokens.
fn measure(
    workshop: &Workshop,
    slots: &[Slot],
    impossible: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<ModelFigures, Failure> {
    let (spec, cast) = (&workshop.spec, &workshop.cast);
    let settings = support_settings(spec, cast);
    let context = |view: &ViewTokens| cast.model(view.reader).context_tokens();
    let count = |text: &str| cast.agent.model.count_tokens(text);
    let mut longest: Vec<ViewTokens> = Vec::new();
    let mut tight = Vec::new();
    let measured = slots.iter().take(workshop.pages.len().max(MEASURED));
    for SupportPlace { cell, case, .. } in measured.filter_map(Slot::support) {
        let Some(page) = workshop.pages.get(&cell.page) else {
            continue;
        };
        let mut given = workshop.given.iter().flatten();
        let query = given
            .find(|query| query.page == page.id)
            .map_or(page.title.as_str(), |query| query.text.as_str());
        let passages = choose_passages(page, query, settings.passage_tokens, count);
        let subject = Subject {
            page,
            passages: &passages,
            query,
            second: (spec.customer.second_question > 0.0).then_some(query),
            cell,
            case,
        };
        let sides = Sides::render(cast, &settings, subject)?;
        for here in sides.views(&settings, cast, cell.style) {
            if here.fixed + here.exchange > context(&here) {
                let place = (page.id.clone(), here.reader, context(&here));
                if !tight.contains(&place) {
                    tight.push(place);
                }
            }
            match longest.iter_mut().find(|view| view.reader == here.reader) {
                None => longest.push(here),
                Some(view) => {
                    view.fixed = view.fixed.max(here.fixed);
                    view.exchange = view.exchange.max(here.exchange);
                    view.worst = view.worst.max(here.worst);
                }
            }
        }
    }
    for (page, of) in tight_pages(&tight) {
        impossible.push(format!("conversations of page {page}: its prompt and one exchange of full length exceed the context of {of} tokens; lower conversation.passage_tokens, thinking or the word limits"));
    }
    if spec.has(Kind::Group) {
        let settings = group_settings(spec, cast);
        for experience in &largest_groups(workshop) {
            for here in Members::render(cast, &settings, experience)?.views(&settings, cast)? {
                if here.fixed + here.exchange > context(&here) {
                    impossible.push(format!(
                        "group chats of {}: the prompt and one turn of full length exceed the context of {} tokens; lower group.words, or have fewer experiences.participants",
                        experience.participants.len(),
                        context(&here)
                    ));
                }
                match longest.iter_mut().find(|view| view.reader == here.reader) {
                    Some(view) if view.worst >= here.worst => {}
                    Some(view) => *view = here,
                    None => longest.push(here),
                }
            }
        }
    }
    let outgrown = longest.iter().find(|view| view.worst > context(view));
    if let (Some(view), true) = (outgrown, tight.is_empty()) {
        notes.push(format!(
            "at full length, conversations outgrow the context of {} tokens; those that do are turned down and made again",
            grouped(context(view) as u64)
        ));
    }
    notes.extend(thoughts::unread(spec, &workshop.models));
    let seating = workshop.seating()?;
    seating.try_out()?;
    if let Err(failure) = seating.room() {
        impossible.push(format!(
            "any conversation: {}; raise engine.memory",
            failure.message
        ));
    }
    notes.extend(seating.turns());
    let settings_turns = (settings.max_turns, spec.group.max_turns as usize);
    let mut views: Vec<ViewFigures> = longest
        .iter()
        .map(|view| ViewFigures {
            name: view.reader.name(),
            model: cast.model(view.reader).identity().reference.clone(),
            fixed: view.fixed,
            worst: Some(view.worst),
            turns: Some(turns_that_fit(view, context(view))),
            of: match view.reader {
                ModelRole::Member | ModelRole::Manager => settings_turns.1,
                _ => settings_turns.0,
            },
        })
        .collect();
    if workshop.given.is_none() && spec.has(Kind::Support) {
        views.push(questions(workshop)?);
    }
    let models = by_model(&workshop.models);
    let told = models.iter().map(|(held, model)| ModelTerms {
        reference: model.identity().reference.clone(),
        roles: held.clone(),
        licence: model.identity().licence.clone(),
        context: model.context_tokens(),
    });
    Ok(ModelFigures {
        demo: workshop.manifest.is_demo(),
        models: told.collect(),
        views,
    })
}

/// Turns of full length that a context holds.
fn turns_that_fit(view: &ViewTokens, context: usize) -> usize {
    let rounds = context.saturating_sub(view.fixed) / view.exchange.max(1);
    match view.reader {
        ModelRole::Member | ModelRole::Manager => rounds,
        _ => rounds * 2,
    }
}

/// Pages with the smallest context that is too small for them.
fn tight_pages(tight: &[(String, ModelRole, usize)]) -> BTreeMap<&str, usize> {
    let mut pages: BTreeMap<&str, usize> = BTreeMap::new();
    for (page, _, context) in tight {
        let held = pages.entry(page).or_insert(*context);
        *held = (*held).min(*context);
    }
    pages
}

/// Each prompt that is used, from the pack of who gets it.
fn samples(spec: &RunSpec, cast: &Cast, judge: Option<&Prompts>) -> Result<Vec<Sample>, Failure> {
    let own = &cast.of(spec.leading_role()).prompts;
    let mut samples = own.samples()?;
    keep_used(spec, &mut samples);
    for sample in &mut samples {
        let reader = match (reader(sample.template), judge) {
            (ModelRole::Judge, Some(judge)) => judge,
            (reader, _) => &cast.of(reader).prompts,
        };
        if reader.pack() != own.pack() {
            let other = reader.samples()?;
            let same = other.into_iter().find(|s| s.template == sample.template);
            *sample = same.expect("every pack has every template");
        }
    }
    Ok(samples)
}

/// The prompts that suit the judge, where there is one.
fn judge_prompts(spec: &RunSpec) -> Result<Option<Arc<Prompts>>, Failure> {
    let Some(model) = read_judge(spec)? else {
        return Ok(None);
    };
    let models = Models::from([(ModelRole::Judge, model)]);
    let cast = cast(&models, spec.prompts.as_deref())?;
    Ok(Some(Arc::clone(&cast.of(ModelRole::Judge).prompts)))
}

/// Who reads what a template makes.
fn reader(template: Template) -> ModelRole {
    match template {
        Template::Agent | Template::Steer => ModelRole::Agent,
        Template::Customer
        | Template::Second
        | Template::RewriteSystem
        | Template::Rewrite
        | Template::ProductFit => ModelRole::Customer,
        Template::Status => ModelRole::Status,
        Template::QueriesSystem | Template::Queries => ModelRole::Queries,
        Template::ExperiencesSystem | Template::Experiences => ModelRole::Experiences,
        Template::Member | Template::Opening => ModelRole::Member,
        Template::Describe | Template::NextSpeaker => ModelRole::Manager,
        Template::JudgeSystem
        | Template::JudgeTranscript
        | Template::JudgeQuestion
        | Template::JudgeHarm => ModelRole::Judge,
    }
}

/// Leaves out templates that a recipe has no work for.
fn keep_used(spec: &RunSpec, samples: &mut Vec<Sample>) {
    let roles: Vec<ModelRole> = spec.roles().collect();
    samples.retain(|sample| {
        let used = match sample.template {
            Template::Second => spec.customer.second_question > 0.0,
            Template::Steer => spec.conversation.is_steered(),
            Template::ProductFit if spec.has_all_variants() => true,
            Template::RewriteSystem | Template::Rewrite | Template::ProductFit => {
                spec.customer.first_message == FirstMessage::Query
            }
            _ => true,
        };
        let reader = reader(sample.template);
        let judges = reader == ModelRole::Judge && spec.judge().is_some();
        used && (judges || roles.contains(&reader))
    });
}

/// The longest prompt for writing questions.
fn questions(workshop: &Workshop) -> Result<ViewFigures, Failure> {
    let (spec, player) = (&workshop.spec, &workshop.cast.queries);
    let model = &player.model;
    let settings = query_settings(spec, &workshop.cast);
    let mut longest = 0;
    for page in workshop.pages.values() {
        for part in chunks(page, settings.passage_tokens, |text| {
            model.count_tokens(text)
        }) {
            let (system, user) = player.prompts.queries(&QueriesVars {
                brand: &settings.brand,
                language: &settings.language,
                title: &page.title,
                passages: PassageVar::of(page, &part),
                n: spec.queries.per_long_page as usize,
            })?;
            longest = longest.max(model.count_tokens(&system) + model.count_tokens(&user));
        }
    }
    Ok(ViewFigures {
        name: "questions",
        model: model.identity().reference.clone(),
        fixed: longest + model.thought_room(settings.thinking),
        worst: None,
        turns: None,
        of: 0,
    })
}
