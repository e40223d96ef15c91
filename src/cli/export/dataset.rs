//! A folder that can be loaded: data files by split, a card, and what trainers are told of it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::source::Source;
use super::{Wish, about, contents, feed, kin};
use crate::cli::args::ExportArgs;
use crate::cli::failure::{Code, Failure};
use crate::cli::talk::grouped;
use crate::export::{Papers, RowFile, Splits, Stamp, Statistics, columns};
use crate::fsio::{Draft, read_text};

const CARD: &str = "README.md";
const DATASET_INFO: &str = "dataset_info.json";
const AXOLOTL: &str = "axolotl.yaml";
/// Bytes of a card that is looked at.
const CARD_BYTES: u64 = 4 << 20;
/// A share that is this far from what was asked for is worth a word.
const UNEVEN: f64 = 0.02;

/// Writes the folder. Every file is there whole; where something fails, none of this export is.
pub fn write(sources: &[Source], wish: &Wish, args: &ExportArgs) -> Result<(), Failure> {
    let folder = Folder::open(&args.out)?;
    let failed = |name: &str, error: &io::Error| Failure::write(&args.out.join(name), error);
    let splits = wish.splits.clone().unwrap_or_else(Splits::one);
    let names: Vec<String> = splits.names().map(str::to_owned).collect();
    let contents = contents(sources, wish);
    let columns = columns(sources[0].shape(), contents);
    let ending = wish.encoding.name();
    let about = about(sources);
    let mut files = Vec::new();
    for name in &names {
        let path = args.out.join(format!("{name}.{ending}"));
        let known = columns.as_deref().unwrap_or_default();
        let file = RowFile::create(&path, wish.encoding, known, &about)
            .map_err(|error| Failure::write(&path, &error))?;
        files.push(file);
    }
    let kin = kin(sources, wish)?;
    let mut statistics = Statistics::new(names.len());
    feed(sources, wish, |item, mut rows| {
        let place = match &wish.splits {
            Some(splits) => splits.place_of(&wish.by.lineage(item, &kin)),
            None => 0,
        };
        let stamp = Stamp {
            split: contents.split.then(|| names[place].as_str()),
            ..Stamp::default()
        };
        for row in &mut rows {
            stamp.put(row, wish.format);
        }
        statistics.add(item, &rows, place);
        rows.iter()
            .try_for_each(|row| files[place].put(row))
            .map_err(|error| failed(&format!("{}.{ending}", names[place]), &error))
    })?;
    if statistics.rows.iter().all(|rows| *rows == 0) {
        return Err(Failure::new(
            Code::Data,
            format!("there are no rows for --format {}", wish.format.name()),
        )
        .hint("the runs have none of it yet; `colloquy status` says how far they are"));
    }
    let mut drafts = Vec::new();
    for (name, file) in names.iter().zip(files) {
        // A file without rows loads nowhere.
        if file.rows() > 0 {
            let draft = file.finish();
            drafts.push(draft.map_err(|error| failed(&format!("{name}.{ending}"), &error))?);
        }
    }
    let papers = Papers {
        format: wish.format,
        ending,
        columns,
        splits: names.clone(),
        statistics,
        sources: sources.iter().map(Source::made_by).collect(),
        chosen: chosen(args),
    };
    for (name, text) in [
        (DATASET_INFO, papers.dataset_info()),
        (AXOLOTL, papers.axolotl(args.train_on.is_some())),
        (CARD, Some(papers.card())),
    ] {
        let Some(text) = text else {
            continue;
        };
        let path = args.out.join(name);
        let mut draft = Draft::create(&path).map_err(|error| failed(name, &error))?;
        draft
            .write_all(text.as_bytes())
            .and_then(|()| draft.complete())
            .map_err(|error| failed(name, &error))?;
        drafts.push(draft);
    }
    let written: Vec<PathBuf> = drafts.iter().map(|draft| draft.path().to_owned()).collect();
    for draft in drafts {
        let path = draft.path().to_owned();
        draft
            .publish()
            .map_err(|error| Failure::write(&path, &error))?;
    }
    folder.keep();
    told(&papers, &splits, wish.splits.is_some(), &args.out);
    others(&args.out, &written);
    Ok(())
}

/// What chose the rows, as it was typed.
fn chosen(args: &ExportArgs) -> Vec<String> {
    [
        ("--where", &args.r#where),
        ("--split", &args.split),
        ("--split-by", &args.split_by),
        ("--mix", &args.mix),
        ("--system", &args.system),
        ("--perspective", &args.perspective),
        ("--train-on", &args.train_on),
        ("--side", &args.side),
    ]
    .into_iter()
    .filter_map(|(flag, value)| Some(format!("{flag} '{}'", value.as_deref()?)))
    .collect()
}

/// The folder, taken away again if it was made for nothing.
struct Folder<'a> {
    path: &'a Path,
    made: bool,
}

impl<'a> Folder<'a> {
    fn open(path: &'a Path) -> Result<Self, Failure> {
        let made = match fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(Failure::write(path, &error)),
        };
        let entries = fs::read_dir(path).map_err(|error| Failure::read(path, &error))?;
        let empty = entries.take(1).count() == 0;
        let card = read_text(&path.join(CARD), CARD_BYTES).unwrap_or_default();
        if !empty && !card.contains("\n- colloquy\n") {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "{} is a folder that holds other things; expected a file, or a folder that is new, empty or of an earlier export",
                    path.display()
                ),
            )
            .hint(format!("try --out {}", path.join("messages.jsonl").display())));
        }
        Ok(Self { path, made })
    }

    fn keep(mut self) {
        self.made = false;
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        if self.made {
            // Drafts are gone before it; what anybody else put there keeps it.
            let _ = fs::remove_dir(self.path);
        }
    }
}

/// Says how many rows went where, and which splits are not what was asked for.
#[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
fn told(papers: &Papers, splits: &Splits, parted: bool, out: &Path) {
    let rows = &papers.statistics.rows;
    let all: u64 = rows.iter().sum();
    for ((name, rows), wanted) in papers.splits.iter().zip(rows).zip(splits.shares()) {
        let plural = if *rows == 1 { "" } else { "s" };
        if *rows == 0 && parted {
            eprintln!("warning: nothing fell into the split {name}; it has no file");
            continue;
        }
        let share = *rows as f64 / all.max(1) as f64;
        let told = if !parted {
            String::new()
        } else if (share - wanted).abs() > UNEVEN {
            format!(
                " ({:.1} %, asked for {:.1} %: what belongs together is not parted)",
                share * 100.0,
                wanted * 100.0
            )
        } else {
            format!(" ({:.1} %)", share * 100.0)
        };
        let file = out.join(format!("{name}.{}", papers.ending));
        eprintln!("{} row{plural} → {}{told}", grouped(*rows), file.display());
    }
}

/// Names what an earlier export has left there, which the card does not speak of.
fn others(out: &Path, written: &[PathBuf]) {
    let entries = fs::read_dir(out).into_iter().flatten().flatten();
    let mut left: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && !written.contains(path))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    left.sort();
    if !left.is_empty() {
        eprintln!(
            "note: {} also holds {}, which is not of this export",
            out.display(),
            left.join(", ")
        );
    }
}
