//! Where models run: all together, or stage by stage where memory does not hold them all.

use std::sync::Arc;

use super::memory;
use super::models::{by_model, load_options, roles};
use super::{Workshop, foreseen};
use crate::cli::failure::{Code, Failure, allow};
use crate::cli::maker::group::group_settings;
use crate::cli::maker::{query_settings, questions_for, support_settings};
use crate::cli::talk::grouped;
use crate::engine::{
    ChatModel, Demand, EngineStats, LoadOptions, LocalModel, POOL_TOKENS, split, start_together,
};
use crate::knowledge::choose_passages;
use crate::model::ModelError;
use crate::pipeline::{Members, Sides, Subject, ViewTokens, query_tokens};
use crate::record::{Experience, Individual, Kind, ModelRole};
use crate::run::SupportPlace;
use crate::settings::Stage;

/// Places of the plan that are looked at.
const MEASURED: u64 = 64;

/// How a run's models are loaded.
#[derive(Clone)]
pub struct Seating {
    phases: Vec<Phase>,
    /// The longest views of a conversation.
    views: Vec<ViewTokens>,
    options: Option<LoadOptions>,
}

/// Models that run beside each other, and the stage that they work on where models take turns.
type Phase = (Option<Stage>, Vec<Seat>);

/// A model's place in a phase.
#[derive(Clone)]
struct Seat {
    model: Arc<LocalModel>,
    roles: Vec<ModelRole>,
    demand: Demand,
    /// Tokens of its page pool; decided when it is loaded where it is alone.
    pool_tokens: Option<usize>,
}

impl Seating {
    /// Measures what the models need and finds a way to run them.
    pub fn of(workshop: &Workshop) -> Result<Self, Failure> {
        let views = longest_views(workshop)?;
        let call = longest_call(workshop)?;
        let seats = seats(workshop, &views, call);
        let Some(first) = seats.first() else {
            return Ok(Self {
                phases: Vec::new(),
                views,
                options: None,
            });
        };
        let choice = workshop.spec.model_of(first.roles[0]);
        let options = load_options(&choice, &workshop.spec.engine)?;
        let phases = if seats.len() == 1 {
            vec![(None, seats)]
        } else {
            phases(workshop, &seats, &options)?
        };
        Ok(Self {
            phases,
            views,
            options: Some(options),
        })
    }

    /// Whether the models take turns.
    pub fn in_phases(&self) -> bool {
        self.phases.len() > 1
    }

    /// Loads what runs from the beginning to the end; nothing yet where models take turns.
    pub fn start(&self) -> Result<(), Failure> {
        match &self.phases[..] {
            [(_, seats)] => Ok(self.load(seats)?),
            _ => Ok(()),
        }
    }

    /// Loads the models of a stage and no others.
    pub fn begin(&self, stage: Stage) -> Result<(), ModelError> {
        for (_, seats) in &self.phases {
            for seat in seats {
                seat.model.unload();
            }
        }
        for (of, seats) in &self.phases {
            if *of == Some(stage) {
                self.load(seats)?;
            }
        }
        Ok(())
    }

    /// Loads everything once, to see whether it can be.
    pub fn try_out(&self) -> Result<(), Failure> {
        if self.in_phases() {
            for stage in self.phases.iter().filter_map(|(stage, _)| *stage) {
                self.begin(stage)?;
            }
            return Ok(());
        }
        self.start()
    }

    fn load(&self, seats: &[Seat]) -> Result<(), ModelError> {
        let pools: Option<Vec<(&LocalModel, usize)>> = seats
            .iter()
            .map(|seat| Some((seat.model.as_ref(), seat.pool_tokens?)))
            .collect();
        match (pools, seats, &self.options) {
            (Some(pools), _, _) => start_together(&pools),
            (None, [seat], Some(options)) => seat.model.load_alone(options),
            _ => unreachable!("several models have pools"),
        }
    }

    /// What is said at the start where models take turns.
    pub fn turns(&self) -> Option<String> {
        if !self.in_phases() {
            return None;
        }
        let phases: Vec<String> = self
            .phases
            .iter()
            .filter_map(|(stage, seats)| Some((*stage)?.name().to_owned() + " by " + &names(seats)))
            .collect();
        Some(format!(
            "models do not fit together: phases {}",
            phases.join(", then ")
        ))
    }

