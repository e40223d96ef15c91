//! Whether files on this machine are what their makers published, as far as that can be known without a network.
//!
//! In the cache a blob's name is its hash; a folder made by `hf download --local-dir` keeps the hashes beside the files.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use safetensors::tensor::Metadata;

use super::HubError;
use super::digest::Digest;
use crate::fsio::HEADER_BYTES;

/// A file and what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name in the folder.
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
    pub checked: Checked,
}

/// What was found out about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It has the hash that it should have, of this kind.
    Right(&'static str),
    /// No hash is known of it; nothing else is wrong.
    Unknown,
    Wrong(String),
    /// It is a link to what is not there.
    Missing,
}

/// Folders in folders; repositories have two or three.
const DEPTH: usize = 16;
const BUFFER_BYTES: usize = 1 << 20;

/// Checks every file of a folder, by name. `blobs` is the folder that a cached model's links must lead to; `read` is told
/// of bytes as they are read.
///
/// # Errors
/// When a folder cannot be read.
pub fn verify(
    folder: &Path,
    blobs: Option<&Path>,
    read: &mut dyn FnMut(u64),
) -> Result<Vec<Finding>, HubError> {
    let mut names = Vec::new();
    list(folder, "", DEPTH, &mut names)?;
    names.sort_unstable();
    let blobs = blobs.and_then(|blobs| blobs.canonicalize().ok());
    let check = |name: String| {
        let path = folder.join(&name);
        let bytes = path.metadata().map_or(0, |found| found.len());
        let checked = look(folder, &name, &path, blobs.as_deref(), bytes, read)
            .unwrap_or_else(|error| Checked::Wrong(format!("it cannot be read: {error}")));
        Finding {
            name,
            path,
            bytes,
            checked,
        }
    };
    Ok(names.into_iter().map(check).collect())
}

/// Every file below a folder but those of other tools' own; links to folders are not followed.
fn list(root: &Path, below: &str, depth: usize, names: &mut Vec<String>) -> Result<(), HubError> {
    let folder = root.join(below);
    let unreadable = |error: io::Error| HubError::Read {
        path: folder.clone(),
        reason: error.to_string(),
    };
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            if depth > 0 && name != ".git" && name != ".cache" {
                list(root, &format!("{below}{name}/"), depth - 1, names)?;
            }
        } else {
            names.push(format!("{below}{name}"));
        }
    }
    Ok(())
}

fn look(
    folder: &Path,
    name: &str,
    path: &Path,
    blobs: Option<&Path>,
    bytes: u64,
    read: &mut dyn FnMut(u64),
) -> io::Result<Checked> {
    let link = fs::symlink_metadata(path)?.is_symlink();
    let whole = match path.canonicalize() {
        Err(error) if link && error.kind() == io::ErrorKind::NotFound => {
            return Ok(Checked::Missing);
        }
        found => found?,
    };
    if let Some(blobs) = blobs.filter(|blobs| link && !whole.starts_with(blobs)) {
        return Ok(Checked::Wrong(format!(
            "it is a link that leads out of {} to {}",
            blobs.display(),
            whole.display()
        )));
    }
    if !whole.is_file() {
        return Ok(Checked::Wrong("it is no file".into()));
    }
    if let Some(problem) = broken(name, &whole, bytes)? {
        return Ok(Checked::Wrong(problem));
    }
    let named = whole.file_name().and_then(|name| name.to_str());
    let digest = match named.filter(|_| link && blobs.is_some()) {
        Some(etag) => Digest::named(etag),
        None => noted(folder, name),
    };
    let Some(digest) = digest else {
        return Ok(Checked::Unknown);
    };
    let mut hasher = digest.hasher(bytes);
    let mut file = File::open(&whole)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => {
                hasher.update(&buffer[..n]);
                read(n as u64);
            }
        }
    }
    let found = hasher.finish();
    Ok(if found == digest.hex() {
        Checked::Right(digest.kind())
    } else {
        Checked::Wrong(format!(
            "its {} is {found}, and should be {}",
            digest.kind(),
            digest.hex()
        ))
    })
}

/// The hash that `hf download --local-dir` noted of a file: the second line of its note.
fn noted(folder: &Path, name: &str) -> Option<Digest> {
    let note = folder
        .join(".cache/huggingface/download")
        .join(format!("{name}.metadata"));
    let text = fs::read_to_string(note).ok()?;
    Digest::named(text.lines().nth(1)?.trim())
}

