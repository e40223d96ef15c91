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
