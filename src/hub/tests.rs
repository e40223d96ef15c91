use super::*;
use crate::hub::{CachePlaces, resolve};

fn fill(folder: &Path, files: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    for name in files {
        std::fs::write(folder.join(name), format!("content of {name}")).unwrap();
    }
}

const WHOLE: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
];

fn in_folder(folder: &Path) -> Result<ModelFiles, HubError> {
    resolve(folder.to_str().unwrap(), &CachePlaces::default())
}

#[test]
fn a_folder_gives_its_files() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &WHOLE);
    let files = in_folder(folder.path()).unwrap();
    assert_eq!(files.weights, [folder.path().join("model.safetensors")]);
    assert_eq!(
        files.generation_config,
        Some(folder.path().join("generation_config.json"))
    );
    assert_eq!((&files.chat_template, &files.commit), (&None, &None));
    assert_eq!(files.all().count(), 5);
}

#[test]
fn everything_missing_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let message = in_folder(folder.path()).unwrap_err().to_string();
    for what in [
        "config.json",
        "model.safetensors, or",
        "tokenizer.json",
        "chat_template.jinja",
    ] {
        assert!(message.contains(what), "{message}");
    }
    for (files, hint) in [
        (&["config.json", "pytorch_model.bin"][..], "pickled"),
        (&["config.json", "model-q4.gguf"], "GGUF"),
        (
            &["adapter_config.json", "adapter_model.safetensors"],
            "LoRA",
        ),
        (
            &["config.json", "model.safetensors", "tokenizer.model"],
            "SentencePiece",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), files);
        let message = in_folder(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("hint: ") && message.contains(hint),
            "{message}"
        );
    }
}

#[test]
fn all_shards_of_the_index_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    fill(
        folder.path(),
        &[
            "config.json",
            "tokenizer.json",
            "chat_template.jinja",
            "b-2.safetensors",
        ],
    );
    let index = |map: serde_json::Value| {
        let text = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
        std::fs::write(folder.path().join("model.safetensors.index.json"), text).unwrap();
    };
    index(
        serde_json::json!({"x": "b-2.safetensors", "y": "a-1.safetensors", "z": "b-2.safetensors"}),
    );
    let error = in_folder(folder.path()).unwrap_err();
    assert!(
        matches!(&error, HubError::Incomplete { missing, .. } if missing == &["a-1.safetensors (a shard in model.safetensors.index.json)"]),
        "{error}"
    );
    fill(folder.path(), &["a-1.safetensors"]);
    let files = in_folder(folder.path()).unwrap();
    assert_eq!(
        files.weights,
        [
            folder.path().join("a-1.safetensors"),
            folder.path().join("b-2.safetensors")
        ]
    );
    for wrong in [
        serde_json::json!({"x": "../secret"}),
        serde_json::json!({"x": 3}),
        serde_json::json!({}),
        serde_json::json!([]),
    ] {
        index(wrong);
        assert!(matches!(
            in_folder(folder.path()),
            Err(HubError::Malformed { .. })
        ));
    }
}

#[test]
fn pointers_are_no_weights() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &WHOLE);
    let path = folder.path().join("model.safetensors");
    std::fs::write(
        &path,
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    )
    .unwrap();
    assert_eq!(in_folder(folder.path()), Err(HubError::LfsPointer { path }));
}

#[test]
fn the_hash_is_of_names_and_bytes_alone() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [one.path(), two.path()] {
        fill(folder, &WHOLE);
    }
    let hash = |folder: &Path, threads| in_folder(folder).unwrap().content_hash(threads).unwrap();
    assert_eq!(hash(one.path(), 1), hash(two.path(), 5));
    // more than one piece, the last byte changed
    let mut weights = vec![7_u8; usize::try_from(PIECE_BYTES).unwrap() + 3];
    std::fs::write(one.path().join("model.safetensors"), &weights).unwrap();
    *weights.last_mut().unwrap() = 8;
    std::fs::write(two.path().join("model.safetensors"), &weights).unwrap();
    assert_eq!(hash(one.path(), 1), hash(one.path(), 2));
    assert_ne!(hash(one.path(), 1), hash(two.path(), 1));
}

#[test]
fn the_first_place_that_is_set_is_the_cache() {
    let path = |text: &str| Some(PathBuf::from(text));
    let mut places = CachePlaces {
        hub_cache: path("/a"),
        hf_home: path("/b"),
        cache_home: path("/c"),
        home: path("/d"),
    };
    assert_eq!(places.folder(), path("/a"));
    places.hub_cache = path("");
    assert_eq!(places.folder(), path("/b/hub"));
    places.hf_home = None;
    assert_eq!(places.folder(), path("/c/huggingface/hub"));
    places.cache_home = None;
    assert_eq!(places.folder(), path("/d/.cache/huggingface/hub"));
    assert_eq!(CachePlaces::default().folder(), None);
}

#[test]
fn names_are_found_in_the_cache() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let cache = tempfile::tempdir().unwrap();
    let places = CachePlaces {
        hub_cache: Some(cache.path().to_owned()),
        ..CachePlaces::default()
    };
    let message = resolve("no-such-org/name", &places)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("models--no-such-org--name")
            && message.contains("`hf download no-such-org/name`"),
        "{message}"
    );
    assert!(matches!(
        resolve("no-such-org/name", &CachePlaces::default()),
        Err(HubError::NoCache { .. })
    ));

    let repo = cache.path().join("models--no-such-org--name");
    let snapshot = repo.join("snapshots").join(COMMIT);
    fill(&snapshot, &WHOLE[1..]);
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(repo.join("refs/v2"), COMMIT).unwrap();
    let message = resolve("no-such-org/name", &places)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("holds only the revisions v2, 0123456789abcdef"),
        "{message}"
    );
    std::fs::write(repo.join("refs/main"), format!("{COMMIT}\n")).unwrap();
    assert!(matches!(
        resolve("no-such-org/name", &places),
        Err(HubError::Incomplete { .. })
    ));
    // files are links into the blobs
    std::fs::create_dir_all(repo.join("blobs")).unwrap();
    std::os::unix::fs::symlink(repo.join("blobs/f00"), snapshot.join("config.json")).unwrap();
    assert!(
        matches!(
            resolve("no-such-org/name", &places),
            Err(HubError::Incomplete { .. })
        ),
        "the blob is not there yet"
    );
    std::fs::write(repo.join("blobs/f00"), "{}").unwrap();
    for reference in [
        "no-such-org/name",
        "no-such-org/name@v2",
        "no-such-org/name@0123456",
        &format!("no-such-org/name@{COMMIT}"),
    ] {
        let files = resolve(reference, &places).unwrap();
        assert_eq!(
            (files.commit.as_deref(), &files.dir),
            (Some(COMMIT), &snapshot),
            "{reference}"
        );
    }
    let message = resolve("no-such-org/name@v3", &places)
        .unwrap_err()
        .to_string();
    assert!(message.contains("--revision v3"), "{message}");
}
