use std::fmt::Write as _;
use std::path::PathBuf;

use super::Origin;

/// What can be wrong with a recipe or what was laid over it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The recipe named on the command line is nowhere.
    #[error(
        "no recipe `{name}`: neither a file, a folder with a recipe.toml, nor a built-in recipe"
    )]
    NoSuchRecipe {
        name: String,
        known: Vec<&'static str>,
    },
    /// The recipe cannot be read.
    #[error("cannot read recipe {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The text is not TOML.
    #[error("{at}: {message}")]
    Syntax { at: Origin, message: String },
    /// Keys that do not exist.
    #[error("{}", list_unknown(.0))]
    UnknownKeys(Vec<UnknownKey>),
    /// `--set` without the shape `key=value`.
    #[error("--set {argument}: expected key=value, like brand.name=Acme")]
    SetShape { argument: String },
    /// A value that its key cannot take.
    #[error(transparent)]
    Value(Box<BadValue>),
    /// The demo model never serves by accident.
    #[error("{}: a recipe of your own needs a model", file.display())]
    NeedsModel { file: PathBuf },
}

/// A value that its key cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: `{key}` is {found}; expected {expected}")]
pub struct BadValue {
    pub at: Origin,
    pub key: String,
    pub found: String,
    pub expected: String,
    pub hint: Option<String>,
}

/// A key that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    pub at: Origin,
    pub key: String,
    pub nearest: Option<&'static str>,
}

fn list_unknown(keys: &[UnknownKey]) -> String {
    let mut text = String::new();
    for key in keys {
        let separator = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{separator}{}: unknown key `{}`", key.at, key.key);
        if let Some(nearest) = key.nearest {
            let _ = write!(text, "; did you mean `{nearest}`?");
        }
    }
    text
}

impl SettingsError {
    pub(super) fn value(
        at: Origin,
        key: &str,
        found: String,
        expected: &str,
        hint: Option<String>,
    ) -> Self {
        Self::Value(Box::new(BadValue {
            at,
            key: key.to_owned(),
            found,
            expected: expected.to_owned(),
            hint,
        }))
    }

    /// What to do next, where something can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchRecipe { known, .. } => Some(format!("built-in recipes: {}; `colloquy init DIR` writes one of your own", known.join(", "))),
            Self::UnknownKeys(_) => Some("`colloquy recipes support` prints a recipe with every key explained".into()),
            Self::Value(value) => value.hint.clone(),
            Self::NeedsModel { .. } => {
                Some("set `model = \"org/name\"` or a model folder in the recipe, or pass --model; `--model demo` tries the recipe with the demo model".into())
            }
            Self::Read { .. } | Self::Syntax { .. } | Self::SetShape { .. } => None,
        }
    }
}
