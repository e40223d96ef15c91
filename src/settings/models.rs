use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KvDtype, Quant, RunSpec, SpeakerMethod, Stage};
use crate::record::{Kind, ModelRole};

/// Variables that a chat template gets beside the conversation, by name.
pub type TemplateKwargs = BTreeMap<String, Value>;

/// Variables that are never the user's: the conversation, what goes with it, the special tokens of the vocabulary, and the
/// functions that every template has.
pub(super) const RESERVED: &[&str] = &[
    "messages",
    "tools",
    "documents",
    "add_generation_prompt",
    "continue_final_message",
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
    "additional_special_tokens",
    "strftime_now",
    "raise_exception",
];

/// `[models]`: what a recipe says of single roles' models; the rest is the run's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRules {
    pub queries: RoleModel,
    #[serde(default)]
    pub experiences: RoleModel,
    pub customer: RoleModel,
    pub agent: RoleModel,
    pub status: RoleModel,
    #[serde(default)]
    pub member: RoleModel,
    #[serde(default)]
    pub manager: RoleModel,
    /// Without a reference there is no judge.
    #[serde(default)]
    pub judge: RoleModel,
}

/// What a recipe says of a role's model. What is left out is the run's; for `status`, the customer's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleModel {
    /// As the user named it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub quant: Option<Quant>,
    pub kv_dtype: Option<KvDtype>,
    /// Tokens that it may think before each reply. `status` never replies, and has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<u32>,
    /// In place of the run's, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template_kwargs: Option<TemplateKwargs>,
}

/// A model and how it is loaded, decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelChoice {
    pub reference: String,
    pub quant: Quant,
    pub kv_dtype: KvDtype,
}

/// Of a model whose template gets nothing.
static NO_KWARGS: TemplateKwargs = TemplateKwargs::new();

impl ModelRules {
    /// What is said of a role.
    #[must_use]
    pub fn of(&self, role: ModelRole) -> &RoleModel {
        match role {
            ModelRole::Queries => &self.queries,
            ModelRole::Customer => &self.customer,
            ModelRole::Agent => &self.agent,
            ModelRole::Status => &self.status,
            ModelRole::Experiences => &self.experiences,
            ModelRole::Member => &self.member,
            ModelRole::Manager => &self.manager,
            ModelRole::Judge => &self.judge,
        }
    }

    /// Every reference that was named, to be changed.
    pub fn references_mut(&mut self) -> impl Iterator<Item = &mut String> {
        [
            &mut self.queries,
            &mut self.customer,
            &mut self.agent,
            &mut self.status,
            &mut self.experiences,
            &mut self.member,
            &mut self.manager,
            &mut self.judge,
        ]
        .into_iter()
        .filter_map(|role| role.reference.as_mut())
    }
}

impl RunSpec {
    /// The model of a role.
    #[must_use]
    pub fn model_of(&self, role: ModelRole) -> ModelChoice {
        let under = match role {
            ModelRole::Status => self.model_of(ModelRole::Customer),
            ModelRole::Manager => self.model_of(ModelRole::Member),
            _ => ModelChoice {
                reference: self.model.clone(),
                quant: self.quant,
                kv_dtype: self.kv_dtype,
            },
        };
        let own = self.models.of(role);
        ModelChoice {
            reference: own.reference.clone().unwrap_or(under.reference),
            quant: own.quant.unwrap_or(under.quant),
            kv_dtype: own.kv_dtype.unwrap_or(under.kv_dtype),
        }
    }

    /// The model that judges the run's conversations, where one is named.
    #[must_use]
    pub fn judge(&self) -> Option<ModelChoice> {
        let named = self.models.judge.reference.is_some();
        named.then(|| self.model_of(ModelRole::Judge))
    }

    /// Tokens that a role may think before each reply.
    #[must_use]
    pub fn thinking_of(&self, role: ModelRole) -> u32 {
        match role {
            ModelRole::Status | ModelRole::Manager | ModelRole::Judge => 0,
            _ => self.models.of(role).thinking.unwrap_or(self.thinking),
        }
    }

    /// The variables of a role's chat template.
    #[must_use]
    pub fn kwargs_of(&self, role: ModelRole) -> &TemplateKwargs {
        match (&self.models.of(role).chat_template_kwargs, role) {
            (Some(own), _) => own,
            (None, ModelRole::Status) => self.kwargs_of(ModelRole::Customer),
            (None, ModelRole::Manager) => self.kwargs_of(ModelRole::Member),
            // What is said of the run's own model is not about it.
            (None, ModelRole::Judge) => &NO_KWARGS,
            (None, _) => &self.chat_template_kwargs,
        }
    }

    /// The roles that a stage has work for: none writes questions where they are given.
    #[must_use]
    pub fn roles_of(&self, stage: Stage) -> Vec<ModelRole> {
        let (support, group) = (self.has(Kind::Support), self.has(Kind::Group));
        let mut roles = Vec::new();
        match stage {
            Stage::Queries if support && self.queries.from.is_none() => {
                roles.push(ModelRole::Queries);
            }
            Stage::Experiences if group && self.experiences.from.is_none() => {
                roles.push(ModelRole::Experiences);
            }
            Stage::Products if self.has_all_variants() => roles.push(ModelRole::Customer),
            Stage::Queries | Stage::Products | Stage::Experiences => {}
            Stage::Conversations => {
                if support {
                    roles.extend([ModelRole::Customer, ModelRole::Agent, ModelRole::Status]);
                }
                if group {
                    roles.push(ModelRole::Member);
                }
                if group && self.group.speaker == SpeakerMethod::Auto {
                    roles.push(ModelRole::Manager);
                }
            }
        }
        roles
    }

    /// The role whose model rows are named after.
    #[must_use]
    pub fn leading_role(&self) -> ModelRole {
        if self.has(Kind::Support) {
            ModelRole::Agent
        } else {
            ModelRole::Member
        }
    }

    /// The roles that a run has work for, in order.
    pub fn roles(&self) -> impl Iterator<Item = ModelRole> {
        // Who fits products takes part in the conversations.
        let stages = Stage::ALL.iter().filter(|stage| **stage != Stage::Products);
        stages.flat_map(|stage| self.roles_of(*stage))
    }
}
