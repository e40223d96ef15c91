//! Fetching models from a hub on loopback: what comes, where it lies, and what happens when the other side misbehaves.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod command;
mod faults;
#[path = "../program/mod.rs"]
mod program;
mod refusals;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use colloquy::hub::pull::{Access, Event, Patience, PullError, Pulled, Token, Wish, pull};
use colloquy::hub::{CachePlaces, Checked, resolve, verify};
use server::{Reply, Repo, Request, Server};

/// A cache that is gone when dropped.
struct Cache(tempfile::TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn places(&self) -> CachePlaces {
        CachePlaces {
            hub_cache: Some(self.0.path().join("hub")),
            ..CachePlaces::default()
        }
    }

    fn repo(&self, below: &str) -> PathBuf {
        self.0.path().join("hub/models--org--name").join(below)
    }

    /// The beginning of the weights, as a download that was cut leaves it.
    fn part(&self) -> PathBuf {
        let name = format!("{}.incomplete", repo().etag("model.safetensors"));
        self.repo("blobs").join(name)
    }

    fn begin(&self, bytes: &[u8]) {
        fs::create_dir_all(self.repo("blobs")).unwrap();
        fs::write(self.part(), bytes).unwrap();
    }

    /// Every file below, sorted; none where there is nothing.
    fn files(&self) -> Vec<String> {
        fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if fs::symlink_metadata(&path).unwrap().is_dir() {
                    walk(root, &path, found);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    found.push(name.to_owned());
                }
            }
        }
        let mut found = Vec::new();
        walk(self.0.path(), self.0.path(), &mut found);
        found.sort();
        found
    }
}

fn access(server: &Server) -> Access {
    Access {
        endpoint: server.url(),
        patience: Patience {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(5),
            first_wait: Duration::from_millis(20),
            tries: 3,
            longest_wait: Duration::from_secs(3),
        },
        ..Access::default()
    }
}

/// What was heard on the way.
#[derive(Default, Debug)]
struct Heard {
    fetched: u64,
    waits: Vec<(String, Duration)>,
}

fn get(wish: &str, cache: &Cache, access: &Access) -> (Result<Pulled, PullError>, Heard) {
    let mut heard = Heard::default();
    let pulled = pull(
        &Wish::parse(wish).unwrap(),
        &cache.places(),
        access,
        &|_| Ok(()),
        &mut |event| match event {
            Event::Bytes(bytes) => heard.fetched += bytes,
            Event::Waiting { reason, wait } => heard.waits.push((reason.to_owned(), wait)),
            _ => {}
        },
    );
    (pulled, heard)
}

fn ok(wish: &str, cache: &Cache, access: &Access) -> (Pulled, Heard) {
    let (pulled, heard) = get(wish, cache, access);
    (pulled.unwrap(), heard)
}

fn err(wish: &str, cache: &Cache, access: &Access) -> PullError {
    get(wish, cache, access).0.unwrap_err()
}

/// Weights that no repetition hides a fault in.
fn weights(bytes: usize) -> Vec<u8> {
    let header =
        format!(r#"{{"x":{{"dtype":"U8","shape":[{bytes}],"data_offsets":[0,{bytes}]}}}}"#);
    let mut all = (header.len() as u64).to_le_bytes().to_vec();
    all.extend_from_slice(header.as_bytes());
    let mut state = 7_u32;
    all.extend((0..bytes).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    }));
    all
}

fn plain_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"read me".to_vec()),
        ("config.json", b"{}".to_vec()),
        ("generation_config.json", b"{}".to_vec()),
        ("model.safetensors", weights(300_000)),
        ("onnx/model.onnx", b"other".to_vec()),
        ("pytorch_model.bin", b"other".to_vec()),
        ("tokenizer.json", b"{\"tokens\": []}".to_vec()),
        ("tokenizer_config.json", b"{\"a\": 1}".to_vec()),
    ]
}

fn repo() -> Repo {
    Repo::new("org/name", &plain_files())
}

