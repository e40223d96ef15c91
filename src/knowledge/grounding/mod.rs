//! Links what an agent says to the place on a help page that says the same.
//!
//! A page is read once ([`Grounds::of`]): its sentences as words in their base form, groups of words that say the same,
//! numbers with unit and limit, clauses with what they deny. Each sentence of a reply is read likewise. What claims
//! nothing (greetings, sympathy, questions, offers to help, what the customer said) is left out; for the rest BM25 over
//! the page's sentences finds candidates, up to two of which may answer for it together, and rules check them: numbers
//! and their limits, denials, names and codes, kinds of which only one can be right (days of the week, channels, ways to
//! pay, products), conditions, and how much of what is said stands there, rare words counting more.
//!
//! For the languages that [`knows`] names. What rules cannot see:
//! - meaning beyond the table of words that say the same: a free paraphrase may be turned down, and a sentence may pass
//!   whose words all stand in the right place but whose roles are exchanged (who pays whom);
//! - conclusions: "day 34 is too late" is not derived from "30 days", only not contradicted;
//! - what a pronoun stands for: "yes, you can" claims nothing here, whatever was asked;
//! - denial by words outside the table ("out of the question"), and irony;
//! - an altered word that is no number, name, denial or kind, in a sentence that is otherwise the page's.

mod chat;
mod denial;
mod lexicon;
mod quantity;
mod reading;
#[cfg(test)]
mod tests;
mod tokens;
mod told;
mod verify;
mod wording;

pub use told::Told;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use self::quantity::{Measure, Quantity};
use self::reading::Reading;
use super::bm25::Bm25;
use super::sentences;
use crate::record::{Link, Page, Support, Why};

/// Whether replies in a language, given as in recipes, can be examined: English, as `en` or `en-GB`.
#[must_use]
pub fn knows(language: &str) -> bool {
    language == "en" || language.starts_with("en-")
}

/// What was seen in a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// One for each sentence.
    pub links: Vec<Link>,
    /// Numbers, codes and policy terms that stand neither in the paragraphs that the agent saw nor in the case, and which
    /// the customer did not name; in the order of the reply.
    pub not_backed: Vec<NotBacked>,
}

/// A number, code or policy term of a reply that nothing backs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBacked {
    /// Bytes of the reply.
    pub span: Range<usize>,
    pub what: Unbacked,
}

/// What kind of thing nothing backs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbacked {
    Number,
    Code,
    /// A word such as `warranty` or `discount`.
    Term,
}

/// A sentence of the page.
#[derive(Clone, Debug)]
struct Stated {
    paragraph: usize,
    span: Range<usize>,
    reading: Reading,
    /// Meanings of its words.
    meanings: HashSet<u64>,
    /// Meanings of its heading, the title and the sentences beside it.
    around: HashSet<u64>,
}

/// A page, read once and shared by all conversations about it.
#[derive(Clone, Debug)]
pub struct Grounds {
    stated: Vec<Stated>,
    bm25: Bm25<u64>,
    /// Base forms of every word, by paragraph; headings and title with each.
    words: Vec<HashSet<String>>,
}

impl Grounds {
    /// Reads a page.
    #[must_use]
    pub fn of(page: &Page) -> Self {
        let title = Reading::of(&page.title);
        let mut stated: Vec<Stated> = Vec::new();
        let mut words = Vec::new();
        for (paragraph, block) in page.paragraphs.iter().enumerate() {
            let heading = Reading::of(&block.heading);
            let mut vocabulary: HashSet<String> = HashSet::new();
            vocabulary.extend(
                title
                    .terms
                    .iter()
                    .chain(&heading.terms)
                    .map(|term| term.base.clone()),
            );
            let first = stated.len();
            for span in sentences(&block.text) {
                let reading = Reading::of(&block.text[span.clone()]);
                vocabulary.extend(reading.tokens.iter().map(|token| token.base.clone()));
                vocabulary.extend(reading.terms.iter().map(|term| term.base.clone()));
                vocabulary.extend(initials(&reading));
                let meanings = meanings(&reading);
                let mut around = meanings_of_terms(&title);
                around.extend(meanings_of_terms(&heading));
                stated.push(Stated {
                    paragraph,
                    span,
                    reading,
                    meanings,
                    around,
                });
            }
            for index in first..stated.len() {
                let beside: Vec<u64> = [
                    index.checked_sub(1).filter(|&i| i >= first),
                    Some(index + 1).filter(|&i| i < stated.len()),
                ]
                .into_iter()
                .flatten()
                .flat_map(|other| stated[other].meanings.iter().copied().collect::<Vec<_>>())
                .collect();
                stated[index].around.extend(beside);
            }
            words.push(vocabulary);
        }
        let bags: Vec<BTreeMap<u64, usize>> = stated
            .iter()
            .map(|sentence| {
                sentence
                    .meanings
                    .iter()
                    .map(|&meaning| (meaning, 1))
                    .collect()
            })
            .collect();
        Self {
            bm25: Bm25::of(&bags),
            stated,
            words,
        }
    }

