use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::failure::Failure;

/// A folder that is gone when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A name in the folder for temporary files that nobody has thought of.
    pub fn free_path() -> PathBuf {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = now.map_or(0, |now| now.as_nanos());
        let name = format!("colloquy-scratch-{}-{nanos:x}", std::process::id());
        std::env::temp_dir().join(name)
    }

    /// Makes the folder, for this user alone; one that is there already is someone else's.
    pub fn new(path: PathBuf) -> Result<Self, Failure> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&path)
            .map_err(|error| Failure::write(&path, &error))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_new_and_goes_with_what_is_in_it() {
        let path = Scratch::free_path();
        let place = Scratch::new(path.clone()).unwrap();
        std::fs::write(path.join("a"), "a").unwrap();
        assert!(Scratch::new(path.clone()).is_err(), "it is there already");
        drop(place);
        assert!(!path.exists());
        assert_ne!(Scratch::free_path(), path);
    }
}
