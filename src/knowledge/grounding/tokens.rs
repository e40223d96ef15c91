use super::lexicon;
use std::ops::Range;

/// What a piece of a sentence is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Word,
    /// A number, in digits or spelled out.
    Number(f64),
    /// A time of day in minutes after midnight, written with a colon.
    Clock(i64),
    /// A form number, code, e-mail address or link: letters and digits that mean nothing but themselves.
    Code,
    /// A currency or per cent sign.
    Sign(char),
    /// Punctuation that parts clauses.
    Mark,
}

/// A piece of a sentence.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Bytes of the sentence.
    pub(super) at: Range<usize>,
    pub(super) kind: Kind,
    /// Lower case, without apostrophes.
    pub(super) text: String,
    /// The text without its endings; read often, so it is made once.
    pub(super) base: String,
    /// Begins with a capital letter, not at the sentence's beginning.
    pub(super) name: bool,
}

/// Units that may be glued to their number: `20kg`, `5pm`.
const GLUED: &[&str] = &[
    "am", "pm", "kg", "g", "km", "m", "cm", "mm", "p", "h", "hr", "hrs", "min", "mins", "mb", "gb",
    "lb", "lbs", "days", "hours", "st", "nd", "rd", "th", "x", "k",
];

/// Cuts a sentence into pieces. Contractions become two words: `can't` is `can` and `not`.
pub(super) fn tokens(sentence: &str) -> Vec<Token> {
    let mut found = Vec::with_capacity(sentence.len() / 4);
    let mut at = 0;
    while let Some(first) = sentence[at..].chars().next() {
        let rest = &sentence[at..];
        let length = if first.is_alphanumeric() {
            word(rest, at, sentence, &mut found)
        } else {
            let kind = match first {
                '£' | '$' | '€' | '%' => Some(Kind::Sign(first)),
                ',' | ';' | ':' | '(' | ')' | '–' | '—' | '!' | '?' | '.' | '…' | '|' | '"'
                | '“' | '”' => Some(Kind::Mark),
                _ => None,
            };
            if let Some(kind) = kind {
                found.push(Token {
                    at: at..at + first.len_utf8(),
                    kind,
                    text: String::new(),
                    base: String::new(),
                    name: false,
                });
            }
            first.len_utf8()
        };
        at += length;
    }
    spelled_numbers(&found)
}