    /// What each of several models did, for people.
    pub fn usage(&self) -> Vec<String> {
        let seats: Vec<&Seat> = self.phases.iter().flat_map(|(_, seats)| seats).collect();
        if seats.len() < 2 {
            return Vec::new();
        }
        let used = |seat: &&Seat| {
            let stats = seat.model.stats();
            let [new, prompt, reused, ns] = [
                &stats.new_tokens,
                &stats.prompt_tokens,
                &stats.reused_tokens,
                &stats.step_ns,
            ]
            .map(EngineStats::get);
            let rate = new * 1_000_000_000 / ns.max(1);
            (ns > 0).then(|| {
                format!(
                    "{} ({}): {} tokens written, {} a second of its own time; {} read, {} % of them from the cache",
                    seat.model.identity().reference,
                    roles(&seat.roles),
                    grouped(new),
                    grouped(rate),
                    grouped(prompt),
                    100 * reused / prompt.max(1)
                )
            })
        };
        seats.iter().filter_map(used).collect()
    }

    /// The longest views of a conversation, by who reads them.
    pub fn views(&self) -> &[ViewTokens] {
        &self.views
    }

    /// The models that conversations need, with the tokens of their page pools.
    fn speakers(&self) -> impl Iterator<Item = (&Seat, usize)> {
        let last = self.phases.last();
        let seats = last.map_or(&[][..], |(_, seats)| seats.as_slice());
        let tokens = |seat: &Seat| seat.pool_tokens.unwrap_or_else(|| seat.model.pool_tokens());
        seats.iter().map(move |seat| (seat, tokens(seat)))
    }

    /// Tokens of cache of each model that conversations need.
    pub fn pools(&self) -> Vec<usize> {
        self.speakers().map(|(_, tokens)| tokens).collect()
    }

    /// Bytes of weights, and of keys and values with all pools full, of the stage that takes most; none where nothing takes
    /// memory. What runs alone must be loaded.
    pub fn full_bytes(&self) -> Option<u64> {
        let of = |(_, seats): &Phase| -> u64 {
            let bytes = |seat: &Seat| {
                let tokens = seat.pool_tokens.unwrap_or_else(|| seat.model.pool_tokens());
                seat.demand.weight_bytes + tokens as u64 * seat.demand.token_bytes
            };
            seats.iter().map(bytes).sum()
        };
        self.phases.iter().map(of).max()
    }

    /// How many conversations fit at once, at least one; none where nothing takes memory. What runs alone must be loaded.
    pub fn room(&self) -> Result<Option<usize>, Failure> {
        let mut least = None;
        for (seat, pool) in self.speakers() {
            let views = self.views_of(&seat.roles);
            if views.is_empty() {
                continue;
            }
            let room = seat.model.room_in(pool, &views);
            if room == 0 {
                return Err(cramped(&seat.model, pool, &views));
            }
            least = Some(least.map_or(room, |least: usize| least.min(room)));
        }
        Ok(least)
    }

    fn views_of(&self, roles: &[ModelRole]) -> Vec<usize> {
        views_of(&self.views, roles)
    }
}

fn views_of(views: &[ViewTokens], roles: &[ModelRole]) -> Vec<usize> {
    let of = views.iter().filter(|view| roles.contains(&view.reader));
    of.map(|view| view.worst).collect()
}

/// Every engine that there is to be, with what it needs.
fn seats(workshop: &Workshop, views: &[ViewTokens], call: usize) -> Vec<Seat> {
    let mut seats: Vec<(Arc<LocalModel>, Vec<ModelRole>)> = Vec::new();
    for (roles, model) in by_model(&workshop.models) {
        let ChatModel::Local(model) = model else {
            continue;
        };
        match seats.iter_mut().find(|(other, _)| other.is(model)) {
            Some((_, held)) => held.extend(roles),
            None => seats.push((Arc::clone(model), roles)),
        }
    }
    for (seat, _) in &mut seats {
        // The template may put more around a view in one role than in another.
        for model in workshop.models.values() {
            if let ChatModel::Local(model) = model
                && model.is(seat)
                && model.frame_tokens() > seat.frame_tokens()
            {
                *seat = Arc::clone(model);
            }
        }
    }
    let seat = |(model, roles): (Arc<LocalModel>, Vec<ModelRole>)| {
        let asks = roles.contains(&ModelRole::Queries).then_some(call);
        // A call for experiences takes what the context has.
        let writes = roles
            .contains(&ModelRole::Experiences)
            .then(|| model.context_tokens());
        let calls = asks.max(writes);
        Seat {
            demand: model.demand(&views_of(views, &roles), calls.as_slice()),
            model,
            roles,
            pool_tokens: None,
        }
    };
    seats.into_iter().map(seat).collect()
}

