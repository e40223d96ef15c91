//! What each side of a conversation is told, and what it has seen at any of its turns.

use super::{Cast, SupportSettings};
use crate::dialogue::{Log, Steering, project};
use crate::engine::{ChatModel, View};
use crate::guards::Instructions;
use crate::prompt::{AgentVars, CustomerVars, PassageVar, PromptError, Prompts, SteerVars};
use crate::record::{
    Case, Cause, Cell, Conversation, EndReason, ModelRole, OPENER, Page, Role, Style,
};
use crate::rng::Stream;

/// Tokens a chat template may add to a message, reserved per turn.
const MESSAGE_TOKENS: usize = 8;

/// A side's system message with and without what its speaker may say back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub system: String,
    pub instructions: Instructions,
}

/// What a conversation's agents are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    pub customer: Side,
    pub agent: Side,
    /// What joins the agent's turn when the customer decides whether to go on.
    pub status: String,
    /// The system message of the model that decides, where it is not the customer's own.
    pub decider: Option<String>,
    /// What joins the customer's turn when the agent's is steered, by how; none where it is not.
    pub steer: Vec<(Steering, String)>,
    /// What joins the agent's turn when the customer is to bring up its second question; none where it has none.
    pub second: Option<String>,
}

/// What a conversation is about, as far as prompts tell.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub page: &'a Page,
    /// Indices of the page's paragraphs that the agent sees.
    pub passages: &'a [usize],
    pub query: &'a str,
    /// The question that follows when that one is settled.
    pub second: Option<&'a str>,
    pub cell: &'a Cell,
    pub case: &'a Case,
}

impl Sides {
    /// Renders the system messages of a conversation.
    ///
    /// # Errors
    /// When a template fails on this data.
    pub fn render(
        cast: &Cast,
        settings: &SupportSettings,
        subject: Subject<'_>,
    ) -> Result<Self, PromptError> {
        let Subject {
            page,
            passages,
            query,
            second,
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
            steered: settings.is_steered(),
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
            first_language: cell.first_language,
            outcome: cell.outcome,
            cooperation: cell.cooperation,
            cause: cell.cause.map_or("", Cause::name),
            item: &case.item,
            order_id: &case.order_id,
            order_date: &case.order_date,
            price: &case.price,
        };
        let (speaks, answers) = (&cast.customer.prompts, &cast.agent.prompts);
        let decides = &cast.status.prompts;
        let steer = if settings.is_steered() {
            steering_notes(settings, answers)?
        } else {
            Vec::new()
        };
        let decider = cast
            .decides_apart()
            .then(|| decides.customer(&customer))
            .transpose()?;
        Ok(Self {
            customer: Side {
                system: speaks.customer(&customer)?,
                instructions: Instructions::new(speaks.customer(&customer.bare())?),
            },
            agent: Side {
                system: answers.agent(&agent)?,
                instructions: Instructions::new(answers.agent(&agent.bare())?),
            },
            second: second.map(|query| speaks.second(query)).transpose()?,
            status: decides.status(&settings.brand)?,
            decider,
            steer,
        })
    }

