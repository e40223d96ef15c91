use std::ops::Range;

use super::lexicon::{self, Meaning};
use super::quantity::{Bound, Measure, Quantity, quantities};
use super::tokens::{Kind, Token, tokens};

/// Words between the parts of a phrase: "send the whole thing back".
const PHRASE_GAP: usize = 4;

/// A word that says something.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) token: usize,
    pub(super) base: String,
    pub(super) meaning: Meaning,
    pub(super) clause: usize,
}

/// Whether something is said to cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Price {
    #[default]
    Unsaid,
    Free,
    Charged,
    /// Said not to be free.
    NotFree,
}

/// A part of a sentence that states one thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Clause {
    pub(super) tokens: Range<usize>,
    pub(super) price: Price,
    /// A condition: what it denies is a case, no rule.
    pub(super) conditional: bool,
}

/// A sentence, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) tokens: Vec<Token>,
    pub(super) terms: Vec<Term>,
    pub(super) quantities: Vec<Quantity>,
    pub(super) clauses: Vec<Clause>,
    /// Tokens that a denial reaches, twice denied ones left out.
    pub(super) denied: Vec<bool>,
}

impl Reading {
    pub(super) fn of(sentence: &str) -> Self {
        let tokens = tokens(sentence);
        let mut quantities = quantities(&tokens);
        let mut clauses = clauses(&tokens, &quantities);
        let mut terms = terms(&tokens, &quantities);
        for term in &mut terms {
            term.clause = clauses
                .iter()
                .position(|clause| clause.tokens.contains(&term.token))
                .unwrap_or(0);
        }
        let denied = scopes(&tokens, &mut quantities, &mut clauses);
        Self {
            tokens,
            terms,
            quantities,
            clauses,
            denied,
        }
    }

    /// The clause that a token is in.
    pub(super) fn clause_at(&self, token: usize) -> usize {
        self.clauses
            .iter()
            .position(|clause| clause.tokens.contains(&token))
            .unwrap_or(0)
    }

    /// The codes, addresses and links.
    pub(super) fn codes(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| token.kind == Kind::Code)
    }

    /// Whether a word stands in it, in any of its forms.
    pub(super) fn has(&self, word: &str) -> bool {
        let base = lexicon::base(word);
        self.tokens
            .iter()
            .any(|token| token.kind == Kind::Word && token.base == base)
    }
}

fn terms(tokens: &[Token], quantities: &[Quantity]) -> Vec<Term> {
    let taken = |index: usize| {
        quantities
            .iter()
            .any(|quantity| quantity.tokens.contains(&index))
    };
    let bases: Vec<&str> = tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Word => token.base.as_str(),
            _ => "",
        })
        .collect();
    let mut found: Vec<Term> = Vec::with_capacity(tokens.len());
    let mut used = vec![false; tokens.len()];
    for index in 0..tokens.len() {
        if used[index] || taken(index) || bases[index].is_empty() {
            continue;
        }
        let phrase = lexicon::phrases(bases[index])
            .iter()
            .find_map(|(last, meaning)| {
                let end = (index + 1..tokens.len().min(index + 2 + PHRASE_GAP))
                    .find(|&at| bases[at] == *last)?;
                let broken = tokens[index..end]
                    .iter()
                    .any(|token| token.kind == Kind::Mark);
                (!broken).then_some((end, meaning.as_str()))
            });
        let mut push = |base: String| {
            let mut meaning = lexicon::meaning(&base);
            if phrase.is_some() {
                // The first word keeps what it means by itself.
                let own = lexicon::meaning(bases[index]);
                if let Some(free) = meaning.iter_mut().find(|group| **group == 0) {
                    *free = own[0];
                }
            }
            found.push(Term {
                token: index,
                base,
                meaning,
                clause: 0,
            });
        };
        if let Some((end, meaning)) = phrase {
            used[end] = true;
            push(lexicon::base(meaning));
        } else {
            push(bases[index].to_owned());
        }
    }
    // "Monday to Friday" are the weekdays.
    let day = |name: &str| {
        tokens
            .iter()
            .position(|token| token.text == name || token.text.strip_suffix('s') == Some(name))
    };
    if let (Some(first), Some(last)) = (day("monday"), day("friday"))
        && first < last
    {
        let base = "weekday".to_owned();
        found.push(Term {
            token: first,
            meaning: lexicon::meaning(&base),
            base,
            clause: 0,
        });
    }
    found
}

