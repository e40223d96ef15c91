use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, EntryRef, JOURNAL_VERSION};
use super::journal::{Journal, JournalError, read_entry, read_journal};
use super::lock::{Holder, LockError, RunLock};
use super::manifest::{Manifest, PROGRAM, RUN_FILE, RUN_FORMAT};
use super::neighbours::Neighbours;
use super::plan::Plan;
use super::replay::{Attempt, AttemptEnd, Replay, SlotState, as_dialogue};
use crate::fsio;
use crate::pipeline::CallOutcome;
use crate::quality::Filters;
use crate::record::{BadMark, Dialogue, Provenance, Verdict};
use crate::settings::Stage;

/// What can go wrong with a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no run here.
    #[error("no run in {}: it has no {RUN_FILE}", path.display())]
    NoRun { path: PathBuf },
    /// A file or folder of the run cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// `run.json` is not one.
    #[error("{}: not the description of a run: {message}", path.display())]
    NotAManifest { path: PathBuf, message: String },
    /// The run was written by a later version.
    #[error("{} was written by {program} (format {found}); this version reads up to format {RUN_FORMAT}", path.display())]
    NewerFormat {
        path: PathBuf,
        program: String,
        found: u32,
    },
    /// Another process is writing.
    #[error("another colloquy is writing {}{}", path.display(), process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    Locked { path: PathBuf, process: Option<u32> },
    /// A folder of the right name holds another run.
    #[error("{} holds another run; these differ: {}", path.display(), changed.join(", "))]
    AnotherRun { path: PathBuf, changed: Vec<String> },
    /// A line of `review.jsonl` is no mark.
    #[error("{}: {source}", path.display())]
    Review { path: PathBuf, source: BadMark },
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The pipeline cannot go on.
    #[error("{0}")]
    Fatal(Arc<dyn std::error::Error + Send + Sync>),
}

impl RunError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// What to do next, where something can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Io { source, .. } => io_hint(source),
            Self::Journal(JournalError::Read { source, .. }) => io_hint(source),
            Self::NoRun { .. } => {
                "name a run's folder, like runs/support-1a2b3c4d; `colloquy generate` makes one"
            }
            Self::NewerFormat { .. } | Self::Journal(JournalError::Newer { .. }) => {
                "use that version or a later one"
            }
            Self::Locked { .. } => {
                "`colloquy status` and `colloquy export` work meanwhile; wait for it, or stop it with Ctrl-C"
            }
            Self::AnotherRun { .. } => {
                "put back what differs to go on with it, or let `colloquy generate` make a new run"
            }
            Self::NotAManifest { .. } => {
                "the file was changed or its disk is failing; restore it from a copy, or move the folder away and make the run again"
            }
            Self::Journal(JournalError::Damaged { .. } | JournalError::Unreadable { .. }) => {
                "the file was changed or its disk is failing; restore it from a copy, or delete the run and make it again"
            }
            Self::Journal(JournalError::Write { .. }) => {
                "make room or fix permissions; the same command then goes on where it stopped"
            }
            Self::Review { .. } => {
                "correct that line or take it out; `colloquy review` writes them"
            }
            Self::Fatal(_) => return None,
        };
        Some(text.into())
    }
}

fn io_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room, then run the same command again; nothing finished is lost"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "fix the permissions, or choose another place with --out"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a folder is needed; move it away, or choose another --out"
        }
        io::ErrorKind::NotFound => "it was moved or deleted; check the path",
        _ => "check the path and the disk",
    }
}

/// A run's folder, as readers see it: they need no lock and may look while it is written.
#[derive(Clone, Debug)]
pub struct RunDir {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
}

