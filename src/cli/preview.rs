//! `colloquy preview`

use std::process::ExitCode;

use super::args::PreviewArgs;
use super::failure::{Code, Failure};
use super::generate::{self, Stop};
use super::scratch::Scratch;
use super::talk;
use super::workshop::{Workshop, read_settings};
use crate::progress::Watcher;
use crate::run::{End, RunWriter};

pub fn run(args: &PreviewArgs) -> Result<ExitCode, Failure> {
    let (mut settings, _) = read_settings(&args.recipe, None, Some(args.n))?;
    settings.spec.count = settings.spec.count.max(args.n);
    let workshop = Workshop::open(settings.spec)?;
    let seating = workshop.seating()?;
    seating.start()?;
    if let Some(line) = seating.turns() {
        eprintln!("{line}");
    }
    for warning in &workshop.warnings {
        eprintln!("note: {warning}");
    }
    let path = Scratch::free_path();
    // Before the folder is there: it goes whatever happens.
    let stop = Stop::listen(Some(path.clone()))?;
    let place = Scratch::new(path)?;
    let writer = RunWriter::open(place.path(), workshop.manifest.clone())?;
    let watcher = Watcher::new(console::Term::stderr().is_term());
    let summary = generate::drive(&workshop, &seating, writer, watcher.sink(), &stop, None)?;
    for problem in watcher.finish() {
        eprintln!("note: {problem}");
    }
    let replay = summary.dir.replay()?;
    let mut text = String::new();
    for conversation in summary.dir.kept(&replay)? {
        let conversation = conversation?;
        if args.json {
            text.push_str(
                &serde_json::to_string(&conversation).expect("records serialise to JSON"),
            );
            text.push('\n');
        } else {
            let page = |id: &str| workshop.pages.get(id).map(AsRef::as_ref);
            text.push_str(&talk::block(&conversation, page, talk::width()));
        }
    }
    super::print(&text)?;
    let status = summary.dir.status(&replay);
    for shortfall in &status.shortfalls {
        eprintln!(
            "note: place {} stayed empty: {}",
            shortfall.slot,
            shortfall.reasons.join(", ")
        );
    }
    Ok(if summary.end == End::Interrupted {
        Code::Later.into()
    } else {
        ExitCode::SUCCESS
    })
}
