use std::fs::File;
use std::io::Read;
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload, WriteMultipart,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::{MANIFEST, manifest};
use super::{Files, LocalFile, PublishError, Room};

/// Files that go up at once, and parts of each: with the size of a part, what memory holds.
const FILES_AT_ONCE: usize = 4;
const PARTS_AT_ONCE: usize = 2;
/// A file of more goes up in parts of at least this size; S3 takes none below 5 MiB.
const PART_BYTES: u64 = 8 << 20;
/// S3 takes 10,000 parts of an object.
const MOST_PARTS: u64 = 9_000;
/// What an object is labelled with.
const LABEL: &str = "colloquy_sha256";

/// What is wanted beside the upload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Say what would be sent, and send nothing.
    pub dry_run: bool,
    /// Read everything back and compare.
    pub verify: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Names of what was sent, or would be.
    pub sent: Vec<String>,
    pub sent_bytes: u64,
    /// Files that were there already.
    pub kept: usize,
    pub kept_bytes: u64,
    /// Objects that were read back and compared.
    pub verified: usize,
    /// Whether the manifest is new.
    pub manifest_written: bool,
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of the folder that were read, to know their hashes.
    Read(u64),
    /// Bytes that are to be sent.
    ToSend(u64),
    /// Bytes that were sent.
    Sent(u64),
    /// Bytes that were read back.
    Verified(u64),
}

type Tell<'a> = &'a (dyn Fn(Progress) + Sync);

/// Sends a folder's files, but for those that lie there whole already, and the manifest last.
///
/// # Errors
/// When the store cannot be reached or refuses, a file cannot be read or changes meanwhile, or an object is not as it was sent.
/// What was sent whole by then stays, and is not sent again.
pub async fn publish(
    room: &Room,
    files: &Files,
    wish: Wish,
    tell: Tell<'_>,
) -> Result<Outcome, PublishError> {
    let manifest_path = room.path(MANIFEST)?;
    let mut paths = Vec::new();
    for file in &files.files {
        paths.push(room.path(&file.name)?);
    }
    // The first request: whether anybody is there, before time goes into hashes.
    let old = room.read(&manifest_path).await?;
    let mut hashed = Vec::new();
    for file in &files.files {
        hashed.push((file, hash_of(file, tell)?));
    }
    let new = manifest(&hashed);
    let work: Vec<Item<'_>> = hashed
        .iter()
        .zip(&paths)
        .map(|((file, sha256), path)| Item { file, sha256, path })
        .collect();
    let states: Vec<bool> = stream::iter(&work)
        .map(|item| room.holds(item))
        .buffered(FILES_AT_ONCE)
        .try_collect()
        .await?;
    let (mut missing, mut outcome) = (Vec::new(), Outcome::default());
    for (item, whole) in work.iter().zip(states) {
        if whole {
            outcome.kept += 1;
            outcome.kept_bytes += item.file.bytes;
        } else {
            outcome.sent.push(item.file.name.clone());
            outcome.sent_bytes += item.file.bytes;
            missing.push(item);
        }
    }
    outcome.manifest_written = old.as_deref() != Some(&new[..]);
    if wish.dry_run {
        return Ok(outcome);
    }
    tell(Progress::ToSend(outcome.sent_bytes));
    if old.is_some() && !missing.is_empty() {
        outcome.manifest_written = true;
        room.remove(&manifest_path).await?;
    }
    let stop = AtomicBool::new(false);
    let sent: Vec<Result<(), PublishError>> = stream::iter(&missing)
        .map(|item| room.send_or_stop(item, &stop, tell))
        .buffered(FILES_AT_ONCE)
        .collect()
        .await;
    sent.into_iter().collect::<Result<(), _>>()?;
    if wish.verify {
        for item in &work {
            let found = room.hash_back(item.path, tell).await?;
            room.same(item, found.as_deref())?;
            outcome.verified += 1;
        }
    }
    if outcome.manifest_written {
        let payload = PutPayload::from(new.clone());
        let put = room.store.put(&manifest_path, payload).await;
        put.map_err(|error| room.told(&error))?;
        if room.read(&manifest_path).await?.as_deref() != Some(&new[..]) {
            return Err(room.not_as_sent(MANIFEST, "its bytes differ"));
        }
    }
    Ok(outcome)
}

