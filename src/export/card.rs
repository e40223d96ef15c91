use std::fmt::Write;

use serde_json::json;

use super::schema::Column;
use super::yaml::{features, list, quoted};
use super::{Format, Statistics};

/// What the papers of a dataset say: its card, and how trainers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Papers {
    pub format: Format,
    /// Ends data files: `jsonl` or `parquet`.
    pub ending: &'static str,
    /// None for a format that has no fixed columns.
    pub columns: Option<Vec<Column>>,
    /// Names of the splits, as the statistics count them.
    pub splits: Vec<String>,
    pub statistics: Statistics,
    pub sources: Vec<MadeBy>,
    /// What chose the rows, as it was typed: `--where …`.
    pub chosen: Vec<String>,
}

/// What made a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeBy {
    /// The name of the run's folder.
    pub run: String,
    pub recipe: String,
    pub program: String,
    pub seed: u64,
    pub language: String,
    pub demo: bool,
    pub models: Vec<ModelLine>,
    /// Keys of the recipe with their values.
    pub sampling: Vec<(String, String)>,
    /// Templates with the hashes of what they hold.
    pub prompts: Vec<(String, String)>,
}

/// A model that took part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelLine {
    /// Its roles; empty where it has all.
    pub roles: String,
    pub reference: String,
    pub hash: String,
    pub profile: String,
    /// Terms of its output; `UNKNOWN` where nobody said.
    pub terms: String,
}

/// What terms are called that nobody told.
const UNKNOWN: &str = "UNKNOWN";

impl Papers {
    /// The names and rows of the splits that have any.
    fn filled(&self) -> impl Iterator<Item = (&str, u64)> {
        let rows = self.splits.iter().zip(&self.statistics.rows);
        rows.filter(|(_, rows)| **rows > 0)
            .map(|(name, rows)| (name.as_str(), *rows))
    }

    fn rows(&self) -> u64 {
        self.statistics.rows.iter().sum()
    }

    fn is_demo(&self) -> bool {
        self.sources.iter().any(|source| source.demo)
    }

    fn file(&self, split: &str) -> String {
        format!("{split}.{}", self.ending)
    }

    /// `README.md`: front matter as huggingface.co/docs/hub/datasets-cards has it, then what people want to know.
    #[must_use]
    pub fn card(&self) -> String {
        let mut card = self.front_matter();
        let names = distinct(self.sources.iter().map(|source| source.recipe.as_str()));
        let _ = writeln!(card, "\n# {}\n", names.join(", "));
        if self.is_demo() {
            card.push_str("**Demo data: made by a model that is for trying the pipeline, not for training.**\n\n");
        }
        let _ = writeln!(
            card,
            "Synthetic conversations, made by language models. Format: `{}`; {} rows of {} {}.\n",
            self.format.name(),
            self.rows(),
            self.statistics.items.iter().sum::<u64>(),
            match self.format {
                Format::Experiences => "experiences",
                _ => "conversations",
            }
        );
        if !self.chosen.is_empty() {
            let _ = writeln!(card, "Chosen with: `{}`\n", self.chosen.join(" "));
        }
        card.push_str("```python\nfrom datasets import load_dataset\n\ndata = load_dataset(\"path/to/this/folder\")\n```\n");
        if self.format == Format::Messages {
            card.push_str("\nA row whose last message is the `user`'s is left out by LLaMA-Factory; `--format sharegpt` drops that message instead.\n");
        }
        self.put_counts(&mut card);
        self.put_terms(&mut card);
        self.put_making(&mut card);
        card
    }

    fn front_matter(&self) -> String {
        let mut yaml = String::from("---\n");
        let languages = distinct(self.sources.iter().map(|source| source.language.as_str()));
        list(&mut yaml, "language", languages);
        let (licence, named) = self.licence();
        let _ = writeln!(yaml, "license: {}", quoted(&licence));
        if let Some((name, details)) = named {
            let _ = writeln!(yaml, "license_name: {}", quoted(&name));
            let _ = writeln!(yaml, "license_details: {}", quoted(&details));
        }
        list(&mut yaml, "task_categories", vec!["text-generation".into()]);
        list(&mut yaml, "size_categories", vec![size(self.rows()).into()]);
        let mut tags = vec![
            "synthetic".to_owned(),
            "conversational".into(),
            "colloquy".into(),
        ];
        if self.format == Format::Preference {
            tags.extend(["preference".into(), "dpo".into()]);
        }
        if self.is_demo() {
            tags.push("demo".into());
        }
        list(&mut yaml, "tags", tags);
        yaml.push_str("configs:\n- config_name: default\n  data_files:\n");
        for (split, _) in self.filled() {
            let _ = writeln!(yaml, "  - split: {split}\n    path: {}", self.file(split));
        }
        if let Some(columns) = &self.columns {
            yaml.push_str("dataset_info:\n  features:\n");
            features(&mut yaml, columns, "  ");
        }
        yaml.push_str("---\n");
        yaml
    }

