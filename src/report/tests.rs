use std::collections::BTreeSet;

use super::*;
use crate::metrics::semantic::{Embed, EmbedError};
use crate::record::{
    Kind, Link, RefusedRewrite, Rewrite, Role, Sample, Speaker, Support, Utterance, Verdict, Why,
};
use crate::rng::Stream;

fn conversation(kind: Kind, names: &[&str], turns: &[(usize, &str)]) -> Sample {
    let role = |at: usize| match kind {
        Kind::Support => Some([Role::Customer, Role::Agent][at]),
        Kind::Group => None,
    };
    Sample {
        id: "c/0/0".into(),
        kind,
        speakers: names
            .iter()
            .enumerate()
            .map(|(at, name)| Speaker {
                name: (*name).into(),
                role: role(at),
                persona: String::new(),
            })
            .collect(),
        turns: turns
            .iter()
            .map(|(speaker, text)| Utterance {
                speaker: *speaker,
                text: (*text).into(),
                ..Utterance::default()
            })
            .collect(),
        outcome: None,
        end_reason: None,
        verdict: Verdict::Keep,
        rewrites: Vec::new(),
        fields: std::collections::BTreeMap::new(),
    }
}

fn support(turns: &[&str]) -> Sample {
    let turns: Vec<(usize, &str)> = turns
        .iter()
        .enumerate()
        .map(|(at, text)| (at % 2, *text))
        .collect();
    conversation(Kind::Support, &["Customer", "Agent"], &turns)
}

/// Conversations of words by chance, so that nothing is alike.
fn varied(conversations: u64, turns: u64, words: u64) -> Vec<Sample> {
    let draw = Stream::root(77);
    (0..conversations)
        .map(|nth| {
            let texts: Vec<String> = (0..turns)
                .map(|turn| {
                    let draw = draw.at(nth).at(turn);
                    let text: Vec<String> = (0..words)
                        .map(|at| format!("wo{}", letters(draw.below(at, 700))))
                        .collect();
                    text.join(" ")
                })
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            support(&texts)
        })
        .collect()
}

/// A number without digits, which rules treat in their own way.
fn letters(n: usize) -> String {
    n.to_string()
        .bytes()
        .map(|digit| char::from(digit - b'0' + b'a'))
        .collect()
}

fn all(samples: &[Sample]) -> Vec<Section> {
    sections(samples, &Context::plain(2))
}

fn sections(samples: &[Sample], context: &Context<'_>) -> Vec<Section> {
    let samples: Vec<&Sample> = samples.iter().collect();
    corpus_sections(&samples, context)
}

#[track_caller]
fn metric<'a>(sections: &'a [Section], key: &str) -> &'a Metric {
    let metrics = sections.iter().flat_map(|section| &section.metrics);
    let mut found = metrics.filter(|metric| metric.key == key);
    found.next().unwrap_or_else(|| panic!("no {key}"))
}

#[track_caller]
fn is(sections: &[Section], key: &str, expected: f64) {
    let value = metric(sections, key).value;
    assert!(
        value.is_some_and(|value| (value - expected).abs() < 1e-9),
        "{key} is {value:?}, not {expected}"
    );
}

fn faulty() -> Vec<Sample> {
    vec![
        support(&[
            "Hello, my blue kettle has a leak at the base and I want to send it back",
            "Sorry to hear that. Which day was it delivered?",
            // Says the question back.
            "Sorry to hear that, which day was it delivered?",
            // Begins anew.
            "Hello! How can I help you today?",
        ]),
        support(&[
            "My lamp came without a plug, what now?",
            "We can post a plug to you tomorrow.",
            // A script's label.
            "Agent: We will send one at once.",
            "Is there another thing that you need?",
        ]),
    ]
}

