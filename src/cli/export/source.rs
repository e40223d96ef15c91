//! Where an export's rows come from: a run with what was asked of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter;
use std::path::Path;

use super::shape;
use crate::cli::args::ExportArgs;
use crate::cli::failure::{Code, Failure};
use crate::cli::show;
use crate::cli::talk::grouped;
use crate::export::{
    ConditionError, EmptyPlace, Facts, Format, Item, MadeBy, ModelLine, MoreColumns, Perspective,
    Row, Shape, Sieve, Stamp, SystemDepth, SystemRule, Where,
};
use crate::hash;
use crate::pipeline::RoundResult;
use crate::record::{
    Choice, Dialogue, Experience, Judgements, Kind, Marks, ModelRole, Page, Provenance, Sample,
};
use crate::run::{Replay, RunDir, RunError, RunState, Task};

/// A run that is exported.
pub struct Source {
    /// The name of its folder.
    pub name: String,
    dir: RunDir,
    replay: Replay,
    provenance: Provenance,
    shape: Shape,
    /// Whether places without a conversation count.
    with_empty: bool,
    /// What lets conversations through.
    sieve: RefCell<Sieve>,
    /// Whether rows say how conversations were judged.
    with_verdicts: bool,
    /// What readers made of the conversations.
    marks: Marks,
    judgements: Option<Judgements>,
}

pub type Items<'a> = Box<dyn Iterator<Item = Result<Item, RunError>> + 'a>;

