use std::fs;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{Format, KnowledgeError, PageWarning, Pages, parse};
use crate::record::Page;

/// Folders below the given one that are looked into; a link that leads in a circle ends here.
const MAX_DEPTH: usize = 8;

/// A full sentence states something from this many words on.
const SENTENCE_WORDS: usize = 6;

/// One page before it is read: its id, where it came from and its bytes.
#[derive(Clone, Debug)]
pub struct PageFile {
    pub id: String,
    pub path: PathBuf,
    pub format: Format,
    pub bytes: Vec<u8>,
}

impl PageFile {
    /// What a path says about a page: `<Title>/t.txt` is named after its folder, other texts after their stem. `None`
    /// for a path that is no page.
    #[must_use]
    pub fn name_of(path: &Path) -> Option<(String, Format)> {
        let format = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Format::Text,
            "md" | "markdown" => Format::Markdown,
            _ => return None,
        };
        let of_folder = path.file_name()? == "t.txt";
        let name = if of_folder {
            path.parent()?.file_name()?
        } else {
            path.file_stem()?
        };
        Some((name.to_string_lossy().into_owned(), format))
    }
}

/// Reads every help page below a folder whose id, or path below the folder, passes the globs; no `include` passes all,
/// `exclude` wins. Hidden files are left alone.
///
/// # Errors
/// See [`KnowledgeError`]; the first unusable page stops the reading.
pub fn load_folder(
    folder: &Path,
    include: &[String],
    exclude: &[String],
) -> Result<Pages, KnowledgeError> {
    let missing = |what| KnowledgeError::NoFolder {
        path: folder.to_owned(),
        what,
    };
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(missing("is not a folder")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing("no such folder"));
        }
        Err(source) => {
            return Err(KnowledgeError::Io {
                path: folder.to_owned(),
                source,
            });
        }
    }
    let filter = Filter::new(include, exclude)?;
    let mut paths = Vec::new();
    walk(folder, MAX_DEPTH, &mut paths)?;
    let found = paths.len();
    let example = paths.iter().map(|(id, ..)| id.clone()).min();
    let Some(example) = example else {
        return Err(KnowledgeError::NoPages {
            path: folder.to_owned(),
        });
    };
    paths.retain(|(id, path, _)| filter.passes(id, path.strip_prefix(folder).unwrap_or(path)));
    if paths.is_empty() {
        let (include, exclude) = (include.to_vec(), exclude.to_vec());
        return Err(KnowledgeError::AllFiltered {
            path: folder.to_owned(),
            found,
            include,
            exclude,
            example,
        });
    }
    let read = |(id, path, format): (String, PathBuf, Format)| match fs::read(&path) {
        Ok(bytes) => Ok(PageFile {
            id,
            path,
            format,
            bytes,
        }),
        Err(source) => Err(KnowledgeError::Io { path, source }),
    };
    assemble(paths.into_iter().map(read).collect::<Result<_, _>>()?)
}

/// Pages from files already read (those compiled into the program) that pass the globs, in order of their ids.
///
/// # Errors
/// When a file is no text, has no paragraph, or shares its id with another.
pub fn collect(
    mut files: Vec<PageFile>,
    include: &[String],
    exclude: &[String],
) -> Result<Pages, KnowledgeError> {
    let filter = Filter::new(include, exclude)?;
    let (found, example) = (
        files.len(),
        files
            .first()
            .map(|file| file.id.clone())
            .unwrap_or_default(),
    );
    files.retain(|file| filter.passes(&file.id, &file.path));
    if files.is_empty() {
        let (include, exclude, path) = (
            include.to_vec(),
            exclude.to_vec(),
            PathBuf::from("shipped pages"),
        );
        return Err(KnowledgeError::AllFiltered {
            path,
            found,
            include,
            exclude,
            example,
        });
    }
    assemble(files)
}

fn assemble(mut files: Vec<PageFile>) -> Result<Pages, KnowledgeError> {
    files.sort_by(|a, b| (&a.id, &a.path).cmp(&(&b.id, &b.path)));
    if let Some([first, second]) = files.array_windows().find(|[a, b]| a.id == b.id) {
        let (first, second, id) = (first.path.clone(), second.path.clone(), second.id.clone());
        return Err(KnowledgeError::SameId { id, first, second });
    }
    let mut pages = Pages::default();
    for file in files {
        let text = std::str::from_utf8(&file.bytes).map_err(|error| KnowledgeError::NotUtf8 {
            path: file.path.clone(),
            offset: error.valid_up_to(),
        })?;
        let page = parse(&file.id, file.format, text);
        if page.paragraphs.is_empty() {
            return Err(KnowledgeError::EmptyPage { path: file.path });
        }
        if !states_facts(&page) {
            pages.warnings.push(PageWarning::NoFacts {
                page: page.id.clone(),
                path: file.path,
            });
        }
        pages.pages.push(page);
    }
    Ok(pages)
}

fn states_facts(page: &Page) -> bool {
    page.paragraphs.iter().any(|paragraph| {
        paragraph.text.contains(|c: char| c.is_ascii_digit())
            || paragraph
                .text
                .split_inclusive(['.', '!'])
                .any(|s| s.ends_with(['.', '!']) && s.split_whitespace().count() >= SENTENCE_WORDS)
    })
}

fn walk(
    folder: &Path,
    depth: usize,
    found: &mut Vec<(String, PathBuf, Format)>,
) -> Result<(), KnowledgeError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| KnowledgeError::Io { path, source }
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        let is_folder = fs::metadata(&path).map_err(failed(&path))?.is_dir();
        if is_folder && depth > 0 {
            walk(&path, depth - 1, found)?;
        } else if !is_folder && let Some((id, format)) = PageFile::name_of(&path) {
            found.push((id, path, format));
        }
    }
    Ok(())
}

/// The include and exclude globs over page ids and paths; no include means all.
struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    fn new(include: &[String], exclude: &[String]) -> Result<Self, KnowledgeError> {
        let include = if include.is_empty() {
            None
        } else {
            Some(globs("include", include)?)
        };
        Ok(Self {
            include,
            exclude: globs("exclude", exclude)?,
        })
    }

    fn passes(&self, id: &str, path: &Path) -> bool {
        let matches = |globs: &GlobSet| globs.is_match(id) || globs.is_match(path);
        self.include.as_ref().is_none_or(matches) && !matches(&self.exclude)
    }
}

fn globs(key: &'static str, patterns: &[String]) -> Result<GlobSet, KnowledgeError> {
    let mut builder = GlobSetBuilder::new();
    let bad = |glob: &str, error: &globset::Error| KnowledgeError::BadGlob {
        key,
        glob: glob.to_owned(),
        reason: error.kind().to_string(),
    };
    for pattern in patterns {
        builder.add(Glob::new(pattern).map_err(|error| bad(pattern, &error))?);
    }
    builder.build().map_err(|error| bad("", &error))
}
