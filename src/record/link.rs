use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A sentence of an agent's turn and the place on the page that backs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Bytes of the turn.
    pub sentence: Range<usize>,
    pub verdict: Support,
}

/// Whether a page backs a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "support")]
pub enum Support {
    /// This place says so; where two sentences of the page were merged, the one that says more of it.
    Supported {
        /// Index of the page's paragraph.
        paragraph: usize,
        /// Bytes of its text.
        span: Range<usize>,
    },
    /// Nothing that the agent saw says so.
    Unsupported { why: Why },
    /// It states nothing about the shop.
    NoClaim,
}

impl Support {
    /// The name in records and output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Supported { .. } => "supported",
            Self::Unsupported { .. } => "unsupported",
            Self::NoClaim => "no_claim",
        }
    }
}

/// What is wrong with a sentence, with the words in question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "words")]
pub enum Why {
    /// A number that the page does not give, or gives for something else.
    Number(String),
    /// The right number as the wrong limit: at least for at most.
    Limit(String),
    /// Says yes where the page says no, or the reverse.
    Denial(String),
    /// A name, code or address from elsewhere.
    Name(String),
    /// A day, channel, product or quantifier other than the page's.
    Word(String),
    /// A condition that the page does not make.
    Condition(String),
    /// Something the agent says to have done.
    Deed(String),
    /// Too little of it stands on the page; the words that do not.
    Elsewhere(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(words) => write!(f, "`{words}` is not what the page gives for this"),
            Self::Limit(words) => write!(f, "`{words}` turns the page's limit round"),
            Self::Denial(words) => write!(f, "the page says the opposite of `{words}`"),
            Self::Name(words) => write!(f, "`{words}` is not on the page"),
            Self::Word(words) => write!(f, "the page does not say `{words}` here"),
            Self::Condition(words) => write!(f, "the page does not ask for `{words}`"),
            Self::Deed(words) => write!(f, "an agent cannot have done this: `{words}`"),
            Self::Elsewhere(words) => write!(f, "not on the page: {words}"),
        }
    }
}
