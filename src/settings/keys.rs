use std::collections::BTreeMap;

use serde_json::Value;

use super::{Part, RunSpec};
use crate::record;

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A whole number that is not negative.
    Whole,
    Number,
    Switch,
    Texts,
    /// A list of whole numbers.
    Wholes,
    /// A table of names with lists of whole numbers.
    Lists,
    /// A table of names with shares.
    Shares,
    /// A table of names with values of any kind.
    Values,
    /// A whole number, or a text like `auto`.
    Amount,
    /// A size in bytes: a whole number, or a text like `12 GiB` or `auto`.
    Size,
}

impl Kind {
    /// What to write, for an error message.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Whole => "a whole number, 0 or more",
            Self::Number => "a number",
            Self::Switch => "true or false",
            Self::Texts => "a list of texts",
            Self::Wholes => "a list of whole numbers",
            Self::Lists => "a table of lists, like { 1 = [2, 3], 2 = [1] }",
            Self::Shares => "a table of shares, like { first = 0.7, second = 0.3 }",
            Self::Values => "a table of names and values, like { enable_thinking = false }",
            Self::Amount => "a whole number or \"auto\"",
            Self::Size => "a size like \"12 GiB\", a number of bytes, or \"auto\"",
        }
    }

    /// Whether a value has this shape.
    pub(super) fn fits(self, value: &toml::Value) -> bool {
        let number = |value: &toml::Value| value.is_integer() || value.is_float();
        let whole = |value: &toml::Value| value.as_integer().is_some_and(|n| n >= 0);
        match self {
            Self::Text => value.is_str(),
            Self::Whole => whole(value),
            Self::Number => number(value),
            Self::Switch => value.is_bool(),
            Self::Texts => value
                .as_array()
                .is_some_and(|items| items.iter().all(toml::Value::is_str)),
            Self::Wholes => value
                .as_array()
                .is_some_and(|items| items.iter().all(whole)),
            Self::Lists => value.as_table().is_some_and(|table| {
                table
                    .values()
                    .all(|list| list.as_array().is_some_and(|items| items.iter().all(whole)))
            }),
            Self::Shares => value
                .as_table()
                .is_some_and(|table| table.values().all(number)),
            Self::Values => value.is_table(),
            Self::Amount | Self::Size => whole(value) || value.is_str(),
        }
    }
}

/// A key of the recipe.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path.
    pub path: &'static str,
    pub kind: Kind,
    pub part: Part,
}

impl Key {
    /// Whether it has a say in a run, or in how it is carried out.
    #[must_use]
    pub fn is_in(&self, spec: &RunSpec) -> bool {
        let role = self
            .path
            .strip_prefix("models.")
            .and_then(|rest| rest.split('.').next())
            .and_then(record::ModelRole::named);
        let of = |kind: record::Kind, begins: &[&str]| {
            spec.has(kind) || !begins.iter().any(|begin| self.path.starts_with(begin))
        };
        (self.part.is_in(spec)
            || matches!(
                self.part,
                Part::Dials
                    | Part::FirstMessage
                    | Part::SecondQuestion
                    | Part::FirstLanguage
                    | Part::Variants
            ))
            && role.is_none_or(|role| {
                let judges = role == record::ModelRole::Judge && spec.judge().is_some();
                judges || spec.roles().any(|other| other == role)
            })
            && of(record::Kind::Group, &["experiences.", "personas."])
            && of(
                record::Kind::Support,
                &["pages.", "queries.", "conversation.", "customer."],
            )
    }
}

const fn key(path: &'static str, kind: Kind, part: Part) -> Key {
    Key { path, kind, part }
}

