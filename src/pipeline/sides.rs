//! What each side of a conversation is told, and what it has seen at any of its turns.

use super::SupportSettings;
use crate::dialogue::{Log, project};
use crate::engine::{ChatModel, OPENER, View};
use crate::prompt::{AgentVars, CustomerVars, PassageVar, PromptError, Prompts};
use crate::record::{Case, Cell, Conversation, EndReason, Page, Role, Style};

/// Tokens a chat template may add to a message, reserved per turn.
const MESSAGE_TOKENS: usize = 8;

/// A side's system message with and without what its speaker may say back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub system: String,
    pub instructions: String,
}

/// What a conversation's agents are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    pub customer: Side,
    pub agent: Side,
    /// What joins the agent's turn when the customer decides whether to go on.
    pub status: String,
}

/// What a conversation is about, as far as prompts tell.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub page: &'a Page,
    /// Indices of the page's paragraphs that the agent sees.
    pub passages: &'a [usize],
    pub query: &'a str,
    pub cell: &'a Cell,
    pub case: &'a Case,
}

impl Sides {
    /// Renders the system messages of a conversation.
    ///
    /// # Errors
    /// When a template fails on this data.
    pub fn render(
        prompts: &Prompts,
        settings: &SupportSettings,
        subject: Subject<'_>,
    ) -> Result<Self, PromptError> {
        let Subject {
            page,
            passages,
            query,
            cell,
            case,
        } = subject;
        let agent = AgentVars {
            agent: &settings.agent,
            brand: &settings.brand,
            channel: &settings.channel,
            language: &settings.language,
            max_words: settings.agent_words,
            title: &page.title,
            passages: PassageVar::of(page, passages),
        };
        let customer = CustomerVars {
            name: &case.name,
            brand: &settings.brand,
            channel: &settings.channel,
            language: &settings.language,
            max_words: settings.customer_words,
            query,
            tone: cell.tone,
            style: cell.style,
            outcome: cell.outcome,
            item: &case.item,
            order_id: &case.order_id,
            order_date: &case.order_date,
            price: &case.price,
        };
        Ok(Self {
            customer: Side {
                system: prompts.customer(&customer)?,
                instructions: prompts.customer(&customer.bare())?,
            },
            agent: Side {
                system: prompts.agent(&agent)?,
                instructions: prompts.agent(&agent.bare())?,
            },
            status: prompts.status(&settings.brand)?,
        })
    }

    /// One side's own.
    #[must_use]
    pub fn of(&self, role: Role) -> &Side {
        match role {
            Role::Customer => &self.customer,
            Role::Agent => &self.agent,
        }
    }

    /// The log as one side's model sees it.
    #[must_use]
    pub fn view(&self, role: Role, log: &Log) -> View {
        project(&self.of(role).system, role, log)
    }

    /// The longest the customer's and the agent's view can get when nothing stops them, in tokens.
    #[must_use]
    pub fn worst_case_tokens(
        &self,
        settings: &SupportSettings,
        model: &ChatModel,
        style: Style,
    ) -> [usize; 2] {
        let turns = exchange_tokens(settings, style) * settings.max_turns.div_ceil(2);
        self.fixed_tokens(model).map(|fixed| fixed + turns)
    }

    /// Tokens that the customer's and the agent's view have beside the turns.
    #[must_use]
    pub fn fixed_tokens(&self, model: &ChatModel) -> [usize; 2] {
        let aside =
            model.count_tokens(&self.status) + model.count_tokens(OPENER) + 2 * MESSAGE_TOKENS;
        [&self.customer, &self.agent]
            .map(|side| model.count_tokens(&side.system) + MESSAGE_TOKENS + aside)
    }
}

/// The longest a turn of both sides can get, in tokens.
#[must_use]
pub fn exchange_tokens(settings: &SupportSettings, style: Style) -> usize {
    // Mistyped words fall into more tokens than the model wrote them with.
    let mistyped = if style == Style::Typos { 2 } else { 1 };
    settings.reply_tokens(Role::Customer) * mistyped
        + settings.reply_tokens(Role::Agent)
        + 2 * MESSAGE_TOKENS
}

/// A question put to a model on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// For a turn; a reply that a guard turned down saw the same.
    Turn(Role),
    /// For the customer's decision whether to go on.
    Status,
}

/// What a model saw when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many turns there were.
    pub turn: usize,
    pub asked: Asked,
    pub view: View,
    /// What joined the last message for this one call.
    pub tail: Option<String>,
}

