//! Files written whole or not at all, and files of others read within bounds.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// More than any configuration or template has.
pub const SMALL_BYTES: u64 = 4 << 20;
/// The longest safetensors header that is read. A mixture of experts in one file, of 20,000 tensors, needs a sixth of it;
/// read, a header takes several times its bytes.
pub const HEADER_BYTES: u64 = 16 << 20;

/// Opens a regular file, links followed. A pipe would wait for a writer, and a device may never end.
///
/// # Errors
/// Any I/O error, and where something else lies there.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let other = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    // Before it is opened: that alone may wait.
    if !fs::metadata(path)?.is_file() {
        return Err(other());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(other())
    }
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// Any I/O error, where something else lies there, and where the file has more.
pub fn read_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let long = || {
        let told = format!("it has more than {most} bytes, which no such file needs");
        io::Error::new(io::ErrorKind::FileTooLarge, told)
    };
    let file = open_regular(path)?;
    if file.metadata()?.len() > most {
        return Err(long());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(long());
    }
    Ok(bytes)
}

/// As [`read_bytes`], a text.
///
/// # Errors
/// As [`read_bytes`], and where it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_bytes(path, most)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not UTF-8 at byte {at}"),
        )
    })
}

/// Writes `path` through a temporary neighbour and a rename, so that a reader never sees half a file and a failure
/// leaves the old one. Afterwards the file and its name are durable.
///
/// # Errors
/// Any I/O error; the temporary file is removed then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes))
}

/// Like [`write_atomically`], for content that is streamed.
///
/// # Errors
/// Any I/O error, `fill`'s own included; the temporary file is removed then.
pub fn write_atomically_with(
    path: &Path,
    fill: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = neighbour(path);
    let result = (|| {
        let mut writer = io::BufWriter::new(File::create(&temporary)?);
        fill(&mut writer)?;
        let file = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    match &result {
        Ok(()) => sync_folder(folder_of(path)),
        Err(_) => {
            let _ = fs::remove_file(&temporary);
        }
    }
    result
}

/// A file that is on its way: nothing is at its path until it is put there, and nothing is left where it is dropped. Several
/// can be written at once and put in their places when all of them are whole.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    /// Gone once it is in its place.
    temporary: Option<PathBuf>,
    writer: io::BufWriter<File>,
}

impl Draft {
    /// Begins a file.
    ///
    /// # Errors
    /// When nothing can be written beside its path, or a folder stands there.
    pub fn create(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let temporary = neighbour(path);
        Ok(Self {
            path: path.to_owned(),
            writer: io::BufWriter::new(File::create(&temporary)?),
            temporary: Some(temporary),
        })
    }

    /// Where it is going to be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what was written durable, still beside its place: the last moment at which a full disk is met.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn complete(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// Any I/O error; it is gone then.
    pub fn publish(mut self) -> io::Result<()> {
        self.complete()?;
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.path)?;
        }
        self.temporary = None;
        sync_folder(folder_of(&self.path));
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Whether a file could be written at `path`: tried beside it, and nothing is left there.
///
/// # Errors
/// Any I/O error that writing would meet at once.
pub fn check_writable(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let temporary = neighbour(path);
    File::create(&temporary)?;
    fs::remove_file(&temporary)
}

/// Removes what writers of `path` that were killed have left beside it. For the one who may write it now: a writer at work
/// would lose its temporary file.
pub fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return;
    };
    for entry in fs::read_dir(folder_of(path))
        .into_iter()
        .flatten()
        .flatten()
    {
        let other = entry.file_name();
        let process = other
            .to_str()
            .and_then(|other| other.strip_prefix(name)?.strip_prefix('.'))
            .and_then(|rest| rest.strip_suffix(".tmp"));
        if process.is_some_and(|process| process.parse::<u32>().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes the names in a folder durable where the system can; where it cannot, a lost file is made again.
pub fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn neighbour(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_read_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(&path, "caf\u{e9}").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "caf\u{e9}");
        let told = |path: &Path, most| read_text(path, most).unwrap_err().to_string();
        assert!(told(&path, 4).contains("more than 4 bytes"));
        fs::write(&path, b"caf\xe9").unwrap();
        assert_eq!(told(&path, 5), "not UTF-8 at byte 3");
        assert_eq!(told(dir.path(), 5), "it is not a regular file");
        assert_eq!(told(Path::new("/dev/null"), 5), "it is not a regular file");
        let none = read_text(&dir.path().join("b.json"), 5).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomically(&path, b"old").unwrap();
        let failed = write_atomically_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("stop"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let mut draft = Draft::create(&path).unwrap();
        draft.write_all(b"whole").unwrap();
        assert!(!path.exists());
        draft.publish().unwrap();
        let mut dropped = Draft::create(&path).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Draft::create(dir.path()).is_err());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_known_before() {
        let dir = tempfile::tempdir().unwrap();
        check_writable(&dir.path().join("a.svg")).unwrap();
        assert!(check_writable(&dir.path().join("none/a.svg")).is_err());
        assert!(check_writable(dir.path()).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_of_one_file_go_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a.json", "a.json.tmp", "a.json.x.tmp", "b.json.12.tmp"];
        for name in names.into_iter().chain(["a.json.12.tmp", "a.json.7.tmp"]) {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_leftovers(&dir.path().join("a.json"));
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, names);
    }
}
