use std::path::Path;

use super::*;
use crate::record::ModelRole;

fn settings(text: &str, model: &[&str], set: &[&str], env: Option<&str>) -> Settings {
    try_settings(text, model, set, env).unwrap()
}

fn try_settings(
    text: &str,
    model: &[&str],
    set: &[&str],
    env: Option<&str>,
) -> Result<Settings, SettingsError> {
    let recipe = RecipeText::from_file(Path::new("shop/mine.toml"), text.to_owned());
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let overrides = Overrides {
        model: owned(model),
        set: owned(set),
        ..Overrides::default()
    };
    let env = Environment::from_lookup(|name| {
        env.filter(|_| name == "COLLOQUY_MODEL").map(str::to_owned)
    });
    resolve(&recipe, &overrides, &env)
}

/// The references of all roles, in order.
fn cast(settings: &Settings) -> [String; 4] {
    let all = [0, 1, 2, 3].map(|i| ModelRole::ALL[i]);
    all.map(|role| settings.spec.model_of(role).reference)
}

const TWO: &str = "model = 'a'\n[models]\ncustomer = '../b'\nagent = { quant = 'bf16' }\n";

#[test]
fn a_role_has_its_own_model_and_status_follows_the_customer() {
    let spec = |text| settings(text, &[], &[], None);
    assert_eq!(cast(&spec("model = 'a'")), ["a"; 4]);
    let two = spec(TWO);
    assert_eq!(cast(&two), ["a", "shop/../b", "a", "shop/../b"]);
    let agent = two.spec.model_of(ModelRole::Agent);
    assert_eq!((agent.quant, agent.kv_dtype), (Quant::Bf16, KvDtype::Auto));
    assert_eq!(two.spec.model_of(ModelRole::Queries).quant, Quant::Auto);
    assert_eq!(
        two.origin("models.customer.ref").to_string(),
        "shop/mine.toml:3:1"
    );
    let status = spec(
        "model = 'a'\n[models.customer]\nref = 'b'\nquant = 'q8_0'\n[models.status]\nref = 'c'",
    );
    assert_eq!(cast(&status), ["a", "b", "a", "c"]);
    assert_eq!(status.spec.model_of(ModelRole::Status).quant, Quant::Q8);
    // Without one for all, every role needs one of its own; the run goes by the agent's.
    let each = spec("[models]\nqueries = 'q'\ncustomer = 'c'\nagent = 'a'");
    assert_eq!(
        (cast(&each), each.spec.model.as_str()),
        (["q", "c", "a", "c"].map(String::from), "a")
    );
    for text in [
        "[models]\ncustomer = 'c'\nagent = 'a'",
        "[models]\nqueries = 'c'\ncustomer = 'a'",
    ] {
        let error = try_settings(text, &[], &[], None).unwrap_err();
        assert!(matches!(error, SettingsError::NeedsModel { .. }), "{error}");
    }
    assert_eq!(
        serde_json::from_str::<RunSpec>(&serde_json::to_string(&two.spec).unwrap()).unwrap(),
        two.spec
    );
}

#[test]
fn outside_speaks_for_every_role_unless_it_names_one() {
    let of = |model: &[&str], set: &[&str], env| cast(&settings(TWO, model, set, env));
    assert_eq!(of(&["d"], &[], None), ["d"; 4]);
    assert_eq!(of(&[], &[], Some("e")), ["e"; 4]);
    assert_eq!(of(&["agent=d"], &[], Some("e")), ["e", "e", "d", "e"]);
    assert_eq!(
        of(&["agent=d"], &[], None),
        ["a", "shop/../b", "d", "shop/../b"]
    );
    assert_eq!(
        of(&["d", "customer=./x"], &[], None),
        ["d", "./x", "d", "./x"]
    );
    assert_eq!(
        of(&["d"], &["models.customer=b"], None),
        ["d", "b", "d", "b"]
    );
    assert_eq!(
        of(&[], &["models.customer.ref=b"], None),
        ["a", "b", "a", "b"]
    );
    // A way of loading that is asked for outside holds for every role as well.
    let recipe = RecipeText::from_file(Path::new("m.toml"), TWO.to_owned());
    let flag = Overrides {
        engine: vec![("quant", "--quant", "q8_0".into())],
        ..Overrides::default()
    };
    let spec = resolve(&recipe, &flag, &Environment::from_lookup(|_| None)).unwrap();
    assert_eq!(spec.spec.model_of(ModelRole::Agent).quant, Quant::Q8);
    assert_eq!(cast(&spec)[1], "../b");
    assert_eq!(
        settings(TWO, &["agent=d"], &[], None)
            .origin("models.agent.ref")
            .to_string(),
        "--model agent"
    );
    // A reference with an equals sign that begins with no bare word names no role.
    let dials = "scripted:echo=0.1";
    assert_eq!(of(&[dials], &[], None), [dials; 4]);
    assert_eq!(of(&["customer=scripted:echo=0.1"], &[], None)[1], dials);
}