/// A file on its way.
struct Item<'a> {
    file: &'a LocalFile,
    sha256: &'a str,
    path: &'a Path,
}

impl Room {
    /// Where a file lies in the store.
    fn path(&self, name: &str) -> Result<Path, PublishError> {
        let prefix = self.target.prefix();
        let whole = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}/{name}")
        };
        let refused = |reason: String| PublishError::Name {
            name: name.to_owned(),
            reason,
        };
        // A local store keeps names with # for what is on its way.
        if whole.contains(['#', '?', '\\', '%']) {
            return Err(refused("it has one of # ? % and \\".into()));
        }
        Path::parse(&whole).map_err(|error| refused(error.to_string()))
    }

    /// An object's bytes, where it is there.
    async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, PublishError> {
        match self.store.get(path).await {
            Ok(found) => {
                let bytes = found.bytes().await.map_err(|error| self.told(&error))?;
                Ok(Some(bytes.to_vec()))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.told(&error)),
        }
    }

    async fn remove(&self, path: &Path) -> Result<(), PublishError> {
        match self.store.delete(path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.told(&error)),
        }
    }

    /// Whether a file lies there whole: of its size, and labelled with its hash, or of that hash where nothing is labelled.
    async fn holds(&self, item: &Item<'_>) -> Result<bool, PublishError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = match self.store.get_opts(item.path, options).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(self.told(&error)),
        };
        if found.meta.size != item.file.bytes {
            return Ok(false);
        }
        if self.labels {
            let label = found.attributes.get(&Attribute::Metadata(LABEL.into()));
            return Ok(label.is_some_and(|label| **label == *item.sha256));
        }
        let found = self.hash_back(item.path, &|_| {}).await?;
        Ok(found.as_deref() == Some(item.sha256))
    }

    /// The hash of what lies there.
    async fn hash_back(&self, path: &Path, tell: Tell<'_>) -> Result<Option<String>, PublishError> {
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.told(&error)),
        };
        let (mut hash, mut bytes) = (Sha256::new(), found.into_stream());
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(|error| self.told(&error))?;
            hash.update(&piece);
            tell(Progress::Verified(piece.len() as u64));
        }
        Ok(Some(hex(hash)))
    }

    fn not_as_sent(&self, name: &str, found: &str) -> PublishError {
        PublishError::NotAsSent {
            target: self.target.to_string(),
            name: name.to_owned(),
            found: found.to_owned(),
        }
    }

    fn same(&self, item: &Item<'_>, found: Option<&str>) -> Result<(), PublishError> {
        match found {
            Some(found) if found == item.sha256 => Ok(()),
            Some(_) => Err(self.not_as_sent(&item.file.name, "its bytes differ")),
            None => Err(self.not_as_sent(&item.file.name, "it is not there")),
        }
    }

    /// Sends a file unless another one failed; where this one fails, the others stop.
    async fn send_or_stop(
        &self,
        item: &Item<'_>,
        stop: &AtomicBool,
        tell: Tell<'_>,
    ) -> Result<(), PublishError> {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let sent = self.send(item, stop, tell).await;
        if sent.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        sent
    }

    async fn send(
        &self,
        item: &Item<'_>,
        stop: &AtomicBool,
        tell: Tell<'_>,
    ) -> Result<(), PublishError> {
        let mut attributes = Attributes::new();
        if self.labels {
            let label = Attribute::Metadata(LABEL.into());
            attributes.insert(label, item.sha256.to_owned().into());
        } else if let super::Target::Folder(folder) = &self.target {
            remove_leftovers(&folder.join(&item.file.name));
        }
        let mut reader = Reader::open(item)?;
        if item.file.bytes <= PART_BYTES {
            let bytes = reader.next(PART_BYTES + 1)?;
            reader.check()?;
            let options = PutOptions {
                attributes,
                ..PutOptions::default()
            };
            let put = self.store.put_opts(item.path, bytes.into(), options).await;
            put.map_err(|error| self.told(&error))?;
            tell(Progress::Sent(item.file.bytes));
        } else if !self
            .send_parts(item, &mut reader, attributes, stop, tell)
            .await?
        {
            return Ok(());
        }
        if self.holds(item).await? {
            Ok(())
        } else {
            Err(self.not_as_sent(&item.file.name, "its size or its hash differs"))
        }
    }

    /// Sends a file in parts; whether it was sent to its end. What fails is taken back, so that no store keeps parts of it.
    async fn send_parts(
        &self,
        item: &Item<'_>,
        reader: &mut Reader<'_>,
        attributes: Attributes,
        stop: &AtomicBool,
        tell: Tell<'_>,
    ) -> Result<bool, PublishError> {
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let upload = self.store.put_multipart_opts(item.path, options).await;
        let upload = upload.map_err(|error| self.told(&error))?;
        let part = PART_BYTES.max(
            item.file
                .bytes
                .div_ceil(MOST_PARTS)
                .next_multiple_of(1 << 20),
        );
        let size = usize::try_from(part).unwrap_or(usize::MAX);
        let mut writer = WriteMultipart::new_with_chunk_size(upload, size);
        loop {
            let step = async {
                let bytes = reader.next(part)?;
                if bytes.is_empty() {
                    reader.check()?;
                }
                let room = writer.wait_for_capacity(PARTS_AT_ONCE).await;
                room.map_err(|error| self.told(&error))?;
                Ok(bytes)
            };
            match step.await {
                Ok(bytes) if stop.load(Ordering::Relaxed) => {
                    drop(bytes);
                    let _ = writer.abort().await;
                    return Ok(false);
                }
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => {
                    let len = bytes.len() as u64;
                    writer.put(bytes.into());
                    tell(Progress::Sent(len));
                }
                Err(error) => {
                    let _ = writer.abort().await;
                    return Err(error);
                }
            }
        }
        writer.finish().await.map_err(|error| self.told(&error))?;
        Ok(true)
    }
}

