use serde::Serialize;

use crate::record::{Case, Cooperation, FirstLanguage, Outcome, Page, Style, Tone};

/// A paragraph as templates see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassageVar<'a> {
    pub heading: &'a str,
    pub text: &'a str,
}

impl<'a> PassageVar<'a> {
    /// The paragraphs of a page with these indices.
    #[must_use]
    pub fn of(page: &'a Page, indices: &[usize]) -> Vec<Self> {
        let paragraphs = indices
            .iter()
            .filter_map(|&index| page.paragraphs.get(index));
        paragraphs
            .map(|paragraph| Self {
                heading: &paragraph.heading,
                text: &paragraph.text,
            })
            .collect()
    }
}

/// What the agent's system message may use.
#[derive(Clone, Debug, Serialize)]
pub struct AgentVars<'a> {
    pub agent: &'a str,
    pub brand: &'a str,
    pub channel: &'a str,
    pub language: &'a str,
    pub max_words: usize,
    pub title: &'a str,
    pub passages: Vec<PassageVar<'a>>,
    /// Whether its turns come with a note of `steer.j2`.
    pub steered: bool,
}

/// What the note on the agent's next turn may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SteerVars {
    pub thank: bool,
    pub ask: bool,
    pub greet: bool,
}

impl AgentVars<'_> {
    /// The same without the page: what is left when rendered are the instructions.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self {
            title: "",
            passages: Vec::new(),
            ..self.clone()
        }
    }
}

/// What the customer's system message may use.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CustomerVars<'a> {
    pub name: &'a str,
    pub brand: &'a str,
    pub channel: &'a str,
    pub language: &'a str,
    pub max_words: usize,
    pub query: &'a str,
    pub tone: Tone,
    #[serde(serialize_with = "prompted_style")]
    pub style: Style,
    /// A language's name, and empty where none is meant.
    #[serde(serialize_with = "language_name")]
    pub first_language: Option<FirstLanguage>,
    pub outcome: Outcome,
    pub cooperation: Cooperation,
    /// The name of a [`Cause`](crate::record::Cause); empty where the plan is not `UNRESOLVED`.
    pub cause: &'static str,
    pub item: &'a str,
    pub order_id: &'a str,
    pub order_date: &'a str,
    pub price: &'a str,
}

/// Typing mistakes are laid over afterwards; the model is asked for plain text.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn prompted_style<S: serde::Serializer>(style: &Style, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *style == Style::Typos {
        Style::Plain.name()
    } else {
        style.name()
    })
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "the shape serde asks for"
)]
fn language_name<S: serde::Serializer>(
    language: &Option<FirstLanguage>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(language.map_or("", FirstLanguage::title))
}

impl<'a> CustomerVars<'a> {
    /// The same for this case.
    #[must_use]
    pub fn with_case(self, case: &'a Case) -> Self {
        Self {
            name: &case.name,
            item: &case.item,
            order_id: &case.order_id,
            order_date: &case.order_date,
            price: &case.price,
            ..self
        }
    }

    /// The same without question and case: what is left when rendered are the instructions.
    #[must_use]
    pub fn bare(self) -> Self {
        Self {
            name: "",
            query: "",
            item: "",
            order_id: "",
            order_date: "",
            price: "",
            ..self
        }
    }
}

/// What the two messages for writing questions may use.
#[derive(Clone, Debug, Serialize)]
pub struct QueriesVars<'a> {
    pub brand: &'a str,
    pub language: &'a str,
    pub title: &'a str,
    pub passages: Vec<PassageVar<'a>>,
    pub n: usize,
}
