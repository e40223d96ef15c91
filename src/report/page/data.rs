//! Conversations as the page's script reads them: an index of all, by columns, and chunks with the rest of a hundred each.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{Mark, Marks, Page, Rewrite, Role, Sample, Support, Utterance, Verdict};

use super::chart::cut;
use super::html::{title, words};
use super::transcript::{kind, notes};

/// Conversations in a chunk.
pub const CHUNK: usize = 100;
/// Letters of a conversation's beginning in the list.
const PREVIEW: usize = 110;
/// Different values of what has a filter whatever it holds, and of other columns.
const MOST: usize = 500;
const MOST_OTHERS: usize = 30;
/// Letters of a value of those.
const LETTERS: usize = 40;

/// What the list, the filters and the order need. The vectors have an element for each conversation.
#[derive(Serialize)]
pub struct Index<'a> {
    /// What marks are kept under.
    key: &'a str,
    chunk: usize,
    facets: Vec<Facet>,
    ids: &'a [String],
    previews: Vec<String>,
    turns: Vec<usize>,
    words: Vec<usize>,
    /// Replies that guards turned down.
    guards: Vec<usize>,
    /// Sentences that nothing backs.
    unbacked: Vec<usize>,
    /// What was marked before the page was made.
    marks: Vec<&'a Mark>,
}

/// What one may filter by.
#[derive(Serialize)]
struct Facet {
    key: String,
    title: String,
    values: Vec<String>,
    /// Places in `values`, for each conversation; none where it has no such thing.
    of: Vec<Vec<usize>>,
}

