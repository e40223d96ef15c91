use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A recipe as written: everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecipeFile {
    pub name: Option<String>,
    pub seed: Option<u64>,
    pub count: Option<u64>,
    pub model: Option<String>,
    pub language: Option<String>,
    pub prompts: Option<String>,
    pub quant: Option<String>,
    pub kv_dtype: Option<String>,
    pub thinking: Option<u64>,
    pub chat_template_kwargs: Option<toml::Table>,
    pub models: ModelsFile,
    pub max_attempts: Option<u64>,
    pub brand: BrandFile,
    pub pages: PagesFile,
    pub queries: QueriesFile,
    pub customer: CustomerFile,
    pub plan: PlanFile,
    pub conversation: ConversationFile,
    pub experiences: ExperiencesFile,
    pub personas: PersonasFile,
    pub group: GroupFile,
    pub quality: QualityFile,
    pub monitor: MonitorFile,
    pub sampling: SamplingFile,
    pub engine: EngineFile,
}

/// `[models]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelsFile {
    pub queries: RoleModelFile,
    pub experiences: RoleModelFile,
    pub customer: RoleModelFile,
    pub agent: RoleModelFile,
    pub status: RoleModelFile,
    pub member: RoleModelFile,
    pub manager: RoleModelFile,
    pub judge: RoleModelFile,
}

/// `[models.<role>]`; `<role> = "…"` is short for its `ref`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleModelFile {
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub quant: Option<String>,
    pub kv_dtype: Option<String>,
    pub thinking: Option<u64>,
    pub chat_template_kwargs: Option<toml::Table>,
}

/// `[brand]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrandFile {
    pub name: Option<String>,
    pub agent: Option<String>,
    pub channel: Option<String>,
}

/// `[pages]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagesFile {
    pub dir: Option<String>,
    pub include: Option<Vec<String>>,
    pub exclude: Option<Vec<String>>,
}

/// `[queries]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueriesFile {
    pub per_page: Option<u64>,
    pub per_long_page: Option<u64>,
    pub long_page_lines: Option<u64>,
    pub from: Option<String>,
}

/// `[customer]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomerFile {
    pub tone: Option<BTreeMap<String, f64>>,
    pub style: Option<BTreeMap<String, f64>>,
    pub product: Option<BTreeMap<String, f64>>,
    pub cooperation: Option<BTreeMap<String, f64>>,
    pub typos_per_turn: Option<u64>,
    pub first_language: Option<BTreeMap<String, f64>>,
    pub hold_style: Option<bool>,
    pub first_message: Option<String>,
    pub second_question: Option<f64>,
}

/// `[plan]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanFile {
    pub kind: Option<BTreeMap<String, f64>>,
    pub outcome: Option<BTreeMap<String, f64>>,
    pub cause: Option<BTreeMap<String, f64>>,
    pub cross: Option<Vec<String>>,
    pub variants: Option<String>,
    pub keep_only_planned_outcome: Option<bool>,
}

/// `[conversation]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationFile {
    pub min_turns: Option<u64>,
    pub max_turns: Option<u64>,
    pub agent_words: Option<u64>,
    pub customer_words: Option<u64>,
    pub passage_tokens: Option<u64>,
    pub check_facts: Option<bool>,
    pub thank: Option<f64>,
    pub ask: Option<f64>,
}

/// `[experiences]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExperiencesFile {
    pub from: Option<String>,
    pub seeds: Option<String>,
    pub hub_from: Option<String>,
    pub per_call: Option<u64>,
    pub per_round: Option<u64>,
    pub shots: Option<u64>,
    pub shot_choice: Option<String>,
    pub hub: Option<String>,
    pub max_depth: Option<u64>,
    pub participants: Option<BTreeMap<String, f64>>,
}

/// `[personas]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonasFile {
    pub mode: Option<String>,
    pub from: Option<String>,
    pub strict: Option<bool>,
}

/// `[group]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupFile {
    pub min_turns: Option<u64>,
    pub max_turns: Option<u64>,
    pub words: Option<u64>,
    pub speaker: Option<String>,
    pub order: Option<Vec<u64>>,
    pub transitions: Option<BTreeMap<String, Vec<u64>>>,
    pub repeats: Option<bool>,
    pub leave: Option<Vec<String>>,
    pub pause: Option<Vec<String>>,
    pub interrupt: Option<Vec<String>>,
}

/// `[quality]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityFile {
    pub min_words: Option<u64>,
    pub max_words: Option<u64>,
    pub language: Option<bool>,
    pub repetition: Option<f64>,
    pub near_duplicates: Option<f64>,
    pub against: Option<Vec<String>>,
    pub same_opening: Option<u64>,
    pub unsupported: Option<f64>,
    pub in_character: Option<bool>,
    pub pii: Option<String>,
    pub harm: Option<String>,
    pub words: Option<Vec<String>>,
    pub judge: Option<BTreeMap<String, f64>>,
}

/// `[monitor]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorFile {
    pub window: Option<u64>,
    pub warn: Option<BTreeMap<String, f64>>,
    pub stop: Option<BTreeMap<String, f64>>,
}

/// `[sampling]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingFile {
    pub customer: RoleSamplingFile,
    pub agent: RoleSamplingFile,
    pub queries: RoleSamplingFile,
    pub experiences: RoleSamplingFile,
    pub member: RoleSamplingFile,
}

/// `[sampling.<role>]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleSamplingFile {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub min_p: Option<f64>,
    pub repetition_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    pub penalty_last_n: Option<u64>,
}

/// `[engine]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineFile {
    pub threads: Option<toml::Value>,
    pub memory: Option<toml::Value>,
    pub concurrency: Option<toml::Value>,
}
