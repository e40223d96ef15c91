//! Whether people stay who they are, as far as rules can tell. English only.

use super::filters::finding;
use super::{Finding, FindingKind};
use crate::augment::style::{self, Hold, Manner};
use crate::metrics::words;
use crate::record::{FirstLanguage, Role, Sample, Style, Tone};

/// Ages that somebody may say to have.
const AGES: std::ops::RangeInclusive<u32> = 5..=110;

/// A customer without the planned style or tone in more than half of the turns.
pub fn of_customer(sample: &Sample) -> Option<Finding> {
    let field = |name: &str| sample.fields.get(name).map(String::as_str);
    let mut styles = Style::ALL.iter().copied();
    let style = styles.find(|style| Some(style.name()) == field("style"));
    let mut languages = FirstLanguage::ALL.iter().copied();
    let first = languages.find(|language| Some(language.name()) == field("first_language"));
    let mut tones = Tone::ALL.iter().copied();
    let tone = tones.find(|tone| Some(tone.name()) == field("tone"));
    let manner = style.and_then(|style| Manner::of(style, first));
    manner
        .and_then(|manner| {
            let holds = |text: &str| style::holds(manner, text);
            mostly_dropped(sample, FindingKind::Style, manner.name(), holds)
        })
        .or_else(|| {
            let tone = tone?;
            let holds = |text: &str| style::holds_tone(tone, text);
            mostly_dropped(sample, FindingKind::Tone, tone.name(), holds)
        })
}

fn mostly_dropped(
    sample: &Sample,
    kind: FindingKind,
    name: &str,
    holds: impl Fn(&str) -> Hold,
) -> Option<Finding> {
    let turns = sample.turns_of(Role::Customer).count();
    let dropped: Vec<String> = sample
        .turns_of(Role::Customer)
        .filter_map(|turn| match holds(&turn.text) {
            Hold::Held => None,
            Hold::Dropped(why) => Some(why),
        })
        .collect();
    if dropped.len() * 2 <= turns {
        return None;
    }
    let why = &dropped[0];
    finding(
        kind,
        format!(
            "{} of {turns} customer turns are not {name}: {why}",
            dropped.len()
        ),
    )
}

/// A member who says to be another of the group, or of another age.
pub fn of_members(sample: &Sample) -> Option<Finding> {
    let first_name = |name: &str| words(name).next().unwrap_or_default();
    sample.turns.iter().enumerate().find_map(|(nth, turn)| {
        let own = sample.speakers.get(turn.speaker)?;
        let said: Vec<String> = words(&turn.text).collect();
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        let name = says_name(&said).filter(|name| {
            let mut others = sample.speakers.iter();
            *name != first_name(&own.name) && others.any(|other| *name == first_name(&other.name))
        });
        if let Some(name) = name {
            let detail = format!("turn {nth}: {} says to be {name}", own.name);
            return finding(FindingKind::Persona, detail);
        }
        let (is, says) = (age_of(&own.persona)?, says_age(&said)?);
        if is == says {
            return None;
        }
        let detail = format!("turn {nth}: {} is {is} and says {says}", own.name);
        finding(FindingKind::Persona, detail)
    })
}

/// `my name is X`, `I am X here`, `this is X speaking`: the word in X's place, where the rest stands around it.
fn says_name<'a>(said: &[&'a str]) -> Option<&'a str> {
    said.windows(4).find_map(|four| match four {
        ["my", "name", "is", name] | ["this", "is", name, "speaking" | "here"] => Some(*name),
        _ => None,
    })
}

/// `I am 45 years old`, `I'm a 45 year old`, `at 45 years of age I`.
fn says_age(said: &[&str]) -> Option<u32> {
    said.windows(4).enumerate().find_map(|(at, four)| {
        let ["i'm" | "am", number, "years" | "year", "old"] = four else {
            return None;
        };
        // `Am I 45 years old?` has the number behind `i`; `she says I am` is no matter for rules.
        let own = four[0] == "i'm" || at > 0 && said[at - 1] == "i";
        let age = number.parse().ok().filter(|age| AGES.contains(age))?;
        own.then_some(age)
    })
}

/// The age in a persona: `45 years`, `45-year-old`.
fn age_of(persona: &str) -> Option<u32> {
    let all: Vec<String> = words(persona).collect();
    all.windows(2).find_map(|two| {
        let age = two[0].parse().ok().filter(|age| AGES.contains(age))?;
        matches!(two[1].as_str(), "years" | "year").then_some(age)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Speaker, Utterance, Verdict};

    fn chat(text: &str) -> Sample {
        let speaker = |name: &str, persona: &str| Speaker {
            name: name.into(),
            role: None,
            persona: persona.into(),
        };
        Sample {
            id: "c/0/0".into(),
            kind: Kind::Group,
            speakers: vec![
                speaker("Ada Quill", "Irish; 45 years; patient"),
                speaker("Bo", "a 30-year-old potter"),
            ],
            turns: vec![Utterance {
                text: text.into(),
                ..Utterance::default()
            }],
            outcome: None,
            end_reason: None,
            verdict: Verdict::Keep,
            rewrites: Vec::new(),
            fields: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn members_are_who_they_are() {
        for (text, found) in [
            (
                "Hello, my name is Bo.",
                Some("turn 0: Ada Quill says to be bo"),
            ),
            ("Hello, my name is Ada.", None),
            ("My name is on the list. This is Bo.", None),
            (
                "I am 30 years old.",
                Some("turn 0: Ada Quill is 45 and says 30"),
            ),
            ("I'm 45 years old.", None),
            ("The house is 30 years old. Am I?", None),
            ("He said the dog am 30 years old", None),
        ] {
            let finding = of_members(&chat(text));
            assert_eq!(
                finding.map(|found| found.detail).as_deref(),
                found,
                "{text}"
            );
        }
        assert_eq!(age_of("a 30-year-old potter"), Some(30));
        assert_eq!(age_of("worked 45 shifts"), None);
    }
}
