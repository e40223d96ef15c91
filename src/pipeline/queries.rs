use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Caller, PipelineError, Player, QuerySettings};
use crate::engine::{Ask, ChatModel, ChatRole, Completion, Finish, Grammar, Session, View};
use crate::knowledge::chunks;
use crate::prompt::{PassageVar, PromptError, QueriesVars};
use crate::record::{ModelRole, Page, Query};
use crate::rng::Stream;

/// Letters one question may have.
const MAX_LETTERS: usize = 160;
/// Tokens of a question at most, taking a token per letter and the quotes and comma around it.
const QUESTION_TOKENS: usize = MAX_LETTERS + 4;
/// Tokens of `{"queries": []}` and what a template adds.
const FRAME_TOKENS: usize = 32;
/// Asked at most this often for the same part of a page.
const TRIES: u64 = 2;

/// What writing questions needs.
#[derive(Clone)]
pub struct QueryContext {
    pub caller: Caller,
    pub settings: Arc<QuerySettings>,
    /// The run's root stream; each page draws below `q/<page>`.
    pub root: Stream,
}

impl QueryContext {
    fn player(&self) -> &Player {
        self.caller.cast().of(ModelRole::Queries)
    }
}

/// The questions of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuerySet {
    pub queries: Vec<Query>,
    /// Questions that came empty, twice or not at all, before asking again.
    pub dropped: usize,
    /// How many are missing after asking again.
    pub missing: usize,
}

/// Writes `count` questions that a page answers, spread over its parts.
///
/// # Errors
/// When a call fails, cannot be written down, or gives something its grammar forbids.
pub async fn generate_queries(
    context: &QueryContext,
    page: &Page,
    count: usize,
) -> Result<QuerySet, PipelineError> {
    let model = &context.player().model;
    let parts = chunks(page, context.settings.passage_tokens, |text| {
        model.count_tokens(text)
    });
    let shares = spread(count, parts.len());
    let mut found: Vec<Vec<String>> = vec![Vec::new(); parts.len()];
    let mut seen = BTreeSet::new();
    let mut dropped = 0;
    for attempt in 0..TRIES {
        for (index, (part, &share)) in parts.iter().zip(&shares).enumerate() {
            if found[index].len() >= share {
                continue;
            }
            let questions = ask(context, page, part, index, share, attempt).await?;
            for question in questions {
                if found[index].len() < share && seen.insert(normalised(&question)) {
                    found[index].push(question);
                }
            }
            if attempt == 0 {
                dropped += share - found[index].len();
            }
        }
    }
    let texts: Vec<String> = found.into_iter().flatten().collect();
    let missing = count - texts.len();
    let query = |(n, text)| Query {
        id: format!("{}/{n}", page.id),
        page: page.id.clone(),
        text,
        tone: None,
        style: None,
    };
    Ok(QuerySet {
        queries: texts.into_iter().enumerate().map(query).collect(),
        dropped,
        missing,
    })
}

/// `count` over `parts` as evenly as it goes; when there are more parts than questions, those asked lie apart.
fn spread(count: usize, parts: usize) -> Vec<usize> {
    (0..parts)
        .map(|part| count * (part + 1) / parts - count * part / parts)
        .collect()
}

/// Asks for `count` questions of a page, spread as [`generate_queries`] would, but of one part only (`place` says which) and
/// with no grammar; says whether the reply has the form that the grammar would have forced.
///
/// # Errors
/// When the call fails or cannot be written down.
pub async fn answers_in_form(
    context: &QueryContext,
    page: &Page,
    count: usize,
    place: u64,
) -> Result<bool, PipelineError> {
    let model = &context.player().model;
    let parts = chunks(page, context.settings.passage_tokens, |text| {
        model.count_tokens(text)
    });
    if parts.is_empty() {
        return Ok(false);
    }
    let index = usize::try_from(place).unwrap_or(0) % parts.len();
    let count = spread(count, parts.len())[index].max(1);
    let call = Call {
        key: format!("form/{}/{place}", page.id),
        draw: context.root.child("form").child(&page.id).at(place),
        grammar: None,
    };
    let completion = put(context, page, &parts[index], count, call).await?;
    Ok(completion.finish != Finish::Truncated && has_form(&completion.text, count))
}

/// Whether a text is exactly what [`schema`] describes, white space aside.
fn has_form(text: &str, count: usize) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Exact {
        queries: Vec<String>,
    }
    serde_json::from_str(text).is_ok_and(|Exact { queries }| {
        queries.len() == count
            && queries
                .iter()
                .all(|question| question.chars().count() <= MAX_LETTERS)
    })
}

/// How a model is asked for questions: under which key, with which draws, held to which form.
struct Call {
    key: String,
    draw: Stream,
    grammar: Option<Arc<Grammar>>,
}

async fn ask(
    context: &QueryContext,
    page: &Page,
    part: &[usize],
    index: usize,
    count: usize,
    attempt: u64,
) -> Result<Vec<String>, PipelineError> {
    let key = format!("q/{}/{index}/{attempt}", page.id);
    let call = Call {
        key: key.clone(),
        draw: context
            .root
            .child("q")
            .child(&page.id)
            .at(index as u64)
            .at(attempt),
        grammar: Some(Arc::new(Grammar::JsonSchema(schema(count)))),
    };
    let completion = put(context, page, part, count, call).await?;
    if completion.finish == Finish::Truncated {
        return Ok(Vec::new());
    }
    let list: List =
        serde_json::from_str(&completion.text).map_err(|error| PipelineError::Form {
            key,
            reason: error.to_string(),
        })?;
    let tidy = |question: String| question.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(list
        .queries
        .into_iter()
        .map(tidy)
        .filter(|question| !normalised(question).is_empty())
        .collect())
}

