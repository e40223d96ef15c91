use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::record::{Case, Cause, Cooperation, FirstLanguage, Outcome, Style, Tone};

fn passages() -> Vec<PassageVar<'static>> {
    let passage = |heading, text| PassageVar { heading, text };
    vec![
        passage("", "Most things bought from us can come back."),
        passage(
            "How long you have",
            "You can return most items within 30 days of delivery for a full refund.",
        ),
        passage(
            "How long you have",
            "Batteries are the exception:\n- 14 days for loose ones\n- 30 days when built in",
        ),
    ]
}

fn agent_vars() -> AgentVars<'static> {
    AgentVars {
        agent: "Robin",
        brand: "Larkmoor",
        channel: "chat",
        language: "British English",
        max_words: 40,
        title: "Returns",
        passages: passages(),
        steered: false,
    }
}

fn customer_vars(tone: Tone, style: Style, outcome: Outcome) -> CustomerVars<'static> {
    CustomerVars {
        name: "Mia",
        brand: "Larkmoor",
        channel: "chat",
        language: "British English",
        max_words: 30,
        query: "How long do I have to send something back?",
        tone,
        style,
        first_language: (style == Style::NonNative).then_some(FirstLanguage::Polish),
        outcome,
        cooperation: Cooperation::Forthcoming,
        cause: if outcome == Outcome::Unresolved {
            Cause::PolicyRefuses.name()
        } else {
            ""
        },
        item: "washing machine",
        order_id: "LK-48213",
        order_date: "3 May",
        price: "£239",
    }
}

fn queries_vars(n: usize) -> QueriesVars<'static> {
    QueriesVars {
        brand: "Larkmoor",
        language: "British English",
        title: "Returns",
        passages: passages(),
        n,
    }
}

/// The contract with the demo model, letter by letter.
#[test]
fn compact_prompts_are_what_the_demo_model_was_trained_on() {
    let prompts = Prompts::embedded(Pack::Compact);
    let one_line = AgentVars {
        passages: passages()[..2].to_vec(),
        ..agent_vars()
    };
    assert_eq!(
        prompts.agent(&one_line).unwrap(),
        "You are Robin, support agent at Larkmoor. Answer from this help page only, in one or two short sentences.\n\
         Page: Returns\n\
         Most things bought from us can come back.\n\
         You can return most items within 30 days of delivery for a full refund."
    );
    let moods = [
        (Outcome::Resolved, "You accept a clear answer."),
        (
            Outcome::Unresolved,
            "The rule does not help you and you do not accept it.",
        ),
        (Outcome::Abandoned, "You have little time and leave early."),
    ];
    for (outcome, mood) in moods {
        for (tone, tone_name) in [
            (Tone::Cheerful, "cheerful"),
            (Tone::Neutral, "neutral"),
            (Tone::Angry, "angry"),
        ] {
            for (style, style_name) in [
                (Style::Typos, "plain"),
                (Style::Casual, "casual"),
                (Style::Formal, "formal"),
            ] {
                assert_eq!(
                    prompts
                        .customer(&customer_vars(tone, style, outcome))
                        .unwrap(),
                    format!(
                        "You are Mia, a customer of Larkmoor, writing to support.\n\
                         Question: How long do I have to send something back?\n\
                         Tone: {tone_name}. Style: {style_name}. {mood}\n\
                         Item: washing machine. Order: LK-48213, 3 May, £239."
                    )
                );
            }
        }
    }
    // It was trained without them.
    let vars = customer_vars(Tone::Neutral, Style::Plain, Outcome::Unresolved);
    let known = prompts.customer(&vars).unwrap();
    for &cooperation in Cooperation::ALL {
        for &cause in Cause::ALL {
            let cause = cause.name();
            let vars = CustomerVars {
                cooperation,
                cause,
                ..vars
            };
            assert_eq!(prompts.customer(&vars).unwrap(), known);
        }
    }
    assert_eq!(
        prompts.status("Larkmoor").unwrap(),
        "Status: CONTINUE, RESOLVED, UNRESOLVED or ABANDONED?"
    );
    let vars = QueriesVars {
        passages: passages()[..2].to_vec(),
        ..queries_vars(3)
    };
    let (system, user) = prompts.queries(&vars).unwrap();
    assert_eq!(
        system,
        "You write questions that customers of Larkmoor ask."
    );
    assert_eq!(
        user,
        "Page: Returns\nMost things bought from us can come back.\n\
         You can return most items within 30 days of delivery for a full refund.\n\
         Write 3 questions that this page answers, as JSON."
    );
}

