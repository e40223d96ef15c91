//! How the hub is reached, as the environment says it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The hub that is meant when none is named.
pub const HUB: &str = "https://huggingface.co";

/// An access token. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as read from a variable or a file; none where it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Whether it can stand in a header: visible ASCII, no spaces.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_graphic())
    }

    /// The token itself, for the one header it goes into.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Everything that decides how the hub is reached.
#[derive(Clone)]
pub struct Access {
    /// `https://host`, with a path where the hub is behind one.
    pub endpoint: String,
    /// Sent to the endpoint's host alone.
    pub token: Option<Token>,
    /// Nothing may be sent.
    pub offline: bool,
    /// Proxies by the scheme of what is asked for.
    pub https_proxy: Option<String>,
    pub http_proxy: Option<String>,
    /// Hosts that are asked without a proxy, as `NO_PROXY` lists them.
    pub no_proxy: Option<String>,
    /// A PEM file of certificates to trust in place of the built-in ones.
    pub certificates: Option<PathBuf>,
    pub patience: Patience,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            endpoint: HUB.into(),
            token: None,
            offline: false,
            https_proxy: None,
            http_proxy: None,
            no_proxy: None,
            certificates: None,
            patience: Patience::default(),
        }
    }
}

/// Proxies may hold passwords, so only their presence is shown.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token)
            .field("offline", &self.offline)
            .field("https_proxy", &self.https_proxy.is_some())
            .field("http_proxy", &self.http_proxy.is_some())
            .field("no_proxy", &self.no_proxy)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub connect: Duration,
    /// A connection that is silent for so long counts as cut.
    pub silence: Duration,
    /// The wait before the first new try; it doubles from try to try.
    pub first_wait: Duration,
    /// Tries in a row that bring nothing.
    pub tries: u32,
    /// The longest wait that a hub may ask for; for a longer one it is the user who waits.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            silence: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            tries: 6,
            longest_wait: Duration::from_mins(5),
        }
    }
}

/// Whether a host is on a list as `NO_PROXY` has it: `*`, `host`, `.domain` or `domain`, which its subdomains belong to.
pub(super) fn is_exempt(host: &str, list: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        let entry = entry.trim_start_matches('*').to_ascii_lowercase();
        let domain = entry.trim_start_matches('.');
        // A port is of no account here.
        let domain = domain.rsplit_once(':').map_or(domain, |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') {
                name
            } else {
                domain
            }
        });
        match domain {
            "" => list.split(',').any(|entry| entry.trim() == "*"),
            domain => host == domain || host.ends_with(&format!(".{domain}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_passwords_are_not_shown() {
        let access = Access {
            token: Token::new(" hf_secret\n"),
            https_proxy: Some("http://me:secret@proxy:3128".into()),
            ..Access::default()
        };
        assert_eq!(access.token.as_ref().unwrap().reveal(), "hf_secret");
        let shown = format!("{access:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(Token::new(" \n"), None);
    }

    #[test]
    fn hosts_without_a_proxy() {
        for (host, list, exempt) in [
            ("hub.example.org", "localhost, .example.org", true),
            ("hub.example.org", "example.org", true),
            ("example.org", "*.example.org:8080", true),
            ("badexample.org", "example.org", false),
            ("127.0.0.1", "127.0.0.1:9", true),
            ("[::1]", "::1", true),
            ("any", "*", true),
            ("any", "", false),
            ("any", ",", false),
        ] {
            assert_eq!(is_exempt(host, list), exempt, "{host} in {list:?}");
        }
    }
}
