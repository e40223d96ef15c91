//! Which GGUF file is meant, and which others belong to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{GgufPick, HubError};

/// Parts of a split model at most.
const MAX_PARTS: usize = 1000;

/// Whether a name ends with `.gguf`, in any case.
pub(super) fn is_gguf(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// `name-00002-of-00003.gguf` → what comes before, 2 and 3.
fn part(name: &str) -> Option<(&str, usize, usize)> {
    let stem = &name[..name.len().checked_sub(".gguf".len())?];
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (before, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        (text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<usize>().ok())?
    };
    let (number, count) = (digits(number)?, digits(count)?);
    (number >= 1 && number <= count && count <= MAX_PARTS).then_some((before, number, count))
}

/// All parts of the model that a file is or belongs to, in order.
///
/// # Errors
/// When one is missing.
pub(super) fn parts(path: &Path) -> Result<Vec<PathBuf>, HubError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let all = match name.and_then(part) {
        Some((before, _, count)) => (1..=count)
            .map(|number| path.with_file_name(format!("{before}-{number:05}-of-{count:05}.gguf")))
            .collect(),
        None => vec![path.to_owned()],
    };
    match all.iter().find(|path| !path.is_file()) {
        None => Ok(all),
        Some(missing) => Err(HubError::NoFile {
            path: missing.clone(),
            hint: (all.len() > 1).then(|| {
                format!(
                    "the model is split into {} files; all must lie side by side",
                    all.len()
                )
            }),
        }),
    }
}

/// Models among the names, each by its first part; what only goes with a model is left out.
fn models<'a>(names: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let own = names.into_iter().filter(|name| {
        let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        is_gguf(name) && !file.contains("mmproj") && !file.contains("imatrix")
    });
    own.map(|name| match part(name) {
        Some((before, _, count)) => format!("{before}-00001-of-{count:05}.gguf"),
        None => name.clone(),
    })
    .collect()
}

/// The one GGUF model among the names in a folder, if there is any.
///
/// # Errors
/// When there are several.
pub(super) fn only_model(
    folder: &Path,
    names: &BTreeSet<String>,
) -> Result<Option<String>, HubError> {
    let mut models = models(names);
    if models.len() > 1 {
        return Err(HubError::SeveralGguf {
            folder: folder.to_owned(),
            found: models.into_iter().collect(),
        });
    }
    Ok(models.pop_first())
}

/// The file in a repository's folder that is asked for, relative to it.
///
/// # Errors
/// When there is none, or several could be meant.
pub(super) fn picked(folder: &Path, pick: &GgufPick) -> Result<String, HubError> {
    let names = match pick {
        GgufPick::File(name) => return Ok(name.clone()),
        GgufPick::Type(_) => below(folder)?,
    };
    let GgufPick::Type(wanted) = pick else {
        unreachable!("a file was returned")
    };
    let all = models(&names);
    let says = |name: &&String| {
        let stem = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem);
        stem.split(['-', '.', '/'])
            .any(|word| word.eq_ignore_ascii_case(wanted))
    };
    let mut found: Vec<String> = all.iter().filter(says).cloned().collect();
    if let [_] = &found[..] {
        return Ok(found.remove(0));
    }
    Err(HubError::NoSuchGguf {
        folder: folder.to_owned(),
        wanted: wanted.clone(),
        found,
        all: all.into_iter().collect(),
    })
}

/// Files in a folder and in those directly below it, as split models are often kept.
fn below(folder: &Path) -> Result<BTreeSet<String>, HubError> {
    let unreadable = |error: std::io::Error| HubError::Read {
        path: folder.to_owned(),
        reason: error.to_string(),
    };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.is_file() {
            names.insert(name.to_owned());
        } else if let Ok(inner) = std::fs::read_dir(&path) {
            let inner = inner.filter_map(Result::ok).map(|entry| entry.path());
            let files = inner.filter(|path| path.is_file());
            names.extend(
                files.filter_map(|path| Some(format!("{name}/{}", path.file_name()?.to_str()?))),
            );
        }
    }
    Ok(names)
}
