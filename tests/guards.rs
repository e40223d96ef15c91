//! How well the guards tell planted defects from look-alikes; the figures show with `--nocapture`.

use serde::Deserialize;

use colloquy::guards::{Candidate, Instructions, Utterance, check_for};
use colloquy::record::{GuardHit, GuardKind, Role};

/// A reply with what came before it, and whether its guard should turn it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planted {
    hit: bool,
    speaker: Role,
    text: String,
    #[serde(default)]
    own: Vec<String>,
    #[serde(default)]
    other: Vec<String>,
    #[serde(default)]
    truncated: bool,
    #[serde(default = "sixty")]
    budget: usize,
}

fn sixty() -> usize {
    60
}

/// The instructions as the compact pack renders them, and lines of a longer prompt.
fn instructions(speaker: Role) -> &'static str {
    match speaker {
        Role::Agent => {
            "You are Robin, support agent at Larkmoor. Answer from this help page only, in one or two short sentences.\n\
             - Keep every number, date, price and condition exactly as the page states it.\n\
             - Answer the customer's last message from the help page below and from nothing else.\nPage:"
        }
        Role::Customer => {
            "You are , a customer of Larkmoor, writing to support.\nQuestion:\nTone: annoyed. Style: casual. The rule does \
             not help you and you do not accept it. You accept a clear answer. You have little time and leave early.\n\
             - Do not repeat what either side has said.\nItem: . Order: , , ."
        }
    }
}

fn verdict(kind: GuardKind, planted: &Planted) -> Option<GuardHit> {
    let read = |turns: &[String]| -> Vec<Utterance> {
        turns.iter().map(|turn| Utterance::new(turn)).collect()
    };
    let (own, other) = (read(&planted.own), read(&planted.other));
    let (own_name, other_name) = if planted.speaker == Role::Agent {
        ("Robin", "Mia")
    } else {
        ("Mia", "Robin")
    };
    check_for(
        kind,
        &Candidate {
            speaker: Some(planted.speaker),
            text: &Utterance::new(&planted.text),
            truncated: planted.truncated,
            own: &own.iter().collect::<Vec<_>>(),
            other: &other.iter().collect::<Vec<_>>(),
            instructions: &Instructions::new(instructions(planted.speaker)),
            own_name,
            other_names: &[other_name],
            max_words: planted.budget,
        },
    )
}

const SETS: &[(GuardKind, &str)] = &[
    (GuardKind::Empty, include_str!("guards/empty.json")),
    (GuardKind::TooLong, include_str!("guards/too_long.json")),
    (GuardKind::Echo, include_str!("guards/echo.json")),
    (GuardKind::Repeat, include_str!("guards/repeat.json")),
    (GuardKind::RoleLeak, include_str!("guards/role_leak.json")),
    (
        GuardKind::PromptLeak,
        include_str!("guards/prompt_leak.json"),
    ),
    (GuardKind::MetaTalk, include_str!("guards/meta_talk.json")),
    (
        GuardKind::ThanksLoop,
        include_str!("guards/thanks_loop.json"),
    ),
];

#[test]
#[expect(
    clippy::cast_precision_loss,
    reason = "figures of a test, shown with --nocapture"
)]
fn guards_find_what_is_planted_and_little_else() {
    let mut failures = Vec::new();
    for (kind, json) in SETS {
        let set: Vec<Planted> = serde_json::from_str(json).unwrap();
        let (hits, alike): (Vec<_>, Vec<_>) = set.iter().partition(|planted| planted.hit);
        assert!(
            hits.len() >= 20 && alike.len() >= 20,
            "{kind:?}: {} hits, {} look-alikes",
            hits.len(),
            alike.len()
        );
        let missed: Vec<_> = hits
            .iter()
            .filter(|planted| verdict(*kind, planted).is_none())
            .collect();
        let alarms: Vec<_> = alike
            .iter()
            .filter_map(|planted| Some((planted, verdict(*kind, planted)?)))
            .collect();
        let recall = 1.0 - missed.len() as f64 / hits.len() as f64;
        let false_share = alarms.len() as f64 / alike.len() as f64;
        println!(
            "{:<12} recall {recall:.3} of {:>2}, false alarms {false_share:.3} of {:>2}",
            format!("{kind:?}"),
            hits.len(),
            alike.len()
        );
        for planted in missed {
            println!(
                "    missed: {:?} after {:?} / {:?}",
                planted.text, planted.own, planted.other
            );
        }
        for (planted, hit) in alarms {
            println!("    false alarm: {:?} ({})", planted.text, hit.detail);
        }
        if recall < 0.95 || false_share > 0.05 {
            failures.push(*kind);
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

/// A look-alike of one guard is no hit of another, leaving out those that are planted there for good reason.
#[test]
fn look_alikes_mostly_pass_all_guards() {
    let (mut alike, mut alarms) = (0, Vec::new());
    for (_, json) in SETS {
        let set: Vec<Planted> = serde_json::from_str(json).unwrap();
        for planted in set.iter().filter(|planted| !planted.hit) {
            alike += 1;
            alarms.extend(
                SETS.iter()
                    .filter_map(|(kind, _)| verdict(*kind, planted))
                    .map(|hit| (hit, planted.text.clone())),
            );
        }
    }
    assert!(
        alarms.len() * 50 <= alike,
        "{} of {alike}: {alarms:#?}",
        alarms.len()
    );
}
