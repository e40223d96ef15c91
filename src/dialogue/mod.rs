//! Conversations between agents: a log that takes no side, each side's view of it, and how a customer decides to go on or
//! to end.

mod decision;
mod floor;
mod goals;
mod log;
mod projection;
mod steering;

pub use decision::{Decision, DecisionRule, decide, end_choice, without_resolved};
pub use floor::{
    Floor, FloorRules, Method, Next, addresses, choose_speaker, moves_of, without_label,
};
pub use goals::{Goals, only_asks};
pub use log::Log;
pub use projection::{project, project_member};
pub use steering::Steering;
