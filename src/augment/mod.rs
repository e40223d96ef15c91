//! Rule engines over finished text: pure functions of text and random stream that report what they changed.
//!
//! - [`typos`], [`non_native`], [`colloquial`], [`formal`]: manners of writing put on a text by rule.
//! - [`verify`]: proof that a rewrite kept what it had to, whoever made it; [`products`]: what products are called.
//! - [`style`]: whether a turn still has its manner and tone, whether it thanks and asks, and how a manner is given back.
//!
//! All of it knows the languages that [`knows`] names.

pub mod colloquial;
mod courtesy;
mod features;
pub mod formal;
mod letters;
pub mod non_native;
mod pieces;
pub mod products;
pub mod style;
pub mod typos;
pub mod verify;
mod words;

use verify::{Kind, Rewrite, measure};

/// Whether the rules of this room know a language, given as in recipes: English, as `en` or `en-GB`.
#[must_use]
pub fn knows(language: &str) -> bool {
    language == "en" || language.starts_with("en-")
}

/// A text after a rule engine had its say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// Words that differ. Of [`typos`]: mistakes put in; each changed one word and no word has two.
    pub edits: u32,
}

impl Edited {
    fn same(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            edits: 0,
        }
    }

    fn measured(before: &str, text: String) -> Self {
        Self {
            edits: measure(before, &text).words_changed,
            text,
        }
    }

    /// What `change` makes of a text; where that does not pass [`verify`], with a lower dial, and at last the text itself.
    fn verified(
        text: &str,
        dial: f64,
        protected: &[&str],
        kind: Kind<'_>,
        change: impl Fn(f64) -> String,
    ) -> Self {
        for part in [1.0, 0.6, 0.3] {
            let after = change(dial * part);
            let edited = Self::measured(text, after);
            if edited.edits == 0 {
                break;
            }
            let rewrite = Rewrite {
                kind,
                before: text,
                after: &edited.text,
                products: &[],
                protected,
            };
            if verify::verify(rewrite).is_ok() {
                return edited;
            }
        }
        Self::same(text)
    }
}