impl<'a> Index<'a> {
    pub fn new(
        key: &'a str,
        ids: &'a [String],
        samples: &[&'a Sample],
        pages: &BTreeMap<String, Page>,
        marks: &'a Marks,
    ) -> Self {
        let unbacked = |turn: &Utterance| {
            let links = turn.links.iter();
            links
                .filter(|link| matches!(link.verdict, Support::Unsupported { .. }))
                .count()
        };
        let each = |count: &dyn Fn(&Utterance) -> usize| {
            let of = |sample: &&Sample| sample.turns.iter().map(count).sum();
            samples.iter().map(of).collect()
        };
        Self {
            key,
            chunk: CHUNK,
            facets: facets(samples, pages),
            ids,
            previews: samples.iter().map(|sample| preview(sample)).collect(),
            turns: samples.iter().map(|sample| sample.turns.len()).collect(),
            words: each(&|turn| turn.text.split_whitespace().count()),
            guards: each(&|turn| turn.rejected.len()),
            unbacked: each(&unbacked),
            marks: marks.iter().collect(),
        }
    }
}

fn preview(sample: &Sample) -> String {
    let first = sample.turns.iter().find(|turn| !turn.text.is_empty());
    let text = first.map_or("", |turn| &turn.text);
    cut(text, PREVIEW)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The filters: what conversations of a run have, then whatever other columns with few values there are. Those that tell
/// nothing apart are left out.
fn facets(samples: &[&Sample], pages: &BTreeMap<String, Page>) -> Vec<Facet> {
    let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
    let field = |name: &'static str| {
        move |sample: &Sample| one(sample.fields.get(name).map(|value| words(value)))
    };
    let page = |sample: &Sample| {
        let page = sample.fields.get("page");
        one(page.map(|page| pages.get(page).map_or(page, |page| &page.title).clone()))
    };
    type Of<'f> = &'f dyn Fn(&Sample) -> Vec<String>;
    let fixed: [(&str, &str, Of); 10] = [
        ("verdict", "Verdict", &|sample| {
            vec![match &sample.verdict {
                Verdict::Keep => "kept".to_owned(),
                Verdict::Reject { reason, .. } => format!("turned down: {}", words(reason)),
            }]
        }),
        ("outcome", "Outcome", &|sample| {
            one(sample.outcome.map(|outcome| outcome.name().to_lowercase()))
        }),
        ("end", "Ended by", &|sample| {
            one(sample.end_reason.map(|end| words(end.name())))
        }),
        ("tone", "Tone", &field("tone")),
        ("style", "Style", &field("style")),
        ("page", "Page", &page),
        ("product", "Product", &field("product")),
        ("person", "Person", &people),
        ("kind", "Kind", &|sample| one(Some(sample.kind.to_string()))),
        ("holds", "Holds", &holds),
    ];
    let mut facets: Vec<Facet> = fixed
        .into_iter()
        .filter_map(|(key, title, of)| facet(samples, key, title, MOST, of))
        .collect();
    let mut others: Vec<&str> = samples
        .iter()
        .flat_map(|sample| sample.fields.keys())
        .map(String::as_str)
        .collect();
    others.sort_unstable();
    others.dedup();
    for name in others {
        if ["tone", "style", "page", "product"].contains(&name) {
            continue;
        }
        let of = |sample: &Sample| one(sample.fields.get(name).map(|value| words(value)));
        let found = facet(samples, name, &title(name), MOST_OTHERS, &of);
        facets.extend(found.filter(|facet| {
            let mut values = facet.values.iter();
            values.all(|value| value.chars().count() <= LETTERS)
        }));
    }
    facets
}

/// The names in a group, and whom a support conversation is about.
fn people(sample: &Sample) -> Vec<String> {
    let of = |speaker: &crate::record::Speaker| match speaker.role {
        None => speaker.name.clone(),
        Some(_) => speaker.persona.clone(),
    };
    let mut names: Vec<String> = sample.speakers.iter().map(of).collect();
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}

/// What is in it that a reader may look for.
fn holds(sample: &Sample) -> Vec<String> {
    let some = |what: &dyn Fn(&Utterance) -> bool| sample.turns.iter().any(what);
    let mut found = Vec::new();
    let mut note = |is_there, what: &str| {
        if is_there {
            found.push(what.to_owned());
        }
    };
    note(
        some(&|turn| {
            let mut links = turn.links.iter();
            links.any(|link| matches!(link.verdict, Support::Unsupported { .. }))
        }),
        "a sentence that nothing backs",
    );
    note(
        some(&|turn| !turn.rejected.is_empty()),
        "a reply turned down",
    );
    note(some(&|turn| turn.edits > 0), "words changed by rule");
    note(some(&|turn| turn.restyled.is_some()), "a style put back");
    note(some(&|turn| !turn.moves.is_empty()), "a move");
    found
}

fn facet(
    samples: &[&Sample],
    key: &str,
    title: &str,
    most: usize,
    of: &dyn Fn(&Sample) -> Vec<String>,
) -> Option<Facet> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut held = Vec::with_capacity(samples.len());
    for sample in samples {
        let values = of(sample);
        for value in &values {
            places.entry(value.clone()).or_insert(0);
        }
        if places.len() > most {
            return None;
        }
        held.push(values);
    }
    // By name; the page says how many have each.
    for (place, of) in places.values_mut().enumerate() {
        *of = place;
    }
    let of: Vec<Vec<usize>> = held
        .iter()
        .map(|values| values.iter().map(|value| places[value]).collect())
        .collect();
    // Something that all have, or none.
    let is_telling = places.len() > 1 || of.iter().any(Vec::is_empty) && !places.is_empty();
    is_telling.then(|| Facet {
        key: key.to_owned(),
        title: title.to_owned(),
        values: places.into_keys().collect(),
        of,
    })
}

/// All else of a conversation. Names are short: they are written ten thousand times.
#[derive(Serialize)]
pub struct Detail<'a> {
    /// What is known of it: title and value.
    f: Vec<(String, String)>,
    /// Who takes part: name, side and persona.
    s: Vec<(&'a str, &'static str, &'a str)>,
    t: Vec<Said<'a>>,
    /// Steps from the question to the first message: what was asked for, and the text after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    w: Vec<(String, &'a str)>,
    /// Why it was turned down: reason and detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<(String, &'a str)>,
    /// Its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<&'a str>,
}

/// A turn.
#[derive(Serialize)]
struct Said<'a> {
    s: usize,
    x: &'a str,
    /// Notes on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    n: Vec<String>,
    /// Sentences, in order, by their ends in the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    l: Vec<Linked>,
    /// Replies turned down: guard, what it saw, the reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    r: Vec<(String, &'a str, &'a str)>,
}

/// A sentence and what backs it. Ends count UTF-16 units, as the script does.
#[derive(Serialize)]
#[serde(untagged)]
enum Linked {
    /// Its ends, the paragraph, and the ends of the words there.
    Backed(usize, usize, usize, usize, usize),
    /// Its ends, and why nothing backs it.
    Unbacked(usize, usize, String),
}

