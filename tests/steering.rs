//! The dials of the agent's manner: what a recipe asks for is what comes out.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test that cannot go on should stop; counts are small"
)]

mod program;

use colloquy::augment::style::{asks, thanks};
use program::Place;
use serde_json::Value;

fn agent_turns(place: &Place, run: &str) -> Vec<String> {
    let chats = place.ok(&["show", run, "--json"]).json_lines();
    let turns = chats
        .iter()
        .flat_map(|chat| chat["turns"].as_array().unwrap().clone());
    turns
        .filter(|turn| turn["speaker"] == "agent")
        .map(|turn| turn["text"].as_str().unwrap().to_owned())
        .collect()
}

fn share(turns: &[String], is: fn(&str) -> bool) -> f64 {
    turns.iter().filter(|turn| is(turn)).count() as f64 / turns.len() as f64
}

#[test]
fn shares_of_thanks_and_questions_come_out_as_asked_for() {
    let place = Place::new();
    for (n, (thank, ask)) in [(0.2, 0.5), (0.6, 0.2), (0.0, 1.0)].into_iter().enumerate() {
        let out = format!("r{n}");
        let (thank_key, ask_key) = (
            format!("conversation.thank={thank:?}"),
            format!("conversation.ask={ask:?}"),
        );
        place.ok(&[
            "generate",
            "--out",
            &out,
            "--model",
            "scripted",
            "--set",
            "count=60",
            "--set",
            &thank_key,
            "--set",
            &ask_key,
            "--set",
            "plan.keep_only_planned_outcome=false",
        ]);
        let run = place.only_run(&out);
        let turns = agent_turns(&place, &run);
        assert!(turns.len() > 100, "{}", turns.len());
        let (thanked, asked) = (share(&turns, thanks), share(&turns, asks));
        assert!((thanked - thank).abs() <= 0.1, "thank {thank}: {thanked}");
        assert!((asked - ask).abs() <= 0.1, "ask {ask}: {asked}");
        // The note is there for one call and in nobody's view afterwards.
        let shown = place
            .ok(&["show", &run, "0", "--prompts", "--json"])
            .json_lines();
        let prompts = shown[0]["prompts"].as_array().unwrap();
        let (mut notes, mut left) = (0, 0);
        for prompt in prompts {
            let tail = prompt["tail"].as_str().unwrap_or_default();
            notes += usize::from(prompt["asked"] == "agent" && tail.contains("thank"));
            left += prompt["messages"].to_string().matches("(greet:").count();
        }
        assert!(notes > 0 && left == 0, "{notes} {left}");
    }
}

/// A model that does not do as it is told is asked once more, and then taken as it is.
#[test]
fn what_disobeys_is_made_again_once_and_kept() {
    let place = Place::new();
    let dials = "scripted:deaf=1";
    let ended = place.ok(&[
        "generate",
        "--model",
        dials,
        "--set",
        "count=6",
        "--set",
        "conversation.ask=1.0",
        "--set",
        "plan.keep_only_planned_outcome=false",
        "--json",
    ]);
    assert_eq!(ended.json()["status"]["kept"], 6, "{}", ended.out);
    let shown: Vec<Value> = place
        .ok(&["show", &place.only_run("runs"), "--json"])
        .json_lines();
    let first = &shown[0]["turns"][1];
    assert_eq!(first["rejected"][0]["hit"]["kind"], "steering", "{first}");
    assert_eq!(
        first["rejected"][0]["hit"]["detail"],
        "was to end in a question"
    );
    let said = place.fails(&["validate", "--set", "conversation.thank=1.5"], 78);
    assert!(said.contains("0 (never) to 1 (always)"), "{said}");
}

/// Customers that open with the question as it was rewritten, and those for whom it cannot be.
#[test]
fn questions_are_rewritten_with_proof() {
    let place = Place::new();
    let opens = "customer.first_message=query";
    let any = "plan.keep_only_planned_outcome=false";
    place.write(
        "q.jsonl",
        "{\"page\": \"returns\", \"query\": \"How long can I keep it before it goes back?\"}\n\
         {\"page\": \"returns\", \"query\": \"Can a camera be returned after 45 days?\"}\n",
    );
    let from = "queries.from=q.jsonl";
    place.ok(&[
        "generate", "--model", "scripted", "--set", "count=24", "--set", opens, "--set", any,
        "--set", from,
    ]);
    let run = place.only_run("runs");
    let chats = place.ok(&["show", &run, "--json"]).json_lines();
    let (mut products, mut left, mut tones) = (0, 0, 0);
    for chat in &chats {
        let steps = chat["rewrites"].as_array().unwrap();
        assert_eq!(steps[0]["kind"], "product");
        let opening = chat["turns"][0]["text"].as_str().unwrap();
        if chat["turns"][0].get("edits").is_none() {
            assert_eq!(opening, steps.last().unwrap()["text"], "{chat}");
        }
        if chat["query"].as_str().unwrap().contains("camera") {
            left += usize::from(steps[0]["left"] == "it is about the camera already");
            assert!(opening.contains("45"), "{opening}");
        } else if steps[0].get("left").is_none() {
            products += 1;
            let product = chat["cell"]["product"].as_str().unwrap();
            assert!(
                steps[0]["text"].as_str().unwrap().contains(product),
                "{steps:?}"
            );
        }
        tones += steps.iter().filter(|step| step["kind"] == "tone").count();
    }
    assert!(
        products > 2 && left > 2 && tones > 4,
        "{products} {left} {tones}"
    );
    // A model that writes something else is asked twice, then its conversation is turned down with the reason.
    let ended = place.ok(&[
        "generate",
        "--out",
        "bad",
        "--model",
        "scripted:echo=1",
        "--set",
        "count=4",
        "--set",
        opens,
        "--set",
        "customer.tone={ angry = 1 }",
        "--set",
        "max_attempts=1",
        "--set",
        from,
        "--json",
    ]);
    let status = &ended.json()["status"];
    assert_eq!(status["rejected"]["rewrite"], 4, "{status}");
}