/// Reads the word, number or code at the beginning of `rest`; its bytes.
fn word(rest: &str, at: usize, sentence: &str, found: &mut Vec<Token>) -> usize {
    let chunk_end = rest
        .find(|c: char| {
            c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"' | '“' | '”' | '—' | '–')
        })
        .unwrap_or(rest.len());
    let chunk = rest[..chunk_end].trim_end_matches(['.', '!', '?', ':', '…', '\'', '’']);
    let mut push = |range: Range<usize>, kind, text: String, name| {
        found.push(Token {
            at: at + range.start..at + range.end,
            kind,
            base: lexicon::base(&text),
            text,
            name,
        });
    };
    if chunk.contains('@') || chunk.contains("://") || chunk.starts_with("www.") {
        push(0..chunk.len(), Kind::Code, chunk.to_lowercase(), false);
        return chunk.len();
    }
    if let Some(length) = code(chunk) {
        push(0..length, Kind::Code, chunk[..length].to_uppercase(), false);
        return length;
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return number(rest, &mut push);
    }
    if let Some(length) = dotted_time(rest) {
        let text = if rest.starts_with(['a', 'A']) {
            "am"
        } else {
            "pm"
        };
        push(0..length, Kind::Word, text.to_owned(), false);
        return length;
    }
    let end = rest
        .char_indices()
        .find(|&(index, c)| {
            let apostrophe = matches!(c, '\'' | '’');
            let inside =
                apostrophe && rest[index + c.len_utf8()..].starts_with(|c: char| c.is_alphabetic());
            !c.is_alphanumeric() && !inside
        })
        .map_or(rest.len(), |(index, _)| index);
    let raw = &rest[..end];
    let first = raw.chars().next().is_some_and(char::is_uppercase);
    let starts = sentence[..at].trim_end().is_empty()
        || sentence[..at]
            .trim_end()
            .ends_with([':', '"', '“', '!', '?', '.']);
    let lower = raw.to_lowercase().replace('’', "'");
    let (stem, tail) = match lower.rsplit_once('\'') {
        Some((stem, tail)) => (stem.replace('\'', ""), tail),
        None => (lower.clone(), ""),
    };
    let name = first && !starts && lower != "i" && !lower.starts_with("i'");
    let (head, second) = match (stem.as_str(), tail) {
        ("can", "t") => ("can".to_owned(), Some("not")),
        ("won", "t") => ("will".to_owned(), Some("not")),
        ("shan", "t") => ("shall".to_owned(), Some("not")),
        (stem, "t") if stem.ends_with('n') => (stem[..stem.len() - 1].to_owned(), Some("not")),
        ("o", "clock") => ("oclock".to_owned(), None),
        (_, "ll") => (stem, Some("will")),
        (_, "ve") => (stem, Some("have")),
        (_, "re") => (stem, Some("are")),
        (_, "m") => (stem, Some("am")),
        (_, "d") => (stem, Some("would")),
        ("it" | "that" | "there" | "here" | "what" | "who" | "he" | "she" | "let", "s") => {
            (stem, Some("is"))
        }
        (_, "s" | "") => (stem, None),
        (_, tail) => (format!("{stem}{tail}"), None),
    };
    let (head, second) = match head.as_str() {
        "cannot" | "cant" => ("can".to_owned(), Some("not")),
        "dont" => ("do".to_owned(), Some("not")),
        "doesnt" => ("does".to_owned(), Some("not")),
        "wont" => ("will".to_owned(), Some("not")),
        "isnt" => ("is".to_owned(), Some("not")),
        _ => (head, second),
    };
    push(0..end, Kind::Word, head, name);
    if let Some(second) = second {
        push(end..end, Kind::Word, second.to_owned(), false);
    }
    end
}

/// Bytes of a code at the beginning: letters and digits mixed, or joined by hyphens (`RF-14`, `LK-48213`).
fn code(chunk: &str) -> Option<usize> {
    let length = chunk
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .unwrap_or(chunk.len());
    let text = &chunk[..length];
    let upper = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let digits = text.contains(|c: char| c.is_ascii_digit());
    (upper && digits && text.len() >= 3).then_some(length)
}

/// `a.m.`, `p.m.`
fn dotted_time(rest: &str) -> Option<usize> {
    let lower = rest.get(..3)?.to_ascii_lowercase();
    let ends = |length: usize| {
        rest[length..]
            .chars()
            .next()
            .is_none_or(|c| !c.is_alphanumeric())
    };
    match lower.as_str() {
        "a.m" | "p.m" if rest[3..].starts_with('.') => Some(4),
        "a.m" | "p.m" if ends(3) => Some(3),
        _ => None,
    }
}

fn number(rest: &str, push: &mut impl FnMut(Range<usize>, Kind, String, bool)) -> usize {
    let bytes = rest.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    let mut text = String::new();
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => text.push(char::from(byte)),
            b',' if digit(end + 1) && digit(end + 2) && digit(end + 3) && !digit(end + 4) => {}
            b'.' if digit(end + 1) && !text.contains('.') => text.push('.'),
            _ => break,
        }
        end += 1;
    }
    if bytes.get(end) == Some(&b':') && digit(end + 1) && digit(end + 2) && !digit(end + 3) {
        let hours: i64 = text.parse().unwrap_or(99);
        let minutes: i64 = rest[end + 1..end + 3].parse().unwrap_or(0);
        if hours <= 24 {
            push(0..end + 3, Kind::Clock(hours * 60 + minutes), text, false);
            return end + 3;
        }
    }
    let letters = rest[end..].len()
        - rest[end..]
            .trim_start_matches(|c: char| c.is_ascii_alphabetic())
            .len();
    let value = text.parse().unwrap_or(0.0);
    let unit = rest[end..end + letters].to_ascii_lowercase();
    let dotted = dotted_time(&rest[end..]);
    if letters > 0 && dotted.is_none() && !GLUED.contains(&unit.as_str()) {
        push(
            0..end + letters,
            Kind::Code,
            rest[..end + letters].to_uppercase(),
            false,
        );
        return end + letters;
    }
    push(0..end, Kind::Number(value), text, false);
    if letters > 0 && dotted.is_none() {
        push(end..end + letters, Kind::Word, unit, false);
        return end + letters;
    }
    end
}

