use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::hash;
use crate::record::{Outcome, Style, Tone};

fn recipe(text: &str) -> RecipeText {
    RecipeText::from_file(Path::new("shop/mine.toml"), text.to_owned())
}

fn no_env() -> Environment {
    Environment::from_lookup(|_| None)
}

fn set(arguments: &[&str]) -> Overrides {
    Overrides {
        set: arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect(),
        ..Overrides::default()
    }
}

fn resolved(text: &str) -> RunSpec {
    resolve(&recipe(text), &Overrides::default(), &no_env())
        .unwrap()
        .spec
}

fn refused(text: &str, overrides: &Overrides) -> (String, Option<String>) {
    let error = resolve(&recipe(text), overrides, &no_env()).unwrap_err();
    (error.to_string(), error.hint())
}

#[test]
fn the_shipped_recipe_says_the_defaults() {
    let shipped = resolve(
        &RecipeText::find(None).unwrap(),
        &Overrides::default(),
        &no_env(),
    )
    .unwrap();
    assert_eq!(shipped.spec.model, "demo");
    assert_eq!(shipped.spec.pages.dir, PagesDir::Shipped);
    let bare = RunSpec {
        name: "support".into(),
        brand: shipped.spec.brand.clone(),
        pages: shipped.spec.pages.clone(),
        // Left out, nothing is steered.
        ..resolved("model = \"demo\"\n[conversation]\nthank = 0.2\nask = 0.25")
    };
    assert_eq!(
        shipped.spec, bare,
        "a default has moved away from what the recipe teaches"
    );
    assert_eq!(
        RecipeText::find(Some("support")).unwrap().text,
        RecipeText::find(None).unwrap().text
    );
    for key in known_keys() {
        let last = key.path.rsplit('.').next().unwrap();
        let explains = |recipe: &Embedded| recipe.text.contains(&format!("{last} = "));
        assert!(
            EMBEDDED.iter().any(explains),
            "{} is not explained in a recipe",
            key.path
        );
    }
}

/// A recipe with every commented key that is not in `but` put in force.
fn uncommented(recipe: &Embedded, but: &[&str]) -> RunSpec {
    let mut text = String::new();
    for line in recipe.text.lines() {
        let key = line.strip_prefix("# ").filter(|rest| {
            rest.split_once(" = ").is_some_and(|(key, _)| {
                key.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !but.contains(&key)
            })
        });
        text.push_str(key.unwrap_or(line));
        text.push('\n');
    }
    resolved(&text)
}

#[test]
fn commented_keys_of_the_shipped_recipes_are_valid() {
    assert_eq!(
        uncommented(&EMBEDDED[0], &[]).queries.from,
        Some(PathBuf::from("shop/queries.jsonl"))
    );
    // Those that say the opposite of another key are left out.
    let groups = uncommented(&EMBEDDED[2], &["from"]);
    assert_eq!(groups.group.order, [1, 2, 1, 3]);
    assert_eq!(
        uncommented(&EMBEDDED[3], &[]).personas.from,
        Some(PathBuf::from("shop/personas.jsonl"))
    );
    for recipe in EMBEDDED {
        let spec = uncommented(recipe, &["from"]);
        assert_eq!(spec.model, "demo", "{}", recipe.name);
    }
}

#[test]
fn the_recipe_of_group_chats_says_the_defaults() {
    let shipped = resolved(EMBEDDED[2].text);
    let bare = resolved("model = 'demo'\n[plan]\nkind = { group = 1 }");
    assert_eq!(shipped.experiences, bare.experiences);
    assert_eq!(shipped.personas, bare.personas);
    assert_eq!(shipped.group, bare.group);
}

