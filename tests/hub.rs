//! How well the hub's gate tells experiences told anew from others of the same kind; the figures show with `--nocapture`.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use colloquy::pipeline::hub::{Admission, Candidate, Gate, Hub, HubRules};
use colloquy::record::{Experience, Individual};
use colloquy::rng::Stream;

/// An experience, or one told anew (`names`, `order`, `words`), or another of the same people, place or topic (`other`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planted {
    of: String,
    kind: String,
    /// Name and memory.
    people: Vec<(String, String)>,
    relations: String,
    situation: String,
    topic: String,
    starter: String,
}

impl Planted {
    fn experience(&self, id: &str) -> Experience {
        let individual = |(name, memory): &(String, String)| Individual {
            name: name.clone(),
            memory: Some(memory.clone()),
            ..Individual::default()
        };
        Experience {
            id: id.to_owned(),
            participants: self.people.iter().map(individual).collect(),
            relations: self.relations.clone(),
            situation: self.situation.clone(),
            topic: self.topic.clone(),
            starter: self.starter.clone(),
            ..Experience::default()
        }
    }
}

fn planted() -> Vec<Planted> {
    include_str!("hub/paraphrases.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a planted experience"))
        .collect()
}

fn firsts(planted: &[Planted]) -> Vec<Experience> {
    planted
        .iter()
        .filter(|planted| planted.kind == "first")
        .map(|planted| planted.experience(&planted.of))
        .collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).expect("a small count"));
    100.0 * number(part) / number(whole)
}

#[test]
fn experiences_told_anew_are_refused_and_others_are_not() {
    let planted = planted();
    let seeds = firsts(&planted);
    let rules = HubRules::default();
    let hub = Hub::new(seeds.clone(), rules).unwrap();
    // Every third experience, with all that is made of it, was held out when the limits were chosen.
    let held_out = |of: &str| seeds.iter().position(|seed| seed.id == of).unwrap() % 3 == 2;
    let mut table: BTreeMap<(bool, &str), (usize, usize)> = BTreeMap::new();
    // Told again so that it is not even used.
    let mut again: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for variant in planted.iter().filter(|planted| planted.kind != "first") {
        let experience = variant.experience("x");
        let (like, likeness) = hub.nearest(&experience).unwrap();
        let refused = likeness.is_over(&rules);
        let again = again.entry(variant.kind.as_str()).or_insert((0, 0));
        again.0 += usize::from(likeness.is_same(&rules));
        again.1 += 1;
        let told_anew = variant.kind != "other";
        if refused != told_anew {
            println!(
                "{} {}: {like} {:.3} {:.3} {:?}",
                variant.of,
                variant.kind,
                likeness.common_stems,
                likeness.contained_pairs,
                likeness.words
            );
        }
        assert!(
            !refused || like == variant.of,
            "{} is like {like}",
            variant.of
        );
        for kind in [variant.kind.as_str(), if told_anew { "any" } else { "-" }] {
            let cell = table.entry((held_out(&variant.of), kind)).or_default();
            cell.0 += usize::from(refused);
            cell.1 += 1;
        }
    }
    println!("held out  kind    refused");
    for ((held_out, kind), (refused, all)) in &table {
        println!(
            "{held_out:<8}  {kind:<6}  {refused:>2} of {all:>2}  {:5.1} %",
            percent(*refused, *all)
        );
    }
    for (kind, (same, all)) in &again {
        println!("{kind:<6} not even used: {same:>2} of {all:>2}");
    }
    assert_eq!(again["other"].0, 0);
    assert!(again["names"].0 * 10 >= again["names"].1 * 9);
    for held_out in [false, true] {
        let share = |kind| {
            let (refused, all) = table[&(held_out, kind)];
            percent(refused, all)
        };
        assert!(share("any") >= 90.0, "held out: {held_out}");
        assert!(share("other") <= 5.0, "held out: {held_out}");
    }
}

#[test]
fn strangers_are_seldom_alike() {
    let planted = planted();
    let rules = HubRules::default();
    let told: Vec<_> = planted
        .iter()
        .filter(|planted| ["first", "other"].contains(&planted.kind.as_str()))
        .map(|planted| (&planted.of, planted.experience("x")))
        .collect();
    let (mut pairs, mut alike) = (0, 0);
    for (of, experience) in &told {
        let hub = Hub::new(vec![experience.clone()], rules).unwrap();
        for (_, other) in told.iter().filter(|(other, _)| other != of) {
            pairs += 1;
            let nearest = hub.nearest(other);
            alike += usize::from(nearest.is_some_and(|(_, likeness)| likeness.is_over(&rules)));
        }
    }
    println!("{alike} of {pairs} pairs of strangers are too alike");
    assert!(pairs > 5_000 && alike * 2_000 <= pairs);
}

/// A story of words that are as unevenly frequent as those of a language.
fn invented(n: u64) -> Experience {
    let draw = Stream::root(11).at(n);
    let word = |at: u64| {
        // Zipf over 6,000 words: the frequency of a word is one over its rank.
        let rank = 6_000f64.powf(draw.unit(at));
        format!("w{}", letters(rank))
    };
    let text = |from: u64, words: u64| (from..from + words).map(word).collect::<Vec<_>>().join(" ");
    let individual = |name: &str, from| Individual {
        name: name.to_owned(),
        memory: Some(text(from, 12)),
        ..Individual::default()
    };
    Experience {
        id: format!("e/{n}"),
        participants: vec![individual("Ann", 100), individual("Ben", 200)],
        relations: "friends".to_owned(),
        situation: text(0, 25),
        topic: text(30, 3),
        starter: text(40, 10),
        ..Experience::default()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are small and positive"
)]
fn letters(rank: f64) -> String {
    let mut rank = rank as u32;
    let mut word = String::new();
    while rank > 0 {
        word.push(char::from(b'a' + (rank % 26) as u8));
        rank /= 26;
    }
    word
}

#[test]
fn thousands_join_in_seconds() {
    let rules = HubRules {
        gate: Gate::Gated,
        // Nothing but what is the same is refused: the index grows to its full size.
        max_common_stems: 0.9,
        max_contained_pairs: 0.9,
        ..HubRules::default()
    };
    let mut hub = Hub::new(Vec::new(), rules).unwrap();
    let begin = Instant::now();
    let mut refused = 0;
    for round in 0..100 {
        let candidates = (round * 100..(round + 1) * 100)
            .map(|place| Candidate {
                place,
                made: Ok(invented(place)),
            })
            .collect();
        let result = hub.admit(round, candidates).unwrap();
        refused += result
            .places
            .iter()
            .filter(|place| matches!(place.admission, Admission::Refused { .. }))
            .count();
    }
    let took = begin.elapsed().as_secs_f64();
    println!("10,000 experiences in {took:.1} s, {refused} refused");
    assert_eq!((refused, hub.members().len()), (0, 10_000));
    // On an idle core it takes about ten seconds unoptimised; comparing each with each would take many minutes.
    assert!(took < 300.0);
}
