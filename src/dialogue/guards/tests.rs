use super::*;

#[test]
fn the_first_guard_in_order_speaks() {
    let candidate = Candidate {
        speaker: Some(Role::Agent),
        text: "Customer: As an AI I cannot say",
        truncated: true,
        own: &[],
        other: &[],
        instructions: "",
        own_name: "Robin",
        other_names: &["Mia"],
        max_words: 3,
    };
    assert_eq!(check(&candidate).unwrap().kind, GuardKind::RoleLeak);
    assert_eq!(
        check(&Candidate {
            text: "As an AI I cannot say",
            ..candidate
        })
        .unwrap()
        .kind,
        GuardKind::MetaTalk
    );
    assert_eq!(
        check(&Candidate {
            text: "It is 30 days",
            ..candidate
        })
        .unwrap()
        .kind,
        GuardKind::TooLong
    );
    assert_eq!(
        check(&Candidate {
            text: "It is.",
            truncated: false,
            ..candidate
        }),
        None
    );
}
