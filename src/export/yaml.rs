use std::fmt::Write;

use super::schema::{Column, Type};

/// A key with a list of scalars; nothing where there are none.
pub(super) fn list(yaml: &mut String, key: &str, values: Vec<String>) {
    if values.is_empty() {
        return;
    }
    let _ = writeln!(yaml, "{key}:");
    for value in values {
        let _ = writeln!(yaml, "- {}", quoted(&value));
    }
}

/// A YAML scalar: plain where nothing could be read into it, else between quotes with escapes that YAML and JSON share.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_<".contains(c))
        && ![
            "no", "on", "off", "yes", "true", "false", "null", "y", "n", "none",
        ]
        .contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                match c.encode_utf16(&mut units) {
                    [unit] => {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                    _ => {
                        let _ = write!(out, "\\U{:08x}", u32::from(c));
                    }
                }
            }
        }
    }
    out.push('"');
    out
}

/// Columns as `datasets` declares them in a card.
pub(super) fn features(yaml: &mut String, columns: &[Column], indent: &str) {
    for column in columns {
        let _ = writeln!(yaml, "{indent}- name: {}", column.name);
        let inner = format!("{indent}  ");
        match &column.kind {
            Type::List(of) => match &**of {
                Type::Struct(columns) => {
                    let _ = writeln!(yaml, "{inner}list:");
                    features(yaml, columns, &inner);
                }
                plain => {
                    let _ = writeln!(yaml, "{inner}list: {}", dtype(plain));
                }
            },
            Type::Struct(columns) => {
                let _ = writeln!(yaml, "{inner}struct:");
                features(yaml, columns, &inner);
            }
            plain => {
                let _ = writeln!(yaml, "{inner}dtype: {}", dtype(plain));
            }
        }
    }
}

fn dtype(kind: &Type) -> &'static str {
    match kind {
        Type::Flag => "bool",
        Type::Whole => "int64",
        Type::Seed => "uint64",
        Type::Text | Type::List(_) | Type::Struct(_) => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_never_read_as_something_else() {
        for (text, told) in [
            ("apache-2.0", "apache-2.0"),
            ("n<1K", "n<1K"),
            ("1K<n<10K", "\"1K<n<10K\""),
            ("no", "\"no\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
            ("it's \"x\" \\", "\"it's \\\"x\\\" \\\\\""),
            ("ä\u{2028}\n😀", "\"\\u00e4\\u2028\\u000a\\U0001f600\""),
        ] {
            assert_eq!(quoted(text), told);
        }
    }
}
