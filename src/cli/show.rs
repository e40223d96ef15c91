//! `colloquy show`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use console::Style;
use serde_json::{Value, json};

use super::args::ShowArgs;
use super::failure::{Code, Failure};
use super::maker::group::group_settings;
use super::maker::support_settings;
use super::status;
use super::talk;
use super::workshop::{Workshop, load_pages};
use crate::engine::{ChatModel, Message};
use crate::model::template::Thought;
use crate::pipeline::{Asked, Members, Seen, Sides, Subject, SupportSettings, seen, seen_in_group};
use crate::record::{
    Conversation, Dialogue, Goal, GoalState, GroupChat, Judgement, Judgements, Link, ModelRole,
    Page, Rejected, Score, Support, Turn, Verdict,
};
use crate::run::{AttemptEnd, Replay, RunDir, SlotState, conversation_id};
use crate::settings::Stage;

pub fn run(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let dir = RunDir::open(&args.run)?;
    let replay = dir.replay()?;
    let wanted = match &args.id {
        Some(id) => attempts(&dir, &replay, id)?,
        None => kept(&dir, &replay),
    };
    let shown = Shown {
        whole: args.id.is_some(),
        json: args.json,
        prompts: args.prompts.then(|| Prompter::open(&dir)).transpose()?,
        judgements: dir.judgements()?.unwrap_or_default(),
        ..Shown::new(&dir)
    };
    if wanted.is_empty() {
        eprintln!(
            "nothing is kept yet; `colloquy status {}` says how far it is",
            dir.path().display()
        );
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for (slot, attempt) in wanted {
        let text = match dir.conversation(&replay, slot, attempt)? {
            Some(conversation) => shown.conversation(&conversation)?,
            None => shown.failed(&replay, slot, attempt),
        };
        if let Err(error) = out.write_all(text.as_bytes()) {
            return gone(&error);
        }
    }
    match out.flush() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => gone(&error),
    }
}

/// A reader that went away has seen enough.
fn gone(error: &io::Error) -> Result<ExitCode, Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::write(Path::new("standard output"), error))
}

/// The kept conversations, in plan order.
pub(super) fn kept(dir: &RunDir, replay: &Replay) -> Vec<(u64, u32)> {
    let attempts = dir.manifest().spec.max_attempts;
    let slots = replay.slots.range(..dir.count(replay).unwrap_or(0));
    slots
        .filter_map(|(slot, history)| match history.state(attempts) {
            SlotState::Kept { attempt } => Some((*slot, attempt)),
            _ => None,
        })
        .collect()
}

/// What an id names: one attempt (`c/12/0`), or all of a place (`12`).
pub(super) fn attempts(
    dir: &RunDir,
    replay: &Replay,
    id: &str,
) -> Result<Vec<(u64, u32)>, Failure> {
    let count = dir.count(replay).unwrap_or(0);
    let bad = || {
        Failure::new(Code::Usage, format!("`{id}` names no conversation"))
            .hint("expected an id like c/12/0, or a place in the plan like 12")
    };
    let (slot, attempt) = match id.split('/').collect::<Vec<_>>()[..] {
        [slot] => (slot.parse::<u64>().map_err(|_| bad())?, None),
        ["c", slot, attempt] => (
            slot.parse::<u64>().map_err(|_| bad())?,
            Some(attempt.parse::<u32>().map_err(|_| bad())?),
        ),
        _ => return Err(bad()),
    };
    if slot >= count {
        return Err(Failure::new(
            Code::Missing,
            format!("there is no place {slot}; the plan has {count}, from 0"),
        ));
    }
    let made: Vec<u32> = replay
        .slots
        .get(&slot)
        .map(|history| history.attempts.keys().copied().collect())
        .unwrap_or_default();
    let found: Vec<(u64, u32)> = made
        .iter()
        .filter(|made| attempt.is_none_or(|wanted| wanted == **made))
        .map(|made| (slot, *made))
        .collect();
    if found.is_empty() {
        let failure = Failure::new(Code::Missing, format!("{id} is not made yet"));
        return Err(match made.last() {
            None => failure.hint(format!(
                "`colloquy status {}` says how far the run is",
                dir.path().display()
            )),
            Some(last) => failure.hint(format!(
                "the last of this place is {}",
                conversation_id(slot, *last)
            )),
        });
    }
    Ok(found)
}

