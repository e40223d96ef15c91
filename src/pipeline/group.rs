use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Asked, Caller, Cast, PipelineError, Seen, ViewTokens};
use crate::dialogue::{
    DecisionRule, Floor, FloorRules, Next, addresses, choose_speaker, moves_of, project_member,
    without_label,
};
use crate::engine::{Ask, ChatError, ChatRole, Completion, Finish, Sampling, Session, View};
use crate::guards::{self, Instructions, Utterance};
use crate::prompt::{LineVar, MemberVars, NextSpeakerVars, PromptError};
use crate::record::{
    EndReason, Experience, GroupChat, GuardHit, ModelRole, MoveSigns, Rejected, Remark, Verdict,
};
use crate::rng::Stream;

/// A reply that a guard turns down is made again this often.
const REGENERATIONS: u64 = 1;
/// Tokens a word may take, and what a reply may have beyond its words.
const TOKENS_PER_WORD: usize = 3;
const SPARE_TOKENS: usize = 16;
/// Tokens of a name before a turn, and of what a template adds to a message.
const LABEL_TOKENS: usize = 12;
/// Tokens that a name may have as an answer.
const NAME_TOKENS: usize = 16;

/// What shapes a group chat. Part of the stage's fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSettings {
    pub language: String,
    /// Each chat draws its number of turns between them.
    pub min_turns: usize,
    pub max_turns: usize,
    /// Words one turn may have.
    pub words: usize,
    pub sampling: Sampling,
    /// How the next speaker is taken from the likelihoods of the names.
    pub decision: DecisionRule,
    pub floor: FloorRules,
    /// How members leave, pause and break in.
    pub signs: MoveSigns,
    /// Tokens a member may think before each turn.
    pub thinking: usize,
}

impl GroupSettings {
    /// The token limit of a reply.
    #[must_use]
    pub fn reply_tokens(&self) -> usize {
        self.words * TOKENS_PER_WORD + SPARE_TOKENS
    }
}

/// What all group chats of a run share.
#[derive(Clone)]
pub struct GroupContext {
    pub caller: Caller,
    pub settings: Arc<GroupSettings>,
    /// The run's root stream; each chat draws below its own id.
    pub root: Stream,
}

/// What everyone in a group is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    pub members: Vec<Member>,
    pub opening: String,
    /// Descriptions in the order of the names, which is the same whatever order the participants come in.
    descriptions: Vec<String>,
    /// Places of the participants in the order of their names.
    order: Vec<usize>,
}

/// A member's system message with and without what the member may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub system: String,
    pub instructions: Instructions,
}

impl Members {
    /// Renders the messages of a group.
    ///
    /// # Errors
    /// When a template fails on this data.
    pub fn render(
        cast: &Cast,
        settings: &GroupSettings,
        experience: &Experience,
    ) -> Result<Self, PromptError> {
        let speaks = &cast.of(ModelRole::Member).prompts;
        let chooses = &cast.of(ModelRole::Manager).prompts;
        let member = |place: usize| {
            let vars = MemberVars::of(
                experience,
                place,
                &settings.language,
                settings.words,
                &settings.signs,
            );
            Ok(Member {
                name: vars.name.to_owned(),
                system: speaks.member(&vars)?,
                instructions: Instructions::new(speaks.member(&vars.bare())?),
            })
        };
        let people = &experience.participants;
        let mut order: Vec<usize> = (0..people.len()).collect();
        order.sort_by(|a, b| people[*a].name.cmp(&people[*b].name));
        Ok(Self {
            members: (0..people.len())
                .map(member)
                .collect::<Result<_, PromptError>>()?,
            opening: speaks.opening(experience)?,
            descriptions: order
                .iter()
                .map(|place| chooses.describe(&people[*place]))
                .collect::<Result<_, _>>()?,
            order,
        })
    }

    /// The chat as one member's model sees it.
    #[must_use]
    pub fn view(&self, member: usize, remarks: &[Remark]) -> View {
        let names: Vec<&str> = self.members.iter().map(|m| m.name.as_str()).collect();
        project_member(
            &self.members[member].system,
            &self.opening,
            member,
            &names,
            remarks,
        )
    }

