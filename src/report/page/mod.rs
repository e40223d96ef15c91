//! A report as one HTML file: headline, figures, charts and all conversations, with marks for those who read them. It opens
//! from a disk, fetches nothing, and can be read without script, which adds the browser of conversations.
//!
//! Whatever conversations say is text: it is escaped where it is written as HTML, carried as data for the script otherwise,
//! and the script makes text nodes of it and never HTML. Only the two scripts written here run: the page's own policy names
//! their hashes. The same book makes the same bytes.

mod chart;
mod data;
mod figure;
mod html;
mod number;
mod transcript;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use self::data::{CHUNK, Detail, Index};
use self::figure::{level, sign};
use self::html::{Text, base64, json};
use super::{Report, Source};
use crate::record::{Marks, Page, Sample};

const STYLE: &str = include_str!("style.css");
/// Takes up the reader's choice of light or dark before anything is drawn.
const EARLY: &str = include_str!("early.js");
const SCRIPT: &str = concat!(
    "(() => {\n'use strict';\n",
    include_str!("script/basics.js"),
    include_str!("script/corpus.js"),
    include_str!("script/marks.js"),
    include_str!("script/list.js"),
    include_str!("script/view.js"),
    include_str!("script/main.js"),
    "})();\n"
);

/// Kept conversations that are there without script.
const WRITTEN_OUT: usize = 12;
/// From how many bytes on conversations are compressed.
const COMPRESSED_FROM: usize = 1 << 19;

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Book<'a> {
    pub report: &'a Report,
    /// What marks are kept under in the reader's browser: another corpus, another key.
    pub key: &'a str,
    /// All that can be looked at, in the order in which they are listed.
    pub samples: &'a [&'a Sample],
    /// What they are about, by id; sentences that a page backs are shown with its words.
    pub pages: &'a BTreeMap<String, Page>,
    /// What was marked before.
    pub marks: &'a Marks,
}

/// The page.
#[must_use]
pub fn html(book: &Book) -> String {
    let mut out = String::new();
    write(&mut out, book).expect("a string takes everything");
    out
}

/// Ids that differ: rows of files may share theirs.
fn ids(samples: &[&Sample]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let of = |sample: &&Sample| {
        let mut id = sample.id.clone();
        let mut nth = 1;
        while !taken.insert(id.clone()) {
            nth += 1;
            id = format!("{} ({nth})", sample.id);
        }
        id
    };
    samples.iter().map(of).collect()
}

fn write(out: &mut String, book: &Book) -> fmt::Result {
    let report = book.report;
    let ids = ids(book.samples);
    let name = Text(&report.source.name);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src '{}' '{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"{}\">\n<title>{name} – report</title>\n<style>\n{STYLE}</style>\n<script>{EARLY}</script>\n</head>\n<body>\n",
        hash(EARLY),
        hash(SCRIPT),
        Text(&report.program),
    )?;
    bar(out, book)?;
    out.push_str("<main id=\"report\">\n");
    headline(out, report)?;
    let cards = figure::key_figures(report);
    if !cards.is_empty() {
        out.push_str("<section aria-labelledby=\"title-key\"><h2 id=\"title-key\" class=\"unseen\">Key figures</h2><ul class=\"cards\">\n");
        for metric in cards {
            figure::card(out, metric)?;
        }
        out.push_str("</ul></section>\n");
    }
    contents(out, report)?;
    let against = report.against.as_ref().map(|other| other.name.as_str());
    for section in &report.sections {
        figure::section(out, section, against)?;
    }
    rejects(out, book)?;
    provenance(out, report)?;
    out.push_str("</main>\n");
    written_out(out, book, &ids)?;
    browser(out);
    conversations(out, book, &ids)?;
    writeln!(out, "<script>{SCRIPT}</script>")?;
    out.push_str("</body>\n</html>\n");
    Ok(())
}

/// As the policy names a script.
fn hash(script: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(script)))
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", number::count(n), if n == 1 { one } else { many })
}

fn bar(out: &mut String, book: &Book) -> fmt::Result {
    write!(
        out,
        "<a class=\"skip\" href=\"#report\">Skip to the report</a>\n<header class=\"bar\"><p class=\"brand\">colloquy <span>{}</span></p>\
         <nav aria-label=\"Views\"><a href=\"#report\" data-view=\"report\">Report</a><a href=\"#conversations\" data-view=\"conversations\">Conversations <span class=\"count\">{}</span></a></nav>\
         <button type=\"button\" id=\"theme\" class=\"needs-script\" aria-label=\"Light or dark\"><svg width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><circle cx=\"8\" cy=\"8\" r=\"7\"/><path d=\"M8 1a7 7 0 0 1 0 14z\"/></svg></button></header>\n",
        Text(&book.report.source.name),
        number::count(book.samples.len())
    )
}