/// The run's pages by id; none when they are gone.
pub(super) fn pages(dir: &RunDir) -> BTreeMap<String, Page> {
    load_pages(&dir.manifest().spec)
        .map(|pages| pages.pages)
        .unwrap_or_default()
        .into_iter()
        .map(|page| (page.id.clone(), page))
        .collect()
}

/// How conversations are to be shown.
pub(super) struct Shown {
    /// Everything that is known of it.
    whole: bool,
    json: bool,
    prompts: Option<Prompter>,
    pages: BTreeMap<String, Page>,
    /// By role, as the user named them.
    models: BTreeMap<ModelRole, String>,
    judgements: Judgements,
}

impl Shown {
    /// As people read them, in short.
    pub(super) fn new(dir: &RunDir) -> Self {
        Self {
            whole: false,
            json: false,
            prompts: None,
            pages: pages(dir),
            models: dir.manifest().model_names(),
            judgements: Judgements::default(),
        }
    }

    /// The same with everything that is known, or without.
    pub(super) fn whole(&mut self, whole: bool) {
        self.whole = whole;
    }

    pub(super) fn conversation(&self, conversation: &Dialogue) -> Result<String, Failure> {
        let prompts = self
            .prompts
            .as_ref()
            .map(|prompter| prompter.prompts(conversation))
            .transpose()?;
        if self.json {
            let mut value = json!(conversation);
            if let Some(prompts) = prompts {
                value["prompts"] = prompts.iter().map(Prompt::to_json).collect();
            }
            if let Some(judgement) = self.judgements.of(conversation.id()) {
                value["judgement"] = json!(judgement);
            }
            return Ok(format!("{value}\n"));
        }
        let page = |id: &str| self.pages.get(id);
        let mut text = talk::block(conversation, page, talk::width());
        if self.whole {
            let page = conversation
                .support()
                .and_then(|made| page(&made.cell.page));
            let judged = self.judgements.of(conversation.id());
            text.push_str(&particulars(conversation, page, &self.models, judged));
        }
        for prompt in prompts.iter().flatten() {
            text.push_str(&prompt.to_text());
        }
        Ok(text)
    }

    /// An attempt that did not become a conversation.
    fn failed(&self, replay: &Replay, slot: u64, attempt: u32) -> String {
        let id = conversation_id(slot, attempt);
        let end = replay
            .slots
            .get(&slot)
            .and_then(|history| history.attempts.get(&attempt))
            .map(|attempt| &attempt.end);
        let reason = match end {
            Some(AttemptEnd::Failed { reason } | AttemptEnd::Rejected { reason }) => reason,
            _ => "unknown",
        };
        if self.json {
            let value = json!({ "id": id, "slot": slot, "attempt": attempt, "failed": reason });
            format!("{value}\n")
        } else {
            format!("{id}: no conversation came of it ({reason})\n")
        }
    }
}

/// What the block of a conversation leaves out.
fn particulars(
    conversation: &Dialogue,
    page: Option<&Page>,
    models: &BTreeMap<ModelRole, String>,
    judged: Option<&Judgement>,
) -> String {
    let mut lines = match conversation {
        Dialogue::Support(conversation) => of_support(conversation),
        Dialogue::Group(chat) => of_group(chat),
    };
    let verdict = match conversation.verdict() {
        Verdict::Keep => "kept".to_owned(),
        Verdict::Reject { reason, .. } => format!("rejected: {reason}"),
    };
    lines.push(("models".into(), status::models(models)));
    lines.push(("verdict".into(), verdict));
    lines.extend(judged.map(|judged| ("judged".into(), told_scores(judged))));
    match conversation {
        Dialogue::Support(conversation) => {
            for (place, turn) in conversation.turns.iter().enumerate() {
                let mut notes = rejections(&turn.rejected);
                match &turn.restyled {
                    Some(lacked) => notes.push(format!(
                        "style put back: {} words (it had {lacked})",
                        turn.edits
                    )),
                    None if turn.edits > 0 => {
                        notes.push(format!("mistyped: {} places", turn.edits));
                    }
                    None => {}
                }
                notes.extend(grounds(turn, page));
                let note = |note| {
                    (
                        format!("turn {place}"),
                        format!("{} {note}", turn.speaker.name()),
                    )
                };
                lines.extend(notes.into_iter().map(note));
            }
        }
        Dialogue::Group(chat) => {
            for (place, turn) in chat.turns.iter().enumerate() {
                let mut notes = rejections(&turn.rejected);
                let moves: Vec<&str> = turn.moves.iter().map(|one| one.name()).collect();
                if !moves.is_empty() {
                    notes.push(format!("does: {}", moves.join(", ")));
                }
                let note = |note| {
                    (
                        format!("turn {place}"),
                        format!("{} {note}", chat.speaker(turn)),
                    )
                };
                lines.extend(notes.into_iter().map(note));
            }
        }
    }
    let dim = Style::new().dim();
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "  {} {value}", dim.apply_to(format!("{name:<9}")));
    }
    text
}

