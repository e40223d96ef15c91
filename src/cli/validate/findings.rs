//! What `validate` found out, as JSON and as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use console::Style;
use serde_json::{Map, Value, json};

use super::estimate::Estimate;
use crate::cli::talk::grouped;
use crate::cli::workshop::models::roles;
use crate::prompt::{Pack, Sample};
use crate::record::ModelRole;
use crate::run::VariantCounts;
use crate::settings::{Axis, Settings};

/// Values of an axis that the text lists; more are summed up.
const LISTED: usize = 10;
/// What was found out.
pub struct Findings {
    pub recipe: String,
    pub settings: Settings,
    pub pages: usize,
    pub plan: PlanFigures,
    pub pack: Pack,
    pub samples: Vec<Sample>,
    pub model: Result<ModelFigures, String>,
    /// What can never be made, and why.
    pub impossible: Vec<String>,
    pub notes: Vec<String>,
    /// Where it was asked for.
    pub estimate: Option<Estimate>,
}

pub struct PlanFigures {
    pub places: u64,
    /// Of a plan of all variants, which is known when products are: without any product, and with all of them.
    pub variants: Option<[VariantCounts; 2]>,
    /// By axis, in the order of a cell's fields: how many places have each value.
    pub marginals: Vec<(Axis, BTreeMap<String, u64>)>,
    /// How many of the places planned unresolved have each cause.
    pub causes: BTreeMap<String, u64>,
    /// How many places have each kind of conversation.
    pub kinds: BTreeMap<String, u64>,
    /// How many group chats have how many people.
    pub group_sizes: BTreeMap<String, u64>,
}

/// Worst cases in tokens, against what the model holds.
pub struct ModelFigures {
    pub demo: bool,
    pub models: Vec<ModelTerms>,
    pub views: Vec<ViewFigures>,
}

/// A model that takes part.
pub struct ModelTerms {
    pub reference: String,
    pub roles: Vec<ModelRole>,
    pub licence: String,
    pub context: usize,
}

pub struct ViewFigures {
    pub name: &'static str,
    /// Who reads it.
    pub model: String,
    /// Without any turn.
    pub fixed: usize,
    /// With every turn at its longest; none for a prompt without turns.
    pub worst: Option<usize>,
    /// Turns of full length that the context holds.
    pub turns: Option<usize>,
    /// Turns that a conversation may have.
    pub of: usize,
}

impl Findings {
    pub fn to_json(&self) -> Value {
        let settings: Vec<Value> = self
            .settings
            .entries()
            .into_iter()
            .map(|entry| json!({ "key": entry.path, "value": entry.value, "source": entry.origin.to_string() }))
            .collect();
        let marginals: Map<String, Value> = self
            .plan
            .marginals
            .iter()
            .map(|(axis, counts)| (axis.name().to_owned(), json!(counts)))
            .collect();
        let samples: Vec<Value> = self
            .samples
            .iter()
            .map(|sample| json!({ "template": sample.template.file(), "text": sample.text }))
            .collect();
        let model = match &self.model {
            Err(reason) => json!({ "available": false, "reason": reason }),
            Ok(model) => {
                let views: Vec<Value> = model
                    .views
                    .iter()
                    .map(|view| json!({ "view": view.name, "model": view.model, "fixed_tokens": view.fixed, "worst_case_tokens": view.worst, "turns_that_fit": view.turns }))
                    .collect();
                let models: Vec<Value> = model
                    .models
                    .iter()
                    .map(|model| json!({ "model": model.reference, "roles": model.roles, "output_terms": model.licence, "context_tokens": model.context }))
                    .collect();
                json!({ "available": true, "demo": model.demo, "models": models, "views": views })
            }
        };
        json!({
            "recipe": self.recipe,
            "ok": self.impossible.is_empty(),
            "settings": settings,
            "pages": self.pages,
            "plan": { "places": self.plan.places, "marginals": marginals, "causes": self.plan.causes, "kinds": self.plan.kinds, "group_sizes": self.plan.group_sizes, "variants": self.plan.variants.map(|[least, most]| json!({ "least": least, "most": most })) },
            "prompts": { "pack": self.pack.name(), "samples": samples },
            "model": model,
            "impossible": self.impossible,
            "notes": self.notes,
            "estimate": self.estimate,
        })
    }

    /// The terms of all models' output.
    fn licences(&self) -> String {
        let models = self.model.as_ref().map_or(&[][..], |model| &model.models);
        let mut licences: Vec<&str> = models.iter().map(|one| one.licence.as_str()).collect();
        licences.sort_unstable();
        licences.dedup();
        licences.join(", ")
    }

