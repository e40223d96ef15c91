use proptest::prelude::*;

use super::*;
use crate::record::Individual;

/// Mara and Jon, and what happens.
pub(super) fn experience(id: &str, situation: &str) -> Experience {
    let individual = |name: &str, work: &str| Individual {
        name: name.into(),
        work: Some(work.into()),
        ..Individual::default()
    };
    Experience {
        id: id.into(),
        participants: vec![
            individual("Mara", "ferry pilot"),
            individual("Jon", "baker"),
        ],
        relations: "neighbours".into(),
        situation: situation.into(),
        topic: "it".into(),
        starter: "Well, what now?".into(),
        depth: 0,
        shots: Vec::new(),
    }
}

fn hub(rules: HubRules) -> Hub {
    let seeds = [
        "the lighthouse goes dark next winter",
        "a parrot has stopped singing at the vet",
        "three ballots are missing after the count",
    ];
    Hub::new(seeds.iter().map(|s| experience("", s)).collect(), rules).unwrap()
}

fn candidate(place: u64, situation: &str, shots: &[&str]) -> Candidate {
    let mut made = experience(&format!("e/{place}"), situation);
    made.shots = shots.iter().map(|s| (*s).to_owned()).collect();
    Candidate {
        place,
        made: Ok(made),
    }
}

fn verdicts(result: &RoundResult) -> Vec<String> {
    let verdict = |place: &PlaceResult| match &place.admission {
        Admission::Admitted { joins: true, .. } => "joins".to_owned(),
        Admission::Admitted { like: Some(id), .. } => format!("like {id}"),
        Admission::Admitted { .. } => "used".to_owned(),
        Admission::Refused { reason, like, .. } => {
            format!("{reason} {}", like.as_deref().unwrap_or_default())
        }
    };
    result.places.iter().map(verdict).collect()
}

#[test]
fn the_order_of_places_decides_between_two_alike() {
    let mut hub = hub(HubRules::default());
    let result = hub
        .admit(
            0,
            vec![
                candidate(2, "a violin was left in the night bus", &["seed/0"]),
                candidate(3, "in the night bus a violin was left behind", &["seed/1"]),
                candidate(
                    5,
                    "the parrot stopped singing at the vet again",
                    &["seed/1"],
                ),
                Candidate {
                    place: 6,
                    made: Err("cut off".into()),
                },
                candidate(7, "", &[]),
                candidate(8, "bees live in the organ of the chapel", &[]),
            ],
        )
        .unwrap();
    assert_eq!(
        verdicts(&result),
        [
            "joins",
            "novelty e/2",
            "novelty seed/1",
            "schema ",
            "schema ",
            "joins"
        ]
    );
    let Admission::Refused { detail, .. } = &result.places[1].admission else {
        panic!("refused");
    };
    assert_eq!(
        detail,
        "common stems 1.00 (below 0.40), contained pairs 1.00 (below 0.50): violin, night, bus"
    );
    let members: Vec<_> = hub
        .members()
        .map(|(e, uses)| (e.id.as_str(), uses))
        .collect();
    assert_eq!(
        members,
        [
            ("seed/0", 1),
            ("seed/1", 2),
            ("seed/2", 0),
            ("e/2", 0),
            ("e/8", 0)
        ]
    );
    assert_eq!(hub.get("e/2").unwrap().depth, 1);
}

#[test]
fn what_is_too_deep_is_used_and_shown_to_nobody() {
    let rules = HubRules {
        max_depth: 1,
        ..HubRules::default()
    };
    let mut hub = hub(rules);
    let first = candidate(
        0,
        "a violin was left in the night bus",
        &["seed/0", "seed/1"],
    );
    hub.admit(0, vec![first]).unwrap();
    let second = candidate(
        1,
        "bees live in the organ of the chapel",
        &["seed/2", "e/0"],
    );
    let result = hub.admit(1, vec![second]).unwrap();
    assert_eq!(verdicts(&result), ["used"]);
    assert_eq!(result.places[0].experience.as_ref().unwrap().depth, 2);
    assert_eq!(hub.members().len(), 4);
    // It is in use all the same: nothing may be like it.
    let third = candidate(2, "in the organ of the chapel live bees", &["seed/2"]);
    assert_eq!(
        verdicts(&hub.admit(2, vec![third]).unwrap()),
        ["novelty e/1"]
    );
}

