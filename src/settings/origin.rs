use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the program's own.
    Default,
    /// In a recipe; line and column from 1, the column counted in characters.
    Recipe {
        file: PathBuf,
        line: usize,
        column: usize,
    },
    /// In an environment variable.
    Env(&'static str),
    /// In a flag, as typed up to its value: `--seed`, `--set brand.name`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Recipe { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Where each key of a text stands, by dotted path; tables and the entries of tables are keys too.
#[derive(Debug, Default)]
pub(super) struct Places {
    spans: BTreeMap<String, usize>,
}

impl Places {
    /// Notes where every key begins.
    pub(super) fn of(table: &Spanned<DeTable<'_>>) -> Self {
        let mut places = Self::default();
        places.walk("", table.get_ref());
        places
    }

    fn walk(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.walk(&path, inner);
            }
            self.spans.insert(path, key.span().start);
        }
    }

    /// The byte at which a key begins; that of the nearest table around it when it has none itself.
    pub(super) fn start(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(start) = self.spans.get(path) {
                return *start;
            }
            match path.rsplit_once('.') {
                Some((outer, _)) => path = outer,
                None => return 0,
            }
        }
    }
}

/// A path one deeper.
pub(super) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}

/// Line and column (in characters, both from 1) of a byte.
pub(super) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// Where a parser's complaint points.
pub(super) fn place_of(file: &std::path::Path, text: &str, span: Option<Range<usize>>) -> Origin {
    let (line, column) = line_and_column(text, span.map_or(0, |span| span.start));
    Origin::Recipe {
        file: file.to_owned(),
        line,
        column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("a\nüb = 1", 4), (2, 2));
        assert_eq!(line_and_column("", 10), (1, 1));
        assert_eq!(line_and_column("a\n", 2), (2, 1));
    }

    #[test]
    fn every_key_has_a_place() {
        let text = "a = 1\n[b]\nc = { d = 1 }\n[b.e]\nf.g = 2\n";
        let places = Places::of(&DeTable::parse(text).unwrap());
        for (path, expected) in [
            ("a", (1, 1)),
            ("b", (2, 2)),
            ("b.c", (3, 1)),
            ("b.c.d", (3, 7)),
            ("b.e.f.g", (5, 3)),
            ("b.zz", (2, 2)),
        ] {
            assert_eq!(
                line_and_column(text, places.start(path)),
                expected,
                "{path}"
            );
        }
    }
}