#[test]
fn every_rendering_is_as_it_was() {
    for &pack in Pack::ALL {
        let prompts = Prompts::embedded(pack);
        let mut all = String::new();
        let mut add = |name: &str, text: String| writeln!(all, "=== {name}\n{text}|").unwrap();
        add("agent", prompts.agent(&agent_vars()).unwrap());
        add(
            "agent, no page",
            prompts.agent(&agent_vars().bare()).unwrap(),
        );
        add(
            "agent, e-mail",
            prompts
                .agent(&AgentVars {
                    channel: "e-mail",
                    ..agent_vars()
                })
                .unwrap(),
        );
        for &tone in Tone::ALL {
            for &style in Style::ALL {
                let vars = customer_vars(tone, style, Outcome::Resolved);
                add(
                    &format!("customer {tone} {style}"),
                    prompts.customer(&vars).unwrap(),
                );
            }
        }
        for &outcome in Outcome::ALL {
            let vars = customer_vars(Tone::Annoyed, Style::Casual, outcome);
            add(
                &format!("customer {outcome}"),
                prompts.customer(&vars).unwrap(),
            );
        }
        for &cooperation in Cooperation::ALL {
            let vars = CustomerVars {
                cooperation,
                ..customer_vars(Tone::Neutral, Style::Plain, Outcome::Resolved)
            };
            add(
                &format!("customer {cooperation}"),
                prompts.customer(&vars).unwrap(),
            );
        }
        for &cause in Cause::ALL {
            let vars = CustomerVars {
                cause: cause.name(),
                ..customer_vars(Tone::Neutral, Style::Plain, Outcome::Unresolved)
            };
            add(
                &format!("customer UNRESOLVED {cause}"),
                prompts.customer(&vars).unwrap(),
            );
        }
        add(
            "customer, bare",
            prompts
                .customer(&customer_vars(Tone::Neutral, Style::Plain, Outcome::Resolved).bare())
                .unwrap(),
        );
        add("status", prompts.status("Larkmoor").unwrap());
        for n in [2, 5] {
            let (system, user) = prompts.queries(&queries_vars(n)).unwrap();
            add(&format!("queries {n} system"), system);
            add(&format!("queries {n}"), user);
        }
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(pack.name(), all);
        });
    }
}

#[test]
fn a_case_fills_the_customer() {
    let case = Case {
        name: "Ola".into(),
        item: "camera".into(),
        order_id: "LK-11111".into(),
        order_date: "9 June".into(),
        price: "£80".into(),
    };
    let vars = customer_vars(Tone::Neutral, Style::Plain, Outcome::Resolved).with_case(&case);
    let text = Prompts::embedded(Pack::Compact).customer(&vars).unwrap();
    assert!(
        text.starts_with("You are Ola,")
            && text.ends_with("Item: camera. Order: LK-11111, 9 June, £80."),
        "{text}"
    );
}

fn overridden(files: &[(&str, &str)]) -> Result<Prompts, PromptError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Prompts::with_overrides(Pack::Compact, dir.path())
}

