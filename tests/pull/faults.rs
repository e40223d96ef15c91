//! Connections that break, and servers that contradict themselves.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use colloquy::hub::pull::PullError;
use colloquy::hub::resolve;

use super::server::{Reply, Request};
use super::{Cache, access, err, hub, hub_of_weights, is_whole, ok, repo};

#[test]
fn a_cut_connection_goes_on_where_it_was_cut() {
    let cache = Cache::new();
    let cuts = AtomicUsize::new(0);
    let server = hub_of_weights(move |_, mut reply| {
        if cuts.fetch_add(1, Ordering::SeqCst) < 2 {
            reply.cut_at = Some(100_000);
        }
        reply
    });
    let (_, heard) = ok("org/name", &cache, &access(&server));
    is_whole(&cache);
    assert_eq!(heard.waits.len(), 2, "{heard:?}");
    assert_eq!(server.ranges("model.safetensors"), [0, 100_000, 200_000]);
}

#[test]
fn the_next_pull_goes_on_where_the_last_one_ended() {
    let cache = Cache::new();
    let cutting = hub_of_weights(|request, mut reply| {
        reply.cut_at = Some(if request.from() == 0 { 90_000 } else { 0 });
        reply
    });
    let error = err("org/name", &cache, &access(&cutting));
    assert!(matches!(error, PullError::Unreachable { .. }), "{error:?}");
    assert_eq!(fs::metadata(cache.part()).unwrap().len(), 90_000);
    assert!(!cache.repo("refs/main").exists());
    assert!(resolve("org/name", &cache.places()).is_err());

    let server = hub(|_, reply| reply);
    let (pulled, heard) = ok("org/name", &cache, &access(&server));
    is_whole(&cache);
    let missing = repo().bytes("model.safetensors").len() as u64 - 90_000;
    assert_eq!((pulled.fetched_bytes, heard.fetched), (missing, missing));
    assert_eq!(server.gets("config.json"), 0);
}

#[test]
fn a_wrong_beginning_is_fetched_anew() {
    let server = hub(|_, reply| reply);
    for (beginning, gets) in [(vec![0; 1234], 2), (vec![0; 400_000], 3)] {
        let cache = Cache::new();
        cache.begin(&beginning);
        ok("org/name", &cache, &access(&server));
        is_whole(&cache);
        // What is too long to be a beginning is not even tried.
        assert_eq!(server.gets("model.safetensors"), gets);
    }
}

#[test]
fn a_file_with_another_hash_is_refused() {
    for file in ["model.safetensors", "config.json"] {
        let cache = Cache::new();
        let server = hub(move |request, mut reply| {
            if request.is_get_of(file) {
                *reply.body.last_mut().unwrap() ^= 1;
            }
            reply
        });
        let error = err("org/name", &cache, &access(&server));
        assert!(
            matches!(&error, PullError::WrongHash { file: wrong, .. } if wrong == file),
            "{error:?}"
        );
        assert!(!cache.repo("blobs").join(repo().etag(file)).exists());
        let left = cache.files();
        assert!(
            !left.iter().any(|name| name.ends_with(".incomplete")),
            "{left:?}"
        );
        assert!(!cache.repo("refs").exists());
    }
}

