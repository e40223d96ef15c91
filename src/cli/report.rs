//! `colloquy report`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::ReportArgs;
use super::failure::{Code, Failure};
use crate::fsio;
use crate::metrics::semantic::Embed;
use crate::report::{Context, Material, Report};
use crate::run::RunDir;

mod page;
mod summary;

pub fn run(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let target = Target::of(args)?;
    let material = material(&args.paths, args)?;
    let embedder = match &args.embedder {
        None => None,
        Some(reference) => Some(super::workshop::embedder(reference, threads())?),
    };
    let context = Context {
        embedder: embedder.as_ref().map(|embedder| embedder as &dyn Embed),
        ..Context::plain(threads())
    };
    let report = Report::of(&material, &context);
    if let Some(embedder) = embedder.filter(|embedder| embedder.cut() > 0) {
        eprintln!(
            "note: {} reads {} tokens of a text at most; {} longer texts were cut at their end",
            embedder.name(),
            embedder.most_tokens(),
            embedder.cut()
        );
    }
    let json = json(&report);
    let file = target.write("report.json", json.as_bytes())?;
    let page = page::html(&report, &material, &args.paths)?;
    let page = target.write("report.html", page.as_bytes())?;
    if args.json {
        super::print(&json)?;
    } else {
        super::print(&summary::text(&report, super::talk::width()))?;
        super::print(&format!("{}\n{}\n", file.display(), page.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The cores that this process may use.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `report.json`.
fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("plain data serialises to JSON");
    text.push('\n');
    text
}

/// What the paths hold: one run, or files.
fn material(paths: &[PathBuf], args: &ReportArgs) -> Result<Material, Failure> {
    let folders = paths.iter().filter(|path| path.is_dir()).count();
    if let ([path], 1) = (paths, folders) {
        if args.format.is_some() {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "--as says how files are written; {} is a folder",
                    path.display()
                ),
            )
            .hint("leave out --as"));
        }
        let dir = RunDir::open(path)?;
        let replay = dir.replay()?;
        return Ok(Material::of_run(
            &dir,
            &replay,
            path.display().to_string(),
            |_| {},
        )?);
    }
    if folders > 0 {
        return Err(Failure::new(
            Code::Usage,
            "a report is of one run, or of files; not of several runs or of both",
        )
        .hint("--against compares two"));
    }
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    Ok(Material::of_files(&paths, args.format, |_| {})?)
}

/// The folder that is written to.
struct Target(PathBuf);

impl Target {
    /// Made, and known to be writable.
    fn of(args: &ReportArgs) -> Result<Self, Failure> {
        let first = &args.paths[0];
        if let Err(error) = fs::metadata(first) {
            return Err(Failure::read(first, &error));
        }
        let folder = match &args.out {
            Some(out) => out.clone(),
            None if first.is_dir() => {
                // Nothing is made in what is no run.
                RunDir::open(first)?;
                first.join("report")
            }
            None => {
                let mut name = first.file_stem().unwrap_or_default().to_owned();
                name.push("-report");
                first.with_file_name(name)
            }
        };
        fs::create_dir_all(&folder).map_err(|error| Failure::write(&folder, &error))?;
        let file = folder.join("report.json");
        fsio::check_writable(&file).map_err(|error| Failure::write(&file, &error))?;
        Ok(Self(folder))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let file = self.0.join(name);
        fsio::write_atomically(&file, bytes).map_err(|error| Failure::write(&file, &error))?;
        Ok(file)
    }
}
