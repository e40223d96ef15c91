use super::{ChatTemplate, TemplateError};
use crate::model::{ChatRole, Message, View};

/// The user's words put first where a template wants a user to speak and none has.
pub const OPENER: &str = "(The conversation begins.)";

/// What a chat template accepts, found by rendering probes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent findings, one each"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateShape {
    /// It has a place for a system message.
    pub system: bool,
    /// It refuses or loses neighbouring messages of one role.
    pub alternates: bool,
    /// It refuses or loses an assistant's message before the first user's, or a conversation without a user.
    pub user_first: bool,
    /// It strips the outer white space of contents.
    pub trims: bool,
    /// A conversation that grows by whole turns keeps its rendered beginning, so that the cache can be used again.
    pub prefix_stable: bool,
}

impl Default for TemplateShape {
    fn default() -> Self {
        Self {
            system: true,
            alternates: false,
            user_first: false,
            trims: false,
            prefix_stable: true,
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
            if message.role == ChatRole::System && !self.system {
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

const SYSTEM: &str = "system";
const USER: &str = "user";
const ASSISTANT: &str = "assistant";

/// Renders small conversations and looks at what is left of them.
pub(super) fn probe(template: &ChatTemplate) -> Result<TemplateShape, TemplateError> {
    let render = |messages: &[(&'static str, &str)], generation| {
        template.render_pairs(messages.iter().copied(), generation)
    };
    let keeps = |messages: &[(&'static str, &str)]| {
        render(messages, true)
            .is_ok_and(|text| messages.iter().all(|(_, content)| text.contains(content)))
    };
    let plain = [(USER, "quva"), (ASSISTANT, "relo"), (USER, "simu")];
    let text = render(&plain, true)?;
    if !plain.iter().all(|(_, content)| text.contains(content)) {
        return Err(TemplateError::Useless(
            "a message is missing from what it renders".to_owned(),
        ));
    }

    let system = keeps(&[(SYSTEM, "poxi"), (USER, "quva")]);
    let head: &[(&'static str, &str)] = if system { &[(SYSTEM, "poxi")] } else { &[] };
    let after_head = |messages: &[(&'static str, &'static str)]| keeps(&[head, messages].concat());
    let alternates = !after_head(&[(USER, "quva"), (USER, "relo")])
        || !after_head(&[(USER, "quva"), (ASSISTANT, "relo"), (ASSISTANT, "simu")]);
    let user_first =
        !after_head(&[(ASSISTANT, "quva"), (USER, "relo")]) || (system && !keeps(head));
    let padded = [
        (USER, "\n quva \n"),
        (ASSISTANT, "\n relo \n"),
        (USER, "\n simu \n"),
    ];
    let trims = !keeps(&padded) || (system && !keeps(&[(SYSTEM, "\n poxi \n"), (USER, "quva")]));

    let mut views = vec![(USER, "quva")];
    views.splice(..0, head.iter().copied());
    let start = render(&views, true)?;
    views.extend([(ASSISTANT, "relo"), (USER, "simu")]);
    let grown = render(&views, true)?;
    views.extend([(ASSISTANT, "tabe"), (USER, "wify")]);
    let grown_again = render(&views, true)?;
    let prefix_stable = grown.starts_with(&format!("{start}relo"))
        && grown_again.starts_with(&format!("{grown}tabe"));
    Ok(TemplateShape {
        system,
        alternates,
        user_first,
        trims,
        prefix_stable,
    })
}
