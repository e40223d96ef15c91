use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::DeTable;
use toml::{Table, Value};

use super::env::{COLLOQUY_MEMORY, COLLOQUY_MODEL, COLLOQUY_THREADS};
use super::error::UnknownKey;
use super::keys::{self, Kind, nearest};
use super::origin::{Places, join, line_and_column, place_of};
use super::resolve::default_shares;
use super::{Environment, Origin, RecipeFile, RecipeText, SettingsError};
use crate::record::ModelRole;

/// What was typed on the command line. Named flags win over `--set`, later `--set`s over earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// As typed: `REF` for every role that is not named, `ROLE=REF` for one.
    pub model: Vec<String>,
    pub seed: Option<u64>,
    pub count: Option<u64>,
    /// What flags of their own say of the engine: the key, the flag, its value as typed.
    pub engine: Vec<(&'static str, &'static str, String)>,
    /// Make at most this many places of the plan.
    pub limit: Option<u64>,
    /// The folder that holds run folders.
    pub out: Option<PathBuf>,
    /// `key=value` as typed; the value is read as TOML, and as a text where it is none.
    pub set: Vec<String>,
}

/// The layers laid over each other: the values, and where each was written.
pub(super) struct Layered {
    pub(super) file: RecipeFile,
    origins: BTreeMap<String, Origin>,
}

impl Layered {
    /// Where the value of a key was written.
    pub(super) fn origin(&self, path: &str) -> Origin {
        let mut outer = Some(path);
        while let Some(at) = outer {
            if let Some(origin) = self.origins.get(at) {
                return origin.clone();
            }
            outer = at.rsplit_once('.').map(|(outer, _)| outer);
        }
        // A table that nobody wrote as a whole is said to be where its first entry is.
        let inside = format!("{path}.");
        let first = self.origins.range(inside.clone()..).next();
        first
            .filter(|(held, _)| held.starts_with(&inside))
            .map_or(Origin::Default, |(_, origin)| origin.clone())
    }
}

/// Lays recipe, environment and overrides over each other.
pub(super) fn combine(
    recipe: &RecipeText,
    overrides: &Overrides,
    env: &Environment,
) -> Result<Layered, SettingsError> {
    let (mut values, mut origins) = read_recipe(recipe)?;
    let named = read_models(&overrides.model)?;
    let for_all = named.iter().any(|(role, _)| role.is_none()) || env.get(COLLOQUY_MODEL).is_some();
    let speak = |flag: &str| overrides.engine.iter().any(|(_, given, _)| *given == flag);
    // What is said of every role from outside leaves nothing of what the recipe says of one.
    for role in ModelRole::ALL {
        for (key, gone) in [
            ("ref", for_all),
            ("quant", for_all || speak("--quant")),
            ("kv_dtype", for_all || speak("--kv-dtype")),
        ] {
            if gone {
                let path = format!("models.{role}.{key}");
                remove(&mut values, &path);
                origins.remove(&path);
            }
        }
    }
    let mut put = |values: &mut Table, path: &str, value: Value, origin: Origin| {
        insert(values, path, value);
        origins.retain(|held, _| {
            held != path
                && !held
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with('.'))
        });
        origins.insert(path.to_owned(), origin);
    };
    for (path, name) in [
        ("model", COLLOQUY_MODEL),
        ("engine.threads", COLLOQUY_THREADS),
        ("engine.memory", COLLOQUY_MEMORY),
    ] {
        if let Some(text) = env.get(name) {
            let value = if path == "model" {
                Value::String(text.to_owned())
            } else {
                value_of(text)
            };
            check(path, &value, || Origin::Env(name))?;
            put(&mut values, path, value, Origin::Env(name));
        }
    }
    for argument in &overrides.set {
        let (path, value, origin) = read_set(argument)?;
        if let Some((table, _)) = path
            .rsplit_once('.')
            .filter(|(table, _)| keys::find(table).is_some())
        {
            // One share joins those that are there, the default ones where the recipe names none.
            put_default_shares(&mut values, table);
        }
        put(&mut values, &path, value, origin);
    }
    for (role, reference) in named {
        let (path, flag) = match role {
            None => ("model".into(), "--model".into()),
            Some(role) => (format!("models.{role}.ref"), format!("--model {role}")),
        };
        put(
            &mut values,
            &path,
            Value::String(reference.to_owned()),
            Origin::Flag(flag),
        );
    }
    for (path, flag, text) in &overrides.engine {
        let origin = Origin::Flag((*flag).into());
        let value = if matches!(*path, "engine.threads" | "engine.memory") {
            value_of(text)
        } else {
            Value::String(text.clone())
        };
        check(path, &value, || origin.clone())?;
        put(&mut values, path, value, origin.clone());
    }
    for (path, flag, number) in [
        ("seed", "--seed", overrides.seed),
        ("count", "--count", overrides.count),
    ] {
        if let Some(number) = number {
            let origin = Origin::Flag(flag.into());
            let value =
                i64::try_from(number).map_err(|_| out_of_range(path, number, origin.clone()))?;
            put(&mut values, path, Value::Integer(value), origin);
        }
    }
    let file = RecipeFile::deserialize_checked(values)?;
    Ok(Layered { file, origins })
}

