use super::*;

#[test]
fn the_first_guard_in_order_speaks() {
    let [label, ai, days, short] = [
        "Customer: As an AI I cannot say",
        "As an AI I cannot say",
        "It is 30 days",
        "It is.",
    ]
    .map(Utterance::new);
    let candidate = Candidate {
        speaker: Some(Role::Agent),
        text: &label,
        truncated: true,
        own: &[],
        other: &[],
        instructions: &Instructions::default(),
        own_name: "Robin",
        other_names: &["Mia"],
        max_words: 3,
    };
    assert_eq!(check(&candidate).unwrap().kind, GuardKind::RoleLeak);
    assert_eq!(
        check(&Candidate {
            text: &ai,
            ..candidate
        })
        .unwrap()
        .kind,
        GuardKind::MetaTalk
    );
    assert_eq!(
        check(&Candidate {
            text: &days,
            ..candidate
        })
        .unwrap()
        .kind,
        GuardKind::TooLong
    );
    assert_eq!(
        check(&Candidate {
            text: &short,
            truncated: false,
            ..candidate
        }),
        None
    );
}