impl<'a> Detail<'a> {
    pub fn new(sample: &'a Sample, pages: &BTreeMap<String, Page>) -> Self {
        let id = sample.fields.get("page").map(String::as_str);
        let page = id.and_then(|id| pages.get(id));
        let mut facts: Vec<(String, String)> = Vec::new();
        let mut fact = |title: &str, value: String| facts.push((title.to_owned(), value));
        if let Some(outcome) = sample.outcome {
            fact("Outcome", outcome.name().to_lowercase());
        }
        if let Some(end) = sample.end_reason {
            fact("Ended by", words(end.name()));
        }
        for (name, value) in &sample.fields {
            let value = match name.as_str() {
                "page" => page.map_or_else(|| value.clone(), |page| page.title.clone()),
                "tone" | "style" | "cause" | "cooperation" | "first_language" => words(value),
                _ => value.clone(),
            };
            fact(&title(name), value);
        }
        Self {
            f: facts,
            s: sample
                .speakers
                .iter()
                .map(|speaker| {
                    let side = match speaker.role {
                        Some(Role::Agent) => "agent",
                        Some(Role::Customer) => "customer",
                        None => "member",
                    };
                    (speaker.name.as_str(), side, speaker.persona.as_str())
                })
                .collect(),
            w: sample.rewrites.iter().map(step).collect(),
            t: sample.turns.iter().map(|turn| said(turn, page)).collect(),
            v: match &sample.verdict {
                Verdict::Keep => None,
                Verdict::Reject { reason, detail } => Some((words(reason), detail)),
            },
            p: page.and(id),
        }
    }
}

fn step(rewrite: &Rewrite) -> (String, &str) {
    let asked = format!("{}: {}", rewrite.kind, words(&rewrite.target));
    let told = match &rewrite.left {
        Some(why) => format!("{asked}, left as it was ({why})"),
        None => asked,
    };
    (told, &rewrite.text)
}

fn said<'a>(turn: &'a Utterance, page: Option<&Page>) -> Said<'a> {
    let linked = |link: &crate::record::Link| {
        let (from, to) = ends(&turn.text, &link.sentence)?;
        Some(match &link.verdict {
            Support::NoClaim => return None,
            Support::Unsupported { why } => Linked::Unbacked(from, to, why.to_string()),
            Support::Supported { paragraph, span } => {
                let text = &page?.paragraphs.get(*paragraph)?.text;
                let (first, last) = ends(text, span)?;
                Linked::Backed(from, to, *paragraph, first, last)
            }
        })
    };
    Said {
        s: turn.speaker,
        x: &turn.text,
        n: notes(turn),
        l: turn.links.iter().filter_map(linked).collect(),
        r: turn
            .rejected
            .iter()
            .map(|reply| {
                (
                    kind(reply.hit.kind),
                    reply.hit.detail.as_str(),
                    reply.text.as_str(),
                )
            })
            .collect(),
    }
}

/// The ends of a range of bytes in UTF-16 units; none where it is no range of the text.
fn ends(text: &str, range: &std::ops::Range<usize>) -> Option<(usize, usize)> {
    let inside = text.get(range.clone())?;
    let from = text[..range.start].encode_utf16().count();
    Some((from, from + inside.encode_utf16().count()))
}

/// A page: its title, and its paragraphs as heading and text.
type Source<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// The pages that conversations are about, by id.
pub fn sources<'a>(
    samples: &[&Sample],
    pages: &'a BTreeMap<String, Page>,
) -> BTreeMap<&'a str, Source<'a>> {
    let mut found = BTreeMap::new();
    for sample in samples {
        let page = sample.fields.get("page").and_then(|id| pages.get(id));
        if let Some(page) = page {
            found.entry(page.id.as_str()).or_insert_with(|| {
                let paragraphs = page.paragraphs.iter();
                let paragraphs = paragraphs
                    .map(|paragraph| (paragraph.heading.as_str(), paragraph.text.as_str()));
                (page.title.as_str(), paragraphs.collect())
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_as_the_script_counts() {
        // An emoji is four bytes and two units; é two bytes and one unit.
        let text = "Café 🙂 ok. Yes.";
        let at = text.find("ok").unwrap();
        assert_eq!(ends(text, &(at..at + 3)), Some((8, 11)));
        assert_eq!(ends(text, &(4..5)), None);
        assert_eq!(ends(text, &(0..99)), None);
    }
}