/// What a killed run left beside a file of a folder: the store calls it by the file's name and a number.
fn remove_leftovers(path: &FilePath) {
    for number in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{number}"));
        if std::fs::remove_file(FilePath::new(&name)).is_err() {
            return;
        }
    }
}

/// A file, read once more as it is sent: it must still be what its hash says.
struct Reader<'a> {
    item: &'a Item<'a>,
    file: File,
    hash: Sha256,
}

impl<'a> Reader<'a> {
    fn open(item: &'a Item<'_>) -> Result<Self, PublishError> {
        let file = crate::fsio::open_regular(&item.file.path);
        Ok(Self {
            item,
            file: file.map_err(|error| unreadable(item.file, error))?,
            hash: Sha256::new(),
        })
    }

    /// The next bytes, at most so many; none at the end.
    fn next(&mut self, most: u64) -> Result<Vec<u8>, PublishError> {
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(most).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(self.item.file, error))?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    /// Whether what was read is what was hashed before.
    fn check(&self) -> Result<(), PublishError> {
        if hex(self.hash.clone()) == self.item.sha256 {
            return Ok(());
        }
        Err(PublishError::Changed {
            path: self.item.file.path.clone(),
        })
    }
}

fn unreadable(file: &LocalFile, source: std::io::Error) -> PublishError {
    PublishError::Io {
        path: file.path.clone(),
        source,
    }
}

/// The hash of a file.
fn hash_of(file: &LocalFile, tell: Tell<'_>) -> Result<String, PublishError> {
    let opened = crate::fsio::open_regular(&file.path);
    let mut reader = opened.map_err(|error| unreadable(file, error))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    let mut all = 0;
    loop {
        let read = reader.read(&mut buffer);
        let read = read.map_err(|error| unreadable(file, error))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        all += read as u64;
        tell(Progress::Read(read as u64));
    }
    if all != file.bytes {
        return Err(PublishError::Changed {
            path: file.path.clone(),
        });
    }
    Ok(hex(hash))
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