impl RunDir {
    /// Opens a run to read it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let file = path.join(RUN_FILE);
        if !file.is_file() {
            return Err(RunError::NoRun {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            manifest: Manifest::read(&file)?,
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The journal of the stages that stream into each other: what is made together is written together.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal").join("stream-0.jsonl")
    }

    /// Where exports go when no other file is named.
    #[must_use]
    pub fn export_path(&self) -> PathBuf {
        self.path.join(EXPORT_FILE)
    }

    /// Reads the journal.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn replay(&self) -> Result<Replay, RunError> {
        let rules = self.manifest.quality.as_deref();
        Ok(Replay::read(&self.journal_path(), rules)?)
    }

    /// The filters of the run's recipe.
    #[must_use]
    pub fn filters(&self) -> Filters {
        let spec = &self.manifest.spec;
        Filters::new(&spec.quality, &spec.language)
    }

    /// What made the run's conversations.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.manifest.provenance()
    }

    /// Whether some process is writing the run now, and which.
    #[must_use]
    pub fn holder(&self) -> Holder {
        RunLock::holder(&self.path.join(LOCK_FILE))
    }

    /// The plan, once what it is made from is there.
    #[must_use]
    pub fn plan(&self, replay: &Replay) -> Option<Plan> {
        let (spec, pages) = (&self.manifest.spec, self.manifest.page_ids());
        if spec.has_all_variants() {
            return Some(Plan::all(spec, &replay.sources(&pages)?));
        }
        Some(Plan::new(spec, &pages))
    }

    /// How many places the run has, once that is known.
    #[must_use]
    pub fn count(&self, replay: &Replay) -> Option<u64> {
        let spec = &self.manifest.spec;
        if spec.has_all_variants() {
            return Some(self.plan(replay)?.length(spec.count));
        }
        Some(spec.count)
    }

    /// How many places from the first on are finished, up to the run's last.
    #[must_use]
    pub fn finished_prefix(&self, replay: &Replay) -> u64 {
        let attempts = self.manifest.spec.max_attempts;
        let count = self.count(replay).unwrap_or(0);
        (0..count)
            .find(|slot| !replay.state(*slot, attempts).is_finished())
            .unwrap_or(count)
    }

    /// The kept conversations of the longest finished prefix of the plan, in plan order: balanced as the recipe is, also
    /// while the run goes on. Read one by one.
    ///
    /// # Errors
    /// When the journal cannot be opened; each item may fail to be read.
    pub fn kept(
        &self,
        replay: &Replay,
    ) -> Result<impl Iterator<Item = Result<Dialogue, RunError>> + use<>, RunError> {
        self.finished(replay, false)
    }

    /// The kept conversations without what a judge made of them: those that a judge is shown.
    ///
    /// # Errors
    /// As [`RunDir::kept`].
    pub fn kept_unjudged(
        &self,
        replay: &Replay,
    ) -> Result<impl Iterator<Item = Result<Dialogue, RunError>> + use<>, RunError> {
        self.finished_with(replay, false, BTreeMap::new())
    }

    /// As [`RunDir::kept`]; where `rejected` is set, with the conversations that were turned down on the way, each before
    /// the one that took its place.
    ///
    /// # Errors
    /// As [`RunDir::kept`].
    pub fn finished(
        &self,
        replay: &Replay,
        rejected: bool,
    ) -> Result<impl Iterator<Item = Result<Dialogue, RunError>> + use<>, RunError> {
        self.finished_with(replay, rejected, self.judged_out()?)
    }