/// Where clauses begin: after punctuation and before words that join statements.
fn clauses(tokens: &[Token], quantities: &[Quantity]) -> Vec<Clause> {
    let text = |index: usize| {
        tokens
            .get(index)
            .filter(|token| token.kind == Kind::Word)
            .map_or("", |token| token.text.as_str())
    };
    let framed = |index: usize| {
        quantities
            .iter()
            .any(|quantity| quantity.frame.contains(&index))
    };
    let mut found: Vec<Clause> = vec![Clause::default()];
    for (index, token) in tokens.iter().enumerate() {
        let begins = match text(index) {
            "if" | "unless" | "when" | "while" | "because" | "but" | "although" | "though"
            | "so" | "which" | "who" | "until" | "provided" | "except" | "whether" | "whenever"
            | "where" | "otherwise" | "however" => true,
            "once" | "since" | "before" | "after" => !framed(index),
            "as" => matches!(text(index + 1), "long" | "soon"),
            // "If nobody is in you can ...": the condition ends without a comma.
            "you" | "we" | "they" | "it" => {
                let clause = &found[found.len() - 1].tokens;
                clause.len() > 3
                    && matches!(text(clause.start), "if" | "when" | "once" | "unless")
                    && !matches!(text(index - 1), "if" | "that" | "when" | "once")
                    && matches!(
                        text(index + 1),
                        "can"
                            | "will"
                            | "must"
                            | "may"
                            | "are"
                            | "have"
                            | "need"
                            | "should"
                            | "do"
                            | "get"
                    )
            }
            "and" | "or" => matches!(
                text(index + 1),
                "you"
                    | "we"
                    | "it"
                    | "they"
                    | "i"
                    | "this"
                    | "that"
                    | "there"
                    | "then"
                    | "nothing"
                    | "no"
                    | "our"
                    | "your"
                    | "the"
                    | "after"
                    | "its"
                    | "he"
                    | "she"
                    | "if"
                    | "not"
                    | "each"
                    | "every"
                    | "any"
            ),
            _ => false,
        };
        let last = found.len() - 1;
        let has_words = !found[last].tokens.is_empty();
        if has_words && (begins || token.kind == Kind::Mark) {
            found.push(Clause {
                tokens: index..index,
                ..Clause::default()
            });
        }
        let last = found.len() - 1;
        let clause = &mut found[last];
        if clause.tokens.is_empty() {
            clause.tokens = index..index;
        }
        clause.tokens.end = index + 1;
    }
    found
}

/// Content words that a denial reaches at most.
const REACH: usize = 4;