#[test]
fn the_starter_needs_a_model_and_has_its_own_pages() {
    let text = starter(&EMBEDDED[0], "My shop");
    let error = resolve(&recipe(&text), &Overrides::default(), &no_env()).unwrap_err();
    assert!(matches!(error, SettingsError::NeedsModel { .. }));
    assert_eq!(
        error.to_string(),
        "shop/mine.toml: a recipe of your own needs a model"
    );
    assert!(error.hint().unwrap().contains("--model"));
    let spec = resolve(
        &recipe(&text),
        &Overrides {
            model: vec!["demo".into()],
            ..Overrides::default()
        },
        &no_env(),
    )
    .unwrap()
    .spec;
    assert_eq!(
        (spec.name.as_str(), spec.pages.dir),
        ("My-shop", PagesDir::Folder("shop/pages".into()))
    );
    assert_eq!(spec.brand.name, "Larkmoor");
}

#[test]
fn every_key_is_read_and_has_a_place_in_the_spec() {
    for key in known_keys() {
        let value = match key.kind {
            Kind::Text if key.path == "brand.channel" => "'email'",
            Kind::Text if key.path.ends_with("quant") => "'q4'",
            Kind::Text if key.path.ends_with("kv_dtype") => "'bf16'",
            Kind::Text | Kind::Texts if key.path == "plan.cross" => "['tone', 'style']",
            Kind::Text if key.path == "experiences.shot_choice" => "'random'",
            Kind::Text if key.path == "customer.first_message" => "'query'",
            Kind::Text if key.path == "plan.variants" => "'all'",
            Kind::Text if key.path == "experiences.hub" => "'off'",
            Kind::Text if key.path == "personas.mode" => "'generated'",
            Kind::Text if key.path == "group.speaker" => "'random'",
            Kind::Text if key.path == "quality.pii" => "'redact'",
            Kind::Text if key.path == "quality.harm" => "'judge'",
            Kind::Wholes => "[2, 1]",
            Kind::Lists => "{ 1 = [2] }",
            Kind::Text => "'other'",
            Kind::Texts => "['o*']",
            Kind::Whole | Kind::Amount => "17",
            Kind::Number => "0.33",
            Kind::Switch => match key.path {
                "plan.keep_only_planned_outcome"
                | "conversation.check_facts"
                | "customer.hold_style"
                | "quality.language" => "false",
                _ => "true",
            },
            Kind::Size => "17000000",
            Kind::Shares if key.path == "plan.outcome" => "{ RESOLVED = 3 }",
            Kind::Shares if key.path == "customer.style" => "{ non_native = 3 }",
            Kind::Shares if key.path == "customer.first_language" => "{ hindi = 3 }",
            Kind::Shares if key.path == "customer.tone" => "{ angry = 3 }",
            Kind::Shares if key.path == "customer.cooperation" => "{ vague = 3 }",
            Kind::Shares if key.path == "plan.cause" => "{ page_lacks_it = 3 }",
            Kind::Shares if key.path == "plan.kind" => "{ support = 3, group = 1 }",
            Kind::Shares if key.path == "experiences.participants" => "{ 6 = 3 }",
            Kind::Shares if key.path == "quality.judge" => "{ tone = 3.0 }",
            Kind::Shares if key.path.starts_with("monitor.") => "{ rejected = 0.5 }",
            Kind::Shares => "{ kettle = 3 }",
            Kind::Values => "{ mode = 'short' }",
        };
        let value = match key.path {
            "conversation.min_turns" => "3",
            "group.min_turns" => "7",
            "experiences.shots" => "16",
            _ => value,
        };
        let both = "model = 'm'\ncount = 5\n[customer]\nstyle = { plain = 1, non_native = 1 }\n[models]\njudge = 'j'\n[plan]\nkind = { support = 1, group = 1 }\n[personas]\nmode = 'sampled'\n[quality]\nnear_duplicates = 0.7";
        let with = resolve(
            &recipe(both),
            &set(&[&format!("{}={value}", key.path)]),
            &no_env(),
        )
        .unwrap();
        let without = resolve(&recipe(both), &Overrides::default(), &no_env()).unwrap();
        let before = without.entries();
        let changed: Vec<_> = with
            .entries()
            .into_iter()
            .filter(|a| {
                let same = before.iter().find(|b| a.path == b.path);
                same.is_some_and(|b| a.value != b.value)
            })
            .map(|a| a.path)
            .collect();
        assert_eq!(changed, [key.path]);
        if key.part == Part::Roles {
            // Stages have what is decided for their roles, not what was written: see `model_tests`.
            continue;
        }
        for &stage in Stage::ALL {
            let differs = hash::of_value(&with.spec.content_keys(stage))
                != hash::of_value(&without.spec.content_keys(stage));
            assert_eq!(differs, key.part.shapes(stage), "{} and {stage}", key.path);
            if differs {
                assert_eq!(
                    diff_keys(
                        &without.spec.content_keys(stage),
                        &with.spec.content_keys(stage)
                    ),
                    [key.path]
                );
            }
        }
    }
}