    fn finished_with(
        &self,
        replay: &Replay,
        rejected: bool,
        judged_out: BTreeMap<String, Verdict>,
    ) -> Result<impl Iterator<Item = Result<Dialogue, RunError>> + use<>, RunError> {
        let most = self.manifest.spec.max_attempts;
        let mut kept: Vec<Attempt> = Vec::new();
        for slot in 0..self.finished_prefix(replay) {
            let Some(history) = replay.slots.get(&slot) else {
                continue;
            };
            let last = match history.state(most) {
                SlotState::Kept { attempt } => attempt,
                _ => most,
            };
            let counted = history.attempts.range(..=last).map(|(_, attempt)| attempt);
            let wanted = counted.filter(|attempt| match attempt.end {
                AttemptEnd::Kept => true,
                AttemptEnd::Rejected { .. } => rejected,
                AttemptEnd::Failed { .. } => false,
            });
            kept.extend(wanted.cloned());
        }
        let path = self.journal_path();
        let mut file = if kept.is_empty() {
            None
        } else {
            Some(File::open(&path).map_err(|source| RunError::io("read", &path, source))?)
        };
        let filters = self.filters();
        Ok(kept.into_iter().filter_map(move |attempt| {
            let file = file.as_mut().expect("open when there is something to read");
            let mut dialogue = read_entry(file, &path, attempt.at)
                .map_err(RunError::from)
                .map(as_dialogue)
                .transpose()?;
            if let Ok(dialogue) = &mut dialogue {
                found_by_rules(dialogue, &attempt);
                if let Some(verdict) = judged_out.get(dialogue.id())
                    && *dialogue.verdict() == Verdict::Keep
                {
                    if !rejected {
                        return None;
                    }
                    *dialogue.verdict_mut() = verdict.clone();
                }
                filters.redact(dialogue);
            }
            Some(dialogue)
        }))
    }

    /// How many tokens were thought before each reply of a conversation, by the key of its call.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn thoughts(&self) -> Result<BTreeMap<String, usize>, RunError> {
        let mut thoughts = BTreeMap::new();
        read_journal(&self.journal_path(), |_, entry| {
            if let Entry::Call {
                key,
                outcome: CallOutcome::Reply(reply),
            } = entry
                && key.starts_with("c/")
            {
                thoughts.entry(key).or_insert(reply.thinking_tokens);
            }
        })?;
        Ok(thoughts)
    }

    /// A finished conversation, kept or turned down. `None` when there is none, or the attempt did not become one.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn conversation(
        &self,
        replay: &Replay,
        slot: u64,
        attempt: u32,
    ) -> Result<Option<Dialogue>, RunError> {
        let Some(found) = replay
            .slots
            .get(&slot)
            .and_then(|history| history.attempts.get(&attempt))
        else {
            return Ok(None);
        };
        let mut dialogue = self.read(found)?;
        if let Some(dialogue) = &mut dialogue {
            self.filters().redact(dialogue);
        }
        Ok(dialogue)
    }

    /// What an attempt became, as the run's rules of quality found it.
    pub(super) fn read(&self, attempt: &Attempt) -> Result<Option<Dialogue>, RunError> {
        let path = self.journal_path();
        let mut file = File::open(&path).map_err(|source| RunError::io("read", &path, source))?;
        let mut dialogue = as_dialogue(read_entry(&mut file, &path, attempt.at)?);
        if let Some(dialogue) = &mut dialogue {
            found_by_rules(dialogue, attempt);
        }
        Ok(dialogue)
    }
}

/// Gives a conversation that the run's rules of quality turned down the verdict it has since.
fn found_by_rules(dialogue: &mut Dialogue, attempt: &Attempt) {
    if let (AttemptEnd::Rejected { reason }, Some(detail)) = (&attempt.end, &attempt.found) {
        *dialogue.verdict_mut() = Verdict::Reject {
            reason: reason.clone(),
            detail: detail.clone(),
        };
    }
}

const LOCK_FILE: &str = "lock";
const EXPORT_FILE: &str = "messages.jsonl";

/// A run opened for writing, by this process alone.
pub struct RunWriter {
    pub dir: RunDir,
    pub(super) journal: Arc<Journal>,
    /// What was there when it was opened.
    pub replay: Replay,
    /// Whether the folder was made just now.
    pub created: bool,
    pub(super) lock: RunLock,
}

impl RunWriter {
    /// Opens the run that a manifest describes, making its folder in `runs` when it is new. The same recipe finds the same
    /// folder; there, only `count` and the operational keys are brought up to date. A new run takes over the queries
    /// and the rounds of experiences of neighbours whose own depend on the same things.
    ///
    /// # Errors
    /// When another process is writing it, or it cannot be read or written.
    pub fn open(runs: &Path, manifest: Manifest) -> Result<Self, RunError> {
        Self::open_at(&runs.join(manifest.folder_name()), manifest)
    }

