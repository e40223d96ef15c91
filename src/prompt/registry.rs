use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;

use super::tags::asks_for_another;
use super::{
    AgentVars, CustomerVars, Pack, PassageVar, PromptError, QueriesVars, SteerVars, Template,
    embedded,
};
use crate::hash;
use crate::record::{Cause, Cooperation, FirstLanguage, Outcome, Style, Tone};

/// Names below this similarity are not worth suggesting.
const NEAR: f64 = 0.6;

/// Names that templates get from the engine itself.
const BUILT_IN: &[&str] = &["range", "dict", "namespace", "debug", "loop", "self"];

/// The templates of one pack, overrides in place, each known to render.
#[derive(Debug)]
pub struct Prompts {
    pack: Pack,
    env: Environment<'static>,
    /// What messages call each template: its path when overridden, else its embedded name.
    names: BTreeMap<Template, String>,
    hashes: BTreeMap<Template, String>,
}

/// A template rendered with sample data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub template: Template,
    pub text: String,
}

impl Prompts {
    /// The pack as compiled in.
    ///
    /// # Panics
    /// Never: the embedded templates are loaded in tests.
    #[must_use]
    pub fn embedded(pack: Pack) -> Self {
        Self::build(pack, &BTreeMap::new()).expect("the embedded templates load, a test holds it")
    }

    /// The pack with the templates that a folder overrides: `NAME.j2` for any pack, `full/NAME.j2` for one.
    ///
    /// # Errors
    /// When the folder holds a template of an unknown name, with an unknown variable, or one that does not render.
    pub fn with_overrides(pack: Pack, folder: &Path) -> Result<Self, PromptError> {
        let mut overrides = read_templates(folder)?;
        for &other in Pack::ALL {
            let inner = folder.join(other.name());
            if inner.is_dir() {
                let found = read_templates(&inner)?;
                // The other pack's files are checked as well: a recipe may switch packs with the model.
                Self::build(other, &found)?;
                if other == pack {
                    overrides.extend(found);
                }
            }
        }
        Self::build(pack, &overrides)
    }