/// What the models saw in the course of a finished conversation, in order.
#[must_use]
pub fn seen(conversation: &Conversation, sides: &Sides, settings: &SupportSettings) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut log = Log::default();
    for turn in &conversation.turns {
        seen.push(Seen {
            turn: log.len(),
            asked: Asked::Turn(turn.speaker),
            view: sides.view(turn.speaker, &log),
            tail: None,
        });
        log.say(
            turn.speaker,
            turn.text.clone(),
            turn.tokens.clone(),
            Vec::new(),
        );
        let last = log.len() == conversation.turns.len();
        // A turn that was cut, or a view that was full, ended it without a decision.
        let undecided = last
            && matches!(
                conversation.end_reason,
                EndReason::GuardCut | EndReason::Context
            );
        if turn.speaker == Role::Agent && settings.decides_after(log.len()) && !undecided {
            seen.push(Seen {
                turn: log.len(),
                asked: Asked::Status,
                view: sides.view(Role::Customer, &log),
                tail: Some(sides.status.clone()),
            });
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::{Ask, ScriptedModel, Session};
    use crate::knowledge::{Format, parse};
    use crate::pipeline::{Assignment, Caller, NoLog, SupportContext, converse};
    use crate::prompt::Pack;
    use crate::record::{Outcome, Query, Tone};
    use crate::rng::Stream;

    fn assignment(slot: u64) -> Assignment {
        let text = "# Returns\n\nYou can return most items within 30 days of delivery. A camera has 45 days for it.\n\n\
                    Washing machines are collected from your home for a fee of £20. Refunds take 5 days after that.";
        Assignment {
            slot,
            attempt: 0,
            cell: Cell {
                page: "returns".into(),
                tone: Tone::Neutral,
                style: [Style::Plain, Style::Typos][usize::try_from(slot % 2).unwrap()],
                product: "camera".into(),
                outcome: Outcome::ALL[usize::try_from(slot % 3).unwrap()],
            },
            case: Case {
                name: "Ada".into(),
                item: "camera".into(),
                order_id: "LK-48213".into(),
                order_date: "3 May".into(),
                price: "£239".into(),
            },
            query: Query {
                id: "returns/0".into(),
                page: "returns".into(),
                text: "How long do I have?".into(),
            },
            page: Arc::new(parse("returns", Format::Markdown, text)),
        }
    }

    /// Asked again with the views that are rebuilt, the model says what it said: they are what it saw.
    #[test]
    fn what_is_rebuilt_is_what_was_seen() {
        let model = ChatModel::Scripted(Arc::new(
            ScriptedModel::parse("scripted:echo=0.1,long=0.1").unwrap(),
        ));
        let context = SupportContext {
            caller: Caller::new(model.clone(), Arc::new(NoLog)),
            prompts: Arc::new(Prompts::embedded(Pack::Compact)),
            settings: Arc::new(SupportSettings::default()),
            root: Stream::root(3),
        };
        let settings = &context.settings;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (mut turns, mut decisions) = (0, 0);
        for slot in 0..30 {
            let assignment = assignment(slot);
            let page = Arc::clone(&assignment.page);
            let made = runtime.block_on(converse(&context, assignment)).unwrap();
            let subject = Subject {
                page: &page,
                passages: &made.passages,
                query: &made.query,
                cell: &made.cell,
                case: &made.case,
            };
            let sides = Sides::render(&context.prompts, settings, subject).unwrap();
            for seen in seen(&made, &sides, settings) {
                let Asked::Turn(role) = seen.asked else {
                    decisions += 1;
                    assert_eq!(seen.turn % 2, 0);
                    assert_eq!(seen.view.messages.len(), seen.turn + 2);
                    continue;
                };
                let turn = &made.turns[seen.turn];
                let attempt = turn.rejected.len().min(1) as u64;
                let draw = context.root.child(&made.id).child(role.name());
                let ask = Ask {
                    view: &seen.view,
                    tail: None,
                    max_new_tokens: settings.reply_tokens(role),
                    thinking_tokens: 0,
                    sampling: settings.sampling(role),
                    grammar: None,
                    stop: &[],
                    draw: draw.at(seen.turn as u64).at(attempt),
                };
                let again = runtime
                    .block_on(model.reply(&Session::Scripted, ask))
                    .unwrap();
                let expected = match turn.rejected.last() {
                    Some(last) if turn.text.is_empty() => &last.text,
                    _ => &turn.text,
                };
                if turn.edits == 0 {
                    assert_eq!(again.text.trim(), expected, "{} {}", made.id, seen.turn);
                    turns += 1;
                }
            }
        }
        assert!(turns > 60 && decisions > 20, "{turns}, {decisions}");
    }
}
