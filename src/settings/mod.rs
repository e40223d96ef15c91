//! From what was written (a recipe, `--set`, flags, the environment) to what is meant.
//!
//! Three steps: a recipe's text becomes a [`RecipeFile`], in which everything is optional; overrides and the environment
//! are laid over it; [`resolve`] turns the result into a [`RunSpec`], in which everything is decided, and remembers where
//! each value came from. Nothing past this room sees a flag, a variable or a setting that might be missing.

pub mod env;

mod decide;
mod error;
mod group;
mod keys;
mod layers;
mod models;
mod origin;
mod part;
mod quality;
mod recipe;
mod resolve;
mod resolve_group;
mod resolve_quality;
mod shares;
mod source;
mod spec;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use env::Environment;
pub use error::{BadValue, SettingsError, UnknownKey};
pub use group::{
    ExperienceRules, GROUP_SIZES, GroupRules, GroupSize, HubGate, PersonaMode, PersonaRules,
    ShotChoice, SpeakerMethod,
};
pub use keys::{Key, Keys, Kind, diff_keys, known_keys};
pub use layers::Overrides;
pub use models::{ModelChoice, ModelRules, RoleModel, TemplateKwargs};
pub use origin::Origin;
pub use part::{Part, Stage};
pub use quality::{HarmRule, MonitorRules, PiiRule, QualityRules, Watched};
pub use recipe::RecipeFile;
pub use resolve::{MOST_COUNT, ResolvedKey, Settings, check_limit, resolve};
pub use shares::{ShareName, Shares};
pub use source::{EMBEDDED, Embedded, RecipeText, starter};
pub use spec::{
    Auto, Axis, Brand, Channel, ConversationRules, Customer, EngineRoom, FirstMessage, KvDtype,
    PagesDir, PagesFrom, PlanRules, Quant, QueriesFrom, RoleSampling, RunSpec, SamplingRules,
    VariantRule,
};
