//! Stores, and what may be said of their errors.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::ClientOptions;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{BackoffConfig, Error, ObjectStore, RetryConfig};

use super::{PublishError, Target, Wish};
use crate::brief::brief;

/// How often a request is tried again before a store counts as down.
const RETRIES: usize = 5;

/// Variables of the environment whose names begin with `AZURE_` or `AWS_`.
#[derive(Clone, Default)]
pub struct Variables(Vec<(String, String)>);

/// Parts of names of variables whose values nobody may see.
const SECRET: [&str; 6] = [
    "KEY",
    "SECRET",
    "TOKEN",
    "SAS",
    "CONNECTION_STRING",
    "PASSWORD",
];

impl Variables {
    /// Those of all variables that concern a store.
    #[must_use]
    pub fn of(all: impl Iterator<Item = (String, String)>) -> Self {
        let ours = |name: &str| name.starts_with("AZURE_") || name.starts_with("AWS_");
        let mut variables: Vec<_> = all
            .filter(|(name, value)| ours(name) && !value.is_empty())
            .collect();
        variables.sort();
        Self(variables)
    }

    fn has(&self, names: &[&str]) -> bool {
        self.0
            .iter()
            .any(|(name, _)| names.contains(&name.as_str()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A text without credentials: neither values of ours nor what URLs carry after `?`.
    #[must_use]
    pub fn scrubbed(&self, text: &str) -> String {
        let mut secrets: Vec<String> = Vec::new();
        for (name, value) in &self.0 {
            if !SECRET.iter().any(|part| name.contains(part)) {
                continue;
            }
            secrets.push(value.clone());
            // A connection string and a SAS token hold theirs in parts.
            let parts = value.split([';', '&']);
            let values = parts.filter_map(|part| part.split_once('='));
            secrets.extend(values.map(|(_, value)| value.to_owned()));
        }
        secrets.retain(|secret| secret.len() >= 8);
        for secret in secrets.clone() {
            let coded = [("+", "%2B"), ("/", "%2F"), ("=", "%3D")];
            secrets.push(
                coded
                    .iter()
                    .fold(secret, |s, (from, to)| s.replace(from, to)),
            );
        }
        // The longest first: one may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut text = text.to_owned();
        for secret in &secrets {
            text = text.replace(secret.as_str(), "…");
        }
        let mut out = String::new();
        for word in text.split_inclusive(char::is_whitespace) {
            match word.split_once('?') {
                Some((url, query)) if url.contains("://") => {
                    let end = query.find(|c: char| c.is_whitespace() || c == ')');
                    out.push_str(url);
                    out.push_str(end.map_or("", |end| &query[end..]));
                }
                _ => out.push_str(word),
            }
        }
        out
    }
}

/// A store, open.
#[derive(Clone)]
pub struct Room {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) target: Target,
    /// Whether objects keep the hash that is written on them.
    pub(super) labels: bool,
    variables: Variables,
}

impl Room {
    /// Opens a target; nothing is asked of it yet. A folder is made, unless nothing is to be sent.
    ///
    /// # Errors
    /// When there are no credentials, they are malformed, or a folder cannot be made.
    pub fn open(target: &Target, variables: Variables, wish: Wish) -> Result<Self, PublishError> {
        // Both libraries that speak TLS take the process's provider; one that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let malformed = |error: Error, wanted| PublishError::Credentials {
            target: target.to_string(),
            reason: brief(variables.scrubbed(&error.to_string())),
            wanted,
        };
        let (store, labels): (Arc<dyn ObjectStore>, bool) = match target {
            Target::Azure { container, .. } => {
                let store = azure(container, &variables, target)?;
                let store = store.build().map_err(|error| malformed(error, AZURE))?;
                (Arc::new(store), true)
            }
            Target::S3 { bucket, .. } => {
                let store = s3(bucket, &variables, target)?;
                let store = store.build().map_err(|error| malformed(error, AWS))?;
                (Arc::new(store), true)
            }
            // What is not there holds nothing.
            Target::Folder(path) if wish.dry_run && !path.exists() => {
                (Arc::new(InMemory::new()), false)
            }
            Target::Folder(path) => {
                let unwritable = |source| PublishError::Io {
                    path: path.clone(),
                    source,
                };
                std::fs::create_dir_all(path).map_err(unwritable)?;
                let store = LocalFileSystem::new_with_prefix(path);
                let other = |error: Error| unwritable(std::io::Error::other(error.to_string()));
                (Arc::new(store.map_err(other)?), false)
            }
        };
        Ok(Self {
            store,
            target: target.clone(),
            labels,
            variables,
        })
    }

    /// Over any store.
    #[cfg(test)]
    pub(super) fn over(store: Arc<dyn ObjectStore>, target: Target) -> Self {
        Self {
            store,
            target,
            labels: true,
            variables: Variables::default(),
        }
    }

    /// What an error of the store means.
    pub(super) fn told(&self, error: &Error) -> PublishError {
        let target = self.target.to_string();
        // The innermost says what happened; those around it repeat where.
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let reason = innermost.to_string();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = brief(self.variables.scrubbed(&reason));
        match (error, &self.target) {
            (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) => {
                PublishError::Refused { target, reason }
            }
            (Error::NotFound { .. }, target) => PublishError::NoPlace {
                target: target.to_string(),
                place: target.place(),
            },
            (_, Target::Folder(path)) => PublishError::Io {
                path: path.clone(),
                source: std::io::Error::other(reason),
            },
            _ => PublishError::Unreachable {
                target,
                reason,
                tries: RETRIES + 1,
            },
        }
    }
}

const AZURE: &str =
    "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING";
const AWS: &str = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION";

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: Duration::from_mins(2),
    }
}

