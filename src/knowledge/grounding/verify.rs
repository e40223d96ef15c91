use super::lexicon;
use super::quantity::Quantity;
use super::reading::{Reading, Term};
use super::tokens::Kind;
use super::{Grounds, Stated, Support, Told, Why, listed, words_at};

/// Sentences of the page that are looked at closely.
const CANDIDATES: usize = 12;

/// What a number that stands on the page weighs against a word.
const NUMBER_WEIGHT: f64 = 1.5;

/// What a code weighs.
const CODE_WEIGHT: f64 = 2.0;

/// What a word counts that stands beside the sentence only.
const BESIDE: f64 = 0.6;

/// How much of what is said must stand on the page when it has a number or code from there.
const COVERED: f64 = 0.5;

/// How much of it must when nothing but words ties it to the page.
const COVERED_WORDS: f64 = 0.68;

/// How much of a number's surroundings its place on the page must have, beside the best place of another such number.
const RIVAL: f64 = 0.8;

/// A second sentence of the page must add this share of what is said.
const SECOND: f64 = 0.12;

/// A word of the sentence with what it weighs.
pub(super) struct Weighed<'r> {
    pub(super) term: &'r Term,
    pub(super) weight: f64,
}

/// A sentence under test.
pub(super) struct Claim<'r> {
    pub(super) grounds: &'r Grounds,
    pub(super) seen: &'r [bool],
    pub(super) told: &'r Told,
    pub(super) sentence: &'r str,
    pub(super) reading: &'r Reading,
    pub(super) terms: Vec<Weighed<'r>>,
    pub(super) quantities: Vec<&'r Quantity>,
    pub(super) codes: Vec<(&'r str, u64)>,
    pub(super) claims: &'r [bool],
}

impl<'r> Claim<'r> {
    pub(super) fn new(
        grounds: &'r Grounds,
        seen: &'r [bool],
        told: &'r Told,
        sentence: &'r str,
        reading: &'r Reading,
        claims: &'r [bool],
    ) -> Self {
        let kept = |token: usize| {
            claims
                .get(reading.clause_at(token))
                .copied()
                .unwrap_or(true)
        };
        let terms = reading
            .terms
            .iter()
            .filter(|term| kept(term.token) && !lexicon::is_plain(&term.base))
            .filter(|term| !told.is_name(&[&reading.tokens[term.token].text]))
            .map(|term| Weighed {
                term,
                weight: weight(grounds, told, term),
            })
            .collect();
        let quantities = reading
            .quantities
            .iter()
            .filter(|quantity| kept(quantity.tokens.start))
            .collect();
        let codes = reading
            .tokens
            .iter()
            .enumerate()
            .filter(|(index, token)| token.kind == Kind::Code && kept(*index))
            .map(|(_, token)| (token.text.as_str(), lexicon::own(&token.text)))
            .collect();
        Self {
            grounds,
            seen,
            told,
            sentence,
            reading,
            terms,
            quantities,
            codes,
            claims,
        }
    }

    pub(super) fn verdict(&self) -> Support {
        if self.terms.is_empty() && self.quantities.is_empty() && self.codes.is_empty() {
            return Support::NoClaim;
        }
        let unsupported = |why| Support::Unsupported { why };
        if let Some(name) = self.strange_name() {
            return unsupported(Why::Name(name));
        }
        let Some((best, second)) = self.evidence() else {
            return unsupported(Why::Elsewhere(self.missing(&[])));
        };
        let mut chosen = vec![best];
        chosen.extend(second);
        let why = self
            .wrong_number(&chosen)
            .or_else(|| self.strange_term())
            .or_else(|| self.uncovered(&chosen))
            .or_else(|| self.denial(&chosen))
            .or_else(|| self.other_kind(&chosen))
            .or_else(|| self.overstated(&chosen))
            .or_else(|| self.condition(&chosen));
        match why {
            Some(why) => unsupported(why),
            None => Support::Supported {
                paragraph: best.paragraph,
                span: best.span.clone(),
            },
        }
    }

