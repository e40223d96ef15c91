//! A question becomes a customer's first message: about the product of its place in the plan, in the tone and style of its
//! customer. Each step is a call that must prove to have kept the facts.

use super::fit::Fit;
use super::{Caller, PipelineError};
use crate::augment::products;
use crate::augment::verify::{Kind, Rewrite as Attempt, verify};
use crate::engine::{Ask, ChatModel, ChatRole, Sampling, Session, View};
use crate::prompt::{PromptError, Prompts, RewriteVars};
use crate::record::{Cell, FirstLanguage, ModelRole, Query, RefusedRewrite, Rewrite, Style, Tone};
use crate::rng::Stream;

/// A rewrite that does not keep what it has to is made again this often.
const RETRIES: u64 = 1;
/// Tokens of a rewrite for each token of the text, and what it may have beyond.
const GROWTH: usize = 3;
const SPARE_TOKENS: usize = 24;
/// What a template adds to two messages.
const FRAME_TOKENS: usize = 32;

/// What rewriting a question needs.
pub(super) struct Rewriter<'a> {
    pub(super) caller: &'a Caller,
    pub(super) session: &'a Session,
    pub(super) language: &'a str,
    pub(super) sampling: Sampling,
    /// Call keys begin with it, and a slash.
    pub(super) key: String,
    pub(super) draw: Stream,
    /// Names and numbers that must stay.
    pub(super) protected: &'a [&'a str],
    /// It is known that the product fits.
    pub(super) products_fit: bool,
}

/// A step that could not be made: what it was, and why its last try was turned down.
pub(super) struct Stuck {
    pub(super) kind: &'static str,
    pub(super) target: String,
    pub(super) reason: String,
    pub(super) steps: Vec<Rewrite>,
}

/// A step to make.
struct Step<'a> {
    kind: &'static str,
    target: String,
    proof: Kind<'a>,
    first_language: Option<FirstLanguage>,
}

impl Step<'_> {
    /// The two messages of the call.
    fn prompt(
        &self,
        prompts: &Prompts,
        text: &str,
        keep: &[String],
        language: &str,
    ) -> Result<(String, String), PromptError> {
        let target = |kind: &str| {
            if self.kind == kind { &self.target } else { "" }
        };
        let habits = self.first_language.map(FirstLanguage::habits);
        prompts.rewrite(&RewriteVars {
            text,
            kind: self.kind,
            keep,
            product: target("product"),
            tone: target("tone"),
            style: target("style"),
            first_language: self.first_language.map_or("", FirstLanguage::title),
            habits: habits.as_deref().unwrap_or_default(),
            language,
        })
    }
}

/// The steps that a place of the plan asks for, in order: product, tone, style. A question that says its own tone or style is in
/// it already.
fn steps<'a>(query: &Query, cell: &'a Cell) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    if let Some(product) = &cell.product {
        steps.push(Step {
            kind: "product",
            target: product.clone(),
            proof: Kind::Product(product),
            first_language: None,
        });
    }
    if cell.tone != Tone::Neutral && query.tone.is_none() {
        steps.push(Step {
            kind: "tone",
            target: cell.tone.name().to_owned(),
            proof: Kind::Tone,
            first_language: None,
        });
    }
    let style = match cell.style {
        // Mistakes are put in by rule.
        Style::Plain | Style::Typos => None,
        Style::Casual | Style::Colloquial => Some(("colloquial", Kind::Colloquial)),
        Style::Formal => Some(("formal", Kind::Formality)),
        Style::Polite => Some(("polite", Kind::Formality)),
        Style::Rude => Some(("rude", Kind::Formality)),
        Style::NonNative => Some(("non_native", Kind::NonNative)),
    };
    if let Some((name, proof)) = style.filter(|_| query.style.is_none()) {
        steps.push(Step {
            kind: "style",
            target: name.to_owned(),
            proof,
            first_language: cell.first_language,
        });
    }
    steps
}

