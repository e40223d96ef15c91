//! `colloquy export`

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::iter;
use std::path::Path;
use std::process::ExitCode;

use super::args::ExportArgs;
use super::failure::{Code, Failure};
use super::show;
use super::talk::grouped;
use crate::export::{
    self, AsynthRules, ConditionError, EmptyPlace, ExportError, Facts, Format, Item, MessageRules,
    MoreColumns, Perspective, Roles, Shape, Sieve, StopWord, Where,
};
use crate::pipeline::RoundResult;
use crate::record::{Choice, Dialogue, Experience, Kind, Marks, Sample};
use crate::run::{Replay, RunDir, RunError, RunState, Task};

pub fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let mut shape = shape(args)?;
    let dir = RunDir::open(&args.run)?;
    check_kinds(&dir, args)?;
    let replay = dir.replay()?;
    if let Shape::Messages(rules) | Shape::ShareGpt(rules) = &mut shape {
        if let Perspective::Of(name) = &rules.perspective {
            check_name(&dir, &replay, name)?;
        }
        rules.links = args.links.then(|| show::pages(&dir));
    }
    let source = Source {
        dir: &dir,
        replay: &replay,
        shape: &shape,
        with_empty: args.with_rejected,
        sieve: RefCell::new(Sieve::new(conditions(args, &dir, &replay)?)),
        marks: dir.marks()?,
        chosen: args.r#where.is_some(),
    };
    source.check_some()?;
    let to_stdout = args.out == Path::new("-");
    let rows = if to_stdout {
        match source.stream(&args.out, io::stdout().lock()) {
            // The reader has seen enough.
            Err(ExportError::Write { source, .. })
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                return Ok(ExitCode::SUCCESS);
            }
            result => result?,
        }
    } else {
        source.write(&args.out)?
    };
    let place = if to_stdout {
        "standard output".to_owned()
    } else {
        args.out.display().to_string()
    };
    source.report(rows, &place);
    Ok(ExitCode::SUCCESS)
}

