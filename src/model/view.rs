/// A token id of the model's vocabulary.
pub type TokenId = u32;

/// A role of the chat template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatRole {
    System,
    User,
    Assistant,
}

impl ChatRole {
    /// The template's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message as an agent's model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub role: ChatRole,
    pub content: String,
    /// The ids this model generated for `content`; empty when it was not generated here or was changed since. They are
    /// spliced into the prompt so that the cache is hit, wherever the rendered text is what they decode to.
    pub tokens: Vec<TokenId>,
}

/// A conversation as one agent sees it: a system message, the others as `user`, itself as `assistant`. Append-only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub messages: Vec<Message>,
}

impl View {
    /// A view that starts with a system message.
    #[must_use]
    pub fn with_system(text: impl Into<String>) -> Self {
        let mut view = Self::default();
        view.push(ChatRole::System, text, Vec::new());
        view
    }

    /// Appends a message.
    pub fn push(&mut self, role: ChatRole, content: impl Into<String>, tokens: Vec<TokenId>) {
        self.messages.push(Message {
            role,
            content: content.into(),
            tokens,
        });
    }
}
