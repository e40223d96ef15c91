use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{Keys, known_keys};
use super::{
    ExperienceRules, GroupRules, ModelRules, MonitorRules, Part, PersonaRules, QualityRules,
    Shares, Stage, TemplateKwargs,
};
use crate::record::{self, Cause, Cooperation, FirstLanguage, Outcome, Style, Tone};
use crate::rng::Stream;

/// Everything a run needs to be told, decided. Its fields are the recipe's keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Names the run's folder; letters, digits, `.`, `_` and `-`.
    pub name: String,
    pub seed: u64,
    /// Places in the plan: kept conversations, unless a place runs out of attempts. A plan of all variants may have fewer.
    pub count: u64,
    /// The model as the user named it, for every role that names no other.
    pub model: String,
    pub language: String,
    /// A folder of prompts that replace those of the pack.
    pub prompts: Option<PathBuf>,
    pub quant: Quant,
    pub kv_dtype: KvDtype,
    /// Tokens that a model may think before each reply.
    #[serde(default)]
    pub thinking: u32,
    #[serde(default)]
    pub chat_template_kwargs: TemplateKwargs,
    /// What single roles have of their own.
    #[serde(default)]
    pub models: ModelRules,
    /// Tries per place, the first included.
    pub max_attempts: u32,
    pub brand: Brand,
    pub pages: PagesFrom,
    pub queries: QueriesFrom,
    pub customer: Customer,
    pub plan: PlanRules,
    pub conversation: ConversationRules,
    pub experiences: ExperienceRules,
    pub personas: PersonaRules,
    pub group: GroupRules,
    /// What of the conversations is kept; runs from before there was a choice keep all.
    #[serde(default = "QualityRules::none")]
    pub quality: QualityRules,
    #[serde(default)]
    pub monitor: MonitorRules,
    pub sampling: SamplingRules,
    pub engine: EngineRoom,
    /// Make at most this many places of the plan now.
    pub limit: Option<u64>,
    /// The folder that holds run folders.
    pub out: PathBuf,
    /// How often a stage's records were made anew, on request; each time with draws of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redo: BTreeMap<Stage, u32>,
}

/// The key that says how often a stage was made anew.
const REDO: &str = "redo";

/// What happens to a model's weights when they are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quant {
    /// What the model's own manifest says, and 8 bits where it says nothing.
    #[default]
    Auto,
    /// They stay as they are: numeric profile `f32`.
    None,
    /// bf16, with bf16 products: numeric profile `bf16`.
    Bf16,
    /// 8 bits, and 8-bit arithmetic: numeric profile `int8`.
    #[serde(rename = "q8_0")]
    Q8,
    /// 4 bits, the head in 8, and 8-bit arithmetic: numeric profile `q4`.
    Q4,
}

impl Quant {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Auto, Self::None, Self::Bf16, Self::Q8, Self::Q4];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Bf16 => "bf16",
            Self::Q8 => "q8_0",
            Self::Q4 => "q4",
        }
    }
}

/// The type that keys and values are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvDtype {
    /// f32 where weights stay as they are, else f16.
    #[default]
    Auto,
    F32,
    F16,
    Bf16,
}

impl KvDtype {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Auto, Self::F32, Self::F16, Self::Bf16];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// Who the agent speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    pub name: String,
    pub agent: String,
    pub channel: Channel,
}

/// Where the conversation takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Chat,
    Email,
    Phone,
}

impl Channel {
    /// Every channel.
    pub const ALL: &[Self] = &[Self::Chat, Self::Email, Self::Phone];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// Which help pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesFrom {
    pub dir: PagesDir,
    /// Globs over paths below the folder; all when empty.
    pub include: Vec<String>,
    /// Globs of what to leave out; they win over `include`.
    pub exclude: Vec<String>,
}

/// Where the help pages are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum PagesDir {
    /// The pages that come with the program: `shipped`.
    Shipped,
    Folder(PathBuf),
}

/// The word for [`PagesDir::Shipped`]; a folder of that name is written `./shipped`.
pub(super) const SHIPPED: &str = "shipped";

impl From<String> for PagesDir {
    fn from(text: String) -> Self {
        if text == SHIPPED {
            Self::Shipped
        } else {
            Self::Folder(text.into())
        }
    }
}

impl From<PagesDir> for String {
    fn from(dir: PagesDir) -> Self {
        dir.to_string()
    }
}

impl fmt::Display for PagesDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str(SHIPPED),
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

