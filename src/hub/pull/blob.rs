//! One file's bytes, from the hub to the cache.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::client::{About, Client, Failed};
use super::{Event, PullError, Watch};
use crate::hub::digest::{Digest, Hasher};
use crate::hub::layout::RepoFolder;

/// A file as the hub describes it.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub name: String,
    /// The blob's name in the cache.
    pub etag: String,
    pub bytes: u64,
}

impl Remote {
    /// Bytes of it that are here, in whole or in part.
    pub fn here(&self, folder: &RepoFolder) -> u64 {
        let length = |path: &Path| match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => found.len(),
            _ => 0,
        };
        if length(&folder.blob(&self.etag)) == self.bytes {
            return self.bytes;
        }
        match length(&folder.part(&self.etag)) {
            part if part <= self.bytes => part,
            _ => 0,
        }
    }
}

const BUFFER_BYTES: usize = 256 << 10;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Brings a file's blob into the cache, going on where an earlier try was cut, and checks it. One process at a time.
pub(super) fn fetch(
    client: &Client<'_>,
    folder: &RepoFolder,
    remote: &Remote,
    about: About<'_>,
    commit: &str,
    watch: Watch<'_>,
) -> Result<(), PullError> {
    let blob = folder.blob(&remote.etag);
    let make = |path: &Path| {
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent).map_err(|source| PullError::Io {
            action: "make the folder",
            path: parent.to_owned(),
            source,
        })
    };
    let lock_path = folder.lock(&remote.etag);
    make(&blob)?;
    make(&lock_path)?;
    let _lock = take(&lock_path, &remote.name, watch)?;
    if remote.here(folder) == remote.bytes && blob.is_file() {
        // It came before, for another name or by another process.
        return Ok(());
    }
    let path = folder.part(&remote.etag);
    let io = |action| {
        let path = path.clone();
        move |source| PullError::Io {
            action,
            path,
            source,
        }
    };
    let mut part = Part::open(&path, remote).map_err(io("write"))?;
    let mut resumed = part.length > 0;
    let mut tried = 0;
    loop {
        while part.length < remote.bytes {
            let before = part.length;
            let stream = part.stream(client, remote, about, commit, watch);
            if part.length > before {
                tried = 0;
            }
            match stream {
                Ok(()) => {}
                Err(Stop::Failed(failed)) => client.wait_or_give_up(failed, &mut tried, watch)?,
                Err(Stop::Disk(source)) => return Err(io("write")(source)),
                Err(Stop::StartOver) => {
                    watch(Event::Back(part.length));
                    resumed = false;
                    part.start_over(remote).map_err(io("write"))?;
                }
            }
        }
        part.file.sync_all().map_err(io("write"))?;
        let Some((digest, found)) = part.wrong(remote) else {
            break;
        };
        watch(Event::Back(part.length));
        if resumed {
            // The beginning came from elsewhere, or long ago: it gets one whole try.
            resumed = false;
            watch(Event::Waiting {
                reason: &format!(
                    "what was here of {} was not right; it is fetched anew",
                    remote.name
                ),
                wait: Duration::ZERO,
            });
            part.start_over(remote).map_err(io("write"))?;
            continue;
        }
        std::fs::remove_file(&path).map_err(io("remove"))?;
        return Err(PullError::WrongHash {
            file: remote.name.clone(),
            kind: digest.kind(),
            expected: digest.hex().to_owned(),
            found,
        });
    }
    std::fs::rename(&path, &blob).map_err(io("rename"))
}

