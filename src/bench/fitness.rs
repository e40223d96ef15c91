//! How well a model plays a support conversation: a few conversations of a recipe, held as a run holds them, and counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::task::JoinSet;

use super::News;
use super::manner::{keeps_style, keeps_tone};
use crate::engine::ChatError;
use crate::guards::count_words;
use crate::pipeline::{
    Assignment, PipelineError, QueryContext, SupportContext, SupportSettings, answers_in_form,
    converse, generate_queries,
};
use crate::record::{Conversation, EndReason, GuardKind, Page, Query, Role, Verdict};
use crate::run::{Slot, query_of};

/// What to try a model on.
#[derive(Clone)]
pub struct Trial {
    pub queries: QueryContext,
    pub support: SupportContext,
    pub pages: BTreeMap<String, Arc<Page>>,
    /// Places of the plan: each gets one conversation, made once.
    pub slots: Vec<Slot>,
    /// Questions that one reply for a page must list, spread over the page's parts.
    pub questions_per_page: usize,
    pub seed: u64,
}

/// How many of a number did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ratio {
    pub kept: u64,
    pub of: u64,
}

impl Ratio {
    fn add(&mut self, kept: bool) {
        self.kept += u64::from(kept);
        self.of += 1;
    }

    /// None of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    pub fn percent(self) -> Option<f64> {
        (self.of > 0).then(|| 100.0 * self.kept as f64 / self.of as f64)
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fitness {
    pub conversations: u64,
    /// Turned down by nobody: what a dataset would keep at the first try.
    pub kept: Ratio,
    /// Conversations that could not be held, and why.
    pub failed: Vec<String>,
    pub turns: u64,
    /// Replies in the form asked for, without a mask.
    pub format: Ratio,
    /// Replies within the word budget.
    pub words: Ratio,
    /// Conversations that the customer's own decision ended.
    pub endings: Ratio,
    /// Replies that guards turned down, by guard.
    pub guard_hits: BTreeMap<GuardKind, u64>,
    /// Conversations whose customer kept the tone, by tone.
    pub tone: BTreeMap<&'static str, Ratio>,
    /// Customer turns that kept the style, by style.
    pub style: BTreeMap<&'static str, Ratio>,
    pub seconds: f64,
}

impl Fitness {
    /// Counts a conversation.
    pub fn count(&mut self, talk: &Conversation, settings: &SupportSettings) {
        self.conversations += 1;
        self.turns += talk.turns.len() as u64;
        self.kept.add(talk.verdict == Verdict::Keep);
        self.endings.add(talk.end_reason == EndReason::Customer);
        for turn in &talk.turns {
            let most = settings.max_words(turn.speaker);
            for reply in &turn.rejected {
                *self.guard_hits.entry(reply.hit.kind).or_default() += 1;
                let cut = reply.hit.kind == GuardKind::TooLong;
                self.words.add(!cut && count_words(&reply.text) <= most);
            }
            // A turn that was cut has no reply of its own.
            if !turn.text.is_empty() {
                self.words.add(count_words(&turn.text) <= most);
            }
        }
        let said: Vec<&str> = talk
            .turns_of(Role::Customer)
            .map(|turn| turn.text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        let cell = &talk.cell;
        if said.is_empty() {
            return;
        }
        let tone = self.tone.entry(cell.tone.name()).or_default();
        tone.add(keeps_tone(cell.tone, &said));
        for kept in said.iter().filter_map(|turn| keeps_style(cell.style, turn)) {
            self.style.entry(cell.style.name()).or_default().add(kept);
        }
    }

    /// All tones together.
    #[must_use]
    pub fn tone_kept(&self) -> Ratio {
        sum(&self.tone)
    }

    /// All styles together.
    #[must_use]
    pub fn style_kept(&self) -> Ratio {
        sum(&self.style)
    }

    /// Hits of a guard, or of all, in 100 turns.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    pub fn hits_per_100_turns(&self, kind: Option<GuardKind>) -> f64 {
        let hits: u64 = match kind {
            Some(kind) => self.guard_hits.get(&kind).copied().unwrap_or(0),
            None => self.guard_hits.values().sum(),
        };
        100.0 * hits as f64 / self.turns.max(1) as f64
    }
}

fn sum(ratios: &BTreeMap<&'static str, Ratio>) -> Ratio {
    ratios.values().fold(Ratio::default(), |sum, one| Ratio {
        kept: sum.kept + one.kept,
        of: sum.of + one.of,
    })
}

/// Holds every conversation of the trial at the same time, as far as memory allows, and asks for the structured reply as
/// often. `tell` hears what comes next.
///
/// # Errors
/// When the engine stops, or has no room for any conversation.
pub async fn measure(trial: &Trial, tell: &dyn Fn(News<'_>)) -> Result<Fitness, PipelineError> {
    let started = Instant::now();
    let mut fitness = Fitness::default();
    let total = trial.slots.len();
    let begins = |what: String| tell(News::Begins(&what));
    begins(format!("{total} structured replies without a mask"));
    let mut calls = JoinSet::new();
    for (slot, page) in with_pages(trial) {
        let (context, count) = (trial.queries.clone(), trial.questions_per_page);
        calls.spawn(async move { answers_in_form(&context, &page, count, slot.index).await });
    }
    while let Some(call) = calls.join_next().await {
        match call.map_err(lost)? {
            Ok(kept) => fitness.format.add(kept),
            Err(error) => fitness.failed.push(bearable(error)?),
        }
    }

    begins("questions".into());
    let queries = questions(trial, &mut fitness).await?;

    begins(format!("{total} conversations"));
    let mut talks = JoinSet::new();
    for (slot, page) in with_pages(trial) {
        let Some(place) = slot.support() else {
            continue;
        };
        let of_page = queries.get(&page.id).map_or(&[][..], Vec::as_slice);
        if of_page.is_empty() {
            let none = format!("c/{}/0: no question for page {}", slot.index, page.id);
            fitness.failed.push(none);
            continue;
        }
        let query = query_of(trial.seed, &page.id, place.page_use, of_page.len());
        let assignment = Assignment {
            slot: slot.index,
            attempt: 0,
            cell: place.cell.clone(),
            case: place.case.clone(),
            query: of_page[query].clone(),
            second: None,
            page,
        };
        let context = trial.support.clone();
        talks.spawn(async move { converse(&context, assignment).await });
    }
    let mut done = 0;
    while let Some(talk) = talks.join_next().await {
        done += 1;
        tell(News::Done { done, of: total });
        match talk.map_err(lost)? {
            Ok(talk) => fitness.count(&talk, &trial.support.settings),
            Err(error) => fitness.failed.push(bearable(error)?),
        }
    }
    fitness.failed.sort_unstable();
    fitness.seconds = started.elapsed().as_secs_f64();
    Ok(fitness)
}

/// The trial's places with their pages.
fn with_pages(trial: &Trial) -> impl Iterator<Item = (Slot, Arc<Page>)> {
    let page = |slot: &Slot| trial.pages.get(&slot.support()?.cell.page).cloned();
    trial
        .slots
        .iter()
        .filter_map(move |slot| Some((slot.clone(), page(slot)?)))
}

/// As many questions for each page as conversations about it.
async fn questions(
    trial: &Trial,
    fitness: &mut Fitness,
) -> Result<BTreeMap<String, Vec<Query>>, PipelineError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, page) in with_pages(trial) {
        *counts.entry(page.id.clone()).or_default() += 1;
    }
    let mut calls = JoinSet::new();
    for (id, count) in counts {
        let (context, page) = (trial.queries.clone(), Arc::clone(&trial.pages[&id]));
        calls.spawn(async move { (id, generate_queries(&context, &page, count).await) });
    }
    let mut queries = BTreeMap::new();
    while let Some(call) = calls.join_next().await {
        let (id, made) = call.map_err(lost)?;
        match made {
            Ok(set) => {
                queries.insert(id, set.queries);
            }
            Err(error) => fitness.failed.push(bearable(error)?),
        }
    }
    Ok(queries)
}