/// A judge's scores in a line.
fn told_scores(judged: &Judgement) -> String {
    let score = |(aspect, score): (&String, &Score)| {
        let control = score.control.as_ref();
        let control = control.map_or(String::new(), |one| format!(" (control {:.1})", one.value));
        format!("{} {:.1}{control}", aspect.replace('_', " "), score.value)
    };
    let harm = judged.harm.iter().map(|harm| {
        let is = if harm.is_harmful() { "" } else { "not " };
        format!("turn {} {is}harmful ({:.0} %)", harm.turn, 100.0 * harm.yes)
    });
    let all: Vec<String> = judged.scores.iter().map(score).chain(harm).collect();
    all.join(", ")
}

fn of_support(conversation: &Conversation) -> Vec<(String, String)> {
    let (case, cell) = (&conversation.case, &conversation.cell);
    let outcome = conversation
        .outcome
        .map_or("none", |outcome| outcome.name());
    let mut lines = vec![
        (
            "question".into(),
            format!("{} ({})", conversation.query, conversation.query_id),
        ),
        (
            "case".into(),
            format!(
                "{}, {}, order {} of {}, {}",
                case.name, case.item, case.order_id, case.order_date, case.price
            ),
        ),
        (
            "outcome".into(),
            format!(
                "{outcome} (planned {}{}), ended by {}",
                cell.outcome,
                cell.cause
                    .map(|cause| format!(": {}", cause.words()))
                    .unwrap_or_default(),
                conversation.end_reason
            ),
        ),
    ];
    lines.extend(
        conversation
            .goals
            .iter()
            .map(|goal| ("goal".into(), told_goal(goal))),
    );
    lines
}

/// How far a question got, in a line.
fn told_goal(goal: &Goal) -> String {
    let at = |turn: Option<usize>| turn.map_or(String::new(), |turn| format!(" at turn {turn}"));
    let state = match goal.state() {
        _ if goal.raised.is_none() => "never asked".to_owned(),
        GoalState::Open => "open".to_owned(),
        GoalState::Attempted => format!("attempted{}", at(goal.attempted)),
        GoalState::Done => format!("done{}, attempted{}", at(goal.done), at(goal.attempted)),
    };
    format!("{state}: {}", goal.question)
}

fn of_group(chat: &GroupChat) -> Vec<(String, String)> {
    let experience = &chat.experience;
    let mut lines = vec![
        (
            "from".to_owned(),
            format!(
                "experience {}, {} from the human ones",
                experience.id, experience.depth
            ),
        ),
        ("relations".to_owned(), experience.relations.clone()),
        ("starter".to_owned(), experience.starter.clone()),
    ];
    for individual in &experience.participants {
        let mut facts: Vec<String> = Vec::new();
        facts.extend(individual.persona.clone());
        facts.extend(individual.age.map(|age| age.to_string()));
        facts.extend(individual.nationality.clone());
        facts.extend(individual.qualities.iter().cloned());
        facts.extend(individual.speech_style.clone());
        facts.extend(individual.work.clone());
        facts.extend(individual.memory.clone());
        lines.push((individual.name.clone(), facts.join(", ")));
    }
    lines.push((
        "end".to_owned(),
        format!(
            "{} after {} of {} turns",
            chat.end_reason,
            chat.turns.len(),
            chat.planned_turns
        ),
    ));
    lines
}

