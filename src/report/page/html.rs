//! Text in HTML: whatever it says, it stays text.

use std::fmt;

/// A text as it is written in an element or in a quoted attribute.
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                // It may not stand in HTML, not even by its number.
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// A name like `page_lacks_it`, as people read it.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// The same as a title.
pub fn title(name: &str) -> String {
    let words = words(name);
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

/// JSON that can stand in a script element: it closes none, and opens no comment.
pub fn json(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_string(value).expect("texts, numbers and lists of them");
    json.replace('<', "\\u003c")
}

/// Bytes in base64 (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| three.get(place).copied().unwrap_or(0);
        let bits = u32::from_be_bytes([0, at(0), at(1), at(2)]);
        for place in 0..4 {
            if place > three.len() {
                text.push('=');
            } else {
                let letter = (bits >> (18 - 6 * place)) & 63;
                text.push(char::from(LETTERS[letter as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        assert_eq!(
            Text("<a href='x'>\"R&D\"</a>\0 é").to_string(),
            "&lt;a href=&#39;x&#39;&gt;&quot;R&amp;D&quot;&lt;/a&gt;\u{fffd} é"
        );
        assert_eq!(Text("plain").to_string(), "plain");
        assert_eq!(title("end_reason"), "End reason");
        assert_eq!(json(&"</script><!--"), "\"\\u003c/script>\\u003c!--\"");
    }

    #[test]
    fn base64_as_the_rfc_has_it() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")];
        for (bytes, text) in cases.into_iter().chain([("foobar", "Zm9vYmFy")]) {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