    fn build(
        pack: Pack,
        overrides: &BTreeMap<Template, (PathBuf, String)>,
    ) -> Result<Self, PromptError> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        let (mut names, mut hashes) = (BTreeMap::new(), BTreeMap::new());
        for embedded in embedded()
            .into_iter()
            .filter(|embedded| embedded.pack == pack)
        {
            let template = embedded.template;
            let (name, source) = match overrides.get(&template) {
                Some((path, source)) => (
                    path.display().to_string(),
                    source.trim_start_matches('\u{feff}').replace("\r\n", "\n"),
                ),
                None => (
                    format!("prompts/{}/{}", pack.name(), template.file()),
                    embedded.source.to_owned(),
                ),
            };
            hashes.insert(template, hash::of_bytes(source.as_bytes()));
            if let Some((line, word)) = asks_for_another(&source) {
                return Err(PromptError::Syntax {
                    template: name,
                    line,
                    reason: format!(
                        "`{word}` asks for another template; each prompt stands alone, so put its text here"
                    ),
                });
            }
            env.add_template_owned(template.file(), source.clone())
                .map_err(|error| PromptError::Syntax {
                    template: name.clone(),
                    line: error.line().unwrap_or(0),
                    reason: reason(&error),
                })?;
            names.insert(template, name);
            check_variables(&env, template, &names[&template], &source)?;
        }
        let prompts = Self {
            pack,
            env,
            names,
            hashes,
        };
        prompts.samples()?;
        Ok(prompts)
    }

    /// Which pack it is.
    #[must_use]
    pub fn pack(&self) -> Pack {
        self.pack
    }

    /// The hash of each template's text, by file name.
    pub fn hashes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.hashes
            .iter()
            .map(|(template, hash)| (template.file(), hash.as_str()))
    }

    /// One hash over all templates that a stage uses.
    #[must_use]
    pub fn hash_of(&self, templates: &[Template]) -> String {
        let hashes: Vec<&str> = templates
            .iter()
            .map(|template| self.hashes[template].as_str())
            .collect();
        hash::of_value(&hashes)
    }

    /// The agent's system message.
    ///
    /// # Errors
    /// When the template fails on this data; the sample data at load made that unlikely.
    pub fn agent(&self, vars: &AgentVars<'_>) -> Result<String, PromptError> {
        self.render(Template::Agent, vars)
    }

    /// The customer's system message.
    ///
    /// # Errors
    /// As for [`Self::agent`].
    pub fn customer(&self, vars: &CustomerVars<'_>) -> Result<String, PromptError> {
        self.render(Template::Customer, vars)
    }

    /// What joins the agent's turn, on a line of its own, when the customer decides whether to go on.
    ///
    /// # Errors
    /// As for [`Self::agent`].
    pub fn status(&self, brand: &str) -> Result<String, PromptError> {
        self.render(Template::Status, &BTreeMap::from([("brand", brand)]))
    }

    /// What joins the customer's last message, on a line of its own, when the agent's next turn is steered.
    ///
    /// # Errors
    /// As for [`Self::agent`].
    pub fn steer(&self, vars: SteerVars) -> Result<String, PromptError> {
        self.render(Template::Steer, &vars)
    }

    /// What joins the agent's last message, on a line of its own, when the customer is to ask this as well.
    ///
    /// # Errors
    /// As for [`Self::agent`].
    pub fn second(&self, query: &str) -> Result<String, PromptError> {
        self.render(Template::Second, &BTreeMap::from([("query", query)]))
    }

    /// System and user message for writing questions.
    ///
    /// # Errors
    /// As for [`Self::agent`].
    pub fn queries(&self, vars: &QueriesVars<'_>) -> Result<(String, String), PromptError> {
        Ok((
            self.render(Template::QueriesSystem, vars)?,
            self.render(Template::Queries, vars)?,
        ))
    }

    /// Every template rendered with sample data, for `validate` to show.
    ///
    /// # Errors
    /// When one fails, for any tone, style, outcome, cooperation or cause.
    pub fn samples(&self) -> Result<Vec<Sample>, PromptError> {
        let passages = || {
            vec![
                PassageVar {
                    heading: "",
                    text: "Most items can be sent back.",
                },
                PassageVar {
                    heading: "How long you have",
                    text: "You have 30 days from delivery.",
                },
            ]
        };
        let (agent, brand, channel, language, title) =
            ("Robin", "Larkmoor", "chat", "English", "Returns");
        let agent = AgentVars {
            agent,
            brand,
            channel,
            language,
            max_words: 40,
            title,
            passages: passages(),
            steered: true,
        };
        self.agent(&agent.bare())?;
        let agent = AgentVars {
            steered: false,
            ..agent
        };
        let mut customer = CustomerVars {
            name: "Mia",
            brand,
            channel,
            language,
            max_words: 30,
            query: "How long do I have to send something back?",
            tone: Tone::Neutral,
            style: Style::Plain,
            first_language: None,
            outcome: Outcome::Resolved,
            cooperation: Cooperation::Forthcoming,
            cause: "",
            item: "laptop",
            order_id: "LK-48213",
            order_date: "3 May",
            price: "£239",
        };
        let mut rendered = Vec::new();
        for &tone in Tone::ALL {
            for &style in Style::ALL {
                for &outcome in Outcome::ALL {
                    customer = CustomerVars {
                        tone,
                        style,
                        first_language: (style == Style::NonNative)
                            .then_some(FirstLanguage::Polish),
                        outcome,
                        ..customer
                    };
                    rendered.push(self.customer(&customer)?);
                }
            }
        }
        for &cooperation in Cooperation::ALL {
            self.customer(&CustomerVars {
                cooperation,
                ..customer
            })?;
        }
        for &cause in Cause::ALL {
            self.customer(&CustomerVars {
                outcome: Outcome::Unresolved,
                cause: cause.name(),
                ..customer
            })?;
        }
        self.customer(&customer.bare())?;
        let (system, user) = self.queries(&QueriesVars {
            brand,
            language,
            title,
            passages: passages(),
            n: 3,
        })?;
        let mut steer = String::new();
        for (thank, ask, greet) in [(true, false, true), (false, true, false)] {
            steer = self.steer(SteerVars { thank, ask, greet })?;
        }
        let texts = [
            (Template::Agent, self.agent(&agent)?),
            (Template::Customer, rendered.swap_remove(0)),
            (Template::Status, self.status(brand)?),
            (Template::Steer, steer),
            (
                Template::Second,
                self.second("Does it cost anything to send something back?")?,
            ),
            (Template::QueriesSystem, system),
            (Template::Queries, user),
        ];
        let mut samples: Vec<Sample> = texts
            .map(|(template, text)| Sample { template, text })
            .into();
        samples.extend(self.rewriting_samples()?);
        samples.extend(self.group_samples()?);
        samples.extend(self.judge_samples()?);
        Ok(samples)
    }

    pub(super) fn render(
        &self,
        template: Template,
        vars: &impl Serialize,
    ) -> Result<String, PromptError> {
        let rendered = self
            .env
            .get_template(template.file())
            .and_then(|found| found.render(Serde(vars)));
        rendered
            .map(|text| text.trim_end().to_owned())
            .map_err(|error| PromptError::Render {
                template: self.names[&template].clone(),
                line: error.line().unwrap_or(0),
                reason: reason(&error),
            })
    }
}

