use std::sync::Arc;

use crate::engine::ChatModel;
use crate::prompt::Prompts;
use crate::record::ModelRole;

/// A model in a role, and the prompts that suit it.
#[derive(Clone, Debug)]
pub struct Player {
    pub model: ChatModel,
    pub prompts: Arc<Prompts>,
}

/// Who plays which role. Whatever is counted in tokens is counted by the model that reads it.
#[derive(Clone, Debug)]
pub struct Cast {
    pub queries: Player,
    pub experiences: Player,
    pub customer: Player,
    pub agent: Player,
    pub status: Player,
    pub member: Player,
    pub manager: Player,
    /// Nobody is asked to judge while a run is made; another stands in there.
    pub judge: Player,
}

impl Cast {
    /// One model in all roles.
    #[must_use]
    pub fn one(model: ChatModel, prompts: Arc<Prompts>) -> Self {
        let player = Player { model, prompts };
        Self {
            queries: player.clone(),
            experiences: player.clone(),
            customer: player.clone(),
            agent: player.clone(),
            status: player.clone(),
            member: player.clone(),
            manager: player.clone(),
            judge: player,
        }
    }

    /// Who plays a role.
    #[must_use]
    pub fn of(&self, role: ModelRole) -> &Player {
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

    /// The model of a role.
    #[must_use]
    pub fn model(&self, role: ModelRole) -> &ChatModel {
        &self.of(role).model
    }

    /// Whether another model than the customer's decides for it, or the same that sees views otherwise: it then has a view of
    /// its own.
    #[must_use]
    pub fn decides_apart(&self) -> bool {
        !self.status.model.sees_as(&self.customer.model)
    }

    /// The views of a conversation by who reads them.
    #[must_use]
    pub fn readers(&self) -> &'static [ModelRole] {
        if self.decides_apart() {
            &[ModelRole::Customer, ModelRole::Agent, ModelRole::Status]
        } else {
            &[ModelRole::Customer, ModelRole::Agent]
        }
    }
}
