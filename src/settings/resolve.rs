use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::decide::Decide;
use super::keys::known_keys;
use super::layers::combine;
use super::recipe::{RoleModelFile, RoleSamplingFile};
use super::spec::{
    Axis, Brand, Channel, ConversationRules, Customer, EngineRoom, FirstMessage, KvDtype,
    PagesFrom, PlanRules, Quant, QueriesFrom, RoleSampling, SamplingRules, VariantRule,
};
use super::{
    Environment, ModelRules, Origin, Overrides, RecipeText, RoleModel, RunSpec, SettingsError,
};
use crate::record::ModelRole;

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
    /// Every key that has a say in the run, with its value and its source, in the order of the documentation.
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
            .filter(|key| key.is_in(&self.spec))
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
    let needs_model = || SettingsError::NeedsModel {
        file: recipe.label.clone(),
    };
    let models = decide.models()?;
    let model = match (file.model.as_deref(), &models) {
        (Some(model), _) => decide.model("model", model)?,
        // Every role has its own; the run goes by the agent's.
        (None, models)
            if models.queries.reference.is_some() && models.customer.reference.is_some() =>
        {
            models.agent.reference.clone().ok_or_else(needs_model)?
        }
        (None, _) => return Err(needs_model()),
    };
    let spec = RunSpec {
        name: decide.name(file.name.as_deref().unwrap_or(&recipe.default_name))?,
        seed: file.seed.unwrap_or(7),
        count: decide.count()?,
        model,
        language: decide.text("language", file.language.as_deref(), "en")?,
        quant: decide
            .quant("quant", file.quant.as_deref())?
            .unwrap_or_default(),
        kv_dtype: decide
            .kv_dtype("kv_dtype", file.kv_dtype.as_deref())?
            .unwrap_or_default(),
        thinking: decide
            .thinking("thinking", file.thinking)?
            .unwrap_or_default(),
        chat_template_kwargs: decide
            .kwargs("chat_template_kwargs", file.chat_template_kwargs.as_ref())?
            .unwrap_or_default(),
        models,
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
        experiences: decide.experiences()?,
        personas: decide.personas()?,
        group: decide.group()?,
        quality: decide.quality()?,
        monitor: decide.monitor()?,
        sampling: SamplingRules {
            customer: decide.sampling("sampling.customer", &file.sampling.customer)?,
            agent: decide.sampling("sampling.agent", &file.sampling.agent)?,
            queries: decide.sampling("sampling.queries", &file.sampling.queries)?,
            experiences: decide.sampling("sampling.experiences", &file.sampling.experiences)?,
            member: decide.sampling("sampling.member", &file.sampling.member)?,
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
        redo: BTreeMap::new(),
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

/// Far beyond what any model thinks.
const MOST_THINKING: u32 = 1_000_000;

/// Conversations of a recipe that names no number of them.
const COUNT: u64 = 24;
/// Far beyond any dataset; what a plan of all variants may have where no number is named.
pub const MOST_COUNT: u64 = 100_000_000;

const TONES: &[(&str, f64)] = &[("neutral", 0.5), ("cheerful", 0.25), ("annoyed", 0.25)];
const STYLES: &[(&str, f64)] = &[
    ("plain", 0.4),
    ("casual", 0.25),
    ("formal", 0.15),
    ("typos", 0.2),
];
const LANGUAGES: &[(&str, f64)] = &[
    ("polish", 1.0),
    ("russian", 1.0),
    ("german", 1.0),
    ("spanish", 1.0),
    ("mandarin", 1.0),
    ("japanese", 1.0),
    ("arabic", 1.0),
    ("hindi", 1.0),
];
const OUTCOMES: &[(&str, f64)] = &[("RESOLVED", 0.7), ("UNRESOLVED", 0.2), ("ABANDONED", 0.1)];
/// Most people say what they are asked; each of the others is common enough to be met in a small dataset.
const COOPERATIONS: &[(&str, f64)] = &[
    ("forthcoming", 0.55),
    ("partial", 0.2),
    ("vague", 0.15),
    ("frustrated", 0.1),
];
/// Customers who walk away have a share among the outcomes; so giving up is the rarest here.
const CAUSES: &[(&str, f64)] = &[
    ("page_lacks_it", 0.4),
    ("policy_refuses", 0.4),
    ("customer_gives_up", 0.2),
];
const KINDS: &[(&str, f64)] = &[("support", 1.0)];
const SIZES: &[(&str, f64)] = &[("2", 0.3), ("3", 0.4), ("4", 0.2), ("5", 0.1)];
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
        "customer.first_language" => LANGUAGES,
        "customer.product" => PRODUCTS,
        "customer.cooperation" => COOPERATIONS,
        "plan.outcome" => OUTCOMES,
        "plan.cause" => CAUSES,
        "plan.kind" => KINDS,
        "experiences.participants" => SIZES,
        _ => &[],
    }
}

