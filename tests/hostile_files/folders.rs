//! What lies in a folder instead of a file: links, pipes, devices, folders, and names that lead elsewhere.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use colloquy::hub::{CachePlaces, resolve};
use serde_json::{Value, json};

use super::room::Folder;

const ALL: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "colloquy.toml",
];

/// Puts something else in the place of each file in turn; the folder is refused, or read as if the file were not there.
fn instead(put: impl Fn(&Path)) {
    for file in ALL {
        let folder = Folder::new();
        let path = folder.path(file);
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        put(&path);
        let read = folder.read();
        if file != "generation_config.json" {
            let told = read.expect_err(file);
            assert!(told.contains(file) && told.len() < 1000, "{file}: {told}");
        }
    }
}

#[test]
fn pipes_devices_and_folders_are_no_files() {
    instead(|path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    });
    instead(|path| symlink("/dev/zero", path).unwrap());
    instead(|path| std::fs::create_dir(path).unwrap());
    instead(|path| symlink(path.parent().unwrap(), path).unwrap());
    let aside = tempfile::tempdir().unwrap();
    let pipe = aside.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    instead(|path| symlink(&pipe, path).unwrap());
}

/// A link that leads nowhere is as good as none.
#[test]
fn links_that_lead_nowhere() {
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        for target in ["no such file", file] {
            let folder = Folder::new();
            std::fs::remove_file(folder.path(file)).unwrap();
            symlink(target, folder.path(file)).unwrap();
            folder.refused(&["it lacks", file]);
        }
    }
}

/// Files without end, or nearly: nothing of them is read.
#[test]
fn files_of_absurd_length() {
    for file in ALL {
        let folder = Folder::new();
        let hole = std::fs::File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(folder.path(file))
            .unwrap();
        if hole.set_len(1 << 40).is_ok() {
            folder.refused(&[file]);
        }
    }
}

/// A file elsewhere may be meant; what it holds is not told.
#[test]
fn a_link_to_a_file_that_is_no_model() {
    let aside = tempfile::tempdir().unwrap();
    let other = aside.path().join("passwords");
    std::fs::write(
        &other,
        "mara:x:1000:1000:hunter2hunter2:/home/mara:/bin/sh\n",
    )
    .unwrap();
    for file in ALL {
        let folder = Folder::new();
        let _ = std::fs::remove_file(folder.path(file));
        symlink(&other, folder.path(file)).unwrap();
        let told = folder.read().expect_err(file);
        // A TOML error quotes its line, as it does for one's own files.
        assert!(
            file == "colloquy.toml" || !told.contains("hunter2"),
            "{told}"
        );
    }
}

/// The cache keeps files as links into its blobs.
#[test]
fn links_within_the_cache_are_files() {
    let folder = Folder::new();
    let cache = tempfile::tempdir().unwrap();
    let repo = cache.path().join("models--no-such-org--name");
    let snapshot = repo.join("snapshots/0123456789abcdef0123456789abcdef01234567");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repo.join("blobs")).unwrap();
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(
        repo.join("refs/main"),
        "0123456789abcdef0123456789abcdef01234567",
    )
    .unwrap();
    for (i, file) in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::copy(folder.path(file), repo.join(format!("blobs/{i}"))).unwrap();
        symlink(format!("../../blobs/{i}"), snapshot.join(file)).unwrap();
    }
    let places = CachePlaces {
        hub_cache: Some(cache.path().to_owned()),
        ..CachePlaces::default()
    };
    let files = resolve("no-such-org/name", &places).unwrap();
    assert!(files.content_hash(1).is_ok());
    assert!(colloquy::model::ModelParts::read(&files, super::room::DAY, true, 1).is_ok());
    // A branch that is a pipe names no commit.
    std::fs::remove_file(repo.join("refs/main")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(repo.join("refs/main"))
            .status()
            .unwrap()
            .success()
    );
    assert!(resolve("no-such-org/name", &places).is_err());
}

fn index(map: Value) -> Folder {
    let folder = Folder::new();
    let (one, shard) = ("model.safetensors", "a.safetensors");
    std::fs::rename(folder.path(one), folder.path(shard)).unwrap();
    let mut index = json!({});
    index["weight_map"] = map;
    folder.write("model.safetensors.index.json", index.to_string());
    folder
}

#[test]
fn an_index_that_leads_elsewhere() {
    assert_eq!(index(json!({"x": "a.safetensors"})).read(), Ok(()));
    for name in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a/b",
        "./a.safetensors",
        "..\\x",
        "",
    ] {
        index(json!({"x": name})).refused(&["weight_map", "the name of a file beside the index"]);
    }
    for name in [
        "..",
        ".",
        "\0",
        "a.safetensors\0",
        "b.safetensors",
        &"x".repeat(1 << 20),
    ] {
        index(json!({"x": name})).refused(&["a shard in model.safetensors.index.json"]);
    }
    index(json!({"x": "tokenizer.json"}))
        .refused(&["tokenizer.json", "not a whole safetensors file"]);
    index(json!({"x".repeat(1 << 20): 3})).refused(&["weight_map"]);
    let many: serde_json::Map<String, Value> = (0..100_000)
        .map(|i| (format!("{i}"), format!("{i}.safetensors").into()))
        .collect();
    index(many.into()).refused(&["0.safetensors", "and 99992 more"]);
    for text in [
        "",
        "[",
        "[]",
        "{}",
        "{\"weight_map\": 3}",
        &"[".repeat(100_000),
    ] {
        let folder = index(json!({}));
        folder.write("model.safetensors.index.json", text);
        folder.refused(&["model.safetensors.index.json"]);
    }
}
