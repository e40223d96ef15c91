//! A template's source before minijinja reads it. Jinja's operators `+ ~ * %` do what Python's do, which minijinja's do not
//! in full, and none of them may make a value without bounds; so they become calls of functions (see `operators`). Values
//! that a template builds, loops and filters are measured the same way (see `budget`).
//!
//! Only expressions change: what is said, where blocks lie and which line they are on stay as they were.

use std::fmt::Write as _;

use super::lexer::{Piece, pieces, tokens};
use super::tag::Tag;

/// Words and signs in one tag: a chain of operators becomes as deep as it is long.
const LONGEST_TAG: usize = 2_000;
/// Blocks in blocks.
const DEEPEST_BLOCKS: usize = 100;
/// `elif` branches in a template: each lies in the one before.
const MOST_BRANCHES: usize = 400;
/// Longest source that is read, in bytes; published templates have up to some 20,000.
const LONGEST_BYTES: usize = 128 << 10;

/// Tags that read other templates.
const OTHER_FILES: &[&str] = &["import", "from", "include", "extends"];

/// The same template in minijinja's terms.
///
/// # Errors
/// When it is no Jinja; with the line.
pub(super) fn translate(source: &str) -> Result<String, String> {
    if source.len() > LONGEST_BYTES {
        return Err(format!(
            "it has {} bytes, more than the {LONGEST_BYTES} that are read",
            source.len()
        ));
    }
    let mut out = String::with_capacity(source.len() * 2);
    let mut line = 1;
    let mut kept_newline = false;
    let mut depth = 0usize;
    let mut branches = 0usize;
    for piece in pieces(source)? {
        match piece {
            Piece::Text(text) => {
                // minijinja knows no `+%}`: the newline it would take is put twice.
                if std::mem::take(&mut kept_newline) && text.starts_with(['\n', '\r']) {
                    out.push('\n');
                }
                out.push_str(text);
                line += newlines(text);
            }
            Piece::Tag { open, inner, close } => {
                kept_newline = close == "+%}";
                let close = if kept_newline { "%}" } else { close };
                let tokens = tokens(inner).map_err(|reason| format!("line {line}: {reason}"))?;
                if tokens.len() > LONGEST_TAG {
                    return Err(format!(
                        "line {line}: a tag of {} words and signs; {LONGEST_TAG} are read",
                        tokens.len()
                    ));
                }
                let mut tag = Tag::new(&tokens);
                let statement = open.starts_with("{%");
                let first = tokens.first().map(|token| token.text.as_str());
                if let Some(word) = first.filter(|word| statement && OTHER_FILES.contains(word)) {
                    // The reference has no other templates either.
                    return Err(format!(
                        "line {line}: `{word}` asks for another template, and a chat template has none beside it"
                    ));
                }
                let written = if statement {
                    tag.statement()
                } else {
                    tag.list()
                };
                let written = written.and_then(|written| match tag.peek() {
                    None => Ok(written),
                    Some(token) => Err(format!("unexpected `{}`", token.text)),
                });
                let written = written.map_err(|reason| format!("line {line}: {reason}"))?;
                line += newlines(inner);
                if statement {
                    depth = match tokens.first().map(|token| token.text.as_str()) {
                        Some(word) if word.starts_with("end") => depth.saturating_sub(1),
                        Some(
                            "for" | "if" | "with" | "macro" | "call" | "filter" | "generation",
                        ) => depth + 1,
                        Some("set") if !tokens.iter().any(|token| token.is("=")) => depth + 1,
                        _ => depth,
                    };
                    branches += usize::from(tokens.first().is_some_and(|token| token.is("elif")));
                    if depth > DEEPEST_BLOCKS || branches > MOST_BRANCHES {
                        return Err(format!("line {line}: blocks lie too deep in each other"));
                    }
                }
                let is_for = statement && tokens.first().is_some_and(|token| token.is("for"));
                if is_for {
                    // Each turn of the loop is counted; what the tag does to white space stays at its ends.
                    let _ = write!(
                        out,
                        "{open} {written} %}}{{% if {TICK}() %}}{{% endif {close}"
                    );
                } else {
                    let _ = write!(out, "{open} {written} {close}");
                }
                // Lines in messages stay true.
                let kept = newlines(&written);
                for _ in kept..newlines(inner) {
                    out.insert(out.len() - close.len(), '\n');
                }
            }
        }
    }
    Ok(out)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

pub(super) const ADD: &str = "__add";
pub(super) const CONCAT: &str = "__concat";
pub(super) const MULTIPLY: &str = "__multiply";
pub(super) const MODULO: &str = "__modulo";
pub(super) const SLICE: &str = "__slice";
pub(super) const TICK: &str = "__tick";
/// A filter that what is handed to a filter passes through, and one for what the template has put together.
pub(super) const WEIGH: &str = "__weigh";
pub(super) const BUILT: &str = "__built";

/// Whether a word stands in a tag of a source.
pub(super) fn mentions(source: &str, word: &str) -> bool {
    pieces(source).is_ok_and(|pieces| {
        pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Tag { inner, .. } => {
                tokens(inner).is_ok_and(|tokens| tokens.iter().any(|token| token.is(word)))
            }
        })
    })
}