const KEYS: &[Key] = &[
    key("name", Kind::Text, Part::Conversations),
    key("seed", Kind::Whole, Part::All),
    key("count", Kind::Whole, Part::Operational),
    key("model", Kind::Text, Part::Operational),
    key("language", Kind::Text, Part::All),
    key("max_attempts", Kind::Whole, Part::Conversations),
    key("brand.name", Kind::Text, Part::QueriesAndSupport),
    key("brand.agent", Kind::Text, Part::Support),
    key("brand.channel", Kind::Text, Part::QueriesAndSupport),
    key("prompts", Kind::Text, Part::Operational),
    // Their effect is in the numeric profile, which is part of the model's identity.
    key("quant", Kind::Text, Part::Operational),
    key("kv_dtype", Kind::Text, Part::Operational),
    key("thinking", Kind::Whole, Part::Roles),
    key("chat_template_kwargs", Kind::Values, Part::Roles),
    key("models.queries.ref", Kind::Text, Part::Operational),
    key("models.queries.quant", Kind::Text, Part::Operational),
    key("models.queries.kv_dtype", Kind::Text, Part::Operational),
    key("models.queries.thinking", Kind::Whole, Part::Roles),
    key(
        "models.queries.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.customer.ref", Kind::Text, Part::Operational),
    key("models.customer.quant", Kind::Text, Part::Operational),
    key("models.customer.kv_dtype", Kind::Text, Part::Operational),
    key("models.customer.thinking", Kind::Whole, Part::Roles),
    key(
        "models.customer.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.agent.ref", Kind::Text, Part::Operational),
    key("models.agent.quant", Kind::Text, Part::Operational),
    key("models.agent.kv_dtype", Kind::Text, Part::Operational),
    key("models.agent.thinking", Kind::Whole, Part::Roles),
    key(
        "models.agent.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.status.ref", Kind::Text, Part::Operational),
    key("models.status.quant", Kind::Text, Part::Operational),
    key("models.status.kv_dtype", Kind::Text, Part::Operational),
    key(
        "models.status.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.experiences.ref", Kind::Text, Part::Operational),
    key("models.experiences.quant", Kind::Text, Part::Operational),
    key("models.experiences.kv_dtype", Kind::Text, Part::Operational),
    key("models.experiences.thinking", Kind::Whole, Part::Roles),
    key(
        "models.experiences.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.member.ref", Kind::Text, Part::Operational),
    key("models.member.quant", Kind::Text, Part::Operational),
    key("models.member.kv_dtype", Kind::Text, Part::Operational),
    key("models.member.thinking", Kind::Whole, Part::Roles),
    key(
        "models.member.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.manager.ref", Kind::Text, Part::Operational),
    key("models.manager.quant", Kind::Text, Part::Operational),
    key("models.manager.kv_dtype", Kind::Text, Part::Operational),
    key(
        "models.manager.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("models.judge.ref", Kind::Text, Part::Operational),
    key("models.judge.quant", Kind::Text, Part::Operational),
    key("models.judge.kv_dtype", Kind::Text, Part::Operational),
    key(
        "models.judge.chat_template_kwargs",
        Kind::Values,
        Part::Roles,
    ),
    key("pages.dir", Kind::Text, Part::Operational),
    key("pages.include", Kind::Texts, Part::Operational),
    key("pages.exclude", Kind::Texts, Part::Operational),
    key("queries.per_page", Kind::Whole, Part::Queries),
    key("queries.per_long_page", Kind::Whole, Part::Queries),
    key("queries.long_page_lines", Kind::Whole, Part::Queries),
    key("queries.from", Kind::Text, Part::Operational),
    key("customer.tone", Kind::Shares, Part::Support),
    key("customer.style", Kind::Shares, Part::Support),
    key("customer.product", Kind::Shares, Part::Customer),
    key("customer.cooperation", Kind::Shares, Part::Support),
    key("customer.typos_per_turn", Kind::Whole, Part::Support),
    key("customer.first_language", Kind::Shares, Part::FirstLanguage),
    key("customer.hold_style", Kind::Switch, Part::Support),
    key("customer.first_message", Kind::Text, Part::FirstMessage),
    key(
        "customer.second_question",
        Kind::Number,
        Part::SecondQuestion,
    ),
    key("plan.kind", Kind::Shares, Part::Kinds),
    key("plan.variants", Kind::Text, Part::Variants),
    key("plan.outcome", Kind::Shares, Part::Support),
    key("plan.cause", Kind::Shares, Part::Support),
    key("plan.cross", Kind::Texts, Part::Support),
    key(
        "plan.keep_only_planned_outcome",
        Kind::Switch,
        Part::Support,
    ),
    key("conversation.min_turns", Kind::Whole, Part::Support),
    key("conversation.max_turns", Kind::Whole, Part::Support),
    key("conversation.agent_words", Kind::Whole, Part::Support),
    key("conversation.customer_words", Kind::Whole, Part::Support),
    key(
        "conversation.passage_tokens",
        Kind::Whole,
        Part::QueriesAndSupport,
    ),
    key("conversation.check_facts", Kind::Switch, Part::Support),
    key("conversation.thank", Kind::Number, Part::Dials),
    key("conversation.ask", Kind::Number, Part::Dials),
    key("experiences.from", Kind::Text, Part::Operational),
    key("experiences.seeds", Kind::Text, Part::Operational),
    key("experiences.hub_from", Kind::Text, Part::Operational),
    key("experiences.per_call", Kind::Whole, Part::Experiences),
    key("experiences.per_round", Kind::Whole, Part::Experiences),
    key("experiences.shots", Kind::Whole, Part::Experiences),
    key("experiences.shot_choice", Kind::Text, Part::Experiences),
    key("experiences.hub", Kind::Text, Part::Experiences),
    key("experiences.max_depth", Kind::Whole, Part::Experiences),
    key("experiences.participants", Kind::Shares, Part::Experiences),
    key("personas.mode", Kind::Text, Part::Experiences),
    key("personas.from", Kind::Text, Part::Operational),
    key("personas.strict", Kind::Switch, Part::Operational),
    key("group.min_turns", Kind::Whole, Part::Group),
    key("group.max_turns", Kind::Whole, Part::Group),
    key("group.words", Kind::Whole, Part::Group),
    key("group.speaker", Kind::Text, Part::Group),
    key("group.order", Kind::Wholes, Part::Group),
    key("group.transitions", Kind::Lists, Part::Group),
    key("group.repeats", Kind::Switch, Part::Group),
    key("group.leave", Kind::Texts, Part::Group),
    key("group.pause", Kind::Texts, Part::Group),
    key("group.interrupt", Kind::Texts, Part::Group),
    key("quality.min_words", Kind::Whole, Part::Quality),
    key("quality.max_words", Kind::Whole, Part::Quality),
    key("quality.language", Kind::Switch, Part::Quality),
    key("quality.repetition", Kind::Number, Part::Quality),
    key("quality.near_duplicates", Kind::Number, Part::Quality),
    key("quality.against", Kind::Texts, Part::Operational),
    key("quality.same_opening", Kind::Whole, Part::Quality),
    key("quality.unsupported", Kind::Number, Part::Quality),
    key("quality.in_character", Kind::Switch, Part::Quality),
    key("quality.pii", Kind::Text, Part::Quality),
    key("quality.harm", Kind::Text, Part::Quality),
    key("quality.words", Kind::Texts, Part::Quality),
    key("quality.judge", Kind::Shares, Part::Operational),
    key("monitor.window", Kind::Whole, Part::Operational),
    key("monitor.warn", Kind::Shares, Part::Operational),
    key("monitor.stop", Kind::Shares, Part::Operational),
    key(
        "sampling.customer.temperature",
        Kind::Number,
        Part::Customer,
    ),
    key("sampling.customer.top_p", Kind::Number, Part::Customer),
    key("sampling.customer.top_k", Kind::Whole, Part::Customer),
    key("sampling.customer.min_p", Kind::Number, Part::Customer),
    key(
        "sampling.customer.repetition_penalty",
        Kind::Number,
        Part::Customer,
    ),
    key(
        "sampling.customer.presence_penalty",
        Kind::Number,
        Part::Customer,
    ),
    key(
        "sampling.customer.frequency_penalty",
        Kind::Number,
        Part::Customer,
    ),
    key(
        "sampling.customer.penalty_last_n",
        Kind::Whole,
        Part::Customer,
    ),
    key("sampling.agent.temperature", Kind::Number, Part::Support),
    key("sampling.agent.top_p", Kind::Number, Part::Support),
    key("sampling.agent.top_k", Kind::Whole, Part::Support),
    key("sampling.agent.min_p", Kind::Number, Part::Support),
    key(
        "sampling.agent.repetition_penalty",
        Kind::Number,
        Part::Support,
    ),
    key(
        "sampling.agent.presence_penalty",
        Kind::Number,
        Part::Support,
    ),
    key(
        "sampling.agent.frequency_penalty",
        Kind::Number,
        Part::Support,
    ),
    key("sampling.agent.penalty_last_n", Kind::Whole, Part::Support),
    key("sampling.queries.temperature", Kind::Number, Part::Queries),
    key("sampling.queries.top_p", Kind::Number, Part::Queries),
    key("sampling.queries.top_k", Kind::Whole, Part::Queries),
    key("sampling.queries.min_p", Kind::Number, Part::Queries),
    key(
        "sampling.queries.repetition_penalty",
        Kind::Number,
        Part::Queries,
    ),
    key(
        "sampling.queries.presence_penalty",
        Kind::Number,
        Part::Queries,
    ),
    key(
        "sampling.queries.frequency_penalty",
        Kind::Number,
        Part::Queries,
    ),
    key(
        "sampling.queries.penalty_last_n",
        Kind::Whole,
        Part::Queries,
    ),
    key(
        "sampling.experiences.temperature",
        Kind::Number,
        Part::Experiences,
    ),
    key(
        "sampling.experiences.top_p",
        Kind::Number,
        Part::Experiences,
    ),
    key("sampling.experiences.top_k", Kind::Whole, Part::Experiences),
    key(
        "sampling.experiences.min_p",
        Kind::Number,
        Part::Experiences,
    ),
    key(
        "sampling.experiences.repetition_penalty",
        Kind::Number,
        Part::Experiences,
    ),
    key(
        "sampling.experiences.presence_penalty",
        Kind::Number,
        Part::Experiences,
    ),
    key(
        "sampling.experiences.frequency_penalty",
        Kind::Number,
        Part::Experiences,
    ),
    key(
        "sampling.experiences.penalty_last_n",
        Kind::Whole,
        Part::Experiences,
    ),
    key("sampling.member.temperature", Kind::Number, Part::Group),
    key("sampling.member.top_p", Kind::Number, Part::Group),
    key("sampling.member.top_k", Kind::Whole, Part::Group),
    key("sampling.member.min_p", Kind::Number, Part::Group),
    key(
        "sampling.member.repetition_penalty",
        Kind::Number,
        Part::Group,
    ),
    key(
        "sampling.member.presence_penalty",
        Kind::Number,
        Part::Group,
    ),
    key(
        "sampling.member.frequency_penalty",
        Kind::Number,
        Part::Group,
    ),
    key("sampling.member.penalty_last_n", Kind::Whole, Part::Group),
    key("engine.threads", Kind::Amount, Part::Operational),
    key("engine.memory", Kind::Size, Part::Operational),
    key("engine.concurrency", Kind::Amount, Part::Operational),
];

/// Every key a recipe may hold, in the order of the documentation.
#[must_use]
pub fn known_keys() -> &'static [Key] {
    KEYS
}

