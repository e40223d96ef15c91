//! Python's text methods, on plain texts.

/// What Python's `str.isspace` holds for white space: Unicode's, and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Without white space, or without the given characters, at the wanted ends.
pub(super) fn strip<'a>(text: &'a str, chars: Option<&str>, left: bool, right: bool) -> &'a str {
    let goes = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left {
        text.trim_start_matches(goes)
    } else {
        text
    };
    if right {
        text.trim_end_matches(goes)
    } else {
        text
    }
}

/// `None` when the separator is empty.
pub(super) fn split<'a>(
    text: &'a str,
    separator: Option<&str>,
    most: Option<usize>,
    from_right: bool,
) -> Option<Vec<&'a str>> {
    let cuts = most.unwrap_or(usize::MAX);
    let parts = cuts.saturating_add(1);
    if let Some(separator) = separator {
        if separator.is_empty() {
            return None;
        }
        if from_right {
            let mut found: Vec<_> = text.rsplitn(parts, separator).collect();
            found.reverse();
            return Some(found);
        }
        return Some(text.splitn(parts, separator).collect());
    }
    // Runs of white space count as one, and the ends hold none.
    let mut found = Vec::new();
    if from_right {
        let mut rest = strip(text, None, false, true);
        while !rest.is_empty() {
            let cut =
                (found.len() < cuts).then(|| rest.char_indices().rfind(|(_, c)| is_space(*c)));
            let Some((at, c)) = cut.flatten() else {
                found.push(rest);
                break;
            };
            found.push(&rest[at + c.len_utf8()..]);
            rest = strip(&rest[..at], None, false, true);
        }
        found.retain(|part| !part.is_empty());
        found.reverse();
    } else {
        let mut rest = strip(text, None, true, false);
        while !rest.is_empty() {
            let cut = (found.len() < cuts).then(|| rest.find(is_space)).flatten();
            let Some(at) = cut else {
                found.push(rest);
                break;
            };
            found.push(&rest[..at]);
            rest = strip(&rest[at..], None, true, false);
        }
    }
    Some(found)
}

/// The lines of a text, cut at everything that Python holds for the end of one.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let ends = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ends) {
        let end = &rest[at..];
        let length = if end.starts_with("\r\n") {
            2
        } else {
            end.chars().next().map_or(1, char::len_utf8)
        };
        lines.push(&rest[..if keep_ends { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// A capital after everything that is no letter: `Isn'T`.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_lowercase() || c.is_uppercase();
    }
    out
}

pub(super) fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.collect::<String>() + &chars.as_str().to_lowercase()
}

/// Where a text is first, or last, found between two places, counted in characters as Python counts them.
pub(super) fn find(
    text: &str,
    what: &str,
    start: Option<i64>,
    end: Option<i64>,
    last: bool,
) -> Option<usize> {
    let length = text.chars().count();
    let place = |at: i64| {
        let at = if at < 0 {
            at.saturating_add_unsigned(length as u64)
        } else {
            at
        };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX).min(length)
    };
    let (start, end) = (start.map_or(0, place), end.map_or(length, place));
    if start > end {
        return None;
    }
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(b, _)| b);
    let part = &text[byte(start)..byte(end)];
    let found = if last {
        part.rfind(what)
    } else {
        part.find(what)
    }?;
    Some(start + part[..found].chars().count())
}

/// `ljust`, `rjust`, `center` and `zfill`; a width counts characters.
pub(super) fn padded(text: &str, width: usize, fill: Option<char>, how: &str) -> String {
    let length = text.chars().count();
    let missing = width.saturating_sub(length);
    let run = |count: usize, c: char| c.to_string().repeat(count);
    let fill = fill.unwrap_or(' ');
    match how {
        "ljust" => format!("{text}{}", run(missing, fill)),
        "rjust" => format!("{}{text}", run(missing, fill)),
        "zfill" => {
            let sign = text.chars().next().filter(|c| matches!(c, '+' | '-'));
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let sign = sign.map(String::from).unwrap_or_default();
            format!("{sign}{}{digits}", run(missing, '0'))
        }
        _ => {
            // Python puts the odd one to the left where the width is odd.
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", run(left, fill), run(missing - left, fill))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_those_of_python() {
        let split = |text, separator, most, right| split(text, separator, most, right).unwrap();
        assert_eq!(split(" a  b c ", None, None, false), ["a", "b", "c"]);
        assert_eq!(split(" a  b c ", None, Some(1), false), ["a", "b c "]);
        assert_eq!(split(" a  b c ", None, Some(1), true), [" a  b", "c"]);
        assert_eq!(split("  ", None, None, false), [""; 0]);
        assert_eq!(split("a,b,,c", Some(","), Some(2), false), ["a", "b", ",c"]);
        assert_eq!(split("a,b,,c", Some(","), Some(2), true), ["a,b", "", "c"]);
        assert_eq!(split("", Some(","), None, false), [""]);
        assert_eq!(split("a b", None, Some(0), false), ["a b"]);
    }

    #[test]
    fn places_count_characters() {
        assert_eq!(find("éaéa", "a", None, None, false), Some(1));
        assert_eq!(find("éaéa", "a", Some(2), None, false), Some(3));
        assert_eq!(find("éaéa", "a", None, Some(-1), true), Some(1));
        assert_eq!(find("éa", "x", None, None, false), None);
        assert_eq!(find("éa", "", Some(5), None, false), Some(2));
    }

    #[test]
    fn odd_padding_goes_where_python_puts_it() {
        assert_eq!(padded("ab", 5, None, "center"), "  ab ");
        assert_eq!(padded("a", 4, Some('*'), "center"), "*a**");
        assert_eq!(padded("-42", 6, None, "zfill"), "-00042");
        assert_eq!(
            lines("a\r\nb\u{2028}c\n", true),
            ["a\r\n", "b\u{2028}", "c\n"]
        );
        assert_eq!(title("isn't it"), "Isn'T It");
    }
}
