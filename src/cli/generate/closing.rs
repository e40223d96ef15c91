use std::fmt::Write;

use console::Style;

use crate::cli::failure::Failure;
use crate::cli::talk::{self, grouped};
use crate::cli::workshop::models::{by_model, roles};
use crate::cli::workshop::{Seating, Workshop};
use crate::progress::clock;
use crate::record::{Dialogue, EndReason, Outcome};
use crate::run::{End, Replay, RunDir, Status};

/// Kept conversations among which one that came out otherwise is looked for.
const LOOKED_AT: usize = 200;

/// What a session has come to.
pub struct Session<'a> {
    pub dir: &'a RunDir,
    pub replay: &'a Replay,
    pub status: &'a Status,
    pub end: End,
    /// Of the export.
    pub rows: u64,
    pub seconds: f64,
    /// Whether everything was there before.
    pub nothing_new: bool,
    pub seating: &'a Seating,
}

/// What is said at the end: what there is now, what is missing, and two conversations to look at.
pub fn closing(workshop: &Workshop, session: &Session) -> Result<String, Failure> {
    let Session {
        dir, status, end, ..
    } = *session;
    let mut text = String::new();
    let done = matches!(end, End::Complete | End::Limit);
    let mark = Style::new()
        .fg(if done {
            console::Color::Green
        } else {
            console::Color::Yellow
        })
        .bold();
    let replaced: u64 = status.rejected.values().sum();
    let reasons: Vec<String> = status
        .rejected
        .iter()
        .map(|(reason, n)| format!("{n} {}", reason.replace('_', " ")))
        .collect();
    let turned_down = match replaced {
        0 => String::new(),
        n => format!(", {n} turned down ({})", reasons.join(", ")),
    };
    let time = time(
        end,
        session.nothing_new,
        session.seconds,
        workshop.spec.places_of(workshop.spec.count),
    );
    let _ = writeln!(
        text,
        "{} {} kept{turned_down} {time} → {}  {} rows in {}",
        mark.apply_to(if done { "✔" } else { "…" }),
        grouped(status.kept),
        dir.path().display(),
        session.rows,
        dir.export_path()
            .strip_prefix(dir.path())
            .unwrap_or(&dir.export_path())
            .display(),
    );
    if !status.shortfalls.is_empty() {
        let _ = writeln!(
            text,
            "{} places stayed empty after {} tries each:",
            status.shortfalls.len(),
            workshop.spec.max_attempts
        );
        for shortfall in status.shortfalls.iter().take(5) {
            let _ = writeln!(
                text,
                "  {}: {}",
                shortfall.task,
                shortfall.reasons.join(", ")
            );
        }
        if status.shortfalls.len() > 5 {
            let _ = writeln!(
                text,
                "  … `colloquy status {}` names them all",
                dir.path().display()
            );
        }
    }
    for conversation in samples(dir.kept(session.replay)?)? {
        let page = |id: &str| workshop.pages.get(id).map(AsRef::as_ref);
        text.push_str(&talk::block(&conversation, page, talk::width()));
    }
    for line in session.seating.usage() {
        let _ = writeln!(text, "{line}");
    }
    if status.kept > 0 {
        let _ = writeln!(
            text,
            "`colloquy report {}` says how good they are.",
            dir.path().display()
        );
    }
    if session.dir.manifest().is_demo() {
        let _ = writeln!(
            text,
            "Demo data: rows are marked `demo`. For real data: `colloquy init DIR`, then name a model in its recipe."
        );
    } else {
        let groups = by_model(&workshop.models);
        for (held, model) in &groups {
            let whose = if groups.len() == 1 {
                "the model's output".to_owned()
            } else {
                format!(
                    "the output of {} ({})",
                    model.identity().reference,
                    roles(held)
                )
            };
            let _ = writeln!(text, "Terms of {whose}: {}", model.identity().licence);
        }
    }
    Ok(text)
}