fn reason(error: &minijinja::Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, None) => "an attribute or entry that does not exist".to_owned(),
        (kind, None) => kind.to_string(),
        (_, Some(detail)) => detail.to_owned(),
    }
}

fn check_variables(
    env: &Environment<'static>,
    template: Template,
    name: &str,
    source: &str,
) -> Result<(), PromptError> {
    let Ok(found) = env.get_template(template.file()) else {
        return Ok(());
    };
    let known = template.variables();
    let mut unknown: Vec<String> = found
        .undeclared_variables(false)
        .into_iter()
        .filter(|variable| {
            !known.contains(&variable.as_str()) && !BUILT_IN.contains(&variable.as_str())
        })
        .collect();
    unknown.sort_unstable();
    let Some(variable) = unknown.into_iter().next() else {
        return Ok(());
    };
    let line = source
        .lines()
        .position(|line| mentions(line, &variable))
        .map_or(0, |index| index + 1);
    Err(PromptError::UnknownVariable {
        template: name.to_owned(),
        hint: hint(&variable, known),
        variable,
        line,
    })
}

fn mentions(line: &str, variable: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == variable)
}

fn hint(given: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((similarity, name)) if similarity >= NEAR => {
            format!("did you mean `{name}`? known: {}", known.join(", "))
        }
        _ => format!("known: {}", known.join(", ")),
    }
}

/// The templates directly in a folder; other kinds of file are left alone.
fn read_templates(folder: &Path) -> Result<BTreeMap<Template, (PathBuf, String)>, PromptError> {
    let failed = |source| PromptError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    let mut found = BTreeMap::new();
    for path in paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "j2"))
    {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(&template) = Template::ALL
            .iter()
            .find(|template| template.file() == file)
        else {
            let names: Vec<&str> = Template::ALL
                .iter()
                .map(|template| template.file())
                .collect();
            return Err(PromptError::UnknownFile {
                path,
                hint: hint(&file, &names),
            });
        };
        let source = fs::read_to_string(&path).map_err(|source| PromptError::Unreadable {
            path: path.clone(),
            source,
        })?;
        found.insert(template, (path, source));
    }
    Ok(found)
}