/// Together where memory holds all, else stage by stage.
fn phases(
    workshop: &Workshop,
    seats: &[Seat],
    options: &LoadOptions,
) -> Result<Vec<Phase>, Failure> {
    let budget = options.budget()?;
    if let Some(seats) = seated(seats, budget) {
        return Ok(vec![(None, seats)]);
    }
    let of = |stage: Stage| -> Vec<Seat> {
        let needed = workshop.spec.roles_of(stage);
        let mut seats = seats.to_vec();
        seats.retain_mut(|seat| {
            seat.roles.retain(|role| needed.contains(role));
            !seat.roles.is_empty()
        });
        seats
    };
    let mut phases = Vec::new();
    let mut short: Vec<(Stage, Vec<Seat>)> = Vec::new();
    for &stage in Stage::ALL {
        let seats = of(stage);
        match seated(&seats, budget) {
            _ if seats.is_empty() => {}
            Some(seats) => phases.push((Some(stage), seats)),
            None => short.push((stage, seats)),
        }
    }
    // What is enough for the stage that lacks most is enough for all.
    match short.into_iter().max_by_key(|(_, seats)| least(seats)) {
        Some((stage, seats)) => Err(shortage(stage, &seats, budget, options)),
        None => Ok(phases),
    }
}

/// Bytes without which models cannot run beside each other.
fn least(seats: &[Seat]) -> u64 {
    seats.iter().map(|seat| seat.demand.least_bytes()).sum()
}

/// The seats with their pools, where they fit.
fn seated(seats: &[Seat], budget: u64) -> Option<Vec<Seat>> {
    let demands: Vec<Demand> = seats.iter().map(|seat| seat.demand).collect();
    let pools = split(budget, &demands)?;
    let with_pool = |(seat, pool): (&Seat, usize)| Seat {
        pool_tokens: Some(pool),
        ..seat.clone()
    };
    Some(seats.iter().zip(pools).map(with_pool).collect())
}

