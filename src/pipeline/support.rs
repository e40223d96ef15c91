mod written;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::matter::Matter;
use super::rewrite::{Rewriter, rewrite_tokens};
use super::sides::{Sides, Subject};
use super::{Caller, Facts, PipelineError, SupportSettings};
use crate::dialogue::{Decision, Log, decide, end_choice, without_resolved};
use crate::engine::{Ask, ChatError, Completion, Finish, Session};
use crate::guards::{self, Utterance};
use crate::knowledge::Passages;
use crate::knowledge::grounding::{Examined, Grounds, Told};
use crate::record::Rewrite;
use crate::record::{
    Case, Cause, Cell, Conversation, EndReason, GuardHit, GuardKind, ModelRole, Outcome, Page,
    Query, Rejected, Role, Verdict,
};
use crate::rng::Stream;

/// A reply that a guard turns down is made again this often.
const REGENERATIONS: u64 = 1;

/// What all conversations of a run share.
#[derive(Clone)]
pub struct SupportContext {
    pub caller: Caller,
    pub settings: Arc<SupportSettings>,
    /// The run's root stream; each conversation draws below its own id.
    pub root: Stream,
    pub shelf: Shelf,
}

/// Pages, each read once, by the first conversation about it. Tokens are those of one agent's model.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<BTreeMap<String, Arc<Shelved>>>>);

/// A page that was read.
#[derive(Debug)]
struct Shelved {
    passages: Passages,
    grounds: Grounds,
}

impl Shelf {
    fn take(&self, page: &Page, count: impl Fn(&str) -> usize) -> Arc<Shelved> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelved) = shelf.get(&page.id) {
            return Arc::clone(shelved);
        }
        let shelved = Arc::new(Shelved {
            passages: Passages::of(page, count),
            grounds: Grounds::of(page),
        });
        shelf.insert(page.id.clone(), Arc::clone(&shelved));
        shelved
    }
}

/// What the plan asks of one try at one place.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub slot: u64,
    pub attempt: u32,
    pub cell: Cell,
    pub case: Case,
    pub query: Query,
    /// Of the same page, to be asked when the first is settled.
    pub second: Option<Query>,
    pub page: Arc<Page>,
}

/// Lets a customer and an agent talk about one question until the customer ends it or something cuts it off.
///
/// # Errors
/// When a call fails for another reason than a full context, or cannot be written down.
pub async fn converse(
    context: &SupportContext,
    assignment: Assignment,
) -> Result<Conversation, PipelineError> {
    let mut talk = Talk::prepare(context, &assignment)?;
    let reserved = talk.worst_case_tokens()?;
    let session = context.caller.open(&talk.id, &reserved).await?;
    let ended = talk.run(&session).await?;
    let unwritten = matches!(ended, Ended::Unwritten(_));
    let (outcome, end_reason, detail) = match ended {
        Ended::ByCustomer(outcome) => (Some(outcome), EndReason::Customer, String::new()),
        Ended::AtLimit(outcome) => (Some(outcome), EndReason::MaxTurns, String::new()),
        Ended::Cut(detail) | Ended::Unwritten(detail) => (None, EndReason::GuardCut, detail),
        Ended::Full(detail) => (None, EndReason::Context, detail),
    };
    let verdict = if unwritten {
        Verdict::Reject {
            reason: "rewrite".to_owned(),
            detail,
        }
    } else {
        judge(
            &context.settings,
            assignment.cell.outcome,
            outcome,
            end_reason,
            detail,
            talk.log.len(),
        )
    };
    let Talk {
        id,
        passages,
        log,
        rewrites,
        matter,
        ..
    } = talk;
    Ok(Conversation {
        id,
        slot: assignment.slot,
        attempt: assignment.attempt,
        cell: assignment.cell,
        case: assignment.case,
        query_id: assignment.query.id,
        query: assignment.query.text,
        rewrites,
        passages,
        turns: log.into_turns(),
        goals: matter.into_goals(),
        outcome,
        end_reason,
        verdict,
    })
}