#[test]
fn models_of_no_role_and_of_a_role_twice_are_refused() {
    let told = |text: &str, model: &[&str], set: &[&str]| {
        let error = try_settings(text, model, set, None).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    };
    let plain = "model = 'a'\n";
    let lost = told(plain, &["agnet=b"], &[]);
    assert!(
        lost.contains("one of queries, customer, agent, status, experiences"),
        "{lost}"
    );
    assert!(lost.contains("did you mean `agent`?"), "{lost}");
    assert!(told(plain, &["a", "b"], &[]).contains("given twice for every role"));
    assert!(told(plain, &["agent=a", "agent=b"], &[]).contains("twice for the role agent"));
    let typo = told("model = 'a'\n[models]\ncustmer = 'b'", &[], &[]);
    assert!(
        typo.contains("mine.toml:3:1: unknown key `models.custmer`"),
        "{typo}"
    );
    assert!(typo.contains("did you mean `models.customer`?"), "{typo}");
    let shape = told("model = 'a'\n[models]\ncustomer = 3", &[], &[]);
    assert!(shape.contains("`models.customer` is 3"), "{shape}");
    let quant = told("model = 'a'\n[models.agent]\nquant = 'q99'", &[], &[]);
    assert!(
        quant.contains("mine.toml:3:1: `models.agent.quant`"),
        "{quant}"
    );
    assert!(told(plain, &[], &["models.critic=b"]).contains("unknown key"));
}

#[test]
fn a_role_s_model_is_no_content_key() {
    let one = settings("model = 'a'", &[], &[], None).spec;
    let two = settings(TWO, &[], &[], None).spec;
    for stage in [Stage::Queries, Stage::Conversations] {
        assert_eq!(one.content_keys(stage), two.content_keys(stage));
    }
    let roles: Vec<ModelRole> = two.roles().collect();
    assert_eq!(roles, ModelRole::ALL[..4]);
    let given = settings(TWO, &[], &["queries.from=q.jsonl"], None).spec;
    assert_eq!(given.roles().collect::<Vec<_>>(), &ModelRole::ALL[1..4]);
}

const THINKS: &str = "model = 'a'\nthinking = 60\nchat_template_kwargs = { enable_thinking = false, mode = 'x' }\n[models]\n\
                      agent = { thinking = 200, chat_template_kwargs = { reasoning_effort = 'low', depth = [1, 2.5] } }\n\
                      customer.chat_template_kwargs = {}\nqueries.thinking = 0\n";

#[test]
fn a_role_thinks_and_has_variables_of_its_own() {
    let spec = |set: &[&str]| settings(THINKS, &[], set, None).spec;
    let thinking = |spec: &RunSpec| [0, 1, 2, 3].map(|i| spec.thinking_of(ModelRole::ALL[i]));
    let one = spec(&[]);
    assert_eq!(thinking(&one), [0, 60, 200, 0]);
    let names = |spec: &RunSpec, role| -> Vec<String> {
        spec.kwargs_of(role).keys().map(String::clone).collect()
    };
    assert_eq!(names(&one, ModelRole::Queries), ["enable_thinking", "mode"]);
    assert_eq!(names(&one, ModelRole::Agent), ["depth", "reasoning_effort"]);
    assert_eq!(
        one.kwargs_of(ModelRole::Agent)["depth"],
        serde_json::json!([1, 2.5])
    );
    for empty in [ModelRole::Customer, ModelRole::Status] {
        assert!(
            one.kwargs_of(empty).is_empty(),
            "status follows the customer"
        );
    }
    // One entry joins those of its table, a whole table replaces it.
    let set = [
        "models.agent.thinking=7",
        "models.agent.chat_template_kwargs.mode=y",
        "models.status.chat_template_kwargs={ mode = 3 }",
        "chat_template_kwargs.enable_thinking=true",
    ];
    let over = settings(THINKS, &["b"], &set, None);
    assert_eq!(thinking(&over.spec), [0, 60, 7, 0]);
    assert_eq!(
        names(&over.spec, ModelRole::Agent),
        ["depth", "mode", "reasoning_effort"]
    );
    assert_eq!(over.spec.kwargs_of(ModelRole::Agent)["mode"], "y");
    assert_eq!(over.spec.kwargs_of(ModelRole::Status)["mode"], 3);
    assert_eq!(
        over.spec.kwargs_of(ModelRole::Queries)["enable_thinking"],
        true
    );
    assert_eq!(
        over.origin("models.agent.thinking").to_string(),
        "--set models.agent.thinking"
    );
    let one = ["chat_template_kwargs.mode=y"];
    let one = settings("model = 'a'", &[], &one, None).origin("chat_template_kwargs");
    assert_eq!(one.to_string(), "--set chat_template_kwargs.mode");
    assert_eq!(over.origin("thinking").to_string(), "shop/mine.toml:2:1");
    assert_eq!(
        serde_json::from_str::<RunSpec>(&serde_json::to_string(&over.spec).unwrap()).unwrap(),
        over.spec
    );
}

