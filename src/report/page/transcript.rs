//! Conversations as they are read without script: each folded, with what backs an agent's sentences and what guards turned
//! down.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::record::{Page, Role, Sample, Support, Utterance, Verdict};

use super::chart::cut;
use super::html::{Text, words};

/// One conversation, to be linked to by its id.
pub fn conversation(
    out: &mut String,
    id: &str,
    sample: &Sample,
    pages: &BTreeMap<String, Page>,
) -> fmt::Result {
    let id = Text(id);
    let first = sample.turns.iter().find(|turn| !turn.text.is_empty());
    write!(
        out,
        "<details class=\"conversation\" id=\"id={id}\"><summary><span class=\"id\">{id}</span> {}<span class=\"quiet\">{}</span></summary>",
        Text(&cut(first.map_or("(no turns)", |turn| &turn.text), 120)),
        Text(&about(sample, pages))
    )?;
    if let Verdict::Reject { reason, detail } = &sample.verdict {
        write!(
            out,
            "<p class=\"turned\"><strong>Turned down: {}.</strong> {}</p>",
            Text(&words(reason)),
            Text(detail)
        )?;
    }
    let page = sample.fields.get("page").and_then(|page| pages.get(page));
    out.push_str("<ol class=\"turns\">");
    for said in &sample.turns {
        turn(out, sample, said, page)?;
    }
    out.push_str("</ol></details>\n");
    Ok(())
}

fn about(sample: &Sample, pages: &BTreeMap<String, Page>) -> String {
    let field = |name: &str| sample.fields.get(name).cloned();
    let page = field("page").map(|page| pages.get(&page).map_or(page, |page| page.title.clone()));
    let outcome = sample.outcome.map(|outcome| outcome.name().to_lowercase());
    let known = [field("tone"), field("style"), field("product"), page];
    let mut known: Vec<String> = known
        .into_iter()
        .flatten()
        .map(|name| words(&name))
        .collect();
    known.extend(outcome);
    known.push(match sample.turns.len() {
        1 => "1 turn".to_owned(),
        turns => format!("{turns} turns"),
    });
    known.join(" · ")
}

fn turn(out: &mut String, sample: &Sample, turn: &Utterance, page: Option<&Page>) -> fmt::Result {
    let side = match sample.role(turn) {
        Some(Role::Agent) => "agent",
        Some(Role::Customer) => "customer",
        None => "member",
    };
    let name = sample.speakers.get(turn.speaker);
    write!(
        out,
        "<li class=\"turn {side}\"><p class=\"speaker\">{}</p>",
        Text(name.map_or("?", |speaker| &speaker.name))
    )?;
    for reply in &turn.rejected {
        write!(
            out,
            "<details class=\"guard\"><summary>A reply was turned down: {}</summary><p>{}</p><p class=\"quiet\">{}</p></details>",
            Text(&kind(reply.hit.kind)),
            Text(&reply.text),
            Text(&reply.hit.detail)
        )?;
    }
    out.push_str("<p class=\"said\">");
    let mut from = 0;
    let mut sources = Vec::new();
    for link in &turn.links {
        let Some(sentence) = turn.text.get(link.sentence.clone()) else {
            continue;
        };
        let Some(before) = turn.text.get(from..link.sentence.start) else {
            continue;
        };
        from = link.sentence.end;
        write!(out, "{}", Text(before))?;
        match &link.verdict {
            Support::NoClaim => write!(out, "{}", Text(sentence))?,
            Support::Supported { paragraph, span } => {
                let words = page
                    .and_then(|page| page.paragraphs.get(*paragraph))
                    .and_then(|paragraph| paragraph.text.get(span.clone()));
                sources.push((
                    false,
                    words.unwrap_or("(the page is not at hand)").to_owned(),
                ));
                write!(out, "<span class=\"backed\">{}</span>", Text(sentence))?;
            }
            Support::Unsupported { why } => {
                sources.push((true, why.to_string()));
                write!(out, "<span class=\"unbacked\">{}</span>", Text(sentence))?;
            }
        }
    }
    write!(
        out,
        "{}</p>",
        Text(turn.text.get(from..).unwrap_or_default())
    )?;
    for (is_missing, told) in sources {
        let (class, what) = if is_missing {
            ("unbacked", "Not backed")
        } else {
            ("backed", "The page")
        };
        write!(
            out,
            "<p class=\"source {class}\"><span>{what}:</span> {}</p>",
            Text(&told)
        )?;
    }
    let notes = notes(turn);
    if !notes.is_empty() {
        write!(
            out,
            "<p class=\"quiet notes\">{}</p>",
            Text(&notes.join(" · "))
        )?;
    }
    out.push_str("</li>");
    Ok(())
}

/// What is known of a turn beside its text.
pub fn notes(turn: &Utterance) -> Vec<String> {
    let mut notes: Vec<String> = turn.moves.iter().map(|one| one.name().to_owned()).collect();
    match turn.tokens {
        Some(1) => notes.push("1 token".to_owned()),
        Some(tokens) => notes.push(format!("{tokens} tokens")),
        None => {}
    }
    match turn.edits {
        0 => {}
        1 => notes.push("1 word changed by rule".to_owned()),
        edits => notes.push(format!("{edits} words changed by rule")),
    }
    if let Some(lacked) = &turn.restyled {
        notes.push(format!("style put back, it had {lacked}"));
    }
    notes
}

/// The name of a guard as people read it.
pub fn kind(kind: crate::record::GuardKind) -> String {
    let name = serde_json::to_value(kind);
    let name = name.ok().and_then(|name| name.as_str().map(words));
    name.unwrap_or_default()
}