/// A hub with that repository alone, some of its answers changed.
fn hub(change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Server {
    let repo = repo();
    Server::new(move |request| change(request, repo.reply(request)))
}

/// The same, where only the weights come otherwise.
fn hub_of_weights(change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Server {
    hub(move |request, reply| {
        if request.is_get_of("model.safetensors") {
            change(request, reply)
        } else {
            reply
        }
    })
}

fn is_whole(cache: &Cache) {
    let files = resolve("org/name", &cache.places()).unwrap();
    let findings = verify(&files.dir, Some(&cache.repo("blobs")), &mut |_| {}).unwrap();
    assert_eq!(findings.len(), 5);
    for finding in findings {
        assert!(matches!(finding.checked, Checked::Right(_)), "{finding:?}");
        let bytes = fs::read(&finding.path).unwrap();
        assert_eq!(bytes, repo().bytes(&finding.name), "{}", finding.name);
    }
    assert!(!cache.part().exists());
}

#[test]
fn what_is_needed_lies_where_python_tools_look_for_it() {
    let cache = Cache::new();
    let server = hub(|_, reply| reply);
    let access = access(&server);
    let (pulled, heard) = ok("org/name", &cache, &access);
    let repo = repo();
    let needed = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    let all: u64 = needed
        .iter()
        .map(|file| repo.bytes(file).len() as u64)
        .sum();
    assert_eq!((pulled.files, pulled.bytes), (5, all));
    assert_eq!(pulled.path, cache.repo("snapshots").join(&repo.commit));
    assert_eq!(
        fs::read_to_string(cache.repo("refs/main")).unwrap(),
        repo.commit
    );
    // Two files of the same content are one blob, which comes once.
    let twice = repo.bytes("config.json").len() as u64;
    assert_eq!(heard.fetched, all - twice);
    let (small, large) = (repo.etag("config.json"), repo.etag("model.safetensors"));
    assert_eq!((small.len(), large.len()), (40, 64));
    assert_eq!(
        fs::read(cache.repo("blobs").join(&large)).unwrap(),
        repo.bytes("model.safetensors")
    );
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(pulled.path.join("config.json")).unwrap(),
        Path::new("../../blobs").join(&small)
    );
    let lock = format!("hub/.locks/models--org--name/{large}.lock");
    assert!(cache.files().contains(&lock));
    is_whole(&cache);

    // Nothing is fetched twice.
    let before = cache.files();
    let (again, heard) = ok("org/name", &cache, &access);
    assert_eq!((again.fetched_bytes, heard.fetched), (0, 0));
    assert_eq!(server.gets("model.safetensors"), 1);
    assert_eq!(cache.files(), before);
    // A commit needs no name, and a branch with a slash gets its own.
    ok(&format!("org/name@{}", repo.commit), &cache, &access);
    assert_eq!(cache.files(), before);
    ok("org/name@refs/pr/1", &cache, &access);
    assert!(cache.repo("refs/refs/pr/1").is_file());
    assert!(resolve("org/name@refs/pr/1", &cache.places()).is_ok());
}

#[test]
fn shards_of_the_index_and_no_others() {
    let serve = |shard: &str| {
        let index = serde_json::json!({"weight_map": {"a": "model-1.safetensors", "b": shard}});
        let mut files = plain_files();
        files.remove(3);
        files.extend([
            ("model-1.safetensors", weights(1000)),
            ("model-2.safetensors", weights(2000)),
            ("model-3.safetensors", weights(10)),
            (
                "model.safetensors.index.json",
                index.to_string().into_bytes(),
            ),
        ]);
        let repo = Repo::new("org/name", &files);
        Server::new(move |request| repo.reply(request))
    };
    let cache = Cache::new();
    let server = serve("model-2.safetensors");
    let (pulled, _) = ok("org/name", &cache, &access(&server));
    assert_eq!(pulled.files, 7);
    let files = resolve("org/name", &cache.places()).unwrap();
    assert_eq!(files.weights.len(), 2);
    for (shard, says) in [
        ("../../../../secret", "beside the index"),
        ("/etc/passwd", "beside the index"),
        ("model-4.safetensors", "which it does not have"),
    ] {
        let cache = Cache::new();
        let server = serve(shard);
        let error = err("org/name", &cache, &access(&server));
        assert!(matches!(error, PullError::Unusable { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(server.gets("model-1.safetensors"), 0);
        assert!(!cache.repo("refs").exists());
    }
}

#[test]
fn one_gguf_file_is_fetched_alone() {
    let files = [
        ("README.md", b"x".to_vec()),
        ("m-Q4_K_M.gguf", b"GGUF\x03\0\0\0 small".to_vec()),
        ("sub/m-Q8_0.gguf", b"GGUF\x03\0\0\0 larger".to_vec()),
    ];
    let repo = Repo::new("org/name", &files);
    let server = Server::new(move |request| repo.reply(request));
    let (cache, access) = (Cache::new(), access(&server));
    let (pulled, _) = ok("org/name:q4_k_m", &cache, &access);
    assert_eq!(fs::read(&pulled.path).unwrap(), files[1].1);
    let (pulled, _) = ok("org/name/sub/m-Q8_0.gguf", &cache, &access);
    assert!(pulled.path.ends_with("sub/m-Q8_0.gguf"));
    assert_eq!(fs::read(&pulled.path).unwrap(), files[2].1);
    assert_eq!(server.gets("README.md"), 0);
    let error = err("org/name", &cache, &access).to_string();
    assert!(error.contains("m-Q4_K_M.gguf, sub/m-Q8_0.gguf"), "{error}");
}

#[test]
fn the_token_stays_with_the_hub() {
    let repo = repo();
    let cdn = {
        let repo = repo.clone();
        Server::new(move |request| repo.cdn_reply(request))
    };
    let repo = repo.with_cdn(&cdn.url());
    let server = Server::new(move |request| match request.header("authorization") {
        Some("Bearer hf_geheim") => repo.reply(request),
        _ => Reply::new(401, "").with("x-error-code", "GatedRepo"),
    });
    let cache = Cache::new();
    let with_token = Access {
        token: Token::new("hf_geheim"),
        ..access(&server)
    };
    ok("org/name", &cache, &with_token);
    is_whole(&cache);
    let asked = cdn.asked();
    assert!(!asked.is_empty());
    for request in asked {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    // On the hub's own host a redirect keeps it: a model that has moved.
    let moved = Server::new(move |request| {
        if request.path.contains("/org/old/") {
            return Reply::to(request.path.replace("/org/old/", "/org/name/"));
        }
        match request.header("authorization") {
            Some(_) => self::repo().reply(request),
            None => Reply::new(401, ""),
        }
    });
    let cache = Cache::new();
    let there = Access {
        endpoint: moved.url(),
        ..with_token
    };
    ok("org/old", &cache, &there);
    let named = cache.0.path().join("hub/models--org--old/refs/main");
    assert!(named.is_file());
}

#[test]
fn two_pulls_at_once_fetch_once() {
    let server = hub_of_weights(|_, mut reply| {
        reply.pause = Some((100_000, Duration::from_millis(200)));
        reply
    });
    let (cache, access) = (Cache::new(), access(&server));
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| ok("org/name", &cache, &access)));
        for one in both {
            one.join().unwrap();
        }
    });
    is_whole(&cache);
    assert_eq!(server.gets("model.safetensors"), 1);
}
