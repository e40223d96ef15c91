//! What a text asks: which questions, or none.

use super::tokens::{Class, Start, Token};
use crate::augment::words::{AUXILIARIES, COURTESY, FILLERS, GREETINGS, TEMPER, has};

/// What a question asks for. `how long`, `how soon` and `when` are one, as are `how much` and `how many`, `what` and
/// `which`: rewrites put one for the other, the words around them tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    When,
    HowMuch,
    How,
    What,
    Where,
    Why,
    Who,
}

impl Asked {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::When => "when or how long",
            Self::HowMuch => "how much or how many",
            Self::How => "how",
            Self::What => "what or which",
            Self::Where => "where",
            Self::Why => "why",
            Self::Who => "who",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intent {
    /// Sorted, each once.
    pub(super) asked: Vec<Asked>,
    /// It asks something, in any form.
    pub(super) asks: bool,
    /// It wants something done or told.
    pub(super) wants: bool,
}

/// Verbs and phrases that a question can hang on.
const CUES: &[&str] = &[
    "advise",
    "ask",
    "check",
    "clarify",
    "clear",
    "confirm",
    "curious",
    "enlighten",
    "explain",
    "explanation",
    "find",
    "idea",
    "inform",
    "know",
    "learn",
    "me",
    "of",
    "on",
    "out",
    "remind",
    "say",
    "see",
    "show",
    "tell",
    "understand",
    "us",
    "wonder",
    "wondered",
    "wondering",
];

/// Verbs that begin a request.
const REQUESTS: &[&str] = &[
    "call", "cancel", "change", "check", "collect", "confirm", "delete", "deliver", "exchange",
    "explain", "extend", "fix", "give", "help", "match", "please", "refund", "remove", "repair",
    "replace", "send", "show", "stop", "tell", "update",
];

const WANTS: &[&str] = &[
    "appreciate",
    "grateful",
    "hope",
    "like",
    "love",
    "need",
    "please",
    "request",
    "require",
    "want",
    "wish",
    "wondering",
];

const BEFORE_QUESTION: &[&str] = &[
    "about", "after", "above", "and", "at", "below", "but", "by", "for", "from", "in", "just",
    "on", "or", "please", "so", "then", "to", "under", "until", "with",
];

const SUBJECTS: &[&str] = &[
    "anybody", "anyone", "he", "i", "it", "my", "she", "somebody", "someone", "that", "the",
    "there", "they", "this", "we", "you", "your",
];

/// What the tokens ask, leaving out those that are skipped.
pub(super) fn intent(tokens: &[Token], skip: impl Fn(usize) -> bool) -> Intent {
    let mut found = Intent::default();
    let mut head = true;
    let mut sentence = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.starts_sentence() {
            sentence = at;
        }
        head |= token.starts_clause() || token.starts_sentence();
        if skip(at) {
            continue;
        }
        let text = token.text.as_str();
        found.asks |= token.asked;
        found.wants |= WANTS.contains(&text);
        let cued = at > sentence && CUES.contains(&tokens[at - 1].text.as_str())
            || at > sentence + 1 && CUES.contains(&tokens[at - 2].text.as_str()) && !head;
        if let Some(asked) = asked(tokens, at).filter(|_| head || cued || is_open(tokens, at)) {
            let exclaims = tokens
                .get(at + 1)
                .is_some_and(|next| text == "what" && matches!(next.text.as_str(), "a" | "an"));
            let conjunction = text == "when" && !asks_when(tokens, at, cued)
                || text == "which" && head && token.starts_clause() && !token.starts_sentence()
                || matches!(text, "who" | "what") && !head && !cued && !token.starts_clause();
            if !exclaims && !conjunction {
                found.asks = true;
                if !found.asked.contains(&asked) {
                    found.asked.push(asked);
                }
            }
        }
        if head {
            let next = tokens.get(at + 1).filter(|next| !next.starts_sentence());
            // `Is broken.` only lacks its subject.
            let turned =
                next.is_some_and(|next| !token.stated || SUBJECTS.contains(&next.text.as_str()));
            found.asks |= has(AUXILIARIES, text) && turned;
            found.asks |= matches!(text, "any" | "possible");
            found.wants |= REQUESTS.contains(&text);
            let leads = BEFORE_QUESTION.contains(&text)
                || [GREETINGS, FILLERS, COURTESY, TEMPER]
                    .iter()
                    .any(|table| has(table, text))
                    && !REQUESTS.contains(&text);
            head = leads || text == "not" && has(AUXILIARIES, &tokens[at.saturating_sub(1)].text);
        }
        if matches!(text, "whether" | "if") && cued {
            found.asks = true;
        }
    }
    found.asked.sort_unstable();
    found
}