/// Where the customers' questions come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueriesFrom {
    /// Questions to make for a page of up to `long_page_lines` lines.
    pub per_page: u32,
    /// Questions to make for a longer page.
    pub per_long_page: u32,
    pub long_page_lines: u32,
    /// A file of given questions; none are made then.
    pub from: Option<PathBuf>,
}

/// What customers are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    pub tone: Shares<Tone>,
    pub style: Shares<Style>,
    pub product: Shares<String>,
    /// How readily they give what is asked for.
    #[serde(default = "all_forthcoming")]
    pub cooperation: Shares<Cooperation>,
    /// Mistakes laid over each turn of a customer whose style is `typos`.
    pub typos_per_turn: u32,
    /// Of customers whose style is `non_native`.
    #[serde(default = "all_alike")]
    pub first_language: Shares<FirstLanguage>,
    /// Put a customer's style back by rule where a turn dropped it.
    #[serde(default)]
    pub hold_style: bool,
    /// What a customer opens with.
    #[serde(default)]
    pub first_message: FirstMessage,
    /// Share of customers who have a second question of the same page.
    #[serde(default)]
    pub second_question: f64,
}

/// Of runs from before there was a choice.
fn all_forthcoming() -> Shares<Cooperation> {
    Shares::only(Cooperation::Forthcoming)
}

/// Of runs from before there was a choice.
fn all_refused() -> Shares<Cause> {
    Shares::only(Cause::PolicyRefuses)
}

/// Every first language as often as the next.
fn all_alike() -> Shares<FirstLanguage> {
    let entries = FirstLanguage::ALL.iter().map(|language| (*language, 1.0));
    Shares::new(entries.collect()).expect("ones are positive")
}

/// What a customer opens with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstMessage {
    /// The question in the customer's own words.
    #[default]
    OwnWords,
    /// The question itself, rewritten for product, tone and style.
    Query,
}

impl FirstMessage {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::OwnWords, Self::Query];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnWords => "own_words",
            Self::Query => "query",
        }
    }
}

/// The mix of the dataset, where it is not the customer's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRules {
    /// Which kinds of conversations, and how many of each.
    pub kind: Shares<record::Kind>,
    pub outcome: Shares<Outcome>,
    /// Why places planned `UNRESOLVED` are to end so.
    #[serde(default = "all_refused")]
    pub cause: Shares<Cause>,
    /// What of the questions' variants there is.
    #[serde(default)]
    pub variants: VariantRule,
    /// Axes whose joint distribution is exact, not only each one's own.
    pub cross: Vec<Axis>,
    /// Turn down a conversation that came out otherwise than planned.
    pub keep_only_planned_outcome: bool,
}

/// What of the questions' variants a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariantRule {
    /// As many as there are places, mixed by the shares.
    #[default]
    Shares,
    /// Each question with and without each product that fits it, in each tone and style.
    All,
}

impl VariantRule {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Shares, Self::All];

    /// The name in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shares => "shares",
            Self::All => "all",
        }
    }
}

/// An axis of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    Page,
    Tone,
    Style,
    Product,
    Outcome,
    Cooperation,
}

impl Axis {
    /// Every axis, in the order of a cell's fields.
    pub const ALL: &[Self] = &[
        Self::Page,
        Self::Tone,
        Self::Style,
        Self::Product,
        Self::Outcome,
        Self::Cooperation,
    ];

    /// The name in recipes and summaries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Tone => "tone",
            Self::Style => "style",
            Self::Product => "product",
            Self::Outcome => "outcome",
            Self::Cooperation => "cooperation",
        }
    }
}

/// The bounds of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversationRules {
    /// Turns of both sides together.
    pub min_turns: u32,
    pub max_turns: u32,
    /// Words per turn.
    pub agent_words: u32,
    pub customer_words: u32,
    /// Tokens of help page that the agent sees; what the model's context allows when not given.
    pub passage_tokens: Option<u32>,
    /// Make an agent's reply again, once, that states a number, code or policy which neither page nor case has.
    #[serde(default)]
    pub check_facts: bool,
    /// Share of the agent's turns that thank, and that end in a question; the model's own way when not given.
    #[serde(default)]
    pub thank: Option<f64>,
    #[serde(default)]
    pub ask: Option<f64>,
}

impl ConversationRules {
    /// Whether the agent is told for each turn how to behave.
    #[must_use]
    pub fn is_steered(&self) -> bool {
        self.thank.is_some() || self.ask.is_some()
    }
}

