//! `colloquy export`

mod dataset;
mod shape;
mod source;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::ExportArgs;
use super::failure::{Code, Failure};
use super::talk::grouped;
use crate::export::{
    Contents, Encoding, Format, Item, Kin, Mix, Row, RowFile, SplitBy, Splits, columns,
};
use crate::record::Kind;
use source::Source;

/// For `--help`.
pub const EXAMPLES: &str = "Examples:
  colloquy export runs/shop-1a2b3c4d --out train.jsonl
  colloquy export runs/shop-1a2b3c4d --out data --split train=0.9,validation=0.05,test=0.05 --as parquet
  colloquy export runs/shop-1a2b3c4d --out data/ --format sharegpt --system page --where 'outcome=RESOLVED,turns>=4'
  colloquy export runs/shop-1a2b3c4d --out pairs.jsonl --format preference --side both
  colloquy export runs/chats-5e6f7a8b --out data --perspective each --train-on assistant --split train=9,test=1 --split-by persona
  colloquy export runs/shop-1a2b3c4d runs/chats-5e6f7a8b --mix 0.7,0.3 --out mixed.jsonl";

pub fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    shape::check_flags(args)?;
    let wish = Wish::of(args)?;
    let target = Target::of(args, &wish)?;
    let sources = open(args)?;
    match &target {
        Target::Output => {
            let out = io::stdout().lock();
            match stream(&sources, &wish, &args.out, out) {
                Ok(rows) => told(&sources, rows, "standard output"),
                // The reader has seen enough.
                Err(None) => {}
                Err(Some(failure)) => return Err(failure),
            }
        }
        Target::Device(path) => {
            let file = File::options()
                .write(true)
                .open(path)
                .map_err(|error| Failure::write(&args.out, &error))?;
            match stream(&sources, &wish, &args.out, file) {
                Ok(rows) => told(&sources, rows, &args.out.display().to_string()),
                Err(None) => {}
                Err(Some(failure)) => return Err(failure),
            }
        }
        Target::File(path) => {
            let rows = file(&sources, &wish, path, &args.out)?;
            told(&sources, rows, &args.out.display().to_string());
        }
        Target::Folder => {
            dataset::write(&sources, &wish, args)?;
            notes(&sources);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How the rows are to be written, whichever run they are of.
struct Wish {
    format: Format,
    encoding: Encoding,
    /// Where they are to be parted.
    splits: Option<Splits>,
    by: SplitBy,
    mix: Option<Mix>,
}

impl Wish {
    fn of(args: &ExportArgs) -> Result<Self, Failure> {
        let format = shape::format(args);
        let encoding = Encoding::ALL.iter().copied();
        let encoding = encoding
            .clone()
            .find(|encoding| encoding.name() == args.encoding)
            .unwrap_or_default();
        if encoding == Encoding::Parquet && format == Format::Convogen {
            return Err(Failure::new(
                Code::Usage,
                "--format convogen has a key for every name in speakerMap, which Parquet has no columns for",
            )
            .hint("--as jsonl, or --format messages"));
        }
        let usage = |flag: &str, error: &dyn std::fmt::Display| {
            Failure::new(Code::Usage, format!("{flag}: {error}"))
        };
        let splits = args.split.as_deref().map(Splits::parse).transpose();
        let splits = splits.map_err(|error| {
            usage("--split", &error).hint("like --split train=0.9,validation=0.05,test=0.05")
        })?;
        if args.split_by.is_some() && splits.is_none() {
            return Err(
                Failure::new(Code::Usage, "--split-by parts nothing without --split")
                    .hint("like --split train=0.9,test=0.1"),
            );
        }
        let by = SplitBy::ALL.iter().copied();
        let mix = args.mix.as_deref();
        let mix = mix.map(|mix| Mix::parse(mix, args.runs.len())).transpose();
        Ok(Self {
            format,
            encoding,
            splits,
            by: by
                .clone()
                .find(|by| Some(by.name()) == args.split_by.as_deref())
                .unwrap_or_default(),
            mix: mix.map_err(|error| {
                usage("--mix", &error).hint("a share for each run, like --mix 0.7,0.3")
            })?,
        })
    }
}

/// Where the rows go.
enum Target {
    /// Standard output.
    Output,
    /// A device or a pipe is written to, never replaced by a file.
    Device(PathBuf),
    File(PathBuf),
    /// Data files with their papers.
    Folder,
}

impl Target {
    fn of(args: &ExportArgs, wish: &Wish) -> Result<Self, Failure> {
        let parquet = wish.encoding == Encoding::Parquet;
        if args.out == Path::new("-") {
            if parquet || wish.splits.is_some() {
                let flag = if parquet { "--as parquet" } else { "--split" };
                return Err(Failure::new(
                    Code::Usage,
                    format!("{flag} needs a folder; standard output takes JSON lines of all rows"),
                )
                .hint("like --out data"));
            }
            return Ok(Self::Output);
        }
        // A link is followed, so that it stays one.
        let path = fs::canonicalize(&args.out).unwrap_or_else(|_| args.out.clone());
        let there = fs::metadata(&path).ok();
        let ends_as_folder = args.out.to_string_lossy().ends_with('/');
        let names_parquet = path.extension().is_some_and(|ending| ending == "parquet");
        let is_folder = there.as_ref().is_some_and(fs::Metadata::is_dir);
        if is_folder || ends_as_folder || wish.splits.is_some() || (parquet && !names_parquet) {
            if there.is_some() && !is_folder {
                return Err(Failure::new(
                    Code::Usage,
                    format!(
                        "{} is a file; what is asked for is a folder with several",
                        args.out.display()
                    ),
                )
                .hint("name a folder that is new, or of an earlier export"));
            }
            return Ok(Self::Folder);
        }
        Ok(match there {
            Some(there) if !there.is_file() => Self::Device(path),
            _ => Self::File(path),
        })
    }
}

/// Opens the runs; those of one name are told apart by number.
fn open(args: &ExportArgs) -> Result<Vec<Source>, Failure> {
    let mut sources: Vec<Source> = Vec::new();
    for (place, path) in args.runs.iter().enumerate() {
        let same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(path).ok();
        if path.exists() && args.runs[..place].iter().any(same) {
            return Err(
                Failure::new(Code::Usage, format!("{} is named twice", path.display()))
                    .hint("name each run once; --mix gives it its share"),
            );
        }
        let mut source = Source::open(path, args)?;
        let alike = sources.iter().filter(|other| {
            other.name == source.name || other.name.starts_with(&format!("{}~", source.name))
        });
        match alike.count() {
            0 => {}
            others => source.name = format!("{}~{}", source.name, others + 1),
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Gives each item with its rows to `put`, in the order they are exported in.
fn feed(
    sources: &[Source],
    wish: &Wish,
    mut put: impl FnMut(&Item, Vec<Row>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let several = sources.len() > 1;
    let mut streams = Vec::new();
    for source in sources {
        streams.push(source.items()?);
    }
    let Some(mut mix) = wish.mix.clone() else {
        for (source, stream) in sources.iter().zip(streams) {
            for item in stream {
                let item = item?;
                put(&item, source.rows(&item, several))?;
            }
        }
        return Ok(());
    };
    loop {
        let next = mix.next();
        let Some(item) = streams[next].next() else {
            let mut left = streams.iter_mut().enumerate();
            if left.any(|(place, stream)| place != next && stream.next().is_some()) {
                eprintln!(
                    "note: {} has no more for the mix; what the others have beyond it is left out",
                    sources[next].name
                );
            }
            return Ok(());
        };
        let item = item?;
        let rows = sources[next].rows(&item, several);
        mix.took(next, rows.len() as u64);
        put(&item, rows)?;
    }
}

/// Writes JSON lines to what is open; none as failure is a reader that went away.
fn stream(
    sources: &[Source],
    wish: &Wish,
    path: &Path,
    out: impl Write,
) -> Result<u64, Option<Failure>> {
    let mut out = BufWriter::new(out);
    let mut rows = 0;
    let mut closed = false;
    let mut failed = |error: io::Error| {
        closed = error.kind() == io::ErrorKind::BrokenPipe;
        Failure::write(path, &error)
    };
    let result = feed(sources, wish, |_, some| {
        for row in some {
            serde_json::to_writer(&mut out, &row)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(&mut failed)?;
            rows += 1;
        }
        Ok(())
    });
    let result = result.and_then(|()| out.flush().map_err(failed));
    match result {
        Ok(()) => Ok(rows),
        Err(_) if closed => Err(None),
        Err(failure) => Err(Some(failure)),
    }
}

/// Writes one file, whole or not at all.
fn file(sources: &[Source], wish: &Wish, path: &Path, typed: &Path) -> Result<u64, Failure> {
    let failed = |error: &io::Error| Failure::write(typed, error);
    let columns = columns(sources[0].shape(), contents(sources, wish)).unwrap_or_default();
    let about = about(sources);
    let mut file =
        RowFile::create(path, wish.encoding, &columns, &about).map_err(|error| failed(&error))?;
    feed(sources, wish, |_, rows| {
        rows.iter()
            .try_for_each(|row| file.put(row))
            .map_err(|error| failed(&error))
    })?;
    let rows = file.rows();
    file.finish()
        .and_then(crate::fsio::Draft::publish)
        .map_err(|error| failed(&error))?;
    Ok(rows)
}

/// What a Parquet file says of itself.
fn about(sources: &[Source]) -> Vec<(&'static str, String)> {
    let made = sources.iter().map(Source::made_by);
    let told = made.map(|made| {
        let models: Vec<&str> = made
            .models
            .iter()
            .map(|one| one.reference.as_str())
            .collect();
        format!(
            "{} · {} · seed {} · {}{}",
            made.run,
            made.program,
            made.seed,
            models.join(", "),
            if made.demo { " · demo" } else { "" }
        )
    });
    vec![("colloquy", told.collect::<Vec<_>>().join("\n"))]
}

fn contents(sources: &[Source], wish: &Wish) -> Contents {
    let has = |kind| sources.iter().any(|source| source.has(kind));
    Contents {
        support: has(Kind::Support),
        group: has(Kind::Group),
        runs: sources.len() > 1,
        split: wish.splits.is_some(),
        verdicts: sources.iter().any(Source::with_verdicts),
    }
}

/// Who goes with whom over all runs, where that parts the rows.
fn kin(sources: &[Source], wish: &Wish) -> Result<Kin, Failure> {
    let mut kin = Kin::default();
    if wish.splits.is_some() && wish.by == SplitBy::Persona {
        for source in sources {
            for item in source.items()? {
                kin.add(&item?);
            }
        }
    }
    Ok(kin)
}

/// Says what was written, and what it is.
fn told(sources: &[Source], rows: u64, place: &str) {
    eprintln!(
        "{} row{} → {place}",
        grouped(rows),
        if rows == 1 { "" } else { "s" }
    );
    notes(sources);
}

fn notes(sources: &[Source]) {
    for source in sources {
        source.notes(sources.len() > 1);
    }
}