#[test]
fn faults_that_were_planted_are_counted() {
    let found = all(&faulty());
    is(&found, "dialogue.echo", 1.0 / 8.0);
    is(&found, "dialogue.restart", 1.0 / 8.0);
    is(&found, "dialogue.role_confusion", 1.0 / 8.0);
    is(&found, "dialogue.repeat", 0.0);
    is(&found, "dialogue.meta_talk", 0.0);
    is(&found, "dialogue.thanks_loop", 0.0);
    let chart = &found
        .iter()
        .find(|section| section.key == "dialogue")
        .unwrap()
        .charts[0];
    assert_eq!(chart.labels, ["1", "2", "3", "4"]);
    assert_eq!(chart.series[0].values, [0.0, 0.0, 0.5, 0.0]);
    let clean = all(&varied(3, 4, 9));
    for key in [
        "echo",
        "restart",
        "role_confusion",
        "repeat",
        "meta_talk",
        "thanks_loop",
    ] {
        is(&clean, &format!("dialogue.{key}"), 0.0);
    }
}

#[test]
fn the_floor_is_shared_as_it_was() {
    let group = |turns: &[(usize, &str)]| conversation(Kind::Group, &["Mia", "Ola", "Ben"], turns);
    let found = all(&[
        // Two, one, none.
        group(&[
            (0, "One two three."),
            (1, "Four five six."),
            (0, "Seven eight nine."),
        ]),
        // One each.
        group(&[(0, "Ten birds."), (1, "Old boats."), (2, "Red cars.")]),
    ]);
    let third = 2.0 / 3.0 * 1.5f64.ln() + 3f64.ln() / 3.0;
    is(
        &found,
        "dialogue.speaker_entropy",
        f64::midpoint(third / 3f64.ln(), 1.0),
    );
    // Differences 1, 2, 1 both ways: 8 over 2 · 9 · 1; and none.
    is(&found, "dialogue.turn_gini", 8.0 / 18.0 / 2.0);
    assert!(
        found
            .iter()
            .all(|section| section.key != "grounding" && section.key != "augmentation")
    );
    assert!(
        metric(&found, "redundancy.thanks").value.is_some(),
        "one side for groups"
    );
}

#[test]
fn what_is_said_again_is_counted() {
    let template = "Thank you for choosing our little shop, your order number";
    let mut samples: Vec<Sample> = ["ab", "cd", "ef"]
        .map(|id| {
            support(&[
                &format!("Where is order {id} now, and what is in it?"),
                &format!("{template} {id} is on its way to your house today and comes by noon"),
            ])
        })
        .into();
    samples.push(support(&[
        "Can nobody mend this torn green coat for me?",
        "We do not mend coats.",
    ]));
    let found = all(&samples);
    is(&found, "redundancy.near_duplicates", 0.75);
    is(&found, "redundancy.thanks_agent", 0.75);
    is(&found, "redundancy.thanks_customer", 0.0);
    is(&found, "redundancy.questions_customer", 1.0);
    is(&found, "redundancy.questions_agent", 0.0);
    is(&found, "redundancy.openers_agent", 1.0);
    is(&found, "redundancy.same_turns", 0.0);
    // Of an agent's 23 words 16 runs of eight, three of them before the id and five behind it; of a question's 10 words three
    // runs, all with the id; of the last question two.
    is(&found, "redundancy.self_repetition", 24.0 / 59.0);
    let tables: Vec<&str> = found[1]
        .tables
        .iter()
        .map(|table| table.title.as_str())
        .collect();
    assert_eq!(
        tables,
        [
            "Most common openers, customer",
            "Most common closers, customer",
            "Most common openers, agent",
            "Most common closers, agent"
        ]
    );
    assert_eq!(found[1].tables[2].rows[0], ["thank you for", "3", "75.0 %"]);
    let note = metric(&found, "redundancy.near_duplicates")
        .note
        .clone()
        .unwrap();
    assert!(note.contains("share") && note.contains('%'), "{note}");
    let again = all(&[samples[0].clone(), samples[0].clone(), samples[3].clone()]);
    // The last agent's turn has five words too.
    is(&again, "redundancy.same_turns", 4.0 / 6.0);
    is(&again, "redundancy.near_duplicates", 2.0 / 3.0);
    is(&all(&varied(6, 4, 12)), "redundancy.near_duplicates", 0.0);
}

