//! Personal data by rule: e-mail addresses, telephone numbers, payment cards, bank accounts, postal addresses. What cannot be
//! anybody's is none: addresses under names that are reserved for examples (RFC 2606), telephone numbers that are kept for
//! fiction (555-01xx of the North American plan; Ofcom's numbers for drama).

use std::ops::Range;

/// What kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pii {
    Email,
    Card,
    Iban,
    Phone,
    Address,
}

impl Pii {
    /// The name in reasons and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::Address => "address",
        }
    }

    /// What stands in its place: `[EMAIL]`.
    #[must_use]
    pub fn mark(self) -> String {
        format!("[{}]", self.name().to_uppercase())
    }
}

/// Personal data in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub kind: Pii,
    /// Bytes of the text.
    pub range: Range<usize>,
}

/// All personal data of a text, in its order, none over another.
#[must_use]
pub fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    emails(text, &mut found);
    ibans(text, &mut found);
    numbers(text, &mut found);
    addresses(text, &mut found);
    // Of two at one place the one that is told more surely.
    found.sort_by_key(|found| (found.kind, found.range.start));
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        let over =
            |other: &Found| one.range.start < other.range.end && other.range.start < one.range.end;
        if !kept.iter().any(over) {
            kept.push(one);
        }
    }
    kept.sort_by_key(|found| found.range.start);
    kept
}

fn emails(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte);
    let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    for (at, _) in text.match_indices('@') {
        let before = bytes[..at].iter().rev().take_while(|b| local(**b)).count();
        let after = bytes[at + 1..].iter().take_while(|b| host(**b)).count();
        let (start, mut end) = (at - before, at + 1 + after);
        while end > at + 1 && b".-".contains(&bytes[end - 1]) {
            end -= 1;
        }
        let name = text[at + 1..end].to_ascii_lowercase();
        let Some((second, top)) = name.rsplit_once('.') else {
            continue;
        };
        let second = second.rsplit('.').next().unwrap_or(second);
        let reserved = ["example", "test", "invalid", "localhost"].contains(&top)
            || (second == "example" && ["com", "org", "net"].contains(&top));
        let is_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
        if before > 0 && is_top && !reserved {
            found.push(Found {
                kind: Pii::Email,
                range: start..end,
            });
        }
    }
}

/// Bank accounts: two letters, two digits, 11 to 30 letters and digits, which leave 1 when divided by 97 (ISO 13616).
fn ibans(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let head = bytes.get(at..at + 4);
        if !begins
            || !head.is_some_and(|head| {
                head[..2].iter().all(u8::is_ascii_uppercase)
                    && head[2..].iter().all(u8::is_ascii_digit)
            })
        {
            continue;
        }
        // Groups of letters and digits, one space between them; the longest that is right.
        let mut digits: Vec<u8> = Vec::new();
        let mut end = None;
        let mut place = at;
        while let Some(byte) = bytes.get(place) {
            match byte {
                b'A'..=b'Z' | b'0'..=b'9' => digits.push(*byte),
                b' ' if bytes.get(place + 1).is_some_and(u8::is_ascii_alphanumeric) => {}
                _ => break,
            }
            place += 1;
            let whole = !bytes.get(place).is_some_and(u8::is_ascii_alphanumeric);
            if digits.len() > 34 {
                break;
            }
            if whole && digits.len() >= 15 && remainder(&digits) == 1 {
                end = Some(place);
            }
        }
        if let Some(end) = end {
            found.push(Found {
                kind: Pii::Iban,
                range: at..end,
            });
        }
    }
}

/// Of an account's characters, the first four moved to the end, letters as 10 to 35.
fn remainder(account: &[u8]) -> u32 {
    let moved = account[4..].iter().chain(&account[..4]);
    moved.fold(0, |rest, byte| {
        if byte.is_ascii_digit() {
            (rest * 10 + u32::from(byte - b'0')) % 97
        } else {
            (rest * 100 + u32::from(byte - b'A') + 10) % 97
        }
    })
}

