use std::fmt;

/// Things that are named; the others are only counted.
const NAMED: usize = 20;

/// What of a file was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Conversations: empty ones, and a last one that was cut off.
    pub rows: u64,
    /// Turns of conversations that are there: those without a text, and what no participant says.
    pub turns: u64,
    /// Lines with nothing on them.
    pub blank: u64,
    /// Line, from 1, and why, of the first twenty rows and turns.
    pub first: Vec<(u64, String)>,
}

impl Skipped {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows + self.turns + self.blank == 0
    }

    pub(super) fn row(&mut self, line: u64, why: &str) {
        self.rows += 1;
        self.name(line, why);
    }

    pub(super) fn turn(&mut self, line: u64, why: &str) {
        self.turns += 1;
        self.name(line, why);
    }

    fn name(&mut self, line: u64, why: &str) {
        if self.first.len() < NAMED {
            self.first.push((line, why.to_owned()));
        }
    }
}

/// `1 conversation, 2 turns and 3 blank lines left out: line 4 (an empty turn), …`.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |n: u64, noun: &str| {
            (n > 0).then(|| format!("{n} {noun}{}", if n == 1 { "" } else { "s" }))
        };
        let parts: Vec<String> = [
            counted(self.rows, "conversation"),
            counted(self.turns, "turn"),
            counted(self.blank, "blank line"),
        ]
        .into_iter()
        .flatten()
        .collect();
        write!(f, "{} left out", parts.join(", "))?;
        for (at, (line, why)) in self.first.iter().take(5).enumerate() {
            let mark = if at == 0 { ":" } else { "," };
            write!(f, "{mark} line {line} ({why})")?;
        }
        if self.rows + self.turns > 5 {
            f.write_str(", …")?;
        }
        Ok(())
    }
}