#[test]
fn words_are_measured_at_equal_length_and_fixed_size() {
    let found = all(&varied(30, 4, 30));
    let mtld = metric(&found, "lexical.mtld");
    assert!(
        mtld.value.unwrap() > 100.0 && mtld.reading.contains("above the 50.0 to 63.0"),
        "{mtld:?}"
    );
    assert!(mtld.band.as_ref().unwrap().source.contains("2503.17460"));
    let value = mtld.value.unwrap();
    let interval = mtld.interval.unwrap();
    assert!(interval.low < value && value < interval.high);
    let note = |key: &str| metric(&found, key).note.clone().unwrap();
    assert!(
        note("lexical.hdd").starts_with("the first 100 words"),
        "{}",
        note("lexical.hdd")
    );
    // 700 words, 42 drawn: 1 − 41 / 1400 or so.
    let hdd = metric(&found, "lexical.hdd").value.unwrap();
    assert!((0.95..0.99).contains(&hdd), "{hdd}");
    // 50 draws from 700 words find 700 (1 − (1 − 1/700)^50).
    let mattr = metric(&found, "lexical.mattr").value.unwrap();
    let expected = 14.0 * (1.0 - (1.0f64 - 1.0 / 700.0).powi(50));
    assert!((mattr - expected).abs() < 0.006, "{mattr} {expected}");
    // 2,000 draws from 700 words find 700 (1 − e^(−2000/700)).
    let distinct = metric(&found, "lexical.distinct_1").value.unwrap();
    let expected = 700.0 * (1.0 - (-2000.0f64 / 700.0).exp()) / 2000.0;
    assert!((distinct - expected).abs() < 0.003, "{distinct} {expected}");
    // Ten times the conversations: the same figure.
    let more = metric(&all(&varied(300, 4, 30)), "lexical.distinct_1")
        .value
        .unwrap();
    assert!((more - distinct).abs() < 0.003, "{more} {distinct}");
    let short = all(&varied(4, 2, 30));
    assert!(
        metric(&short, "lexical.hdd")
            .note
            .clone()
            .unwrap()
            .starts_with("the first 50 words")
    );
    let distinct = metric(&short, "lexical.distinct_2");
    assert_eq!((distinct.value, distinct.interval), (None, None));
    assert!(distinct.reading.contains("too little to tell") && distinct.note.is_some());
}

struct Corners(bool);

impl Embed for Corners {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        if self.0 {
            return Err(EmbedError {
                model: self.name().into(),
                reason: "no direction".into(),
            });
        }
        let corner = |text: &&str| {
            if text.contains("kettle") {
                vec![1.0, 0.0]
            } else {
                vec![0.0, 1.0]
            }
        };
        Ok(texts.iter().map(corner).collect())
    }

    fn name(&self) -> &'static str {
        "corners"
    }
}

#[test]
fn topics_are_counted_by_vectors_or_else_by_words() {
    let samples = [
        support(&["a kettle", "b"]),
        support(&["c kettle", "d"]),
        support(&["e", "f"]),
        support(&["g", "h"]),
    ];
    let with = |embedder: &dyn Embed| {
        let context = Context {
            embedder: Some(embedder),
            ..Context::plain(1)
        };
        sections(&samples, &context)
    };
    let found = with(&Corners(false));
    is(&found, "semantic.vendi", 2.0);
    is(&found, "semantic.vendi_share", 0.5);
    is(&found, "semantic.cosine", 1.0 / 3.0);
    assert!(
        metric(&found, "semantic.vendi")
            .note
            .clone()
            .unwrap()
            .contains("vectors of corners")
    );
    // By words only the kettle is shared.
    let found = all(&samples);
    assert!(metric(&found, "semantic.vendi").value.unwrap() > 3.5);
    let failed = with(&Corners(true));
    assert_eq!(
        metric(&failed, "semantic.vendi").value,
        metric(&found, "semantic.vendi").value
    );
    assert!(
        metric(&failed, "semantic.vendi")
            .note
            .clone()
            .unwrap()
            .contains("no direction")
    );
}

