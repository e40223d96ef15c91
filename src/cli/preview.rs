//! `colloquy preview`

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::PreviewArgs;
use super::failure::Failure;
use super::generate;
use super::talk;
use super::workshop::{Workshop, read_settings};
use crate::progress::Watcher;
use crate::run::{End, RunWriter};

pub fn run(args: &PreviewArgs) -> Result<ExitCode, Failure> {
    let (mut settings, _) = read_settings(&args.recipe, None, Some(args.n))?;
    settings.spec.count = settings.spec.count.max(args.n);
    let workshop = Workshop::open(settings.spec)?;
    let place = Scratch::new()?;
    let writer = RunWriter::open(&place.0, workshop.manifest.clone())?;
    let watcher = Watcher::new(console::Term::stderr().is_term());
    let summary = generate::drive(&workshop, writer, &watcher)?;
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
            let page = workshop
                .pages
                .get(&conversation.cell.page)
                .map(AsRef::as_ref);
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
        super::failure::Code::Interrupted.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// A folder that is gone when the preview is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("colloquy-preview-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| Failure::write(&path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
