use std::cell::Cell;
use std::time::{Duration, Instant};

/// Without a terminal, how far something has come is said this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Says on standard error what comes next: on one line that changes in a terminal, else a line each.
pub struct Teller {
    term: console::Term,
    shown: Cell<bool>,
    last: Cell<Instant>,
}

impl Teller {
    pub fn new() -> Self {
        Self {
            term: console::Term::stderr(),
            shown: Cell::new(false),
            last: Cell::new(Instant::now()),
        }
    }

    /// How far it has come: without a terminal only now and then.
    pub fn go_on(&self, what: &str) {
        if self.term.is_term() || self.last.get().elapsed() > LINE_EVERY {
            self.say(what);
        }
    }

    pub fn say(&self, what: &str) {
        self.last.set(Instant::now());
        if self.term.is_term() {
            self.clear();
            let width = usize::from(self.term.size().1).saturating_sub(1).max(20);
            let line = console::truncate_str(what, width, "…");
            let _ = self.term.write_str(&line);
            self.shown.set(true);
        } else {
            eprintln!("{what}");
        }
    }

    pub fn clear(&self) {
        if self.shown.take() {
            let _ = self.term.clear_line();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.clear();
    }
}
