use std::fs;
use std::path::{Path, PathBuf};

use super::SettingsError;

/// A recipe that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    pub name: &'static str,
    /// What it makes, in a line.
    pub about: &'static str,
    pub text: &'static str,
}

/// The recipes that come with the program; the first is what `generate` makes when none is named.
pub const EMBEDDED: &[Embedded] = &[
    Embedded {
        name: "support",
        about: "a customer and a support agent, grounded in help pages",
        text: include_str!("../../prompts/recipes/support.toml"),
    },
    Embedded {
        name: "support-lite",
        about: "the same with the fewest settings, for small models and first tries",
        text: include_str!("../../prompts/recipes/support-lite.toml"),
    },
    Embedded {
        name: "groupchat-generated",
        about: "groups of people that the model makes up, about what it makes happen to them",
        text: include_str!("../../prompts/recipes/groupchat-generated.toml"),
    },
    Embedded {
        name: "groupchat-personas",
        about: "groups of people drawn from a list of personas",
        text: include_str!("../../prompts/recipes/groupchat-personas.toml"),
    },
    Embedded {
        name: "mixed",
        about: "support conversations and group chats in one dataset",
        text: include_str!("../../prompts/recipes/mixed.toml"),
    },
];

/// A recipe's text, and what its relative paths and its name hang on.
#[derive(Clone, Debug)]
pub struct RecipeText {
    /// How errors call it.
    pub label: PathBuf,
    pub text: String,
    /// Relative paths in the recipe start here.
    pub folder: PathBuf,
    /// The run's name when the recipe has none.
    pub default_name: String,
    /// The file it was read from; none for a recipe that comes with the program.
    pub file: Option<PathBuf>,
}

impl RecipeText {
    /// Finds a recipe: a file, a folder with a `recipe.toml`, or one that comes with the program, in this order; the
    /// first of [`EMBEDDED`] when nothing is named.
    ///
    /// # Errors
    /// When there is no such recipe, or it cannot be read.
    pub fn find(named: Option<&str>) -> Result<Self, SettingsError> {
        let Some(name) = named else {
            return Ok(Self::embedded(&EMBEDDED[0]));
        };
        let path = Path::new(name);
        let file = if path.is_dir() {
            path.join("recipe.toml")
        } else {
            path.to_owned()
        };
        if file.is_file() || path.is_dir() {
            let text = fs::read_to_string(&file).map_err(|source| SettingsError::Read {
                path: file.clone(),
                source,
            })?;
            return Ok(Self::from_file(&file, text));
        }
        EMBEDDED
            .iter()
            .find(|recipe| recipe.name == name)
            .map(Self::embedded)
            .ok_or_else(|| SettingsError::NoSuchRecipe {
                name: name.to_owned(),
                known: EMBEDDED.iter().map(|recipe| recipe.name).collect(),
            })
    }

    /// A recipe that comes with the program.
    #[must_use]
    pub fn embedded(recipe: &Embedded) -> Self {
        Self {
            label: PathBuf::from(format!("{}.toml", recipe.name)),
            text: recipe.text.to_owned(),
            folder: PathBuf::new(),
            default_name: recipe.name.to_owned(),
            file: None,
        }
    }

    /// The text of a file.
    #[must_use]
    pub fn from_file(file: &Path, text: String) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let stem = file.file_stem().unwrap_or_default();
        let named_by = if stem == "recipe" {
            let whole = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &folder
            };
            fs::canonicalize(whole)
                .ok()
                .and_then(|folder| folder.file_name().map(ToOwned::to_owned))
                .unwrap_or_else(|| stem.to_owned())
        } else {
            stem.to_owned()
        };
        Self {
            label: file.to_owned(),
            text,
            folder,
            default_name: plain_name(&named_by.to_string_lossy()),
            file: Some(file.to_owned()),
        }
    }
}

/// A name that every file system takes.
fn plain_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    let plain = plain.trim_matches(['-', '.']);
    if plain.is_empty() {
        "recipe".into()
    } else {
        plain.into()
    }
}

/// The recipe that `init` writes: one that comes with the program, with its own name, pages of its own, and the model left
/// for the user to choose.
#[must_use]
pub fn starter(recipe: &Embedded, name: &str) -> String {
    let mut text = String::new();
    for line in recipe.text.lines() {
        let line = match line.split_once(" = ") {
            // The first such line is the recipe's own name, the second the brand's.
            Some(("name", _)) if !text.contains("\nname = ") => {
                &format!("name = {}", toml::Value::String(plain_name(name)))
            }
            Some(("model", _)) => "# model = \"/models/Qwen2.5-7B-Instruct\"",
            Some(("dir", _)) => "dir = \"pages\"",
            Some(("# prompts", _)) => "prompts = \"prompts\"",
            _ => line,
        };
        text.push_str(line);
        text.push('\n');
    }
    text
}
