//! `colloquy judge`, and the last step of `colloquy generate` where the recipe names a judge

mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use super::args::JudgeArgs;
use super::failure::{Code, Failure};
use super::generate::{CONCURRENCY, Stop};
use super::maker::language;
use super::talk::grouped;
use super::workshop::models::{Models, cast, read_judge};
use super::workshop::{engine_spec, load_options, load_pages};
use crate::engine::ChatModel;
use crate::hash;
use crate::knowledge::sentences;
use crate::pipeline::judge::{JUDGE_VERSION, JudgeContext, pairs};
use crate::pipeline::{Caller, Cast};
use crate::progress::JudgeWatcher;
use crate::prompt::Template;
use crate::quality::Filters;
use crate::record::{Aspect, Judgements, Kind, ModelRole, Page, Sample};
use crate::rng::Stream;
use crate::run::{Cancel, Docket, JudgeMark, JudgeSession, JudgeWriter, Pair, RunDir, judge_all};
use crate::settings::{RunSpec, Stage};
pub use summary::{as_json, as_text};

pub fn run(args: &JudgeArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run)?;
    let mut spec = dir.manifest().spec.clone();
    let flags = engine_spec(&args.engine)?;
    let judge = &mut spec.models.judge;
    if let Some(reference) = &args.model {
        let reference = reference.strip_prefix("judge=").unwrap_or(reference);
        if judge.reference.as_deref() != Some(reference) {
            // What the recipe says of its own judge is not about this one.
            *judge = crate::settings::RoleModel::default();
        }
        judge.reference = Some(reference.to_owned());
    }
    let engine = &args.engine;
    if engine.quant.is_some() {
        judge.quant = Some(flags.quant);
    }
    if engine.kv_dtype.is_some() {
        judge.kv_dtype = Some(flags.kv_dtype);
    }
    if engine.memory.is_some() {
        spec.engine.memory = flags.engine.memory;
    }
    if engine.threads.is_some() {
        spec.engine.threads = flags.engine.threads;
    }
    let Some(model) = read_judge(&spec)? else {
        return Err(
            Failure::new(Code::Usage, format!("{} has no judge", args.run.display()))
                .hint("name one with --model REF, or in the recipe as models.judge"),
        );
    };
    let aspects = aspects_of(&spec, args.aspects.as_deref())?;
    let stop = Stop::listen(None)?;
    let wish = Wish {
        aspects,
        sample: args.sample,
    };
    let Some(judging) = judge_run(&dir, &spec, model, wish, stop.cancel())? else {
        return Err(Failure::new(
            Code::Data,
            format!("no conversation of {} is kept yet", args.run.display()),
        )
        .hint("`colloquy status` says how far the run is"));
    };
    stop.no_more_patience();
    if args.json {
        super::print(&format!("{}\n", as_json(&dir, &judging)))?;
    } else {
        super::print(&as_text(&dir, &judging))?;
    }
    judging.code(&dir)
}

/// What is to be judged.
pub struct Wish {
    pub aspects: Vec<Aspect>,
    /// The first so many of the plan.
    pub sample: Option<u64>,
}

/// What came of it.
pub struct Judging {
    pub session: JudgeSession,
    pub judgements: Judgements,
    /// Conversations that were to be judged.
    pub wanted: usize,
    pub journal: std::path::PathBuf,
    pub model: ChatModel,
    pub seconds: f64,
}