#[test]
fn backing_and_rewrites_are_counted_where_records_have_them() {
    let mut samples = faulty();
    let link = |verdict: Support| Link {
        sentence: 0..4,
        verdict,
    };
    let backed = || Support::Supported {
        paragraph: 0,
        span: 0..3,
    };
    samples[0].turns[1].links = vec![link(backed()), link(Support::NoClaim)];
    samples[1].turns[1].links = vec![
        link(backed()),
        link(backed()),
        link(Support::Unsupported {
            why: Why::Number("40".into()),
        }),
    ];
    // Nine words, of which rules changed three.
    samples[1].turns[0].edits = 3;
    samples[1].turns[0].text = "my lamp came wihtout a plug what now pls".into();
    samples[1].turns[2].restyled = Some("no typing mistakes".into());
    samples[1].fields.insert("style".into(), "typos".into());
    let refused = RefusedRewrite {
        text: "x".into(),
        reason: "a number".into(),
    };
    samples[0].rewrites = vec![Rewrite {
        kind: "style".into(),
        target: "typos".into(),
        text: "y".into(),
        edits: 2,
        left: None,
        refused: vec![refused; 3],
    }];
    let found = all(&samples);
    is(&found, "grounding.supported", 0.75);
    is(&found, "grounding.claims", 0.8);
    is(&found, "augmentation.edit_rate", 3.0 / 9.0);
    is(&found, "augmentation.edited_turns", 1.0 / 8.0);
    is(&found, "augmentation.restyled", 1.0 / 8.0);
    is(&found, "augmentation.rewritten", 0.5);
    is(&found, "augmentation.facts_kept", 0.25);
    let table = &found
        .iter()
        .find(|section| section.key == "grounding")
        .unwrap()
        .tables[0];
    assert_eq!(
        table.rows,
        [[
            "a number that the page does not give for this",
            "1",
            "100.0 %"
        ]]
    );
    let table = &found
        .iter()
        .find(|section| section.key == "augmentation")
        .unwrap()
        .tables[0];
    assert_eq!(table.rows, [["typos", "4", "25.0 %", "33.3 %", "25.0 %"]]);
}

#[test]
fn kinds_have_sections_of_their_own_and_keys_are_never_twice() {
    let mut samples = varied(3, 4, 20);
    let alone = all(&samples);
    samples.push(conversation(
        Kind::Group,
        &["Mia", "Ola"],
        &[(0, "So it goes."), (1, "It does.")],
    ));
    let both = all(&samples);
    assert_eq!(both.len(), 2 * alone.len());
    assert_eq!(
        metric(&both, "lexical.mtld.support").value,
        metric(&alone, "lexical.mtld").value
    );
    assert_eq!(metric(&both, "lexical.mtld.group").value, None);
    let keys: Vec<&str> = both
        .iter()
        .flat_map(|section| &section.metrics)
        .map(|metric| metric.key.as_str())
        .collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    for metric in both.iter().flat_map(|section| &section.metrics) {
        assert!(
            metric.reading.ends_with('.') && !metric.reading.contains("  "),
            "{}",
            metric.reading
        );
        assert!(metric.value.is_some() || metric.interval.is_none());
    }
}

#[test]
fn nothing_depends_on_threads_and_little_is_no_trouble() {
    let samples = varied(25, 4, 25);
    let one = sections(&samples, &Context::plain(1));
    for threads in [2, 7] {
        assert_eq!(sections(&samples, &Context::plain(threads)), one);
    }
    assert!(all(&[]).is_empty());
    let odd = [
        support(&[]),
        support(&["", " … "]),
        conversation(Kind::Support, &[], &[(5, "Nobody's words.")]),
        conversation(Kind::Group, &[], &[]),
    ];
    for some in [&odd[..1], &odd[..2], &odd[2..3], &odd[3..], &odd[..]] {
        for metric in all(some).iter().flat_map(|section| &section.metrics) {
            assert!(metric.value.is_none_or(f64::is_finite), "{metric:?}");
        }
    }
}