#[test]
fn what_is_like_another_is_used_and_shown_to_nobody() {
    let mut hub = hub(HubRules::default());
    let members = hub.members().len();
    let like = candidate(
        0,
        "the lighthouse keeper sold winter coats to tourists from a ferry",
        &["seed/0"],
    );
    let result = hub.admit(0, vec![like]).unwrap();
    assert_eq!(verdicts(&result), ["like seed/0"]);
    assert_eq!(result.admitted().count(), 1);
    assert_eq!(hub.members().len(), members);
    let recorded = serde_json::to_string(&result).unwrap();
    assert!(
        recorded.contains(r#""joins":false,"like":"seed/0""#),
        "{recorded}"
    );
    assert_eq!(
        serde_json::from_str::<RoundResult>(&recorded).unwrap(),
        result
    );
}

#[test]
fn gates_let_in_what_they_say() {
    let twice = || {
        vec![
            candidate(0, "the lighthouse goes dark next winter", &["seed/0"]),
            candidate(1, "a violin was left in the night bus", &["seed/0"]),
            candidate(2, " ", &["seed/0"]),
        ]
    };
    for (gate, expected) in [
        (Gate::Gated, ["novelty seed/0", "joins", "schema "]),
        (Gate::Ungated, ["joins", "joins", "schema "]),
        (Gate::Off, ["used", "used", "schema "]),
    ] {
        let mut hub = hub(HubRules {
            gate,
            ..HubRules::default()
        });
        let result = hub.admit(0, twice()).unwrap();
        assert_eq!(verdicts(&result), expected, "{}", gate.name());
        assert_eq!(Gate::named(gate.name()), Some(gate));
    }
}

#[test]
fn rounds_that_do_not_fit_change_nothing() {
    let mut hub = hub(HubRules::default());
    let before = hub.clone();
    let text = "a violin was left in the night bus";
    for (round, candidates, expected) in [
        (1, vec![], "round 1 of the hub; expected round 0"),
        (
            0,
            vec![candidate(3, text, &[]), candidate(3, text, &[])],
            "place 3 of round 0 comes after place 3; expected ascending places",
        ),
        (
            0,
            vec![candidate(3, text, &["seed/9"])],
            "experience `e/3` names the shot `seed/9`, which is not in the hub",
        ),
    ] {
        let error = hub.admit(round, candidates).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(hub, before);
    }
    let mut same = candidate(3, text, &[]);
    same.made.as_mut().unwrap().id = "seed/1".into();
    let error = hub.admit(0, vec![same]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two experiences of the hub have the id `seed/1`"
    );
    let hollow = RoundResult {
        round: 0,
        places: vec![PlaceResult {
            place: 4,
            admission: Admission::Admitted {
                joins: true,
                like: None,
            },
            experience: None,
        }],
    };
    let error = hub.replay(&hollow).unwrap_err();
    assert_eq!(
        error.to_string(),
        "place 4 of round 0 is admitted without an experience"
    );
    assert_eq!(hub, before);
    let seeds = vec![experience("a", "x"), experience("a", "y")];
    assert!(Hub::new(seeds, HubRules::default()).is_err());
}

fn ids(shots: Vec<&Experience>) -> Vec<String> {
    shots.into_iter().map(|shot| shot.id.clone()).collect()
}

/// A hub of three seeds and the experiences of a round that all had the first two as shots.
fn used(choice: ShotChoice, shots: usize) -> Hub {
    let mut hub = hub(HubRules {
        shots,
        choice,
        ..HubRules::default()
    });
    let made = [
        "a violin was left in the night bus",
        "bees live in the organ of the chapel",
        "the oven of the bakery cracked on Monday",
        "somebody cut a map out of the atlas",
    ];
    let candidates = made
        .iter()
        .enumerate()
        .map(|(n, text)| candidate(n as u64, text, &["seed/0", "seed/1", "seed/2"]))
        .collect();
    assert_eq!(verdicts(&hub.admit(0, candidates).unwrap()), ["joins"; 4]);
    hub
}

#[test]
fn shots_are_chosen_as_the_rules_say() {
    let stream = |n: u64| Stream::root(1).child("e").at(n);
    assert_eq!(
        ids(used(ShotChoice::Fixed, 2).shots(&stream(0))),
        ["seed/0", "seed/1"]
    );
    let random = used(ShotChoice::Random, 3);
    let mut seen = HashSet::new();
    for n in 0..50 {
        let chosen = ids(random.shots(&stream(n)));
        assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), 3);
        assert_eq!(chosen, ids(random.shots(&stream(n))));
        seen.extend(chosen);
    }
    assert_eq!(seen.len(), 7);
    let coverage = used(ShotChoice::Coverage, 3);
    for n in 0..50 {
        let chosen = ids(coverage.shots(&stream(n)));
        // Unused ones first, and a human one, although all of those are used.
        assert!(
            chosen[0].starts_with("e/") && chosen[1].starts_with("e/"),
            "{chosen:?}"
        );
        assert!(chosen[2].starts_with("seed/"), "{chosen:?}");
    }
    for shots in [0, 1] {
        let chosen = used(ShotChoice::Coverage, shots).shots(&stream(0)).len();
        assert_eq!(chosen, shots);
    }
    assert_eq!(used(ShotChoice::Random, 99).shots(&stream(0)).len(), 7);
    assert_eq!(used(ShotChoice::Coverage, 99).shots(&stream(0)).len(), 7);
    let none = Hub::new(Vec::new(), HubRules::default()).unwrap();
    assert!(none.shots(&stream(0)).is_empty());
}