impl Judging {
    /// How the command ends.
    pub fn code(&self, dir: &RunDir) -> Result<ExitCode, Failure> {
        if self.session.interrupted {
            eprintln!(
                "interrupted: {} judged so far; `colloquy judge {}` goes on",
                grouped(self.judgements.by_id.len() as u64),
                dir.path().display()
            );
            return Ok(Code::Later.into());
        }
        match &self.session.failed[..] {
            [(id, reason), ..] if self.judgements.is_empty() => Err(Failure::new(
                Code::Data,
                format!("nothing could be judged; {id}: {reason}"),
            )),
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}

/// The aspects that were asked for, or all that a run has conversations for.
pub fn aspects_of(spec: &RunSpec, asked: Option<&[String]>) -> Result<Vec<Aspect>, Failure> {
    let kinds: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| spec.has(*kind))
        .collect();
    let fits = |aspect: &Aspect| kinds.iter().any(|kind| aspect.is_of(*kind));
    let fitting: Vec<Aspect> = Aspect::ALL.iter().copied().filter(fits).collect();
    let Some(asked) = asked else {
        return Ok(fitting);
    };
    let mut aspects = Vec::new();
    for name in asked {
        let aspect = Aspect::named(name.trim()).filter(fits).ok_or_else(|| {
            let names: Vec<&str> = fitting.iter().map(|aspect| aspect.name()).collect();
            Failure::new(
                Code::Usage,
                format!("--aspects: this run's conversations have no aspect {name:?}"),
            )
            .hint(format!("they have {}", names.join(", ")))
        })?;
        if !aspects.contains(&aspect) {
            aspects.push(aspect);
        }
    }
    aspects.sort_unstable();
    Ok(aspects)
}

/// Judges the kept conversations of a run with a model that was read; none where there are none.
pub fn judge_run(
    dir: &RunDir,
    spec: &RunSpec,
    model: ChatModel,
    wish: Wish,
    cancel: &Cancel,
) -> Result<Option<Judging>, Failure> {
    let started = Instant::now();
    let replay = dir.replay()?;
    let mut kept: Vec<(String, Kind)> = Vec::new();
    let most = wish.sample.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    for dialogue in dir.kept_unjudged(&replay)?.take(most) {
        let dialogue = dialogue?;
        kept.push((dialogue.id().to_owned(), dialogue.kind()));
    }
    if kept.is_empty() {
        return Ok(None);
    }
    let pages = pages(dir, spec, &wish.aspects, &kept)?;
    let models = Models::from([(ModelRole::Judge, model.clone())]);
    let cast = cast(&models, spec.prompts.as_deref())?;
    let mut writer = open(dir, spec, &cast)?;
    pair(dir, &mut writer, &kept)?;
    let filters = Filters::new(&spec.quality, &spec.language);
    let docket = Docket {
        dir: dir.clone(),
        replay,
        wanted: kept.iter().map(|(id, _)| id.clone()).collect(),
        pages,
        doubts: Box::new(move |sample| doubts(&filters, sample)),
    };
    let wanted = docket.wanted.len();
    let journal = writer.path().to_owned();
    let open = docket.open(&writer, &wish.aspects).len();
    let mut session = JudgeSession::default();
    if open > 0 {
        if let ChatModel::Local(local) = &model {
            let choice = spec.model_of(ModelRole::Judge);
            local.load_alone(&load_options(&choice, &spec.engine)?)?;
        }
        eprintln!(
            "judging {} conversation{} by {}",
            grouped(open as u64),
            if open == 1 { "" } else { "s" },
            model.identity().reference
        );
        session = work(docket, writer, cast, spec, wish, cancel)?;
        if let ChatModel::Local(local) = &model {
            local.unload();
        }
    } else {
        drop(writer);
    }
    let judgements = dir.judgements_in(&journal)?.unwrap_or_else(|| Judgements {
        model: model.identity().reference.clone(),
        demo: model.identity().demo,
        by_id: BTreeMap::new(),
    });
    Ok(Some(Judging {
        session,
        judgements,
        wanted,
        journal,
        model,
        seconds: started.elapsed().as_secs_f64(),
    }))
}

/// The judge's journal: another model, other prompts and another version of the questions are another judge.
fn open(dir: &RunDir, spec: &RunSpec, cast: &Cast) -> Result<JudgeWriter, Failure> {
    let player = cast.of(ModelRole::Judge);
    let identity = player.model.identity();
    let fingerprint = hash::of_value(&(
        JUDGE_VERSION,
        &identity.hash,
        &identity.profile,
        spec.kwargs_of(ModelRole::Judge),
        player.prompts.hash_of(Template::JUDGE),
        &spec.language,
        dir.manifest().fingerprint(Stage::Conversations),
    ));
    let mark = JudgeMark {
        model: identity.reference.clone(),
        model_hash: identity.hash.clone(),
        profile: identity.profile.clone(),
        demo: identity.demo,
    };
    Ok(dir.judge(&fingerprint, &mark)?)
}

/// Gives everyone who has none another of its kind to take controls from.
fn pair(dir: &RunDir, writer: &mut JudgeWriter, kept: &[(String, Kind)]) -> Result<(), Failure> {
    let draw = Stream::root(dir.manifest().spec.seed).child("judge");
    for kind in Kind::ALL {
        let of_kind = kept.iter().filter(|(_, other)| other == kind);
        let ids: Vec<String> = of_kind.map(|(id, _)| id.clone()).collect();
        let held: BTreeSet<&String> = ids.iter().collect();
        let known = writer.pairs.iter();
        let known = known.filter(|(id, _)| held.contains(id));
        let known = known.map(|(id, with)| (id.clone(), with.clone())).collect();
        let new = pairs(&ids, &known, draw.child(kind.name()));
        if !new.is_empty() {
            let pairs = new.into_iter().map(|(id, with)| Pair { id, with });
            writer.pair(pairs.collect())?;
        }
    }
    Ok(())
}

fn work(
    docket: Docket,
    writer: JudgeWriter,
    cast: Cast,
    spec: &RunSpec,
    wish: Wish,
    cancel: &Cancel,
) -> Result<JudgeSession, Failure> {
    let open = docket.open(&writer, &wish.aspects).len() as u64;
    let writer = Arc::new(writer);
    let log: crate::run::SharedCallLog = Arc::clone(&writer) as _;
    let context = JudgeContext {
        caller: Caller::new(cast, log),
        language: language(&spec.language),
        aspects: wish.aspects,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Code::Bug,
                format!("the async runtime does not start: {error}"),
            )
        })?;
    let concurrency = usize::try_from(spec.engine.concurrency.or(CONCURRENCY)).unwrap_or(1);
    let watcher = JudgeWatcher::new(console::Term::stderr().is_term(), open);
    let session = runtime.block_on(judge_all(
        docket,
        writer,
        context,
        concurrency,
        |done| watcher.show(done),
        cancel,
    ));
    watcher.finish();
    Ok(session?)
}

