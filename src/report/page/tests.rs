use std::collections::BTreeMap;

use super::*;
use crate::metrics::bootstrap::Interval;
use crate::record::{
    Choice, EndReason, GuardHit, GuardKind, Kind, Link, Mark, Move, Outcome, Paragraph, Rejected,
    Rewrite, Role, Speaker, Support, Utterance, Verdict, Why,
};
use crate::report::{
    Band, Chart, ChartKind, Headline, Level, Metric, Point, REPORT_VERSION, Rejects, Section,
    Series, Table, Unit,
};
use crate::rng::Stream;

/// What would run if it were taken for HTML.
const HOSTILE: &str = "</script><img src=x onerror=\"window.bad=1\"><!-- & 'quoted' 🙂";

fn metric(key: &str, title: &str, value: Option<f64>, unit: Unit) -> Metric {
    Metric {
        key: key.into(),
        title: title.into(),
        value,
        unit,
        interval: None,
        band: None,
        against: None,
        reading: "What it says, plainly.".into(),
        note: None,
    }
}

fn report() -> Report {
    let mtld = Metric {
        interval: Some(Interval {
            low: 58.2,
            high: 67.9,
        }),
        band: Some(Band {
            low: 50.0,
            high: 63.0,
            source: "human sets of arXiv 2503.17460".into(),
        }),
        ..metric("lexical.mtld", "MTLD", Some(62.4), Unit::Number)
    };
    let thanks = Metric {
        interval: Some(Interval {
            low: 0.55,
            high: 0.71,
        }),
        band: Some(Band {
            low: 0.05,
            high: 0.25,
            source: "a corpus <of people>".into(),
        }),
        note: Some("English only".into()),
        ..metric(
            "redundancy.thanks",
            "Agent turns that thank",
            Some(0.632),
            Unit::Share,
        )
    };
    let chart = |key: &str, title: &str, kind, labels: &[&str], series: &[(&str, &[f64])]| Chart {
        key: key.into(),
        title: title.into(),
        kind,
        x: "turns".into(),
        y: "conversations".into(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        series: series
            .iter()
            .map(|(name, values)| Series {
                name: (*name).to_owned(),
                values: values.to_vec(),
            })
            .collect(),
    };
    Report {
        version: REPORT_VERSION,
        program: "colloquy 0.1.0".into(),
        source: Source {
            name: "runs/shop-1a2b".into(),
            facts: vec![
                ("recipe".into(), "shop".into()),
                ("seed".into(), "7".into()),
                ("licence".into(), "UNKNOWN".into()),
            ],
            conversations: 4,
            turns: 9,
            demo: true,
            skipped: 1,
        },
        headline: Headline {
            level: Level::Mixed,
            text: "Varied enough, but agents thank far too often".into(),
            points: vec![
                Point {
                    level: Level::Poor,
                    text: "63 % of the agent's turns thank; of people's, at most 25 %".into(),
                    metric: Some("redundancy.thanks".into()),
                },
                Point {
                    level: Level::Good,
                    text: HOSTILE.into(),
                    metric: None,
                },
            ],
        },
        sections: vec![
            Section {
                key: "lexical".into(),
                title: "Words".into(),
                about: "How varied the words are.".into(),
                metrics: vec![mtld, metric("lexical.hdd", "HD-D", None, Unit::Number)],
                charts: vec![
                    chart(
                        "turns",
                        "Turns",
                        ChartKind::Histogram,
                        &["2", "3", "4", "5", "6"],
                        &[("these", &[12.0, 30.0, 44.0, 21.0, 6.0])],
                    ),
                    chart(
                        "pace",
                        "Throughput",
                        ChartKind::Line,
                        &["0:00", "0:10", "0:20", "0:30"],
                        &[
                            ("kept", &[0.0, 110.0, 260.0, 380.0]),
                            ("turned down", &[0.0, 10.0, 31.0, 38.0]),
                        ],
                    ),
                ],
                tables: Vec::new(),
            },
            Section {
                key: "redundancy".into(),
                title: "Sameness".into(),
                about: "How much is said again.".into(),
                metrics: vec![thanks],
                charts: vec![chart(
                    "openers",
                    "Openers",
                    ChartKind::Bars,
                    &["thank you for", "I am sorry", HOSTILE],
                    &[("these", &[31.0, 22.0, 4.0])],
                )],
                tables: vec![Table {
                    title: "The commonest endings".into(),
                    columns: vec!["words".into(), "times".into(), "share".into()],
                    rows: vec![vec!["have a nice day".into(), "31".into(), "7.2 %".into()]],
                }],
            },
        ],
        rejects: vec![Rejects {
            reason: "role_leak".into(),
            count: 1,
            samples: vec![("c/1/0".into(), "`Customer:` in a reply".into())],
        }],
        against: None,
    }
}

fn pages() -> BTreeMap<String, Page> {
    let paragraph = |heading: &str, text: &str| Paragraph {
        heading: heading.into(),
        text: text.into(),
    };
    let page = Page {
        id: "returns".into(),
        title: "Returning what you bought".into(),
        paragraphs: vec![
            paragraph("", "You can return most things."),
            paragraph(
                "When",
                "Send it back within 30 days. Keep the receipt – it proves the date.",
            ),
        ],
    };
    BTreeMap::from([(page.id.clone(), page)])
}

fn utterance(speaker: usize, text: &str) -> Utterance {
    Utterance {
        speaker,
        text: text.into(),
        tokens: Some(text.len() / 4),
        ..Utterance::default()
    }
}

fn sample(id: &str, verdict: Verdict, turns: Vec<Utterance>) -> Sample {
    let speaker = |name: &str, role, persona: &str| Speaker {
        name: name.into(),
        role: Some(role),
        persona: persona.into(),
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Sample {
        id: id.into(),
        kind: Kind::Support,
        speakers: vec![
            speaker("Customer", Role::Customer, "Maya Lund"),
            speaker("Agent", Role::Agent, ""),
        ],
        turns,
        outcome: Some(Outcome::Resolved),
        end_reason: Some(EndReason::Customer),
        verdict,
        rewrites: Vec::new(),
        fields: BTreeMap::from([
            field("tone", "annoyed"),
            field("style", "non_native"),
            field("page", "returns"),
            field("product", "washing machine"),
            field("query", "can I send it back?"),
        ]),
    }
}

fn samples() -> Vec<Sample> {
    let text = "Café staff 🙂 know it: you have 30 days. Refunds take a week. Anything else?";
    let sentence = |words: &str| {
        let from = text.find(words).unwrap();
        from..from + words.len()
    };
    let linked = Utterance {
        links: vec![
            Link {
                sentence: sentence("Café staff 🙂 know it: you have 30 days."),
                verdict: Support::Supported {
                    paragraph: 1,
                    span: 0..28,
                },
            },
            Link {
                sentence: sentence("Refunds take a week."),
                verdict: Support::Unsupported {
                    why: Why::Number("a week".into()),
                },
            },
            Link {
                sentence: sentence("Anything else?"),
                verdict: Support::NoClaim,
            },
        ],
        rejected: vec![Rejected {
            text: "Customer: hello".into(),
            hit: GuardHit {
                kind: GuardKind::RoleLeak,
                detail: "names itself".into(),
            },
        }],
        ..utterance(1, text)
    };
    let typed = Utterance {
        tokens: None,
        edits: 2,
        restyled: Some("no slips".into()),
        ..utterance(0, "Cann I send it bakc?")
    };
    let reject = Verdict::Reject {
        reason: "role_leak".into(),
        detail: "`Customer:` in a reply".into(),
    };
    let member = |name: &str, persona: &str| Speaker {
        name: name.into(),
        role: None,
        persona: persona.into(),
    };
    let group = Sample {
        id: "c/2/0".into(),
        kind: Kind::Group,
        speakers: vec![member("Ines", "a baker, 41"), member("Tom", "")],
        turns: vec![
            utterance(0, "Who brings the chairs?"),
            Utterance {
                moves: vec![Move::Leave],
                ..utterance(1, "I have to go now.")
            },
        ],
        outcome: None,
        end_reason: Some(EndReason::AllLeft),
        verdict: Verdict::Keep,
        rewrites: Vec::new(),
        fields: BTreeMap::from([("topic".to_owned(), "A street party".to_owned())]),
    };
    vec![
        Sample {
            rewrites: vec![Rewrite {
                kind: "style".into(),
                target: "non_native".into(),
                text: "Can I send back it?".into(),
                edits: 2,
                left: None,
                refused: Vec::new(),
            }],
            ..sample("c/0/0", Verdict::Keep, vec![typed, linked])
        },
        sample(
            "c/1/0",
            reject,
            vec![utterance(0, "Hello"), utterance(1, "Customer: hello")],
        ),
        group,
        sample(
            "c/3/0",
            Verdict::Keep,
            vec![utterance(0, HOSTILE), utterance(1, ""), utterance(0, "Bye")],
        ),
    ]
}

fn marks() -> Marks {
    let mut marks = Marks::default();
    marks.put(Mark {
        id: "c/0/0".into(),
        mark: Some(Choice::Keep),
        note: HOSTILE.into(),
    });
    marks
}

fn page_of(report: &Report, samples: &[Sample]) -> String {
    let (pages, marks) = (pages(), marks());
    let samples: Vec<&Sample> = samples.iter().collect();
    html(&Book {
        report,
        key: "shop-1a2b",
        samples: &samples,
        pages: &pages,
        marks: &marks,
    })
}

/// Elements that have no end tag.
const VOID: [&str; 4] = ["meta", "input", "br", "!doctype"];

/// The tags of a page, outside of scripts and styles, each with its attributes; and what stands in scripts of data.
fn tags(page: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut tags, mut data, mut rest) = (Vec::new(), Vec::new(), page);
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("every tag ends");
        let tag = &rest[at + 1..end];
        tags.push(tag);
        rest = &rest[end + 1..];
        for raw in ["script", "style"] {
            if tag == raw || tag.starts_with(&format!("{raw} ")) {
                let close = rest.find(&format!("</{raw}>")).expect("it is closed");
                if tag.contains("application/") {
                    data.push(&rest[..close]);
                }
                rest = &rest[close..];
            }
        }
    }
    (tags, data)
}

