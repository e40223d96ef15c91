//! JSON text as Python's `json.dumps` writes it: separators with a space, no HTML escapes, Python's number forms.

use std::fmt::Write as _;

use minijinja::Value;
use minijinja::value::ValueKind;

/// The options of `tojson` that templates use.
pub(super) struct Style {
    pub(super) ensure_ascii: bool,
    pub(super) sort_keys: bool,
    /// Spaces per level; `None` writes one line.
    pub(super) indent: Option<usize>,
    pub(super) item_separator: String,
    pub(super) key_separator: String,
}

impl Style {
    /// Writes one value.
    pub(super) fn dump(&self, value: &Value) -> String {
        let mut out = String::new();
        self.write(value, 0, &mut out);
        out
    }

    fn write(&self, value: &Value, level: usize, out: &mut String) {
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
            ValueKind::Number => out.push_str(
                &f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float_repr),
            ),
            ValueKind::Map => {
                let keys = value.try_iter().into_iter().flatten();
                let mut entries: Vec<_> = keys
                    .map(|key| (key.to_string(), value.get_item(&key).unwrap_or_default()))
                    .collect();
                if entries.is_empty() {
                    return out.push_str("{}");
                }
                if self.sort_keys {
                    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                }
                out.push('{');
                for (index, (key, item)) in entries.into_iter().enumerate() {
                    self.separate(index, level + 1, out);
                    self.write_string(&key, out);
                    out.push_str(&self.key_separator);
                    self.write(&item, level + 1, out);
                }
                self.break_line(level, out);
                out.push('}');
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<_> = value.try_iter().into_iter().flatten().collect();
                if items.is_empty() {
                    return out.push_str("[]");
                }
                out.push('[');
                for (index, item) in items.into_iter().enumerate() {
                    self.separate(index, level + 1, out);
                    self.write(&item, level + 1, out);
                }
                self.break_line(level, out);
                out.push(']');
            }
            _ => self.write_string(&value.to_string(), out),
        }
    }

    fn separate(&self, index: usize, level: usize, out: &mut String) {
        if index > 0 {
            out.push_str(&self.item_separator);
        }
        self.break_line(level, out);
    }

    fn break_line(&self, level: usize, out: &mut String) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * level));
        }
    }

    fn write_string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}").expect("a string takes any text");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// A float as Python prints it: the shortest digits that read back, exponents signed and of two digits.
pub(super) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent
                .strip_prefix('-')
                .map_or(('+', exponent), |rest| ('-', rest));
            let digits = digits.strip_suffix(".0").unwrap_or(digits);
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_does() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (123_456.75, "123456.75"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }
}
