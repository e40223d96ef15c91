//! Where a run's plan meets the pipeline: a place of the plan becomes a conversation to hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::workshop::Workshop;
use crate::dialogue::DecisionRule;
use crate::engine::{ChatError, ChatModel, Sampling};
use crate::pipeline::{
    Assignment, Caller, PipelineError, QueryContext, QuerySettings, SupportContext,
    SupportSettings, converse, generate_queries, passage_budget,
};
use crate::record::{Conversation, Page, Query};
use crate::rng::Stream;
use crate::run::{MakeError, Maker, SharedCallLog, Slot};
use crate::settings::{Channel, RoleSampling, RunSpec};

/// Makes questions and conversations for a run.
pub struct SupportMaker {
    pages: BTreeMap<String, Arc<Page>>,
    given: Option<BTreeMap<String, Vec<Query>>>,
    queries: QueryContext,
    support: SupportContext,
    counts: PageCounts,
}

struct PageCounts {
    per_page: usize,
    per_long_page: usize,
    long_page_lines: usize,
}

impl SupportMaker {
    pub fn new(workshop: &Workshop, log: SharedCallLog) -> Self {
        let spec = &workshop.spec;
        let caller = Caller::new(workshop.model.clone(), log);
        let root = Stream::root(spec.seed);
        let given = workshop.given.as_ref().map(|given| {
            let mut by_page: BTreeMap<String, Vec<Query>> = BTreeMap::new();
            for one in given {
                by_page
                    .entry(one.query.page.clone())
                    .or_default()
                    .push(one.query.clone());
            }
            by_page
        });
        let count = |n: u32| n as usize;
        Self {
            pages: workshop.pages.clone(),
            given,
            queries: QueryContext {
                caller: caller.clone(),
                prompts: Arc::clone(&workshop.prompts),
                settings: Arc::new(query_settings(spec, workshop)),
                root,
            },
            support: SupportContext {
                caller,
                prompts: Arc::clone(&workshop.prompts),
                settings: Arc::new(support_settings(spec, workshop)),
                root,
            },
            counts: PageCounts {
                per_page: count(spec.queries.per_page),
                per_long_page: count(spec.queries.per_long_page),
                long_page_lines: count(spec.queries.long_page_lines),
            },
        }
    }

    /// What makes questions, what makes conversations, and questions to make for a page of usual length.
    pub fn into_contexts(self) -> (QueryContext, SupportContext, usize) {
        (self.queries, self.support, self.counts.per_page)
    }

    fn page(&self, id: &str) -> Result<&Arc<Page>, MakeError> {
        let lost = || MakeError::Failed {
            reason: "no_page".into(),
            detail: format!("page {id} is not among the inputs"),
        };
        self.pages.get(id).ok_or_else(lost)
    }
}

impl Maker for SupportMaker {
    async fn queries(&self, page: &str) -> Result<Vec<Query>, MakeError> {
        if let Some(given) = &self.given {
            return Ok(given.get(page).cloned().unwrap_or_default());
        }
        let page = self.page(page)?;
        let lines: usize = page.paragraphs.iter().map(|p| p.text.lines().count()).sum();
        let wanted = if lines > self.counts.long_page_lines {
            self.counts.per_long_page
        } else {
            self.counts.per_page
        };
        let made = generate_queries(&self.queries, page, wanted)
            .await
            .map_err(sort_out)?;
        Ok(made.queries)
    }

    async fn converse(
        &self,
        slot: &Slot,
        attempt: u32,
        query: &Query,
    ) -> Result<Conversation, MakeError> {
        let assignment = Assignment {
            slot: slot.index,
            attempt,
            cell: slot.cell.clone(),
            case: slot.case.clone(),
            query: query.clone(),
            page: Arc::clone(self.page(&query.page)?),
        };
        converse(&self.support, assignment).await.map_err(sort_out)
    }
}

/// What ends one record, and what ends the run.
fn sort_out(error: PipelineError) -> MakeError {
    let reason = match &error {
        PipelineError::Log(_)
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

/// Tokens of help page that a prompt holds: the recipe's word, else the model's, else a share of the context.
pub fn passage_tokens(spec: &RunSpec, workshop: &Workshop) -> usize {
    let told = spec
        .conversation
        .passage_tokens
        .or(workshop.model.passage_tokens());
    told.map_or_else(
        || passage_budget(workshop.prompts.pack(), workshop.model.context_tokens()),
        |n| n as usize,
    )
}

pub fn query_settings(spec: &RunSpec, workshop: &Workshop) -> QuerySettings {
    QuerySettings {
        brand: spec.brand.name.clone(),
        language: language(&spec.language),
        sampling: sampling(&workshop.model, spec.sampling.queries),
        passage_tokens: passage_tokens(spec, workshop),
    }
}

pub fn support_settings(spec: &RunSpec, workshop: &Workshop) -> SupportSettings {
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
        customer_sampling: sampling(&workshop.model, spec.sampling.customer),
        agent_sampling: sampling(&workshop.model, spec.sampling.agent),
        decision: DecisionRule::Draw { temperature: 1.0 },
        passage_tokens: passage_tokens(spec, workshop),
        typos_per_turn: spec.customer.typos_per_turn as usize,
        keep_only_planned_outcome: spec.plan.keep_only_planned_outcome,
        stop: Vec::new(),
    }
}

/// A language as prompts name it.
fn language(code: &str) -> String {
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