    pub fn to_text(&self) -> String {
        let (bold, dim) = (Style::new().bold(), Style::new().dim());
        let mut text = format!(
            "{}\n",
            bold.apply_to(format!("settings of {}", self.recipe))
        );
        for entry in self.settings.entries() {
            let _ = writeln!(
                text,
                "  {:<38} {:<28} {}",
                entry.path,
                readable(&entry.value),
                dim.apply_to(entry.origin)
            );
        }
        let mut plan = format!("plan of {} conversations", grouped(self.plan.places));
        if self.pages > 0 {
            let _ = write!(plan, " over {} pages", self.pages);
        }
        let _ = writeln!(text, "{}", bold.apply_to(plan));
        if let Some([least, most]) = self.plan.variants {
            let range = |of: fn(&VariantCounts) -> u64| match (of(&least), of(&most)) {
                (least, most) if least == most => grouped(least),
                (least, most) => format!("{} to {}", grouped(least), grouped(most)),
            };
            let _ = writeln!(
                text,
                "  {:<8} {} questions → {} with products → {} with tones → {} with styles; shown without products, which are sought first",
                "variants",
                range(|counts| counts.queries),
                range(|counts| counts.with_products),
                range(|counts| counts.with_tones),
                range(|counts| counts.places),
            );
        }
        if self.plan.kinds.len() > 1 {
            let _ = writeln!(text, "  {:<11} {}", "kind", summed(&self.plan.kinds));
        }
        if !self.plan.group_sizes.is_empty() {
            let _ = writeln!(
                text,
                "  {:<11} {}",
                "people",
                summed(&self.plan.group_sizes)
            );
        }
        for (axis, counts) in &self.plan.marginals {
            let _ = writeln!(text, "  {:<11} {}", axis.name(), summed(counts));
        }
        if !self.plan.causes.is_empty() {
            let _ = writeln!(text, "  {:<11} {}", "cause", summed(&self.plan.causes));
        }
        let prompts = format!("prompts, pack {}, with sample data", self.pack.name());
        let _ = writeln!(text, "{}", bold.apply_to(prompts));
        for sample in &self.samples {
            let _ = writeln!(
                text,
                "{}",
                dim.apply_to(format!("── {}", sample.template.file()))
            );
            let _ = writeln!(text, "{}", sample.text.trim_start_matches('\n'));
        }
        match &self.model {
            Err(reason) => {
                let _ = writeln!(
                    text,
                    "{}",
                    bold.apply_to("model not available here, so lengths were not checked")
                );
                let _ = writeln!(text, "  {reason}");
            }
            Ok(model) => lengths(model, &mut text),
        }
        if let Some(estimate) = &self.estimate {
            text.push_str(&estimate.to_text(&self.licences()));
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        for impossible in &self.impossible {
            let _ = writeln!(text, "impossible: {impossible}");
        }
        if self.impossible.is_empty() {
            let _ = writeln!(text, "{} is in order", self.recipe);
        }
        text
    }
}

/// Models, and how long what they read is and may get.
fn lengths(model: &ModelFigures, text: &mut String) {
    let bold = Style::new().bold();
    for one in &model.models {
        let whose = if model.models.len() == 1 {
            String::new()
        } else {
            format!(" ({})", roles(&one.roles))
        };
        let head = format!(
            "model {}{whose}: {} tokens of context, output terms: {}",
            one.reference,
            grouped(one.context as u64),
            one.licence
        );
        let _ = writeln!(text, "{}", bold.apply_to(head));
    }
    for view in &model.views {
        let max_turns = view.of;
        let turns = match (view.worst, view.turns) {
            (Some(worst), Some(turns)) => format!(
                ", {} at the longest; {} of {max_turns} turns fit at full length",
                grouped(worst as u64),
                turns.min(max_turns)
            ),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "  {:<10} {} tokens to begin with{turns}",
            view.name,
            grouped(view.fixed as u64)
        );
    }
    if model.demo {
        let _ = writeln!(text, "  demo: for trying the pipeline, not for training");
    }
}

/// A value on one line.
fn readable(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) => items.iter().map(readable).collect::<Vec<_>>().join(", "),
        Value::Object(entries) if entries.is_empty() => "none".into(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, share)| format!("{name} {share}"))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// How often each value comes.
fn summed(counts: &BTreeMap<String, u64>) -> String {
    if counts.len() <= LISTED {
        let each: Vec<String> = counts
            .iter()
            .map(|(name, n)| format!("{name} {}", grouped(*n)))
            .collect();
        return each.join(" · ");
    }
    let (least, most) = (counts.values().min(), counts.values().max());
    let (least, most) = (
        least.copied().unwrap_or(0),
        most.copied().unwrap_or_default(),
    );
    let times = if least == most {
        grouped(least)
    } else {
        format!("{} to {}", grouped(least), grouped(most))
    };
    format!("{} values, {times} each", counts.len())
}
