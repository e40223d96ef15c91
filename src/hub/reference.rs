use std::path::{Path, PathBuf};

use super::HubError;

/// What a user may write for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// A folder in the Hugging Face layout.
    Folder(PathBuf),
    /// `org/name`, with `main` where no revision is said.
    Repo { repo: String, revision: String },
}

impl ModelRef {
    /// Reads a reference. What exists as a folder is that folder; what looks like a path is one; the rest is `org/name`,
    /// `org/name@revision`, or a single name as the oldest repositories have.
    ///
    /// # Errors
    /// When it is a file, or neither a path nor a name.
    pub fn parse(reference: &str) -> Result<Self, HubError> {
        let wrong = |reason: &str| HubError::Reference {
            reference: reference.to_owned(),
            reason: reason.to_owned(),
        };
        if reference.trim().is_empty() {
            return Err(wrong("it is empty"));
        }
        let path = Path::new(reference);
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
        {
            return Err(HubError::Gguf {
                path: path.to_owned(),
            });
        }
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if path.is_file() {
            return Err(HubError::NotAFolder {
                path: path.to_owned(),
            });
        }
        if reference.starts_with(['.', '/', '~', '\\'])
            || reference.contains('\\')
            || reference.matches('/').count() > 1 && !reference.contains('@')
        {
            return Err(HubError::NoFolder {
                path: path.to_owned(),
            });
        }
        let (repo, revision) = reference.split_once('@').unwrap_or((reference, "main"));
        let parts: Vec<&str> = repo.split('/').collect();
        if parts.len() > 2 || !parts.iter().all(|part| name(part)) {
            return Err(wrong(
                "expected letters, digits, `-`, `_` and `.` on both sides of one `/`",
            ));
        }
        if revision.is_empty() || revision.split('/').any(|part| !name(part)) {
            return Err(wrong("expected a branch, tag or commit after `@`"));
        }
        Ok(Self::Repo {
            repo: repo.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

/// One part of a repository's or a revision's name; never one that climbs out of a folder.
fn name(part: &str) -> bool {
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
        assert!(matches!(
            ModelRef::parse("some/model-Q4.GGUF"),
            Err(HubError::Gguf { .. })
        ));
        assert!(
            ModelRef::parse("x.gguf")
                .unwrap_err()
                .to_string()
                .contains("*.safetensors (F32, F16, BF16)")
        );

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
    }
}