#[test]
fn thoughts_and_variables_are_content_of_the_stages_whose_roles_have_them() {
    let keys = |text: &str, stage| {
        settings(&format!("model = 'a'\n{text}"), &[], &[], None)
            .spec
            .content_keys(stage)
    };
    let differ = |text: &str| {
        [Stage::Queries, Stage::Conversations]
            .map(|stage| diff_keys(&keys("", stage), &keys(text, stage)))
    };
    let of = |role: &str, key: &str| format!("models.{role}.{key}");
    assert_eq!(
        differ("thinking = 0\nchat_template_kwargs = {}"),
        [Vec::<String>::new(), vec![]]
    );
    assert_eq!(
        differ("thinking = 9"),
        [
            vec![of("queries", "thinking")],
            vec![of("agent", "thinking"), of("customer", "thinking")]
        ]
    );
    assert_eq!(
        differ("models.agent.thinking = 9"),
        [vec![], vec![of("agent", "thinking")]]
    );
    assert_eq!(
        differ("models.customer.chat_template_kwargs.x = 1"),
        [
            vec![],
            vec![
                of("customer", "chat_template_kwargs"),
                of("status", "chat_template_kwargs")
            ]
        ]
    );
    assert_eq!(
        differ("models.queries.chat_template_kwargs.x = 1"),
        [vec![of("queries", "chat_template_kwargs")], vec![]]
    );
    // It is what is meant that counts, not how it was written.
    assert_eq!(
        keys("thinking = 9", Stage::Conversations),
        keys(
            "models.agent.thinking = 9\nmodels.customer.thinking = 9",
            Stage::Conversations
        )
    );
    let given = settings(
        "model = 'a'\nthinking = 9\nqueries.from = 'q.jsonl'",
        &[],
        &[],
        None,
    )
    .spec;
    assert_eq!(given.content_keys(Stage::Queries), {
        let none = settings("model = 'a'\nqueries.from = 'q.jsonl'", &[], &[], None).spec;
        none.content_keys(Stage::Queries)
    });
}

#[test]
fn variables_that_are_not_the_user_s_and_odd_values_are_refused() {
    let told = |text: &str, set: &[&str]| {
        let error = try_settings(&format!("model = 'a'\n{text}"), &[], set, None).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    };
    for name in [
        "messages",
        "tools",
        "add_generation_prompt",
        "bos_token",
        "strftime_now",
    ] {
        let text = told(&format!("chat_template_kwargs = {{ {name} = 1 }}"), &[]);
        let expected = format!(
            "mine.toml:2:26: `chat_template_kwargs.{name}` is a reserved variable; expected a variable of the template's own"
        );
        assert!(
            text.contains(&expected) && text.contains("leave it out"),
            "{text}"
        );
    }
    let set = told("", &["models.agent.chat_template_kwargs.messages=[]"]);
    assert!(
        set.starts_with("--set models.agent.chat_template_kwargs.messages: "),
        "{set}"
    );
    let endless = told("chat_template_kwargs.x = [[1, nan]]", &[]);
    assert!(
        endless.contains("`chat_template_kwargs.x` is NaN; expected a text, a finite number"),
        "{endless}"
    );
    let shape = told("chat_template_kwargs = 'enable_thinking'", &[]);
    assert!(
        shape.contains("expected a table of names and values"),
        "{shape}"
    );
    assert!(told("thinking = -1", &[]).contains("a whole number, 0 or more"));
    assert!(told("thinking = 9000000", &[]).contains("0 to 1000000"));
    assert!(
        told("models.status.thinking = 3", &[]).contains("unknown key `models.status.thinking`")
    );
    assert!(told("", &["models.status.thinking=3"]).contains("unknown key"));
    assert!(told("", &["chat_template_kwargs.a.b=3"]).contains("unknown key"));
}
