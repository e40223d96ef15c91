//! Denials, limits and prices of a sentence against those of the page.

use super::lexicon;
use super::quantity::{Measure, Quantity};
use super::reading::{Price, Reading, opposed};
use super::verify::{Claim, same};
use super::{Stated, Why, words_at};

/// The share of the words in common that must be denied by one side only.
const OPPOSED: f64 = 0.15;

impl Claim<'_> {
    /// Says no where these sentences say yes or the reverse, or turns a limit round.
    pub(super) fn denial(&self, chosen: &[&Stated]) -> Option<Why> {
        let (mut agreed, mut opposite, mut against, mut with) = (false, None, 0.0, 0.0);
        for weighed in &self.terms {
            let (term, mine) = (weighed.term, self.reading.denied[weighed.term.token]);
            if weighed.weight < 0.6 || lexicon::is_price(&self.reading.tokens[term.token].text) {
                continue;
            }
            let mut signs = chosen
                .iter()
                .flat_map(|stated| {
                    stated
                        .reading
                        .terms
                        .iter()
                        .filter(|own| same(term, own))
                        .map(|own| {
                            (
                                stated.reading.denied[own.token],
                                stated.reading.clauses[own.clause].conditional,
                            )
                        })
                })
                .peekable();
            if signs.peek().is_none() {
                continue;
            }
            let case = self.reading.clauses[term.clause].conditional && mine;
            if signs.any(|(theirs, conditional)| theirs == mine || theirs && conditional) {
                agreed |= mine;
                with += weighed.weight;
            } else if !case {
                against += weighed.weight;
                opposite.get_or_insert(term.token);
            }
        }
        let mut turned = None;
        for quantity in &self.quantities {
            let mine = self.reading.denied[quantity.tokens.start];
            let mut pairs = chosen
                .iter()
                .flat_map(|stated| {
                    stated
                        .reading
                        .quantities
                        .iter()
                        .filter(|own| own.equals(quantity))
                        .map(|own| {
                            (
                                stated.reading.denied[own.tokens.start] != mine,
                                opposed(own.bound, quantity.bound),
                            )
                        })
                })
                .peekable();
            if !self.speaks_of_other_side(quantity, chosen)
                && pairs.peek().is_some()
                && pairs.all(|(differs, opposed)| opposed && !differs)
            {
                turned = Some(words_at(self.sentence, self.reading, &quantity.frame));
            }
        }
        // "They are not able to do this for you" denies what was said before.
        let refers = chosen.iter().any(|stated| {
            stated
                .reading
                .tokens
                .windows(2)
                .enumerate()
                .any(|(at, pair)| {
                    pair[0].text == "do"
                        && matches!(pair[1].text.as_str(), "this" | "that")
                        && stated.reading.denied[at]
                })
        });
        let opposite = opposite.filter(|token| {
            !agreed
                && against >= OPPOSED * (with + against)
                && !(refers && self.reading.denied[*token])
        });
        if let Some(token) = opposite {
            let clause = &self.reading.clauses[self.reading.clause_at(token)];
            return Some(Why::Denial(words_at(
                self.sentence,
                self.reading,
                &clause.tokens,
            )));
        }
        turned
            .map(Why::Limit)
            .or_else(|| self.price(chosen))
            .or_else(|| self.undone(chosen))
    }

    /// Whether the page says beside a limit what holds on its other side, and the sentence is about that: "up to £150 it
    /// can be left, anything dearer must be signed for".
    fn speaks_of_other_side(&self, quantity: &Quantity, chosen: &[&Stated]) -> bool {
        chosen.iter().any(|stated| {
            let reading = &stated.reading;
            let limits = reading
                .quantities
                .iter()
                .filter(|own| own.equals(quantity))
                .map(|own| reading.clause_at(own.tokens.start));
            let limits: Vec<usize> = limits.collect();
            let has = |price| reading.clauses.iter().any(|clause| clause.price == price);
            let other_price = has(Price::Free) && has(Price::Charged);
            let other_side = reading.clauses.iter().enumerate().any(|(index, clause)| {
                let named = reading.tokens[clause.tokens.clone()].iter().any(|token| {
                    matches!(
                        token.text.as_str(),
                        "heavier"
                            | "otherwise"
                            | "smaller"
                            | "dearer"
                            | "beyond"
                            | "larger"
                            | "longer"
                    )
                });
                named
                    && !limits.contains(&index)
                    && self.terms.iter().any(|weighed| {
                        let stands = |at: &dyn Fn(usize) -> bool| {
                            reading
                                .terms
                                .iter()
                                .any(|own| same(weighed.term, own) && at(own.clause))
                        };
                        stands(&|clause| clause == index)
                            && !stands(&|clause| limits.contains(&clause))
                    })
            });
            !limits.is_empty() && (other_price || other_side)
        })
    }

    /// Free where the page charges, or the reverse.
    fn price(&self, chosen: &[&Stated]) -> Option<Why> {
        for (index, clause) in self.reading.clauses.iter().enumerate() {
            let amount = self.quantities.iter().any(|quantity| {
                clause.tokens.contains(&quantity.tokens.start)
                    && matches!(quantity.measure, Measure::Money(_))
            });
            if !self.claims[index]
                || clause.price == Price::Unsaid
                || amount && clause.price == Price::Charged
            {
                continue;
            }
            let shared = |reading: &Reading, index: usize, other: usize| {
                let terms = self.terms.iter().filter(|weighed| {
                    weighed.term.clause == index
                        && reading
                            .terms
                            .iter()
                            .any(|own| own.clause == other && same(weighed.term, own))
                });
                let equal = self.quantities.iter().filter(|quantity| {
                    clause.tokens.contains(&quantity.tokens.start)
                        && reading.quantities.iter().any(|own| {
                            own.equals(quantity)
                                && reading.clauses[other].tokens.contains(&own.tokens.start)
                        })
                });
                terms.count() + equal.count()
            };
            let theirs: Vec<(usize, Price)> = chosen
                .iter()
                .flat_map(|stated| {
                    (0..stated.reading.clauses.len()).map(|other| {
                        (
                            shared(&stated.reading, index, other),
                            stated.reading.clauses[other].price,
                        )
                    })
                })
                .filter(|(_, price)| *price != Price::Unsaid)
                .collect();
            let nearest = theirs.iter().map(|(shared, _)| *shared).max().unwrap_or(0);
            let mut near = theirs
                .iter()
                .filter(|(shared, _)| *shared == nearest)
                .peekable();
            let costs = |price: Price| price != Price::Free;
            if near.peek().is_some() && near.all(|(_, price)| costs(*price) != costs(clause.price))
            {
                return Some(Why::Denial(words_at(
                    self.sentence,
                    self.reading,
                    &clause.tokens,
                )));
            }
        }
        None
    }

    /// "We do it for you" where the page says "we are not able to do this for you".
    fn undone(&self, chosen: &[&Stated]) -> Option<Why> {
        let for_you = |reading: &Reading| {
            reading
                .tokens
                .windows(2)
                .position(|pair| pair[0].text == "for" && pair[1].text == "you")
        };
        let mine = for_you(self.reading)?;
        let refused = chosen
            .iter()
            .any(|stated| for_you(&stated.reading).is_some_and(|at| stated.reading.denied[at]));
        let clause = &self.reading.clauses[self.reading.clause_at(mine)];
        let agrees = self.reading.tokens[clause.tokens.clone()]
            .iter()
            .any(|token| lexicon::negates(&token.text));
        (refused && !agrees)
            .then(|| Why::Denial(words_at(self.sentence, self.reading, &clause.tokens)))
    }
}
