//! What the scripted model says: fixed lines filled with words of the prompt.

use serde_json::Value;

use super::people;

use crate::engine::{ChatRole, View};
use crate::rng::Stream;

const FOLLOW_UPS: &[&str] = &[
    "And does that hold for my {item} as well?",
    "The order is {order}, in case you need it.",
    "I see. What would I have to do next?",
    "That part is not clear to me yet, could you put it another way?",
    "What happens if I cannot manage that in time?",
    "My sister was told something else last month.",
    "Is there any exception to that?",
    "How would I notice that it has worked?",
    "I only got round to it this week.",
    "Would it cost me anything?",
    "Do I need the original box for it?",
    "Fine, but who pays if something goes wrong?",
    "Can somebody confirm that by e-mail?",
    "I tried it already and nothing happened.",
    "Where exactly do I find that?",
    "Could a friend do this for me instead?",
];

const LEAD_INS: &[&str] = &[
    "",
    "Of course. ",
    "Good point. ",
    "Let me check. ",
    "Right. ",
];

const NOTHING_MORE: &[&str] = &[
    "The page has no further details on this.",
    "Beyond that I cannot promise anything.",
    "On that point our help page is silent, sorry.",
    "For more than this I would have to ask a colleague.",
];

const QUESTIONS_BACK: &[&str] = &[
    "Which model is it, please?",
    "Happy to help. When did it arrive?",
    "What does the display say at the moment?",
    "Could you tell me where you bought it?",
    "Who signed for the parcel?",
    "Right. Have you tried it in another room?",
];

const QUESTIONS: &[&str] = &[
    "How does it work with {}?",
    "Can you tell me more about {}?",
    "What should I know about {}?",
    "Is it true what people say about {}?",
    "Where do I start with {}?",
];

/// The speaker who opens the chat: asks, gives details, reacts.
pub(super) fn asker(view: &View, draw: Stream) -> String {
    let system = system_of(view);
    let own = own_turns(view);
    if own == 0 {
        let question = labelled(system, "Question:").unwrap_or("I have a question.");
        let opening = ["Hello. ", "Hi there. ", ""][draw.below(0, 3)];
        return format!("{opening}{question}");
    }
    let item = labelled(system, "Item:")
        .map_or("one", first_clause)
        .to_lowercase();
    let order = system
        .split_whitespace()
        .find(|word| is_order_id(word))
        .map_or("on its way", first_clause);
    let offset = usize::from(blake3::hash(system.as_bytes()).as_bytes()[0]);
    let line = FOLLOW_UPS[(offset + own) % FOLLOW_UPS.len()];
    line.replace("{item}", &item).replace("{order}", order)
}

/// The speaker who answers: a sentence of the page that suits the question and was not said yet.
pub(super) fn answerer(view: &View, draw: Stream) -> String {
    let said: Vec<&str> = texts_of(view, ChatRole::Assistant).collect();
    let question = texts_of(view, ChatRole::User)
        .last()
        .unwrap_or_default()
        .to_lowercase();
    let page = page_of(system_of(view));
    let best = sentences(page)
        .into_iter()
        .filter(|sentence| !said.iter().any(|turn| turn.contains(sentence)))
        .enumerate()
        .max_by_key(|(index, sentence)| (overlap(sentence, &question), std::cmp::Reverse(*index)))
        .map(|(_, sentence)| sentence);
    match best {
        Some(sentence) => format!("{}{sentence}", draw.pick(0, LEAD_INS)),
        None => NOTHING_MORE[own_turns(view) % NOTHING_MORE.len()].to_owned(),
    }
}

/// The question that a note tells the asker to bring up.
pub(super) fn told_question(note: &str) -> Option<&str> {
    let (_, rest) = note
        .split_once("next question: ")
        .or_else(|| note.split_once("want to know: "))?;
    let end = rest.find('?').map_or(rest.len(), |at| at + 1);
    Some(rest[..end].trim_end_matches(')'))
}

/// The speaker who answers, with nothing but a question.
pub(super) fn asked_back(view: &View) -> String {
    QUESTIONS_BACK[own_turns(view) % QUESTIONS_BACK.len()].to_owned()
}