    /// The sentence of the page that says most of it, and one that adds to that.
    fn evidence(&self) -> Option<(&'r Stated, Option<&'r Stated>)> {
        let meanings: Vec<u64> = self
            .terms
            .iter()
            .flat_map(|weighed| weighed.term.meaning)
            .filter(|group| *group != 0)
            .chain(self.codes.iter().map(|(_, meaning)| *meaning))
            .collect();
        let scores = self.grounds.bm25.scores(&meanings);
        let mut ranked: Vec<(f64, &Stated)> = self
            .grounds
            .visible(self.seen)
            .map(|(index, stated)| {
                let numbers = self
                    .quantities
                    .iter()
                    .filter(|quantity| holds(stated, quantity))
                    .count();
                #[expect(clippy::cast_precision_loss, reason = "numbers in a sentence")]
                let numbers = numbers as f64;
                (scores[index] + 2.0 * numbers, stated)
            })
            .filter(|(score, _)| *score > 0.0)
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(CANDIDATES);
        let candidates: Vec<&Stated> = ranked.into_iter().map(|(_, stated)| stated).collect();
        let best = best_by(&candidates, |stated| self.covered(&[stated]))?;
        let alone = self.covered(&[best]);
        let second = best_by(&candidates, |stated| self.covered(&[best, stated]))
            .filter(|stated| self.covered(&[best, stated]) - alone >= SECOND * self.total());
        Some((best, second))
    }

    fn total(&self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers and codes in a sentence"
        )]
        let (numbers, codes) = (self.counted().count() as f64, self.codes.len() as f64);
        self.terms.iter().map(|weighed| weighed.weight).sum::<f64>()
            + NUMBER_WEIGHT * numbers
            + CODE_WEIGHT * codes
    }

    /// Numbers that the page must give; those of the customer's need not.
    fn counted(&self) -> impl Iterator<Item = &&'r Quantity> {
        self.quantities
            .iter()
            .filter(|quantity| !self.told.knows(quantity))
    }

    /// The weight of what these sentences of the page say together.
    fn covered(&self, chosen: &[&Stated]) -> f64 {
        let terms: f64 = self
            .terms
            .iter()
            .map(|weighed| weighed.weight * match_of(weighed.term, chosen))
            .sum();
        let numbers = self
            .counted()
            .filter(|quantity| chosen.iter().any(|stated| holds(stated, quantity)))
            .count();
        let codes = self
            .codes
            .iter()
            .filter(|(_, meaning)| {
                chosen
                    .iter()
                    .any(|stated| stated.meanings.contains(meaning))
            })
            .count();
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers and codes in a sentence"
        )]
        let (numbers, codes) = (numbers as f64, codes as f64);
        terms + NUMBER_WEIGHT * numbers + CODE_WEIGHT * codes
    }

    fn uncovered(&self, chosen: &[&Stated]) -> Option<Why> {
        let total = self.total();
        let tied = self
            .counted()
            .any(|quantity| chosen.iter().any(|stated| holds(stated, quantity)))
            || !self.codes.is_empty();
        let needed = if tied { COVERED } else { COVERED_WORDS };
        (self.covered(chosen) < needed * total).then(|| Why::Elsewhere(self.missing(chosen)))
    }

    fn missing(&self, chosen: &[&Stated]) -> String {
        listed(
            self.terms
                .iter()
                .filter(|weighed| match_of(weighed.term, chosen) < 1.0)
                .map(|weighed| self.reading.tokens[weighed.term.token].text.clone()),
        )
    }

    /// A number that the page does not give, or gives for something else.
    fn wrong_number(&self, chosen: &[&Stated]) -> Option<Why> {
        for quantity in &self.quantities {
            let why = || {
                Some(Why::Number(words_at(
                    self.sentence,
                    self.reading,
                    &quantity.tokens,
                )))
            };
            let around = self.around(quantity);
            let surroundings = |stated: &Stated| -> f64 {
                around
                    .iter()
                    .map(|weighed| weighed.weight * match_of(weighed.term, &[stated]))
                    .sum()
            };
            let (mut own, mut rival): (Option<f64>, f64) = (None, 0.0);
            for (_, stated) in self.grounds.visible(self.seen) {
                if holds(stated, quantity) {
                    own = Some(own.unwrap_or(0.0).max(surroundings(stated)));
                } else if stated
                    .reading
                    .quantities
                    .iter()
                    .any(|other| other.is_like(quantity))
                {
                    rival = rival.max(surroundings(stated));
                }
            }
            match own {
                Some(own) if own >= RIVAL * rival => {}
                _ if self.told.knows(quantity) && self.is_aside(quantity, chosen, rival > 0.0) => {}
                _ => return why(),
            }
        }
        None
    }

    /// Whether a number of the customer's is given back, not confirmed.
    fn is_aside(&self, quantity: &Quantity, chosen: &[&Stated], rivals: bool) -> bool {
        let clause = &self.reading.clauses[self.reading.clause_at(quantity.tokens.start)];
        let beside_another = self.quantities.iter().any(|other| {
            !std::ptr::eq(*other, quantity) && chosen.iter().any(|stated| holds(stated, other))
        });
        let past = self.reading.tokens.iter().any(|token| {
            matches!(
                token.text.as_str(),
                "too"
                    | "past"
                    | "over"
                    | "beyond"
                    | "ago"
                    | "already"
                    | "since"
                    | "outside"
                    | "late"
                    | "was"
                    | "were"
            )
        });
        beside_another
            || past
            || self.reading.denied[clause.tokens.clone()].contains(&true)
            || !rivals
    }

    /// Words of the clause that a number is in, with those beside it where that has few.
    fn around(&self, quantity: &Quantity) -> Vec<&Weighed<'r>> {
        let clause = self.reading.clause_at(quantity.tokens.start);
        let within = |reach: usize| -> Vec<&Weighed<'r>> {
            self.terms
                .iter()
                .filter(|weighed| weighed.term.clause.abs_diff(clause) <= reach)
                .collect()
        };
        (0..self.reading.clauses.len())
            .map(within)
            .find(|terms| terms.len() >= 3)
            .unwrap_or_else(|| self.terms.iter().collect())
    }
}

