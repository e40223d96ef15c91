//! `bench` and `doctor` as their user meets them. Nothing here depends on how fast the machine is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::fs;

use program::{Ended, Place, model_folder, without_template};
use serde_json::Value;

/// The least that can be measured.
const SMALL: &[&str] = &[
    "bench",
    "--batches",
    "2,1",
    "--prompt-tokens",
    "16",
    "--new-tokens",
    "4",
];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SMALL, more].concat()
}

fn positive(value: &Value) -> bool {
    value.as_f64().is_some_and(|n| n.is_finite() && n > 0.0)
}

#[test]
fn bench_measures_the_demo_model() {
    let place = Place::new();
    let arguments = small(&[
        "--threads",
        "1",
        "--fitness",
        "2",
        "--json",
        "--svg",
        "figures.svg",
    ]);
    let ended = place.ok(&arguments);
    assert!(ended.err.contains("demo: loading"), "{}", ended.err);
    let told = ended.json();
    for moment in ["before", "after"] {
        let machine = &told["machine"][moment];
        assert_eq!(machine["threads"], 1);
        assert!(positive(&machine["bandwidth_gb_s"]) && positive(&machine["peaks"]["f32"]));
    }
    let models = told["models"].as_array().unwrap();
    assert_eq!(models.len(), 1);
    let model = &models[0];
    assert_eq!(
        (&model["reference"], &model["profile"]),
        (&"demo".into(), &"f32".into())
    );
    // 5 layers, 2 heads of 64 for keys and as many for values, 4 bytes each.
    assert_eq!(
        model["memory"]["kv_bytes_per_token"],
        5 * 2 * 64 * 2 * 4,
        "{model}"
    );
    assert!(model["memory"]["weight_bytes"].as_u64().unwrap() > 5_000_000);
    assert!(
        model["memory"]["peak_bytes"].as_u64().unwrap()
            > model["memory"]["weight_bytes"].as_u64().unwrap()
    );
    assert!(positive(&model["load_s"]));
    let timings: Vec<&Value> = [&model["prefill"]]
        .into_iter()
        .chain(model["decode"].as_array().unwrap())
        .collect();
    let sizes: Vec<_> = timings
        .iter()
        .map(|timing| {
            (
                timing["batch"].as_u64().unwrap(),
                timing["tokens"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(sizes, [(1, 16), (1, 4), (2, 8)]);
    for timing in timings {
        let seconds: Vec<f64> = timing["seconds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_f64().unwrap())
            .collect();
        assert_eq!(seconds.len(), 3);
        let mut sorted = seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let rate = timing["tokens"].as_f64().unwrap() / sorted[1];
        assert!((timing["tokens_per_s"].as_f64().unwrap() / rate - 1.0).abs() < 1e-9);
        assert!(positive(&timing["share_of_limit"]), "{timing}");
    }
    let kernels = model["kernels"].as_array().unwrap();
    for class in ["linear", "attention", "head"] {
        let used = kernels.iter().find(|kernel| kernel["class"] == class);
        let used = used.unwrap()["kernel"].as_str().unwrap();
        assert!(used.starts_with("f32 "), "{class}: {used}");
    }

    let fitness = &model["fitness"];
    assert_eq!(fitness["conversations"], 2, "{fitness}");
    assert_eq!(fitness["format"]["of"], 2);
    assert!(fitness["turns"].as_u64().unwrap() >= 4);
    for share in ["format", "words", "endings", "tone"] {
        let share = fitness["percent"][share].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&share));
    }
    let svg = place.read("figures.svg");
    assert!(
        svg.starts_with("<svg") && svg.contains("demo · f32") && svg.contains("Fitness"),
        "{svg}"
    );
    assert_eq!(place.listing(), ["figures.svg"]);

    // What a model says does not depend on how it is run.
    let again = small(&["--threads", "2", "--fitness", "2", "--json"]);
    let mut counted = place.ok(&again).json()["models"][0]["fitness"].clone();
    let mut first = fitness.clone();
    for value in [&mut counted, &mut first] {
        value.as_object_mut().unwrap().remove("seconds").unwrap();
    }
    assert_eq!(counted, first);
}

#[test]
fn bench_compares_in_a_table() {
    let place = Place::new();
    let folder = model_folder(&place, "base", without_template);
    let arguments = small(&["demo", "--quant", "none,q8_0", "--fitness", "0"]);
    let ended = place.ok(&arguments);
    let rows = ["demo · f32", "demo · int8"];
    for row in rows {
        // Once in the speed table, once with its kernels.
        let start = format!("  {row}");
        let lines = ended.out.lines().filter(|line| line.starts_with(&start));
        assert_eq!(lines.count(), 2, "{row}: {}", ended.out);
    }
    for text in ["×1", "×2", "prefill 16", "GB/s", "linear int8 ", "KV/token"] {
        assert!(ended.out.contains(text), "{text}: {}", ended.out);
    }
    assert!(!ended.out.contains("fitness"), "{}", ended.out);
    assert!(!ended.out.contains('\u{1b}'), "{:?}", ended.out);

    // A model that cannot chat has a speed and a reason.
    let mut base = small(&["--fitness", "1", "--json", "--model"]);
    base.push(&folder);
    let told = place.ok(&base).json();
    let model = &told["models"][0];
    assert!(model["fitness"].is_null() && positive(&model["prefill"]["tokens_per_s"]));
    let reason = model["no_fitness"].as_str().unwrap();
    assert!(reason.contains("cannot chat"), "{reason}");
}

#[test]
fn bench_refuses_what_it_cannot_measure_and_says_what_it_can() {
    let place = Place::new();
    // The same words as elsewhere, and before anything is loaded.
    let refused = place.fails(&["bench", "demo", "no/such"], 66);
    let elsewhere = place.fails(&["models", "show", "no/such"], 66);
    assert_eq!(refused, elsewhere);
    let refused = place.fails(&["bench", "scripted"], 2);
    assert!(refused.contains("no speed"), "{refused}");
    let refused = place.fails(&["bench", "--svg", "none/figures.svg"], 66);
    assert!(
        refused.contains("folder does not exist") && !refused.contains("loading"),
        "{refused}"
    );
    let refused = place.fails(&["bench", "--prompt-tokens", "5000"], 2);
    assert!(refused.contains("--prompt-tokens 2047 fits"), "{refused}");

    let tight = |batch: &str| {
        let arguments = [
            "bench",
            "--memory",
            "40 MiB",
            "--fitness",
            "0",
            "--prompt-tokens",
            "4",
            "--new-tokens",
            "2",
            "--batches",
            batch,
        ];
        place.run(&arguments)
    };
    let refused = tight("4000");
    refused.is_one_error(2, "a batch of 4000");
    let (_, rest) = refused.err.split_once("--batches up to ").unwrap();
    let fits: u32 = rest.split(' ').next().unwrap().parse().unwrap();
    assert!((8..200).contains(&fits), "{}", refused.err);
    tight(&(fits + 1).to_string()).is_one_error(2, "one more");
    let ended = tight(&fits.to_string());
    assert_eq!(ended.code, Some(0), "{ended:#?}");

    let refused = place.fails(&["bench", "--memory", "8 MiB"], 2);
    assert!(refused.contains("page pool"), "{refused}");
}

fn check<'a>(told: &'a Value, name: &str) -> &'a Value {
    let checks = told["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {told}"))
}

