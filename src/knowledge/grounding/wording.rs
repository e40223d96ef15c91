//! Names, kinds, quantifiers, conditions and terms of a sentence against those of the page.

use super::lexicon::{self, KINDS, OPPOSITE};
use super::reading::Reading;
use super::tokens::Kind;
use super::verify::{Claim, Weighed, match_of};
use super::{Stated, Why, words_at};

impl Claim<'_> {
    /// A name, code or address that stands neither on the page nor in what was told.
    pub(super) fn strange_name(&self) -> Option<String> {
        let on_page = |base: &str| {
            self.seen
                .iter()
                .zip(&self.grounds.words)
                .any(|(&seen, words)| seen && words.contains(base))
        };
        let code = self.codes.iter().find(|(text, meaning)| {
            !self.told.knows_code(text)
                && !self
                    .grounds
                    .visible(self.seen)
                    .any(|(_, stated)| stated.meanings.contains(meaning))
        });
        if let Some((text, _)) = code {
            return Some((*text).to_owned());
        }
        self.terms
            .iter()
            .find(|weighed| {
                let token = &self.reading.tokens[weighed.term.token];
                let base = &weighed.term.base;
                token.name
                    && !on_page(base)
                    && !self.told.said_word(base)
                    && !lexicon::is_known(base)
                    && !KINDS[..2].iter().any(|kind| kind.members.contains(base))
            })
            .map(|weighed| {
                words_at(
                    self.sentence,
                    self.reading,
                    &(weighed.term.token..weighed.term.token + 1),
                )
            })
    }

    /// A term of conditions that the page does not know.
    pub(super) fn strange_term(&self) -> Option<Why> {
        let on_page = |base: &str| {
            self.seen
                .iter()
                .zip(&self.grounds.words)
                .any(|(&seen, words)| seen && words.contains(base))
        };
        self.terms
            .iter()
            .find(|weighed| {
                let base = &weighed.term.base;
                let policy = lexicon::policy(base);
                let elsewhere = self
                    .grounds
                    .visible(self.seen)
                    .all(|(_, stated)| match_of(weighed.term, &[stated]) < 1.0);
                policy.is_some_and(|only_itself| only_itself || elsewhere)
                    && !on_page(base)
                    && !self.told.said_word(base)
            })
            .map(|weighed| Why::Word(self.reading.tokens[weighed.term.token].text.clone()))
    }

    /// Another day, channel or product than the page's, or the opposite of one of its words.
    pub(super) fn other_kind(&self, chosen: &[&Stated]) -> Option<Why> {
        let on_page = |base: &str| {
            chosen
                .iter()
                .any(|stated| stated.meanings.contains(&lexicon::own(base)))
        };
        let general = chosen.iter().any(|stated| {
            ["item", "product", "appliance", "device", "order", "parcel"]
                .iter()
                .any(|word| stated.reading.has(word))
        });
        for kind in KINDS.iter() {
            let bases = &kind.members;
            let theirs = bases.iter().any(|base| on_page(base));
            let own_product = |base: &str| kind.products && general && self.told.said_word(base);
            let strange = self.terms.iter().find(|weighed| {
                let base = &weighed.term.base;
                bases.contains(base)
                    && !on_page(base)
                    && !chosen
                        .iter()
                        .any(|stated| stated.around.contains(&lexicon::own(base)))
                    && !own_product(base)
            });
            let shared = self
                .terms
                .iter()
                .any(|weighed| bases.contains(&weighed.term.base) && on_page(&weighed.term.base));
            if let Some(weighed) = strange
                && theirs
                && !shared
            {
                return Some(Why::Word(
                    self.reading.tokens[weighed.term.token].text.clone(),
                ));
            }
        }
        let has = |base: &str| says(self.reading, base);
        let stands = |base: &str| chosen.iter().any(|stated| says(&stated.reading, base));
        for &(one, other) in OPPOSITE {
            for (mine, theirs) in [(one, other), (other, one)] {
                if has(mine) && !has(theirs) && stands(theirs) && !stands(mine) {
                    return Some(Why::Word(mine.to_owned()));
                }
            }
        }
        None
    }

    /// "Always" and "only" where the page makes exceptions or names more.
    pub(super) fn overstated(&self, chosen: &[&Stated]) -> Option<Why> {
        let text = |index: usize| {
            self.reading
                .tokens
                .get(index)
                .map_or("", |token| token.text.as_str())
        };
        let stands = |words: &[&str]| {
            chosen.iter().any(|stated| {
                stated
                    .reading
                    .tokens
                    .iter()
                    .any(|token| words.contains(&token.text.as_str()))
            })
        };
        for index in 0..self.reading.tokens.len() {
            if !self
                .claims
                .get(self.reading.clause_at(index))
                .copied()
                .unwrap_or(true)
            {
                continue;
            }
            let broad = match (text(index), text(index + 1)) {
                ("even", "if" | "when" | "after" | "though")
                | ("no", "matter")
                | ("regardless" | "anytime", _) => true,
                ("always", _) => !stands(&["always"]),
                _ => false,
            };
            if broad
                && !stands(&[
                    "even", "matter", "whatever", "however", "whether", "any", "always",
                ])
                && stands(&[
                    "only",
                    "unless",
                    "provided",
                    "except",
                    "exception",
                    "most",
                    "not",
                    "long",
                ])
            {
                return Some(Why::Word(text(index).to_owned()));
            }
            let narrow = text(index) == "only"
                && matches!(
                    text(index + 1),
                    "on" | "at" | "in" | "by" | "if" | "when" | "via" | "through" | "with"
                );
            if narrow
                && !stands(&[
                    "only", "alone", "except", "nothing", "other", "must", "provided", "unless",
                    "not", "long",
                ])
            {
                return Some(Why::Word(text(index).to_owned()));
            }
        }
        None
    }

    /// A condition that the page does not make.
    pub(super) fn condition(&self, chosen: &[&Stated]) -> Option<Why> {
        for (index, clause) in self.reading.clauses.iter().enumerate() {
            let first = self.reading.tokens[clause.tokens.clone()]
                .iter()
                .find(|token| token.kind == Kind::Word);
            let conditional = first.is_some_and(|token| {
                matches!(
                    token.text.as_str(),
                    "unless" | "except" | "provided" | "as" | "if"
                )
            });
            if !conditional || !self.claims[index] {
                continue;
            }
            let terms: Vec<&Weighed<'_>> = self
                .terms
                .iter()
                .filter(|weighed| weighed.term.clause == index)
                .collect();
            let total: f64 = terms.iter().map(|weighed| weighed.weight).sum();
            let covered: f64 = terms
                .iter()
                .map(|weighed| weighed.weight * match_of(weighed.term, chosen))
                .sum();
            if total > 1.0 && covered < 0.3 * total {
                return Some(Why::Condition(words_at(
                    self.sentence,
                    self.reading,
                    &clause.tokens,
                )));
            }
        }
        None
    }
}

/// Whether a word stands in a sentence; "at most" and "the most" are no quantifiers.
fn says(reading: &Reading, base: &str) -> bool {
    if base != "most" {
        return reading.has(base);
    }
    let tokens = &reading.tokens;
    (0..tokens.len()).any(|index| {
        tokens[index].text == "most"
            && !(index > 0 && matches!(tokens[index - 1].text.as_str(), "at" | "the"))
    })
}
