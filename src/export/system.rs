use std::collections::BTreeMap;
use std::fmt::Write;

use crate::record::{Conversation, GroupChat, Page};

/// What a row says first, as `system`: never what its maker was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemRule {
    pub depth: SystemDepth,
    /// Whom the agent speaks for.
    pub brand: String,
    /// The agent's name.
    pub agent: String,
    /// Where they talk: `chat`, `email` or `phone`.
    pub channel: String,
    /// The run's pages by id, where their passages are asked for.
    pub pages: BTreeMap<String, Page>,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SystemDepth {
    /// No system message.
    #[default]
    None,
    /// One sentence: who the assistant is.
    Short,
    /// The sentence, and what the agent knew: the passages that it saw. For members of a group, their situation.
    Page,
}

impl SystemDepth {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::None, Self::Short, Self::Page];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Short => "short",
            Self::Page => "page",
        }
    }
}

impl SystemRule {
    /// Of the agent of a conversation.
    #[must_use]
    pub fn of_agent(&self, conversation: &Conversation) -> Option<String> {
        let channel = match self.channel.as_str() {
            "email" => "by e-mail",
            "phone" => "on the phone",
            _ => "in a chat",
        };
        let mut text = match self.depth {
            SystemDepth::None => return None,
            _ => format!(
                "You are {}, a support agent of {}, and help customers {channel}.",
                self.agent, self.brand
            ),
        };
        if self.depth == SystemDepth::Page
            && let Some(page) = self.pages.get(&conversation.cell.page)
        {
            text.push_str("\n\n");
            text.push_str(&page.title);
            let mut heading = "";
            let passages = conversation.passages.iter();
            for paragraph in passages.filter_map(|place| page.paragraphs.get(*place)) {
                text.push_str("\n\n");
                if paragraph.heading != heading {
                    heading = &paragraph.heading;
                    text.push_str(heading);
                    text.push('\n');
                }
                text.push_str(&paragraph.text);
            }
        }
        Some(text)
    }

    /// Of the customer of a conversation. It saw no page.
    #[must_use]
    pub fn of_customer(&self, conversation: &Conversation) -> Option<String> {
        match self.depth {
            SystemDepth::None => None,
            _ => Some(format!(
                "You are {}, a customer of {} with a question for its support.",
                conversation.case.name, self.brand
            )),
        }
    }

    /// Of a member of a group.
    #[must_use]
    pub fn of_member(&self, chat: &GroupChat, member: usize) -> Option<String> {
        if self.depth == SystemDepth::None {
            return None;
        }
        let individual = chat.experience.participants.get(member)?;
        let others: Vec<&str> = chat
            .names()
            .enumerate()
            .filter(|(place, _)| *place != member)
            .map(|(_, name)| name)
            .collect();
        let known = match individual.summary() {
            known if known.is_empty() => known,
            known => format!(" ({})", known.trim_end_matches('.')),
        };
        let mut text = format!(
            "You are {}{known}, in a group chat with {}.",
            individual.name,
            others.join(", ")
        );
        if self.depth == SystemDepth::Page {
            let experience = &chat.experience;
            for (label, value) in [
                ("Relations", &experience.relations),
                ("Situation", &experience.situation),
                ("Topic", &experience.topic),
            ] {
                if !value.is_empty() {
                    let _ = write!(text, "\n\n{label}: {value}");
                }
            }
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::group::tests::chat;
    use crate::export::messages::tests::conversation;
    use crate::record::Paragraph;

    fn rule(depth: SystemDepth) -> SystemRule {
        let paragraph = |heading: &str, text: &str| Paragraph {
            heading: heading.into(),
            text: text.into(),
        };
        let page = Page {
            id: "returns".into(),
            title: "Returns".into(),
            paragraphs: vec![
                paragraph("", "You may return it."),
                paragraph("Fees", "It costs £9."),
                paragraph("Fees", "Never more."),
                paragraph("Other", "Unseen."),
            ],
        };
        SystemRule {
            depth,
            brand: "Lark & Pine".into(),
            agent: "Robin".into(),
            channel: "chat".into(),
            pages: [(page.id.clone(), page)].into(),
        }
    }

    #[test]
    fn an_agent_says_who_it_is_and_what_it_saw() {
        let mut conversation = conversation();
        conversation.passages = vec![0, 1, 2, 9];
        let told = |depth| rule(depth).of_agent(&conversation);
        assert_eq!(told(SystemDepth::None), None);
        let short = "You are Robin, a support agent of Lark & Pine, and help customers in a chat.";
        assert_eq!(told(SystemDepth::Short).unwrap(), short);
        assert_eq!(
            told(SystemDepth::Page).unwrap(),
            format!(
                "{short}\n\nReturns\n\nYou may return it.\n\nFees\nIt costs £9.\n\nNever more."
            )
        );
        let customer = rule(SystemDepth::Page).of_customer(&conversation).unwrap();
        assert!(
            customer.contains("Ada") && !customer.contains("£9"),
            "{customer}"
        );
    }

    #[test]
    fn a_member_says_who_it_is_and_where() {
        let told = |depth, member| rule(depth).of_member(&chat(), member);
        assert_eq!(told(SystemDepth::None, 1), None);
        assert_eq!(
            told(SystemDepth::Short, 1).unwrap(),
            "You are Jo (A baker who sings), in a group chat with Mara Lind, Adé."
        );
        assert_eq!(
            told(SystemDepth::Page, 2).unwrap(),
            "You are Adé (calm), in a group chat with Mara Lind, Jo.\n\nRelations: neighbours\n\nSituation: the ferry is late\n\nTopic: boats"
        );
        assert_eq!(told(SystemDepth::Short, 7), None);
    }
}
