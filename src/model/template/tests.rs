use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Value as Json;

use super::{ChatTemplate, Day, TemplateError, TemplateShape};
use super::{OPENER, SystemRole};
use crate::model::{ChatRole, View};

pub(super) const DAY: Day = Day {
    year: 2026,
    month: 11,
    day: 20,
};

fn own_templates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates")
}

/// Renders every golden of a folder; returns how many agreed.
fn agree(folder: &Path) -> usize {
    let goldens: Json =
        serde_json::from_str(&std::fs::read_to_string(folder.join("goldens.json")).unwrap())
            .unwrap();
    let variables: BTreeMap<String, String> =
        serde_json::from_value(goldens["variables"].clone()).unwrap();
    let mut count = 0;
    let mut wrong = Vec::new();
    for (name, rows) in goldens["goldens"].as_object().unwrap() {
        let source =
            std::fs::read_to_string(folder.join(name).with_added_extension("jinja")).unwrap();
        let template = ChatTemplate::unprobed(&source, variables.clone(), DAY)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for (case, row) in rows.as_object().unwrap() {
            let (case_name, kind) = case.split_once('/').unwrap();
            // a list of messages, or a table with variables beside them
            let case_json = &goldens["cases"][case_name];
            let messages = case_json.get("messages").unwrap_or(case_json);
            let kwargs: Vec<(&str, Value)> = case_json["kwargs"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.as_str(), Value::from(Serde(value))))
                .collect();
            let messages = Value::from(Serde(messages));
            let found = template.render_with(template.env(), messages, kind == "prompt", &kwargs);
            let agrees = match (&found, row["text"].as_str(), row["error"].as_str()) {
                (Ok(found), Some(expected), _)
                | (Err(TemplateError::Refused(found)), _, Some(expected)) => found == expected,
                // what Python itself refuses has words of its own there
                (Err(_), _, Some(_)) => row["raised"] == false,
                _ => false,
            };
            if !agrees {
                wrong.push(format!("{name} {case}:\n   {found:?}\n   {row}"));
            }
            count += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    count
}

#[test]
fn own_templates_render_as_the_reference_does() {
    assert!(agree(&own_templates()) >= 50 * 20);
}

/// Templates of published models are not part of the project; they are tried where a copy lies beside it.
#[test]
fn published_templates_render_as_the_reference_does() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/assets/chat_templates"));
    if let Some(folder) = folders
        .into_iter()
        .find(|folder| folder.join("goldens.json").is_file())
    {
        assert_eq!(agree(&folder), 9 * 20);
    }
}

pub(super) fn planted(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, BTreeMap::new(), DAY).unwrap()
}

