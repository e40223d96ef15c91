//! A text taken apart so that words can be put in, taken out and moved, and together again.

use super::words::{FUNCTION, WEEKDAYS, has};

/// A word with what stands around it. All pieces of a text, one after the other, are the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// White space before it.
    pub(super) space: String,
    /// Signs before and after the word.
    pub(super) lead: String,
    pub(super) word: String,
    pub(super) tail: String,
    /// Neither protected nor with digits or odd signs inside.
    pub(super) free: bool,
}

impl Piece {
    pub(super) fn lower(&self) -> String {
        self.word.to_lowercase().replace('’', "'")
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.free && self.word.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        self.free && words.contains(&self.lower().as_str())
    }

    pub(super) fn ends_sentence(&self) -> bool {
        self.tail.contains(['.', '!', '?', '…'])
    }

    pub(super) fn ends_clause(&self) -> bool {
        !self.tail.is_empty()
    }

    fn capital(&self) -> bool {
        self.word.chars().next().is_some_and(char::is_uppercase)
    }

    /// Another word in the same case.
    pub(super) fn put(&mut self, word: &str) {
        let upper = self.capital() && !matches!(self.word.as_str(), "I" | "I'm" | "I've");
        self.word = if upper {
            capitalised(word)
        } else {
            word.to_owned()
        };
    }
}

pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The white space at a text's end, and its pieces.
pub(super) fn take_apart(text: &str, protected: &[&str]) -> (Vec<Piece>, String) {
    let kept = protected_spans(text, protected);
    let mut pieces = Vec::new();
    let mut from = 0;
    for chunk in text.split_whitespace() {
        let start = chunk.as_ptr() as usize - text.as_ptr() as usize;
        let end = start + chunk.len();
        let word = chunk.trim_matches(|c: char| !c.is_alphanumeric());
        let at = chunk.find(word).unwrap_or(0);
        let plain = !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-'));
        let lead = &chunk[..at];
        let odd = lead
            .chars()
            .chain(chunk[at + word.len()..].chars())
            .any(|c| "£$€%@#/\\<>&=+_*~^|{}[]".contains(c));
        let shouted = word.chars().count() > 1 && !word.chars().any(char::is_lowercase);
        pieces.push(Piece {
            space: text[from..start].to_owned(),
            lead: lead.to_owned(),
            word: word.to_owned(),
            tail: chunk[at + word.len()..].to_owned(),
            free: plain
                && !odd
                && !shouted
                && !kept.iter().any(|keep| keep.start < end && start < keep.end),
        });
        from = end;
    }
    (pieces, text[from..].to_owned())
}

/// Where the protected phrases stand in a text, in any case.
pub(super) fn protected_spans(text: &str, protected: &[&str]) -> Vec<std::ops::Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let phrases = protected
        .iter()
        .map(|phrase| phrase.trim().to_ascii_lowercase());
    phrases
        .filter(|phrase| !phrase.is_empty())
        .flat_map(|phrase| {
            let found = lower.match_indices(&phrase);
            found
                .map(|(at, found)| at..at + found.len())
                .collect::<Vec<_>>()
        })
        .collect()
}

pub(super) fn put_together(pieces: &[Piece], end: &str) -> String {
    let mut out = String::new();
    for piece in pieces {
        out.push_str(&piece.space);
        out.push_str(&piece.lead);
        out.push_str(&piece.word);
        out.push_str(&piece.tail);
    }
    out.push_str(end);
    out
}

/// Whether a sentence begins with a piece.
pub(super) fn starts_sentence(pieces: &[Piece], at: usize) -> bool {
    at == 0 || pieces[at - 1].ends_sentence()
}

/// Takes a word out: what stood behind it goes to the word before, a capital to the word after.
pub(super) fn remove(pieces: &mut Vec<Piece>, at: usize) {
    let starts = starts_sentence(pieces, at);
    let gone = pieces.remove(at);
    if let Some(before) = at.checked_sub(1).and_then(|before| pieces.get_mut(before)) {
        before.tail.push_str(&gone.tail);
    }
    if let Some(next) = pieces.get_mut(at) {
        if at == 0 {
            next.space.clone_from(&gone.space);
        }
        next.lead.insert_str(0, &gone.lead);
        if starts && gone.capital() && next.free {
            next.word = capitalised(&next.word);
        }
    }
}

/// Puts a word in before another; at a sentence's start it takes the capital over.
pub(super) fn insert(pieces: &mut Vec<Piece>, at: usize, word: &str) {
    let starts = starts_sentence(pieces, at);
    let mut piece = Piece {
        space: if at == 0 {
            String::new()
        } else {
            " ".to_owned()
        },
        lead: String::new(),
        word: word.to_owned(),
        tail: String::new(),
        free: true,
    };
    if let Some(next) = pieces.get_mut(at) {
        if at == 0 {
            piece.space = std::mem::replace(&mut next.space, " ".to_owned());
        }
        if starts && next.capital() {
            piece.word = capitalised(word);
            next.word = uncapitalised(next);
        }
    }
    pieces.insert(at, piece);
}

/// A word as it is inside a sentence: function words lose their capital, names and `I` do not.
pub(super) fn uncapitalised(piece: &Piece) -> String {
    let lower = piece.lower();
    if piece.free
        && lower != "i"
        && !lower.starts_with("i'")
        && has(FUNCTION, &lower)
        && !has(WEEKDAYS, &lower)
    {
        lower
    } else {
        piece.word.clone()
    }
}

/// Lets two neighbours change places; case and signs stay where they are.
pub(super) fn swap(pieces: &mut [Piece], at: usize) {
    let starts = starts_sentence(pieces, at) && pieces[at].capital();
    if starts {
        pieces[at].word = uncapitalised(&pieces[at]);
    }
    let (left, right) = pieces.split_at_mut(at + 1);
    std::mem::swap(&mut left[at].word, &mut right[0].word);
    std::mem::swap(&mut left[at].free, &mut right[0].free);
    if starts {
        pieces[at].word = capitalised(&pieces[at].word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, change: impl Fn(&mut Vec<Piece>)) -> String {
        let (mut pieces, end) = take_apart(text, &["washing machine"]);
        change(&mut pieces);
        put_together(&pieces, &end)
    }

    #[test]
    fn apart_and_together_is_the_text() {
        for text in [
            "",
            "  ",
            " Can I (really)  pay £5?\n",
            "…",
            "é-mail “x” — y.",
        ] {
            assert_eq!(with(text, |_| {}), text);
        }
    }

    #[test]
    fn words_go_in_and_out_and_change_places() {
        assert_eq!(
            with("The door fell off.", |p| remove(p, 0)),
            "Door fell off."
        );
        assert_eq!(with("It fell off.", |p| remove(p, 2)), "It fell.");
        assert_eq!(
            with("You deliver?", |p| insert(p, 0, "do")),
            "Do you deliver?"
        );
        assert_eq!(
            with("Larkmoor delivers?", |p| insert(p, 0, "does")),
            "Does Larkmoor delivers?"
        );
        assert_eq!(with("Can I pay?", |p| swap(p, 0)), "I can pay?");
        assert_eq!(with("Can you, please?", |p| swap(p, 0)), "You can, please?");
    }

    #[test]
    fn what_is_protected_is_not_free() {
        let (pieces, _) = take_apart(
            "My washing machine LK-1 costs £5, OK?",
            &["Washing machine"],
        );
        let free: Vec<&str> = pieces
            .iter()
            .filter(|p| p.free)
            .map(|p| p.word.as_str())
            .collect();
        assert_eq!(free, ["My", "costs"]);
    }
}