    /// The note on a turn of the agent; none where it is not steered.
    #[must_use]
    pub fn note(&self, steering: Steering) -> Option<&str> {
        let found = self.steer.iter().find(|(other, _)| *other == steering);
        found.map(|(_, note)| note.as_str())
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

    /// The log as the model sees it that decides for the customer.
    #[must_use]
    pub fn deciding_view(&self, log: &Log) -> View {
        let Some(system) = &self.decider else {
            return self.view(Role::Customer, log);
        };
        let mut view = project(system, Role::Customer, log);
        for message in &mut view.messages {
            // They are another model's ids.
            message.tokens.clear();
        }
        view
    }

    /// The longest that each view can get when nothing stops it, in tokens of who reads it.
    #[must_use]
    pub fn views(&self, settings: &SupportSettings, cast: &Cast, style: Style) -> Vec<ViewTokens> {
        let exchanges = settings.max_turns.div_ceil(2);
        let tokens = |&reader: &ModelRole| {
            let fixed = self.fixed_tokens(settings, cast, reader);
            let exchange = self.exchange_tokens(settings, cast, reader, style);
            ViewTokens {
                reader,
                fixed,
                exchange,
                worst: fixed + exchange * exchanges,
            }
        };
        cast.readers().iter().map(tokens).collect()
    }

    /// Tokens that a view has beside the turns: the thought before a reply is gone when the next one is asked for.
    fn fixed_tokens(&self, settings: &SupportSettings, cast: &Cast, reader: ModelRole) -> usize {
        let model = cast.model(reader);
        let system = match reader {
            ModelRole::Agent => &self.agent.system,
            ModelRole::Status => self.decider.as_ref().unwrap_or(&self.customer.system),
            _ => &self.customer.system,
        };
        let steer = self.steer.iter().map(|(_, note)| model.count_tokens(note));
        let aside = model.count_tokens(&self.status)
            + steer.max().unwrap_or(0)
            + self
                .second
                .as_ref()
                .map_or(0, |note| model.count_tokens(note))
            + model.count_tokens(OPENER)
            + 2 * MESSAGE_TOKENS;
        let thought = match reader {
            ModelRole::Customer => settings.customer_thinking,
            ModelRole::Agent => settings.agent_thinking,
            _ => 0,
        };
        model.count_tokens(system) + MESSAGE_TOKENS + aside + model.thought_room(thought)
    }

    /// The longest a turn of both sides can get, in tokens of who reads them.
    fn exchange_tokens(
        &self,
        settings: &SupportSettings,
        cast: &Cast,
        reader: ModelRole,
        style: Style,
    ) -> usize {
        // Mistyped words fall into more tokens than the model wrote them with.
        let mistyped = if style == Style::Typos { 2 } else { 1 };
        let turn = |writer| self.turn_tokens(settings, cast, reader, writer);
        turn(Role::Customer) * mistyped + turn(Role::Agent) + 2 * MESSAGE_TOKENS
    }

    /// The longest a turn of one side can get, in tokens of who reads it.
    fn turn_tokens(
        &self,
        settings: &SupportSettings,
        cast: &Cast,
        reader: ModelRole,
        writer: Role,
    ) -> usize {
        let written = settings.reply_tokens(writer);
        let (from, to) = (cast.model(writer.into()), cast.model(reader));
        if from.is(to) {
            return written;
        }
        // Another model's words fall into as many more tokens as these texts do.
        let count = |model: &ChatModel| {
            let texts = [&self.customer.system, &self.agent.system, &self.status];
            texts.map(|text| model.count_tokens(text)).iter().sum()
        };
        let (as_written, as_read): (usize, usize) = (count(from), count(to));
        written.max((written * as_read).div_ceil(as_written.max(1)))
    }

    /// Whether a customer's turn is no longer than what is reserved for it, whoever reads it.
    pub(super) fn has_room(&self, settings: &SupportSettings, cast: &Cast, text: &str) -> bool {
        cast.readers().iter().all(|&reader| {
            let room = self.turn_tokens(settings, cast, reader, Role::Customer);
            cast.model(reader).count_tokens(text) <= room
        })
    }
}

/// A note for each way in which a turn may be steered.
fn steering_notes(
    settings: &SupportSettings,
    prompts: &Prompts,
) -> Result<Vec<(Steering, String)>, PromptError> {
    let ways = |share: Option<f64>| match share {
        None => vec![None],
        Some(_) => vec![Some(false), Some(true)],
    };
    let mut notes = Vec::new();
    for greet in [false, true] {
        for thank in ways(settings.thank) {
            for ask in ways(settings.ask) {
                let vars = SteerVars {
                    thank: thank.unwrap_or(false),
                    ask: ask.unwrap_or(false),
                    greet,
                };
                notes.push((Steering { greet, thank, ask }, prompts.steer(vars)?));
            }
        }
    }
    Ok(notes)
}

/// How long a view is and may get, in tokens of who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewTokens {
    pub reader: ModelRole,
    /// Without any turn, with the longest thought.
    pub fixed: usize,
    /// Of a turn of both sides at most.
    pub exchange: usize,
    /// With every turn at its longest.
    pub worst: usize,
}

/// A question put to a model on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// For a turn; a reply that a guard turned down saw the same.
    Turn(Role),
    /// For the customer's decision whether to go on.
    Status,
    /// For a turn of a group's member.
    Member,
    /// For the choice of who of a group speaks next.
    Next,
}