/// What one record may fail with and the others go on.
fn bearable(error: PipelineError) -> Result<String, PipelineError> {
    match &error {
        PipelineError::Log(_)
        | PipelineError::Chat {
            source: ChatError::Stopped(_) | ChatError::Pool { .. },
            ..
        } => Err(error),
        _ => Ok(error.to_string()),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn lost(error: tokio::task::JoinError) -> PipelineError {
    PipelineError::Chat {
        key: "bench".into(),
        source: ChatError::Stopped(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{ChatModel, Sampling, ScriptedModel};
    use crate::knowledge::{Format, parse};
    use crate::pipeline::{Caller, Cast, NoLog, QuerySettings};
    use crate::prompt::{Pack, Prompts};
    use crate::record::{Case, Cell, GuardHit, Outcome, Rejected, Style, Tone, Turn};
    use crate::rng::Stream;
    use crate::run::Plan;
    use crate::settings::{EMBEDDED, Environment, Overrides, RecipeText, resolve};

    fn turn(speaker: Role, text: &str, rejected: &[(GuardKind, &str)]) -> Turn {
        Turn {
            speaker,
            text: text.into(),
            tokens: Vec::new(),
            edits: 0,
            links: Vec::new(),
            restyled: None,
            rejected: rejected
                .iter()
                .map(|(kind, text)| Rejected {
                    text: (*text).into(),
                    hit: GuardHit {
                        kind: *kind,
                        detail: String::new(),
                    },
                })
                .collect(),
        }
    }

    fn talk(tone: Tone, style: Style, end_reason: EndReason, turns: Vec<Turn>) -> Conversation {
        Conversation {
            id: "c/0/0".into(),
            slot: 0,
            attempt: 0,
            cell: Cell {
                page: "returns".into(),
                tone,
                style,
                first_language: None,
                product: Some("camera".into()),
                outcome: Outcome::Resolved,
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
            query_id: "returns/0".into(),
            query: "?".into(),
            rewrites: Vec::new(),
            goals: Vec::new(),
            passages: Vec::new(),
            turns,
            outcome: None,
            end_reason,
            verdict: if end_reason == EndReason::Customer {
                Verdict::Keep
            } else {
                Verdict::Reject {
                    reason: "guard_cut".into(),
                    detail: String::new(),
                }
            },
        }
    }

    #[test]
    fn what_was_said_is_counted() {
        let settings = SupportSettings {
            customer_words: 5,
            agent_words: 5,
            ..SupportSettings::default()
        };
        let mut fitness = Fitness::default();
        fitness.count(
            &talk(
                Tone::Annoyed,
                Style::Formal,
                EndReason::Customer,
                vec![
                    turn(Role::Customer, "Nobody answers me.", &[]),
                    turn(
                        Role::Agent,
                        "It is 30 days.",
                        &[(GuardKind::TooLong, "a b c d e f")],
                    ),
                    turn(
                        Role::Customer,
                        "ok then",
                        &[(GuardKind::Echo, "It is 30 days.")],
                    ),
                    turn(Role::Agent, "Anything else I can do?", &[]),
                ],
            ),
            &settings,
        );
        // A turn that was cut has two rejected replies and says nothing; one was short, but broke off.
        fitness.count(
            &talk(
                Tone::Annoyed,
                Style::Typos,
                EndReason::GuardCut,
                vec![
                    turn(Role::Customer, "How long?", &[]),
                    turn(
                        Role::Agent,
                        "",
                        &[
                            (GuardKind::Echo, "How long?"),
                            (GuardKind::TooLong, "It is"),
                        ],
                    ),
                ],
            ),
            &settings,
        );
        let ratio = |kept, of| Ratio { kept, of };
        assert_eq!((fitness.conversations, fitness.turns), (2, 6));
        assert_eq!((fitness.kept, fitness.endings), (ratio(1, 2), ratio(1, 2)));
        // Five replies were said, four turned down, two of them for their length.
        assert_eq!(fitness.words, ratio(7, 9));
        assert_eq!(fitness.guard_hits[&GuardKind::Echo], 2);
        assert_eq!(fitness.tone["annoyed"], ratio(1, 2));
        // The second turn of the formal customer is not formal; typing mistakes are not the model's.
        assert_eq!(fitness.style_kept(), ratio(1, 2));
        assert_eq!(fitness.style.len(), 1);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(fitness.hits_per_100_turns(None), 100.0 * 4.0 / 6.0));
        let echoes = fitness.hits_per_100_turns(Some(GuardKind::Echo));
        assert!(near(echoes, 100.0 * 2.0 / 6.0));
        assert!(near(
            fitness.hits_per_100_turns(Some(GuardKind::MetaTalk)),
            0.0
        ));
        assert_eq!(Fitness::default().words.percent(), None);
        assert!(near(fitness.tone_kept().percent().unwrap(), 50.0));
    }

    /// A trial of six places with a model that follows a script.
    fn trial(reference: &str) -> Trial {
        let recipe = RecipeText::embedded(&EMBEDDED[0]);
        let environment = Environment::from_lookup(|_| None);
        let spec = resolve(&recipe, &Overrides::default(), &environment)
            .unwrap()
            .spec;
        let text = "# Returns\n\nYou can return most items within 30 days of delivery.\n\nA camera has 45 days for it.";
        let pages: BTreeMap<String, Arc<Page>> = ["returns", "refunds"]
            .map(|id| (id.to_owned(), Arc::new(parse(id, Format::Markdown, text))))
            .into();
        let ids: Vec<String> = pages.keys().cloned().collect();
        let model = ChatModel::Scripted(Arc::new(ScriptedModel::parse(reference).unwrap()));
        let prompts = Arc::new(Prompts::embedded(Pack::Compact));
        let caller = Caller::new(Cast::one(model, prompts), Arc::new(NoLog));
        let root = Stream::root(spec.seed);
        Trial {
            queries: QueryContext {
                caller: caller.clone(),
                settings: Arc::new(QuerySettings {
                    brand: "Larkmoor".into(),
                    language: "English".into(),
                    sampling: Sampling::default(),
                    thinking: 0,
                    passage_tokens: 170,
                }),
                root,
            },
            support: SupportContext {
                shelf: crate::pipeline::Shelf::default(),
                caller,
                settings: Arc::new(SupportSettings::default()),
                root,
            },
            slots: Plan::new(&spec, &ids).slots(6),
            pages,
            questions_per_page: 2,
            seed: spec.seed,
        }
    }

    fn tried(reference: &str) -> Fitness {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(measure(&trial(reference), &|_| {}))
            .unwrap()
    }

    #[test]
    fn a_trial_holds_its_conversations_and_sees_defects() {
        let sound = tried("scripted");
        assert_eq!((sound.conversations, sound.failed.len()), (6, 0));
        // Without a grammar the script answers in prose.
        assert_eq!(sound.format, Ratio { kept: 0, of: 6 });
        assert_eq!(sound.words.kept, sound.words.of);

        let endless = tried("scripted:endless=1");
        assert_eq!(endless.endings.kept, 0, "{endless:?}");

        let long = tried("scripted:long=1");
        assert_eq!(long.words.kept, 0, "{long:?}");
        assert_eq!((long.kept.kept, long.endings.kept), (0, 0));
        assert_eq!(long.guard_hits[&GuardKind::TooLong], 12);
        assert!((long.hits_per_100_turns(None) - 200.0).abs() < 1e-9);

        let failing = tried("scripted:error=1");
        assert_eq!(failing.conversations, 0);
        assert!(failing.failed.len() >= 6, "{:?}", failing.failed);
    }
}