fn judge(
    settings: &SupportSettings,
    planned: Outcome,
    outcome: Option<Outcome>,
    end_reason: EndReason,
    detail: String,
    turns: usize,
) -> Verdict {
    let reject = |reason: &str, detail: String| Verdict::Reject {
        reason: reason.to_owned(),
        detail,
    };
    match outcome {
        None => reject(end_reason.name(), detail),
        Some(_) if turns < settings.min_turns => reject(
            "too_short",
            format!("{turns} turns, at least {}", settings.min_turns),
        ),
        Some(outcome) if settings.keep_only_planned_outcome && outcome != planned => {
            reject("outcome", format!("{outcome}, planned {planned}"))
        }
        Some(_) => Verdict::Keep,
    }
}

enum Ended {
    ByCustomer(Outcome),
    AtLimit(Outcome),
    Cut(String),
    Full(String),
    /// The question could not be rewritten.
    Unwritten(String),
}

/// One conversation in the making.
struct Talk<'a> {
    context: &'a SupportContext,
    assignment: &'a Assignment,
    id: String,
    draw: Stream,
    shelved: Arc<Shelved>,
    passages: Vec<usize>,
    sides: Sides,
    log: Log,
    /// What the customer has said.
    told: Told,
    rewrites: Vec<Rewrite>,
    matter: Matter,
}

impl<'a> Talk<'a> {
    fn prepare(
        context: &'a SupportContext,
        assignment: &'a Assignment,
    ) -> Result<Self, PipelineError> {
        let (settings, cast) = (&context.settings, context.caller.cast());
        let page = &assignment.page;
        // The agent reads them.
        let count = |text: &str| cast.agent.model.count_tokens(text);
        let shelved = context.shelf.take(page, count);
        let query = &assignment.query.text;
        let kept_back = match assignment.cell.cause {
            Some(Cause::PageLacksIt) => shelved.passages.bearing(query),
            _ => Vec::new(),
        };
        let second = assignment.second.as_ref();
        let questions: Vec<&str> = std::iter::once(query.as_str())
            .chain(second.map(|query| query.text.as_str()))
            .collect();
        // What the agent sees is the same all through, so it has to do for all of them.
        let asked = questions.join(" ");
        let passages = shelved
            .passages
            .choose(&asked, settings.passage_tokens, &kept_back);
        let subject = Subject {
            page,
            passages: &passages,
            query,
            second: questions.get(1).copied(),
            cell: &assignment.cell,
            case: &assignment.case,
        };
        let sides = Sides::render(cast, settings, subject)?;
        let id = format!("c/{}/{}", assignment.slot, assignment.attempt);
        Ok(Self {
            draw: context.root.child(&id),
            sides,
            context,
            assignment,
            id,
            matter: Matter::new(settings.facts, &shelved.passages, &passages, &questions),
            told: Told::new(&settings.brand, &settings.agent, &assignment.case),
            shelved,
            passages,
            log: Log::default(),
            rewrites: Vec::new(),
        })
    }

    /// The longest that each view can get, with who reads it.
    fn worst_case_tokens(&self) -> Result<Vec<(ModelRole, usize)>, PipelineError> {
        let (settings, cast) = (&self.context.settings, self.context.caller.cast());
        let views = self.sides.views(settings, cast, self.assignment.cell.style);
        let mut reserved: Vec<(ModelRole, usize)> = views
            .into_iter()
            .map(|view| {
                let context = cast.model(view.reader).context_tokens();
                (view.reader, view.worst.min(context))
            })
            .collect();
        if settings.opens_with_query {
            let player = cast.of(ModelRole::Customer);
            let Assignment { query, cell, .. } = self.assignment;
            let language = &settings.language;
            let tokens = rewrite_tokens(&player.model, &player.prompts, language, query, cell)?;
            let context = player.model.context_tokens();
            reserved.push((ModelRole::Customer, tokens.min(context)));
        }
        Ok(reserved)
    }

    async fn run(&mut self, session: &Session) -> Result<Ended, PipelineError> {
        let exchange = async {
            match self.open(session).await? {
                Some(ended) => Ok(ended),
                None => self.exchange_turns(session).await,
            }
        };
        match exchange.await {
            Err(PipelineError::Chat {
                key,
                source: source @ (ChatError::Context { .. } | ChatError::Room { .. }),
            }) => Ok(Ended::Full(format!("{key}: {source}"))),
            result => result,
        }
    }

