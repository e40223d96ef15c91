//! Where a run's plan meets the pipeline: a place of the plan becomes a conversation to hold.

pub mod group;

use std::collections::BTreeMap;
use std::sync::Arc;

use group::GroupMaker;

use super::workshop::{Seating, Workshop};
use crate::augment;
use crate::dialogue::DecisionRule;
use crate::engine::{ChatError, ChatModel, Sampling};
use crate::knowledge::grounding;
use crate::pipeline::{
    Assignment, Caller, Cast, Facts, FitContext, PipelineError, Player, QueryContext,
    QuerySettings, RoundResult, Shelf, SupportContext, SupportSettings, converse, fitting_products,
    generate_queries, passage_budget,
};
use crate::record::{Dialogue, Experience, ModelRole, Page, Query, Sample};
use crate::run::{About, MakeError, Maker, SharedCallLog, Slot};
use crate::settings::{Channel, FirstMessage, RoleSampling, RunSpec, Stage};

/// Makes everything that a run is made of.
pub struct RunMaker {
    pages: BTreeMap<String, Arc<Page>>,
    given: Option<BTreeMap<String, Vec<Query>>>,
    queries: QueryContext,
    fit: FitContext,
    support: SupportContext,
    /// Where there are group chats.
    group: Option<GroupMaker>,
    against: Vec<Sample>,
    spec: RunSpec,
    /// How models take turns, where they do.
    phases: Option<Seating>,
}

impl RunMaker {
    pub fn new(workshop: &Workshop, log: SharedCallLog) -> Self {
        let (spec, cast) = (&workshop.spec, &workshop.cast);
        let caller = Caller::new(cast.clone(), log);
        let given = workshop.given.as_ref().map(|given| {
            let mut by_page: BTreeMap<String, Vec<Query>> = BTreeMap::new();
            for one in given {
                by_page
                    .entry(one.page.clone())
                    .or_default()
                    .push(one.clone());
            }
            by_page
        });
        let groups = workshop.groups.as_ref();
        Self {
            group: groups.map(|inputs| GroupMaker::new(workshop, inputs, &caller)),
            against: workshop.against.clone(),
            pages: workshop.pages.clone(),
            given,
            queries: QueryContext {
                caller: caller.clone(),
                settings: Arc::new(query_settings(spec, cast)),
                root: spec.draws(Stage::Queries),
            },
            fit: FitContext {
                caller: caller.clone(),
                sampling: sampling(&cast.customer.model, spec.sampling.customer),
                root: spec.draws(Stage::Products),
                products: spec.customer.product.values().cloned().collect(),
            },
            support: SupportContext {
                shelf: Shelf::default(),
                caller,
                settings: Arc::new(support_settings(spec, cast)),
                root: spec.draws(Stage::Conversations),
            },
            spec: spec.clone(),
            phases: None,
        }
    }

    /// The same with models that take turns.
    #[must_use]
    pub fn in_phases_of(mut self, seating: &Seating) -> Self {
        self.phases = seating.in_phases().then(|| seating.clone());
        self
    }

    /// What makes questions, what makes conversations, and questions to make for a page of usual length.
    pub fn into_contexts(self) -> (QueryContext, SupportContext, usize) {
        let per_page = self.spec.queries.per_page as usize;
        (self.queries, self.support, per_page)
    }

    fn page(&self, id: &str) -> Result<&Arc<Page>, MakeError> {
        let lost = || MakeError::Failed {
            reason: "no_page".into(),
            detail: format!("page {id} is not among the inputs"),
        };
        self.pages.get(id).ok_or_else(lost)
    }
}

impl Maker for RunMaker {
    fn in_phases(&self) -> bool {
        self.phases.is_some()
    }

    fn begin(&self, stage: Stage) -> Result<(), MakeError> {
        match &self.phases {
            Some(seating) => seating.begin(stage).map_err(MakeError::fatal),
            None => Ok(()),
        }
    }

    async fn queries(&self, page: &str) -> Result<Vec<Query>, MakeError> {
        if let Some(given) = &self.given {
            return Ok(given.get(page).cloned().unwrap_or_default());
        }
        let page = self.page(page)?;
        let wanted = questions_for(&self.spec, page);
        let made = generate_queries(&self.queries, page, wanted)
            .await
            .map_err(sort_out)?;
        Ok(made.queries)
    }

    async fn products(&self, query: &Query) -> Result<Vec<String>, MakeError> {
        fitting_products(&self.fit, query).await.map_err(sort_out)
    }

    fn given_experience(&self, place: u64) -> Option<Arc<Experience>> {
        self.group.as_ref()?.given(place)
    }

    async fn experiences(&self, round: u64, places: &[u64]) -> Result<RoundResult, MakeError> {
        match &self.group {
            Some(group) => group.round(round, places).await,
            None => Err(no_groups()),
        }
    }

    fn recall_round(&self, round: &RoundResult) {
        if let Some(group) = &self.group {
            group.recall(round);
        }
    }

    fn against(&self) -> &[Sample] {
        &self.against
    }

    async fn converse(
        &self,
        slot: &Slot,
        attempt: u32,
        about: About<'_>,
    ) -> Result<Dialogue, MakeError> {
        match (about, &self.group) {
            (About::Query(place, query, second), _) => {
                let assignment = Assignment {
                    slot: slot.index,
                    attempt,
                    cell: place.cell.clone(),
                    case: place.case.clone(),
                    query: query.clone(),
                    second: second.cloned(),
                    page: Arc::clone(self.page(&query.page)?),
                };
                let made = converse(&self.support, assignment).await;
                made.map(Dialogue::Support).map_err(sort_out)
            }
            (About::Experience(experience), Some(group)) => {
                group.chat(slot, attempt, experience).await
            }
            (About::Experience(_), None) => Err(no_groups()),
        }
    }
}

