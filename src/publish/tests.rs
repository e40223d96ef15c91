use std::fs;
use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions};

use super::*;

fn target() -> Target {
    Target::parse("s3://bucket/some/place").unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Some small files, one in a folder, and one of three parts.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b.jsonl", b"two\n");
    write(folder.path(), "a.jsonl", b"");
    write(folder.path(), "parts/c.json", b"{}");
    let large: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
    write(folder.path(), "large.bin", &large);
    folder
}

fn run(room: &Room, folder: &Path, wish: Wish) -> Result<Outcome, PublishError> {
    let files = Files::of(folder).unwrap();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(publish(room, &files, wish, &|_| {}))
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn bytes(store: &dyn ObjectStore, name: &str) -> Option<Vec<u8>> {
    block_on(async {
        let found = store.get(&Name::from(name)).await.ok()?;
        Some(found.bytes().await.ok()?.to_vec())
    })
}

const ALL: [&str; 4] = ["a.jsonl", "b.jsonl", "large.bin", "parts/c.json"];

#[test]
fn a_second_run_sends_what_is_missing_or_differs() {
    let folder = folder();
    let store = Arc::new(InMemory::new());
    let room = Room::over(store.clone(), target());
    let dry = Wish {
        dry_run: true,
        ..Wish::default()
    };
    assert_eq!(run(&room, folder.path(), dry).unwrap().sent, ALL);
    assert_eq!(bytes(&*store, "some/place/b.jsonl"), None);

    let first = run(&room, folder.path(), Wish::default()).unwrap();
    assert_eq!((first.sent.len(), first.kept), (4, 0));
    for name in ALL {
        let there = bytes(&*store, &format!("some/place/{name}"));
        assert_eq!(there, Some(fs::read(folder.path().join(name)).unwrap()));
    }
    let manifest = bytes(&*store, "some/place/colloquy-publish.json").unwrap();
    let value: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(value["files"][1]["name"], "b.jsonl");
    assert_eq!(value["files"][1]["bytes"], 4);
    // sha256sum of "two\n"
    assert_eq!(
        value["files"][1]["sha256"],
        "27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a"
    );

    let verify = Wish {
        verify: true,
        ..Wish::default()
    };
    let again = run(&room, folder.path(), verify).unwrap();
    assert_eq!((again.sent.len(), again.kept, again.verified), (0, 4, 4));
    assert!(!again.manifest_written);

    // One file changes here at the same length, and one is lost there.
    write(folder.path(), "b.jsonl", b"owt\n");
    block_on(store.delete(&Name::from("some/place/large.bin"))).unwrap();
    let third = run(&room, folder.path(), Wish::default()).unwrap();
    assert_eq!(third.sent, ["b.jsonl", "large.bin"]);
    assert!(third.manifest_written);
    assert_eq!(bytes(&*store, "some/place/b.jsonl").unwrap(), b"owt\n");
}

#[test]
fn what_lies_there_changed_is_found_when_it_is_read_back() {
    let folder = folder();
    let store = Arc::new(InMemory::new());
    let room = Room::over(store.clone(), target());
    run(&room, folder.path(), Wish::default()).unwrap();
    // Other bytes under the same label: only reading tells.
    let name = Name::from("some/place/b.jsonl");
    let sha256 = "27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a";
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata("colloquy_sha256".into()), sha256.into());
    let options = PutOptions {
        attributes,
        ..PutOptions::default()
    };
    block_on(store.put_opts(&name, "bad\n".into(), options)).unwrap();
    assert_eq!(run(&room, folder.path(), Wish::default()).unwrap().kept, 4);
    let verify = Wish {
        verify: true,
        ..Wish::default()
    };
    let told = run(&room, folder.path(), verify).unwrap_err().to_string();
    assert!(told.contains("b.jsonl is not in s3://bucket/some/place as it was sent"));
    // One without our label is not ours.
    block_on(store.put(&name, "two\n".into())).unwrap();
    assert_eq!(
        run(&room, folder.path(), Wish::default()).unwrap().sent,
        ["b.jsonl"]
    );
}

#[test]
fn a_folder_is_a_store_too() {
    let folder = folder();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("there");
    let target = Target::parse(&format!("file://{}", to.display())).unwrap();
    let dry = Wish {
        dry_run: true,
        ..Wish::default()
    };
    let room = Room::open(&target, Variables::default(), dry).unwrap();
    assert_eq!(run(&room, folder.path(), dry).unwrap().sent, ALL);
    assert!(!to.exists());
    let room = Room::open(&target, Variables::default(), Wish::default()).unwrap();
    // What a killed run leaves beside a large file.
    write(&to, "large.bin#1", b"half");
    assert_eq!(
        run(&room, folder.path(), Wish::default()).unwrap().sent,
        ALL
    );
    assert!(!to.join("large.bin#1").exists());
    for name in ALL {
        assert!(fs::read(to.join(name)).unwrap() == fs::read(folder.path().join(name)).unwrap());
    }
    assert_eq!(run(&room, folder.path(), Wish::default()).unwrap().kept, 4);
    write(&to, "b.jsonl", b"owt\n");
    assert_eq!(
        run(&room, folder.path(), Wish::default()).unwrap().sent,
        ["b.jsonl"]
    );
    // What was published can be published on: its manifest is made anew.
    let files = Files::of(&to).unwrap();
    assert_eq!(files.files.len(), 4);
}

