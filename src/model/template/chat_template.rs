use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, Value};
use serde_json::Value as Json;

use super::budget::{self, Exhausted};
use super::files::TemplateFiles;
use super::python::{self, Raised};
use super::shape::TemplateShape;
use super::{Day, Thought, probe};
use crate::brief::brief;
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
    /// It went over the budget of one rendering.
    #[error("the chat template was stopped: {0}")]
    Exhausted(String),
    /// No conversation can be rendered with it at all.
    #[error("the chat template renders no conversation of a user and an assistant: {0}")]
    Useless(String),
}

/// A compiled chat template, with what it accepts.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    env: Environment<'static>,
    source: String,
    /// Templates that the model has beside this one, by name (`tool_use`).
    others: BTreeMap<String, String>,
    day: Day,
    /// `bos_token` and its kin.
    variables: BTreeMap<String, Value>,
    /// What the user gives the template beside the conversation.
    kwargs: BTreeMap<String, Value>,
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
        let mut template = Self::unprobed(source, variables, day)?;
        template.probe(None)?;
        Ok(template)
    }

    fn probe(&mut self, marks: Option<[String; 2]>) -> Result<(), TemplateError> {
        self.shape = TemplateShape::default();
        let thinking = probe::thinking(self, marks)?;
        self.shape.thinking = thinking.clone();
        self.shape = probe::probe(self, thinking)?;
        Ok(())
    }

    /// Compiles only.
    pub(super) fn unprobed(
        source: &str,
        variables: BTreeMap<String, String>,
        day: Day,
    ) -> Result<Self, TemplateError> {
        let variables = variables
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)))
            .collect();
        Ok(Self {
            env: compile(source, day)?,
            source: source.to_owned(),
            others: BTreeMap::new(),
            day,
            variables,
            kwargs: BTreeMap::new(),
            shape: TemplateShape::default(),
        })
    }

    /// Reads the template of a model folder: `chat_template.jinja` where there is one (others in
    /// `additional_chat_templates/`), else the key `chat_template` of `tokenizer_config.json` (one template, or a list of
    /// named ones whose `default` is taken), else `chat_template.json`. Special tokens are those of
    /// `tokenizer_config.json`, and of `special_tokens_map.json` where that has others.
    ///
    /// # Errors
    /// When none holds a template, a file cannot be read, or [`ChatTemplate::new`] refuses it.
    pub fn load(folder: &Path, day: Day) -> Result<Self, TemplateError> {
        let files = TemplateFiles::read(folder)?;
        let mut template = Self::new(&files.source, files.special_tokens, day)?;
        template.others = files.others;
        Ok(template)
    }

    /// Gives the template variables beside the conversation, as `chat_template_kwargs` of a recipe names them. `tools` and
    /// `documents` are among them; with tools, the template named `tool_use` is taken where there is one.
    ///
    /// # Errors
    /// When the template does not render any more.
    pub fn with_kwargs(mut self, kwargs: &BTreeMap<String, Json>) -> Result<Self, TemplateError> {
        self.kwargs = kwargs
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(Serde(value))))
            .collect();
        let tools = self.kwargs.get("tools").is_some_and(Value::is_true);
        if tools && let Some(source) = self.others.get("tool_use") {
            source.clone_into(&mut self.source);
            self.env = compile(&self.source, self.day)?;
        }
        let marks = self.shape.thinking.marks.clone();
        self.probe(marks)?;
        Ok(self)
    }

    /// Names what opens and what closes a thought, where the template does not tell.
    ///
    /// # Errors
    /// When the template does not render any more.
    pub fn with_think_marks(mut self, marks: [String; 2]) -> Result<Self, TemplateError> {
        self.probe(Some(marks))?;
        Ok(self)
    }

    /// Whether the template ever looks at a variable. The conversation's own count as given.
    #[must_use]
    pub fn reads(&self, name: &str) -> bool {
        self.undeclared().contains(name)
            || self
                .others
                .values()
                .any(|source| super::source::mentions(source, name))
    }

    fn undeclared(&self) -> BTreeSet<String> {
        let template = self.env.get_template(python::NAME);
        template.map_or_else(
            |_| BTreeSet::new(),
            |template| template.undeclared_variables(false).into_iter().collect(),
        )
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
        self.render_thought(messages, generation_prompt, Thought::Closed)
    }

    /// The same, ending in an opened thought or without any.
    pub(crate) fn render_thought<'a>(
        &self,
        messages: impl Iterator<Item = (&'static str, &'a str)>,
        generation_prompt: bool,
        thought: Thought,
    ) -> Result<String, TemplateError> {
        let shape = &self.shape.thinking;
        let switch = thought
            .variable(shape)
            .filter(|(name, _)| !self.kwargs.contains_key(*name));
        let messages = Self::messages(messages);
        let mut text =
            self.render_with(&self.env, messages, generation_prompt, switch.as_slice())?;
        if generation_prompt {
            let rest = thought.rest(&text, shape);
            text.push_str(&rest);
        }
        Ok(text)
    }

    pub(super) fn messages<'a>(messages: impl Iterator<Item = (&'static str, &'a str)>) -> Value {
        messages
            .map(|(role, content)| Value::from_pairs([("role", role), ("content", content)]))
            .collect()
    }

    /// The same over whole messages (`tool_calls` and all), with variables of the moment over the given ones.
    pub(super) fn render_with(
        &self,
        env: &Environment<'static>,
        messages: Value,
        generation_prompt: bool,
        moment: &[(&str, Value)],
    ) -> Result<String, TemplateError> {
        let mut context = self.variables.clone();
        context.insert("tools".to_owned(), ().into());
        context.insert("documents".to_owned(), ().into());
        context.extend(self.kwargs.clone());
        context.extend(
            moment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        );
        context.insert("messages".to_owned(), messages);
        context.insert("add_generation_prompt".to_owned(), generation_prompt.into());
        let template = env
            .get_template(python::NAME)
            .expect("the template was added when the environment was made");
        budget::begin(self.source.len());
        let mut out = Bounded::default();
        match template.render_captured_to(Value::from_pairs(context), &mut out) {
            Ok(_) => Ok(String::from_utf8(out.bytes).expect("templates write text")),
            Err(error) => Err(failure(&error)),
        }
    }

    /// The same template on another day.
    pub(super) fn on_day(&self, day: Day) -> Result<Environment<'static>, TemplateError> {
        compile(&self.source, day)
    }

    pub(super) fn env(&self) -> &Environment<'static> {
        &self.env
    }

    /// The view's messages as this template accepts them; see [`TemplateShape::adapt`].
    #[must_use]
    pub fn adapt(&self, view: &View) -> Vec<Message> {
        self.shape.adapt(view)
    }
}