    /// The licence as the hub names it, and where it has no name there, one with what it says. Several that differ are
    /// `other`; where nobody said, `unknown`.
    fn licence(&self) -> (String, Option<(String, String)>) {
        let models = self.sources.iter().flat_map(|source| &source.models);
        let terms = distinct(models.map(|model| model.terms.as_str()));
        match terms.as_slice() {
            terms if terms.is_empty() || terms.iter().any(|terms| terms == UNKNOWN) => {
                ("unknown".into(), None)
            }
            [one] if HUB_LICENCES.contains(&one.to_ascii_lowercase().as_str()) => {
                (one.to_ascii_lowercase(), None)
            }
            terms => (
                "other".into(),
                Some(("terms-of-the-models".into(), terms.join("; "))),
            ),
        }
    }

    fn put_counts(&self, card: &mut String) {
        let splits: Vec<&str> = self.splits.iter().map(String::as_str).collect();
        let _ = writeln!(card, "\n## What it holds\n\n| | {} |", splits.join(" | "));
        let _ = writeln!(card, "|---{}|", "|---:".repeat(splits.len()));
        put_line(card, "rows", &self.statistics.rows);
        for (column, values) in &self.statistics.counts {
            for (value, counts) in values {
                put_line(card, &format!("{column}: {value}"), counts);
            }
        }
        let turns = &self.statistics.turns;
        let all: u64 = turns.values().sum();
        if all > 0 {
            let mut before = 0;
            let median = turns.iter().find(|(_, count)| {
                before += **count;
                before * 2 >= all
            });
            let of = |turns: Option<(&usize, &u64)>| turns.map_or(0, |(turns, _)| *turns);
            let _ = writeln!(
                card,
                "\nTurns of a conversation: {} to {}, median {}.",
                of(turns.first_key_value()),
                of(turns.last_key_value()),
                of(median)
            );
        }
    }

    fn put_terms(&self, card: &mut String) {
        card.push_str("\n## Terms\n\n");
        let models = self.sources.iter().flat_map(|source| &source.models);
        let lines = distinct(models.map(|model| format!("{}: {}", model.reference, model.terms)));
        for line in &lines {
            let _ = writeln!(card, "- {}", cell(line));
        }
        if lines.iter().any(|line| line.ends_with(UNKNOWN)) {
            card.push_str("\nUNKNOWN: nobody told the program on which terms what this model writes may be used. Find out before it is passed on.\n");
        }
    }

    fn put_making(&self, card: &mut String) {
        card.push_str("\n## How it was made\n");
        for source in &self.sources {
            let _ = writeln!(
                card,
                "\n### {}\n\n| | |\n|---|---|\n| program | {} |\n| recipe | {} |\n| seed | {} |",
                cell(&source.run),
                cell(&source.program),
                cell(&source.recipe),
                source.seed
            );
            for model in &source.models {
                let label = match model.roles.as_str() {
                    "" => "model".to_owned(),
                    roles => format!("model ({roles})"),
                };
                let _ = writeln!(
                    card,
                    "| {label} | {} · profile {} · {} |",
                    cell(&model.reference),
                    model.profile,
                    model.hash
                );
            }
            let keys = source.sampling.iter().chain(&source.prompts);
            for (key, value) in keys {
                let _ = writeln!(card, "| {} | {} |", cell(key), cell(value));
            }
        }
    }

    /// `dataset_info.json` of LLaMA-Factory (its data/README.md). None for formats that it does not read.
    #[must_use]
    pub fn dataset_info(&self) -> Option<String> {
        let openai = json!({
            "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
            "system_tag": "system",
        });
        let has_system = |columns: &Vec<Column>| columns.iter().any(|one| one.name == "system");
        let name = self
            .sources
            .first()
            .map_or("colloquy", |source| &source.recipe);
        let mut info = serde_json::Map::new();
        for (split, _) in self.filled() {
            let file = self.file(split);
            let entry = match self.format {
                Format::Messages => json!({
                    "file_name": file, "formatting": "sharegpt",
                    "columns": {"messages": "messages"}, "tags": openai,
                }),
                Format::ShareGpt => {
                    let mut columns = json!({"messages": "conversations"});
                    if self.columns.as_ref().is_some_and(has_system) {
                        columns["system"] = "system".into();
                    }
                    json!({"file_name": file, "formatting": "sharegpt", "columns": columns})
                }
                Format::Preference => json!({
                    "file_name": file, "formatting": "sharegpt", "ranking": true,
                    "columns": {
                        "messages": "prompt", "chosen": "chosen_message", "rejected": "rejected_message",
                    },
                    "tags": openai,
                }),
                Format::Asynth => json!({
                    "file_name": file, "formatting": "sharegpt",
                    "columns": {"messages": "conversation"}, "tags": openai,
                }),
                Format::Convogen | Format::Experiences => return None,
            };
            info.insert(format!("{name}_{split}"), entry);
        }
        let mut text = serde_json::to_string_pretty(&info).ok()?;
        text.push('\n');
        Some(text)
    }