#[test]
fn doctor_finds_everything_usable() {
    let place = Place::new();
    let ended = place.ok(&["doctor", "--quick"]);
    assert!(
        ended.out.contains("✔ model        demo loads")
            && ended.out.contains("everything is usable"),
        "{}",
        ended.out
    );
    assert!(
        !ended.out.contains('\u{1b}') && !ended.out.contains('✘'),
        "{}",
        ended.out
    );
    let told = place.ok(&["doctor", "--json"]).json();
    assert_eq!((&told["ok"], &told["exit_code"]), (&true.into(), &0.into()));
    assert!(positive(&check(&told, "speed")["facts"]["peaks"]["f32"]));
    assert!(positive(&check(&told, "threads")["facts"]["used"]));
    assert!(positive(
        &check(&told, "memory")["facts"]["available_bytes"]
    ));
    assert!(positive(&check(&told, "model")["facts"]["conversations"]));
    assert_eq!(check(&told, "CUDA")["facts"]["built_in"], false);
    // There is no cache here, and that is said with what to do.
    let cache = check(&told, "model cache");
    assert_eq!(cache["state"], "note");
    assert_eq!(
        cache["facts"]["folder"],
        place.path("no-models/hub").to_str().unwrap()
    );
    assert_eq!(place.listing(), Vec::<String>::new());
}

#[test]
fn doctor_lists_the_cache() {
    let place = Place::new();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let repo = "no-models/hub/models--no-such-org--Name";
    model_folder(&place, &format!("{repo}/snapshots/{commit}"), |_, bytes| {
        Some(bytes)
    });
    place.write(&format!("{repo}/refs/main"), commit);
    place.write("no-models/hub/models--no-such-org--half/refs/main", commit);
    let told = place
        .ok(&["doctor", "--quick", "--json", "--model", "no-such-org/Name"])
        .json();
    let cache = check(&told, "model cache");
    let models = cache["facts"]["models"].as_array().unwrap();
    let named: Vec<_> = models
        .iter()
        .map(|m| m["reference"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["no-such-org/Name", "no-such-org/half"]);
    let bytes: u64 = fs::read_dir(place.path(&format!("{repo}/snapshots/{commit}")))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(models[0]["bytes"], bytes);
    assert!(models[0]["problem"].is_null() && models[1]["problem"].is_string());
    assert_eq!(cache["state"], "note", "one is broken: {cache}");
    assert_eq!(
        check(&told, "model")["facts"]["reference"],
        "no-such-org/Name"
    );
}

#[test]
fn doctor_names_problems_with_a_remedy_and_a_code() {
    let place = Place::new();
    let ended = place.run(&["doctor", "--quick", "--model", "no/such"]);
    assert_eq!(ended.code, Some(66), "{ended:#?}");
    assert!(
        ended.out.contains("✘ model") && ended.out.contains("colloquy models pull no/such"),
        "{}",
        ended.out
    );
    assert!(ended.out.ends_with("1 problem\n"), "{}", ended.out);

    place.write("runs", "a file");
    let ended = place.run(&["doctor", "--quick", "--json"]);
    assert_eq!(ended.code, Some(74), "{ended:#?}");
    let told = ended.json();
    assert_eq!(check(&told, "output")["state"], "problem");
    assert!(
        check(&told, "output")["remedy"]
            .as_str()
            .unwrap()
            .contains("--out")
    );

    let mut command = place.command(&["doctor", "--quick"]);
    command
        .env("COLLOQUY_THREADS", "many")
        .env("HF_TOKEN", "hf_secret");
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert!(
        ended.out.contains("✘ settings") && ended.out.contains("HF_TOKEN=…"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("hf_secret"), "{}", ended.out);
}