impl RecipeFile {
    /// Shapes were checked key by key before, with their places; what is left would be a gap in that check.
    fn deserialize_checked(values: Table) -> Result<Self, SettingsError> {
        values
            .try_into()
            .map_err(|error: toml::de::Error| SettingsError::Syntax {
                at: Origin::Default,
                message: error.message().to_owned(),
            })
    }
}

fn out_of_range(path: &str, number: u64, at: Origin) -> SettingsError {
    SettingsError::value(
        at,
        path,
        number.to_string(),
        &format!("at most {}", i64::MAX),
        None,
    )
}

/// The recipe's values, each known and of the right shape, and their places.
fn read_recipe(recipe: &RecipeText) -> Result<(Table, BTreeMap<String, Origin>), SettingsError> {
    let syntax = |error: toml::de::Error| SettingsError::Syntax {
        at: place_of(&recipe.label, &recipe.text, error.span()),
        message: error.message().trim_end().to_owned(),
    };
    let places = Places::of(&DeTable::parse(&recipe.text).map_err(syntax)?);
    let mut values: Table = toml::from_str(&recipe.text).map_err(syntax)?;
    spell_out(&mut values);
    let at = |path: &str| {
        let (line, column) = line_and_column(&recipe.text, places.start(path));
        Origin::Recipe {
            file: recipe.label.clone(),
            line,
            column,
        }
    };
    let mut walk = Walk {
        at: &at,
        unknown: Vec::new(),
        origins: BTreeMap::new(),
    };
    walk.table("", &values)?;
    let mut unknown = walk.unknown;
    unknown.sort_by_key(|key| places.start(&key.key));
    if unknown.is_empty() {
        Ok((values, walk.origins))
    } else {
        Err(SettingsError::UnknownKeys(unknown))
    }
}

/// `models.customer = "…"` is short for `models.customer.ref = "…"`.
fn spell_out(values: &mut Table) {
    let Some(models) = values.get_mut("models").and_then(Value::as_table_mut) else {
        return;
    };
    for role in ModelRole::ALL {
        if let Some(model) = models.get_mut(role.name())
            && model.is_str()
        {
            let reference = std::mem::replace(model, Value::Table(Table::new()));
            insert(models, &format!("{role}.ref"), reference);
        }
    }
}

/// What the `--model` flags name, each role once at most.
fn read_models(typed: &[String]) -> Result<Vec<(Option<ModelRole>, &str)>, SettingsError> {
    let mut named: Vec<(Option<ModelRole>, &str)> = Vec::new();
    for text in typed {
        // A reference may hold an equals sign; a role is one bare word before it.
        let role = text
            .split_once('=')
            .filter(|(word, _)| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let (role, reference) = match role {
            None => (None, text.as_str()),
            Some((word, reference)) => {
                let known = ModelRole::ALL.iter().map(|role| role.name());
                let refuse = || {
                    let expected = format!(
                        "REF or ROLE=REF, where a role is one of {}",
                        known.clone().collect::<Vec<_>>().join(", ")
                    );
                    let hint = nearest(word, known.clone());
                    SettingsError::value(
                        Origin::Flag("--model".into()),
                        "model",
                        format!("{text:?}"),
                        &expected,
                        hint.map(|name| format!("did you mean `{name}`?")),
                    )
                };
                (Some(ModelRole::named(word).ok_or_else(refuse)?), reference)
            }
        };
        if named.iter().any(|(other, _)| *other == role) {
            let whose = role.map_or("every role".into(), |role| format!("the role {role}"));
            return Err(SettingsError::value(
                Origin::Flag("--model".into()),
                "model",
                format!("given twice for {whose}, the second time {reference:?}"),
                "one model a role",
                Some("--model ROLE=REF names the model of one role".into()),
            ));
        }
        named.push((role, reference));
    }
    Ok(named)
}

struct Walk<'a> {
    at: &'a dyn Fn(&str) -> Origin,
    unknown: Vec<UnknownKey>,
    origins: BTreeMap<String, Origin>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &Table) -> Result<(), SettingsError> {
        for (key, value) in table {
            let path = join(prefix, key);
            let at = (self.at)(&path);
            if keys::find(&path).is_some() {
                check(&path, value, || at.clone())?;
                if let Some(entries) = value.as_table() {
                    for name in entries.keys() {
                        let entry = join(&path, name);
                        let at = (self.at)(&entry);
                        self.origins.insert(entry, at);
                    }
                }
                self.origins.insert(path, at);
            } else if keys::is_section(&path) {
                let Some(inner) = value.as_table() else {
                    return Err(wrong_shape(&path, value, "a table of keys", at));
                };
                self.table(&path, inner)?;
            } else {
                self.unknown.push(UnknownKey {
                    at,
                    nearest: keys::nearest_key(&path),
                    key: path,
                });
            }
        }
        Ok(())
    }
}