fn small(word: &str) -> Option<f64> {
    Some(match word {
        "zero" => 0.0,
        "one" => 1.0,
        "two" => 2.0,
        "three" => 3.0,
        "four" => 4.0,
        "five" => 5.0,
        "six" => 6.0,
        "seven" => 7.0,
        "eight" => 8.0,
        "nine" => 9.0,
        "ten" => 10.0,
        "eleven" => 11.0,
        "twelve" => 12.0,
        "thirteen" => 13.0,
        "fourteen" => 14.0,
        "fifteen" => 15.0,
        "sixteen" => 16.0,
        "seventeen" => 17.0,
        "eighteen" => 18.0,
        "nineteen" => 19.0,
        _ => return None,
    })
}

fn tens(word: &str) -> Option<f64> {
    Some(match word {
        "twenty" => 20.0,
        "thirty" => 30.0,
        "forty" => 40.0,
        "fifty" => 50.0,
        "sixty" => 60.0,
        "seventy" => 70.0,
        "eighty" => 80.0,
        "ninety" => 90.0,
        _ => return None,
    })
}

/// Runs of number words as one number: `a hundred and fifty`, `twenty-four`, `two and a half`, `a dozen`.
fn spelled_numbers(tokens: &[Token]) -> Vec<Token> {
    let word = |index: usize| {
        tokens
            .get(index)
            .filter(|token: &&Token| token.kind == Kind::Word)
            .map_or("", |token| token.text.as_str())
    };
    let below_hundred = |index: usize| -> Option<(f64, usize)> {
        if let Some(value) = tens(word(index)) {
            let more = small(word(index + 1)).filter(|&v| (1.0..10.0).contains(&v));
            return Some((value + more.unwrap_or(0.0), 1 + usize::from(more.is_some())));
        }
        small(word(index)).map(|value| (value, 1))
    };
    let mut found = Vec::with_capacity(tokens.len());
    let mut index = 0;
    while index < tokens.len() {
        let article = matches!(word(index), "a" | "one");
        let start = match word(index + 1) {
            "hundred" | "thousand" | "dozen" if article => Some((1.0, 1)),
            _ => below_hundred(index),
        };
        let Some((mut value, mut used)) = start else {
            found.push(tokens[index].clone());
            index += 1;
            continue;
        };
        let mut after_scale = false;
        for (scale, size) in [("thousand", 1000.0), ("hundred", 100.0), ("dozen", 12.0)] {
            if word(index + used) == scale {
                value *= size;
                used += 1;
                after_scale = true;
            }
        }
        if after_scale {
            let skip = usize::from(word(index + used) == "and");
            if let Some((more, more_used)) = below_hundred(index + used + skip) {
                value += more;
                used += skip + more_used;
            }
        }
        if word(index + used) == "and"
            && word(index + used + 1) == "a"
            && word(index + used + 2) == "half"
        {
            value += 0.5;
            used += 3;
        }
        let (first, last) = (&tokens[index], &tokens[index + used - 1]);
        found.push(Token {
            at: first.at.start..last.at.end,
            kind: Kind::Number(value),
            text: first.text.clone(),
            base: first.base.clone(),
            name: false,
        });
        index += used;
    }
    found
}
