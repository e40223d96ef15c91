use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::entry::{Entry, EntryRef, JOURNAL_VERSION, checked, to_line};

/// What can be wrong with a journal.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    /// It cannot be written: the disk is full, gone or read-only.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    /// A line that was durable is damaged. A crash cannot do that; the disk or an editor did.
    #[error("{}:{line}: damaged line", path.display())]
    Damaged { path: PathBuf, line: u64 },
    /// A sound line that this version does not understand.
    #[error("{}:{line}: {message}", path.display())]
    Unreadable {
        path: PathBuf,
        line: u64,
        message: String,
    },
    /// Written by a later version.
    #[error("{} was written by {program} (journal version {found}); this version reads up to {JOURNAL_VERSION}", path.display())]
    Newer {
        path: PathBuf,
        program: String,
        found: u32,
    },
}

/// Reads a journal from its start, calling `each` with every entry and the byte its line begins at. A torn tail is as if
/// it were not there: from the first line without its line end or with a wrong checksum, unless a later
/// [`Entry::Synced`] says that the line was durable once. A missing file is an empty journal. Returns the length of the
/// sound part.
///
/// # Errors
/// When it cannot be read or a line that was durable is damaged.
pub fn read_journal(path: &Path, mut each: impl FnMut(u64, Entry)) -> Result<u64, JournalError> {
    let failed = |source| JournalError::Read {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut sound, mut number, mut line) = (0u64, 0u64, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
        let Some(whole) = line.strip_suffix(b"\n") else {
            return Ok(sound);
        };
        number += 1;
        let Some(json) = checked(whole) else {
            return if was_synced(&mut reader).map_err(failed)? {
                Err(JournalError::Damaged {
                    path: path.to_owned(),
                    line: number,
                })
            } else {
                Ok(sound)
            };
        };
        each(sound, parse(path, number, json)?);
        sound += length as u64;
    }
}