impl Rewriter<'_> {
    /// Takes a question through all steps.
    pub(super) async fn rewrite(
        &self,
        query: &Query,
        cell: &Cell,
    ) -> Result<Result<Vec<Rewrite>, Stuck>, PipelineError> {
        let mut text = query.text.clone();
        let mut made: Vec<Rewrite> = Vec::new();
        for step in steps(query, cell) {
            let left = if step.kind == "product" && !self.products_fit {
                self.unfit(&text, &step.target).await?
            } else {
                None
            };
            if left.is_some() {
                made.push(Rewrite {
                    kind: step.kind.into(),
                    target: step.target,
                    text: text.clone(),
                    edits: 0,
                    left,
                    refused: Vec::new(),
                });
                continue;
            }
            match self.step(&text, &step, made.len()).await? {
                Ok(rewrite) => {
                    text.clone_from(&rewrite.text);
                    made.push(rewrite);
                }
                Err(refused) => {
                    let reason = refused.last().map(|last| last.reason.clone());
                    made.push(Rewrite {
                        kind: step.kind.into(),
                        target: step.target.clone(),
                        text,
                        edits: 0,
                        left: None,
                        refused,
                    });
                    return Ok(Err(Stuck {
                        kind: step.kind,
                        target: step.target,
                        reason: reason.unwrap_or_default(),
                        steps: made,
                    }));
                }
            }
        }
        Ok(Ok(made))
    }

    /// Why a question is left without the product; nothing where it can be about it.
    async fn unfit(&self, text: &str, product: &str) -> Result<Option<String>, PipelineError> {
        let named = products::named(text);
        if let Some(named) = named.first() {
            return Ok(Some(format!("it is about the {named} already")));
        }
        let fit = Fit {
            caller: self.caller,
            session: self.session,
            sampling: self.sampling,
            key: format!("{}/fit", self.key),
            draw: self.draw.child("fit"),
        };
        let none = fit.ask(text, &[product]).await?.is_empty();
        Ok(none.then(|| "it is about no product".to_owned()))
    }

    async fn step(
        &self,
        before: &str,
        step: &Step<'_>,
        nth: usize,
    ) -> Result<Result<Rewrite, Vec<RefusedRewrite>>, PipelineError> {
        let keep = facts(before, self.protected);
        let (system, user) = step.prompt(self.prompts(), before, &keep, self.language)?;
        let mut view = View::with_system(system);
        view.push(ChatRole::User, user, Vec::new());
        let mut refused = Vec::new();
        for attempt in 0..=RETRIES {
            let key = format!("{}/{nth}/{attempt}", self.key);
            let ask = Ask {
                view: &view,
                tail: None,
                max_new_tokens: self.model().count_tokens(before) * GROWTH + SPARE_TOKENS,
                thinking_tokens: 0,
                sampling: self.sampling,
                grammar: None,
                stop: &[],
                draw: self.draw.at(nth as u64).at(attempt),
            };
            let reply = self
                .caller
                .reply(self.session, ModelRole::Customer, &key, ask)
                .await?;
            let after = bare(&reply.text);
            let proof = verify(Attempt {
                kind: step.proof,
                before,
                after: &after,
                products: &[],
                protected: self.protected,
            });
            match proof {
                Ok(edits) => {
                    return Ok(Ok(Rewrite {
                        kind: step.kind.into(),
                        target: step.target.clone(),
                        text: after,
                        edits: edits.words_changed,
                        left: None,
                        refused,
                    }));
                }
                Err(refusal) => refused.push(RefusedRewrite {
                    text: after,
                    reason: refusal.to_string(),
                }),
            }
        }
        Ok(Err(refused))
    }

    fn model(&self) -> &ChatModel {
        self.caller.cast().model(ModelRole::Customer)
    }

    fn prompts(&self) -> &Prompts {
        &self.caller.cast().of(ModelRole::Customer).prompts
    }
}

/// The longest call for rewriting a question, prompt and reply, in tokens of who rewrites.
///
/// # Errors
/// When a prompt does not render.
pub(super) fn rewrite_tokens(
    model: &ChatModel,
    prompts: &Prompts,
    language: &str,
    query: &Query,
    cell: &Cell,
) -> Result<usize, PromptError> {
    // Every step may make it longer.
    let longest = format!("{0} {0}", query.text);
    let keep = [longest.clone()];
    let mut prompt = 0;
    for step in steps(query, cell) {
        let (system, user) = step.prompt(prompts, &longest, &keep, language)?;
        prompt = prompt.max(model.count_tokens(&system) + model.count_tokens(&user));
    }
    Ok(prompt + FRAME_TOKENS + model.count_tokens(&longest) * GROWTH + SPARE_TOKENS)
}

/// What must stay as it is written: words with digits, and the protected phrases that are there.
fn facts(text: &str, protected: &[&str]) -> Vec<String> {
    let numbers = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '£' && c != '$'))
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
        .map(str::to_owned);
    let named = protected
        .iter()
        .filter(|phrase| !phrase.is_empty() && text.contains(**phrase))
        .map(|phrase| (*phrase).to_owned());
    let mut facts: Vec<String> = numbers.chain(named).collect();
    facts.dedup();
    facts
}

/// A reply on one line, without the quotation marks around it.
fn bare(reply: &str) -> String {
    let line = reply.split_whitespace().collect::<Vec<_>>().join(" ");
    let inner = line
        .strip_prefix(['"', '“'])
        .and_then(|rest| rest.strip_suffix(['"', '”']));
    inner.unwrap_or(&line).trim().to_owned()
}
