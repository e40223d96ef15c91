use std::sync::Arc;

use super::{CallLog, CallOutcome, Cast, PipelineError};
use crate::engine::{Ask, ChatError, ChatModel, Completion, Session, View};
use crate::record::ModelRole;

/// Models whose every call is looked up before it is made, and written down before anything reads it.
#[derive(Clone)]
pub struct Caller {
    cast: Cast,
    log: Arc<dyn CallLog + Send + Sync>,
}

impl Caller {
    /// Calls of the models of `cast`, remembered in `log`.
    #[must_use]
    pub fn new(cast: Cast, log: Arc<dyn CallLog + Send + Sync>) -> Self {
        Self { cast, log }
    }

    /// Who plays which role, for what needs no call.
    #[must_use]
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Reserves room for a record's views, each with who reads it, in all models at once.
    ///
    /// # Errors
    /// When they would never fit.
    pub async fn open(
        &self,
        key: &str,
        worst_case_tokens: &[(ModelRole, usize)],
    ) -> Result<Session, PipelineError> {
        let views: Vec<(&ChatModel, &[usize])> = worst_case_tokens
            .iter()
            .map(|(role, tokens)| (self.cast.model(*role), std::slice::from_ref(tokens)))
            .collect();
        let opened = ChatModel::open_together(&views).await;
        opened.map_err(|source| PipelineError::Chat {
            key: key.to_owned(),
            source,
        })
    }

    /// One reply of who plays a role, remembered under `key`.
    ///
    /// # Errors
    /// When the call fails, cannot be written down, or was something else before.
    pub async fn reply(
        &self,
        session: &Session,
        role: ModelRole,
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
        let reply = self.cast.model(role).reply(session, ask).await;
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

    /// The log-probability of each choice for who decides, remembered under `key`.
    ///
    /// # Errors
    /// As for [`Self::reply`].
    pub async fn choose(
        &self,
        session: &Session,
        role: ModelRole,
        key: &str,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, PipelineError> {
        if let Some(scores) = self.recall_choice(key, choices.len())? {
            return Ok(scores);
        }
        let decider = self.cast.model(role);
        let scores = decider.choose(session, view, tail, choices).await;
        self.write_choice(key, scores)
    }

    /// The log-probability of each choice as the beginning of what a role says, remembered under `key`.
    ///
    /// # Errors
    /// As for [`Self::reply`].
    pub async fn weigh(
        &self,
        session: &Session,
        role: ModelRole,
        key: &str,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, PipelineError> {
        if let Some(scores) = self.recall_choice(key, choices.len())? {
            return Ok(scores);
        }
        let model = self.cast.model(role);
        let scores = model.weigh(session, view, tail, choices).await;
        self.write_choice(key, scores)
    }

    fn recall_choice(&self, key: &str, choices: usize) -> Result<Option<Vec<f32>>, PipelineError> {
        match self.log.recall(key) {
            None => Ok(None),
            Some(CallOutcome::Choice(scores)) if scores.len() == choices => Ok(Some(scores)),
            Some(_) => Err(PipelineError::OtherKind {
                key: key.to_owned(),
            }),
        }
    }

    fn write_choice(
        &self,
        key: &str,
        scores: Result<Vec<f32>, ChatError>,
    ) -> Result<Vec<f32>, PipelineError> {
        let scores = scores.map_err(|source| PipelineError::Chat {
            key: key.to_owned(),
            source,
        })?;
        self.log.record(key, &CallOutcome::Choice(scores.clone()))?;
        Ok(scores)
    }
}