/// Whether a line that follows says that all before it is durable. After a power loss any line since the last of these may
/// be torn, whichever the disk wrote first.
fn was_synced(reader: &mut impl BufRead) -> io::Result<bool> {
    let mark = to_line(EntryRef::Synced);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line == mark {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

/// Reads the entry whose line begins at a byte.
///
/// # Errors
/// When it cannot be read or is not an entry.
pub fn read_entry(file: &mut File, path: &Path, at: u64) -> Result<Entry, JournalError> {
    let failed = |source| JournalError::Read {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    file.seek(SeekFrom::Start(at)).map_err(failed)?;
    let mut line = Vec::new();
    BufReader::new(&*file)
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    let json = line.strip_suffix(b"\n").and_then(checked);
    parse(
        path,
        0,
        json.ok_or_else(|| JournalError::Damaged {
            path: path.to_owned(),
            line: 0,
        })?,
    )
}

fn parse(path: &Path, line: u64, json: &[u8]) -> Result<Entry, JournalError> {
    let entry = serde_json::from_slice(json).map_err(|error| JournalError::Unreadable {
        path: path.to_owned(),
        line,
        message: format!("not an entry of a journal: {error}"),
    })?;
    match entry {
        Entry::Start {
            journal, program, ..
        } if journal > JOURNAL_VERSION => Err(JournalError::Newer {
            path: path.to_owned(),
            program,
            found: journal,
        }),
        entry => Ok(entry),
    }
}

/// Where a journal's bytes go.
pub trait Sink: Write + Send {
    /// Makes what was written durable.
    ///
    /// # Errors
    /// Any I/O error.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Longest time a written line waits to be made durable.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// Longest time a line waits for others to be written with.
const GATHER: Duration = Duration::from_millis(2);
/// Lines in flight to the writer; a slow disk holds the run back here.
const QUEUE: usize = 1024;
/// Bytes handed to the disk at once.
const BATCH_BYTES: usize = 1 << 20;

/// The writing end of a journal. A line is in the file milliseconds after it is appended, and durable 200 ms later or after
/// [`Journal::flush`]. After a failure nothing more is written, and every call says why.
pub struct Journal {
    path: PathBuf,
    sender: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<()>>,
    failure: Arc<Mutex<Option<Arc<io::Error>>>>,
}

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Journal {
    /// Opens a journal for appending, cutting off a torn tail. `sound` is what [`read_journal`] returned for it; the caller
    /// holds the run's lock, so it still is.
    ///
    /// # Errors
    /// When it cannot be opened or cut.
    pub fn open(path: &Path, sound: u64) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Write {
            path: path.to_owned(),
            source: Arc::new(source),
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        if file.metadata().map_err(failed)?.len() != sound {
            file.set_len(sound).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(sound)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Self::with_sink(path, Box::new(file))
    }

    /// A journal that writes somewhere else; `path` is for messages.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn with_sink(path: &Path, sink: Box<dyn Sink>) -> Result<Self, JournalError> {
        let (sender, receiver) = sync_channel(QUEUE);
        let failure = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&failure);
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || write_all(sink, &receiver, &shared))
            .map_err(|source| JournalError::Write {
                path: path.to_owned(),
                source: Arc::new(source),
            })?;
        Ok(Self {
            path: path.to_owned(),
            sender: Some(sender),
            writer: Some(writer),
            failure,
        })
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// When this or an earlier line could not be written.
    pub(super) fn append(&self, entry: EntryRef<'_>) -> Result<(), JournalError> {
        self.health()?;
        let sender = self.sender.as_ref().expect("open until dropped");
        match sender.send(Message::Line(to_line(entry))) {
            Ok(()) => Ok(()),
            Err(_) => self.gone(),
        }
    }

    /// Waits until everything appended so far is durable.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&self) -> Result<(), JournalError> {
        let (done, wait) = sync_channel(1);
        let sender = self.sender.as_ref().expect("open until dropped");
        if sender.send(Message::Flush(done)).is_err() || wait.recv().is_err() {
            return self.gone();
        }
        self.health()
    }

    /// The writer lives as long as the sender; where it does not, it has failed, whether it could say so or not.
    fn gone(&self) -> Result<(), JournalError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| Arc::new(io::Error::other("its writing thread has ended")));
        self.health()
    }

    /// Whether everything could be written so far.
    ///
    /// # Errors
    /// The first failure.
    pub fn health(&self) -> Result<(), JournalError> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failure {
            None => Ok(()),
            Some(source) => Err(JournalError::Write {
                path: self.path.clone(),
                source: Arc::clone(source),
            }),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The writer thread: whatever is waiting goes out in one write; durability follows on flush, on closing, and at the
/// latest [`SYNC_EVERY`] after the first line that lacks it, and a mark says so.
fn write_all(
    mut sink: Box<dyn Sink>,
    receiver: &Receiver<Message>,
    failure: &Mutex<Option<Arc<io::Error>>>,
) {
    let mut unsynced: Option<Instant> = None;
    let mut failed = false;
    loop {
        let first = match unsynced {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => receiver.recv_timeout(SYNC_EVERY.saturating_sub(since.elapsed())),
        };
        let (mut batch, mut waiting) = (Vec::new(), Vec::new());
        let closing = matches!(first, Err(RecvTimeoutError::Disconnected));
        if matches!(first, Ok(Message::Line(_))) {
            // Being woken for every line costs more than the lines.
            std::thread::sleep(GATHER);
        }
        let mut next = first.ok();
        while let Some(message) = next.take() {
            match message {
                Message::Line(line) => batch.extend_from_slice(&line),
                Message::Flush(done) => waiting.push(done),
            }
            if batch.len() < BATCH_BYTES && waiting.is_empty() {
                next = receiver.try_recv().ok();
            }
        }
        let mut result = Ok(());
        if !failed && !batch.is_empty() {
            result = sink.write_all(&batch).and_then(|()| sink.flush());
            unsynced.get_or_insert_with(Instant::now);
        }
        let due = closing
            || !waiting.is_empty()
            || unsynced.is_some_and(|since| since.elapsed() >= SYNC_EVERY);
        if due && !failed && result.is_ok() && unsynced.take().is_some() {
            result = sink
                .sync()
                .and_then(|()| sink.write_all(&to_line(EntryRef::Synced)))
                .and_then(|()| sink.flush());
        }
        if let Err(error) = result {
            failed = true;
            unsynced = None;
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
        }
        for done in waiting {
            let _ = done.send(());
        }
        if closing {
            return;
        }
    }
}
