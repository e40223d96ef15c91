use serde::{Deserialize, Serialize};

/// Entries that are named; the others are only counted.
const NAMED: usize = 10;

/// Lines or entries that were left out of what was read, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub count: u64,
    /// Number, from 1, and what is wrong, of the first ten.
    pub first: Vec<(u64, String)>,
}

impl Skipped {
    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn add(&mut self, number: u64, what: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push((number, what));
        }
    }
}

/// `3 skipped: 2 (…), 7 (…), 9 (…)`.
impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} skipped", self.count)?;
        for (at, (number, what)) in self.first.iter().enumerate() {
            let mark = if at == 0 { ":" } else { "," };
            write!(f, "{mark} {number} ({what})")?;
        }
        if self.count > self.first.len() as u64 {
            f.write_str(", …")?;
        }
        Ok(())
    }
}
