use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use super::marks::Marks;
use super::memo::Memo;
use crate::model::template::{ChatTemplate, THINK_MARKS, TemplateError, Thought};
use crate::model::tokenizer::{Prefix, Tokenizer, TokenizerError};
use crate::model::{ChatRole, Message, TokenId, View};

/// What can go wrong on the way from a view to ids.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EncodeError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(
        "the conversation uses characters of every private-use range of Unicode; none is left for marks"
    )]
    Marks,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub ids: Vec<TokenId>,
    /// What the template rendered.
    pub text: String,
    /// How many of the ids are the model's own from earlier replies.
    pub spliced_tokens: usize,
}

/// Turns views into prompts for one model. Shared by threads.
#[derive(Debug)]
pub struct Encoder {
    template: ChatTemplate,
    tokenizer: Arc<Tokenizer>,
    /// Cutting at control tokens gives the ids of the whole text; checked once. Where not, nothing is spliced.
    cuts: bool,
    turn_end: Option<TokenId>,
    memo: Mutex<Memo>,
}

impl Encoder {
    /// Joins a template and a tokenizer.
    ///
    /// # Errors
    /// When they do not work on a plain conversation.
    pub fn new(template: ChatTemplate, tokenizer: Arc<Tokenizer>) -> Result<Self, EncodeError> {
        // A vocabulary with marks of thoughts belongs to a model that may think, whatever its template says.
        let known = THINK_MARKS
            .iter()
            .find(|marks| marks.iter().all(|mark| tokenizer.id(mark).is_some()));
        let template = match known {
            Some(marks) if template.shape().thinking.marks.is_none() => {
                template.with_think_marks(marks.map(str::to_owned))?
            }
            _ => template,
        };
        let mut encoder = Self {
            template,
            tokenizer,
            cuts: true,
            turn_end: None,
            memo: Mutex::default(),
        };
        let turns = [
            ("user", "Hi, is it 12.50 €?\n\n"),
            ("assistant", " Yes,\nit is."),
            ("user", "Ok  then"),
        ];
        let text = encoder.template.render_pairs(turns.into_iter(), true)?;
        encoder.cuts = encoder.encode_marked(&text, &[], Marks::first())?.0
            == encoder.tokenizer.encode(&text)?;
        encoder.turn_end = encoder.find_turn_end()?;
        Ok(encoder)
    }

    #[must_use]
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    #[must_use]
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// The same tokenizer behind a template with other variables.
    ///
    /// # Errors
    /// When they do not work on a plain conversation.
    pub fn with_kwargs(&self, kwargs: &BTreeMap<String, Json>) -> Result<Self, EncodeError> {
        let template = self.template.clone().with_kwargs(kwargs)?;
        Self::new(template, Arc::clone(&self.tokenizer))
    }

    /// What opens and what closes a thought.
    #[must_use]
    pub fn think_marks(&self) -> Option<&[String; 2]> {
        self.template.shape().thinking.marks.as_ref()
    }

    /// Those marks of thoughts that are one token each. Answers must not hold them.
    #[must_use]
    pub fn think_ids(&self) -> Vec<TokenId> {
        let marks = self.think_marks().into_iter().flatten();
        marks.filter_map(|mark| self.tokenizer.id(mark)).collect()
    }

    /// The ids that close a thought by force; `on_new_line` says how it ends.
    ///
    /// # Errors
    /// When the mark cannot be tokenised.
    pub fn closing(&self, on_new_line: bool) -> Result<Vec<TokenId>, EncodeError> {
        let Some([_, close]) = self.think_marks() else {
            return Ok(Vec::new());
        };
        let text = format!("{}{close}\n\n", if on_new_line { "" } else { "\n" });
        let mut ids = Vec::new();
        let mut after_control = false;
        for stretch in self.tokenizer.stretches(&text) {
            match stretch {
                Err(id) => ids.push(id),
                Ok(text) if after_control && self.tokenizer.prefix() == Prefix::EveryStretch => {
                    ids.extend(self.tokenizer.encode_plain(text)?);
                }
                Ok(text) => ids.extend(self.tokenizer.encode_inner(text)?),
            }
            after_control = stretch.is_err();
        }
        Ok(ids)
    }

    /// The control token that the template puts after an assistant's words.
    #[must_use]
    pub fn turn_end(&self) -> Option<TokenId> {
        self.turn_end
    }

