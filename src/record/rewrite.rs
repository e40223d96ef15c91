use serde::{Deserialize, Serialize};

/// A step from a question as it was written to the message that a customer opens with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// `product`, `tone` or `style`.
    pub kind: String,
    /// The product, tone or style that was asked for.
    pub target: String,
    /// The text after the step; the same as before where there was nothing to change.
    pub text: String,
    /// Words that differ from the text before.
    pub edits: u32,
    /// Why the text stayed as it was: the question names a product already, or is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// Rewrites that did not keep what they had to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRewrite>,
}

/// A rewrite that was turned down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRewrite {
    pub text: String,
    /// What it did not keep, for people.
    pub reason: String,
}
