use std::collections::HashSet;

use super::lexicon;
use super::quantity::Quantity;
use super::reading::{Reading, Term};
use crate::knowledge::sentences;
use crate::record::Case;

/// What was said to the agent so far, and who is who; grows with every turn of the customer's.
#[derive(Clone, Debug, Default)]
pub struct Told {
    meanings: HashSet<u64>,
    words: HashSet<String>,
    codes: HashSet<String>,
    quantities: Vec<Quantity>,
    /// Of the two speakers and the shop.
    names: HashSet<String>,
    /// Of the case, told or not.
    case_codes: HashSet<String>,
    case_quantities: Vec<Quantity>,
}

impl Told {
    /// Nothing was said yet. The names of the shop and the agent, and the customer's, are claims at no time.
    #[must_use]
    pub fn new(brand: &str, agent: &str, case: &Case) -> Self {
        let mut told = Self::default();
        for name in [brand, agent, &case.name] {
            told.names.extend(
                name.split(|c: char| !c.is_alphanumeric())
                    .filter(|part| !part.is_empty())
                    .map(str::to_lowercase),
            );
        }
        for fact in [&case.order_id, &case.order_date, &case.price] {
            let reading = Reading::of(fact);
            told.case_codes
                .extend(reading.codes().map(|token| token.text.clone()));
            told.case_quantities.extend(reading.quantities);
        }
        told
    }

    /// Takes in a turn of the customer's.
    pub fn hear(&mut self, text: &str) {
        for at in sentences(text) {
            let reading = Reading::of(&text[at]);
            self.codes
                .extend(reading.codes().map(|token| token.text.clone()));
            for term in reading.terms {
                self.meanings
                    .extend(term.meaning.iter().filter(|group| **group != 0));
                self.meanings.insert(lexicon::own(&term.base));
                self.words.insert(term.base);
            }
            self.quantities.extend(reading.quantities);
        }
    }

    /// Whether the customer named the number.
    pub(super) fn knows(&self, quantity: &Quantity) -> bool {
        self.quantities.iter().any(|known| known.equals(quantity))
    }

    /// Whether the number is one of the case, told or not.
    pub(super) fn in_case(&self, quantity: &Quantity) -> bool {
        self.case_quantities
            .iter()
            .any(|known| known.equals(quantity))
    }

    /// Whether the customer named the code.
    pub(super) fn knows_code(&self, code: &str) -> bool {
        self.codes.contains(code)
    }

    /// Whether the code is one of the case, told or not.
    pub(super) fn code_in_case(&self, code: &str) -> bool {
        self.case_codes.contains(code)
    }

    /// Whether the customer used the word or one that says the same.
    pub(super) fn said(&self, term: &Term) -> bool {
        term.meaning
            .iter()
            .any(|group| *group != 0 && self.meanings.contains(group))
    }

    /// Whether the customer used this very word, in its base form.
    pub(super) fn said_word(&self, base: &str) -> bool {
        self.words.contains(base)
    }

    /// Whether these words are nothing but names of those who talk.
    pub(super) fn is_name(&self, words: &[&str]) -> bool {
        !words.is_empty() && words.iter().all(|word| self.names.contains(*word))
    }
}
