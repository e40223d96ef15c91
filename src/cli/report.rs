//! `colloquy report`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::ReportArgs;
use super::failure::{Code, Failure};
use super::talk;
use crate::fsio;
use crate::import::ForeignFormat;
use crate::metrics::semantic::Embed;
use crate::report::{Context, Material, Report};
use crate::run::RunDir;

mod page;
mod summary;

pub fn run(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let target = Target::of(args)?;
    let told = Told::new();
    let corpus = material(&args.paths, args.format, &told)?;
    let other = match &args.against {
        // The format of one says nothing of the other.
        Some(path) => Some(material(std::slice::from_ref(path), None, &told)?),
        None => None,
    };
    let embedder = match &args.embedder {
        None => None,
        Some(reference) => Some(super::workshop::embedder(reference, threads())?),
    };
    let context = Context {
        embedder: embedder.as_ref().map(|embedder| embedder as &dyn Embed),
        ..Context::plain(threads())
    };
    told.say("measuring");
    let mut report = Report::of(&corpus, &context);
    if let Some(other) = &other {
        report = report.against(&Report::of(other, &context));
    }
    let json = json(&report);
    let mut written = vec![target.write("report.json", json.as_bytes())?];
    if !args.no_html {
        told.say("writing the page");
        let page = page::html(&report, &corpus, &args.paths)?;
        written.push(target.write("report.html", page.as_bytes())?);
    }
    told.done();
    if let Some(embedder) = embedder.filter(|embedder| embedder.cut() > 0) {
        eprintln!(
            "note: {} reads {} tokens of a text at most; {} longer texts were cut at their end",
            embedder.name(),
            embedder.most_tokens(),
            embedder.cut()
        );
    }
    if args.json {
        super::print(&json)?;
    } else {
        super::print(&summary::text(&report, talk::width(), &written))?;
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
fn material(
    paths: &[PathBuf],
    format: Option<ForeignFormat>,
    told: &Told,
) -> Result<Material, Failure> {
    let mut folders = paths.iter().filter(|path| path.is_dir());
    match (folders.next(), paths) {
        (None, _) => of_files(paths, format, told),
        (Some(folder), [_]) if format.is_some() => Err(Failure::new(
            Code::Usage,
            format!(
                "--as says how files are written; {} is a folder",
                folder.display()
            ),
        )
        .hint("leave out --as")),
        (Some(folder), [_]) => {
            let dir = RunDir::open(folder)?;
            told.say(&format!("reading {}", folder.display()));
            let replay = dir.replay()?;
            let name = folder.display().to_string();
            Ok(Material::of_run(&dir, &replay, name, |n| told.count(n))?)
        }
        (Some(folder), _) => Err(Failure::new(
            Code::Usage,
            format!(
                "{} is a folder among other paths; a report is of one run, or of files",
                folder.display()
            ),
        )
        .hint("--against compares two")),
    }
}

fn of_files(
    paths: &[PathBuf],
    format: Option<ForeignFormat>,
    told: &Told,
) -> Result<Material, Failure> {
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let material = Material::of_files(&paths, format, |path| {
        told.say(&format!("reading {}", path.display()));
    })?;
    if material.samples.is_empty() {
        return Err(Failure::new(
            Code::Data,
            format!("{}: no conversations", material.source.name),
        )
        .hint("a file needs one conversation that says something"));
    }
    Ok(material)
}

/// What is going on, on a terminal only.
struct Told(ProgressBar);

impl Told {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{msg} {pos}").expect("a valid template");
        bar.set_style(style);
        Self(bar)
    }

    fn say(&self, what: &str) {
        self.0
            .set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
        self.0.set_message(what.to_owned());
        self.0.tick();
    }

    /// How many conversations have been read.
    fn count(&self, n: usize) {
        if n.is_multiple_of(200) {
            self.0
                .set_message(format!("{} read", talk::grouped(n as u64)));
            self.0.tick();
        }
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// The folder that is written to.
struct Target(PathBuf);

impl Target {
    /// Made, and known to be writable, before any work.
    fn of(args: &ReportArgs) -> Result<Self, Failure> {
        for path in args.paths.iter().chain(&args.against) {
            if let Err(error) = fs::metadata(path) {
                return Err(Failure::read(path, &error));
            }
            if path.is_dir() {
                // Nothing is made in what is no run.
                RunDir::open(path)?;
            }
        }
        let first = &args.paths[0];
        let folder = match &args.out {
            Some(out) => out.clone(),
            None if first.is_dir() => first.join("report"),
            None => {
                let mut name = first.file_stem().unwrap_or_default().to_owned();
                name.push("-report");
                first.with_file_name(name)
            }
        };
        fs::create_dir_all(&folder).map_err(|error| Failure::write(&folder, &error))?;
        let html = (!args.no_html).then_some("report.html");
        for name in ["report.json"].into_iter().chain(html) {
            let file = folder.join(name);
            fsio::remove_leftovers(&file);
            fsio::check_writable(&file).map_err(|error| Failure::write(&file, &error))?;
        }
        Ok(Self(folder))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let file = self.0.join(name);
        fsio::write_atomically(&file, bytes).map_err(|error| Failure::write(&file, &error))?;
        Ok(file)
    }
}