/// Payment cards and telephone numbers: digits with what may stand between them.
fn numbers(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let starts = bytes[at].is_ascii_digit()
            || (b"+(".contains(&bytes[at]) && bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
        let glued = at > 0
            && (bytes[at - 1].is_ascii_alphanumeric()
                || (b"-/.,#_".contains(&bytes[at - 1])
                    && at > 1
                    && bytes[at - 2].is_ascii_alphanumeric()));
        if !starts {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() {
            let next_is_digit = || {
                bytes[at + 1..]
                    .iter()
                    .take(2)
                    .find(|byte| !b" ()-".contains(byte))
                    .is_some_and(u8::is_ascii_digit)
            };
            match bytes[at] {
                b'0'..=b'9' => at += 1,
                b'+' if at == start => at += 1,
                b' ' | b'-' | b'.' | b'(' | b')' | b'/' if next_is_digit() => at += 1,
                _ => break,
            }
        }
        let end = at;
        let followed = bytes.get(end).is_some_and(u8::is_ascii_alphabetic);
        if glued || followed {
            continue;
        }
        let span = &text[start..end];
        let kind = if is_card(span) {
            Pii::Card
        } else if is_phone(span) {
            Pii::Phone
        } else {
            continue;
        };
        found.push(Found {
            kind,
            range: start..end,
        });
    }
}

fn digits(span: &str) -> Vec<u8> {
    span.bytes()
        .filter(u8::is_ascii_digit)
        .map(|byte| byte - b'0')
        .collect()
}

/// 13 to 19 digits in groups, the last of which checks the others (ISO/IEC 7812-1, annex B).
fn is_card(span: &str) -> bool {
    let digits = digits(span);
    let plain = span
        .bytes()
        .all(|b| b.is_ascii_digit() || b" -".contains(&b));
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(nth, digit)| {
            let digit = u32::from(*digit);
            match nth % 2 {
                0 => digit,
                _ if digit > 4 => 2 * digit - 9,
                _ => 2 * digit,
            }
        })
        .sum();
    plain
        && (13..=19).contains(&digits.len())
        && (2..=6).contains(&digits[0])
        && sum.is_multiple_of(10)
}

/// With the country's code, with the zero of the trunk, or in the groups of the North American plan.
fn is_phone(span: &str) -> bool {
    let digits = digits(span);
    let text: String = digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    let national = match text.as_str() {
        _ if span.starts_with('+') => {
            let code = ["44", "1"].iter().find_map(|code| text.strip_prefix(code));
            code.unwrap_or(&text)
        }
        whole => whole.strip_prefix('0').unwrap_or(whole),
    };
    // Area, exchange 555, line 0100 to 0199.
    let american = national.len() == 10 && &national[3..6] == "555" && &national[6..8] == "01";
    let british = [
        "1632960", "207946", "7700900", "114496", "113496", "121496", "131496",
    ]
    .iter()
    .any(|begin| national.starts_with(begin));
    if american || british {
        return false;
    }
    let groups: Vec<usize> = span
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .filter(|length| *length > 0)
        .collect();
    let dated = matches!(groups[..], [4, 2, 2] | [2, 2, 4]);
    let in_groups = groups == [3, 3, 4] || groups == [1, 3, 3, 4];
    match digits.len() {
        8..=15 if span.starts_with('+') => true,
        9..=12 if digits[0] == 0 && !dated && span.len() < 20 => true,
        10..=11 => in_groups,
        _ => false,
    }
}

/// Streets with a house's number, and British postcodes.
fn addresses(text: &str, found: &mut Vec<Found>) {
    let words: Vec<(usize, &str)> = text
        .split_whitespace()
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
        .collect();
    let bare = |word: &'_ str| {
        word.trim_end_matches([',', '.', ';', ':', '!', '?', ')'])
            .to_owned()
    };
    for (nth, (at, word)) in words.iter().enumerate() {
        let number = bare(word);
        let is_house = number.len() <= 5
            && number.starts_with(|c: char| c.is_ascii_digit() && c != '0')
            && number
                .trim_end_matches(|c: char| c.is_ascii_alphabetic())
                .bytes()
                .all(|byte| byte.is_ascii_digit())
            && number.bytes().filter(u8::is_ascii_alphabetic).count() <= 1;
        let names = words[nth + 1..].iter().take(4);
        if is_house && number == *word {
            for (named, (start, name)) in names.enumerate() {
                let plain = bare(name);
                if named > 0
                    && STREETS.contains(&plain.to_ascii_lowercase().as_str())
                    && plain.starts_with(char::is_uppercase)
                {
                    found.push(Found {
                        kind: Pii::Address,
                        range: *at..start + plain.len(),
                    });
                    break;
                }
                if !name.starts_with(char::is_uppercase) || plain.len() != name.len() {
                    break;
                }
            }
        }
        // The number behind the street, as on the continent.
        let street = bare(word);
        let ends = ["straße", "strasse", "weg", "platz", "gasse", "allee"];
        let lower = street.to_lowercase();
        if street == *word
            && street.starts_with(char::is_uppercase)
            && ends
                .iter()
                .any(|end| lower.ends_with(end) && lower.len() > end.len() + 2)
            && let Some((start, next)) = words.get(nth + 1)
            && next.starts_with(|c: char| c.is_ascii_digit())
            && bare(next).len() <= 4
        {
            found.push(Found {
                kind: Pii::Address,
                range: *at..start + bare(next).len(),
            });
        }
        if let Some((start, next)) = words.get(nth + 1)
            && is_postcode(word, &bare(next))
        {
            found.push(Found {
                kind: Pii::Address,
                range: *at..start + bare(next).len(),
            });
        }
    }
}