/// What backs each sentence of a turn that claims something.
fn grounds(turn: &Turn, page: Option<&Page>) -> Vec<String> {
    let told = |link: &Link| {
        let sentence = turn.text.get(link.sentence.clone()).unwrap_or_default();
        match &link.verdict {
            Support::NoClaim => None,
            Support::Unsupported { why } => Some(format!("not backed ({why}): {sentence:?}")),
            Support::Supported { paragraph, span } => {
                let source = page
                    .and_then(|page| page.paragraphs.get(*paragraph))
                    .and_then(|paragraph| paragraph.text.get(span.clone()));
                let source = source.map_or_else(String::new, |text| format!(", {text:?}"));
                Some(format!(
                    "backed by paragraph {paragraph}{source}: {sentence:?}"
                ))
            }
        }
    };
    turn.links.iter().filter_map(told).collect()
}

fn rejections(rejected: &[Rejected]) -> Vec<String> {
    let told = |rejected: &Rejected| {
        let kind = json!(rejected.hit.kind);
        let kind = kind.as_str().unwrap_or_default().replace('_', " ");
        format!(
            "reply turned down ({kind}: {}): {:?}",
            rejected.hit.detail, rejected.text
        )
    };
    rejected.iter().map(told).collect()
}

/// Rebuilds what models saw.
struct Prompter {
    workshop: Workshop,
    /// By role, as the user named them when the run began.
    names: BTreeMap<ModelRole, String>,
    settings: SupportSettings,
    /// How many tokens were thought before each reply, by the call's key; empty where nobody may think.
    thoughts: BTreeMap<String, usize>,
}

/// What a model saw for one call.
struct Prompt {
    seen: Seen,
    /// As the user named it.
    model: String,
    /// How many tokens were thought, by try; none where nothing may be.
    thoughts: Vec<usize>,
    /// What its template made of it; none for a model without one.
    encoded: Option<Encoded>,
}

struct Encoded {
    text: String,
    ids: Vec<u32>,
    own_tokens: usize,
}

impl Prompter {
    /// Opens what the run was made with, and makes sure that it is still the same.
    fn open(dir: &RunDir) -> Result<Self, Failure> {
        let workshop = Workshop::open(dir.manifest().spec.clone())?;
        let changed = dir.manifest().changed_keys(&workshop.manifest);
        if !changed.is_empty() {
            return Err(Failure::new(
                Code::Data,
                format!(
                    "the prompts of {} cannot be rebuilt; changed since it was made: {}",
                    dir.path().display(),
                    changed.join(", ")
                ),
            )
            .hint("bring back what it was made with; without --prompts everything is shown"));
        }
        let settings = support_settings(&workshop.spec, &workshop.cast);
        Ok(Self {
            workshop,
            names: dir.manifest().model_names(),
            thoughts: if settings.customer_thinking + settings.agent_thinking > 0 {
                dir.thoughts()?
            } else {
                BTreeMap::new()
            },
            settings,
        })
    }

    fn prompts(&self, conversation: &Dialogue) -> Result<Vec<Prompt>, Failure> {
        let seen = match conversation {
            Dialogue::Support(conversation) => self.seen(conversation)?,
            Dialogue::Group(chat) => {
                let (spec, cast) = (&self.workshop.spec, &self.workshop.cast);
                let settings = group_settings(spec, cast);
                let members = Members::render(cast, &settings, &chat.experience)?;
                seen_in_group(
                    chat,
                    &members,
                    cast,
                    &settings,
                    spec.draws(Stage::Conversations),
                )?
            }
        };
        seen.into_iter()
            .map(|seen| self.prompt(conversation.id(), seen))
            .collect()
    }

