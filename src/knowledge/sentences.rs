use std::ops::Range;

/// Words whose dot ends no sentence.
const TITLES: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "messrs", "e.g", "i.e", "eg", "ie", "vs", "cf", "fig",
    "approx", "ca", "incl", "excl", "tel", "ext",
];

/// Words whose dot ends a sentence only where the next word begins with a capital letter.
const ENDINGS: &[&str] = &[
    "a.m", "p.m", "am", "pm", "etc", "ltd", "inc", "co", "plc", "dept", "min", "mins", "max", "hr",
    "hrs", "sec", "kg", "cm", "mm", "km", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep",
    "sept", "oct", "nov", "dec",
];

/// Words whose dot belongs to the number that follows.
const BEFORE_NUMBERS: &[&str] = &["no", "nos", "nr", "art", "p", "pp", "sec", "para"];

/// Names that begin with a capital letter inside a sentence, after a time of day.
const DAYS: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "Sat",
    "Sun",
];

/// Byte ranges of the sentences of a reply or a paragraph, in order and without white space around them. Lines are
/// sentences of their own; the marks of list items belong to none.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mark = item_mark(line);
        split_line(line, mark, start, &mut found);
        start += line.len();
    }
    found
}

/// Bytes of the mark that makes a line a list item, with the white space around it.
fn item_mark(line: &str) -> usize {
    let indent = line.len() - line.trim_start().len();
    let rest = &line[indent..];
    let bullet = rest
        .chars()
        .next()
        .filter(|c| matches!(c, '-' | '*' | '+' | '•' | '–'));
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mark = match bullet {
        Some(bullet) => bullet.len_utf8(),
        None if (1..=2).contains(&digits) && rest[digits..].starts_with(['.', ')']) => digits + 1,
        None => return indent,
    };
    let after = rest[mark..].len() - rest[mark..].trim_start().len();
    if after == 0 {
        indent
    } else {
        indent + mark + after
    }
}

fn split_line(line: &str, from: usize, offset: usize, found: &mut Vec<Range<usize>>) {
    let mut begin = from;
    let mut push = |begin: usize, end: usize| {
        let part = &line[begin..end];
        let lead = part.len() - part.trim_start().len();
        let trimmed = part.trim();
        if trimmed.contains(char::is_alphanumeric) {
            let at = offset + begin + lead;
            found.push(at..at + trimmed.len());
        }
    };
    let mut skip_to = from;
    for (at, mark) in line.char_indices() {
        if at < skip_to || !matches!(mark, '.' | '!' | '?' | '…') {
            continue;
        }
        let run = &line[at..];
        let marks = run.len() - run.trim_start_matches(['.', '!', '?', '…']).len();
        let after_marks = &run[marks..];
        let closers = after_marks.len()
            - after_marks
                .trim_start_matches(['"', '\'', '”', '’', ')', ']'])
                .len();
        let end = at + marks + closers;
        skip_to = end;
        if ends_sentence(&line[begin..at], &run[..marks], closers > 0, &line[end..]) {
            push(begin, end);
            begin = end;
        }
    }
    push(begin, line.len());
}

/// Whether the marks that stand between `before` and `after` end a sentence.
fn ends_sentence(before: &str, marks: &str, closed: bool, after: &str) -> bool {
    let Some(next) = after.chars().next() else {
        return true;
    };
    let word = before
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '"' | '“' | '‘'))
        .next()
        .unwrap_or("");
    if !next.is_whitespace() {
        // A space was forgotten: "on the way.Please wait".
        return marks == "."
            && !closed
            && next.is_uppercase()
            && word.chars().count() > 2
            && word.chars().all(char::is_lowercase);
    }
    let Some(first) = after.trim_start().chars().next() else {
        return true;
    };
    let continues = first.is_lowercase();
    if marks.contains(['!', '?']) {
        return true;
    }
    if marks.len() > 1 {
        return !continues;
    }
    let bare = word.to_lowercase();
    let bare = bare.trim_matches(|c: char| !c.is_alphanumeric());
    if TITLES.contains(&bare) {
        return false;
    }
    if BEFORE_NUMBERS.contains(&bare) && first.is_ascii_digit() {
        return false;
    }
    let counted = bare.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ':');
    if ENDINGS.contains(&bare) || counted.len() < bare.len() && ENDINGS.contains(&counted) {
        let next_word = after.trim_start();
        return first.is_uppercase() && !DAYS.iter().any(|day| next_word.starts_with(day));
    }
    // An initial: "J. Smith", never "I".
    let mut letters = word.chars();
    let single = letters
        .next()
        .filter(|c| c.is_uppercase() && letters.next().is_none());
    !matches!(single, Some(letter) if letter != 'I' && first.is_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|at| &text[at]).collect()
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        for (text, expected) in [
            (
                "It costs £4.99. We send it at once.",
                &["It costs £4.99.", "We send it at once."][..],
            ),
            (
                "Ask for No. 5 at the desk. Then wait.",
                &["Ask for No. 5 at the desk.", "Then wait."],
            ),
            (
                "We close at 5 p.m. Monday to Friday. On Sundays we rest.",
                &[
                    "We close at 5 p.m. Monday to Friday.",
                    "On Sundays we rest.",
                ],
            ),
            (
                "We close at 5 p.m. You can write later.",
                &["We close at 5 p.m.", "You can write later."],
            ),
            (
                "Calls end at 5pm. today as well.",
                &["Calls end at 5pm. today as well."],
            ),
            (
                "Write to help.desk@larkmoor.example. We answer.",
                &["Write to help.desk@larkmoor.example.", "We answer."],
            ),
            (
                "Well... that depends. Is it new?",
                &["Well... that depends.", "Is it new?"],
            ),
            ("Hmm… Let me see.", &["Hmm…", "Let me see."]),
            (
                "He said \"no.\" Then he left!",
                &["He said \"no.\"", "Then he left!"],
            ),
            (
                "Mr. Hill, e.g. a neighbour, may sign. Fine?! ok",
                &["Mr. Hill, e.g. a neighbour, may sign.", "Fine?!", "ok"],
            ),
            ("ok. so you can send it.", &["ok.", "so you can send it."]),
            (
                "It is on the way.Please wait.",
                &["It is on the way.", "Please wait."],
            ),
            (
                "It weighs 2.5 kg. approx. 3 boxes, J. Smith packed it.",
                &["It weighs 2.5 kg. approx. 3 boxes, J. Smith packed it."],
            ),
            (
                "- a lead\n- a plug. And more\n2. the box\n\n  3) form",
                &["a lead", "a plug.", "And more", "the box", "form"],
            ),
            ("30. That is the limit.", &["That is the limit."]),
            ("-5 degrees", &["-5 degrees"]),
            ("...", &[]),
            ("", &[]),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn spans_are_ordered_and_lose_no_word(text in "([a-zA-Z£é0-9]{0,4}[ .!?…\"\n]{0,2}){0,20}") {
            let spans = sentences(&text);
            for pair in spans.array_windows::<2>() {
                proptest::prop_assert!(pair[0].end <= pair[1].start);
            }
            let kept: usize = spans.iter().map(|at| text[at.clone()].matches(char::is_alphabetic).count()).sum();
            proptest::prop_assert_eq!(kept, text.matches(char::is_alphabetic).count());
        }
    }
}
