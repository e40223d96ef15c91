use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::csv;
use crate::record::{Page, Query, Style, Tone};

/// Missing pages named in a message.
const NAMED: usize = 8;
/// Page names below this similarity are not worth suggesting.
const NEAR: f64 = 0.75;

/// How a file of questions is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryFormat {
    /// An object per line: `{"page", "text"}`, or `{"title", "customer_queries": […], "tone", "style"}`.
    JsonLines,
    /// A header with `page` and `query`, then a row each.
    Csv,
    /// A question per line, after `Page<TAB>` unless there is only one page.
    Text,
}

impl QueryFormat {
    /// What a path's ending says.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "txt" | "tsv" => Some(Self::Text),
            _ => None,
        }
    }
}

/// A file of questions that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueryFileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Bytes that are no text.
    #[error("{path}: not UTF-8 at byte {offset}; expected UTF-8 text")]
    NotUtf8 { path: PathBuf, offset: usize },
    /// Its name does not say how it is written.
    #[error("{path}: unknown kind of file; expected .jsonl, .csv or .txt")]
    UnknownFormat { path: PathBuf },
    /// A line that does not have the form.
    #[error("{path}:{line}:{column}: {what}")]
    BadLine {
        path: PathBuf,
        line: usize,
        column: usize,
        what: String,
    },
    /// Questions for pages that are not there.
    #[error("{path}: {} of its pages are not among the help pages: {}", names.len(), listed(names))]
    MissingPages { path: PathBuf, names: Vec<String> },
    /// Nothing in it.
    #[error("{path}: no questions; expected at least one")]
    NoQueries { path: PathBuf },
}

fn listed(names: &[String]) -> String {
    let mut text = names
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMED {
        text.push_str(", …");
    }
    text
}

/// Reads a file of questions. Pages are found by id or title, whatever the case and the separators.
///
/// # Errors
/// See [`QueryFileError`]. A page that is missing is an error, never an empty page.
pub fn read_queries(path: &Path, pages: &[Page]) -> Result<Vec<Query>, QueryFileError> {
    let format = QueryFormat::of(path).ok_or_else(|| QueryFileError::UnknownFormat {
        path: path.to_owned(),
    })?;
    let bytes = std::fs::read(path).map_err(|source| QueryFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| QueryFileError::NotUtf8 {
        path: path.to_owned(),
        offset: error.valid_up_to(),
    })?;
    parse_queries(path, format, text, pages)
}

/// The questions of a file's text; `path` names it in messages, and its stem begins the questions' ids.
///
/// # Errors
/// As for [`read_queries`].
pub fn parse_queries(
    path: &Path,
    format: QueryFormat,
    text: &str,
    pages: &[Page],
) -> Result<Vec<Query>, QueryFileError> {
    let text = text.trim_start_matches('\u{feff}');
    let rows = match format {
        QueryFormat::JsonLines => json_rows(text),
        QueryFormat::Csv => csv_rows(text),
        QueryFormat::Text => text_rows(text, pages),
    };
    let rows = rows.map_err(|Bad { line, column, what }| {
        let path = path.to_owned();
        QueryFileError::BadLine {
            path,
            line,
            column,
            what,
        }
    })?;
    let index = index_of(pages);
    let missing: BTreeSet<&str> = rows
        .iter()
        .map(|row| row.page.as_str())
        .filter(|name| !index.contains_key(&folded(name)))
        .collect();
    if !missing.is_empty() {
        let names = missing
            .into_iter()
            .map(|name| suggested(name, pages))
            .collect();
        return Err(QueryFileError::MissingPages {
            path: path.to_owned(),
            names,
        });
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let given: Vec<Query> = rows
        .into_iter()
        .filter(|row| !row.text.is_empty())
        .enumerate()
        .map(|(n, row)| Query {
            id: format!("{stem}/{n}"),
            page: index[&folded(&row.page)].clone(),
            text: row.text,
            tone: row.tone,
            style: row.style,
        })
        .collect();
    if given.is_empty() {
        return Err(QueryFileError::NoQueries {
            path: path.to_owned(),
        });
    }
    Ok(given)
}

struct Row {
    page: String,
    text: String,
    tone: Option<Tone>,
    style: Option<Style>,
}

impl Row {
    fn plain(page: &str, text: &str) -> Self {
        Self {
            page: page.trim().to_owned(),
            text: tidy(text),
            tone: None,
            style: None,
        }
    }
}

struct Bad {
    line: usize,
    column: usize,
    what: String,
}

/// One line of a JSONL file. Other keys are allowed: such files come from many hands.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "title")]
    page: String,
    #[serde(alias = "query")]
    text: Option<String>,
    customer_queries: Option<Vec<String>>,
    tone: Option<String>,
    style: Option<String>,
}

