//! What the operating system says of itself, as text files and folders.

use std::fs;
use std::path::PathBuf;

use crate::settings::{Environment, env};

/// Where the CUDA driver's library usually lies.
const DRIVER_FOLDERS: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/cuda/compat",
    "/run/opengl-driver/lib",
];

/// Processors that this process may run on.
pub fn affinity() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    count_list(list)
}

/// Processors that the system has switched on.
pub fn online() -> Option<usize> {
    count_list(&fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
}

/// How many numbers a list such as `0-3,8` names.
fn count_list(list: &str) -> Option<usize> {
    list.trim().split(',').try_fold(0, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(sum + (last + 1).checked_sub(first)?)
    })
}

/// The mode of transparent huge pages: `always`, `madvise` or `never`.
pub fn huge_pages() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok()?;
    chosen(&text)
}

/// The word in brackets.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (word, _) = rest.split_once(']')?;
    Some(word.to_owned())
}

/// The CUDA driver's library, and the driver's version as its kernel module tells it.
pub fn cuda_driver(environment: &Environment) -> (Option<PathBuf>, Option<String>) {
    let searched = environment.get(env::LD_LIBRARY_PATH).unwrap_or_default();
    let folders = std::env::split_paths(searched)
        .filter(|folder| folder.is_absolute())
        .chain(DRIVER_FOLDERS.iter().map(PathBuf::from));
    let library = find_driver(folders);
    let version = fs::read_to_string("/proc/driver/nvidia/version")
        .ok()
        .and_then(|text| Some(text.lines().next()?.to_owned()));
    (library, version)
}

fn find_driver(folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders
        .map(|folder| folder.join("libcuda.so.1"))
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        for (list, count) in [
            ("0", Some(1)),
            ("0-3,8\n", Some(5)),
            ("\t2-2,4-7", Some(5)),
            ("", None),
            ("3-1", None),
            ("a", None),
        ] {
            assert_eq!(count_list(list), count, "{list:?}");
        }
    }

    #[test]
    fn the_chosen_word_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), Some("madvise".into()));
        assert_eq!(chosen("always"), None);
    }

    #[test]
    fn the_driver_is_found_in_the_first_folder_that_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir(&b).unwrap();
        assert_eq!(find_driver([a.clone(), b.clone()].into_iter()), None);
        fs::write(b.join("libcuda.so.1"), "").unwrap();
        let found = find_driver([a.clone(), b.clone()].into_iter());
        assert_eq!(found, Some(b.join("libcuda.so.1")));
    }
}