#[test]
fn a_file_that_changes_meanwhile_is_told() {
    let folder = folder();
    let room = Room::over(Arc::new(InMemory::new()), target());
    let mut files = Files::of(folder.path()).unwrap();
    write(folder.path(), "b.jsonl", b"longer\n");
    let told = block_on(publish(&room, &files, Wish::default(), &|_| {}));
    assert!(
        matches!(told, Err(PublishError::Changed { .. })),
        "{told:?}"
    );
    files.files.retain(|file| file.name == "large.bin");
    let path = folder.path().join("large.bin");
    // It changes after it was hashed.
    let told = block_on(publish(&room, &files, Wish::default(), &|progress| {
        if matches!(progress, Progress::ToSend(_)) {
            let mut bytes = fs::read(&path).unwrap();
            bytes[19_000_000] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }));
    assert!(
        matches!(told, Err(PublishError::Changed { .. })),
        "{told:?}"
    );
    assert_eq!(bytes(&*room.store, "some/place/large.bin"), None);
    assert_eq!(
        bytes(&*room.store, "some/place/colloquy-publish.json"),
        None
    );
}

#[test]
fn a_manifest_is_gone_while_what_it_names_is_not_whole() {
    let folder = folder();
    let store = Arc::new(InMemory::new());
    let room = Room::over(store.clone(), target());
    run(&room, folder.path(), Wish::default()).unwrap();
    let manifest = "some/place/colloquy-publish.json";
    assert!(bytes(&*store, manifest).is_some());

    // Two files change, and one of them again on its way.
    write(folder.path(), "a.jsonl", b"one\n");
    write(folder.path(), "b.jsonl", b"owt\n");
    let files = Files::of(folder.path()).unwrap();
    let told = block_on(publish(&room, &files, Wish::default(), &|progress| {
        if matches!(progress, Progress::ToSend(_)) {
            write(folder.path(), "b.jsonl", b"wot\n");
        }
    }));
    assert!(
        matches!(told, Err(PublishError::Changed { .. })),
        "{told:?}"
    );
    assert_eq!(bytes(&*store, manifest), None);

    let next = run(&room, folder.path(), Wish::default()).unwrap();
    assert!(next.manifest_written && bytes(&*store, manifest).is_some());
    assert_eq!(bytes(&*store, "some/place/b.jsonl").unwrap(), b"wot\n");
}

#[test]
fn links_stay_and_odd_names_are_told() {
    let folder = folder();
    std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("b.jsonl", folder.path().join("other")).unwrap();
    let files = Files::of(folder.path()).unwrap();
    assert_eq!(files.left, ["link", "other"]);
    assert_eq!(files.files.len(), 4);
    let names: Vec<_> = files.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ALL);
    write(folder.path(), "odd#1", b"");
    let room = Room::over(Arc::new(InMemory::new()), target());
    let told = run(&room, folder.path(), Wish::default()).unwrap_err();
    assert!(
        told.to_string()
            .contains("\"odd#1\" can be the name of no object")
    );
    let none = tempfile::tempdir().unwrap();
    assert!(matches!(
        Files::of(none.path()),
        Err(PublishError::Nothing { .. })
    ));
}

#[test]
fn targets_are_read() {
    let read = |text: &str| Target::parse(text).map(|target| target.to_string());
    for text in ["az://data/sets/one", "s3://b/x", "file:///some/where"] {
        assert_eq!(read(text).unwrap(), text);
    }
    assert_eq!(read("az://data").unwrap(), "az://data/");
    for text in [
        "data",
        "http://x/y",
        "az://",
        "az:///x",
        "s3://B/x",
        "s3://b/../x",
        "file://x",
        "file:///a/../b",
        "az://c/x?sig=1",
        "gs://b/x",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    let told = read("az://name:password@data/x y?")
        .unwrap_err()
        .to_string();
    assert!(!told.contains("password"), "{told}");
}

#[test]
fn no_message_holds_a_credential() {
    let variables = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        Variables::of(pairs)
    };
    let secret = "c2VjcmV0+c2Vj/cmV0c2VjcmVQ==";
    let all = variables(&[
        ("AZURE_STORAGE_ACCOUNT_KEY", secret),
        (
            "AZURE_STORAGE_CONNECTION_STRING",
            "AccountName=me;AccountKey=anothersecretkey==",
        ),
        ("AZURE_STORAGE_SAS_TOKEN", "sv=2020&sig=abcdefghij"),
        ("AWS_REGION", "eu-central-1"),
        ("HOME", "/home/someone"),
    ]);
    let told = all.scrubbed(&format!(
        "GET https://me.blob/x?sv=1&sig=zzz (key {secret} c2VjcmV0%2Bc2Vj%2FcmV0c2VjcmVQ%3D%3D anothersecretkey== abcdefghij) eu-central-1 /home/someone"
    ));
    assert_eq!(
        told,
        "GET https://me.blob/x (key … … … …) eu-central-1 /home/someone"
    );
    let open = |text: &str, pairs: &[(&str, &str)]| {
        let target = Target::parse(text).unwrap();
        Room::open(&target, variables(pairs), Wish::default())
            .map(drop)
            .map_err(|e| e.to_string())
    };
    let told = open("az://c/x", &[("AZURE_STORAGE_ACCOUNT_NAME", "me")]).unwrap_err();
    assert!(told.contains("no account and key") && told.contains("AZURE_STORAGE_ACCOUNT_KEY"));
    assert!(
        open("s3://b/x", &[("AWS_REGION", "x")])
            .unwrap_err()
            .contains("AWS_ACCESS_KEY_ID")
    );
    let name = ("AZURE_STORAGE_ACCOUNT_NAME", "me");
    let broken = ("AZURE_STORAGE_ACCOUNT_KEY", "not base64 at all!");
    let told = open("az://c/x", &[name, broken]).unwrap_err();
    assert!(!told.contains("base64 at all"), "{told}");
    assert_eq!(
        open("az://c/x", &[name, ("AZURE_STORAGE_KEY", secret)]),
        Ok(())
    );
    let keys = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ];
    assert_eq!(open("s3://b/x", &keys), Ok(()));
}