/// The speaker who answers, with what no page says.
pub(super) fn evaded(view: &View) -> String {
    NOTHING_MORE[own_turns(view) % NOTHING_MORE.len()].to_owned()
}

/// Whether it is asked to rewrite a message.
pub(super) fn is_rewriting(view: &View) -> bool {
    system_of(view).starts_with("You rewrite messages")
}

/// A message rewritten as little as it takes.
pub(super) fn rewritten(view: &View) -> String {
    let asked = texts_of(view, ChatRole::User).last().unwrap_or_default();
    let text = labelled(asked, "Message:").unwrap_or_default();
    let after = |label: &str| {
        let (_, rest) = asked.split_once(label)?;
        Some(rest.trim_start().trim_end().trim_end_matches('.'))
    };
    let small = || {
        let mut letters = text.chars();
        let first = letters.next().map(|c| c.to_lowercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    };
    if let Some(product) = after("Rewrite it for this product:") {
        let (body, mark) = match text.char_indices().next_back() {
            Some((at, mark @ ('?' | '.' | '!'))) => (&text[..at], mark.to_string()),
            _ => (text, String::new()),
        };
        return format!("{body} for my {product}{mark}");
    }
    match after("Rewrite it in this tone:").or_else(|| after("Rewrite it in this style:")) {
        Some("cheerful") => format!("Hi there! {text}"),
        Some("annoyed") => format!("Honestly, {}", small()),
        Some("angry") => format!("Seriously, {}", small()),
        Some("formal") => format!("Dear team, {}", small()),
        Some("polite") => format!("Please, {}", small()),
        Some("rude") => format!("Listen, {}", small()),
        _ => small().trim_end_matches('?').to_owned(),
    }
}

/// A reply with what a note on it asks for.
pub(super) fn steered(text: &str, note: Option<&str>) -> String {
    let Some(note) = note else {
        return text.to_owned();
    };
    let thank = note.contains("thank: yes") || note.contains("thank the customer");
    let ask = note.contains("ask: yes") || note.contains("close with one short question");
    let thanks = if thank {
        "Thank you for telling me. "
    } else {
        ""
    };
    let question = if ask {
        " What is the order number?"
    } else {
        ""
    };
    format!("{thanks}{text}{question}")
}

/// How values are made up.
pub(super) struct Manner {
    /// A list repeats its first entry.
    pub duplicate: bool,
    pub shown: people::Shown,
}

/// A value that a JSON schema accepts, its strings being questions about the last message.
pub(super) fn value_for(
    schema: &Value,
    view: &View,
    draw: Stream,
    manner: &Manner,
) -> Option<Value> {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return options.get(draw.below(0, options.len().max(1))).cloned();
    }
    match schema.get("type")?.as_str()? {
        "object" => {
            let properties = schema.get("properties")?.as_object()?;
            people::object(properties, draw, |name, inner, draw| {
                let is = |kind: &str| inner.get("type").and_then(Value::as_str) == Some(kind);
                let text = || {
                    let copied = manner.shown.text(name, draw.child("copy"));
                    copied.or_else(|| people::field(name, draw))
                };
                match (is("string"), text()) {
                    (true, Some(text)) => Some(Value::String(text)),
                    _ if is("array") && people::field(name, draw).is_some() => {
                        let least = inner.get("minItems").and_then(Value::as_u64)?;
                        let entry = |n| people::field(name, draw.at(n)).map(Value::String);
                        (0..least)
                            .map(entry)
                            .collect::<Option<Vec<_>>>()
                            .map(Value::Array)
                    }
                    _ => value_for(inner, view, draw, manner),
                }
            })
        }
        "array" => {
            let bound = |key| schema.get(key).and_then(Value::as_u64);
            let length = match (bound("minItems"), bound("maxItems")) {
                (Some(least), Some(most)) if least < most => {
                    let spread = usize::try_from(most - least).unwrap_or(0) + 1;
                    least + draw.child("length").below(0, spread) as u64
                }
                (least, most) => least.or(most).unwrap_or(1),
            };
            let first = schema.get("prefixItems").and_then(Value::as_array);
            let entry = |i| {
                let of_place = first.and_then(|first| first.get(usize::try_from(i).ok()?));
                value_for(
                    of_place.or_else(|| schema.get("items"))?,
                    view,
                    draw.at(if manner.duplicate { 0 } else { i }),
                    manner,
                )
            };
            (0..length)
                .map(entry)
                .collect::<Option<Vec<_>>>()
                .map(Value::Array)
        }
        "string" => {
            let limit = schema
                .get("maxLength")
                .and_then(Value::as_u64)
                .unwrap_or(200);
            let text = question(view, draw);
            Some(Value::String(
                text.chars()
                    .take(usize::try_from(limit).unwrap_or(usize::MAX))
                    .collect(),
            ))
        }
        "integer" => {
            let bound = |key| schema.get(key).and_then(Value::as_u64);
            let least = bound("minimum").unwrap_or(1);
            let spread = bound("maximum").map_or(1, |most| most.saturating_sub(least) + 1);
            let more = draw.below(0, usize::try_from(spread).unwrap_or(1));
            Some(Value::from(least + more as u64))
        }
        "number" => Some(
            schema
                .get("minimum")
                .cloned()
                .unwrap_or_else(|| Value::from(1)),
        ),
        "boolean" => Some(Value::Bool(draw.below(0, 2) == 1)),
        _ => None,
    }
}