pub(super) fn own(name: &str) -> ChatTemplate {
    let source =
        std::fs::read_to_string(own_templates().join(name).with_added_extension("jinja")).unwrap();
    let variables = [("bos_token", "<s>"), ("eos_token", "</s>")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    ChatTemplate::new(&source, variables.into(), DAY).unwrap()
}

fn view(messages: &[(ChatRole, &str)]) -> View {
    let mut view = View::default();
    for (role, content) in messages {
        view.push(*role, *content, vec![7]);
    }
    view
}

fn adapted(shape: &TemplateShape, messages: &[(ChatRole, &str)]) -> Vec<(ChatRole, String, usize)> {
    let adapted = shape.adapt(&view(messages));
    adapted
        .into_iter()
        .map(|message| (message.role, message.content, message.tokens.len()))
        .collect()
}

#[test]
fn views_are_adapted_to_the_template() {
    use ChatRole::{Assistant, System, User};
    let free = TemplateShape::default();
    let own = |role, text: &str, tokens| (role, text.to_owned(), tokens);

    let whole = [(System, "s"), (Assistant, "a"), (User, "u"), (User, "v")];
    assert_eq!(
        adapted(&free, &whole),
        [
            own(System, "s", 1),
            own(Assistant, "a", 1),
            own(User, "u", 1),
            own(User, "v", 1)
        ]
    );
    let strict = TemplateShape {
        alternates: true,
        user_first: true,
        ..free.clone()
    };
    assert_eq!(
        adapted(&strict, &whole),
        [
            own(System, "s", 1),
            own(User, OPENER, 0),
            own(Assistant, "a", 1),
            own(User, "u\nv", 0)
        ]
    );
    let bare = TemplateShape {
        system: SystemRole::Refused,
        ..free.clone()
    };
    let folded = format!("s\n\n{OPENER}");
    assert_eq!(
        adapted(&bare, &whole),
        [
            own(User, &folded, 0),
            own(Assistant, "a", 1),
            own(User, "u", 1),
            own(User, "v", 1)
        ]
    );
    assert_eq!(
        adapted(&bare, &[(System, "s"), (User, "u"), (Assistant, "a")]),
        [own(User, "s\n\nu", 0), own(Assistant, "a", 1)]
    );

    // a view with a system message only, as of someone who is to speak first
    assert_eq!(adapted(&free, &[(System, "s")]), [own(System, "s", 1)]);
    assert_eq!(
        adapted(&strict, &[(System, "s")]),
        [own(System, "s", 1), own(User, OPENER, 0)]
    );
    assert_eq!(adapted(&bare, &[(System, "s")]), [own(User, &folded, 0)]);
    assert_eq!(
        adapted(&strict, &[(System, "s"), (System, "t")]),
        [own(System, "s\nt", 0), own(User, OPENER, 0)]
    );
}

#[test]
fn adapted_views_are_accepted_by_every_template() {
    use ChatRole::{Assistant, System, User};
    let views: [&[(ChatRole, &str)]; 6] = [
        &[(System, "rules")],
        &[(System, "rules"), (Assistant, "one"), (User, "two")],
        &[
            (System, "rules"),
            (User, "one"),
            (User, "two"),
            (Assistant, "three"),
            (User, "four"),
        ],
        &[(User, "one")],
        &[(Assistant, "one"), (Assistant, "two"), (User, "three")],
        &[
            (System, "rules"),
            (User, "one"),
            (Assistant, "two"),
            (Assistant, "three"),
            (User, "four"),
        ],
    ];
    for name in [
        "bars", "strict", "nosystem", "dated", "thinking", "training",
    ] {
        let template = own(name);
        for messages in views {
            let text = template
                .render(&template.adapt(&view(messages)), true)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            for (_, content) in messages {
                assert!(
                    text.contains(content),
                    "{name} lost {content:?} in {text:?}"
                );
            }
        }
    }
}

#[test]
fn templates_are_found_in_a_model_folder() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let load = || ChatTemplate::load(folder.path(), DAY);
    assert!(matches!(load(), Err(TemplateError::Missing { .. })));
    write("tokenizer_config.json", "{\"bos_token\": null}");
    assert!(
        load()
            .unwrap_err()
            .to_string()
            .contains("no chat template in")
    );

    let source = "{{ bos_token }}{{ eos_token }}{{ pad_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}";
    let config = serde_json::json!({"bos_token": {"content": "<b>"}, "eos_token": "<e>", "add_bos_token": true, "chat_template": source});
    write("tokenizer_config.json", &config.to_string());
    let render = |template: ChatTemplate| {
        template
            .render_pairs([("user", "x")].into_iter(), false)
            .unwrap()
    };
    assert_eq!(render(load().unwrap()), "<b><e>user:x;");

    let named = |names: [&str; 2]| {
        let list = names.map(|name| serde_json::json!({"name": name, "template": source.replace("bos_token", "'B'")}));
        serde_json::json!({"chat_template": list}).to_string()
    };
    write("tokenizer_config.json", &named(["tool_use", "default"]));
    assert_eq!(render(load().unwrap()), "Buser:x;");
    write("tokenizer_config.json", &named(["tool_use", "rag"]));
    assert!(
        load()
            .unwrap_err()
            .to_string()
            .contains("expected a template named `default` among [rag, tool_use]")
    );

    // names of special tokens that stand in the older file only; the newer one's count where both have them
    let map = serde_json::json!({"bos_token": {"content": "<old>"}, "pad_token": "<pad>", "additional_special_tokens": ["<x>"]});
    write("special_tokens_map.json", &map.to_string());
    let config = serde_json::json!({"bos_token": "<b>", "chat_template": source});
    write("tokenizer_config.json", &config.to_string());
    assert_eq!(render(load().unwrap()), "<b><pad>user:x;");
    write("special_tokens_map.json", "[]");

    // a template for tools is taken where there are tools
    let tools = BTreeMap::from([("tools".to_owned(), serde_json::json!([{"name": "f"}]))]);
    write(
        "tokenizer_config.json",
        &named(["tool_use", "default"])
            .replacen("{{ bos_token", "{{ tools[0].name", 1)
            .replacen("'B'", "tools[0].name", 1),
    );
    assert!(render(load().unwrap()).starts_with('B'));
    assert_eq!(
        render(load().unwrap().with_kwargs(&tools).unwrap()),
        "fuser:x;"
    );

    write(
        "chat_template.jinja",
        "{% for m in messages %}[{{ m.content }}]{% endfor %}\n",
    );
    assert_eq!(render(load().unwrap()), "[x]");
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    write(
        "additional_chat_templates/tool_use.jinja",
        "{% for m in messages %}({{ m.content }}){% endfor %}{{ depth }}",
    );
    write("additional_chat_templates/notes.txt", "{% no template");
    assert_eq!(render(load().unwrap()), "[x]");
    assert!(load().unwrap().reads("depth") && !load().unwrap().reads("width"));
    assert_eq!(render(load().unwrap().with_kwargs(&tools).unwrap()), "(x)");
    write("chat_template.jinja", "{% for m in messages %}");
    assert!(matches!(load(), Err(TemplateError::Compile(_))));
    write("chat_template.jinja", "nothing of the conversation");
    assert!(matches!(load(), Err(TemplateError::Useless(_))));
    write("tokenizer_config.json", "{");
    assert!(matches!(load(), Err(TemplateError::Malformed { .. })));
}
