//! What a corpus is like: figures, how they lie against human conversations, and what to make of them. Samples in, one
//! [`Report`] out; what shows it (terminal, JSON, HTML) knows the report only, not how its figures came about.

mod augmentation;
pub mod bands;
mod build;
mod compare;
mod context;
mod counts;
mod dialogue;
mod figure;
mod from_files;
mod from_run;
mod grounding;
mod headline;
pub mod judge;
mod lexical;
mod making;
mod material;
mod notebook;
mod pace;
pub mod page;
mod redundancy;
#[cfg(test)]
mod report_tests;
mod sections;
mod semantic;
mod shape;
#[cfg(test)]
mod tests;
mod texts;

pub use augmentation::augmentation;
pub use context::Context;
pub use dialogue::dialogue;
pub use grounding::grounding;
pub use lexical::lexical;
pub use material::{FailedAttempt, Making, Material, Part};
pub use notebook::notebook;
pub use redundancy::redundancy;
pub use sections::corpus_sections;
pub use semantic::semantic;
pub use shape::shape;

use serde::{Deserialize, Serialize};

use crate::metrics::bootstrap::Interval;

/// The version of `report.json`.
pub const REPORT_VERSION: u32 = 1;

/// A report. Field order is the order in `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_VERSION`] of the writer.
    pub version: u32,
    /// `colloquy <version>` of the writer.
    pub program: String,
    pub source: Source,
    pub headline: Headline,
    /// In the order in which they are shown.
    pub sections: Vec<Section>,
    /// Why conversations were turned down, the most frequent first.
    pub rejects: Vec<Rejects>,
    /// Where this is a comparison: what the figures are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Source>,
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// A run's folder or a file, as the user named it.
    pub name: String,
    /// What is known of it, for people: recipe, models, seed, licence, settings of filters.
    pub facts: Vec<(String, String)>,
    pub conversations: usize,
    pub turns: usize,
    /// Data of the demo model, which is for trying the pipeline only.
    pub demo: bool,
    /// Conversations that could not be read, or hold nothing.
    pub skipped: usize,
}

/// The whole in a few words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    pub level: Level,
    /// One sentence.
    pub text: String,
    /// What it rests on, the gravest first.
    pub points: Vec<Point>,
}

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Good,
    /// Worth a look.
    Mixed,
    Poor,
}

/// One reason for a headline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub level: Level,
    pub text: String,
    /// Key of the metric that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
}

/// Figures that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Like `lexical`.
    pub key: String,
    pub title: String,
    /// What this is about, in a sentence or two.
    pub about: String,
    pub metrics: Vec<Metric>,
    pub charts: Vec<Chart>,
    pub tables: Vec<Table>,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Stable, like `lexical.mtld`.
    pub key: String,
    pub title: String,
    /// None where there is too little to tell; `note` says why.
    pub value: Option<f64>,
    pub unit: Unit,
    /// 95 %, by bootstrap over conversations; of shares of conversations, Wilson's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Where human conversations lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<Band>,
    /// The same figure of what is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<f64>,
    /// What it says, plainly: what it measures and what this value means.
    pub reading: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A number of things, whole.
    Count,
    /// A number of its own scale.
    Number,
    /// 0 to 1, shown as per cent.
    Share,
}

/// Where the values of human conversations lie, with the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    pub low: f64,
    pub high: f64,
    /// Who found that, on what.
    pub source: String,
}

impl Band {
    /// Where a value lies.
    #[must_use]
    pub fn place(&self, value: f64) -> Place {
        if value < self.low {
            Place::Below
        } else if value > self.high {
            Place::Above
        } else {
            Place::Inside
        }
    }
}

/// On which side of a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Below,
    Inside,
    Above,
}

/// Numbers to be drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    pub key: String,
    pub title: String,
    pub kind: ChartKind,
    /// What the horizontal axis counts, like `turns`.
    pub x: String,
    /// What the vertical one does, like `conversations`.
    pub y: String,
    /// One for each place on the horizontal axis.
    pub labels: Vec<String>,
    pub series: Vec<Series>,
}

/// How a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartKind {
    /// A bar for each label, series side by side.
    Bars,
    /// Bars that touch: counts of neighbouring bins.
    Histogram,
    /// A line over time or place.
    Line,
}

/// The numbers of a chart, one for each label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    pub values: Vec<f64>,
}

/// Rows and columns, all as they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

/// Conversations that were turned down for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejects {
    pub reason: String,
    pub count: usize,
    /// Ids of some, with what was found.
    pub samples: Vec<(String, String)>,
}
