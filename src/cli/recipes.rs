//! `colloquy recipes`

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::RecipesArgs;
use super::failure::{Code, Failure};
use crate::settings::{EMBEDDED, Embedded};

pub fn run(args: &RecipesArgs) -> Result<ExitCode, Failure> {
    let text = match &args.name {
        Some(name) => {
            let recipe = find(name)?;
            if args.json {
                format!("{}\n", described(recipe, true))
            } else {
                recipe.text.to_owned()
            }
        }
        None if args.json => {
            let list: Vec<Value> = EMBEDDED
                .iter()
                .map(|recipe| described(recipe, false))
                .collect();
            format!("{}\n", Value::from(list))
        }
        None => list(),
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn described(recipe: &Embedded, whole: bool) -> Value {
    let mut value = json!({ "name": recipe.name, "about": recipe.about });
    if whole {
        value["text"] = recipe.text.into();
    }
    value
}

fn list() -> String {
    let width = EMBEDDED.iter().map(|recipe| recipe.name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for recipe in EMBEDDED {
        let _ = writeln!(text, "{:<width$}  {}", recipe.name, recipe.about);
    }
    text
}

/// The recipe of this name that comes with the program.
pub fn find(name: &str) -> Result<&'static Embedded, Failure> {
    EMBEDDED
        .iter()
        .find(|recipe| recipe.name == name)
        .ok_or_else(|| {
            let known: Vec<&str> = EMBEDDED.iter().map(|recipe| recipe.name).collect();
            Failure::new(
                Code::Missing,
                format!("no recipe `{name}` comes with the program"),
            )
            .hint(format!("there is {}", known.join(", ")))
        })
}
