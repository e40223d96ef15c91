use std::path::{Path, PathBuf};

use super::HubError;
use super::gguf::is_gguf;

/// What a user may write for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// A folder in the Hugging Face layout, or with one GGUF model.
    Folder(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
    /// `org/name`, with `main` where no revision is said.
    Repo {
        repo: String,
        revision: String,
        /// Which GGUF file of it; none for a repository with one model.
        gguf: Option<GgufPick>,
    },
}

/// One of a repository's GGUF files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GgufPick {
    /// By its name: `org/name/file.gguf`.
    File(String),
    /// By the type of its numbers, which is part of its name: `org/name:Q4_K_M`.
    Type(String),
}

impl ModelRef {
    /// Reads a reference. What exists as a folder or a GGUF file is that; what looks like a path is one; the rest is
    /// `org/name`, or a single name as the oldest repositories have, with `@revision` and `:Q4_K_M` or `/file.gguf`.
    ///
    /// # Errors
    /// When it is another file, or neither a path nor a name.
    pub fn parse(reference: &str) -> Result<Self, HubError> {
        let wrong = |reason: &str| HubError::Reference {
            reference: reference.to_owned(),
            reason: reason.to_owned(),
        };
        if reference.trim().is_empty() {
            return Err(wrong("it is empty"));
        }
        let path = Path::new(reference);
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let gguf = is_gguf(reference);
        if path.is_file() {
            return if gguf {
                Ok(Self::Gguf(path.to_owned()))
            } else {
                Err(HubError::NotAFolder {
                    path: path.to_owned(),
                })
            };
        }
        let slashes = reference.matches('/').count();
        let climbs = reference.starts_with(['.', '/', '~', '\\']) || reference.contains('\\');
        if gguf && (climbs || slashes < 2) {
            return Err(HubError::NoFile {
                path: path.to_owned(),
                hint: None,
            });
        }
        if climbs || slashes > 1 && !reference.contains('@') && !gguf {
            return Err(HubError::NoFolder {
                path: path.to_owned(),
            });
        }
        let (rest, pick) = if gguf {
            let org = reference.find('/').expect("two slashes were counted");
            let name = org + 1 + reference[org + 1..].find('/').expect("and the second");
            let file = &reference[name + 1..];
            if !file.split('/').all(is_name) {
                return Err(wrong("expected the name of a file after org/name/"));
            }
            (&reference[..name], Some(GgufPick::File(file.to_owned())))
        } else {
            match reference.split_once(':') {
                None => (reference, None),
                Some((rest, kind)) if is_name(kind) => {
                    (rest, Some(GgufPick::Type(kind.to_owned())))
                }
                Some(_) => return Err(wrong("expected a type such as Q4_K_M after `:`")),
            }
        };
        let (repo, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let parts: Vec<&str> = repo.split('/').collect();
        if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
            return Err(wrong(
                "expected letters, digits, `-`, `_` and `.` on both sides of one `/`",
            ));
        }
        if revision.is_empty() || revision.split('/').any(|part| !is_name(part)) {
            return Err(wrong("expected a branch, tag or commit after `@`"));
        }
        Ok(Self::Repo {
            repo: repo.to_owned(),
            revision: revision.to_owned(),
            gguf: pick,
        })
    }
}

/// One part of a repository's or a revision's name; never one that climbs out of a folder.
pub(super) fn is_name(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_apart() {
        let repo = |repo: &str, revision: &str| {
            Ok(ModelRef::Repo {
                repo: repo.to_owned(),
                revision: revision.to_owned(),
                gguf: None,
            })
        };
        assert_eq!(
            ModelRef::parse("no-such-org/Name-1.5_x"),
            repo("no-such-org/Name-1.5_x", "main")
        );
        assert_eq!(
            ModelRef::parse("no-such-org/name@v1.0"),
            repo("no-such-org/name", "v1.0")
        );
        assert_eq!(
            ModelRef::parse("no-such-org/name@refs/pr/1"),
            repo("no-such-org/name", "refs/pr/1")
        );
        assert_eq!(
            ModelRef::parse("no-such-name"),
            repo("no-such-name", "main")
        );
        for path in [
            "./x",
            "/no/such",
            "../no-such-folder",
            "~/models/x",
            "a/b/c",
            "a\\b",
        ] {
            assert_eq!(
                ModelRef::parse(path),
                Err(HubError::NoFolder { path: path.into() }),
                "{path}"
            );
        }
        for wrong in [
            "",
            " ",
            "a b",
            "a/b@",
            "a/../b@x",
            "a/b@../x",
            "org//name@x",
            "ünï/x",
            "-/.x",
        ] {
            assert!(
                matches!(ModelRef::parse(wrong), Err(HubError::Reference { .. })),
                "{wrong}: {:?}",
                ModelRef::parse(wrong)
            );
        }
        for path in ["no-such.gguf", "some/model-Q4.GGUF", "/no/such/x.gguf"] {
            assert!(matches!(
                ModelRef::parse(path),
                Err(HubError::NoFile { .. })
            ));
        }
        let picked = |revision: &str, pick| {
            Ok(ModelRef::Repo {
                repo: "no-such-org/name".into(),
                revision: revision.into(),
                gguf: Some(pick),
            })
        };
        let file = |name: &str| GgufPick::File(name.into());
        assert_eq!(
            ModelRef::parse("no-such-org/name/x-q4.gguf"),
            picked("main", file("x-q4.gguf"))
        );
        assert_eq!(
            ModelRef::parse("no-such-org/name@v2/q4/x-00001-of-00002.gguf"),
            picked("v2", file("q4/x-00001-of-00002.gguf"))
        );
        assert_eq!(
            ModelRef::parse("no-such-org/name@v2:Q4_K_M"),
            picked("v2", GgufPick::Type("Q4_K_M".into()))
        );
        for wrong in ["a/b:", "a/b:..", "a/b:Q4 0", "a/b/../x.gguf", "a/b/.x.gguf"] {
            let found = ModelRef::parse(wrong);
            assert!(
                matches!(found, Err(HubError::Reference { .. })),
                "{wrong}: {found:?}"
            );
        }

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            ModelRef::parse(folder.path().to_str().unwrap()),
            Ok(ModelRef::Folder(folder.path().to_owned()))
        );
        assert_eq!(
            ModelRef::parse(file.to_str().unwrap()),
            Err(HubError::NotAFolder { path: file })
        );
        let file = folder.path().join("model.GGUF");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            ModelRef::parse(file.to_str().unwrap()),
            Ok(ModelRef::Gguf(file))
        );
    }
}
