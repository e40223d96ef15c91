use super::*;
use crate::record::{
    Dialogue, EndReason, Kind, Link, Role, Sample, Speaker, Support, Utterance, Verdict, Why,
};
use crate::settings::{HarmRule, PiiRule, QualityRules};

fn sample(turns: &[&str]) -> Sample {
    let speaker = |name: &str, role| Speaker {
        name: name.into(),
        role: Some(role),
        persona: String::new(),
    };
    Sample {
        id: "c/0/0".into(),
        kind: Kind::Support,
        speakers: vec![
            speaker("Customer", Role::Customer),
            speaker("Agent", Role::Agent),
        ],
        turns: turns
            .iter()
            .enumerate()
            .map(|(nth, text)| Utterance {
                speaker: nth % 2,
                text: (*text).into(),
                ..Utterance::default()
            })
            .collect(),
        outcome: None,
        end_reason: Some(EndReason::Customer),
        verdict: Verdict::Keep,
        rewrites: Vec::new(),
        fields: [("style".to_owned(), "formal".to_owned())].into(),
    }
}

fn reason(rules: &QualityRules, sample: &Sample) -> Option<&'static str> {
    Filters::new(rules, "en")
        .look(sample)
        .map(|finding| finding.kind.name())
}

fn link(sentence: std::ops::Range<usize>, backed: bool) -> Link {
    Link {
        sentence,
        verdict: if backed {
            Support::Supported {
                paragraph: 0,
                span: 0..1,
            }
        } else {
            Support::Unsupported {
                why: Why::Number("£9".into()),
            }
        },
    }
}

#[test]
fn no_rules_turn_nothing_down() {
    let bad = sample(&[
        "no no no no no, fuck 4111 1111 1111 1111",
        "是的，当然可以。",
    ]);
    assert_eq!(reason(&QualityRules::none(), &bad), None);
}

#[test]
fn each_rule_has_its_reason() {
    let none = QualityRules::none;
    let long = "The parcel went out on Monday and nobody here knows where it is now, which is odd.";
    for (rules, turns, expected) in [
        (
            QualityRules {
                min_words: Some(4),
                ..none()
            },
            vec!["Hi there", "Hi"],
            "too_few_words",
        ),
        (
            QualityRules {
                max_words: Some(2),
                ..none()
            },
            vec!["Hi there", "Hi"],
            "too_many_words",
        ),
        (
            QualityRules {
                language: true,
                ..none()
            },
            vec!["Where is it?", "Gleich da, 谢谢"],
            "language",
        ),
        (
            QualityRules {
                repetition: Some(0.3),
                ..none()
            },
            vec![long, long],
            "repetition",
        ),
        (
            QualityRules {
                repetition: Some(0.9),
                ..none()
            },
            vec!["Well well well well", "Yes?"],
            "loop",
        ),
        (
            QualityRules {
                pii: PiiRule::Reject,
                ..none()
            },
            vec!["Write to jo@mail-host.com", "Yes."],
            "pii",
        ),
        (
            QualityRules {
                harm: HarmRule::Reject,
                ..none()
            },
            vec!["This is bullshit", "Oh."],
            "harm",
        ),
        (
            QualityRules {
                words: vec!["rival corp".into()],
                ..none()
            },
            vec!["I go to Rival Corp", "Oh."],
            "words",
        ),
        (
            QualityRules {
                in_character: true,
                ..none()
            },
            vec![
                "yo gimme my money back lol, cant believe its not here",
                "Of course.",
                "dont care, wanna have it now ok",
            ],
            "style",
        ),
    ] {
        assert!(rules.turns_down());
        assert_eq!(reason(&rules, &sample(&turns)), Some(expected));
        let fine = sample(&[
            "Where is my parcel, please? It was sent on Monday.",
            "It will be with you tomorrow.",
            "Thank you very much, that is good to know.",
        ]);
        let wanted = (expected == "too_many_words").then_some(expected);
        assert_eq!(reason(&rules, &fine), wanted, "{expected}");
    }
}

#[test]
fn claims_are_counted_and_small_talk_is_not() {
    let rules = QualityRules {
        unsupported: Some(0.5),
        ..QualityRules::none()
    };
    let mut one = sample(&["How much?", "It is £9. It is £9. Bye."]);
    one.turns[1].links = vec![
        link(0..9, true),
        link(10..19, false),
        Link {
            sentence: 20..24,
            verdict: Support::NoClaim,
        },
    ];
    assert_eq!(reason(&rules, &one), None);
    one.turns[1].links[0] = link(0..9, false);
    assert_eq!(reason(&rules, &one), Some("unsupported"));
    // One claim is no share.
    one.turns[1].links.remove(0);
    assert_eq!(reason(&rules, &one), None);
}

#[test]
fn what_a_page_publishes_is_nobodys() {
    let rules = QualityRules {
        pii: PiiRule::Reject,
        ..QualityRules::none()
    };
    let mut one = sample(&[
        "Whom do I call?",
        "Call 020 8123 4567.",
        "020 8123 4567, right?",
    ]);
    assert_eq!(reason(&rules, &one), Some("pii"));
    one.turns[1].links = vec![link(0..19, true)];
    assert_eq!(reason(&rules, &one), None);
}

#[test]
fn doubts_are_for_a_judge_only() {
    let one = sample(&["What the hell is this", "Sorry."]);
    let rules = |harm| QualityRules {
        harm,
        ..QualityRules::none()
    };
    let doubtful = |harm| Filters::new(&rules(harm), "en").doubtful(&one);
    assert_eq!(
        doubtful(HarmRule::Judge),
        [(0, "profanity", "what the hell".to_owned())]
    );
    assert!(doubtful(HarmRule::Reject).is_empty());
    assert_eq!(reason(&rules(HarmRule::Judge), &one), None);
}

#[test]
fn marks_stand_where_data_stood_and_links_move_along() {
    let rules = QualityRules {
        pii: PiiRule::Redact,
        ..QualityRules::none()
    };
    let mut conversation = crate::record::examples::conversation();
    let said = "Mail jo@mail-host.com now. It is £9, call (212) 867-5309. Fine.";
    conversation.turns[1].text = said.into();
    conversation.turns[1].links = vec![link(0..26, false), link(27..58, false), link(59..64, true)];
    conversation.query = "I am jo@mail-host.com".into();
    let mut dialogue = Dialogue::Support(conversation.clone());
    Filters::new(&QualityRules::none(), "en").redact(&mut dialogue);
    assert_eq!(dialogue, Dialogue::Support(conversation));
    Filters::new(&rules, "en").redact(&mut dialogue);
    let Dialogue::Support(redacted) = dialogue else {
        unreachable!()
    };
    let turn = &redacted.turns[1];
    assert_eq!(turn.text, "Mail [EMAIL] now. It is £9, call [PHONE]. Fine.");
    let sentences: Vec<&str> = turn
        .links
        .iter()
        .map(|link| &turn.text[link.sentence.clone()])
        .collect();
    assert_eq!(
        sentences,
        ["Mail [EMAIL] now.", "It is £9, call [PHONE].", "Fine."]
    );
    assert!(turn.tokens.is_empty() && redacted.query == "I am [EMAIL]");
    assert!(!redacted.turns[0].tokens.is_empty());
}
