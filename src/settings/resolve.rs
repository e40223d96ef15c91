use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::keys::{known_keys, nearest};
use super::layers::{Layered, combine};
use super::recipe::RoleSamplingFile;
use super::spec::{
    Auto, Axis, Brand, Channel, ConversationRules, Customer, EngineRoom, PagesDir, PagesFrom,
    PlanRules, Quant, QueriesFrom, RoleSampling, SHIPPED, SamplingRules,
};
use super::{
    Environment, Origin, Overrides, RecipeText, RunSpec, SettingsError, ShareName, Shares,
};

/// A resolved recipe and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Settings {
    pub spec: RunSpec,
    origins: BTreeMap<&'static str, Origin>,
}

/// A key with its decided value, for people.
#[derive(Clone, Debug)]
pub struct ResolvedKey {
    pub path: &'static str,
    /// `Null` where a key without a default was not given.
    pub value: Value,
    pub origin: Origin,
}

impl Settings {
    /// Every key of the recipe with its value and its source, in the order of the documentation.
    #[must_use]
    pub fn entries(&self) -> Vec<ResolvedKey> {
        let whole = serde_json::to_value(&self.spec).expect("plain data serialises to JSON");
        let value = |path: &str| {
            path.split('.')
                .try_fold(&whole, |at, key| at.get(key))
                .cloned()
                .unwrap_or(Value::Null)
        };
        known_keys()
            .iter()
            .map(|key| ResolvedKey {
                path: key.path,
                value: value(key.path),
                origin: self.origin(key.path),
            })
            .collect()
    }

    /// Where the value of a key came from.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }
}

/// Lays everything over each other (flag over environment over recipe over default) and decides every value.
///
/// # Errors
/// What is wrong, where it was written, and what was expected.
pub fn resolve(
    recipe: &RecipeText,
    overrides: &Overrides,
    env: &Environment,
) -> Result<Settings, SettingsError> {
    let layered = combine(recipe, overrides, env)?;
    let decide = Decide {
        layered: &layered,
        folder: &recipe.folder,
    };
    let file = &layered.file;
    let Some(model) = file.model.as_deref() else {
        return Err(SettingsError::NeedsModel {
            file: recipe.label.clone(),
        });
    };
    let spec = RunSpec {
        name: decide.name(file.name.as_deref().unwrap_or(&recipe.default_name))?,
        seed: file.seed.unwrap_or(7),
        count: decide.whole("count", file.count, 24, 1..=100_000_000)?,
        model: decide.model(model)?,
        language: decide.text("language", file.language.as_deref(), "en")?,
        quant: match file.quant.as_deref() {
            None => Quant::default(),
            Some(name) => decide.named("quant", name, Quant::ALL, Quant::name)?,
        },
        prompts: file
            .prompts
            .as_deref()
            .map(|path| decide.path("prompts", path))
            .transpose()?,
        max_attempts: decide.number("max_attempts", file.max_attempts, 4, 1..=100)?,
        brand: decide.brand()?,
        pages: PagesFrom {
            dir: decide.pages_dir()?,
            include: decide.globs("pages.include", file.pages.include.as_ref())?,
            exclude: decide.globs("pages.exclude", file.pages.exclude.as_ref())?,
        },
        queries: decide.queries()?,
        customer: decide.customer()?,
        plan: decide.plan()?,
        conversation: decide.conversation()?,
        sampling: SamplingRules {
            customer: decide.sampling("sampling.customer", &file.sampling.customer)?,
            agent: decide.sampling("sampling.agent", &file.sampling.agent)?,
            queries: decide.sampling("sampling.queries", &file.sampling.queries)?,
        },
        engine: EngineRoom {
            threads: decide.auto("engine.threads", file.engine.threads.as_ref(), 1..=4096)?,
            memory: decide.auto(
                "engine.memory",
                file.engine.memory.as_ref(),
                1 << 20..=1 << 50,
            )?,
            concurrency: decide.auto(
                "engine.concurrency",
                file.engine.concurrency.as_ref(),
                1..=100_000,
            )?,
        },
        limit: overrides.limit,
        out: overrides
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from("runs")),
    };
    check_limit(overrides.limit)?;
    let origins = known_keys()
        .iter()
        .map(|key| (key.path, layered.origin(key.path)))
        .collect();
    Ok(Settings { spec, origins })
}

