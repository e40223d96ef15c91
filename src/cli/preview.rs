//! `colloquy preview`

use std::fs::DirBuilder;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use super::args::PreviewArgs;
use super::failure::{Code, Failure};
use super::generate::{self, Stop};
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
    let writer = RunWriter::open(&place.0, workshop.manifest.clone())?;
    let watcher = Watcher::new(console::Term::stderr().is_term());
    let summary = generate::drive(&workshop, &seating, writer, &watcher, &stop, None)?;
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

/// A folder that is gone when the preview is over.
struct Scratch(PathBuf);

impl Scratch {
    /// A name in the folder for temporary files that nobody has thought of.
    fn free_path() -> PathBuf {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = now.map_or(0, |now| now.as_nanos());
        let name = format!("colloquy-preview-{}-{nanos:x}", std::process::id());
        std::env::temp_dir().join(name)
    }

    /// Makes the folder, for this user alone; one that is there already is someone else's.
    fn new(path: PathBuf) -> Result<Self, Failure> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&path)
            .map_err(|error| Failure::write(&path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_new_and_goes_with_what_is_in_it() {
        let path = Scratch::free_path();
        let place = Scratch::new(path.clone()).unwrap();
        std::fs::write(path.join("a"), "a").unwrap();
        assert!(Scratch::new(path.clone()).is_err(), "it is there already");
        drop(place);
        assert!(!path.exists());
        assert_ne!(Scratch::free_path(), path);
    }
}