/// What a word weighs: rare words of the page more than common ones, words of the trade that it lacks most.
fn weight(grounds: &Grounds, told: &Told, term: &Term) -> f64 {
    let rarity = term
        .meaning
        .iter()
        .filter(|group| **group != 0)
        .filter_map(|group| grounds.bm25.rarity(group))
        .min_by(f64::total_cmp);
    match rarity {
        Some(rarity) => 0.5 + rarity / grounds.bm25.highest_rarity(),
        None if told.said(term) => 0.3,
        None if lexicon::is_known(&term.base) => 1.3,
        None => 1.0,
    }
}

/// Whether two words may say the same.
pub(super) fn same(a: &Term, b: &Term) -> bool {
    a.base == b.base
        || a.meaning
            .iter()
            .any(|group| *group != 0 && b.meaning.contains(group))
}

/// 1 when one of the sentences says the word, less when it stands beside one.
pub(super) fn match_of(term: &Term, chosen: &[&Stated]) -> f64 {
    let groups = || term.meaning.iter().filter(|group| **group != 0);
    if groups().any(|group| chosen.iter().any(|stated| stated.meanings.contains(group))) {
        1.0
    } else if groups().any(|group| chosen.iter().any(|stated| stated.around.contains(group))) {
        BESIDE
    } else {
        0.0
    }
}

/// Whether a sentence of the page gives this number.
fn holds(stated: &Stated, quantity: &Quantity) -> bool {
    stated
        .reading
        .quantities
        .iter()
        .any(|own| own.equals(quantity))
}

fn best_by<'s>(candidates: &[&'s Stated], score: impl Fn(&Stated) -> f64) -> Option<&'s Stated> {
    let mut best: Option<(f64, &Stated)> = None;
    for stated in candidates {
        let value = score(stated);
        if best.is_none_or(|(highest, _)| value > highest) {
            best = Some((value, stated));
        }
    }
    best.map(|(_, stated)| stated)
}
