//! What is not fetched, and what is said of it.

use std::fs;
use std::time::{Duration, Instant};

use colloquy::hub::pull::{Access, PullError, Token, Wish, pull};

use super::server::{Reply, Server};
use super::{Cache, access, err, get, hub, is_whole, ok, repo};

#[test]
fn neither_token_nor_signed_address_is_told() {
    let cdn = Server::new(|_| Reply::new(403, "geheim"));
    let repo = repo().with_cdn(&cdn.url());
    let server = Server::new(move |request| repo.reply(request));
    let access = Access {
        token: Token::new("hf_geheim"),
        ..access(&server)
    };
    let (pulled, heard) = get("org/name", &Cache::new(), &access);
    let error = pulled.unwrap_err();
    let told = format!("{error} {error:?} {:?} {heard:?} {access:?}", error.hint());
    assert!(
        !told.contains("geheim") && !told.contains("signature"),
        "{told}"
    );
    assert!(told.contains("status 403"), "{told}");
    // A signed address that has run out is asked for anew.
    assert_eq!(server.gets("tokenizer.json"), 3);
}

#[test]
fn refusals_say_what_to_do() {
    type Is = fn(&PullError) -> bool;
    let coded = |status: u16, code: &'static str| {
        hub(move |_, _| Reply::new(status, "").with("x-error-code", code))
    };
    let gated: Is = |error| matches!(error, PullError::Gated { .. });
    let unknown: Is = |error| matches!(error, PullError::NoRepository { .. });
    let refused = "Invalid credentials in Authorization header";
    let cases: [(Server, bool, Is, &str); 8] = [
        (
            coded(401, "GatedRepo"),
            false,
            gated,
            "/org/name in a browser",
        ),
        (
            coded(403, "GatedRepo"),
            true,
            gated,
            "account that the token belongs to",
        ),
        (coded(403, ""), true, gated, "accept the terms"),
        (
            coded(401, "RepoNotFound"),
            false,
            unknown,
            "for a private one set HF_TOKEN",
        ),
        (coded(404, "RepoNotFound"), true, unknown, "models list"),
        (
            coded(404, "RevisionNotFound"),
            false,
            |error| matches!(error, PullError::NoRevision { .. }),
            "branch, tag or commit",
        ),
        (
            hub(move |_, _| Reply::new(401, "").with("x-error-message", refused)),
            true,
            |error| matches!(error, PullError::Token { .. }),
            "check HF_TOKEN",
        ),
        (
            hub(|_, _| Reply::new(200, "<html>")),
            false,
            |error| matches!(error, PullError::Answer { .. }),
            "HF_ENDPOINT",
        ),
    ];
    for (server, token, is, says) in cases {
        let cache = Cache::new();
        let access = Access {
            token: token.then(|| Token::new("hf_geheim")).flatten(),
            ..access(&server)
        };
        let error = err("org/name", &cache, &access);
        assert!(is(&error), "{error:?}");
        let hint = error.hint().unwrap();
        assert!(hint.contains(says), "{error}: {hint}");
        assert_eq!(server.asked().len(), 1, "{error}: asked again");
        assert_eq!(cache.files(), Vec::<String>::new());
    }
}

