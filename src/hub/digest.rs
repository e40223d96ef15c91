//! What the name of a file in the cache says about its content.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The hash that a file's content must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// Of a large file (git-lfs): SHA-256 of its bytes.
    Sha256(String),
    /// Of a small file: the id of its git blob.
    GitSha1(String),
}

impl Digest {
    /// The hash that a blob's name or an etag is; none where it is neither.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        match name.len() {
            64 => Some(Self::Sha256(name.to_ascii_lowercase())),
            40 => Some(Self::GitSha1(name.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// In hexadecimal.
    #[must_use]
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitSha1(hex) => hex,
        }
    }

    /// For people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::GitSha1(_) => "git sha1",
        }
    }

    /// What computes this kind of hash for a file of `bytes` bytes.
    #[must_use]
    pub fn hasher(&self, bytes: u64) -> Hasher {
        match self {
            Self::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Self::GitSha1(_) => {
                let mut sha1 = Sha1::new();
                sha1.update(format!("blob {bytes}\0"));
                Hasher::GitSha1(sha1)
            }
        }
    }
}

/// A hash being computed.
#[derive(Clone)]
pub enum Hasher {
    Sha256(Sha256),
    GitSha1(Sha1),
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitSha1(hasher) => hasher.update(bytes),
        }
    }

    /// In hexadecimal, lower case.
    #[must_use]
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::GitSha1(hasher) => hex(&hasher.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum_and_git() {
        let of = |name: &str, bytes: &[u8]| {
            let digest = Digest::named(name).unwrap();
            let mut hasher = digest.hasher(bytes.len() as u64);
            hasher.update(bytes);
            (hasher.finish(), digest.hex().to_owned())
        };
        // `printf abc | sha256sum`, `printf abc | git hash-object --stdin`
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let git = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";
        for name in [sha256, git, &git.to_uppercase()] {
            let (found, expected) = of(name, b"abc");
            assert_eq!(found, expected);
        }
        assert_eq!(Digest::named("f2ba8f84"), None);
        assert_eq!(Digest::named(&"g".repeat(40)), None);
    }
}