/// Whether a `--limit` makes sense.
///
/// # Errors
/// When it lets nothing be made.
pub fn check_limit(limit: Option<u64>) -> Result<(), SettingsError> {
    if limit == Some(0) {
        return Err(SettingsError::value(
            Origin::Flag("--limit".into()),
            "limit",
            "0".into(),
            "1 or more",
            None,
        ));
    }
    Ok(())
}

const TONES: &[(&str, f64)] = &[("neutral", 0.5), ("cheerful", 0.25), ("annoyed", 0.25)];
const STYLES: &[(&str, f64)] = &[
    ("plain", 0.4),
    ("casual", 0.25),
    ("formal", 0.15),
    ("typos", 0.2),
];
const OUTCOMES: &[(&str, f64)] = &[("RESOLVED", 0.7), ("UNRESOLVED", 0.2), ("ABANDONED", 0.1)];
const PRODUCTS: &[(&str, f64)] = &[
    ("smartphone", 1.0),
    ("laptop", 1.0),
    ("washing machine", 1.0),
    ("microwave oven", 1.0),
    ("smart watch", 1.0),
    ("camera", 1.0),
];

/// The shares of a key that a recipe leaves out.
pub(super) fn default_shares(path: &str) -> &'static [(&'static str, f64)] {
    match path {
        "customer.tone" => TONES,
        "customer.style" => STYLES,
        "customer.product" => PRODUCTS,
        "plan.outcome" => OUTCOMES,
        _ => &[],
    }
}

/// Decides values, one noun at a time.
struct Decide<'a> {
    layered: &'a Layered,
    folder: &'a Path,
}