impl Decide<'_> {
    fn quant(&self, path: &str, given: Option<&str>) -> Result<Option<Quant>, SettingsError> {
        given
            .map(|name| self.named(path, name, Quant::ALL, Quant::name))
            .transpose()
    }

    fn kv_dtype(&self, path: &str, given: Option<&str>) -> Result<Option<KvDtype>, SettingsError> {
        given
            .map(|name| self.named(path, name, KvDtype::ALL, KvDtype::name))
            .transpose()
    }

    fn thinking(&self, path: &str, given: Option<u64>) -> Result<Option<u32>, SettingsError> {
        given
            .map(|_| self.number(path, given, 0, 0..=MOST_THINKING))
            .transpose()
    }

    fn models(&self) -> Result<ModelRules, SettingsError> {
        let file = &self.layered.file.models;
        let of = |role: ModelRole, file: &RoleModelFile| {
            let path = |key: &str| format!("models.{role}.{key}");
            let reference = file.reference.as_deref();
            Ok(RoleModel {
                reference: reference
                    .map(|reference| self.model(&path("ref"), reference))
                    .transpose()?,
                quant: self.quant(&path("quant"), file.quant.as_deref())?,
                kv_dtype: self.kv_dtype(&path("kv_dtype"), file.kv_dtype.as_deref())?,
                thinking: self.thinking(&path("thinking"), file.thinking)?,
                chat_template_kwargs: self.kwargs(
                    &path("chat_template_kwargs"),
                    file.chat_template_kwargs.as_ref(),
                )?,
            })
        };
        Ok(ModelRules {
            queries: of(ModelRole::Queries, &file.queries)?,
            customer: of(ModelRole::Customer, &file.customer)?,
            agent: of(ModelRole::Agent, &file.agent)?,
            status: of(ModelRole::Status, &file.status)?,
            experiences: of(ModelRole::Experiences, &file.experiences)?,
            member: of(ModelRole::Member, &file.member)?,
            manager: of(ModelRole::Manager, &file.manager)?,
            judge: of(ModelRole::Judge, &file.judge)?,
        })
    }

    fn count(&self) -> Result<u64, SettingsError> {
        let file = &self.layered.file;
        let all = file.plan.variants.as_deref() == Some(VariantRule::All.name());
        let default = if all { MOST_COUNT } else { COUNT };
        self.whole("count", file.count, default, 1..=MOST_COUNT)
    }

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
            cooperation: self.shares("customer.cooperation", customer.cooperation.as_ref())?,
            typos_per_turn: self.number(
                "customer.typos_per_turn",
                customer.typos_per_turn,
                2,
                0..=20,
            )?,
            second_question: self
                .share("customer.second_question", customer.second_question)?
                .unwrap_or(0.0),
            first_language: self
                .shares("customer.first_language", customer.first_language.as_ref())?,
            hold_style: customer.hold_style.unwrap_or(true),
            first_message: match customer.first_message.as_deref() {
                None => FirstMessage::default(),
                Some(name) => self.named(
                    "customer.first_message",
                    name,
                    FirstMessage::ALL,
                    FirstMessage::name,
                )?,
            },
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
        let variants = match plan.variants.as_deref() {
            None => VariantRule::default(),
            Some(name) => self.named("plan.variants", name, VariantRule::ALL, VariantRule::name)?,
        };
        let complete = [Axis::Page, Axis::Tone, Axis::Style, Axis::Product];
        if let (VariantRule::All, Some(axis)) =
            (variants, cross.iter().find(|axis| complete.contains(axis)))
        {
            return Err(self.refuse(
                "plan.cross",
                &format!("`{}` with plan.variants = \"all\"", axis.name()),
                "none of page, tone, style and product: of these the plan has every combination already",
            ));
        }
        let keep_only_planned_outcome = plan.keep_only_planned_outcome.unwrap_or(true);
        Ok(PlanRules {
            kind: self.shares("plan.kind", plan.kind.as_ref())?,
            outcome: self.shares("plan.outcome", plan.outcome.as_ref())?,
            cause: self.shares("plan.cause", plan.cause.as_ref())?,
            cross,
            variants,
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
            check_facts: file.check_facts.unwrap_or(true),
            thank: self.share("conversation.thank", file.thank)?,
            ask: self.share("conversation.ask", file.ask)?,
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

    /// A share of the whole.
    fn share(&self, path: &str, given: Option<f64>) -> Result<Option<f64>, SettingsError> {
        match given {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                Err(self.refuse(path, &share.to_string(), "0 (never) to 1 (always)"))
            }
            given => Ok(given),
        }
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
        let last_n = format!("{section}.penalty_last_n");
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
            presence_penalty: fraction(
                "presence_penalty",
                file.presence_penalty,
                |p| (-10.0..=10.0).contains(&p),
                "-10 to 10; 0 changes nothing",
            )?,
            frequency_penalty: fraction(
                "frequency_penalty",
                file.frequency_penalty,
                |p| (-10.0..=10.0).contains(&p),
                "-10 to 10; 0 changes nothing",
            )?,
            penalty_last_n: file
                .penalty_last_n
                .map(|_| self.number(&last_n, file.penalty_last_n, 0, 0..=1_000_000))
                .transpose()?,
        })
    }
}