/// The help pages that sentences are held against, as they were when the run was made.
fn pages(
    dir: &RunDir,
    spec: &RunSpec,
    aspects: &[Aspect],
    kept: &[(String, Kind)],
) -> Result<BTreeMap<String, Arc<Page>>, Failure> {
    let needed = aspects.contains(&Aspect::Groundedness)
        && kept.iter().any(|(_, kind)| *kind == Kind::Support);
    if !needed {
        return Ok(BTreeMap::new());
    }
    let pages: BTreeMap<String, Arc<Page>> = load_pages(spec)?
        .pages
        .into_iter()
        .map(|page| (page.id.clone(), Arc::new(page)))
        .collect();
    let marks = dir.manifest().pages.iter();
    let mut changed = marks.filter(|mark| {
        let page = pages.get(&mark.id);
        page.is_none_or(|page| hash::of_value(page.as_ref()) != mark.hash)
    });
    match changed.next() {
        None => Ok(pages),
        Some(mark) => Err(Failure::new(
            Code::Data,
            format!(
                "{}: the help page {} is not as it was when the run was made, so no sentence can be held against it",
                dir.path().display(),
                mark.id
            ),
        )
        .hint("bring it back, or name --aspects without groundedness")),
    }
}

/// The sentences with words of a harm lexicon, where the recipe asks for a second look at them.
fn doubts(filters: &Filters, sample: &Sample) -> Vec<(usize, Range<usize>)> {
    let doubtful = filters.doubtful(sample).into_iter();
    let span = |(turn, _, words): (usize, &str, String)| {
        let text = &sample.turns[turn].text;
        let words = words.trim_end_matches('…').to_lowercase();
        let holds = |span: &Range<usize>| text[span.clone()].to_lowercase().contains(&words);
        let found = sentences(text).into_iter().find(holds);
        (turn, found.unwrap_or(0..text.len()))
    };
    doubtful.map(span).collect()
}