/// Waits for a blob's lock. A file system that knows none does without.
fn take(path: &Path, name: &str, watch: Watch<'_>) -> Result<File, PullError> {
    let io = |source| PullError::Io {
        action: "lock",
        path: path.to_owned(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io)?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
            Err(TryLockError::WouldBlock) => {
                if !told {
                    told = true;
                    watch(Event::Waiting {
                        reason: &format!("another process is fetching {name}"),
                        wait: Duration::ZERO,
                    });
                }
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }
}

/// The beginning of a blob, and the hash of what is there.
struct Part {
    file: File,
    length: u64,
    hasher: Option<Hasher>,
}

/// Why a stream ended before the file did.
enum Stop {
    Failed(Failed),
    Disk(io::Error),
    /// The server sends the whole file, or has another idea of it.
    StartOver,
}

impl Part {
    /// Opens what is there, or nothing. A link is no part: following it could write anywhere.
    fn open(path: &Path, remote: &Remote) -> io::Result<Self> {
        if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            std::fs::remove_file(path)?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let mut hasher = Self::hasher(remote);
        let mut length = file.metadata()?.len();
        if length > remote.bytes {
            file.set_len(0)?;
            length = 0;
        }
        if let Some(hasher) = &mut hasher {
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    n => hasher.update(&buffer[..n]),
                }
            }
        } else {
            io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        }
        Ok(Self {
            file,
            length,
            hasher,
        })
    }

    fn hasher(remote: &Remote) -> Option<Hasher> {
        Digest::named(&remote.etag).map(|digest| digest.hasher(remote.bytes))
    }

    fn start_over(&mut self, remote: &Remote) -> io::Result<()> {
        self.file.set_len(0)?;
        io::Seek::rewind(&mut self.file)?;
        self.length = 0;
        self.hasher = Self::hasher(remote);
        Ok(())
    }

    /// The hash that the whole file has instead of its own.
    fn wrong(&self, remote: &Remote) -> Option<(Digest, String)> {
        let digest = Digest::named(&remote.etag)?;
        let found = self.hasher.clone()?.finish();
        (found != digest.hex()).then_some((digest, found))
    }

    /// Appends what the server sends, until the file is whole.
    fn stream(
        &mut self,
        client: &Client<'_>,
        remote: &Remote,
        about: About<'_>,
        commit: &str,
        watch: Watch<'_>,
    ) -> Result<(), Stop> {
        let from = self.length;
        let response = client
            .open(about, commit, from)
            .map_err(|failed| match failed {
                Failed::ForGood(PullError::Refused { status: 416, .. }) if from > 0 => {
                    Stop::StartOver
                }
                failed => Stop::Failed(failed),
            })?;
        if from > 0 && response.status() == 200 {
            // It does not know ranges.
            return Err(Stop::StartOver);
        }
        let host = || client.host().to_owned();
        let strange = |reason: String| {
            let host = host();
            Stop::Failed(Failed::ForGood(PullError::Answer { host, reason }))
        };
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        if response.status() == 206 {
            let expected = format!("bytes {from}-{}/{}", remote.bytes - 1, remote.bytes);
            let range = header("content-range").unwrap_or_default();
            if range != expected {
                return Err(strange(format!(
                    "asked for {expected} of {}, it sends {range:?}",
                    remote.name
                )));
            }
        }
        if let Some(length) = header("content-length").and_then(|length| length.parse::<u64>().ok())
            && length != remote.bytes - from
        {
            return Err(strange(format!(
                "{} bytes of {} are missing, and it sends {length}",
                remote.bytes - from,
                remote.name
            )));
        }
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let cut = |reason: String| {
                let host = host();
                Stop::Failed(Failed::Passing(
                    PullError::Unreachable { host, reason },
                    None,
                ))
            };
            let n = match body.read(&mut buffer) {
                Ok(0) if self.length == remote.bytes => return Ok(()),
                Ok(0) => return Err(cut("the connection was cut".into())),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cut(error.to_string())),
            };
            if self.length + n as u64 > remote.bytes {
                return Err(strange(format!(
                    "{} goes on after its {} bytes",
                    remote.name, remote.bytes
                )));
            }
            self.file.write_all(&buffer[..n]).map_err(Stop::Disk)?;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..n]);
            }
            self.length += n as u64;
            watch(Event::Bytes(n as u64));
        }
    }
}