/// What the denials of a sentence reach; those of a price make it free instead.
fn scopes(tokens: &[Token], quantities: &mut [Quantity], clauses: &mut [Clause]) -> Vec<bool> {
    let mut denied = vec![false; tokens.len()];
    for clause in clauses {
        let price = |index: usize| lexicon::is_price(&tokens[index].text);
        let range = clause.tokens.clone();
        let money = quantities.iter().any(|quantity| {
            range.contains(&quantity.tokens.start) && matches!(quantity.measure, Measure::Money(_))
        });
        let once = range.clone().any(|index| {
            matches!(tokens[index].text.as_str(), "only" | "just")
                && tokens
                    .get(index + 1)
                    .is_some_and(|token| token.text == "once")
        });
        let charged = money
            || !once
                && range
                    .clone()
                    .any(|index| price(index) && tokens[index].text != "free");
        let (mut free, mut not_free) = (false, false);
        clause.conditional = tokens[range.clone()]
            .iter()
            .find(|token| token.kind == Kind::Word)
            .is_some_and(|token| {
                matches!(
                    token.text.as_str(),
                    "if" | "when" | "whenever" | "once" | "unless" | "until" | "should" | "where"
                )
            });
        for index in range.clone() {
            if !denies(tokens, index, quantities) {
                continue;
            }
            // "We never pay more than £150" is a limit and no denial.
            let exceeds = |quantity: &&mut Quantity| {
                quantity.bound == Bound::AtLeast
                    && reach(tokens, index, &range).contains(&quantity.frame.start)
                    && quantity.frame.start < quantity.tokens.start
            };
            if let Some(quantity) = quantities.iter_mut().find(exceeds) {
                quantity.bound = Bound::AtMost;
                continue;
            }
            let word = tokens[index].text.as_str();
            if matches!(
                word,
                "free" | "complimentary" | "gratis" | "waive" | "waived"
            ) {
                free = true;
                continue;
            }
            if word == "nothing" && range.clone().any(price) {
                free = true;
                continue;
            }
            let ahead = index + 1..range.end.min(index + 4);
            let next = ahead
                .clone()
                .find(|&at| price(at) || tokens[at].text == "postage");
            let own = ahead
                .clone()
                .find(|&at| tokens[at].kind == Kind::Word && !lexicon::is_plain(&tokens[at].base));
            if next.is_some() && next == own {
                let free_itself = range
                    .clone()
                    .find(|&at| at > index && tokens[at].text == "free");
                if free_itself.is_some() {
                    not_free = true;
                } else {
                    free = true;
                }
                continue;
            }
            // "Without buying anything" denies the buying, "without the box" is a case.
            if word == "without"
                && !tokens
                    .get(index + 1)
                    .is_some_and(|token| token.text.ends_with("ing"))
            {
                continue;
            }
            let passive = ["is", "are", "was", "were", "be", "been"]
                .iter()
                .any(|verb| {
                    index > range.start && tokens[index - 1].text == *verb
                        || index + 1 < range.end && tokens[index + 1].text == *verb
                });
            let reached = reach(tokens, index, &range);
            let whole = passive || matches!(word, "nobody" | "nothing" | "none");
            let reached = if whole {
                range.start..reached.end
            } else {
                reached
            };
            let content = |at: &usize| {
                tokens[*at].kind == Kind::Word && !lexicon::is_plain(&tokens[*at].base)
                    || matches!(tokens[*at].kind, Kind::Number(_) | Kind::Clock(_))
            };
            // "Sellers do not count", "gas bottles are excluded": what stands before.
            let reached = if reached.clone().any(|at| content(&at)) {
                reached
            } else {
                range.start..index
            };
            for at in reached {
                denied[at] = !denied[at];
            }
        }
        let house = range.clone().any(|index| {
            let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
            text(index) == "our" && text(index + 1) == "expense"
                || text(index) == "is" && text(index + 1) == "ours"
                || text(index) == "on" && text(index + 1) == "us" && index + 2 >= range.end
        });
        clause.price = if not_free {
            Price::NotFree
        } else if free || house {
            Price::Free
        } else if charged {
            Price::Charged
        } else {
            Price::Unsaid
        };
    }
    denied
}

/// Tokens after a denial up to the next statement.
fn reach(tokens: &[Token], from: usize, clause: &Range<usize>) -> Range<usize> {
    let mut words = 0;
    for (at, token) in tokens.iter().enumerate().take(clause.end).skip(from + 1) {
        let text = token.text.as_str();
        let verb = matches!(
            text,
            "can" | "may" | "will" | "must" | "is" | "are" | "should"
        );
        if words > 0 && (verb || words > REACH) {
            return from + 1..at;
        }
        words += usize::from(token.kind == Kind::Word && !lexicon::is_plain(&token.base));
    }
    from + 1..clause.end
}

fn denies(tokens: &[Token], index: usize, quantities: &[Quantity]) -> bool {
    let text = |at: usize| {
        tokens
            .get(at)
            .filter(|token| token.kind == Kind::Word)
            .map_or("", |token| token.text.as_str())
    };
    let framed = quantities
        .iter()
        .any(|quantity| quantity.frame.contains(&index));
    let word = text(index);
    let next = text(index + 1);
    if matches!(word, "leave" | "leaves" | "left" | "rule") && next == "out" {
        return true;
    }
    if !lexicon::negates(word)
        || framed
        || index > 0 && matches!(text(index - 1), "say" | "says" | "said")
    {
        return false;
    }
    match word {
        // "no problem" says nothing against what it stands with; "says no" is a noun.
        "no" => !matches!(
            next,
            "problem"
                | "matter"
                | "difference"
                | "worries"
                | "doubt"
                | ""
                | "you"
                | "we"
                | "it"
                | "i"
                | "sooner"
                | "later"
        ),
        "not" => !matches!(next, "only" | "matter" | "mind" | "worry" | "hesitate"),
        // Allowed, and "feel free".
        "free" => {
            let before = index.checked_sub(1).map_or("", text);
            !matches!(next, "to" | "up") && before != "feel"
        }
        _ => true,
    }
}

/// Limits in reverse.
pub(super) fn opposed(a: Bound, b: Bound) -> bool {
    matches!(
        (a, b),
        (Bound::AtMost, Bound::AtLeast) | (Bound::AtLeast, Bound::AtMost)
    )
}
