//! Jinja's source in pieces, and the inside of its tags in tokens, as Jinja's own lexer cuts them.

/// A stretch of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text, comments and raw blocks: nothing to change.
    Text(&'a str),
    /// A tag between `{%-` or `{{` and its end.
    Tag {
        open: &'a str,
        inner: &'a str,
        close: &'a str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A text without its quotes, escapes resolved.
    Text,
    Sign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Token {
    /// Whether it is this word or sign; a text in quotes never is.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Name | Kind::Sign) && self.text == text
    }

    pub(super) fn written(&self) -> String {
        match self.kind {
            Kind::Text => quoted(&self.text),
            _ => self.text.clone(),
        }
    }
}

/// A text as a literal that minijinja reads back as it is.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Cuts a source into text and tags.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    let line_of = |at: usize| source[..at].matches('\n').count() + 1;
    while let Some(found) = source[at..].find('{') {
        let start = at + found;
        let close = match source.as_bytes().get(start + 1) {
            Some(b'#') => {
                let end = source[start..].find("#}");
                at = start
                    + end
                        .ok_or_else(|| format!("line {}: a comment never ends", line_of(start)))?
                    + 2;
                continue;
            }
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                at = start + 1;
                continue;
            }
        };
        let end = end_of_tag(&source[start..], close)
            .ok_or_else(|| format!("line {}: a tag never ends", line_of(start)))?;
        let tag = &source[start..start + end];
        if raw_name(tag) == "raw" {
            let body = &source[start + end..];
            let mut ends = body
                .match_indices("{%")
                .filter(|(at, _)| raw_name(&body[*at..]) == "endraw");
            let (last, _) = ends
                .next()
                .ok_or_else(|| format!("line {}: a raw block never ends", line_of(start)))?;
            let closed = body[last..].find("%}").map_or(body.len(), |n| last + n + 2);
            if body.starts_with('\n') && !tag.ends_with("-%}") {
                // Jinja keeps the newline after `{% raw %}`, minijinja takes it.
                pieces.push(Piece::Text(&source[from..start + end]));
                pieces.push(Piece::Text("\n"));
                from = start + end;
            }
            at = start + end + closed;
            continue;
        }
        if from < start {
            pieces.push(Piece::Text(&source[from..start]));
        }
        let sign = |at: Option<&u8>| usize::from(matches!(at, Some(b'-' | b'+')));
        let open = 2 + sign(tag.as_bytes().get(2));
        let mut shut = tag.len() - 2;
        if shut > open {
            // A sign before the end belongs to it: `-%}`, `+%}`, `-}}`.
            let last = tag.as_bytes()[shut - 1];
            shut -= usize::from(last == b'-' || (last == b'+' && close == "%}"));
        }
        let shut = shut.max(open);
        pieces.push(Piece::Tag {
            open: &tag[..open],
            inner: &tag[open..shut],
            close: &tag[shut..],
        });
        at = start + end;
        from = at;
    }
    if from < source.len() {
        pieces.push(Piece::Text(&source[from..]));
    }
    Ok(pieces)
}

/// The first word of a `{% … %}` block.
fn raw_name(tag: &str) -> &str {
    let Some(inner) = tag.strip_prefix("{%") else {
        return "";
    };
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner).trim_start();
    let word = |c: char| !c.is_alphanumeric() && c != '_';
    inner.split(word).next().unwrap_or("")
}

/// Where a tag ends: texts in quotes and brackets in brackets skipped, as in `{{ {'a': {}} }}`.
fn end_of_tag(tag: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0usize;
    for (at, c) in tag.char_indices().skip(2) {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped;
            }
            None if depth == 0 && tag[at..].starts_with(close) => return Some(at + close.len()),
            None => match c {
                '\'' | '"' => quote = Some(c),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
    }
    None
}

const SIGNS: [&str; 28] = [
    "**", "//", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", "+", "-", "*", "/", "%", "~",
    "<", ">", "=", ".", ",", ":", "|", ";", "!", "^",
];

