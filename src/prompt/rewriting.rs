//! What the templates for rewriting questions may use.

use serde::Serialize;

use super::registry::Sample;
use super::{PromptError, Prompts, Template};

/// What the two messages for rewriting a question may use.
#[derive(Clone, Debug, Serialize)]
pub struct RewriteVars<'a> {
    pub text: &'a str,
    /// `product`, `tone` or `style`; the variable of that name says which.
    pub kind: &'a str,
    /// What the rewrite must contain.
    pub keep: &'a [String],
    pub product: &'a str,
    pub tone: &'a str,
    pub style: &'a str,
    /// Of a writer in the style `non_native`.
    pub first_language: &'a str,
    /// Slips to choose from.
    pub habits: &'a [&'a str],
    pub language: &'a str,
}

/// What the question for fitting products may use.
#[derive(Clone, Debug, Serialize)]
pub struct ProductFitVars<'a> {
    pub query: &'a str,
    pub products: &'a [&'a str],
}

impl Prompts {
    /// System and user message for rewriting a question.
    ///
    /// # Errors
    /// When a template fails on this data; the sample data at load made that unlikely.
    pub fn rewrite(&self, vars: &RewriteVars<'_>) -> Result<(String, String), PromptError> {
        Ok((
            self.render(Template::RewriteSystem, vars)?,
            self.render(Template::Rewrite, vars)?,
        ))
    }

    /// The question which products a message makes sense for.
    ///
    /// # Errors
    /// As for [`Self::rewrite`].
    pub fn product_fit(&self, vars: &ProductFitVars<'_>) -> Result<String, PromptError> {
        self.render(Template::ProductFit, vars)
    }

    /// The templates for rewriting rendered with sample data.
    pub(super) fn rewriting_samples(&self) -> Result<Vec<Sample>, PromptError> {
        let keep = ["30 days".to_owned()];
        let mut vars = RewriteVars {
            text: "Can I send it back after 30 days?",
            kind: "style",
            keep: &keep,
            product: "laptop",
            tone: "annoyed",
            style: "formal",
            first_language: "Polish",
            habits: &["articles left out"],
            language: "English",
        };
        for kind in ["product", "tone"] {
            self.rewrite(&RewriteVars {
                kind,
                ..vars.clone()
            })?;
        }
        for style in ["polite", "rude", "non_native", "formal", "colloquial"] {
            vars.style = style;
            self.rewrite(&vars)?;
        }
        let (system, user) = self.rewrite(&RewriteVars {
            keep: &[],
            ..vars.clone()
        })?;
        let fit = self.product_fit(&ProductFitVars {
            query: vars.text,
            products: &["laptop", "kettle"],
        })?;
        let texts = [
            (Template::RewriteSystem, system),
            (Template::Rewrite, user),
            (Template::ProductFit, fit),
        ];
        Ok(texts
            .map(|(template, text)| Sample { template, text })
            .into())
    }
}
