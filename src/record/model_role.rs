use serde::{Deserialize, Serialize};

/// What a model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// Writes customers' questions from help pages.
    Queries,
    /// Speaks as the customer.
    Customer,
    /// Speaks as the agent.
    Agent,
    /// Decides for the customer whether to go on; the customer's own model unless another is named.
    Status,
    /// Writes the experiences that groups talk about.
    Experiences,
    /// Speaks as the members of a group.
    Member,
    /// Decides who of a group speaks next; the members' own model unless another is named.
    Manager,
    /// Judges finished conversations; nobody does where no model is named for it.
    Judge,
}

impl ModelRole {
    /// Every role, in the order of the work.
    pub const ALL: &[Self] = &[
        Self::Queries,
        Self::Customer,
        Self::Agent,
        Self::Status,
        Self::Experiences,
        Self::Member,
        Self::Manager,
        Self::Judge,
    ];

    /// The name in recipes, records and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::Experiences => "experiences",
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Status => "status",
            Self::Member => "member",
            Self::Manager => "manager",
            Self::Judge => "judge",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }
}

impl std::fmt::Display for ModelRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl From<super::Role> for ModelRole {
    fn from(role: super::Role) -> Self {
        match role {
            super::Role::Customer => Self::Customer,
            super::Role::Agent => Self::Agent,
        }
    }
}