#[test]
fn without_a_network_nothing_is_tried_for_long() {
    let gone = Server::new(|_| Reply::new(200, "")).url();
    let server = Server::new(|_| Reply::new(200, ""));
    let started = Instant::now();
    let mut access = access(&server);
    access.offline = true;
    let error = err("org/name", &Cache::new(), &access);
    assert!(matches!(error, PullError::Offline { .. }), "{error:?}");
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("colloquy models pull org/name") && hint.contains("models--org--name"),
        "{hint}"
    );
    assert!(server.asked().is_empty());
    access.offline = false;
    for endpoint in [gone.as_str(), "http://no-such-host.invalid"] {
        access.endpoint = endpoint.into();
        let error = err("org/name", &Cache::new(), &access);
        assert!(matches!(error, PullError::Unreachable { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("without a network"));
    }
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn proxies_are_asked_except_for_some() {
    let proxy = Server::new(|_| Reply::new(403, ""));
    let server = hub(|_, reply| reply);
    let mut access = access(&server);
    access.http_proxy = Some(proxy.url().replace("http://", "http://me:geheim@"));
    let error = err("org/name", &Cache::new(), &access);
    let told = format!("{error:?} {:?} {access:?}", error.hint());
    assert!(!told.contains("geheim"), "{told}");
    assert!(!proxy.asked().is_empty());
    assert!(server.asked().is_empty());
    let asked = proxy.asked().len();
    access.no_proxy = Some("localhost,127.0.0.1".into());
    ok("org/name", &Cache::new(), &access);
    assert_eq!(proxy.asked().len(), asked);
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for name in [
        "../../../escaped",
        "/tmp/escaped",
        "a/../../escaped",
        "..\\escaped",
    ] {
        let cache = Cache::new();
        let server = hub(move |request, reply| {
            if request.path.starts_with("/api/") {
                repo().listing_of(&["config.json".into(), name.into()])
            } else {
                reply
            }
        });
        let error = err("org/name", &cache, &access(&server));
        assert!(
            matches!(&error, PullError::Unsafe { name: told, .. } if told == name),
            "{error:?}"
        );
        assert_eq!(cache.files(), Vec::<String>::new());
        assert_eq!(server.asked().len(), 1);
    }
    // Nor may a commit or an etag.
    let cache = Cache::new();
    let server = hub(|request, reply| {
        if request.path.starts_with("/api/") {
            let text = String::from_utf8(reply.body).unwrap();
            Reply::new(200, text.replace(&repo().commit, "../../../../escaped"))
        } else {
            reply
        }
    });
    let error = err("org/name", &cache, &access(&server));
    assert!(matches!(error, PullError::Answer { .. }), "{error:?}");
    let server = hub(|_, mut reply| {
        for (name, value) in &mut reply.headers {
            if name == "etag" {
                *value = "\"../../../../escaped\"".into();
            }
        }
        reply
    });
    let error = err("org/name", &cache, &access(&server));
    assert!(matches!(error, PullError::Answer { .. }), "{error:?}");
    assert_eq!(cache.files(), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_are_not_followed() {
    use std::os::unix::fs::symlink;
    let cache = Cache::new();
    let outside = cache.0.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    let snapshot = cache.repo("snapshots").join(repo().commit);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(cache.repo("blobs")).unwrap();
    symlink(&outside, snapshot.join("config.json")).unwrap();
    symlink(&outside, cache.part()).unwrap();
    let server = hub(|_, reply| reply);
    ok("org/name", &cache, &access(&server));
    is_whole(&cache);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
}

#[test]
fn what_does_not_fit_is_not_begun() {
    let server = hub(|request, reply| {
        if request.method == "HEAD" && request.path.ends_with("model.safetensors") {
            reply.with("x-linked-size", 1_u64 << 60)
        } else {
            reply
        }
    });
    let error = err("org/name", &Cache::new(), &access(&server));
    assert!(
        matches!(error, PullError::NoSpace { needed_bytes, .. } if needed_bytes == 1 << 60),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("HF_HOME"));
    assert_eq!(server.gets("model.safetensors"), 0);
}

#[test]
fn a_model_that_could_not_be_used_is_not_fetched() {
    let server = hub(|_, reply| reply);
    let cache = Cache::new();
    let refused = pull(
        &Wish::parse("org/name").unwrap(),
        &cache.places(),
        &access(&server),
        &|config| {
            assert_eq!(fs::read(config).unwrap(), b"{}");
            Err("of another kind".into())
        },
        &mut |_| {},
    );
    assert!(refused.unwrap_err().to_string().contains("of another kind"));
    assert_eq!(server.gets("model.safetensors"), 0);
    assert!(!cache.repo("refs").exists());
}
