//! Which products a question can be about.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Caller, PipelineError};
use crate::augment::products;
use crate::engine::{Ask, ChatRole, Finish, Grammar, Sampling, Session, View};
use crate::prompt::ProductFitVars;
use crate::record::{ModelRole, Query};
use crate::rng::Stream;

/// Tokens of a name in a list for each of its own, and what a list may have beyond.
const GROWTH: usize = 3;
const SPARE_TOKENS: usize = 24;
/// What a template adds to a message.
const FRAME_TOKENS: usize = 32;
/// A list that breaks off is asked for again this often.
const RETRIES: u64 = 1;

/// What asking for products needs.
#[derive(Clone)]
pub struct FitContext {
    pub caller: Caller,
    pub sampling: Sampling,
    /// The stage's root stream; each question draws below `p/<question>`.
    pub root: Stream,
    /// By the recipe's names, in its order.
    pub products: Vec<String>,
}

/// The products that a question makes sense for, in the order of the context. None where it names one already, which is seen
/// without asking, and where it is about none.
///
/// # Errors
/// When a call fails, cannot be written down, or gives something its grammar forbids.
pub async fn fitting_products(
    context: &FitContext,
    query: &Query,
) -> Result<Vec<String>, PipelineError> {
    let names: Vec<&str> = context.products.iter().map(String::as_str).collect();
    if names_one(&query.text, &names) {
        return Ok(Vec::new());
    }
    let key = format!("p/{}", query.id);
    let tokens = call_tokens(&context.caller, &query.text, &names)?;
    let reserved = [(ModelRole::Customer, tokens)];
    let session = context.caller.open(&key, &reserved).await?;
    let question = Fit {
        caller: &context.caller,
        session: &session,
        sampling: context.sampling,
        draw: context.root.child(&key),
        key,
    };
    question.ask(&query.text, &names).await
}

/// Whether a question speaks of a thing that was bought, under a name of the recipe or a common one.
fn names_one(text: &str, names: &[&str]) -> bool {
    let padded = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric());
        let words: Vec<String> = words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        format!(" {} ", words.join(" "))
    };
    let text_words = padded(text);
    names.iter().any(|name| text_words.contains(&padded(name))) || !products::named(text).is_empty()
}

/// The longest call, prompt and reply, in tokens of who answers.
fn call_tokens(caller: &Caller, text: &str, names: &[&str]) -> Result<usize, PipelineError> {
    let player = caller.cast().of(ModelRole::Customer);
    let asked = player.prompts.product_fit(&ProductFitVars {
        query: text,
        products: names,
    })?;
    let tokens = player.model.count_tokens(&asked) + FRAME_TOKENS + list_tokens(caller, names);
    Ok(tokens.min(player.model.context_tokens()))
}

/// The longest list: nothing keeps a model from saying the longest name again and again.
fn list_tokens(caller: &Caller, names: &[&str]) -> usize {
    let model = caller.cast().model(ModelRole::Customer);
    let longest = names.iter().map(|name| model.count_tokens(name)).max();
    SPARE_TOKENS + names.len() * (longest.unwrap_or(0) * GROWTH + 4)
}

/// A question about products in the making.
pub(super) struct Fit<'a> {
    pub(super) caller: &'a Caller,
    pub(super) session: &'a Session,
    pub(super) sampling: Sampling,
    /// Call keys begin with it, and a slash.
    pub(super) key: String,
    pub(super) draw: Stream,
}

#[derive(Deserialize)]
struct List {
    products: Vec<String>,
}

impl Fit<'_> {
    /// Which of some products a text makes sense for, in their order.
    pub(super) async fn ask(
        &self,
        text: &str,
        names: &[&str],
    ) -> Result<Vec<String>, PipelineError> {
        let prompts = &self.caller.cast().of(ModelRole::Customer).prompts;
        let asked = prompts.product_fit(&ProductFitVars {
            query: text,
            products: names,
        })?;
        let schema = json!({
            "type": "object",
            "properties": { "products": { "type": "array", "items": { "enum": names }, "minItems": 0, "maxItems": names.len() } },
            "required": ["products"],
            "additionalProperties": false,
            "x-guidance": { "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " },
        });
        let mut view = View::default();
        view.push(ChatRole::User, asked, Vec::new());
        for attempt in 0..=RETRIES {
            let key = format!("{}/{attempt}", self.key);
            let ask = Ask {
                view: &view,
                tail: None,
                max_new_tokens: list_tokens(self.caller, names),
                thinking_tokens: 0,
                sampling: self.sampling,
                grammar: Some(Arc::new(Grammar::JsonSchema(schema.to_string()))),
                stop: &[],
                draw: self.draw.at(attempt),
            };
            let reply = self
                .caller
                .reply(self.session, ModelRole::Customer, &key, ask)
                .await?;
            if reply.finish == Finish::Truncated {
                continue;
            }
            let list: List = serde_json::from_str(&reply.text).map_err(|error| {
                let reason = error.to_string();
                PipelineError::Form { key, reason }
            })?;
            let fits = names
                .iter()
                .filter(|name| list.products.iter().any(|own| own == *name));
            return Ok(fits.map(|name| (*name).to_owned()).collect());
        }
        Err(PipelineError::Form {
            key: self.key.clone(),
            reason: "the list broke off".to_owned(),
        })
    }
}