impl Asked {
    /// Whose model was asked.
    #[must_use]
    pub fn role(self) -> ModelRole {
        match self {
            Self::Turn(role) => role.into(),
            Self::Status => ModelRole::Status,
            Self::Member => ModelRole::Member,
            Self::Next => ModelRole::Manager,
        }
    }
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
pub fn seen(
    conversation: &Conversation,
    sides: &Sides,
    settings: &SupportSettings,
    root: Stream,
) -> Vec<Seen> {
    let draw = root.child(&conversation.id);
    let mut seen = Vec::new();
    let mut log = Log::default();
    for turn in &conversation.turns {
        let given = settings.opens_with_query && log.is_empty();
        let raises = !log.is_empty() && raised_at(conversation, log.len());
        seen.extend((!given).then(|| Seen {
            turn: log.len(),
            asked: Asked::Turn(turn.speaker),
            view: sides.view(turn.speaker, &log),
            tail: if raises {
                sides.second.clone()
            } else {
                settings
                    .steering(turn.speaker, log.len(), draw)
                    .and_then(|steering| sides.note(steering))
                    .map(str::to_owned)
            },
        }));
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
        let goes_on = raised_at(conversation, log.len());
        if turn.speaker == Role::Agent
            && settings.decides_after(log.len())
            && !undecided
            && !goes_on
        {
            seen.push(Seen {
                turn: log.len(),
                asked: Asked::Status,
                view: sides.deciding_view(&log),
                tail: Some(sides.status.clone()),
            });
        }
    }
    seen
}

/// Whether the customer brought up a question with this turn.
fn raised_at(conversation: &Conversation, turn: usize) -> bool {
    let mut goals = conversation.goals.iter();
    goals.any(|goal| goal.raised == Some(turn))
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

    fn assignment(slot: u64) -> Assignment {
        let text = "# Returns\n\nYou can return most items within 30 days of delivery. A camera has 45 days for it.\n\n\
                    Washing machines are collected from your home for a fee of £20. Refunds take 5 days after that.";
        Assignment {
            slot,
            attempt: 0,
            cell: Cell {
                page: "returns".into(),
                tone: Tone::Neutral,
                style: Style::ALL[usize::try_from(slot).unwrap() % Style::ALL.len()],
                first_language: Some(crate::record::FirstLanguage::Polish),
                product: Some("camera".into()),
                outcome: Outcome::ALL[usize::try_from(slot % 3).unwrap()],
                cooperation: crate::record::Cooperation::Forthcoming,
                cause: None,
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
                tone: None,
                style: None,
            },
            second: (slot % 2 == 1).then(|| Query {
                id: "returns/1".into(),
                page: "returns".into(),
                text: "What does it cost to send something back?".into(),
                tone: None,
                style: None,
            }),
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
            shelf: crate::pipeline::Shelf::default(),
            caller: Caller::new(
                Cast::one(model.clone(), Arc::new(Prompts::embedded(Pack::Compact))),
                Arc::new(NoLog),
            ),
            settings: Arc::new(SupportSettings {
                hold_style: true,
                ..SupportSettings::default()
            }),
            root: Stream::root(3),
        };
        let settings = &context.settings;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (mut turns, mut decisions, mut restyled) = (0, 0, 0);
        for slot in 0..48 {
            let assignment = assignment(slot);
            let page = Arc::clone(&assignment.page);
            let made = runtime.block_on(converse(&context, assignment)).unwrap();
            let subject = Subject {
                page: &page,
                passages: &made.passages,
                query: &made.query,
                second: made.goals.get(1).map(|goal| goal.question.as_str()),
                cell: &made.cell,
                case: &made.case,
            };
            let sides = Sides::render(context.caller.cast(), settings, subject).unwrap();
            for seen in seen(&made, &sides, settings, context.root) {
                let Asked::Turn(role) = seen.asked else {
                    decisions += 1;
                    assert_eq!(seen.turn % 2, 0);
                    assert_eq!(seen.view.messages.len(), seen.turn + 2);
                    continue;
                };
                let turn = &made.turns[seen.turn];
                restyled += usize::from(turn.restyled.is_some());
                let attempt = turn.rejected.len().min(1) as u64;
                let draw = context.root.child(&made.id).child(role.name());
                let ask = Ask {
                    view: &seen.view,
                    tail: seen.tail.as_deref(),
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
        assert!(
            turns > 60 && decisions > 20 && restyled > 20,
            "{turns}, {decisions}, {restyled}"
        );
    }

    #[test]
    fn a_turn_has_as_much_room_as_is_reserved_for_it() {
        let model = ChatModel::Scripted(Arc::new(ScriptedModel::parse("scripted").unwrap()));
        let cast = Cast::one(model.clone(), Arc::new(Prompts::embedded(Pack::Compact)));
        let settings = SupportSettings {
            customer_words: 4,
            ..SupportSettings::default()
        };
        let assignment = assignment(0);
        let subject = Subject {
            page: &assignment.page,
            passages: &[0],
            query: "?",
            second: None,
            cell: &assignment.cell,
            case: &assignment.case,
        };
        let sides = Sides::render(&cast, &settings, subject).unwrap();
        let most = settings.reply_tokens(Role::Customer);
        let text = |words: usize| "word ".repeat(words);
        let longest = (0..100)
            .take_while(|words| sides.has_room(&settings, &cast, &text(*words)))
            .last()
            .unwrap();
        assert_eq!(model.count_tokens(&text(longest)), most);
    }
}
