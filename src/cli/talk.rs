//! Conversations as people read them.

use std::fmt::Write;

use console::Style;

use crate::record::{Conversation, Dialogue, GroupChat, Page, Role, Verdict};

/// A conversation as a block of lines, wrapped to `width` columns; `page` looks pages up by id.
pub fn block<'a>(
    conversation: &Dialogue,
    page: impl FnOnce(&str) -> Option<&'a Page>,
    width: usize,
) -> String {
    match conversation {
        Dialogue::Support(conversation) => {
            support(conversation, page(&conversation.cell.page), width)
        }
        Dialogue::Group(chat) => group(chat, width),
    }
}

/// Colours of a group's members.
const COLOURS: [console::Color; 6] = [
    console::Color::Cyan,
    console::Color::Green,
    console::Color::Yellow,
    console::Color::Magenta,
    console::Color::Blue,
    console::Color::Red,
];

fn group(chat: &GroupChat, width: usize) -> String {
    let (dim, bold) = (Style::new().dim(), Style::new().bold());
    let names: Vec<&str> = chat.names().collect();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} {} · {} · {} turns · {} · {}",
        dim.apply_to("┌"),
        names.join(", "),
        bold.apply_to(&chat.experience.topic),
        chat.turns.len(),
        chat.end_reason,
        dim.apply_to(&chat.id),
    );
    let widest = names.iter().map(|name| console::measure_text_width(name));
    let label = widest.max().unwrap_or(0).clamp(6, 14);
    let mut put = |name: &str, style: &Style, said: &str| {
        let mut first = true;
        for line in wrap(said, width.saturating_sub(label + 3).max(30)) {
            let name = if std::mem::take(&mut first) { name } else { "" };
            let name = console::pad_str(name, label, console::Alignment::Left, Some("…"));
            let _ = writeln!(
                text,
                "{} {} {line}",
                dim.apply_to("│"),
                style.apply_to(name)
            );
        }
    };
    put("", &dim, &chat.experience.situation);
    for turn in &chat.turns {
        let colour = Style::new().fg(COLOURS[turn.speaker % COLOURS.len()]);
        put(chat.speaker(turn), &colour, &turn.text);
    }
    rejection(&mut text, &chat.verdict);
    text
}

fn rejection(text: &mut String, verdict: &Verdict) {
    let dim = Style::new().dim();
    if let Verdict::Reject { reason, detail } = verdict {
        let _ = writeln!(
            text,
            "{} {}",
            dim.apply_to("│"),
            dim.apply_to(format!("rejected: {reason} ({detail})"))
        );
    }
}

fn support(conversation: &Conversation, page: Option<&Page>, width: usize) -> String {
    let (dim, bold) = (Style::new().dim(), Style::new().bold());
    let cell = &conversation.cell;
    let mut text = String::new();
    let outcome = conversation.outcome.map_or("cut", |outcome| outcome.name());
    let cause = cell
        .cause_of(conversation.outcome)
        .map(|cause| format!(" ({})", cause.words()))
        .unwrap_or_default();
    let title = page.map_or(cell.page.as_str(), |page| page.title.as_str());
    let turns = conversation
        .turns
        .iter()
        .filter(|turn| !turn.text.is_empty())
        .count();
    let _ = writeln!(
        text,
        "{} {} · {} · {} · {} · {title} › {}{cause} · {turns} turns · {}",
        dim.apply_to("┌"),
        cell.tone,
        cell.style,
        cell.cooperation,
        cell.product.as_deref().unwrap_or("no product"),
        bold.apply_to(outcome),
        dim.apply_to(&conversation.id),
    );
    for turn in &conversation.turns {
        let name = Style::new().fg(if turn.speaker == Role::Customer {
            console::Color::Cyan
        } else {
            console::Color::Green
        });
        let mut first = true;
        for line in wrap(&turn.text, width.saturating_sub(12).max(30)) {
            let label = if std::mem::take(&mut first) {
                turn.speaker.name()
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "{} {} {line}",
                dim.apply_to("│"),
                name.apply_to(format!("{label:<9}"))
            );
        }
    }
    rejection(&mut text, &conversation.verdict);
    text
}

/// Columns of the terminal, or 100 without one.
pub fn width() -> usize {
    let term = console::Term::stdout();
    if term.is_term() {
        usize::from(term.size().1).clamp(50, 120)
    } else {
        100
    }
}

/// The words of a text in lines of `width` columns.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty()
            && console::measure_text_width(&line) + 1 + console::measure_text_width(word) > width
        {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A number with thousands apart: `1,410`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            (grouped(7), grouped(1410), grouped(1_234_567)),
            ("7".into(), "1,410".into(), "1,234,567".into())
        );
    }

    #[test]
    fn words_wrap() {
        assert_eq!(wrap("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert!(wrap("", 6).is_empty());
    }
}