/// The key of a path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a path is a table of keys (`brand`, `sampling.agent`).
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The known key most like an unknown one, if any is like it at all. A key that is right but stands in the wrong table is
/// found by its last part.
pub(super) fn nearest_key(path: &str) -> Option<&'static str> {
    let sections = KEYS
        .iter()
        .flat_map(|key| key.path.match_indices('.').map(|(at, _)| &key.path[..at]));
    let paths = KEYS.iter().map(|key| key.path).chain(sections);
    let last = path.rsplit('.').next().unwrap_or(path);
    let misplaced = KEYS
        .iter()
        .find(|key| key.path.rsplit('.').next() == Some(last))
        .map(|key| key.path);
    misplaced
        .or_else(|| nearest(path, paths.clone()))
        .or_else(|| nearest_by(last, paths, |path| path.rsplit('.').next().unwrap_or(path)))
}

/// The candidate most like `name`, if any is like it at all.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    nearest_by(name, candidates, |candidate| candidate)
}

fn nearest_by<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    part: impl Fn(&'a str) -> &'a str,
) -> Option<&'a str> {
    // 0.8 tells `agent_word` from `agent_words` and lets `temprature` through; below it suggestions only puzzle.
    let scored = candidates.into_iter().map(|candidate| {
        (
            strsim::jaro_winkler(&name.to_lowercase(), &part(candidate).to_lowercase()),
            candidate,
        )
    });
    // The first of equals stays, so that the answer depends on nothing but the list.
    let better =
        |best: (f64, &'a str), next: (f64, &'a str)| if best.0 >= next.0 { best } else { next };
    scored
        .filter(|(score, _)| *score >= 0.8)
        .reduce(better)
        .map(|(_, candidate)| candidate)
}

