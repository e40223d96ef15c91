//! What a message quotes of a file.

use std::fmt::Display;

/// A text for a message, cut where it is long: files of others hold values of any length.
#[must_use]
pub fn brief(text: impl Display) -> String {
    const MOST: usize = 300;
    let text = text.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_short() {
        assert_eq!(brief("ä"), "ä");
        assert_eq!(brief("ä".repeat(1000)), "ä".repeat(300) + "…");
    }
}
