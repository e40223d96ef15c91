//! Grammars: which tokens may come next.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use toktrie::{SimpleVob, TokEnv};

use super::{Grammar, TokenId};

/// Compiles grammars for one tokenizer.
pub struct Grammars {
    factory: Arc<ParserFactory>,
}

impl Grammars {
    /// A compiler over the tokenizer's own bytes.
    ///
    /// # Errors
    /// When the tokenizer's table is not usable.
    pub fn new(environment: &TokEnv) -> Result<Self, String> {
        let mut factory = ParserFactory::new_simple(environment).map_err(|e| e.to_string())?;
        factory.quiet();
        Ok(Self {
            factory: Arc::new(factory),
        })
    }

    /// A matcher at the grammar's beginning.
    ///
    /// # Errors
    /// When the grammar does not compile.
    pub fn start(&self, grammar: &Grammar) -> Result<Constraint, String> {
        let grammar = match grammar {
            Grammar::JsonSchema(text) => TopLevelGrammar::from_json_schema(
                serde_json::from_str(text).map_err(|e| format!("schema: {e}"))?,
            ),
            Grammar::Regex(text) => TopLevelGrammar::from_regex(text),
        };
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        match matcher.get_error() {
            Some(error) => Err(error),
            None => Ok(Constraint { matcher }),
        }
    }
}

/// A grammar part-way through a reply.
pub struct Constraint {
    matcher: Matcher,
}

impl Constraint {
    /// Ids that may come next, the end token among them where the reply may end.
    ///
    /// # Errors
    /// When the grammar met a dead end.
    pub fn mask(&mut self) -> Result<SimpleVob, String> {
        self.matcher
            .compute_mask_or_eos()
            .map_err(|e| e.to_string())
    }

    /// Commits a token.
    ///
    /// # Errors
    /// When the token was not allowed.
    pub fn accept(&mut self, token: TokenId) -> Result<(), String> {
        self.matcher.consume_token(token).map_err(|e| e.to_string())
    }

    /// Whether nothing more can follow.
    pub fn is_complete(&mut self) -> bool {
        self.matcher.is_stopped()
    }

    /// Whether the reply could end here.
    pub fn may_end(&mut self) -> bool {
        self.matcher.is_accepting().unwrap_or(false)
    }
}