    fn seen(&self, conversation: &Conversation) -> Result<Vec<Seen>, Failure> {
        let page = self
            .workshop
            .pages
            .get(&conversation.cell.page)
            .map(Arc::as_ref)
            .ok_or_else(|| {
                Failure::new(
                    Code::Data,
                    format!(
                        "{}: page {} is not among the inputs",
                        conversation.id, conversation.cell.page
                    ),
                )
            })?;
        let subject = Subject {
            page,
            passages: &conversation.passages,
            query: &conversation.query,
            second: conversation.goals.get(1).map(|goal| goal.question.as_str()),
            cell: &conversation.cell,
            case: &conversation.case,
        };
        let sides = Sides::render(&self.workshop.cast, &self.settings, subject)?;
        let root = self.workshop.spec.draws(Stage::Conversations);
        Ok(seen(conversation, &sides, &self.settings, root))
    }

    fn prompt(&self, id: &str, seen: Seen) -> Result<Prompt, Failure> {
        let role = seen.asked.role();
        let thinks = match seen.asked {
            Asked::Turn(role) => self.settings.thinking_tokens(role) > 0,
            Asked::Member => self.workshop.spec.thinking_of(ModelRole::Member) > 0,
            Asked::Status | Asked::Next => false,
        };
        let calls = format!("{id}/{role}/{}/", seen.turn);
        let thoughts = self.thoughts.range(calls.clone()..);
        let thoughts = thoughts.take_while(|(key, _)| key.starts_with(&calls));
        let encoded = match &self.workshop.cast.of(role).model {
            ChatModel::Scripted(_) => None,
            ChatModel::Local(model) => {
                let thought = if thinks {
                    Thought::Open
                } else {
                    Thought::Closed
                };
                let encoded = model
                    .encoder()
                    .encode_thought(&seen.view, seen.tail.as_deref(), thought)
                    .map_err(|error| Failure::new(Code::Data, format!("{id}: {error}")))?;
                Some(Encoded {
                    text: encoded.text,
                    ids: encoded.ids,
                    own_tokens: encoded.spliced_tokens,
                })
            }
        };
        Ok(Prompt {
            model: self.names[&role].clone(),
            thoughts: thoughts
                .map(|(_, tokens)| *tokens)
                .filter(|_| thinks)
                .collect(),
            seen,
            encoded,
        })
    }
}

impl Prompt {
    /// Which role was asked.
    fn asked(&self) -> &'static str {
        self.seen.asked.role().name()
    }

    fn to_json(&self) -> Value {
        let messages: Vec<Value> = self
            .seen
            .view
            .messages
            .iter()
            .map(|message| json!({ "role": message.role.name(), "content": message.content }))
            .collect();
        let mut value = json!({
            "turn": self.seen.turn, "asked": self.asked(), "model": self.model, "messages": messages,
            "tail": self.seen.tail,
        });
        if !self.thoughts.is_empty() {
            value["thinking_tokens"] = self.thoughts.as_slice().into();
        }
        if let Some(encoded) = &self.encoded {
            value["text"] = encoded.text.as_str().into();
            value["ids"] = encoded.ids.as_slice().into();
            value["own_tokens"] = encoded.own_tokens.into();
        }
        value
    }

    fn to_text(&self) -> String {
        let bold = Style::new().bold();
        let mut head = format!(
            "── turn {} · {} · {}",
            self.seen.turn,
            self.asked(),
            self.model
        );
        if !self.thoughts.is_empty() {
            let tries: Vec<String> = self.thoughts.iter().map(ToString::to_string).collect();
            let _ = write!(head, " · thought {} tokens", tries.join(", then "));
        }
        if let Some(encoded) = &self.encoded {
            let ids: Vec<String> = encoded.ids.iter().map(ToString::to_string).collect();
            return format!(
                "{} · {} tokens, {} of them as the model wrote them\n{}\nids: {}\n",
                bold.apply_to(head),
                ids.len(),
                encoded.own_tokens,
                encoded.text,
                ids.join(" ")
            );
        }
        let mut text = format!("{} · messages\n", bold.apply_to(head));
        for Message { role, content, .. } in &self.seen.view.messages {
            let _ = writeln!(text, "[{}] {content}", role.name());
        }
        if let Some(tail) = &self.seen.tail {
            let _ = writeln!(text, "[joined for this call] {}", tail.trim_start());
        }
        text
    }
}