/// Text that stops growing at the largest size of a value.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > budget::LARGEST_BYTES {
            return Err(std::io::Error::other(Exhausted(
                "it writes more than 16 MiB",
            )));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn compile(source: &str, day: Day) -> Result<Environment<'static>, TemplateError> {
    python::environment(source, day).map_err(|error| TemplateError::Compile(chain(&error)))
}

fn failure(error: &minijinja::Error) -> TemplateError {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(Raised(message)) = cause.downcast_ref() {
            return TemplateError::Refused(brief(message));
        }
        if let Some(Exhausted(what)) = cause.downcast_ref() {
            return TemplateError::Exhausted((*what).to_owned());
        }
        let written = cause.downcast_ref::<std::io::Error>();
        if let Some(Exhausted(what)) = written
            .and_then(|error| error.get_ref())
            .and_then(|error| error.downcast_ref())
        {
            return TemplateError::Exhausted((*what).to_owned());
        }
        if let Some(error) = cause.downcast_ref::<minijinja::Error>()
            && error.kind() == ErrorKind::OutOfFuel
        {
            return TemplateError::Exhausted("it runs without end".to_owned());
        }
        next = cause.source();
    }
    TemplateError::Render(chain(error))
}

/// An error with its causes, on one line, cut where it is long.
fn chain(error: &minijinja::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    brief(text)
}