    /// The question who speaks next, as the model sees it that decides; with nothing said where `remarks` is `None`.
    ///
    /// # Errors
    /// When the template fails on this data.
    pub fn choosing_view(
        &self,
        cast: &Cast,
        remarks: Option<&[Remark]>,
    ) -> Result<View, PromptError> {
        let lines = remarks.unwrap_or_default().iter().map(|remark| LineVar {
            speaker: &self.members[remark.speaker].name,
            text: &remark.text,
        });
        let prompts = &cast.of(ModelRole::Manager).prompts;
        let asked = prompts.next_speaker(&NextSpeakerVars {
            descriptions: &self.descriptions,
            opening: remarks.map_or("", |_| &self.opening),
            transcript: lines.collect(),
            names: self
                .order
                .iter()
                .map(|place| self.members[*place].name.as_str())
                .collect(),
        })?;
        let mut view = View::default();
        view.push(ChatRole::User, asked, Vec::new());
        Ok(view)
    }

    /// The longest that each view can get, in tokens of who reads it.
    ///
    /// # Errors
    /// When a template fails on this data.
    pub fn views(
        &self,
        settings: &GroupSettings,
        cast: &Cast,
    ) -> Result<Vec<ViewTokens>, PromptError> {
        let turn = settings.reply_tokens() + LABEL_TOKENS;
        let member = cast.model(ModelRole::Member);
        let mut views: Vec<ViewTokens> = self
            .members
            .iter()
            .map(|one| {
                let fixed = member.count_tokens(&one.system)
                    + member.count_tokens(&self.opening)
                    + 2 * LABEL_TOKENS
                    + member.thought_room(settings.thinking);
                ViewTokens {
                    reader: ModelRole::Member,
                    fixed,
                    exchange: turn,
                    worst: (fixed + turn * settings.max_turns).min(member.context_tokens()),
                }
            })
            .collect();
        if settings.floor.method == crate::dialogue::Method::Auto {
            let manager = cast.model(ModelRole::Manager);
            let asked = self.choosing_view(cast, Some(&[]))?;
            let fixed: usize = asked
                .messages
                .iter()
                .map(|message| manager.count_tokens(&message.content) + LABEL_TOKENS)
                .sum::<usize>()
                + NAME_TOKENS;
            views.push(ViewTokens {
                reader: ModelRole::Manager,
                fixed,
                exchange: turn,
                worst: (fixed + turn * settings.max_turns).min(manager.context_tokens()),
            });
        }
        Ok(views)
    }
}

/// Lets a group talk until its turns are over, everyone has left, or something cuts it off.
///
/// # Errors
/// When a call fails for another reason than a full context, or cannot be written down.
pub async fn chat(
    context: &GroupContext,
    slot: u64,
    attempt: u32,
    experience: &Experience,
) -> Result<GroupChat, PipelineError> {
    let settings = &context.settings;
    let cast = context.caller.cast();
    let id = format!("c/{slot}/{attempt}");
    let draw = context.root.child(&id);
    let spread = settings.max_turns.saturating_sub(settings.min_turns) + 1;
    let planned_turns = settings.min_turns + draw.child("turns").below(0, spread);
    let members = Members::render(cast, settings, experience)?;
    let reserved: Vec<(ModelRole, usize)> = members
        .views(settings, cast)?
        .into_iter()
        .map(|view| (view.reader, view.worst))
        .collect();
    let mut group = Group {
        context,
        floor: Floor::new(members.members.len()),
        members,
        id: id.clone(),
        draw,
        priors: None,
        remarks: Vec::new(),
        said: Vec::new(),
    };
    let session = context.caller.open(&id, &reserved).await?;
    let ended = match group.talk(&session, planned_turns).await {
        Err(PipelineError::Chat {
            key,
            source: source @ (ChatError::Context { .. } | ChatError::Room { .. }),
        }) => (EndReason::Context, format!("{key}: {source}")),
        result => result?,
    };
    let (end_reason, detail) = ended;
    let reject = |reason: &str, detail: String| Verdict::Reject {
        reason: reason.to_owned(),
        detail,
    };
    let turns = group.remarks.len();
    let verdict = match end_reason {
        EndReason::GuardCut | EndReason::Context => reject(end_reason.name(), detail),
        _ if turns < settings.min_turns => reject(
            "too_short",
            format!("{turns} turns, at least {}", settings.min_turns),
        ),
        _ => Verdict::Keep,
    };
    Ok(GroupChat {
        id,
        slot,
        attempt,
        experience: experience.clone(),
        planned_turns,
        turns: group.remarks,
        end_reason,
        verdict,
    })
}