    /// The ids that end a reply, ascending: `eos_token_id` of `generation_config.json` and of `config.json`, and the
    /// template's own turn end. Where all are silent, the template's `eos_token`.
    #[must_use]
    pub fn end_ids(&self, config: &Json, generation_config: Option<&Json>) -> Vec<TokenId> {
        let mut ids: Vec<TokenId> = self.turn_end.into_iter().collect();
        for config in generation_config.into_iter().chain([config]) {
            let listed = config["eos_token_id"]
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![config["eos_token_id"].clone()]);
            ids.extend(
                listed
                    .iter()
                    .filter_map(Json::as_u64)
                    .filter_map(|id| TokenId::try_from(id).ok()),
            );
        }
        ids.retain(|id| (*id as usize) < self.tokenizer.size());
        if ids.is_empty() {
            ids.extend(
                self.template
                    .variable("eos_token")
                    .and_then(|name| self.tokenizer.id(name)),
            );
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The prompt for the next reply of the view's owner.
    ///
    /// `tail` joins the last message after a newline; after the assistant's own words it is a message of the user. It is
    /// not part of the view, and the next prompt does not have it.
    ///
    /// # Errors
    /// When the template refuses the conversation or a text cannot be tokenised.
    pub fn encode(&self, view: &View, tail: Option<&str>) -> Result<Encoded, EncodeError> {
        self.encode_thought(view, tail, Thought::Closed)
    }

    /// The same, for a thought or for an answer.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn encode_thought(
        &self,
        view: &View,
        tail: Option<&str>,
        thought: Thought,
    ) -> Result<Encoded, EncodeError> {
        let mut messages = self.template.adapt(view);
        let mut joined = "";
        if let Some(tail) = tail {
            if messages
                .last()
                .is_none_or(|last| last.role == ChatRole::Assistant)
            {
                messages.push(Message {
                    role: ChatRole::User,
                    content: tail.to_owned(),
                    tokens: Vec::new(),
                });
            } else {
                joined = tail;
            }
        }
        self.encode_messages(&messages, joined, thought)
    }

    /// The ids of a given reply after a prompt, as for scoring it.
    ///
    /// # Errors
    /// When the text cannot be tokenised.
    pub fn encode_reply(
        &self,
        prompt: &[TokenId],
        reply: &str,
    ) -> Result<Vec<TokenId>, EncodeError> {
        let after_mark = prompt
            .last()
            .is_none_or(|last| self.tokenizer.is_control(*last));
        match self.tokenizer.prefix() {
            Prefix::EveryStretch if after_mark => Ok(self.tokenizer.encode_plain(reply)?),
            _ => Ok(self.tokenizer.encode_inner(reply)?),
        }
    }

    fn encode_messages(
        &self,
        messages: &[Message],
        tail: &str,
        thought: Thought,
    ) -> Result<Encoded, EncodeError> {
        let last = messages.len().saturating_sub(1);
        let with_tail = |index: usize, content: String, tail: &str| match (
            index == last && !tail.is_empty(),
            content.is_empty(),
        ) {
            (true, false) => content + "\n" + tail,
            (true, true) => tail.to_owned(),
            (false, _) => content,
        };
        let render = |contents: &[String]| {
            let pairs = messages
                .iter()
                .zip(contents)
                .map(|(message, content)| (message.role.name(), content.as_str()));
            self.template.render_thought(pairs, true, thought)
        };
        let plain: Vec<String> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| with_tail(index, message.content.clone(), tail))
            .collect();
        let text = render(&plain)?;