    /// Lets the customer open with the question, where that is how it is done.
    async fn open(&mut self, session: &Session) -> Result<Option<Ended>, PipelineError> {
        let settings = &self.context.settings;
        if !settings.opens_with_query {
            return Ok(None);
        }
        let made = {
            let facts = self.facts();
            let rewriter = Rewriter {
                caller: &self.context.caller,
                session,
                language: &settings.language,
                sampling: settings.customer_sampling,
                key: format!("{}/rewrite", self.id),
                draw: self.draw.child("rewrite"),
                protected: &facts[..],
                products_fit: settings.products_fit,
            };
            let Assignment { query, cell, .. } = self.assignment;
            rewriter.rewrite(query, cell).await?
        };
        match made {
            Err(stuck) => {
                self.rewrites = stuck.steps;
                Ok(Some(Ended::Unwritten(format!(
                    "{} {}: {}",
                    stuck.kind, stuck.target, stuck.reason
                ))))
            }
            Ok(steps) => {
                let last = steps.last().map(|step| step.text.clone());
                let text = last.unwrap_or_else(|| self.assignment.query.text.clone());
                self.rewrites = steps;
                self.write(Role::Customer, 0, text.into(), Vec::new(), Vec::new());
                Ok(None)
            }
        }
    }

    async fn exchange_turns(&mut self, session: &Session) -> Result<Ended, PipelineError> {
        loop {
            for speaker in [Role::Customer, Role::Agent] {
                if speaker == Role::Customer && self.log.len() == 1 {
                    // The question stands there already.
                    continue;
                }
                if let Err(hit) = self.speak(session, speaker).await? {
                    let place = self.log.len() - 1;
                    return Ok(Ended::Cut(format!(
                        "{} turn {place}: {}",
                        speaker.name(),
                        hit.detail
                    )));
                }
            }
            if let Some(ended) = self.ending(session).await? {
                return Ok(ended);
            }
        }
    }

    /// What the customer makes of the agent's last turn. `None` goes on.
    async fn ending(&self, session: &Session) -> Result<Option<Ended>, PipelineError> {
        let settings = &self.context.settings;
        let turn = self.log.len();
        if !settings.decides_after(turn) {
            return Ok(None);
        }
        let at_limit = settings.is_full(turn);
        if self.matter.has_more() && !at_limit {
            // Nobody leaves with a question still to ask.
            return Ok(None);
        }
        let key = format!("{}/status/{turn}/0", self.id);
        let view = self.sides.deciding_view(&self.log);
        let scores = self
            .context
            .caller
            .choose(
                session,
                ModelRole::Status,
                &key,
                &view,
                &self.sides.status,
                Decision::WORDS,
            )
            .await?;
        let scores = if self.matter.is_open() {
            without_resolved(scores)
        } else {
            scores
        };
        let draw = self.draw.child("status").at(turn as u64).at(0);
        let no_choice = || PipelineError::NoChoice { key: key.clone() };
        Ok(
            match decide(&scores, settings.decision, draw).ok_or_else(no_choice)? {
                Decision::End(outcome) => Some(Ended::ByCustomer(outcome)),
                Decision::Continue if at_limit => {
                    let outcome = end_choice(&scores, settings.decision, draw.child("limit"))
                        .ok_or_else(no_choice)?;
                    Some(Ended::AtLimit(outcome))
                }
                Decision::Continue => None,
            },
        )
    }