/// What a question word asks for.
fn asked(tokens: &[Token], at: usize) -> Option<Asked> {
    let following = |words: &[&str], most: usize| {
        tokens[at + 1..]
            .iter()
            .take_while(|token| !token.starts_sentence())
            .filter(|token| !matches!(token.text.as_str(), "a" | "an" | "the"))
            .take(most)
            .any(|token| words.contains(&token.stem.as_str()))
    };
    let token = tokens.get(at).filter(|token| token.class == Class::Word)?;
    Some(match token.text.as_str() {
        "how"
            if following(
                &[
                    "long", "soon", "often", "fast", "late", "quick", "quickli", "earli",
                ],
                1,
            ) =>
        {
            Asked::When
        }
        "how" if following(&["much", "many", "expensiv"], 1) => {
            if following(&["time", "long", "longer"], 2) {
                Asked::When
            } else {
                Asked::HowMuch
            }
        }
        "how" => Asked::How,
        "what" | "which" if following(&["cost", "price", "fee", "charg", "amount"], 4) => {
            Asked::HowMuch
        }
        "what" | "which" if following(&["time", "dai", "day", "date", "period", "deadlin"], 2) => {
            Asked::When
        }
        "what" | "which" => Asked::What,
        "when" => Asked::When,
        "where" | "whereabouts" => Asked::Where,
        "why" => Asked::Why,
        "who" | "whom" | "whose" => Asked::Who,
        _ => return None,
    })
}

/// `how`, `why` and `where` ask wherever a question has them.
fn is_open(tokens: &[Token], at: usize) -> bool {
    let token = &tokens[at];
    token.is("whereabouts") || token.asked && matches!(token.text.as_str(), "how" | "why" | "where")
}

/// `when` asks before a verb that is turned round, behind a cue, or where nothing else asks in its sentence.
fn asks_when(tokens: &[Token], at: usize, cued: bool) -> bool {
    let next = tokens.get(at + 1).map_or("", |next| next.text.as_str());
    if cued || has(AUXILIARIES, next) {
        return true;
    }
    let subject = SUBJECTS.contains(&next)
        && tokens.get(at + 2).is_some_and(|verb| {
            matches!(
                verb.text.as_str(),
                "can" | "could" | "should" | "will" | "would"
            )
        });
    let behind = at
        .checked_sub(1)
        .is_some_and(|before| matches!(tokens[before].text.as_str(), "by" | "until"));
    if subject && tokens[at].asked && (behind || tokens[at].starts == Start::Clause) {
        return true;
    }
    tokens[at].starts_sentence()
        && tokens[at].asked
        && !tokens[at + 1..]
            .iter()
            .take_while(|token| !token.starts_sentence())
            .any(Token::starts_clause)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn of(text: &str) -> Intent {
        intent(&tokens(text), |_| false)
    }

    #[test]
    fn questions_are_told_by_what_they_ask_for() {
        for (text, expected) in [
            ("How long do I have?", Asked::When),
            ("when will it come", Asked::When),
            ("until when can I return it?", Asked::When),
            ("How soon is it taken?", Asked::When),
            ("what does it cost", Asked::HowMuch),
            ("Could you tell me how much it is?", Asked::HowMuch),
            ("how come it is late", Asked::Why),
            ("Hi there! Why on earth is it late?", Asked::Why),
            ("any idea where it is", Asked::Where),
            (
                "It is lost. Please inform me of its whereabouts.",
                Asked::Where,
            ),
            ("hey so what documents do I need?", Asked::What),
            ("Who pays?", Asked::Who),
            ("I would like to know how it works.", Asked::How),
        ] {
            let intent = of(text);
            assert_eq!(
                (intent.asked.as_slice(), intent.asks),
                ([expected].as_slice(), true),
                "{text}"
            );
        }
    }

    #[test]
    fn conjunctions_ask_nothing_of_their_own() {
        for text in [
            "Is there a fee when the new one is delivered?",
            "When I cancel within 14 days, do I get a refund?",
            "Can I return a thing which I have used?",
            "The driver who came was late",
            "I got the one that I did not order.",
            "What a joke!",
        ] {
            assert_eq!(of(text).asked, [], "{text}");
        }
    }

    #[test]
    fn asking_and_stating_are_told_apart() {
        for text in [
            "can i pay later",
            "Is it late",
            "hi, do you deliver",
            "got it? thanks",
            "I wonder if it works",
            "any discounts",
        ] {
            assert!(of(text).asks, "{text}");
        }
        for text in [
            "You can pay later.",
            "It is late",
            "We deliver on Sundays.",
            "The kettle leaks.",
        ] {
            let intent = of(text);
            assert!(!intent.asks && !intent.wants, "{text}");
        }
        assert!(of("Please delete it").wants && of("Delete it now").wants);
    }
}