fn names(seats: &[Seat]) -> String {
    let names: Vec<&str> = seats
        .iter()
        .map(|seat| seat.model.identity().reference.as_str())
        .collect();
    names.join(" and ")
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// A stage needs more than there is.
fn shortage(stage: Stage, seats: &[Seat], budget: u64, options: &LoadOptions) -> Failure {
    let each: Vec<String> = seats
        .iter()
        .map(|seat| {
            let weights = seat.demand.weight_bytes;
            format!(
                "{} ({}) {} MB of weights and {} MB for keys and values",
                seat.model.identity().reference,
                roles(&seat.roles),
                megabytes(weights),
                megabytes(seat.demand.least_bytes() - weights)
            )
        })
        .collect();
    let needed = megabytes(least(seats));
    let allowable = options.allowable() / 1_000_000;
    let hint = if needed <= allowable {
        format!("{} is enough for one conversation at a time", allow(needed))
    } else {
        format!(
            "this machine can give {allowable} MB; choose smaller models, or load them with quant = \"q8_0\" in [models.<role>]"
        )
    };
    let what = match seats {
        [_] => format!("the model of the {stage} does not fit"),
        _ => format!("the models of the {stage} do not fit together"),
    };
    let text = format!(
        "{what} in the {} MB of memory allowed: {}",
        megabytes(budget),
        each.join(", ")
    );
    Failure::new(Code::Usage, text).hint(hint)
}

/// A model's pool is too small for a conversation.
fn cramped(model: &LocalModel, pool_tokens: usize, views: &[usize]) -> Failure {
    let tokens = model.pool_for(views);
    let needed = megabytes(model.memory_for(views) as u64);
    let shorter = "lower conversation.max_turns, or choose a smaller model";
    let hint = if tokens <= POOL_TOKENS && needed <= memory::available() / 10 * 9 / 1_000_000 {
        format!(
            "{} is enough for one at a time; or {shorter}",
            allow(needed)
        )
    } else {
        shorter.to_owned()
    };
    Failure::new(
        Code::Usage,
        format!(
            "a conversation needs {} tokens of cache at its longest, and there is room for {}",
            grouped(tokens as u64),
            grouped(pool_tokens as u64)
        ),
    )
    .hint(hint)
}

/// The longest views that a recipe's conversations reserve.
fn longest_views(workshop: &Workshop) -> Result<Vec<ViewTokens>, Failure> {
    let (spec, cast) = (&workshop.spec, &workshop.cast);
    let settings = support_settings(spec, cast);
    let ids: Vec<String> = workshop.pages.keys().cloned().collect();
    // The views of one conversation at its longest: a group holds one for each member, so they are kept apart.
    let mut longest: Vec<ViewTokens> = Vec::new();
    let mut keep = |views: Vec<ViewTokens>| {
        let mut held = vec![false; longest.len()];
        for mut view in views {
            view.worst = view.worst.min(cast.model(view.reader).context_tokens());
            let place = longest
                .iter()
                .zip(&held)
                .position(|(other, held)| other.reader == view.reader && !held);
            if let Some(place) = place {
                held[place] = true;
                longest[place].worst = longest[place].worst.max(view.worst);
            } else {
                held.push(true);
                longest.push(view);
            }
        }
    };
    if spec.has(Kind::Group) {
        let settings = group_settings(spec, cast);
        for experience in &largest_groups(workshop) {
            keep(Members::render(cast, &settings, experience)?.views(&settings, cast)?);
        }
    }
    if ids.is_empty() {
        return Ok(longest);
    }
    let pages = workshop.pages.values().map(AsRef::as_ref);
    let places = foreseen(spec, pages, workshop.given.as_deref(), false).slots(MEASURED);
    for SupportPlace { cell, case, .. } in places.iter().filter_map(|slot| slot.support()) {
        let page = &workshop.pages[&cell.page];
        let count = |text: &str| cast.agent.model.count_tokens(text);
        let passages = choose_passages(page, &page.title, settings.passage_tokens, count);
        let subject = Subject {
            page,
            passages: &passages,
            query: &page.title,
            second: (spec.customer.second_question > 0.0).then_some(&page.title),
            cell,
            case,
        };
        let sides = Sides::render(cast, &settings, subject)?;
        keep(sides.views(&settings, cast, cell.style));
    }
    Ok(longest)
}

/// Groups as large as they come: the given ones, or people at their longest.
pub fn largest_groups(workshop: &Workshop) -> Vec<Experience> {
    let given = workshop
        .groups
        .as_ref()
        .and_then(|groups| groups.given.as_ref());
    if let Some(given) = given {
        let all = given.iter().take(usize::try_from(MEASURED).unwrap_or(1));
        return all
            .map(|experience| Experience::clone(experience))
            .collect();
    }
    let words = |letters: usize| "people talk ".repeat(letters / 12);
    let person = |place: usize| Individual {
        name: format!("Bartholomew {place}"),
        nationality: Some(words(24)),
        age: Some(99),
        qualities: vec![words(24); 5],
        speech_style: Some(words(60)),
        work: Some(words(48)),
        hobbies: vec![words(24); 3],
        memory: Some(words(160)),
        persona: None,
    };
    let sizes = workshop.spec.experiences.participants.values();
    let people = sizes.map(|size| size.0).max().unwrap_or(2);
    vec![Experience {
        participants: (0..people).map(person).collect(),
        relations: words(200),
        situation: words(240),
        topic: words(60),
        starter: words(120),
        ..Experience::default()
    }]
}

/// The longest call for questions, prompt and reply; nothing where none are made.
fn longest_call(workshop: &Workshop) -> Result<usize, Failure> {
    if workshop.given.is_some() {
        return Ok(0);
    }
    let (spec, cast) = (&workshop.spec, &workshop.cast);
    let settings = query_settings(spec, cast);
    let mut longest = 0;
    for page in workshop.pages.values() {
        let count = questions_for(spec, page);
        longest = longest.max(query_tokens(&cast.queries, &settings, page, count)?);
    }
    Ok(longest)
}