/// Asks for `count` questions about a part of a page.
async fn put(
    context: &QueryContext,
    page: &Page,
    part: &[usize],
    count: usize,
    call: Call,
) -> Result<Completion, PipelineError> {
    let (settings, player) = (&context.settings, context.player());
    let model = &player.model;
    let (system, user) = prompt(player, settings, page, part, count)?;
    let prompt_tokens = prompt_tokens(model, &system, &user);
    let thought = model.thought_room(settings.thinking);
    let max_new_tokens = reply_tokens(count)
        .min(
            model
                .context_tokens()
                .saturating_sub(prompt_tokens + thought),
        )
        .max(1);
    let mut view = View::with_system(system);
    view.push(ChatRole::User, user, Vec::new());
    let session: Session = context
        .caller
        .open(
            &call.key,
            &[(ModelRole::Queries, prompt_tokens + thought + max_new_tokens)],
        )
        .await?;
    let ask = Ask {
        view: &view,
        tail: None,
        max_new_tokens,
        thinking_tokens: settings.thinking,
        sampling: settings.sampling,
        grammar: call.grammar,
        stop: &[],
        draw: call.draw,
    };
    context
        .caller
        .reply(&session, ModelRole::Queries, &call.key, ask)
        .await
}

/// System and user message that ask for `count` questions about a part of a page.
fn prompt(
    player: &Player,
    settings: &QuerySettings,
    page: &Page,
    part: &[usize],
    count: usize,
) -> Result<(String, String), PromptError> {
    player.prompts.queries(&QueriesVars {
        brand: &settings.brand,
        language: &settings.language,
        title: &page.title,
        passages: PassageVar::of(page, part),
        n: count,
    })
}

fn prompt_tokens(model: &ChatModel, system: &str, user: &str) -> usize {
    model.count_tokens(system) + model.count_tokens(user) + FRAME_TOKENS
}

/// The longest reply of `count` questions.
fn reply_tokens(count: usize) -> usize {
    count * QUESTION_TOKENS + FRAME_TOKENS
}

/// The longest that a call for some of a page's `count` questions can get, prompt, thought and reply, in tokens.
///
/// # Errors
/// When the prompt does not render.
pub fn worst_case_tokens(
    player: &Player,
    settings: &QuerySettings,
    page: &Page,
    count: usize,
) -> Result<usize, PromptError> {
    let model = &player.model;
    let parts = chunks(page, settings.passage_tokens, |text| {
        model.count_tokens(text)
    });
    let mut longest = 0;
    let shares = spread(count, parts.len());
    for (part, share) in parts.iter().zip(shares).filter(|(_, share)| *share > 0) {
        let (system, user) = prompt(player, settings, page, part, share)?;
        longest = longest.max(prompt_tokens(model, &system, &user) + reply_tokens(share));
    }
    let thought = model.thought_room(settings.thinking);
    Ok((longest + thought).min(model.context_tokens()))
}

#[derive(Deserialize)]
struct List {
    queries: Vec<String>,
}

/// Exactly `count` bounded strings, printed as the models were shown them.
fn schema(count: usize) -> String {
    json!({
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": { "type": "string", "maxLength": MAX_LETTERS },
                "minItems": count,
                "maxItems": count,
            }
        },
        "required": ["queries"],
        "additionalProperties": false,
        "x-guidance": { "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " },
    })
    .to_string()
}

/// What makes two questions the same: their words.
fn normalised(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_spread_over_the_page() {
        assert_eq!(spread(7, 3), [2, 2, 3]);
        assert_eq!(spread(2, 5), [0, 0, 1, 0, 1]);
        assert_eq!(spread(4, 1), [4]);
        for (count, parts) in [(0, 3), (15, 4), (3, 3), (1, 9)] {
            assert_eq!(spread(count, parts).iter().sum::<usize>(), count);
        }
    }

    #[test]
    fn the_schema_is_exact_and_bounded() {
        assert_eq!(
            schema(2),
            r#"{"type":"object","properties":{"queries":{"type":"array","items":{"type":"string","maxLength":160},"minItems":2,"maxItems":2}},"required":["queries"],"additionalProperties":false,"x-guidance":{"whitespace_flexible":false,"item_separator":", ","key_separator":": "}}"#
        );
    }

    #[test]
    fn the_form_is_what_the_grammar_would_force() {
        assert!(has_form(r#" {"queries": ["a?", "b?"]} "#, 2));
        let long = format!(r#"{{"queries": ["{}"]}}"#, "x".repeat(MAX_LETTERS + 1));
        for (text, count) in [
            (r#"{"queries": ["a?"]}"#, 2),
            (r#"{"queries": ["a?", 3]}"#, 2),
            (r#"{"queries": ["a?"], "notes": 1}"#, 1),
            ("```json\n{\"queries\": [\"a?\"]}\n```", 1),
            (r#"Sure! {"queries": ["a?"]}"#, 1),
            (r#"["a?"]"#, 1),
            (long.as_str(), 1),
            ("", 0),
        ] {
            assert!(!has_form(text, count), "{text}");
        }
    }

    #[test]
    fn questions_are_the_same_when_their_words_are() {
        assert_eq!(
            normalised("How long, exactly?"),
            normalised("how long - EXACTLY")
        );
        assert_eq!(normalised("?!"), "");
    }
}
