use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

/// The right to write a run, held by one process at a time; the system gives it back however the process ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

/// Why a lock was not given.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it; its id when it could be read.
    Held(Option<u32>),
    Io(io::Error),
}

/// A reader that asks whether a run is live holds the lock for an instant; so ask again before giving up.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(40);

impl RunLock {
    /// Takes the lock and leaves this process's id in it.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(LockError::Io)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < TRIES => {
                    std::thread::sleep(BETWEEN_TRIES);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held(process_in(&mut file)));
                }
                Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(LockError::Io)?;
        Ok(Self { _file: file })
    }

    /// Whether some process holds the lock, and which.
    pub(super) fn holder(path: &Path) -> Holder {
        let Ok(mut file) = File::open(path) else {
            return Holder::Nobody;
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Holder::Process(process_in(&mut file)),
            _ => Holder::Nobody,
        }
    }
}

/// Who writes a run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// A process; its id when it could be read.
    Process(Option<u32>),
}

fn process_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(RunLock::holder(&path), Holder::Nobody);
        let held = RunLock::take(&path).unwrap();
        assert_eq!(
            RunLock::holder(&path),
            Holder::Process(Some(std::process::id()))
        );
        assert!(
            matches!(RunLock::take(&path), Err(LockError::Held(Some(id))) if id == std::process::id())
        );
        drop(held);
        assert_eq!(RunLock::holder(&path), Holder::Nobody);
        RunLock::take(&path).unwrap();
    }
}
