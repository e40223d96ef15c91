use std::mem::take;

use crate::record::{Page, Paragraph};

/// Longer paragraphs are cut at the end of a sentence, so that passages can be chosen from a page that has no blank
/// lines.
const MAX_PARAGRAPH_WORDS: usize = 150;

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Blank lines part paragraphs; a file without any has one paragraph per line if its lines end like sentences.
    Text,
    /// Headings, lists, quotes, tables and emphasis are understood.
    Markdown,
}

/// Cuts a page into paragraphs. Wrapped lines are joined; list items and table rows stay lines of their paragraph.
#[must_use]
pub fn parse(id: &str, format: Format, text: &str) -> Page {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::default();
    match format {
        Format::Text => read_text(text, &mut reader),
        Format::Markdown => read_markdown(text, &mut reader),
    }
    reader.end_paragraph();
    let title = reader.title.unwrap_or_else(|| title_of(id));
    Page {
        id: id.to_owned(),
        title,
        paragraphs: reader.paragraphs,
    }
}

fn title_of(id: &str) -> String {
    id.replace(['_', '-', '.'], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[derive(Default)]
struct Reader {
    title: Option<String>,
    heading: String,
    /// Finished lines of the paragraph at hand.
    lines: Vec<String>,
    paragraphs: Vec<Paragraph>,
}

impl Reader {
    /// Adds a line of prose: it continues the last line unless that is complete in itself.
    fn prose(&mut self, line: &str) {
        match self.lines.last_mut() {
            Some(last) => {
                last.push(' ');
                last.push_str(line);
            }
            None => self.lines.push(line.to_owned()),
        }
    }

    /// Adds a line that stands for itself: a list item, a table row.
    fn item(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn end_paragraph(&mut self) {
        let lines = take(&mut self.lines);
        if lines.iter().all(|line| line.trim().is_empty()) {
            return;
        }
        for text in cut_long(&lines) {
            self.paragraphs.push(Paragraph {
                heading: self.heading.clone(),
                text,
            });
        }
    }

    fn start_section(&mut self, heading: &str) {
        self.end_paragraph();
        let heading = plain(heading.trim_end_matches('#').trim());
        if self.title.is_none() && self.paragraphs.is_empty() {
            self.title = Some(heading);
        } else {
            self.heading = heading;
        }
    }
}

fn read_text(text: &str, reader: &mut Reader) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let content: Vec<&&str> = lines.iter().filter(|line| !line.is_empty()).collect();
    let complete = content
        .iter()
        .filter(|line| line.ends_with(['.', '!', '?', ':']))
        .count();
    let no_gaps = text.trim().lines().all(|line| !line.trim().is_empty());
    let a_line_each = no_gaps && complete * 2 >= content.len();
    for line in lines {
        if line.is_empty() {
            reader.end_paragraph();
        } else if is_item(line) {
            reader.item(line);
        } else {
            if a_line_each {
                reader.end_paragraph();
            }
            reader.prose(line);
        }
    }
}

fn read_markdown(text: &str, reader: &mut Reader) {
    let text = without_comments(without_front_matter(text));
    let mut in_code = false;
    for raw in text.lines() {
        let line = raw.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            reader.end_paragraph();
            in_code = !in_code;
            continue;
        }
        if in_code {
            reader.item(line);
            continue;
        }
        let line = line.trim_start_matches(['>', ' ']);
        let hashes = line.len() - line.trim_start_matches('#').len();
        if line.is_empty() {
            reader.end_paragraph();
        } else if (1..=6).contains(&hashes) && line[hashes..].starts_with([' ', '\t']) {
            reader.start_section(line[hashes..].trim());
        } else if is_rule(line, '=') && reader.lines.len() == 1
            || is_rule(line, '-') && reader.lines.len() == 1
        {
            let heading = reader.lines.pop().unwrap_or_default();
            reader.start_section(&heading);
        } else if is_rule(line, '-') || is_rule(line, '*') || is_rule(line, '_') {
            reader.end_paragraph();
        } else if line.starts_with('|') {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if !cells
                .iter()
                .all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')))
            {
                reader.item(&plain(&cells.join(" | ")));
            }
        } else if is_item(line) {
            reader.item(&plain(line));
        } else {
            reader.prose(&plain(line));
        }
    }
}

fn without_front_matter(text: &str) -> &str {
    let Some(rest) = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))
    else {
        return text;
    };
    let end = rest.match_indices("---").find(|&(at, _)| {
        (at == 0 || rest[..at].ends_with('\n'))
            && rest[at + 3..]
                .lines()
                .next()
                .is_none_or(|line| line.trim().is_empty())
    });
    end.map_or(text, |(at, _)| &rest[at + 3..])
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

fn is_rule(line: &str, mark: char) -> bool {
    line.len() >= 3 && line.chars().all(|c| c == mark)
}

/// `- x`, `* x`, `• x`, `3. x`, `3) x`.
fn is_item(line: &str) -> bool {
    if ["- ", "* ", "+ ", "• "]
        .iter()
        .any(|mark| line.starts_with(mark))
    {
        return true;
    }
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (1..=2).contains(&digits)
        && [". ", ") "]
            .iter()
            .any(|mark| line[digits..].starts_with(mark))
}

/// Inline Markdown without its marks: emphasis, code, links and images become their text.
fn plain(line: &str) -> String {
    let (mark, mut rest) = if is_item(line) {
        line.split_at(line.find(' ').unwrap_or(0))
    } else {
        ("", line)
    };
    let mut out = mark.to_owned();
    while let Some(at) = rest.find(['*', '`', '[', '!', '_', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let link = rest.strip_prefix('!').unwrap_or(rest);
        if link.starts_with('[')
            && let Some((label, target)) = link[1..].split_once("](")
            && let Some((_, after)) = target.split_once(')')
        {
            out.push_str(&plain(label));
            rest = after;
            continue;
        }
        let first = rest.chars().next().unwrap_or(' ');
        let next = rest[first.len_utf8()..].chars().next();
        let inside_a_word =
            out.ends_with(char::is_alphanumeric) && next.is_some_and(char::is_alphanumeric);
        let spaced = out.ends_with(' ') && next.is_none_or(char::is_whitespace);
        match first {
            '*' | '`' if !spaced => {}
            '_' if !inside_a_word && !spaced => {}
            '\\' if next.is_some_and(|c| c.is_ascii_punctuation()) => {
                out.extend(next);
                rest = &rest[1..];
            }
            other => out.push(other),
        }
        rest = &rest[first.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// The lines as texts of at most [`MAX_PARAGRAPH_WORDS`] words, cut between lines or sentences where possible.
fn cut_long(lines: &[String]) -> Vec<String> {
    let count = |text: &str| text.split_whitespace().count();
    if lines.iter().map(|line| count(line)).sum::<usize>() <= MAX_PARAGRAPH_WORDS {
        return vec![lines.join("\n")];
    }
    let mut texts: Vec<String> = Vec::new();
    let mut words = 0;
    for line in lines {
        let mut glue = "\n";
        for sentence in line.split_inclusive(". ").map(str::trim_end) {
            let more = count(sentence);
            match texts.last_mut() {
                Some(text) if words + more <= MAX_PARAGRAPH_WORDS => {
                    text.push_str(glue);
                    text.push_str(sentence);
                    words += more;
                }
                _ => {
                    texts.push(sentence.to_owned());
                    words = more;
                }
            }
            glue = " ";
        }
    }
    texts
}