fn no_groups() -> MakeError {
    MakeError::Failed {
        reason: "plan".into(),
        detail: "a group chat in a run without groups".into(),
    }
}

/// What ends one record, and what ends the run.
fn sort_out(error: PipelineError) -> MakeError {
    let reason = match &error {
        PipelineError::Log(_)
        | PipelineError::Personas(_)
        | PipelineError::Chat {
            source: ChatError::Stopped(_) | ChatError::Pool { .. },
            ..
        } => {
            return MakeError::fatal(error);
        }
        PipelineError::Chat { source, .. } => match source {
            ChatError::Context { .. } | ChatError::Room { .. } => "context",
            ChatError::Template(_) => "template",
            ChatError::Grammar(_) => "grammar",
            ChatError::Numeric(_) => "numeric",
            ChatError::Pool { .. } | ChatError::Stopped(_) => "stopped",
        },
        PipelineError::Prompt(_) => "prompt",
        PipelineError::OtherKind { .. } => "journal",
        PipelineError::Form { .. } => "form",
        PipelineError::NoChoice { .. } => "no_choice",
    };
    MakeError::Failed {
        reason: reason.into(),
        detail: error.to_string(),
    }
}

/// The user's sampling over the model's own.
pub fn sampling(model: &ChatModel, role: RoleSampling) -> Sampling {
    let own = model.sampling();
    Sampling {
        temperature: role.temperature.unwrap_or(own.temperature),
        top_k: role.top_k.map_or(own.top_k, |k| k as usize),
        top_p: role.top_p.unwrap_or(own.top_p),
        min_p: role.min_p.unwrap_or(own.min_p),
        repetition_penalty: role.repetition_penalty.unwrap_or(own.repetition_penalty),
        presence_penalty: role.presence_penalty.unwrap_or(own.presence_penalty),
        frequency_penalty: role.frequency_penalty.unwrap_or(own.frequency_penalty),
        penalty_last_n: role
            .penalty_last_n
            .map_or(own.penalty_last_n, |n| n as usize),
    }
}

/// Questions to make for a page.
pub fn questions_for(spec: &RunSpec, page: &Page) -> usize {
    let lines: usize = page.paragraphs.iter().map(|p| p.text.lines().count()).sum();
    let wanted = if lines > spec.queries.long_page_lines as usize {
        spec.queries.per_long_page
    } else {
        spec.queries.per_page
    };
    wanted as usize
}

/// Tokens of help page that a prompt holds: the recipe's word, else the model's, else a share of the context.
fn passage_tokens(spec: &RunSpec, reader: &Player) -> usize {
    let Player { model, prompts } = reader;
    let told = spec.conversation.passage_tokens.or(model.passage_tokens());
    told.map_or_else(
        || passage_budget(prompts.pack(), model.context_tokens()),
        |n| n as usize,
    )
}

pub fn query_settings(spec: &RunSpec, cast: &Cast) -> QuerySettings {
    QuerySettings {
        brand: spec.brand.name.clone(),
        language: language(&spec.language),
        sampling: sampling(&cast.queries.model, spec.sampling.queries),
        thinking: spec.thinking_of(ModelRole::Queries) as usize,
        passage_tokens: passage_tokens(spec, &cast.queries),
    }
}

pub fn support_settings(spec: &RunSpec, cast: &Cast) -> SupportSettings {
    let rules = &spec.conversation;
    SupportSettings {
        brand: spec.brand.name.clone(),
        agent: spec.brand.agent.clone(),
        channel: match spec.brand.channel {
            Channel::Chat => "chat",
            Channel::Email => "e-mail",
            Channel::Phone => "phone call",
        }
        .into(),
        language: language(&spec.language),
        min_turns: rules.min_turns as usize,
        max_turns: rules.max_turns as usize,
        customer_words: rules.customer_words as usize,
        agent_words: rules.agent_words as usize,
        customer_sampling: sampling(&cast.customer.model, spec.sampling.customer),
        agent_sampling: sampling(&cast.agent.model, spec.sampling.agent),
        customer_thinking: spec.thinking_of(ModelRole::Customer) as usize,
        agent_thinking: spec.thinking_of(ModelRole::Agent) as usize,
        decision: DecisionRule::Draw { temperature: 1.0 },
        passage_tokens: passage_tokens(spec, &cast.agent),
        typos_per_turn: spec.customer.typos_per_turn as usize,
        facts: match (grounding::knows(&spec.language), rules.check_facts) {
            (false, _) => Facts::Unread,
            (true, false) => Facts::Linked,
            (true, true) => Facts::Checked,
        },
        hold_style: spec.customer.hold_style && augment::knows(&spec.language),
        products_fit: spec.has_all_variants(),
        opens_with_query: spec.customer.first_message == FirstMessage::Query,
        thank: rules.thank,
        ask: rules.ask,
        keep_only_planned_outcome: spec.plan.keep_only_planned_outcome,
        stop: Vec::new(),
    }
}

/// A language as prompts name it.
pub fn language(code: &str) -> String {
    let known = [
        ("en", "English"),
        ("de", "German"),
        ("fr", "French"),
        ("es", "Spanish"),
        ("it", "Italian"),
        ("nl", "Dutch"),
        ("pt", "Portuguese"),
        ("pl", "Polish"),
        ("sv", "Swedish"),
        ("tr", "Turkish"),
        ("ja", "Japanese"),
        ("zh", "Chinese"),
    ];
    known
        .iter()
        .find(|(short, _)| *short == code)
        .map_or(code, |(_, name)| name)
        .to_owned()
}
