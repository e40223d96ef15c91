use std::sync::Arc;

use super::{
    Ask, ChatError, Completion, EngineSession, LocalModel, ModelIdentity, Sampling, ScriptedModel,
    View,
};

/// A chat model, whatever computes it.
#[derive(Clone, Debug)]
pub enum ChatModel {
    /// Computed here.
    Local(Arc<LocalModel>),
    /// Follows a script; for tests and for trying the pipeline.
    Scripted(Arc<ScriptedModel>),
}

/// One conversation's place in a model: opened before its first call, given back when dropped.
pub enum Session {
    /// Pages of the engine's pool.
    Local(EngineSession),
    /// Holds nothing.
    Scripted,
}

impl ChatModel {
    /// What identifies the model in fingerprints and records.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        match self {
            Self::Local(model) => model.identity(),
            Self::Scripted(model) => model.identity(),
        }
    }

    /// Tokens a prompt and its reply may have together.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        match self {
            Self::Local(model) => model.context_tokens(),
            Self::Scripted(model) => model.context_tokens(),
        }
    }

    /// The model's own sampling, under the user's.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        match self {
            Self::Local(model) => model.sampling(),
            Self::Scripted(_) => Sampling::default(),
        }
    }

    /// Room for passages that the model asks for, in tokens.
    #[must_use]
    pub fn passage_tokens(&self) -> Option<u32> {
        match self {
            Self::Local(model) => model.passage_tokens(),
            Self::Scripted(_) => None,
        }
    }

    /// Tokens of a text, special-token text counted as plain text.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        match self {
            Self::Local(model) => model.count_tokens(text),
            Self::Scripted(model) => model.count_tokens(text),
        }
    }

    /// Whether it can think before it replies.
    #[must_use]
    pub fn thinks(&self) -> bool {
        match self {
            Self::Local(model) => model.encoder().think_marks().is_some(),
            Self::Scripted(model) => model.thinks(),
        }
    }

    /// Tokens that a thought of at most so many takes, with what opens and closes it.
    #[must_use]
    pub fn thought_room(&self, thinking_tokens: usize) -> usize {
        match self {
            Self::Local(model) => model.thought_room(thinking_tokens),
            Self::Scripted(model) if model.thinks() => thinking_tokens,
            Self::Scripted(_) => 0,
        }
    }

    /// Waits for room and reserves it. `worst_case_tokens` has one entry per view the session will hold.
    ///
    /// # Errors
    /// When the session would never fit.
    pub async fn open(&self, worst_case_tokens: &[usize]) -> Result<Session, ChatError> {
        match self {
            Self::Local(model) => Ok(Session::Local(model.open(worst_case_tokens).await?)),
            Self::Scripted(_) => Ok(Session::Scripted),
        }
    }

    /// The same for a conversation that several models take part in: all is reserved at once, or nothing. A model may come
    /// several times.
    ///
    /// # Errors
    /// When the session would never fit.
    pub async fn open_together(models: &[(&Self, &[usize])]) -> Result<Session, ChatError> {
        let local = |(model, views): &(&Self, _)| match model {
            Self::Local(model) => Some((Arc::clone(model), *views)),
            Self::Scripted(_) => None,
        };
        let locals: Vec<(Arc<LocalModel>, &[usize])> = models.iter().filter_map(local).collect();
        if locals.is_empty() {
            return Ok(Session::Scripted);
        }
        let locals: Vec<(&LocalModel, &[usize])> = locals
            .iter()
            .map(|(model, views)| (model.as_ref(), *views))
            .collect();
        Ok(Session::Local(LocalModel::open_together(&locals).await?))
    }

    /// Whether both are one model, whatever they are called.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(one), Self::Local(other)) => one.is(other),
            (Self::Scripted(one), Self::Scripted(other)) => {
                one.identity().hash == other.identity().hash
            }
            _ => false,
        }
    }

    /// Whether both see a view alike: one model, and the same variables of its template.
    #[must_use]
    pub fn sees_as(&self, other: &Self) -> bool {
        let same_kwargs = match (self, other) {
            (Self::Local(one), Self::Local(other)) => one.kwargs() == other.kwargs(),
            _ => true,
        };
        same_kwargs && self.is(other)
    }

    /// One reply to a view.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn reply(&self, session: &Session, ask: Ask<'_>) -> Result<Completion, ChatError> {
        match (self, session) {
            (Self::Local(model), Session::Local(session)) => model.reply(session, ask).await,
            (Self::Scripted(model), _) => model.reply(ask).await,
            (Self::Local(_), Session::Scripted) => Err(foreign_session()),
        }
    }

    /// The total log-probability of each choice as the whole next reply to `view` with `tail` joined to its last
    /// message, end token included.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn choose(
        &self,
        session: &Session,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, ChatError> {
        match (self, session) {
            (Self::Local(model), Session::Local(session)) => {
                model.choose(session, view, tail, choices).await
            }
            (Self::Scripted(model), _) => model.choose(view, tail, choices).await,
            (Self::Local(_), Session::Scripted) => Err(foreign_session()),
        }
    }

    /// The log-probability of each choice as what the next reply to `view` with `tail` joined to its last message begins
    /// with. What comes after it does not matter, so the probabilities of choices of one token each are shares of one whole.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn weigh(
        &self,
        session: &Session,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, ChatError> {
        match (self, session) {
            (Self::Local(model), Session::Local(session)) => {
                model.weigh(session, view, tail, choices).await
            }
            (Self::Scripted(model), _) => model.weigh(view, tail, choices).await,
            (Self::Local(_), Session::Scripted) => Err(foreign_session()),
        }
    }
}

fn foreign_session() -> ChatError {
    ChatError::Stopped("the session belongs to another model".into())
}