    /// One turn: made, looked at by the guards, made again if need be. `Err` is what cut it; the log then ends with an
    /// empty turn that keeps the rejected replies.
    async fn speak(
        &mut self,
        session: &Session,
        speaker: Role,
    ) -> Result<Result<(), GuardHit>, PipelineError> {
        let turn = self.log.len();
        let steering = self.context.settings.steering(speaker, turn, self.draw);
        let mut note = steering.and_then(|steering| self.sides.note(steering));
        if speaker == Role::Customer && turn > 0 && self.matter.has_more() {
            self.matter.raise(turn);
            note = self.sides.second.as_deref();
        }
        let note = note.map(ToOwned::to_owned);
        let mut rejected: Vec<Rejected> = Vec::new();
        for attempt in 0..=REGENERATIONS {
            let completion = self
                .ask(session, speaker, turn, attempt, note.as_deref())
                .await?;
            let text = completion.text.trim().to_owned();
            let said = Utterance::new(&text);
            let hit = self.guard(speaker, &said, completion.finish);
            let examined = hit
                .is_none()
                .then(|| self.examine(speaker, &text))
                .flatten();
            // What is only not as it should be is better than nothing.
            let missed = || {
                if attempt == REGENERATIONS {
                    return None;
                }
                let early = (speaker == Role::Customer)
                    .then(|| self.matter.gratitude(turn, &text))
                    .flatten();
                early
                    .or_else(|| self.unbacked(&text, examined.as_ref()))
                    .or_else(|| {
                        Some(GuardHit {
                            kind: GuardKind::Steering,
                            detail: steering?.missed(&text)?,
                        })
                    })
            };
            let Some(hit) = hit.or_else(missed) else {
                let links = examined.map(|seen| seen.links).unwrap_or_default();
                if speaker == Role::Agent {
                    self.matter.hear(turn, said.text(), &links);
                }
                self.say(speaker, turn, said, completion, rejected);
                self.log.link(links);
                return Ok(Ok(()));
            };
            rejected.push(Rejected { text, hit });
        }
        let hit = rejected
            .last()
            .map(|last| last.hit.clone())
            .expect("at least one reply was made and turned down");
        self.log.say(speaker, String::new(), Vec::new(), rejected);
        Ok(Err(hit))
    }

    async fn ask(
        &self,
        session: &Session,
        speaker: Role,
        turn: usize,
        attempt: u64,
        tail: Option<&str>,
    ) -> Result<Completion, PipelineError> {
        let settings = &self.context.settings;
        let view = self.sides.view(speaker, &self.log);
        let ask = Ask {
            view: &view,
            tail,
            max_new_tokens: settings.reply_tokens(speaker),
            thinking_tokens: settings.thinking_tokens(speaker),
            sampling: settings.sampling(speaker),
            grammar: None,
            stop: &settings.stop,
            draw: self.draw.child(speaker.name()).at(turn as u64).at(attempt),
        };
        let key = format!("{}/{}/{turn}/{attempt}", self.id, speaker.name());
        self.context
            .caller
            .reply(session, speaker.into(), &key, ask)
            .await
    }

    fn guard(&self, speaker: Role, text: &Utterance, finish: Finish) -> Option<GuardHit> {
        let names = [
            self.assignment.case.name.as_str(),
            self.context.settings.agent.as_str(),
        ];
        let [own_name, other_name] = if speaker == Role::Customer {
            names
        } else {
            [names[1], names[0]]
        };
        guards::check(&guards::Candidate {
            speaker: Some(speaker),
            text,
            truncated: finish == Finish::Truncated,
            own: &self.log.said_by(speaker),
            other: &self.log.heard_by(speaker),
            instructions: &self.sides.of(speaker).instructions,
            own_name,
            other_names: &[other_name],
            max_words: self.context.settings.max_words(speaker),
        })
    }

    /// What backs a reply of the agent's.
    fn examine(&self, speaker: Role, text: &str) -> Option<Examined> {
        let grounded = speaker == Role::Agent && self.context.settings.facts != Facts::Unread;
        let grounds = &self.shelved.grounds;
        grounded.then(|| grounds.examine(&self.passages, &self.told, text))
    }

    /// What a reply of the agent's states that nothing backs.
    fn unbacked(&self, text: &str, examined: Option<&Examined>) -> Option<GuardHit> {
        if self.context.settings.facts != Facts::Checked {
            return None;
        }
        let first = examined?.not_backed.first()?;
        Some(GuardHit {
            kind: GuardKind::Unbacked,
            detail: format!(
                "neither on the page nor in the case: {}",
                &text[first.span.clone()]
            ),
        })
    }
}