/// `SW1A 1AA`: one or two letters, a digit, perhaps another letter or digit; a digit and two letters.
fn is_postcode(outward: &str, inward: &str) -> bool {
    let shape = |text: &str| -> String {
        let shape = |c: char| match c {
            'A'..='Z' => 'A',
            '0'..='9' => '9',
            _ => '?',
        };
        text.chars().map(shape).collect()
    };
    let outward = shape(outward);
    ["A9", "A99", "A9A", "AA9", "AA99", "AA9A"].contains(&outward.as_str())
        && shape(inward) == "9AA"
}

const STREETS: &[&str] = &[
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "ln",
    "drive",
    "dr",
    "court",
    "ct",
    "boulevard",
    "blvd",
    "way",
    "place",
    "square",
    "terrace",
    "close",
    "crescent",
    "gardens",
    "grove",
    "mews",
    "row",
    "highway",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(text: &str) -> Vec<(&'static str, &str)> {
        find(text)
            .into_iter()
            .map(|found| (found.kind.name(), &text[found.range]))
            .collect()
    }

    #[test]
    fn personal_data_is_found() {
        for (text, expected) in [
            (
                "Write to a.b+c@mail-host.co.uk.",
                vec![("email", "a.b+c@mail-host.co.uk")],
            ),
            (
                "My card is 4111 1111 1111 1111, ok?",
                vec![("card", "4111 1111 1111 1111")],
            ),
            (
                "Card 5500-0000-0000-0004!",
                vec![("card", "5500-0000-0000-0004")],
            ),
            (
                "IBAN GB82 WEST 1234 5698 7654 32 please",
                vec![("iban", "GB82 WEST 1234 5698 7654 32")],
            ),
            (
                "to DE89370400440532013000.",
                vec![("iban", "DE89370400440532013000")],
            ),
            (
                "call +49 170 2345678 now",
                vec![("phone", "+49 170 2345678")],
            ),
            ("call (212) 867-5309 now", vec![("phone", "(212) 867-5309")]),
            ("or 020 8123 4567.", vec![("phone", "020 8123 4567")]),
            (
                "I live at 12 Acacia Avenue, Leeds",
                vec![("address", "12 Acacia Avenue")],
            ),
            (
                "221B Baker St, NW1 6XE",
                vec![("address", "221B Baker St"), ("address", "NW1 6XE")],
            ),
            (
                "Lindenstraße 7 in Köln",
                vec![("address", "Lindenstraße 7")],
            ),
        ] {
            assert_eq!(seen(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_nobodys_is_not() {
        for text in [
            "Order LK-48213 of 3 May 2024 for £239.99 came on 2024-05-12 at 10:30.",
            "help@lumenandkettle.example or help@example.com",
            "Call 01632 960123, (212) 555-0142 or +1 555 555 0100.",
            "Serial 4111111111111112, part 12-3456789-00, version 10.11.12.13",
            "The limit is 30 days, 2 of them Sundays, 1,000,000 sold.",
            "Track 00340434161094042557 today",
            "I bought 2 Kettles. Drive safely.",
            "a@b and @home, GB82 WEST 1234 5698 7654 33",
            "Room 12 on the first floor",
        ] {
            assert_eq!(seen(text), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn ranges_are_of_the_text_and_apart(text in ".{0,80}", more in "[0-9 +()@.A-Z-]{0,60}") {
            let text = text + &more;
            let found = find(&text);
            for one in &found {
                prop_assert!(text.get(one.range.clone()).is_some_and(|part| !part.is_empty()));
            }
            for pair in found.windows(2) {
                prop_assert!(pair[0].range.end <= pair[1].range.start);
            }
        }
    }
}
