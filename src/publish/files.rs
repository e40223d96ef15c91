use std::fs;
use std::path::{Path, PathBuf};

use super::{MANIFEST, PublishError};

/// A file that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path in the folder, with `/` between parts.
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// By name.
    pub files: Vec<LocalFile>,
    /// Names of what is no regular file, and stays: links are not followed.
    pub left: Vec<String>,
}

impl Files {
    /// Every regular file of a folder and the folders in it, but for the manifest of an earlier publication.
    ///
    /// # Errors
    /// When something cannot be read, a name is not UTF-8, or there is nothing.
    pub fn of(folder: &Path) -> Result<Self, PublishError> {
        let mut found = Self::default();
        found.walk(folder, "")?;
        found.files.retain(|file| file.name != MANIFEST);
        if found.files.is_empty() {
            return Err(PublishError::Nothing {
                folder: folder.to_owned(),
            });
        }
        found.files.sort_by(|a, b| a.name.cmp(&b.name));
        found.left.sort();
        Ok(found)
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn walk(&mut self, folder: &Path, within: &str) -> Result<(), PublishError> {
        let unreadable = |path: &Path, source| PublishError::Io {
            path: path.to_owned(),
            source,
        };
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            let name = path.file_name().unwrap_or_default();
            let name = name.to_str().ok_or_else(|| PublishError::Name {
                name: name.to_string_lossy().into_owned(),
                reason: "it is not UTF-8".into(),
            })?;
            let name = if within.is_empty() {
                name.to_owned()
            } else {
                format!("{within}/{name}")
            };
            let meta = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, error))?;
            if meta.is_dir() {
                self.walk(&path, &name)?;
            } else if meta.is_file() {
                let bytes = meta.len();
                self.files.push(LocalFile { name, path, bytes });
            } else {
                self.left.push(name);
            }
        }
        Ok(())
    }
}