impl Decide<'_> {
    fn brand(&self) -> Result<Brand, SettingsError> {
        let brand = &self.layered.file.brand;
        Ok(Brand {
            name: self.text("brand.name", brand.name.as_deref(), "our shop")?,
            agent: self.text("brand.agent", brand.agent.as_deref(), "Robin")?,
            channel: match brand.channel.as_deref() {
                None => Channel::Chat,
                Some(name) => self.named("brand.channel", name, Channel::ALL, Channel::name)?,
            },
        })
    }

    fn queries(&self) -> Result<QueriesFrom, SettingsError> {
        let queries = &self.layered.file.queries;
        Ok(QueriesFrom {
            per_page: self.number("queries.per_page", queries.per_page, 7, 1..=100)?,
            per_long_page: self.number(
                "queries.per_long_page",
                queries.per_long_page,
                15,
                1..=100,
            )?,
            long_page_lines: self.number(
                "queries.long_page_lines",
                queries.long_page_lines,
                15,
                1..=1_000_000,
            )?,
            from: queries
                .from
                .as_deref()
                .map(|path| self.path("queries.from", path))
                .transpose()?,
        })
    }

    fn customer(&self) -> Result<Customer, SettingsError> {
        let customer = &self.layered.file.customer;
        Ok(Customer {
            tone: self.shares("customer.tone", customer.tone.as_ref())?,
            style: self.shares("customer.style", customer.style.as_ref())?,
            product: self.shares("customer.product", customer.product.as_ref())?,
            typos_per_turn: self.number(
                "customer.typos_per_turn",
                customer.typos_per_turn,
                2,
                0..=20,
            )?,
        })
    }

    fn plan(&self) -> Result<PlanRules, SettingsError> {
        let plan = &self.layered.file.plan;
        let mut cross = Vec::new();
        for name in plan.cross.iter().flatten() {
            let axis = self.named("plan.cross", name, Axis::ALL, Axis::name)?;
            if cross.contains(&axis) {
                return Err(self.refuse(
                    "plan.cross",
                    &format!("`{name}` twice"),
                    "each axis once",
                ));
            }
            cross.push(axis);
        }
        if cross.len() == 1 {
            return Err(self.refuse(
                "plan.cross",
                &format!("`{}` alone", cross[0].name()),
                "two or more axes, or none",
            ));
        }
        cross.sort();
        let keep_only_planned_outcome = plan.keep_only_planned_outcome.unwrap_or(true);
        Ok(PlanRules {
            outcome: self.shares("plan.outcome", plan.outcome.as_ref())?,
            cross,
            keep_only_planned_outcome,
        })
    }

    fn conversation(&self) -> Result<ConversationRules, SettingsError> {
        let file = &self.layered.file.conversation;
        let rules = ConversationRules {
            min_turns: self.number("conversation.min_turns", file.min_turns, 2, 1..=1000)?,
            max_turns: self.number("conversation.max_turns", file.max_turns, 12, 2..=1000)?,
            agent_words: self.number("conversation.agent_words", file.agent_words, 40, 3..=2000)?,
            customer_words: self.number(
                "conversation.customer_words",
                file.customer_words,
                40,
                3..=2000,
            )?,
            passage_tokens: match file.passage_tokens {
                None => None,
                given => {
                    Some(self.number("conversation.passage_tokens", given, 0, 16..=10_000_000)?)
                }
            },
        };
        if rules.min_turns > rules.max_turns {
            let expected = format!(
                "at most conversation.max_turns, which is {}",
                rules.max_turns
            );
            return Err(self.refuse(
                "conversation.min_turns",
                &rules.min_turns.to_string(),
                &expected,
            ));
        }
        if rules.min_turns.next_multiple_of(2) > rules.max_turns {
            // Both are odd, and the same.
            let most = rules.max_turns - 1;
            return Err(SettingsError::value(
                self.layered.origin("conversation.min_turns"),
                "conversation.min_turns",
                rules.min_turns.to_string(),
                &format!("at most {most}"),
                Some(format!(
                    "a conversation ends after an agent's turn, so after an even number of turns; conversation.min_turns = {} \
                     and conversation.max_turns = {} leave none",
                    rules.min_turns, rules.max_turns
                )),
            ));
        }
        Ok(rules)
    }

    fn sampling(
        &self,
        section: &str,
        file: &RoleSamplingFile,
    ) -> Result<RoleSampling, SettingsError> {
        let fraction =
            |name: &str, value: Option<f64>, fits: fn(f64) -> bool, expected: &str| match value {
                None => Ok(None),
                #[expect(clippy::cast_possible_truncation, reason = "sampling is done in f32")]
                Some(value) if fits(value) => Ok(Some(value as f32)),
                Some(value) => {
                    Err(self.refuse(&format!("{section}.{name}"), &value.to_string(), expected))
                }
            };
        let top_k = format!("{section}.top_k");
        Ok(RoleSampling {
            temperature: fraction(
                "temperature",
                file.temperature,
                |t| (0.0..=10.0).contains(&t),
                "0 (the likeliest token) to 10",
            )?,
            top_p: fraction(
                "top_p",
                file.top_p,
                |p| p > 0.0 && p <= 1.0,
                "above 0, up to 1 (all tokens)",
            )?,
            top_k: file
                .top_k
                .map(|_| self.number(&top_k, file.top_k, 0, 0..=1_000_000))
                .transpose()?,
            min_p: fraction(
                "min_p",
                file.min_p,
                |p| (0.0..1.0).contains(&p),
                "0 (all tokens) up to below 1",
            )?,
            repetition_penalty: fraction(
                "repetition_penalty",
                file.repetition_penalty,
                |r| r > 0.0 && r <= 10.0,
                "above 0, up to 10; 1 changes nothing",
            )?,
        })
    }

    fn shares<T: ShareName>(
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

    fn named<T: Copy>(
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

    fn unknown_name(&self, path: &str, name: &str, known: &[&'static str]) -> SettingsError {
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

    fn name(&self, name: &str) -> Result<String, SettingsError> {
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

    fn text(
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
    fn model(&self, reference: &str) -> Result<String, SettingsError> {
        let text = self.text("model", Some(reference), "")?;
        let beside =
            (text.starts_with("./") || text.starts_with("../")) && self.is_in_recipe("model");
        Ok(if beside {
            self.folder.join(text).to_string_lossy().into_owned()
        } else {
            text
        })
    }

    fn pages_dir(&self) -> Result<PagesDir, SettingsError> {
        match self.layered.file.pages.dir.as_deref() {
            None => Ok(PagesDir::Folder(self.folder.join("pages"))),
            Some(SHIPPED) => Ok(PagesDir::Shipped),
            Some(dir) => self.path("pages.dir", dir).map(PagesDir::Folder),
        }
    }

    /// A path in a recipe starts at the recipe; one on the command line where the command was typed.
    fn path(&self, path: &str, given: &str) -> Result<PathBuf, SettingsError> {
        let text = self.text(path, Some(given), "")?;
        Ok(if self.is_in_recipe(path) {
            self.folder.join(text)
        } else {
            PathBuf::from(text)
        })
    }

    fn is_in_recipe(&self, path: &str) -> bool {
        matches!(self.layered.origin(path), Origin::Recipe { .. })
    }

    fn globs(&self, path: &str, given: Option<&Vec<String>>) -> Result<Vec<String>, SettingsError> {
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

    fn auto(
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

    fn number(
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

    fn whole(
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

    fn refuse(&self, path: &str, found: &str, expected: &str) -> SettingsError {
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
