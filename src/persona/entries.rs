use serde_json::Value;

/// A value of a file, and the line that it begins on, from 1.
pub(crate) type Entry = (u64, Result<Value, String>);

/// The values of a text: one for the whole, be it written over many lines, or one a line. Blank lines are left out; a line
/// that is no JSON says what is wrong with it.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let text = text.trim_start_matches('\u{feff}');
    let whole = match serde_json::from_str(text) {
        Ok(value) => {
            let blank = &text[..text.len() - text.trim_start().len()];
            return vec![(1 + blank.matches('\n').count() as u64, Ok(value))];
        }
        Err(error) => error,
    };
    let lines: Vec<Entry> = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| {
            (
                number,
                serde_json::from_str(line.trim()).map_err(|e| told(&e)),
            )
        })
        .collect();
    if lines.len() < 2 || lines.iter().any(|(_, entry)| entry.is_ok()) {
        return lines;
    }
    // Neither: it is one broken value rather than many broken lines.
    vec![(whole.line() as u64, Err(told(&whole)))]
}

/// `expected value at column 3`.
pub(super) fn told(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or(&what);
    format!("{what} at column {}", error.column())
}