/// How long it took, or that there was nothing to do among so many `places`.
fn time(end: End, nothing_new: bool, seconds: f64, places: u64) -> String {
    match end {
        End::Complete if nothing_new => "already complete".to_owned(),
        End::Limit if nothing_new => format!("nothing to do within --limit {places}"),
        _ => format!("in {}", clock(seconds)),
    }
}

/// Two that differ, where there are two: the first, and one that came out otherwise or else the second.
fn samples<E>(kept: impl Iterator<Item = Result<Dialogue, E>>) -> Result<Vec<Dialogue>, E> {
    let mut samples: Vec<Dialogue> = Vec::new();
    for conversation in kept.take(LOOKED_AT) {
        let conversation = conversation?;
        if samples.len() < 2 {
            samples.push(conversation);
        } else if differs(&samples[0], &conversation) {
            samples[1] = conversation;
        }
        if samples.len() == 2 && differs(&samples[0], &samples[1]) {
            break;
        }
    }
    Ok(samples)
}

/// Whether a conversation is worth showing beside the first.
fn differs(first: &Dialogue, other: &Dialogue) -> bool {
    first.kind() != other.kind()
        || match other {
            Dialogue::Support(conversation) => conversation.outcome != Some(Outcome::Resolved),
            Dialogue::Group(chat) => chat.end_reason != EndReason::MaxTurns,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Case, Cell, Conversation, Style, Tone, Verdict};

    fn conversation(slot: u64, outcome: Outcome) -> Conversation {
        Conversation {
            id: format!("c/{slot}/0"),
            slot,
            attempt: 0,
            cell: Cell {
                page: "returns".into(),
                tone: Tone::Neutral,
                style: Style::Plain,
                first_language: None,
                product: Some("kettle".into()),
                outcome,
                cooperation: crate::record::Cooperation::Forthcoming,
                cause: None,
            },
            case: Case {
                name: "Ada".into(),
                item: "kettle".into(),
                order_id: "LK-10000".into(),
                order_date: "1 May".into(),
                price: "£20".into(),
            },
            query_id: "returns/0".into(),
            query: "How long?".into(),
            rewrites: Vec::new(),
            goals: Vec::new(),
            passages: Vec::new(),
            turns: Vec::new(),
            outcome: Some(outcome),
            end_reason: EndReason::Customer,
            verdict: Verdict::Keep,
        }
    }

    #[test]
    fn two_are_shown_where_two_are_kept() {
        use Outcome::{Abandoned, Resolved, Unresolved};
        let cases: [(&[Outcome], &[u64]); 6] = [
            (&[], &[]),
            (&[Resolved], &[0]),
            (&[Resolved, Resolved, Resolved], &[0, 1]),
            (&[Resolved, Resolved, Unresolved, Abandoned], &[0, 2]),
            (&[Unresolved, Resolved, Resolved], &[0, 1]),
            (&[Abandoned, Unresolved], &[0, 1]),
        ];
        for (outcomes, expected) in cases {
            let kept = outcomes.iter().zip(0..).map(|(outcome, slot)| {
                Ok::<_, ()>(Dialogue::Support(conversation(slot, *outcome)))
            });
            let samples = samples(kept).unwrap();
            let slots: Vec<u64> = samples.iter().map(|shown| shown.place().0).collect();
            assert_eq!(slots, expected, "{outcomes:?}");
        }
        assert!(samples([Err(())].into_iter()).is_err());
    }

    #[test]
    fn a_limit_that_is_reached_is_not_the_whole() {
        assert_eq!(time(End::Complete, true, 1.0, 24), "already complete");
        assert_eq!(
            time(End::Limit, true, 1.0, 3),
            "nothing to do within --limit 3"
        );
        for end in [End::Complete, End::Limit, End::Time, End::Interrupted] {
            let nothing_new = matches!(end, End::Time | End::Interrupted);
            assert!(time(end, nothing_new, 1.0, 3).starts_with("in "));
        }
    }
}
