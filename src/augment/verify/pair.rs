//! What a text and its rewrite must have in common, one check after the other.

use super::content::{self, carries, is_manner, says};
use super::tokens::{Class, Token};
use super::{Budget, Refusal, facts, intent, negation, talk};
use crate::augment::products;
use crate::augment::words::{ASIDES, stem};

/// Both texts as tokens, with the phrases that only set a mood marked.
pub(super) struct Pair<'a> {
    was: &'a [Token],
    is: &'a [Token],
    before: &'a str,
    after: &'a str,
    budget: &'a Budget,
    /// Tokens of the rewrite that stand in set phrases the source does not have, and the other way round.
    set: Vec<bool>,
    was_set: Vec<bool>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(
        before: &'a str,
        after: &'a str,
        was: &'a [Token],
        is: &'a [Token],
        budget: &'a Budget,
    ) -> Self {
        Self {
            was,
            is,
            before,
            after,
            budget,
            set: asides(was, is),
            was_set: asides(is, was),
        }
    }

    pub(super) fn facts(&self) -> Result<(), Refusal> {
        let spoken = |tokens: &[Token], set: &[bool]| -> Vec<Token> {
            let kept = tokens.iter().zip(set).filter(|(_, set)| !**set);
            kept.map(|(token, _)| token.clone()).collect()
        };
        let (was, is) = (spoken(self.was, &self.was_set), spoken(self.is, &self.set));
        let lost = facts::lacking(&was, &is).map(|at| quote(self.before, &was[at]));
        let found = facts::lacking(&is, &was).map(|at| quote(self.after, &is[at]));
        match (lost, found) {
            (Some(lost), Some(found)) => Err(Refusal::FactChanged { lost, found }),
            (Some(lost), None) => Err(Refusal::FactLost(lost)),
            (None, Some(found)) => Err(Refusal::FactInvented(found)),
            (None, None) => Ok(()),
        }
    }

    pub(super) fn products(
        &self,
        had: &[String],
        target: Option<&str>,
        known: &[&str],
    ) -> Result<(), Refusal> {
        let line: Vec<&str> = self.is.iter().map(|token| token.text.as_str()).collect();
        let has = named(&line.join(" "), known);
        let Some(target) = target else {
            if let Some(lost) = had.iter().find(|name| !has.contains(name)) {
                return Err(Refusal::ProductChanged(lost.clone()));
            }
            return match has.iter().find(|name| !had.contains(name)) {
                Some(new) => Err(Refusal::ProductInvented(new.clone())),
                None => Ok(()),
            };
        };
        let stands = stands_for(target);
        if !has.contains(&stands) {
            return Err(Refusal::ProductMissing(target.to_owned()));
        }
        let other = if had.contains(&stands) {
            has.iter().find(|name| !had.contains(name))
        } else {
            has.iter().find(|name| **name != stands)
        };
        match other {
            Some(other) => Err(Refusal::ProductInvented(other.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn names(&self) -> Result<(), Refusal> {
        let said = |tokens: &[Token], name: &Token| {
            tokens
                .iter()
                .any(|token| token.text == name.text || token.stem == name.stem)
        };
        let is_name = |token: &&Token| {
            token.name && carries(token) && !is_manner(token) && token.class == Class::Word
        };
        let is_product = |token: &Token| products::at(&[token.text.as_str()], 0).is_some();
        if let Some(lost) = self
            .was
            .iter()
            .filter(is_name)
            .find(|name| !said(self.is, name) && !is_product(name))
        {
            return Err(Refusal::NameLost(quote(self.before, lost)));
        }
        let shouted = self.is.iter().filter(is_name).count() * 2 > self.is.len();
        let new = self
            .is
            .iter()
            .filter(is_name)
            .find(|name| !says(self.was, name) && !is_product(name));
        match new.filter(|_| !shouted) {
            Some(new) => Err(Refusal::NameInvented(quote(self.after, new))),
            None => Ok(()),
        }
    }

    pub(super) fn intent(&self) -> Result<(), Refusal> {
        let was = intent::intent(self.was, |at| self.was_set[at]);
        let is = intent::intent(self.is, |at| self.set[at]);
        let (before, after) = (
            talk::persons(self.was, |_| false),
            talk::persons(self.is, |at| self.set[at]),
        );
        if let Some(word) = talk::reply(self.after).filter(|_| talk::reply(self.before).is_none()) {
            return Err(Refusal::Answered(word.to_owned()));
        }
        if after.we > 0 && before.we == 0 {
            return Err(Refusal::Answered("we".to_owned()));
        }
        if before.i > 0 && after.i == 0 && after.you > before.you {
            return Err(Refusal::Answered("you".to_owned()));
        }
        if was.asks && !is.asks && !is.wants {
            return Err(Refusal::QuestionLost);
        }
        // A mood may ask rhetorically, in a clause of its own.
        let aside = self.mood();
        let bare = intent::intent(self.is, |at| self.set[at] || aside[at]);
        if !was.asks && !was.wants && is.asks && bare.asks {
            return Err(Refusal::QuestionInvented);
        }
        let same = |is: &intent::Intent| is.asked == was.asked;
        if !same(&is) && !same(&bare) {
            let name = |intent: &intent::Intent| {
                intent
                    .asked
                    .iter()
                    .map(|asked| asked.name())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            return Err(Refusal::AnotherQuestion {
                was: name(&was),
                is: name(&bare),
            });
        }
        Ok(())
    }

    pub(super) fn negations(&self) -> Result<(), Refusal> {
        let was = negation::denied(self.was, |at| self.was_set[at]);
        let is = negation::denied(self.is, |at| self.set[at]);
        let aside = self.mood();
        let bare = negation::denied(self.is, |at| self.set[at] || aside[at]);
        let (least, most) = (
            was.negations.len(),
            was.negations.len() + was.contrasts.len(),
        );
        let fits = |is: &negation::Denied| {
            let (low, high) = (is.negations.len(), is.negations.len() + is.contrasts.len());
            low <= most && least <= high
        };
        if !fits(&is) && !fits(&bare) {
            return Err(if is.negations.len() < least {
                let lost = was
                    .negations
                    .iter()
                    .find(|n| !is.negations.iter().any(|other| other.of == n.of));
                Refusal::NegationLost(
                    lost.map_or_else(String::new, |n| quote(self.before, &self.was[n.at])),
                )
            } else {
                let new = is
                    .negations
                    .iter()
                    .find(|n| !was.negations.iter().any(|other| other.of == n.of));
                Refusal::NegationInvented(
                    new.map_or_else(String::new, |n| quote(self.after, &self.is[n.at])),
                )
            });
        }
        let said = |stem: &str| self.was.iter().any(|token| token.stem == stem);
        if negation::moved(&was, &is, said) && negation::moved(&was, &bare, said) {
            return Err(Refusal::NegationMoved);
        }
        Ok(())
    }

    pub(super) fn content(&self, target: Option<&str>, known: &[&str]) -> Result<(), Refusal> {
        if let Some((was, is)) = content::opposite(self.was, self.is) {
            return Err(Refusal::Opposite {
                was: quote(self.before, &self.was[was]),
                is: quote(self.after, &self.is[is]),
            });
        }
        if let Some((a, b)) = content::swapped(self.was, self.is) {
            return Err(Refusal::Swapped(
                quote(self.before, &self.was[a]),
                quote(self.before, &self.was[b]),
            ));
        }
        let budget = self.budget;
        let product = product_words(target, known);
        let free = |token: &Token| budget.manner && is_manner(token);
        let exempt = |token: &Token| {
            target.is_some()
                && (PLACEHOLDERS.contains(&token.text.as_str()) || product.contains(&token.stem))
        };
        let gone = words(
            self.was
                .iter()
                .zip(&self.was_set)
                .filter(|(_, set)| !**set)
                .map(|(token, _)| token),
            |token| {
                !says(self.is, token)
                    && !free(token)
                    && !exempt(token)
                    && (target.is_none() || !in_product(self.was, token))
            },
        );
        let new = words(
            self.is
                .iter()
                .zip(&self.set)
                .filter(|(_, set)| !**set)
                .map(|(token, _)| token),
            |token| {
                let buying = target.is_some() && BUYING.contains(&token.stem.as_str());
                !says(self.was, token) && !free(token) && !exempt(token) && !buying
            },
        );
        if gone.len() > budget.dropped && !new.is_empty()
            || (gone.len() + new.len() > budget.together && !gone.is_empty() && !new.is_empty())
        {
            return Err(Refusal::WordsReplaced {
                lost: gone.join(", "),
                found: new.join(", "),
            });
        }
        if gone.len() > budget.dropped {
            return Err(Refusal::WordsDropped(gone.join(", ")));
        }
        if new.len() > budget.invented {
            return Err(Refusal::WordsInvented(new.join(", ")));
        }
        Ok(())
    }

    /// Tokens of the rewrite in clauses that share no content with the source and name no fact: they only set a mood.
    fn mood(&self) -> Vec<bool> {
        let mut out = vec![false; self.is.len()];
        if !self.budget.manner {
            return out;
        }
        let mut from = 0;
        for end in 1..=self.is.len() {
            if end < self.is.len() && !self.is[end].starts_clause() {
                continue;
            }
            let clause = &self.is[from..end];
            let shares = clause
                .iter()
                .any(|token| token.class != Class::Word || carries(token) && !is_manner(token));
            if !shares {
                out[from..end].fill(true);
            }
            from = end;
        }
        out
    }
}

/// Words that stand for a product that is not named.
const PLACEHOLDERS: &[&str] = &[
    "appliance",
    "article",
    "device",
    "gadget",
    "goods",
    "item",
    "items",
    "model",
    "parcel",
    "product",
    "products",
    "purchase",
    "stuff",
    "unit",
    "order",
];

/// Words that may tie a product to a question, as stems.
const BUYING: &[&str] = &[
    "bui", "buy", "purchas", "order", "pai", "pay", "exampl", "new", "deliver", "deliveri",
];

/// Stems of the words that a product's name is made of.
fn product_words(target: Option<&str>, known: &[&str]) -> Vec<String> {
    let Some(target) = target else {
        return Vec::new();
    };
    let stands = stands_for(target);
    let same = known.iter().filter(|name| stands_for(name) == stands);
    let names = same.copied().chain([target, stands.as_str()]);
    let mut out: Vec<String> = names
        .flat_map(str::split_whitespace)
        .map(|word| stem(&word.to_lowercase()))
        .collect();
    if stands == "smartphone" {
        out.push("phone".to_owned());
    }
    if stands == "smart watch" {
        out.push("smartwatch".to_owned());
    }
    out
}

/// Whether a token is part of a product's name.
fn in_product(tokens: &[Token], token: &Token) -> bool {
    let line: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let mut at = 0;
    while at < line.len() {
        let length = products::at(&line, at).map_or(1, |(_, length)| length);
        let here = tokens[at..at + length]
            .iter()
            .any(|other| std::ptr::eq(other, token));
        if here {
            return products::at(&line, at).is_some();
        }
        at += length;
    }
    false
}

/// The name that stands for a product: of the table, or its own in lower case.
pub(super) fn stands_for(product: &str) -> String {
    products::canonical(product).map_or_else(|| product.trim().to_lowercase(), str::to_owned)
}

/// The products a text names, those of the recipe first.
pub(super) fn named(text: &str, known: &[&str]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in known
        .iter()
        .filter(|name| products::canonical(name).is_none() && !name.trim().is_empty())
    {
        let name = name.trim().to_lowercase();
        if holds(text, &name) && !out.contains(&name) {
            out.push(name);
        }
    }
    out.extend(products::named(text).into_iter().map(str::to_owned));
    out
}

/// Whether a phrase is in a text as whole words, whatever the case, white space and a plural.
pub(super) fn holds(text: &str, phrase: &str) -> bool {
    let flat = |text: &str| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let (text, phrase) = (flat(text), flat(phrase));
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(&phrase).any(|(at, _)| {
        let rest = &text[at + phrase.len()..];
        let end = rest.strip_prefix('s').unwrap_or(rest);
        !letter(text[..at].chars().next_back())
            && (!letter(rest.chars().next()) || !letter(end.chars().next()))
    })
}

/// Which words are wanted, each once, as they stand.
fn words<'a>(
    tokens: impl Iterator<Item = &'a Token>,
    wanted: impl Fn(&Token) -> bool,
) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for token in tokens.filter(|token| carries(token)) {
        if wanted(token) && !out.contains(&token.text) {
            out.push(token.text.clone());
        }
    }
    out
}

/// A token as it stands in its text, without the punctuation around.
fn quote(text: &str, token: &Token) -> String {
    text.get(token.at.clone())
        .unwrap_or(&token.text)
        .trim_matches(|c: char| !c.is_alphanumeric() && !"£$€%".contains(c))
        .to_owned()
}

/// Tokens of `text` in set phrases that `other` does not have.
fn asides(other: &[Token], text: &[Token]) -> Vec<bool> {
    let line = |tokens: &[Token]| {
        let mut out = String::from(" ");
        for token in tokens {
            out.push_str(&token.text);
            out.push(' ');
        }
        out
    };
    let there = line(other);
    let here = line(text);
    let mut out = vec![false; text.len()];
    for phrase in ASIDES {
        let phrase = format!(" {phrase} ");
        if there.contains(&phrase) {
            continue;
        }
        let mut from = 0;
        while let Some(at) = here[from..].find(&phrase) {
            let first = here[..=from + at].matches(' ').count() - 1;
            let length = phrase.matches(' ').count() - 1;
            if let Some(tokens) = out.get_mut(first..first + length) {
                tokens.fill(true);
            }
            from += at + 1;
        }
    }
    out
}