/// An agent that states what neither the page nor the case has is asked once more.
#[test]
fn what_nothing_backs_is_made_again() {
    let place = Place::new();
    let made = |out: &str, check: &str| {
        place.ok(&[
            "generate",
            "--out",
            out,
            "--model",
            "scripted:invent=0.5",
            "--set",
            "count=12",
            "--set",
            "plan.keep_only_planned_outcome=false",
            "--set",
            check,
        ]);
        let run = place.only_run(out);
        let turns = agent_turns(&place, &run);
        let shown = place.ok(&["show", &run, "--json"]).out;
        let wrong = turns.iter().filter(|turn| turn.contains("£987")).count();
        (wrong, shown.matches("\"unbacked\"").count())
    };
    let (unchecked, caught) = made("off", "conversation.check_facts=false");
    assert!(unchecked > 5 && caught == 0, "{unchecked} {caught}");
    let (checked, caught) = made("on", "conversation.check_facts=true");
    assert!(
        caught > 5 && checked * 3 < unchecked * 2,
        "{checked} {unchecked} {caught}"
    );
}

/// Styles beyond the default ones: where the model drops one, rules put it back, and the run says how often.
#[test]
fn styles_are_held_in_every_turn() {
    let place = Place::new();
    let styles = "customer.style={ colloquial = 1, polite = 1, rude = 1, non_native = 2 }";
    let languages = "customer.first_language={ polish = 1, mandarin = 1 }";
    let any = "plan.keep_only_planned_outcome=false";
    let make = |out: &str, more: &[&str]| {
        let fixed = [
            "generate", "--model", "scripted", "--out", out, "--set", "count=30", "--set", styles,
            "--set", languages, "--set", any, "--json",
        ];
        let ended = place.ok(&[&fixed[..], more].concat());
        let run = place.only_run(out);
        let chats = place.ok(&["show", &run, "--json"]).json_lines();
        let told = ended.json()["status"]["restyled_turns"].as_u64().unwrap();
        (run, chats, told)
    };
    let restyled = |chats: &[Value]| {
        let turns = chats
            .iter()
            .flat_map(|chat| chat["turns"].as_array().unwrap());
        turns.filter(|turn| !turn["restyled"].is_null()).count() as u64
    };
    let (run, chats, told) = make("held", &[]);
    assert!(told > 20, "{told}");
    assert_eq!(restyled(&chats), told);
    let said = place.ok(&["status", &run]).out;
    assert!(said.contains(&format!("in {told} turns")), "{said}");
    let place_of = |chat: &&Value| chat["turns"].to_string().contains("\"restyled\"");
    let slot = chats.iter().find(place_of).unwrap()["slot"].to_string();
    let shown = place.ok(&["show", &run, &slot]).out;
    assert!(shown.contains("style put back"), "{shown}");
    for chat in &chats {
        let language = chat["cell"]["first_language"].as_str();
        assert_eq!(language.is_some(), chat["cell"]["style"] == "non_native");
        assert!(language.is_none_or(|name| ["polish", "mandarin"].contains(&name)));
    }
    let rows = place.ok(&["export", &run, "--out", "-"]).json_lines();
    assert!(rows.iter().any(|row| row["first_language"] == "polish"));
    let full = place.ok(&["show", &run, &slot, "--prompts", "--json"]).out;
    assert!(full.contains("Style: "), "{full}");

    let (_, chats, told) = make("free", &["--set", "customer.hold_style=false"]);
    assert_eq!((restyled(&chats), told), (0, 0));
    let german = ["--set", "language=de"];
    let (_, chats, told) = make("german", &german);
    assert_eq!((restyled(&chats), told), (0, 0));
    let said = place.ok(&["validate", german[0], german[1]]).out;
    assert!(
        said.contains("customer.hold_style knows English only"),
        "{said}"
    );

    // The question itself, in all of these styles.
    let opens = ["--set", "customer.first_message=query"];
    let (_, chats, _) = make("query", &opens);
    let steps = |style: &str| {
        chats
            .iter()
            .flat_map(|chat| chat["rewrites"].as_array().unwrap())
            .filter(|step| step["kind"] == "style" && step["target"] == style)
            .count()
    };
    let counts = ["colloquial", "polite", "rude", "non_native"].map(steps);
    assert_eq!(counts.iter().sum::<usize>(), chats.len(), "{counts:?}");
    assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
}