    /// Looks at every sentence of a reply of the agent's, who saw these paragraphs of the page.
    #[must_use]
    pub fn examine(&self, passages: &[usize], told: &Told, reply: &str) -> Examined {
        let seen = self.seen(passages);
        let mut examined = Examined::default();
        for sentence in sentences(reply) {
            let text = &reply[sentence.clone()];
            let reading = Reading::of(text);
            self.add_not_backed(&seen, told, &reading, sentence.start, &mut examined);
            examined.links.push(Link {
                verdict: self.support(&seen, told, text, &reading),
                sentence,
            });
        }
        examined.not_backed.sort_by_key(|found| found.span.start);
        examined
    }

    fn seen(&self, passages: &[usize]) -> Vec<bool> {
        let mut seen = vec![false; self.words.len()];
        for &passage in passages {
            if let Some(paragraph) = seen.get_mut(passage) {
                *paragraph = true;
            }
        }
        seen
    }

    fn support(&self, seen: &[bool], told: &Told, sentence: &str, reading: &Reading) -> Support {
        if let Some(verb) = chat::deed(reading) {
            return Support::Unsupported {
                why: Why::Deed(verb.to_owned()),
            };
        }
        if chat::is_question(sentence, reading) {
            let stray = reading.quantities.iter().find(|quantity| {
                !told.knows(quantity)
                    && !self.gives(seen, quantity)
                    && (quantity.measure != Measure::Count || quantity.value > 3000)
            });
            return match stray {
                Some(quantity) => Support::Unsupported {
                    why: Why::Number(words_at(sentence, reading, &quantity.tokens)),
                },
                None => Support::NoClaim,
            };
        }
        let claims = chat::claims(reading, told);
        verify::Claim::new(self, seen, told, sentence, reading, &claims).verdict()
    }

    /// Whether some paragraph that was seen gives this number.
    fn gives(&self, seen: &[bool], quantity: &Quantity) -> bool {
        self.visible(seen).any(|(_, stated)| {
            stated
                .reading
                .quantities
                .iter()
                .any(|own| own.equals(quantity))
        })
    }

    fn visible<'g>(&'g self, seen: &'g [bool]) -> impl Iterator<Item = (usize, &'g Stated)> {
        self.stated
            .iter()
            .enumerate()
            .filter(|(_, stated)| seen[stated.paragraph])
    }

    /// Numbers, codes and policy terms of a sentence that stand neither in the paragraphs that the agent saw nor in the
    /// case, and which the customer did not name.
    fn add_not_backed(
        &self,
        seen: &[bool],
        told: &Told,
        reading: &Reading,
        start: usize,
        examined: &mut Examined,
    ) {
        let mut push = |from: usize, to: usize, what| {
            let span = start + reading.tokens[from].at.start..start + reading.tokens[to].at.end;
            examined.not_backed.push(NotBacked { span, what });
        };
        for quantity in &reading.quantities {
            // "the two of you", "one or two things"
            let few = quantity.measure == Measure::Count && quantity.value <= 3000;
            if !few
                && !told.knows(quantity)
                && !told.in_case(quantity)
                && !self.gives(seen, quantity)
            {
                push(
                    quantity.tokens.start,
                    quantity.tokens.end - 1,
                    Unbacked::Number,
                );
            }
        }
        for (index, token) in reading.tokens.iter().enumerate() {
            match token.kind {
                tokens::Kind::Code => {
                    let known = told.knows_code(&token.text) || told.code_in_case(&token.text);
                    let given = self.visible(seen).any(|(_, stated)| {
                        stated.reading.codes().any(|code| code.text == token.text)
                    });
                    if !known && !given {
                        push(index, index, Unbacked::Code);
                    }
                }
                tokens::Kind::Word => {
                    let base = &token.base;
                    let policy = lexicon::policy(base).is_some();
                    let idle = token.text == "free"
                        && index > 0
                        && reading.tokens[index - 1].text == "feel";
                    let given = seen
                        .iter()
                        .zip(&self.words)
                        .any(|(&seen, words)| seen && words.contains(base));
                    if policy && !idle && !given && !told.said_word(base) {
                        push(index, index, Unbacked::Term);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The words of some tokens as they stand in the sentence.
fn words_at(sentence: &str, reading: &Reading, tokens: &Range<usize>) -> String {
    let start = reading
        .tokens
        .get(tokens.start)
        .map_or(0, |token| token.at.start);
    let end = reading
        .tokens
        .get(tokens.end.saturating_sub(1))
        .map_or(start, |token| token.at.end);
    sentence.get(start..end).unwrap_or("").to_owned()
}

/// `uk` for `United Kingdom`.
fn initials(reading: &Reading) -> impl Iterator<Item = String> {
    reading
        .tokens
        .windows(2)
        .filter(|pair| pair[0].name && pair[1].name)
        .map(|pair| {
            pair.iter()
                .filter_map(|token| token.text.chars().next())
                .collect()
        })
}

fn meanings_of_terms(reading: &Reading) -> HashSet<u64> {
    let mut found = HashSet::new();
    for term in &reading.terms {
        found.extend(term.meaning.iter().filter(|group| **group != 0));
        found.insert(lexicon::own(&term.base));
    }
    found
}

/// Meanings of everything a sentence says; plain words say nothing.
fn meanings(reading: &Reading) -> HashSet<u64> {
    let mut found = meanings_of_terms(reading);
    found.extend(reading.codes().map(|token| lexicon::own(&token.text)));
    found
}

/// Distinct base forms, for messages.
fn listed(words: impl IntoIterator<Item = String>) -> String {
    words
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(", ")
}
