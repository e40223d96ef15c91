//! Proof that a rewrite kept what it had to: numbers, ids, names, products, negations, what is asked, and the words that
//! carry content. English only; the words are tables (`words/`), nothing is learnt.
//!
//! What no rule here can see, so that it passes:
//! - a content word replaced by one that the tables hold for a synonym but that means something else in this sentence
//!   (`get` for `buy` where it meant `receive`), and one word more or less where a kind's budget allows it;
//! - who does what to whom, when all words stay (`you owe me`, `I owe you`), and tense;
//! - irony, and whether the manner that was asked for was reached (that is [`super::style`]'s business);
//! - facts in words: `a while` for `half an hour`, and `one`, which is a pronoun more often than a number.

mod align;
mod content;
mod facts;
mod intent;
mod negation;
mod numbers;
mod pair;
mod refusal;
mod spellings;
mod talk;
mod tokens;

use pair::{Pair, holds, named, stands_for};
pub use refusal::Refusal;

/// What a rewriter was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    Typos,
    NonNative,
    Colloquial,
    /// Another tone: cheerful, neutral, annoyed, angry.
    Tone,
    /// Another formality: casual, formal, polite, rude.
    Formality,
    /// The question is to be about this product. Where it is already, it stays as it is; where it is about another, that
    /// one is replaced.
    Product(&'a str),
}

/// A text and what was made of it.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    pub kind: Kind<'a>,
    pub before: &'a str,
    pub after: &'a str,
    /// Products the recipe knows by other names than the table has; each counts as a product of its own.
    pub products: &'a [&'a str],
    /// Phrases that must be in the rewrite where they are in the source: names, order ids.
    pub protected: &'a [&'a str],
}

/// How much a rewrite changed, by words: case and punctuation count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edits {
    /// Words inserted, deleted and replaced.
    pub words_changed: u32,
    pub words_before: u32,
    pub words_after: u32,
    /// `words_changed` over the longer text's words: 0 for the same text, 1 for a wholly different one.
    pub rate: f64,
}

/// What a kind of rewrite may do.
struct Budget {
    /// Length of the rewrite over the source's, in words: at least and at most, and some words more.
    shortest: f64,
    longest: f64,
    longer_by: usize,
    /// Largest edit rate.
    rate: f64,
    /// Content words that may be missing, and that may be new.
    dropped: usize,
    invented: usize,
    /// Both at once.
    together: usize,
    /// Words of manner may come and go, and whole clauses of them.
    manner: bool,
    /// Misspelt words are read as what they stand for.
    misspelt: bool,
}

impl Kind<'_> {
    /// The name used in messages and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Typos => "typos",
            Self::NonNative => "non_native",
            Self::Colloquial => "colloquial",
            Self::Tone => "tone",
            Self::Formality => "formality",
            Self::Product(_) => "product",
        }
    }

    fn budget(self) -> Budget {
        let base = Budget {
            shortest: 0.5,
            longest: 1.8,
            longer_by: 4,
            rate: 1.0,
            dropped: 1,
            invented: 1,
            together: 1,
            manner: true,
            misspelt: false,
        };
        match self {
            Self::Typos => Budget {
                shortest: 0.8,
                longest: 1.2,
                longer_by: 1,
                rate: 0.8,
                dropped: 0,
                invented: 0,
                together: 0,
                manner: false,
                misspelt: true,
            },
            Self::NonNative => Budget {
                shortest: 0.6,
                longest: 1.5,
                manner: false,
                misspelt: true,
                ..base
            },
            Self::Colloquial => base,
            Self::Tone | Self::Formality => Budget {
                longest: 2.2,
                longer_by: 8,
                ..base
            },
            Self::Product(_) => Budget {
                shortest: 0.8,
                longest: 1.3,
                longer_by: 5,
                rate: 0.8,
                dropped: 0,
                invented: 1,
                together: 1,
                manner: false,
                ..base
            },
        }
    }
}

/// Measures a rewrite, or says what it did not keep.
///
/// # Errors
/// The first thing found wrong, with words for it.
pub fn verify(rewrite: Rewrite<'_>) -> Result<Edits, Refusal> {
    let Rewrite {
        kind,
        before,
        after,
        ..
    } = rewrite;
    if !after.contains(char::is_alphanumeric) {
        return Err(Refusal::Empty);
    }
    let edits = measure(before, after);
    let target = match kind {
        Kind::Product(target) => Some(target),
        _ => None,
    };
    let ours = |text: &str| named(text, rewrite.products);
    let had = ours(before);
    if target.is_some() && talk::is_null(after) {
        return Err(Refusal::NoProductFits);
    }
    if edits.words_changed == 0 {
        return match target {
            Some(target) if had.contains(&stands_for(target)) => Ok(edits),
            Some(target) => Err(Refusal::ProductMissing(target.to_owned())),
            None => Err(Refusal::Unchanged),
        };
    }
    if let Some(phrase) = talk::meta(before, after) {
        return Err(Refusal::MetaTalk(phrase));
    }
    let budget = kind.budget();
    within(&edits, &budget)?;
    let was = tokens::tokens(before);
    let mut is = tokens::tokens(after);
    if talk::is_foreign(after, &is) && !talk::is_foreign(before, &was) {
        return Err(Refusal::Language);
    }
    align::towards(&was, &mut is, budget.misspelt);
    for phrase in rewrite
        .protected
        .iter()
        .filter(|phrase| !phrase.trim().is_empty())
    {
        if holds(before, phrase) && !holds(after, phrase) {
            return Err(Refusal::Protected((*phrase).to_owned()));
        }
    }
    let pair = Pair::new(before, after, &was, &is, &budget);
    pair.facts()?;
    pair.products(&had, target, rewrite.products)?;
    pair.names()?;
    pair.intent()?;
    pair.negations()?;
    pair.content(target, rewrite.products)?;
    Ok(edits)
}

fn within(edits: &Edits, budget: &Budget) -> Result<(), Refusal> {
    let (before, after) = (edits.words_before, edits.words_after);
    let limit = |share: f64| f64::from(before) * share;
    let more = u32::try_from(budget.longer_by).unwrap_or(u32::MAX);
    if f64::from(after) > limit(budget.longest) + f64::from(more) {
        return Err(Refusal::TooLong { before, after });
    }
    if f64::from(after) + 2.0 < limit(budget.shortest) {
        return Err(Refusal::TooShort { before, after });
    }
    if edits.rate > budget.rate {
        return Err(Refusal::TooMuch {
            percent: edits.rate * 100.0,
        });
    }
    Ok(())
}

/// Counts the words that differ, by edit distance.
#[must_use]
pub fn measure(before: &str, after: &str) -> Edits {
    let (was, is): (Vec<&str>, Vec<&str>) = (
        before.split_whitespace().collect(),
        after.split_whitespace().collect(),
    );
    let distance = strsim::generic_levenshtein(&was, &is);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let longer = was.len().max(is.len()).max(1);
    Edits {
        words_changed: count(distance),
        words_before: count(was.len()),
        words_after: count(is.len()),
        rate: f64::from(count(distance)) / f64::from(count(longer)),
    }
}
