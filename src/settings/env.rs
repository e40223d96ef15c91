//! Every environment variable the program reads, by name. Read once, here, and passed on as values.

use std::collections::BTreeMap;
use std::fmt;

/// The chat model of every role, as `--model` would name it.
pub const COLLOQUY_MODEL: &str = "COLLOQUY_MODEL";
/// Threads of the engine, as `engine.threads`.
pub const COLLOQUY_THREADS: &str = "COLLOQUY_THREADS";
/// Memory for the engine, as `engine.memory`.
pub const COLLOQUY_MEMORY: &str = "COLLOQUY_MEMORY";
/// The Hugging Face home folder.
pub const HF_HOME: &str = "HF_HOME";
/// The Hugging Face cache of models; wins over `HF_HOME`.
pub const HF_HUB_CACHE: &str = "HF_HUB_CACHE";
/// The access token for gated models.
pub const HF_TOKEN: &str = "HF_TOKEN";
/// Another hub than huggingface.co.
pub const HF_ENDPOINT: &str = "HF_ENDPOINT";
/// Forbids the network.
pub const HF_HUB_OFFLINE: &str = "HF_HUB_OFFLINE";
/// Forbids colour.
pub const NO_COLOR: &str = "NO_COLOR";

/// Folders of libraries, as the system's loader reads it.
pub const LD_LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// All of them, with what each is for.
pub const ALL: &[(&str, &str)] = &[
    (COLLOQUY_MODEL, "the chat model, when --model is not given"),
    (
        COLLOQUY_THREADS,
        "threads of the engine, over engine.threads",
    ),
    (COLLOQUY_MEMORY, "memory for the engine, over engine.memory"),
    (HF_HOME, "the Hugging Face home folder"),
    (HF_HUB_CACHE, "the Hugging Face model cache"),
    (HF_TOKEN, "the access token for gated models"),
    (HF_ENDPOINT, "another hub than huggingface.co"),
    (HF_HUB_OFFLINE, "1 forbids the network"),
    (NO_COLOR, "anything forbids colour"),
    (
        LD_LIBRARY_PATH,
        "folders where doctor looks for a CUDA driver",
    ),
];

/// The named variables as they were when the program began. A variable that is set but empty counts as not set.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<&'static str, String>,
}

impl Environment {
    /// Reads the process's variables. A value that is not Unicode counts as not set.
    #[must_use]
    pub fn from_process() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere: an empty environment is `from_lookup(|_| None)`.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let read = |(name, _): &(&'static str, _)| {
            lookup(name)
                .filter(|value| !value.is_empty())
                .map(|value| (*name, value))
        };
        Self {
            values: ALL.iter().filter_map(read).collect(),
        }
    }

    /// The value of one of the variables named here.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Whether a switch is on: `1`, `true`, `yes` or `on`, in any case.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            ["1", "true", "yes", "on"]
                .iter()
                .any(|on| value.eq_ignore_ascii_case(on))
        })
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .values
            .iter()
            .map(|(name, value)| (name, if *name == HF_TOKEN { "…" } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_is_named_and_hides_the_token() {
        let env = Environment::from_lookup(|name| match name {
            "HF_TOKEN" => Some("hf_secret".into()),
            "HF_HUB_OFFLINE" => Some("True".into()),
            "COLLOQUY_MODEL" => Some(String::new()),
            _ => None,
        });
        assert_eq!(env.get(HF_TOKEN), Some("hf_secret"));
        assert!(env.is_on(HF_HUB_OFFLINE));
        assert_eq!(env.get(COLLOQUY_MODEL), None);
        assert_eq!(env.get("PATH"), None);
        assert!(!format!("{env:?}").contains("secret"));
    }
}