impl Source {
    /// Opens a run, and refuses what it has nothing of.
    pub fn open(path: &Path, args: &ExportArgs) -> Result<Self, Failure> {
        let dir = RunDir::open(path)?;
        check_kinds(&dir, args)?;
        let replay = dir.replay()?;
        let mut shape = shape::shape(args, system(&dir, args)?);
        if let Shape::Messages(rules) | Shape::ShareGpt(rules) = &mut shape {
            if let Perspective::Of(name) = &rules.perspective {
                check_name(&dir, &replay, name)?;
            }
            rules.links = args.links.then(|| show::pages(&dir));
        }
        let judgements = match args.r#where.as_deref() {
            Some(text) if text.contains("judge.") => dir.judgements()?,
            _ => None,
        };
        let conditions = conditions(args, &dir, &replay, judgements.as_ref())?;
        let named = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = named.file_name().unwrap_or_default();
        let source = Self {
            name: name.to_string_lossy().into_owned(),
            provenance: dir.provenance(),
            shape,
            with_empty: args.with_rejected,
            with_verdicts: conditions.takes_rejected(),
            sieve: RefCell::new(Sieve::new(conditions)),
            marks: dir.marks()?,
            judgements,
            dir,
            replay,
        };
        if args.r#where.is_some() {
            source.check_some()?;
        }
        Ok(source)
    }

    /// Refuses conditions that no conversation fits.
    fn check_some(&self) -> Result<(), Failure> {
        if self.items()?.next().is_some() {
            return Ok(());
        }
        let Some((conditions, instead)) = self.sieve.borrow().why_none() else {
            return Ok(());
        };
        Err(Failure::new(
            Code::Data,
            format!(
                "--where: no conversation of {} fits {conditions}",
                self.dir.path().display()
            ),
        )
        .hint(instead))
    }

    /// What its rows hold.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Whether the run has conversations of a kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.dir.manifest().spec.has(kind)
    }

    /// Whether rows say how conversations were judged.
    pub fn with_verdicts(&self) -> bool {
        self.with_verdicts
    }

    /// The rows of an item; they say which run they are of where there are several.
    pub fn rows(&self, item: &Item, several: bool) -> Vec<Row> {
        let mut rows = self.shape.rows(item, &self.provenance);
        let stamp = Stamp {
            run: several.then_some(self.name.as_str()),
            split: None,
            verdict: match item {
                Item::Dialogue(dialogue) if self.with_verdicts => Some(dialogue.verdict()),
                _ => None,
            },
        };
        for row in &mut rows {
            stamp.put(row, self.shape.format());
        }
        rows
    }

    /// The records, in plan order.
    pub fn items(&self) -> Result<Items<'_>, RunError> {
        if self.shape == Shape::Experiences {
            let experiences = experiences(&self.dir, &self.replay)?;
            return Ok(Box::new(
                experiences
                    .into_values()
                    .map(|one| Ok(Item::Experience(one))),
            ));
        }
        let rejected = self.sieve.borrow().takes_rejected();
        let finished = self.dir.finished(&self.replay, rejected)?;
        let mut kept = finished
            .filter(|one| one.as_ref().map_or(true, |dialogue| self.takes(dialogue)))
            .peekable();
        if !self.with_empty {
            return Ok(Box::new(kept.map(|one| one.map(Item::from))));
        }
        let mut empty = self.empty();
        Ok(Box::new(iter::from_fn(move || {
            let next = match kept.peek() {
                Some(Ok(dialogue)) => dialogue.place().0,
                Some(Err(_)) => 0,
                None => u64::MAX,
            };
            match empty.front() {
                Some(place) if place.slot < next => {
                    empty.pop_front().map(|place| Ok(Item::Empty(place)))
                }
                _ => kept.next().map(|one| one.map(Item::from)),
            }
        })))
    }

    fn takes(&self, dialogue: &Dialogue) -> bool {
        let sample = Sample::of(dialogue);
        let mark = self.marks.get(&sample.id);
        self.sieve.borrow_mut().takes(&Facts {
            sample: &sample,
            demo: self.dir.manifest().is_demo(),
            review: mark.and_then(|mark| mark.mark).map(Choice::name),
            judged: self.judgements.as_ref().and_then(|all| all.of(&sample.id)),
        })
    }

    /// Places of support conversations that stayed empty, among those that are exported.
    fn empty(&self) -> VecDeque<EmptyPlace> {
        let status = self.dir.status(&self.replay);
        let prefix = status.finished_prefix;
        let places = status.shortfalls.into_iter();
        places
            .filter(|place| place.slot < prefix)
            .filter_map(|place| match place.task {
                Task::Support(task) => Some(EmptyPlace {
                    slot: place.slot,
                    cell: task.cell,
                    reason: place.reasons.join(", "),
                }),
                Task::Group(_) => None,
            })
            .collect()
    }

    /// Says what the rows are.
    pub fn notes(&self, several: bool) {
        let status = self.dir.status(&self.replay);
        let of_run = if several {
            format!("{}: ", self.name)
        } else {
            String::new()
        };
        let note = |text: String| eprintln!("note: {of_run}{text}");
        if status.open != Some(0) && self.shape != Shape::Experiences {
            let why = if status.state == RunState::Live {
                "the run is going on"
            } else {
                "the run is not finished"
            };
            note(format!(
                "{why}; these are the first {} {}places of its plan, in the recipe's mix",
                grouped(status.finished_prefix),
                of(status.count)
            ));
        }
        if status.exhausted > 0 && !self.with_empty {
            note(format!(
                "{} places stayed empty; `colloquy status {}` names them",
                grouped(status.exhausted),
                self.dir.path().display()
            ));
        }
        if status.demo {
            let marked = match self.shape {
                // Their rows are read back as they are.
                Shape::Experiences => "rows of this format have no mark of it",
                _ => "every row is marked `demo`",
            };
            note(format!(
                "demo data, for trying the pipeline, not for training; {marked}"
            ));
        }
    }

    /// What made it, for a card.
    pub fn made_by(&self) -> MadeBy {
        let manifest = self.dir.manifest();
        let line = |roles: String, role| {
            let model = manifest.model_of(role);
            ModelLine {
                roles,
                reference: model.reference.clone(),
                hash: model.hash.clone(),
                profile: model.profile.clone(),
                terms: model.licence.clone(),
            }
        };
        let models = if manifest.models.is_empty() {
            vec![line(String::new(), manifest.spec.leading_role())]
        } else {
            let roles = manifest.models.keys();
            roles
                .map(|role: &ModelRole| line(role.name().to_owned(), *role))
                .collect()
        };
        let mut keys: BTreeMap<&str, String> = BTreeMap::new();
        for mark in manifest.stages.values() {
            for (key, value) in &mark.keys {
                keys.insert(key, value.to_string());
            }
        }
        let of_table = |table: &str| {
            keys.iter()
                .filter(|(key, value)| key.starts_with(table) && *value != "null")
                .map(|(key, value)| ((*key).to_owned(), value.trim_matches('"').to_owned()))
                .collect()
        };
        MadeBy {
            run: self.name.clone(),
            recipe: manifest.name.clone(),
            program: manifest.program.clone(),
            seed: manifest.spec.seed,
            language: manifest.spec.language.clone(),
            demo: manifest.is_demo(),
            models,
            sampling: of_table("sampling."),
            prompts: of_table("prompts."),
        }
    }
}

/// What stands before the first message, as the run knows it.
fn system(dir: &RunDir, args: &ExportArgs) -> Result<SystemRule, Failure> {
    let spec = &dir.manifest().spec;
    let depth = shape::depth(args);
    Ok(SystemRule {
        depth,
        brand: spec.brand.name.clone(),
        agent: spec.brand.agent.clone(),
        channel: spec.brand.channel.name().to_owned(),
        pages: if depth == SystemDepth::Page {
            pages(dir)?
        } else {
            BTreeMap::new()
        },
    })
}

