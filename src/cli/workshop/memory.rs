//! Memory that this process may take: the system's, within its control groups.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Assumed where the system does not say.
const UNKNOWN_BYTES: u64 = 4 << 30;
/// Where control groups are mounted.
const GROUPS: &str = "/sys/fs/cgroup";

/// What there is of memory, in bytes; none where the system does not say.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    pub total: Option<u64>,
    pub available: u64,
    /// The tightest limit of this process's control groups.
    pub group_limit: Option<u64>,
}

/// What there is of memory.
pub fn look() -> Memory {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new(GROUPS);
    Memory {
        total: field(&text, "MemTotal:").map(|kilobytes| kilobytes * 1024),
        available: available(),
        group_limit: groups_of(root, &groups)
            .iter()
            .filter_map(|group| number(group, "memory.max"))
            .min(),
    }
}

/// Processors' worth of time that the tightest of this process's control groups grants, if they say.
pub fn cpu_quota() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    quota_in(&groups_of(Path::new(GROUPS), &groups))
}

fn quota_in(groups: &[PathBuf]) -> Option<f64> {
    let of = |group: &PathBuf| {
        let text = fs::read_to_string(group.join("cpu.max")).ok()?;
        let (quota, period) = text.trim().split_once(' ')?;
        let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
        (period > 0.0).then(|| quota / period)
    };
    groups.iter().filter_map(of).reduce(f64::min)
}

/// Bytes that this process may still take: what the system has, or what its control groups leave.
pub fn available() -> u64 {
    let system = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| field(&text, "MemAvailable:"))
        .map_or(UNKNOWN_BYTES, |kilobytes| kilobytes * 1024);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match left_in_groups(Path::new(GROUPS), &groups) {
        Some(left) => system.min(left),
        None => system,
    }
}

/// What the tightest of this process's control groups leaves.
fn left_in_groups(root: &Path, groups: &str) -> Option<u64> {
    groups_of(root, groups)
        .iter()
        .filter_map(|group| left_in_group(group))
        .min()
}

/// This process's control groups (version 2), from its own up to the root. `groups` is the text of `/proc/self/cgroup`; a
/// path that cannot be followed, as inside some containers, is the root.
fn groups_of(root: &Path, groups: &str) -> Vec<PathBuf> {
    let own = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .map(|own| root.join(own))
        .filter(|own| own.is_dir() && own.components().all(|part| part.as_os_str() != ".."))
        .unwrap_or_else(|| root.to_owned());
    own.ancestors()
        .take_while(|group| group.starts_with(root))
        .map(Path::to_owned)
        .collect()
}

fn number(group: &Path, name: &str) -> Option<u64> {
    fs::read_to_string(group.join(name))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// What a control group with a limit leaves. The page cache counts as used there, but the kernel gives it up on demand.
fn left_in_group(group: &Path) -> Option<u64> {
    let most = number(group, "memory.max")?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cache: u64 = ["inactive_file", "active_file"]
        .into_iter()
        .filter_map(|name| field(&stat, name))
        .sum();
    let used = number(group, "memory.current")
        .unwrap_or(0)
        .saturating_sub(cache);
    Some(most.saturating_sub(used))
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(first, _)| *first == name)
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &Path, most: &str, current: u64, inactive: u64, active: u64) {
        fs::create_dir_all(path).unwrap();
        let stat = format!(
            "anon 1\nfile 9\nactive_anon 3\ninactive_file {inactive}\nactive_file {active}\n"
        );
        fs::write(path.join("memory.max"), format!("{most}\n")).unwrap();
        fs::write(path.join("memory.current"), format!("{current}\n")).unwrap();
        fs::write(path.join("memory.stat"), stat).unwrap();
    }

    #[test]
    fn the_page_cache_is_not_lost_and_the_tightest_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let left = |groups: &str| left_in_groups(root, groups);
        assert_eq!(left("0::/"), None);
        group(&root.join("a/b"), "1000", 900, 300, 200);
        assert_eq!(left("4:memory:/x\n0::/a/b\n"), Some(600));
        group(&root.join("a"), "800", 700, 50, 50);
        assert_eq!(left("0::/a/b"), Some(200));
        group(&root.join("a"), "max", 700, 50, 50);
        assert_eq!(left("0::/a/b"), Some(600));
        assert_eq!(left("0::/gone"), None);
        group(root, "500", 450, 0, 10);
        for elsewhere in ["0::/gone", "0::/../../x", "", "0::/"] {
            assert_eq!(left(elsewhere), Some(60), "{elsewhere:?}");
        }
    }

    #[test]
    fn the_tightest_quota_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let quota = |groups: &str| quota_in(&groups_of(root, groups));
        fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(quota("0::/a/b"), None);
        fs::write(root.join("a/cpu.max"), "150000 100000\n").unwrap();
        assert_eq!(quota("0::/a/b"), Some(1.5));
        fs::write(root.join("a/b/cpu.max"), "max 100000\n").unwrap();
        assert_eq!(quota("0::/a/b"), Some(1.5));
        fs::write(root.join("a/b/cpu.max"), "50000 100000\n").unwrap();
        assert_eq!(quota("0::/a/b"), Some(0.5));
        assert_eq!(quota("0::/elsewhere"), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "MemTotal:  9 kB\nMemAvailable:   7 kB\ninactive_file 5\nfile 2\n";
        assert_eq!(field(text, "MemAvailable:"), Some(7));
        assert_eq!((field(text, "file"), field(text, "anon")), (Some(2), None));
    }
}
