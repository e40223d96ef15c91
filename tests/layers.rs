//! Imports go down only: rooms know the rooms below them and no others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rooms by height; a room may import what is strictly lower.
const ROOMS: &[(&str, u8)] = &[
    ("rng", 0),
    ("hash", 0),
    ("brief", 0),
    ("fsio", 0),
    ("json", 0),
    ("record", 1),
    ("metrics", 1),
    ("kernels", 2),
    ("augment", 2),
    ("settings", 2),
    ("hub", 2),
    ("publish", 2),
    ("prompt", 2),
    ("persona", 2),
    ("knowledge", 2),
    ("export", 2),
    ("guards", 2),
    ("import", 3),
    ("quality", 3),
    ("model", 3),
    ("engine", 4),
    ("embed", 4),
    ("dialogue", 5),
    ("pipeline", 6),
    ("run", 7),
    ("bench", 8),
    ("report", 8),
    ("progress", 8),
    ("scale", 8),
    ("cli", 9),
];

/// What height alone would allow, forbidden to all but test modules: finished records leave through the command line only,
/// and neither the command line nor the dialogue has business with tensors.
const FORBIDDEN: &[(&str, &str)] = &[
    ("cli", "kernels"),
    ("pipeline", "export"),
    ("pipeline", "hub"),
    ("pipeline", "kernels"),
    ("pipeline", "model"),
    ("dialogue", "kernels"),
    ("dialogue", "model"),
    ("dialogue", "settings"),
    ("run", "export"),
    ("run", "kernels"),
    ("run", "model"),
    ("bench", "export"),
    ("bench", "hub"),
    ("progress", "export"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a text names after `crate::`, groups in braces included.
fn imported(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect()
    };
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut rooms = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = &group[..group.find("};").unwrap_or(group.len())];
            rooms.extend(group.split(',').map(|item| word(item.trim())));
        } else {
            rooms.insert(word(rest));
        }
    }
    rooms.remove("");
    rooms
}

/// Whether a file is a module for tests only.
fn is_for_tests(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let declared = format!("#[cfg(test)]\nmod {stem};");
    std::fs::read_to_string(path.with_file_name("mod.rs"))
        .is_ok_and(|parent| parent.contains(&declared))
}

fn height(room: &str) -> Option<u8> {
    ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, height)| *height)
}

#[test]
fn imports_go_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    assert!(found.len() > 50);
    let mut wrong = Vec::new();
    for path in found {
        let below = path.strip_prefix(&root).unwrap();
        let first = below.iter().next().unwrap().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        if ["main", "lib"].contains(&room) {
            continue;
        }
        let Some(own) = height(room) else {
            wrong.push(format!("{}: no such room as {room}", below.display()));
            continue;
        };
        let test = is_for_tests(&path);
        for other in imported(&std::fs::read_to_string(&path).unwrap()) {
            let forbidden = !test && FORBIDDEN.contains(&(room, other.as_str()));
            match height(&other) {
                // A macro or an item of the crate's root.
                None => {}
                Some(_) if other == room => {}
                Some(height) if height < own && !forbidden => {}
                Some(_) => wrong.push(format!(
                    "{}: {room} must not import {other}",
                    below.display()
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rooms that may reach a network, and what reaches one.
const ONLINE: [&str; 2] = ["hub", "publish"];
const REACHES: [&str; 5] = ["ureq", "object_store", "reqwest", "std::net", "tokio::net"];

#[test]
fn two_rooms_touch_the_network() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let mut online = BTreeSet::new();
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let reaches = |line: &str| {
            REACHES
                .iter()
                .any(|name| line.contains(&format!("{name}::")))
        };
        if !is_for_tests(&path) && code.any(reaches) {
            let below = path.strip_prefix(&root).unwrap();
            online.insert(below.iter().next().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert_eq!(online.into_iter().collect::<Vec<_>>(), ONLINE);
}

#[test]
fn groups_and_paths_are_read() {
    let text = "use crate::{fsio, hash};\nuse crate::record::Page;\nlet x = crate::run::carry_out();\n// crate::cli\n";
    let names: Vec<_> = imported(text).into_iter().collect();
    assert_eq!(names, ["fsio", "hash", "record", "run"]);
}