/// The run's pages by id, refused where they are no longer what the agents saw.
fn pages(dir: &RunDir) -> Result<BTreeMap<String, Page>, Failure> {
    let pages = show::pages(dir);
    for mark in &dir.manifest().pages {
        let changed = match pages.get(&mark.id) {
            Some(page) if hash::of_value(page) == mark.hash => continue,
            Some(_) => "has changed since the run was made",
            None => "is gone",
        };
        return Err(Failure::new(
            Code::Data,
            format!(
                "--system page: the page {} of {} {changed}",
                mark.id,
                dir.path().display()
            ),
        )
        .hint("put it back as it was, or use --system short"));
    }
    Ok(pages)
}

/// Refuses a format whose kind of conversations a run has none of, and never will.
fn check_kinds(dir: &RunDir, args: &ExportArgs) -> Result<(), Failure> {
    let format = Format::ALL
        .iter()
        .find(|format| format.name() == args.format);
    let wanted = match format.and_then(|format| format.kind()) {
        Some(kind) => (kind, format!("--format {}", args.format)),
        None if args.perspective.is_some() => (Kind::Group, "--perspective".to_owned()),
        None => return Ok(()),
    };
    let (kind, flag) = wanted;
    let spec = &dir.manifest().spec;
    if spec.has(kind) {
        return Ok(());
    }
    let held: Vec<&str> = Kind::ALL
        .iter()
        .filter(|kind| spec.has(**kind))
        .map(|kind| plural(*kind))
        .collect();
    let others = match kind {
        Kind::Group => "messages or --format asynth",
        Kind::Support => "messages, --format convogen or --format experiences",
    };
    Err(Failure::new(
        Code::Data,
        format!(
            "{} has {} and no {}, which {flag} is for",
            dir.path().display(),
            held.join(" and "),
            plural(kind),
        ),
    )
    .hint(format!("this run has --format {others}")))
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Support => "support conversations",
        Kind::Group => "group chats",
    }
}

/// Which conversations are asked for.
fn conditions(
    args: &ExportArgs,
    dir: &RunDir,
    replay: &Replay,
    judgements: Option<&Judgements>,
) -> Result<Where, Failure> {
    let Some(text) = args.r#where.as_deref() else {
        return Ok(Where::default());
    };
    let mut more = MoreColumns::default();
    for judgement in judgements.iter().flat_map(|all| all.by_id.values()) {
        more.aspects.extend(judgement.scores.keys().cloned());
    }
    let parsed = match Where::parse(text, &more) {
        // A column that only some runs have.
        Err(ConditionError::Column { .. }) => {
            for dialogue in dir.finished(replay, true)? {
                more.fields
                    .extend(Sample::of(&dialogue?).fields.into_keys());
            }
            Where::parse(text, &more)
        }
        parsed => parsed,
    };
    parsed
        .map_err(|error| Failure::new(Code::Usage, format!("--where: {error}")).hint(error.hint()))
}

/// Refuses a name that nobody has in the chats that are finished.
fn check_name(dir: &RunDir, replay: &Replay, name: &str) -> Result<(), Failure> {
    const NAMED: usize = 5;
    let mut others = BTreeSet::new();
    for dialogue in dir.kept(replay)? {
        if let Dialogue::Group(chat) = dialogue? {
            if chat.experience.place_of(name).is_some() {
                return Ok(());
            }
            if others.len() < NAMED {
                others.extend(chat.names().map(str::to_owned));
            }
        }
    }
    let hint = if others.is_empty() {
        "no group chat is finished yet".to_owned()
    } else {
        let some: Vec<String> = others.into_iter().take(NAMED).collect();
        format!(
            "whole names count, or `each` for everyone; some that are there: {}",
            some.join(", ")
        )
    };
    Err(Failure::new(
        Code::Data,
        format!(
            "--perspective: nobody called {name:?} takes part in the group chats of {}",
            dir.path().display()
        ),
    )
    .hint(hint))
}

/// The experiences of a run by place: all that were made, or where they were given, those that a finished chat is about.
fn experiences(dir: &RunDir, replay: &Replay) -> Result<BTreeMap<u64, Experience>, RunError> {
    let made: BTreeMap<u64, Experience> = replay
        .rounds()
        .flat_map(RoundResult::admitted)
        .map(|(place, experience)| (place, experience.clone()))
        .collect();
    if !made.is_empty() {
        return Ok(made);
    }
    let mut seen = BTreeSet::new();
    let mut given = BTreeMap::new();
    for dialogue in dir.kept(replay)? {
        if let Dialogue::Group(chat) = dialogue?
            && seen.insert(chat.experience.id.clone())
        {
            given.insert(chat.slot, chat.experience);
        }
    }
    Ok(given)
}

/// `of 24 `, where it is known.
fn of(count: Option<u64>) -> String {
    count.map_or(String::new(), |count| format!("of {} ", grouped(count)))
}