#[test]
fn a_busy_hub_is_waited_for() {
    let cache = Cache::new();
    let busy = AtomicUsize::new(0);
    let server = hub(move |_, reply| match busy.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(429, "").with("retry-after", 1),
        1 => Reply::new(503, ""),
        _ => reply,
    });
    let started = Instant::now();
    let (_, heard) = ok("org/name", &cache, &access(&server));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(heard.waits[0].1, Duration::from_secs(1));
    assert!(heard.waits[1].0.contains("status 503"), "{heard:?}");

    let server = hub(|_, _| Reply::new(429, "").with("retry-after", 3600));
    let error = err("org/name", &Cache::new(), &access(&server));
    assert!(
        matches!(error, PullError::Busy { seconds: 3600, .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("60 minutes"));
    assert_eq!(server.asked().len(), 1);

    let server = hub(|_, _| Reply::new(500, ""));
    let error = err("org/name", &Cache::new(), &access(&server));
    assert!(
        matches!(error, PullError::Refused { status: 500, .. }),
        "{error:?}"
    );
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_silent_connection_counts_as_cut() {
    let cache = Cache::new();
    let slow = AtomicUsize::new(0);
    let server = hub_of_weights(move |_, mut reply| {
        if slow.fetch_add(1, Ordering::SeqCst) == 0 {
            reply.pause = Some((200_000, Duration::from_secs(20)));
        }
        reply
    });
    let mut access = access(&server);
    access.patience.silence = Duration::from_millis(500);
    let started = Instant::now();
    let (_, heard) = ok("org/name", &cache, &access);
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!(heard.waits.len(), 1, "{heard:?}");
    is_whole(&cache);

    // A slow one that goes on is none.
    let cache = Cache::new();
    let server = hub_of_weights(|_, mut reply| {
        reply.pause = Some((60_000, Duration::from_millis(150)));
        reply
    });
    access.endpoint = server.url();
    let (_, heard) = ok("org/name", &cache, &access);
    assert!(heard.waits.is_empty(), "{heard:?}");
    is_whole(&cache);
}

#[test]
fn servers_that_contradict_themselves_are_named() {
    type Change = fn(Reply) -> Reply;
    let cases: [(Change, &str); 5] = [
        (
            |mut reply| {
                reply.body.truncate(1000);
                reply
            },
            "and it sends 1000",
        ),
        (
            |mut reply| {
                reply.body.extend([0; 10]);
                reply
            },
            "and it sends",
        ),
        (
            // No length at all, and more than there should be.
            |mut reply| {
                let size = format!("{:x}\r\n", 400_000).into_bytes();
                reply.body = [size, vec![0; 400_000]].concat();
                reply.with("transfer-encoding", "chunked")
            },
            "goes on after its",
        ),
        (|_| Reply::to("/org/name/resolve/x"), "more than 10 times"),
        (|_| Reply::to("ftp://elsewhere/x"), "redirects to nowhere"),
    ];
    for (change, says) in cases {
        let server = hub(move |request: &Request, reply: Reply| {
            if request.path.ends_with("/resolve/x") {
                Reply::to("/org/name/resolve/x")
            } else if request.is_get_of("model.safetensors") {
                change(reply)
            } else {
                reply
            }
        });
        let cache = Cache::new();
        let error = err("org/name", &cache, &access(&server));
        assert!(
            matches!(error, PullError::Answer { .. }),
            "{says}: {error:?}"
        );
        assert!(error.to_string().contains(says), "{error}");
        let blob = cache.repo("blobs").join(repo().etag("model.safetensors"));
        assert!(!blob.exists());
    }
}

#[test]
fn servers_without_ranges_send_all_again() {
    let whole = repo().bytes("model.safetensors").to_vec();
    let cache = Cache::new();
    cache.begin(&whole[..5000]);
    let server = {
        let whole = whole.clone();
        hub_of_weights(move |_, _| Reply::new(200, whole.clone()))
    };
    ok("org/name", &cache, &access(&server));
    is_whole(&cache);

    let cache = Cache::new();
    cache.begin(&whole[..5000]);
    let server = hub_of_weights(|request, reply| {
        if request.from() > 0 {
            Reply::new(416, "")
        } else {
            reply
        }
    });
    ok("org/name", &cache, &access(&server));
    is_whole(&cache);

    // Another part than the one that was asked for.
    let cache = Cache::new();
    cache.begin(&whole[..5000]);
    let server = hub_of_weights(|_, mut reply| {
        reply.headers = vec![("content-range".into(), "bytes 0-9/10".into())];
        reply
    });
    let error = err("org/name", &cache, &access(&server));
    assert!(
        error.to_string().contains("asked for bytes 5000-"),
        "{error}"
    );
}
