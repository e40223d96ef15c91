//! Files written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