/// What is wrong with a weight file as its own header tells it.
fn broken(name: &str, path: &Path, bytes: u64) -> io::Result<Option<String>> {
    let ends = |ending: &str| name.to_ascii_lowercase().ends_with(ending);
    if !ends(".safetensors") && !ends(".gguf") {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let mut start = [0; 8];
    let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(8);
    file.read_exact(&mut start[..length])?;
    if start == *b"version " {
        return Ok(Some("it is a git-lfs pointer, not the file itself".into()));
    }
    if ends(".gguf") {
        let version = u32::from_le_bytes([start[4], start[5], start[6], start[7]]);
        return Ok(if !start.starts_with(b"GGUF") {
            Some("it does not begin as a GGUF file".into())
        } else if !(1..=3).contains(&version) {
            Some(format!("it is GGUF of version {version}; 1 to 3 are known"))
        } else {
            None
        });
    }
    let header = u64::from_le_bytes(start);
    if length < 8 || header > HEADER_BYTES || header + 8 > bytes {
        return Ok(Some(format!(
            "it is no whole safetensors file: its header would have {header} bytes, and it has {bytes} in all"
        )));
    }
    let mut text = Vec::new();
    file.take(header).read_to_end(&mut text)?;
    let data = bytes - header - 8;
    Ok(match serde_json::from_slice::<Metadata>(&text) {
        Err(error) => Some(format!("its safetensors header is broken: {error}")),
        Ok(metadata) => {
            let end = metadata
                .tensors()
                .values()
                .map(|info| info.data_offsets.1)
                .max();
            let end = end.unwrap_or(0) as u64;
            (end != data).then(|| {
                format!("its header describes {end} bytes of tensors, and it holds {data}")
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const GIT: &str = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";

    fn checked(folder: &Path, blobs: Option<&Path>, name: &str) -> Checked {
        let findings = verify(folder, blobs, &mut |_| {}).unwrap();
        let found = findings.into_iter().find(|finding| finding.name == name);
        found.unwrap().checked
    }

    #[cfg(unix)]
    #[test]
    fn blobs_must_have_the_hash_of_their_name() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let (blobs, snapshot) = (place.path().join("blobs"), place.path().join("snapshots/c"));
        fs::create_dir_all(&blobs).unwrap();
        fs::create_dir_all(snapshot.join("sub")).unwrap();
        let put = |etag: &str, text: &str, name: &str, up: &str| {
            fs::write(blobs.join(etag), text).unwrap();
            symlink(format!("{up}blobs/{etag}"), snapshot.join(name)).unwrap();
        };
        put(SHA256, "abc", "large", "../../");
        put(GIT, "abc", "sub/small", "../../../");
        put(&SHA256.replace('b', "c"), "abc", "other", "../../");
        put("my-etag", "abc", "unknown", "../../");
        symlink("../../blobs/none", snapshot.join("gone")).unwrap();
        fs::write(place.path().join("secret"), "abc").unwrap();
        symlink("../../secret", snapshot.join("away")).unwrap();
        fs::write(snapshot.join("plain"), "abc").unwrap();
        let of = |name: &str| checked(&snapshot, Some(&blobs), name);
        assert_eq!(of("large"), Checked::Right("sha256"));
        assert_eq!(of("sub/small"), Checked::Right("git sha1"));
        assert!(matches!(of("other"), Checked::Wrong(why) if why.contains("should be ca7816")));
        assert_eq!(
            (of("unknown"), of("plain")),
            (Checked::Unknown, Checked::Unknown)
        );
        assert_eq!(of("gone"), Checked::Missing);
        assert!(matches!(of("away"), Checked::Wrong(why) if why.contains("leads out")));
    }

    #[test]
    fn a_local_folder_has_its_hashes_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let notes = place.path().join(".cache/huggingface/download");
        fs::create_dir_all(&notes).unwrap();
        fs::write(place.path().join("a.json"), "abc").unwrap();
        fs::write(
            notes.join("a.json.metadata"),
            format!("{GIT}\n{GIT}\n1.5\n"),
        )
        .unwrap();
        assert_eq!(
            checked(place.path(), None, "a.json"),
            Checked::Right("git sha1")
        );
        fs::write(place.path().join("a.json"), "abd").unwrap();
        assert!(matches!(
            checked(place.path(), None, "a.json"),
            Checked::Wrong(_)
        ));
    }

    #[test]
    fn headers_of_weights_are_read() {
        let place = tempfile::tempdir().unwrap();
        let says = |name: &str, bytes: &[u8]| {
            fs::write(place.path().join(name), bytes).unwrap();
            match checked(place.path(), None, name) {
                Checked::Wrong(why) => why,
                other => format!("{other:?}"),
            }
        };
        let whole = |data: usize| {
            let header = br#"{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend_from_slice(header);
            bytes.resize(bytes.len() + data, 0);
            bytes
        };
        assert_eq!(says("a.safetensors", &whole(4)), "Unknown");
        assert!(says("b.safetensors", &whole(3)).contains("4 bytes of tensors, and it holds 3"));
        assert!(says("c.safetensors", &[0xff; 16]).contains("no whole safetensors"));
        assert!(says("d.safetensors", b"abc").contains("no whole safetensors"));
        assert!(says("e.safetensors", b"version https://git-lfs.github.com").contains("pointer"));
        assert_eq!(says("a.gguf", b"GGUF\x03\0\0\0rest"), "Unknown");
        assert!(says("b.gguf", b"GGUF\x00\0\0\x03").contains("version"));
        assert!(says("c.gguf", b"GGML").contains("does not begin"));
        assert!(says("d.gguf", b"").contains("does not begin"));
    }
}