#[test]
fn coverage_evens_out() {
    let mut hub = used(ShotChoice::Coverage, 1);
    for round in 1..50 {
        let draw = Stream::root(2).at(round);
        let shot = ids(hub.shots(&draw)).remove(0);
        let uses = |hub: &Hub| hub.members().map(|(_, uses)| uses).collect::<Vec<_>>();
        let least = uses(&hub).into_iter().min().unwrap();
        assert_eq!(hub.members().find(|(e, _)| e.id == shot).unwrap().1, least);
        // Refused, and counted all the same.
        let copy = candidate(100 + round, "a violin was left in the night bus", &[&shot]);
        assert_eq!(
            verdicts(&hub.admit(round, vec![copy]).unwrap()),
            ["novelty e/0"]
        );
        assert_eq!(uses(&hub).iter().sum::<u64>(), 12 + round);
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "parrot", "bridge", "violin", "bees", "oven", "ferry", "atlas", "ballot", "winter",
        "chapel", "rope", "jam",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn replayed_rounds_give_the_same_hub(
        gate in prop::sample::select(Gate::ALL.to_vec()),
        choice in prop::sample::select(ShotChoice::ALL.to_vec()),
        max_depth in 0u32..4,
        rounds in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, prop::collection::vec(word(), 1..6)), 1..5), 1..6),
    ) {
        let rules = HubRules { gate, max_depth, choice, ..HubRules::default() };
        let (mut hub, mut again) = (hub(rules), hub(rules));
        let mut place = 0;
        for (round, texts) in rounds.into_iter().enumerate() {
            let round = round as u64;
            let candidates = texts.into_iter().map(|text| {
                place += 1;
                let shots = ids(hub.shots(&Stream::root(5).at(place)));
                let shots: Vec<&str> = shots.iter().map(String::as_str).collect();
                match text {
                    Some(text) => candidate(place, &text.join(" "), &shots),
                    None => Candidate { place, made: Err("cut off".into()) },
                }
            }).collect();
            let result = hub.admit(round, candidates).unwrap();
            let line = serde_json::to_string(&result).unwrap();
            let read: RoundResult = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&read, &result);
            again.replay(&read).unwrap();
            prop_assert_eq!(&again, &hub);
        }
    }

    #[test]
    fn draws_without_repeats(n in 1usize..200, share in 0.0f64..=1.0, seed in any::<u64>()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a small number")]
        let count = (n as f64 * share) as usize;
        let chosen = drawn(&Stream::root(seed), n, count);
        prop_assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), count);
        prop_assert!(chosen.iter().all(|&at| at < n));
    }
}