#[test]
fn a_tone_does_not_touch_the_queries() {
    let a = resolved("model = 'm'");
    let b = resolved("model = 'm'\n[customer]\ntone = { angry = 1 }");
    assert_eq!(
        a.content_keys(Stage::Queries),
        b.content_keys(Stage::Queries)
    );
    assert_ne!(
        a.content_keys(Stage::Conversations),
        b.content_keys(Stage::Conversations)
    );
    assert!(!a.content_keys(Stage::Conversations).contains_key("count"));
}

#[test]
fn a_plan_of_all_variants_needs_no_count() {
    let all = resolved("model = 'm'\n[plan]\nvariants = 'all'");
    assert_eq!((all.count, all.has_all_variants()), (MOST_COUNT, true));
    let some = resolved("model = 'm'\ncount = 9\n[plan]\nvariants = 'all'");
    assert_eq!((some.count, resolved("model = 'm'").count), (9, 24));
    let text = "model = 'm'\n[plan]\nvariants = 'all'\ncross = ['tone', 'outcome']";
    let error = resolve(&recipe(text), &Overrides::default(), &no_env()).unwrap_err();
    assert!(
        error.to_string().contains("`tone` with plan.variants"),
        "{error}"
    );
    let text = "model = 'm'\n[plan]\nvariants = 'al'";
    let error = resolve(&recipe(text), &Overrides::default(), &no_env()).unwrap_err();
    assert!(error.to_string().contains("one of shares, all"), "{error}");
    let groups = resolved("model = 'm'\n[plan]\nvariants = 'all'\nkind = { group = 1 }");
    assert!(!groups.has_all_variants());
}

#[test]
fn flag_over_environment_over_recipe_over_default() {
    let env = Environment::from_lookup(|name| match name {
        "COLLOQUY_MODEL" => Some("from/env".into()),
        "COLLOQUY_THREADS" => Some("3".into()),
        "COLLOQUY_MEMORY" => Some("2 GiB".into()),
        _ => None,
    });
    let text = "model = 'from/recipe'\nseed = 1\n[engine]\nthreads = 9\n";
    let plain = resolve(&recipe(text), &Overrides::default(), &env).unwrap();
    assert_eq!(
        (plain.spec.model.as_str(), plain.origin("model")),
        ("from/env", Origin::Env("COLLOQUY_MODEL"))
    );
    assert_eq!(plain.spec.engine.threads, Auto::Exactly(3));
    assert_eq!(plain.spec.engine.memory, Auto::Exactly(2 << 30));
    assert_eq!(plain.origin("seed").to_string(), "shop/mine.toml:2:1");
    assert_eq!(plain.origin("count"), Origin::Default);
    let mut overrides = set(&["model=from/set", "engine.threads=5", "seed=2", "seed=3"]);
    let over = resolve(&recipe(text), &overrides, &env).unwrap();
    assert_eq!(
        (
            over.spec.model.as_str(),
            over.spec.seed,
            over.spec.engine.threads
        ),
        ("from/set", 3, Auto::Exactly(5))
    );
    assert_eq!(over.origin("seed").to_string(), "--set seed");
    overrides.model = vec!["from/flag".into()];
    overrides.seed = Some(4);
    overrides.limit = Some(5);
    let flag = resolve(&recipe(text), &overrides, &env).unwrap();
    assert_eq!(
        (
            flag.spec.model.as_str(),
            flag.spec.seed,
            flag.spec.places_of(flag.spec.count)
        ),
        ("from/flag", 4, 5)
    );
    assert_eq!(flag.origin("seed").to_string(), "--seed");
}