#[test]
fn a_folder_overrides_single_templates() {
    let prompts = overridden(&[
        ("status.j2", "Done with {{ brand }}?\r\n"),
        ("full/agent.j2", "for other models"),
        ("compact/queries.j2", "{{ n }} about {{ title }}"),
        ("notes.md", "{{ nothing }}"),
    ])
    .unwrap();
    assert_eq!(prompts.status("Larkmoor").unwrap(), "Done with Larkmoor?");
    assert_eq!(
        prompts.queries(&queries_vars(2)).unwrap().1,
        "2 about Returns"
    );
    assert!(
        prompts
            .agent(&agent_vars())
            .unwrap()
            .starts_with("You are Robin")
    );
    let embedded = Prompts::embedded(Pack::Compact);
    let changed: Vec<&str> = prompts
        .hashes()
        .zip(embedded.hashes())
        .filter(|(a, b)| a != b)
        .map(|(a, _)| a.0)
        .collect();
    assert_eq!(changed, ["status.j2", "queries.j2"]);
    assert_eq!(
        prompts.hash_of(&[Template::Agent]),
        embedded.hash_of(&[Template::Agent])
    );
    assert_ne!(
        prompts.hash_of(&[Template::Agent, Template::Status]),
        embedded.hash_of(&[Template::Agent, Template::Status])
    );
}

#[test]
fn bad_overrides_are_refused_at_load() {
    let message = |name, text| overridden(&[(name, text)]).unwrap_err().to_string();
    let unknown = message("agent.j2", "You are {{ agent }}.\nAsk {{ pasages }} well.");
    assert!(
        unknown.contains("agent.j2:2: unknown variable `pasages`; did you mean `passages`?"),
        "{unknown}"
    );
    let syntax = message("agent.j2", "ok\n{% if %}");
    assert!(syntax.contains("agent.j2:2: "), "{syntax}");
    let filter = message("full/agent.j2", "ok\n\n{{ brand | shout }}");
    assert!(
        filter.contains("agent.j2:3: ") && filter.contains("shout"),
        "{filter}"
    );
    let attribute = message("agent.j2", "{{ passages[9].text }}");
    assert!(attribute.contains("agent.j2:1: "), "{attribute}");
    let file = message("agnet.j2", "x");
    assert!(
        file.contains("agnet.j2: no template has this name; did you mean `agent.j2`?"),
        "{file}"
    );
    let missing = Prompts::with_overrides(Pack::Full, Path::new("/nowhere/at/all"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("/nowhere/at/all") && missing.contains("expected a folder"),
        "{missing}"
    );
}

#[test]
fn a_template_that_asks_for_another_is_refused() {
    for text in [
        "{% from 'customer.j2' import x y",
        "{% import 'customer.j2' as %}",
        "{{ name }}\n{%- include 'customer.j2' %}",
        "{% extends 'customer.j2' %}",
    ] {
        let error = overridden(&[("customer.j2", text)])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("customer.j2") && error.contains("asks for another template"),
            "{text}: {error}"
        );
    }
}

#[test]
fn members_are_told_the_sentences_of_their_language() {
    let prompts = Prompts::embedded(Pack::Full);
    let signs = |leave: &[&str]| crate::record::MoveSigns {
        leave: leave.iter().map(|text| (*text).to_owned()).collect(),
        ..crate::record::MoveSigns::default()
    };
    let person = |name: &str| crate::record::Individual {
        name: name.into(),
        ..crate::record::Individual::of_persona("A baker.")
    };
    let experience = crate::record::Experience {
        participants: vec![person("Ada"), person("Bo")],
        ..crate::record::Experience::default()
    };
    let told = |signs: &crate::record::MoveSigns| {
        let vars = MemberVars::of(&experience, 0, "German", 30, signs);
        prompts.member(&vars).unwrap()
    };
    let german = told(&signs(&["Ich muss los.", "Ich gehe jetzt."]));
    let line = "closing a message with \"Ich muss los.\" or \"Ich gehe jetzt.\" You never";
    assert!(german.contains(line), "{german}");
    assert!(
        german.contains("\"I need a ...\" or \"I need an ...\""),
        "{german}"
    );
    let staying = told(&signs(&[]));
    assert!(!staying.contains("You may leave"), "{staying}");
    assert!(staying.contains("- You may promise") && staying.contains("\n- Write only"));
    assert!(!staying.contains("\n\n-"), "{staying}");
}

#[test]
fn samples_cover_every_template() {
    for &pack in Pack::ALL {
        let samples = Prompts::embedded(pack).samples().unwrap();
        assert_eq!(samples.len(), Template::ALL.len());
        assert!(samples.iter().all(|sample| !sample.text.is_empty()));
    }
}