    /// Like [`RunWriter::open`], for a folder that may have been given another name since.
    ///
    /// # Errors
    /// As [`RunWriter::open`].
    pub fn open_at(path: &Path, manifest: Manifest) -> Result<Self, RunError> {
        let runs = path
            .parent()
            .filter(|runs| !runs.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let journal_folder = path.join("journal");
        fs::create_dir_all(&journal_folder)
            .map_err(|source| RunError::io("create", &journal_folder, source))?;
        let lock = lock(path)?;
        let file = path.join(RUN_FILE);
        for written_here in [&file, &path.join(EXPORT_FILE)] {
            fsio::remove_leftovers(written_here);
        }
        let created = !file.exists();
        let manifest = if created {
            manifest.write(&file)?;
            manifest
        } else {
            let old = Manifest::read(&file)?;
            let manifest = brought_up_to_date(old.clone(), manifest, path)?;
            if manifest != old {
                manifest.write(&file)?;
            }
            manifest
        };
        let dir = RunDir {
            path: path.to_owned(),
            manifest,
        };
        let mut replay = dir.replay()?;
        let journal = Journal::open(&dir.journal_path(), replay.sound)?;
        if replay.is_empty() {
            let run = dir.manifest.fingerprint(Stage::Conversations);
            journal.append(EntryRef::Start {
                journal: JOURNAL_VERSION,
                program: PROGRAM,
                run,
            })?;
            let found = Neighbours::look(runs, &dir);
            for queries in found.queries {
                journal.append(EntryRef::Queries(&queries))?;
                replay.queries.insert(queries.page.clone(), queries);
            }
            for products in found.products {
                journal.append(EntryRef::Products(&products))?;
                replay.products.insert(products.query.clone(), products);
            }
            for round in found.rounds {
                journal.append(EntryRef::Round(&round))?;
                replay.rounds.insert(round.round, round);
            }
            journal.flush()?;
            for folder in [&journal_folder, &dir.path, runs] {
                fsio::sync_folder(folder);
            }
        }
        Ok(Self {
            dir,
            journal: Arc::new(journal),
            replay,
            created,
            lock,
        })
    }

    /// Waits until everything is durable.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&self) -> Result<(), RunError> {
        Ok(self.journal.flush()?)
    }
}

pub(super) fn lock(path: &Path) -> Result<RunLock, RunError> {
    let file = path.join(LOCK_FILE);
    RunLock::take(&file).map_err(|error| match error {
        LockError::Held(process) => RunError::Locked {
            path: path.to_owned(),
            process,
        },
        LockError::Io(source) => RunError::io("lock", &file, source),
    })
}

/// Gives a run's folder another name beside its own, the first of `<name>.old-1`, `<name>.old-2` … that is free, and says
/// which. A run like it can then be made in its place; the old one can still be read and gone on with.
///
/// # Errors
/// When another process is writing it, or it cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf, RunError> {
    let _held = lock(path)?;
    let named = |n: u64| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".old-{n}"));
        path.with_file_name(name)
    };
    let mut aside = named(1);
    let mut n = 1;
    while aside.exists() {
        n += 1;
        aside = named(n);
    }
    fs::rename(path, &aside).map_err(|source| RunError::io("rename", path, source))?;
    if let Some(runs) = path.parent() {
        fsio::sync_folder(runs);
    }
    Ok(aside)
}

fn brought_up_to_date(old: Manifest, new: Manifest, path: &Path) -> Result<Manifest, RunError> {
    let changed = old.changed_keys(&new);
    if changed.is_empty() {
        Ok(Manifest {
            spec: new.spec,
            operational: new.operational,
            quality: new.quality,
            ..old
        })
    } else {
        Err(RunError::AnotherRun {
            path: path.to_owned(),
            changed,
        })
    }
}