#[test]
fn set_reads_toml_and_bare_texts() {
    let overrides = set(&[
        "brand.name=My Shop",
        "brand.agent=\"Sam\"",
        "language=7",
        "plan.cross=tone,style",
        "pages.include=[\"a*\", \"b*\"]",
        "customer.tone={ angry = 1, neutral = 3 }",
        "customer.style.typos=0.5",
        "customer.product.washing machine=4",
        "sampling.agent.temperature=0.5",
        "queries.from=own.jsonl",
    ]);
    let spec = resolve(
        &recipe("model = 'm'\n[customer]\nstyle = { plain = 1 }\n"),
        &overrides,
        &no_env(),
    )
    .unwrap()
    .spec;
    assert_eq!(
        (
            spec.brand.name.as_str(),
            spec.brand.agent.as_str(),
            spec.language.as_str()
        ),
        ("My Shop", "Sam", "7")
    );
    assert_eq!(spec.plan.cross, [Axis::Tone, Axis::Style]);
    assert_eq!(spec.pages.include, ["a*", "b*"]);
    assert_eq!(
        spec.customer.tone.entries(),
        [(Tone::Neutral, 3.0), (Tone::Angry, 1.0)]
    );
    assert_eq!(
        spec.customer.style.entries(),
        [(Style::Plain, 1.0), (Style::Typos, 0.5)]
    );
    assert_eq!(
        spec.customer.product.entries().len(),
        6,
        "one share joins the default ones"
    );
    assert!(
        spec.customer
            .product
            .entries()
            .contains(&("washing machine".into(), 4.0))
    );
    assert_eq!(spec.sampling.agent.temperature, Some(0.5));
    assert_eq!(
        spec.queries.from,
        Some("own.jsonl".into()),
        "a path on the command line starts where it was typed"
    );
}

#[test]
fn paths_of_a_recipe_start_at_the_recipe() {
    let spec = resolved(
        "model = '../models/x'\n[pages]\ndir = './shipped'\n[queries]\nfrom = '/abs/q.txt'",
    );
    assert_eq!(spec.model, "shop/../models/x");
    assert_eq!(spec.pages.dir, PagesDir::Folder("shop/./shipped".into()));
    assert_eq!(spec.queries.from, Some("/abs/q.txt".into()));
    assert_eq!(
        resolved("model = 'a/b'").pages.dir,
        PagesDir::Folder("shop/pages".into())
    );
    assert_eq!(resolved("model = 'a/b'").name, "mine");
}

#[test]
fn a_spec_survives_json() {
    let spec = resolved(
        "model = 'm'\n[plan]\noutcome = { RESOLVED = 0.1, ABANDONED = 0.2 }\n[sampling.agent]\ntop_p = 0.9\n[engine]\nmemory = '1.5 GB'",
    );
    assert_eq!(
        serde_json::from_str::<RunSpec>(&serde_json::to_string(&spec).unwrap()).unwrap(),
        spec
    );
    assert_eq!(
        spec.plan.outcome.entries(),
        [(Outcome::Resolved, 0.1), (Outcome::Abandoned, 0.2)]
    );
    assert_eq!(spec.engine.memory, Auto::Exactly(1_500_000_000));
}

