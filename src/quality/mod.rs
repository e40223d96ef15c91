//! What of the finished conversations is good enough to be kept: filters, each verdict with a reason, pure over records. The
//! records themselves stay as they are.

mod character;
mod filters;
mod harm;
mod judged;
mod language;
mod likeness;
mod monitor;
pub mod pii;
mod repetition;
mod settlement;

#[cfg(test)]
mod filter_tests;

pub use filters::{Filters, Finding, FindingKind};
pub use harm::{Harm, HarmKind};
pub use judged::judged;
pub use likeness::{Likeness, Runs};
pub use monitor::{Alarm, Monitor};
pub use repetition::{looped, repeated};
pub use settlement::{Settled, Settlement};

/// The version of the filters' rules. Raise it when the same conversation would get another verdict: verdicts are then made
/// anew.
pub const FILTERS_VERSION: u32 = 1;