        let written: Vec<&str> = plain
            .iter()
            .map(String::as_str)
            .chain([text.as_str()])
            .collect();
        let marks = Marks::unused_in(&written).ok_or(EncodeError::Marks)?;
        let broken_tail = self.broken(tail, marks);
        let broken: Vec<String> = messages
            .iter()
            .map(|message| self.broken(&message.content, marks))
            .collect();
        let marked = |around: bool| {
            let content = |(index, (message, broken)): (usize, (&Message, &String))| {
                let content = if around && self.can_splice(message) {
                    marks.around(index, broken)
                } else {
                    broken.clone()
                };
                with_tail(index, content, &broken_tail)
            };
            render(
                &messages
                    .iter()
                    .zip(&broken)
                    .enumerate()
                    .map(content)
                    .collect::<Vec<_>>(),
            )
        };
        if self.cuts && messages.iter().any(|message| self.can_splice(message)) {
            let marked = marked(true)?;
            if marks.without(&marked) == text {
                let (ids, spliced_tokens) = self.encode_marked(&marked, messages, marks)?;
                return Ok(Encoded {
                    ids,
                    text,
                    spliced_tokens,
                });
            }
        }
        // nothing to splice, or a template that looks into the contents
        if broken_tail != tail
            || broken
                .iter()
                .zip(messages)
                .any(|(broken, message)| *broken != message.content)
        {
            let marked = marked(false)?;
            let (ids, spliced_tokens) = self.encode_marked(&marked, &[], marks)?;
            return Ok(Encoded {
                ids,
                text: marks.without(&marked),
                spliced_tokens,
            });
        }
        let ids = if self.cuts {
            self.encode_marked(&text, &[], marks)?.0
        } else {
            self.tokenizer.encode(&text)?
        };
        Ok(Encoded {
            ids,
            text,
            spliced_tokens: 0,
        })
    }

    /// Whether it is worth marking where a message lies: a template that trims would trim inside the marks.
    fn can_splice(&self, message: &Message) -> bool {
        let trimmed = self.template.shape().trims && message.content.trim() != message.content;
        !message.tokens.is_empty() && !message.content.is_empty() && !trimmed
    }

    /// A text with a mark inside every control word it spells out.
    fn broken(&self, text: &str, marks: Marks) -> String {
        let mut text = text.to_owned();
        loop {
            let spans = self.tokenizer.control_spans(&text);
            // a control word of one character cannot be broken; no vocabulary has one
            let at = |(start, end): (usize, usize)| {
                let word = &text[start..end];
                let from = start + (word.len() - word.trim_start().len());
                text[from..end]
                    .char_indices()
                    .nth(1)
                    .map(|(second, _)| from + second)
            };
            let cuts: Vec<usize> = spans.into_iter().filter_map(at).collect();
            if cuts.is_empty() {
                return text;
            }
            for cut in cuts.into_iter().rev() {
                text.insert(cut, marks.cut());
            }
        }
    }

    /// Tokenises a rendered text with marks in it; also says how many ids were spliced.
    fn encode_marked(
        &self,
        marked: &str,
        messages: &[Message],
        marks: Marks,
    ) -> Result<(Vec<TokenId>, usize), EncodeError> {
        let mut ids = Vec::new();
        let mut spliced = 0;
        let mut at_start = true;
        for stretch in self.tokenizer.stretches(marked) {
            match stretch {
                Err(id) => ids.push(id),
                Ok(stretch) => {
                    let spaced = match self.tokenizer.prefix() {
                        Prefix::Never => false,
                        Prefix::Start => at_start,
                        Prefix::EveryStretch => true,
                    };
                    spliced += self.encode_stretch(stretch, spaced, messages, marks, &mut ids)?;
                }
            }
            at_start = false;
        }
        Ok((ids, spliced))
    }

    /// `spaced`: the tokenizer puts a space before this stretch.
    fn encode_stretch(
        &self,
        stretch: &str,
        spaced: bool,
        messages: &[Message],
        marks: Marks,
        ids: &mut Vec<TokenId>,
    ) -> Result<usize, EncodeError> {
        let mut spliced = 0;
        let mut pending = String::new();
        let mut head = true;
        let mut rest = stretch;
        while let Some((before, index, content, after)) = marks.next_content(rest) {
            pending.push_str(&marks.without(before));
            let content = marks.without(content);
            rest = after;
            let tokens = messages
                .get(index)
                .map_or(&[][..], |message| &message.tokens);
            match self.fit(tokens, &content, &pending, head && spaced) {
                None => pending.push_str(&content),
                Some(Fit { swallows_space }) => {
                    if swallows_space {
                        pending.pop();
                    }
                    self.flush(&mut pending, head && spaced, ids)?;
                    head = false;
                    ids.extend_from_slice(tokens);
                    spliced += tokens.len();
                }
            }
        }
        pending.push_str(&marks.without(rest));
        self.flush(&mut pending, head && spaced, ids)?;
        Ok(spliced)
    }

    fn flush(
        &self,
        pending: &mut String,
        spaced: bool,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), TokenizerError> {
        if pending.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(pending);
        if let Some(known) = self
            .memo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(spaced, &text)
        {
            ids.extend_from_slice(&known);
            return Ok(());
        }
        let new = if spaced {
            self.tokenizer.encode_plain(&text)?
        } else {
            self.tokenizer.encode_inner(&text)?
        };
        ids.extend_from_slice(&new);
        self.memo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keep(spaced, text, new);
        Ok(())
    }

    /// Whether tokens say exactly `content` where it stands: after `before`, which is empty at the start of a stretch.
    fn fit(&self, tokens: &[TokenId], content: &str, before: &str, spaced: bool) -> Option<Fit> {
        if tokens.is_empty() || tokens.iter().any(|id| self.tokenizer.is_control(*id)) {
            return None;
        }
        let bytes: Option<Vec<&[u8]>> = tokens
            .iter()
            .map(|id| self.tokenizer.bytes_of(*id))
            .collect();
        let Some(bytes) = bytes.map(|bytes| bytes.concat()) else {
            return (self.tokenizer.decode(tokens).ok()? == content).then_some(Fit {
                swallows_space: false,
            });
        };
        if bytes == content.as_bytes() {
            return Some(Fit {
                swallows_space: false,
            });
        }
        // the model says a word with its space; the text has the space in front, or the tokenizer puts it there
        let with_space = bytes.strip_prefix(b" ") == Some(content.as_bytes());
        if with_space && before.is_empty() && spaced {
            return Some(Fit {
                swallows_space: false,
            });
        }
        (with_space && before.ends_with(' ')).then_some(Fit {
            swallows_space: true,
        })
    }

    fn find_turn_end(&self) -> Result<Option<TokenId>, EncodeError> {
        const REPLY: &str = "relovawi";
        let text = self
            .template
            .render_pairs([("user", "quva"), ("assistant", REPLY)].into_iter(), false)?;
        let Some((_, after)) = text.split_once(REPLY) else {
            return Ok(None);
        };
        let first = self
            .tokenizer
            .stretches(after)
            .into_iter()
            .find(|stretch| !matches!(stretch, Ok(text) if text.trim().is_empty()));
        Ok(first.and_then(Result::err))
    }
}

/// Where a message's own ids fit.
struct Fit {
    /// The space before the content is the first id's.
    swallows_space: bool,
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
