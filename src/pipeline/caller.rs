use std::sync::Arc;

use super::{CallLog, CallOutcome, PipelineError};
use crate::engine::{Ask, ChatModel, Completion, Session, View};

/// A model whose every call is looked up before it is made, and written down before anything reads it.
#[derive(Clone)]
pub struct Caller {
    model: ChatModel,
    log: Arc<dyn CallLog + Send + Sync>,
}

impl Caller {
    /// Calls of `model`, remembered in `log`.
    #[must_use]
    pub fn new(model: ChatModel, log: Arc<dyn CallLog + Send + Sync>) -> Self {
        Self { model, log }
    }

    /// The model itself, for what needs no call.
    #[must_use]
    pub fn model(&self) -> &ChatModel {
        &self.model
    }

    /// Reserves room for a record's views.
    ///
    /// # Errors
    /// When they would never fit.
    pub async fn open(
        &self,
        key: &str,
        worst_case_tokens: &[usize],
    ) -> Result<Session, PipelineError> {
        let opened = self.model.open(worst_case_tokens).await;
        opened.map_err(|source| PipelineError::Chat {
            key: key.to_owned(),
            source,
        })
    }

    /// One reply, remembered under `key`.
    ///
    /// # Errors
    /// When the call fails, cannot be written down, or was something else before.
    pub async fn reply(
        &self,
        session: &Session,
        key: &str,
        ask: Ask<'_>,
    ) -> Result<Completion, PipelineError> {
        match self.log.recall(key) {
            Some(CallOutcome::Reply(completion)) => return Ok(completion),
            Some(CallOutcome::Choice(_)) => {
                return Err(PipelineError::OtherKind {
                    key: key.to_owned(),
                });
            }
            None => {}
        }
        let reply = self.model.reply(session, ask).await;
        let completion = reply.map_err(|source| PipelineError::Chat {
            key: key.to_owned(),
            source,
        })?;
        let outcome = CallOutcome::Reply(completion);
        self.log.record(key, &outcome)?;
        match outcome {
            CallOutcome::Reply(completion) => Ok(completion),
            CallOutcome::Choice(_) => unreachable!("a reply was just made"),
        }
    }

    /// The log-probability of each choice, remembered under `key`.
    ///
    /// # Errors
    /// As for [`Self::reply`].
    pub async fn choose(
        &self,
        session: &Session,
        key: &str,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, PipelineError> {
        match self.log.recall(key) {
            Some(CallOutcome::Choice(scores)) if scores.len() == choices.len() => {
                return Ok(scores);
            }
            Some(_) => {
                return Err(PipelineError::OtherKind {
                    key: key.to_owned(),
                });
            }
            None => {}
        }
        let scores = self.model.choose(session, view, tail, choices).await;
        let scores = scores.map_err(|source| PipelineError::Chat {
            key: key.to_owned(),
            source,
        })?;
        self.log.record(key, &CallOutcome::Choice(scores.clone()))?;
        Ok(scores)
    }
}
