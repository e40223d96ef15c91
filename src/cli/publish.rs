//! `colloquy publish`

use std::process::ExitCode;

use super::args::PublishArgs;
use super::failure::{Code, Failure};

/// What a program without the feature `publish` says instead.
#[cfg(not(feature = "publish"))]
pub fn run(_: &PublishArgs) -> Result<ExitCode, Failure> {
    Err(
        Failure::new(Code::Usage, "this program was built without `publish`")
            .hint("cargo install --path . --features publish builds one that has it"),
    )
}

#[cfg(feature = "publish")]
pub fn run(args: &PublishArgs) -> Result<ExitCode, Failure> {
    with_stores::run(args)
}

#[cfg(feature = "publish")]
mod with_stores {
    use std::fmt::Write;
    use std::path::Path;

    use indicatif::ProgressBar;
    use serde_json::json;

    use super::{Code, ExitCode, Failure, PublishArgs};
    use crate::cli::models::bytes_bar;
    use crate::cli::talk::grouped;
    use crate::publish::{
        Files, Outcome, Progress, PublishError, Room, Target, Variables, Wish, publish,
    };

    pub fn run(args: &PublishArgs) -> Result<ExitCode, Failure> {
        let target = Target::parse(&args.to)?;
        refuse(&args.folder)?;
        if let Target::Folder(to) = &target {
            within(&args.folder, to)?;
        }
        let files = Files::of(&args.folder)?;
        if !files.left.is_empty() {
            eprintln!(
                "note: {} left out, not being regular files (links are not followed): {}",
                files.left.len(),
                crate::brief::brief(files.left.join(", "))
            );
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let wish = Wish {
            dry_run: args.dry_run,
            verify: args.verify,
        };
        let room = Room::open(&target, Variables::of(variables), wish)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(
                    Code::Bug,
                    format!("the async runtime does not start: {error}"),
                )
            })?;
        let bar = bytes_bar("reading");
        bar.set_length(files.bytes());
        let told = |progress| show(&bar, files.bytes(), progress);
        let outcome = runtime.block_on(publish(&room, &files, wish, &told));
        bar.finish_and_clear();
        let outcome = outcome?;
        super::super::print(&if args.json {
            as_json(&target, args, &outcome)
        } else {
            as_text(&target, args, &outcome)
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn show(bar: &ProgressBar, all: u64, progress: Progress) {
        let again = |message: &'static str, bytes: u64| {
            bar.reset();
            bar.set_length(bytes);
            bar.set_message(message);
        };
        match progress {
            Progress::Read(bytes) | Progress::Sent(bytes) => bar.inc(bytes),
            Progress::ToSend(bytes) => again("sending", bytes),
            Progress::Verified(bytes) => {
                if bar.message() != "reading back" {
                    again("reading back", all);
                }
                bar.inc(bytes);
            }
        }
    }

    /// A run's folder holds more than others are to see.
    fn refuse(folder: &Path) -> Result<(), Failure> {
        if !folder.is_dir() {
            return Err(Failure::new(
                Code::Missing,
                format!("{}: no such folder", folder.display()),
            )
            .hint("name a folder with an export or a report"));
        }
        if folder.join("run.json").is_file() || folder.join("journal").is_dir() {
            let folder = folder.display();
            return Err(Failure::new(
                Code::Usage,
                format!("{folder} is a run's folder, with its journal and all that was turned down"),
            )
            .hint(format!(
                "export what others are to see into a folder of its own, as colloquy export {folder} --out {folder}/export/train.jsonl, and publish that"
            )));
        }
        Ok(())
    }

    /// A folder cannot hold its own copy.
    fn within(folder: &Path, target: &Path) -> Result<(), Failure> {
        let whole = |path: &Path| {
            let there = path.ancestors().find_map(|path| path.canonicalize().ok());
            there.unwrap_or_else(|| path.to_owned())
        };
        if whole(target).starts_with(whole(folder)) && target.starts_with(whole(folder))
            || whole(target) == whole(folder)
        {
            return Err(PublishError::Within {
                folder: folder.to_owned(),
                target: target.to_owned(),
            }
            .into());
        }
        Ok(())
    }

    fn as_json(target: &Target, args: &PublishArgs, outcome: &Outcome) -> String {
        let value = json!({
            "target": target.to_string(),
            "dry_run": args.dry_run,
            "sent": outcome.sent,
            "sent_bytes": outcome.sent_bytes,
            "kept": outcome.kept,
            "kept_bytes": outcome.kept_bytes,
            "verified": outcome.verified,
            "manifest_written": outcome.manifest_written && !args.dry_run,
        });
        format!("{value}\n")
    }

    fn as_text(target: &Target, args: &PublishArgs, outcome: &Outcome) -> String {
        let count = |n: usize| match n {
            1 => "1 file".to_owned(),
            n => format!("{} files", grouped(n as u64)),
        };
        let mut text = String::new();
        if args.dry_run {
            for name in &outcome.sent {
                let _ = writeln!(text, "{name}");
            }
        }
        let verb = if args.dry_run { "to send" } else { "sent" };
        let _ = writeln!(
            text,
            "{} {verb} ({} bytes), {} there already; {target}",
            count(outcome.sent.len()),
            grouped(outcome.sent_bytes),
            grouped(outcome.kept as u64),
        );
        if outcome.verified > 0 {
            let all = count(outcome.verified);
            let _ = writeln!(text, "{all} read back: the same bytes");
        }
        text
    }
}
