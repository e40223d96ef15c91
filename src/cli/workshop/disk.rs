//! Room on the disk.

use std::path::{Path, PathBuf};

/// The nearest folder above or at a path that exists: where a missing one would be made.
pub fn nearest_folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Bytes that this user may still write where a path is or would be made; none where the system does not tell.
#[cfg(unix)]
pub fn free_disk(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;

    let folder = std::ffi::CString::new(nearest_folder(path).as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in a zero byte, the other points to a value of the right type, and what is written is read only
    // where that succeeded.
    let found = unsafe {
        if libc::statvfs(folder.as_ptr(), found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    #[expect(
        clippy::useless_conversion,
        reason = "the types differ between systems"
    )]
    let (blocks, each) = (u64::from(found.f_bavail), u64::from(found.f_frsize));
    blocks.checked_mul(each)
}

#[cfg(not(unix))]
pub fn free_disk(_path: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_made_in_the_nearest_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(nearest_folder(&dir.path().join("a/x/y")), dir.path());
        #[cfg(unix)]
        {
            let (here, below) = (free_disk(dir.path()), free_disk(&dir.path().join("a/x")));
            assert!(here.unwrap() > 0 && below.unwrap() > 0);
        }
    }
}