/// Fails where tags do not close each other, ids are there twice, or something is referred to outside.
fn check(page: &str) {
    let (tags, data) = tags(page);
    let (mut open, mut ids) = (Vec::new(), BTreeSet::new());
    for tag in tags {
        let name = tag.split([' ', '\n']).next().unwrap().trim_end_matches('/');
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "at </{closed}>");
        } else if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
        for attribute in tag.split('"').step_by(2) {
            let Some(name) = attribute.trim_end_matches('=').split_whitespace().last() else {
                continue;
            };
            assert!(
                !name.starts_with("on") && (name != "style" || tag == "style"),
                "{tag}"
            );
        }
        if let Some((_, id)) = tag.split_once(" id=\"") {
            let id = id.split('"').next().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
        for (_, target) in tag
            .match_indices("href=\"")
            .map(|(at, _)| (at, &tag[at + 6..]))
        {
            assert!(target.starts_with('#'), "{tag}");
        }
        assert!(!tag.contains(" src="), "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
    for text in data {
        assert!(!text.contains('<'), "data that could end its element");
    }
    for outside in [
        "http://",
        "https://",
        "@import",
        "url(",
        "innerHTML",
        "insertAdjacent",
        "eval(",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_page_is_whole_and_refers_to_nothing_outside() {
    let report = report();
    check(&page_of(&report, &samples()));
    // Nothing at all, and a comparison.
    let mut other = report.clone();
    other.against = Some(other.source.clone());
    other.sections[0].metrics[0].against = Some(70.1);
    check(&page_of(&other, &samples()));
    other.sections.clear();
    other.rejects.clear();
    other.headline.points.clear();
    check(&page_of(&other, &[]));
}

#[test]
fn what_is_said_stays_text() {
    let page = page_of(&report(), &samples());
    assert!(!page.contains("<img"), "a text became an element");
    // It is there all the same: escaped in HTML, and in the data of the script.
    let escaped = Text(HOSTILE).to_string();
    assert!(
        page.matches(&escaped).count() >= 4,
        "headline, chart, conversation"
    );
    let (_, data) = tags(&page);
    let details: serde_json::Value = serde_json::from_str(data[2]).unwrap();
    assert_eq!(details[3]["t"][0]["x"], HOSTILE);
    let index: serde_json::Value = serde_json::from_str(data[0]).unwrap();
    assert_eq!(index["marks"][0]["note"], HOSTILE);
}

#[test]
fn the_policy_names_the_scripts_that_run() {
    let page = page_of(&report(), &samples());
    let policy = page
        .split("script-src ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let mut rest = page.as_str();
    let mut found = 0;
    while let Some(at) = rest.find("<script>") {
        let text = &rest[at + 8..];
        let script = &text[..text.find("</script>").unwrap()];
        assert!(
            policy.contains(&hash(script)),
            "a script that would not run"
        );
        found += 1;
        rest = &text[script.len()..];
    }
    assert_eq!((found, policy.split_whitespace().count()), (2, 2));
}

#[test]
fn conversations_can_be_filtered_by_what_tells_them_apart() {
    let all = samples();
    let all: Vec<&Sample> = all.iter().collect();
    let (pages, marks) = (pages(), marks());
    let index = serde_json::to_value(Index::new("k", &ids(&all), &all, &pages, &marks)).unwrap();
    let facets = index["facets"].as_array().unwrap();
    let found = |key: &str| facets.iter().find(|facet| facet["key"] == key);
    assert_eq!(
        found("verdict").unwrap()["values"],
        serde_json::json!(["kept", "turned down: role leak"])
    );
    assert_eq!(
        found("verdict").unwrap()["of"],
        serde_json::json!([[0], [1], [0], [0]])
    );
    assert_eq!(
        found("page").unwrap()["values"][0],
        "Returning what you bought"
    );
    assert_eq!(found("page").unwrap()["of"][2], serde_json::json!([]));
    assert_eq!(found("person").unwrap()["of"][2], serde_json::json!([0, 2]));
    assert_eq!(found("holds").unwrap()["of"][1], serde_json::json!([]));
    assert_eq!(index["unbacked"], serde_json::json!([1, 0, 0, 0]));
    assert_eq!(index["guards"], serde_json::json!([1, 0, 0, 0]));
    assert_eq!(index["words"][0], 5 + 15);
    // All have the same tone, or none: it tells apart; the same for all tells nothing.
    let support: Vec<&Sample> = all
        .iter()
        .filter(|sample| sample.id != "c/2/0")
        .copied()
        .collect();
    let index =
        serde_json::to_value(Index::new("k", &ids(&support), &support, &pages, &marks)).unwrap();
    let facets = index["facets"].as_array().unwrap();
    assert!(facets.iter().all(|facet| facet["key"] != "tone"));
}

#[test]
fn large_corpora_are_packed_and_come_back() {
    let some: Vec<Sample> = (0..450)
        .map(|nth| synthetic(nth, Stream::root(5)))
        .collect();
    let report = report();
    let page = page_of(&report, &some);
    check(&page);
    assert_eq!(page, page_of(&report, &some), "the same bytes");
    let chunks =
        page.matches("application/gzip").count() - SCRIPT.matches("application/gzip").count();
    assert_eq!(chunks, 450usize.div_ceil(CHUNK));
    let (_, data) = tags(&page);
    let mut seen = 0;
    for packed in &data[2..] {
        let bytes = unpack(packed);
        let details: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        for detail in details {
            assert_eq!(detail["t"][0]["x"], some[seen].turns[0].text);
            seen += 1;
        }
    }
    assert_eq!(seen, some.len());
}

/// Base64 read independently of how it is written.
fn unpack(text: &str) -> Vec<u8> {
    use std::io::Read;
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for letter in text.trim_end_matches('=').chars() {
        bits = (bits << 6) | u32::try_from(LETTERS.find(letter).unwrap()).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 255).unwrap());
        }
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

#[test]
fn a_small_page() {
    let page = page_of(&report(), &samples());
    // What runs and how it looks is read where it is written.
    let page = page
        .replace(STYLE, "")
        .replace(SCRIPT, "")
        .replace(EARLY, "");
    let page = page
        .replace(&hash(SCRIPT), "SCRIPT")
        .replace(&hash(EARLY), "EARLY");
    insta::assert_snapshot!(page);
}

/// A conversation of invented words, as long as those of a support run are, with everything in it that a page shows.
fn synthetic(nth: u64, root: Stream) -> Sample {
    const TONES: [&str; 4] = ["cheerful", "neutral", "annoyed", "angry"];
    const STYLES: [&str; 5] = ["plain", "casual", "formal", "typos", "non_native"];
    const PRODUCTS: [&str; 4] = ["laptop", "camera", "smart watch", "washing machine"];
    let draw = root.child("sample").at(nth);
    let mut drawn = 0u64;
    let mut below = |most: usize| {
        drawn += 1;
        draw.below(drawn, most)
    };
    let mut sentence = |words: usize| {
        let mut text = String::new();
        for place in 0..words {
            let mut word = String::new();
            for _ in 0..=below(3) {
                word.push_str(
                    [
                        "ba", "le", "ri", "to", "sun", "ka", "mer", "do", "pil", "ne",
                    ][below(10)],
                );
            }
            if place == 0 {
                word = html::title(&word);
            } else {
                text.push(' ');
            }
            text.push_str(&word);
        }
        text + "."
    };
    let turns = (0..4 + nth % 7)
        .map(|place| {
            let agent = place % 2 == 1;
            let mut turn = utterance(usize::from(agent), "");
            for _ in 0..2 + nth % 2 {
                if !turn.text.is_empty() {
                    turn.text.push(' ');
                }
                let from = turn.text.len();
                turn.text += &sentence(12 + usize::try_from((nth + place) % 9).unwrap());
                if agent {
                    let backed = !(nth + place).is_multiple_of(5);
                    turn.links.push(Link {
                        sentence: from..turn.text.len(),
                        verdict: if backed {
                            Support::Supported {
                                paragraph: 1,
                                span: 0..28,
                            }
                        } else {
                            Support::Unsupported {
                                why: Why::Elsewhere("kami, doto".into()),
                            }
                        },
                    });
                }
            }
            turn.tokens = Some(turn.text.len() / 4);
            turn
        })
        .collect();
    let verdict = if nth % 9 == 4 {
        Verdict::Reject {
            reason: ["echo", "near_duplicate", "role_leak"][usize::try_from(nth / 9 % 3).unwrap()]
                .into(),
            detail: "what was seen".into(),
        }
    } else {
        Verdict::Keep
    };
    let pick = |of: &[&str], by: u64| of[usize::try_from(nth / by).unwrap() % of.len()].to_owned();
    let mut made = sample(&format!("c/{nth}/0"), verdict, turns);
    made.outcome = Some(
        [Outcome::Resolved, Outcome::Unresolved, Outcome::Abandoned]
            [usize::try_from(nth % 3).unwrap()],
    );
    made.fields.insert("tone".into(), pick(&TONES, 1));
    made.fields.insert("style".into(), pick(&STYLES, 4));
    made.fields.insert("product".into(), pick(&PRODUCTS, 3));
    made.fields
        .insert("query_id".into(), format!("returns/{nth}"));
    made
}

/// Writes what `browser.mjs` looks at to the folder that `COLLOQUY_PAGES` names: a small page with everything on it, and
/// one of 10,000 conversations.
#[test]
#[ignore = "writes files for a browser"]
fn pages_for_a_browser() {
    let folder = std::env::var("COLLOQUY_PAGES").expect("COLLOQUY_PAGES names a folder");
    let folder = std::path::Path::new(&folder);
    std::fs::write(folder.join("small.html"), page_of(&report(), &samples())).unwrap();
    let many: Vec<Sample> = (0..10_000)
        .map(|nth| synthetic(nth, Stream::root(5)))
        .collect();
    std::fs::write(folder.join("large.html"), page_of(&report(), &many)).unwrap();
}