    /// `axolotl.yaml`, to be completed (docs.axolotl.ai, "Conversation" and "RLHF"). None for formats that it does not read.
    /// `trains` says that messages have `train` flags.
    #[must_use]
    pub fn axolotl(&self, trains: bool) -> Option<String> {
        let (messages, role, content) = match self.format {
            Format::Messages => ("messages", "role", "content"),
            Format::ShareGpt => ("conversations", "from", "value"),
            Format::Preference => ("prompt", "role", "content"),
            Format::Asynth => ("conversation", "role", "content"),
            Format::Convogen | Format::Experiences => return None,
        };
        let ds_type = if self.ending == "parquet" {
            "parquet"
        } else {
            "json"
        };
        let mut yaml = String::from(
            "# Say which model, and how it is to be trained; paths are seen from where axolotl is started.\nbase_model:\n\n",
        );
        if self.format == Format::Preference {
            yaml.push_str("rl: dpo\n");
        }
        let splits: Vec<&str> = self.filled().map(|(split, _)| split).collect();
        let trained = splits.contains(&"train");
        let (first, rest): (Vec<&str>, Vec<&str>) = splits
            .iter()
            .partition(|split| **split == "train" || !trained);
        for (key, splits) in [("datasets", first), ("test_datasets", rest)] {
            if splits.is_empty() {
                continue;
            }
            let _ = writeln!(yaml, "{key}:");
            for split in splits {
                let _ = writeln!(
                    yaml,
                    "- path: {}\n  ds_type: {ds_type}\n  split: train",
                    self.file(split)
                );
                if self.format == Format::Preference {
                    yaml.push_str("  type: chat_template.default\n  field_chosen: chosen_message\n  field_rejected: rejected_message\n");
                } else {
                    yaml.push_str("  type: chat_template\n");
                }
                let _ = writeln!(
                    yaml,
                    "  field_messages: {messages}\n  message_property_mappings:\n    role: {role}\n    content: {content}"
                );
                if trains {
                    // What is marked, and nothing by role.
                    yaml.push_str("  roles_to_train: []\n  message_field_training: train\n");
                }
            }
        }
        Some(yaml)
    }
}

fn put_line(card: &mut String, label: &str, counts: &[u64]) {
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    let _ = writeln!(card, "| {} | {} |", cell(label), counts.join(" | "));
}

/// A text within a table.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

/// Each once, in the order they come.
fn distinct<T: Into<String>>(all: impl Iterator<Item = T>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for one in all.map(Into::into) {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

/// The hub's classes of sizes.
fn size(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        _ => "10M<n<100M",
    }
}

/// Licences as the hub names them (huggingface.co/docs/hub/repositories-licenses), those that terms of output may be.
const HUB_LICENCES: &[&str] = &[
    "apache-2.0",
    "mit",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "odc-by",
    "odbl",
    "openrail",
    "unlicense",
    "bsd-3-clause",
    "gpl-3.0",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "gemma",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_become_a_licence_of_the_hub() {
        let papers = |terms: &[&str]| Papers {
            format: Format::Messages,
            ending: "jsonl",
            columns: None,
            splits: vec!["train".into()],
            statistics: Statistics::new(1),
            sources: vec![MadeBy {
                models: terms
                    .iter()
                    .map(|terms| ModelLine {
                        terms: (*terms).into(),
                        ..ModelLine::default()
                    })
                    .collect(),
                ..MadeBy::default()
            }],
            chosen: Vec::new(),
        };
        assert_eq!(
            papers(&["Apache-2.0"]).licence(),
            ("apache-2.0".into(), None)
        );
        assert_eq!(papers(&["UNKNOWN"]).licence().0, "unknown");
        assert_eq!(papers(&["MIT", "UNKNOWN"]).licence().0, "unknown");
        assert_eq!(papers(&[]).licence().0, "unknown");
        let (licence, named) = papers(&["none: MIT", "Gemma Terms"]).licence();
        assert_eq!(
            (licence.as_str(), named.unwrap().1.as_str()),
            ("other", "none: MIT; Gemma Terms")
        );
        assert!(papers(&["UNKNOWN"]).card().contains("Find out before"));
    }

    #[test]
    fn sizes_are_the_hub_s() {
        for (rows, name) in [
            (0, "n<1K"),
            (999, "n<1K"),
            (1000, "1K<n<10K"),
            (250_000, "100K<n<1M"),
        ] {
            assert_eq!(size(rows), name);
        }
    }
}
