use serde::{Deserialize, Serialize};

/// What kind of conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A customer and a support agent about a help page.
    Support,
    /// Several people about an experience.
    Group,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Support, Self::Group];

    /// The name in recipes and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Group => "group",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