fn question(view: &View, draw: Stream) -> String {
    let prompt = texts_of(view, ChatRole::User).last().unwrap_or_default();
    let lines: Vec<&str> = sentences(page_of(prompt));
    if lines.is_empty() {
        return "What should I know before I order?".to_owned();
    }
    let words: Vec<&str> = draw
        .pick(0, &lines)
        .split_whitespace()
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let length = words.len().min(3 + draw.below(1, 4));
    let start = draw.below(2, words.len() - length + 1);
    draw.pick(3, QUESTIONS)
        .replace("{}", &words[start..start + length].join(" ").to_lowercase())
}

/// A few hundred words without a full stop.
pub(super) fn rambling() -> String {
    let words = FOLLOW_UPS
        .iter()
        .chain(NOTHING_MORE)
        .flat_map(|line| line.split(|c: char| !c.is_alphabetic()));
    let once = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    [once.as_str(); 2].join(" and ")
}

/// How many turns this side has had.
pub(super) fn own_turns(view: &View) -> usize {
    texts_of(view, ChatRole::Assistant).count()
}

/// The texts of one role.
pub(super) fn texts_of(view: &View, role: ChatRole) -> impl Iterator<Item = &str> {
    view.messages
        .iter()
        .filter(move |message| message.role == role)
        .map(|message| message.content.as_str())
}

/// The system message, empty when there is none.
pub(super) fn system_of(view: &View) -> &str {
    texts_of(view, ChatRole::System).next().unwrap_or_default()
}

/// What follows the line `Page: …`, or everything.
fn page_of(text: &str) -> &str {
    let start = if text.starts_with("Page:") {
        Some(0)
    } else {
        text.find("\nPage:").map(|at| at + 1)
    };
    match start {
        None => text,
        Some(at) => text[at..].split_once('\n').map_or("", |(_, page)| page),
    }
}

/// Sentences of at least five words.
fn sentences(text: &str) -> Vec<&str> {
    text.lines()
        .flat_map(|line| line.split_inclusive(". "))
        .map(str::trim)
        .filter(|sentence| {
            sentence.ends_with('.')
                && !sentence.starts_with("Write ")
                && sentence.split_whitespace().count() >= 5
        })
        .collect()
}

fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim_start_matches(['-', ' ']).strip_prefix(label))
        .map(str::trim)
}

fn first_clause(text: &str) -> &str {
    text.split(['.', ',']).next().unwrap_or(text)
}

fn is_order_id(word: &str) -> bool {
    word.contains('-') && word.chars().filter(char::is_ascii_digit).count() >= 4
}

fn overlap(sentence: &str, question: &str) -> usize {
    sentence
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 3 && question.contains(word))
        .count()
}
