//! Requests to the hub: redirects followed by hand so that the token stays with its host, and failed ones made again.

use std::cell::Cell;
use std::time::Duration;

use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy, http::Response};

use super::access::{Access, Patience, is_exempt};
use super::wait::asked_to_wait;
use super::{Event, PullError, Watch};

/// Redirects in a row.
const HOPS: usize = 10;
/// What a listing may weigh.
const LISTING_BYTES: u64 = 64 << 20;

/// Asks one hub.
pub(super) struct Client<'a> {
    access: &'a Access,
    endpoint: Uri,
    direct: Agent,
    http: Option<Agent>,
    https: Option<Agent>,
    /// Something has come: from now on a failed connection is a passing fault.
    reached: Cell<bool>,
}

/// What a request is about, for messages about it.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub repo: &'a str,
    pub revision: &'a str,
    pub file: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Get,
    Head,
}

/// A try that failed.
pub(super) enum Failed {
    /// It would fail again.
    ForGood(PullError),
    /// It may pass, not before the hub's wish, where it has one.
    Passing(PullError, Option<Duration>),
}

impl<'a> Client<'a> {
    /// # Errors
    /// When the environment's settings make no sense.
    pub fn new(access: &'a Access) -> Result<Self, PullError> {
        let setting = |variable, reason: String| PullError::Setting { variable, reason };
        let endpoint: Uri = access
            .endpoint
            .trim_end_matches('/')
            .parse()
            .map_err(|_| setting("HF_ENDPOINT", "it is no address".into()))?;
        if !matches!(endpoint.scheme_str(), Some("http" | "https")) || endpoint.host().is_none() {
            return Err(setting(
                "HF_ENDPOINT",
                "expected an address like https://huggingface.co".into(),
            ));
        }
        // It stands in messages, and a token in it would go to every host that it redirects to.
        if endpoint
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            let reason = "it holds a user or password; HF_TOKEN is the place for a token";
            return Err(setting("HF_ENDPOINT", reason.into()));
        }
        let roots = match &access.certificates {
            Some(path) => {
                let pem = std::fs::read(path).map_err(|error| {
                    setting("SSL_CERT_FILE", format!("{}: {error}", path.display()))
                })?;
                let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
                    .filter_map(|item| match item {
                        Ok(PemItem::Certificate(certificate)) => Some(certificate),
                        _ => None,
                    })
                    .collect();
                if certificates.is_empty() {
                    let reason = format!("{} holds no certificate in PEM", path.display());
                    return Err(setting("SSL_CERT_FILE", reason));
                }
                RootCerts::new_with_certs(&certificates)
            }
            None => RootCerts::WebPki,
        };
        let agent = |proxy: Option<Proxy>| -> Agent {
            let Patience {
                connect, silence, ..
            } = access.patience;
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                .proxy(proxy)
                .user_agent(concat!("colloquy/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .timeout_resolve(Some(connect))
                .timeout_connect(Some(connect))
                .timeout_recv_response(Some(2 * silence))
                .timeout_per_read(Some(silence))
                .timeout_per_write(Some(silence))
                .build()
                .into()
        };
        let through = |variable, address: &Option<String>| match address {
            Some(address) => Proxy::new(address)
                .map(|proxy| Some(agent(Some(proxy))))
                .map_err(|_| setting(variable, "it is no address of a proxy".into())),
            None => Ok(None),
        };
        Ok(Self {
            access,
            endpoint,
            direct: agent(None),
            http: through("HTTP_PROXY", &access.http_proxy)?,
            https: through("HTTPS_PROXY", &access.https_proxy)?,
            reached: Cell::new(false),
        })
    }

    pub fn patience(&self) -> &Patience {
        &self.access.patience
    }

    /// The hub's host, for messages.
    pub fn host(&self) -> &str {
        self.endpoint.host().unwrap_or_default()
    }

    /// The listing of a repository at a revision, as the hub's JSON.
    pub fn listing(
        &self,
        about: About<'_>,
        watch: Watch<'_>,
    ) -> Result<serde_json::Value, PullError> {
        let path = format!(
            "/api/models/{}/revision/{}",
            about.repo,
            about.revision.replace('/', "%2F")
        );
        self.again(watch, || {
            let mut response = self.follow(Method::Get, &path, about, None)?;
            let text = response
                .body_mut()
                .with_config()
                .limit(LISTING_BYTES)
                .read_to_vec()
                .map_err(|error| self.failed(self.host(), &error))?;
            serde_json::from_slice(&text).map_err(|error| {
                Failed::ForGood(PullError::Answer {
                    host: self.host().to_owned(),
                    reason: format!("its listing is no JSON: {error}"),
                })
            })
        })
    }

    /// What the hub says of a file, its headers.
    pub fn head(
        &self,
        about: About<'_>,
        commit: &str,
        watch: Watch<'_>,
    ) -> Result<HeaderMap, PullError> {
        let path = file_path(about, commit);
        self.again(watch, || {
            let response = self.follow(Method::Head, &path, about, None)?;
            Ok(response.headers().clone())
        })
    }

    /// A file from one of its bytes on; one try.
    pub fn open(
        &self,
        about: About<'_>,
        commit: &str,
        from: u64,
    ) -> Result<Response<Body>, Failed> {
        self.follow(Method::Get, &file_path(about, commit), about, Some(from))
    }

    /// Tries until something comes, or it is clear that nothing will.
    pub fn again<T>(
        &self,
        watch: Watch<'_>,
        mut once: impl FnMut() -> Result<T, Failed>,
    ) -> Result<T, PullError> {
        let mut tried = 0;
        loop {
            match once() {
                Ok(value) => return Ok(value),
                Err(failed) => self.wait_or_give_up(failed, &mut tried, watch)?,
            }
        }
    }

    /// Waits before a new try.
    ///
    /// # Errors
    /// The failure, when there should be none.
    pub fn wait_or_give_up(
        &self,
        failed: Failed,
        tried: &mut u32,
        watch: Watch<'_>,
    ) -> Result<(), PullError> {
        let Patience {
            first_wait,
            tries,
            longest_wait,
            ..
        } = *self.patience();
        let (error, asked) = match failed {
            Failed::ForGood(error) => return Err(error),
            Failed::Passing(error, asked) => (error, asked),
        };
        *tried += 1;
        if *tried >= tries || asked.is_some_and(|asked| asked > longest_wait) {
            return Err(error);
        }
        let own = first_wait * 2u32.saturating_pow(*tried - 1);
        let wait = asked.unwrap_or(own).max(first_wait).min(longest_wait);
        watch(Event::Waiting {
            reason: &error.to_string(),
            wait,
        });
        std::thread::sleep(wait);
        Ok(())
    }

    /// One request with its redirects.
    ///
    /// The answer to a question about a file (`HEAD`) that leads to another host is taken as it is: what the hub knows of
    /// the file is in it.
    fn follow(
        &self,
        method: Method,
        path: &str,
        about: About<'_>,
        from: Option<u64>,
    ) -> Result<Response<Body>, Failed> {
        let base = self.access.endpoint.trim_end_matches('/');
        let bad = |host: &str, reason: String| {
            Failed::ForGood(PullError::Answer {
                host: host.to_owned(),
                reason,
            })
        };
        let mut url: Uri = format!("{base}{path}").parse().map_err(|_| {
            bad(
                self.host(),
                "its address and the model's name do not go together".into(),
            )
        })?;
        for _ in 0..HOPS {
            let host = url.host().unwrap_or_default().to_owned();
            let response = self
                .send(method, &url, from)
                .map_err(|error| self.failed(&host, &error))?;
            self.reached.set(true);
            let status = response.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return if status == 200 || status == 206 {
                    Ok(response)
                } else {
                    Err(self.refused(&host, self.is_own(&url), &response, about))
                };
            }
            let location = response
                .headers()
                .get("location")
                .and_then(|location| location.to_str().ok());
            let next = location
                .and_then(|location| resolve(&url, location))
                .ok_or_else(|| bad(&host, "it redirects to nowhere".into()))?;
            if method == Method::Head && !self.is_own(&next) {
                return Ok(response);
            }
            if url.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(bad(&host, "it redirects to an address without TLS".into()));
            }
            url = next;
        }
        Err(bad(
            self.host(),
            format!("it redirects more than {HOPS} times"),
        ))
    }

    /// One request. The token goes to the endpoint's own host and port, and nowhere else.
    fn send(
        &self,
        method: Method,
        url: &Uri,
        from: Option<u64>,
    ) -> Result<Response<Body>, ureq::Error> {
        let agent = self.agent_for(url);
        let mut request = match method {
            Method::Get => agent.get(url.clone()),
            Method::Head => agent.head(url.clone()),
        };
        if let Some(token) = self.access.token.as_ref().filter(|_| self.is_own(url)) {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        if let Some(from) = from.filter(|from| *from > 0) {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call()
    }

    fn agent_for(&self, url: &Uri) -> &Agent {
        let host = url.host().unwrap_or_default();
        let exempt = self.access.no_proxy.as_deref();
        if exempt.is_some_and(|list| is_exempt(host, list)) {
            return &self.direct;
        }
        let proxied = match url.scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        proxied.as_ref().unwrap_or(&self.direct)
    }

    /// Whether an address is on the endpoint's host and port, under its scheme.
    fn is_own(&self, url: &Uri) -> bool {
        let origin = |uri: &Uri| {
            let https = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
            let host = uri.host().unwrap_or_default().to_ascii_lowercase();
            (https, host, port)
        };
        origin(url) == origin(&self.endpoint)
    }

    /// A request that got no answer.
    pub fn failed(&self, host: &str, error: &ureq::Error) -> Failed {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
        let (reason, passing) = match error {
            ureq::Error::HostNotFound => {
                ("its name is not known (DNS)".to_owned(), self.reached.get())
            }
            ureq::Error::Timeout(_) => ("no answer in time".to_owned(), true),
            ureq::Error::Io(error) => (
                error.to_string(),
                self.reached.get()
                    || !matches!(
                        error.kind(),
                        ConnectionRefused | HostUnreachable | NetworkUnreachable
                    ),
            ),
            ureq::Error::ConnectProxyFailed(_) => {
                ("the proxy does not let it through".to_owned(), false)
            }
            ureq::Error::ConnectionFailed => ("no connection".to_owned(), self.reached.get()),
            ureq::Error::Protocol(error) => (format!("broken answer: {error}"), true),
            ureq::Error::Tls(reason) => (format!("TLS failed: {reason}"), false),
            ureq::Error::Rustls(error) => (format!("TLS failed: {error}"), false),
            // Others speak of what was asked, which may hold a signed address.
            _ => ("the request failed".to_owned(), false),
        };
        let error = PullError::Unreachable {
            host: host.to_owned(),
            reason,
        };
        if passing {
            Failed::Passing(error, None)
        } else {
            Failed::ForGood(error)
        }
    }

    /// What an answer that brings nothing means. Only the hub itself speaks of repositories.
    fn refused(
        &self,
        host: &str,
        own: bool,
        response: &Response<Body>,
        about: About<'_>,
    ) -> Failed {
        let status = response.status().as_u16();
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let host = host.to_owned();
        if matches!(status, 408 | 429 | 500 | 502 | 503 | 504) {
            let asked = asked_to_wait(response.headers(), std::time::SystemTime::now());
            let error = match (status, asked) {
                (429, asked) => PullError::Busy {
                    host,
                    seconds: asked.map_or(60, |asked| asked.as_secs()),
                },
                _ => PullError::Refused { host, status },
            };
            return Failed::Passing(error, asked);
        }
        // A signed address that has run out: the hub gives another one.
        if !own && matches!(status, 401 | 403) {
            return Failed::Passing(PullError::Refused { host, status }, None);
        }
        let token = self.access.token.is_some();
        let repo = about.repo.to_owned();
        let no_repository = |repo, host| PullError::NoRepository { repo, host, token };
        Failed::ForGood(match (header("x-error-code"), status) {
            _ if !own => PullError::Refused { host, status },
            ("GatedRepo", _) => PullError::Gated {
                repo,
                endpoint: self.access.endpoint.trim_end_matches('/').to_owned(),
                token,
            },
            ("RevisionNotFound", _) => PullError::NoRevision {
                repo,
                revision: about.revision.to_owned(),
            },
            ("EntryNotFound", _) => PullError::NoFile {
                repo,
                file: about.file.unwrap_or_default().to_owned(),
            },
            (_, 401) if header("x-error-message").contains("credentials") => {
                PullError::Token { host }
            }
            // To those without a token the hub says 401 of what is private and of what is not there.
            ("RepoNotFound", _) | (_, 401) => no_repository(repo, host),
            (_, 403) => PullError::Gated {
                repo,
                endpoint: self.access.endpoint.trim_end_matches('/').to_owned(),
                token,
            },
            (_, 404) => match about.file {
                Some(file) => PullError::NoFile {
                    repo,
                    file: file.to_owned(),
                },
                None => no_repository(repo, host),
            },
            _ => PullError::Refused { host, status },
        })
    }
}

/// The path of a file on the hub, percent-encoded.
fn file_path(about: About<'_>, commit: &str) -> String {
    use std::fmt::Write;
    let mut path = format!("/{}/resolve/{commit}/", about.repo);
    for byte in about.file.unwrap_or_default().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// Where a redirect leads.
fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let scheme = from.scheme_str()?;
    let authority = from.authority()?;
    let whole = if location.starts_with("http://") || location.starts_with("https://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.contains("://") {
        return None;
    } else {
        let folder = from
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let uri: Uri = whole.split('#').next()?.parse().ok()?;
    uri.host().filter(|host| !host.is_empty())?;
    Some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let from: Uri = "https://hub.example/a/b?x=1".parse().unwrap();
        for (location, leads) in [
            (
                "https://cdn.example/x?sig=1#f",
                Some("https://cdn.example/x?sig=1"),
            ),
            ("//cdn.example/x", Some("https://cdn.example/x")),
            ("/api/x", Some("https://hub.example/api/x")),
            ("c", Some("https://hub.example/a/c")),
            ("ftp://x/y", None),
            ("file:///etc/passwd", None),
        ] {
            let found = resolve(&from, location).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), leads, "{location}");
        }
    }

    #[test]
    fn only_the_endpoint_itself_is_its_own() {
        let access = Access {
            endpoint: "https://hub.example/mirror/".into(),
            ..Access::default()
        };
        let client = Client::new(&access).unwrap();
        let own = |url: &str| client.is_own(&url.parse().unwrap());
        assert!(own("https://HUB.example:443/other"));
        for other in [
            "http://hub.example/x",
            "https://hub.example:8443/x",
            "https://cdn.hub.example/x",
            "https://hub.example.evil/x",
        ] {
            assert!(!own(other), "{other}");
        }
    }

    #[test]
    fn settings_that_cannot_be_are_named() {
        let named = |access: Access| match Client::new(&access) {
            Err(PullError::Setting { variable, .. }) => Some(variable),
            _ => None,
        };
        let plain = Access::default;
        for endpoint in [
            "",
            "huggingface.co",
            "ftp://x",
            "https://",
            "https://me:it@x",
        ] {
            let access = Access {
                endpoint: endpoint.into(),
                ..plain()
            };
            assert_eq!(named(access), Some("HF_ENDPOINT"), "{endpoint:?}");
        }
        let proxied = Access {
            https_proxy: Some("://".into()),
            ..plain()
        };
        assert_eq!(named(proxied), Some("HTTPS_PROXY"));
        let trusting = Access {
            certificates: Some("/no/such.pem".into()),
            ..plain()
        };
        assert_eq!(named(trusting), Some("SSL_CERT_FILE"));
    }

    #[test]
    fn paths_are_encoded() {
        let about = About {
            repo: "org/name",
            revision: "main",
            file: Some("a b/ü.gguf"),
        };
        assert_eq!(
            file_path(about, "c0ffee"),
            "/org/name/resolve/c0ffee/a%20b/%C3%BC.gguf"
        );
    }
}