/// Refuses a value of the wrong shape. Unknown paths are someone else's matter.
fn check(path: &str, value: &Value, at: impl Fn() -> Origin) -> Result<(), SettingsError> {
    match keys::find(path) {
        Some(key) if !key.kind.fits(value) => {
            if let (Kind::Shares, Some(entries)) = (key.kind, value.as_table()) {
                let odd = entries
                    .iter()
                    .find(|(_, share)| !share.is_integer() && !share.is_float());
                if let Some((name, share)) = odd {
                    return Err(wrong_shape(&join(path, name), share, "a number", at()));
                }
            }
            Err(wrong_shape(path, value, key.kind.expected(), at()))
        }
        _ => Ok(()),
    }
}

fn wrong_shape(path: &str, value: &Value, expected: &str, at: Origin) -> SettingsError {
    let found = match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Array(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
        other => other.to_string(),
    };
    SettingsError::value(at, path, found, expected, None)
}

/// One `--set`.
fn read_set(argument: &str) -> Result<(String, Value, Origin), SettingsError> {
    let shape = || SettingsError::SetShape {
        argument: argument.to_owned(),
    };
    let (path, text) = argument.split_once('=').ok_or_else(shape)?;
    let (path, text) = (path.trim(), text.trim());
    if path.is_empty() {
        return Err(shape());
    }
    let origin = Origin::Flag(format!("--set {path}"));
    let role = path.strip_prefix("models.").and_then(ModelRole::named);
    let spelt_out = role.map(|role| format!("models.{role}.ref"));
    let path = spelt_out.as_deref().unwrap_or(path);
    // `customer.tone.angry=0.2` adds an entry to a table.
    let entry = path.rsplit_once('.').filter(|(outer, name)| {
        let table = keys::find(outer).map(|key| key.kind);
        matches!(table, Some(Kind::Shares | Kind::Values)) && !name.is_empty()
    });
    if entry.is_some_and(|(outer, _)| keys::find(outer).is_some_and(|key| key.kind == Kind::Values))
    {
        return Ok((path.to_owned(), value_of(text), origin));
    }
    let kind = match (keys::find(path), entry) {
        (Some(key), _) => key.kind,
        (None, Some(_)) => Kind::Number,
        (None, None) => {
            let unknown = UnknownKey {
                at: origin,
                key: path.to_owned(),
                nearest: keys::nearest_key(path),
            };
            return Err(SettingsError::UnknownKeys(vec![unknown]));
        }
    };
    let value = match (kind, value_of(text)) {
        (_, value) if kind.fits(&value) => value,
        // A text that happens to look like a number or a list is still a text.
        (Kind::Text, _) => Value::String(text.to_owned()),
        (Kind::Texts, Value::String(text)) => Value::Array(
            text.split(',')
                .map(|item| Value::String(item.trim().to_owned()))
                .collect(),
        ),
        (_, value) => return Err(wrong_shape(path, &value, kind.expected(), origin)),
    };
    Ok((path.to_owned(), value, origin))
}

/// A value as TOML, or as a bare text.
fn value_of(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("v = {text}"))
        .ok()
        .filter(|table| table.len() == 1);
    parsed
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Writes the default shares of a key where it has none.
fn put_default_shares(values: &mut Table, path: &str) {
    let mut at = Some(&*values);
    let (outer, last) = path.rsplit_once('.').unwrap_or(("", path));
    for section in outer.split('.').filter(|section| !section.is_empty()) {
        at = at
            .and_then(|table| table.get(section))
            .and_then(Value::as_table);
    }
    if at.is_none_or(|table| !table.contains_key(last)) {
        let entries = default_shares(path)
            .iter()
            .map(|(name, share)| ((*name).to_owned(), Value::Float(*share)));
        insert(values, path, Value::Table(entries.collect()));
    }
}

/// Takes a value out, if it is there.
fn remove(table: &mut Table, path: &str) {
    match path.split_once('.') {
        None => drop(table.remove(path)),
        Some((first, rest)) => {
            if let Some(inner) = table.get_mut(first).and_then(Value::as_table_mut) {
                remove(inner, rest);
            }
        }
    }
}

/// Puts a value at a path; a table of shares is replaced as a whole, one of its entries alone.
fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