/// Values by key path, in path order.
pub type Keys = BTreeMap<String, Value>;

/// The paths whose values differ, or that only one side has.
#[must_use]
pub fn diff_keys(old: &Keys, new: &Keys) -> Vec<String> {
    let mut changed: Vec<String> = old
        .iter()
        .filter(|(path, value)| new.get(*path) != Some(value))
        .map(|(path, _)| path.clone())
        .collect();
    changed.extend(new.keys().filter(|path| !old.contains_key(*path)).cloned());
    changed.sort();
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_keys() {
        for (typed, meant) in [
            ("cuont", Some("count")),
            ("brand.nme", Some("brand.name")),
            ("customer.tones", Some("customer.tone")),
            ("max_turns", Some("conversation.max_turns")),
            ("conversation.max_attempts", Some("max_attempts")),
            ("temperature", Some("sampling.customer.temperature")),
            ("samplng", Some("sampling")),
            ("xylophone", None),
        ] {
            assert_eq!(nearest_key(typed), meant, "{typed}");
        }
    }

    #[test]
    fn differences_name_both_sides() {
        let keys = |pairs: &[(&str, i32)]| {
            pairs
                .iter()
                .map(|(path, value)| ((*path).to_owned(), Value::from(*value)))
                .collect::<Keys>()
        };
        let changed = diff_keys(
            &keys(&[("a", 1), ("b", 2), ("c", 3)]),
            &keys(&[("a", 1), ("b", 5), ("d", 4)]),
        );
        assert_eq!(changed, ["b", "c", "d"]);
    }

    #[test]
    fn paths_are_unique_and_no_key_is_a_section() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(
                KEYS[..at].iter().all(|other| other.path != key.path),
                "{}",
                key.path
            );
            assert!(!is_section(key.path), "{}", key.path);
        }
    }
}