/// The format that is asked for, with what is asked of it.
fn shape(args: &ExportArgs) -> Result<Shape, Failure> {
    use Format::{Asynth, Convogen, Messages, ShareGpt};
    let format = Format::ALL
        .iter()
        .copied()
        .find(|format| format.name() == args.format)
        .unwrap_or_default();
    let conversations = &[Messages, ShareGpt, Asynth, Convogen];
    let given: [(&str, bool, &[Format]); 7] = [
        (
            "--perspective",
            args.perspective.is_some(),
            &[Messages, ShareGpt],
        ),
        ("--links", args.links, &[Messages]),
        ("--stop-word", args.stop_word.is_some(), &[Asynth]),
        ("--roles", args.roles.is_some(), &[Asynth]),
        ("--with-rejected", args.with_rejected, &[Asynth]),
        ("--opening", args.opening, &[Convogen]),
        ("--where", args.r#where.is_some(), conversations),
    ];
    for (flag, given, of) in given {
        if given && !of.contains(&format) {
            let of: Vec<&str> = of.iter().map(|format| format.name()).collect();
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "{flag} says nothing about --format {}; it belongs to --format {}",
                    format.name(),
                    of.join(", ")
                ),
            )
            .hint(format!("leave out {flag}")));
        }
    }
    if args.with_rejected && args.r#where.is_some() {
        return Err(Failure::new(
            Code::Usage,
            "--with-rejected is about places that stayed empty, --where about conversations",
        )
        .hint("conversations that were turned down: --where verdict=any"));
    }
    let rules = || MessageRules {
        perspective: match args.perspective.as_deref() {
            None => Perspective::Busiest,
            Some("each") => Perspective::Each,
            Some(name) => Perspective::Of(name.to_owned()),
        },
        links: None,
    };
    Ok(match format {
        Format::Messages => Shape::Messages(rules()),
        Format::ShareGpt => Shape::ShareGpt(rules()),
        Format::Asynth => Shape::Asynth(AsynthRules {
            stop_word: match args.stop_word.as_deref() {
                Some("append") => StopWord::Append,
                _ => StopWord::Omit,
            },
            roles: match args.roles.as_deref() {
                Some("original") => Roles::Original,
                _ => Roles::Standard,
            },
        }),
        Format::Convogen => Shape::Convogen {
            opening: args.opening,
        },
        Format::Experiences => Shape::Experiences,
    })
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
fn conditions(args: &ExportArgs, dir: &RunDir, replay: &Replay) -> Result<Where, Failure> {
    let Some(text) = args.r#where.as_deref() else {
        return Ok(Where::default());
    };
    let parsed = match Where::parse(text, &MoreColumns::default()) {
        // A column that only some runs have.
        Err(ConditionError::Column { .. }) => {
            let mut more = MoreColumns::default();
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

/// What is exported.
struct Source<'a> {
    dir: &'a RunDir,
    replay: &'a Replay,
    shape: &'a Shape,
    /// Whether places without a conversation count.
    with_empty: bool,
    /// What lets conversations through.
    sieve: RefCell<Sieve>,
    /// What readers made of the conversations.
    marks: Marks,
    /// Whether conditions were given.
    chosen: bool,
}

type Items<'a> = Box<dyn Iterator<Item = Result<Item, RunError>> + 'a>;

impl Source<'_> {
    /// Refuses conditions that no conversation fits.
    fn check_some(&self) -> Result<(), Failure> {
        if !self.chosen || self.items()?.next().is_some() {
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

    fn write(&self, out: &Path) -> Result<u64, Failure> {
        // A link is followed, so that it stays one.
        let path = fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
        match fs::metadata(&path) {
            Ok(there) if there.is_dir() => Err(Failure::new(
                Code::Usage,
                format!("{} is a folder; expected a file", out.display()),
            )
            .hint(format!(
                "try --out {}",
                out.join("messages.jsonl").display()
            ))),
            // A device or a pipe is written to, never replaced by a file.
            Ok(there) if !there.is_file() => {
                let file = File::options()
                    .write(true)
                    .open(&path)
                    .map_err(|error| Failure::write(out, &error))?;
                Ok(self.stream(out, file)?)
            }
            _ => {
                let provenance = self.dir.provenance();
                Ok(export::to_file(
                    self.items()?,
                    self.shape,
                    &provenance,
                    &path,
                )?)
            }
        }
    }

    fn stream(&self, path: &Path, out: impl Write) -> Result<u64, ExportError<RunError>> {
        let items = self.items().map_err(ExportError::Records)?;
        let mut out = BufWriter::new(out);
        let rows = export::to_writer(items, self.shape, &self.dir.provenance(), path, &mut out)?;
        out.flush().map_err(|source| ExportError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(rows)
    }

    /// The records, in plan order.
    fn items(&self) -> Result<Items<'_>, RunError> {
        if *self.shape == Shape::Experiences {
            let experiences = experiences(self.dir, self.replay)?;
            return Ok(Box::new(
                experiences
                    .into_values()
                    .map(|one| Ok(Item::Experience(one))),
            ));
        }
        let rejected = self.sieve.borrow().takes_rejected();
        let finished = self.dir.finished(self.replay, rejected)?;
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
            judged: None,
        })
    }

    /// Places of support conversations that stayed empty, among those that are exported.
    fn empty(&self) -> VecDeque<EmptyPlace> {
        let status = self.dir.status(self.replay);
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

    /// Says what was written, and what it is.
    fn report(&self, rows: u64, place: &str) {
        let dir = self.dir;
        let status = dir.status(self.replay);
        eprintln!(
            "{} row{} → {place}",
            grouped(rows),
            if rows == 1 { "" } else { "s" }
        );
        if status.open != Some(0) && *self.shape != Shape::Experiences {
            let why = if status.state == RunState::Live {
                "the run is going on"
            } else {
                "the run is not finished"
            };
            eprintln!(
                "note: {why}; these are the first {} {}places of its plan, in the recipe's mix",
                grouped(status.finished_prefix),
                of(status.count)
            );
        }
        if status.exhausted > 0 && !self.with_empty {
            eprintln!(
                "note: {} places stayed empty; `colloquy status {}` names them",
                grouped(status.exhausted),
                dir.path().display()
            );
        }
        if status.demo {
            let marked = match self.shape {
                // Their rows are read back as they are.
                Shape::Experiences => "rows of this format have no mark of it",
                _ => "every row is marked `demo`",
            };
            eprintln!("note: demo data, for trying the pipeline, not for training; {marked}");
        }
    }
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
