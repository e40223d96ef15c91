//! What `doctor` found: a line a check, a remedy where one is needed.

use std::fmt::Write;

use console::Style;
use serde_json::{Value, json};

use crate::cli::failure::{Code, Failure};

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    Good,
    /// It works, and could be better, or is good to know.
    Note,
    /// It does not work; a command that meets it ends with this code.
    Bad(Code),
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: &'static str,
    pub mark: Mark,
    pub text: String,
    /// What to do about it, in a line.
    pub remedy: Option<String>,
    /// The figures behind the text.
    pub facts: Value,
}

impl Check {
    pub fn good(name: &'static str, text: impl Into<String>, facts: Value) -> Self {
        Self {
            name,
            mark: Mark::Good,
            text: text.into(),
            remedy: None,
            facts,
        }
    }

    /// What is worth a note, with what could be done.
    #[must_use]
    pub fn note(mut self, remedy: impl Into<String>) -> Self {
        self.mark = Mark::Note;
        self.remedy = Some(remedy.into());
        self
    }

    /// As the command that meets it would say.
    pub fn bad(name: &'static str, failure: Failure) -> Self {
        Self {
            name,
            mark: Mark::Bad(failure.code),
            text: failure.message.lines().collect::<Vec<_>>().join(" "),
            remedy: failure.hint,
            facts: Value::Null,
        }
    }
}

/// The code of the first check that is bad.
pub fn first_problem(checks: &[Check]) -> Option<Code> {
    checks.iter().find_map(|check| match check.mark {
        Mark::Bad(code) => Some(code),
        _ => None,
    })
}

pub fn as_text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.mark {
            Mark::Good => Style::new().green().apply_to("✔"),
            Mark::Note => Style::new().yellow().apply_to("!"),
            Mark::Bad(_) => Style::new().red().bold().apply_to("✘"),
        };
        let _ = writeln!(text, "{mark} {:<12} {}", check.name, check.text);
        if let Some(remedy) = &check.remedy {
            let arrow = Style::new().dim().apply_to("→");
            let _ = writeln!(text, "  {:<12} {arrow} {remedy}", "");
        }
    }
    let bad = checks
        .iter()
        .filter(|check| matches!(check.mark, Mark::Bad(_)));
    let _ = match bad.count() {
        0 => writeln!(text, "everything is usable"),
        1 => writeln!(text, "1 problem"),
        n => writeln!(text, "{n} problems"),
    };
    text
}

pub fn as_json(checks: &[Check]) -> Value {
    let all: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "state": match check.mark {
                    Mark::Good => "ok",
                    Mark::Note => "note",
                    Mark::Bad(_) => "problem",
                },
                "text": check.text,
                "remedy": check.remedy,
                "facts": check.facts,
            })
        })
        .collect();
    json!({
        "ok": first_problem(checks).is_none(),
        "exit_code": first_problem(checks).map_or(0, |code| code as u8),
        "checks": all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        vec![
            Check::good("threads", "2", json!(2)),
            Check::good("cuda", "none", Value::Null).note("use the CPU"),
            Check::bad(
                "output",
                Failure::new(Code::Io, "cannot write\nruns").hint("choose another"),
            ),
            Check::bad("model", Failure::new(Code::Missing, "no such model")),
        ]
    }

    #[test]
    fn every_check_has_a_mark_and_the_first_problem_counts() {
        let text = as_text(&checks());
        for line in [
            "✔ threads",
            "! cuda",
            "→ use the CPU",
            "✘ output       cannot write runs",
            "→ choose another",
            "2 problems",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert_eq!(first_problem(&checks()), Some(Code::Io));
        assert_eq!(first_problem(&checks()[..2]), None);
        assert!(as_text(&checks()[..2]).ends_with("everything is usable\n"));
    }

    #[test]
    fn json_says_the_same() {
        let value = as_json(&checks());
        assert_eq!(
            (&value["ok"], &value["exit_code"]),
            (&json!(false), &json!(74))
        );
        let states: Vec<_> = value["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["state"].as_str().unwrap())
            .collect();
        assert_eq!(states, ["ok", "note", "problem", "problem"]);
    }
}