/// What each role's sampling changes of the model's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplingRules {
    pub customer: RoleSampling,
    pub agent: RoleSampling,
    pub queries: RoleSampling,
    pub experiences: RoleSampling,
    pub member: RoleSampling,
}

/// What a recipe says of a role's sampling; the rest is the model's own (`generation_config.json`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleSampling {
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub top_k: Option<u32>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    /// Tokens at the end of the reply that the three penalties see; 0 is all of it.
    pub penalty_last_n: Option<u32>,
}

/// How the engine is to work: speed and memory, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRoom {
    pub threads: Auto,
    pub memory: Auto,
    /// Conversations alive at once.
    pub concurrency: Auto,
}

/// A number, or the program's choice: `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub enum Auto {
    Auto,
    /// Threads, bytes or conversations, as the key says.
    Exactly(u64),
}

impl From<Auto> for Value {
    fn from(auto: Auto) -> Self {
        match auto {
            Auto::Auto => "auto".into(),
            Auto::Exactly(number) => number.into(),
        }
    }
}

impl TryFrom<Value> for Auto {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value.as_u64() {
            Some(number) => Ok(Self::Exactly(number)),
            None if value == "auto" => Ok(Self::Auto),
            None => Err("expected a whole number or \"auto\""),
        }
    }
}

impl Auto {
    /// The number, or the program's choice.
    #[must_use]
    pub fn or(self, choice: u64) -> u64 {
        match self {
            Self::Auto => choice,
            Self::Exactly(number) => number,
        }
    }
}

impl RunSpec {
    /// The content keys of a stage with their values. What enters by content (pages, given queries, model, prompts) is not
    /// here; the run adds its hashes.
    #[must_use]
    pub fn content_keys(&self, stage: Stage) -> Keys {
        let mut keys = self.keys(|part| part.shapes(stage) && part.is_in(self));
        let redo = self.redo_of(stage);
        if redo > 0 {
            keys.insert(REDO.into(), redo.into());
        }
        for role in self.roles_of(stage) {
            // What is left at its default is no key: the run is the one that it was before there were these.
            let thinking = self.thinking_of(role);
            if thinking > 0 {
                keys.insert(format!("models.{role}.thinking"), thinking.into());
            }
            let kwargs = self.kwargs_of(role);
            if !kwargs.is_empty() {
                keys.insert(
                    format!("models.{role}.chat_template_kwargs"),
                    serde_json::json!(kwargs),
                );
            }
        }
        keys
    }

    /// The keys that change how a run is carried out, not what it makes.
    #[must_use]
    pub fn operational_keys(&self) -> Keys {
        self.keys(|part| part == Part::Operational)
    }

    /// The keys that decide which conversations are kept.
    #[must_use]
    pub fn quality_keys(&self) -> Keys {
        self.keys(|part| part == Part::Quality)
    }

    fn redo_of(&self, stage: Stage) -> u32 {
        self.redo.get(&stage).copied().unwrap_or(0)
    }

    /// Where a stage's records have their draws from. The plan is not drawn anew when a stage is.
    #[must_use]
    pub fn draws(&self, stage: Stage) -> Stream {
        let root = Stream::root(self.seed);
        match self.redo_of(stage) {
            0 => root,
            n => root.child(REDO).at(n.into()),
        }
    }

    fn keys(&self, wanted: impl Fn(Part) -> bool) -> Keys {
        let whole = serde_json::to_value(self).expect("plain data serialises to JSON");
        let value = |path: &str| {
            path.split('.')
                .try_fold(&whole, |at, key| at.get(key))
                .cloned()
                .unwrap_or(Value::Null)
        };
        known_keys()
            .iter()
            .filter(|key| wanted(key.part))
            .map(|key| (key, value(key.path)))
            .filter(|(key, value)| key.part != Part::Dials || !value.is_null())
            .map(|(key, value)| (key.path.to_owned(), value))
            .collect()
    }

    /// Whether there are conversations of this kind.
    #[must_use]
    pub fn has(&self, kind: record::Kind) -> bool {
        self.plan.kind.values().any(|other| *other == kind)
    }

    /// Whether the plan is of all variants of the questions, and known only when these are.
    #[must_use]
    pub fn has_all_variants(&self) -> bool {
        self.has(record::Kind::Support) && self.plan.variants == VariantRule::All
    }

    /// Places to make now, of a plan that has so many.
    #[must_use]
    pub fn places_of(&self, planned: u64) -> u64 {
        self.limit.map_or(planned, |limit| limit.min(planned))
    }
}