#[test]
fn unknown_keys_are_all_named_with_place_and_nearest() {
    let text = "model = 'm'\ncuont = 3\n\n[brand]\n  nme = 'x'\n[sampling.agnet]\ntemperature = 1\n[zebra]\n";
    let (message, hint) = refused(text, &Overrides::default());
    let expected = "shop/mine.toml:2:1: unknown key `cuont`; did you mean `count`?\n\
                    shop/mine.toml:5:3: unknown key `brand.nme`; did you mean `brand.name`?\n\
                    shop/mine.toml:6:11: unknown key `sampling.agnet`; did you mean `sampling.agent`?\n\
                    shop/mine.toml:8:2: unknown key `zebra`";
    assert_eq!(message, expected);
    assert!(hint.is_some());
    assert_eq!(
        refused("model = 'm'", &set(&["customer.tones.angry=1"])).0,
        "--set customer.tones.angry: unknown key `customer.tones.angry`; did you mean `customer.tone`?"
    );
    assert_eq!(
        refused("model = 'm'", &set(&["count"])).0,
        "--set count: expected key=value, like brand.name=Acme"
    );
}

#[test]
fn bad_values_say_what_where_and_what_was_expected() {
    let cases = [
        (
            "count = 0",
            "shop/mine.toml:2:1: `count` is 0; expected 1 to 100000000",
        ),
        (
            "count = -3",
            "shop/mine.toml:2:1: `count` is -3; expected a whole number, 0 or more",
        ),
        (
            "count = 'many'",
            "shop/mine.toml:2:1: `count` is the text \"many\"; expected a whole number, 0 or more",
        ),
        (
            "brand = 'x'",
            "shop/mine.toml:2:1: `brand` is the text \"x\"; expected a table of keys",
        ),
        (
            "name = 'a/b'",
            "shop/mine.toml:2:1: `name` is \"a/b\"; expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        ),
        (
            "customer.tone = { anry = 1 }",
            "shop/mine.toml:2:19: `customer.tone.anry` is the unknown name \"anry\"; expected one of cheerful, neutral, annoyed, angry",
        ),
        (
            "customer.tone = { angry = 0 }",
            "shop/mine.toml:2:19: `customer.tone.angry` is 0; expected a share above 0",
        ),
        (
            "customer.tone = { angry = nan }",
            "shop/mine.toml:2:19: `customer.tone.angry` is NaN; expected a share above 0",
        ),
        (
            "customer.tone = { angry = 'x' }",
            "shop/mine.toml:2:10: `customer.tone.angry` is the text \"x\"; expected a number",
        ),
        (
            "customer.tone = {}",
            "shop/mine.toml:2:10: `customer.tone` is empty; expected at least one name with a share",
        ),
        (
            "customer.product = { ' ' = 1 }",
            "shop/mine.toml:2:22: `customer.product. ` is the unknown name \" \"; expected a name",
        ),
        (
            "conversation.min_turns = 20",
            "shop/mine.toml:2:14: `conversation.min_turns` is 20; expected at most conversation.max_turns, which is 12",
        ),
        (
            "conversation.min_turns = 3\nconversation.max_turns = 3",
            "shop/mine.toml:2:14: `conversation.min_turns` is 3; expected at most 2",
        ),
        (
            "plan.cross = ['tone', 'stile']",
            "shop/mine.toml:2:6: `plan.cross` is the unknown name \"stile\"; expected one of page, tone, style, product, outcome, cooperation",
        ),
        (
            "plan.cross = ['tone']",
            "shop/mine.toml:2:6: `plan.cross` is `tone` alone; expected two or more axes, or none",
        ),
        (
            "sampling.agent.top_p = 1.5",
            "shop/mine.toml:2:16: `sampling.agent.top_p` is 1.5; expected above 0, up to 1 (all tokens)",
        ),
        (
            "sampling.agent.presence_penalty = -11",
            "shop/mine.toml:2:16: `sampling.agent.presence_penalty` is -11; expected -10 to 10; 0 changes nothing",
        ),
        (
            "sampling.queries.frequency_penalty = 10.5",
            "shop/mine.toml:2:18: `sampling.queries.frequency_penalty` is 10.5; expected -10 to 10; 0 changes nothing",
        ),
        (
            "sampling.customer.penalty_last_n = 1000001",
            "shop/mine.toml:2:19: `sampling.customer.penalty_last_n` is 1000001; expected 0 to 1000000",
        ),
        (
            "engine.memory = 'lots'",
            "shop/mine.toml:2:8: `engine.memory` is \"lots\"; expected a size like \"12 GiB\", of 1 MiB or more, or \"auto\"",
        ),
        (
            "engine.threads = 0",
            "shop/mine.toml:2:8: `engine.threads` is 0; expected 1 to 4096, or \"auto\"",
        ),
        (
            "brand.channel = 'fax'",
            "shop/mine.toml:2:7: `brand.channel` is the unknown name \"fax\"; expected one of chat, email, phone",
        ),
        (
            "brand.name = ''",
            "shop/mine.toml:2:7: `brand.name` is \"\"; expected a text on one line, not empty",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(
            refused(&format!("model = 'm'\n{line}"), &Overrides::default()).0,
            expected
        );
    }
    let (_, hint) = refused(
        "model = 'm'\ncustomer.tone = { anoyed = 1 }",
        &Overrides::default(),
    );
    assert_eq!(hint.unwrap(), "did you mean `annoyed`?");
    let (message, _) = refused("model = 'm'\npages.include = ['a[']", &Overrides::default());
    assert!(
        message.starts_with("shop/mine.toml:2:7: `pages.include` is \"a[\" ("),
        "{message}"
    );
    let (message, _) = refused("model = \n", &Overrides::default());
    assert!(message.starts_with("shop/mine.toml:1:"), "{message}");
    let (message, _) = refused("model = 'a'\nmodel = 'b'\n", &Overrides::default());
    assert!(
        message.starts_with("shop/mine.toml:2:1: duplicate key"),
        "{message}"
    );
}

#[test]
fn an_odd_number_of_turns_alone_is_refused() {
    let rules = |min: u32, max: u32| {
        format!("model = 'm'\n[conversation]\nmin_turns = {min}\nmax_turns = {max}")
    };
    let (_, hint) = refused(&rules(5, 5), &Overrides::default());
    assert!(hint.unwrap().contains("even number of turns"));
    for (min, max) in [(4, 4), (3, 4), (4, 5), (1, 2)] {
        assert_eq!(resolved(&rules(min, max)).conversation.min_turns, min);
    }
}

#[test]
fn how_much_of_a_page_is_seen_shapes_both_stages() {
    let spec = resolved("model = 'm'\nconversation.passage_tokens = 600");
    for stage in [Stage::Queries, Stage::Conversations] {
        assert_eq!(
            spec.content_keys(stage)["conversation.passage_tokens"],
            600,
            "{stage}"
        );
    }
}

#[test]
fn a_missing_recipe_names_the_built_in_ones() {
    let error = RecipeText::find(Some("/no/such/recipe")).unwrap_err();
    assert!(error.to_string().contains("/no/such/recipe"));
    assert!(error.hint().unwrap().contains("support"));
}

proptest! {
    /// Whatever is written, resolving ends in a spec or an error that says where; never in a panic.
    #[test]
    fn any_key_with_any_value_is_taken_or_refused(at in 0..known_keys().len(), value in prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        "[a-z./~ ]{0,8}".prop_map(|text| format!("'{text}'")),
        Just("[]".to_owned()), Just("[1]".to_owned()), Just("{}".to_owned()), Just("{ a = 1 }".to_owned()), Just("{ a = {} }".to_owned()),
    ]) {
        let path = known_keys()[at].path;
        let text = if path == "model" { format!("model = {value}") } else { format!("model = 'm'\n{path} = {value}") };
        if let Err(error) = resolve(&recipe(&text), &Overrides::default(), &no_env()) {
            prop_assert!(error.to_string().starts_with("shop/mine.toml:"), "{}", error);
        }
        let _ = resolve(&recipe("model = 'm'"), &set(&[&format!("{path}={value}")]), &no_env());
    }
}