/// What the models saw in the course of a finished group chat, in order.
///
/// # Errors
/// When a template fails on this data.
pub fn seen_in_group(
    chat: &GroupChat,
    members: &Members,
    cast: &Cast,
    settings: &GroupSettings,
    root: Stream,
) -> Result<Vec<Seen>, PromptError> {
    let mut seen = Vec::new();
    let mut floor = Floor::new(members.members.len());
    let draw = root.child(&chat.id);
    let mut asked_before = false;
    for (turn, remark) in chat.turns.iter().enumerate() {
        let before = &chat.turns[..turn];
        let next = floor.next(&settings.floor, draw.child("next").at(turn as u64));
        if matches!(next, Next::Among(_)) {
            let mut put = |said: Option<&[Remark]>| {
                seen.push(Seen {
                    turn,
                    asked: Asked::Next,
                    view: members.choosing_view(cast, said)?,
                    tail: None,
                });
                Ok(())
            };
            if !std::mem::replace(&mut asked_before, true) {
                put(None)?;
            }
            put(Some(before))?;
        }
        seen.push(Seen {
            turn,
            asked: Asked::Member,
            view: members.view(remark.speaker, before),
            tail: None,
        });
        floor.took(remark.speaker, &remark.text, &remark.moves);
    }
    Ok(seen)
}

/// A group chat in the making.
struct Group<'a> {
    context: &'a GroupContext,
    members: Members,
    floor: Floor,
    id: String,
    draw: Stream,
    /// Log-probabilities of all names when nothing was said, by place.
    priors: Option<Vec<f32>>,
    remarks: Vec<Remark>,
    /// The same, read.
    said: Vec<Utterance>,
}