/// The tokens of a tag's inside.
pub(super) fn tokens(inner: &str) -> Result<Vec<Token>, String> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = inner.trim_start();
    while let Some(first) = rest.chars().next() {
        let (kind, length, text) = if first == '\'' || first == '"' {
            let length = text_length(rest).ok_or("a text in quotes never ends")?;
            (Kind::Text, length, unescaped(&rest[1..length - 1])?)
        } else if first.is_ascii_digit() {
            // after a dot it is an index: `x.0.1`
            let index = tokens.last().is_some_and(|token| token.is("."));
            let length = number_length(rest, index);
            (Kind::Number, length, rest[..length].replace('_', ""))
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let length = end.unwrap_or(rest.len());
            (Kind::Name, length, rest[..length].to_owned())
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("unexpected `{first}`"))?;
            (Kind::Sign, sign.len(), (*sign).to_owned())
        };
        tokens.push(Token { kind, text });
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn text_length(rest: &str) -> Option<usize> {
    let quote = rest.chars().next()?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(at + c.len_utf8());
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

fn number_length(rest: &str, index: bool) -> usize {
    let bytes = rest.as_bytes();
    let based =
        bytes[0] == b'0' && matches!(bytes.get(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B'));
    if based {
        let end = rest[2..].find(|c: char| !c.is_ascii_hexdigit() && c != '_');
        return end.map_or(rest.len(), |end| end + 2);
    }
    let digits = |from: usize| {
        let more = bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'_');
        from + more.count()
    };
    let mut end = digits(0);
    if index {
        return end;
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// Python's escapes in a text; an unknown one stays as it stands.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut surrogate: Option<u32> = None;
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = chars.next() else {
            return Err("a text ends in a backslash".to_owned());
        };
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        if digits > 0 {
            let hex: String = chars.by_ref().take(digits).collect();
            let bad = || format!("the escape \\{escape}{hex} is no character");
            if hex.len() != digits {
                return Err(bad());
            }
            let code = u32::from_str_radix(&hex, 16).map_err(|_| bad())?;
            match (surrogate.take(), code) {
                (None, 0xD800..=0xDBFF) => surrogate = Some(code),
                (Some(high), 0xDC00..=0xDFFF) => {
                    let pair = 0x1_0000 + ((high - 0xD800) << 10) + (code - 0xDC00);
                    out.push(char::from_u32(pair).ok_or_else(bad)?);
                }
                (_, code) => out.push(char::from_u32(code).ok_or_else(bad)?),
            }
            continue;
        }
        match escape {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '\n' => {}
            '\\' | '\'' | '"' => out.push(escape),
            '0'..='7' => {
                let mut code = escape.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = chars.clone().next().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    chars.next();
                    code = code * 8 + digit;
                }
                out.extend(char::from_u32(code));
            }
            other => out.extend(['\\', other]),
        }
    }
    if surrogate.is_some() {
        return Err("half a surrogate pair in a text".to_owned());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_fall_into_text_and_tags() {
        let tag = |open, inner, close| Piece::Tag { open, inner, close };
        for (source, expected) in [
            ("a {b} {", vec![Piece::Text("a {b} {")]),
            (
                "x{%- if a -%}y{{+ '%}}}' }}",
                vec![
                    Piece::Text("x"),
                    tag("{%-", " if a ", "-%}"),
                    Piece::Text("y"),
                    tag("{{+", " '%}}}' ", "}}"),
                ],
            ),
            (
                "{# {{ x }} #}{% raw %}{{ y }}{%- endraw %}z",
                vec![Piece::Text("{# {{ x }} #}{% raw %}{{ y }}{%- endraw %}z")],
            ),
            (
                "{% raw %}\n{{ y }}{% endraw %}",
                ["{% raw %}", "\n", "\n{{ y }}{% endraw %}"]
                    .map(Piece::Text)
                    .into(),
            ),
            ("{{{'a': {}}}}", vec![tag("{{", "{'a': {}}", "}}")]),
            ("{%endif%}", vec![tag("{%", "endif", "%}")]),
            ("{{-}}", vec![tag("{{-", "", "}}")]),
        ] {
            assert_eq!(pieces(source).unwrap(), expected, "{source}");
        }
        for (source, reason) in [
            ("\n{{ 'x }}", "line 2: a tag never ends"),
            ("{# x", "line 1: a comment never ends"),
            ("{% raw %}x", "line 1: a raw block never ends"),
        ] {
            assert_eq!(pieces(source).unwrap_err(), reason);
        }
    }

    #[test]
    fn tags_fall_into_tokens() {
        let texts = |inner| -> Vec<String> {
            let tokens = tokens(inner).unwrap();
            tokens.iter().map(Token::written).collect()
        };
        assert_eq!(
            texts("x.0.1 + 1.5e3 - 0x1F ** 1_000 // y[::-1]"),
            [
                "x", ".", "0", ".", "1", "+", "1.5e3", "-", "0x1F", "**", "1000", "//", "y", "[",
                ":", ":", "-", "1", "]"
            ]
        );
        assert_eq!(
            texts(r#"'a\n\x41\u00e9\'\q' "\\\"" '\101\0' '\ud83d\ude00'"#),
            ["\"a\\nAé'\\\\q\"", "\"\\\\\\\"\"", "\"A\0\"", "\"😀\""]
        );
        for wrong in ["'a", "a ? b", r"'\u12'", r"'\ud800'", r"'\xzz'"] {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
    }
}
