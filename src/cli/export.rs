//! `colloquy export`

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use super::args::ExportArgs;
use super::failure::{Code, Failure};
use super::talk::grouped;
use crate::export::{self, ExportError};
use crate::record::{Dialogue, Provenance};
use crate::run::{Replay, RunDir, RunError, RunState};

pub fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run)?;
    let replay = dir.replay()?;
    let to_stdout = args.out == Path::new("-");
    let rows = if to_stdout {
        match stream(&dir, &replay, &args.out, io::stdout().lock()) {
            // The reader has seen enough.
            Err(ExportError::Write { source, .. })
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                return Ok(ExitCode::SUCCESS);
            }
            result => result?,
        }
    } else {
        write(&dir, &replay, &args.out)?
    };
    let place = if to_stdout {
        "standard output".to_owned()
    } else {
        args.out.display().to_string()
    };
    report(&dir, &replay, rows, &place);
    Ok(ExitCode::SUCCESS)
}

fn write(dir: &RunDir, replay: &Replay, out: &Path) -> Result<u64, Failure> {
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
            Ok(stream(dir, replay, out, file)?)
        }
        _ => {
            let (kept, provenance) = records(dir, replay)?;
            Ok(export::to_file(kept, &provenance, &path)?)
        }
    }
}

fn stream(
    dir: &RunDir,
    replay: &Replay,
    path: &Path,
    out: impl Write,
) -> Result<u64, ExportError<RunError>> {
    let (kept, provenance) = records(dir, replay).map_err(ExportError::Records)?;
    let mut out = BufWriter::new(out);
    let rows = export::to_writer(kept, &provenance, path, &mut out)?;
    out.flush().map_err(|source| ExportError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(rows)
}

fn records(
    dir: &RunDir,
    replay: &Replay,
) -> Result<
    (
        impl Iterator<Item = Result<Dialogue, RunError>> + use<>,
        Provenance,
    ),
    RunError,
> {
    Ok((dir.kept(replay)?, dir.provenance()))
}

/// Says what was written, and what it is.
fn report(dir: &RunDir, replay: &Replay, rows: u64, place: &str) {
    let status = dir.status(replay);
    eprintln!(
        "{} row{} → {place}",
        grouped(rows),
        if rows == 1 { "" } else { "s" }
    );
    if status.open > 0 {
        let why = if status.state == RunState::Live {
            "the run is going on"
        } else {
            "the run is not finished"
        };
        eprintln!(
            "note: {why}; these are the first {} of {} places of its plan, in the recipe's mix",
            grouped(status.finished_prefix),
            grouped(status.count)
        );
    }
    if status.exhausted > 0 {
        eprintln!(
            "note: {} places stayed empty; `colloquy status {}` names them",
            grouped(status.exhausted),
            dir.path().display()
        );
    }
    if status.demo {
        eprintln!(
            "note: demo data, for trying the pipeline, not for training; every row is marked `demo`"
        );
    }
}