fn client(plain: bool) -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(10))
        .with_timeout(Duration::from_mins(5))
        .with_allow_http(plain)
}

/// Whether an endpoint is on this machine: only then a request may go unencrypted.
fn is_local(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return false;
    };
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    matches!(host, "127.0.0.1" | "localhost")
}

fn azure(
    container: &str,
    variables: &Variables,
    target: &Target,
) -> Result<MicrosoftAzureBuilder, PublishError> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for (name, value) in &variables.0 {
        // Names that Azure's own tools read.
        let name = match name.as_str() {
            "AZURE_STORAGE_ACCOUNT" => "azure_storage_account_name".to_owned(),
            "AZURE_STORAGE_KEY" => "azure_storage_account_key".to_owned(),
            _ => name.to_ascii_lowercase(),
        };
        settings.push((name, value.clone()));
    }
    if let Some(text) = variables.get("AZURE_STORAGE_CONNECTION_STRING") {
        for (key, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            let name = match key {
                "AccountName" => "account_name",
                "AccountKey" => "account_key",
                "BlobEndpoint" => "endpoint",
                "SharedAccessSignature" => "sas_token",
                _ => continue,
            };
            settings.push((name.to_owned(), value.to_owned()));
        }
    }
    let given = |part: &str| settings.iter().any(|(name, _)| name.contains(part));
    let proof = ["_key", "sas_", "_token", "client_secret", "federated"];
    if !given("account_name") || !proof.iter().any(|part| given(part)) {
        return Err(PublishError::Credentials {
            target: target.to_string(),
            reason: "no account and key are known".into(),
            wanted: AZURE,
        });
    }
    let endpoint = settings
        .iter()
        .rev()
        .find(|(name, _)| name.ends_with("endpoint"));
    let plain = endpoint.is_some_and(|(_, endpoint)| is_local(endpoint));
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(client(plain))
        .with_retry(retry());
    for (name, value) in settings {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder.with_container_name(container))
}

fn s3(
    bucket: &str,
    variables: &Variables,
    target: &Target,
) -> Result<AmazonS3Builder, PublishError> {
    let whole = variables.has(&["AWS_ACCESS_KEY_ID"]) && variables.has(&["AWS_SECRET_ACCESS_KEY"]);
    let others = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    if !whole && !variables.has(&others) {
        return Err(PublishError::Credentials {
            target: target.to_string(),
            reason: "no access key is known".into(),
            wanted: AWS,
        });
    }
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let endpoint = endpoint.iter().find_map(|name| variables.get(name));
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client(endpoint.is_some_and(is_local)))
        .with_retry(retry())
        // The store then looks at what came before it keeps it.
        .with_checksum_algorithm(Checksum::SHA256);
    for (name, value) in &variables.0 {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value.clone());
        }
    }
    Ok(builder.with_bucket_name(bucket))
}
