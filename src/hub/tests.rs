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
    let ModelFormat::HuggingFace(side) = &files.format else {
        panic!("safetensors lie there")
    };
    assert_eq!(
        side.generation_config,
        Some(folder.path().join("generation_config.json"))
    );
    assert_eq!((&side.chat_template, &files.commit), (&None, &None));
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
fn the_hash_is_of_every_file_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &WHOLE);
    let hash = || in_folder(folder.path()).unwrap().content_hash(1).unwrap();
    let mut hashes = std::collections::BTreeSet::from([hash()]);
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    for (nth, name) in [
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.json",
        "additional_chat_templates/tool_use.jinja",
    ]
    .iter()
    .enumerate()
    {
        for text in ["{}", "{ }"] {
            std::fs::write(folder.path().join(name), text).unwrap();
            assert!(hashes.insert(hash()), "{nth} {name}");
        }
    }
    std::fs::write(folder.path().join("notes.txt"), "not read").unwrap();
    assert!(hashes.contains(&hash()));
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
            && message.contains("`colloquy models pull no-such-org/name`"),
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
    assert!(
        message.contains("models pull no-such-org/name@v3`"),
        "{message}"
    );
}

#[test]
fn a_folder_may_hold_one_gguf_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fill(path, &["model-Q4_0.gguf", "mmproj-f16.gguf", "README.md"]);
    let files = in_folder(path).unwrap();
    assert_eq!(files.weights, [path.join("model-Q4_0.gguf")]);
    assert_eq!(
        (&files.format, &files.dir),
        (&ModelFormat::Gguf, &path.to_owned())
    );
    assert_eq!(files.all().count(), 1);
    // weights that are whole go first
    fill(path, &WHOLE);
    assert!(matches!(
        in_folder(path).unwrap().format,
        ModelFormat::HuggingFace(_)
    ));
    std::fs::remove_file(path.join("model.safetensors")).unwrap();
    fill(path, &["other.gguf"]);
    let told = in_folder(path).unwrap_err().to_string();
    assert!(
        told.contains("several GGUF models: model-Q4_0.gguf, other.gguf"),
        "{told}"
    );
    let pointer = path.join("other.gguf");
    std::fs::write(&pointer, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    let reference = pointer.to_str().unwrap();
    assert_eq!(
        resolve(reference, &CachePlaces::default()),
        Err(HubError::LfsPointer {
            path: pointer.clone()
        })
    );
}

#[test]
fn every_part_of_a_split_model_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let part = |number: usize| {
        folder
            .path()
            .join(format!("m-q8-{number:05}-of-00003.gguf"))
    };
    for number in [1, 3] {
        std::fs::write(part(number), "x").unwrap();
    }
    let told = in_folder(folder.path()).unwrap_err().to_string();
    assert!(
        told.contains("m-q8-00002-of-00003.gguf: no such file"),
        "{told}"
    );
    assert!(told.contains("split into 3 files"), "{told}");
    std::fs::write(part(2), "x").unwrap();
    let all = [part(1), part(2), part(3)];
    assert_eq!(in_folder(folder.path()).unwrap().weights, all);
    let reference = part(3);
    let files = resolve(reference.to_str().unwrap(), &CachePlaces::default()).unwrap();
    assert_eq!(files.weights, all);
}

#[test]
fn gguf_files_are_found_in_the_cache() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let cache = tempfile::tempdir().unwrap();
    let places = CachePlaces {
        hub_cache: Some(cache.path().to_owned()),
        ..CachePlaces::default()
    };
    let repo = cache.path().join("models--no-such-org--name-GGUF");
    let snapshot = repo.join("snapshots").join(COMMIT);
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(repo.join("refs/main"), COMMIT).unwrap();
    fill(
        &snapshot,
        &[
            "name-Q4_K_M.gguf",
            "name-Q8_0.gguf",
            "mmproj-name-Q8_0.gguf",
        ],
    );
    fill(
        &snapshot.join("BF16"),
        &[
            "name-BF16-00001-of-00002.gguf",
            "name-BF16-00002-of-00002.gguf",
        ],
    );
    let found = |reference: &str| resolve(reference, &places).map(|files| files.weights);
    for (reference, name) in [
        ("no-such-org/name-GGUF:Q4_K_M", "name-Q4_K_M.gguf"),
        ("no-such-org/name-GGUF:q8_0", "name-Q8_0.gguf"),
        ("no-such-org/name-GGUF@0123456:q8_0", "name-Q8_0.gguf"),
        ("no-such-org/name-GGUF/name-Q8_0.gguf", "name-Q8_0.gguf"),
        (
            "no-such-org/name-GGUF@main/name-Q8_0.gguf",
            "name-Q8_0.gguf",
        ),
    ] {
        assert_eq!(
            found(reference),
            Ok(vec![snapshot.join(name)]),
            "{reference}"
        );
    }
    assert_eq!(found("no-such-org/name-GGUF:bf16").unwrap().len(), 2);
    let told = |reference: &str| found(reference).unwrap_err().to_string();
    let several = told("no-such-org/name-GGUF");
    assert!(several.contains("several GGUF models"), "{several}");
    let none = told("no-such-org/name-GGUF:Q2_K");
    assert!(
        none.contains("no GGUF model that \"Q2_K\" could mean; there are BF16/name-BF16-00001"),
        "{none}"
    );
    let both = told("no-such-org/name-GGUF:name");
    assert!(both.contains("more than one GGUF model"), "{both}");
    let missing = told("no-such-org/name-GGUF/name-Q5_0.gguf");
    assert!(
        missing.contains("name-Q5_0.gguf: no such file"),
        "{missing}"
    );
}