impl Group<'_> {
    async fn talk(
        &mut self,
        session: &Session,
        turns: usize,
    ) -> Result<(EndReason, String), PipelineError> {
        while self.remarks.len() < turns {
            let Some(speaker) = self.next_speaker(session).await? else {
                return Ok((EndReason::AllLeft, String::new()));
            };
            if let Err(hit) = self.speak(session, speaker).await? {
                let place = self.remarks.len() - 1;
                let name = &self.members.members[speaker].name;
                let detail = format!("{name}, turn {place}: {}", hit.detail);
                return Ok((EndReason::GuardCut, detail));
            }
        }
        Ok((EndReason::MaxTurns, String::new()))
    }

    async fn next_speaker(&mut self, session: &Session) -> Result<Option<usize>, PipelineError> {
        let settings = &self.context.settings;
        let turn = self.remarks.len();
        let draw = self.draw.child("next").at(turn as u64);
        let able = match self.floor.next(&settings.floor, draw) {
            Next::Nobody => return Ok(None),
            Next::Speaker(speaker) => return Ok(Some(speaker)),
            Next::Among(able) => able,
        };
        // In the order of the names, so that the order of the participants has no say.
        let able: Vec<usize> = self
            .members
            .order
            .iter()
            .copied()
            .filter(|place| able.contains(place))
            .collect();
        let priors = self.priors(session).await?;
        let key = format!("{}/manager/{turn}", self.id);
        let view = self
            .members
            .choosing_view(self.context.caller.cast(), Some(&self.remarks))?;
        let names: Vec<&str> = able.iter().map(|place| self.name(*place)).collect();
        let scores = self
            .context
            .caller
            .choose(session, ModelRole::Manager, &key, &view, "", &names)
            .await?;
        let priors: Vec<f32> = able.iter().map(|place| priors[*place]).collect();
        let last = self.remarks.last();
        let addressed: Vec<bool> = able
            .iter()
            .map(|place| {
                last.is_some_and(|last| {
                    last.speaker != *place && addresses(&last.text, self.name(*place))
                })
            })
            .collect();
        let chosen = choose_speaker(
            &scores,
            &priors,
            &addressed,
            settings.decision,
            draw.child("choice"),
        );
        let chosen = chosen.ok_or(PipelineError::NoChoice { key })?;
        Ok(Some(able[chosen]))
    }

    /// What the model makes of the names by themselves: asked once for a chat.
    async fn priors(&mut self, session: &Session) -> Result<Vec<f32>, PipelineError> {
        if let Some(priors) = &self.priors {
            return Ok(priors.clone());
        }
        let key = format!("{}/manager/prior", self.id);
        let view = self
            .members
            .choosing_view(self.context.caller.cast(), None)?;
        let order = &self.members.order;
        let names: Vec<&str> = order.iter().map(|place| self.name(*place)).collect();
        let scores = self
            .context
            .caller
            .choose(session, ModelRole::Manager, &key, &view, "", &names)
            .await?;
        let mut priors = vec![0.0; order.len()];
        for (place, score) in order.iter().zip(scores) {
            priors[*place] = score;
        }
        self.priors = Some(priors.clone());
        Ok(priors)
    }

    fn name(&self, place: usize) -> &str {
        &self.members.members[place].name
    }

    /// One turn: made, looked at by the guards, made again if need be. `Err` is what cut it; the chat then ends with an empty
    /// turn that keeps the rejected replies.
    async fn speak(
        &mut self,
        session: &Session,
        speaker: usize,
    ) -> Result<Result<(), GuardHit>, PipelineError> {
        let mut rejected: Vec<Rejected> = Vec::new();
        for attempt in 0..=REGENERATIONS {
            let completion = self.ask(session, speaker, attempt).await?;
            let said = Utterance::new(without_label(&completion.text, self.name(speaker)));
            let Some(hit) = self.guard(speaker, &said, completion.finish) else {
                self.say(speaker, said, completion, rejected);
                return Ok(Ok(()));
            };
            let text = said.text().to_owned();
            rejected.push(Rejected { text, hit });
        }
        let hit = rejected
            .last()
            .map(|last| last.hit.clone())
            .expect("at least one reply was made and turned down");
        self.said.push(Utterance::default());
        self.remarks.push(Remark {
            speaker,
            text: String::new(),
            tokens: Vec::new(),
            moves: Vec::new(),
            rejected,
        });
        Ok(Err(hit))
    }

    async fn ask(
        &self,
        session: &Session,
        speaker: usize,
        attempt: u64,
    ) -> Result<Completion, PipelineError> {
        let settings = &self.context.settings;
        let turn = self.remarks.len();
        let view = self.members.view(speaker, &self.remarks);
        let ask = Ask {
            view: &view,
            tail: None,
            max_new_tokens: settings.reply_tokens(),
            thinking_tokens: settings.thinking,
            sampling: settings.sampling,
            grammar: None,
            stop: &[],
            draw: self.draw.child("member").at(turn as u64).at(attempt),
        };
        let key = format!("{}/member/{turn}/{attempt}", self.id);
        self.context
            .caller
            .reply(session, ModelRole::Member, &key, ask)
            .await
    }

    fn guard(&self, speaker: usize, text: &Utterance, finish: Finish) -> Option<GuardHit> {
        let texts = |own: bool| -> Vec<&Utterance> {
            let both = self.remarks.iter().zip(&self.said);
            both.filter(|(remark, _)| (remark.speaker == speaker) == own)
                .map(|(_, said)| said)
                .collect()
        };
        let others: Vec<&str> = (0..self.members.members.len())
            .filter(|place| *place != speaker)
            .map(|place| self.name(place))
            .collect();
        guards::check(&guards::Candidate {
            speaker: None,
            text,
            truncated: finish == Finish::Truncated,
            own: &texts(true),
            other: &texts(false),
            instructions: &self.members.members[speaker].instructions,
            own_name: self.name(speaker),
            other_names: &others,
            max_words: self.context.settings.words,
        })
    }

    fn say(
        &mut self,
        speaker: usize,
        said: Utterance,
        completion: Completion,
        rejected: Vec<Rejected>,
    ) {
        let text = said.text().to_owned();
        self.said.push(said);
        let moves = moves_of(&text, &self.context.settings.signs);
        self.floor.took(speaker, &text, &moves);
        let tokens = if completion.text == text {
            completion.tokens
        } else {
            Vec::new()
        };
        self.remarks.push(Remark {
            speaker,
            text,
            tokens,
            moves,
            rejected,
        });
    }
}