fn headline(out: &mut String, report: &Report) -> fmt::Result {
    let source = &report.source;
    let (class, word) = level(report.headline.level);
    write!(
        out,
        "<section class=\"headline {class}\" aria-labelledby=\"title\"><p class=\"kicker\">{}</p><p class=\"level\">{}{word}</p><h1 id=\"title\">{}</h1>",
        Text(&scope(source)),
        glyph(report.headline.level),
        Text(&report.headline.text)
    )?;
    if source.demo {
        out.push_str("<p class=\"demo\"><strong>Demo data.</strong> Made by the demo model: for trying the pipeline, not for training.</p>");
    }
    if !report.headline.points.is_empty() {
        out.push_str("<ul class=\"points\">");
        for point in &report.headline.points {
            let (class, word) = level(point.level);
            write!(
                out,
                "<li class=\"{class}\">{}<span class=\"unseen\">{word}: </span>{}</li>",
                glyph(point.level),
                Text(&point.text)
            )?;
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>\n");
    Ok(())
}

fn scope(source: &Source) -> String {
    let mut scope = format!(
        "{} · {} · {}",
        source.name,
        counted(source.conversations, "conversation", "conversations"),
        counted(source.turns, "turn", "turns")
    );
    if source.skipped > 0 {
        let _ = write!(
            scope,
            " · {} passed over",
            counted(source.skipped, "row", "rows")
        );
    }
    scope
}

fn glyph(of: super::Level) -> String {
    format!(
        "<svg class=\"glyph\" width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><circle cx=\"8\" cy=\"8\" r=\"8\"/><path d=\"{}\"/></svg>",
        sign(of)
    )
}

fn contents(out: &mut String, report: &Report) -> fmt::Result {
    if report.sections.len() + usize::from(!report.rejects.is_empty()) < 2 {
        return Ok(());
    }
    out.push_str("<nav class=\"contents\" aria-label=\"Sections\"><ul>");
    for section in &report.sections {
        write!(
            out,
            "<li><a href=\"#part-{}\">{}</a></li>",
            Text(&section.key),
            Text(&section.title)
        )?;
    }
    if !report.rejects.is_empty() {
        out.push_str("<li><a href=\"#rejects\">Turned down</a></li>");
    }
    out.push_str("<li><a href=\"#provenance\">Provenance</a></li></ul></nav>\n");
    Ok(())
}

/// Why conversations were turned down, with some of each.
fn rejects(out: &mut String, book: &Book) -> fmt::Result {
    let rejects = &book.report.rejects;
    if rejects.is_empty() {
        return Ok(());
    }
    let total: usize = rejects.iter().map(|rejects| rejects.count).sum();
    let most = rejects.iter().map(|rejects| rejects.count).max();
    let most = number::wide(most.unwrap_or(1).max(1));
    write!(
        out,
        "<section class=\"part\" id=\"rejects\" aria-labelledby=\"title-rejects\"><h2 id=\"title-rejects\">Turned down</h2><p class=\"about\">{}, by what was found first. None is lost: all stay in the run’s journal.</p><ul class=\"rejects\">",
        Text(&counted(total, "conversation", "conversations"))
    )?;
    let there: BTreeSet<&str> = book
        .samples
        .iter()
        .map(|sample| sample.id.as_str())
        .collect();
    for reject in rejects {
        write!(
            out,
            "<li><h3>{} <span class=\"count\">{}</span></h3><svg class=\"bars\" width=\"100%\" height=\"8\" aria-hidden=\"true\"><g class=\"s0\"><rect class=\"rail\" width=\"100%\" height=\"8\" rx=\"2\"/><rect width=\"{:.2}%\" height=\"8\" rx=\"2\"/></g></svg>",
            Text(&html::title(&reject.reason)),
            number::count(reject.count),
            number::wide(reject.count) / most * 100.0
        )?;
        if !reject.samples.is_empty() {
            out.push_str("<ul class=\"samples\">");
            for (id, found) in &reject.samples {
                let shown = Text(id);
                if there.contains(id.as_str()) {
                    write!(
                        out,
                        "<li><a class=\"id\" href=\"#id={shown}\">{shown}</a> {}</li>",
                        Text(found)
                    )?;
                } else {
                    write!(
                        out,
                        "<li><span class=\"id\">{shown}</span> {}</li>",
                        Text(found)
                    )?;
                }
            }
            out.push_str("</ul>");
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ul></section>\n");
    Ok(())
}

/// What was looked at, and with what.
fn provenance(out: &mut String, report: &Report) -> fmt::Result {
    out.push_str("<section class=\"part\" id=\"provenance\" aria-labelledby=\"title-provenance\"><h2 id=\"title-provenance\">Provenance</h2>");
    let mut list = |name: &str, source: &Source| -> fmt::Result {
        write!(
            out,
            "<dl class=\"facts\"><div><dt>{}</dt><dd>{}</dd></div>",
            Text(name),
            Text(&scope(source))
        )?;
        for (name, value) in &source.facts {
            write!(
                out,
                "<div><dt>{}</dt><dd>{}</dd></div>",
                Text(&html::title(name)),
                Text(value)
            )?;
        }
        if source.demo {
            out.push_str(
                "<div><dt>Demo</dt><dd>for trying the pipeline, not for training</dd></div>",
            );
        }
        out.push_str("</dl>");
        Ok(())
    };
    list("Looked at", &report.source)?;
    if let Some(other) = &report.against {
        list("Compared with", other)?;
    }
    writeln!(
        out,
        "<p class=\"quiet\">Written by {}. Intervals are 95 %, by bootstrap over conversations.</p></section>",
        Text(&report.program)
    )
}

/// Conversations for those who have no script, and what it would add.
fn written_out(out: &mut String, book: &Book, ids: &[String]) -> fmt::Result {
    type Shown<'a> = Vec<(&'a String, &'a &'a Sample)>;
    let all = || ids.iter().zip(book.samples);
    let kept: Shown = all()
        .filter(|(_, sample)| sample.is_kept())
        .take(WRITTEN_OUT)
        .collect();
    let named: BTreeSet<&str> = book
        .report
        .rejects
        .iter()
        .flat_map(|rejects| &rejects.samples)
        .map(|(id, _)| id.as_str())
        .collect();
    let turned: Shown = all()
        .filter(|(id, sample)| !sample.is_kept() && named.contains(id.as_str()))
        .collect();
    out.push_str("<div class=\"without-script\" id=\"conversations\"><h2>Conversations</h2>");
    let left = book.samples.len() - kept.len() - turned.len();
    out.push_str("<noscript><p class=\"about\">");
    if left > 0 {
        write!(
            out,
            "Here are the first {}. With script, this page shows {} more, ",
            Text(&counted(
                kept.len(),
                "conversation that was kept",
                "that were kept"
            )),
            Text(&counted(left, "conversation", "conversations"))
        )?;
    } else {
        out.push_str("With script, this page lists them ");
    }
    out.push_str("with filters, search and marks to keep or drop each.</p></noscript>");
    for (id, sample) in kept {
        transcript::conversation(out, id, sample, book.pages)?;
    }
    if !turned.is_empty() {
        out.push_str("<h3>Turned down</h3>");
        for (id, sample) in turned {
            transcript::conversation(out, id, sample, book.pages)?;
        }
    }
    out.push_str("</div>\n");
    Ok(())
}

/// Where the script puts the browser of conversations.
fn browser(out: &mut String) {
    out.push_str(include_str!("browser.html"));
}

/// The data of the script.
fn conversations(out: &mut String, book: &Book, ids: &[String]) -> fmt::Result {
    let index = Index::new(book.key, ids, book.samples, book.pages, book.marks);
    writeln!(
        out,
        "<script type=\"application/json\" id=\"index\">{}</script>",
        json(&index)
    )?;
    let sources = data::sources(book.samples, book.pages);
    writeln!(
        out,
        "<script type=\"application/json\" id=\"pages\">{}</script>",
        json(&sources)
    )?;
    let chunks: Vec<String> = book
        .samples
        .chunks(CHUNK)
        .map(|chunk| {
            let details: Vec<Detail> = chunk
                .iter()
                .map(|sample| Detail::new(sample, book.pages))
                .collect();
            json(&details)
        })
        .collect();
    let is_large = chunks.iter().map(String::len).sum::<usize>() >= COMPRESSED_FROM;
    for (place, chunk) in chunks.iter().enumerate() {
        if is_large {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let packed = encoder
                .write_all(chunk.as_bytes())
                .and_then(|()| encoder.finish())
                .expect("memory takes everything");
            writeln!(
                out,
                "<script type=\"application/gzip\" id=\"chunk-{place}\">{}</script>",
                base64(&packed)
            )?;
        } else {
            writeln!(
                out,
                "<script type=\"application/json\" id=\"chunk-{place}\">{chunk}</script>"
            )?;
        }
    }
    Ok(())
}
