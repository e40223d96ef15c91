use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::keys::nearest;
use super::layers::Layered;
use super::models::RESERVED;
use super::resolve::default_shares;
use super::spec::{Auto, PagesDir, SHIPPED};
use super::{Origin, SettingsError, ShareName, Shares, TemplateKwargs};

/// Decides values, one at a time; its nouns are in `resolve`.
pub(super) struct Decide<'a> {
    pub(super) layered: &'a Layered,
    pub(super) folder: &'a Path,
}

impl Decide<'_> {
    pub(super) fn shares<T: ShareName>(
        &self,
        path: &str,
        given: Option<&BTreeMap<String, f64>>,
    ) -> Result<Shares<T>, SettingsError> {
        let Some(given) = given else {
            return Ok(Shares::new(
                default_shares(path)
                    .iter()
                    .map(|(name, share)| {
                        (
                            T::from_share_name(name).expect("a default name is known"),
                            *share,
                        )
                    })
                    .collect(),
            )
            .expect("default shares are positive"));
        };
        let mut entries = Vec::new();
        for (name, share) in given {
            let entry = format!("{path}.{name}");
            let Some(value) = T::from_share_name(name) else {
                let known = T::share_names().unwrap_or_default();
                return Err(self.unknown_name(&entry, name, &known));
            };
            if !(share.is_finite() && *share > 0.0) {
                let hint = (*share == 0.0).then(|| "leave a name out to have none of it".into());
                return Err(SettingsError::value(
                    self.layered.origin(&entry),
                    &entry,
                    share.to_string(),
                    "a share above 0",
                    hint,
                ));
            }
            entries.push((value, *share));
        }
        Shares::new(entries)
            .map_err(|_| self.refuse(path, "empty", "at least one name with a share"))
    }

    /// The variables of a chat template.
    pub(super) fn kwargs(
        &self,
        path: &str,
        given: Option<&toml::Table>,
    ) -> Result<Option<TemplateKwargs>, SettingsError> {
        let Some(given) = given else {
            return Ok(None);
        };
        let mut kwargs = TemplateKwargs::new();
        for (name, value) in given {
            let entry = format!("{path}.{name}");
            let refuse = |found: &str, expected: &str, hint: Option<String>| {
                let at = self.layered.origin(&entry);
                SettingsError::value(at, &entry, found.to_owned(), expected, hint)
            };
            if RESERVED.contains(&name.as_str()) {
                let expected = "a variable of the template's own, like enable_thinking";
                let hint = "colloquy fills it itself; leave it out".to_owned();
                return Err(refuse("a reserved variable", expected, Some(hint)));
            }
            let expected = "a text, a finite number, true, false, or a list or table of these";
            let value = json(value).map_err(|found| refuse(&found, expected, None))?;
            kwargs.insert(name.clone(), value);
        }
        Ok(Some(kwargs))
    }

    pub(super) fn named<T: Copy>(
        &self,
        path: &str,
        name: &str,
        all: &[T],
        name_of: fn(T) -> &'static str,
    ) -> Result<T, SettingsError> {
        let known: Vec<&'static str> = all.iter().map(|value| name_of(*value)).collect();
        all.iter()
            .copied()
            .find(|value| name_of(*value) == name)
            .ok_or_else(|| self.unknown_name(path, name, &known))
    }

    pub(super) fn unknown_name(
        &self,
        path: &str,
        name: &str,
        known: &[&'static str],
    ) -> SettingsError {
        let expected = if known.is_empty() {
            "a name".to_owned()
        } else {
            format!("one of {}", known.join(", "))
        };
        let hint =
            nearest(name, known.iter().copied()).map(|name| format!("did you mean `{name}`?"));
        SettingsError::value(
            self.layered.origin(path),
            path,
            format!("the unknown name {name:?}"),
            &expected,
            hint,
        )
    }

    pub(super) fn name(&self, name: &str) -> Result<String, SettingsError> {
        let plain = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !plain || name.is_empty() || name.starts_with(['.', '-']) || name.len() > 64 {
            return Err(self.refuse(
                "name",
                &format!("{name:?}"),
                "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit",
            ));
        }
        Ok(name.to_owned())
    }

    pub(super) fn text(
        &self,
        path: &str,
        given: Option<&str>,
        default: &str,
    ) -> Result<String, SettingsError> {
        let text = given.unwrap_or(default).trim();
        if text.is_empty() || text.contains('\n') {
            return Err(self.refuse(path, &format!("{text:?}"), "a text on one line, not empty"));
        }
        Ok(text.to_owned())
    }

    /// A reference that begins with `./` or `../` in a recipe is beside the recipe; anything else is the hub's to read.
    pub(super) fn model(&self, path: &str, reference: &str) -> Result<String, SettingsError> {
        let text = self.text(path, Some(reference), "")?;
        let beside = (text.starts_with("./") || text.starts_with("../")) && self.is_in_recipe(path);
        Ok(if beside {
            self.folder.join(text).to_string_lossy().into_owned()
        } else {
            text
        })
    }

    pub(super) fn pages_dir(&self) -> Result<PagesDir, SettingsError> {
        match self.layered.file.pages.dir.as_deref() {
            None => Ok(PagesDir::Folder(self.folder.join("pages"))),
            Some(SHIPPED) => Ok(PagesDir::Shipped),
            Some(dir) => self.path("pages.dir", dir).map(PagesDir::Folder),
        }
    }

    /// A path in a recipe starts at the recipe; one on the command line where the command was typed.
    pub(super) fn path(&self, path: &str, given: &str) -> Result<PathBuf, SettingsError> {
        let text = self.text(path, Some(given), "")?;
        Ok(if self.is_in_recipe(path) {
            self.folder.join(text)
        } else {
            PathBuf::from(text)
        })
    }

    pub(super) fn is_in_recipe(&self, path: &str) -> bool {
        matches!(self.layered.origin(path), Origin::Recipe { .. })
    }

    pub(super) fn globs(
        &self,
        path: &str,
        given: Option<&Vec<String>>,
    ) -> Result<Vec<String>, SettingsError> {
        let globs = given.cloned().unwrap_or_default();
        for glob in &globs {
            if let Err(error) = globset::Glob::new(glob) {
                return Err(self.refuse(
                    path,
                    &format!("{glob:?} ({})", error.kind()),
                    "globs like \"returns*\" or \"internal/**\"",
                ));
            }
        }
        Ok(globs)
    }

    pub(super) fn auto(
        &self,
        path: &str,
        given: Option<&toml::Value>,
        range: RangeInclusive<u64>,
    ) -> Result<Auto, SettingsError> {
        let (number, found) = match given {
            None => return Ok(Auto::Auto),
            Some(toml::Value::String(text)) if text.trim() == "auto" => return Ok(Auto::Auto),
            Some(toml::Value::String(text)) => (
                if path == "engine.memory" {
                    bytes(text)
                } else {
                    text.trim().parse().ok()
                },
                format!("{text:?}"),
            ),
            Some(value) => (
                value
                    .as_integer()
                    .and_then(|number| u64::try_from(number).ok()),
                value.to_string(),
            ),
        };
        match number {
            Some(number) if range.contains(&number) => Ok(Auto::Exactly(number)),
            _ if path == "engine.memory" => Err(self.refuse(
                path,
                &found,
                "a size like \"12 GiB\", of 1 MiB or more, or \"auto\"",
            )),
            _ => Err(self.refuse(
                path,
                &found,
                &format!("{} to {}, or \"auto\"", range.start(), range.end()),
            )),
        }
    }

    pub(super) fn number(
        &self,
        path: &str,
        given: Option<u64>,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, SettingsError> {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        let number = self.whole(path, given, u64::from(default), wide)?;
        Ok(u32::try_from(number).expect("the range ends within 32 bits"))
    }

    pub(super) fn whole(
        &self,
        path: &str,
        given: Option<u64>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, SettingsError> {
        match given {
            None => Ok(default),
            Some(number) if range.contains(&number) => Ok(number),
            Some(number) => Err(self.refuse(
                path,
                &number.to_string(),
                &format!("{} to {}", range.start(), range.end()),
            )),
        }
    }

    pub(super) fn refuse(&self, path: &str, found: &str, expected: &str) -> SettingsError {
        SettingsError::value(
            self.layered.origin(path),
            path,
            found.to_owned(),
            expected,
            None,
        )
    }
}

/// A size: `12 GiB`, `500MB`, `1073741824`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale: u32 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        "kb" => return decimal(number, 1e3),
        "mb" => return decimal(number, 1e6),
        "gb" => return decimal(number, 1e9),
        "tb" => return decimal(number, 1e12),
        _ => return None,
    };
    decimal(number, 2f64.powi(scale.cast_signed()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be within range; a byte more or less does not matter"
)]
fn decimal(number: &str, unit: f64) -> Option<u64> {
    let value = number.parse::<f64>().ok()? * unit;
    (value.is_finite() && (0.0..1e18).contains(&value)).then_some(value as u64)
}

/// A value as templates take it, or what it is that they cannot take.
fn json(value: &toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Boolean(switch) => (*switch).into(),
        toml::Value::Float(number) if number.is_finite() => (*number).into(),
        toml::Value::Float(number) => return Err(number.to_string()),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        toml::Value::Table(entries) => {
            let entry = |(name, value): (&String, &_)| Ok((name.clone(), json(value)?));
            entries.iter().map(entry).collect::<Result<_, String>>()?
        }
    })
}