fn json_rows(text: &str) -> Result<Vec<Row>, Bad> {
    let mut rows = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let bad = |column, what: String| Bad {
            line: index + 1,
            column,
            what,
        };
        let parsed: Line = serde_json::from_str(line.trim_end_matches('\r')).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or(&what);
            bad(
                error.column(),
                format!(
                    "{what}; expected {{\"page\", \"text\"}} or {{\"title\", \"customer_queries\"}}"
                ),
            )
        })?;
        let texts = match (parsed.text, parsed.customer_queries) {
            (Some(text), None) => vec![text],
            (None, Some(texts)) => texts,
            _ => {
                return Err(bad(
                    1,
                    "expected either `text` or `customer_queries`".to_owned(),
                ));
            }
        };
        let (tone, style) = (
            parsed.tone.as_deref().and_then(tone_of),
            parsed.style.as_deref().and_then(style_of),
        );
        rows.extend(texts.iter().map(|text| Row {
            tone,
            style,
            ..Row::plain(&parsed.page, text)
        }));
    }
    Ok(rows)
}

fn csv_rows(text: &str) -> Result<Vec<Row>, Bad> {
    let rows = csv::read(text).map_err(|error| Bad {
        line: error.line,
        column: error.column,
        what: error.what.to_owned(),
    })?;
    let Some((header, rows)) = rows.split_first() else {
        return Ok(Vec::new());
    };
    let column = |names: &[&str]| {
        header
            .fields
            .iter()
            .position(|field| names.contains(&field.trim().to_lowercase().as_str()))
            .ok_or_else(|| Bad {
                line: header.line,
                column: 1,
                what: format!(
                    "no column `{}`; expected a header like `page,query`",
                    names[0]
                ),
            })
    };
    let (page, query) = (
        column(&["page", "title"])?,
        column(&["query", "text", "question"])?,
    );
    rows.iter()
        .map(|row| match (row.fields.get(page), row.fields.get(query)) {
            (Some(page), Some(query)) if row.fields.len() == header.fields.len() => {
                Ok(Row::plain(page, query))
            }
            _ => Err(Bad {
                line: row.line,
                column: 1,
                what: format!(
                    "{} fields; expected {} as in the header",
                    row.fields.len(),
                    header.fields.len()
                ),
            }),
        })
        .collect()
}

fn text_rows(text: &str, pages: &[Page]) -> Result<Vec<Row>, Bad> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| match (line.split_once('\t'), pages) {
            (Some((page, query)), _) => Ok(Row::plain(page, query)),
            (None, [only]) => Ok(Row::plain(&only.id, line)),
            (None, _) => Err(Bad {
                line: index + 1,
                column: 1,
                what: format!(
                    "no page; with {} help pages a line is expected to be `Page<TAB>question`",
                    pages.len()
                ),
            }),
        })
        .collect()
}

/// One line without a list's number: `12. `, `3) `, `- `.
fn tidy(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let after_digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - after_digits.len();
    let numbered = [". ", ") "]
        .iter()
        .find_map(|mark| after_digits.strip_prefix(mark));
    match numbered {
        Some(rest) if (1..=3).contains(&digits) => rest.trim_start().to_owned(),
        _ => text.strip_prefix("- ").unwrap_or(&text).to_owned(),
    }
}

fn tone_of(name: &str) -> Option<Tone> {
    Tone::ALL
        .iter()
        .copied()
        .find(|tone| tone.name().eq_ignore_ascii_case(name.trim()))
}

fn style_of(name: &str) -> Option<Style> {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "neutral" | "standard" => Some(Style::Plain),
        "non-native" | "nonnative" | "non native" => Some(Style::NonNative),
        "typo" => Some(Style::Typos),
        _ => Style::ALL
            .iter()
            .copied()
            .find(|style| style.name() == name),
    }
}

/// Page ids by their folded ids and titles; an id wins over a title.
fn index_of(pages: &[Page]) -> BTreeMap<String, String> {
    let titles = pages
        .iter()
        .map(|page| (folded(&page.title), page.id.clone()));
    let ids = pages.iter().map(|page| (folded(&page.id), page.id.clone()));
    titles.chain(ids).collect()
}

fn folded(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn suggested(name: &str, pages: &[Page]) -> String {
    let near = pages
        .iter()
        .map(|page| {
            (
                strsim::jaro_winkler(&folded(name), &folded(&page.id)),
                &page.id,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((similarity, id)) if similarity >= NEAR => format!("`{name}` (did you mean `{id}`?)"),
        _ => format!("`{name}`"),
    }
}

#[cfg(test)]
#[path = "query_file_tests.rs"]
mod tests;
