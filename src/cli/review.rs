//! `colloquy review`

mod reader;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use console::Term;
use serde_json::json;

use self::reader::Reader;
use super::args::ReviewArgs;
use super::failure::{Code, Failure};
use super::show::{self, Shown};
use super::talk::grouped;
use crate::fsio;
use crate::record::{Choice, Mark, Marks};
use crate::run::{AttemptEnd, REVIEW_BYTES, Replay, RunDir, conversation_id};

/// Ids that an error names.
const NAMED: usize = 10;

pub fn run(args: &ReviewArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run)?;
    let replay = dir.replay()?;
    let mut marks = dir.marks()?;
    if !args.mark.is_empty() {
        let asked = args.mark.iter();
        let asked = asked
            .map(|text| asked_for(&dir, &replay, &marks, text, args.note.as_deref()))
            .collect::<Result<_, _>>()?;
        add(&dir, &mut marks, asked)?;
    } else if let Some(file) = &args.import {
        let given = import(file, &replay)?;
        let found = given.len();
        let added = add(&dir, &mut marks, given)?;
        eprintln!(
            "{} of {} lines of {} say something new → {}",
            grouped(added as u64),
            grouped(found as u64),
            file.display(),
            dir.review_path().display()
        );
    } else if !args.list && !args.json {
        let term = Term::stdout();
        if !term.is_term() || !io::stdin().is_terminal() {
            return Err(Failure::new(
                Code::Usage,
                "reading conversations one by one needs a terminal",
            )
            .hint(
                "use --mark ID=keep|drop, --import FILE with marks from a report's page, or --list",
            ));
        }
        read(&dir, &replay, &mut marks, &term)?;
    }
    let unmarked = show::kept(&dir, &replay)
        .into_iter()
        .filter(|(slot, attempt)| marks.choice(&conversation_id(*slot, *attempt)).is_none())
        .count();
    let text = if args.json {
        as_json(&dir, &marks, unmarked)
    } else {
        as_text(&marks, unmarked, args.list)
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// One `--mark`.
fn asked_for(
    dir: &RunDir,
    replay: &Replay,
    marks: &Marks,
    text: &str,
    note: Option<&str>,
) -> Result<Mark, Failure> {
    let bad = || {
        Failure::new(Code::Usage, format!("`{text}` is no mark"))
            .hint("expected an id with keep, drop or none, like c/12/0=drop")
    };
    let (id, choice) = text.rsplit_once('=').ok_or_else(bad)?;
    let mark = match choice {
        "none" => None,
        name => Some(
            Choice::ALL
                .iter()
                .copied()
                .find(|choice| choice.name() == name)
                .ok_or_else(bad)?,
        ),
    };
    let found = show::attempts(dir, replay, id)?;
    let [(slot, attempt)] = found[..] else {
        let ids: Vec<String> = found
            .iter()
            .map(|(slot, attempt)| conversation_id(*slot, *attempt))
            .collect();
        return Err(Failure::new(
            Code::Usage,
            format!("place {id} has several conversations: {}", ids.join(", ")),
        )
        .hint("name one of them"));
    };
    let id = conversation_id(slot, attempt);
    if !is_conversation(replay, &id) {
        return Err(Failure::new(
            Code::Missing,
            format!("{id}: no conversation came of it, so there is nothing to mark"),
        ));
    }
    let before = marks.get(&id).filter(|_| mark.is_some());
    let before = before.map(|mark| mark.note.clone()).unwrap_or_default();
    Ok(Mark {
        id,
        mark,
        note: note.map_or(before, str::to_owned),
    })
}

/// Whether there is a conversation of this id, kept or turned down.
fn is_conversation(replay: &Replay, id: &str) -> bool {
    let ["c", slot, attempt] = id.split('/').collect::<Vec<_>>()[..] else {
        return false;
    };
    let (Ok(slot), Ok(attempt)) = (slot.parse(), attempt.parse()) else {
        return false;
    };
    // As it is written, not as a number may be written too.
    if conversation_id(slot, attempt) != id {
        return false;
    }
    let history = replay.slots.get(&slot);
    history
        .and_then(|history| history.attempts.get(&attempt))
        .is_some_and(|made| !matches!(made.end, AttemptEnd::Failed { .. }))
}

/// The marks of a file, all of conversations that there are.
fn import(file: &Path, replay: &Replay) -> Result<Vec<Mark>, Failure> {
    let text = fsio::read_text(file, REVIEW_BYTES).map_err(|error| Failure::read(file, &error))?;
    let marks = Mark::lines(&text).map_err(|error| {
        Failure::new(Code::Data, format!("{}: {error}", file.display()))
            .hint("correct that line or take it out; no mark was taken over")
    })?;
    let unknown: BTreeSet<&str> = marks
        .iter()
        .map(|mark| mark.id.as_str())
        .filter(|id| !is_conversation(replay, id))
        .collect();
    if unknown.is_empty() {
        return Ok(marks);
    }
    let named: Vec<&str> = unknown.iter().copied().take(NAMED).collect();
    let more = match unknown.len() - named.len() {
        0 => String::new(),
        more => format!(" and {} more", grouped(more as u64)),
    };
    Err(Failure::new(
        Code::Data,
        format!(
            "{}: the run has no conversations {}{more}",
            file.display(),
            named.join(", ")
        ),
    )
    .hint("these marks are of another run, or of one that went on; no mark was taken over"))
}

/// Saves marks that say something new; how many do.
fn add(dir: &RunDir, marks: &mut Marks, given: Vec<Mark>) -> Result<usize, Failure> {
    let mut new = Vec::new();
    for mark in given {
        let says = (!mark.is_nothing()).then_some(&mark);
        if marks.get(&mark.id) != says {
            marks.put(mark.clone());
            new.push(mark);
        }
    }
    if !new.is_empty() {
        dir.add_marks(&new)?;
    }
    Ok(new.len())
}

/// The conversations one by one: kept ones, unmarked first.
fn read(dir: &RunDir, replay: &Replay, marks: &mut Marks, term: &Term) -> Result<(), Failure> {
    let (marked, unmarked): (Vec<_>, Vec<_>) = show::kept(dir, replay)
        .into_iter()
        .partition(|(slot, attempt)| marks.choice(&conversation_id(*slot, *attempt)).is_some());
    let places: Vec<(u64, u32)> = unmarked.into_iter().chain(marked).collect();
    if places.is_empty() {
        eprintln!(
            "nothing is kept yet; `colloquy status {}` says how far it is",
            dir.path().display()
        );
        return Ok(());
    }
    let ids = places
        .iter()
        .map(|(slot, attempt)| conversation_id(*slot, *attempt))
        .collect();
    let mut shown = Shown::new(dir);
    let mut reader = Reader::new(ids);
    reader::attend(term, &mut reader, marks, |step| match step {
        reader::Want::Save(mark) => Ok(dir.add_marks(&[mark]).map(|()| String::new())?),
        reader::Want::Show { place, whole } => {
            let (slot, attempt) = places[place];
            shown.whole(whole);
            match dir.conversation(replay, slot, attempt)? {
                Some(conversation) => shown.conversation(&conversation),
                None => Ok(String::new()),
            }
        }
    })
}

fn as_json(dir: &RunDir, marks: &Marks, unmarked: usize) -> String {
    let value = json!({
        "file": dir.review_path().display().to_string(),
        "keep": marks.count(Choice::Keep),
        "drop": marks.count(Choice::Drop),
        "unmarked": unmarked,
        "marks": in_order(marks),
    });
    format!("{value}\n")
}

/// In the order of the plan.
fn in_order(marks: &Marks) -> Vec<&Mark> {
    let place = |mark: &Mark| {
        let mut parts = mark.id.split('/').skip(1).map(str::parse::<u64>);
        (
            parts.next().and_then(Result::ok),
            parts.next().and_then(Result::ok),
        )
    };
    let mut marks: Vec<&Mark> = marks.iter().collect();
    marks.sort_by_key(|mark| place(mark));
    marks
}

fn as_text(marks: &Marks, unmarked: usize, list: bool) -> String {
    let mut text = String::new();
    if list {
        for mark in in_order(marks) {
            let choice = mark.mark.map_or("", Choice::name);
            let line = format!("{:<10} {choice:<5} {}", mark.id, mark.note);
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    let _ = writeln!(
        text,
        "{} to keep, {} to drop, {} of those kept unmarked",
        grouped(marks.count(Choice::Keep) as u64),
        grouped(marks.count(Choice::Drop) as u64),
        grouped(unmarked as u64)
    );
    text
}
