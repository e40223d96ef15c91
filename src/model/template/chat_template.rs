use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::{Environment, Value};
use serde_json::Value as Json;

use super::Day;
use super::python::{self, Raised};
use super::shape::{self, TemplateShape};
use crate::model::{Message, View};

/// What can go wrong with a chat template.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("no chat template in {}\n  hint: a chat model has one in tokenizer_config.json (`chat_template`) or in chat_template.jinja; base models have none", folder.display())]
    Missing { folder: PathBuf },
    #[error("cannot read {}: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    /// The source is no Jinja, or uses what is not supported.
    #[error("the chat template does not compile: {0}")]
    Compile(String),
    /// The template called `raise_exception`.
    #[error("the chat template refused: {0}")]
    Refused(String),
    #[error("the chat template failed: {0}")]
    Render(String),
    /// No conversation can be rendered with it at all.
    #[error("the chat template renders no conversation of a user and an assistant: {0}")]
    Useless(String),
}

/// A compiled chat template, with what it accepts.
#[derive(Debug)]
pub struct ChatTemplate {
    env: Environment<'static>,
    source: String,
    /// `bos_token` and its kin, and switches such as `enable_thinking`.
    variables: BTreeMap<String, Value>,
    shape: TemplateShape,
}

impl ChatTemplate {
    /// Compiles and probes a template.
    ///
    /// `variables` are the named special tokens (`bos_token`, `eos_token`, …); `day` is what `strftime_now` prints.
    ///
    /// # Errors
    /// When the source does not compile, or renders nothing for the plainest conversation.
    pub fn new(
        source: &str,
        variables: BTreeMap<String, String>,
        day: Day,
    ) -> Result<Self, TemplateError> {
        let env = python::environment(source, day)
            .map_err(|error| TemplateError::Compile(chain(&error)))?;
        let variables = variables
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)))
            .collect();
        let mut template = Self {
            env,
            source: source.to_owned(),
            variables,
            shape: TemplateShape::default(),
        };
        template.shape = shape::probe(&template)?;
        Ok(template)
    }

    /// Reads the template of a model folder: `chat_template.jinja` where there is one, else the key `chat_template` of
    /// `tokenizer_config.json` (one template, or a list of named ones whose `default` is taken).
    ///
    /// # Errors
    /// When neither holds a template, a file cannot be read, or [`ChatTemplate::new`] refuses it.
    pub fn load(folder: &Path, day: Day) -> Result<Self, TemplateError> {
        let config_path = folder.join("tokenizer_config.json");
        let config: Json = match read_optional(&config_path)? {
            None => Json::Null,
            Some(text) => {
                serde_json::from_str(&text).map_err(|error| TemplateError::Malformed {
                    path: config_path.clone(),
                    reason: error.to_string(),
                })?
            }
        };
        let source = match read_optional(&folder.join("chat_template.jinja"))? {
            Some(source) => source,
            None => named_template(&config["chat_template"])
                .map_err(|reason| TemplateError::Malformed {
                    path: config_path,
                    reason,
                })?
                .ok_or_else(|| TemplateError::Missing {
                    folder: folder.to_owned(),
                })?,
        };
        Self::new(&source, special_tokens(&config), day)
    }

    /// Switches thinking of hybrid models on or off (`enable_thinking`); without it their own default holds.
    ///
    /// # Errors
    /// When the template does not render any more.
    pub fn with_thinking(mut self, thinking: bool) -> Result<Self, TemplateError> {
        self.variables
            .insert("enable_thinking".to_owned(), thinking.into());
        self.shape = shape::probe(&self)?;
        Ok(self)
    }

    /// What the template accepts.
    #[must_use]
    pub fn shape(&self) -> &TemplateShape {
        &self.shape
    }

    /// A named special token (`eos_token`), as text.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).and_then(Value::as_str)
    }

    /// The Jinja source, for fingerprints.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of a conversation; with `generation_prompt`, up to where the assistant's next words begin.
    ///
    /// # Errors
    /// When the template refuses the conversation or fails.
    pub fn render(
        &self,
        messages: &[Message],
        generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let messages = messages
            .iter()
            .map(|message| (message.role.name(), message.content.as_str()));
        self.render_pairs(messages, generation_prompt)
    }

    pub(crate) fn render_pairs<'a>(
        &self,
        messages: impl Iterator<Item = (&'static str, &'a str)>,
        generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let messages = messages
            .map(|(role, content)| Value::from_pairs([("role", role), ("content", content)]));
        let mut context = self.variables.clone();
        context.insert("messages".to_owned(), messages.collect());
        context.insert("tools".to_owned(), ().into());
        context.insert("documents".to_owned(), ().into());
        context.insert("add_generation_prompt".to_owned(), generation_prompt.into());
        let template = self
            .env
            .get_template("chat")
            .expect("the template was added when the environment was made");
        template
            .render(Value::from_pairs(context))
            .map_err(|error| match raised(&error) {
                Some(message) => TemplateError::Refused(message),
                None => TemplateError::Render(chain(&error)),
            })
    }

    /// The view's messages as this template accepts them; see [`TemplateShape::adapt`].
    #[must_use]
    pub fn adapt(&self, view: &View) -> Vec<Message> {
        self.shape.adapt(view)
    }
}

fn read_optional(path: &Path) -> Result<Option<String>, TemplateError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TemplateError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

fn named_template(value: &Json) -> Result<Option<String>, String> {
    match value {
        Json::Null => Ok(None),
        Json::String(source) => Ok(Some(source.clone())),
        Json::Array(named) => {
            let named: Vec<_> = named
                .iter()
                .filter_map(|entry| Some((entry["name"].as_str()?, entry["template"].as_str()?)))
                .collect();
            let default =
                named
                    .iter()
                    .find(|(name, _)| *name == "default")
                    .or(if let [only] = &named[..] {
                        Some(only)
                    } else {
                        None
                    });
            if let Some((_, source)) = default {
                return Ok(Some((*source).to_owned()));
            }
            let names: Vec<_> = named.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "chat_template: expected a template named `default` among [{}]",
                names.join(", ")
            ))
        }
        other => Err(format!(
            "chat_template: expected a text or a list of named texts, found {other}"
        )),
    }
}

/// `bos_token`, `eos_token`, …: plain texts, or objects with `content`.
fn special_tokens(config: &Json) -> BTreeMap<String, String> {
    let entries = config
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.ends_with("_token"));
    entries
        .filter_map(|(key, value)| {
            Some((
                key.clone(),
                value
                    .as_str()
                    .or_else(|| value["content"].as_str())?
                    .to_owned(),
            ))
        })
        .collect()
}

fn raised(error: &minijinja::Error) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(Raised(message)) = error.downcast_ref() {
            return Some(message.clone());
        }
        next = error.source();
    }
    None
}

/// An error with its causes, on one line.
fn chain(error: &minijinja::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
