use crate::model::{ChatRole, Message, View};

/// The user's words put first where a template wants a user to speak and none has.
pub const OPENER: &str = "(The conversation begins.)";

/// What becomes of a system message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemRole {
    /// It has a place of its own.
    Supported,
    /// The template itself puts its text into a user's message.
    Folded,
    /// The template loses it without a word.
    Ignored,
    /// The template refuses it.
    Refused,
}

impl SystemRole {
    /// The name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Folded => "folded",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }

    /// Whether a system message reaches the model.
    #[must_use]
    pub fn reaches(self) -> bool {
        matches!(self, Self::Supported | Self::Folded)
    }
}

/// How a template stands to thinking before the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThinkingShape {
    /// What opens and what closes a block of thought.
    pub marks: Option<[String; 2]>,
    /// The variable that switches thinking (`enable_thinking`).
    pub switch: Option<String>,
    /// The generation prompt opens a block of thought that the model goes on with.
    pub opens: bool,
    /// Thoughts in earlier replies are left out of what the model sees.
    pub drops_old: bool,
}

impl ThinkingShape {
    /// Whether the model would think if it were let.
    #[must_use]
    pub fn expected(&self) -> bool {
        self.switch.is_some() || self.opens || self.drops_old
    }
}

/// What a chat template accepts and does, found by rendering probes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent findings, one each"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateShape {
    pub system: SystemRole,
    /// It refuses or loses neighbouring messages of one role.
    pub alternates: bool,
    /// It refuses or loses an assistant's message before the first user's, or a conversation without a user.
    pub user_first: bool,
    /// It strips the outer white space of contents.
    pub trims: bool,
    /// A conversation that grows by whole turns keeps its rendered beginning, so that the cache can be used again.
    pub prefix_stable: bool,
    /// What it renders depends on the day.
    pub dated: bool,
    /// What it says as the system where a conversation has no system message.
    pub default_system: Option<String>,
    /// What follows an assistant's words.
    pub turn_end: String,
    /// What an assistant's words follow.
    pub generation_prompt: String,
    pub thinking: ThinkingShape,
}

impl Default for TemplateShape {
    fn default() -> Self {
        Self {
            system: SystemRole::Supported,
            alternates: false,
            user_first: false,
            trims: false,
            prefix_stable: true,
            dated: false,
            default_system: None,
            turn_end: String::new(),
            generation_prompt: String::new(),
            thinking: ThinkingShape::default(),
        }
    }
}

impl TemplateShape {
    /// The view's messages as the template accepts them: a system message it has no place for is folded into the first
    /// user message, neighbours of one role are merged where they must alternate, and [`OPENER`] speaks first where a
    /// user must.
    ///
    /// A merged message keeps no token ids. Growing a view changes earlier messages only while they are merged with the
    /// new one.
    #[must_use]
    pub fn adapt(&self, view: &View) -> Vec<Message> {
        let mut messages: Vec<Message> = Vec::with_capacity(view.messages.len() + 1);
        let mut folded = String::new();
        for message in &view.messages {
            if message.role == ChatRole::System && !self.system.reaches() {
                join(&mut folded, "\n\n", &message.content);
                continue;
            }
            let first = messages
                .last()
                .is_none_or(|last| last.role == ChatRole::System);
            let mut message = message.clone();
            if first
                && message.role == ChatRole::Assistant
                && (self.user_first || !folded.is_empty())
            {
                messages.push(user(OPENER));
            }
            if !folded.is_empty() {
                // the opener, or the first message of a user
                let target = messages
                    .last_mut()
                    .filter(|last| last.role == ChatRole::User)
                    .unwrap_or(&mut message);
                if target.role == ChatRole::User {
                    target.content = format!("{folded}\n\n{}", target.content);
                    target.tokens.clear();
                    folded.clear();
                }
            }
            match messages.last_mut() {
                Some(last) if self.alternates && last.role == message.role => {
                    join(&mut last.content, "\n", &message.content);
                    last.tokens.clear();
                }
                _ => messages.push(message),
            }
        }
        if !folded.is_empty() {
            messages.push(user(&format!("{folded}\n\n{OPENER}")));
        } else if self.user_first
            && messages
                .iter()
                .all(|message| message.role == ChatRole::System)
        {
            messages.push(user(OPENER));
        }
        messages
    }
}

fn user(content: &str) -> Message {
    Message {
        role: ChatRole::User,
        content: content.to_owned(),
        tokens: Vec::new(),
    }
}

fn join(text: &mut String, between: &str, more: &str) {
    if !text.is_empty() {
        text.push_str(between);
    }
    text.push_str(more);
}
